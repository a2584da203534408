"""A file that grows beside the one it is to become: what an interruption leaves of it is gone on with."""

import fcntl
import hashlib
import os
import secrets
import shutil
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from skyhold.errors import IntegrityError, StorageError

__all__ = ["PART_SUFFIX", "PartFile"]

PART_SUFFIX = ".skyhold-part"
_LONGEST_NAME_BYTES = 255
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class PartFile(AbstractContextManager["PartFile"]):
    """``.<name>.skyhold-part`` beside a file, held against other processes.

    An exception leaves it for the next one to go on with, an `IntegrityError` takes it away: there it is of no use.
    One that finds it held by another works on a file of its own, and leaves nothing.

    Args:
        target: What it is to become; its folder exists.

    Attributes:
        file: Open for reading and writing.
        target: As given.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "arm.stl"
        >>> with PartFile(target) as part:
        ...     _ = part.file.write(b"solid")
        ...     part.publish()
        >>> [path.name for path in target.parent.iterdir()]
        ['arm.stl']
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self._is_shared = True
        self._is_published = False
        self.path, self.file = self._open()

    @property
    def size_bytes(self) -> int:
        """How long it is now."""
        self.file.flush()
        return os.fstat(self.file.fileno()).st_size

    def restart(self) -> None:
        """Throw away what it holds."""
        self.file.seek(0)
        self.file.truncate()

    def check_room(self, size_bytes: int) -> None:
        """Refuse to go on where the disk has no room for so much more.

        Raises:
            StorageError: With what is needed and what is free.
        """
        free = shutil.disk_usage(self.target.parent).free
        if size_bytes > free:
            raise StorageError(
                f"{size_bytes:,} more bytes are needed on the disk, and {free:,} are free",
                operation="write",
                uri=str(self.target),
                remedy=f"Free {size_bytes - free:,} bytes and run it again: what has come is kept",
            )

    def publish(self) -> None:
        """Give it the name of its target, once it is on the disk; whatever had it is replaced."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.path.replace(self.target)
        self._is_published = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        useless = not self._is_shared or isinstance(error, IntegrityError) or not self.size_bytes
        if useless and not self._is_published:
            self.path.unlink(missing_ok=True)
        self.file.close()

    def _open(self) -> tuple[Path, BinaryIO]:
        path = self.target.with_name(_name_beside(self.target.name))
        while True:
            if path.is_dir():  # of a component that had several files
                return self._open_own()
            file = os.fdopen(os.open(path, _FLAGS, 0o666), "r+b")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_same(path, file):
                    return path, file
            except BlockingIOError:
                file.close()
                return self._open_own()
            except BaseException:
                file.close()
                raise
            file.close()  # its holder has published or removed it meanwhile

    def _open_own(self) -> tuple[Path, BinaryIO]:
        self._is_shared = False
        path = self.target.with_name(f".{secrets.token_hex(8)}{PART_SUFFIX}")
        return path, os.fdopen(os.open(path, _FLAGS | os.O_EXCL, 0o666), "r+b")


def _name_beside(name: str) -> str:
    beside = f".{name}{PART_SUFFIX}"
    if len(os.fsencode(beside)) <= _LONGEST_NAME_BYTES:
        return beside
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:32]}{PART_SUFFIX}"


def _is_same(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False
