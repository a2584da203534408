"""The local hand of a synchronization: files appear whole, replace only what was seen, and never leave the folder.

What the plan saw is compared once more in the moment before a file is replaced or removed. Another program that writes
in the few microseconds between that and the rename is not seen; a file that it replaces by a rename of its own is.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from skyhold.components.folder_scan import OWN_PREFIX, Stamp, stamp_of
from skyhold.components.getting import inside
from skyhold.errors import ConflictError, InvalidKeyError

__all__ = ["SyncFiles", "conflict_name"]

_MANY = 1000
_LONGEST_DAYS = 36_500
_MOMENT = "%Y%m%dT%H%M%SZ"
_DATED = re.compile(r"\d{8}T\d{6}Z")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""What disks say that have no hard links, such as memory sticks, and systems that let others' files have none."""


def conflict_name(path: str, host: str, moment: datetime) -> str:
    """Return under what name the local content of a conflict lives on; it keeps its suffix, by which viewers go.

    Example:
        >>> from datetime import UTC
        >>> conflict_name("arm/left.stl", "desk", datetime(2026, 11, 21, 14, 5, tzinfo=UTC))
        'arm/left.conflict-desk-20261121T140500Z.stl'
    """
    pure = PurePosixPath(path)
    host = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in host)
    end = f".conflict-{host}-{moment:{_MOMENT}}{pure.suffix}"
    room = 255 - len(end.encode())
    stem = pure.stem.encode()[:room].decode(errors="ignore")
    return str(pure.with_name(stem + end))


class SyncFiles:
    """The files of a folder.

    Args:
        root: The folder.
        host: This machine, for the names of conflicts.
        moment: When the synchronization began, for the same.
    """

    def __init__(self, root: Path, *, host: str, moment: datetime) -> None:
        self.root = root
        self._host = host
        self._moment = moment
        self._parts = root / f"{OWN_PREFIX}.parts"
        self._trash = root / f"{OWN_PREFIX}.trash" / f"{moment:{_MOMENT}}"

    def at(self, name: str) -> Path:
        """Return where a file of the folder lies.

        Raises:
            InvalidKeyError: It would lie outside, or below a file.
        """
        return inside(self.root, name)

    def has(self, name: str) -> bool:
        """Return whether there is a file of exactly this name, also where the folder does not tell capitals apart."""
        if stamp_of(self.at(name)) is None:
            return False
        folder = self.root
        for part in name.split("/"):
            if part not in os.listdir(folder):  # noqa: PTH208 - names alone
                return False
            folder /= part
        return True

    def part_of(self, name: str, token: str) -> Path:
        """Return where content is gathered before it takes its place; the same after an interruption."""
        self._parts.mkdir(exist_ok=True)
        return self._parts / hashlib.sha256(f"{name}\n{token}".encode()).hexdigest()[:32]

    def gather(self, part: Path, content: bytes) -> None:
        """Write content where it is gathered; it is on the disk when this returns."""
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def put(self, part: Path, name: str, seen: Stamp | None) -> Stamp:
        """Let what was gathered take its place; return its stamp.

        Raises:
            ConflictError: What lies there is not what was seen.
        """
        target = self.at(name)
        self._make_room(target)
        if stamp_of(target) != seen:
            raise _changed(target)
        if seen is None:
            self._move(part, target)
        else:
            shutil.copymode(target, part)
            part.replace(target)
        now = stamp_of(target)
        if now is None:
            raise _changed(target)
        return now

    def remove(self, name: str, seen: Stamp) -> None:
        """Remove a file that is what was seen, and the folders that it leaves empty.

        Raises:
            ConflictError: It is not.
        """
        target = self.at(name)
        if stamp_of(target) != seen:
            raise _changed(target)
        target.unlink()
        self._drop_empty(target)

    def rename(self, name: str, to: str, seen: Stamp) -> Stamp:
        """Rename a file that is what was seen; return its new stamp.

        Raises:
            ConflictError: It is not, or the new name is taken.
        """
        old, new = self.at(name), self.at(to)
        if stamp_of(old) != seen:
            raise _changed(old)
        self._make_room(new)
        self._move(old, new)
        self._drop_empty(old)
        now = stamp_of(new)
        if now is None:
            raise _changed(new)
        return now

    def set_aside(self, path: str, name: str, seen: Stamp) -> tuple[str, Stamp]:
        """Give a file that is what was seen a second name, that of a conflict; return the name, and the stamp of both.

        Raises:
            ConflictError: It is not.
        """
        source = self.at(name)
        if stamp_of(source) != seen:
            raise _changed(source)
        for further in self._names(conflict_name(path, self._host, self._moment)):
            with suppress(FileExistsError):
                self._double(source, self.at(further))
                return further, self._linked(source, seen)
        raise _changed(source)

    def keep_in_trash(self, name: str, seen: Stamp) -> tuple[Path, Stamp]:
        """Keep a file that is what was seen in the trash, beside where it lies; return where, and the stamp of both.

        Raises:
            ConflictError: It is not.
        """
        source = self.at(name)
        if stamp_of(source) != seen:
            raise _changed(source)
        self._trash.mkdir(parents=True, exist_ok=True)
        for further in self._names(name):
            kept = inside(self._trash, further)
            kept.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                self._double(source, kept)
                return kept, self._linked(source, seen)
        raise _changed(source)

    def list_trash(self, days: float) -> list[Path]:
        """Return what has lain in the trash for longer than this: one folder for each synchronization."""
        if not self._trash.parent.is_dir():
            return []
        end = f"{self._moment - timedelta(days=min(days, _LONGEST_DAYS)):{_MOMENT}}"
        dated = (folder for folder in self._trash.parent.iterdir() if _DATED.fullmatch(folder.name))
        return sorted(folder for folder in dated if folder.name < end and not folder.is_symlink())

    def drop_parts(self) -> None:
        """Remove what was gathered and is no longer wanted."""
        if self._parts.is_dir():
            for part in self._parts.iterdir():
                part.unlink()
            self._parts.rmdir()

    def _linked(self, source: Path, seen: Stamp) -> Stamp:
        """Return the stamp after a link was made, which is a change of its status; content must be as it was."""
        now = stamp_of(source)
        if now is None or now._replace(ctime_ns=seen.ctime_ns) != seen:
            raise _changed(source)
        return now

    def _move(self, source: Path, target: Path) -> None:
        """Give a file another name, which must be free."""
        try:
            _name_anew(source, target)
        except FileExistsError as error:
            raise _changed(target) from error

    def _double(self, source: Path, target: Path) -> None:
        """Let a file's content have a second name, which must be free; a copy where the disk knows no second names."""
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            copied = self.part_of(target.as_posix(), "copied")
            shutil.copy2(source, copied)
            _name_anew(copied, target)

    def _make_room(self, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise _cannot_hold(target, "a folder on the way is a file here") from error
        if target.is_dir() and not target.is_symlink():
            raise _cannot_hold(target, "it is a folder here")

    def _drop_empty(self, target: Path) -> None:
        for folder in target.parents:
            if folder == self.root:
                return
            try:
                folder.rmdir()
            except OSError:
                return

    def _names(self, name: str) -> Iterator[str]:
        pure = PurePosixPath(name)
        yield name
        for number in range(2, _MANY):
            yield str(pure.with_name(f"{pure.stem}-{number}{pure.suffix}"))


def _name_anew(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        target.touch(exist_ok=False)  # nobody else can take the name now
        source.replace(target)
    else:
        source.unlink()


def _changed(target: Path) -> ConflictError:
    return ConflictError(
        "the file changed since the folder was looked at",
        operation="sync",
        uri=str(target),
        remedy="Synchronize again; nothing was lost",
    )


def _cannot_hold(target: Path, reason: str) -> InvalidKeyError:
    return InvalidKeyError(
        f"the folder cannot hold it: {reason}", operation="sync", uri=str(target), remedy="Rename one of them"
    )
