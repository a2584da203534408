"""STL: binary, or text. Which of both is told by the length: binary files that begin with "solid" are common."""

import re
from itertools import islice

import numpy as np

from skyhold.components.meshes.mesh import Floats, Mesh
from skyhold.components.meshes.source import Source

__all__ = ["read_stl"]

_HEAD_BYTES = 84
_BLOCK = 65536
_RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_VERTEX = re.compile(rb"^\s*vertex\s+(\S+)\s+(\S+)\s+(\S+)\s*$", re.IGNORECASE | re.MULTILINE)
_SOLID = re.compile(rb"^\s*solid[^\S\r\n]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def read_stl(source: Source) -> Mesh:
    """Return the triangles of an STL file.

    Raises:
        PreviewError: It is damaged or too large.
    """
    data = source.data
    count = int.from_bytes(data[80:84], "little") if len(data) >= _HEAD_BYTES else -1
    is_exact = len(data) == _HEAD_BYTES + count * _RECORD.itemsize
    if not is_exact and data[:512].lstrip()[:5].lower() == b"solid":
        return _read_text(source)
    if count < 0:
        raise source.damaged(f"an STL file has at least {_HEAD_BYTES} bytes, and this one has {len(data)}")
    found = (len(data) - _HEAD_BYTES) // _RECORD.itemsize
    if found < count:
        raise source.damaged(f"it should have {count:,} triangles, and ends after {found:,}")
    source.check_triangles(count)
    with np.errstate(invalid="ignore"):  # numbers that are none are counted and left out later
        corners = np.frombuffer(data, _RECORD, count=count, offset=_HEAD_BYTES)["corners"].astype(np.float64)
    remarks = (
        () if is_exact else (f"{len(data) - _HEAD_BYTES - count * _RECORD.itemsize} bytes after the last triangle",)
    )
    return _mesh(corners.reshape(-1, 3), (), remarks)


def _read_text(source: Source) -> Mesh:
    source.check_text()
    data = source.data
    facets = data.lower().count(b"endfacet")
    source.check_triangles(facets)
    found = _VERTEX.finditer(data)
    blocks: list[Floats] = [np.empty((0, 3))]
    try:
        while block := [vertex.groups() for vertex in islice(found, _BLOCK)]:
            blocks.append(np.array(block, dtype=np.bytes_).astype(np.float64))
    except ValueError as error:
        raise source.damaged(f"a vertex is not made of numbers ({error})") from error
    corners = np.concatenate(blocks)
    if len(corners) != 3 * facets:
        raise source.damaged(f"{facets:,} facets should have {3 * facets:,} vertices, found {len(corners):,}")
    if b"endsolid" not in data[-4096:].lower():
        raise source.damaged("it ends before 'endsolid'")
    names = [name.strip().decode("utf-8", "replace") for name in _SOLID.findall(data)]
    return _mesh(corners, tuple(name for name in names if name), ())


def _mesh(corners: Floats, parts: tuple[str, ...], remarks: tuple[str, ...]) -> Mesh:
    faces = np.arange(len(corners), dtype=np.int64).reshape(-1, 3)
    return Mesh.of("STL", corners, faces, parts=parts, remarks=remarks)
