"""Parts of batches: rows from one number to another, rows without the bad ones; numbers in the input stay."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import BadOptionError
from skyhold.records.formats.adapter import Batch, InputStream, MalformedRow, Passed

__all__ = ["SelectedStream", "Selection", "cut_batch", "next_row", "split_batch", "without_rows"]


def next_row(batch: Batch) -> int:
    """Return the number of the row after the last of a batch."""
    after_data = batch.first_row + batch.data.num_rows + len(batch.skipped)
    return max([after_data, *(row.row + 1 for row in batch.malformed)])


def cut_batch(batch: Batch, start: int, end: int) -> Batch:
    """Return the rows whose numbers are from ``start`` up to, not including, ``end``.

    Example:
        >>> batch = Batch(pa.RecordBatch.from_pydict({"a": [1, 2, 4]}), first_row=1, skipped=(3,))
        >>> part = cut_batch(batch, 2, 5)
        >>> part.data.to_pydict(), part.first_row, part.skipped
        ({'a': [2, 4]}, 2, (3,))
    """
    first = max(start, batch.first_row)

    def index(number: int) -> int:
        before = sum(1 for skipped in batch.skipped if skipped < number)
        return min(max(number - batch.first_row - before, 0), batch.data.num_rows)

    part = batch.slice(index(first), max(index(end) - index(first), 0), with_malformed=False)
    return replace(
        part,
        first_row=first,
        skipped=tuple(number for number in batch.skipped if first <= number < end),
        malformed=tuple(row for row in batch.malformed if first <= row.row < end),
    )


def split_batch(batch: Batch, rows: int | None) -> Iterator[Batch]:
    """Yield a batch in parts that stand for at most ``rows`` rows, malformed ones among them."""
    if rows is None:
        yield batch
        return
    end = next_row(batch)
    for start in range(batch.first_row, end, rows):
        yield cut_batch(batch, start, min(start + rows, end))


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of an input are read, and in what portions.

    Attributes:
        offset: Rows left out at the beginning.
        limit: Rows read at most; None reads all. Malformed ones count.
        batch_size: Rows that a batch stands for at most; None leaves batches as they come.

    Raises:
        BadOptionError: A number is below what makes sense.
    """

    offset: int = 0
    limit: int | None = None
    batch_size: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("offset", 0), ("limit", 0), ("batch_size", 1)):
            value: int | None = getattr(self, name)
            if value is not None and value < least:
                raise BadOptionError(f"{name}={value!r} is below {least}", remedy=f"Give {least} or more")

    def apply(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield what is selected, under the numbers that rows have in the input."""
        to_skip, left = self.offset, self.limit
        if left == 0:
            return
        for batch in batches:
            count = next_row(batch) - batch.first_row
            skipped = min(to_skip, count)
            taken = count - skipped if left is None else min(left, count - skipped)
            to_skip -= skipped
            if taken:
                start = batch.first_row + skipped
                part = batch if taken == count else cut_batch(batch, start, start + taken)
                yield from split_batch(part, self.batch_size)
            if left is not None:
                left -= taken
                if not left:
                    return


class SelectedStream(InputStream):
    """Some rows of another stream."""

    def __init__(self, inner: InputStream, selection: Selection) -> None:
        self.kind = inner.kind
        self.schema = inner.schema
        self.sources = inner.sources
        self._inner = inner
        self._selection = selection

    def batches(self) -> Iterator[Batch]:
        return self._selection.apply(self._inner.batches())

    def passed(self) -> Passed:
        return self._inner.passed()

    def close(self) -> None:
        self._inner.close()


def without_rows(
    batch: Batch, marks: Iterable[pa.Array], describe: Callable[[int, dict[str, object]], MalformedRow]
) -> Batch:
    """Take out the rows that any of ``marks`` (bool, one array a column) marks.

    Args:
        batch: Some rows.
        marks: Which are bad.
        describe: From a bad row's number and its cells to what is wrong with it.
    """
    bad = pc.fill_null(functools.reduce(pc.or_kleene, marks), fill_value=False)
    places = pc.indices_nonzero(bad).to_pylist()
    if not places:
        return batch
    cells = batch.data.take(pa.array(places, pa.int64())).to_pylist()
    malformed = [describe(batch.row_number(place), row) for place, row in zip(places, cells, strict=True)]
    skipped = tuple(sorted([*batch.skipped, *(row.row for row in malformed)]))
    together = tuple(sorted([*batch.malformed, *malformed], key=lambda row: row.row))
    return Batch(batch.data.filter(pc.invert(bad)), batch.source, batch.first_row, skipped, together)
