"""Content that no version names, and how it goes without ever hurting somebody who publishes meanwhile.

Content is written before the version that names it, and content that is there already is not written again. So whoever
looks cannot tell garbage from what a publisher is about to name. Therefore it goes in two steps, by the store's clock:

1.  What no version names, and is older than the grace period, is moved to the trash. Versions are then read again: what
    a new one names is moved back at once. (In between it cannot be read.)
2.  What has lain in the trash for a grace period, and still no version names it, is deleted. What a version does name
    is moved back, by this run or, if it is killed, by the next.

Nothing that a version names is ever deleted as long as a publication takes less time than the grace period. Content
that other content is stored against counts as named with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from skyhold.components.inventory import Content, Unreadable, list_contents, read_versions, take_inventory
from skyhold.components.layout import CLOCK, PREVIEWS, RESERVED, TRASH, trash_key, version_key, version_of_key
from skyhold.components.library import Library
from skyhold.components.library_format import LibraryFormat
from skyhold.components.manifest import Version
from skyhold.components.store_clock import store_time
from skyhold.errors import DeleteGuardError, KeyNotFoundError, TransferError
from skyhold.runs.progress import Listener
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.transfer import Transfer, transfer_all

__all__ = ["GRACE", "GarbageReport", "collect_garbage"]

GRACE = timedelta(days=7)
_GUARD_COUNT = 100
_GUARD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class GarbageReport:
    """What became of the content of a library. Keys, sorted; in a dry run, what would become of it.

    Attributes:
        kept: How many objects hold content that versions name, or that such content is stored against.
        young: Content that no version names yet; it is younger than the grace period.
        trashed: Content that was moved to the trash.
        restored: Content that was moved back, since a version names it.
        deleted: What was deleted for good: content that had lain in the trash, and pictures of such content.
        freed_bytes: How much that was.
        trashed_bytes: How much more a later run will free.
        dry_run: Whether nothing was changed.
    """

    kept: int
    young: tuple[str, ...]
    trashed: tuple[str, ...]
    restored: tuple[str, ...]
    deleted: tuple[str, ...]
    freed_bytes: int
    trashed_bytes: int
    dry_run: bool


@dataclass(slots=True)
class _Sorted:
    """Content by what is to become of it."""

    kept: list[Content] = field(default_factory=list[Content])
    young: list[Content] = field(default_factory=list[Content])
    garbage: list[Content] = field(default_factory=list[Content])
    restored: list[Content] = field(default_factory=list[Content])
    deleted: list[Content] = field(default_factory=list[Content])


def collect_garbage(
    library: Library,
    *,
    grace: timedelta = GRACE,
    dry_run: bool = False,
    confirmed: bool = False,
    listeners: Sequence[Listener] = (),
) -> GarbageReport:
    """Move content that no version names to the trash, and delete what has lain there for long enough.

    Versions of deleted components count like all others: they can be restored.

    Args:
        library: Which.
        grace: Longer than any publication takes.
        dry_run: Change nothing (but for one object that is written and deleted to read the store's clock).
        confirmed: Go on even if more than half of all content, and more than 100 objects, would go, or the record of
            a version is lost.
        listeners: Told of progress.

    Raises:
        DeleteGuardError: A version cannot be read, so that nobody knows what it names; or there are no versions at all;
            or one is lost, or too much would go. Nothing was changed.
        TransferError: Some could not be moved; nothing is lost.

    Example:
        >>> library = Library("memory://garbage-example")
        >>> version = library.publish("arm.stl", b"solid arm")
        >>> stored = library.history.put(b"of a publisher who was killed")
        >>> report = collect_garbage(library)
        >>> report.kept, len(report.young), len(report.trashed)
        (1, 1, 0)
    """
    asked = {"library": library.uri, "grace_s": grace.total_seconds(), "dry_run": dry_run}
    with record_run("gc", f"gc {library.uri}", asked=asked, unit="objects", listeners=listeners) as run:
        return _Collection(run.metered(library.store), run, grace).collect(dry_run=dry_run, confirmed=confirmed)


class _Collection:
    """One run of it."""

    def __init__(self, store: Store, run: RunRecorder, grace: timedelta) -> None:
        self._store = store
        self._run = run
        self._grace = grace
        self._named: set[str] = set()
        self._versions: set[str] = set()

    def collect(self, *, dry_run: bool, confirmed: bool) -> GarbageReport:
        LibraryFormat(self._store).check()
        oldest = store_time(self._store) - self._grace
        self._run.progress.step("reading")
        # Content before versions: what is uploaded and named in between was not listed.
        contents = list(list_contents(self._store))
        trash = list(list_contents(self._store, trash=True))
        lost = self._read_records()
        found = self._sort(contents, trash, oldest)
        self._guard(found, len(contents), lost, confirmed=confirmed)
        extra = self._outdated_extras(contents, trash, oldest)
        if not dry_run:
            self._run.progress.step("moving to the trash")
            self._move([(each.key, trash_key(each.key)) for each in found.garbage])
            self._read_new_versions()
            trash += found.garbage
            found = self._sort_trash(found, contents, trash, oldest)
            self._restore(found)
            self._run.progress.step("deleting")
            self._delete([*(trash_key_of(each) for each in found.deleted), *(info.key for info in extra)])
        return _report(found, extra, dry_run=dry_run)

    def _read_records(self) -> str:
        """Take in what versions and heads name; return which version is lost, if any."""
        inventory = take_inventory(self._store)
        # What a head names is named by a version, unless that is lost.
        self._named.update(plain.sha256 for found in inventory.heads.values() for plain in found.head.plain)
        damaged = [each for each in inventory.unreadable if version_of_key(each.key)]
        self._take_in(inventory.all_versions(), damaged)
        lost = ((component, number) for component in inventory.components for number in inventory.gaps(component))
        return next((f"version {number} of {component!r}" for component, number in lost), "")

    def _read_new_versions(self) -> None:
        """Take in what was published meanwhile."""
        unreadable: list[Unreadable] = []
        self._take_in(read_versions(self._store, unreadable, known=self._versions), unreadable)

    def _take_in(self, versions: Iterable[Version], unreadable: list[Unreadable]) -> None:
        for version in versions:
            self._versions.add(version_key(version.component, version.number))
            self._named.update(entry.sha256 for entry in version.files)
        if unreadable:
            first = unreadable[0]
            raise DeleteGuardError(
                f"{len(unreadable)} versions cannot be read, so that nobody knows which content they name; the first: "
                f"{first.error}",
                operation="gc",
                uri=self._store.uri_of(first.key),
                remedy=f"Repair or delete that version first; skyhold comp verify {self._store.uri} shows all of them",
            ) from first.error

    def _sort(self, contents: Sequence[Content], trash: Sequence[Content], oldest: datetime) -> _Sorted:
        found = _Sorted()
        young = {each.sha256 for each in contents if each.info.modified > oldest}
        named = _with_bases(self._named, (*contents, *trash))
        wanted = _with_bases(self._named | young, (*contents, *trash))
        for each in contents:
            if each.sha256 in named:
                found.kept.append(each)
            elif each.sha256 in wanted:
                found.young.append(each)
            else:
                found.garbage.append(each)
        return self._sort_trash(found, contents, trash, oldest)

    def _sort_trash(
        self, found: _Sorted, contents: Sequence[Content], trash: Sequence[Content], oldest: datetime
    ) -> _Sorted:
        """Say what becomes of the trash; ``trash`` may hold content that was moved there just now.

        A young copy is left even where its original is there: another run may be about to delete that.
        """
        fresh = {trash_key_of(each) for each in found.garbage}
        there = {each.key for each in contents} - {each.key for each in found.garbage}
        young = {each.sha256 for each in found.young}
        wanted = _with_bases(self._named | young, (*contents, *trash))
        restored: list[Content] = []
        deleted: list[Content] = []
        for each in trash:
            if each.sha256 in wanted and origin_of(each) not in there:
                restored.append(each)
            elif each.key.startswith(TRASH) and each.key not in fresh and each.info.modified <= oldest:
                deleted.append(each)
        back = {origin_of(each) for each in restored}
        garbage = [each for each in found.garbage if each.key not in back]
        return _Sorted(found.kept, found.young, garbage, restored, deleted)

    def _guard(self, found: _Sorted, count: int, lost: str, *, confirmed: bool) -> None:
        going = len(found.garbage)
        reason = ""
        if going and not self._versions:
            reason = "there are no versions at all, so all content looks like garbage"
        elif going and lost and not confirmed:
            reason = f"{lost} is lost, so that nobody knows which content it named"
        elif going > _GUARD_COUNT and going > count * _GUARD_SHARE and not confirmed:
            reason = f"{going:,} of {count:,} objects would go, which is more than half"
        if reason:
            raise DeleteGuardError(
                reason,
                operation="gc",
                uri=self._store.uri,
                remedy=f"Look at a dry run, and at skyhold comp verify {self._store.uri}; if it is meant, add --yes",
            )

    def _outdated_extras(
        self, contents: Iterable[Content], trash: Iterable[Content], oldest: datetime
    ) -> list[ObjectInfo]:
        """Return pictures of content that is gone, and what broken looks at the clock have left."""
        there = {each.sha256 for each in (*contents, *trash)}
        pictures = (
            info
            for info in self._store.list(PREVIEWS)
            if info.key.rpartition("/")[2].partition(".")[0] not in there | self._named
        )
        return [info for info in (*pictures, *self._store.list(CLOCK)) if info.modified <= oldest]

    def _restore(self, found: _Sorted) -> None:
        self._run.progress.step("moving back")
        self._move([(trash_key_of(each), origin_of(each)) for each in found.restored])

    def _move(self, moves: Sequence[tuple[str, str]]) -> None:
        transfers = [Transfer(self._store, source, self._store, target) for source, target in moves]
        try:
            transfer_all(transfers)
        except TransferError as error:
            failures = {uri: each for uri, each in error.failures.items() if not isinstance(each, KeyNotFoundError)}
            if failures:
                raise
            # Another run was here and has moved those already: nothing of them is left to delete.
        self._store.delete([source for source, _ in moves])
        self._run.progress.advance(len(moves))

    def _delete(self, keys: Sequence[str]) -> None:
        self._store.delete(keys)
        self._run.progress.advance(len(keys))


def origin_of(content: Content) -> str:
    """Return where content lies that is not in the trash."""
    return RESERVED + content.key.removeprefix(TRASH).removeprefix(RESERVED)


def trash_key_of(content: Content) -> str:
    """Return where content lies once it is in the trash."""
    return trash_key(origin_of(content))


def _with_bases(named: Iterable[str], contents: Iterable[Content]) -> set[str]:
    """Return hashes, and those of all content that theirs is stored against."""
    bases: dict[str, list[str]] = {}
    for each in contents:
        if each.base:
            bases.setdefault(each.sha256, []).append(each.base)
    closed: set[str] = set()
    left = list(named)
    while left:
        sha256 = left.pop()
        if sha256 not in closed:
            closed.add(sha256)
            left += bases.get(sha256, ())
    return closed


def _report(found: _Sorted, extra: Sequence[ObjectInfo], *, dry_run: bool) -> GarbageReport:
    freed = [*(each.info for each in found.deleted), *extra]
    return GarbageReport(
        kept=len(found.kept),
        young=_keys(found.young),
        trashed=_keys(found.garbage),
        restored=tuple(sorted(origin_of(each) for each in found.restored)),
        deleted=tuple(sorted(info.key for info in freed)),
        freed_bytes=sum(info.size_bytes for info in freed),
        trashed_bytes=sum(each.info.size_bytes for each in found.garbage),
        dry_run=dry_run,
    )


def _keys(contents: Iterable[Content]) -> tuple[str, ...]:
    return tuple(sorted(each.key for each in contents))
