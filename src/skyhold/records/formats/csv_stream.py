"""A CSV being read: Arrow splits it into cells, and what Arrow takes amiss is seen to here.

Python's own ``csv.reader`` is the measure of what a dialect means; the tests compare the two.
"""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from skyhold.errors import MalformedInputError
from skyhold.records.formats.adapter import Batch, InputStream, MalformedRow, Source
from skyhold.records.formats.compression import ByteStream, is_plain
from skyhold.records.formats.csv_dialect import CSVCut, CSVDialect, CSVHead, CSVLayout, read_head
from skyhold.records.formats.utf8 import NUL_STAND_IN, UNDECODABLE, Utf8Source, show_undecodable
from skyhold.records.formats.window import cut_batch, next_row, without_rows

__all__ = ["CSVStream"]

_BLOCKS_BYTES = (512 * 1024, 4 * 1024 * 1024, 64 * 1024 * 1024)
"""Arrow needs the end of a row in every block: where a row is longer, reading begins anew with the next size."""
_BOM = b"\xef\xbb\xbf"


class CSVStream(InputStream):
    """The rows of one object, every cell as text.

    Args:
        open_bytes: Opens the object; it is called again where a row needs larger blocks.
        uri: The object.
        dialect: How cells are told from each other.
        layout: What else the file looks like.
        cut: Which part of the object it is, if it is one.

    Attributes:
        head: What came before the first row.
        is_plain: Whether the object is text as it is stored.
    """

    def __init__(
        self,
        open_bytes: Callable[[], ByteStream],
        uri: str,
        dialect: CSVDialect,
        layout: CSVLayout,
        cut: CSVCut | None = None,
    ) -> None:
        self.kind = "text"
        self._open_bytes = open_bytes
        self._uri = uri
        self._dialect = dialect
        self._layout = layout
        self._cut = cut
        self._lock = threading.Lock()
        self._malformed: dict[int, MalformedRow] = {}
        # A row of its own after the last one: where it is not found, a quote has swallowed it.
        self._end = f"skyhold-end-{uuid4().hex}"
        self._is_whole = False
        self._reader = open_bytes()
        self.is_plain = is_plain(self._reader)
        self.sources = [Source(uri, self._reader.info)]
        try:
            self.head = self._begin()
            self.schema = pa.schema([(name, pa.string()) for name in self.head.names])
        except BaseException:
            self._reader.close()
            raise

    def _begin(self) -> CSVHead:
        """Read as far as the first row of data."""
        encoding = self._cut.encoding if self._cut else self._layout.encoding
        # Where there is a NUL, Arrow was seen to end a row within quotes, depending on where a block ends.
        self._source = Utf8Source(self._reader, encoding=encoding, hide_nul=True)
        if self._cut:
            head = CSVHead(self._cut.names, b"", 0, ends_within_line=False)
        else:
            head = read_head(self._source, self._uri, self._dialect, self._layout, self._end)
        # Arrow drops a byte-order mark at the beginning, so it gets one that is not the file's.
        self._source.unread(_BOM + head.rest)
        # Arrow drops LF at the beginning of a block when the last one ended with CR, even within quotes.
        self._source.unparted = b"\r"
        self._source.tail = f"\n{self._end}{self._dialect.delimiter * len(head.names)}\n".encode()
        return head

    def batches(self) -> Iterator[Batch]:
        done = 1
        for block_bytes in _BLOCKS_BYTES:
            if block_bytes != _BLOCKS_BYTES[0]:
                self._begin_anew()
            try:
                for batch in self._read(block_bytes):
                    after = next_row(batch)
                    if after > done:
                        yield batch if batch.first_row >= done else cut_batch(batch, done, after)
                        done = after
            except pa.ArrowInvalid as error:
                if "straddling" not in str(error):
                    raise MalformedInputError(
                        f"{self._uri!r} cannot be read after row {self._name_of(done - 1)}: {error}",
                        remedy="Check delimiter and quotes near that row",
                    ) from error
                continue
            if not self._is_whole:
                raise MalformedInputError(
                    f"a quote (or an escape) in row {self._name_of(done - 1)} of {self._uri!r} is never closed",
                    remedy="Correct that row, or give quotechar=None if quotes mean nothing here",
                )
            return
        raise MalformedInputError(
            f"a row of {self._uri!r} after row {self._name_of(done - 1)} is longer than"
            f" {_BLOCKS_BYTES[-1] // 2**20} MiB, or a quote in it is never closed",
            remedy="Correct that row, or give quotechar=None if quotes mean nothing here",
        )

    def _name_of(self, row: int) -> str:
        """Return a row's number for people; in a part of a file, rows are counted from where it begins."""
        return f"{row}, counted from byte {self._cut.start:,} on," if self._cut else str(row)

    def _begin_anew(self) -> None:
        self._reader.close()
        self._reader = self._open_bytes()
        if [Source(self._uri, self._reader.info)] != self.sources:
            raise MalformedInputError(f"{self._uri!r} was replaced while it was read", remedy="Run again")
        self._malformed.clear()
        self._begin()

    def _read(self, block_bytes: int) -> Iterator[Batch]:
        first = 1
        for data in self._parse(block_bytes):
            batch = self._numbered(self._with_nul(data), first)
            first = next_row(batch)
            yield self._without_undecodable(batch) if self._source.escaped else batch
        left = self._take_malformed()
        if left:
            yield Batch(pa.RecordBatch.from_pylist([], self.schema), self._uri, first, malformed=left)

    def _parse(self, block_bytes: int) -> Iterator[pa.RecordBatch]:
        layout = self._layout
        yield from pacsv.open_csv(
            pa.PythonFile(self._source, mode="r"),
            read_options=pacsv.ReadOptions(
                column_names=list(self.columns),
                block_size=block_bytes,
                use_threads=False,  # else the rows of malformed lines are not told
            ),
            parse_options=pacsv.ParseOptions(invalid_row_handler=self._keep_malformed, **self._dialect.arrow_options()),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.string()),
                strings_can_be_null=bool(layout.null_values),
                quoted_strings_can_be_null=layout.quoted_nulls,
                null_values=[value.replace("\0", NUL_STAND_IN) for value in layout.null_values],
            ),
        )

    def _with_nul(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if not self._source.hides_nul:
            return data
        columns = [pc.replace_substring(column, NUL_STAND_IN, "\0") for column in data.columns]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _keep_malformed(self, row: Any) -> str:
        if row.text.startswith(self._end):
            self._is_whole = True
            return "skip"
        message = f"expected {row.expected_columns} columns, found {row.actual_columns}"
        text = show_undecodable(row.text) if self._source.escaped else row.text
        text = text.replace(NUL_STAND_IN, "\0") if self._source.hides_nul else text
        with self._lock:
            self._malformed[row.number] = MalformedRow(row.number, "ragged_row", message, text)
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

    def _without_undecodable(self, batch: Batch) -> Batch:
        """Take out the rows that have a cell with undecodable bytes."""

        def describe(number: int, cells: dict[str, object]) -> MalformedRow:
            shown = {name: show_undecodable(str(cell or "")) for name, cell in cells.items()}
            return MalformedRow(number, "bad_encoding", f"not {self._layout.encoding}", orjson.dumps(shown).decode())

        marks = [pc.match_substring_regex(column, UNDECODABLE) for column in batch.data.columns]
        return without_rows(batch, marks, describe)

    def close(self) -> None:
        self._reader.close()
