"""SHA-256 of what passes by, on a thread of its own: hashing takes as long as a fast network."""

import hashlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from skyhold.execution.waiting import wait_for

__all__ = ["HashingBehind", "hash_file"]

_SMALL_BYTES = 1024 * 1024


class HashingBehind(AbstractContextManager["HashingBehind"]):
    """Hashes a block while its caller goes on with it.

    Example:
        >>> with HashingBehind() as hashing:
        ...     hashing.update(b"con")
        ...     hashing.update(b"tent")
        ...     hashing.hexdigest()[:8]
        'ed7002b4'
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._pool: ThreadPoolExecutor | None = None
        self._hashed: Future[None] | None = None

    def update(self, block: bytes) -> None:
        """Add a block; returns while it is being hashed, with the one before done."""
        self._wait()
        if len(block) < _SMALL_BYTES:
            self._digest.update(block)
            return
        self._pool = self._pool or ThreadPoolExecutor(1, thread_name_prefix="skyhold-hash")
        self._hashed = self._pool.submit(self._digest.update, block)

    def hexdigest(self) -> str:
        """Return the hash of all blocks so far."""
        self._wait()
        return self._digest.hexdigest()

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def _wait(self) -> None:
        if self._hashed is not None:
            wait_for([self._hashed])
            self._hashed.result()
            self._hashed = None


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
