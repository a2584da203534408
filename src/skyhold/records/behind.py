"""Writing behind: encoding and sending go on in their own thread while the next rows are validated."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pyarrow as pa

from skyhold.records.formats.adapter import Checkpoint, OutputStream, Piece, Written

__all__ = ["WriteBehind"]

_WAITING_BYTES = 16 * 1024 * 1024


class WriteBehind(OutputStream):
    """An output that takes a batch and returns; some megabytes of rows wait at most, so memory stays bounded.

    An error of the inner output is raised by the next call here, and by `close` at the latest.

    Args:
        inner: What really writes, always from the same one thread.
    """

    def __init__(self, inner: OutputStream) -> None:
        self._inner = inner
        self.checkpoint_rows = inner.checkpoint_rows
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="skyhold-write-behind")
        self._waiting: deque[tuple[int, Future[None]]] = deque()
        self._waiting_bytes = 0

    def resume(self, fingerprint: str) -> list[Checkpoint]:
        return self._inner.resume(fingerprint)

    def write(self, batch: pa.RecordBatch) -> None:
        self._submit(self._inner.write, batch, batch.nbytes)

    def append(self, piece: Piece) -> None:
        self._submit(self._inner.append, piece, 0)

    def checkpoint(self, reached: Checkpoint) -> None:
        self._submit(self._inner.checkpoint, reached, 0)

    def _submit(self, work: Callable[[Any], None], given: Any, size_bytes: int) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting_bytes + size_bytes > _WAITING_BYTES):
            self._finish_oldest()
        self._waiting.append((size_bytes, self._thread.submit(work, given)))
        self._waiting_bytes += size_bytes

    def _finish_oldest(self) -> None:
        size_bytes, future = self._waiting.popleft()
        self._waiting_bytes -= size_bytes
        future.result()

    def close(self) -> list[Written]:
        while self._waiting:
            self._finish_oldest()
        written = self._thread.submit(self._inner.close).result()
        self._thread.shutdown()
        return written

    def abort(self) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._inner.abort()
