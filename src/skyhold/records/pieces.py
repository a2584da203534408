"""Pieces: the rows that came of one shard, which wait for their turn beside the output.

They are Arrow streams, or what the output takes as it is.
"""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.records.formats.adapter import OpenStore, OutputAdapter, OutputStream, PieceForm, Written
from skyhold.records.formats.arrow import ArrowOutputAdapter
from skyhold.records.formats.objects import ObjectPlace
from skyhold.records.rejects import RejectCounts
from skyhold.runs.receipt import RejectGroup
from skyhold.storage.contract import Store

__all__ = ["PieceAdapter", "RefusedAdapter", "read_blocks", "read_piece", "shift_lines"]

_BLOCK_BYTES = 4 * 1024 * 1024


class PieceAdapter(OutputAdapter):
    """Writes a piece.

    Args:
        place: Where.
        form: What writes it; None is for Arrow streams.
    """

    def __init__(self, place: ObjectPlace, form: PieceForm | None = None) -> None:
        self._place = place
        self._form = form

    @property
    def uri(self) -> str:
        return self._place.uri

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        del wrap  # the place's store is counted already
        if self._form is not None:
            return self._form(self._place.store, self._place.key, schema)
        return ArrowOutputAdapter("", format="stream", compression="lz4").open_place(self._place, schema)


class RefusedAdapter(OutputAdapter):
    """Counts rejected rows for each source by itself, whose rows are numbered by themselves; perhaps keeps them.

    Args:
        place: Where their lines go; None keeps none.

    Attributes:
        counts: Why rows were rejected, by source, in the order in which the sources were read.
    """

    def __init__(self, place: ObjectPlace | None) -> None:
        self._place = place
        self.counts: dict[str, RejectCounts] = {}

    @property
    def uri(self) -> str:
        return "" if self._place is None else self._place.uri

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        inner = None if self._place is None else PieceAdapter(self._place).open(schema, wrap)
        return _RefusedStream(inner, self.counts)


class _RefusedStream(OutputStream):
    def __init__(self, inner: OutputStream | None, counts: dict[str, RejectCounts]) -> None:
        self._inner = inner
        self._counts = counts
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._rows += batch.num_rows
        names = ("source", "field", "error_type", "message", "row_number")
        for source, field, kind, message, row in zip(*(batch[name].to_pylist() for name in names), strict=True):
            counts = self._counts.setdefault(source, RejectCounts())
            counts.merge([RejectGroup(field, kind, 1, message, (row,))])
        if self._inner is not None:
            self._inner.write(batch)

    def close(self) -> list[Written]:
        return [Written("", self._rows)] if self._inner is None else self._inner.close()

    def abort(self) -> None:
        if self._inner is not None:
            self._inner.abort()


def read_blocks(store: Store, key: str) -> Iterator[bytes]:
    """Yield the bytes of a piece, some at a time.

    Raises:
        KeyNotFoundError: It is not there.
    """
    with store.open_reader(key, block_bytes=_BLOCK_BYTES) as reader:
        while block := reader.read(_BLOCK_BYTES):
            yield block


def read_piece(store: Store, key: str) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a piece, as they were written.

    Raises:
        KeyNotFoundError: It is not there.
    """
    with store.open_reader(key, block_bytes=_BLOCK_BYTES) as reader:
        yield from pa.ipc.open_stream(pa.PythonFile(reader, mode="r"))


def shift_lines(lines: pa.RecordBatch, rows_before: int, lines_before: int) -> pa.RecordBatch:
    """Return lines of the error output with the numbers that their rows have in the whole source.

    Example:
        >>> batch = pa.record_batch({"row_number": pa.array([1, 3]), "line": pa.array([2, None], pa.int64())})
        >>> shift_lines(batch, 10, 20).to_pydict()
        {'row_number': [11, 13], 'line': [22, None]}
    """
    for name, before in (("row_number", rows_before), ("line", lines_before)):
        if before:
            place = lines.schema.get_field_index(name)
            lines = lines.set_column(place, lines.schema.field(place), pc.add(lines.column(place), before))
    return lines
