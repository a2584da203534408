"""Which Arrow types Parquet gives back as they were, which can be restored, and which it cannot hold."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import base64
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from skyhold.errors import SchemaError
from skyhold.records.validation.arrow import walk_types

__all__ = [
    "check_parquet_holds",
    "exact_schema",
    "leaf_names",
    "restore_types",
    "unite_leaves",
]

_ARROW_SCHEMA = b"ARROW:schema"
_REMEDY = "Write it as Arrow (ArrowOutputAdapter), which holds every type, or convert the column first"

# What Parquet stores for a type that it has not, without loss: (stored, declared).
_STAND_INS = {
    (pa.time32("ms"), pa.time32("s")),
    (pa.date32(), pa.date64()),
}


def exact_schema(file: pq.ParquetFile) -> pa.Schema:
    """Return the schema that the rows had when they were written, as far as they can be given it back.

    Parquet has no seconds, no dates in milliseconds, no names of list items, and dictionaries of text only; the
    writer's own schema stands beside, and says what was meant.
    """
    found = file.schema_arrow
    stored = (file.metadata.metadata or {}).get(_ARROW_SCHEMA)
    if stored is None:
        return found
    declared = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(stored)))
    if declared.names != found.names:
        return found
    fields = [
        field.with_type(meant.type) if _is_restorable(field.type, meant.type, top=True) else field
        for field, meant in zip(found, declared, strict=True)
    ]
    return pa.schema(fields, found.metadata)


def restore_types(data: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return ``data`` with the types of ``schema``, which `exact_schema` made."""
    columns = [_restore(column, field.type) for column, field in zip(data.columns, schema, strict=True)]
    if not columns:
        return data
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _restore(column: pa.Array, target: pa.DataType) -> pa.Array:
    if column.type.equals(target, check_metadata=True):
        return column
    if pa.types.is_dictionary(target) and not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
        indices = column.indices.cast(target.index_type)
        return pa.DictionaryArray.from_arrays(
            indices, column.dictionary.cast(target.value_type), ordered=target.ordered
        )
    return column.cast(target)


def _is_restorable(found: pa.DataType, declared: pa.DataType, *, top: bool = False) -> bool:
    if found == declared or (found, declared) in _STAND_INS or _are_seconds(found, declared):
        return True
    if pa.types.is_dictionary(declared):
        return top and _is_dictionary_restorable(found, declared)
    if found.id != declared.id:
        return False
    if pa.types.is_struct(declared):
        return [each.name for each in found] == [each.name for each in declared] and all(
            _is_restorable(one.type, other.type) for one, other in zip(found, declared, strict=True)
        )
    has_items = pa.types.is_list(declared) or pa.types.is_large_list(declared) or pa.types.is_fixed_size_list(declared)
    return has_items and _is_restorable(found.value_type, declared.value_type)


def _is_dictionary_restorable(found: pa.DataType, declared: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        held, meant = found.value_type, declared.value_type
        is_wider = (pa.types.is_string(held) and pa.types.is_large_string(meant)) or (
            pa.types.is_binary(held) and pa.types.is_large_binary(meant)
        )
        return is_wider or _is_restorable(held, meant)
    # Plain values do not tell which of them comes first.
    return not declared.ordered and _is_restorable(found, declared.value_type)


def _are_seconds(found: pa.DataType, declared: pa.DataType) -> bool:
    return (
        pa.types.is_timestamp(found)
        and pa.types.is_timestamp(declared)
        and (found.unit, declared.unit) == ("ms", "s")
        and found.tz == declared.tz
    )


def check_parquet_holds(schema: pa.Schema, uri: str) -> None:
    """Write and read back an empty table and, where nulls are allowed, one of nulls.

    Raises:
        SchemaError: A column would come back as something else, or not at all.
    """
    if not schema.names:
        raise SchemaError(f"{uri!r} would have no columns, and Parquet counts no rows without them", remedy=_REMEDY)
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise SchemaError(f"{uri!r} would have more than one column called {repeated[0]!r}", remedy="Rename it")
    for field in schema:
        if any(pa.types.is_fixed_size_list(kind) and kind.list_size == 0 for kind in walk_types(field.type)):
            raise SchemaError(f"Parquet cannot hold column {field.name!r} of lists of no items", remedy=_REMEDY)
        try:
            back = _round_trip(field)
        except (pa.ArrowException, OSError) as error:
            raise SchemaError(
                f"Parquet cannot hold column {field.name!r} of type {field.type}: {error}", remedy=_REMEDY
            ) from error
        if not back.type.equals(field.type, check_metadata=True):
            raise SchemaError(
                f"Parquet would give column {field.name!r} back as {back.type}, not as {field.type}", remedy=_REMEDY
            )


def _round_trip(field: pa.Field) -> pa.Field:
    one = pa.schema([field])
    rows = pa.nulls(1, field.type) if field.nullable else pa.nulls(0, field.type)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays([rows], schema=one), sink)
    file = pq.ParquetFile(pa.BufferReader(sink.getvalue()))
    back = exact_schema(file)
    for batch in file.iter_batches():
        restore_types(batch, back)
    return back.field(0)


def unite_leaves(schema: pa.Schema) -> list[range]:
    """Return which of Parquet's columns belong to each field: Parquet stores the leaves of nested types."""
    ranges: list[range] = []
    for field in schema:
        start = ranges[-1].stop if ranges else 0
        ranges.append(range(start, start + _count_leaves(field.type)))
    return ranges


def leaf_names(schema: pa.Schema, options: Mapping[str, Any]) -> list[str]:
    """Return Parquet's names of the columns of a file that is written with these options of `pq.ParquetWriter`."""
    sink = pa.BufferOutputStream()
    asked: dict[str, Any] = {**options, "use_dictionary": options["use_dictionary"] or False}
    pq.ParquetWriter(sink, schema, **asked).close()
    stored = pq.read_metadata(pa.BufferReader(sink.getvalue())).schema
    return [stored.column(number).path for number in range(len(stored))]


def _count_leaves(kind: Any) -> int:
    if isinstance(kind, pa.BaseExtensionType):
        return _count_leaves(kind.storage_type)
    return sum(_count_leaves(kind.field(number).type) for number in range(kind.num_fields)) if kind.num_fields else 1
