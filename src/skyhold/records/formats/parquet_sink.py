"""Parquet being written: rows are gathered into row groups, or row groups of pieces appended."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import contextlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skyhold.errors import SchemaError
from skyhold.records.formats.adapter import OutputStream, Piece
from skyhold.records.formats.objects import ObjectPlace, ObjectSink
from skyhold.records.formats.parquet_dictionaries import (
    choose_dictionaries,
    has_room_for_dictionaries,
    plain_dictionaries,
)
from skyhold.records.formats.parquet_joining import ParquetJoiner
from skyhold.records.formats.parquet_types import check_parquet_holds, leaf_names
from skyhold.storage.contract import Store

__all__ = ["open_sink"]

_WRITE_BYTES = 1024 * 1024
_GROUP_BYTES = 16 * 1024 * 1024


def open_sink(options: dict[str, Any], row_group_rows: int, store: Store, key: str, schema: pa.Schema) -> OutputStream:
    """Begin to write an object.

    Args:
        options: Of ``pyarrow.parquet.ParquetWriter``; ``use_dictionary`` may be None, to be chosen by the first rows.
        row_group_rows: Rows of a row group at most.
        store: Where.
        key: The object.
        schema: Its columns.

    Raises:
        SchemaError: Parquet cannot hold a column.
    """
    place = ObjectPlace(store, key)
    check_parquet_holds(schema, place.uri)
    return _ParquetSink(place, schema, options, row_group_rows)


class _ParquetSink(ObjectSink):
    def __init__(self, place: ObjectPlace, schema: pa.Schema, options: dict[str, Any], row_group_rows: int) -> None:
        super().__init__(place)
        self._schema = schema
        self._row_group_rows = row_group_rows
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self._file = pa.BufferedOutputStream(pa.PythonFile(self._writer, mode="w"), _WRITE_BYTES)
        self._options = options
        self._leaves = leaf_names(schema, options)
        self._parquet: pq.ParquetWriter | None = None
        self._joiner: ParquetJoiner | None = None

    def append(self, piece: Piece) -> None:
        if piece.rows:
            self._joiner = self._joiner or ParquetJoiner(self._writer)
            self._joiner.append(piece)
            self._rows += piece.rows

    def _encode(self, batch: pa.RecordBatch) -> None:
        while batch.num_rows:
            room = self._row_group_rows - self._waiting_rows
            self._keep(batch.slice(0, room))
            batch = batch.slice(room)

    def _keep(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(plain_dictionaries(batch))
        self._waiting_rows += batch.num_rows
        self._waiting_bytes += batch.nbytes
        if self._waiting_rows >= self._row_group_rows or self._waiting_bytes >= _GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._waiting_rows = self._waiting_bytes = 0
        try:
            self._write_group(waiting)
        except pa.ArrowException as error:
            raise SchemaError(f"{self._uri!r}: rows that Parquet cannot hold: {error}") from error
        waiting.clear()
        pa.default_memory_pool().release_unused()  # which else keeps a multiple of what is in use

    def _write_group(self, batches: list[pa.RecordBatch]) -> None:
        table = pa.Table.from_batches(batches, self._schema)
        if len(batches) > 1 and not has_room_for_dictionaries(table):
            # A row group has one dictionary, which readers could not number.
            half = len(batches) // 2
            self._write_group(batches[:half])
            self._write_group(batches[half:])
        else:
            self._open_writer(table).write_table(table, row_group_size=self._row_group_rows)

    def _open_writer(self, first_rows: pa.Table) -> pq.ParquetWriter:
        if self._parquet is None:
            options = dict(self._options)
            if options["use_dictionary"] is None:
                options["use_dictionary"] = choose_dictionaries(first_rows, self._leaves)
            self._parquet = pq.ParquetWriter(self._file, self._schema, **options)
        return self._parquet

    def _finish(self) -> None:
        if self._joiner is not None:
            self._joiner.finish()
            return
        if self._waiting_rows:
            self._flush()
        self._open_writer(self._schema.empty_table()).close()
        self._file.flush()

    def _let_go(self) -> None:
        self._waiting = []
        if self._parquet is None:
            return
        with contextlib.suppress(ValueError, OSError, pa.ArrowException):
            self._parquet.close()  # its footer meets a closed writer
