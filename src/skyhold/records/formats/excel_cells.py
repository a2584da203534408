"""What the cells of a sheet are: a type for each column that is read, and the values that a cell can hold exactly."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa

from skyhold.errors import SchemaError, UnwritableValueError
from skyhold.records.validation.python_values import Unreadable, python_values

__all__ = ["CellWriter", "ColumnKinds", "cell_writer"]

_EXACT = 1 << 53
_MOST_TEXT = 32_767
_FIRST_DAY = date(1900, 3, 1)  # Excel counts a 29 February 1900 that never was: earlier days mean two things
_EMPTY: frozenset[type] = frozenset()
_TYPES: dict[frozenset[type], pa.DataType] = {
    _EMPTY: pa.null(),
    frozenset({bool}): pa.bool_(),
    frozenset({str}): pa.string(),
    frozenset({date}): pa.date32(),
    frozenset({datetime}): pa.timestamp("us"),
    frozenset({date, datetime}): pa.timestamp("us"),
    frozenset({time}): pa.time64("us"),
    frozenset({timedelta}): pa.duration("us"),
}


class ColumnKinds:
    """Finds the type of one column: all of its cells are seen before any is read.

    A sheet knows numbers, not ints and floats: numbers that all are whole, and exact as 64-bit floats, are ints. Days
    and moments together are moments. A column of mixed kinds is text, with each cell's value written out: ``TRUE``,
    ``1``, ``1.5``, ``2024-01-31``.

    Example:
        >>> kinds = ColumnKinds()
        >>> kinds.see([1.0, "", 2.0])
        >>> kinds.type, kinds.values([3.0, ""])
        (DataType(int64), [3, None])
        >>> kinds.see(["n/a"])
        >>> kinds.type, kinds.values([3.0, "", "n/a"])
        (DataType(string), ['3', None, 'n/a'])
    """

    def __init__(self) -> None:
        self._kinds: set[type] = set()
        self._are_whole = True

    def see(self, cells: Sequence[object]) -> None:
        """Take note of some cells; empty ones are ``""``."""
        filled = [cell for cell in cells if cell != ""]
        kinds = set(map(type, filled))
        if float in kinds and self._are_whole:
            self._are_whole = all(map(_is_whole, filled))
        self._kinds |= kinds

    @property
    def type(self) -> pa.DataType:
        """The column's type, as far as cells were seen."""
        if self._kinds and self._kinds <= {int, float}:
            return pa.int64() if self._are_whole else pa.float64()
        return _TYPES.get(frozenset(self._kinds), pa.string())

    def values(self, cells: Sequence[object]) -> list[Any]:
        """Return cells as the column's type takes them."""
        convert = self._converter()
        if convert is None:
            return [None if cell == "" else cell for cell in cells]
        return [None if cell == "" else convert(cell) for cell in cells]

    def _converter(self) -> Callable[[Any], object] | None:
        kind = self.type
        if kind == pa.int64():
            return int
        if kind == pa.float64():
            return float
        if kind == pa.timestamp("us"):
            return _moment
        return _written_out if kind == pa.string() and self._kinds != {str} else None


def _is_whole(value: object) -> bool:
    return not isinstance(value, float) or (value.is_integer() and abs(value) <= _EXACT)


def _moment(value: date) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time())


def _written_out(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and _is_whole(value):
        return str(int(value))
    return str(value) if isinstance(value, str | int | float | timedelta) else _iso(value)


def _iso(value: Any) -> str:
    return value.isoformat()


CellWriter = Callable[[pa.Array], list[Any]]
"""Gives the cells of a column as numbers, texts, booleans, dates or times; raises at one that no cell holds exactly."""


def cell_writer(field: pa.Field) -> CellWriter:
    """Return what turns a column into cells.

    Raises:
        SchemaError: No cell can hold values of this type.

    Example:
        >>> cell_writer(pa.field("a", pa.decimal128(5, 2)))(pa.array([1, None], pa.decimal128(5, 2)))
        [1.0, None]
    """
    check = _check_of(field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
    if check is None:
        hint = "write UTC without a zone, or text" if pa.types.is_timestamp(field.type) else "write text"
        raise SchemaError(
            f"column {field.name!r} is {field.type}, which no cell of a sheet can hold",
            remedy=f"Leave the column out, or have the model {hint}",
        )

    def cells(column: pa.Array) -> list[Any]:
        return [None if value is None else _checked(value, check, field.name) for value in python_values(column)]

    return cells


def _checked(value: Any, check: "_Check", name: str) -> Any:
    cell, why = (None, value.why) if isinstance(value, Unreadable) else check(value)
    if why:
        raise UnwritableValueError(
            f"column {name!r}: {value!r:.80} {why}", remedy="Declare the field as str, or write Parquet or CSV"
        )
    return cell


_Check = Callable[[Any], tuple[Any, str]]
"""Returns the cell, or why there is none."""


def _check_of(kind: pa.DataType) -> _Check | None:  # noqa: PLR0911 - one return a kind
    types = pa.types
    if types.is_boolean(kind) or types.is_null(kind):
        return lambda value: (value, "")
    if types.is_integer(kind):
        return lambda value: (value, "" if abs(value) <= _EXACT else "has more digits than a cell of a sheet keeps")
    if types.is_floating(kind):
        return lambda value: (value, "" if math.isfinite(value) else "is no number to a sheet")
    if types.is_decimal(kind):
        return _check_decimal
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return _check_text
    if types.is_date(kind):
        return lambda value: (value, "" if value >= _FIRST_DAY else "is before 1 March 1900")
    if types.is_timestamp(kind) and kind.tz is None:
        return _check_moment
    if types.is_time(kind):
        return lambda value: (value, _check_fraction(value.microsecond))
    return _check_duration if types.is_duration(kind) else None


def _check_decimal(value: Decimal) -> tuple[float, str]:
    number = float(value)
    return number, "" if Decimal(repr(number)) == value else "has more digits than a cell of a sheet keeps"


def _check_text(value: str) -> tuple[str, str]:
    units = len(value) if value.isascii() else len(value.encode("utf-16-le")) // 2
    if "\ufffe" in value or "\uffff" in value:
        return value, "has a character that XML has not"
    return value, "" if units <= _MOST_TEXT else f"has more than {_MOST_TEXT:,} characters"


def _check_moment(value: datetime) -> tuple[datetime, str]:
    return value, "is before 1 March 1900" if value.date() < _FIRST_DAY else _check_fraction(value.microsecond)


def _check_duration(value: timedelta) -> tuple[timedelta, str]:
    return value, "is less than nothing" if value < timedelta() else _check_fraction(value.microseconds)


def _check_fraction(microsecond: int) -> str:
    return "has microseconds, and a sheet keeps milliseconds" if microsecond % 1000 else ""
