"""Names by a listing, where many are asked about one after the other."""

import threading
import time
from collections.abc import Callable, Collection, Iterable

__all__ = ["SeenNames"]

_KNOWN_FOR_S = 10.0


class SeenNames:
    """Names by a listing that is never much older than what is asked of it; for many threads.

    Args:
        list_names: Lists them.

    Example:
        >>> "arm.stl" in SeenNames(lambda: ["arm.stl"]).names()
        True
    """

    def __init__(self, list_names: Callable[[], Iterable[str]]) -> None:
        self._list_names = list_names
        self._turn = threading.Lock()
        self._known: Collection[str] = frozenset[str]()
        self._end = time.monotonic()

    def names(self) -> Collection[str]:
        """Return them."""
        with self._turn:
            if time.monotonic() >= self._end:
                self._known = frozenset(self._list_names())
                self._end = time.monotonic() + _KNOWN_FOR_S
            return self._known
