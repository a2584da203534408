"""Which runs have used a component, and the drawing of what needs what."""

from pathlib import Path

import pytest

from skyhold.components.dependencies import DependencyGraph
from skyhold.components.dependency_drawing import draw_dependencies
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency
from skyhold.components.usage import find_component_readers
from skyhold.runs.journal import Journal
from skyhold.runs.recording import record_run
from skyhold.storage.objects import ObjectInfo


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(str(tmp_path / "models"))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def _read(journal: Journal, uri: str, sha256: str | None = None) -> str:
    with record_run("test", f"read {uri}", asked={}, unit="objects", journal=journal) as run:
        info: ObjectInfo | None = None
        run.add_input(uri, info, sha256=sha256)
    return run.run_id


def _found(library: Library, journal: Journal, component: str) -> dict[str, tuple[int, ...]]:
    found = find_component_readers(library, journal, component, library.log(component))
    return {each.run.run_id: each.versions for each in found}


def test_runs_are_found_by_the_place_and_by_content_wherever_it_lay(library: Library, journal: Journal):
    old = library.publish("city.epw", b"old").files[0].sha256
    new = library.publish("city.epw", b"new").files[0].sha256
    by_place = _read(journal, library.store.uri_of("city.epw"))
    by_content = _read(journal, "/elsewhere/copy.epw", old)
    by_both = _read(journal, library.store.uri_of("city.epw"), new)
    _read(journal, library.store.uri_of("city.epw2"))
    _read(journal, "/elsewhere/other.epw", "0" * 64)
    assert _found(library, journal, "city.epw") == {by_place: (), by_content: (1,), by_both: (2,)}


def test_content_that_comes_back_means_every_version_that_has_it(library: Library, journal: Journal):
    sha256 = library.publish("a", b"one").files[0].sha256
    library.publish("a", b"two")
    library.restore("a", 1)
    run = _read(journal, "/x", sha256)
    assert _found(library, journal, "a") == {run: (1, 3)}


def test_files_below_count_and_empty_ones_tell_nothing(library: Library, journal: Journal, tmp_path: Path):
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot" / "arm.stl").write_bytes(b"arm")
    (tmp_path / "robot" / "empty").touch()
    version = library.publish("robot", tmp_path / "robot")
    below = _read(journal, library.store.uri_of("robot/arm.stl"))
    empty = next(entry.sha256 for entry in version.files if entry.name == "empty")
    _read(journal, "/somewhere/else", empty)
    assert _found(library, journal, "robot") == {below: ()}


def test_what_needs_something_stands_left_of_it():
    graph = DependencyGraph(
        {"robot": 3, "arm": 2, "screw": 1, "gone": None},
        {"robot": (Dependency("arm"), Dependency("screw"), Dependency("gone")), "arm": (Dependency("screw"),)},
    )
    drawing = draw_dependencies(graph, "robot", ["factory"])
    assert drawing is not None
    left = {box.component: box.left for box in drawing.boxes}
    assert left["factory"] < left["robot"] < left["arm"] < left["screw"]
    assert {box.component for box in drawing.boxes if box.is_missing} == {"gone"}
    assert len(drawing.lines) == 5
    assert {box.component: box.detail for box in drawing.boxes}["factory"] == "needs it"
    for box in drawing.boxes:
        assert 0 < box.left < box.left + box.width < drawing.width
        assert 0 < box.top < box.top + box.height < drawing.height
    corners = {(box.left, box.top) for box in drawing.boxes}
    assert len(corners) == len(drawing.boxes), "no box hides another"


def test_a_component_alone_or_with_too_many_others_is_not_drawn():
    assert draw_dependencies(DependencyGraph({"a": 1}), "a") is None
    many = DependencyGraph({f"{n}": 1 for n in range(100)}, {"0": tuple(Dependency(f"{n}") for n in range(1, 100))})
    assert draw_dependencies(many, "0") is None


def test_long_names_are_shortened_and_circles_end():
    name = "a very long name of a component, indeed.stl"
    graph = DependencyGraph({name: 1, "部品": 1}, {name: (Dependency("部品"),), "部品": (Dependency(name),)})
    drawing = draw_dependencies(graph, name)
    assert drawing is not None
    names = {box.component: box.name for box in drawing.boxes}
    assert len(names[name]) == 30
    assert names[name].endswith("indeed.stl")
