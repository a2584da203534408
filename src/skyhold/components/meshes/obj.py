"""OBJ of Wavefront: text. Polygons become fans of triangles; curves and surfaces are not read."""

import io
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from skyhold.components.meshes.mesh import Integers, Material, Mesh
from skyhold.components.meshes.source import Source

__all__ = ["read_obj"]

_TRIANGLE = 3
_FREE_FORM = frozenset({b"curv", b"curv2", b"surf", b"cstype"})


@dataclass(slots=True)
class _Found:
    positions: "array[float]" = field(default_factory=lambda: array("d"))
    corners: "array[int]" = field(default_factory=lambda: array("q"))
    face_materials: "array[int]" = field(default_factory=lambda: array("q"))
    materials: dict[str, int] = field(default_factory=dict[str, int])
    parts: list[str] = field(default_factory=list[str])
    material: int = -1
    has_free_form: bool = False


def read_obj(source: Source) -> Mesh:
    """Return the triangles of an OBJ file.

    Raises:
        PreviewError: It is damaged or too large.
    """
    source.check_text()
    found = _Found()
    for number, words in _lines(source.data):
        try:
            _take(found, words)
        except (ValueError, OverflowError) as error:
            raise source.damaged(f"line {number}: {error}") from error
        if not number % 65536:
            source.check_triangles(len(found.face_materials))
    source.check_triangles(len(found.face_materials))
    if not found.positions:
        raise source.damaged("it has no vertices")
    vertices = np.array(found.positions).reshape(-1, 3)
    return Mesh.of(
        "OBJ",
        vertices,
        _checked_faces(source, found, len(vertices)),
        face_materials=np.array(found.face_materials, dtype=np.int64),
        materials=tuple(Material(name) for name in found.materials),
        parts=tuple(found.parts),
        remarks=("curves and surfaces are not shown",) if found.has_free_form else (),
    )


def _lines(data: bytes) -> Iterator[tuple[int, list[bytes]]]:
    held: list[bytes] = []
    for number, line in enumerate(io.BytesIO(data), 1):
        words = line.split()
        if words and words[-1] == b"\\":  # the statement goes on in the next line
            held += words[:-1]
            continue
        yield number, held + words
        held = []


def _take(found: _Found, words: list[bytes]) -> None:
    match words:
        case [b"v", x, y, z, *_]:
            found.positions.extend((_coordinate(x), _coordinate(y), _coordinate(z)))
        case [b"f", *corners]:
            _take_face(found, corners)
        case [b"v", *_]:
            raise ValueError("a vertex has three numbers")
        case [b"o" | b"g", *names] if names:
            found.parts.append(b" ".join(names).decode("utf-8", "replace"))
        case [b"usemtl", *names]:
            name = b" ".join(names).decode("utf-8", "replace")
            found.material = found.materials.setdefault(name, len(found.materials))
        case [word, *_] if word in _FREE_FORM:
            found.has_free_form = True
        case _:
            pass


def _take_face(found: _Found, corners: list[bytes]) -> None:
    if len(corners) < _TRIANGLE:
        raise ValueError(f"a polygon has at least three corners, found {len(corners)}")
    known = len(found.positions) // 3
    places = [_place(corner, known) for corner in corners]
    for second, third in pairwise(places[1:]):
        found.corners.extend((places[0], second, third))
        found.face_materials.append(found.material)


def _place(corner: bytes, known: int) -> int:
    """Return which vertex a corner is; a negative number is counted from the newest."""
    try:
        number = int(corner.partition(b"/")[0])
    except ValueError as error:
        raise ValueError(f"{_shown(corner)} is no vertex") from error
    return number - 1 if number > 0 else known + number


def _coordinate(word: bytes) -> float:
    try:
        return float(word)
    except ValueError as error:
        raise ValueError(f"{_shown(word)} is no number") from error


def _shown(word: bytes) -> str:
    return repr(word[:30].decode("utf-8", "replace"))


def _checked_faces(source: Source, found: _Found, vertices: int) -> Integers:
    faces = np.array(found.corners, dtype=np.int64).reshape(-1, 3)
    if faces.size and (faces.min() < 0 or faces.max() >= vertices):
        raise source.damaged(f"a polygon names a vertex that is not there; there are {vertices:,}")
    return faces
