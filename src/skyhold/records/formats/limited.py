"""The beginning of an input, whatever its format."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

from skyhold.errors import BadOptionError
from skyhold.records.formats.adapter import Batch, InputAdapter, InputStream, OpenStore

__all__ = ["LimitedInputAdapter"]


class LimitedInputAdapter(InputAdapter):
    """Read the first rows of another input, malformed ones counted; nothing is read once these are there.

    Args:
        inner: What to read.
        rows: How many.

    Raises:
        BadOptionError: ``rows`` is negative.
    """

    def __init__(self, inner: InputAdapter, rows: int) -> None:
        if rows < 0:
            raise BadOptionError(f"a limit of {rows} rows is negative")
        self._inner = inner
        self._rows = rows

    @property
    def uri(self) -> str:
        return self._inner.uri

    def open(self, wrap: OpenStore) -> InputStream:
        return _LimitedStream(self._inner.open(wrap), self._rows)


class _LimitedStream(InputStream):
    def __init__(self, inner: InputStream, rows: int) -> None:
        self.kind = inner.kind
        self.schema = inner.schema
        self.sources = inner.sources
        self._inner = inner
        self._rows = rows

    def batches(self) -> Iterator[Batch]:
        left = self._rows
        if not left:
            return
        for batch in self._inner.batches():
            cut = _first_rows(batch, left)
            yield cut
            left -= cut.data.num_rows + len(cut.malformed)
            if left <= 0:
                return

    def close(self) -> None:
        self._inner.close()


def _first_rows(batch: Batch, rows: int) -> Batch:
    """Return the first rows of a batch in the order of the file, in which malformed ones stand between others."""
    if batch.data.num_rows + len(batch.malformed) <= rows:
        return batch
    malformed = sorted(batch.malformed, key=lambda row: row.row)
    before = [bisect_left(range(batch.data.num_rows), row.row, key=batch.row_number) for row in malformed]
    kept = tuple(row for place, row in enumerate(malformed) if before[place] + place < rows)
    return replace(batch.slice(0, rows - len(kept), with_malformed=False), malformed=kept)
