"""Binary FBX: placed as its models say, within bounds, and refused by name where it is not read."""

import struct
from typing import Any

import numpy as np
import pytest

from mesh_samples import Record, as_fbx, box, fbx_model, fbx_of, fbx_scene, fbx_shape, gear
from skyhold.components.mesh_facts import read_facts
from skyhold.components.meshes import fbx, fbx_nodes
from skyhold.components.meshes.reading import read_mesh
from skyhold.components.meshes.source import open_source
from skyhold.components.thumbnails import make_thumbnail
from skyhold.errors import PreviewError

QUADS = [(0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5)]


@pytest.mark.parametrize("version", [7100, 7400, 7500, 7700])
def test_records_of_both_widths_are_read(version: int):
    facts = read_facts(as_fbx(box((2, 3, 4)), version), "a.fbx")
    assert (facts.triangles, facts.vertices, facts.watertight, facts.unit) == (12, 8, True, "m")
    assert facts.volume == pytest.approx(24)
    assert (facts.materials, facts.parts) == (("steel",), ("part",))


@pytest.mark.parametrize("version", [7400, 7500])
def test_models_place_their_shapes_as_autodesk_says(version: int):
    """The expected boxes are those of the library ufbx for this file."""
    models = [
        fbx_model(10, "arm", LclTranslation=(1, 2, 3), LclRotation=(10, 20, 30), LclScaling=(1, 2, 0.5)),
        fbx_model(
            11,
            "hand",
            LclTranslation=(5, 0, 1),
            LclRotation=(40, -20, 70),
            LclScaling=(2, 1, 1),
            RotationActive=(1,),
            RotationOrder=(0,),
            PreRotation=(-90, 15, 5),
            PostRotation=(5, 10, 20),
            RotationPivot=(1, 0, 2),
            RotationOffset=(0.1, 0.2, 0.3),
            ScalingPivot=(0, 1, 0),
            ScalingOffset=(0.4, 0.5, 0.6),
            GeometricTranslation=(1, 1, 1),
            GeometricRotation=(0, 45, 10),
            GeometricScaling=(1, 1, 3),
        ),
        fbx_model(
            12, "nail", LclTranslation=(0, 0, 9), LclRotation=(15, 25, 35), RotationActive=(1,), RotationOrder=(2,)
        ),
    ]
    links = [(10, 0), (11, 10), (12, 11), (1, 10), (1, 11), (1, 12)]
    content = fbx_scene([fbx_shape(1, box((2, 3, 4))[0], QUADS), *models], links, version)
    mesh = read_mesh(open_source(content, "a.fbx"))
    assert mesh.parts == ("arm", "hand", "nail")
    found = mesh.vertices.reshape(3, 8, 3)
    lowest = [[-1.645818, 2.0, 2.31596], [-3.743652, 6.677578, -3.500655], [-0.756357, 16.799039, 4.21714]]
    highest = [[3.38464, 8.271134, 5.829889], [4.58294, 33.946761, 3.914106], [4.442251, 26.819492, 7.942033]]
    assert np.allclose(found.min(axis=1), lowest, atol=1e-6)
    assert np.allclose(found.max(axis=1), highest, atol=1e-6)


def test_units_and_the_upright_axis_are_those_of_the_file():
    objects = [fbx_shape(1, box()[0], QUADS), fbx_model(2, "part")]
    in_inches = read_facts(fbx_scene(objects, [(1, 2), (2, 0)], unit=2.54, up=2), "a.fbx")
    assert in_inches.size == pytest.approx((0.0254, 0.0254, 0.0254))
    assert in_inches.up == "z"
    assert read_facts(fbx_scene(objects, [(1, 2), (2, 0)]), "a.fbx").up == "y"


def layer(mapping: str, places: list[int]) -> Record:
    return (
        "LayerElementMaterial",
        [0],
        [("MappingInformationType", [mapping], []), ("Materials", [np.array(places, np.int32)], [])],
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (layer("AllSame", [1]), [1] * 12),
        (layer("ByPolygon", [0, 1, 0, 1, 0, 7]), [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, -1, -1]),
        (layer("ByPolygon", []), [0] * 12),
        (("LayerElementNormal", [0], []), [0] * 12),
    ],
)
def test_polygons_have_the_materials_of_their_model(found: Record, expected: list[int]):
    materials: list[Record] = [("Material", [place, f"m{place}\0\1Material", ""], []) for place in (5, 6)]
    objects = [fbx_shape(1, box()[0], QUADS, found), fbx_model(2, "part"), *materials]
    mesh = read_mesh(open_source(fbx_scene(objects, [(1, 2), (2, 0), (5, 2), (6, 2)]), "a.fbx"))
    assert mesh.face_materials.tolist() == expected
    assert [material.name for material in mesh.materials] == ["m5", "m6"]


def test_polygons_of_any_length_become_triangles():
    corners = np.array([0, 1, -3, 0, 1, 2, 3, -5, 0, -2, -1, 4, 4], np.int64)
    faces, polygons = fbx._triangles(corners)
    assert faces.tolist() == [[0, 1, 2], [0, 1, 2], [0, 2, 3], [0, 3, 4]]
    assert polygons.tolist() == [0, 1, 1, 1]
    assert fbx._triangles(corners[:0])[0].shape == (0, 3)


def test_models_in_a_circle_and_shapes_that_nobody_shows_are_passed_over():
    objects = [fbx_shape(1, box()[0], QUADS), fbx_model(2, "a"), fbx_model(3, "b")]
    assert read_facts(fbx_scene(objects, [(1, 2), (2, 3), (3, 2)]), "a.fbx").triangles == 0
    assert read_facts(fbx_scene(objects, [(2, 0), (2, 0), (3, 2), (3, 2), (1, 3)]), "a.fbx").triangles == 12
    with pytest.raises(PreviewError, match="has no triangles"):
        make_thumbnail(fbx_scene(objects, []), "a.fbx")


def shape_of(*arrays: Record) -> bytes:
    return fbx_scene([("Geometry", [1, "", "Mesh"], list(arrays)), fbx_model(2, "a")], [(1, 2), (2, 0)])


def numbers(*values: float) -> Record:
    return ("Vertices", [np.array(values, np.float64)], [])


def corners(*values: int) -> Record:
    return ("PolygonVertexIndex", [np.array(values, np.int32)], [])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"; FBX 7.4.0 project file", "it is FBX as text"),
        (b"nothing", "no binary FBX"),
        (as_fbx(box())[:25], "ends in its head"),
        (as_fbx(box(), 6100), "it is FBX 6100, and 7000 or newer is read"),
        (as_fbx(box())[:300], "leaves its place"),
        (shape_of(numbers(1, 2), corners(0, 0, -1)), "less than three numbers"),
        (shape_of(numbers(1, 2, 3), corners(0, 1, -1)), "names a vertex that is not there; there are 1"),
        (shape_of(("Vertices", ["text"], []), corners(0)), "a record 'Vertices' has not the values"),
        (shape_of(("Vertices", [], []), corners(0)), "a record 'Vertices' has not the values"),
        (shape_of(numbers(1, 2, 3), corners(0, 0, -1)).replace(b"x\x9c", b"xx"), "cannot be unpacked"),
        (fbx_of([("Objects", [], [("Model", ["text"], [])])]), "a record 'Model' has not the values"),
        (as_fbx(box()).replace(b"S\x04\0\0\0Mesh", b"Q\x04\0\0\0Mesh"), "is of no known type"),
    ],
)
def test_what_is_damaged_or_not_read_is_refused_by_name(content: bytes, words: str):
    with pytest.raises(PreviewError, match=words) as caught:
        read_facts(content, "a.fbx")
    assert "'a.fbx'" in str(caught.value)


def packed(count: int, data: bytes) -> bytes:
    """An array that claims a length."""
    content = shape_of(numbers(*[7.25] * 30), corners(0, 0, -1))
    start = content.index(b"Vertices") + 9
    length = struct.unpack_from("<I", content, start + 8)[0]
    assert len(data) <= length
    return (
        content[:start]
        + struct.pack("<III", count, 1, length)
        + data.ljust(length, b"\0")
        + content[start + 12 + length :]
    )


def test_what_an_array_claims_is_checked_before_memory_is_taken_for_it(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(PreviewError, match="an array has 4,000,000,000 numbers"):
        read_facts(packed(4_000_000_000, b""), "a.fbx")
    bomb = shape_of(numbers(*[0.0] * 3_000_000), corners(0, 0, -1))
    short = bomb.replace(struct.pack("<I", 3_000_000), struct.pack("<I", 30), 1)
    with pytest.raises(PreviewError, match="should have 240 bytes, found 241"):
        read_facts(short, "a.fbx")  # unpacked no further than what was claimed
    monkeypatch.setattr(fbx, "MOST_TRIANGLES", 2)
    with pytest.raises(PreviewError, match="more than 6 vertices"):
        read_facts(as_fbx(box()), "a.fbx")
    monkeypatch.setattr(fbx_nodes, "_MOST_NODES", 5)
    with pytest.raises(PreviewError, match="more than 5 records"):
        read_facts(as_fbx(box()), "a.fbx")


def test_a_shape_shown_too_often_is_refused():
    models = [fbx_model(place, "") for place in range(10, 300)]
    links = [(place, 0) for place in range(10, 300)] + [(1, place) for place in range(10, 300)]
    many: Any = gear(2000)
    with pytest.raises(PreviewError, match="triangles, and at most 2,000,000"):
        read_facts(fbx_scene([fbx_shape(1, many[0], many[1].tolist()), *models], links), "a.fbx")
