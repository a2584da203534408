"""A library with its history, copied to another store, and back.

Contents go first, then versions in their order, then heads and plain files: whatever is killed, the target is a library
at any moment, and the next run goes on. Nothing at the target is overwritten but its heads, and plain files that nobody
else has written. What is there already is not sent again: two listings tell it.

Locks, the trash, and edits by other programs that are no versions yet stay where they are. What was pruned at the
target does not come back; what was pruned at the source stays at the target.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from skyhold.components.ancestors import check_place
from skyhold.components.history import History
from skyhold.components.in_parallel import in_parallel
from skyhold.components.inventory import (
    Content,
    list_contents,
    list_pruned,
    parse_version,
    read_head,
    read_version,
)
from skyhold.components.layout import (
    HEADS,
    NEEDED,
    PREVIEWS,
    PRUNED,
    VERSIONS,
    component_of_head,
    version_key,
    version_of_key,
)
from skyhold.components.ledger import Ledger
from skyhold.components.library import Library
from skyhold.components.library_format import LibraryFormat
from skyhold.components.manifest import Version
from skyhold.components.replicating import Divergence, Replication
from skyhold.errors import AlreadyExistsError, BadOptionError, IntegrityError, SkyholdError, TransferError
from skyhold.runs.progress import Listener
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.transfer import Transfer, transfer_all

__all__ = ["Divergence", "Replication", "replicate_library"]

_JOBS = 64
_BATCH = 1000


def replicate_library(
    source: Library, target: Library, *, dry_run: bool = False, listeners: Sequence[Listener] = ()
) -> Replication:
    """Copy to ``target`` what ``source`` has and it has not.

    Every content that is sent is hashed on its way, or read back. A component of which both sides have different
    versions under one number is left alone. Names of versions are those of the source, unless the target has newer
    versions.

    Args:
        source: The library that is read.
        target: The library that is written; may be empty.
        dry_run: Write nothing.
        listeners: Told of progress, in bytes.

    Returns:
        What was done; a component that failed does not keep the others from being copied.

    Raises:
        BadOptionError: They are one and the same.
        StorageError: One of them cannot be listed.

    Example:
        >>> library, backup = Library("memory://replicate-example"), Library("memory://replicate-backup")
        >>> version = library.publish("arm.stl", b"solid arm")
        >>> replicate_library(library, backup).versions, backup.read("arm.stl")
        ({'arm.stl': (1,)}, b'solid arm')
        >>> replicate_library(library, backup).versions
        {}
    """
    if source.store.place_of("x") == target.store.place_of("x"):
        raise BadOptionError(f"{source.uri!r} cannot be copied onto itself", remedy="Name another place")
    asked = {"source": source.uri, "target": target.uri, "dry_run": dry_run}
    name = f"replicate {source.uri} → {target.uri}"
    with record_run("replicate", name, asked=asked, unit="bytes", listeners=listeners) as run:
        return _Copying(source, target, run).copy(dry_run=dry_run)


_Listed = dict[str, dict[int, ObjectInfo]]
"""Records of versions, by component and number."""


@dataclass(slots=True)
class _Plan:
    """What is to be copied.

    Attributes:
        versions: The numbers that the target has not, by component, in their order.
        contents: Objects of content that the target has not.
        extras: Pictures and marks that the target has not.
        settled: Components without new versions that have no head at the target.
        begun: Components that begin to be at the target, beside others.
    """

    versions: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    contents: list[Content] = field(default_factory=list[Content])
    extras: list[ObjectInfo] = field(default_factory=list[ObjectInfo])
    settled: set[str] = field(default_factory=set[str])
    begun: set[str] = field(default_factory=set[str])


class _Copying:
    """One replication."""

    def __init__(self, source: Library, target: Library, run: RunRecorder) -> None:
        self._from = run.metered(source.store)
        self._to = run.metered(target.store)
        self._target = Library(self._to, author=target.author)
        self._uris = source.uri, target.uri
        self._run = run
        self._components: set[str] = set()
        self._diverged: dict[str, Divergence] = {}
        self._failed: dict[str, str] = {}
        self._ahead: set[str] = set()
        self._copied: dict[str, tuple[int, ...]] = {}
        self._tags: dict[str, tuple[str, ...]] = {}

    def copy(self, *, dry_run: bool) -> Replication:
        self._run.progress.step("comparing")
        LibraryFormat(self._from).check()
        LibraryFormat(self._to).check(create=not dry_run)
        plan = self._plan()
        size_bytes = sum(each.info.size_bytes for each in plan.contents)
        if dry_run:
            self._copied = {component: tuple(numbers) for component, numbers in plan.versions.items()}
        else:
            self._run.progress.advance(total=size_bytes)
            self._run.progress.step("copying contents")
            broken = self._copy_contents(plan.contents)
            transfer_all([Transfer(self._from, each.key, self._to, each.key, each) for each in plan.extras])
            self._run.progress.step("copying versions")
            self._copy_components(plan, broken)
            self._copy_tags()
        return Replication(
            source=self._uris[0],
            target=self._uris[1],
            versions=dict(sorted(self._copied.items())),
            contents=len(plan.contents),
            bytes_copied=size_bytes,
            tags=dict(sorted(self._tags.items())),
            ahead=tuple(sorted(self._ahead)),
            diverged=tuple(each for _, each in sorted(self._diverged.items())),
            failed=dict(sorted(self._failed.items())),
            dry_run=dry_run,
        )

    def _plan(self) -> _Plan:
        # Versions before contents: what the versions name that are seen, is there by then.
        here, there = _list_versions(self._from), _list_versions(self._to)
        self._compare(here, there)
        self._components = here.keys() - self._diverged.keys() - self._failed.keys()
        plan = _Plan(begun=self._components - there.keys() if there else set())
        pruned = list_pruned(self._to)
        for component in self._components:
            known = there.get(component, {}).keys() | pruned.get(component, set())
            missing = sorted(here[component].keys() - known)
            if missing:
                plan.versions[component] = missing
            if max(there.get(component, {}), default=0) > max(here[component]):
                self._ahead.add(component)
        heads = {component_of_head(info.key) for info in self._to.list(HEADS)}
        plan.settled = self._components - heads - plan.versions.keys()
        plan.contents = list(self._missing_contents())
        plan.extras = [each for prefix in (NEEDED, PREVIEWS, PRUNED) for each in self._missing(prefix)]
        return plan

    def _missing_contents(self) -> Iterator[Content]:
        there: dict[str, set[str]] = {}
        for each in list_contents(self._to):
            there.setdefault(each.sha256, set()).add(each.base)
        for each in list_contents(self._from):
            forms = there.get(each.sha256, set())
            if "" not in forms and each.base not in forms:
                yield each

    def _missing(self, prefix: str) -> list[ObjectInfo]:
        there = {info.key for info in self._to.list(prefix)}
        return [info for info in self._from.list(prefix) if info.key not in there]

    def _compare(self, here: _Listed, there: _Listed) -> None:
        """Find components that contradict each other; records with one e-tag and size are the same."""
        both = [
            (component, number)
            for component, versions in here.items()
            for number, info in versions.items()
            if (other := there.get(component, {}).get(number)) is not None
            and (info.e_tag is None or (info.e_tag, info.size_bytes) != (other.e_tag, other.size_bytes))
        ]
        for (component, number), result in in_parallel(self._difference, both, jobs=_JOBS):
            if isinstance(result, Exception):
                self._failed[component] = str(result)
            elif result:
                before = self._diverged.get(component)
                if before is None or number < before.version:
                    self._diverged[component] = Divergence(component, number, result)

    def _difference(self, named: tuple[str, int]) -> str | Exception:
        component, number = named
        try:
            ours, theirs = (read_version(store, component, number) for store in (self._from, self._to))
        except SkyholdError as error:
            return error
        return "" if ours == theirs else _contradiction(ours, theirs)

    def _copy_contents(self, contents: Sequence[Content]) -> dict[str, str]:
        """Copy contents; return the hashes of those that could not be, with the reason."""
        broken: dict[str, str] = {}
        for kind in ([each for each in contents if not each.base], [each for each in contents if each.base]):
            for start in range(0, len(kind), _BATCH):
                broken |= self._copy_batch(kind[start : start + _BATCH])
        return broken

    def _copy_batch(self, batch: Sequence[Content]) -> dict[str, str]:
        """Copy contents of one kind. Whole ones are hashed on their way; of the others only a second reading tells."""
        named = {self._from.uri_of(each.key): each for each in batch}
        transfers = [Transfer(self._from, each.key, self._to, each.key, each.info) for each in batch]
        failures: dict[str, str] = {}
        try:
            moved = transfer_all(transfers, verify=bool(batch[0].base), on_moved=self._told)
        except TransferError as error:
            failures = {named[uri].sha256: str(failure) for uri, failure in error.failures.items()}
            arrived = [each for each in batch if each.sha256 not in failures and not each.base]
            wrong = [each for each in arrived if not self._is_sound(each)]
        else:
            hashes = {each.transfer.source_key: each.sha256 for each in moved}
            wrong = [each for each in batch if not each.base and hashes[each.key] != each.sha256]
        self._to.delete([each.key for each in wrong])
        return failures | {each.sha256: f"{each.key!r} has not the hash that it is named by" for each in wrong}

    def _is_sound(self, content: Content) -> bool:
        try:
            History(self._to).check(content.sha256)
        except IntegrityError:
            return False
        return True

    def _told(self, size_bytes: int, objects: int) -> None:
        self._run.progress.advance(size_bytes, objects=objects)

    def _copy_components(self, plan: _Plan, broken: dict[str, str]) -> None:
        usable = _usable(list_contents(self._to))
        wanted = [(component, plan.versions.get(component, [])) for component in {*plan.versions, *plan.settled}]

        def copy(named: tuple[str, list[int]]) -> None:
            component, numbers = named
            try:
                if component in plan.begun:
                    check_place(Ledger(self._to), component)
                self._copy_versions(component, numbers, usable, broken)
            except (SkyholdError, OSError) as error:
                self._failed[component] = str(error)
            try:
                if component in self._copied or component in plan.settled:
                    self._target.reconcile(component, gone_is_deleted=False)
            except (SkyholdError, OSError) as error:
                self._failed.setdefault(component, str(error))

        for _ in in_parallel(copy, wanted, jobs=_JOBS):
            pass

    def _copy_versions(self, component: str, numbers: Iterable[int], usable: set[str], broken: dict[str, str]) -> None:
        """Copy versions in their order, so that there is never one without those before."""
        for number in numbers:
            key = version_key(component, number)
            data = self._from.read(key)
            version = parse_version(key, data)
            lost = next((each.sha256 for each in version.files if each.sha256 not in usable), None)
            if lost is not None:
                reason = broken.get(lost, f"its content with SHA-256 {lost} is not at the source")
                raise IntegrityError(
                    f"version {number}: {reason}", operation="replicate", uri=self._from.uri_of(component)
                )
            try:
                self._to.write(key, data, if_absent=True)
            except AlreadyExistsError:
                theirs = read_version(self._to, component, number)
                if theirs != version:
                    self._diverged[component] = Divergence(component, number, _contradiction(version, theirs))
                    return
            self._copied[component] = (*self._copied.get(component, ()), number)

    def _copy_tags(self) -> None:
        components = sorted(self._components - self._diverged.keys() - self._failed.keys())
        for component, result in in_parallel(self._copy_tags_of, components, jobs=_JOBS):
            if isinstance(result, Exception):
                self._failed[component] = str(result)
            elif result:
                self._tags[component] = result

    def _copy_tags_of(self, component: str) -> tuple[str, ...] | Exception:
        try:
            found = read_head(self._from, component)
            if found is None or not found.head.tags:
                return ()
            there = self._target.head(component)[0].tags
            is_ahead = component in self._ahead
            changed = {
                tag: number
                for tag, number in found.head.tags.items()
                if there.get(tag) != number and not (tag in there and is_ahead)
            }
            for tag, number in changed.items():
                self._target.tag(component, tag, number)
            return tuple(sorted(changed))
        except SkyholdError as error:
            return error


def _list_versions(store: Store) -> _Listed:
    found: _Listed = {}
    for info in store.list(VERSIONS):
        named = version_of_key(info.key)
        if named is not None:
            found.setdefault(named[0], {})[named[1]] = info
    return found


def _usable(contents: Iterable[Content]) -> set[str]:
    """Return the hashes of content that lies whole, or is stored against such content."""
    against: dict[str, list[str]] = {}
    left: list[str] = []
    for each in contents:
        if each.base:
            against.setdefault(each.base, []).append(each.sha256)
        else:
            left.append(each.sha256)
    usable: set[str] = set()
    while left:
        sha256 = left.pop()
        if sha256 not in usable:
            usable.add(sha256)
            left += against.get(sha256, ())
    return usable


def _contradiction(ours: Version, theirs: Version) -> str:
    described = (f"by {each.author!r} at {each.created:%Y-%m-%d %H:%M:%S %Z}" for each in (ours, theirs))
    return "version {} is {} at the source, and {} at the target".format(ours.number, *described)
