"""``cloud_storage.log``: what was asked of a library, how it ended, and what to do about it; never a secret."""

import logging
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from skyhold.config import redact
from skyhold.errors import SkyholdError

__all__ = ["LOG_FILE", "OperationLog"]

LOG_FILE = "cloud_storage.log"

_LOG = logging.getLogger("skyhold.components")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class OperationLog:
    """Lines in a file that nobody else may read. Threads and processes may share it, and it may be moved away.

    Args:
        path: The file; it begins with the first line. None writes nothing.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "cloud_storage.log"
        >>> with OperationLog(path).of("upload", "arm.stl") as done:
        ...     done.append("version 1")
        >>> path.read_text().split(" ", 2)[2].split(" in ")[0]
        'INFO upload arm.stl: version 1'
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self.path = None if path is None else Path(path).absolute()
        self._failed = False
        self._formatter = logging.Formatter(_FORMAT)

    def info(self, message: str) -> None:
        """Add a line."""
        self._add(logging.INFO, message)

    def warning(self, message: str) -> None:
        """Add a line, and warn."""
        _LOG.warning("%s", redact(message))
        self._add(logging.WARNING, message)

    def error(self, what: str, error: BaseException) -> None:
        """Add a line for an error, with its code and what to do."""
        code = error.code if isinstance(error, SkyholdError) else type(error).__name__
        remedy = f" Remedy: {error.remedy}" if isinstance(error, SkyholdError) and error.remedy else ""
        self._add(logging.ERROR, f"{what} failed ({code}): {error}{remedy}")

    @contextmanager
    def of(self, operation: str, name: str) -> Generator[list[str]]:
        """Add a line when the block ends: what it has put into the list, or why it failed, and how long it took.

        Args:
            operation: What is done.
            name: On what.
        """
        started = time.monotonic()
        words: list[str] = []
        try:
            yield words
        except BaseException as error:
            self.error(f"{operation} {name}", error)
            raise
        self.info(f"{operation} {name}: {', '.join([*words]) or 'done'} in {time.monotonic() - started:.3f} s")

    def _add(self, level: int, message: str) -> None:
        if self.path is None or self._failed:
            return
        record = logging.LogRecord("skyhold", level, "", 0, " ".join(message.split()), None, None)
        line = redact(self._formatter.format(record)) + "\n"
        try:
            # Opened for each line, so that whoever moves the file away gets no further lines; one write is one line.
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, line.encode("utf-8", "backslashreplace"))
            finally:
                os.close(handle)
        except OSError as error:
            self._failed = True
            _LOG.warning("cannot write to %s: %s; operations go on and are not logged there", self.path, error)
