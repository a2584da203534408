"""Counting what a store is asked for: requests by class, bytes both ways."""

import threading
from dataclasses import dataclass, field
from typing import Any

from skyhold.storage.contract import Store
from skyhold.storage.objects import Operation, RequestClass
from skyhold.storage.wrappers.delegating import DelegatingStore

__all__ = ["Meter", "MeteredStore", "Usage"]


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used so far.

    Attributes:
        requests: Sent to services, by class; repeated attempts count, as the service counts them.
        bytes_in: Content received.
        bytes_out: Content sent.
        schemes: Of the stores that were asked, such as ``"s3"``: services have their own prices.
    """

    requests: dict[RequestClass, int] = field(default_factory=dict[RequestClass, int])
    bytes_in: int = 0
    bytes_out: int = 0
    schemes: frozenset[str] = field(default=frozenset(), compare=False)


class Meter:
    """Adds up operations, from any thread and any number of stores."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[RequestClass, int] = {"read": 0, "write": 0, "list": 0, "delete": 0}
        self._bytes_in = 0
        self._bytes_out = 0
        self._schemes: frozenset[str] = frozenset()

    def watch(self, store: Store) -> Store:
        """Return a view of a store whose operations are added here."""
        with self._lock:
            self._schemes |= {store.uri.partition("://")[0]}
        return store.observed(self.record)

    def record(self, operation: Operation) -> None:
        """Add one operation."""
        with self._lock:
            if operation.charged:
                self._requests[operation.request_class] += operation.requests
            self._bytes_in += operation.bytes_in
            self._bytes_out += operation.bytes_out

    def add(self, usage: Usage) -> None:
        """Add what was used elsewhere, such as in another process."""
        with self._lock:
            for request_class, count in usage.requests.items():
                self._requests[request_class] += count
            self._bytes_in += usage.bytes_in
            self._bytes_out += usage.bytes_out
            self._schemes |= usage.schemes

    @property
    def usage(self) -> Usage:
        """What was recorded so far."""
        with self._lock:
            return Usage(dict(self._requests), self._bytes_in, self._bytes_out, self._schemes)


class MeteredStore(DelegatingStore):
    """A store that counts what goes through this view of it.

    Args:
        inner: The store that does the work.
        meter: Where to add up; several stores may share one.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = MeteredStore(open_store("memory://metered-example"))
        >>> _ = store.write("a", b"123")
        >>> store.meter.usage.bytes_out
        3
    """

    def __init__(self, inner: Store, meter: Meter | None = None) -> None:
        self.meter = meter or Meter()
        super().__init__(self.meter.watch(inner))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle with a meter of its own: counts do not cross processes by themselves."""
        return (MeteredStore, (self._inner,))
