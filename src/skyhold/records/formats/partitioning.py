"""Batches split by the values of columns, and put together again into pieces that do not depend on how they came."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import SchemaError
from skyhold.records.formats.adapter import OutputStream, Written

__all__ = ["Rechunker", "partition_folder", "split_by"]

_NULL = "__HIVE_DEFAULT_PARTITION__"
_CHUNK_ROWS = 16 * 1024


def partition_folder(name: str, value: object) -> str:
    """Return the folder of a value, as Hive, Spark and Arrow name it.

    Example:
        >>> partition_folder("country", "DE"), partition_folder("day", None), partition_folder("a b", "x/y")
        ('country=DE', 'day=__HIVE_DEFAULT_PARTITION__', 'a%20b=x%2Fy')
    """
    text = _NULL if value is None else quote(str(value), safe="")
    return f"{quote(name, safe='')}={text}"


def split_by(batch: pa.RecordBatch, columns: Sequence[str]) -> Iterator[tuple[tuple[Any, ...], pa.RecordBatch]]:
    """Yield the values of some columns that occur, and the rows that have them without these columns, in their order.

    Example:
        >>> batch = pa.record_batch({"k": ["a", "b", "a"], "x": [1, 2, 3]})
        >>> [(values, rows.to_pydict()) for values, rows in split_by(batch, ["k"])]
        [(('a',), {'x': [1, 3]}), (('b',), {'x': [2]})]
    """
    if not columns:
        yield (), batch
        return
    rest = batch.drop_columns(list(columns))
    codes = pa.repeat(pa.scalar(0, pa.int64()), batch.num_rows)
    dictionaries: list[pa.Array] = []
    for name in columns:
        column = batch.column(name)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if not _has_plain_text(column.type):
            raise SchemaError(
                f"partition_by: the values of {name!r}, {column.type}, have no clear text",
                remedy="Partition by text, whole numbers, booleans or dates",
            )
        encoded = column.dictionary_encode(null_encoding="encode")
        dictionaries.append(encoded.dictionary)
        codes = pc.add(pc.multiply(codes, max(1, len(encoded.dictionary))), pc.cast(encoded.indices, pa.int64()))
    order = pc.sort_indices(codes)  # stable, so that rows keep their order
    runs = pc.run_end_encode(codes.take(order))
    start = 0
    for code, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        values: list[Any] = []
        for dictionary in reversed(dictionaries):
            code, place = divmod(code, max(1, len(dictionary)))  # noqa: PLW2901 - what is left of it
            values.append(dictionary[place].as_py())
        yield tuple(reversed(values)), rest.take(order.slice(start, end - start))
        start = end


def _has_plain_text(kind: pa.DataType) -> bool:
    types = pa.types
    is_text = types.is_string(kind) or types.is_large_string(kind)
    return is_text or types.is_integer(kind) or types.is_boolean(kind) or types.is_date(kind)


class Rechunker(OutputStream):
    """Hands rows on in pieces of one size, so that files are the same however the rows came.

    Args:
        inner: What writes them.
        schema: Their columns.
    """

    def __init__(self, inner: OutputStream, schema: pa.Schema) -> None:
        self._inner = inner
        self._schema = schema
        self._held: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        while batch.num_rows:
            room = _CHUNK_ROWS - self._rows
            self._held.append(batch.slice(0, room))
            self._rows += self._held[-1].num_rows
            batch = batch.slice(room)
            if self._rows == _CHUNK_ROWS:
                self._flush()

    def close(self) -> list[Written]:
        self._flush()
        return self._inner.close()

    def abort(self) -> None:
        self._held.clear()
        self._inner.abort()

    def _flush(self) -> None:
        if not self._held:
            return
        table = pa.Table.from_batches(self._held, self._schema)
        columns = [_alike(column) for column in table.columns]
        self._held, self._rows = [], 0
        self._inner.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))


def _alike(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece; a dictionary in the order in which its values come."""
    if pa.types.is_dictionary(column.type):
        plain = column.cast(column.type.value_type).combine_chunks()
        return plain.dictionary_encode().cast(column.type)
    return column.combine_chunks()
