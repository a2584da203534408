"""How a file comes to be: beside its place and safe on the disk first, and in its place by one rename."""

import errno
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import count

from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Buffer, ObjectInfo

__all__ = ["FileUpload", "write_beside"]

_FOLDER_ATTEMPTS = 5
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_RUN = os.urandom(8).hex()
_NUMBERS = count()


def write_beside(target: str, data: Buffer) -> tuple[str, os.stat_result]:
    """Write a file beside its place, whole and safe on the disk; return its path, and what the system says of it."""
    part, file = _open_beside(target)
    try:
        try:
            _write_all(file, data)
            os.fsync(file)
            return part, os.fstat(file)
        finally:
            os.close(file)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise


def _open_beside(target: str) -> tuple[str, int]:
    folder = target.rpartition("/")[0]
    # Two processes, or two machines with one folder, never hit upon one name.
    part = f"{folder}/.skyhold-{_RUN}-{os.getpid():x}-{next(_NUMBERS):x}.tmp"
    for _ in range(_FOLDER_ATTEMPTS):
        try:
            return part, os.open(part, _NEW, 0o666)
        except FileNotFoundError:  # the folder is not there yet, or a deletion has taken it away again
            os.makedirs(folder, exist_ok=True)
    raise FileNotFoundError(errno.ENOENT, f"the folder vanished {_FOLDER_ATTEMPTS} times")


def _write_all(file: int, data: Buffer) -> None:
    view = memoryview(data)
    while (written := os.write(file, view)) < len(view):
        view = view[written:]


class FileUpload(ObjectWriter):
    """Writes beside the place of a file of any size.

    Args:
        key: The object.
        target: The place of its file.
        publish: Gives the written file, of which it is told path and stat, its place.
        translated: Turns the system's errors into ours.
    """

    def __init__(
        self,
        key: str,
        target: str,
        *,
        publish: Callable[[str, os.stat_result], ObjectInfo],
        translated: Callable[[], AbstractContextManager[None]],
    ) -> None:
        super().__init__(key)
        self._hand_over = publish
        self._translated = translated
        self.on_published: Callable[[], None] | None = None
        with translated():
            if os.path.isdir(target):  # or it would be told after all was written
                raise IsADirectoryError(errno.EISDIR, "is a folder")
            self._part, file = _open_beside(target)
        self._file = os.fdopen(file, "wb")

    def _write(self, data: Buffer) -> None:
        with self._translated():
            self._file.write(data)

    def _publish(self) -> ObjectInfo:
        try:
            with self._translated():
                with self._file:
                    self._file.flush()
                    os.fsync(self._file.fileno())
                    found = os.fstat(self._file.fileno())
                info = self._hand_over(self._part, found)
        except BaseException:
            self._remove()
            raise
        if self.on_published is not None:
            self.on_published()
        return info

    def _discard(self) -> None:
        with suppress(OSError):  # a full disk cannot take what is still to be written, and need not
            self._file.close()
        self._remove()

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._part)
