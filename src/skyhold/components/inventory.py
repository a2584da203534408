"""All that a library's history says, read once: heads, versions, and what lies there of content.

Held in memory: about a kilobyte for each version. What cannot be read is told, and keeps nothing else from being read.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from skyhold.components.in_parallel import in_parallel
from skyhold.components.layout import (
    BLOBS,
    DELTAS,
    HEADS,
    PRUNED,
    RESERVED,
    TRASH,
    VERSIONS,
    component_of_head,
    content_of_key,
    head_key,
    is_plain,
    pruned_of_key,
    version_key,
    version_of_key,
)
from skyhold.components.manifest import Head, Version
from skyhold.errors import ComponentNotFoundError, IntegrityError, KeyNotFoundError, MalformedInputError, StorageError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.ranges import KeyRange, divide, list_range, list_ranges

__all__ = [
    "Content",
    "HeadFound",
    "Inventory",
    "Unreadable",
    "list_contents",
    "list_plain",
    "list_pruned",
    "parse_version",
    "read_current",
    "read_head",
    "read_version",
    "read_versions",
    "take_inventory",
]

_LAST_RESERVED = RESERVED + "~~~~"
_JOBS = 64
T = TypeVar("T", Head, Version)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read, or does not say what its key promises.

    Attributes:
        key: Of the record.
        component: Whose it is.
        error: Why.
    """

    key: str
    component: str
    error: Exception

    @property
    def is_damaged(self) -> bool:
        """Whether it was read and is wrong; a store that does not answer says nothing of the record."""
        return isinstance(self.error, MalformedInputError | IntegrityError)


@dataclass(frozen=True, slots=True)
class HeadFound:
    """A head, and the e-tag by which it may be replaced."""

    head: Head
    e_tag: str | None


@dataclass(frozen=True, slots=True)
class Content:
    """Stored content.

    Attributes:
        sha256: Of the content.
        base: Of the content that it is stored against; empty where it lies whole.
        info: The object in which it lies.
    """

    sha256: str
    base: str
    info: ObjectInfo

    @property
    def key(self) -> str:
        """Where it lies."""
        return self.info.key


@dataclass(slots=True)
class Inventory:
    """What a library's history says.

    Attributes:
        heads: By component.
        versions: By component and number.
        unreadable: Heads and versions that could not be read.
        pruned: The numbers of versions that were pruned on purpose, by component.
    """

    heads: dict[str, HeadFound] = field(default_factory=dict[str, HeadFound])
    versions: dict[str, dict[int, Version]] = field(default_factory=dict[str, dict[int, Version]])
    unreadable: list[Unreadable] = field(default_factory=list[Unreadable])
    pruned: dict[str, set[int]] = field(default_factory=dict[str, set[int]])

    @property
    def components(self) -> list[str]:
        """Ids of all that have a head or a version, or the rest of one, sorted."""
        return sorted({*self.heads, *self.versions, *(each.component for each in self.unreadable)})

    def all_versions(self) -> Iterator[Version]:
        """Yield every version that could be read."""
        for numbered in self.versions.values():
            yield from numbered.values()

    def gaps(self, component_id: str) -> list[int]:
        """Return the numbers of versions that must have been there, and are not; those that went unread are."""
        unread = {each.key for each in self.unreadable}
        there = self.versions.get(component_id, {})
        found = self.heads.get(component_id)
        newest = max(*there, found.head.version if found else 0, 0)
        known = there.keys() | self.pruned.get(component_id, set())
        numbers = (number for number in range(1, newest + 1) if number not in known)
        return [number for number in numbers if version_key(component_id, number) not in unread]

    def current(self, component_id: str) -> Version | None:
        """Return the version that counts, or None where there is none."""
        found = self.heads.get(component_id)
        return self.versions.get(component_id, {}).get(found.head.version) if found else None


def read_head(store: Store, component_id: str) -> HeadFound | None:
    """Return the head of a component, or None where there is none: one request.

    Raises:
        MalformedInputError: It is damaged.
        IntegrityError: It is another component's.
    """
    key = head_key(component_id)
    try:
        info, data = store.read_with_info(key)
    except KeyNotFoundError:
        return None
    return HeadFound(_parse_head(key, data), info.e_tag)


def read_version(store: Store, component_id: str, number: int) -> Version:
    """Return a version of a component: one request.

    Raises:
        ComponentNotFoundError: There is no such version.
        MalformedInputError: It is damaged.
        IntegrityError: It is another one.
    """
    key = version_key(component_id, number)
    try:
        return parse_version(key, store.read(key))
    except KeyNotFoundError as error:
        raise ComponentNotFoundError(
            f"{component_id!r} has no version {number}",
            operation="read",
            uri=store.uri_of(key),
            remedy=f"Run: skyhold comp log {store.uri} {component_id}",
        ) from error


def read_current(store: Store, component_id: str) -> Version | None:
    """Return the version of a component that counts, or None where there never was one: two requests."""
    found = read_head(store, component_id)
    return read_version(store, component_id, found.head.version) if found else None


def take_inventory(store: Store, *, jobs: int = _JOBS) -> Inventory:
    """Read all heads and versions of a library: first the heads, so that no head is newer than the versions.

    Raises:
        StorageError: The store cannot be listed.
    """
    inventory = Inventory()
    heads = ((info.key, component) for info in store.list(HEADS) if (component := component_of_head(info.key)))
    for component, found in _read_all(store, heads, _parse_head, jobs, inventory.unreadable):
        inventory.heads[component] = HeadFound(found[0], found[1].e_tag)
    for version in read_versions(store, inventory.unreadable, jobs=jobs):
        inventory.versions.setdefault(version.component, {})[version.number] = version
    inventory.pruned = list_pruned(store)
    return inventory


def list_pruned(store: Store) -> dict[str, set[int]]:
    """Return the numbers of versions that were pruned, by component: by listing alone."""
    found: dict[str, set[int]] = {}
    for info in store.list(PRUNED):
        named = pruned_of_key(info.key)
        if named is not None:
            found.setdefault(named[0], set()).add(named[1])
    return found


def read_versions(
    store: Store, unreadable: list[Unreadable], *, known: Iterable[str] = (), jobs: int = _JOBS
) -> Iterator[Version]:
    """Yield every version of a library, in no order.

    Args:
        store: The library's.
        unreadable: Takes those that could not be read.
        known: Keys to leave out.
        jobs: How many are read at a time.
    """
    known = frozenset(known)
    keys = (
        (info.key, found[0])
        for info in store.list(VERSIONS)
        if info.key not in known and (found := version_of_key(info.key))
    )
    for _, found in _read_all(store, keys, parse_version, jobs, unreadable):
        yield found[0]


def list_contents(store: Store, *, trash: bool = False) -> Iterator[Content]:
    """Yield what lies in a library of content, or in its trash; foreign objects there are passed over."""
    prefixes = (TRASH,) if trash else (BLOBS, DELTAS)
    for prefix in prefixes:
        for info in store.list(prefix):
            name = content_of_key(info.key)
            if name is not None:
                yield Content(name.sha256, name.base, info)


def list_plain(store: Store, prefix: str = "", *, cuts: Sequence[str] = ()) -> Iterator[ObjectInfo]:
    """Return what lies under the plain keys of a library that start with ``prefix``, without listing its history.

    Args:
        store: The library's.
        prefix: Of the keys.
        cuts: Keys between which it is listed at the same time; what is found is held then.
    """
    around = [KeyRange()] if prefix else [KeyRange(None, RESERVED), KeyRange(_LAST_RESERVED)]
    if cuts:
        found = list_ranges(store, prefix, [part for each in around for part in divide(each, cuts)])
    else:
        found = chain.from_iterable(list_range(store, prefix, each) for each in around)
    return (info for info in found if is_plain(info.key))


def _read_all(
    store: Store,
    keys: Iterable[tuple[str, str]],
    parse: Callable[[str, bytes], T],
    jobs: int,
    unreadable: list[Unreadable],
) -> Iterator[tuple[str, tuple[T, ObjectInfo]]]:
    def read(named: tuple[str, str]) -> tuple[T, ObjectInfo] | Exception | None:
        try:
            info, data = store.read_with_info(named[0])
            return parse(named[0], data), info
        except KeyNotFoundError:  # deleted since it was listed
            return None
        except (StorageError, MalformedInputError) as error:
            return error

    for (key, component), result in in_parallel(read, keys, jobs=jobs):
        if isinstance(result, Exception):
            unreadable.append(Unreadable(key, component, result))
        elif result is not None:
            yield component, result


def _parse_head(key: str, data: bytes) -> Head:
    head = Head.from_json(data)
    if head.component != component_of_head(key):
        raise IntegrityError(f"the head under {key!r} says that it is of {head.component!r}", operation="read", uri=key)
    return head


def parse_version(key: str, data: bytes) -> Version:
    """Return what the record under a key says.

    Raises:
        MalformedInputError: It is damaged.
        IntegrityError: It is another version's.
    """
    version = Version.from_json(data)
    if (version.component, version.number) != version_of_key(key):
        found = f"version {version.number} of {version.component!r}"
        raise IntegrityError(f"the record under {key!r} says that it is {found}", operation="read", uri=key)
    return version
