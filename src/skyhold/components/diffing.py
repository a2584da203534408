"""What changed from one version of a component to another, with the measures of meshes."""

import posixpath
from dataclasses import replace

from skyhold.components.history import History
from skyhold.components.library import Library
from skyhold.components.manifest import FileEntry, Version
from skyhold.components.meshes.source import Siblings, check_size
from skyhold.components.version_diff import FileChange, VersionDiff, compare_versions
from skyhold.errors import MissingExtraError, PreviewError

__all__ = ["diff_versions", "find_beside", "read_checked"]

_MESHES = (".fbx", ".glb", ".gltf", ".obj", ".stl")


def diff_versions(
    library: Library,
    component_id: str,
    old: int | str | None = None,
    new: int | str = "latest",
    *,
    meshes: bool = True,
) -> VersionDiff:
    """Return what changed from one version of a component to another.

    Args:
        library: Where it is.
        component_id: Which component.
        old: A number or a tag; the version that ``new`` was made from if not given.
        new: A number or a tag.
        meshes: Read STL, glTF, GLB, OBJ and FBX files that changed, and measure them; a file that cannot be measured
            has a note that says why.

    Raises:
        ComponentNotFoundError: There is no such component, version or tag.
        IntegrityError: A content is damaged or missing.
    """
    after = library.info(component_id, new)
    if old is not None:
        before = library.info(component_id, old)
    else:
        before = library.info(component_id, max(after.parents)) if after.parents else None
    found = compare_versions(before, after)
    if before is None or not meshes:
        return found
    files = (_measured(library.history, change, before, after) for change in found.files)
    return replace(found, files=tuple(files))


def find_beside(version: Version, name: str, path: str) -> FileEntry | None:
    """Return the file of a version whose path, seen from one of its files, is ``path``; None where there is none."""
    wanted = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    return next((entry for entry in version.files if entry.name == wanted), None)


def read_checked(history: History, entry: FileEntry, name: str) -> bytes:
    """Return content that is not larger than what is read of a mesh.

    Raises:
        PreviewError: It is larger.
        IntegrityError: It is damaged or missing.
    """
    check_size(entry.size_bytes, name)
    return history.read(entry.sha256)


def _measured(history: History, change: FileChange, before: Version, after: Version) -> FileChange:
    if change.kind != "changed" or change.old is None or change.new is None:
        return change
    name = change.name or after.component
    if not name.lower().endswith(_MESHES):
        return change
    try:
        from skyhold.components.mesh_diff import diff_meshes  # noqa: PLC0415 - the extra `preview`

        mesh = diff_meshes(
            read_checked(history, change.old, name),
            read_checked(history, change.new, name),
            name,
            siblings=(_beside(history, before, change.name), _beside(history, after, change.name)),
        )
    except (PreviewError, MissingExtraError) as error:
        return replace(change, note=error.message)
    return replace(change, mesh=mesh)


def _beside(history: History, version: Version, name: str) -> Siblings:
    def read(path: str) -> bytes | None:
        entry = find_beside(version, name, path)
        return None if entry is None else read_checked(history, entry, path)

    return read
