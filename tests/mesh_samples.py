"""Meshes made by code: small, of known measures, and as files of each format."""

import base64
import json
import struct
import zlib
from collections.abc import Sequence
from math import cos, pi, sin
from typing import Any

import numpy as np

Shape = tuple[np.ndarray, np.ndarray]


def box(size: Sequence[float] = (1, 1, 1), at: Sequence[float] = (0, 0, 0)) -> Shape:
    """A box, closed, wound so that its outside is outside."""
    corners = np.array([[x, y, z] for z in (0, 1) for y in (0, 1) for x in (0, 1)], dtype=float)
    quads = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]
    faces = [corner for a, b, c, d in quads for corner in ((a, b, c), (a, c, d))]
    return corners * np.asarray(size) + np.asarray(at), np.array(faces)


def prism(outline: Sequence[tuple[float, float]], height: float) -> Shape:
    """An outline that is a star around the origin, pulled up; closed."""
    n = len(outline)
    flat = np.array(outline, dtype=float)
    low = np.column_stack([flat, np.zeros(n)])
    high = np.column_stack([flat, np.full(n, height)])
    vertices = np.vstack([low, high, [[0, 0, 0], [0, 0, height]]])
    faces: list[tuple[int, int, int]] = []
    for here in range(n):
        after = (here + 1) % n
        faces += [(here, after, n + after), (here, n + after, n + here)]
        faces += [(2 * n, after, here), (2 * n + 1, n + here, n + after)]
    return vertices, np.array(faces)


def gear(teeth: int = 16, radius: float = 20, height: float = 6) -> Shape:
    """A gear, closed."""
    outline = []
    for tooth in range(teeth):
        for share, reach in ((0.0, 0.84), (0.15, 1.0), (0.4, 1.0), (0.55, 0.84)):
            angle = 2 * pi * (tooth + share) / teeth
            outline.append((radius * reach * cos(angle), radius * reach * sin(angle)))
    return prism(outline, height)


def ball(radius: float = 10, rings: int = 24, around: int = 48) -> Shape:
    """A sphere, closed, with an up of z."""
    angles = np.linspace(0, pi, rings + 1)[1:-1]
    turns = np.arange(around) * 2 * pi / around
    rows = [[radius * sin(a) * cos(t), radius * sin(a) * sin(t), radius * cos(a)] for a in angles for t in turns]
    vertices = np.array([*rows, [0, 0, radius], [0, 0, -radius]])
    faces: list[tuple[int, int, int]] = []
    for place in range(around):
        after = (place + 1) % around
        faces.append((len(rows), place, after))
        for ring in range(rings - 2):
            a, b = ring * around + place, ring * around + after
            faces += [(a, a + around, b + around), (a, b + around, b)]
        last = (rings - 2) * around
        faces.append((len(rows) + 1, last + after, last + place))
    return vertices, np.array(faces)


def joined(*shapes: Shape) -> Shape:
    """Several shapes as one."""
    offsets = np.cumsum([0, *(len(vertices) for vertices, _ in shapes)])
    faces = [faces + offset for (_, faces), offset in zip(shapes, offsets, strict=False)]
    return np.vstack([vertices for vertices, _ in shapes]), np.vstack(faces)


def bracket() -> Shape:
    """An angle with a rib and a foot, of boxes that touch."""
    rib = prism([(0, 0), (24, 0), (0, 24)], 4)
    ribbed = (rib[0][:, [0, 2, 1]] * [1, -1, 1] + [4, 17, 4], rib[1])
    return joined(box((40, 30, 4)), box((4, 30, 40), (0, 0, 4)), ribbed)


def house() -> Shape:
    """A house with a roof and a chimney, of triangles that stand open at the eaves."""
    roof = np.array([[-1, -1, 6], [11, -1, 6], [11, 9, 6], [-1, 9, 6], [-1, 4, 10], [11, 4, 10]], dtype=float)
    slopes = np.array([(0, 1, 5), (0, 5, 4), (2, 3, 4), (2, 4, 5), (0, 4, 3), (1, 2, 5)])
    return joined(box((10, 8, 6)), (roof, slopes), box((1, 1, 4), (7, 5, 7)))


def as_binary_stl(shape: Shape, head: bytes = b"made by a test") -> bytes:
    vertices, faces = shape
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    records = np.zeros(len(faces), record)
    records["corners"] = vertices[faces]
    return head.ljust(80, b" ") + struct.pack("<I", len(faces)) + records.tobytes()


def as_text_stl(shape: Shape, name: str = "part") -> bytes:
    vertices, faces = shape
    lines = [f"solid {name}"]
    for face in faces:
        corners = [f"      vertex {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices[face]]
        lines += ["  facet normal 0 0 0", "    outer loop", *corners, "    endloop", "  endfacet"]
    return "\n".join([*lines, f"endsolid {name}", ""]).encode()


def as_obj(shape: Shape) -> bytes:
    vertices, faces = shape
    lines = ["# made by a test", "o part", "usemtl steel"]
    lines += [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in vertices]
    lines += [f"f {a}//1 {b}//1 {c}//1" for a, b, c in faces + 1]
    return "\n".join([*lines, ""]).encode()


def gltf_of(shape: Shape, **others: Any) -> tuple[dict[str, Any], bytes]:
    """The JSON of a glTF file without the place of its buffer, and that buffer."""
    vertices, faces = shape
    positions, indices = vertices.astype("<f4").tobytes(), faces.astype("<u4").tobytes()
    content: dict[str, Any] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": "part", "mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 0}]}],
        "materials": [{"name": "steel", "pbrMetallicRoughness": {"baseColorFactor": [0.4, 0.45, 0.5, 1]}}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": faces.size, "type": "SCALAR"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": len(positions)},
            {"buffer": 0, "byteOffset": len(positions), "byteLength": len(indices)},
        ],
        "buffers": [{"byteLength": len(positions) + len(indices)}],
    }
    return content | others, positions + indices


def as_gltf(shape: Shape, uri: str | None = None, **others: Any) -> bytes:
    """glTF as text; its buffer lies in it, or at ``uri``."""
    content, buffer = gltf_of(shape, **others)
    content["buffers"][0]["uri"] = uri or "data:application/octet-stream;base64," + base64.b64encode(buffer).decode(
        "ascii"
    )
    return json.dumps(content).encode()


def as_glb(shape: Shape, **others: Any) -> bytes:
    return glb_of(*gltf_of(shape, **others))


def glb_of(content: dict[str, Any], buffer: bytes) -> bytes:
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    buffer += b"\0" * (-len(buffer) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(buffer), 0x004E4942) + buffer
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


class Int32(int):
    """A number that FBX is to hold in 32 bits."""


Record = tuple[str, list[Any], list[Any]]
"""A record of FBX: name, values, records in it."""


def fbx_of(records: Sequence[Record], version: int = 7400) -> bytes:
    """A binary FBX file, made from its description."""
    data = b"Kaydara FBX Binary  \0\x1a\0" + struct.pack("<I", version)
    wide = version >= 7500
    for record in records:
        data += _fbx_record(record, len(data), wide=wide)
    return data + bytes(25 if wide else 13)


def _fbx_record(record: Record, start: int, *, wide: bool) -> bytes:
    name, values, children = record
    head = struct.Struct("<QQQB" if wide else "<IIIB")
    body = b"".join(map(_fbx_value, values))
    inner = b""
    for child in children:
        inner += _fbx_record(child, start + head.size + len(name) + len(body) + len(inner), wide=wide)
    inner += bytes(head.size) if children else b""
    end = start + head.size + len(name) + len(body) + len(inner)
    return head.pack(end, len(values), len(body), len(name)) + name.encode() + body + inner


def _fbx_value(value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        code = {"float64": b"d", "float32": b"f", "int32": b"i", "int64": b"l"}[str(value.dtype)]
        packed = zlib.compress(value.tobytes())
        return code + struct.pack("<III", value.size, 1, len(packed)) + packed
    if isinstance(value, str):
        return b"S" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, Int32):
        return b"I" + struct.pack("<i", value)
    return b"L" + struct.pack("<q", value) if isinstance(value, int) else b"D" + struct.pack("<d", value)


def fbx_model(place: int, name: str, **properties: Sequence[float]) -> Record:
    table: list[Record] = [
        ("P", [key.replace("Lcl", "Lcl "), "", "", "A", *map(float, values)], []) for key, values in properties.items()
    ]
    return ("Model", [place, f"{name}\0\1Model", "Mesh"], [("Properties70", [], table)])


def fbx_shape(place: int, vertices: np.ndarray, polygons: Sequence[Sequence[int]], *others: Record) -> Record:
    corners = [corner for polygon in polygons for corner in (*polygon[:-1], -1 - polygon[-1])]
    arrays: list[Record] = [
        ("Vertices", [vertices.astype(np.float64).reshape(-1)], []),
        ("PolygonVertexIndex", [np.array(corners, np.int32)], []),
    ]
    return ("Geometry", [place, "shape\0\1Geometry", "Mesh"], [*arrays, *others])


def fbx_scene(
    objects: Sequence[Record], links: Sequence[tuple[int, int]], version: int = 7400, up: int = 1, unit: float = 100
) -> bytes:
    settings: list[Record] = [
        ("P", ["UpAxis", "int", "Integer", "", Int32(up)], []),
        ("P", ["UnitScaleFactor", "double", "Number", "", float(unit)], []),
    ]
    return fbx_of(
        [
            ("FBXHeaderExtension", [], [("FBXVersion", [Int32(version)], [])]),
            ("GlobalSettings", [], [("Properties70", [], settings)]),
            ("Objects", [], list(objects)),
            ("Connections", [], [("C", ["OO", child, parent], []) for child, parent in links]),
        ],
        version,
    )


def as_fbx(shape: Shape, version: int = 7400) -> bytes:
    """FBX in metres, of one model with a steel material."""
    steel: list[Record] = [("P", ["DiffuseColor", "Color", "", "A", 0.4, 0.45, 0.5], [])]
    material: Record = ("Material", [3, "steel\0\1Material", ""], [("Properties70", [], steel)])
    return fbx_scene(
        [fbx_shape(1, shape[0], shape[1].tolist()), fbx_model(2, "part"), material], [(1, 2), (2, 0), (3, 2)], version
    )
