"""Dictionaries in Parquet: which columns are worth one, and what it may hold."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.records.formats.parquet_types import unite_leaves

__all__ = ["choose_dictionaries", "has_room_for_dictionaries", "plain_dictionaries"]

_SAMPLE_ROWS = 16 * 1024


def choose_dictionaries(table: pa.Table, leaves: Sequence[str]) -> list[str]:
    """Return the leaves that are smaller, or no larger, with a dictionary.

    A dictionary of values that hardly repeat costs time to build, is given up when it is full, and leaves the file
    larger. So a column has one where at most half of the values of its first rows are distinct. Nested columns and
    columns that are dictionaries already have one in any case.

    Args:
        table: Rows that are like the rest.
        leaves: Parquet's names of the columns, those of nested ones part by part.

    Example:
        >>> table = pa.table({"id": [1, 2, 3, 4], "kind": ["a", "b", "a", "b"]})
        >>> choose_dictionaries(table, ["id", "kind"])
        ['kind']
    """
    chosen: list[str] = []
    table = table.slice(0, _SAMPLE_ROWS)
    for column, places in zip(table.columns, unite_leaves(table.schema), strict=True):
        if _has_few_values(column):
            chosen += leaves[places.start : places.stop]
    return chosen


def _has_few_values(column: pa.ChunkedArray) -> bool:
    kind = column.type
    is_plain = pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or _is_text(kind)
    return not is_plain or 2 * pc.count_distinct(column).as_py() <= len(column)


def _is_text(kind: pa.DataType) -> bool:
    types = pa.types
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_string,
            types.is_large_string,
            types.is_binary,
            types.is_large_binary,
            types.is_fixed_size_binary,
        )
    )


def has_room_for_dictionaries(table: pa.Table) -> bool:
    """Return whether each column's dictionaries, put together, can be counted by its indices."""
    try:
        table.unify_dictionaries()
    except pa.ArrowInvalid:
        return False
    return True


def plain_dictionaries(data: pa.RecordBatch) -> pa.RecordBatch:
    """Move nulls from dictionaries to the indices, since Parquet's dictionaries have none; the values are the same."""
    for number, column in enumerate(data.columns):
        if pa.types.is_dictionary(column.type) and column.dictionary.null_count:
            kind = column.type
            plain = pc.dictionary_encode(column.dictionary_decode())
            indices = plain.indices.cast(kind.index_type)
            moved = pa.DictionaryArray.from_arrays(indices, plain.dictionary, ordered=kind.ordered)
            data = data.set_column(number, data.schema.field(number), moved)
    return data
