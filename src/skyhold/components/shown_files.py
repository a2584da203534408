"""Which file of a component shows most, and the files that it names."""

import posixpath

from skyhold.components.diffing import find_beside
from skyhold.components.library import Library
from skyhold.components.manifest import FileEntry, Version
from skyhold.errors import ComponentNotFoundError, InvalidKeyError

__all__ = ["MESHES", "SHOWN_FIRST", "choose_shown", "ending_of", "find_named"]

MESHES = (".glb", ".gltf", ".stl", ".obj", ".fbx")
"""Endings of files that hold meshes."""

SHOWN_FIRST = (*MESHES, ".blend", ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".tga")
"""Endings of files that pictures are made of; those that show more before the others."""


def choose_shown(library: Library, version: Version, file: str | None = None) -> FileEntry:
    """Return the file of a version that was asked for, or the one that shows most.

    Raises:
        ComponentNotFoundError: There is no such file, or the version says that the component was deleted.
    """
    wanted = [entry for entry in version.files if file is None or entry.name == file]
    if not wanted:
        raise ComponentNotFoundError(
            f"version {version.number} of {version.component!r} "
            + (f"has no file {file!r}" if version.files else "says that it was deleted"),
            operation="preview",
            uri=library.store.uri_of(version.component),
        )
    return min(wanted, key=_rank)


def find_named(library: Library, version: Version, entry: FileEntry, path: str) -> FileEntry | None:
    """Return the file that another one names: of the same version, or, of a component that is one file, beside it."""
    if entry.name:
        return find_beside(version, entry.name, path)
    neighbour = posixpath.normpath(posixpath.join(posixpath.dirname(version.component), path))
    try:
        files = library.info(neighbour).files
    except (ComponentNotFoundError, InvalidKeyError):
        return None
    return next((each for each in files if not each.name), None)


def ending_of(name: str) -> str:
    """Return the ending of a name in lower case.

    Example:
        >>> ending_of("Parts/ARM.STL")
        '.stl'
    """
    return posixpath.splitext(name)[1].lower()


def _rank(entry: FileEntry) -> tuple[int, str]:
    ending = ending_of(entry.name)
    return (SHOWN_FIRST.index(ending) if ending in SHOWN_FIRST else len(SHOWN_FIRST), entry.name)
