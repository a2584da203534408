"""From one Python value to what an Arrow column holds: exactly, or not at all."""

import functools
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import Enum
from typing import Any

from pydantic_core import to_json

__all__ = [
    "Convert",
    "OverflowedError",
    "is_utf8",
    "refuse",
    "to_aware_datetime",
    "to_bytes",
    "to_date",
    "to_decimal",
    "to_duration",
    "to_extra",
    "to_float",
    "to_json_text",
    "to_member",
    "to_naive_datetime",
    "to_nothing",
    "to_number",
    "to_plain",
    "to_printed",
    "to_text",
    "to_time",
]

Convert = Callable[[Any], Any]
_INT64 = 1 << 63
_MICROSECOND = timedelta(microseconds=1)


class OverflowedError(Exception):
    """A value that the output type cannot hold; its text says which and why."""


def refuse(value: object, why: str) -> OverflowedError:
    """Return the error that a value, which it shows, is not what a column holds."""
    return OverflowedError(f"{type(value).__name__} value {_show(value)} {why}")


def _show(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a value's own repr may raise anything, and this is an error's text
        return "(not printable)"
    return (text if len(text) <= 80 else text[:77] + "...").encode("utf-8", "backslashreplace").decode()  # noqa: PLR2004


def to_number(value: object) -> int:
    """Return an int64; the member's value for an Enum."""
    plain = value.value if isinstance(value, Enum) else value
    if not isinstance(plain, int) or isinstance(plain, bool):
        raise refuse(value, "is not an int")
    if not -_INT64 <= plain < _INT64:
        raise refuse(value, "does not fit in int64")
    return int(plain)


def to_float(value: object) -> float:
    """Return a float64, also from an int that it holds exactly."""
    if type(value) is float:
        return value
    if type(value) is int and abs(value) <= 1 << 53:
        return float(value)
    raise refuse(value, "is not a float")


def to_text(value: object) -> str:
    """Return text; the member's value for an Enum."""
    plain = value.value if isinstance(value, Enum) else value
    if not isinstance(plain, str):
        raise refuse(value, "is not text")
    text = str.__str__(plain)
    if not text.isascii() and not is_utf8(text):
        raise refuse(value, "has a lone surrogate, which UTF-8 cannot hold")
    return text


def is_utf8(text: str) -> bool:
    """Tell whether UTF-8 can hold a text; it cannot hold a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def to_member(inner: Convert) -> Convert:
    """Return a conversion that takes a member of an Enum for its value."""
    return lambda value: inner(value.value if isinstance(value, Enum) else value)


def to_printed(value: object) -> str:
    """Return the text of a URL, address, path or UUID."""
    return to_text(str(value))


def to_plain(kind: type) -> Convert:
    """Return the check that a value is of exactly this type, which Arrow takes as it is."""

    def convert(value: object) -> object:
        if type(value) is not kind:
            raise refuse(value, f"is not {kind.__name__}")
        return value

    return convert


def to_naive_datetime(value: object) -> datetime:
    """Return a date-time without a zone; with one, a naive column would move or forget its instant."""
    if not isinstance(value, datetime):
        raise refuse(value, "is not a datetime")
    if value.tzinfo is not None:
        raise refuse(value, "has a time zone, which the column has not: declare the field as AwareDatetime")
    return value


def to_aware_datetime(value: object) -> datetime:
    """Return the same instant in UTC."""
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise refuse(value, "has no time zone, which the column needs")
    try:
        return value.astimezone(UTC)
    except OverflowError as exc:
        raise refuse(value, "is outside the years 1 to 9999 in UTC") from exc


def to_time(value: object) -> time:
    """Return a time of day without a zone."""
    if type(value) is not time or value.tzinfo is not None:
        raise refuse(value, "is not a time without a time zone")
    return value


def to_duration(value: object) -> timedelta:
    """Return a duration whose microseconds fit in int64."""
    if not isinstance(value, timedelta):
        raise refuse(value, "is not a timedelta")
    if not -_INT64 <= value // _MICROSECOND < _INT64:
        raise refuse(value, "does not fit in 64 bits of microseconds")
    return value


@functools.cache
def to_decimal(precision: int, scale: int) -> Convert:
    """Return the conversion to ``decimal128(precision, scale)`` that never rounds."""
    context = Context(prec=precision, traps=[Inexact, InvalidOperation])
    unit = Decimal(1).scaleb(-scale)

    def convert(value: object) -> Decimal:
        if not isinstance(value, Decimal) or not value.is_finite():
            raise refuse(value, "is not a finite Decimal")
        try:
            return value.quantize(unit, context=context)
        except (Inexact, InvalidOperation) as exc:
            raise refuse(value, f"does not fit in {precision} digits, {scale} of them decimals") from exc

    return convert


def to_json_text(value: object) -> str:
    """Return JSON text, for what has no column type of its own."""
    try:
        return to_json(value, inf_nan_mode="strings").decode()
    except Exception as exc:
        raise refuse(value, "cannot be written as JSON") from exc


def to_extra(value: object) -> str:
    """Return a column that no field takes: its text as it is, anything else as JSON."""
    return to_text(value) if isinstance(value, str) else to_json_text(value)


def to_date(value: object) -> date:
    """Return a date; not a date-time, which is one to Python."""
    if type(value) is not date:
        raise refuse(value, "is not a date")
    return value


def to_bytes(value: object) -> bytes:
    """Return bytes."""
    if not isinstance(value, bytes):
        raise refuse(value, "is not bytes")
    return bytes(value)


def to_nothing(value: object) -> None:
    """Drop a value that has no column."""
    del value
