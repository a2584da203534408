"""Where simulations are kept: a folder of any store, or of this machine, with the methods that their users know."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from skyhold.errors import KeyNotFoundError, UnsupportedError
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location
from skyhold.storage.objects import Buffer, ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.transfer import Moved, Transfer, Transferred, transfer_all
from skyhold.storage.wrappers.classed import ClassedStore
from skyhold.storage.wrappers.prefixed import PrefixedStore

__all__ = ["AnyPath", "FileSystem", "StoreFileSystem", "store_of"]

AnyPath = str | os.PathLike[str]

_CLASSLESS = {"file", "memory", "http"}
_STREAMED_BYTES = 32 * 1024 * 1024
_WILDCARD = re.compile(r"[*?\[]")


@runtime_checkable
class FileSystem(Protocol):
    """What results are written to and read from. Users may bring their own; paths are text with ``/``.

    A method that cannot know raises: a store that is down is never read as "it is not there".
    """

    def read_bytes(self, path: AnyPath) -> bytes:
        """Return a file's bytes."""
        ...

    def write_bytes(self, path: AnyPath, data: bytes) -> None:
        """Write a file, whole or not at all."""
        ...

    def read_text(self, path: AnyPath, encoding: str = "utf-8") -> str:
        """Return a file's text."""
        ...

    def write_text(self, path: AnyPath, text: str, encoding: str = "utf-8") -> None:
        """Write a text file."""
        ...

    def exists(self, path: AnyPath) -> bool:
        """Return whether there is a file, or a folder with something in it."""
        ...

    def makedirs(self, path: AnyPath, *, exist_ok: bool = False) -> None:
        """Make a folder, where the store has folders that are more than names."""
        ...

    def copy(self, src: AnyPath, dst: AnyPath) -> None:
        """Copy a file."""
        ...

    def glob(self, path: AnyPath, pattern: str) -> list[str]:
        """Return the paths of the files under ``path`` whose path below it matches, in order."""
        ...

    def remove(self, path: AnyPath) -> None:
        """Delete a file."""
        ...


class StoreFileSystem:
    """A folder of any store that `skyhold.storage.opening.open_store` opens.

    Paths are relative to it; a leading ``/`` means its top. A file appears whole or not at all. Object stores have no
    folders: a path is one when something lies below it.

    Args:
        uri: Such as ``"s3://bucket/studies"``.
        storage_class: What new files are kept as, in the store's own words (``"STANDARD_IA"``, ``"Cool"``).
        **options: As `open_store` takes them.

    Raises:
        UnsupportedError: This kind of store has no storage classes.
        BadUriError: The URI cannot be read.
        BadOptionError: An option is unknown.
        CredentialsError: No identity, half of one, or two.

    Example:
        >>> fs = StoreFileSystem("memory://filesystem-example/studies")
        >>> fs.write_text("run-1/notes.txt", "warm")
        >>> fs.glob("run-1", "*.txt"), fs.exists("run-2")
        (['run-1/notes.txt'], False)
        >>> fs
        StoreFileSystem('memory://filesystem-example/studies')
    """

    def __init__(self, uri: AnyPath, *, storage_class: str | None = None, **options: Any) -> None:
        scheme = parse_location(uri).scheme
        if storage_class and scheme in _CLASSLESS:
            raise UnsupportedError(
                f"a {scheme}:// store has no storage classes, and storage_class={storage_class!r} was asked for",
                operation="open",
                uri=os.fspath(uri),
                remedy="Leave storage_class out",
            )
        self._set_up(open_store(uri, **options), storage_class)

    @classmethod
    def over(cls, store: Store, storage_class: str | None = None) -> Self:
        """Return the file system of a store that is open already."""
        fs = cls.__new__(cls)
        fs._set_up(store, storage_class)  # noqa: SLF001 - its own
        return fs

    def _set_up(self, store: Store, storage_class: str | None) -> None:
        self.storage_class = storage_class or ""
        self.store: Store = store
        self._plain = store
        if storage_class:
            self.store = ClassedStore(store, storage_class)

    @property
    def uri(self) -> str:
        """Where its top is."""
        return self.store.uri

    def open_folder(self, path: AnyPath, *, classed: bool = True) -> Store:
        """Return the store of what lies in a folder.

        Args:
            path: The folder.
            classed: Keep what is written there in this file system's storage class; what is read again soon should not
                be, since archives give nothing back for hours.
        """
        key = self._key(path)
        store = self.store if classed or not self.storage_class else self._plain
        return PrefixedStore(store, f"{key}/") if key else store

    def read_bytes(self, path: AnyPath) -> bytes:
        """Return a file's bytes.

        Raises:
            KeyNotFoundError: There is no such file.
        """
        store, key = self._object(path)
        return store.read(key)

    def write_bytes(self, path: AnyPath, data: Buffer) -> None:
        """Write a file; the previous one stays until this one is complete."""
        store, key = self._object(path)
        if memoryview(data).nbytes <= _STREAMED_BYTES:
            store.write(key, data)
            return
        with store.open_writer(key) as writer:
            writer.write(data)

    def read_text(self, path: AnyPath, encoding: str = "utf-8") -> str:
        """Return a file's text; errors as `read_bytes`."""
        return self.read_bytes(path).decode(encoding)

    def write_text(self, path: AnyPath, text: str, encoding: str = "utf-8") -> None:
        """Write a text file; line ends stay as they are."""
        self.write_bytes(path, text.encode(encoding))

    def exists(self, path: AnyPath) -> bool:
        """Return whether there is a file, or a folder with something in it.

        Raises:
            StorageError: The store does not tell.
        """
        key = self._key(path)
        if key and self.store.exists(key):
            return True
        pages = self.store.list_pages(f"{key}/" if key else "", delimiter="/")
        return any(page.objects or page.prefixes for page in pages)

    def makedirs(self, path: AnyPath, *, exist_ok: bool = False) -> None:
        """Do nothing but check the path: folders of a store are names, and need no making."""
        del exist_ok
        self.open_folder(path)

    def copy(self, src: AnyPath, dst: AnyPath) -> None:
        """Copy a file, where the store can without its bytes passing through here."""
        (source, source_key), (target, target_key) = self._object(src), self._object(dst)
        if source is target:
            source.copy(source_key, target_key)
        else:
            transfer_all([Transfer(source, source_key, target, target_key)])

    def glob(self, path: AnyPath, pattern: str) -> list[str]:
        """Return the paths of the files under ``path`` that match, in order; they can be given to the other methods.

        Args:
            path: A folder.
            pattern: As pathlib's: ``*`` stays within a folder, ``**`` goes through them.
        """
        given = os.fspath(path)
        base = given if given in {"", "/"} else f"{given.rstrip('/')}/"
        return [base + info.key for info in self._matching(path, pattern)]

    def remove(self, path: AnyPath) -> None:
        """Delete a file; one that is not there is passed over."""
        store, key = self._object(path)
        store.delete(key)

    def download(
        self, path: AnyPath, local: AnyPath, *, pattern: str = "**", on_moved: Moved | None = None
    ) -> list[Transferred]:
        """Copy all files of a folder to this machine, many at a time, each verified.

        Args:
            path: A folder.
            local: Where to; made if it is not there.
            pattern: Only the files that match.
            on_moved: Told of bytes and files as they come.

        Raises:
            KeyNotFoundError: Nothing is there.
            TransferError: Some failed; the others have come.
        """
        source, target = self.open_folder(path), open_store(local)
        found = list(self._matching(path, pattern))
        if not found:
            raise KeyNotFoundError(
                f"nothing there matches {pattern!r}", operation="download", uri=source.uri, remedy="Check the path"
            )
        transfers = (Transfer(source, info.key, target, info.key, info) for info in found)
        return transfer_all(transfers, on_moved=on_moved)

    def upload(
        self, local: AnyPath, path: AnyPath, *, pattern: str = "**", on_moved: Moved | None = None
    ) -> list[Transferred]:
        """Copy all files of a folder of this machine to a folder here, many at a time; arguments as `download`.

        Raises:
            KeyNotFoundError: Nothing is there.
            TransferError: Some failed; the others were written.
        """
        here, target = open_store(local), self.open_folder(path)
        found = list(_select(here, pattern)) if Path(local).is_dir() else []
        if not found:
            raise KeyNotFoundError(
                f"nothing there matches {pattern!r}", operation="upload", uri=os.fspath(local), remedy="Check the path"
            )
        transfers = (Transfer(here, info.key, target, info.key, info) for info in found)
        return transfer_all(transfers, on_moved=on_moved)

    def __repr__(self) -> str:
        """Show where it is; never an option, since that may be a secret."""
        kept_as = f", storage_class={self.storage_class!r}" if self.storage_class else ""
        return f"{type(self).__name__}({self.uri!r}{kept_as})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as stores are: options by reference, and not at all where secrets are among them."""
        return (type(self).over, (self._plain, self.storage_class))

    def _key(self, path: AnyPath) -> str:
        return "/".join(part for part in os.fspath(path).split("/") if part not in {"", "."})

    def _object(self, path: AnyPath) -> tuple[Store, str]:
        return self.store, self._key(path)

    def _matching(self, path: AnyPath, pattern: str) -> Iterator[ObjectInfo]:
        return _select(self.open_folder(path), pattern)


def store_of(fs: FileSystem | None) -> Store | None:
    """Return the store of a file system that is ours; None of any other, which can only be asked for its own files."""
    return fs.store if isinstance(fs, StoreFileSystem) else None


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern:
        return not parts
    if pattern[0] == "**":
        return any(_matches(parts[start:], pattern[1:]) for start in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _select(store: Store, pattern: str) -> Iterator[ObjectInfo]:
    """Yield the objects that match, asking for no more than what begins as the pattern does."""
    wildcard = _WILDCARD.search(pattern)
    begins = pattern[: wildcard.start()] if wildcard else pattern
    folded = "/" if "/" not in pattern and "**" not in pattern else None
    for page in store.list_pages(begins, delimiter=folded):
        yield from (info for info in page.objects if _matches(info.key.split("/"), pattern.split("/")))
