"""The files of one component, many at a time."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from skyhold.components.in_parallel import in_parallel

__all__ = ["do_all"]

A = TypeVar("A")
T = TypeVar("T")
_JOBS = 16
_SMALL_BYTES = 8 * 1024 * 1024


def do_all(work: Callable[[A], T], items: Iterable[A], *, size_bytes: Callable[[A], int]) -> list[T]:
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
