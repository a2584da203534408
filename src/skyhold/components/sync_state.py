"""What a folder and a store last agreed on, kept in the folder: one SQLite file, written item by item.

It is a memory, not a truth: where it is lost or damaged, nothing is known to be agreed, so nothing is deleted and
nothing overwritten until both sides have been compared by content. One file remembers any number of stores. Many
threads may use it at a time.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, cast

from skyhold.components.folder_scan import OWN_PREFIX, Stamp
from skyhold.errors import AccessDeniedError, LockedError, StorageError, UnsupportedError
from skyhold.storage.sync import Agreed, ConflictChoice

__all__ = ["STATE_NAME", "Remembered", "SyncState"]

STATE_NAME = OWN_PREFIX + ".sqlite"
_LOCK_NAME = OWN_PREFIX + ".lock"
_FORMAT = 1
_PRIMARY = 0xFF
_OF_THE_DISK = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}
_TABLES = """
CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY, uri TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS item (
    place INTEGER NOT NULL, path TEXT NOT NULL, size_bytes INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL, inode INTEGER NOT NULL, sha256 TEXT NOT NULL, token TEXT NOT NULL, version INTEGER,
    PRIMARY KEY (place, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS choice (
    place INTEGER NOT NULL, path TEXT NOT NULL, choice TEXT NOT NULL, PRIMARY KEY (place, path)
) WITHOUT ROWID;
"""


class Remembered(NamedTuple):
    """What was agreed of one file, and how it looked in the folder then."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    sha256: str
    token: str
    version: int | None

    @staticmethod
    def of(stamp: Stamp, agreed: Agreed) -> "Remembered":
        """Return both as one."""
        return Remembered(*stamp, agreed.sha256, agreed.token, agreed.version)

    @property
    def agreed(self) -> Agreed:
        """What was agreed."""
        return Agreed(self.sha256, self.size_bytes, self.token, self.version)

    @property
    def stamp(self) -> Stamp:
        """How the file looked."""
        return Stamp(self.size_bytes, self.mtime_ns, self.ctime_ns, self.inode)


class SyncState:
    """The memory of one folder about one store. One process at a time has it; a process that is killed leaves it free.

    Args:
        folder: The folder.
        uri: The store.
        alone: Whether to keep other processes out; without it, only read.

    Attributes:
        rebuilt: Where a damaged file was put aside; empty where none was.

    Raises:
        LockedError: Another process synchronizes the folder now.
        UnsupportedError: The file is of a newer skyhold.
        AccessDeniedError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, SyncState(Path(folder), "memory://a") as state:
        ...     state.remember("arm.stl", Remembered(3, 1, 1, 1, "ab", "t", 1))
        ...     state.load()["arm.stl"].sha256
        'ab'
    """

    def __init__(self, folder: Path, uri: str, *, alone: bool = True) -> None:
        self.folder = folder
        self.uri = uri
        self.rebuilt = ""
        self._file = folder / STATE_NAME
        self._turn = threading.RLock()
        self._lock = self._take_lock() if alone else None
        try:
            self._open()
        except BaseException:
            self._release()
            raise

    def load(self) -> dict[str, Remembered]:
        """Return all that is remembered; a file that proves damaged is put aside, and nothing is."""
        query = "SELECT path, size_bytes, mtime_ns, ctime_ns, inode, sha256, token, version FROM item WHERE place = ?"
        make = Remembered._make
        try:
            return {row[0]: make(row[1:]) for row in self._database.execute(query, (self._place,))}
        except sqlite3.DatabaseError as error:
            if _is_of_the_disk(error):
                raise self._unusable(error) from error
            self._start_again()
            return {}

    def milestones(self, least: int, most: int) -> list[str]:
        """Return paths that divide all that is remembered into parts of as many thousands, as services list.

        They are in order unless another process has written meanwhile.

        Args:
            least: How many paths are worth a part.
            most: How many parts there are at most.
        """
        try:
            (count,) = self._database.execute("SELECT COUNT(*) FROM item WHERE place = ?", (self._place,)).fetchone()
            size = max(least, -(-count // most // 1000) * 1000)
            query = "SELECT path FROM item WHERE place = ? ORDER BY path LIMIT 1 OFFSET ?"
            rows = [self._database.execute(query, (self._place, end - 1)) for end in range(size, count, size)]
            return [path for row in rows for (path,) in row]
        except sqlite3.DatabaseError:
            return []  # `load` says what is wrong

    def remember(self, path: str, item: Remembered) -> None:
        """Note what is agreed now; it is safe when this returns."""
        query = "INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._execute(query, path, *item)

    def remember_all(self, items: Iterable[tuple[str, Remembered]]) -> None:
        """Note much at once."""
        with self._turn:
            self._execute_plain("BEGIN")
            try:
                for path, item in items:
                    self.remember(path, item)
            finally:
                if self._database.in_transaction:  # a full disk ends it by itself
                    self._execute_plain("COMMIT")

    def forget(self, path: str) -> None:
        """Note that nothing is agreed any more."""
        self._execute("DELETE FROM item WHERE place = ? AND path = ?", path)

    def choices(self) -> dict[str, ConflictChoice]:
        """Return what somebody has chosen for single conflicts that are not settled yet."""
        rows = self._database.execute("SELECT path, choice FROM choice WHERE place = ?", (self._place,))
        return {path: cast("ConflictChoice", choice) for path, choice in rows}

    def choose(self, path: str, choice: ConflictChoice | None) -> None:
        """Note what becomes of one conflict at the next synchronization; None takes it back."""
        if choice is None:
            self._execute("DELETE FROM choice WHERE place = ? AND path = ?", path)
        else:
            self._execute("INSERT OR REPLACE INTO choice VALUES (?, ?, ?)", path, choice)

    def close(self) -> None:
        """Let others have it."""
        self._database.close()
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _execute(self, query: str, *values: object) -> None:
        self._execute_plain(query, self._place, *values)

    def _execute_plain(self, query: str, *values: object) -> None:
        with self._turn:
            try:
                self._database.execute(query, values)
            except sqlite3.DatabaseError as error:
                raise self._unusable(error) from error

    def _unusable(self, error: sqlite3.DatabaseError) -> StorageError:
        code = _code_of(error)
        if code == sqlite3.SQLITE_FULL:
            remedy = f"Make room on the disk that has {str(self.folder)!r}, and synchronize again; nothing was lost"
        elif code == sqlite3.SQLITE_BUSY:
            remedy = "End the program that has the file open, and synchronize again"
        else:
            remedy = "Correct the rights of the folder; it must be writable even when it is only uploaded"
        return AccessDeniedError(
            f"the state of the synchronization cannot be kept: {error}",
            operation="sync",
            uri=str(self._file),
            remedy=remedy,
        )

    def _open(self) -> None:
        try:
            self._connect()
        except sqlite3.OperationalError as error:
            raise self._unusable(error) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError):  # what SQLite says may quote what is no text
            self._start_again()

    def _connect(self) -> None:
        self._database = sqlite3.connect(self._file, isolation_level=None, timeout=30.0, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        (found,) = self._database.execute("PRAGMA user_version").fetchone()
        if found > _FORMAT:
            raise UnsupportedError(
                f"the state of the synchronization has format {found}, and this skyhold knows {_FORMAT}",
                operation="sync",
                uri=str(self._file),
                remedy="Use the newer skyhold that wrote it",
            )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = NORMAL")
        if not found:
            self._database.executescript(_TABLES + f"PRAGMA user_version = {_FORMAT};")
            self._file.chmod(0o600)
        self._database.execute("INSERT OR IGNORE INTO place (uri) VALUES (?)", (self.uri,))
        (self._place,) = self._database.execute("SELECT id FROM place WHERE uri = ?", (self.uri,)).fetchone()

    def _start_again(self) -> None:
        self._database.close()
        aside = self._file.with_name(f"{OWN_PREFIX}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        self._file.replace(aside)
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                self._file.with_name(STATE_NAME + end).unlink()
        self.rebuilt = str(aside)
        self._connect()

    def _take_lock(self) -> int:
        try:
            lock = os.open(self.folder / _LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except PermissionError as error:
            raise AccessDeniedError(
                "the folder cannot be written",
                operation="sync",
                uri=str(self.folder),
                remedy="Correct its rights; the state of the synchronization is kept in it",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise LockedError(
                "another process synchronizes this folder now",
                operation="sync",
                uri=str(self.folder),
                remedy="Wait until it is done",
            ) from error
        return lock

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _is_of_the_disk(error: sqlite3.DatabaseError) -> bool:
    """Whether the file may be sound, and only cannot be read or written now."""
    return _code_of(error) in _OF_THE_DISK


def _code_of(error: sqlite3.DatabaseError) -> int:
    """Return what went wrong; 0 where SQLite has read it, and Python finds that it is no text."""
    return getattr(error, "sqlite_errorcode", 0) & _PRIMARY
