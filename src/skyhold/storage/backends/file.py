"""Plain folders: one file an object, atomic by rename, with metadata in a sidecar.

Attributes, and the locks that make conditional writes exact, live under ``.skyhold-store/`` in the root; a folder that
uses neither stays as plain as it was. A sidecar is bound to the e-tag of the file it was written with, so that a file
which another program replaces does not inherit it.
"""

import errno
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal, NoReturn

from skyhold.errors import (
    AccessDeniedError,
    BucketNotFoundError,
    InvalidKeyError,
    KeyNotFoundError,
    StorageError,
    UnsupportedError,
)
from skyhold.storage.attempts import tell
from skyhold.storage.backends.conditions import check_conditions, check_match, resolve_range
from skyhold.storage.backends.folder_walk import list_one_level, walk_keys
from skyhold.storage.backends.template import Backend
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo, Operation

__all__ = ["FileBackend"]

_RESERVED = ".skyhold-store"
_PAGE = 1000
_MAX_NAME_BYTES = 255
_FOLDER_ATTEMPTS = 5


class FileBackend(Backend):
    """A folder behind the contract.

    Args:
        root: Absolute path. It is made at the first write.
    """

    answers_can_be_lost: ClassVar[bool] = False

    def __init__(self, root: str) -> None:
        super().__init__(f"file://{root.rstrip('/')}")
        self._root = Path(root)
        self._base = f"{root.rstrip('/')}/"  # paths of many small files are joined as texts, which is what they cost

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by path."""
        return (type(self), (str(self._root),))

    def uri_of(self, key: str) -> str:
        return self._base + key if key else str(self._root)

    def place_of(self, key: str) -> str:
        self._check_key(key, "find")
        return os.path.join(os.path.realpath(os.path.dirname(self.path_of(key))), key.rpartition("/")[2])

    def _info(self, key: str) -> ObjectInfo:
        with self._translated("read", key):
            found = os.stat(self.path_of(key))
            if not stat.S_ISREG(found.st_mode):
                raise FileNotFoundError(errno.ENOENT, "not a file")
        return self._described(key, found)

    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        with self._translated("read", key), open(self.path_of(key), "rb", buffering=0) as file:
            info = self._described(key, os.fstat(file.fileno()))
            check_match(info, if_match, operation="read", uri=self.uri_of(key))
            start, end = resolve_range(info, byte_range, uri=self.uri_of(key))
            return info, _read_exactly(file, start, end - start)

    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        upload = _FileUpload(self, key, attributes, if_absent=if_absent, if_match=if_match)
        with upload:
            upload.write(data)
        assert upload.info is not None
        return upload.info

    def stamped(self, key: str) -> ObjectInfo:
        """Return the info with skyhold's own metadata, as one raw request of the mock backend."""
        return self._info(key)

    def stamped_read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        """Read with skyhold's own metadata, as one raw request of the mock backend."""
        return self._read(key, byte_range, if_match)

    def put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        """Write with skyhold's own metadata, as one raw request of the mock backend."""
        return self._put(key, data, attributes, if_absent=if_absent, if_match=if_match)

    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter:  # noqa: ARG002
        upload = _FileUpload(self, key, attributes)
        upload.on_published = lambda: tell(
            Operation("write", self.uri_of(key), "write", bytes_out=upload.size_bytes, charged=False), self._observers
        )
        return upload

    def _list(self, prefix: str, start_after: str | None, delimiter: Literal["/"] | None) -> Iterator[ListPage]:
        with self._translated("list", prefix):
            if not self._root.is_dir():
                self._missing_root("list")
            if delimiter is not None:
                objects, prefixes = list_one_level(self._base, prefix, start_after, _hidden)
                yield ListPage(self._described_all(objects), prefixes)
                return
            keys = walk_keys(self._base, prefix, start_after, _hidden)
            page = list(islice(keys, _PAGE))
            yield ListPage(self._described_all(page))
            while page := list(islice(keys, _PAGE)):
                yield ListPage(self._described_all(page))

    def _delete(self, keys: list[str]) -> dict[str, StorageError]:
        failures: dict[str, StorageError] = {}
        for key in keys:
            try:
                self._run("delete", key, lambda _, key=key: self._delete_one(key), "delete")
            except StorageError as error:
                failures[key] = error
        return failures

    def _copy(self, source: str, target: str) -> None:
        with self._translated("copy", source), open(self.path_of(source), "rb") as file:
            info = self._described(source, os.fstat(file.fileno()))
            with _FileUpload(self, target, info.attributes or Attributes()) as upload:
                while block := file.read(1 << 20):
                    upload.write(block)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:  # noqa: ARG002
        raise UnsupportedError(
            "files have no links", operation=f"presign {method}", uri=self.uri_of(key), remedy="Share the path instead"
        )

    def path_of(self, key: str) -> str:
        """Return where a key lies; refuse one that no file can have as its name."""
        reason = _unfit(key)
        if reason:
            raise InvalidKeyError(
                f"the key {key!r} cannot be a file's name: {reason}",
                operation="path",
                uri=str(self._root),
                remedy="Choose another key; nothing was written",
            )
        return self._base + key

    def _described(self, key: str, found: os.stat_result) -> ObjectInfo:
        info = _info_of(key, found)
        return ObjectInfo(key, info.size_bytes, info.modified, info.e_tag, self._attributes(key, info.e_tag))

    def _described_all(self, keys: Iterable[str]) -> tuple[ObjectInfo, ...]:
        """Return the infos of what is still there."""
        found: list[ObjectInfo] = []
        for key in keys:
            with suppress(FileNotFoundError):
                found.append(_info_of(key, os.stat(self._base + key)))
        return tuple(found)

    def _delete_one(self, key: str) -> None:
        with self._translated("delete", key), suppress(FileNotFoundError, NotADirectoryError):
            path = self.path_of(key)
            with self.locked(key, conditional=False):
                e_tag = _info_of(key, os.stat(path)).e_tag
                os.unlink(path)
            self.forget_attributes(key, e_tag)
        for folder in Path(key).parents:
            if folder == Path():
                break
            try:
                (self._root / folder).rmdir()
            except OSError:
                break

    def _sidecar(self, key: str, e_tag: str | None) -> str:
        name = hashlib.sha256(f"{key}\n{e_tag}".encode()).hexdigest()
        return f"{self._base}{_RESERVED}/attributes/{name}.json"

    def _attributes(self, key: str, e_tag: str | None) -> Attributes:
        try:
            with open(self._sidecar(key, e_tag), "rb") as file:
                stored = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return Attributes()
        return Attributes(stored["metadata"], stored["content_type"], stored["storage_class"], stored.get("tags", {}))

    def keep_attributes(self, key: str, e_tag: str | None, attributes: Attributes) -> None:
        """Write the sidecar of a version that is about to appear."""
        if attributes == Attributes():
            return
        sidecar = self._sidecar(key, e_tag)
        folder = os.path.dirname(sidecar)
        os.makedirs(folder, exist_ok=True)
        content = {
            "key": key,
            "metadata": dict(attributes.metadata),
            "content_type": attributes.content_type,
            "storage_class": attributes.storage_class,
            "tags": dict(attributes.tags),
        }
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".tmp-", delete=False) as file:
            json.dump(content, file)
        os.replace(file.name, sidecar)

    def forget_attributes(self, key: str, e_tag: str | None) -> None:
        """Drop the sidecar of a version that is gone."""
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._sidecar(key, e_tag))

    @contextmanager
    def locked(self, key: str, *, conditional: bool) -> Generator[None]:
        """Hold this key against other writers on this machine (and over NFS where it has locks).

        The first conditional write makes the folder of locks; where there is none, nobody needs them.
        """
        folder = f"{self._base}{_RESERVED}/locks"
        if conditional:
            os.makedirs(folder, exist_ok=True)
        elif not os.path.isdir(folder):
            yield
            return
        name = hashlib.sha256(key.encode()).hexdigest()[:2]
        with open(f"{folder}/{name}", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _translated(self, verb: str, key: str) -> Generator[None]:
        try:
            yield
        except StorageError:
            raise
        except OSError as error:
            self.translate(error, verb, key)

    def translate(self, error: OSError, verb: str, key: str) -> NoReturn:
        """Raise the error of ours that an error of the operating system stands for."""
        uri = self.uri_of(key)
        if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError) and verb != "write":
            if not self._root.is_dir():
                self._missing_root(verb)
            raise KeyNotFoundError("no such file", operation=verb, uri=uri) from error
        if isinstance(error, NotADirectoryError | IsADirectoryError | FileExistsError):
            raise InvalidKeyError(
                "a folder cannot hold both a file and a folder of this name",
                operation=verb,
                uri=uri,
                remedy="Choose another key; nothing was written",
            ) from error
        if isinstance(error, PermissionError):
            raise AccessDeniedError(
                "the operating system denies access", operation=verb, uri=uri, remedy=f"Run: ls -ld '{uri}'"
            ) from error
        raise StorageError(
            f"{error.strerror or error}",
            operation=verb,
            uri=uri,
            remedy="Free some space" if error.errno == errno.ENOSPC else "",
        ) from error

    def _missing_root(self, verb: str) -> NoReturn:
        raise BucketNotFoundError(
            "the folder does not exist", operation=verb, uri=str(self._root), remedy=f"Run: mkdir -p '{self._root}'"
        )


class _FileUpload(ObjectWriter):
    """Writes beside the target and renames; conditions are checked under the key's lock."""

    def __init__(
        self,
        store: FileBackend,
        key: str,
        attributes: Attributes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> None:
        super().__init__(key)
        self._store = store
        self._attributes = attributes
        self._if_absent = if_absent
        self._if_match = if_match
        self.on_published: Callable[[], None] | None = None
        self._target = store.path_of(key)
        self._folder = os.path.dirname(self._target)
        try:
            self._file = self._open_beside()
        except OSError as error:
            store.translate(error, "write", key)

    def _open_beside(self) -> BinaryIO:
        for _ in range(_FOLDER_ATTEMPTS):
            if os.path.isdir(self._target):
                raise IsADirectoryError(errno.EISDIR, "is a folder")
            with suppress(FileNotFoundError):  # the folder is not there yet, or a deletion has taken it away again
                return open(f"{self._folder}/.skyhold-{os.urandom(8).hex()}.tmp", "xb")
            os.makedirs(self._folder, exist_ok=True)
        raise FileNotFoundError(errno.ENOENT, f"the folder vanished {_FOLDER_ATTEMPTS} times")

    def _write(self, data: Buffer) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self._store.translate(error, "write", self.key)

    def _publish(self) -> ObjectInfo:
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            info = self._publish_locked()
        except OSError as error:
            self._remove()
            if isinstance(error, StorageError):
                raise
            self._store.translate(error, "write", self.key)
        if self.on_published is not None:
            self.on_published()
        return info

    def _publish_locked(self) -> ObjectInfo:
        conditional = self._if_absent or self._if_match is not None
        with self._store.locked(self.key, conditional=conditional):
            return self._rename(self._check() if conditional else self._found())

    def _found(self) -> ObjectInfo | None:
        try:
            return _info_of(self.key, os.stat(self._target))
        except FileNotFoundError:
            return None

    def _check(self) -> ObjectInfo | None:
        found = self._found()
        check_conditions(found, if_absent=self._if_absent, if_match=self._if_match, uri=self._store.uri_of(self.key))
        return found

    def _rename(self, previous: ObjectInfo | None) -> ObjectInfo:
        info = _info_of(self.key, os.stat(self._file.name))
        self._store.keep_attributes(self.key, info.e_tag, self._attributes)
        os.replace(self._file.name, self._target)
        if previous is not None:
            self._store.forget_attributes(self.key, previous.e_tag)
        return ObjectInfo(self.key, info.size_bytes, info.modified, info.e_tag, self._attributes)

    def _discard(self) -> None:
        self._file.close()
        self._remove()

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._file.name)


def _info_of(key: str, found: os.stat_result) -> ObjectInfo:
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return ObjectInfo(key, found.st_size, modified, f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"')


def _hidden(key: str) -> bool:
    name = key.rpartition("/")[2]
    return key == _RESERVED or (name.startswith(".skyhold-") and name.endswith(".tmp"))


def _unfit(key: str) -> str:
    parts = key.split("/")
    if parts[0] == _RESERVED:
        return f"{_RESERVED!r} is reserved"
    if _hidden(key):
        return "'.skyhold-*.tmp' is reserved"
    if any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        return f"a part is longer than {_MAX_NAME_BYTES} bytes"
    return ""


def _read_exactly(file: BinaryIO | Any, start: int, size: int) -> bytes:
    file.seek(start)
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
