"""Whether a store keeps conditions on writes, which is what makes two publishers at once safe."""

import logging
import uuid
from collections.abc import Callable

from skyhold.components.layout import clock_key
from skyhold.errors import AlreadyExistsError, PreconditionFailedError, UnsupportedError
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location

__all__ = ["IGNORED", "is_in_doubt", "keeps_conditions", "warn_once"]

IGNORED = (
    "the store ignores conditions on writes: two who publish one component at once may lose a version. Let one at a "
    "time publish there, or use a store that keeps If-Match"
)
_OWN = {"file", "memory", "mock"}
"""Stores of our own, which keep them."""

_LOG = logging.getLogger("skyhold.components")
_warned: set[str] = set()
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


def is_in_doubt(uri: str) -> bool:
    """Return whether some stores of this kind ignore conditions, so that it must be tried.

    Example:
        >>> is_in_doubt("s3://bucket"), is_in_doubt("file:///srv/library")
        (True, False)
    """
    return parse_location(uri).scheme not in _OWN


def warn_once(uri: str, warn: Callable[[str], None] = _LOG.warning) -> None:
    """Warn of a store that ignores conditions, once a process."""
    if uri not in _warned:
        _warned.add(uri)
        warn(f"{uri}: {IGNORED}")


def _is_refused(store: Store, key: str, *, create: bool) -> bool:
    try:
        store.write(key, b"", if_absent=create, if_match=None if create else _NOBODYS_E_TAG)
    except (AlreadyExistsError, PreconditionFailedError):
        return True
    except UnsupportedError:
        return False
    return False
