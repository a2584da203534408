"""What time it is for a store: leases and grace periods are judged by it, never by a machine's own clock."""

import uuid
from datetime import datetime

from skyhold.components.layout import clock_key
from skyhold.storage.contract import Store

__all__ = ["store_time"]


def store_time(store: Store) -> datetime:
    """Return the time by a store's clock: that of an object written for it, which is deleted again.

    Three requests: the answer to a write does not carry the store's time everywhere.

    Raises:
        AccessError: This identity may not write.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store_time(open_store("memory://clock-example")).tzinfo
        datetime.timezone.utc
    """
    key = clock_key(uuid.uuid4().hex)
    store.write(key, b"")
    try:
        return store.info(key).modified
    finally:
        store.delete(key)
