"""What can be said of a mesh in numbers: how many triangles, how large, closed or not, of what."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skyhold.components.meshes.mesh import Floats, Integers, Mesh, distinct_rows
from skyhold.components.meshes.reading import read_mesh
from skyhold.components.meshes.source import Siblings, open_source
from skyhold.runs.json_reader import JsonReader

__all__ = ["MeshFacts", "Point", "facts_of", "merge_vertices", "read_facts"]

Point = tuple[float, float, float]

_MOST_NAMES = 200
_BLOCK = 200_000


@dataclass(frozen=True, slots=True)
class MeshFacts:
    """What can be said of a mesh in numbers.

    Attributes:
        format: ``"STL"``, ``"glTF"`` or ``"OBJ"``.
        triangles: How many; a polygon of n corners is n - 2 triangles.
        vertices: How many different positions the triangles have.
        lowest: The corner of the bounding box with the least coordinates; None where there is no triangle.
        highest: The corner opposite.
        area: Of all triangles, in ``unit``².
        watertight: Whether no triangle has an open edge.
        volume: Inside the surface, in ``unit``³; None where it is not closed, or where its triangles do not agree on
            which side is outside. Negative where all of them are turned inside out.
        unit: Of lengths; None where the format does not say, as STL and OBJ do not.
        up: The axis that the format, or its custom, holds upright.
        materials: Their names, the first 200.
        parts: Names of nodes, groups or solids, the first 200.
        left_out: Triangles with a corner that is not a number.
        remarks: What else was met.
    """

    format: str
    triangles: int
    vertices: int
    lowest: Point | None
    highest: Point | None
    area: float
    watertight: bool
    volume: float | None
    unit: str | None
    up: str
    materials: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    left_out: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def size(self) -> Point | None:
        """The lengths of the bounding box."""
        if self.lowest is None or self.highest is None:
            return None
        (x0, y0, z0), (x1, y1, z1) = self.lowest, self.highest
        return x1 - x0, y1 - y0, z1 - z0

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return json.loads(json.dumps(asdict(self)))

    @staticmethod
    def from_json(reader: JsonReader) -> "MeshFacts":
        """Return what was written.

        Raises:
            MalformedInputError: It is damaged.
        """
        return MeshFacts(
            format=reader.text("format"),
            triangles=reader.integer("triangles"),
            vertices=reader.integer("vertices"),
            lowest=_point(reader, "lowest"),
            highest=_point(reader, "highest"),
            area=reader.number("area"),
            watertight=reader.flag("watertight"),
            volume=reader.number("volume") if reader.has("volume") else None,
            unit=reader.text_or_none("unit"),
            up=reader.text("up"),
            materials=reader.texts("materials"),
            parts=reader.texts("parts"),
            left_out=reader.integer("left_out", 0),
            remarks=reader.texts("remarks"),
        )


def read_facts(content: Path | bytes, name: str = "", *, siblings: Siblings | None = None) -> MeshFacts:
    r"""Return what can be said of a mesh in numbers.

    Args:
        content: STL, glTF, GLB or OBJ. Buffers of a glTF file beside a path are read too, within its folder.
        name: What it is called; its ending tells the format. A path's own name if not given.
        siblings: Gives the files that it names, where it is not a path.

    Raises:
        PreviewError: It is damaged or too large, or its format is not read.
        MissingExtraError: The extra ``preview`` is not installed.

    Example:
        >>> pyramid = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"
        >>> facts = read_facts(pyramid, "pyramid.obj")
        >>> facts.triangles, facts.watertight, round(facts.volume, 4), facts.size
        (4, True, 0.1667, (1.0, 1.0, 1.0))
    """
    return facts_of(read_mesh(open_source(content, name, siblings=siblings)))


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


def _point(reader: JsonReader, name: str) -> Point | None:
    if not reader.has(name):
        return None
    x, y, z = (*reader.numbers(name), 0.0, 0.0, 0.0)[:3]
    return x, y, z
