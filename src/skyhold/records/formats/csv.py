"""CSV: text in, text out; what the columns mean is the model's affair."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import csv
import functools
import io
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from skyhold.errors import MalformedInputError
from skyhold.records.formats.adapter import Batch, InputStream, MalformedRow, OutputStream, Source
from skyhold.records.formats.compression import ByteStream, codec_of_name
from skyhold.records.formats.objects import ObjectOutputAdapter, ObjectPlace, ObjectSink, ObjectUris, TextInputAdapter
from skyhold.records.formats.utf8 import UNDECODABLE, Utf8Source, read_fully, show_undecodable

__all__ = ["CSVInputAdapter", "CSVOutputAdapter"]

_BLOCK_BYTES = 512 * 1024
_FETCH_BYTES = 4 * 1024 * 1024
_HEADER_BYTES = 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class CSVInputAdapter(TextInputAdapter):
    """Read one CSV object, its first row naming the columns. UTF-8, with or without a byte-order mark.

    A ragged row and a row that is not UTF-8 are rejected rows, not the end of the run.

    Args:
        uri: Where it is; a pattern, a folder or a sequence of URIs reads many.
        delimiter: One character between cells.
        quotechar: One character around cells that hold the delimiter, the quote or a line's end.
        fieldnames: The columns' names of a file that has no header.
        **options: ``compression``, ``glob`` and ``source_column`` as for
            `skyhold.records.formats.objects.TextInputAdapter`, and storage options.
    """

    def __init__(
        self,
        uri: ObjectUris,
        *,
        delimiter: str = ",",
        quotechar: str = '"',
        fieldnames: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(uri, **options)
        self._delimiter = delimiter
        self._quotechar = quotechar
        self._fieldnames = None if fieldnames is None else tuple(fieldnames)

    def _open_one(self, place: ObjectPlace) -> InputStream:
        reader = place.open_bytes(_FETCH_BYTES)
        try:
            return _CSVStream(reader, place.uri, self._delimiter, self._quotechar, self._fieldnames)
        except BaseException:
            reader.close()
            raise


class _CSVStream(InputStream):
    def __init__(
        self, reader: ByteStream, uri: str, delimiter: str, quotechar: str, fieldnames: tuple[str, ...] | None
    ) -> None:
        self.kind = "text"
        self.sources = [Source(uri, reader.info)]
        self._reader = reader
        self._uri = uri
        self._header_rows = 0 if fieldnames else 1
        self._delimiter = delimiter
        self._quotechar = quotechar
        self._malformed: dict[int, MalformedRow] = {}
        self._lock = threading.Lock()
        self._head = read_fully(reader, _HEADER_BYTES)
        self._source = Utf8Source(reader, head=self._head)
        self._is_header_only = not self._head
        names = fieldnames or self._read_header()
        self.schema = pa.schema([(name, pa.string()) for name in names])
        repeated = {name for name in names if names.count(name) > 1}
        if repeated:
            raise MalformedInputError(
                f"{uri!r} has more than one column called {min(repeated)!r}",
                remedy="Rename it in the file, or give fieldnames=",
            )

    def _read_header(self) -> tuple[str, ...]:
        head = self._head.removeprefix(_BOM)
        if not head.strip():
            raise MalformedInputError(
                f"{self._uri!r} is empty: it has no header", remedy="Give fieldnames= if an empty file is meant"
            )
        try:
            text = io.StringIO(head.decode(errors="surrogateescape"), newline="")
            rows = csv.reader(text, delimiter=self._delimiter, quotechar=self._quotechar)
            names = tuple(next(row for row in rows if row))
            "".join(names).encode()
        except (csv.Error, UnicodeEncodeError, StopIteration) as error:
            raise MalformedInputError(f"the header of {self._uri!r} cannot be read: {error}") from error
        if len(self._head) < _HEADER_BYTES:
            # Arrow cannot skip a header that no line end follows.
            self._is_header_only = b"\n" not in head.strip() and b"\r" not in head.strip()
        return names

    def batches(self) -> Iterator[Batch]:
        if self._is_header_only:
            return
        next_row = 1
        try:
            for data in self._parse():
                batch = self._numbered(data, next_row)
                next_row += data.num_rows + len(batch.skipped)
                yield _without_undecodable(batch) if self._source.escaped else batch
        except pa.ArrowInvalid as error:
            raise MalformedInputError(
                f"{self._uri!r} cannot be read after row {next_row - 1}: {error}",
                remedy="Check delimiter and quotes near that row",
            ) from error
        left = self._take_malformed()
        if left:
            yield Batch(pa.RecordBatch.from_pylist([], self.schema), self._uri, next_row, malformed=left)

    def _parse(self) -> Iterator[pa.RecordBatch]:
        options: dict[str, Any] = {
            "read_options": pacsv.ReadOptions(
                column_names=list(self.columns),
                skip_rows_after_names=self._header_rows,
                block_size=_BLOCK_BYTES,
                use_threads=False,  # else the rows of malformed lines are not told
            ),
            "parse_options": pacsv.ParseOptions(
                delimiter=self._delimiter,
                quote_char=self._quotechar,
                newlines_in_values=True,
                invalid_row_handler=self._keep_malformed,
            ),
            "convert_options": pacsv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.string()), strings_can_be_null=False
            ),
        }
        try:
            stream = pacsv.open_csv(pa.PythonFile(self._source, mode="r"), **options)
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise
        yield from stream

    def _keep_malformed(self, row: Any) -> str:
        number = row.number - self._header_rows
        message = f"expected {row.expected_columns} columns, found {row.actual_columns}"
        with self._lock:
            self._malformed[number] = MalformedRow(number, "ragged_row", message, show_undecodable(row.text))
        return "skip"

    def _take_malformed(self, before: int | None = None) -> tuple[MalformedRow, ...]:
        with self._lock:
            numbers = sorted(number for number in self._malformed if before is None or number < before)
            return tuple(self._malformed.pop(number) for number in numbers)

    def _numbered(self, data: pa.RecordBatch, first_row: int) -> Batch:
        """Find the rows' numbers: parsing is ahead, so every malformed row up to the last of these is known."""
        with self._lock:
            known = sorted(self._malformed)
        end = first_row + data.num_rows
        for number in known:
            if number >= end:
                break
            end += 1
        malformed = self._take_malformed(end)
        return Batch(data, self._uri, first_row, tuple(row.row for row in malformed), malformed)

    def close(self) -> None:
        self._reader.close()


def _without_undecodable(batch: Batch) -> Batch:
    """Take out the rows that have a cell which is not UTF-8."""
    marks = [pc.match_substring_regex(column, UNDECODABLE) for column in batch.data.columns]
    bad = functools.reduce(pc.or_, marks)
    numbers = [index for index, is_bad in enumerate(bad.to_pylist()) if is_bad]
    malformed = [
        MalformedRow(
            batch.row_number(index),
            "bad_encoding",
            "not UTF-8",
            ",".join(show_undecodable(cell) for cell in cells.values()),
        )
        for index, cells in zip(numbers, batch.data.filter(bad).to_pylist(), strict=True)
    ]
    skipped = tuple(sorted([*batch.skipped, *(row.row for row in malformed)]))
    together = tuple(sorted([*batch.malformed, *malformed], key=lambda row: row.row))
    return Batch(batch.data.filter(pc.invert(bad)), batch.source, batch.first_row, skipped, together)


class CSVOutputAdapter(ObjectOutputAdapter):
    r"""Write one CSV object: UTF-8, a header, ``\n`` line ends, quotes where they are needed.

    Args:
        uri: Where to.
        delimiter: One character between cells.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(self, uri: str | os.PathLike[str], *, delimiter: str = ",", **storage_options: Any) -> None:
        super().__init__(uri, **storage_options)
        self._delimiter = delimiter

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        return _CSVSink(place, schema, self._delimiter)


class _CSVSink(ObjectSink):
    def __init__(self, place: ObjectPlace, schema: pa.Schema, delimiter: str) -> None:
        super().__init__(place, codec_of_name(place.key))
        options = pacsv.WriteOptions(include_header=True, delimiter=delimiter, quoting_style="needed")
        self._file = pa.PythonFile(self._writer, mode="w")
        self._csv = pacsv.CSVWriter(self._file, schema, write_options=options)

    def _encode(self, batch: pa.RecordBatch) -> None:
        self._csv.write_batch(batch)

    def _finish(self) -> None:
        self._csv.close()
        self._file.flush()
