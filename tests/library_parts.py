"""Libraries put together by hand, an object at a time, to see what care takes of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skyhold.components.layout import blob_key, delta_key, head_key, version_key
from skyhold.components.manifest import Dependency, FileEntry, Head, Version
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.wrappers.delegating import DelegatingStore

WHEN = datetime(2026, 3, 1, tzinfo=UTC)


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(store: Store, content: bytes, base: bytes | None = None) -> str:
    """Lay content down as a blob, or as something that claims to be a delta; return its key."""
    key = blob_key(sha(content)) if base is None else delta_key(sha(content), sha(base))
    store.write(key, content)
    return key


def version_of(component: str, number: int, *contents: bytes, needs: Sequence[Dependency] = ()) -> Version:
    names = [""] if len(contents) == 1 else [f"{place}.stl" for place in range(len(contents))]
    files = tuple(FileEntry(name, len(each), sha(each)) for name, each in zip(names, contents, strict=True))
    parents = (number - 1,) if number > 1 else ()
    return Version(component, number, files, WHEN, parents=parents, dependencies=tuple(needs))


def name(store: Store, component: str, number: int, *contents: bytes, needs: Sequence[Dependency] = ()) -> Version:
    """Write a version and its head; the content is laid down by `put`."""
    version = version_of(component, number, *contents, needs=needs)
    store.write(version_key(component, number), version.to_json(), if_absent=True)
    store.write(head_key(component), Head(component, number).to_json())
    return version


@dataclass
class Clock:
    """How far a store's clock is ahead of the machine's."""

    ahead: timedelta = timedelta(0)


class Clocked(DelegatingStore):
    """A store whose clock can be moved on: objects keep the time at which they were written."""

    def __init__(self, inner: Store, clock: Clock) -> None:
        super().__init__(inner)
        self._clock = clock
        self._written: dict[str, timedelta] = {}

    def write(self, key: str, *args: object, **options: object) -> ObjectInfo:
        self._written[key] = self._clock.ahead
        return self._at(super().write(key, *args, **options))  # type: ignore[arg-type]

    def copy(self, source: str, target: str) -> None:
        self._written[target] = self._clock.ahead
        super().copy(source, target)

    def info(self, key: str) -> ObjectInfo:
        return self._at(super().info(key))

    def read_with_info(self, *args: object, **options: object) -> tuple[ObjectInfo, bytes]:
        info, data = super().read_with_info(*args, **options)  # type: ignore[arg-type]
        return self._at(info), data

    def list_pages(self, *args: object, **options: object):
        for page in super().list_pages(*args, **options):  # type: ignore[arg-type]
            yield type(page)(tuple(self._at(info) for info in page.objects), page.prefixes)

    def _at(self, info: ObjectInfo) -> ObjectInfo:
        modified = info.modified + self._written.get(info.key, timedelta(0))
        return ObjectInfo(info.key, info.size_bytes, modified, info.e_tag, info.attributes)
