"""Meshes that are plain objects of a store, ready to be drawn by a viewer."""

import posixpath
from typing import TYPE_CHECKING

from skyhold.components.meshes.source import check_size
from skyhold.errors import KeyNotFoundError
from skyhold.storage.contract import Store

if TYPE_CHECKING:
    from skyhold.components.meshes.scene import Scene

__all__ = ["load_object_scene"]


def load_object_scene(store: Store, key: str) -> "Scene":
    r"""Return a mesh ready to be drawn; of the files that it names, those beside it in the store are read.

    Args:
        store: Where it is.
        key: Which object; its ending tells the format.

    Raises:
        KeyNotFoundError: There is no such object.
        PreviewError: It is no mesh that can be read, or too large.
        MissingExtraError: The extra ``preview`` is not installed.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://object-scenes-example")
        >>> _ = store.write("roof.obj", b"v 0 0 0\nv 4 0 0\nv 0 3 0\nf 1 2 3\n")
        >>> [group.count for group in load_object_scene(store, "roof.obj").groups]
        [1]
    """
    from skyhold.components.meshes.mesh import Mesh  # noqa: PLC0415 - first: it tells a missing extra
    from skyhold.components.meshes.reading import read_mesh  # noqa: PLC0415 - the extra `preview`
    from skyhold.components.meshes.scene import make_scene  # noqa: PLC0415 - the same
    from skyhold.components.meshes.source import open_source  # noqa: PLC0415 - beside the others

    def read_named(path: str) -> bytes | None:
        named = posixpath.normpath(posixpath.join(posixpath.dirname(key), path))
        try:
            return _read(store, named)
        except KeyNotFoundError:
            return None

    mesh: Mesh = read_mesh(open_source(_read(store, key), key, siblings=read_named))
    return make_scene(mesh)


def _read(store: Store, key: str) -> bytes:
    """Return an object of a size that is read: this is asked first."""
    info = store.info(key)
    check_size(info.size_bytes, key)
    return store.read(key, if_match=info.e_tag)
