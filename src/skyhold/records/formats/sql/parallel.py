"""Several readings at once, whose rows come in order."""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from skyhold.records.formats.sql.asked import Rows

__all__ = ["in_order"]

_AHEAD = 8
_PATIENCE_S = 0.1


class _Part:
    """One reading, in a thread of its own, at most a few batches ahead."""

    def __init__(self, read: Callable[[], Iterator[Rows]]) -> None:
        self._read = read
        self._ready: queue.Queue[Rows | BaseException | None] = queue.Queue(_AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="skyhold-sql-part", daemon=True)
        self._thread.start()

    def rows(self) -> Iterator[Rows]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        try:
            for rows in self._read():
                if not self._give(rows):
                    return
            self._give(None)
        except BaseException as error:  # noqa: BLE001 - carried to whoever reads
            self._give(error)

    def _give(self, item: Rows | BaseException | None) -> bool:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._ready.put(item, timeout=_PATIENCE_S)
                return True
        return False


def in_order(reads: Sequence[Callable[[], Iterator[Rows]]]) -> Iterator[Rows]:
    """Run all readings at once and yield the rows of the first, then of the second, and so on.

    Each is at most a few batches ahead, so memory stays bounded. Closing the generator stops all of them.
    """
    parts = [_Part(read) for read in reads]
    try:
        for part in parts:
            yield from part.rows()
    finally:
        for part in parts:
            part.stop()
