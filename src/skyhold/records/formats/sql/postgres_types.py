"""PostgreSQL's types as Arrow's, when rows are read: what comes as it is, what is asked for in other words."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.records.formats.sql.address import quote_name
from skyhold.records.formats.sql.asked import Rows, Wrong, rows_of
from skyhold.records.formats.sql.decimals import PLAIN_NUMERIC, decimal_type, to_decimals
from skyhold.records.formats.sql.instants import read_instants

__all__ = ["Layout", "numeric_type"]

_INFINITE = {
    -9_222_425_352_054_775_809: "infinity",
    -9_222_425_352_054_775_808: "-infinity",
    -2_147_472_692: "infinity",
    -2_147_472_691: "-infinity",
}

_AS_TEXT = {"text", "varchar", "bpchar", "name", "char", "json", "jsonb"}
_AS_IS = _AS_TEXT | {"bool", "int2", "int4", "int8", "float4", "float8", "bytea"}
_CHECKED = {"numeric", "date", "time", "timestamp", "timestamptz"}
_IN_OTHER_WORDS = {"oid": "bigint", "money": "numeric(19,2)"}


def numeric_type(typmod: int) -> pa.DataType:
    """Return the decimal type for a ``numeric`` column, from PostgreSQL's type modifier (-1: none).

    Example:
        >>> numeric_type(((10 << 16) | 2) + 4), numeric_type(-1)
        (Decimal128Type(decimal128(10, 2)), Decimal256Type(decimal256(76, 38)))
    """
    if typmod < 0:
        return PLAIN_NUMERIC
    precision = ((typmod - 4) >> 16) & 0xFFFF
    scale = (((typmod - 4) & 0x7FF) ^ 1024) - 1024
    precision, scale = max(precision - min(scale, 0), scale), max(scale, 0)
    return decimal_type(precision, scale)


@dataclass(frozen=True, slots=True)
class Column:
    """How one column is asked for and read."""

    name: str
    type: pa.DataType
    expression: str = ""
    guard: str = ""

    def read(self, values: pa.Array) -> tuple[pa.Array, Wrong]:
        """Return the values in the column's type, null where they do not fit, and what did not fit."""
        values = _storage(values)
        if not pa.types.is_list(self.type):
            return _read(values, self.type)
        flat, wrong = _read(_storage(values.flatten()), self.type.value_type)
        parents = values.value_parent_indices() if wrong else pa.array([], pa.int64())
        offsets = pa.array(_compact(values), pa.int32())
        built = pa.ListArray.from_arrays(offsets, flat, mask=values.is_null(), type=self.type)
        return built, {parents[place].as_py(): shown for place, shown in wrong.items()}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a query are asked for and read."""

    columns: tuple[Column, ...]

    @classmethod
    def of(cls, described: pa.Schema) -> "Layout":
        """Return the layout for what the driver says of a query."""
        return cls(tuple(_column(field) for field in described))

    @property
    def schema(self) -> pa.Schema:
        """What the rows will look like."""
        return pa.schema([pa.field(column.name, column.type) for column in self.columns])

    @property
    def needs_words(self) -> bool:
        """Whether some column must be asked for in other words, so that the query has to be wrapped."""
        return any(column.expression or column.guard for column in self.columns)

    def selection(self) -> str:
        """Return what stands between SELECT and FROM."""
        wanted = [
            f"{column.expression} AS {quote_name(column.name)}" if column.expression else quote_name(column.name)
            for column in self.columns
        ]
        guards = [
            f"{column.guard} AS {quote_name(f'guard {place}')}"
            for place, column in enumerate(self.columns)
            if column.guard
        ]
        return ", ".join(wanted + guards)

    def read(self, batch: pa.RecordBatch) -> Rows:
        """Return rows in this layout's types; a row with a value that does not fit is a fault."""
        guards: Iterator[pa.Array] = iter(batch.columns[len(self.columns) :])
        arrays: list[pa.Array] = []
        wrongs: dict[str, Wrong] = {}
        for column, values in zip(self.columns, batch.columns, strict=False):
            array, wrong = column.read(values)
            if column.guard:
                wrong |= _guarded(next(guards))
            arrays.append(array)
            wrongs[column.name] = wrong
        return rows_of(pa.RecordBatch.from_arrays(arrays, schema=self.schema), wrongs)


def _column(field: pa.Field) -> Column:
    kind = _said(field, b"POSTGRESQL:type")
    name = quote_name(field.name)
    if kind in _IN_OTHER_WORDS:
        target = pa.int64() if kind == "oid" else pa.decimal128(19, 2)
        return Column(field.name, target, expression=f"{name}::{_IN_OTHER_WORDS[kind]}")
    if kind in _AS_IS | _CHECKED:
        return Column(field.name, _type(field, kind))
    if kind.startswith("_") and pa.types.is_list(field.type):
        item = field.type.value_field
        # Arrow's list has one dimension; the driver would lay further ones out flat.
        deep = f"array_ndims({name}) > 1"
        known = kind[1:] in _AS_IS | _CHECKED
        inner = _type(item, kind[1:]) if known else pa.string()
        words = name if known else f"{name}::text[]"
        return Column(
            field.name,
            pa.list_(inner),
            expression=f"CASE WHEN {deep} THEN NULL ELSE {words} END",
            guard=f"CASE WHEN {deep} THEN {name}::text END",
        )
    return Column(field.name, pa.string(), expression=f"{name}::text")


def _said(field: pa.Field, key: bytes) -> str:
    return (field.metadata or {}).get(key, b"").decode()


def _type(field: pa.Field, kind: str) -> pa.DataType:
    if kind == "numeric":
        return numeric_type(int(_said(field, b"POSTGRESQL:typmod") or -1))
    if kind in _AS_TEXT:
        return pa.string()
    return field.type


def _storage(values: pa.Array) -> pa.Array:
    return values.storage if isinstance(values, pa.ExtensionArray) else values


def _compact(values: pa.Array) -> list[int]:
    """Return where each list of an array begins once nulls and slices are gone."""
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    return [0, *pc.cumulative_sum(lengths).to_pylist()]


def _guarded(guard: pa.Array) -> Wrong:
    places = pc.indices_nonzero(guard.is_valid()).to_pylist() if guard.null_count < len(guard) else []
    return {place: guard[place].as_py() for place in places}


def _read(values: pa.Array, kind: pa.DataType) -> tuple[pa.Array, Wrong]:
    if pa.types.is_decimal(kind):
        return to_decimals(values, kind)
    # The driver moves PostgreSQL's epoch by an addition that wraps, so its infinities come as numbers far away.
    return read_instants(values, _INFINITE)
