"""Parquet, typed and compressed."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import contextlib
import os
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from skyhold.records.formats.adapter import OutputStream
from skyhold.records.formats.objects import ObjectOutputAdapter, ObjectPlace, ObjectSink

__all__ = ["ParquetOutputAdapter"]

Compression = Literal["zstd", "snappy", "gzip", "lz4", "none"]


class ParquetOutputAdapter(ObjectOutputAdapter):
    """Write one Parquet object.

    Args:
        uri: Where to.
        compression: Codec of the pages.
        row_group_rows: Rows of a row group; readers fetch whole groups.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(
        self,
        uri: str | os.PathLike[str],
        *,
        compression: Compression = "zstd",
        row_group_rows: int = 128 * 1024,
        **storage_options: Any,
    ) -> None:
        super().__init__(uri, **storage_options)
        self._compression: Compression = compression
        self._row_group_rows = row_group_rows

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        return _ParquetSink(place, schema, self._compression, self._row_group_rows)


class _ParquetSink(ObjectSink):
    def __init__(self, place: ObjectPlace, schema: pa.Schema, compression: Compression, row_group_rows: int) -> None:
        super().__init__(place)
        self._schema = schema
        self._row_group_rows = row_group_rows
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._file = pa.PythonFile(self._writer, mode="w")
        self._parquet = pq.ParquetWriter(self._file, schema, compression=compression)

    def _encode(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        if self._waiting_rows >= self._row_group_rows:
            self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting, self._waiting_rows = [], 0
        self._parquet.write_table(table, row_group_size=self._row_group_rows)

    def _finish(self) -> None:
        if self._waiting_rows:
            self._flush()
        self._parquet.close()
        self._file.flush()

    def _let_go(self) -> None:
        self._waiting = []
        with contextlib.suppress(ValueError, OSError, pa.ArrowException):
            self._parquet.close()  # its footer meets a closed writer
