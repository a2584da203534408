"""Versioned model components in a store, kept in step with folders, and never lost."""

from typing import TYPE_CHECKING

from skyhold.lazy import load_lazily

if TYPE_CHECKING:
    from skyhold.components.adopting import Adoption, adopt_objects
    from skyhold.components.batch_run import BatchItem, BatchResult
    from skyhold.components.component_facts import ComponentMetadata
    from skyhold.components.config import CloudStorageConfig
    from skyhold.components.dependencies import DependencyGraph, dependency_graph, resolve_dependencies
    from skyhold.components.diffing import diff_versions
    from skyhold.components.findings import Finding, LibraryVerification
    from skyhold.components.garbage import GarbageReport, collect_garbage
    from skyhold.components.keeping import DeltaPolicy
    from skyhold.components.library import Library
    from skyhold.components.listing import ComponentInfo
    from skyhold.components.lock_note import Lock
    from skyhold.components.locks import HeldLock, Locks
    from skyhold.components.manager import CloudStorageManager
    from skyhold.components.manifest import Dependency, FileEntry, Head, Version
    from skyhold.components.mesh_facts import read_facts
    from skyhold.components.meshes.measures import MeshFacts
    from skyhold.components.previews import Preview, load_preview
    from skyhold.components.pruning import PruneReport, prune_library
    from skyhold.components.publication import ANY
    from skyhold.components.recovery import Recovery, recover_library
    from skyhold.components.replicating import Replication
    from skyhold.components.replication import replicate_library
    from skyhold.components.sync_config import SyncConfig, SyncResult
    from skyhold.components.sync_watching import keep_synchronized
    from skyhold.components.synchronizing import StorageSynchronizer
    from skyhold.components.thumbnails import make_thumbnail
    from skyhold.components.verification import verify_library
    from skyhold.components.version_diff import VersionDiff

__all__ = [
    "ANY",
    "Adoption",
    "BatchItem",
    "BatchResult",
    "CloudStorageConfig",
    "CloudStorageManager",
    "ComponentInfo",
    "ComponentMetadata",
    "DeltaPolicy",
    "Dependency",
    "DependencyGraph",
    "FileEntry",
    "Finding",
    "GarbageReport",
    "Head",
    "HeldLock",
    "Library",
    "LibraryVerification",
    "Lock",
    "Locks",
    "MeshFacts",
    "Preview",
    "PruneReport",
    "Recovery",
    "Replication",
    "StorageSynchronizer",
    "SyncConfig",
    "SyncResult",
    "Version",
    "VersionDiff",
    "adopt_objects",
    "collect_garbage",
    "dependency_graph",
    "diff_versions",
    "keep_synchronized",
    "load_preview",
    "make_thumbnail",
    "prune_library",
    "read_facts",
    "recover_library",
    "replicate_library",
    "resolve_dependencies",
    "verify_library",
]

_HOMES = {
    "ANY": "skyhold.components.publication",
    "Adoption": "skyhold.components.adopting",
    "BatchItem": "skyhold.components.batch_run",
    "BatchResult": "skyhold.components.batch_run",
    "CloudStorageConfig": "skyhold.components.config",
    "CloudStorageManager": "skyhold.components.manager",
    "ComponentInfo": "skyhold.components.listing",
    "ComponentMetadata": "skyhold.components.component_facts",
    "DeltaPolicy": "skyhold.components.keeping",
    "Dependency": "skyhold.components.manifest",
    "DependencyGraph": "skyhold.components.dependencies",
    "FileEntry": "skyhold.components.manifest",
    "Finding": "skyhold.components.findings",
    "GarbageReport": "skyhold.components.garbage",
    "Head": "skyhold.components.manifest",
    "HeldLock": "skyhold.components.locks",
    "Library": "skyhold.components.library",
    "LibraryVerification": "skyhold.components.findings",
    "Lock": "skyhold.components.lock_note",
    "Locks": "skyhold.components.locks",
    "MeshFacts": "skyhold.components.meshes.measures",
    "Preview": "skyhold.components.previews",
    "PruneReport": "skyhold.components.pruning",
    "Recovery": "skyhold.components.recovery",
    "Replication": "skyhold.components.replicating",
    "StorageSynchronizer": "skyhold.components.synchronizing",
    "SyncConfig": "skyhold.components.sync_config",
    "SyncResult": "skyhold.components.sync_config",
    "Version": "skyhold.components.manifest",
    "VersionDiff": "skyhold.components.version_diff",
    "adopt_objects": "skyhold.components.adopting",
    "collect_garbage": "skyhold.components.garbage",
    "dependency_graph": "skyhold.components.dependencies",
    "diff_versions": "skyhold.components.diffing",
    "keep_synchronized": "skyhold.components.sync_watching",
    "load_preview": "skyhold.components.previews",
    "make_thumbnail": "skyhold.components.thumbnails",
    "prune_library": "skyhold.components.pruning",
    "read_facts": "skyhold.components.mesh_facts",
    "recover_library": "skyhold.components.recovery",
    "replicate_library": "skyhold.components.replication",
    "resolve_dependencies": "skyhold.components.dependencies",
    "verify_library": "skyhold.components.verification",
}

__getattr__, __dir__ = load_lazily(__name__, _HOMES)
