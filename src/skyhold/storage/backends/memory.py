"""``memory://name``: objects in this process, shared by all who open the same name."""

import hashlib
import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal, NamedTuple

from skyhold.errors import KeyNotFoundError, StorageError, UnsupportedError
from skyhold.storage.backends.buffering import BufferedUpload
from skyhold.storage.backends.conditions import check_conditions, check_match, fold, resolve_range
from skyhold.storage.backends.template import Backend
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo

__all__ = ["MemoryBackend"]

_PAGE = 1000


class _Entry(NamedTuple):
    data: bytes
    info: ObjectInfo


@dataclass(slots=True)
class _Shelf:
    """The objects of one name.

    Attributes:
        entries: By key.
        keys: In their order, so that a listing need not look at all of them.
        lock: Held by whoever looks at both.
    """

    entries: dict[str, _Entry] = field(default_factory=dict[str, _Entry])
    keys: list[str] = field(default_factory=list[str])
    lock: threading.RLock = field(default_factory=threading.RLock)

    def put(self, key: str, entry: _Entry) -> None:
        if key not in self.entries:
            insort(self.keys, key)
        self.entries[key] = entry

    def drop(self, key: str) -> None:
        if self.entries.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def listed(self, prefix: str, after: str | None) -> list[str]:
        """Return the keys that begin so, and follow ``after``."""
        begin = bisect_left(self.keys, prefix)
        if after is not None:
            begin = max(begin, bisect_right(self.keys, after))
        end = begin if prefix else len(self.keys)
        while end < len(self.keys) and self.keys[end].startswith(prefix):
            end += 1
        return self.keys[begin:end]


class MemoryBackend(Backend):
    """A dict with a lock, behind the contract."""

    answers_can_be_lost: ClassVar[bool] = False
    is_shared = False
    _named: ClassVar[dict[str, _Shelf]] = {}
    _naming: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, name: str) -> None:
        super().__init__(f"memory://{name}")
        with self._naming:
            self._shelf = self._named.setdefault(name, _Shelf())
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: another process has its own, empty store of that name."""
        return (MemoryBackend, (self._name,))

    def _info(self, key: str) -> ObjectInfo:
        with self._shelf.lock:
            entry = self._shelf.entries.get(key)
        if entry is None:
            raise KeyNotFoundError("no such object", operation="read", uri=self.uri_of(key))
        return entry.info

    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        with self._shelf.lock:
            info = self._info(key)
            data = self._shelf.entries[key].data
        check_match(info, if_match, operation="read", uri=self.uri_of(key))
        start, end = resolve_range(info, byte_range, uri=self.uri_of(key))
        return info, data[start:end]

    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        content = bytes(data)
        with self._shelf.lock:
            found = self._shelf.entries.get(key)
            check_conditions(
                found.info if found else None, if_absent=if_absent, if_match=if_match, uri=self.uri_of(key)
            )
            e_tag = f'"{hashlib.sha256(content).hexdigest()[:24]}-{time.monotonic_ns()}"'
            info = ObjectInfo(key, len(content), datetime.now(UTC), e_tag, attributes)
            self._shelf.put(key, _Entry(content, info))
        return info

    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter:  # noqa: ARG002
        return BufferedUpload(key, lambda data: self.write(key, data, attributes=attributes))

    def _list(self, prefix: str, start_after: str | None, delimiter: Literal["/"] | None) -> Iterator[ListPage]:
        with self._shelf.lock:
            objects, prefixes = fold(self._shelf.listed(prefix, start_after), prefix, delimiter)
            infos = [_listed(self._shelf.entries[key].info) for key in objects]
        yield ListPage(tuple(infos[:_PAGE]), tuple(prefixes))
        for start in range(_PAGE, len(infos), _PAGE):
            yield ListPage(tuple(infos[start : start + _PAGE]))

    def _delete(self, keys: list[str]) -> dict[str, StorageError]:
        def attempt(_: object) -> None:
            with self._shelf.lock:
                for key in keys:
                    self._shelf.drop(key)

        self._run("delete", keys[0] if len(keys) == 1 else "", attempt, "delete")
        return {}

    def _copy(self, source: str, target: str) -> None:
        with self._shelf.lock:
            info, data = self._read(source, None, None)
            self._put(target, data, info.attributes or Attributes(), if_absent=False, if_match=None)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:  # noqa: ARG002
        raise UnsupportedError("objects in memory have no links", operation=f"presign {method}", uri=self.uri_of(key))


def _listed(info: ObjectInfo) -> ObjectInfo:
    return ObjectInfo(info.key, info.size_bytes, info.modified, info.e_tag)
