"""What a folder keeps beside its files: attributes, and the locks that make conditional writes exact.

All of it lies under ``.skyhold-store/`` in the root, which comes to be with the first of either.
"""

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress

from skyhold.storage.objects import Attributes

__all__ = ["RESERVED", "FileNotes"]

RESERVED = ".skyhold-store"


class FileNotes:
    """The notes of one folder.

    Args:
        base: The folder's path, ending in ``/``.
    """

    def __init__(self, base: str) -> None:
        self._top = base + RESERVED

    def are_kept(self) -> bool:
        """Return whether there is anything: most folders have none, and then one look tells it all."""
        return os.access(self._top, os.F_OK)  # unlike `isdir`, without an exception where there is none

    def attributes_of(self, key: str, e_tag: str) -> Attributes:
        """Return what was kept with this version of a file."""
        if not self.are_kept():
            return Attributes()
        try:
            with open(self._sidecar(key, e_tag), "rb") as file:
                stored = json.load(file)
        except (FileNotFoundError, NotADirectoryError):
            return Attributes()
        return Attributes(stored["metadata"], stored["content_type"], stored["storage_class"], stored.get("tags", {}))

    def keep(self, key: str, e_tag: str | None, attributes: Attributes) -> None:
        """Write the sidecar of a version that is about to appear."""
        if not attributes.say_something:
            return
        sidecar = self._sidecar(key, e_tag)
        folder = os.path.dirname(sidecar)
        os.makedirs(folder, exist_ok=True)
        content = {
            "key": key,
            "metadata": dict(attributes.metadata),
            "content_type": attributes.content_type,
            "storage_class": attributes.storage_class,
            "tags": dict(attributes.tags),
        }
        with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".tmp-", delete=False) as file:
            json.dump(content, file)
        os.replace(file.name, sidecar)

    def forget(self, key: str, e_tag: str | None) -> None:
        """Drop the sidecar of a version that is gone."""
        with suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(self._sidecar(key, e_tag))

    @contextmanager
    def locked(self, key: str, *, conditional: bool) -> Generator[None]:
        """Hold this key against other writers on this machine (and over NFS where it has locks).

        The first conditional write makes the folder of locks; where there is none, nobody needs them.
        """
        folder = f"{self._top}/locks"
        if conditional:
            os.makedirs(folder, exist_ok=True)
        elif not os.path.isdir(folder):
            yield
            return
        name = hashlib.sha256(key.encode()).hexdigest()[:2]
        with open(f"{folder}/{name}", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _sidecar(self, key: str, e_tag: str | None) -> str:
        name = hashlib.sha256(f"{key}\n{e_tag}".encode()).hexdigest()
        return f"{self._top}/attributes/{name}.json"
