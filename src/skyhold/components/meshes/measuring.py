"""The measures of meshes: size, area, volume, and whether they are closed."""

from collections.abc import Sequence

import numpy as np

from skyhold.components.meshes.measures import MeshFacts, Point
from skyhold.components.meshes.mesh import Floats, Integers, Mesh, distinct_rows

__all__ = ["facts_of", "merge_vertices"]

_MOST_NAMES = 200
_BLOCK = 200_000


def facts_of(mesh: Mesh) -> MeshFacts:
    """Return what can be said of a mesh that was read."""
    used, faces = merge_vertices(mesh)
    area, volume = _area_and_volume(used, faces)
    is_closed, is_oriented = _edges(faces)
    has_faces = len(faces) > 0
    return MeshFacts(
        format=mesh.form,
        triangles=len(mesh.faces),
        vertices=len(used),
        lowest=_as_point(used.min(axis=0)) if has_faces else None,
        highest=_as_point(used.max(axis=0)) if has_faces else None,
        area=area,
        watertight=has_faces and is_closed,
        volume=volume if has_faces and is_oriented else None,
        unit=mesh.unit,
        up=mesh.up,
        materials=_first([material.name for material in mesh.materials]),
        parts=_first(mesh.parts),
        left_out=mesh.left_out,
        remarks=mesh.remarks,
    )


def merge_vertices(mesh: Mesh) -> tuple[Floats, Integers]:
    """Return the different positions that triangles have, in a fixed order, and the triangles as places in them."""
    places, where = np.unique(mesh.faces, return_inverse=True)
    vertices, merged = distinct_rows(mesh.vertices[places])
    return vertices, merged[where].reshape(-1, 3)


def _area_and_volume(vertices: Floats, faces: Integers) -> tuple[float, float]:
    """Return the area, and the sum of the signed volumes of the tetrahedra between the triangles and one point."""
    area = volume = 0.0
    centre = vertices.mean(axis=0) if len(vertices) else np.zeros(3)  # far from the origin digits would be lost
    for start in range(0, len(faces), _BLOCK):
        first, second, third = (vertices[faces[start : start + _BLOCK, corner]] - centre for corner in range(3))
        cross = np.cross(second - first, third - first)
        area += float(np.linalg.norm(cross, axis=1).sum()) / 2
        volume += float(np.einsum("ij,ij->", first, cross)) / 6
    return area, volume


def _edges(faces: Integers) -> tuple[bool, bool]:
    """Return whether every edge has as many triangles as a closed surface, and whether they agree on the outside."""
    proper = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    starts, ends = proper.reshape(-1), proper[:, [1, 2, 0]].reshape(-1)
    size = int(faces.max()) + 1 if faces.size else 1
    _, where, counts = np.unique(
        np.minimum(starts, ends) * size + np.maximum(starts, ends), return_inverse=True, return_counts=True
    )
    turns = np.bincount(where, weights=np.where(starts < ends, 1.0, -1.0), minlength=len(counts))
    is_closed = len(proper) > 0 and not bool((counts % 2).any())
    return is_closed, is_closed and not bool(turns.any())


def _first(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(names[:_MOST_NAMES])


def _as_point(values: Floats) -> Point:
    x, y, z = (float(value) for value in values)
    return x, y, z
