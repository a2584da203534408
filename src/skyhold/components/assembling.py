"""Content out of the history: whole, or put together of deltas; hashed before anybody sees it."""

import hashlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skyhold.components.chains import Chain, Held, find_chain
from skyhold.components.deltas import apply_delta, read_delta
from skyhold.components.hashing import HashingBehind
from skyhold.components.layout import blob_key
from skyhold.components.part_file import PartFile
from skyhold.errors import IntegrityError, KeyNotFoundError
from skyhold.execution.memory import return_large_blocks
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange
from skyhold.storage.reader import ObjectReader

__all__ = ["Assembler", "Moved"]

Moved = Callable[[int], None]
"""Called with bytes that came since the last call."""

_BLOCK_BYTES = 4 * 1024 * 1024
_READ_AHEAD = 4


@dataclass(frozen=True, slots=True)
class Assembler:
    """Brings contents of a library together. `skyhold.components.history.History` says what its users may rely on."""

    store: Store

    def fetch(self, sha256: str, target: Path, *, size_bytes: int, told: Moved) -> None:
        """Bring content into a file."""
        if size_bytes <= _BLOCK_BYTES:
            self._fetch_small(sha256, target, size_bytes, told)
            return
        return_large_blocks()
        with _part_of(target) as part:
            try:
                self._bring_whole(blob_key(sha256), sha256, part, told, size_bytes)
            except KeyNotFoundError:
                self._assemble(self._chain(sha256), part, told, size_bytes)
            part.publish()

    def _fetch_small(self, sha256: str, target: Path, size_bytes: int, told: Moved) -> None:
        """Bring content that is one request, or put together in memory anyway."""
        key = blob_key(sha256)
        try:
            info, content = self.store.read_with_info(key, ByteRange(0, size_bytes + 1))
            self._check_length(key, info.size_bytes, size_bytes)
            self._compare(key, sha256, hashlib.sha256(content).hexdigest())
        except KeyNotFoundError:
            content = self.read_chain(self._chain(sha256))
        with _part_of(target) as part:
            part.restart()
            part.check_room(len(content))
            part.file.write(content)
            part.publish()
        told(len(content))

    def read(self, sha256: str) -> bytes:
        """Return content."""
        try:
            return self._read_whole(blob_key(sha256), sha256)
        except KeyNotFoundError:
            return self.read_chain(self._chain(sha256))

    def read_chain(self, chain: Chain) -> bytes:
        """Return the content that a chain makes."""
        try:
            content = self._read_whole(chain.root_key, chain.root)
        except KeyNotFoundError as error:
            raise self._missing(chain.root) from error
        return self._applied(content, chain.deltas)

    def check(self, sha256: str) -> int:
        """Read content as `read` does, in bounded memory where it lies whole; return its length."""
        try:
            with self._opened(blob_key(sha256)) as reader, HashingBehind() as hashing:
                for block in _blocks_of(reader):
                    hashing.update(block)
                self._compare(blob_key(sha256), sha256, hashing.hexdigest())
                return reader.size_bytes
        except KeyNotFoundError:
            return len(self.read_chain(self._chain(sha256)))

    def _chain(self, sha256: str) -> Chain:
        chain = find_chain(self.store, sha256)
        if not chain.deltas:
            raise self._missing(sha256)
        return chain

    def _assemble(self, chain: Chain, part: PartFile, told: Moved, size_bytes: int) -> None:
        try:
            self._bring_whole(chain.root_key, chain.root, part, told)
        except KeyNotFoundError as error:
            raise self._missing(chain.root) from error
        part.file.seek(0)
        *earlier, last = chain.deltas
        base = self._applied(part.file.read(), earlier)
        delta = self._delta(last)
        part.check_room(size_bytes - part.size_bytes)
        part.restart()
        found = hashlib.sha256()
        with self._named(last):
            for piece in read_delta(base, delta):
                found.update(piece)
                part.file.write(piece)
        self._compare(last.key, last.sha256, found.hexdigest())

    def _applied(self, content: bytes, deltas: Iterable[Held]) -> bytes:
        for held in deltas:
            delta = self._delta(held)
            with self._named(held):
                content = apply_delta(content, delta)
            self._compare(held.key, held.sha256, hashlib.sha256(content).hexdigest())
        return content

    def _bring_whole(self, key: str, sha256: str, part: PartFile, told: Moved, size_bytes: int | None = None) -> None:
        """Bring an object into a part file; what the file holds from an earlier attempt is not asked for again."""
        with self._opened(key) as reader:
            self._check_length(key, reader.size_bytes, size_bytes)
            found, resumed = _fill(part, reader, told)
            if found != sha256 and resumed:  # what was there may be the beginning of another version
                part.restart()
                reader.seek(0)
                found, _ = _fill(part, reader, told)
            self._compare(key, sha256, found)

    def _read_whole(self, key: str, sha256: str) -> bytes:
        with self._opened(key) as reader:
            content = reader.read()
        self._compare(key, sha256, hashlib.sha256(content).hexdigest())
        return content

    def _delta(self, held: Held) -> bytes:
        try:
            return self.store.read(held.key)
        except KeyNotFoundError as error:
            raise self._missing(held.sha256) from error

    def _opened(self, key: str) -> ObjectReader:
        return self.store.open_reader(key, block_bytes=_BLOCK_BYTES, read_ahead=_READ_AHEAD)

    def _check_length(self, key: str, found: int, size_bytes: int | None) -> None:
        if size_bytes not in (None, found):
            raise self._damaged(key, f"has {found} bytes, {size_bytes} were promised")

    def _compare(self, key: str, sha256: str, found: str) -> None:
        if found != sha256:
            raise self._damaged(key, f"gives SHA-256 {found}, {sha256} was promised")

    @contextmanager
    def _named(self, held: Held) -> Generator[None]:
        try:
            yield
        except IntegrityError as error:
            raise self._damaged(held.key, f"is a damaged delta: {error.reason}") from error

    def _damaged(self, key: str, what: str) -> IntegrityError:
        return IntegrityError(f"the object {what}", operation="read", uri=self.store.uri_of(key), remedy=self._remedy)

    def _missing(self, sha256: str) -> IntegrityError:
        return IntegrityError(
            f"the history has no content with SHA-256 {sha256}",
            operation="read",
            uri=self.store.uri_of(blob_key(sha256)),
            remedy=self._remedy,
        )

    @property
    def _remedy(self) -> str:
        return f"Run: skyhold comp verify {self.store.uri}"


def _part_of(target: Path) -> PartFile:
    try:
        return PartFile(target)
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        return PartFile(target)


def _fill(part: PartFile, reader: ObjectReader, told: Moved) -> tuple[str, bool]:
    """Copy an object behind what a part file holds of it; return the hash of all, and whether it held anything."""
    with HashingBehind() as hashing:
        kept = _keep(part, reader, hashing)
        part.check_room(reader.size_bytes - kept)
        reader.seek(kept)
        for block in _blocks_of(reader):
            hashing.update(block)
            part.file.write(block)
            told(len(block))
        return hashing.hexdigest(), kept > 0


def _keep(part: PartFile, reader: ObjectReader, hashing: HashingBehind) -> int:
    """Hash the whole blocks that a part file holds, and cut it behind them; return how long they are.

    The first block has come with the object's size anyway: a file that begins otherwise is of other content.
    """
    part.file.seek(0)
    held = min(part.size_bytes, reader.size_bytes)
    whole = held - held % _BLOCK_BYTES
    if not whole or part.file.read(_BLOCK_BYTES) != reader.read(_BLOCK_BYTES):
        part.restart()
        return 0
    part.file.seek(0)
    for _ in range(whole // _BLOCK_BYTES):
        hashing.update(part.file.read(_BLOCK_BYTES))
    part.file.truncate(whole)
    return whole


def _blocks_of(reader: ObjectReader) -> Iterator[bytes]:
    while block := reader.read(_BLOCK_BYTES):
        yield block
