"""Whether a store keeps conditions on writes, which is what makes two publishers at once safe."""

import uuid

from skyhold.components.layout import clock_key
from skyhold.errors import AlreadyExistsError, PreconditionFailedError, UnsupportedError
from skyhold.storage.contract import Store

__all__ = ["keeps_conditions"]

_NOBODYS_E_TAG = '"0123456789abcdef0123456789abcdef"'


def keeps_conditions(store: Store) -> bool:
    """Return whether create-only and if-match writes are refused when they must be, tried on an object of its own.

    Five requests at most; the object is deleted again.

    Raises:
        AccessError: This identity may not write.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> keeps_conditions(open_store("memory://conditions-example"))
        True
    """
    key = clock_key(f"probe-{uuid.uuid4().hex}")
    store.write(key, b"")
    try:
        return _is_refused(store, key, create=True) and _is_refused(store, key, create=False)
    finally:
        store.delete(key)


def _is_refused(store: Store, key: str, *, create: bool) -> bool:
    try:
        store.write(key, b"", if_absent=create, if_match=None if create else _NOBODYS_E_TAG)
    except (AlreadyExistsError, PreconditionFailedError):
        return True
    except UnsupportedError:
        return False
    return False
