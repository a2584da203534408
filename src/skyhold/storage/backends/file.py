"""Plain folders: one file an object, atomic by rename, with metadata in a sidecar.

Attributes, and the locks that make conditional writes exact, live under ``.skyhold-store/`` in the root; a folder that
uses neither stays as plain as it was. A sidecar is bound to the e-tag of the file it was written with, so that a file
which another program replaces does not inherit it.
"""

import errno
import os
import stat
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Literal, NoReturn

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
from skyhold.storage.backends.file_notes import RESERVED, FileNotes
from skyhold.storage.backends.file_upload import FileUpload, write_beside
from skyhold.storage.backends.folder_walk import list_one_level, walk_keys
from skyhold.storage.backends.template import Backend
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo, Operation

__all__ = ["FileBackend"]

_PAGE = 1000
_MAX_NAME_BYTES = 255


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
        self._notes = FileNotes(self._base)

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
        try:
            # A file object would ask the system twice as often, which is what many small files cost.
            file = os.open(self.path_of(key), os.O_RDONLY | os.O_CLOEXEC)
            try:
                found = os.fstat(file)
                if stat.S_ISDIR(found.st_mode):
                    raise IsADirectoryError(errno.EISDIR, "is a folder")
                info = self._described(key, found)
                check_match(info, if_match, operation="read", uri=self.uri_of(key))
                start, end = resolve_range(info, byte_range, uri=self.uri_of(key))
                return info, _read_exactly(file, start, end - start)
            finally:
                os.close(file)
        except OSError as error:
            self._fail(error, "read", key)

    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        target = self.path_of(key)
        try:
            part, found = write_beside(target, data)
            try:
                return self.publish(part, found, key, attributes, if_absent=if_absent, if_match=if_match)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(part)
                raise
        except OSError as error:
            self._fail(error, "write", key)

    def publish(
        self,
        part: str,
        found: os.stat_result,
        key: str,
        attributes: Attributes,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> ObjectInfo:
        """Give a file that was written beside its place that place; conditions are checked under the key's lock."""
        e_tag = _e_tag_of(found)
        info = _info_of(key, found, e_tag, attributes)
        conditional = if_absent or if_match is not None
        if not conditional and not attributes.say_something and not self._notes.are_kept():
            os.replace(part, self._base + key)
            return info
        with self._notes.locked(key, conditional=conditional):
            if os.path.isdir(self._base + key):
                raise IsADirectoryError(errno.EISDIR, "is a folder")
            previous = self._found(key)
            check_conditions(previous, if_absent=if_absent, if_match=if_match, uri=self.uri_of(key))
            self._notes.keep(key, e_tag, attributes)
            os.replace(part, self._base + key)
            if previous is not None:
                self._notes.forget(key, previous.e_tag)
        return info

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
        upload = self._open_plainly(key, attributes)
        upload.on_published = lambda: tell(
            Operation("write", self.uri_of(key), "write", bytes_out=upload.size_bytes, charged=False), self._observers
        )
        return upload

    def _open_plainly(self, key: str, attributes: Attributes) -> FileUpload:
        return FileUpload(
            key,
            self.path_of(key),
            publish=lambda part, found: self.publish(part, found, key, attributes),
            translated=lambda: self._translated("write", key),
        )

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
            with self._open_plainly(target, info.attributes or Attributes()) as upload:
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
        e_tag = _e_tag_of(found)
        return _info_of(key, found, e_tag, self._notes.attributes_of(key, e_tag))

    def _found(self, key: str) -> ObjectInfo | None:
        try:
            return _info_of(key, os.stat(self._base + key))
        except FileNotFoundError:
            return None

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
            with self._notes.locked(key, conditional=False):
                e_tag = _e_tag_of(os.stat(path))
                os.unlink(path)
            self._notes.forget(key, e_tag)
        for folder in Path(key).parents:
            if folder == Path():
                break
            try:
                (self._root / folder).rmdir()
            except OSError:
                break

    @contextmanager
    def _translated(self, verb: str, key: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            self._fail(error, verb, key)

    def _fail(self, error: OSError, verb: str, key: str) -> NoReturn:
        """Raise the error of ours that an error of the operating system stands for."""
        if isinstance(error, StorageError):
            raise error
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


def _e_tag_of(found: os.stat_result) -> str:
    return f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"'


def _info_of(key: str, found: os.stat_result, e_tag: str = "", attributes: Attributes | None = None) -> ObjectInfo:
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return ObjectInfo(key, found.st_size, modified, e_tag or _e_tag_of(found), attributes)


def _hidden(key: str) -> bool:
    name = key.rpartition("/")[2]
    return key == RESERVED or (name.startswith(".skyhold-") and name.endswith(".tmp"))


def _unfit(key: str) -> str:
    if len(key) <= _MAX_NAME_BYTES and key.isascii() and ".skyhold-" not in key:
        return ""
    parts = key.split("/")
    if parts[0] == RESERVED:
        return f"{RESERVED!r} is reserved"
    if _hidden(key):
        return "'.skyhold-*.tmp' is reserved"
    if any(len(part.encode()) > _MAX_NAME_BYTES for part in parts):
        return f"a part is longer than {_MAX_NAME_BYTES} bytes"
    return ""


def _read_exactly(file: int, start: int, size: int) -> bytes:
    data = os.pread(file, size, start)
    while len(data) < size and (more := os.pread(file, size - len(data), start + len(data))):
        data += more
    return data
