"""Ending work that goes on for long inside one batch, such as validators written in Python."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from skyhold.errors import StoppedError

__all__ = ["check_stop", "stoppable"]

_STOP: ContextVar[threading.Event | None] = ContextVar("skyhold-stop", default=None)


@contextmanager
def stoppable(stop: threading.Event) -> Generator[None]:
    """Let `check_stop` look at ``stop`` meanwhile, in this thread."""
    token = _STOP.set(stop)
    try:
        yield
    finally:
        _STOP.reset(token)


def check_stop() -> None:
    """End the work if that was asked for.

    Raises:
        StoppedError: It was.

    Example:
        >>> stop = threading.Event()
        >>> with stoppable(stop):
        ...     check_stop()
    """
    stop = _STOP.get()
    if stop is not None and stop.is_set():
        raise StoppedError("the pipe was stopped; its output was not changed")
