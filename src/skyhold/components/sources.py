"""What is published: files on disk or bytes, under their names within the component."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from skyhold.components.hashing import hash_file
from skyhold.components.history import History
from skyhold.components.manifest import FileEntry
from skyhold.errors import BadOptionError, ConflictError
from skyhold.storage.keys import check_key

__all__ = ["Content", "Source", "list_sources"]

Content = Path | bytes | Mapping[str, Path]

_HELD_BYTES = 8 * 1024 * 1024
_MOST_HELD = 8


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
        """Put the content into the history, once; the history has what ``before`` says of the version before.

        Raises:
            ConflictError: The file changed while it was read.
        """
        if self.entry is None:
            stat = self.path.stat() if self.path else None
            content = self._content(stat)
            sha256 = _hash(content) if before else None
            if before is None or sha256 != before.sha256:
                stored = history.put(content, sha256=sha256, base=before.sha256 if before else None)
                size_bytes, sha256 = stored.size_bytes, stored.sha256
            else:
                size_bytes, sha256 = before.size_bytes, before.sha256
            self.entry = FileEntry(self.name, size_bytes, sha256, _modified(stat))
            if self.path is not None and stat is not None:
                _check_unchanged(self.path, stat)
        return self.entry

    def _content(self, stat: os.stat_result | None) -> Path | bytes:
        if self.data is not None or self.path is None:
            return self.data or b""
        if stat is not None and stat.st_size <= _HELD_BYTES and self.is_held:
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


def list_sources(content: Content, *, uri: str) -> list[Source]:
    """Return the files that make a component, by name.

    Args:
        content: Bytes, a file, a folder with all that lies in it, or files by the names that they are to have.
        uri: Of the component, for errors.

    Raises:
        FileNotFoundError: There is no such file.
        BadOptionError: There is not one file.
        InvalidKeyError: A name cannot be stored.
    """
    if isinstance(content, bytes):
        return [Source("", None, content)]
    if isinstance(content, Mapping):
        sources = [Source(name, path) for name, path in content.items()]
    elif content.is_dir():
        sources = list(_below(content))
    else:
        content.stat()
        return [Source("", content)]
    if not sources:
        raise BadOptionError(f"there is no file to publish in {str(content)!r}", remedy="To delete a component, say so")
    for source in sources:
        check_key(source.name, operation="publish", uri=uri)
        assert source.path is not None
        source.path.stat()
        source.is_held = len(sources) <= _MOST_HELD
    return sorted(sources, key=lambda source: source.name)


def _below(folder: Path) -> Iterator[Source]:
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where) / name
            if path.is_file() and not name.endswith(".skyhold-part"):
                yield Source(path.relative_to(folder).as_posix(), path)


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


def _modified(stat: os.stat_result | None) -> datetime | None:
    return datetime.fromtimestamp(stat.st_mtime, UTC) if stat else None
