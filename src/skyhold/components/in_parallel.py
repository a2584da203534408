"""The same work for many things at a time, without taking up more of them than are worked on."""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from skyhold.execution.waiting import wait_for

__all__ = ["do_all", "in_parallel"]

T = TypeVar("T")
R = TypeVar("R")
_JOBS = 16
_SMALL_BYTES = 8 * 1024 * 1024


def in_parallel(work: Callable[[T], R], things: Iterable[T], *, jobs: int) -> Generator[tuple[T, R]]:
    """Yield each thing with what ``work`` made of it, as they are done; an error of one ends all.

    Args:
        work: Called in threads.
        things: Read as they are needed, so it may be a long listing.
        jobs: How many at a time.

    Example:
        >>> sorted(in_parallel(lambda text: text.upper(), ["a", "b"], jobs=2))
        [('a', 'A'), ('b', 'B')]
    """
    waiting: dict[Future[R], T] = {}
    with ThreadPoolExecutor(jobs, thread_name_prefix="skyhold-parallel") as pool:
        try:
            for thing in things:
                if len(waiting) >= jobs:
                    yield from _done(waiting, any_of_them=True)
                waiting[pool.submit(work, thing)] = thing
            yield from _done(waiting, any_of_them=False)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def do_all(work: Callable[[T], R], items: Iterable[T], *, size_bytes: Callable[[T], int]) -> list[R]:
    """Do the work for all, and return what comes of it in their order.

    Small ones are done side by side, large ones (which fill memory, and the line) one by one.

    Raises:
        Exception: That of the first that failed.

    Example:
        >>> do_all(str.upper, ["a", "b"], size_bytes=len)
        ['A', 'B']
    """
    listed = list(items)
    places = [place for place, item in enumerate(listed) if size_bytes(item) <= _SMALL_BYTES]
    small = dict(in_parallel(lambda place: work(listed[place]), places, jobs=_JOBS)) if len(places) > 1 else {}
    return [small[place] if place in small else work(item) for place, item in enumerate(listed)]


def _done(waiting: dict[Future[R], T], *, any_of_them: bool) -> Generator[tuple[T, R]]:
    for future in wait_for(waiting, any_of_them=any_of_them):
        yield waiting.pop(future), future.result()
