"""Mending a library from what is left of it: every part that can be made of others is made again.

- Heads are made of versions. Names given to versions (tags) stand in heads alone: those of a lost head are lost, unless
  a copy has them.
- A lost record of the newest version is made of the head: its files are known; message, author and metadata are not.
- Plain files are made of the history, and content that the history lost is made of a plain file that still has it.
- Marks of who needs a component are made of versions.

With a copy of the library (see `skyhold.components.replication`) at hand, versions and contents are taken from it where
nothing else has them. What was damaged is kept in the trash where it is replaced. Nothing that can be read is ever
replaced.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from skyhold.components.dependencies import mark_dependencies
from skyhold.components.findings import Finding, LibraryVerification, What
from skyhold.components.history import History, hash_file
from skyhold.components.inventory import (
    HeadFound,
    list_contents,
    parse_version,
    read_head,
    read_version,
    take_inventory,
)
from skyhold.components.layout import (
    NEEDED,
    blob_key,
    content_of_key,
    damaged_key,
    head_key,
    needed_key,
    plain_key,
    version_key,
    version_of_key,
    versions_prefix,
)
from skyhold.components.library import Library
from skyhold.components.manifest import FileEntry, Head, Version
from skyhold.components.plain_files import PlainFiles
from skyhold.components.verification import verify_library
from skyhold.errors import ComponentNotFoundError, IntegrityError, KeyNotFoundError, SkyholdError
from skyhold.runs.progress import Listener
from skyhold.runs.recording import record_run
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Recovery", "recover_library"]

_BLOCK_BYTES = 8 * 1024 * 1024
_REBUILT = "its record was lost; the files are those that the head names"
_ORDER: tuple[What, ...] = (
    "content missing",
    "content damaged",
    "version missing",
    "version damaged",
    "head damaged",
    "head missing",
    "head behind",
    "plain file damaged",
    "plain file missing",
)
"""What others are made of comes first."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was mended.

    Attributes:
        before: What was found.
        mended: The findings that were mended; in a dry run, those that it would be tried for.
        left: The others that are damaged or went unread, each with why it could not be mended.
        dry_run: Whether nothing was changed.
    """

    before: LibraryVerification
    mended: tuple[Finding, ...]
    left: tuple[tuple[Finding, str], ...]
    dry_run: bool


def recover_library(
    library: Library,
    *,
    copy: Library | None = None,
    quick: bool = False,
    dry_run: bool = False,
    listeners: Sequence[Listener] = (),
) -> Recovery:
    """Look at a library, and mend what can be mended.

    Args:
        library: Which.
        copy: A copy of it, which may be older.
        quick: Do not read contents and plain files: what is missing is found all the same, what is damaged is not.
        dry_run: Change nothing.
        listeners: Told of progress.

    Raises:
        StorageError: The store cannot be listed.

    Example:
        >>> library = Library("memory://recover-example")
        >>> version = library.publish("arm.stl", b"solid arm")
        >>> library.store.delete("arm.stl")
        >>> [finding.what for finding in recover_library(library).mended], library.store.read("arm.stl")
        (['plain file missing'], b'solid arm')
    """
    before = verify_library(library, quick=quick, listeners=listeners)
    asked = {"library": library.uri, "copy": copy and copy.uri, "quick": quick, "dry_run": dry_run}
    mended: list[Finding] = []
    left: list[tuple[Finding, str]] = []
    with record_run("recover", f"recover {library.uri}", asked=asked, unit="findings", listeners=listeners) as run:
        mender = _Mender(library, run.metered(library.store), copy)
        for finding in sorted(before.findings, key=lambda each: _place(each.what)):
            reason = mender.mend(finding, dry_run=dry_run)
            run.progress.advance(1)
            if reason is None:
                mended.append(finding)
            elif finding.level != "warning":
                left.append((finding, reason))
        if not dry_run:
            mender.mark()
    return Recovery(before, tuple(mended), tuple(left), dry_run)


class _Mender:
    """Mends one finding at a time."""

    def __init__(self, library: Library, store: Store, copy: Library | None) -> None:
        self._library = library
        self._copy = copy
        self._store = store
        self._history = History(store)
        self._plain_files = PlainFiles(store, self._history)
        self._ways: dict[What, Callable[[Finding], None]] = {
            "content missing": self._content,
            "content damaged": self._content,
            "version missing": self._version,
            "version damaged": self._version,
            "head damaged": self._head,
            "head missing": self._missing_head,
            "head behind": self._settle,
            "plain file damaged": self._plain_file,
            "plain file missing": self._settle,
        }

    def mend(self, finding: Finding, *, dry_run: bool) -> str | None:
        """Mend what was found; return why it cannot be, or None."""
        way = self._ways.get(finding.what)
        if way is None:
            return "nothing that is left has it"
        try:
            if not dry_run:
                way(finding)
        except (SkyholdError, OSError) as error:
            return str(error)
        return None

    def mark(self) -> None:
        """Leave marks under what components need, where they are gone."""
        there = {info.key for info in self._store.list(NEEDED)}
        inventory = take_inventory(self._store)
        for component in inventory.components:
            version = inventory.current(component)
            needs = version.dependencies if version else ()
            mark_dependencies(
                self._store, component, [each for each in needs if needed_key(each.component, component) not in there]
            )

    def _settle(self, finding: Finding) -> None:
        self._library.reconcile(finding.component, gone_is_deleted=False)

    def _missing_head(self, finding: Finding) -> None:
        """Make a head of the versions, and of the copy's as far as it names versions."""
        self._settle(finding)
        found = read_head(self._copy.store, finding.component) if self._copy is not None else None
        for tag, number in found.head.tags.items() if found else ():
            self._library.tag(finding.component, tag, number)

    def _head(self, finding: Finding) -> None:
        """Put a head in place of a damaged one; what lies under the plain keys is found out when it is settled."""
        info = self._set_aside(finding.key)
        number = max(_numbers(self._store, finding.component), default=0)
        self._store.write(finding.key, Head(finding.component, number).to_json(), if_match=info.e_tag)
        self._missing_head(finding)

    def _version(self, finding: Finding) -> None:
        """Take the record of a version from the copy, or make that of the newest of what its head says."""
        named = version_of_key(finding.key)
        assert named is not None
        data = self._copied_version(finding.key, named[0]) or self._described_version(finding, named[1])
        if finding.what == "version damaged":
            self._store.write(finding.key, data, if_match=self._set_aside(finding.key).e_tag)
        else:
            self._store.write(finding.key, data, if_absent=True)

    def _copied_version(self, key: str, component: str) -> bytes | None:
        """Return what the copy has, unless the two libraries contradict each other."""
        if self._copy is None:
            return None
        try:
            data = self._copy.store.read(key)
        except KeyNotFoundError:
            return None
        number = parse_version(key, data).number
        neighbours = [each for each in (number - 1, number + 1) if self._store.exists(version_key(component, each))]
        for each in neighbours:
            if read_version(self._store, component, each) != read_version(self._copy.store, component, each):
                raise IntegrityError(
                    f"the copy has another version {each}", operation="recover", uri=self._copy.store.uri_of(key)
                )
        return data

    def _described_version(self, finding: Finding, number: int) -> bytes:
        found = self._head_of(finding.component)
        if found.head.version != number:
            raise self._cannot(finding, "only the newest version is described elsewhere, in the head")
        return Version(
            component=finding.component,
            number=number,
            files=tuple(FileEntry(each.name, each.size_bytes, each.sha256) for each in found.head.plain),
            created=self._store.info(head_key(finding.component)).modified,
            message=_REBUILT,
            parents=(number - 1,) if number > 1 else (),
        ).to_json()

    def _content(self, finding: Finding) -> None:
        """Take content from a plain file that still has it, or from the copy."""
        name = content_of_key(finding.key)
        assert name is not None
        if self._is_sound(name.sha256):  # mended for another component, which has the same
            return
        with TemporaryDirectory(prefix="skyhold-recover-") as folder:
            path = Path(folder) / "content"
            if not self._plain_content(finding, name.sha256, path):
                self._copied_content(finding, name.sha256, path)
            self._clear(each.key for each in list_contents(self._store) if each.sha256 == name.sha256)
            self._history.put(path, sha256=name.sha256)

    def _clear(self, keys: Iterable[str]) -> None:
        """Put damaged objects aside, so that they can be written again."""
        damaged = list(keys)
        for key in damaged:
            self._set_aside(key)
        self._store.delete(damaged)

    def _plain_content(self, finding: Finding, sha256: str, path: Path) -> bool:
        found = read_head(self._store, finding.component)
        names = [each.name for each in (found.head.plain if found else ()) if each.sha256 == sha256]
        for name in names:
            try:
                self._download(plain_key(finding.component, name), path)
            except KeyNotFoundError:
                continue
            if hash_file(path) == sha256:
                return True
        return False

    def _copied_content(self, finding: Finding, sha256: str, path: Path) -> None:
        if self._copy is None:
            if self._store.exists(blob_key(sha256)):  # a delta may be sound, and what it is made from damaged
                self._clear([blob_key(sha256)])
            raise self._cannot(finding, "no plain file has it; publish a file with this content again, which writes it")
        version = read_version(self._store, finding.component, finding.versions[0])
        size_bytes = next(entry.size_bytes for entry in version.files if entry.sha256 == sha256)
        path.unlink(missing_ok=True)
        self._copy.history.fetch(sha256, path, size_bytes=size_bytes)

    def _plain_file(self, finding: Finding) -> None:
        found = self._head_of(finding.component)
        names = {plain_key(finding.component, each.name): each for each in found.head.plain}
        plain = names[finding.key]
        info = self._set_aside(finding.key)
        if info.e_tag != plain.e_tag:
            raise self._cannot(finding, "another program has written it meanwhile")
        entry = FileEntry(plain.name, plain.size_bytes, plain.sha256)
        self._plain_files.write(finding.component, entry, found.head.version, info, _nothing_at_hand)
        self._settle(finding)

    def _is_sound(self, sha256: str) -> bool:
        try:
            self._history.check(sha256)
        except IntegrityError:
            return False
        return True

    def _head_of(self, component: str) -> HeadFound:
        found = read_head(self._store, component)
        if found is None:
            raise ComponentNotFoundError(f"{component!r} has no head", operation="recover", uri=self._store.uri)
        return found

    def _download(self, key: str, path: Path) -> None:
        with self._store.open_reader(key) as reader, path.open("wb") as file:
            while block := reader.read(_BLOCK_BYTES):
                file.write(block)

    def _set_aside(self, key: str) -> ObjectInfo:
        """Keep a copy of what is damaged; return its info as it was before."""
        info = self._store.info(key)
        self._store.copy(key, damaged_key(key))
        return info

    def _cannot(self, finding: Finding, reason: str) -> IntegrityError:
        return IntegrityError(reason, operation="recover", uri=self._store.uri_of(finding.key))


def _place(what: What) -> int:
    return _ORDER.index(what) if what in _ORDER else len(_ORDER)


def _numbers(store: Store, component: str) -> list[int]:
    found = (version_of_key(info.key) for info in store.list(versions_prefix(component)))
    return [each[1] for each in found if each is not None]


def _nothing_at_hand(sha256: str) -> None:
    del sha256
