"""Folders to measure in."""

import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")


def fast_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a temporary folder, in memory where the system has such a place: a disk's moods would be measured else."""
    return tempfile.TemporaryDirectory(dir=_IN_MEMORY if _IN_MEMORY.is_dir() else None)
