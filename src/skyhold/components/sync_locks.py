"""Who has locked or needs what while many files go up or away, without a request for each of them."""

import threading
import time
from collections.abc import Callable, Collection, Iterable

from skyhold.components.locks import Locks

__all__ = ["SeenLocks", "SeenNames"]

_KNOWN_FOR_S = 10.0
_LONG_BYTES = 8 * 1024 * 1024
"""What is larger takes longer than one more request, so its lock is always looked at."""


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


class SeenLocks:
    """The locks of a library, as `SeenNames` tells which there are.

    A component need not be there to be locked: one that somebody is about to publish can be.

    Args:
        locks: Of the library.
        prefix: Under which components are asked about.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://seen-locks-example")
        >>> held = Locks(store, "ann@desk").take("arm.blend")
        >>> SeenLocks(Locks(store, "bob@lab"), "").check("arm.blend", size_bytes=9)
        Traceback (most recent call last):
        skyhold.errors.LockedError: lock 'memory://seen-locks-example/arm.blend': held by 'ann@desk' ...
    """

    def __init__(self, locks: Locks, prefix: str) -> None:
        self._locks = locks
        self._seen = SeenNames(lambda: locks.list_known(prefix))

    def check(self, component_id: str, *, size_bytes: int = 0) -> None:
        """Do nothing unless somebody else holds the lock of a component that is to be published or deleted.

        Raises:
            LockedError: With who, until when and why.
        """
        if size_bytes > _LONG_BYTES or component_id in self._seen.names():
            self._locks.check(component_id)
