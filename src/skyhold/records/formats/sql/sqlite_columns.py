"""Which SQLite column holds which Arrow type, and what its cells are there."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import MalformedInputError, SchemaError
from skyhold.records.formats.sql.cells import as_json, fits, is_nested, is_text, plain_type, to_type

__all__ = ["check_fits", "encode", "sql_type"]

_ZONED = pa.timestamp("us", "UTC")
_KEPT_AS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_integer, pa.int64()),
    (pa.types.is_timestamp, pa.timestamp("us")),
    (pa.types.is_date, pa.date32()),
    (pa.types.is_time, pa.time64("us")),
    (pa.types.is_duration, pa.duration("us")),
)


def sql_type(field: pa.Field) -> str:
    """Return how a new column is declared, so that SQLite keeps what it is given and a reader knows what it is.

    Raises:
        SchemaError: Nothing in SQLite holds such values.

    Example:
        >>> sql_type(pa.field("price", pa.decimal128(10, 2)))
        'DECIMAL_TEXT(10,2)'
    """
    kind = plain_type(field.type)
    tests = pa.types
    if tests.is_decimal(kind):
        # "TEXT" in the name keeps the digits: SQLite makes floating numbers of what stands in a DECIMAL column.
        return f"DECIMAL_TEXT({kind.precision},{max(kind.scale, 0)})"
    if tests.is_timestamp(kind):
        return "TIMESTAMP" if kind.tz is None else "TIMESTAMPTZ"
    families = (
        (tests.is_boolean, "BOOLEAN"),
        (tests.is_integer, "INTEGER"),
        (tests.is_floating, "REAL"),
        (is_text, "TEXT"),
        (tests.is_null, "TEXT"),
        (tests.is_date, "DATE"),
        (tests.is_time, "TIME"),
        (tests.is_duration, "DURATION_TEXT"),
        (is_nested, "JSON_TEXT"),
        (tests.is_binary, "BLOB"),
        (tests.is_large_binary, "BLOB"),
        (tests.is_fixed_size_binary, "BLOB"),
    )
    found = next((name for test, name in families if test(kind)), None)
    if found is None:
        raise SchemaError(f"column {field.name!r} is {kind}, which SQLite cannot hold")
    return found


def check_fits(field: pa.Field, declared: str, target: pa.DataType | None, uri: str) -> None:
    """Refuse values that a column which exists would change, or that are not what it says it holds.

    Raises:
        SchemaError: They are not values of that column.
    """
    kind = plain_type(field.type)
    as_text = target is not None and is_text(target) and not pa.types.is_binary(kind)
    if target is None or as_text or fits(kind, target):
        return
    raise SchemaError(
        f"column {field.name!r} is {field.type}, and {declared} in {uri!r}",
        remedy="Give the model the column's type, or write another table",
    )


def encode(name: str, values: pa.Array) -> list[Any]:
    """Return cells as Python's sqlite3 takes them.

    Raises:
        MalformedInputError: SQLite has no such value, and would make a null of it.
    """
    kind = plain_type(values.type)
    values = to_type(name, values, kind)
    if is_nested(kind):
        return as_json(values).to_pylist()
    if pa.types.is_floating(kind) and pc.any(pc.is_nan(values)).as_py():
        raise MalformedInputError(
            f"column {name!r} has a NaN, which SQLite would store as NULL",
            remedy="Write None instead, or reject such rows with a schema_model",
        )
    kept = next((target for test, target in _KEPT_AS if test(kind)), kind)
    cells = to_type(name, values, kept if not _is_zoned(kind) else _ZONED)
    if pa.types.is_decimal(kind):
        return [None if value is None else f"{value:f}" for value in cells.to_pylist()]
    if pa.types.is_duration(kind):
        return [None if value is None else _iso(value) for value in cells.to_pylist()]
    return (cells.cast(pa.string()) if pa.types.is_temporal(kind) else cells).to_pylist()


def _is_zoned(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind) and kind.tz is not None


def _iso(value: dt.timedelta) -> str:
    whole = abs(value)
    return f"{'-' if value < dt.timedelta() else ''}P{whole.days}DT{whole.seconds}.{whole.microseconds:06d}S"
