"""A folder and a library that tests of the synchronization look at as mappings of paths to contents."""

from pathlib import Path
from typing import Any

from skyhold.components.folder_scan import is_own_name
from skyhold.components.library import Library
from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.synchronizing import StorageSynchronizer

__all__ = ["Machine", "contents_of", "remote_of"]


def contents_of(folder: Path) -> dict[str, str]:
    """The files of a folder that are synchronized."""
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file() and not is_own_name(path.relative_to(folder).as_posix())
    }


def remote_of(library: Library) -> dict[str, str]:
    """The plain objects of a library."""
    return {
        info.key: library.store.read(info.key).decode()
        for info in library.store.list()
        if not info.key.startswith(".skyhold/")
    }


class Machine:
    """A folder on some machine, and the library that it is synchronized with.

    Args:
        folder: The folder; it is made.
        library: The library.
        **options: Of the synchronization.
    """

    def __init__(self, folder: Path, library: Library, **options: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.library = library
        self.options: dict[str, Any] = {"delete_files": True, **options}

    def synchronizer(self, **options: Any) -> StorageSynchronizer:
        """What synchronizes them, with some options changed."""
        return StorageSynchronizer(self.library, SyncConfig(self.folder, **{**self.options, **options}))

    def sync(self, **options: Any) -> SyncResult:
        """Synchronize once."""
        return self.synchronizer(**options).synchronize()

    def write(self, **contents: str) -> None:
        """Write files; ``__`` in a name stands for a dot."""
        for name, content in contents.items():
            self.put(name.replace("__", "."), content)

    def put(self, path: str, content: str) -> None:
        """Write one file."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    @property
    def local(self) -> dict[str, str]:
        """What the folder has."""
        return contents_of(self.folder)

    @property
    def remote(self) -> dict[str, str]:
        """What the plain keys of the library have."""
        return remote_of(self.library)
