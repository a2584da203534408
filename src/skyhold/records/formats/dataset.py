"""A dataset: many files under one prefix, written part by part, so that a run that was killed can go on."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from skyhold.errors import BadOptionError, ConflictError, SchemaError
from skyhold.records.formats.adapter import (
    Checkpoint,
    OpenStore,
    OutputAdapter,
    OutputStream,
    Piece,
    PieceForm,
    Written,
)
from skyhold.records.formats.arrow import ArrowOutputAdapter
from skyhold.records.formats.csv import CSVOutputAdapter
from skyhold.records.formats.dataset_parts import RECEIPT_KEY, PartLog, PartRecord, part_number
from skyhold.records.formats.json import JSONOutputAdapter
from skyhold.records.formats.objects import PIECES_SUFFIX, ObjectOutputAdapter, ObjectPlace
from skyhold.records.formats.parquet import ParquetOutputAdapter
from skyhold.records.formats.partitioning import Rechunker, partition_folder, split_by
from skyhold.storage.contract import Store
from skyhold.storage.held_options import HeldOptions
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import open_object

__all__ = ["DatasetOutputAdapter", "FileFormat"]

FileFormat = Literal["parquet", "arrow", "csv", "jsonl"]
_Mode = Literal["create", "resume", "overwrite"]

_ADAPTERS: dict[str, type[ObjectOutputAdapter]] = {
    "parquet": ParquetOutputAdapter,
    "arrow": ArrowOutputAdapter,
    "csv": CSVOutputAdapter,
    "jsonl": JSONOutputAdapter,
}
_OPEN_FILES = 256


class DatasetOutputAdapter(OutputAdapter):
    """Write many files under one prefix: ``part-00000.parquet``, ``part-00001.parquet`` and so on.

    A part is what comes of ``rows_per_file`` rows of input; when it is complete it is noted under ``_skyhold/``, and
    ``_skyhold/receipt.json``, written last, makes the dataset complete. Without that, it is of an unfinished run:
    ``resume=True`` goes on after its last part and gives the same bytes as an unbroken run, ``overwrite=True`` begins
    anew. Anything else there is left alone, and refused.

    Args:
        uri: The prefix, as a folder.
        format: Of the files.
        rows_per_file: How many rows of input a part is made of.
        partition_by: Columns whose values become folders, as ``country=DE/``; the files do not hold them.
        resume: Go on with an unfinished run, if there is one.
        overwrite: Replace a dataset that is there. It is not complete again before the run is.
        file_options: Options of the files' own adapter, such as ``{"compression": "snappy"}``.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(
        self,
        uri: str | os.PathLike[str],
        *,
        format: FileFormat = "parquet",  # noqa: A002 - the name that users know
        rows_per_file: int = 1_000_000,
        partition_by: str | Sequence[str] = (),
        resume: bool = False,
        overwrite: bool = False,
        file_options: Mapping[str, Any] | None = None,
        **storage_options: Any,
    ) -> None:
        if format not in _ADAPTERS:
            raise BadOptionError(f"format={format!r} is none of {', '.join(map(repr, _ADAPTERS))}")
        if rows_per_file < 1:
            raise BadOptionError(f"rows_per_file={rows_per_file} is not positive")
        if resume and overwrite:
            raise BadOptionError("resume=True goes on with what is there, and overwrite=True throws it away")
        self._uri = os.fspath(uri).rstrip("/")
        self._format = format
        self._rows_per_file = rows_per_file
        self._partition_by = (partition_by,) if isinstance(partition_by, str) else tuple(partition_by)
        self._mode: _Mode = "resume" if resume else "overwrite" if overwrite else "create"
        self._file_options = dict(file_options or {})
        self._storage_options = HeldOptions([self._uri], storage_options)

    @property
    def uri(self) -> str:
        return redact_uri(self._uri) + "/"

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        absent = [name for name in self._partition_by if name not in schema.names]
        if absent:
            raise SchemaError(
                f"partition_by names {absent[0]!r}, and the columns are {schema.names!r}",
                remedy="Partition by columns of the output",
            )
        inner = pa.schema([field for field in schema if field.name not in self._partition_by], schema.metadata)
        if not len(inner):
            raise SchemaError("partition_by names every column, and leaves none for the files")
        adapter = _ADAPTERS[self._format]("", **self._file_options)
        layout = _Layout(inner, self._partition_by, self._rows_per_file, self._format, repr(self._file_options))
        return _DatasetStream(self._place(wrap), adapter, layout, self._mode)

    def receipt_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        place = self._place(wrap)
        return place.store, f"{place.key}/{RECEIPT_KEY}"

    def pieces_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        place = self._place(wrap)
        return place.store, place.key + PIECES_SUFFIX

    def piece_form(self, *, beside: bool) -> PieceForm | None:
        if self._partition_by or not beside:
            return None
        return partial(_open_piece, _ADAPTERS[self._format]("", **self._file_options))

    def _place(self, wrap: OpenStore) -> ObjectPlace:
        store, key = open_object(self._uri, **self._storage_options)
        return ObjectPlace(wrap(store), key)


def _open_piece(adapter: ObjectOutputAdapter, store: Store, key: str, schema: pa.Schema) -> OutputStream:
    return Rechunker(adapter.open_place(ObjectPlace(store, key), schema), schema)


@dataclass(frozen=True, slots=True)
class _Layout:
    schema: pa.Schema
    partition_by: tuple[str, ...]
    rows_per_file: int
    suffix: str
    file_options: str

    @property
    def fingerprint(self) -> str:
        return repr((self.partition_by, self.rows_per_file, self.suffix, self.file_options))


class _DatasetStream(OutputStream):
    def __init__(self, place: ObjectPlace, adapter: ObjectOutputAdapter, layout: _Layout, mode: _Mode) -> None:
        self.checkpoint_rows = layout.rows_per_file
        self._place = place
        self._adapter = adapter
        self._layout = layout
        self._mode = mode
        self._log = PartLog(place.store, place.key, layout.suffix)
        self._fingerprint = ""
        self._part = 0
        self._files: dict[str, Rechunker] = {}
        self._written: list[Written] = []
        self._appended: list[Written] = []  # since the last checkpoint

    def resume(self, fingerprint: str) -> list[Checkpoint]:
        self._fingerprint = f"{fingerprint} {self._layout.fingerprint}"
        records = self._log.read() if self._mode == "resume" else []
        is_complete = self._log.is_complete()
        if is_complete and self._mode != "overwrite":
            raise ConflictError(
                "a complete dataset is there already",
                operation="write",
                uri=self._place.uri,
                remedy="Choose another prefix, or pass overwrite=True",
            )
        for record in records:
            record.check(self._fingerprint, self._place.uri)
        self._log.clear(keep=len(records), refuse_parts=self._mode == "create")
        self._part = len(records)
        self._written = [each for record in records for each in record.written(self._place)]
        return [record.checkpoint for record in records]

    def write(self, batch: pa.RecordBatch) -> None:
        for values, rows in split_by(batch, self._layout.partition_by):
            folder = "".join(
                f"{partition_folder(*pair)}/" for pair in zip(self._layout.partition_by, values, strict=True)
            )
            key = f"{folder}part-{part_number(self._part)}.{self._layout.suffix}"
            file = self._files.get(key)
            if file is None:
                file = self._files[key] = self._open(key)
            file.write(rows)

    def append(self, piece: Piece) -> None:
        """Make a piece a file of this part; its bytes do not come here."""
        if not piece.rows:
            return
        key = f"{self._place.key}/part-{part_number(self._part)}.{self._layout.suffix}"
        store = self._place.store
        store.copy(piece.key, key)
        self._appended.append(Written(store.uri_of(key), piece.rows, store.info(key), piece.sha256))

    def checkpoint(self, reached: Checkpoint) -> None:
        written = self._close_files()
        self._log.add(PartRecord.of(self._part, self._fingerprint, reached, written, self._place))
        self._part += 1

    def close(self) -> list[Written]:
        self._close_files()
        if not self._written and not self._layout.partition_by:
            # No rows at all: one empty file tells the columns.
            file = self._open(f"part-{part_number(0)}.{self._layout.suffix}")
            self._written += file.close()
        return self._written

    def abort(self) -> None:
        for file in self._files.values():
            file.abort()
        self._files.clear()

    def _open(self, key: str) -> Rechunker:
        if len(self._files) >= _OPEN_FILES:
            raise SchemaError(
                f"a part has more than {_OPEN_FILES} values of {', '.join(self._layout.partition_by)}",
                remedy="Partition by columns of fewer values, or lower rows_per_file",
            )
        place = ObjectPlace(self._place.store, f"{self._place.key}/{key}")
        return Rechunker(self._adapter.open_place(place, self._layout.schema), self._layout.schema)

    def _close_files(self) -> list[Written]:
        written, self._appended = self._appended, []
        for key in sorted(self._files):
            written += self._files.pop(key).close()
        self._written += written
        return written
