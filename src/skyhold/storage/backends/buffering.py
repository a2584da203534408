"""A writer that collects its bytes and hands them over in one piece when it is closed."""

from collections.abc import Callable

from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Buffer, ObjectInfo

__all__ = ["BufferedUpload"]


class BufferedUpload(ObjectWriter):
    """For stores that hold everything in memory anyway, and for small objects."""

    def __init__(self, key: str, publish: Callable[[bytearray], ObjectInfo]) -> None:
        super().__init__(key)
        self._data = bytearray()
        self._hand_over = publish

    def _write(self, data: Buffer) -> None:
        self._data += data

    def _publish(self) -> ObjectInfo:
        return self._hand_over(self._data)

    def _discard(self) -> None:
        self._data = bytearray()
