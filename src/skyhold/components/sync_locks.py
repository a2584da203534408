"""Who has locked what while many files go up, without a request for each of them."""

import threading
import time

from skyhold.components.locks import Locks

__all__ = ["SeenLocks"]

_KNOWN_FOR_S = 10.0
_LONG_BYTES = 8 * 1024 * 1024
"""What is larger takes longer than one more request, so its lock is always looked at."""


class SeenLocks:
    """The locks of a library by a listing that is never much older than what is asked of it; for many threads.

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
        self._prefix = prefix
        self._turn = threading.Lock()
        self._known: set[str] = set()
        self._end = time.monotonic()

    def check(self, component_id: str, *, size_bytes: int) -> None:
        """Do nothing unless somebody else holds the lock of a component that is to be published.

        Raises:
            LockedError: With who, until when and why.
        """
        if size_bytes > _LONG_BYTES or component_id in self._listed():
            self._locks.check(component_id)

    def _listed(self) -> set[str]:
        with self._turn:
            if time.monotonic() >= self._end:
                self._known = set(self._locks.list_known(self._prefix))
                self._end = time.monotonic() + _KNOWN_FOR_S
            return self._known
