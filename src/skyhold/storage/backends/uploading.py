"""Uploads of any size: small ones in one request, large ones in parts, aborted when anything goes wrong."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from typing import Any

from skyhold.errors import StorageError
from skyhold.storage.attempts import Result
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Buffer, ObjectInfo

__all__ = ["CloudUpload"]


class CloudUpload(ObjectWriter):
    """Collects one part; if there is more, begins a multipart upload.

    Args:
        key: The object.
        part_bytes: Size of a part.
        put_small: Writes an object that fits one part.
        open_multipart: Begins a multipart upload.
        translated: Turns the client's errors into ours.
        info: Reads the info of the published object.
        won: Says whether this very upload is what stands under the name, for when the answer to its end was lost.
        measured: Runs the multipart upload's end as one measured operation.
    """

    def __init__(
        self,
        key: str,
        *,
        part_bytes: int,
        put_small: Callable[[bytearray], ObjectInfo],
        open_multipart: Callable[[], Any],
        translated: Callable[[], AbstractContextManager[None]],
        info: Callable[[], ObjectInfo],
        won: Callable[[], bool],
        measured: Callable[[Callable[[Result], None]], None],
    ) -> None:
        super().__init__(key)
        self._part_bytes = part_bytes
        self._put_small = put_small
        self._open_multipart = open_multipart
        self._translated = translated
        self._info = info
        self._won = won
        self._measured = measured
        self._first = bytearray()
        self._multipart: Any = None

    def _write(self, data: Buffer) -> None:
        if self._multipart is None:
            if len(self._first) + memoryview(data).nbytes <= self._part_bytes:
                self._first += data
                return
            self._begin()
        self._send(data)

    def _begin(self) -> None:
        with self._translated():
            self._multipart = self._open_multipart()
        first, self._first = self._first, bytearray()
        self._send(bytes(first))

    def _send(self, data: Buffer) -> None:
        try:
            with self._translated():
                self._multipart.write(data)
        except BaseException:
            self.abort()
            raise

    def _publish(self) -> ObjectInfo:
        if self._multipart is None:
            return self._put_small(self._first)
        self._measured(self._complete)
        return self._info()

    def _complete(self, result: Result) -> None:
        self._count(result)
        try:
            with self._translated():
                self._multipart.close()
        except BaseException as error:
            self._drop()
            if not (isinstance(error, StorageError) and self._won()):
                raise

    def _discard(self) -> None:
        self._first = bytearray()
        if self._multipart is not None:
            self._measured(self._abandon)

    def _abandon(self, result: Result) -> None:
        self._count(result)
        self._drop()

    def _drop(self) -> None:
        with suppress(StorageError), self._translated():  # one whose end failed has aborted by itself, and refuses
            stop = InterruptedError("the upload is abandoned")
            self._multipart.__exit__(type(stop), stop, None)

    def _count(self, result: Result) -> None:
        result.requests = -(-self.size_bytes // self._part_bytes) + 2
        result.bytes_out = self.size_bytes
