"""Content into the history: whole, or as a delta where that pays."""

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skyhold.components.assembling import Assembler
from skyhold.components.chains import Chain, deltas_of, find_chain
from skyhold.components.deltas import make_delta, read_delta
from skyhold.components.hashing import HashingBehind, hash_file
from skyhold.components.layout import blob_key, delta_key
from skyhold.errors import (
    AlreadyExistsError,
    BadOptionError,
    BucketNotFoundError,
    ConflictError,
    IntegrityError,
    KeyNotFoundError,
    PreconditionFailedError,
)
from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.objects import Attributes
from skyhold.storage.transfer import SHA256

__all__ = ["DeltaPolicy", "Keeper", "Stored"]

_SMALL_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeltaPolicy:
    """When content is stored as what makes it of other content, rather than whole.

    `skyhold.components.history` has the rule.

    Attributes:
        max_memory_bytes: What making a delta, or applying it, may take, beside some 100 MB that any transfer takes.
        min_content_bytes: What is shorter lies there whole. Many colder storage classes charge as much for an object.
        largest_share: Of the content's length; longer deltas do not pay.
        longest_chain: Deltas behind each other; 0 stores everything whole.

    Example:
        >>> DeltaPolicy().allows(25_000_000, 25_000_000), DeltaPolicy(longest_chain=0).allows(25_000_000, 25_000_000)
        (True, False)
    """

    max_memory_bytes: int = 512 * 1024 * 1024
    min_content_bytes: int = 128 * 1024
    largest_share: float = 0.5
    longest_chain: int = 8

    def __post_init__(self) -> None:
        for name, least, most in (("largest_share", 0, 1), ("longest_chain", 0, 64), ("min_content_bytes", 0, None)):
            value = getattr(self, name)
            if value < least or (most is not None and value > most):
                allowed = f"{least} to {most}" if most is not None else f"at least {least}"
                raise BadOptionError(f"{name} is {value!r}, and must be {allowed}")

    def allows(self, base_bytes: int, content_bytes: int) -> bool:
        """Return whether content of this length may have a delta against such a base, as far as lengths tell."""
        return (
            self.longest_chain > 0
            and content_bytes >= self.min_content_bytes
            and 2 * base_bytes + 3 * content_bytes <= self.max_memory_bytes
        )


@dataclass(frozen=True, slots=True)
class Stored:
    """How content came to lie in the history.

    Attributes:
        sha256: What it is found by.
        size_bytes: Its length.
        stored_bytes: How much room it takes.
        kind: Whether it lies there whole. A delta cannot be copied to a plain key.
        existed: Whether it had been there already.
    """

    sha256: str
    size_bytes: int
    stored_bytes: int
    kind: Literal["blob", "delta"]
    existed: bool


@dataclass(frozen=True, slots=True)
class Keeper:
    """Puts contents into a library. `skyhold.components.history.History` says what its users may rely on."""

    store: Store
    policy: DeltaPolicy

    def put(self, content: Path | bytes, sha256: str | None, base: str | None) -> Stored:
        """Keep content; ``sha256`` is what it is expected to have, ``base`` what it may resemble."""
        size_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
        has_base = base is not None and self.policy.allows(0, size_bytes)
        if isinstance(content, Path) and size_bytes > _SMALL_BYTES and not has_base:
            return self._put_file(content, sha256 or hash_file(content))
        name = str(content) if isinstance(content, Path) else f"{size_bytes} bytes"
        held = _read_steadily(content) if isinstance(content, Path) else content
        found = hashlib.sha256(held).hexdigest()
        if sha256 not in (None, found):
            raise _changed(name, f"its SHA-256 was {sha256}, and is {found}")
        stored = self._found(found, size_bytes) if has_base else None
        if base is not None and has_base and base != found:
            stored = stored or self._put_delta(held, found, base)
        return stored or self._put_whole(held, found)

    def mend(self, content: Path | bytes, sha256: str) -> None:
        """Write content that a version names already, where the history has it no more, or not all of it."""
        size_bytes = content.stat().st_size if isinstance(content, Path) else len(content)
        if self._found(sha256, size_bytes) is None:
            self.put(content, sha256, None)

    def _put_delta(self, content: bytes, sha256: str, base: str) -> Stored | None:
        """Store a delta where the policy has one; None where content is to lie there whole."""
        try:
            chain = find_chain(self.store, base)
            room = self._room(chain, len(content))
            known = Assembler(self.store).read_chain(chain) if room else b""
        except (IntegrityError, BucketNotFoundError):  # a base that is damaged or missing is none
            return None
        if not known or not self.policy.allows(len(known), len(content)):
            return None
        delta = make_delta(known, content, at_most_bytes=room)
        if delta is None or not _gives(known, delta, content):
            return None
        existed = self._create(delta_key(sha256, base), delta, hashlib.sha256(delta).hexdigest())
        return Stored(sha256, len(content), len(delta), "delta", existed=existed)

    def _room(self, chain: Chain, size_bytes: int) -> int:
        """Return how long a delta behind a chain may be; 0 where there may be none."""
        if len(chain.deltas) >= self.policy.longest_chain:
            return 0
        room = min(int(size_bytes * self.policy.largest_share), size_bytes - chain.stored_bytes) - 1
        try:
            root_bytes = self.store.info(chain.root_key).size_bytes
        except KeyNotFoundError:
            return 0
        return max(room, 0) if self.policy.allows(root_bytes, size_bytes) else 0

    def _put_whole(self, content: bytes, sha256: str) -> Stored:
        size_bytes = len(content)
        if size_bytes <= _SMALL_BYTES:
            existed = self._put_small(content, sha256)
            return Stored(sha256, size_bytes, size_bytes, "blob", existed=existed)
        found = self._found_whole(sha256, size_bytes)
        if found is None:
            view = memoryview(content)
            with self._writer(sha256, size_bytes) as writer:
                for start in range(0, size_bytes, _SMALL_BYTES):
                    writer.write(view[start : start + _SMALL_BYTES])
        return found or Stored(sha256, size_bytes, size_bytes, "blob", existed=False)

    def _put_small(self, content: bytes, sha256: str) -> bool:
        """Write an object of one request; return whether it was there. One that is damaged is replaced."""
        key = blob_key(sha256)
        while self._create(key, content, sha256):
            with suppress(KeyNotFoundError, PreconditionFailedError):  # others collect garbage, or mend it too
                info, found = self.store.read_with_info(key)
                if found == content:
                    return True
                self.store.write(key, content, if_match=info.e_tag, attributes=_stamped(sha256))
                return False
        return False

    def _put_file(self, path: Path, sha256: str) -> Stored:
        with path.open("rb") as file, HashingBehind() as hashing:
            before = os.fstat(file.fileno())
            found = self._found_whole(sha256, before.st_size)
            if found is not None:
                return found
            with self._writer(sha256, before.st_size) as writer:
                while block := file.read(_SMALL_BYTES):
                    hashing.update(block)
                    writer.write(block)
                _check_steady(path, before, os.fstat(file.fileno()))
                if hashing.hexdigest() != sha256:
                    raise _changed(str(path), f"its SHA-256 was {sha256}, and is {hashing.hexdigest()}")
        return Stored(sha256, writer.size_bytes, writer.size_bytes, "blob", existed=False)

    def _found(self, sha256: str, size_bytes: int) -> Stored | None:
        """Return how content lies there already, whole or as a delta."""
        found = self._found_whole(sha256, size_bytes)
        if found is None:
            with suppress(BucketNotFoundError):
                for delta in deltas_of(self.store, sha256):
                    return Stored(sha256, size_bytes, delta.stored_bytes, "delta", existed=True)
        return found

    def _found_whole(self, sha256: str, size_bytes: int) -> Stored | None:
        """Return how content lies there whole; one of another length is damaged, and is written again."""
        with suppress(KeyNotFoundError, BucketNotFoundError):  # a folder is made by its first write
            if self.store.info(blob_key(sha256)).size_bytes == size_bytes:
                return Stored(sha256, size_bytes, size_bytes, "blob", existed=True)
        return None

    def _writer(self, sha256: str, size_bytes: int) -> ObjectWriter:
        return self.store.open_writer(blob_key(sha256), attributes=_stamped(sha256), size_bytes=size_bytes)

    def _create(self, key: str, content: bytes, sha256: str) -> bool:
        """Write an object that never changes; return whether it was there."""
        try:
            self.store.write(key, content, if_absent=True, attributes=_stamped(sha256))
        except AlreadyExistsError:
            return True
        return False


def _stamped(sha256: str) -> Attributes:
    return Attributes(metadata={SHA256: sha256})


def _gives(base: bytes, delta: bytes, content: bytes) -> bool:
    """Whether a delta really makes the content: looked at while it is still at hand, piece by piece."""
    done = 0
    for piece in read_delta(base, delta):
        if not content.startswith(piece, done):
            return False
        done += len(piece)
    return done == len(content)


def _read_steadily(path: Path) -> bytes:
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        content = file.read()
        _check_steady(path, before, os.fstat(file.fileno()))
    return content


def _check_steady(path: Path, before: os.stat_result, after: os.stat_result) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed(str(path), f"it had {before.st_size} bytes, and has {after.st_size}")


def _changed(name: str, how: str) -> ConflictError:
    return ConflictError(
        f"{name!r} changed while it was read: {how}",
        operation="publish",
        remedy="Wait until the program that writes it is done, and publish again; nothing was published",
    )
