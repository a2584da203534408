"""Workers of one process: who has nothing left hears at once that the others here have ended what they were at."""

import threading
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["COMPANY", "Company"]

_TICK_S = 0.05
"""How long it takes to see that all are to stop."""


class Company:
    """Counts who is at work, by campaign.

    Example:
        >>> company = Company()
        >>> with company.at_work("memory://study"):
        ...     company.wait("memory://study", 0.01, threading.Event())
        False
    """

    def __init__(self) -> None:
        self._busy: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def at_work(self, campaign: str) -> Generator[None]:
        """Be at work on a campaign."""
        with self._changed:
            self._busy[campaign] += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy[campaign] -= 1
                self._changed.notify_all()

    def wait(self, campaign: str, seconds: float, stop: threading.Event) -> bool:
        """Wait until nobody here is at work on a campaign any more, for so many seconds at most.

        Where nobody is to begin with, others are at work elsewhere, of whom nothing is heard: then it is that long.

        Returns:
            Whether the last of them has just ended.
        """
        end = time.monotonic() + seconds
        with self._changed:
            is_awaited = self._busy[campaign] > 0
            while self._busy[campaign] and not stop.is_set() and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, _TICK_S))
            is_over = is_awaited and not self._busy[campaign]
        if not is_awaited:
            stop.wait(seconds)
        return is_over


COMPANY = Company()
"""The workers of this process."""
