"""Meshes as engineers keep them: binary STL with 50 bytes a triangle, made by code, noisy as a scan is."""

from typing import Any

import numpy as np

__all__ = ["edited", "grid", "inserted", "moved", "shuffled", "stl"]

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])


def grid(side: int, seed: int = 0) -> Any:
    """Return the points of a bumpy plate of ``side`` by ``side`` squares; two triangles each."""
    random = np.random.default_rng(seed)
    line = np.linspace(0, 200, side + 1)
    x, y = np.meshgrid(line, line, indexing="ij")
    z = 10 * np.sin(x / 15) * np.cos(y / 22)
    points = np.stack([x, y, z], axis=-1)
    return (points + random.normal(0, 0.02, points.shape)).astype("<f4")


def stl(*grids: Any) -> bytes:
    """Return grids as one binary STL."""
    triangles = np.concatenate([_triangles(points) for points in grids])
    return b"made by code".ljust(80) + len(triangles).to_bytes(4, "little") + triangles.tobytes()


def edited(points: Any) -> Any:
    """Return a grid of which a patch of 40 by 40 points was pulled up."""
    others = points.copy()
    middle = len(points) // 2
    others[middle : middle + 40, middle : middle + 40, 2] += 3
    return others


def inserted(content: bytes) -> bytes:
    """Return an STL with a plate of 3,200 triangles put in its middle."""
    triangles = np.frombuffer(content, _TRIANGLE, offset=84)
    middle = len(triangles) // 2
    added = _triangles(grid(40, seed=1) + np.float32(300))
    together = np.concatenate([triangles[:middle], added, triangles[middle:]])
    return content[:80] + len(together).to_bytes(4, "little") + together.tobytes()


def shuffled(content: bytes) -> bytes:
    """Return an STL with its triangles in another order, as some exporters write them each time."""
    triangles = np.frombuffer(content, _TRIANGLE, offset=84)
    return content[:84] + np.random.default_rng(2).permutation(triangles).tobytes()


def moved(points: Any) -> Any:
    """Return a grid that is somewhere else: every corner's coordinates are others."""
    return points + np.array([10, 5, 0], "<f4")


def _triangles(points: Any) -> Any:
    a, b, c, d = points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]
    corners = np.stack([np.stack([a, b, c], -2), np.stack([a, c, d], -2)], 2).reshape(-1, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    made = np.zeros(len(corners), _TRIANGLE)
    made["normal"] = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    made["corners"] = corners
    return made
