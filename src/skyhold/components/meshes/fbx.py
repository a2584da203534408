"""Binary FBX of version 7: the triangles of its meshes, placed by its models, without skins, shapes and textures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from skyhold.components.meshes.fbx_nodes import FbxNode, read_nodes
from skyhold.components.meshes.mesh import Colour, Floats, Integers, Material, Mesh
from skyhold.components.meshes.source import MOST_TRIANGLES, Source

__all__ = ["read_fbx"]

_ROOT = 0
_UP_Z = 2
_CM = 0.01
_ORDERS = ("xyz", "xzy", "yzx", "yxz", "zxy", "zyx")
_NUMBER = (int, float)
_MOST_PIECES = 50_000

Properties = Mapping[str, tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Shape:
    vertices: Floats
    faces: Integers
    slots: Integers


@dataclass(slots=True)
class _Content:
    source: Source
    shapes: dict[int, _Shape] = field(default_factory=dict[int, _Shape])
    models: dict[int, FbxNode] = field(default_factory=dict[int, FbxNode])
    properties: dict[int, Properties] = field(default_factory=dict[int, Properties])
    materials: dict[int, Material] = field(default_factory=dict[int, Material])
    parents: dict[int, int] = field(default_factory=dict[int, int])
    held: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    vertices: int = 0
    faces: int = 0


def read_fbx(source: Source) -> Mesh:
    """Return the triangles of a binary FBX file, in metres.

    Raises:
        PreviewError: It is damaged or too large, or of a form that is not read.
    """
    nodes = read_nodes(source)
    content = _Content(source)
    _connect(content, nodes)
    _read_objects(content, nodes)
    settings = _properties(nodes.get("GlobalSettings"))
    pieces = list(_place(content, _number(settings, "UnitScaleFactor", 1.0) * _CM))
    counts = np.cumsum([0, *(len(vertices) for vertices, _, _ in pieces)])
    return Mesh.of(
        "FBX",
        np.concatenate([np.empty((0, 3)), *(vertices for vertices, _, _ in pieces)]),
        np.concatenate(
            [
                np.empty((0, 3), np.int64),
                *(faces + before for (_, faces, _), before in zip(pieces, counts, strict=False)),
            ]
        ),
        face_materials=np.concatenate([np.empty(0, np.int64), *(slots for _, _, slots in pieces)]),
        up="z" if settings.get("UpAxis", (1,))[:1] == (_UP_Z,) else "y",
        unit="m",
        materials=tuple(content.materials.values()),
        parts=tuple(_name(model) for model in content.models.values()),
    )


def _connect(content: _Content, nodes: Mapping[str, FbxNode]) -> None:
    """Note which object belongs to which; a geometry may belong to several models."""
    connections = nodes.get("Connections")
    for node in connections.children() if connections else ():
        if node.name == "C" and node.values[:1] == ("OO",):
            child, parent = node.value(1, int), node.value(2, int)
            content.parents[child] = parent
            content.held.setdefault(parent, []).append(child)


def _read_objects(content: _Content, nodes: Mapping[str, FbxNode]) -> None:
    objects = nodes.get("Objects")
    for node in objects.children() if objects else ():
        if node.name == "Geometry" and node.values[2:3] == ("Mesh",):
            shape = _read_shape(content, node)
            content.shapes[node.value(0, int)] = shape
            content.vertices, content.faces = content.vertices + len(shape.vertices), content.faces + len(shape.faces)
            _check_size(content, content.vertices, content.faces)
        elif node.name == "Model":
            place = node.value(0, int)
            content.models[place], content.properties[place] = node, _properties(node)
        elif node.name == "Material":
            colour = _colour(_properties(node).get("DiffuseColor", ()))
            content.materials[node.value(0, int)] = Material(_name(node), colour)


def _check_size(content: _Content, vertices: int, faces: int) -> None:
    content.source.check_triangles(faces)
    if vertices > 3 * MOST_TRIANGLES:
        raise content.source.unsupported(f"it has more than {3 * MOST_TRIANGLES:,} vertices")


def _read_shape(content: _Content, node: FbxNode) -> _Shape:
    parts = {child.name: child for child in node.children()}
    if "Vertices" not in parts or "PolygonVertexIndex" not in parts:
        return _Shape(np.empty((0, 3)), np.empty((0, 3), np.int64), np.empty(0, np.int64))
    numbers = parts["Vertices"].array().astype(np.float64)
    corners = parts["PolygonVertexIndex"].array().astype(np.int64)
    if len(numbers) % 3:
        raise content.source.damaged("a mesh has vertices of less than three numbers")
    vertices = numbers.reshape(-1, 3)
    faces, polygons = _triangles(corners)
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise content.source.damaged(f"a polygon names a vertex that is not there; there are {len(vertices):,}")
    return _Shape(vertices, faces, _slots(parts.get("LayerElementMaterial"), polygons))


def _triangles(corners: Integers) -> tuple[Integers, Integers]:
    """Return the triangles of polygons, and of each the polygon. The last corner of a polygon stands as -1 - corner."""
    ends = np.flatnonzero(corners < 0)
    starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    counts = np.maximum(ends - starts - 1, 0)
    polygons = np.repeat(np.arange(len(ends)), counts)
    second = starts[polygons] + 1 + np.arange(len(polygons)) - np.repeat(np.cumsum(counts) - counts, counts)
    plain = np.where(corners < 0, -1 - corners, corners)
    return plain[np.stack([starts[polygons], second, second + 1], axis=1)], polygons


def _slots(layer: FbxNode | None, polygons: Integers) -> Integers:
    """Return for each triangle which of its model's materials it has."""
    parts = {child.name: child for child in layer.children()} if layer else {}
    mapping, materials = parts.get("MappingInformationType"), parts.get("Materials")
    found = materials.array().astype(np.int64) if materials else np.empty(0, np.int64)
    if mapping is None or not len(found):
        return np.zeros(len(polygons), np.int64)
    is_each = mapping.values[:1] == ("ByPolygon",)
    return found[np.minimum(polygons, len(found) - 1 if is_each else 0)]


def _place(content: _Content, scale: float) -> Iterator[tuple[Floats, Integers, Integers]]:
    """Yield the vertices, triangles and materials of each shape that a model shows."""
    numbers = {place: number for number, place in enumerate(content.materials)}
    faces = vertices = pieces = 0
    for place, matrix in _worlds(content):
        held = content.held.get(place, [])
        materials = np.array([*(numbers[each] for each in held if each in numbers), -1], np.int64)
        for shape in (content.shapes[each] for each in held if each in content.shapes):
            faces, vertices, pieces = faces + len(shape.faces), vertices + len(shape.vertices), pieces + 1
            _check_size(content, vertices, faces)
            if pieces > _MOST_PIECES:  # each takes time, however small it is
                raise content.source.unsupported(f"it is made of more than {_MOST_PIECES:,} pieces")
            local = matrix @ _geometric(content.properties[place])
            with np.errstate(all="ignore"):  # what is not finite is counted and left out later
                placed = (shape.vertices @ local[:3, :3].T + local[:3, 3]) * scale
            known = (shape.slots >= 0) & (shape.slots < len(materials) - 1)
            yield placed, shape.faces, materials[np.where(known, shape.slots, -1)]


def _worlds(content: _Content) -> Iterator[tuple[int, Floats]]:
    """Yield every model with its place in the world, parents first."""
    waiting = [
        (place, np.eye(4)) for place in content.models if content.parents.get(place, _ROOT) not in content.models
    ]
    seen: set[int] = set()
    while waiting:
        place, above = waiting.pop()
        if place in seen:  # a damaged file may name a model twice
            continue
        seen.add(place)
        with np.errstate(all="ignore"):
            matrix = above @ _local(content.properties[place])
        yield place, matrix
        waiting += [(child, matrix) for child in content.held.get(place, []) if child in content.models]


def _local(properties: Properties) -> Floats:
    """Return a model's place in its parent: Autodesk's chain of shifts, turns and scales about two pivots."""
    is_active = _number(properties, "RotationActive", 0.0) != 0  # without it, these three say nothing
    order = int(_number(properties, "RotationOrder", 0.0)) if is_active else 0
    turn = _turn(_point(properties, "Lcl Rotation"), _ORDERS[order] if 0 <= order < len(_ORDERS) else "xyz")
    if is_active:
        before, after = (_turn(_point(properties, name), "xyz") for name in ("PreRotation", "PostRotation"))
        turn = before @ turn @ after.T
    turn_pivot, scale_pivot = _point(properties, "RotationPivot"), _point(properties, "ScalingPivot")
    shift = _shift(_point(properties, "Lcl Translation") + _point(properties, "RotationOffset") + turn_pivot)
    between = _shift(_point(properties, "ScalingOffset") + scale_pivot - turn_pivot)
    scale = np.diag([*_point(properties, "Lcl Scaling", 1.0), 1.0])
    return shift @ turn @ between @ scale @ _shift(-scale_pivot)


def _geometric(properties: Properties) -> Floats:
    """Return what places a shape in its model alone, and not the models below."""
    scale = np.diag([*_point(properties, "GeometricScaling", 1.0), 1.0])
    turn = _turn(_point(properties, "GeometricRotation"), "xyz")
    return _shift(_point(properties, "GeometricTranslation")) @ turn @ scale


def _shift(by: Floats) -> Floats:
    found = np.eye(4)
    found[:3, 3] = by
    return found


def _turn(degrees: Floats, order: str) -> Floats:
    """Return turns about the axes, one after another in the order of their names."""
    found = np.eye(4)
    for axis in order:
        place = "xyz".index(axis)
        first, second = (place + 1) % 3, (place + 2) % 3
        one = np.eye(4)
        cosine, sine = np.cos(np.radians(degrees[place])), np.sin(np.radians(degrees[place]))
        one[first, first] = one[second, second] = cosine
        one[first, second], one[second, first] = -sine, sine
        found = one @ found
    return found


def _properties(node: FbxNode | None) -> Properties:
    """Return the properties of an object: a name, three texts about it, and the values."""
    table = node.child("Properties70") if node else None
    if table is None:
        return {}
    return {each.values[0]: each.values[4:] for each in table.children() if each.name == "P" and _is_named(each)}


def _is_named(node: FbxNode) -> bool:
    return bool(node.values) and isinstance(node.values[0], str)


def _number(properties: Properties, name: str, default: float) -> float:
    values = properties.get(name, ())
    number = float(values[0]) if values and isinstance(values[0], _NUMBER) else default
    return number if np.isfinite(number) else default


def _point(properties: Properties, name: str, default: float = 0.0) -> Floats:
    values = properties.get(name, ())[:3]
    is_point = len(values) == 3 and all(isinstance(value, _NUMBER) for value in values)  # noqa: PLR2004
    return np.array(values, dtype=np.float64) if is_point else np.full(3, default)


def _colour(values: tuple[Any, ...]) -> Colour | None:
    if len(values) < 3 or not all(isinstance(value, _NUMBER) for value in values[:3]):  # noqa: PLR2004
        return None
    red, green, blue = (min(max(0.0, float(value)), 1.0) for value in values[:3])
    return red, green, blue


def _name(node: FbxNode) -> str:
    """Return what a person calls an object; after a mark stands what it is."""
    found = node.values[1] if len(node.values) > 1 else ""
    return found.partition("\x00\x01")[0] if isinstance(found, str) else ""
