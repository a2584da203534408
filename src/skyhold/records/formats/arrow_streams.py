"""Arrow data in this process: whatever hands over an Arrow stream is read, and a result is handed over as one."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import BadOptionError, PipeStateError
from skyhold.records.formats.adapter import (
    Batch,
    InputAdapter,
    InputStream,
    OpenStore,
    OutputAdapter,
    OutputStream,
    Source,
    Written,
)
from skyhold.records.validation.arrow import with_inner_types

__all__ = ["ArrowStreamInputAdapter", "ArrowTableOutputAdapter"]

_PIECE_ROWS = 64 * 1024
_PIECE_BYTES = 8 * 1024 * 1024


class ArrowStreamInputAdapter(InputAdapter):
    """Read what hands over Arrow data: a table or reader of pyarrow, polars, pandas, duckdb and others.

    Nothing is copied, and columns keep their types; only the "view" layouts of text and bytes and run-end encoding,
    which most of Arrow cannot work on yet, become plain text, bytes and values. What can be read only once, such as a
    ``pyarrow.RecordBatchReader``, is: `skyhold.records.pipe.Pipe.explain` does not use it up, a run does.

    Args:
        data: Something with ``__arrow_c_stream__``, or one batch with ``__arrow_c_array__``; its parts are rows.
        name: What the report, the receipt and rejected rows call it.

    Raises:
        BadOptionError: It hands over no Arrow data.

    Example:
        >>> adapter = ArrowStreamInputAdapter(pa.table({"a": [1, 2]}), name="two rows")
        >>> adapter.to_reader().read_all().to_pylist()
        [{'a': 1}, {'a': 2}]
    """

    def __init__(self, data: Any, *, name: str = "arrow") -> None:
        if not hasattr(data, "__arrow_c_stream__") and not hasattr(data, "__arrow_c_array__"):
            raise BadOptionError(
                f"a {type(data).__name__} hands over no Arrow data: it has no __arrow_c_stream__",
                remedy="Give a table or a reader of pyarrow, polars, pandas or duckdb, or use PythonInputAdapter",
            )
        self._data = data
        self._name = name
        self._unread: pa.RecordBatchReader | None = None
        self._is_used_up = False

    @property
    def uri(self) -> str:
        return self._name

    def open(self, wrap: OpenStore) -> InputStream:
        del wrap
        if self._unread is None:
            self._unread = self._ask()
        return _ArrowStream(self._unread, self._name, self._begin)

    def _ask(self) -> pa.RecordBatchReader:
        if self._is_used_up:
            raise PipeStateError(
                f"{self._name!r} has been read: a {type(self._data).__name__} gives its rows once",
                remedy="Give a table, or make the reader again for a new run",
            )
        data = self._data
        if isinstance(data, pa.RecordBatchReader):
            return data  # as it is, since an error of its Python source stays itself
        try:
            if hasattr(data, "__arrow_c_stream__"):
                return pa.RecordBatchReader.from_stream(data)
            batch = pa.record_batch(data)
        except pa.ArrowInvalid as error:
            raise BadOptionError(
                f"the Arrow data of {self._name!r} cannot be read as rows: {error}",
                remedy="Give a table, not a column, without types that only its maker knows",
            ) from error
        return pa.RecordBatchReader.from_batches(batch.schema, [batch])

    def _begin(self) -> None:
        self._unread = None
        self._is_used_up = hasattr(self._data, "__next__")  # an iterator that is at its end looks empty


class _ArrowStream(InputStream):
    def __init__(self, reader: pa.RecordBatchReader, name: str, begin: Callable[[], None]) -> None:
        self.kind = "typed"
        self.schema = pa.schema(
            [field.with_type(_plain(field.type)) for field in reader.schema], reader.schema.metadata
        )
        self.sources = [Source(name)]
        self._reader = reader
        self._name = name
        self._begin = begin

    def batches(self) -> Iterator[Batch]:
        self._begin()
        first_row = 1
        for data in self._reader:
            for piece in _cut(data):
                yield Batch(self._plainly(piece), self._name, first_row)
                first_row += piece.num_rows

    def _plainly(self, data: pa.RecordBatch) -> pa.RecordBatch:
        if data.schema.equals(self.schema):
            return data
        columns = [_as_plain(column, kind) for column, kind in zip(data.columns, self.schema.types, strict=True)]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _as_plain(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_run_end_encoded(column.type):
        whole = pa.RunEndEncodedArray.from_arrays(column.run_ends, pc.cast(column.values, kind))
        column = pc.run_end_decode(whole.slice(column.offset, len(column)))
    return column if column.type == kind else pc.cast(column, kind)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type without views at any depth; lists by view stay, since Arrow can work on them."""
    types = pa.types
    if types.is_string_view(kind):
        return pa.string()
    if types.is_binary_view(kind):
        return pa.binary()
    if types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _plain(kind.value_type), ordered=kind.ordered)
    return with_inner_types(kind, _plain)


def _cut(data: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Cut what may be a whole table into pieces of modest size; they share its memory."""
    rows = data.num_rows
    if rows == 0:
        return
    size = max(1, min(_PIECE_ROWS, _PIECE_BYTES * rows // max(1, data.nbytes)))
    for start in range(0, rows, size):
        yield data.slice(start, size)


class ArrowTableOutputAdapter(OutputAdapter):
    """Keep the rows in memory, as an Arrow table. polars, pandas, duckdb and pyarrow take the adapter as it is.

    The table appears when the pipe is complete; a pipe that fails leaves the one that was there before.

    Args:
        name: What the report and the receipt call it.

    Example:
        >>> from skyhold.records.pipe import Pipe
        >>> output = ArrowTableOutputAdapter()
        >>> source = ArrowStreamInputAdapter(pa.table({"a": [1, 2]}))
        >>> _ = Pipe(input_adapter=source, output_adapter=output).run()
        >>> output.table.num_rows
        2
    """

    def __init__(self, *, name: str = "arrow table") -> None:
        self._name = name
        self._table: pa.Table | None = None

    @property
    def uri(self) -> str:
        return self._name

    @property
    def table(self) -> pa.Table:
        """The rows.

        Raises:
            PipeStateError: No pipe that writes here is complete.
        """
        if self._table is None:
            raise PipeStateError(f"{self._name!r} holds no table yet", remedy="Run the pipe that writes it first")
        return self._table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the table over as an Arrow stream."""
        return self.table.__arrow_c_stream__(requested_schema)

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        del wrap
        return _TableSink(self._name, schema, self._keep)

    def _keep(self, table: pa.Table) -> None:
        self._table = table


class _TableSink(OutputStream):
    def __init__(self, name: str, schema: pa.Schema, keep: Callable[[pa.Table], None]) -> None:
        self._name = name
        self._schema = schema
        self._keep = keep
        self._batches: list[pa.RecordBatch] = []

    def write(self, batch: pa.RecordBatch) -> None:
        self._batches.append(batch)

    def close(self) -> list[Written]:
        table = pa.Table.from_batches(self._batches, self._schema)
        self._keep(table)
        return [Written(self._name, table.num_rows)]

    def abort(self) -> None:
        self._batches = []
