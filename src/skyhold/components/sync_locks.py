"""Who has locked what while many files go up or away, without a request for each of them."""

from skyhold.components.locks import Locks
from skyhold.components.seen_names import SeenNames

__all__ = ["SeenLocks"]

_LONG_BYTES = 8 * 1024 * 1024
"""What is larger takes longer than one more request, so its lock is always looked at."""


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
