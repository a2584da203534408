"""The objects under the plain keys, which any program may read and write."""

import hashlib
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from skyhold.components.history import History
from skyhold.components.layout import blob_key, plain_key
from skyhold.components.manifest import FileEntry
from skyhold.errors import KeyNotFoundError, PreconditionFailedError
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes, Buffer, ObjectInfo
from skyhold.storage.transfer import SHA256

__all__ = ["AtHand", "Found", "PlainFiles"]

CONDITIONAL_BYTES = 64 * 1024 * 1024
"""Objects up to this size are replaced by one conditional write, which holds them in memory."""

_COPY_LIMIT_BYTES = 5 * 1024**3
_BLOCK_BYTES = 8 * 1024 * 1024
_VERSION = "version"

AtHand = Callable[[str], bytes | None]
"""Returns content by its hash, where it is at hand without the history."""


@dataclass(frozen=True, slots=True)
class Found:
    """What lies under a plain key, after it was read."""

    info: ObjectInfo
    sha256: str


class PlainFiles:
    """The plain keys of a library.

    Args:
        store: The library's.
        history: Where contents come from, and where those from outside go.
    """

    def __init__(self, store: Store, history: History) -> None:
        self.store = store
        self.history = history

    def look(self, component_id: str, names: Iterable[str]) -> dict[str, ObjectInfo]:
        """Return what lies under the plain keys of a component, by name.

        Where the component has files with names, whatever else lies in its folder is told too.
        """
        names = set(names)
        found: dict[str, ObjectInfo] = {}
        if not names or "" in names:
            with suppress(KeyNotFoundError):
                found[""] = self.store.info(plain_key(component_id, ""))
        if names - {""}:
            folder = f"{component_id}/"
            found |= {info.key.removeprefix(folder): info for info in self.store.list(folder)}
        return found

    def read(self, component_id: str, name: str) -> Found | None:
        """Read and hash what lies under a plain key, in bounded memory; None where it is gone meanwhile."""
        digest = hashlib.sha256()
        try:
            with self.store.open_reader(plain_key(component_id, name), read_ahead=1) as reader:
                while block := reader.read(_BLOCK_BYTES):
                    digest.update(block)
                return Found(reader.info, digest.hexdigest())
        except (KeyNotFoundError, PreconditionFailedError):
            return None

    def take_in(self, component_id: str, name: str, found: Found, base: str | None) -> FileEntry:
        """Put what lies under a plain key into the history.

        Raises:
            PreconditionFailedError: It is something else by now.
        """
        info = found.info
        with self._on_disk(plain_key(component_id, name), info) as path:
            stored = self.history.put(path, base=base)
        if stored.sha256 != found.sha256:
            raise _replaced("read", self.store.uri_of(info.key))
        return FileEntry(name, stored.size_bytes, stored.sha256, info.modified)

    def write(
        self,
        component_id: str,
        entry: FileEntry,
        version: int,
        lying: ObjectInfo | None,
        at_hand: AtHand,
    ) -> ObjectInfo:
        """Write a file of a version under its plain key, in place of what was seen there.

        Up to 64 MiB that is one conditional write. A larger object is looked at once more and then copied from the
        history by the store itself, or, where the history has a delta, sent in parts, and looked at before the last
        word: another program's write in the moment between is overwritten.

        Raises:
            ConflictError: Something else lies there by now.
        """
        key = plain_key(component_id, entry.name)
        stamp = Attributes(metadata={SHA256: entry.sha256, _VERSION: str(version)})
        if entry.size_bytes <= CONDITIONAL_BYTES:
            data = at_hand(entry.sha256)
            content = self.history.read(entry.sha256) if data is None else data
            if lying is None:
                return self.store.write(key, content, if_absent=True, attributes=stamp)
            return self.store.write(key, content, if_match=lying.e_tag, attributes=stamp)
        self._check_still(key, lying)
        if entry.size_bytes > _COPY_LIMIT_BYTES:
            self._stream(self._from_history(entry), entry, stamp, lying, key)
        elif not self._copy(entry.sha256, key):
            data = at_hand(entry.sha256)
            self._stream(self._from_history(entry) if data is None else _slices(data), entry, stamp, lying, key)
        return self._confirmed(component_id, entry)

    def delete(self, component_id: str, name: str, lying: ObjectInfo) -> None:
        """Delete what was seen under a plain key; nothing keeps another program from writing it just before.

        Raises:
            ConflictError: Something else lies there by now.
        """
        key = plain_key(component_id, name)
        self._check_still(key, lying)
        self.store.delete(key)

    def _confirmed(self, component_id: str, entry: FileEntry) -> ObjectInfo:
        """Return the info of an object that was just written without a condition, if it is still that one."""
        key = plain_key(component_id, entry.name)
        info = self.store.info(key)
        promised = info.attributes.metadata.get(SHA256) if info.attributes else None
        if promised is None:  # the store keeps no metadata, or another program was faster
            found = self.read(component_id, entry.name)
            info, promised = (found.info, found.sha256) if found else (info, "")
        if promised != entry.sha256 or info.size_bytes != entry.size_bytes:
            raise _replaced("write", self.store.uri_of(key))
        return info

    def _check_still(self, key: str, lying: ObjectInfo | None) -> None:
        try:
            e_tag, is_there = self.store.info(key).e_tag, True
        except KeyNotFoundError:
            e_tag, is_there = None, False
        if is_there != (lying is not None) or (lying is not None and e_tag != lying.e_tag):
            raise _replaced("write", self.store.uri_of(key))

    def _copy(self, sha256: str, key: str) -> bool:
        try:
            self.store.copy(blob_key(sha256), key)
        except KeyNotFoundError:
            return False  # it is kept as a delta
        return True

    def _stream(
        self, blocks: Iterable[Buffer], entry: FileEntry, stamp: Attributes, lying: ObjectInfo | None, key: str
    ) -> None:
        with self.store.open_writer(key, attributes=stamp, size_bytes=entry.size_bytes) as writer:
            for block in blocks:
                writer.write(block)
            self._check_still(key, lying)  # sending took its time

    def _from_history(self, entry: FileEntry) -> Iterator[bytes]:
        with tempfile.TemporaryDirectory(prefix="skyhold-") as folder:
            path = Path(folder) / "content"
            self.history.fetch(entry.sha256, path, size_bytes=entry.size_bytes)
            with path.open("rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    yield block

    @contextmanager
    def _on_disk(self, key: str, info: ObjectInfo) -> Generator[Path]:
        with tempfile.TemporaryDirectory(prefix="skyhold-") as folder:
            path = Path(folder) / "content"
            with self.store.open_reader(key, read_ahead=1) as reader, path.open("wb") as file:
                if reader.info.e_tag != info.e_tag:
                    raise _replaced("read", self.store.uri_of(key))
                while block := reader.read(_BLOCK_BYTES):
                    file.write(block)
            yield path


def _slices(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[start : start + _BLOCK_BYTES] for start in range(0, len(data), _BLOCK_BYTES))


def _replaced(operation: str, uri: str) -> PreconditionFailedError:
    return PreconditionFailedError("the object was replaced meanwhile", operation=operation, uri=uri)
