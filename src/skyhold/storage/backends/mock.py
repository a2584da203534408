"""``mock://path``: a folder that behaves like a cloud, with its faults, seeded and scriptable.

Faults are met by the same retries, write-ids and messages as those of real clouds, which is what this backend is for.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, TypeVar
from urllib.parse import quote, urlencode

from skyhold.errors import (
    BadOptionError,
    BrokenBodyError,
    ServerFaultError,
    StorageError,
    StoreTimeoutError,
    ThrottledError,
)
from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.backends.buffering import BufferedUpload
from skyhold.storage.backends.file import FileBackend
from skyhold.storage.backends.template import Backend
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo

__all__ = ["FAULT_OPTIONS", "Fault", "Faults", "MockBackend", "parse_faults"]

Fault = Literal["ok", "error", "throttle", "cut", "lost", "slow"]
"""What happens to one request: nothing, a 500, a 503, a body that breaks off, an answer that is lost after the work was
done, a first byte that comes late."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Faults:
    """How unreliable a mock store is.

    Attributes:
        latency_ms: Added to every request.
        jitter_ms: Added on top, uniformly between 0 and this.
        error_rate: Share of requests answered 500.
        throttle_rate: Share answered 503.
        cut_rate: Share of reads whose body breaks off.
        lost_rate: Share of changes that are done, and whose answer is lost.
        slow_rate: Share of requests whose first byte is late by ``slow_ms``.
        slow_ms: How late.
        seed: Same seed, same faults in the same order of requests.
        script: Faults of the first requests, one word each; the rates hold after it.
    """

    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    error_rate: float = 0.0
    throttle_rate: float = 0.0
    cut_rate: float = 0.0
    lost_rate: float = 0.0
    slow_rate: float = 0.0
    slow_ms: float = 1000.0
    seed: int = 0
    script: tuple[Fault, ...] = ()


FAULT_OPTIONS: tuple[str, ...] = tuple(option.name for option in fields(Faults))
_SCRIPTABLE: frozenset[str] = frozenset({"ok", "error", "throttle", "cut", "lost", "slow"})


def parse_faults(options: Mapping[str, Any]) -> Faults:
    """Return the faults that a URI's query or options ask for.

    Raises:
        BadOptionError: A value is not a number, a rate is not in 0..1, or a script has an unknown word.

    Example:
        >>> parse_faults({"latency_ms": "25", "script": "lost,ok"}).script
        ('lost', 'ok')
    """
    parsed: dict[str, Any] = {}
    for name, value in options.items():
        if name == "script":
            words = tuple(value.split(",")) if isinstance(value, str) else tuple(value)
            unknown = next((word for word in words if word not in _SCRIPTABLE), None)
            if unknown is not None:
                raise BadOptionError(f"the script has {unknown!r}", remedy=f"Use {', '.join(sorted(_SCRIPTABLE))}")
            parsed[name] = words
            continue
        try:
            parsed[name] = int(value) if name == "seed" else float(value)
        except (TypeError, ValueError) as error:
            raise BadOptionError(f"the option {name}={value!r} is not a number") from error
        if name.endswith("_rate") and not 0 <= parsed[name] <= 1:
            raise BadOptionError(f"the option {name}={value!r} is not between 0 and 1")
    return Faults(**parsed)


class MockBackend(Backend):
    """A folder behind a bad network.

    Args:
        root: The folder, made at the first write.
        faults: What goes wrong, and how often.
        policy: How patient the store is with it.
    """

    answers_can_be_lost: ClassVar[bool] = True

    def __init__(self, root: str, faults: Faults | None = None, policy: RetryPolicy | None = None) -> None:
        super().__init__(f"mock://{root.rstrip('/')}", policy)
        self.faults = faults or Faults()
        self.identity = "mock"
        self._policy = policy
        self._files = FileBackend(root)
        self._root = root
        self._random = random.Random(self.faults.seed)  # noqa: S311 - repeatable faults, not secrets
        self._script = iter(self.faults.script)
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by folder and faults; the script begins anew."""
        return (MockBackend, (self._root, self.faults, self._policy))

    def _info(self, key: str) -> ObjectInfo:
        return self._request("info", key, lambda: self._files.stamped(key))

    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        return self._request("read", key, lambda: self._files.stamped_read(key, byte_range, if_match))

    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        return self._request(
            "write", key, lambda: self._files.put(key, data, attributes, if_absent=if_absent, if_match=if_match)
        )

    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter:  # noqa: ARG002
        self._files.path_of(key)
        return BufferedUpload(key, lambda data: self.write(key, data, attributes=attributes))

    def _list(self, prefix: str, start_after: str | None, delimiter: Literal["/"] | None) -> Iterator[ListPage]:
        for page in self._files.list_pages(prefix, start_after=start_after, delimiter=delimiter):
            yield self._request("list", prefix, lambda page=page: page)

    def _delete(self, keys: list[str]) -> dict[str, StorageError]:
        failures: dict[str, StorageError] = {}
        for key in keys:
            try:
                self._run(
                    "delete",
                    key,
                    lambda _, key=key: self._request("delete", key, lambda: self._files.delete(key)),
                    "delete",
                )
            except StorageError as error:
                failures[key] = error
        return failures

    def _copy(self, source: str, target: str) -> None:
        self._request("copy", source, lambda: self._files.copy(source, target))

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:
        self._check_write(key, None)
        query = urlencode({"method": method, "expires": int(time.time()) + expires_s})
        return f"{self.uri}/{quote(key)}?{query}"

    def place_of(self, key: str) -> str:
        return self._files.place_of(key)

    def _request(self, verb: str, key: str, work: Callable[[], T]) -> T:
        """Do one request with the fault that the script or the dice give it."""
        fault = self._next_fault(verb)
        self._wait(fault)
        uri = self.uri_of(key)
        if fault == "error":
            raise ServerFaultError("the store answered 500 (simulated)", operation=verb, uri=uri, identity="mock")
        if fault == "throttle":
            raise ThrottledError("the store answered 503 (simulated)", operation=verb, uri=uri, identity="mock")
        value = work()
        if fault == "cut":
            raise BrokenBodyError("the answer broke off (simulated)", operation=verb, uri=uri, identity="mock")
        if fault == "lost":
            raise StoreTimeoutError("the answer was lost (simulated)", operation=verb, uri=uri, identity="mock")
        return value

    def _next_fault(self, verb: str) -> Fault:
        with self._lock:
            scripted = next(self._script, None)
            dice = self._random.random()
        if scripted is not None:
            return scripted
        changes = verb in {"write", "delete", "copy"}
        shares: tuple[tuple[Fault, float], ...] = (
            ("error", self.faults.error_rate),
            ("throttle", self.faults.throttle_rate),
            ("cut", self.faults.cut_rate if verb == "read" else 0.0),
            ("lost", self.faults.lost_rate if changes else 0.0),
            ("slow", self.faults.slow_rate),
        )
        for fault, share in shares:
            if dice < share:
                return fault
            dice -= share
        return "ok"

    def _wait(self, fault: Fault) -> None:
        with self._lock:
            jitter_ms = self._random.uniform(0, self.faults.jitter_ms)
        delay_ms = self.faults.latency_ms + jitter_ms + (self.faults.slow_ms if fault == "slow" else 0)
        if delay_ms:
            time.sleep(delay_ms / 1000)
