"""SQLite's values as Arrow's: columns declare a type, and any cell may hold another."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.records.formats.sql.asked import Wrong
from skyhold.records.formats.sql.decimals import PLAIN_NUMERIC, decimal_type, to_decimals

__all__ = ["TEXT", "declared_type", "read_column", "type_of_values"]

TEXT = bytearray
"""What text is fetched as: undecoded, so that a broken one costs its row and not the run, and unlike a blob."""

_Build = Callable[[Sequence[Any]], pa.Array]

_PARAMETERS = re.compile(r"\((\d+)(?:\s*,\s*(\d+))?\)")
_DECLARED: tuple[tuple[str, pa.DataType], ...] = (
    (r"BOOL(EAN)?", pa.bool_()),
    (r"DATE", pa.date32()),
    (r"TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE", pa.timestamp("us", "UTC")),
    (r"DATETIME|TIMESTAMP|TIMESTAMP WITHOUT TIME ZONE", pa.timestamp("us")),
    (r"TIME|TIME WITHOUT TIME ZONE", pa.time64("us")),
    (r".*INT.*", pa.int64()),
    (r".*(CHAR|CLOB|TEXT).*|JSON|UUID|STRING", pa.string()),
    (r".*BLOB.*|BYTEA|BINARY|VARBINARY", pa.binary()),
    (r".*(REAL|FLOA|DOUB).*", pa.float64()),
)
_LARGEST_WHOLE_FLOAT = 2**53


def declared_type(declared: str) -> pa.DataType | None:
    """Return the type that a column's declaration means; None where it means nothing certain.

    Example:
        >>> declared_type("VARCHAR(20)"), declared_type("decimal(10, 2)"), declared_type("")
        (DataType(string), Decimal128Type(decimal128(10, 2)), None)
    """
    found = _PARAMETERS.search(declared)
    name = " ".join(_PARAMETERS.sub("", declared).upper().split())
    if name in {"DECIMAL", "NUMERIC", "DECIMAL_TEXT"}:
        if found is None:
            return PLAIN_NUMERIC
        scale = int(found[2] or 0)
        return decimal_type(max(int(found[1]), scale, 1), scale)
    return next((kind for pattern, kind in _DECLARED if re.fullmatch(pattern, name)), None)


def type_of_values(values: Sequence[Any]) -> pa.DataType:
    """Return the type of a column without a declared one, from some of its values: that of the first.

    Whole numbers among others make a column of floating numbers.
    """
    classes = [type(value) for value in values if value is not None]
    if not classes or classes[0] is TEXT:
        return pa.string()
    if classes[0] is bytes:
        return pa.binary()
    return pa.float64() if float in classes else pa.int64()


def read_column(values: Sequence[Any], kind: pa.DataType) -> tuple[pa.Array, Wrong]:
    """Return a column's cells, null where a value does not fit, and what did not fit."""
    classes, build = _reader(kind)
    wrong: Wrong = {}
    if not set(map(type, values)) <= classes | {type(None)}:
        wrong = {
            place: _show(value)
            for place, value in enumerate(values)
            if value is not None and type(value) not in classes
        }
        values = [None if place in wrong else value for place, value in enumerate(values)]
    try:
        return build(values), wrong
    except (pa.ArrowInvalid, UnicodeDecodeError):
        pass
    for place, value in enumerate(values):
        try:
            build([value])
        except (pa.ArrowInvalid, UnicodeDecodeError):
            wrong[place] = _show(value)
    return build([None if place in wrong else value for place, value in enumerate(values)]), wrong


def _reader(kind: pa.DataType) -> tuple[set[type], _Build]:
    """Return which of SQLite's classes a type takes, and what makes a column of them or raises."""
    tests = pa.types
    families: tuple[tuple[Callable[[pa.DataType], bool], set[type], _Build], ...] = (
        (tests.is_decimal, {int, float, TEXT}, partial(_decimals, kind=kind)),
        (tests.is_boolean, {int}, _truths),
        (tests.is_integer, {int}, partial(pa.array, type=kind)),
        (tests.is_floating, {int, float}, _floats),
        (tests.is_binary, {bytes}, partial(pa.array, type=kind)),
        (tests.is_time, {TEXT}, _times),
    )
    found = next(((classes, build) for test, classes, build in families if test(kind)), None)
    return found or ({TEXT}, partial(_from_text, kind=kind))


def _from_text(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    return pa.array(values, pa.binary()).cast(pa.string()).cast(kind)


def _times(values: Sequence[Any]) -> pa.Array:
    texts = _from_text(values, pa.string())
    instants = pc.binary_join_element_wise("1970-01-01 ", texts, "").cast(pa.timestamp("us"))
    return instants.cast(pa.time64("us"))


def _truths(values: Sequence[Any]) -> pa.Array:
    if not set(values) <= {0, 1, None}:
        raise pa.ArrowInvalid("neither 0 nor 1")
    return pa.array([None if value is None else value == 1 for value in values], pa.bool_())


def _floats(values: Sequence[Any]) -> pa.Array:
    if any(type(value) is int and abs(value) > _LARGEST_WHOLE_FLOAT for value in values):
        raise pa.ArrowInvalid("a whole number too large")
    return pa.array(values, pa.float64())


def _decimals(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    texts = [None if value is None else value.decode() if type(value) is TEXT else repr(value) for value in values]
    numbers, wrong = to_decimals(pa.array(texts, pa.string()), kind)
    if wrong:
        raise pa.ArrowInvalid("no such number")
    return numbers


def _show(value: object) -> str:
    if isinstance(value, bytearray):
        return value.decode(errors="backslashreplace")
    return f"x'{value.hex()}'" if isinstance(value, bytes) else repr(value)
