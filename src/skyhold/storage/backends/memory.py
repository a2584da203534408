"""``memory://name``: objects in this process, shared by all who open the same name."""

import hashlib
import threading
import time
from bisect import bisect_right
from collections.abc import Iterator
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


class MemoryBackend(Backend):
    """A dict with a lock, behind the contract."""

    answers_can_be_lost: ClassVar[bool] = False
    _named: ClassVar[dict[str, tuple[dict[str, _Entry], threading.RLock]]] = {}
    _naming: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, name: str) -> None:
        super().__init__(f"memory://{name}")
        with self._naming:
            self._entries, self._lock = self._named.setdefault(name, ({}, threading.RLock()))
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by name: another process has its own, empty store of that name."""
        return (MemoryBackend, (self._name,))

    def _info(self, key: str) -> ObjectInfo:
        with self._lock:
            entry = self._entries.get(key)
        if entry is None:
            raise KeyNotFoundError("no such object", operation="read", uri=self.uri_of(key))
        return entry.info

    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        with self._lock:
            info = self._info(key)
            data = self._entries[key].data
        check_match(info, if_match, operation="read", uri=self.uri_of(key))
        start, end = resolve_range(info, byte_range, uri=self.uri_of(key))
        return info, data[start:end]

    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        content = bytes(data)
        with self._lock:
            found = self._entries.get(key)
            check_conditions(
                found.info if found else None, if_absent=if_absent, if_match=if_match, uri=self.uri_of(key)
            )
            e_tag = f'"{hashlib.sha256(content).hexdigest()[:24]}-{time.monotonic_ns()}"'
            info = ObjectInfo(key, len(content), datetime.now(UTC), e_tag, attributes)
            self._entries[key] = _Entry(content, info)
        return info

    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter:  # noqa: ARG002
        return BufferedUpload(key, lambda data: self.write(key, data, attributes=attributes))

    def _list(self, prefix: str, start_after: str | None, delimiter: Literal["/"] | None) -> Iterator[ListPage]:
        with self._lock:
            keys = sorted(key for key in self._entries if key.startswith(prefix))
            keys = keys[bisect_right(keys, start_after) :] if start_after is not None else keys
            objects, prefixes = fold(keys, prefix, delimiter)
            infos = [_listed(self._entries[key].info) for key in objects]
        yield ListPage(tuple(infos[:_PAGE]), tuple(prefixes))
        for start in range(_PAGE, len(infos), _PAGE):
            yield ListPage(tuple(infos[start : start + _PAGE]))

    def _delete(self, keys: list[str]) -> dict[str, StorageError]:
        def attempt(_: object) -> None:
            with self._lock:
                for key in keys:
                    self._entries.pop(key, None)

        self._run("delete", keys[0] if len(keys) == 1 else "", attempt, "delete")
        return {}

    def _copy(self, source: str, target: str) -> None:
        with self._lock:
            info, data = self._read(source, None, None)
            self._put(target, data, info.attributes or Attributes(), if_absent=False, if_match=None)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:  # noqa: ARG002
        raise UnsupportedError("objects in memory have no links", operation=f"presign {method}", uri=self.uri_of(key))


def _listed(info: ObjectInfo) -> ObjectInfo:
    return ObjectInfo(info.key, info.size_bytes, info.modified, info.e_tag)
