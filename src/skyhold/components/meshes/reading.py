"""Meshes, by what their content and their name say they are."""

from skyhold.components.meshes.fbx import read_fbx
from skyhold.components.meshes.gltf import read_gltf
from skyhold.components.meshes.mesh import Mesh
from skyhold.components.meshes.obj import read_obj
from skyhold.components.meshes.source import Source
from skyhold.components.meshes.stl import read_stl

__all__ = ["read_mesh"]

_READERS = {".stl": read_stl, ".gltf": read_gltf, ".glb": read_gltf, ".obj": read_obj, ".fbx": read_fbx}


def read_mesh(source: Source) -> Mesh:
    """Return the triangles of a mesh.

    Raises:
        PreviewError: It is damaged or too large, or its format is not read.
    """
    if not source.data:
        raise source.damaged("it is empty")
    reader = read_gltf if source.data[:4] == b"glTF" else _READERS.get(source.suffix)
    if reader is None:
        raise source.unsupported("meshes are read from STL, glTF, GLB, OBJ and FBX")
    return reader(source)
