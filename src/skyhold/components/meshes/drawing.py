"""Pictures of meshes without a graphics card: orthographic, from a corner, shaded by facets, creases drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyhold.components.meshes.mesh import Floats, Integers, Mesh

__all__ = ["draw_mesh"]

_OVERSAMPLING = 2
_FILLED = 0.88
_TURN, _RAISE = np.radians(-35.0), np.radians(27.0)
_KEY_LIGHT, _FILL_LIGHT = np.array([-0.45, 0.65, 0.62]), np.array([0.8, 0.15, 0.58])  # right, up, towards the viewer
_COLOUR = np.array([0.36, 0.46, 0.58])
_ABOVE, _BELOW = np.array([0.965, 0.975, 0.985]), np.array([0.80, 0.825, 0.85])

_INK = 0.45
_SHARP = 0.8  # the cosine of 37°: facets that meet at a larger angle have an edge
_STEEP = 0.03  # of the picture's width: a step in depth that has an edge
_THIN = 1e-9  # seen from its edge
_ROWS = ((slice(None), slice(1, None)), (slice(None), slice(None, -1)))
_COLUMNS = ((slice(1, None),), (slice(None, -1),))

_BLOCK = 100_000
_GROUP = 2_000_000
_MOST_SAMPLES = 100_000_000
"""Of all triangles together. A sound mesh of any size has a few millions; one that has more is drawn by a part."""


@dataclass(slots=True)
class _Canvas:
    size: int
    depth: NDArray[np.float32]
    face: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Corners:
    """Triangles as seen: their corners' places on the canvas and towards the viewer, each of shape (m, 3)."""

    x: Floats
    y: Floats
    z: Floats


def draw_mesh(mesh: Mesh, size_px: int) -> NDArray[np.uint8]:
    """Return a picture of a mesh that has triangles, shape (size_px, size_px, 3), sRGB.

    Memory is that of some copies of the mesh, and time is bounded, whatever the triangles are.
    """
    size = size_px * _OVERSAMPLING
    seen = _place(_towards_viewer(mesh), mesh.faces, size)
    step = _step(seen, mesh.faces)
    faces = mesh.faces[::step]
    canvas = _Canvas(size, np.full(size * size, -np.inf, np.float32), np.full(size * size, -1, np.int32))
    for start in range(0, len(faces), _BLOCK):
        _fill(canvas, _corners(seen, faces[start : start + _BLOCK]), start)
    normals = _normals(seen, faces)
    colours = _shade(normals) * _base_colours(mesh)[::step]
    return _finish(canvas, normals, colours, size_px)


def _towards_viewer(mesh: Mesh) -> Floats:
    """Return the vertices as right, up and towards the viewer."""
    right = np.array([np.cos(_TURN), np.sin(_TURN), 0.0])
    towards = np.array([np.sin(_TURN) * np.cos(_RAISE), -np.cos(_TURN) * np.cos(_RAISE), np.sin(_RAISE)])
    basis = np.stack([right, np.cross(towards, right), towards])
    if mesh.up == "y":
        basis = basis @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return mesh.vertices @ basis.T


def _place(seen: Floats, faces: Integers, size: int) -> Floats:
    """Return the vertices in pixels, with y downwards, so that all that triangles use fits into the middle."""
    used = np.zeros(len(seen), dtype=bool)
    used[faces.reshape(-1)] = True
    low, high = seen[used].min(axis=0), seen[used].max(axis=0)
    scale = _FILLED * size / (max(float((high - low)[:2].max()), float((high - low)[2]) * 1e-3) or 1.0)
    placed = (seen - (low + high) / 2) * scale
    return placed * [1, -1, 1] + [size / 2, size / 2, 0]


def _corners(seen: Floats, faces: Integers) -> _Corners:
    corners = seen[faces]
    return _Corners(corners[:, :, 0], corners[:, :, 1], corners[:, :, 2])


def _step(seen: Floats, faces: Integers) -> int:
    """Return 1, or how many triangles to go on by where all would take too long."""
    samples = 0.0
    for start in range(0, len(faces), _BLOCK):
        corners = _corners(seen, faces[start : start + _BLOCK])
        samples += float(np.abs(_doubled_area(corners)).sum() / 2 + np.ptp(corners.y, axis=1).sum())
    return int(samples // _MOST_SAMPLES) + 1


def _doubled_area(corners: _Corners) -> Floats:
    x, y = corners.x, corners.y
    return (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])


def _fill(canvas: _Canvas, corners: _Corners, first_face: int) -> None:
    """Draw triangles, in groups that take little memory."""
    area = _doubled_area(corners)
    top = np.ceil(corners.y.min(axis=1) - 0.5).astype(np.int64)
    rows = np.floor(corners.y.max(axis=1) - 0.5).astype(np.int64) - top + 1
    drawn = np.flatnonzero((rows > 0) & (np.abs(area) > _THIN))
    costs = np.cumsum(np.abs(area[drawn]) / 2 + 4 * rows[drawn])
    for group in np.split(drawn, np.flatnonzero(np.diff(costs // _GROUP)) + 1):
        _fill_group(canvas, corners, group, (top, rows), first_face)


def _fill_group(
    canvas: _Canvas, corners: _Corners, group: Integers, extent: tuple[Integers, Integers], first_face: int
) -> None:
    top, rows = extent[0][group], extent[1][group]
    face, row = _expand(rows)
    y = (top[face] + row).astype(np.float64)
    x_corners, y_corners = corners.x[group], corners.y[group]
    left, right = _span(x_corners, y_corners, face, y + 0.5)
    columns = np.maximum(right - left + 1, 0)
    line, column = _expand(columns)
    face = face[line]
    x, y = left[line] + column, y[line]
    depth = _depth(corners, group, face, x, y).astype(np.float32)
    where = y.astype(np.int64) * canvas.size + x
    np.maximum.at(canvas.depth, where, depth)
    nearest = depth >= canvas.depth[where]
    canvas.face[where[nearest]] = group[face[nearest]] + first_face


def _expand(counts: Integers) -> tuple[Integers, Integers]:
    """Return each place as often as it counts, and beside it 0, 1, 2 and so on.

    Example:
        >>> [found.tolist() for found in _expand(np.array([2, 0, 1]))]
        [[0, 0, 2], [0, 1, 0]]
    """
    places = np.repeat(np.arange(len(counts)), counts)
    return places, np.arange(len(places)) - np.repeat(np.cumsum(counts) - counts, counts)


def _span(x: Floats, y: Floats, face: Integers, level: Floats) -> tuple[Integers, Integers]:
    """Return the first and the last column of each line of a triangle whose middles lie within it."""
    low, high = np.full(len(face), np.inf), np.full(len(face), -np.inf)
    for here in range(3):
        there = (here + 1) % 3
        x0, y0, x1, y1 = x[face, here], y[face, here], x[face, there], y[face, there]
        crosses = (np.minimum(y0, y1) <= level) & (level <= np.maximum(y0, y1)) & (y0 != y1)
        with np.errstate(all="ignore"):  # edges along the line say nothing
            at = x0 + (level - y0) * ((x1 - x0) / (y1 - y0))
        low = np.where(crosses, np.minimum(low, at), low)
        high = np.where(crosses, np.maximum(high, at), high)
    none = ~(low <= high)
    low[none], high[none] = 1.0, 0.0
    return np.ceil(low - 0.5).astype(np.int64), np.floor(high - 0.5).astype(np.int64)


def _depth(corners: _Corners, group: Integers, face: Integers, x: Integers, y: Floats) -> Floats:
    """Return how near each sample is, on the plane of its triangle."""
    (x0, x1, x2), (y0, y1, y2), (z0, z1, z2) = (axis[group].T for axis in (corners.x, corners.y, corners.z))
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    by_x = ((z1 - z0) * (y2 - y0) - (z2 - z0) * (y1 - y0)) / area
    by_y = ((x1 - x0) * (z2 - z0) - (x2 - x0) * (z1 - z0)) / area
    found = z0[face] + by_x[face] * (x + 0.5 - x0[face]) + by_y[face] * (y + 0.5 - y0[face])
    lowest, highest = np.minimum(np.minimum(z0, z1), z2), np.maximum(np.maximum(z0, z1), z2)
    return np.clip(found, lowest[face], highest[face])  # steep ones leave their corners by rounding


def _normals(seen: Floats, faces: Integers) -> Floats:
    """Return for each triangle what points away from it, to the viewer's side: both sides of a surface are shown."""
    normals = np.empty((len(faces), 3))
    for start in range(0, len(faces), _BLOCK):
        first, second, third = (seen[faces[start : start + _BLOCK, corner]] for corner in range(3))
        cross = np.cross(second - first, third - first) * [1, -1, 1]
        lengths = np.linalg.norm(cross, axis=1, keepdims=True)
        cross /= np.where(lengths > 0, lengths, 1.0)
        normals[start : start + _BLOCK] = np.where(cross[:, 2:] < 0, -cross, cross)
    return normals


def _shade(normals: Floats) -> Floats:
    """Return how bright each triangle is, shape (m, 1)."""
    key, fill = (np.maximum(normals @ (light / np.linalg.norm(light)), 0.0) for light in (_KEY_LIGHT, _FILL_LIGHT))
    return (0.28 + 0.78 * key + 0.22 * fill)[:, None]


def _base_colours(mesh: Mesh) -> Floats:
    colours = [_COLOUR if material.colour is None else np.array(material.colour) for material in mesh.materials]
    table = np.stack([*(0.04 + 0.92 * colour for colour in colours), _COLOUR])  # pure black would show no shape
    known = (mesh.face_materials >= 0) & (mesh.face_materials < len(colours))
    return table[np.where(known, mesh.face_materials, len(colours))]


def _finish(canvas: _Canvas, normals: Floats, colours: Floats, size_px: int) -> NDArray[np.uint8]:
    size = canvas.size
    face = canvas.face.reshape(size, size)
    is_drawn = face >= 0
    share = np.linspace(0.0, 1.0, size)[:, None, None]
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = _ABOVE**2.2 * (1 - share) + _BELOW**2.2 * share
    picture[is_drawn] = np.clip(colours, 0.0, 1.0).astype(np.float32)[face[is_drawn]]
    picture[_creases(canvas, face, is_drawn, normals)] *= _INK
    smaller = np.zeros((size_px, size_px, 3), np.float32)
    for row, column in np.ndindex(_OVERSAMPLING, _OVERSAMPLING):
        smaller += picture[row::_OVERSAMPLING, column::_OVERSAMPLING] / _OVERSAMPLING**2
    return np.clip(_encode(smaller) * 255 + 0.5, 0, 255).astype(np.uint8)


def _encode(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what screens expect: IEC 61966-2-1 (sRGB)."""
    bright = 1.055 * np.power(linear, np.float32(1 / 2.4)) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, bright)  # noqa: PLR2004 - of the standard


def _creases(
    canvas: _Canvas, face: NDArray[np.int32], is_drawn: NDArray[np.bool_], normals: Floats
) -> NDArray[np.bool_]:
    """Return which samples lie on an outline, a step in depth, or an edge between facets that turn sharply."""
    size = canvas.size
    facing = np.zeros((3, size, size), np.float32)
    facing[:, is_drawn] = normals.astype(np.float32)[face[is_drawn]].T
    depth = np.where(is_drawn, canvas.depth.reshape(size, size), np.float32(-2 * size))
    found = np.zeros((size, size), dtype=bool)
    for here, there in (_ROWS, _COLUMNS):
        turns = sum(axis[here] * axis[there] for axis in facing) < _SHARP
        steps = np.abs(depth[here] - depth[there]) > _STEEP * size
        edge = (is_drawn[here] | is_drawn[there]) & (turns | steps)
        found[here] |= edge
        found[there] |= edge
    return found
