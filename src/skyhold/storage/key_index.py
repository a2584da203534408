"""Names of objects in a file of this machine, to be searched and sorted, as of a moment.

Stores list in the order of their keys, and search nothing. An index is one listing, kept: it finds parts of names, and
knows sums. It is never live. What was written or deleted since it was taken is told by the store alone.

An index belongs to a connection, since two identities may see two things under one name, and to a prefix.
"""

import glob
import hashlib
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from skyhold.errors import AccessDeniedError, BadOptionError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = [
    "Found",
    "IndexedObject",
    "KeyIndex",
    "Order",
    "find_index",
    "index_file",
    "open_index",
    "prune_indexes",
    "take_index",
]

Order = Literal["name", "largest", "newest", "oldest"]

_ORDERS: dict[Order, str] = {
    "name": "key",
    "largest": "size_bytes DESC, key",
    "newest": "modified_us DESC, key",
    "oldest": "modified_us, key",
}
_SCHEMA = "skyhold.key-index/1"
_TABLES = """
    CREATE TABLE objects (
        key TEXT PRIMARY KEY, folded TEXT, size_bytes INTEGER NOT NULL, modified_us INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""
_MOST_OBJECTS = 2_000_000
_MOST_WORDS = 20
_MOST_LETTERS = 1024
_MOST_KEPT = 100
_STALE_S = 86_400
_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.sqlite")
_PART = ".part"


@dataclass(frozen=True, slots=True)
class IndexedObject:
    """An object as it was when the index was taken."""

    key: str
    size_bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found.

    Attributes:
        objects: A screenful.
        count: How many there are in all.
        size_bytes: How large all of them are together.
    """

    objects: tuple[IndexedObject, ...]
    count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class KeyIndex:
    """An index that was taken.

    Attributes:
        file: Where it is kept.
        uri: Of the store.
        prefix: What all its keys begin with.
        taken: When the listing began; later changes may be missing.
        count: How many objects it has.
        size_bytes: How large they are together.
        is_whole: Whether these are all that there were.
    """

    file: Path
    uri: str
    prefix: str
    taken: datetime
    count: int
    size_bytes: int
    is_whole: bool

    def search(
        self, words: str = "", *, prefix: str = "", order: Order = "name", limit: int = 100, offset: int = 0
    ) -> Found:
        """Return the objects whose key has every word somewhere, in whatever case; all without words.

        Args:
            words: Separated by blanks. One that begins with ``*`` is how keys end, such as ``*.csv``.
            prefix: What keys begin with, exactly.
            order: What comes first.
            limit: How many objects at most.
            offset: How many to pass over.

        Raises:
            BadOptionError: There are too many words, or no such order.

        Example:
            >>> from skyhold.storage.opening import open_store
            >>> store = open_store("memory://key-index-example")
            >>> for key in ("Wings/left.stl", "wings/right.stl", "wings/notes.txt"):
            ...     _ = store.write(key, b"12")
            >>> index = take_index(store, "", Path(tempfile.mkdtemp()) / "index.sqlite")
            >>> found = index.search("wing *.STL")
            >>> [each.key for each in found.objects], found.size_bytes
            (['Wings/left.stl', 'wings/right.stl'], 4)
        """
        if order not in get_args(Order):
            raise BadOptionError(f"no order is called {order!r}", remedy=f"Use one of {', '.join(get_args(Order))}")
        where, values = _conditions(words, prefix)
        with closing(_open_read_only(self.file)) as database:
            summed = f"SELECT count(*), total(size_bytes) FROM objects {where}"  # noqa: S608 - it holds no value
            count, size = database.execute(summed, values).fetchone()
            listed = (
                f"SELECT key, size_bytes, modified_us FROM objects {where} "  # noqa: S608 - the same
                f"ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?"
            )
            rows = database.execute(listed, (*values, limit, offset)).fetchall()
        return Found(tuple(IndexedObject(key, size, _moment(at)) for key, size, at in rows), count, int(size))


def take_index(
    store: Store,
    prefix: str,
    file: Path,
    *,
    on_page: Callable[[int], None] = lambda _: None,
    most_objects: int = _MOST_OBJECTS,
) -> KeyIndex:
    """List what lies under a prefix into a file, which appears whole, in place of the one before.

    Args:
        store: What is listed.
        prefix: Any text, not only whole folders.
        file: Where the index is kept; nobody else may read it.
        on_page: Told how many objects each page of the listing has brought; what it raises ends the work.
        most_objects: After so many it ends, and says that it is not whole.

    Raises:
        AccessDeniedError: The folder cannot be written.
        BucketNotFoundError: No such bucket.
    """
    taken = datetime.now(UTC)
    part = _new_part(file)
    try:
        with closing(sqlite3.connect(part, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = OFF")  # a part that is not finished is thrown away
            database.executescript(_TABLES)
            database.execute("BEGIN")
            count, size_bytes, is_whole = _fill(database, store, prefix, on_page, most_objects)
            facts = {
                "schema": _SCHEMA,
                "uri": store.uri,
                "prefix": prefix,
                "taken": taken.isoformat(),
                "count": count,
                "size_bytes": size_bytes,
                "is_whole": int(is_whole),
            }
            database.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
            database.execute("COMMIT")
        part.replace(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return KeyIndex(file, store.uri, prefix, taken, count, size_bytes, is_whole)


def open_index(file: Path) -> KeyIndex | None:
    """Return the index that a file holds; None where there is none, or it is damaged or of another version."""
    try:
        with closing(_open_read_only(file)) as database:
            facts = dict(database.execute("SELECT name, value FROM facts").fetchall())
    except sqlite3.Error:  # what can be taken again at any time is not mended
        return None
    if facts.get("schema") != _SCHEMA:
        return None
    return KeyIndex(
        file,
        facts["uri"],
        facts["prefix"],
        datetime.fromisoformat(facts["taken"]),
        facts["count"],
        facts["size_bytes"],
        bool(facts["is_whole"]),
    )


def find_index(folder: Path, connection: str, prefix: str) -> KeyIndex | None:
    """Return the newest index of a connection in which everything under a prefix is: of the prefix, or of one above.

    Args:
        folder: Where indexes are kept.
        connection: Tells one connection from others.
        prefix: What is to be searched.
    """
    above = [prefix[: at + 1] for at in range(len(prefix)) if prefix[at] == "/"]
    indexes = (open_index(index_file(folder, connection, each)) for each in dict.fromkeys(["", *above, prefix]))
    found = [index for index in indexes if index is not None]
    return max(found, key=lambda index: (index.is_whole, index.taken), default=None)


def index_file(folder: Path, connection: str, prefix: str) -> Path:
    """Return where the index of a prefix is kept.

    Example:
        >>> index_file(Path("indexes"), "s3://b as me", "a/").name
        '44e1b566feb1e11e-b3dda5b674f9ce73.sqlite'
    """
    return folder / f"{_digest(connection)}-{_digest(prefix)}.sqlite"


def prune_indexes(folder: Path, keep: int = _MOST_KEPT) -> None:
    """Delete the oldest indexes of a folder, of those that `index_file` names; other files stay.

    Args:
        folder: Where indexes are kept.
        keep: How many stay.
    """
    files: list[tuple[float, Path]] = []
    for path in folder.glob("*.sqlite"):
        with suppress(FileNotFoundError):  # another process prunes too
            if _NAME.fullmatch(path.name):
                files.append((path.stat().st_mtime, path))
    for _, path in sorted(files, reverse=True)[keep:]:
        path.unlink(missing_ok=True)


def _fill(
    database: sqlite3.Connection, store: Store, prefix: str, on_page: Callable[[int], None], most_objects: int
) -> tuple[int, int, bool]:
    count = size_bytes = 0
    for page in store.list_pages(prefix):
        objects = page.objects[: most_objects - count]
        database.executemany("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?)", _rows(objects))
        count += len(objects)
        size_bytes += sum(info.size_bytes for info in objects)
        on_page(len(objects))
        if len(objects) < len(page.objects):
            return count, size_bytes, False
    return count, size_bytes, True


def _rows(objects: Iterable[ObjectInfo]) -> Iterator[tuple[str, str | None, int, int]]:
    for info in objects:
        key = info.key.encode(errors="backslashreplace").decode()  # a folder may hold names that are no Unicode
        folded = key.casefold()
        modified_us = round(info.modified.timestamp() * 1_000_000)
        yield key, None if folded == key else folded, info.size_bytes, modified_us


def _conditions(words: str, prefix: str) -> tuple[str, tuple[str, ...]]:
    """Return what rows have to be, in SQL, and the values that it names."""
    asked = words.encode(errors="replace").decode().casefold().split()
    if len(asked) > _MOST_WORDS or len(words) > _MOST_LETTERS:
        raise BadOptionError(
            f"{len(asked):,} words with {len(words):,} letters are too many to search for",
            remedy=f"Use up to {_MOST_WORDS} words with {_MOST_LETTERS:,} letters in all",
        )
    conditions, values = ["substr(key, 1, length(?)) = ?"], [prefix, prefix]
    for word in asked:
        if word.startswith("*") and word.strip("*"):
            end = word.lstrip("*")
            conditions.append("substr(coalesce(folded, key), -length(?)) = ?")
            values += [end, end]
        else:
            conditions.append("instr(coalesce(folded, key), ?)")
            values.append(word)
    return "WHERE " + " AND ".join(conditions), tuple(values)


def _new_part(file: Path) -> Path:
    """Return a new file for what is not finished yet; those that a kill has left go after a day."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in file.parent.glob(f"{glob.escape(file.stem)}*{_PART}"):
            with suppress(FileNotFoundError):
                if time.time() - old.stat().st_mtime > _STALE_S:
                    old.unlink()
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=_PART)  # nobody else may read it
    except OSError as error:
        raise AccessDeniedError(
            f"the index cannot be kept: {error.strerror or error}",
            operation="index",
            uri=str(file.parent),
            remedy="Give yourself the right to write there, or set SKYHOLD_CACHE to another folder",
        ) from error
    os.close(handle)
    return Path(name)


def _open_read_only(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _moment(modified_us: int) -> datetime:
    return datetime.fromtimestamp(modified_us / 1_000_000, UTC)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
