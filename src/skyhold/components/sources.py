"""What is published: files on disk or bytes, under their names within the component."""

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from skyhold.components.hashing import hash_file
from skyhold.components.history import History
from skyhold.components.layout import plain_key
from skyhold.components.manifest import FileEntry
from skyhold.errors import AccessDeniedError, BadOptionError, ConflictError, InvalidKeyError, KeyNotFoundError
from skyhold.storage.keys import check_key

__all__ = ["Content", "Source", "list_sources"]

Content = Path | bytes | Mapping[str, Path]

_HELD_BYTES = 8 * 1024 * 1024
_MOST_HELD = 8
_MAX_NAME_BYTES = 255


@dataclass(slots=True)
class Source:
    """One file to publish.

    Attributes:
        name: Its name within the component; empty where it is the only one.
        path: Where it lies; None where it is bytes.
        data: Its bytes, where they are held.
        is_held: Whether they are held, once they were read, if they are few.
        entry: What a version says of it, once it was read.
    """

    name: str
    path: Path | None
    data: bytes | None = None
    is_held: bool = True
    entry: FileEntry | None = None

    def keep(self, history: History, before: FileEntry | None) -> FileEntry:
        """Put the content into the history, once; ``before`` says what the version before has of it.

        Raises:
            ConflictError: The file changed while it was read.
        """
        if self.entry is None:
            seen = self.path.stat() if self.path else None
            content = self._content(seen)
            sha256 = _hash(content) if before else None
            if before is not None and sha256 == before.sha256:
                history.mend(content, sha256=before.sha256)
                size_bytes, sha256 = before.size_bytes, before.sha256
            else:
                stored = history.put(content, sha256=sha256, base=before.sha256 if before else None)
                size_bytes, sha256 = stored.size_bytes, stored.sha256
            self.entry = FileEntry(self.name, size_bytes, sha256, _modified(seen))
            if self.path is not None and seen is not None:
                _check_unchanged(self.path, seen)
        return self.entry

    def _content(self, seen: os.stat_result | None) -> Path | bytes:
        if self.data is not None or self.path is None:
            return self.data or b""
        if seen is not None and seen.st_size <= _HELD_BYTES and self.is_held:
            self.data = self.path.read_bytes()
            return self.data
        return self.path

    def read(self, sha256: str) -> bytes | None:
        """Return the content again; None where it is no longer what was kept."""
        if self.data is not None:
            return self.data if self.entry is not None and self.entry.sha256 == sha256 else None
        if self.path is None:
            return None
        try:
            data = self.path.read_bytes()
        except OSError:
            return None
        return data if _hash(data) == sha256 else None

    @property
    def size_bytes(self) -> int:
        """How long it is, as far as it can be told before it is read."""
        return len(self.data) if self.data is not None else self.path.stat().st_size if self.path else 0


def list_sources(content: Content, component_id: str, *, uri: str) -> list[Source]:
    """Return the files that make a component, by name.

    Args:
        content: Bytes, a file, a folder with all that lies in it, or files by the names that they are to have.
        component_id: Which component.
        uri: Of the component, for errors.

    Raises:
        KeyNotFoundError: There is no such file.
        AccessDeniedError: A folder cannot be looked into.
        BadOptionError: There is not one file, or there is something that is none.
        InvalidKeyError: A name cannot be stored.
    """
    if isinstance(content, bytes):
        return [Source("", None, content)]
    try:
        return _list_files(content, component_id, uri)
    except AccessDeniedError:  # is a PermissionError too
        raise
    except PermissionError as error:
        raise _denied(error) from error


def _list_files(content: Path | Mapping[str, Path], component_id: str, uri: str) -> list[Source]:
    if isinstance(content, Mapping):
        sources = [Source(name, path) for name, path in content.items()]
    elif content.is_dir():
        sources = list(_below(content))
    else:
        _check_file(content, uri)
        return [Source("", content)]
    if not sources:
        raise BadOptionError(f"there is no file to publish in {str(content)!r}", remedy="To delete a component, say so")
    for source in sources:
        check_key(source.name, operation="publish", uri=uri)
        assert source.path is not None
        _check_file(source.path, uri)
        source.is_held = len(sources) <= _MOST_HELD
    _check_together([source.name for source in sources], component_id, uri)
    return sorted(sources, key=lambda source: source.name)


def _below(folder: Path) -> Iterator[Source]:
    """Yield all files below a folder; what would be left out unseen is refused instead."""

    def refuse(error: OSError) -> None:
        raise _denied(error) from error

    for where, folders, names in os.walk(folder, onerror=refuse):
        for name in folders:
            if (Path(where) / name).is_symlink():
                raise _no_file(Path(where) / name, "is a link to a folder")
        for name in names:
            path = Path(where) / name
            if not name.endswith(".skyhold-part"):
                yield Source(path.relative_to(folder).as_posix(), path)


def _denied(error: OSError) -> AccessDeniedError:
    place = str(error.filename)
    return AccessDeniedError(
        f"{place!r} cannot be read: {error.strerror}",
        operation="publish",
        uri=place,
        remedy="Correct its rights, or those of the folders that it is in; nothing was published",
    )


def _check_file(path: Path, uri: str) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise _no_file(path, "is a link to nothing") from error
        raise KeyNotFoundError(
            f"there is no file {str(path)!r} in {str(Path.cwd())!r}",
            operation="publish",
            uri=uri,
            remedy="Check the spelling and the working folder; nothing was published",
        ) from error
    if not stat.S_ISREG(mode):
        raise _no_file(path, "is neither a file nor a folder" if not stat.S_ISDIR(mode) else "is a folder")


def _no_file(path: Path, what: str) -> BadOptionError:
    return BadOptionError(
        f"{str(path)!r} {what}, and cannot be a file of a component",
        remedy="Take it away, or publish the files that are meant by their names; nothing was published",
    )


def _check_together(names: list[str], component_id: str, uri: str) -> None:
    """Refuse names that not every folder and store could hold, before a version names them."""
    taken = set(names)
    for name in names:
        key = plain_key(component_id, name)
        check_key(key, operation="publish", uri=uri)
        above = (name[:at] for at in range(len(name)) if name[at] == "/")
        folder = next((each for each in above if each in taken), None)
        longest = max(len(part.encode()) for part in name.split("/"))
        if folder is not None:
            reason = f"{folder!r} cannot be a file, and the folder of {name!r}"
        elif longest > _MAX_NAME_BYTES:
            reason = f"a folder cannot hold a name of {longest} bytes, as in {name!r}"
        else:
            continue
        raise InvalidKeyError(
            f"{component_id!r} cannot have these files: {reason}",
            operation="publish",
            uri=uri,
            remedy="Choose another name; nothing was published",
        )


def _check_unchanged(path: Path, before: os.stat_result) -> None:
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise ConflictError(
            f"{str(path)!r} changed while it was read",
            operation="publish",
            remedy="Wait until the program that writes it is done, and publish again",
        )


def _hash(content: Path | bytes) -> str:
    return hash_file(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()


def _modified(seen: os.stat_result | None) -> datetime | None:
    return datetime.fromtimestamp(seen.st_mtime, UTC) if seen else None
