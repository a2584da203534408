"""Many pieces of one component at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from skyhold.execution.waiting import wait_for

__all__ = ["do_all"]

A = TypeVar("A")
T = TypeVar("T")
_WORKERS = 16
_SMALL_BYTES = 8 * 1024 * 1024


def do_all(work: Callable[[A], T], items: Iterable[A], *, size_bytes: Callable[[A], int]) -> list[T]:
    """Do the work for all, in their order; small ones side by side, large ones (which fill memory) one by one.

    Raises:
        Exception: That of the first that failed; the others are done all the same.

    Example:
        >>> do_all(str.upper, ["a", "b"], size_bytes=len)
        ['A', 'B']
    """
    listed = list(items)
    small = [place for place, item in enumerate(listed) if size_bytes(item) <= _SMALL_BYTES]
    results: dict[int, T] = {}
    if len(small) > 1:
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="skyhold-component") as pool:
            waiting = {place: pool.submit(work, listed[place]) for place in small}
            try:
                wait_for(waiting.values())
                results = {place: future.result() for place, future in waiting.items()}
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    return [results[place] if place in results else work(item) for place, item in enumerate(listed)]
