"""Hashing an object while it is written, so that its receipt can be checked later."""

import hashlib

from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Buffer, ObjectInfo

__all__ = ["HashingWriter"]


class HashingWriter(ObjectWriter):
    """An inner writer, and the SHA-256 of what went through.

    Args:
        inner: What really writes; it is closed and aborted with this one.
    """

    def __init__(self, inner: ObjectWriter) -> None:
        super().__init__(inner.key)
        self._inner = inner
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of all bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    def _write(self, data: Buffer) -> None:
        self._hash.update(data)
        self._inner.write(data)

    def _publish(self) -> ObjectInfo:
        self._inner.close()
        assert self._inner.info is not None
        return self._inner.info

    def _discard(self) -> None:
        self._inner.abort()
