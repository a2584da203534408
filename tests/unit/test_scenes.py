"""Meshes as a viewer draws them, and which of their triangles another version does not have."""

from collections.abc import Sequence

import numpy as np
import pytest

from mesh_samples import as_binary_stl, as_glb, as_gltf, box, gear, joined
from skyhold.components.library import Library
from skyhold.components.meshes.mesh import Material, Mesh
from skyhold.components.meshes.scene import SceneGroup, make_scene
from skyhold.components.scenes import load_scene
from skyhold.errors import ComponentNotFoundError, PreviewError


def _mesh(vertices: Sequence[Sequence[float]], faces: Sequence[Sequence[int]], **others: object) -> Mesh:
    return Mesh.of("STL", np.array(vertices, dtype=float), np.array(faces), **others)


def test_a_triangle_is_the_same_wherever_it_begins_and_however_it_is_turned():
    corners = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
    here = _mesh(corners, [[0, 1, 2], [0, 1, 3]])
    there = _mesh([corners[2], corners[0], corners[1], [9, 9, 9]], [[0, 2, 1], [1, 2, 3]])
    assert make_scene(here, there).groups == (SceneGroup(1), SceneGroup(1, is_other=True))
    assert make_scene(here, here).groups == (SceneGroup(2),)
    assert make_scene(here).groups == (SceneGroup(2),)


def test_triangles_are_grouped_by_what_they_look_like():
    materials = (Material("red", (1.0, 0, 0)), Material("plain"))
    faces = [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]
    mesh = _mesh(np.eye(4)[:, :3].tolist(), faces, materials=materials, face_materials=np.array([1, 0, -1, 0]))
    scene = make_scene(mesh)
    assert scene.groups == (SceneGroup(1), SceneGroup(2, (1.0, 0, 0)), SceneGroup(1))
    assert scene.faces.tolist() == [faces[2], faces[1], faces[3], faces[0]]


def test_a_mesh_without_triangles_is_a_scene_too():
    scene = make_scene(Mesh.of("STL", np.array([[1.0, 2, 3]]), np.zeros((0, 3), dtype=np.int64)))
    assert scene.groups == ()
    assert b'"triangles": 0' in scene.to_bytes()


def test_what_lies_far_away_keeps_its_shape():
    far = make_scene(_mesh([[1e7, 0, 0], [1e7 + 0.25, 0, 0], [1e7, 0.25, 0]], [[0, 1, 2]])).to_bytes()
    positions = np.frombuffer(far[-48:-12], "<f4").reshape(3, 3)
    assert np.ptp(positions, axis=0).tolist() == [0.25, 0.25, 0]
    assert b'"middle": [10000000.125, 0.125, 0.0]' in far


def test_versions_and_files_of_components_are_loaded_with_what_they_name(tmp_path):
    library = Library(str(tmp_path / "library"))
    for size in (1, 2):
        library.publish("part.stl", as_binary_stl(joined(box(), box((1, 1, size), (5, 0, 0)))))
    groups = load_scene(library, "part.stl", against=1).groups
    assert [(group.count, group.is_other) for group in groups] == [(14, False), (10, True)]
    assert len(load_scene(library, "part.stl", version=1).faces) == 24
    folder = tmp_path / "robot"
    folder.mkdir()
    whole = as_gltf(gear(), uri="gear.bin")
    (folder / "gear.gltf").write_bytes(whole)
    (folder / "box.glb").write_bytes(as_glb(box()))
    library.publish("robot", folder)
    assert len(load_scene(library, "robot", file="box.glb").faces) == 12
    with pytest.raises(PreviewError, match=r"gear\.bin"):
        load_scene(library, "robot", file="gear.gltf")
    with pytest.raises(ComponentNotFoundError):
        load_scene(library, "robot", file="none.stl")


def test_a_log_may_be_cut_off_and_a_list_gone_on_with():
    library = Library("memory://scenes-log")
    for number in range(5):
        library.publish("a", b"%d" % number)
        library.publish(f"b{number}", b"x")
    assert [version.number for version in library.log("a", 2)] == [5, 4]
    assert [version.number for version in library.log("a")] == [5, 4, 3, 2, 1]
    assert [each.component for each in library.list(after="b2")] == ["b3", "b4"]
    assert [each.component for each in library.list("b", after="b4")] == []
