"""What there is to know of a component without reading its content."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from skyhold.components.library import Library
from skyhold.components.manifest import FileEntry
from skyhold.errors import ComponentNotFoundError

__all__ = ["ComponentMetadata", "describe_component"]


@dataclass(frozen=True, slots=True)
class ComponentMetadata:
    """Size, times, hashes and the user's own entries of one version of a component.

    Attributes:
        component: Its id.
        version: Which version this tells of.
        uri: Where any program finds the newest version.
        size_bytes: Of all files.
        created: When the component was first published; the oldest version that is left where that is gone.
        modified: When this version was published.
        sha256: Of its file; empty where there are several.
        files: Each file with its size and SHA-256.
        author: Who published this version.
        message: Why.
        metadata: The user's own entries.
        tags: Names that people gave to this version.
        is_deleted: Whether this version says that the component was deleted.
    """

    component: str
    version: int
    uri: str
    size_bytes: int
    created: datetime
    modified: datetime
    sha256: str
    files: tuple[FileEntry, ...]
    author: str
    message: str
    metadata: Mapping[str, str]
    tags: tuple[str, ...]
    is_deleted: bool


def describe_component(library: Library, component_id: str, version: int | str = "latest") -> ComponentMetadata:
    """Return what is known of a version.

    Raises:
        ComponentNotFoundError: There is no such component or version.

    Example:
        >>> library = Library("memory://facts-example", author="ann")
        >>> _ = library.publish("arm.stl", b"solid arm", metadata={"material": "steel"})
        >>> found = describe_component(library, "arm.stl")
        >>> found.size_bytes, found.author, found.metadata["material"]
        (9, 'ann', 'steel')
    """
    head, _ = library.head(component_id)
    found = library.info(component_id, version)
    try:
        created = library.info(component_id, 1).created
    except ComponentNotFoundError:
        created = library.log(component_id)[-1].created
    return ComponentMetadata(
        component=component_id,
        version=found.number,
        uri=library.store.uri_of(component_id),
        size_bytes=found.size_bytes,
        created=created,
        modified=found.created,
        sha256=found.files[0].sha256 if [entry.name for entry in found.files] == [""] else "",
        files=found.files,
        author=found.author,
        message=found.message,
        metadata=found.metadata,
        tags=tuple(sorted(name for name, number in head.tags.items() if number == found.number)),
        is_deleted=found.is_deleted,
    )
