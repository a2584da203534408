"""The outer shape of a building model, as a mesh that any CAD program reads."""

import struct
from collections.abc import Iterator
from typing import Any

from skyhold.simulation.model import Model

__all__ = ["massing_stl"]

_AXES = ("vertex_x_coordinate", "vertex_y_coordinate", "vertex_z_coordinate")


def massing_stl(model: Model) -> bytes:
    """Return the outer surfaces of a model as binary STL, in the model's own metres.

    Args:
        model: Its surfaces must be in world coordinates.
    """
    triangles = [triangle for corners in _outer_surfaces(model) for triangle in _fan(corners)]
    head = struct.pack("<80sI", b"outer shape of a building model", len(triangles))
    return head + b"".join(
        struct.pack("<12fH", 0.0, 0.0, 0.0, *(number for corner in triangle for number in corner), 0)
        for triangle in triangles
    )


def _outer_surfaces(model: Model) -> Iterator[list[tuple[float, ...]]]:
    for surface in model.objects("BuildingSurface:Detailed").values():
        if surface["outside_boundary_condition"] in {"Outdoors", "Ground"}:
            corners: list[dict[str, Any]] = surface["vertices"]
            yield [tuple(float(corner[axis]) for axis in _AXES) for corner in corners]


def _fan(corners: list[tuple[float, ...]]) -> Iterator[tuple[tuple[float, ...], ...]]:
    for place in range(1, len(corners) - 1):
        yield corners[0], corners[place], corners[place + 1]
