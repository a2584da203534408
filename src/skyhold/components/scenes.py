"""Meshes of components, ready to be drawn by a viewer."""

from typing import TYPE_CHECKING

from skyhold.components.diffing import read_checked
from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.shown_files import choose_shown, find_named

if TYPE_CHECKING:
    from skyhold.components.meshes.mesh import Mesh
    from skyhold.components.meshes.scene import Scene

__all__ = ["load_scene"]


def load_scene(
    library: Library,
    component_id: str,
    *,
    file: str | None = None,
    version: int | str = "latest",
    against: int | str | None = None,
) -> "Scene":
    r"""Return a mesh of a component, ready to be drawn.

    Args:
        library: Where it is.
        component_id: Which component.
        file: Which of its files; the one that shows most if not given.
        version: A number or a tag.
        against: The version that it is compared with.

    Raises:
        ComponentNotFoundError: There is no such component, version, tag or file, or it was deleted.
        IntegrityError: The content is damaged or missing.
        PreviewError: It is no mesh that can be read.
        MissingExtraError: The extra ``preview`` is not installed.

    Example:
        >>> library = Library("memory://scenes-example")
        >>> for corner in (b"v 1 0 0", b"v 3 0 0"):
        ...     _ = library.publish("roof.obj", b"v 0 0 0\nv 0 1 0\nv 0 0 1\n" + corner + b"\nf 1 2 3\nf 1 2 4\n")
        >>> [(group.count, group.is_other) for group in load_scene(library, "roof.obj", against=1).groups]
        [(1, False), (1, True)]
    """
    from skyhold.components.meshes.mesh import Mesh  # noqa: PLC0415 - first: it tells a missing extra
    from skyhold.components.meshes.scene import make_scene  # noqa: PLC0415 - the extra `preview`

    wanted = [version] if against is None else [version, against]
    meshes: list[Mesh] = [_load_mesh(library, library.info(component_id, each), file) for each in wanted]
    return make_scene(*meshes)


def _load_mesh(library: Library, version: Version, file: str | None) -> "Mesh":
    from skyhold.components.meshes.reading import read_mesh  # noqa: PLC0415 - the extra `preview`
    from skyhold.components.meshes.source import open_source  # noqa: PLC0415 - the same

    entry = choose_shown(library, version, file)
    name = entry.name or version.component

    def read_named(path: str) -> bytes | None:
        found = find_named(library, version, entry, path)
        return read_checked(library.history, found, path) if found else None

    return read_mesh(open_source(read_checked(library.history, entry, name), name, siblings=read_named))
