"""A mesh of half a million triangles as binary STL, and what becomes of such files from one version to the next."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

_HEAD_BYTES = 80
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_PATCH = 40


def write_versions(folder: Path, side: int) -> tuple[Path, Mapping[str, Path]]:
    """Write a first version, and second ones by what was done to it.

    Args:
        folder: Where to.
        side: Squares along each edge of the plate; two triangles each.
    """
    dice = np.random.default_rng(11)
    line = np.linspace(0, 200, side + 1)
    x, y = np.meshgrid(line, line, indexing="ij")
    points = np.stack([x, y, 8 * np.sin(x / 13) * np.cos(y / 19)], axis=-1)
    points = (points + dice.normal(0, 0.02, points.shape)).astype("<f4")
    pulled = points.copy()
    pulled[:_PATCH, :_PATCH, 2] += 3
    measured = points.copy()
    again = dice.random(points.shape[:2]) < 0.01
    measured[again, 2] += dice.normal(0, 0.3, int(again.sum())).astype("<f4")
    plate = _triangles(points)
    added = _triangles(points[: _PATCH + 1, : _PATCH + 1] + np.float32(300))
    middle = len(plate) // 2
    second = {
        "a patch of 1,600 points pulled up": _triangles(pulled),
        "one point in a hundred measured again": _triangles(measured),
        "3,200 triangles put into its middle": np.concatenate([plate[:middle], added, plate[middle:]]),
        "all of it moved": _triangles(points + np.array([10, 5, 0], "<f4")),
        "its triangles in another order": dice.permutation(plate),
    }
    first = _write(folder / "first.stl", plate)
    return first, {name: _write(folder / f"{number}.stl", each) for number, (name, each) in enumerate(second.items())}


def _write(path: Path, triangles: Any) -> Path:
    path.write_bytes(bytes(_HEAD_BYTES) + len(triangles).to_bytes(4, "little") + triangles.tobytes())
    return path


def _triangles(points: Any) -> Any:
    a, b, c, d = points[:-1, :-1], points[1:, :-1], points[1:, 1:], points[:-1, 1:]
    corners = np.stack([np.stack([a, b, c], -2), np.stack([a, c, d], -2)], 2).reshape(-1, 3, 3)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    triangles = np.zeros(len(corners), _TRIANGLE)
    triangles["normal"] = normals / np.linalg.norm(normals, axis=1, keepdims=True)
    triangles["corners"] = corners
    return triangles
