"""What can be said of a mesh in numbers; plain values, that need no array library."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from skyhold.runs.json_reader import JsonReader

__all__ = ["MeshFacts", "Point"]

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class MeshFacts:
    """What can be said of a mesh in numbers.

    Attributes:
        format: ``"STL"``, ``"glTF"``, ``"OBJ"`` or ``"FBX"``.
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


def _point(reader: JsonReader, name: str) -> Point | None:
    if not reader.has(name):
        return None
    x, y, z = (*reader.numbers(name), 0.0, 0.0, 0.0)[:3]
    return x, y, z
