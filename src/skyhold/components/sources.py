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


@dataclass(slots=True)
class Source:
    """One file to publish.

    Attributes:
        name: Its name within the component; empty where it is the only one.
        path: Where it lies; None where it is bytes.
        data: Its bytes, where they are held.
        entry: What a version says of it, once it was read.
    """

    name: str
    path: Path | None
    data: bytes | None = None
    entry: FileEntry | None = None

    def keep(self, history: History, base: str | None) -> FileEntry:
        """Put the content into the history, once.

        Raises:
            ConflictError: The file changed while it was read.
        """
        if self.entry is None:
            before = self.path.stat() if self.path else None
            if self.path is not None and before is not None and before.st_size <= _HELD_BYTES:
                self.data = self.path.read_bytes()
            content: Path | bytes | None = self.path if self.data is None else self.data
            assert content is not None
            sha256 = hash_file(content) if isinstance(content, Path) else hashlib.sha256(content).hexdigest()
            stored = history.put(content, sha256=sha256, base=base if base != sha256 else None)
            if self.path is not None and before is not None:
                _check_unchanged(self.path, before)
            modified = datetime.fromtimestamp(before.st_mtime, UTC) if before else None
            self.entry = FileEntry(self.name, stored.size_bytes, stored.sha256, modified)
        return self.entry

    def read(self, sha256: str) -> bytes | None:
        """Return the content again; None where it is no longer what was kept."""
        if self.data is None and self.path is not None:
            try:
                data = self.path.read_bytes()
            except OSError:
                return None
        else:
            data = self.data
        return data if data is not None and hashlib.sha256(data).hexdigest() == sha256 else None

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
        sources = [Source(name, path) for name, path in sorted(content.items())]
    elif content.is_dir():
        sources = sorted(_below(content), key=lambda source: source.name)
    else:
        content.stat()
        return [Source("", content)]
    if not sources:
        raise BadOptionError(f"there is no file to publish in {str(content)!r}", remedy="To delete a component, say so")
    for source in sources:
        check_key(source.name, operation="publish", uri=uri)
        assert source.path is not None
        source.path.stat()
    return sources


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
