"""What changed from one mesh to another: measures, vertices, and whether it was only moved, turned or scaled."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import acos, degrees
from pathlib import Path
from typing import Any

import numpy as np

from skyhold.components.meshes.measures import MeshFacts, Point
from skyhold.components.meshes.measuring import facts_of, merge_vertices
from skyhold.components.meshes.mesh import Floats, Mesh, distinct_rows
from skyhold.components.meshes.reading import read_mesh
from skyhold.components.meshes.source import Siblings, open_source

__all__ = ["MeshDiff", "Placement", "compare_meshes", "diff_meshes"]

_FEWEST = 3
_SHOWN = 5
_TINY = 1e-12
_NO_TURN_DEGREES = 1e-3
_NO_SCALE = 1e-5


@dataclass(frozen=True, slots=True)
class Placement:
    """How a whole mesh was moved: scaled, then turned, both about the middle of its vertices, then shifted.

    Attributes:
        scale: 1 where it has the size that it had.
        turn_degrees: 0 to 180.
        axis: About which it was turned, by the right hand, of length 1; None where it was not.
        shift: By how much the middle moved.
    """

    scale: float
    turn_degrees: float
    axis: Point | None
    shift: Point


@dataclass(frozen=True, slots=True)
class MeshDiff:
    """What changed from one mesh to another.

    Attributes:
        old: Measures of the one.
        new: Measures of the other.
        vertices_added: How many positions only the new one has, exactly.
        vertices_removed: How many only the old one has.
        moved_share: Which share of the new one's vertices is not where the old one has any, 0 to 1.
        farthest_move: The longest way of a vertex, where both have the same triangles in the same order.
        placement: How it was moved as a whole, where that is all that happened to its vertices.
    """

    old: MeshFacts
    new: MeshFacts
    vertices_added: int
    vertices_removed: int
    moved_share: float
    farthest_move: float | None = None
    placement: Placement | None = None

    @property
    def is_same_surface(self) -> bool:
        """Whether nothing was found that differs but the bytes: the order of triangles, a name, a colour."""
        return (
            self.vertices_added == self.vertices_removed == 0
            and self.old.triangles == self.new.triangles
            and (self.old.left_out, self.old.unit) == (self.new.left_out, self.new.unit)
            and bool(np.isclose(self.old.area, self.new.area, rtol=1e-9))
            and bool(np.isclose(self.old.volume or 0.0, self.new.volume or 0.0, rtol=1e-9))
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        found: dict[str, Any] = {
            "old": self.old.to_json(),
            "new": self.new.to_json(),
            "vertices_added": self.vertices_added,
            "vertices_removed": self.vertices_removed,
            "moved_share": self.moved_share,
            "farthest_move": self.farthest_move,
            "placement": None,
        }
        if self.placement is not None:
            axis = self.placement.axis and list(self.placement.axis)
            found["placement"] = {
                "scale": self.placement.scale,
                "turn_degrees": self.placement.turn_degrees,
                "axis": axis,
                "shift": list(self.placement.shift),
            }
        return found

    def to_lines(self) -> list[str]:
        """Return it in words, a line for each thing that changed."""
        return [*_measures(self.old, self.new), *self._vertices()]

    def _vertices(self) -> Iterator[str]:
        if self.is_same_surface:
            yield "same surface: every vertex is where one was"
            return
        if self.placement is not None:
            yield f"as a whole {', '.join(_moves(self.placement))}"
        elif self.vertices_added or self.vertices_removed:
            yield (
                f"{100 * self.moved_share:.3g} % of the vertices are where none was "
                f"({self.vertices_added:,} added, {self.vertices_removed:,} removed)"
            )
        if self.farthest_move and self.placement is None:
            yield f"farthest move of a vertex {_number(self.farthest_move)}{_unit(self.new)}"


def diff_meshes(
    old: Path | bytes,
    new: Path | bytes,
    name: str = "",
    *,
    new_name: str = "",
    siblings: tuple[Siblings | None, Siblings | None] = (None, None),
) -> MeshDiff:
    r"""Return what changed from one mesh to another.

    Args:
        old: STL, glTF, GLB, OBJ or binary FBX.
        new: The same, or another of these formats.
        name: What they are called; the ending tells the format. The paths' own names if not given.
        new_name: What the new one is called, where that differs.
        siblings: Give the files that glTF files name, where they are not paths.

    Raises:
        PreviewError: One is damaged or too large, or its format is not read.

    Example:
        >>> corner = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
        >>> print(*diff_meshes(corner, corner.replace(b"v 1", b"v 3"), "corner.obj").to_lines(), sep="\n")
        size 1 x 1 x 0 → 3 x 1 x 0
        area 0.5 → 1.5 (+200 %)
        33.3 % of the vertices are where none was (1 added, 1 removed)
        farthest move of a vertex 2
    """
    names = (name, new_name or name)
    before, after = (
        read_mesh(open_source(content, called, siblings=beside))
        for content, called, beside in zip((old, new), names, siblings, strict=True)
    )
    return compare_meshes(before, after)


def compare_meshes(old: Mesh, new: Mesh) -> MeshDiff:
    """Return what changed from one mesh that was read to another."""
    before, after = merge_vertices(old)[0], merge_vertices(new)[0]
    together, places = distinct_rows(np.concatenate([before, after]))
    held = np.zeros((2, len(together)), dtype=bool)
    held[0, places[: len(before)]] = True
    held[1, places[len(before) :]] = True
    added, removed = int((held[1] & ~held[0]).sum()), int((held[0] & ~held[1]).sum())
    farthest = placement = None
    if len(new.faces) and np.array_equal(old.faces, new.faces):
        was, now = old.vertices[old.faces.reshape(-1)], new.vertices[new.faces.reshape(-1)]
        farthest = float(np.linalg.norm(now - was, axis=1).max())
        placement = _find_placement(was, now) if added or removed else None
    return MeshDiff(facts_of(old), facts_of(new), added, removed, added / max(len(after), 1), farthest, placement)


def _find_placement(was: Floats, now: Floats) -> Placement | None:
    """Return the similarity that leads from one set of corners to the other, if one does.

    Source: Umeyama, doi:10.1109/34.88573, without reflections.
    """
    middles = was.mean(axis=0), now.mean(axis=0)
    before, after = was - middles[0], now - middles[1]
    spread = float((before**2).sum())
    if len(was) < _FEWEST or not spread:
        return None
    left, strengths, right = np.linalg.svd(after.T @ before / spread)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right)) or 1.0])
    turn: Floats = (left * sign) @ right
    scale = float((strengths * sign).sum())
    error = float(np.abs(after - scale * before @ turn.T).max())
    if error > 1e-5 * float(np.abs(after).max()) + 4e-7 * float(np.abs(now).max()):  # what 32-bit numbers round
        return None
    angle = degrees(acos(min(max((float(np.trace(turn)) - 1) / 2, -1.0), 1.0)))
    is_turned = angle > _NO_TURN_DEGREES
    x, y, z = (float(each) for each in middles[1] - middles[0])
    return Placement(
        scale if abs(scale - 1) > _NO_SCALE else 1.0,
        angle if is_turned else 0.0,
        _axis(turn) if is_turned else None,
        (x, y, z),
    )


def _axis(turn: Floats) -> Point:
    """Return what a turn leaves where it is, pointing so that the turn is by the right hand."""
    values, vectors = np.linalg.eigh((turn + turn.T) / 2)
    found = vectors[:, int(np.argmax(values))]
    sense = float(found @ [turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    x, y, z = (float(each) for each in (-found if sense < 0 else found))
    return x, y, z


def _moves(placement: Placement) -> Iterator[str]:
    if placement.scale != 1:
        yield f"scaled by {_number(placement.scale)}"
    if placement.axis is not None:
        yield f"turned by {_number(placement.turn_degrees)}° about ({_numbers(placement.axis, ', ')})"
    yield f"moved by ({_numbers(placement.shift, ', ')})"


def _measures(old: MeshFacts, new: MeshFacts) -> Iterator[str]:
    if old.format != new.format:
        yield f"format {old.format} → {new.format}"
    if old.triangles != new.triangles:
        yield f"triangles {old.triangles:,} → {new.triangles:,} ({new.triangles - old.triangles:+,})"
    if old.vertices != new.vertices:
        yield f"vertices {old.vertices:,} → {new.vertices:,} ({new.vertices - old.vertices:+,})"
    if old.size and new.size and not np.allclose(old.size, new.size, rtol=1e-6, atol=0):
        yield f"size {_numbers(old.size)}{_unit(old)} → {_numbers(new.size)}{_unit(new)}"
    yield from _amount("area", old.area, new.area)
    if old.volume is not None and new.volume is not None:
        yield from _amount("volume", old.volume, new.volume)
    if old.watertight != new.watertight:
        yield "closed → open" if old.watertight else "open → closed"
    yield from _names("materials", old.materials, new.materials)
    yield from _names("parts", old.parts, new.parts)
    if old.left_out != new.left_out:
        yield f"triangles without a place {old.left_out:,} → {new.left_out:,}"


def _amount(name: str, old: float, new: float) -> Iterator[str]:
    if not np.isclose(old, new, rtol=1e-6, atol=0):
        share = f" ({100 * (new - old) / abs(old):+.3g} %)" if old else ""
        yield f"{name} {_number(old)} → {_number(new)}{share}"


def _names(kind: str, old: tuple[str, ...], new: tuple[str, ...]) -> Iterator[str]:
    for word, names, others in (("added", new, old), ("removed", old, new)):
        found = sorted(set(names) - set(others))
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield f"{kind} {word}: {', '.join(map(repr, found[:_SHOWN]))}{more}"


def _number(value: float) -> str:
    return f"{value:.6g}"


def _numbers(values: Point, between: str = " x ") -> str:
    return between.join(_number(0.0 if abs(value) < _TINY else value) for value in values)


def _unit(facts: MeshFacts) -> str:
    return f" {facts.unit}" if facts.unit else ""
