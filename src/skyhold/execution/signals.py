"""Ending in good order when the process is asked to end."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Terminated", "exit_on_terminate"]


class Terminated(SystemExit):
    """The process was asked to end; it does, with the exit code that says so.

    Example:
        >>> Terminated().code, str(Terminated())
        (143, 'the process was asked to end (SIGTERM)')
    """

    def __init__(self) -> None:
        super().__init__(128 + signal.SIGTERM)

    def __str__(self) -> str:
        """Return it in words."""
        return "the process was asked to end (SIGTERM)"


@contextmanager
def exit_on_terminate() -> Generator[None]:
    """Turn SIGTERM into `Terminated` meanwhile, so that ``finally`` blocks run; a handler that is there stays.

    Outside the main thread it does nothing, since only that one gets signals.

    Example:
        >>> with exit_on_terminate():
        ...     signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        False
    """
    is_free = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if threading.current_thread() is not threading.main_thread() or not is_free:
        yield
        return
    signal.signal(signal.SIGTERM, _exit)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _exit(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated
