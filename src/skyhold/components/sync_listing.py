"""The store's side of a synchronization, by listing its plain keys alone, whatever the history holds."""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from skyhold.components.folder_scan import Matches, folders_of
from skyhold.components.in_parallel import in_parallel
from skyhold.components.inventory import list_plain
from skyhold.components.library import Library
from skyhold.errors import ComponentNotFoundError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["FreePlaces", "Listing", "list_files"]

_JOBS = 64


@dataclass(slots=True)
class Listing:
    """What was found.

    Attributes:
        files: The objects that are asked for, by path; paths are in Unicode's composed form (NFC).
        names: How the store spells a path, where that differs.
        problems: Paths that are left alone, each with the reason.
        others: The paths of objects that are not asked for.
    """

    files: dict[str, ObjectInfo] = field(default_factory=dict[str, ObjectInfo])
    names: dict[str, str] = field(default_factory=dict[str, str])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    others: set[str] = field(default_factory=set[str])


def list_files(store: Store, prefix: str, matches: Matches | None, milestones: Iterable[str] = ()) -> Listing:
    """Return what lies under the plain keys of a library, by paths below ``prefix``.

    Args:
        store: The library's.
        prefix: Of the keys.
        matches: Says which paths are asked for; None for all.
        milestones: Paths that were there not long ago: between them, it is listed at the same time.
    """
    found = Listing()
    files = found.files
    begin = len(prefix)
    for info in list_plain(store, prefix, cuts=[prefix + path for path in milestones]):
        key = info.key
        name = key[begin:] if begin else key
        path = name if name.isascii() else unicodedata.normalize("NFC", name)
        if matches is not None and not matches(path):
            found.others.add(path)
            continue
        if path in files:
            found.problems[path] = "several objects differ only in how Unicode composes their names"
        if path != name:
            found.names[path] = name
        files[path] = info
    return found


class FreePlaces:
    """Tells where a component can be made, with one request for each folder rather than for each file.

    Args:
        library: The library.
        prefix: Where in it the paths begin.
        listing: What lies there.
        paths: What may be asked for; their folders are looked at now.
    """

    def __init__(self, library: Library, prefix: str, listing: Listing, paths: Iterable[str]) -> None:
        self._prefix = prefix
        self._listing = listing
        self._folders = {folder for name in (*listing.files, *listing.others) for folder in folders_of(name)}
        around = {folder for path in paths for folder in folders_of(prefix + path)}

        def is_component(folder: str) -> bool:
            try:
                return bool(library.head(folder)[0].plain)
            except ComponentNotFoundError:
                return False

        self._components = dict(in_parallel(is_component, around, jobs=_JOBS))

    def has(self, path: str) -> bool:
        """Return whether a component can be made here: nothing is there, within it or around it."""
        files, others = self._listing.files, self._listing.others
        if path in files or path in others or path in self._folders:
            return False
        return not any(self._components.get(folder, True) for folder in folders_of(self._prefix + path))
