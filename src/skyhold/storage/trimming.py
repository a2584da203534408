"""Folders of copies that are kept for the next time, held below a size."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

__all__ = ["MOST_KEPT_BYTES", "note_use", "trim_folder"]

MOST_KEPT_BYTES = 4 * 1024**3
"""How much is kept where nobody says otherwise."""

_SPARED_S = 24 * 3600.0


def note_use(entry: Path) -> None:
    """Say that an entry of such a folder is used now; of a folder that may only be read, nothing is said."""
    with suppress(OSError):
        os.utime(entry)


def trim_folder(folder: Path, most_bytes: int = MOST_KEPT_BYTES, *, spared_s: float = _SPARED_S) -> None:
    """Delete what was used least recently, until the rest is small enough.

    Several processes may do so at once. What was used lately stays however large it is: a path to it may have been
    given to somebody.

    Args:
        folder: Its entries, files or folders, stay or go whole.
        most_bytes: How much may stay.
        spared_s: What was used in so many seconds stays.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as name:
        ...     for number, letter in enumerate("abc"):
        ...         _ = Path(name, letter).write_text("1234")
        ...         os.utime(Path(name, letter), (number, number))
        ...     trim_folder(Path(name), most_bytes=8)
        ...     sorted(os.listdir(name))
        ['b', 'c']
    """
    entries = sorted(_entries(folder))
    excess = sum(size for _, size, _ in entries) - most_bytes
    spared_from = time.time() - spared_s
    for used, size, entry in entries:
        if excess <= 0 or used >= spared_from:
            return
        _delete(entry)
        excess -= size


def _entries(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield when each entry was last used, and its size."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        with suppress(FileNotFoundError):  # another process was faster
            files = [path for path in entry.rglob("*") if path.is_file()] if entry.is_dir() else [entry]
            yield entry.stat().st_mtime, sum(path.stat().st_size for path in files), entry


def _delete(entry: Path) -> None:
    if entry.is_dir():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
