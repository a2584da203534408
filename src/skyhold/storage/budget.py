"""Bounded memory for many threads: whoever needs room waits for it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Budget"]


class Budget:
    """Bytes that may be in flight.

    Args:
        size_bytes: How many.

    Example:
        >>> budget = Budget(100)
        >>> with budget.of(60):
        ...     budget.take(40)
        40
    """

    def __init__(self, size_bytes: int) -> None:
        self._free = size_bytes
        self._most = size_bytes
        self._waiting = 0
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)

    def take(self, size_bytes: int) -> int:
        """Wait for room; return what to give back. What is larger than all there is waits for all."""
        size_bytes = min(size_bytes, self._most)
        with self._lock:
            while self._free < size_bytes:
                self._waiting += 1
                self._changed.wait()
                self._waiting -= 1
            self._free -= size_bytes
        return size_bytes

    def give(self, size_bytes: int) -> None:
        """Let others have it."""
        with self._lock:
            self._free += size_bytes
            if self._waiting:
                self._changed.notify_all()

    @contextmanager
    def of(self, size_bytes: int) -> Generator[None]:
        """Hold room."""
        taken = self.take(size_bytes)
        try:
            yield
        finally:
            self.give(taken)
