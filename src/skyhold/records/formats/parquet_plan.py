"""Which bytes of a Parquet object will be read, from its footer alone."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from skyhold.records.formats.parquet_footer import ChunkLayout, GroupLayout
from skyhold.records.formats.planned import Span

__all__ = ["AHEAD_BYTES", "MOST_ROWS", "ReadPlan", "fitting_rows", "plan_reads"]

AHEAD_BYTES = 32 * 1024 * 1024
MOST_ROWS = 64 * 1024
_BATCH_BYTES = 8 * 1024 * 1024
_PIECE_BYTES = 4 * 1024 * 1024
_LEAST_PIECE_BYTES = 256 * 1024
_HOLE_BYTES = 64 * 1024
_SURPLUS = 1.25


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Requests for some columns of some row groups.

    Attributes:
        spans: Requests, in the order in which decoding first needs them.
        perhaps: The rest of columns of which only the beginning is expected to be read.
        is_streamed: Whether a row group is too large to be held, so that columns are to be read bit by bit.
    """

    spans: list[Span]
    perhaps: list[Span]
    is_streamed: bool


def plan_reads(groups: Sequence[GroupLayout], leaves: Sequence[int], rows: int | None = None) -> ReadPlan:
    """Plan the requests: small row groups together, large ones column by column.

    Args:
        groups: Row groups, in the order in which they are read.
        leaves: Parquet's columns.
        rows: How many rows of these groups will be read; None is all.
    """
    spans: list[Span] = []
    perhaps: list[Span] = []
    is_streamed = False
    for streamed, some in groupby(_parts_of(groups, leaves, rows), key=_Part.needs_streaming):
        is_streamed |= streamed
        if not streamed:
            spans += _join(span for part in some for span in part.chunks)
            continue
        for part in some:
            first, rest = _interleave(part)
            spans += first
            perhaps += rest
    return ReadPlan(spans, perhaps, is_streamed)


@dataclass(frozen=True, slots=True)
class _Part:
    chunks: list[Span]
    share: float

    def needs_streaming(self) -> bool:
        return self.share < 1 or sum(chunk.size_bytes for chunk in self.chunks) > AHEAD_BYTES


def _parts_of(groups: Sequence[GroupLayout], leaves: Sequence[int], rows: int | None) -> Iterator[_Part]:
    for group in groups:
        if rows is not None and rows <= 0:
            return
        share = 1.0 if rows is None else min(1.0, rows / max(1, group.rows))
        yield _Part(sorted(_chunk_span(group.chunks[leaf]) for leaf in leaves), share if share < 1 / _SURPLUS else 1.0)
        rows = None if rows is None else rows - group.rows


def _chunk_span(chunk: ChunkLayout) -> Span:
    return Span(chunk.start, chunk.start + chunk.size_bytes)


def _join(chunks: Iterator[Span]) -> list[Span]:
    """Join neighbours, bridging small holes, and cut what is too long for one request."""
    runs: list[Span] = []
    for chunk in chunks:
        if runs and 0 <= chunk.start - runs[-1].end <= _HOLE_BYTES:
            runs[-1] = Span(runs[-1].start, chunk.end)
        else:
            runs.append(chunk)
    return [piece for run in runs for piece in _cut(run, _PIECE_BYTES)]


def _interleave(part: _Part) -> tuple[list[Span], list[Span]]:
    """Order the pieces of columns that are read side by side: all beginnings first."""
    size = min(_PIECE_BYTES, max(_LEAST_PIECE_BYTES, AHEAD_BYTES // max(1, len(part.chunks))))
    first: list[tuple[float, Span]] = []
    rest: list[Span] = []
    for chunk in part.chunks:
        wanted = chunk.size_bytes if part.share == 1 else int(chunk.size_bytes * part.share * _SURPLUS) + _HOLE_BYTES
        middle = min(chunk.end, chunk.start + wanted)
        first += [
            ((piece.start - chunk.start) / chunk.size_bytes, piece) for piece in _cut(Span(chunk.start, middle), size)
        ]
        rest += _cut(Span(middle, chunk.end), _LEAST_PIECE_BYTES)
    return [span for _, span in sorted(first)], rest


def _cut(span: Span, size: int) -> list[Span]:
    return [Span(start, min(start + size, span.end)) for start in range(span.start, span.end, size)]


def fitting_rows(groups: Sequence[GroupLayout], leaves: Sequence[int]) -> int:
    """Return how many rows make a batch of some megabytes."""
    size = sum(group.chunks[leaf].plain_bytes for group in groups for leaf in leaves)
    rows = sum(group.rows for group in groups)
    return max(1, min(MOST_ROWS, _BATCH_BYTES * rows // max(1, size)))
