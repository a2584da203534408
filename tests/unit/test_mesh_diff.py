"""The difference of two meshes says what a person would: what moved, by how much, and what only looks different."""

import json

import numpy as np
import pytest

from mesh_samples import as_binary_stl, as_glb, as_obj, ball, box, bracket, gear, house, joined
from skyhold.components.mesh_diff import diff_meshes
from skyhold.errors import PreviewError


def test_a_local_edit_is_told_by_its_share_of_vertices_and_its_farthest_move():
    vertices, faces = ball(10, 24, 48)
    edited = vertices.copy()
    edited[:100] += [0, 0, 0.25]
    diff = diff_meshes(as_binary_stl((vertices, faces)), as_binary_stl((edited, faces)), "ball.stl")
    assert (diff.vertices_added, diff.vertices_removed, diff.placement) == (100, 100, None)
    assert diff.moved_share == pytest.approx(100 / len(vertices))
    assert diff.farthest_move == pytest.approx(0.25, rel=1e-5)
    lines = diff.to_lines()
    assert lines[-2:] == [
        "9.04 % of the vertices are where none was (100 added, 100 removed)",
        "farthest move of a vertex 0.25",
    ]
    assert lines[0] == "size 20 x 20 x 20 → 20 x 20 x 20.1644"
    assert not any(line.startswith("triangles") for line in lines)


def test_an_added_part_is_told_by_triangles_size_and_volume():
    diff = diff_meshes(as_binary_stl(box((2, 2, 2))), as_binary_stl(joined(box((2, 2, 2)), box(at=(3, 0, 0)))), "a.stl")
    assert diff.to_lines() == [
        "triangles 12 → 24 (+12)",
        "vertices 8 → 16 (+8)",
        "size 2 x 2 x 2 → 4 x 2 x 2",
        "area 24 → 30 (+25 %)",
        "volume 8 → 9 (+12.5 %)",
        "50 % of the vertices are where none was (8 added, 0 removed)",
    ]


def test_other_bytes_of_the_same_surface_are_recognised():
    vertices, faces = gear()
    shuffled = np.random.default_rng(1).permutation(faces)
    for new, name in (
        (as_binary_stl((vertices, shuffled), b"other"), "b.stl"),
        (as_binary_stl((vertices, np.roll(faces, 1, 1))), "b.stl"),
    ):
        diff = diff_meshes(as_binary_stl((vertices, faces)), new, "a.stl", new_name=name)
        assert diff.is_same_surface
        assert diff.to_lines() == ["same surface: every vertex is where one was"]


def test_a_mesh_that_was_scaled_turned_or_moved_as_a_whole_is_told_so():
    vertices, faces = bracket()
    old = as_obj((vertices, faces))
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    moved = diff_meshes(old, as_obj((vertices + np.array([1, 2, 0]), faces)), "a.obj")
    assert moved.to_lines() == ["as a whole moved by (1, 2, 0)"]
    turned = diff_meshes(old, as_obj((vertices @ turn.T, faces)), "a.obj").placement
    assert turned is not None
    assert (turned.scale, turned.turn_degrees, turned.axis) == (1.0, pytest.approx(90), pytest.approx((0, 0, 1)))
    inches = diff_meshes(old, as_obj((vertices / 25.4, faces)), "a.obj")
    assert inches.placement is not None
    assert inches.placement.scale == pytest.approx(1 / 25.4)
    assert any("scaled by 0.0393701" in line for line in inches.to_lines())
    assert diff_meshes(old, as_obj((vertices * [1, 1, 2], faces)), "a.obj").placement is None
    assert diff_meshes(old, as_obj((vertices * [-1, 1, 1], faces)), "a.obj").placement is None  # mirrored


def test_names_units_and_open_edges_that_changed_are_told():
    closed, opened = box(), (box()[0], box()[1][:-1])
    new = as_glb(opened, nodes=[{"name": "lid", "mesh": 0}], materials=[{"name": "brass"}])
    lines = diff_meshes(as_glb(closed), new, "a.glb").to_lines()
    assert "closed → open" in lines
    assert "materials added: 'brass'" in lines
    assert "parts removed: 'part'" in lines
    assert (
        diff_meshes(as_binary_stl(closed), as_glb(closed), "a.stl", new_name="a.glb").to_lines()[0]
        == "format STL → glTF"
    )


def test_a_diff_can_be_written_as_json():
    for new in (as_binary_stl(house()), as_binary_stl((bracket()[0] + 1, bracket()[1]))):
        diff = diff_meshes(as_binary_stl(bracket()), new, "a.stl")
        found = json.loads(json.dumps(diff.to_json(), allow_nan=False))
        assert found["new"]["triangles"] == diff.new.triangles


def test_empty_and_degenerate_meshes_are_compared_too():
    empty = as_binary_stl((box()[0], box()[1][:0]))
    assert diff_meshes(empty, empty, "a.stl").is_same_surface
    assert diff_meshes(empty, as_binary_stl(box()), "a.stl").vertices_added == 8
    assert diff_meshes(as_binary_stl(box()), empty, "a.stl").to_lines()[0] == "triangles 12 → 0 (-12)"
    point = as_binary_stl((box()[0] * 0, box()[1]))
    assert diff_meshes(point, as_binary_stl((box()[0] * 0 + 1, box()[1])), "a.stl").farthest_move == pytest.approx(
        3**0.5
    )
    with pytest.raises(PreviewError, match=r"'a\.stl' is damaged"):
        diff_meshes(empty, b"nothing", "a.stl")
