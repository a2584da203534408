"""Old versions let go by a rule, so that their content can be freed: never one that anything still points to.

A pruned version's record is moved aside, as it is: who made it, when and why stays known, and its number is never given
again. Its content is left to garbage collection, which keeps what other versions name, and what such content is stored
against, and frees the rest after its grace period.

What always stays: the version that counts, and whatever is newer; versions that have a name; those that a version of
any component needs by their number; of a deleted component the last version with files, so that it can be undeleted.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skyhold.components.in_parallel import in_parallel
from skyhold.components.inventory import Inventory, Unreadable, read_head, read_versions, take_inventory
from skyhold.components.layout import VERSIONS, pruned_key, version_key
from skyhold.components.library import Library
from skyhold.components.library_format import LibraryFormat
from skyhold.components.manifest import Version
from skyhold.components.store_clock import store_time
from skyhold.errors import BadOptionError, ComponentNotFoundError, DeleteGuardError
from skyhold.runs.progress import Listener
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.storage.contract import Store

__all__ = ["PruneReport", "prune_library"]

_JOBS = 32
_NOW_OR_LATER = datetime.max.replace(tzinfo=UTC)

Numbers = dict[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class PruneReport:
    """What became of the versions of a library.

    Attributes:
        pruned: The numbers that went, by component; in a dry run, that would go.
        kept: How many versions stay.
        brought_back: What somebody has given a name, or needed, while it went: it was moved back.
        dry_run: Whether nothing was changed.
    """

    pruned: Mapping[str, tuple[int, ...]]
    kept: int
    brought_back: Mapping[str, tuple[int, ...]]
    dry_run: bool

    @property
    def count(self) -> int:
        """How many versions went."""
        return sum(map(len, self.pruned.values()))


def prune_library(
    library: Library,
    *,
    keep_last: int | None = None,
    older_than: timedelta | None = None,
    components: Collection[str] | None = None,
    dry_run: bool = True,
    listeners: Sequence[Listener] = (),
) -> PruneReport:
    """Let old versions go by a rule; `collect_garbage` frees their content. Given both, both must be true of each.

    Args:
        library: Which.
        keep_last: How many of the newest versions of each component stay; 1 or more.
        older_than: Only versions that were made, and written to this store, longer ago.
        components: Only versions of these; of all if not given.
        dry_run: Change nothing: what happens unless it is said otherwise.
        listeners: Told of progress.

    Raises:
        BadOptionError: There is no rule, or it would keep nothing.
        ComponentNotFoundError: One of the components is not there.
        DeleteGuardError: A record cannot be read, so that nobody knows what it points to. Nothing was changed.

    Example:
        >>> library = Library("memory://prune-example")
        >>> numbers = [library.publish("arm.stl", text.encode()).number for text in ("one", "two", "three")]
        >>> prune_library(library, keep_last=1, dry_run=False).pruned
        {'arm.stl': (1, 2)}
        >>> [version.number for version in library.log("arm.stl")]
        [3]
    """
    if keep_last is None and older_than is None:
        raise BadOptionError("nothing says which versions are old", remedy="Give keep_last=…, older_than=…, or both")
    if keep_last is not None and keep_last < 1:
        raise BadOptionError(f"keep_last={keep_last} would keep nothing", remedy="Give 1 or more")
    asked = {"library": library.uri, "keep_last": keep_last, "older_than": older_than, "dry_run": dry_run}
    asked = {name: str(value) if isinstance(value, timedelta) else value for name, value in asked.items()}
    with record_run("prune", f"prune {library.uri}", asked=asked, unit="versions", listeners=listeners) as run:
        store = run.metered(library.store)
        LibraryFormat(store).check()
        return _Pruning(store, run, keep_last or 1, older_than, components).prune(dry_run=dry_run)


class _Pruning:
    """One run of it."""

    def __init__(
        self,
        store: Store,
        run: RunRecorder,
        keep_last: int,
        older_than: timedelta | None,
        components: Collection[str] | None,
    ) -> None:
        self._store = store
        self._run = run
        self._keep_last = keep_last
        self._older_than = older_than
        self._components = components

    def prune(self, *, dry_run: bool) -> PruneReport:
        self._run.progress.step("reading")
        inventory = take_inventory(self._store)
        self._check(inventory)
        going = self._choose(inventory)
        count = sum(map(len, going.values()))
        back: Numbers = {}
        if not dry_run:
            self._run.progress.advance(total=count)
            self._run.progress.step("pruning")
            self._move(going)
            back = self._bring_back(inventory, going)
            going = _without(going, back)
            count = sum(map(len, going.values()))
        return PruneReport(going, sum(1 for _ in inventory.all_versions()) - count, back, dry_run)

    def _check(self, inventory: Inventory) -> None:
        if inventory.unreadable:
            raise self._unread(inventory.unreadable[0])
        for component in self._components or ():
            if component not in inventory.versions:
                raise ComponentNotFoundError(
                    f"there is no component {component!r}", operation="prune", uri=self._store.uri_of(component)
                )

    def _choose(self, inventory: Inventory) -> Numbers:
        pinned = _pinned(inventory.all_versions())
        written = self._written() if self._older_than is not None else {}
        end = store_time(self._store) - self._older_than if self._older_than is not None else None
        found: Numbers = {}
        for component, numbered in sorted(inventory.versions.items()):
            head = inventory.heads.get(component)
            if head is None or (self._components is not None and component not in self._components):
                continue
            kept = {*head.head.tags.values(), *pinned.get(component, ()), *_restorable(numbered, head.head.version)}
            old = [number for number in sorted(numbered) if number <= head.head.version][: -self._keep_last]
            going = [
                number
                for number in old
                if number not in kept
                and (
                    end is None
                    or max(numbered[number].created, written.get(version_key(component, number), _NOW_OR_LATER)) < end
                )
            ]
            if going:
                found[component] = tuple(going)
        return found

    def _written(self) -> dict[str, datetime]:
        """Return when each record was written, by the store's clock; that of whoever made a version may be wrong."""
        return {info.key: info.modified for info in self._store.list(VERSIONS)}

    def _move(self, going: Numbers) -> None:
        def move(named: tuple[str, int]) -> None:
            self._store.copy(version_key(*named), pruned_key(*named))
            self._store.delete(version_key(*named))

        for _ in in_parallel(move, _each(going), jobs=_JOBS):
            self._run.progress.advance(1)

    def _bring_back(self, before: Inventory, going: Numbers) -> Numbers:
        """Move back what somebody has given a name, or needed, while it went; return what that was."""
        named = {component: set(numbers) for component, numbers in self._tagged(going)}
        unreadable: list[Unreadable] = []
        known = [version_key(each.component, each.number) for each in before.all_versions()]
        for component, numbers in _pinned(read_versions(self._store, unreadable, known=known)).items():
            named.setdefault(component, set()).update(numbers)
        back = {
            component: tuple(sorted(named.get(component, set()) & {*numbers})) for component, numbers in going.items()
        }
        back = {component: numbers for component, numbers in back.items() if numbers}
        for component, number in _each(back):
            self._store.copy(pruned_key(component, number), version_key(component, number))
            self._store.delete(pruned_key(component, number))
        if unreadable:
            raise self._unread(unreadable[0])
        return back

    def _tagged(self, going: Numbers) -> Iterator[tuple[str, Collection[int]]]:
        for component, found in in_parallel(lambda component: read_head(self._store, component), going, jobs=_JOBS):
            yield component, found.head.tags.values() if found else ()

    def _unread(self, each: Unreadable) -> DeleteGuardError:
        error = DeleteGuardError(
            f"a record cannot be read, so that nobody knows what it points to: {each.error}",
            operation="prune",
            uri=self._store.uri_of(each.key),
            remedy=f"Run: skyhold comp repair {self._store.uri}; skyhold comp verify shows all that is wrong",
        )
        error.__cause__ = each.error
        return error


def _pinned(versions: Iterator[Version]) -> dict[str, set[int]]:
    """Return the versions that others need by their number."""
    found: dict[str, set[int]] = {}
    for version in versions:
        for each in version.dependencies:
            if each.version is not None:
                found.setdefault(each.component, set()).add(each.version)
    return found


def _restorable(numbered: Mapping[int, Version], current: int) -> list[int]:
    """Return the last version with files, where the one that counts says that the component was deleted."""
    if current not in numbered or not numbered[current].is_deleted:
        return []
    return [number for number in sorted(numbered) if number < current and not numbered[number].is_deleted][-1:]


def _each(numbers: Mapping[str, Collection[int]]) -> list[tuple[str, int]]:
    return [(component, number) for component, some in numbers.items() for number in some]


def _without(going: Numbers, back: Numbers) -> Numbers:
    left = {
        component: tuple(each for each in some if each not in back.get(component, ()))
        for component, some in going.items()
    }
    return {component: some for component, some in left.items() if some}
