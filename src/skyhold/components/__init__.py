"""Versioned model components in a store, kept in step with folders, and never lost."""

from typing import TYPE_CHECKING

from skyhold.lazy import load_lazily

if TYPE_CHECKING:
    from skyhold.components.config import CloudStorageConfig
    from skyhold.components.manifest import Dependency, FileEntry, Head, Version

__all__ = [
    "CloudStorageConfig",
    "Dependency",
    "FileEntry",
    "Head",
    "Version",
]

_HOMES = {
    "CloudStorageConfig": "skyhold.components.config",
    "Dependency": "skyhold.components.manifest",
    "FileEntry": "skyhold.components.manifest",
    "Head": "skyhold.components.manifest",
    "Version": "skyhold.components.manifest",
}

__getattr__, __dir__ = load_lazily(__name__, _HOMES)
