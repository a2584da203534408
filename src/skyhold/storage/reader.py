"""A seekable file over one version of an object, fetched in blocks, with read-ahead once reading is sequential."""

import io
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol

from skyhold.storage.objects import ByteRange, ObjectInfo

__all__ = ["ObjectReader"]


class _Readable(Protocol):
    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]: ...


class ObjectReader(io.RawIOBase):
    """Read one object as a file.

    The first request brings the first block together with the object's size and e-tag. Every later request insists on
    that e-tag, so that bytes of two versions are never mixed. After a seek, only what is asked is fetched.

    Args:
        store: What answers range reads.
        key: The object.
        block_bytes: How much a sequential request asks for.
        read_ahead: Blocks in flight before they are asked for; 0 fetches nothing early.
    """

    def __init__(self, store: _Readable, key: str, *, block_bytes: int, read_ahead: int) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._block_bytes = block_bytes
        self._read_ahead = read_ahead
        self._position = 0
        self._next_sequential = 0
        self._pool: ThreadPoolExecutor | None = None
        self._blocks: OrderedDict[int, Future[bytes]] = OrderedDict()
        self.info, first = store.read_with_info(key, ByteRange(0, block_bytes))
        self._blocks[0] = _done(first)

    @property
    def size_bytes(self) -> int:
        """The object's size."""
        return self.info.size_bytes

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position; going past the end is allowed and reads as empty."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size_bytes}[whence]
        if origin + offset < 0:
            raise ValueError(f"seek to the negative position {origin + offset}")
        self._position = origin + offset
        return self._position

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to ``size`` bytes, all that is left with -1, and empty at the end."""
        if self.closed:
            raise ValueError(f"read of the closed reader of {self._key!r}")
        wanted = self.size_bytes if size is None or size < 0 else self._position + size
        end = min(wanted, self.size_bytes)
        if end <= self._position:
            return b""
        data = self._fetch(self._position, end)
        self._position = end
        return data

    def readall(self) -> bytes:
        """Return all that is left."""
        return self.read(-1)

    def readinto(self, buffer: Any, /) -> int:
        """Fill ``buffer`` as far as the object goes; return how many bytes."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Drop what was fetched early; what is under way is waited for, so that the meter counts it."""
        if not self.closed and self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._blocks.clear()
        super().close()

    def _fetch(self, start: int, end: int) -> bytes:
        sequential = start == self._next_sequential
        self._next_sequential = end
        first, last = start // self._block_bytes, (end - 1) // self._block_bytes
        missing = any(number not in self._blocks for number in range(first, last + 1))
        if not sequential and missing:
            return self._read_range(start, end)
        if sequential:
            self._plan_blocks(first, last)
        parts = [self._blocks[number].result() for number in range(first, last + 1)]
        self._forget_before(last)
        parts[-1] = parts[-1][: end - last * self._block_bytes]
        parts[0] = parts[0][start - first * self._block_bytes :]
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _plan_blocks(self, first: int, last: int) -> None:
        """See to it that the blocks asked for, and the next few, are here or under way."""
        count = -(-self.size_bytes // self._block_bytes)
        for number in range(first, min(last + 1 + self._read_ahead, count)):
            if number not in self._blocks:
                self._blocks[number] = self._run(self._read_block, number)

    def _forget_before(self, number: int) -> None:
        for old in [block for block in self._blocks if block < number]:
            del self._blocks[old]

    def _run(self, work: Callable[[int], bytes], number: int) -> Future[bytes]:
        if self._read_ahead == 0:
            return _done(work(number))
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._read_ahead + 1, thread_name_prefix="skyhold-read-ahead")
        return self._pool.submit(work, number)

    def _read_block(self, number: int) -> bytes:
        start = number * self._block_bytes
        return self._read_range(start, min(start + self._block_bytes, self.size_bytes))

    def _read_range(self, start: int, end: int) -> bytes:
        return self._store.read_with_info(self._key, ByteRange(start, end), if_match=self.info.e_tag)[1]


def _done(data: bytes) -> Future[bytes]:
    future: Future[bytes] = Future()
    future.set_result(data)
    return future
