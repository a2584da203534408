"""Triangles in space, as every reader gives them."""

from dataclasses import dataclass
from typing import Any, Literal

from skyhold.errors import MissingExtraError

try:
    import numpy as np
    from numpy.typing import NDArray
except ImportError as error:
    raise MissingExtraError.of("preview", "reading meshes") from error

__all__ = ["Colour", "Floats", "Integers", "Material", "Mesh", "distinct_rows"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Colour = tuple[float, float, float]
Form = Literal["STL", "glTF", "OBJ", "FBX"]

_FARTHEST = 1e30  # so that a volume can still be computed


@dataclass(frozen=True, slots=True)
class Material:
    """How a part of a mesh looks.

    Attributes:
        name: As the file calls it; may be empty.
        colour: Red, green and blue from 0 to 1, linear; None where the file does not say.
    """

    name: str
    colour: Colour | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in space.

    Attributes:
        form: ``"STL"``, ``"glTF"``, ``"OBJ"`` or ``"FBX"``.
        vertices: Positions, shape (n, 3), all finite and below 1e30; equal positions may stand more than once.
        faces: Three places in ``vertices`` for each triangle, shape (m, 3).
        up: The axis that the format, or its custom, holds upright.
        unit: Of the positions, where the format says.
        materials: In the order of the file.
        face_materials: The place in ``materials`` of each triangle, -1 for none, shape (m,).
        parts: Names of nodes, groups or solids, in the order of the file; may repeat.
        left_out: How many triangles were not read because a corner is not such a number.
        remarks: What else was met and not read.
    """

    form: Form
    vertices: Floats
    faces: Integers
    up: Literal["y", "z"]
    face_materials: Integers
    unit: str | None = None
    materials: tuple[Material, ...] = ()
    parts: tuple[str, ...] = ()
    left_out: int = 0
    remarks: tuple[str, ...] = ()

    @staticmethod
    def of(form: Form, vertices: Floats, faces: Integers, **others: Any) -> "Mesh":
        """Return a mesh without the triangles that have a corner which is no place: not a number, or beyond 1e30."""
        face_materials = others.pop("face_materials", None)
        if face_materials is None:
            face_materials = np.full(len(faces), -1, dtype=np.int64)
        sound = np.asarray((np.abs(vertices) < _FARTHEST).all(axis=1))  # false for what is not a number
        left_out = 0
        if not sound.all():
            kept = np.asarray(sound[faces].all(axis=1))
            left_out = int(len(faces) - kept.sum())
            faces, face_materials = faces[kept], face_materials[kept]
            vertices = np.where(sound[:, None], vertices, 0.0)
        up = others.pop("up", "z" if form == "STL" else "y")
        return Mesh(form, vertices, faces, up, face_materials, left_out=left_out, **others)


def distinct_rows(rows: Floats) -> tuple[Floats, Integers]:
    """Return the rows that differ, in a fixed order, and for every row its place among them.

    Example:
        >>> distinct, places = distinct_rows(np.array([[1.0, 0, 0], [-0.0, 0, 0], [0, 0, 0], [1, 0, 0]]))
        >>> distinct.tolist(), places.tolist()
        ([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], [1, 0, 0, 1])
    """
    order = np.lexsort(rows.T[::-1])
    in_order = rows[order] + 0.0  # makes -0.0 equal to 0.0 in its bytes too
    starts = np.ones(len(rows), dtype=bool)
    starts[1:] = (in_order[1:] != in_order[:-1]).any(axis=1)
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = np.cumsum(starts) - 1
    return in_order[starts], places
