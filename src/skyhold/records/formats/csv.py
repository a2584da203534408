"""CSV: text in, text out; what the columns mean is the model's affair."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import functools
import os
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import pyarrow as pa

from skyhold.records.formats.adapter import (
    LEAST_SHARD_BYTES,
    InputStream,
    OpenStore,
    OutputStream,
    Piece,
    PieceForm,
    Shards,
)
from skyhold.records.formats.compression import codec_of_name
from skyhold.records.formats.csv_dialect import CSVCut, CSVDialect, CSVLayout
from skyhold.records.formats.csv_shards import divide_csv
from skyhold.records.formats.csv_stream import CSVStream
from skyhold.records.formats.csv_text import CSVStyle, CSVText, Quoting
from skyhold.records.formats.object_shards import Division, Likeness, ObjectPart
from skyhold.records.formats.objects import ObjectOutputAdapter, ObjectPlace, ObjectSink, ObjectUris, TextInputAdapter
from skyhold.records.formats.part_reader import PartReader
from skyhold.records.formats.text_types import TypedStream, check_sample_rows
from skyhold.records.formats.text_units import blank_lines
from skyhold.records.formats.utf8 import check_encoding
from skyhold.records.formats.window import SelectedStream, Selection
from skyhold.storage.contract import Store

__all__ = ["CSVInputAdapter", "CSVOutputAdapter"]

_FETCH_BYTES = 2 * 1024 * 1024


class CSVInputAdapter(TextInputAdapter):
    r"""Read one CSV object, its first row naming the columns.

    A row with too few or too many cells, and a row with bytes that the encoding does not know, are rejected rows, not
    the end of the run. A quote that is never closed fails the run: where rows end is then unknown. Blank lines are no
    rows. Lines end with any of ``\n``, ``\r\n`` and ``\r``.

    Args:
        uri: Where it is; a pattern, a folder or a sequence of URIs reads many.
        delimiter: One character between cells.
        quotechar: One character around cells that hold the delimiter, the quote or a line's end; None if quotes mean
            nothing.
        escapechar: One character that takes the meaning from the next.
        doublequote: Whether a quote within a quoted cell is written twice.
        encoding: Any of Python's. A byte-order mark at the beginning is left out.
        fieldnames: The columns' names of a file that has no header.
        skip_rows: Lines before the header, or before the data if there is none.
        null_values: Cells that are null: exactly these texts.
        quoted_nulls: Whether they are in quotes, too. ``null_values=[""], quoted_nulls=False`` reads back None and
            ``""`` as `CSVOutputAdapter` writes them.
        offset: Rows of data to leave out at the beginning; the others keep their numbers.
        limit: Rows to read at most, malformed ones counted.
        infer_types: Give columns the types that their first cells show, by the rule of
            `skyhold.records.formats.text_types.TypedStream`; a later cell that does not fit rejects its row.
        sample_rows: How many rows ``infer_types`` looks at.
        batch_size: Rows of a batch at most; by default what half a megabyte holds.
        **options: ``compression``, ``glob`` and ``source_column`` as for
            `skyhold.records.formats.objects.TextInputAdapter`, and storage options.

    Raises:
        BadOptionError: An option has a value that it cannot have.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> _ = open_store("memory://csv-example").write("in.csv", "a;b\r\n'ü;';NA\r\n".encode("latin-1"))
        >>> adapter = CSVInputAdapter(
        ...     "memory://csv-example/in.csv", delimiter=";", quotechar="'", encoding="latin-1", null_values=["NA"]
        ... )
        >>> with adapter.open(lambda store: store) as stream:
        ...     [row for batch in stream.batches() for row in batch.data.to_pylist()]
        [{'a': 'ü;', 'b': None}]
    """

    def __init__(  # noqa: PLR0913 - a format has many sides
        self,
        uri: ObjectUris,
        *,
        delimiter: str = ",",
        quotechar: str | None = '"',
        escapechar: str | None = None,
        doublequote: bool = True,
        encoding: str = "utf-8",
        fieldnames: Sequence[str] | None = None,
        skip_rows: int = 0,
        null_values: Sequence[str] = (),
        quoted_nulls: bool = True,
        infer_types: bool = False,
        sample_rows: int = 10_000,
        offset: int = 0,
        limit: int | None = None,
        batch_size: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(uri, **options)
        self._dialect = CSVDialect(delimiter, quotechar, escapechar, doublequote)
        self._layout = CSVLayout(
            encoding=check_encoding(encoding),
            fieldnames=None if fieldnames is None else tuple(fieldnames),
            skip_rows=skip_rows,
            null_values=tuple(null_values),
            quoted_nulls=quoted_nulls,
        )
        self._sample_rows = check_sample_rows(sample_rows) if infer_types else None
        self._selection = Selection(offset, limit, batch_size)

    def shards(
        self, count: int, wrap: OpenStore, executor: Executor, *, least_bytes: int = LEAST_SHARD_BYTES
    ) -> Shards:
        is_cut = self._selection.offset or self._selection.limit is not None
        return Shards([self]) if is_cut else super().shards(count, wrap, executor, least_bytes=least_bytes)

    def _refine(self, stream: InputStream, schema: pa.Schema | None = None) -> InputStream:
        if self._sample_rows is not None:
            try:
                stream = TypedStream(stream, self._sample_rows, schema)
            except BaseException:
                stream.close()
                raise
        return SelectedStream(stream, self._selection)

    def _open_one(self, place: ObjectPlace) -> InputStream:
        open_bytes = functools.partial(place.open_bytes, _FETCH_BYTES)
        return CSVStream(open_bytes, place.uri, self._dialect, self._layout)

    def _divide(
        self, stream: InputStream, place: ObjectPlace, part: ObjectPart, division: Division
    ) -> Sequence[CSVCut]:
        if not isinstance(stream, CSVStream) or not stream.is_plain:
            return ()
        return divide_csv(stream.head, self._layout.encoding, self._dialect, place.store, part, division, self.reopen)

    def _open_cut(self, place: ObjectPlace, part: ObjectPart, like: Likeness) -> InputStream:
        del like
        cut: CSVCut = part.cut
        # Within the file, a decoder would see the line go on behind the row's end.
        suffix = b"" if cut.end == part.info.size_bytes else blank_lines(cut.encoding)
        open_bytes = functools.partial(
            PartReader, place.store, place.key, part.info, cut.start, cut.end, _FETCH_BYTES, suffix=suffix
        )
        return CSVStream(open_bytes, place.uri, self._dialect, self._layout, cut)


class CSVOutputAdapter(ObjectOutputAdapter):
    r"""Write one CSV object, in UTF-8.

    Numbers are written with the fewest digits that give them back, decimals with all of theirs, moments in ISO 8601
    (instants in UTC), booleans as true and false, lists and structs as JSON text. None is an empty cell and ``""`` a
    quoted one; in a file of one column both are quoted, since an empty line is no row.

    Args:
        uri: Where to.
        delimiter: One character between cells.
        quotechar: One character around cells; within them it is written twice.
        quoting: ``"needed"``, or ``"all"`` for every cell that is not None.
        header: Whether the first row has the columns' names.
        line_end: ``"\n"``, ``"\r\n"`` or ``"\r"``.
        null_text: What stands for None, without quotes; a text that is the same is quoted.
        bom: Whether a byte-order mark comes first, by which Excel knows UTF-8.
        **storage_options: As for `skyhold.storage.opening.open_store`.

    Raises:
        BadOptionError: An option has a value that it cannot have.
    """

    def __init__(
        self,
        uri: str | os.PathLike[str],
        *,
        delimiter: str = ",",
        quotechar: str = '"',
        quoting: Quoting = "needed",
        header: bool = True,
        line_end: str = "\n",
        null_text: str = "",
        bom: bool = False,
        **storage_options: Any,
    ) -> None:
        super().__init__(uri, **storage_options)
        self._style = CSVStyle(delimiter, quotechar, quoting, header, line_end, null_text, bom)

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        return _CSVSink(place, CSVText(schema, self._style))

    def piece_form(self, *, beside: bool) -> PieceForm:  # noqa: ARG002 - it is copied wherever it lies
        return functools.partial(_open_piece, replace(self._style, header=False, bom=False))


def _open_piece(style: CSVStyle, store: Store, key: str, schema: pa.Schema) -> OutputStream:
    return _CSVSink(ObjectPlace(store, key), CSVText(schema, style))


class _CSVSink(ObjectSink):
    def __init__(self, place: ObjectPlace, text: CSVText) -> None:
        super().__init__(place, codec_of_name(place.key))
        self._text = text
        self._begun = False

    def _encode(self, batch: pa.RecordBatch) -> None:
        self._begin()
        for part in self._text.encode(batch):
            self._writer.write(part)

    def append(self, piece: Piece) -> None:
        self._begin()
        for block in piece.blocks:
            self._writer.write(block)
        self._rows += piece.rows

    def _finish(self) -> None:
        self._begin()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._writer.write(self._text.head())
