"""glTF 2.0, as text or binary: the triangles of its scene, placed by its nodes, without skins, morphs and textures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from skyhold.components.meshes.gltf_buffers import GltfDocument, open_gltf
from skyhold.components.meshes.mesh import Colour, Floats, Integers, Material, Mesh
from skyhold.components.meshes.source import MOST_TRIANGLES, Source
from skyhold.errors import MalformedInputError
from skyhold.runs.json_reader import JsonReader

__all__ = ["read_gltf"]

_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_MATRIX = 16
_MOST_NODES = 100_000
_MOST_PIECES = 50_000
_PACKED = {
    "KHR_draco_mesh_compression": "Draco",
    "EXT_meshopt_compression": "meshopt",
    "KHR_meshopt_compression": "meshopt",
}


@dataclass(frozen=True, slots=True)
class _Piece:
    """What a primitive of a mesh is, before a node places it."""

    positions: NDArray[Any]
    faces: Integers
    material: int


@dataclass(slots=True)
class _Scene:
    document: GltfDocument
    meshes: dict[int, list[_Piece]] = field(default_factory=dict[int, list[_Piece]])
    vertices: list[Floats] = field(default_factory=lambda: [np.empty((0, 3))])
    faces: list[Integers] = field(default_factory=lambda: [np.empty((0, 3), dtype=np.int64)])
    face_materials: list[Integers] = field(default_factory=lambda: [np.empty(0, dtype=np.int64)])
    parts: list[str] = field(default_factory=list[str])
    vertex_count: int = 0
    face_count: int = 0
    pieces: int = 0
    lines: int = 0


def read_gltf(source: Source) -> Mesh:
    """Return the triangles of a glTF file, in metres, as its default scene places them.

    Raises:
        PreviewError: It is damaged or too large, or packed in a way that is not read.
    """
    try:
        document = open_gltf(source)
        _check_readable(document)
        scene = _Scene(document)
        for node, matrix in _walk(document):
            _add_node(scene, node, matrix)
        materials = tuple(_materials(document))
    except MalformedInputError as error:
        raise source.damaged(error.message) from error
    return Mesh.of(
        "glTF",
        np.concatenate(scene.vertices),
        np.concatenate(scene.faces),
        face_materials=np.concatenate(scene.face_materials),
        unit="m",
        materials=materials,
        parts=tuple(scene.parts),
        remarks=(f"{scene.lines} sets of lines or points are not shown",) if scene.lines else (),
    )


def _check_readable(document: GltfDocument) -> None:
    asset = JsonReader(document.content).mapping("asset")
    version = JsonReader(asset, "$.asset").text("version")
    if not version.startswith("2."):
        raise document.source.unsupported(f"it is glTF {version}, and 2 is read")
    used = document.content.get("extensionsRequired")
    for extension in cast("list[Any]", used) if isinstance(used, list) else []:
        if isinstance(extension, str) and extension in _PACKED:
            raise _packed(document, _PACKED[extension])


def _packed(document: GltfDocument, packing: str) -> Exception:
    return document.source.unsupported(
        f"its triangles are packed by {packing}, which is not read",
        remedy=f"Export it without {packing} to see it; it is stored and compared by its bytes as any other file",
    )


def _walk(document: GltfDocument) -> Iterator[tuple[JsonReader, Floats]]:
    """Yield each node of the scene with its place in the world; a node has one parent, so none comes twice."""
    waiting = [(root, np.eye(4)) for root in reversed(_roots(document))]
    seen: set[int] = set()
    while waiting:
        place, above = waiting.pop()
        if place in seen:
            raise MalformedInputError(f"$.nodes[{place}] has more than one parent")
        seen.add(place)
        node = document.entry("nodes", place)
        with np.errstate(all="ignore"):  # what is not finite is counted and left out later
            matrix = above @ _placement(node, place)
        yield node, matrix
        waiting += [(child, matrix) for child in reversed(node.integers("children"))]


def _roots(document: GltfDocument) -> tuple[int, ...]:
    count = document.count("nodes")
    if count > _MOST_NODES:
        raise document.source.unsupported(f"it has {count:,} nodes, and at most {_MOST_NODES:,} are read")
    if document.count("scenes"):
        chosen = JsonReader(document.content).integer("scene", 0)
        return document.entry("scenes", chosen).integers("nodes")
    children = {child for place in range(count) for child in document.entry("nodes", place).integers("children")}
    return tuple(place for place in range(count) if place not in children)


def _placement(node: JsonReader, place: int) -> Floats:
    if node.has("matrix"):
        return np.array(_numbers(node, "matrix", _MATRIX, place)).reshape(4, 4).T
    found = np.eye(4)
    if node.has("rotation"):
        found[:3, :3] = _rotation(_numbers(node, "rotation", 4, place))
    if node.has("scale"):
        found[:3, :3] *= np.array(_numbers(node, "scale", 3, place))
    if node.has("translation"):
        found[:3, 3] = _numbers(node, "translation", 3, place)
    return found


def _numbers(reader: JsonReader, name: str, count: int, place: int) -> list[float]:
    found = reader.numbers(name)
    if len(found) != count:
        raise MalformedInputError(f"$.nodes[{place}].{name} should have {count} numbers, found {len(found)}")
    return list(found)


def _rotation(quaternion: list[float]) -> Floats:
    length = float(np.linalg.norm(quaternion))
    x, y, z, w = (each / length for each in quaternion) if length else (0.0, 0.0, 0.0, 1.0)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def _add_node(scene: _Scene, node: JsonReader, matrix: Floats) -> None:
    name = node.text("name", "")
    if name:
        scene.parts.append(name)
    place = node.integer_or_none("mesh")
    if place is None:
        return
    if place not in scene.meshes:  # many nodes may show one mesh
        primitives = scene.document.entry("meshes", place).children("primitives", lambda each: each)
        _check_pieces(scene, len(primitives))
        read = [
            _read_piece(scene, primitive, f"$.meshes[{place}].primitives[{number}]")
            for number, primitive in enumerate(primitives)
        ]
        scene.meshes[place] = [piece for piece in read if piece]
    _check_pieces(scene, len(scene.meshes[place]))
    for piece in scene.meshes[place]:
        _add_piece(scene, piece, matrix)


def _check_pieces(scene: _Scene, count: int) -> None:
    scene.pieces += count
    if scene.pieces > _MOST_PIECES:  # each takes time, however small it is
        raise scene.document.source.unsupported(f"it is made of more than {_MOST_PIECES:,} pieces")


def _read_piece(scene: _Scene, primitive: JsonReader, path: str) -> _Piece | None:
    document = scene.document
    for extension, packing in _PACKED.items():
        if extension in primitive.mapping("extensions"):
            raise _packed(document, packing)
    mode = primitive.integer("mode", _TRIANGLES)
    if mode not in {_TRIANGLES, _STRIP, _FAN}:
        scene.lines += 1
        return None
    positions = document.array(JsonReader(primitive.mapping("attributes"), f"{path}.attributes").integer("POSITION"))
    if positions.shape[1] != 3:  # noqa: PLR2004 - a place has three numbers
        raise MalformedInputError(f"{path} has positions that are not in space")
    order = _order(document, primitive, len(positions), path)
    material = primitive.integer("material", -1)
    return _Piece(positions, _faces(order, mode), material if 0 <= material < document.count("materials") else -1)


def _add_piece(scene: _Scene, piece: _Piece, matrix: Floats) -> None:
    source = scene.document.source
    source.check_triangles(scene.face_count + len(piece.faces))
    if scene.vertex_count + len(piece.positions) > 3 * MOST_TRIANGLES:
        raise source.unsupported(f"it has more than {3 * MOST_TRIANGLES:,} vertices")
    with np.errstate(all="ignore"):  # as above
        placed = piece.positions.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    scene.vertices.append(placed)
    scene.faces.append(piece.faces + scene.vertex_count)
    scene.face_materials.append(np.full(len(piece.faces), piece.material, dtype=np.int64))
    scene.face_count += len(piece.faces)
    scene.vertex_count += len(piece.positions)


def _order(document: GltfDocument, primitive: JsonReader, count: int, path: str) -> Integers:
    place = primitive.integer_or_none("indices")
    if place is None:
        return np.arange(count, dtype=np.int64)
    order = document.array(place).astype(np.int64).reshape(-1)
    if order.size and (order.min() < 0 or order.max() >= count):
        raise MalformedInputError(f"{path} names a vertex that is not there; there are {count:,}")
    return order


def _faces(order: Integers, mode: int) -> Integers:
    if mode == _TRIANGLES:
        return order[: len(order) // 3 * 3].reshape(-1, 3)
    if mode == _FAN:
        return np.stack([np.broadcast_to(order[:1], len(order[2:])), order[1:-1], order[2:]], axis=1)
    faces = np.stack([order[:-2], order[1:-1], order[2:]], axis=1)
    faces[1::2] = faces[1::2, [1, 0, 2]]  # every second one of a strip is wound the other way
    return faces


def _materials(document: GltfDocument) -> Iterator[Material]:
    for place in range(document.count("materials")):
        entry = document.entry("materials", place)
        surface = JsonReader(entry.mapping("pbrMetallicRoughness"), f"$.materials[{place}].pbrMetallicRoughness")
        yield Material(entry.text("name", ""), _colour(surface))


def _colour(surface: JsonReader) -> Colour | None:
    if not surface.has("baseColorFactor"):
        return None
    found = surface.numbers("baseColorFactor")
    if len(found) != 4:  # noqa: PLR2004 - red, green, blue and how opaque
        raise MalformedInputError(f"a colour should have 4 numbers, found {len(found)}")
    red, green, blue = (min(max(0.0, each), 1.0) for each in found[:3])  # 0 for what is no number
    return red, green, blue
