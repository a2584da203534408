"""How much memory a process keeps that it needs no more."""

import ctypes
from functools import cache

from skyhold.config import environment

__all__ = ["return_large_blocks"]

_M_MMAP_THRESHOLD = -3
_LARGE_BYTES = 1024 * 1024


@cache
def return_large_blocks() -> bool:
    """Let the C library give large blocks back as soon as they are freed; return whether it was told so.

    glibc keeps what a thread has freed for that thread. Where several threads fetch blocks of some megabytes each, that
    is as much again as all of them hold. Who has set this by the environment is not overruled; other systems' C
    libraries give large blocks back anyway, or cannot be told.

    Example:
        >>> return_large_blocks() in {True, False}
        True
    """
    variables = environment()
    if any(name.startswith("MALLOC_") for name in variables) or "glibc.malloc" in variables.get("GLIBC_TUNABLES", ""):
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    return bool(tell(_M_MMAP_THRESHOLD, _LARGE_BYTES))
