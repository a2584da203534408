"""SQLAlchemy's column types as Arrow's, and what drivers give as cells: exactly, or not at all."""

# SQLAlchemy is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import datetime as dt
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
import pyarrow as pa

from skyhold.records.formats.sql.alchemy_session import Unreadable
from skyhold.records.formats.sql.asked import Wrong
from skyhold.records.formats.sql.decimals import PLAIN_NUMERIC, decimal_type, to_decimals

__all__ = ["arrow_type", "is_interval", "read_column", "type_of_values"]

_LARGEST_WHOLE_FLOAT = 2**53
_CHANGED = (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ArithmeticError, ValueError, TypeError)
_NO_TEXT = (bool, int, float, Decimal, bytes, bytearray, memoryview, dt.date, dt.timedelta, Unreadable)

_EXACT: tuple[tuple[type, pa.DataType], ...] = (
    (bool, pa.bool_()),
    (int, pa.int64()),
    (float, pa.float64()),
    (Decimal, PLAIN_NUMERIC),
    (bytes, pa.binary()),
    (bytearray, pa.binary()),
    (memoryview, pa.binary()),
    (dt.date, pa.date32()),
    (dt.timedelta, pa.duration("us")),
)
"""By the class of a value, where nothing else tells a column's type."""


def arrow_type(kind: Any, dialect: str, sa: Any) -> pa.DataType | None:
    """Return the type for a column's type of SQLAlchemy's; None where only the values can tell.

    Example:
        >>> import sqlalchemy
        >>> arrow_type(sqlalchemy.Numeric(10, 2), "postgresql", sqlalchemy)
        Decimal128Type(decimal128(10, 2))
    """
    types = sa.types
    if isinstance(kind, types.ARRAY):
        inner = arrow_type(kind.item_type, dialect, sa)
        return None if inner is None else pa.list_(inner)
    families: tuple[tuple[Any, Callable[[], Any]], ...] = (
        ((types.JSON, types.Uuid, types.String), pa.string),
        (types._Binary, pa.binary),  # noqa: SLF001 - what BLOBs and BINARY have in common has no other name
        (types.Boolean, pa.bool_),
        (types.Float, partial(_floating_type, kind, dialect, sa)),
        (types.Numeric, partial(_decimal_type, kind)),  # before Integer: Oracle's NUMBER is called both
        (types.Integer, partial(_whole_type, kind, sa)),
        (types.DateTime, partial(pa.timestamp, "us", "UTC" if _is_zoned(kind) else None)),
        (types.Date, pa.date32),
        (types.Time, pa.string if getattr(kind, "timezone", False) else partial(pa.time64, "us")),
    )
    if is_interval(kind):
        # PostgreSQL's have months.
        return pa.string() if dialect == "postgresql" else pa.duration("us")
    return next((make() for classes, make in families if isinstance(kind, classes)), None)


def is_interval(kind: Any) -> bool:
    """Whether a type of SQLAlchemy's is a dialect's span of time; such classes have no base of their own."""
    return str(kind.__visit_name__).lower() == "interval"


def _is_zoned(kind: Any) -> bool:
    return bool(getattr(kind, "timezone", False)) or str(kind.__visit_name__).upper() == "DATETIMEOFFSET"


def _whole_type(kind: Any, sa: Any) -> pa.DataType:
    if getattr(kind, "unsigned", False):
        return pa.uint64()
    return pa.int16() if isinstance(kind, sa.types.SmallInteger) else pa.int64()


def _floating_type(kind: Any, dialect: str, sa: Any) -> pa.DataType:
    if dialect == "oracle" and isinstance(kind, sa.types.FLOAT):
        return PLAIN_NUMERIC  # Oracle's FLOAT counts its digits in bits, and is decimal all the same
    single = sa.types.FLOAT if dialect == "mysql" else sa.types.REAL
    return pa.float32() if isinstance(kind, single) and dialect in {"postgresql", "mysql", "mssql"} else pa.float64()


def _decimal_type(kind: Any) -> pa.DataType:
    if kind.precision is None:
        return PLAIN_NUMERIC
    scale = int(kind.scale or 0)
    precision, scale = max(int(kind.precision) - min(scale, 0), scale), max(scale, 0)
    return decimal_type(precision, scale)


def type_of_values(values: Sequence[Any]) -> pa.DataType:
    """Return the type of a column that nothing else tells, from some of its values; text where there are none.

    Whole numbers among floating ones make a column of these, and decimals one of decimals.

    Example:
        >>> str(type_of_values([None, 1, Decimal("2.50")])), str(type_of_values([[1], []])), str(type_of_values([{}]))
        ('decimal256(76, 38)', 'list<item: int64>', 'string')
    """
    found = [value for value in values if value is not None and type(value) is not Unreadable]
    if not found:
        return pa.string()
    classes = {type(value) for value in found}
    first = found[0]
    if isinstance(first, list):
        return pa.list_(type_of_values([item for value in found if isinstance(value, list) for item in value]))
    if isinstance(first, dt.datetime):
        return pa.timestamp("us", None if first.tzinfo is None else "UTC")
    if isinstance(first, dt.time) and first.tzinfo is None:
        return pa.time64("us")
    if type(first) is int and classes & {float, Decimal}:
        return PLAIN_NUMERIC if Decimal in classes else pa.float64()
    return next((kind for exact, kind in _EXACT if type(first) is exact), pa.string())


def read_column(values: Sequence[Any], kind: pa.DataType) -> tuple[pa.Array, Wrong]:
    """Return a column's cells, null where a value does not fit, and what did not fit.

    Example:
        >>> array, wrong = read_column([1, "two", None, 2**63], pa.int64())
        >>> array.to_pylist(), wrong
        ([1, None, None, None], {1: 'two', 3: '9223372036854775808'})
    """
    if pa.types.is_decimal(kind):
        return _read_decimals(values, kind)
    cell = _cell_for(kind)
    try:
        return pa.array([None if value is None else cell(value) for value in values], kind), {}
    except _CHANGED:
        pass
    wrong: Wrong = {}
    cells: list[Any] = []
    for place, value in enumerate(values):
        try:
            kept = None if value is None else cell(value)
            pa.array([kept], kind)
        except _CHANGED:
            kept, wrong[place] = None, _show(value)
        cells.append(kept)
    return pa.array(cells, kind), wrong


def _read_decimals(values: Sequence[Any], kind: pa.DataType) -> tuple[pa.Array, Wrong]:
    if set(map(type, values)) <= {Decimal, int, type(None)}:
        try:
            return pa.array(values, kind), {}
        except _CHANGED:
            pass
    wrong: Wrong = {
        place: _show(value)
        for place, value in enumerate(values)
        if value is not None and type(value) not in {Decimal, int, float}
    }
    texts = [None if value is None or place in wrong else str(value) for place, value in enumerate(values)]
    numbers, misfits = to_decimals(pa.array(texts, pa.string()), kind)
    return numbers, dict(sorted((wrong | misfits).items()))


def _cell_for(kind: pa.DataType) -> Callable[[Any], Any]:
    """Return what makes of a driver's value what Arrow takes for a type without changing it, or raises."""
    tests = pa.types
    if tests.is_list(kind):
        return _list_of(kind.value_type)
    families: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...] = (
        (tests.is_boolean, _truth),
        (tests.is_integer, _whole),
        (tests.is_floating, _real),
        (tests.is_decimal, _number),
        (tests.is_string, _text),
        (tests.is_binary, _bytes),
        (tests.is_date, lambda value: _only(value, dt.date)),
        (tests.is_timestamp, _naive_moment if kind == pa.timestamp("us") else _instant),
        (tests.is_time, _clock),
        (tests.is_duration, lambda value: _only(value, dt.timedelta)),
    )
    return next(cell for test, cell in families if test(kind))


def _list_of(kind: pa.DataType) -> Callable[[Any], Any]:
    cell = _cell_for(kind)

    def read(value: Any) -> list[Any]:
        cells = [None if item is None else cell(item) for item in _only(value, list)]
        pa.array(cells, kind)
        return cells

    return read


def _only(value: Any, wanted: type) -> Any:
    if type(value) is not wanted:
        raise TypeError
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, int) or value not in (0, 1):
        raise TypeError
    return bool(value)


def _whole(value: Any) -> int:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    return _only(value, int)


def _real(value: Any) -> float:
    if type(value) is int and abs(value) <= _LARGEST_WHOLE_FLOAT:
        return float(value)
    return _only(value, float)


def _number(value: Any) -> Any:
    return value if type(value) is int else _only(value, Decimal)


def _text(value: Any) -> str:
    if type(value) is str:
        return value
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str).decode()
    if isinstance(value, _NO_TEXT):
        raise TypeError
    # Addresses, UUIDs, ranges: objects whose text is what the database would show.
    return str(value)


def _bytes(value: Any) -> bytes:
    return bytes(value) if isinstance(value, bytearray | memoryview) else _only(value, bytes)


def _naive_moment(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime) or value.tzinfo is not None:
        raise TypeError
    return value


def _instant(value: Any) -> dt.datetime:
    if not isinstance(value, dt.datetime) or value.tzinfo is None:
        raise TypeError
    return value


def _clock(value: Any) -> dt.time:
    if isinstance(value, dt.timedelta):  # MySQL's, which may also be a span of days
        if not dt.timedelta() <= value < dt.timedelta(days=1):
            raise TypeError
        return (dt.datetime(1, 1, 1) + value).time()  # noqa: DTZ001 - a time of day has no zone
    if not isinstance(value, dt.time) or value.tzinfo is not None:
        raise TypeError
    return value


def _show(value: Any) -> str:
    return f"x'{bytes(value).hex()}'" if isinstance(value, bytes | bytearray | memoryview) else str(value)
