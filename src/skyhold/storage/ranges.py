"""Listings of several ranges of keys at a time, where some keys are known beforehand."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from skyhold.execution.waiting import wait_for
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["KeyRange", "divide", "list_range", "list_ranges"]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """The keys behind one key, up to another one with it; None for no bound."""

    after: str | None = None
    until: str | None = None


def divide(whole: KeyRange, cuts: Sequence[str]) -> list[KeyRange]:
    """Return the parts of a range between keys, in whatever order these are; those outside of it do not matter.

    Example:
        >>> [(part.after, part.until) for part in divide(KeyRange("b", None), ["a", "k", "t"])]
        [('b', 'k'), ('k', 't'), ('t', None)]
    """
    after, until = whole.after, whole.until
    inside = sorted(cut for cut in {*cuts} if (after is None or cut > after) and (until is None or cut < until))
    return [KeyRange(*ends) for ends in pairwise([after, *inside, until])]


def list_ranges(store: Store, prefix: str, ranges: Sequence[KeyRange]) -> Iterator[ObjectInfo]:
    """List ranges of keys at the same time, and yield their objects in the order of the ranges.

    A service answers a page at a time, and says with each where the next begins: so a listing of 100,000 keys takes 100
    answers, one after the other. Ranges are listed side by side, each of them held until its turn comes. One that ends
    where a page ends costs no request more.

    Args:
        store: Should be one that `lists_from_anywhere`.
        prefix: Of the keys.
        ranges: What to list.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://ranges-example")
        >>> for key in "abcd":
        ...     _ = store.write(key, b"")
        >>> [info.key for info in list_ranges(store, "", divide(KeyRange(), ["b"]))]
        ['a', 'b', 'c', 'd']
    """
    with ThreadPoolExecutor(max(1, len(ranges)), thread_name_prefix="skyhold-list") as pool:
        parts = [pool.submit(_list_whole, store, prefix, each) for each in ranges]
        for part in parts:
            wait_for([part])
            yield from part.result()


def list_range(store: Store, prefix: str, keys: KeyRange) -> Generator[ObjectInfo]:
    """List one range of keys, a page at a time."""
    until = keys.until
    for page in store.list_pages(prefix, start_after=keys.after):
        if until is None:
            yield from page.objects
            continue
        # Each by itself: a page is in order but for an object `name/`, which is listed as `name`, behind `name-x`.
        yield from [info for info in page.objects if info.key <= until]
        if page.objects and page.objects[-1].key >= until:
            return


def _list_whole(store: Store, prefix: str, keys: KeyRange) -> list[ObjectInfo]:
    return list(list_range(store, prefix, keys))
