"""A library seen screen by screen: its components, and who published each last, when and why."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from skyhold.components.library import Library
from skyhold.components.listing import ComponentInfo
from skyhold.components.lock_note import Lock
from skyhold.components.manifest import Version
from skyhold.errors import ComponentNotFoundError, MalformedInputError
from skyhold.execution.waiting import wait_for

__all__ = ["Overview", "SeenComponent", "look_over"]

_JOBS = 32


@dataclass(frozen=True, slots=True)
class SeenComponent:
    """A component at a glance.

    Attributes:
        info: What its head tells.
        newest: Its newest version; None where that cannot be read.
        lock: Who works on it; None where nobody does.
    """

    info: ComponentInfo
    newest: Version | None
    lock: Lock | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """A screenful of components, by id.

    Attributes:
        components: They.
        after: What to give to see the next ones; None where there are no more.
    """

    components: tuple[SeenComponent, ...]
    after: str | None = None


def look_over(
    library: Library, prefix: str = "", *, after: str | None = None, limit: int = 100, deleted: bool = False
) -> Overview:
    """Return the components whose id starts with ``prefix``; a few requests for each that is returned.

    Args:
        library: Where they are.
        prefix: Any text.
        after: What the screenful before said.
        limit: How many at most.
        deleted: Tell those that were deleted too.

    Example:
        >>> library = Library("memory://overview-example", author="ann")
        >>> for name in ("arm.stl", "hand.stl", "leg.stl"):
        ...     _ = library.publish(name, b"solid", message=f"a first {name}")
        >>> first = look_over(library, limit=2)
        >>> [each.newest.message for each in first.components], first.after
        (['a first arm.stl', 'a first hand.stl'], 'hand.stl')
        >>> look_over(library, after=first.after).after is None
        True
    """
    listed = library.list(prefix, deleted=deleted, after=after or "")
    found = list(islice(listed, limit))
    more = bool(found) and next(listed, None) is not None
    locks = {lock.component: lock for lock in library.locks.list(prefix)} if found else {}
    newest = _newest(library, found)
    seen = tuple(SeenComponent(info, version, locks.get(info.component)) for info, version in newest)
    return Overview(seen, found[-1].component if more else None)


def _newest(library: Library, found: list[ComponentInfo]) -> Iterator[tuple[ComponentInfo, Version | None]]:
    with ThreadPoolExecutor(min(library.store.concurrency, _JOBS), thread_name_prefix="skyhold-overview") as pool:
        reading = [None if info.fault else pool.submit(library.info, info.component, info.version) for info in found]
        wait_for([each for each in reading if each is not None])
    for info, future in zip(found, reading, strict=True):
        yield info, _read(future) if future is not None else None


def _read(future: Future[Version]) -> Version | None:
    try:
        return future.result()
    except (ComponentNotFoundError, MalformedInputError):  # the others can be shown all the same
        return None
