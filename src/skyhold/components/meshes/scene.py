"""A mesh as a viewer draws it: triangles in plain numbers, whatever format they came from.

::

    4 bytes     "SKY1"
    4 bytes     length of the head, a multiple of 4
    the head    JSON, filled up with blanks: see `Scene.to_bytes`
    positions   three 32-bit floats for each vertex, from the middle of the mesh
    triangles   three 32-bit places of vertices each; groups lie one after the other

All numbers are little-endian.
"""

import json
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyhold.components.meshes.mesh import Colour, Floats, Integers, Mesh, distinct_rows

__all__ = ["Scene", "SceneGroup", "make_scene"]

Flags = NDArray[np.bool_]

_MAGIC = b"SKY1"


@dataclass(frozen=True, slots=True)
class SceneGroup:
    """Triangles that look alike.

    Attributes:
        count: How many.
        colour: Red, green and blue from 0 to 1, linear; None where the file does not say.
        is_other: Whether the mesh that it is compared with has none of them.
    """

    count: int
    colour: Colour | None = None
    is_other: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Triangles, ready to be drawn.

    Attributes:
        mesh: What they are made of.
        faces: Its triangles, by group.
        groups: What there is to know of them.
    """

    mesh: Mesh
    faces: Integers
    groups: tuple[SceneGroup, ...]

    def to_bytes(self) -> bytes:
        r"""Return it as this module's text says.

        The head has ``up``, ``unit``, ``vertices``, ``triangles``, ``middle``, ``size``, and ``groups``, each with
        ``count``, ``colour`` and ``is_other``.
        """
        vertices = self.mesh.vertices
        used = vertices[self.faces.reshape(-1)]
        lowest, highest = (used.min(axis=0), used.max(axis=0)) if len(used) else (vertices.sum(axis=0),) * 2
        middle = (lowest + highest) / 2
        head = {
            "up": self.mesh.up,
            "unit": self.mesh.unit,
            "vertices": len(vertices),
            "triangles": len(self.faces),
            "middle": middle.tolist(),
            "size": (highest - lowest).tolist(),
            "groups": [{"count": each.count, "colour": each.colour, "is_other": each.is_other} for each in self.groups],
        }
        text = json.dumps(head, allow_nan=False).encode()
        text += b" " * (-len(text) % 4)
        positions = (vertices - middle).astype("<f4").tobytes()
        return _MAGIC + struct.pack("<I", len(text)) + text + positions + self.faces.astype("<u4").tobytes()


def make_scene(mesh: Mesh, against: Mesh | None = None) -> Scene:
    """Return a mesh ready to be drawn.

    Args:
        mesh: What is drawn.
        against: What it is compared with: triangles that this one does not have are groups of their own.
    """
    is_other = np.zeros(len(mesh.faces), dtype=bool) if against is None else ~_has(against, mesh)
    # Triangles go by material, those that only this mesh has behind the others.
    looks = mesh.face_materials * 2 + is_other
    order = np.argsort(looks, kind="stable")
    groups: list[SceneGroup] = []
    for look, count in zip(*(each.tolist() for each in np.unique(looks, return_counts=True)), strict=True):
        material, other = divmod(int(look), 2)
        colour = mesh.materials[material].colour if 0 <= material < len(mesh.materials) else None
        groups.append(SceneGroup(count, colour, bool(other)))
    return Scene(mesh, mesh.faces[order], tuple(groups))


def _has(mesh: Mesh, wanted: Mesh) -> Flags:
    """Return for each triangle of one mesh whether another has it, wherever it begins and however it is turned."""
    rows: Floats = np.concatenate([mesh.vertices, wanted.vertices])
    _, places = distinct_rows(rows)
    theirs, ours = places[mesh.faces], places[wanted.faces + len(mesh.vertices)]
    corners = np.sort(np.concatenate([theirs, ours]), axis=1).astype(np.float64)
    distinct, triangles = distinct_rows(corners)
    held = np.zeros(len(distinct), dtype=bool)
    held[triangles[: len(theirs)]] = True
    return held[triangles[len(theirs) :]]
