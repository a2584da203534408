"""Meshes of every format are read to the same numbers; damaged and greedy ones are refused by name."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mesh_samples import (
    Shape,
    as_binary_stl,
    as_fbx,
    as_glb,
    as_gltf,
    as_obj,
    as_text_stl,
    ball,
    box,
    bracket,
    gear,
    glb_of,
    gltf_of,
    house,
    joined,
)
from skyhold.components.mesh_facts import MeshFacts, read_facts
from skyhold.components.meshes import source
from skyhold.components.thumbnails import make_thumbnail
from skyhold.errors import PreviewError
from skyhold.runs.json_reader import JsonReader

_FORMATS: list[tuple[str, Callable[[Shape], bytes]]] = [
    ("part.stl", as_binary_stl),
    ("part.STL", as_text_stl),
    ("part.obj", as_obj),
    ("part.gltf", as_gltf),
    ("part.glb", as_glb),
    ("part.fbx", as_fbx),
]


@pytest.mark.parametrize(("name", "write"), _FORMATS)
def test_every_format_gives_the_same_numbers(name: str, write: Callable[[Shape], bytes]):
    facts = read_facts(write(box((2, 3, 4), (100, 0, -1))), name)
    assert (facts.triangles, facts.vertices, facts.watertight) == (12, 8, True)
    assert facts.volume == pytest.approx(24)
    assert facts.area == pytest.approx(52)
    assert (facts.lowest, facts.highest, facts.size) == ((100, 0, -1), (102, 3, 3), (2, 3, 4))


def test_measures_of_round_and_of_open_shapes_are_right():
    sphere = read_facts(as_binary_stl(ball(10, 96, 192)), "ball.stl")
    assert sphere.volume == pytest.approx(4 / 3 * np.pi * 1000, rel=0.002)
    assert sphere.area == pytest.approx(4 * np.pi * 100, rel=0.002)
    open_house = read_facts(as_binary_stl(house()), "house.stl")
    assert (open_house.watertight, open_house.volume) == (False, None)
    assert read_facts(as_binary_stl(gear()), "gear.stl").watertight


def test_a_closed_surface_whose_triangles_disagree_on_the_outside_has_no_volume():
    vertices, faces = box()
    faces[3] = faces[3][::-1]
    facts = read_facts(as_binary_stl((vertices, faces)), "box.stl")
    assert (facts.watertight, facts.volume) == (True, None)
    turned = read_facts(as_binary_stl((vertices, box()[1][:, ::-1])), "box.stl")
    assert turned.volume == pytest.approx(-1)


def test_names_units_and_materials_are_told_where_the_format_has_them():
    assert read_facts(as_text_stl(box(), "left arm"), "a.stl").parts == ("left arm",)
    found = read_facts(as_obj(box()), "a.obj")
    assert (found.parts, found.materials, found.unit) == (("part",), ("steel",), None)
    found = read_facts(as_glb(box()), "a.glb")
    assert (found.parts, found.materials, found.unit, found.up) == (("part",), ("steel",), "m", "y")


def test_facts_come_back_from_json_as_they_were():
    for facts in (read_facts(as_glb(bracket()), "a.glb"), read_facts(as_binary_stl((box()[0], box()[1][:0])), "0.stl")):
        assert MeshFacts.from_json(JsonReader.parse(json.dumps(facts.to_json()))) == facts


def test_a_binary_stl_that_begins_with_solid_is_read_as_what_it_is():
    facts = read_facts(as_binary_stl(box(), head=b"solid facet normal endsolid"), "box.stl")
    assert facts.triangles == 12


def test_bytes_after_the_last_triangle_are_told_and_passed_over():
    facts = read_facts(as_binary_stl(box()) + b"colour", "box.stl")
    assert (facts.triangles, facts.remarks) == (12, ("6 bytes after the last triangle",))


def test_triangles_with_a_corner_that_is_no_number_are_counted_and_left_out():
    for bad in (np.nan, np.inf, 1e35):
        vertices, faces = box()
        vertices[7, 1] = bad
        facts = read_facts(as_binary_stl((vertices, faces)), "box.stl")
        assert (facts.triangles, facts.left_out, facts.highest) == (6, 6, (1, 1, 1))


def test_polygons_negative_numbers_and_lines_that_go_on_are_read():
    text = b"v 0 0 0\nv 1 0 0 1.0\nv 1 1 0 0.5 0.5 0.5\r\nv 0 1 0\nf -4 -3 \\\n -2 -1\ncurv 0 1 1 2\nl 1 2\n"
    facts = read_facts(text, "quad.obj")
    assert (facts.triangles, facts.area, facts.remarks) == (2, 1.0, ("curves and surfaces are not shown",))


def test_nodes_place_their_meshes_by_matrix_or_by_turn_scale_and_shift():
    quarter = [0, 0, np.sqrt(0.5), np.sqrt(0.5)]  # about z
    nodes = [
        {"children": [1], "translation": [10, 0, 0]},
        {"mesh": 0, "rotation": quarter, "scale": [2, 1, 1]},
        {"mesh": 0, "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 5, 1]},
    ]
    facts = read_facts(as_glb(box(), nodes=nodes, scenes=[{"nodes": [0, 2]}]), "two.glb")
    assert facts.triangles == 24
    assert facts.volume == pytest.approx(3)
    assert facts.lowest == pytest.approx((0, 0, 0))
    assert facts.highest == pytest.approx((10, 2, 6))


def test_strips_fans_quantized_and_sparse_positions_are_read():
    content, buffer = gltf_of(
        (np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.0]]), np.array([[0, 1, 2], [0, 0, 3]]))
    )
    primitive = content["meshes"][0]["primitives"][0]
    del primitive["indices"]
    primitive["mode"] = 5
    assert read_facts(glb_of(content, buffer), "a.glb").area == pytest.approx(1)
    primitive["mode"] = 6
    assert read_facts(glb_of(content, buffer), "a.glb").triangles == 2
    primitive["mode"] = 1
    assert read_facts(glb_of(content, buffer), "a.glb").remarks == ("1 sets of lines or points are not shown",)
    primitive["mode"] = 5
    content["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": 1, "byteOffset": 20, "componentType": 5125},
        "values": {"bufferView": 0, "byteOffset": 12},
    }  # the fourth vertex becomes the second
    assert read_facts(glb_of(content, buffer), "a.glb").vertices == 3
    content["accessors"][0] = {"componentType": 5122, "normalized": True, "count": 4, "type": "VEC3", "bufferView": 0}
    buffer = np.array([[0, 0, 0], [32767, 0, 0], [0, 32767, 0], [-32768, 0, 0]], "<i2").tobytes().ljust(72, b"\0")
    facts = read_facts(glb_of(content, buffer), "a.glb")
    assert (facts.lowest, facts.highest) == ((-1, 0, 0), (1, 1, 0))


def test_buffers_beside_the_file_are_read_and_none_outside_its_folder(tmp_path: Path):
    inside = tmp_path / "inside"
    inside.mkdir()
    buffer = gltf_of(box())[1]
    (inside / "my part.bin").write_bytes(buffer)
    (tmp_path / "secret.bin").write_bytes(buffer)
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "a.gltf").write_bytes(as_gltf(box(), "my%20part.bin"))
    assert read_facts(inside / "a.gltf").triangles == 12
    for uri in (
        "../secret.bin",
        "%2e%2e/secret.bin",
        str(tmp_path / "secret.bin"),
        "file:///etc/passwd",
        "link.bin",
        "x",
    ):
        (inside / "a.gltf").write_bytes(as_gltf(box(), uri))
        with pytest.raises(PreviewError, match=r"only files beside it|not at hand"):
            read_facts(inside / "a.gltf")
    with pytest.raises(PreviewError, match=r"'b.bin', which is not at hand"):
        read_facts(as_gltf(box(), "b.bin"), "a.gltf")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.stl", b"", "it is empty"),
        ("a.stl", b"short", "at least 84 bytes"),
        ("a.stl", as_binary_stl(box())[:-1], "should have 12 triangles, and ends after 11"),
        ("a.stl", as_text_stl(box())[:-30], "ends before 'endsolid'|should have"),
        ("a.stl", as_text_stl(box()).replace(b"vertex 0 0 0", b"vertex 0 0 x", 1), "not made of numbers"),
        ("a.stl", as_text_stl(box()).replace(b"vertex", b"vertes", 1), "should have 36 vertices, found 35"),
        ("a.obj", b"f 1 2 3\n", "no vertices"),
        ("a.obj", b"v 1 2 3\nf 1 2 3\n", "names a vertex that is not there"),
        ("a.obj", b"v 1 2 3\nf 1 99999999999999999999 1\n", "line 2: "),
        ("a.obj", b"v 1 2\n", "line 1: a vertex has three numbers"),
        ("a.obj", b"v 1 2 z\n", "line 1: 'z' is no number"),
        ("a.obj", b"v 1 2 3\nf 1 1 2.5\n", "line 2: '2.5' is no vertex"),
        ("a.gltf", b"{", "not JSON"),
        ("a.gltf", b"[" * 100_000, "not JSON"),
        ("a.gltf", b"[]", "should be an object"),
        ("a.gltf", b'{"asset": {"version": "1.0"}}', "glTF 1.0"),
        ("a.glb", as_glb(box())[:-5], "ends after"),
        ("a.glb", b"glTF" + struct.pack("<II", 2, 12), "has no JSON"),
        ("a.glb", b"glTF" + struct.pack("<IIII", 2, 20, 99, 0x4E4F534A), "a chunk should have 99 bytes"),
        ("a.glb", as_glb(box(), nodes=[{"children": [0]}]), "more than one parent"),
        ("a.glb", as_glb(box(), nodes=[{"mesh": 7}]), "meshes.7. is missing"),
        ("a.glb", as_glb(box(), nodes=[{"mesh": 0, "matrix": [1, 2]}]), "should have 16 numbers"),
        ("a.glb", as_glb(box(), bufferViews=[{"buffer": 0, "byteLength": 96}] * 2), "should have 144 bytes"),
        ("a.glb", as_glb(box(), bufferViews=[{"buffer": 0, "byteLength": 9999}] * 2), "the buffer ends at 240"),
        ("a.glb", as_glb(box(), extensionsRequired=["KHR_draco_mesh_compression"]), "packed by Draco"),
        ("a.xyz", b"1 2 3", "STL, glTF, GLB, OBJ and FBX"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name_and_reason(name: str, content: bytes, words: str):
    with pytest.raises(PreviewError, match=words) as caught:
        read_facts(content, name)
    assert repr(name) in str(caught.value)


def test_what_a_file_asks_for_is_refused_before_memory_is_taken_for_it(monkeypatch: pytest.MonkeyPatch):
    greedy = {"componentType": 5126, "count": 10**12, "type": "VEC3"}
    with pytest.raises(PreviewError, match="1,000,000,000,000"):
        read_facts(as_glb(box(), accessors=[greedy, greedy]), "a.glb")
    shown = {"nodes": [{"mesh": 0} for _ in range(300)], "scenes": [{"nodes": list(range(300))}]}
    with pytest.raises(PreviewError, match=r"has 2,0\d\d,\d\d\d triangles, and at most 2,000,000"):
        read_facts(as_glb(ball(10, 60, 60), **shown), "a.glb")  # one mesh, shown by many nodes
    with pytest.raises(PreviewError, match="more than 50,000 pieces"):
        read_facts(as_glb(box(), meshes=[{"primitives": [{"attributes": {"POSITION": 0}}] * 50_001}]), "a.glb")
    with pytest.raises(PreviewError, match="200,000 nodes"):
        read_facts(as_glb(box(), nodes=[{}] * 200_000), "a.glb")
    monkeypatch.setattr(source, "MOST_BYTES", 1000)
    with pytest.raises(PreviewError, match="MB, and at most"):
        read_facts(as_binary_stl(joined(*[box()] * 2)), "a.stl")


def test_any_broken_byte_gives_facts_or_an_error_and_never_a_crash():
    noise = np.random.default_rng(7)
    for name, write in _FORMATS:
        sound = write(gear(5))
        for _ in range(60):
            broken = bytearray(sound)
            for place in noise.integers(0, len(sound), 3):
                broken[place] = int(noise.integers(0, 256))
            try:
                read_facts(bytes(broken), name)
            except PreviewError as error:
                assert repr(name) in str(error)  # noqa: PT017 - both outcomes are right


@pytest.mark.parametrize(
    "change",
    [
        {"extensionsRequired": [[], None, "KHR_mesh_quantization"]},
        {"materials": [{"pbrMetallicRoughness": {"baseColorFactor": [float("nan"), -1, 9, 1]}}]},
        {"meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1, "material": 2**70}]}]},
        {"nodes": [{"mesh": 0, "children": [1], "matrix": [1e308] * 16}, {"mesh": 0, "matrix": [1e308] * 16}]},
    ],
)
def test_odd_values_in_gltf_that_could_be_met_are_passed_over(change: dict[str, object]):
    content = as_glb(box(), **change)
    assert read_facts(content, "a.glb").triangles + read_facts(content, "a.glb").left_out in {12, 24}
    if "nodes" not in change:
        assert make_thumbnail(content, "a.glb", 16)
