"""The contents of all versions, found by their SHA-256: written once, never changed.

Equal contents are one object, whichever components they belong to. Whatever is read is hashed before it is handed out.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from skyhold.components.layout import BLOBS, blob_key
from skyhold.errors import AlreadyExistsError, ConflictError, IntegrityError, KeyNotFoundError
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes
from skyhold.storage.transfer import SHA256

__all__ = ["DeltaPolicy", "Held", "History", "Stored", "hash_file"]

_SMALL_BYTES = 8 * 1024 * 1024

Moved = Callable[[int], None]
"""Called with bytes that were moved since the last call."""


@dataclass(frozen=True, slots=True)
class DeltaPolicy:
    """When content is stored as what makes it of other content, rather than whole."""


@dataclass(frozen=True, slots=True)
class Stored:
    """How content came to lie in the history.

    Attributes:
        sha256: What it is found by.
        size_bytes: Its length.
        stored_bytes: How much room it takes.
        kind: Whether it lies there whole.
        existed: Whether it had been there already.
    """

    sha256: str
    size_bytes: int
    stored_bytes: int
    kind: Literal["blob", "delta"]
    existed: bool


@dataclass(frozen=True, slots=True)
class Held:
    """One object of the history, as a listing tells it.

    Attributes:
        sha256: Of the content that it stands for.
        kind: Whether it is the content itself.
        base: Of which content it is made, where it is a delta.
        key: Its key.
        stored_bytes: How much room it takes.
        modified: When it was written, by the store's clock.
    """

    sha256: str
    kind: Literal["blob", "delta"]
    base: str | None
    key: str
    stored_bytes: int
    modified: datetime


class History:
    """Contents of a library.

    Args:
        store: The library's.
        policy: When to store deltas.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> history = History(open_store("memory://history-example"))
        >>> stored = history.put(b"solid arm")
        >>> history.read(stored.sha256), history.put(b"solid arm").existed
        (b'solid arm', True)
    """

    def __init__(self, store: Store, *, policy: DeltaPolicy | None = None) -> None:
        self.store = store
        self.policy = policy or DeltaPolicy()

    def put(self, content: Path | bytes, *, sha256: str | None = None, base: str | None = None) -> Stored:
        """Keep content; does nothing where it is kept already.

        Args:
            content: A file of any size, or bytes.
            sha256: Its hash, where it is known.
            base: The hash of content that it is likely to resemble.

        Raises:
            ConflictError: The file changed while it was read.
        """
        del base
        if isinstance(content, Path):
            before = content.stat()
            if before.st_size > _SMALL_BYTES:
                return self._put_large(content, before, sha256 or hash_file(content))
            content = content.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        try:
            self.store.write(blob_key(found), content, if_absent=True, attributes=_stamped(found))
        except AlreadyExistsError:
            return Stored(found, len(content), len(content), "blob", existed=True)
        return Stored(found, len(content), len(content), "blob", existed=False)

    def fetch(self, sha256: str, target: Path, *, size_bytes: int, progress: Moved | None = None) -> None:
        """Bring content into a file, which appears once it is whole and verified.

        What an interruption leaves beside the target is gone on with.

        Args:
            sha256: Which content.
            target: The file; its folder is made.
            size_bytes: How long it is.
            progress: Told of bytes as they come.

        Raises:
            IntegrityError: The content is damaged or missing.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.skyhold-part")
        done = part.stat().st_size if part.exists() else 0
        try:
            with self.store.open_reader(blob_key(sha256)) as reader, part.open("ab") as file:
                reader.seek(min(done, size_bytes))
                while block := reader.read(_SMALL_BYTES):
                    file.write(block)
                    if progress is not None:
                        progress(len(block))
                file.flush()
                os.fsync(file.fileno())
        except KeyNotFoundError as error:
            raise self._missing(sha256) from error
        found = hash_file(part)
        if found != sha256:
            part.unlink()
            raise self._damaged(sha256, found)
        part.replace(target)

    def read(self, sha256: str) -> bytes:
        """Return content of modest size.

        Raises:
            IntegrityError: It is damaged or missing.
        """
        try:
            content = self.store.read(blob_key(sha256))
        except KeyNotFoundError as error:
            raise self._missing(sha256) from error
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise self._damaged(sha256, found)
        return content

    def has(self, sha256: str) -> bool:
        """Return whether content is kept."""
        return self.store.exists(blob_key(sha256))

    def all_hashes(self) -> Iterator[Held]:
        """Yield every object of the history, in key order, by listing alone."""
        for info in self.store.list(BLOBS):
            yield Held(info.key.rpartition("/")[2], "blob", None, info.key, info.size_bytes, info.modified)

    def _put_large(self, path: Path, before: os.stat_result, sha256: str) -> Stored:
        size_bytes = before.st_size
        try:
            if self.store.info(blob_key(sha256)).size_bytes == size_bytes:
                return Stored(sha256, size_bytes, size_bytes, "blob", existed=True)
        except KeyNotFoundError:
            pass
        digest = hashlib.sha256()
        with path.open("rb") as file, self.store.open_writer(blob_key(sha256), attributes=_stamped(sha256)) as writer:
            while block := file.read(_SMALL_BYTES):
                digest.update(block)
                writer.write(block)
            if digest.hexdigest() != sha256:
                raise ConflictError(
                    f"{str(path)!r} changed while it was read",
                    operation="publish",
                    uri=self.store.uri,
                    remedy="Wait until the program that writes it is done, and publish again",
                )
        return Stored(sha256, size_bytes, size_bytes, "blob", existed=False)

    def _missing(self, sha256: str) -> IntegrityError:
        return IntegrityError(
            f"the history has no content with SHA-256 {sha256}",
            operation="read",
            uri=self.store.uri_of(blob_key(sha256)),
            remedy=f"Run: skyhold comp verify {self.store.uri}",
        )

    def _damaged(self, sha256: str, found: str) -> IntegrityError:
        return IntegrityError(
            f"the content has SHA-256 {found}, promised {sha256}",
            operation="read",
            uri=self.store.uri_of(blob_key(sha256)),
            remedy=f"Run: skyhold comp verify {self.store.uri}",
        )


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stamped(sha256: str) -> Attributes:
    return Attributes(metadata={SHA256: sha256})
