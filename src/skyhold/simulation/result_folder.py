"""The folder of one run: a folder of a store, or of a file system that the user brought."""

import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Protocol

from skyhold.errors import BucketNotFoundError, KeyNotFoundError
from skyhold.simulation.filesystem import AnyPath, FileSystem, StoreFileSystem
from skyhold.simulation.named_filesystems import LocalFileSystem
from skyhold.simulation.result_record import OWN_FOLDER
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location
from skyhold.storage.opening import open_store
from skyhold.storage.reader import ObjectReader
from skyhold.storage.transfer import Moved, Transfer, transfer_all
from skyhold.storage.wrappers.metered import Meter, MeteredStore

__all__ = ["ResultFolder", "open_result_folder"]


class ResultFolder(Protocol):
    """The files of one run, by their names.

    Attributes:
        uri: Where it is.
        local: Its path, where it is a folder of this machine.
    """

    uri: str
    local: Path | None

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None where there is no such file; whatever keeps from knowing is raised."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a note about the run."""
        ...

    def list(self) -> dict[str, int | None]:
        """Return the names that are there, sorted, with their sizes where they are known."""
        ...

    def delete(self, names: Iterable[str]) -> None:
        """Delete files; those that are not there are passed over."""
        ...

    def upload(self, source: Path, names: Iterable[str], on_moved: Moved | None = None) -> None:
        """Write files of a local folder.

        Raises:
            TransferError: Some could not be written.
        """
        ...

    def download(self, names: Iterable[str], target: Path) -> None:
        """Read files into a local folder."""
        ...

    def open_reader(self, key: str, *, block_bytes: int, read_ahead: int) -> ObjectReader | BinaryIO:
        """Return a seekable file of bytes, in part where the store can.

        Raises:
            KeyNotFoundError: There is no such file.
        """
        ...

    def metered(self, meter: Meter) -> "ResultFolder":
        """Return the same folder, which counts what it is asked for."""
        ...


def open_result_folder(path: AnyPath, fs: FileSystem | None = None) -> ResultFolder:
    """Return the folder of a run.

    Args:
        path: In ``fs``; without one a local path, or the URI of a folder of any store.
        fs: Where it is.

    Example:
        >>> open_result_folder("memory://result-folder-example/run-1").uri
        'memory://result-folder-example/run-1'
    """
    if fs is None:
        return _StoreFolder(open_store(path))
    if isinstance(fs, StoreFileSystem):
        return _StoreFolder(fs.open_folder(path), fs.open_folder(path, classed=False))
    return _ForeignFolder(fs, os.fspath(path))


class _StoreFolder:
    """A folder of a store: many requests at a time.

    Args:
        store: For the files of the run.
        notes: The same, for what says how far the run is: never in an archive.
    """

    def __init__(self, store: Store, notes: Store | None = None) -> None:
        self._store = store
        self._notes = notes or store
        self.uri = store.uri
        location = parse_location(store.uri)
        self.local: Path | None = Path(location.container) if location.scheme == "file" else None

    def read(self, name: str) -> bytes | None:
        try:
            return self._store.read(name)
        except KeyNotFoundError:
            return None
        except BucketNotFoundError:
            if self.local is None:
                raise
            return None

    def write(self, name: str, data: bytes) -> None:
        self._notes.write(name, data)

    def list(self) -> dict[str, int | None]:
        if self.local is not None and not self.local.is_dir():
            return {}
        return {info.key: info.size_bytes for info in self._store.list()}

    def delete(self, names: Iterable[str]) -> None:
        if (self.local is None or self.local.is_dir()) and (found := list(names)):
            self._store.delete(found)

    def upload(self, source: Path, names: Iterable[str], on_moved: Moved | None = None) -> None:
        here = open_store(source)
        transfer_all((Transfer(here, name, self._store, name) for name in names), on_moved=on_moved)

    def download(self, names: Iterable[str], target: Path) -> None:
        there = open_store(target)
        transfer_all(Transfer(self._store, name, there, name) for name in names)

    def open_reader(self, key: str, *, block_bytes: int, read_ahead: int) -> ObjectReader | BinaryIO:
        return self._store.open_reader(key, block_bytes=block_bytes, read_ahead=read_ahead)

    def metered(self, meter: Meter) -> ResultFolder:
        return _StoreFolder(MeteredStore(self._store, meter), MeteredStore(self._notes, meter))


class _ForeignFolder:
    """A folder of a file system that somebody else wrote: one request at a time, since it may not bear more."""

    def __init__(self, fs: FileSystem, path: str) -> None:
        self._fs = fs
        self._path = path.rstrip("/")
        self.uri = self._path
        self.local: Path | None = None

    def read(self, name: str) -> bytes | None:
        path = self._full(name)
        return self._fs.read_bytes(path) if self._fs.exists(path) else None

    def write(self, name: str, data: bytes) -> None:
        self._fs.makedirs(self._full(name).rpartition("/")[0], exist_ok=True)
        self._fs.write_bytes(self._full(name), data)

    def list(self) -> dict[str, int | None]:
        own = OWN_FOLDER.rstrip("/")
        found = {*self._fs.glob(self._path, "*"), *self._fs.glob(self._full(own), "*")}
        names = sorted(path.removeprefix(f"{self._path}/") for path in found)
        return {name: None for name in names if name != own}

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            if self._fs.exists(self._full(name)):
                self._fs.remove(self._full(name))

    def upload(self, source: Path, names: Iterable[str], on_moved: Moved | None = None) -> None:
        for name in names:
            data = (source / name).read_bytes()
            self.write(name, data)
            if on_moved is not None:
                on_moved(len(data), 1)

    def download(self, names: Iterable[str], target: Path) -> None:
        local = LocalFileSystem(target)
        for name in names:
            local.write_bytes(name, self._fs.read_bytes(self._full(name)))

    def open_reader(self, key: str, *, block_bytes: int, read_ahead: int) -> ObjectReader | BinaryIO:  # noqa: ARG002
        return io.BytesIO(self._fs.read_bytes(self._full(key)))

    def metered(self, meter: Meter) -> ResultFolder:  # noqa: ARG002 - nobody knows what it asks for
        return self

    def _full(self, name: str) -> str:
        return f"{self._path}/{name}" if self._path else name
