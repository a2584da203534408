"""Wait for work in a way that always hears of signals."""

import time
from collections.abc import Callable, Collection, Generator, Iterable
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, wait
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

__all__ = ["completed", "take_from", "wait_for", "wait_until"]

T = TypeVar("T")

# A signal that comes just before the main thread begins to block is heard only when that ends: so no block is long.
_BLOCK_S = 0.5


def wait_until(blocks: Callable[[float], bool], timeout: float | None = None) -> bool:
    """Call ``blocks(seconds)`` until it returns True or the time is over; return whether it did.

    Example:
        >>> import threading
        >>> wait_until(threading.Event().wait, timeout=0.01)
        False
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        left = _BLOCK_S if end is None else min(_BLOCK_S, max(0.0, end - time.monotonic()))
        if blocks(left):
            return True
        if end is not None and time.monotonic() >= end:
            return False


def wait_for(futures: Collection[Future[Any]], *, any_of_them: bool = False) -> set[Future[Any]]:
    """Wait for all futures, or for the first of them; return those that are done."""
    until = FIRST_COMPLETED if any_of_them else ALL_COMPLETED
    while True:
        done, others = wait(futures, timeout=_BLOCK_S, return_when=until)
        if not others or (any_of_them and done):
            return done


def completed(futures: Iterable[Future[T]]) -> Generator[Future[T]]:
    """Give the futures as they are done."""
    left = set(futures)
    while left:
        done = wait_for(left, any_of_them=True)
        left -= done
        yield from done


def take_from(queue: SimpleQueue[T]) -> T:
    """Return the next of a queue, as soon as there is one."""
    while True:
        try:
            return queue.get(timeout=_BLOCK_S)
        except Empty:
            continue
