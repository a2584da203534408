"""Which PostgreSQL column holds which Arrow type, and how its cells travel there."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import SchemaError
from skyhold.records.formats.sql.cells import as_json, fits, is_list, is_nested, is_text, plain_type, to_type
from skyhold.records.formats.sql.decimals import PLAIN_NUMERIC
from skyhold.records.formats.sql.postgres_types import numeric_type

__all__ = ["Target", "Wire", "new_wire", "wire_into"]

_ZONED = pa.timestamp("us", "UTC")

_BINARY_COPY: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float4": pa.float32(),
    "float8": pa.float64(),
    "text": pa.string(),
    "varchar": pa.string(),
    "bpchar": pa.string(),
    "name": pa.string(),
    "json": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": _ZONED,
    "interval": pa.duration("us"),
}
"""What COPY takes for each type, bit for bit; it looks at no type, so anything else would be garbage or refused."""

_SQL_NAMES = {
    "bool": "boolean",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "timestamptz": "timestamp with time zone",
}

_JSONB_VERSION = b"\x01"
_LARGEST_SCALE = 1000


@dataclass(frozen=True, slots=True)
class Target:
    """A column of a table that exists: its type's short name (``_int4`` for lists), modifier, and name in SQL."""

    name: str
    kind: str
    typmod: int
    sql_type: str


@dataclass(frozen=True, slots=True)
class Wire:
    """How one column travels.

    Attributes:
        name: The column's.
        sql_type: Its type in a table of ours.
        type: What its cells become.
        form: ``plain`` cells, or nested ones as ``json`` text, or ``jsonb`` bytes.
        cast_to: The SQL type that the server makes of it, where COPY cannot write it at once.
    """

    name: str
    sql_type: str
    type: pa.DataType
    form: Literal["plain", "json", "jsonb"] = "plain"
    cast_to: str = ""

    def encode(self, values: pa.Array) -> pa.Array:
        """Return cells as they travel.

        Raises:
            MalformedInputError: A value does not fit exactly.
        """
        if self.form == "plain":
            return to_type(self.name, values, self.type)
        texts = as_json(values) if is_nested(plain_type(values.type)) else to_type(self.name, values, pa.string())
        if self.form == "json":
            return texts
        return pc.binary_join_element_wise(pa.scalar(_JSONB_VERSION), texts.cast(pa.binary()), pa.scalar(b""))


def new_wire(field: pa.Field) -> Wire:
    """Return how a column travels into a table that is made for it.

    Raises:
        SchemaError: PostgreSQL has no such type.
    """
    kind = plain_type(field.type)
    if is_list(kind):
        item = plain_type(kind.value_type)
        if not is_nested(item):
            inner = new_wire(pa.field(field.name, item))
            return Wire(field.name, f"{inner.sql_type}[]", pa.list_(inner.type))
    if is_nested(kind):
        return Wire(field.name, "jsonb", pa.binary(), "jsonb")
    if pa.types.is_decimal(kind):
        return _decimal(field.name, kind)
    if pa.types.is_uint64(kind):
        return Wire(field.name, "numeric(20,0)", pa.decimal128(20, 0))
    short = _short_name(kind)
    if short is None:
        raise SchemaError(f"column {field.name!r} is {kind}, which PostgreSQL has no type for")
    return Wire(field.name, _SQL_NAMES.get(short, short), _BINARY_COPY[short])


def wire_into(field: pa.Field, target: Target, uri: str) -> Wire:
    """Return how a column travels into one that exists.

    Raises:
        SchemaError: Its values are not values of that column.
    """
    kind, name = plain_type(field.type), field.name
    wanted = _wanted(kind, target)
    if target.kind == "jsonb" and (is_nested(kind) or is_text(kind)):
        return Wire(name, target.sql_type, pa.binary(), "jsonb")
    if target.kind in {"json", "text", "varchar"} and is_nested(kind):
        return Wire(name, target.sql_type, pa.string(), "json")
    if wanted is not None and fits(kind, wanted):
        return Wire(name, target.sql_type, wanted)
    if wanted is None and (is_text(kind) or pa.types.is_null(kind)):
        return Wire(name, "text", pa.string(), cast_to=target.sql_type)
    raise SchemaError(
        f"column {name!r} is {field.type}, and {target.sql_type} in {uri!r}",
        remedy="Give the model the column's type, or write another table",
    )


def _wanted(kind: pa.DataType, target: Target) -> pa.DataType | None:
    if target.kind == "numeric":
        wanted = numeric_type(target.typmod)
        return kind if wanted == PLAIN_NUMERIC and pa.types.is_decimal(kind) else wanted
    if target.kind.startswith("_"):
        item = plain_type(kind.value_type) if is_list(kind) else kind
        inner = _wanted(item, Target(target.name, target.kind[1:], target.typmod, target.sql_type))
        return None if inner is None else pa.list_(inner)
    return _BINARY_COPY.get(target.kind)


def _decimal(name: str, kind: pa.DataType) -> Wire:
    if kind.scale >= 0:
        return Wire(name, f"numeric({kind.precision},{kind.scale})", kind)
    digits = kind.precision - kind.scale
    whole = pa.decimal128(digits, 0) if digits <= 38 else pa.decimal256(min(digits, 76), 0)  # noqa: PLR2004 - Arrow's
    return Wire(name, f"numeric({digits},0)", whole)


def _short_name(kind: pa.DataType) -> str | None:
    tests = pa.types
    if is_text(kind) or tests.is_null(kind):
        return "text"
    if tests.is_integer(kind):
        wide = kind.bit_width + (1 if tests.is_unsigned_integer(kind) else 0)
        return "int2" if wide <= 16 else "int4" if wide <= 32 else "int8"  # noqa: PLR2004 - bits
    if tests.is_floating(kind):
        return "float8" if tests.is_float64(kind) else "float4"
    if tests.is_timestamp(kind):
        return "timestamp" if kind.tz is None else "timestamptz"
    if tests.is_binary(kind) or tests.is_large_binary(kind) or tests.is_fixed_size_binary(kind):
        return "bytea"
    pairs = ((tests.is_boolean, "bool"), (tests.is_date, "date"), (tests.is_time, "time"))
    found = next((name for test, name in pairs if test(kind)), None)
    return found or ("interval" if tests.is_duration(kind) else None)
