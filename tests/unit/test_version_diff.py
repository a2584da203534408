"""The difference of two versions: files by content, metadata, what they need, and what changed in meshes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from mesh_samples import as_binary_stl, as_gltf, box, gltf_of
from skyhold.components import mesh_diff
from skyhold.components.diffing import diff_versions
from skyhold.components.layout import blob_key
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency, FileEntry, Version
from skyhold.components.version_diff import compare_versions
from skyhold.errors import IntegrityError, MissingExtraError


def version(number: int, files: dict[str, bytes], **others: object) -> Version:
    entries = tuple(
        FileEntry(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in sorted(files.items())
    )
    parents = (number - 1,) if number > 1 else ()
    return replace(Version("robot", number, entries, datetime(2026, 1, 1, tzinfo=UTC), parents=parents), **others)


@pytest.fixture
def library() -> Library:
    return Library(f"memory://{uuid4().hex}", author="ann")


@pytest.fixture
def publish(library: Library, tmp_path: Path) -> Callable[..., Version]:
    """Publish a component of several files, given as names and contents."""

    def publish(**files: bytes) -> Version:
        paths: dict[str, Path] = {}
        for name, content in files.items():
            real = name.replace("__", "/").replace("_", ".")
            paths[real] = tmp_path / uuid4().hex
            paths[real].write_bytes(content)
        return library.publish("robot", paths)

    return publish


def test_files_are_told_as_added_removed_changed_or_renamed():
    diff = compare_versions(
        version(1, {"a": b"1", "b": b"2", "c": b"3", "d": b"4"}),
        version(4, {"a": b"1", "b": b"two", "c2": b"3", "e": b"5"}),
    )
    assert [(each.kind, each.name) for each in diff.files] == [
        ("changed", "b"),
        ("renamed", "c2"),
        ("removed", "d"),
        ("added", "e"),
    ]
    assert diff.to_text().splitlines() == [
        "robot: version 1 → 4",
        "  changed b, 1 B → 3 B",
        "  renamed c → c2",
        "  removed d, 1 B",
        "  added e, 1 B",
    ]


def test_of_equal_files_each_is_renamed_once():
    diff = compare_versions(version(1, {"a": b"1"}), version(2, {"b": b"1", "c": b"1"}))
    assert [(each.kind, each.name) for each in diff.files] == [("renamed", "b"), ("added", "c")]


def test_metadata_and_needs_are_told():
    old = version(1, {"": b"1"}, metadata={"colour": "red", "mass": "2"}, dependencies=(Dependency("bolt", 3),))
    new = version(
        2, {"": b"1"}, metadata={"colour": "blue", "by": "Ann"}, dependencies=(Dependency("bolt"), Dependency("nut", 1))
    )
    diff = compare_versions(old, new)
    assert diff.to_text().splitlines()[1:] == [
        "  metadata by: 'Ann' (added)",
        "  metadata colour: 'red' → 'blue'",
        "  metadata mass: '2' (removed)",
        "  needs bolt: version 3 → newest",
        "  needs nut: version 1 (added)",
    ]
    assert json.loads(json.dumps(diff.to_json()))["metadata"][1] == {"name": "colour", "old": "red", "new": "blue"}


def test_names_that_a_terminal_would_obey_are_escaped():
    old = version(1, {"a\x1b[2J": b"1"}, metadata={"x\ny": "\x1b[31m"})
    text = compare_versions(old, version(2, {"b\x07": b"1"})).to_text()
    assert all(line.isprintable() for line in text.splitlines())
    assert "renamed 'a\\x1b[2J' → 'b\\x07'" in text


def test_versions_with_the_same_files_say_that_nothing_changed():
    diff = compare_versions(version(1, {"": b"1"}), version(2, {"": b"1"}))
    assert diff.is_empty
    assert diff.to_text() == "robot: version 1 → 2: nothing changed"


def test_the_first_version_is_all_added_and_a_deletion_all_removed(library: Library, publish: Callable[..., Version]):
    publish(a_stl=as_binary_stl(box()))
    first = diff_versions(library, "robot")
    assert (first.old, [each.kind for each in first.files]) == (0, ["added"])
    library.delete("robot")
    assert [each.kind for each in diff_versions(library, "robot").files] == ["removed"]


def test_a_mesh_that_changed_is_measured(library: Library):
    library.publish("arm.stl", as_binary_stl(box()))
    library.publish("arm.stl", as_binary_stl(box((1, 1, 2))))
    library.publish("arm.stl", as_binary_stl(box((1, 1, 3))))
    assert diff_versions(library, "arm.stl").to_text().splitlines() == [
        "arm.stl: version 2 → 3",
        "  changed arm.stl, 684 B → 684 B",
        "    size 1 x 1 x 2 → 1 x 1 x 3",
        "    area 10 → 14 (+40 %)",
        "    volume 2 → 3 (+50 %)",
        "    50 % of the vertices are where none was (4 added, 4 removed)",
        "    farthest move of a vertex 1",
    ]
    back = diff_versions(library, "arm.stl", 3, 1)
    assert back.files[0].mesh is not None
    assert back.files[0].mesh.new.volume == pytest.approx(1)
    assert json.loads(json.dumps(back.to_json()))["files"][0]["mesh"]["new"]["triangles"] == 12
    assert diff_versions(library, "arm.stl", meshes=False).files[0].mesh is None


def test_a_buffer_beside_a_gltf_file_is_that_of_the_same_version(library: Library, publish: Callable[..., Version]):
    content = as_gltf(box(), "a.bin")
    publish(parts__x_gltf=content, parts__a_bin=gltf_of(box())[1])
    publish(parts__x_gltf=content + b" ", parts__a_bin=gltf_of(box((2, 1, 1)))[1])
    changes = {each.name: each for each in diff_versions(library, "robot").files}
    mesh = changes["parts/x.gltf"].mesh
    assert mesh is not None
    assert (mesh.old.volume, mesh.new.volume) == (pytest.approx(1), pytest.approx(2))
    assert changes["parts/a.bin"].mesh is None


def test_a_mesh_that_cannot_be_measured_has_a_note_that_says_why(
    library: Library, publish: Callable[..., Version], monkeypatch: pytest.MonkeyPatch
):
    publish(a_stl=as_binary_stl(box()), b_gltf=as_gltf(box(), "gone.bin"))
    publish(a_stl=b"nothing of the kind", b_gltf=as_gltf(box(), "gone.bin") + b" ")
    notes = [each.note for each in diff_versions(library, "robot").files]
    assert notes[0] == "'a.stl' is damaged: an STL file has at least 84 bytes, and this one has 19"
    assert "it needs the file 'gone.bin'" in notes[1]
    assert f"    {notes[0]}" in diff_versions(library, "robot").to_text().splitlines()

    def refuse(*_: object, **__: object) -> None:
        raise MissingExtraError.of("preview", "reading meshes")

    monkeypatch.setattr(mesh_diff, "diff_meshes", refuse)
    assert diff_versions(library, "robot").files[0].note == "reading meshes needs the extra 'preview'"


def test_damage_in_the_history_is_an_error_and_not_a_note(library: Library, publish: Callable[..., Version]):
    publish(a_stl=as_binary_stl(box()))
    publish(a_stl=as_binary_stl(box((2, 2, 2))))
    for held in list(library.history.all_hashes()):
        library.history.store.write(held.key, b"flipped")
    with pytest.raises(IntegrityError):
        diff_versions(library, "robot")
    publish(a_gltf=as_gltf(box(), "a.bin"), a_bin=gltf_of(box())[1])
    publish(a_gltf=as_gltf(box(), "a.bin") + b" ", a_bin=gltf_of(box())[1])
    library.history.store.write(blob_key(library.info("robot").files[0].sha256), b"flipped")
    with pytest.raises(IntegrityError):
        diff_versions(library, "robot")
