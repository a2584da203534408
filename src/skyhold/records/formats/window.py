"""Some rows out of many: those after an offset, up to a limit."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from dataclasses import replace

from skyhold.records.formats.adapter import Batch

__all__ = ["Window"]


class Window:
    """What is left to pass over and to take, while rows go by.

    Args:
        offset: Rows to pass over first.
        limit: Rows to take then; None takes all.

    Example:
        >>> window = Window(offset=3, limit=4)
        >>> window.take(5), window.take(5), window.is_full
        ((3, 2), (0, 2), True)
    """

    def __init__(self, offset: int, limit: int | None) -> None:
        self._offset = offset
        self._limit = limit

    @property
    def is_full(self) -> bool:
        """Whether no further row is wanted."""
        return self._limit == 0

    @property
    def reach(self) -> int | None:
        """How many rows must go by until it is full; None for all."""
        return None if self._limit is None else self._offset + self._limit

    def take(self, rows: int) -> tuple[int, int]:
        """Return which of the next ``rows`` are wanted: the first, and how many."""
        start = min(self._offset, rows)
        count = rows - start if self._limit is None else min(self._limit, rows - start)
        self._offset -= start
        if self._limit is not None:
            self._limit -= count
        return start, count

    def cut(self, batch: Batch) -> Batch:
        """Return the wanted rows of the next batch; its malformed rows stay, since nobody can say what they were."""
        start, count = self.take(batch.data.num_rows)
        if count == batch.data.num_rows:
            return batch
        dropped = {batch.row_number(index) for index in range(start)}
        skipped = tuple(sorted({*batch.skipped, *dropped}))
        return replace(batch, data=batch.data.slice(start, count), skipped=skipped)
