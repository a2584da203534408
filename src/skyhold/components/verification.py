"""Is a library still what it says? Every record is read, every content hashed, every plain file compared.

What could not be read is told as such: it is not verified. Others may publish meanwhile: a component whose head has
changed since it was read is not judged by its plain files.
"""

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from skyhold.components.findings import Finding, LibraryVerification, holders
from skyhold.components.history import History
from skyhold.components.in_parallel import in_parallel
from skyhold.components.inventory import (
    Content,
    HeadFound,
    Inventory,
    list_contents,
    list_plain,
    read_head,
    take_inventory,
)
from skyhold.components.layout import blob_key, plain_key
from skyhold.components.library import Library
from skyhold.components.library_format import LibraryFormat
from skyhold.components.manifest import FileEntry
from skyhold.components.record_checks import check_records, how_to_repair
from skyhold.errors import IntegrityError, KeyNotFoundError, PreconditionFailedError, SkyholdError
from skyhold.runs.progress import Listener
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Finding", "LibraryVerification", "verify_library"]

_BLOCK_BYTES = 8 * 1024 * 1024
_JOBS = 8
_TOGETHER = 2  # content that is stored against other content needs both in memory
_TAKE_OVER = "Nothing is lost: the next publication or sync makes it a version"


def verify_library(
    library: Library, *, quick: bool = False, jobs: int = _JOBS, listeners: Sequence[Listener] = ()
) -> LibraryVerification:
    """Look at all of a library, and return what was found.

    Args:
        library: Which.
        quick: Read the records only: of contents and plain files, look at names, sizes and e-tags.
        jobs: How many contents are read at a time, of those that are stored against others two at most. Each takes a
            few blocks of 8 MiB; those two take what putting them together takes.
        listeners: Told of progress, in bytes.

    Raises:
        StorageError: The store cannot be listed.

    Example:
        >>> library = Library("memory://verify-example")
        >>> version = library.publish("arm.stl", b"solid arm")
        >>> report = verify_library(library)
        >>> report.ok, report.contents_verified, report.plain_verified
        (True, 1, 1)
    """
    asked = {"library": library.uri, "quick": quick}
    with record_run("verify", f"verify {library.uri}", asked=asked, unit="bytes", listeners=listeners) as run:
        return _Look(run.metered(library.store), run, jobs, quick=quick).look()


@dataclass(frozen=True, slots=True)
class _Plain:
    """A plain file that there should be, and what was listed under its key."""

    component: str
    head: HeadFound
    entry: FileEntry
    found: ObjectInfo | None

    @property
    def is_as_written(self) -> bool:
        """Whether nobody has written it since skyhold did."""
        known = {each.name: each.e_tag for each in self.head.head.plain}.get(self.entry.name)
        return self.found is not None and known is not None and known == self.found.e_tag


class _Look:
    """One look."""

    def __init__(self, store: Store, run: RunRecorder, jobs: int, *, quick: bool) -> None:
        self._store = store
        self._history = History(store)
        self._run = run
        self._jobs = jobs
        self._quick = quick
        self._repair = how_to_repair(store.uri)
        self._counting = threading.Lock()
        self._putting_together = threading.Semaphore(_TOGETHER)
        self._bytes_read = 0
        self._findings: list[Finding] = []

    def look(self) -> LibraryVerification:
        LibraryFormat(self._store).check()
        self._run.progress.step("reading what is written of versions")
        # Plain files first, then heads: what is published in between has a newer head, and is told by that.
        plain = {info.key: info for info in list_plain(self._store)}
        inventory = take_inventory(self._store)
        self._findings += self._still_so(inventory)
        verified = self._look_at_contents(inventory)
        wanted = list(_wanted(inventory, plain))
        plain_verified = self._look_at_plain(wanted)
        self._findings += [each for each in _written_since_deleted(inventory, plain) if self._is_there(each.key)]
        return LibraryVerification(
            uri=self._store.uri,
            components=len(inventory.components),
            versions=sum(1 for _ in inventory.all_versions()),
            contents=len(holders(inventory.all_versions())),
            contents_verified=verified,
            plain_files=len(wanted),
            plain_verified=plain_verified,
            bytes_read=self._bytes_read,
            quick=self._quick,
            findings=tuple(sorted(self._findings, key=lambda each: (each.component, each.what, each.key))),
        )

    def _still_so(self, inventory: Inventory) -> list[Finding]:
        """Return what does not fit together, but for what somebody has just published."""
        return [
            each
            for each in check_records(inventory, self._store.uri)
            if each.what not in {"head missing", "head behind"}
            or not self._has_moved(each.component, inventory.heads.get(each.component))
        ]

    def _is_there(self, key: str) -> bool:
        """Return whether what was listed is still there, as far as the store lets us know."""
        try:
            return self._store.exists(key)
        except SkyholdError:
            return True

    def _has_moved(self, component: str, before: HeadFound | None) -> bool:
        """Return whether somebody has published meanwhile; what cannot be read says nothing of that."""
        try:
            now = read_head(self._store, component)
        except SkyholdError:
            return False
        return (now and now.e_tag) != (before and before.e_tag)

    def _look_at_contents(self, inventory: Inventory) -> int:
        self._run.progress.step("hashing contents")
        held = holders(inventory.all_versions())
        sizes = {entry.sha256: entry.size_bytes for each in inventory.all_versions() for entry in each.files}
        stored: dict[str, list[Content]] = {}
        for content in list_contents(self._store):
            stored.setdefault(content.sha256, []).append(content)
        trash = {each.sha256 for each in list_contents(self._store, trash=True)}
        self._run.progress.advance(total=0 if self._quick else sum(sizes.values()))

        def read(sha256: str) -> Exception | None:
            return self._read_content(sha256, stored.get(sha256, []), sizes[sha256])

        verified = 0
        for sha256, error in in_parallel(read, held, jobs=self._jobs):
            if error is None:
                verified += not self._quick
                continue
            where = "stored" if sha256 in stored else "trash" if sha256 in trash else "nowhere"
            self._findings += [
                _of_content(component, numbers, blob_key(sha256), error, where)
                for component, numbers in held[sha256].items()
            ]
        return verified

    def _read_content(self, sha256: str, stored: Sequence[Content], size_bytes: int) -> Exception | None:
        try:
            if not stored:
                return IntegrityError(f"no content with SHA-256 {sha256} lies in the history")
            whole = next((each for each in stored if not each.base), None)
            if whole is not None and whole.info.size_bytes != size_bytes:
                return IntegrityError(f"it has {whole.info.size_bytes} bytes, promised {size_bytes}")
            if self._quick:
                return None
            with nullcontext() if whole is not None else self._putting_together:
                found = self._history.check(sha256)
            self._count(found)
            return None if found == size_bytes else IntegrityError(f"it has {found} bytes, promised {size_bytes}")
        except (SkyholdError, OSError) as error:
            return error

    def _look_at_plain(self, wanted: Sequence[_Plain]) -> int:
        self._run.progress.step("comparing plain files")
        if not self._quick:
            self._run.progress.advance(total=self._run.progress.done + sum(each.entry.size_bytes for each in wanted))
        verified = 0
        for each, finding in in_parallel(self._compare_plain, wanted, jobs=self._jobs):
            if finding is None:
                verified += 1
            elif finding.level == "unread" or not self._has_moved(each.component, each.head):
                self._findings.append(finding)
        return verified

    def _compare_plain(self, plain: _Plain) -> Finding | None:
        entry, key = plain.entry, plain_key(plain.component, plain.entry.name)
        numbers = (plain.head.head.version,)
        try:
            if not plain.is_as_written:  # it may have been written since it was listed
                plain = replace(plain, found=self._store.info(key))
            if self._quick:
                found = entry.sha256 if plain.is_as_written else "another e-tag than was written"
            else:
                found = f"SHA-256 {sha256}" if (sha256 := self._hash(key)) != entry.sha256 else sha256
        except KeyNotFoundError:
            detail = f"there should be {entry.size_bytes} bytes; the history has them"
            return Finding(plain.component, "plain file missing", "damaged", key, detail, numbers, self._repair)
        except PreconditionFailedError as error:
            return Finding(plain.component, "plain file changed", "warning", key, str(error), numbers, _TAKE_OVER)
        except (SkyholdError, OSError) as error:
            return Finding(plain.component, "unread", "unread", key, str(error), numbers, "Verify again")
        if found == entry.sha256:
            return None
        detail = f"it has {found}; version {numbers[0]} has SHA-256 {entry.sha256}"
        if plain.is_as_written:
            return Finding(plain.component, "plain file damaged", "damaged", key, detail, numbers, self._repair)
        return Finding(plain.component, "plain file changed", "warning", key, detail, numbers, _TAKE_OVER)

    def _hash(self, key: str) -> str:
        digest = hashlib.sha256()
        with self._store.open_reader(key, block_bytes=_BLOCK_BYTES, read_ahead=1) as reader:
            while block := reader.read(_BLOCK_BYTES):
                digest.update(block)
                self._count(len(block))
        return digest.hexdigest()

    def _count(self, size_bytes: int) -> None:
        with self._counting:
            self._bytes_read += size_bytes
        self._run.progress.advance(size_bytes)


def _wanted(inventory: Inventory, plain: dict[str, ObjectInfo]) -> list[_Plain]:
    return [
        _Plain(component, found, entry, plain.get(plain_key(component, entry.name)))
        for component, found in inventory.heads.items()
        if (version := inventory.current(component)) is not None
        for entry in version.files
    ]


def _written_since_deleted(inventory: Inventory, plain: Mapping[str, ObjectInfo]) -> Iterator[Finding]:
    """Yield what another program has written where a deleted component had its files."""
    for component, versions in inventory.versions.items():
        current = inventory.current(component)
        if current is None or not current.is_deleted:
            continue
        names = {entry.name for version in versions.values() for entry in version.files}
        for key in sorted(plain_key(component, name) for name in names):
            if key in plain:
                detail = f"version {current.number} says that the component was deleted, and an object lies here"
                numbers = (current.number,)
                yield Finding(component, "plain file changed", "warning", key, detail, numbers, _TAKE_OVER)


def _of_content(component: str, numbers: tuple[int, ...], key: str, error: Exception, where: str) -> Finding:
    if not isinstance(error, IntegrityError):
        return Finding(component, "unread", "unread", key, str(error), numbers, "Verify again")
    if where == "trash":
        remedy = "It lies in the trash. Run skyhold comp gc, which moves it back"
    else:
        remedy = "Run skyhold comp repair, with a copy of the library if there is one; then publish it again if need be"
    what = "content damaged" if where == "stored" else "content missing"
    return Finding(component, what, "damaged", key, str(error), numbers, remedy)
