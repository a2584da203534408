"""Versioned model components in a store, kept in step with folders, and never lost."""

from typing import TYPE_CHECKING

from skyhold.lazy import load_lazily

if TYPE_CHECKING:
    from skyhold.components.batch_run import BatchItem, BatchResult
    from skyhold.components.component_facts import ComponentMetadata
    from skyhold.components.config import CloudStorageConfig
    from skyhold.components.library import Library
    from skyhold.components.listing import ComponentInfo
    from skyhold.components.manager import CloudStorageManager
    from skyhold.components.manifest import Dependency, FileEntry, Head, Version
    from skyhold.components.publication import ANY
    from skyhold.components.sync_config import SyncConfig, SyncResult
    from skyhold.components.sync_watching import keep_synchronized
    from skyhold.components.synchronizing import StorageSynchronizer

__all__ = [
    "ANY",
    "BatchItem",
    "BatchResult",
    "CloudStorageConfig",
    "CloudStorageManager",
    "ComponentInfo",
    "ComponentMetadata",
    "Dependency",
    "FileEntry",
    "Head",
    "Library",
    "StorageSynchronizer",
    "SyncConfig",
    "SyncResult",
    "Version",
    "keep_synchronized",
]

_HOMES = {
    "ANY": "skyhold.components.publication",
    "BatchItem": "skyhold.components.batch_run",
    "BatchResult": "skyhold.components.batch_run",
    "CloudStorageConfig": "skyhold.components.config",
    "CloudStorageManager": "skyhold.components.manager",
    "ComponentInfo": "skyhold.components.listing",
    "ComponentMetadata": "skyhold.components.component_facts",
    "Dependency": "skyhold.components.manifest",
    "FileEntry": "skyhold.components.manifest",
    "Head": "skyhold.components.manifest",
    "Library": "skyhold.components.library",
    "StorageSynchronizer": "skyhold.components.synchronizing",
    "SyncConfig": "skyhold.components.sync_config",
    "SyncResult": "skyhold.components.sync_config",
    "Version": "skyhold.components.manifest",
    "keep_synchronized": "skyhold.components.sync_watching",
}

__getattr__, __dir__ = load_lazily(__name__, _HOMES)
