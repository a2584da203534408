"""What both sides of a synchronization look like, compared with what they last agreed on: the input of the planner.

The folder is scanned while the store is listed; only paths of which a stamp or an e-tag is not what was agreed are
looked at any closer: a file is hashed, an object's head is asked for its hash. Nothing is asked for one by one else.
"""

import gc
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from skyhold.components.folder_scan import (
    FolderScan,
    Matches,
    Stamp,
    folders_of,
    hash_unchanged,
    is_case_sensitive,
    name_fault,
    scan_folder,
)
from skyhold.components.in_parallel import in_parallel
from skyhold.components.layout import plain_key
from skyhold.components.library import Library
from skyhold.components.manifest import Head, PlainFile
from skyhold.components.sync_config import SyncConfig
from skyhold.components.sync_listing import Listing, list_files
from skyhold.components.sync_state import STATE_NAME, Remembered, SyncState
from skyhold.errors import (
    BucketNotFoundError,
    ComponentNotFoundError,
    ConflictError,
    IntegrityError,
    InvalidKeyError,
    MalformedInputError,
    SkyholdError,
    StorageError,
)
from skyhold.execution.waiting import wait_for
from skyhold.storage.location import parse_location
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.sync import LocalFile, RemoteFile, SyncPlan, plan_sync

__all__ = ["View", "ask_for", "look", "token_of"]

_HASHING = 8
_ASKING = 64
_LISTINGS = 8
_WORTH_LISTING = 4_000
"""How many paths are worth a listing of their own: a few pages."""

A = TypeVar("A")
T = TypeVar("T")


@dataclass(slots=True)
class View:
    """Both sides, and what was agreed.

    Attributes:
        scan: The folder.
        listing: The store.
        agreed: What was agreed, by path.
        unchanged: How many paths agree.
        differing: The others.
        local: Of these, the files with their hashes.
        stamps: The stamps that those had when they were hashed.
        remote: Of these, the objects.
        problems: Paths to be left alone, each with the reason.
    """

    scan: FolderScan
    listing: Listing
    agreed: dict[str, Remembered]
    unchanged: int = 0
    differing: set[str] = field(default_factory=set[str])
    local: dict[str, LocalFile] = field(default_factory=dict[str, LocalFile])
    stamps: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    remote: dict[str, RemoteFile] = field(default_factory=dict[str, RemoteFile])
    problems: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def listed(self) -> dict[str, ObjectInfo]:
        """The store's objects, by path."""
        return self.listing.files

    @property
    def names(self) -> dict[str, str]:
        """How the store spells a path, where that differs."""
        return self.listing.names


def token_of(info: ObjectInfo) -> str:
    """Return what changes whenever an object changes."""
    return info.e_tag or f"{info.size_bytes}-{info.modified.isoformat()}"


def look(
    library: Library,
    config: SyncConfig,
    state: SyncState,
    *,
    suspects: Iterable[str] = (),
    read_only: bool = False,
) -> tuple[View, SyncPlan]:
    """Return what both sides look like, and the plan that follows.

    Args:
        library: The remote side.
        config: What is asked.
        state: What was agreed.
        suspects: Paths whose objects turned out to be another version than was thought.
        read_only: Take nothing over into the library, and note nothing.

    Raises:
        KeyNotFoundError: The folder is missing.
        AccessDeniedError: The folder cannot be read.
    """
    matches = config.matches
    milestones = state.milestones(_WORTH_LISTING, _LISTINGS) if library.store.lists_from_anywhere else []
    with ThreadPoolExecutor(2, thread_name_prefix="skyhold-look") as pool, _no_collection():
        listed = pool.submit(list_files, library.store, config.prefix, matches, milestones)
        scanning = pool.submit(scan_folder, config.folder, matches)
        agreed = state.load()
        wait_for((listed, scanning))
        try:
            listing = listed.result()
        except BucketNotFoundError:
            if agreed or not config.rules.uploads or (read_only and not _is_folder(library)):
                raise
            if not read_only:
                library.create()  # makes a folder, and fails as before where it is a bucket that is missing
            listing = Listing() if read_only else list_files(library.store, config.prefix, matches)
        view = View(scanning.result(), listing, agreed, problems=dict(listing.problems))
        _compare(view, matches)
    _set_aside(view, config)
    _hash(view, config, state, read_only=read_only)
    _ask_about(view, library, config, set(suspects), read_only=read_only)
    return view, plan_sync(
        view.local,
        view.remote,
        {path: agreed[path].agreed for path in view.differing if path in agreed},
        config.rules,
        choices=state.choices(),
        problems=view.problems,
        unchanged=view.unchanged,
    )


@contextmanager
def _no_collection() -> Generator[None]:
    """Keep Python from looking for garbage again and again while hundreds of thousands of small values come to be."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _compare(view: View, matches: Matches | None) -> None:
    """Find the paths of which a stamp or an e-tag is not what was agreed: of very many, mostly none."""
    files, listed, agreed = view.scan.files, view.listed, view.agreed
    differing: set[str] = {*files.keys() - agreed.keys(), *listed.keys() - agreed.keys()}
    unchanged = 0
    for path, item in agreed.items():
        info = listed.get(path)
        if info is not None and files.get(path) == item[:4] and (info.e_tag or token_of(info)) == item[5]:
            unchanged += 1
        elif matches is None or matches(path):
            differing.add(path)
    view.differing = differing
    view.unchanged = unchanged


def _set_aside(view: View, config: SyncConfig) -> None:
    """Leave out what cannot be looked at, or could not be held by the other side."""
    problems = view.problems
    problems.update(view.scan.problems)
    blocked = {path.rstrip("/"): reason for path, reason in (view.scan.closed | view.scan.problems).items()}
    for path in view.differing - problems.keys():
        above = next((folder for folder in folders_of(path) if folder in blocked), "")
        if above:
            problems[path] = f"it lies in {above!r}: {blocked[above]}"
        elif path not in view.agreed and (fault := name_fault(config.prefix + path) or name_fault(path)):
            problems[path] = fault
    if not is_case_sensitive(config.folder, STATE_NAME):
        _set_case_clashes_aside(view, config)
    view.differing -= problems.keys()


def _set_case_clashes_aside(view: View, config: SyncConfig) -> None:
    """Leave out objects that the folder, which does not tell capitals apart, could not hold beside others."""
    spelled = {name.casefold(): name for path in view.scan.files for name in (*folders_of(path), path)}
    for path in sorted(view.listed.keys() - view.scan.files.keys()):
        if _has_other_capitals_now(view, config, path, spelled):
            continue
        names = ((name, spelled.setdefault(name.casefold(), name)) for name in (*folders_of(path), path))
        clash = next((first for name, first in names if first != name), "")
        if clash:
            view.problems[path] = f"the folder does not tell it from {clash!r}"


def _has_other_capitals_now(view: View, config: SyncConfig, path: str, spelled: Mapping[str, str]) -> bool:
    """Whether an object's file was only given other capitals: that is a rename, and nothing of it is lost."""
    item = view.agreed.get(path)
    follows = config.delete_files and config.rules.uploads
    is_here = spelled.get(path.casefold(), "") in view.scan.files
    return follows and is_here and item is not None and token_of(view.listed[path]) == item.token


def _hash(view: View, config: SyncConfig, state: SyncState, *, read_only: bool) -> None:
    """Find out the content of files whose stamp is not the agreed one."""
    files = view.scan.files
    to_read: list[str] = []
    for path in view.differing & files.keys():
        item = view.agreed.get(path)
        if item is not None and files[path] == item.stamp:
            view.local[path] = _local(view, path, item.sha256, item.stamp)
            view.stamps[path] = item.stamp
        else:
            to_read.append(path)
    touched: list[tuple[str, Remembered]] = []
    for path, found in _each(lambda path: hash_unchanged(config.folder / view.scan.name_of(path)), to_read, _HASHING):
        if isinstance(found, Exception):
            view.problems[path] = found.reason if isinstance(found, StorageError) else str(found)
            continue
        sha256, stamp = found
        item, info = view.agreed.get(path), view.listed.get(path)
        if item is not None and item.sha256 == sha256:
            touched.append((path, item._replace(**stamp._asdict())))
            if info is not None and token_of(info) == item.token:
                view.differing.discard(path)
                view.unchanged += 1
                continue
        view.local[path] = _local(view, path, sha256, stamp)
        view.stamps[path] = stamp
    if touched and not read_only:
        state.remember_all(touched)
    view.differing -= view.problems.keys()


def _local(view: View, path: str, sha256: str, stamp: Stamp) -> LocalFile:
    modified = datetime.fromtimestamp(stamp.mtime_ns / 1e9, UTC)
    return LocalFile(stamp.size_bytes, sha256, modified, view.scan.names.get(path, ""))


def _ask_about(view: View, library: Library, config: SyncConfig, suspected: set[str], *, read_only: bool) -> None:
    """Find out the content of objects on which the plan depends."""
    for path in view.differing & view.listed.keys():
        info = view.listed[path]
        view.remote[path] = RemoteFile(
            info.size_bytes, token_of(info), modified=info.modified, name=view.names.get(path, "")
        )
    gone = _sizes_of_gone(view, config)
    asked = [path for path in sorted(view.remote) if path in suspected or _must_know(view, gone, path)]
    for path, found in _each(lambda path: _ask(library, config, view, path, read_only=read_only), asked, _ASKING):
        if isinstance(found, RemoteFile):
            view.remote[path] = found
        elif isinstance(found, ConflictError | IntegrityError | InvalidKeyError | MalformedInputError):
            view.problems[path] = str(found)
        else:
            raise found


def _must_know(view: View, gone: set[int], path: str) -> bool:
    """Whether the plan depends on what an object's content is; a plain download finds it out by itself.

    An object that is new may be one that is gone, renamed: then they have one size.
    """
    item, local, remote = view.agreed.get(path), view.local.get(path), view.remote[path]
    if item is None:
        return local is not None or remote.size_bytes in gone
    if remote.token == item.token:
        return False
    return local is None or local.sha256 != item.sha256


def _sizes_of_gone(view: View, config: SyncConfig) -> set[int]:
    """Return the sizes of files that would be deleted here, since they are gone there."""
    if not config.delete_files or not config.rules.downloads:
        return set()
    return {view.agreed[path].size_bytes for path in view.local if path in view.agreed and path not in view.remote}


def _ask(library: Library, config: SyncConfig, view: View, path: str, *, read_only: bool) -> RemoteFile:
    return ask_for(library, config.prefix + view.names.get(path, path), view.remote[path], read_only=read_only)


def _is_folder(library: Library) -> bool:
    return parse_location(library.uri).scheme in {"file", "mock"}


def ask_for(library: Library, component_id: str, seen: RemoteFile, *, read_only: bool = False) -> RemoteFile:
    """Return what an object is, as its head says; one that another program wrote becomes a version first.

    Args:
        library: Where it is.
        component_id: Its component.
        seen: What a listing says of it; it is returned as it is where there is nothing more to know.
        read_only: Take nothing over.
    """
    owner, head = _owner_of(library, component_id)
    found = head and _plain_of(head, component_id)
    if found is None or found.e_tag != seen.token:
        if read_only or library.reconcile(owner) is None:
            return seen
        head = library.head(owner)[0]
        found = _plain_of(head, component_id)
    if head is None or found is None or not found.e_tag:
        return seen
    return replace(seen, token=found.e_tag, sha256=found.sha256, version=head.version, size_bytes=found.size_bytes)


def _owner_of(library: Library, component_id: str) -> tuple[str, Head | None]:
    """Return which component an object belongs to, and its head: its own, or one of several files around it."""
    for owner in (component_id, *folders_of(component_id)):
        try:
            head, _ = library.head(owner)
        except ComponentNotFoundError:
            continue
        if owner == component_id or head.plain:
            return owner, head
    return component_id, None


def _plain_of(head: Head, component_id: str) -> PlainFile | None:
    return next((each for each in head.plain if plain_key(head.component, each.name) == component_id), None)


def _each(work: Callable[[A], T], items: Iterable[A], workers: int) -> Iterator[tuple[A, "T | SkyholdError | OSError"]]:
    """Do the work for all, many at a time; an error is given, not raised."""

    def safely(item: A) -> "T | SkyholdError | OSError":
        try:
            return work(item)
        except (SkyholdError, OSError) as error:
            return error

    return in_parallel(safely, items, jobs=workers)
