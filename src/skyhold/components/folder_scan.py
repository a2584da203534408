"""What lies in a folder: every file with a stamp that changes when it does, and every name that cannot be synchronized.

A file is not read to see whether it has changed. Its stamp has the time of its last status change, which no program
can set back, beside size, modification time and inode, so an edit that keeps size and modification time is seen too.
"""

import errno
import hashlib
import os
import re
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from pathlib import Path
from typing import NamedTuple

from skyhold.components.layout import check_component_id
from skyhold.errors import AccessDeniedError, BadOptionError, ConflictError, InvalidKeyError, KeyNotFoundError

__all__ = [
    "OWN_PREFIX",
    "FolderScan",
    "Matches",
    "Stamp",
    "compile_patterns",
    "folders_of",
    "hash_unchanged",
    "is_case_sensitive",
    "is_own_name",
    "name_fault",
    "scan_folder",
    "stamp_of",
]

OWN_PREFIX = ".skyhold-sync"
_PART_END = ".skyhold-part"
_MAX_NAME_BYTES = 255
_INODE_BITS = (1 << 63) - 1

# Clocks of file systems tick every 1 to 10 ms; two changes within one tick have one stamp.
_TICK_NS = 20_000_000

Matches = Callable[[str], bool]


class Stamp(NamedTuple):
    """Equal stamps mean that a file was not touched."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(slots=True)
class FolderScan:
    """What was found.

    Attributes:
        files: Stamps by path; paths are in Unicode's composed form (NFC), with ``/``.
        names: How the folder spells a path, where that differs.
        problems: Paths that are left alone, each with the reason. One that ends in ``/`` stands for all below it.
        closed: Other paths below which nothing is looked at: links that are not asked for themselves.
    """

    files: dict[str, Stamp] = field(default_factory=dict[str, Stamp])
    names: dict[str, str] = field(default_factory=dict[str, str])
    problems: dict[str, str] = field(default_factory=dict[str, str])
    closed: dict[str, str] = field(default_factory=dict[str, str])

    def name_of(self, path: str) -> str:
        """Return how the folder spells a path."""
        return self.names.get(path, path)


def compile_patterns(patterns: Sequence[str]) -> Matches | None:
    """Return what tells whether a path is asked for: its name or the whole of it matches one pattern; None means all.

    Raises:
        BadOptionError: There is no pattern.

    Example:
        >>> matches = compile_patterns(["*.stl", "robots/*"])
        >>> matches and [matches(path) for path in ("arm/left.stl", "robots/one.txt", "notes.txt")]
        [True, True, False]
    """
    if not patterns:
        raise BadOptionError(
            "no file pattern is given, so no file is asked for", remedy="Leave it out to mean all files"
        )
    if "*" in patterns:
        return None
    pattern = re.compile("|".join(translate(pattern) for pattern in patterns))
    return lambda path: bool(pattern.match(path.rpartition("/")[2]) or pattern.match(path))


def scan_folder(root: Path, matches: Matches | None = None) -> FolderScan:
    """Return what lies in a folder, without opening a file.

    Raises:
        KeyNotFoundError: There is no such folder.
        AccessDeniedError: It cannot be read.
    """
    found = FolderScan()
    clashes: dict[str, set[str]] = {}
    waiting = [("", os.fspath(root))]
    while waiting:
        prefix, folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    if ".skyhold-" in name and is_own_name(name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append((name + "/", entry.path))
                    else:
                        _take(entry, name, found, clashes, matches)
        except OSError as error:
            if not prefix:
                raise _no_folder(root, error) from error
            found.problems[_composed(prefix)] = f"the folder cannot be read: {error.strerror}"
    for path, names in clashes.items():
        found.files.pop(path, None)
        shown = ", ".join(ascii(name) for name in sorted(names))
        found.problems[path] = f"several files differ only in how Unicode composes their names: {shown}"
    return found


def _take(
    entry: os.DirEntry[str], name: str, found: FolderScan, clashes: dict[str, set[str]], matches: Matches | None
) -> None:
    path = _composed(name)
    if matches is not None and not matches(path):
        if entry.is_symlink():
            found.closed[path] = _what_it_is(entry)
        return
    if not entry.is_file(follow_symlinks=False):
        found.problems[path] = _what_it_is(entry)
        return
    try:
        seen = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # it went away since the folder was read
        return
    if path in found.files:
        clashes.setdefault(path, {found.name_of(path)}).add(name)
    if path != name:
        found.names[path] = name
    found.files[path] = Stamp(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino & _INODE_BITS)


def _what_it_is(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return "a symbolic link, which is not followed"
    return "neither a file nor a folder"


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _no_folder(root: Path, error: OSError) -> Exception:
    details = {"operation": "sync", "uri": str(root)}
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return KeyNotFoundError("there is no such folder", remedy="Correct local_dir, or create the folder", **details)
    return AccessDeniedError(f"the folder cannot be read: {error.strerror}", remedy="Correct its rights", **details)


def folders_of(path: str) -> Iterator[str]:
    """Yield the folders that a path lies in, the outermost first.

    Example:
        >>> list(folders_of("a/b/c.stl"))
        ['a', 'a/b']
    """
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)


def is_own_name(path: str) -> bool:
    """Return whether a path is where synchronization keeps something for itself.

    Example:
        >>> [is_own_name(path) for path in (".skyhold-sync.sqlite-wal", "arm/.left.stl.skyhold-part", "arm/left.stl")]
        [True, True, False]
    """
    if path.startswith(OWN_PREFIX):
        return True
    return path.endswith(_PART_END) and path.rpartition("/")[2].startswith(".")


def name_fault(path: str) -> str:
    """Return why one side could not hold a path that the other has; empty where both can."""
    try:
        check_component_id(path, operation="sync", uri="")
    except InvalidKeyError as error:
        return error.reason
    if is_own_name(path):
        return f"names that begin with {OWN_PREFIX!r} are the synchronization's own"
    longest = max(path.split("/"), key=lambda part: len(part.encode()))
    if len(longest.encode()) > _MAX_NAME_BYTES:
        return f"a folder cannot hold a name of {len(longest.encode())} bytes"
    return ""


def is_case_sensitive(root: Path, known: str) -> bool:
    """Return whether a folder tells ``A`` from ``a``, by asking for a file that is there (``known``) in capitals."""
    return not (root / known.upper()).exists()


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a file; None where there is none, or something else than a file."""
    try:
        seen = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(seen.st_mode):
        return None
    return Stamp(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino & _INODE_BITS)


def hash_unchanged(path: Path) -> tuple[str, Stamp]:
    """Return the SHA-256 of a file, and the stamp that it had before and after it was read.

    Raises:
        ConflictError: It changed while it was read.
        KeyNotFoundError: It is gone.
        AccessDeniedError: It cannot be read.
    """
    before = stamp_of(path)
    if before is None:
        raise KeyNotFoundError("the file is gone", operation="read", uri=str(path), remedy="Synchronize again")
    if abs(time.time_ns() - before.ctime_ns) < _TICK_NS:  # or a change right after this would have the same stamp
        time.sleep(_TICK_NS / 1e9)
    try:
        # A link that took the file's place is not followed.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP}:
            raise KeyNotFoundError("the file is gone", operation="read", uri=str(path)) from error
        raise AccessDeniedError(
            f"the file cannot be read: {error.strerror}", operation="read", uri=str(path), remedy="Correct its rights"
        ) from error
    if stamp_of(path) != before:
        raise ConflictError(
            "the file changed while it was read",
            operation="read",
            uri=str(path),
            remedy="Wait until the program that writes it is done, and synchronize again",
        )
    return sha256, before
