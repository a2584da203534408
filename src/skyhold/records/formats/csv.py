"""CSV: text in, text out; what the columns mean is the model's affair."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import functools
import os
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv

from skyhold.records.formats.adapter import InputStream, OutputStream
from skyhold.records.formats.csv_dialect import CSVDialect, CSVLayout
from skyhold.records.formats.csv_stream import CSVStream
from skyhold.records.formats.objects import ObjectInputAdapter, ObjectOutputAdapter, ObjectPlace, ObjectSink
from skyhold.records.formats.utf8 import check_encoding
from skyhold.records.formats.window import SelectedStream, Selection

__all__ = ["CSVInputAdapter", "CSVOutputAdapter"]

_FETCH_BYTES = 4 * 1024 * 1024


class CSVInputAdapter(ObjectInputAdapter):
    r"""Read one CSV object, its first row naming the columns.

    A row with too few or too many cells, and a row with bytes that the encoding does not know, are rejected rows, not
    the end of the run. A quote that is never closed fails the run: where rows end is then unknown. Blank lines are no
    rows. Lines end with any of ``\n``, ``\r\n`` and ``\r``.

    Args:
        uri: Where it is.
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
        batch_size: Rows of a batch at most; by default what half a megabyte holds.
        **storage_options: As for `skyhold.storage.opening.open_store`.

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
        uri: str | os.PathLike[str],
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
        offset: int = 0,
        limit: int | None = None,
        batch_size: int | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(uri, **storage_options)
        self._dialect = CSVDialect(delimiter, quotechar, escapechar, doublequote)
        self._layout = CSVLayout(
            encoding=check_encoding(encoding),
            fieldnames=None if fieldnames is None else tuple(fieldnames),
            skip_rows=skip_rows,
            null_values=tuple(null_values),
            quoted_nulls=quoted_nulls,
        )
        self._selection = Selection(offset, limit, batch_size)

    def _open_one(self, place: ObjectPlace) -> InputStream:
        open_reader = functools.partial(place.open_reader, _FETCH_BYTES)
        stream = CSVStream(open_reader, place.uri, self._dialect, self._layout)
        return SelectedStream(stream, self._selection)


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
        super().__init__(place)
        options = pacsv.WriteOptions(include_header=True, delimiter=delimiter, quoting_style="needed")
        self._file = pa.PythonFile(self._writer, mode="w")
        self._csv = pacsv.CSVWriter(self._file, schema, write_options=options)

    def _encode(self, batch: pa.RecordBatch) -> None:
        self._csv.write_batch(batch)

    def _finish(self) -> None:
        self._csv.close()
        self._file.flush()
