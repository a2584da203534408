"""Dependencies: what is not there or would need itself is refused, and who needs what is known without reading all."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from library_parts import name
from skyhold.components.dependencies import (
    DependencyGraph,
    check_dependencies,
    check_not_needed,
    dependency_graph,
    list_dependents,
    mark_dependencies,
    resolve_dependencies,
)
from skyhold.components.layout import LIBRARY
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency, Version
from skyhold.errors import ComponentNotFoundError, DependencyError, InvalidKeyError
from skyhold.storage.contract import Store
from skyhold.storage.objects import Operation
from skyhold.storage.opening import open_store


@pytest.fixture
def store() -> Store:
    return open_store(f"memory://needs-{uuid4().hex}")


def publish(store: Store, component: str, number: int, *needs: str | tuple[str, int]) -> Version:
    wanted = [Dependency(each) if isinstance(each, str) else Dependency(*each) for each in needs]
    check_dependencies(store, component, wanted)
    mark_dependencies(store, component, wanted)
    return name(store, component, number, f"{component} {number}".encode(), needs=wanted)


def resolved(store: Store, component: str, version: int | None = None) -> list[tuple[str, int]]:
    return [(each.component, each.number) for each in resolve_dependencies(store, component, version)]


def test_all_that_a_component_needs_is_found_each_once_at_its_newest_version_or_the_one_named(store: Store):
    publish(store, "bolt.stl", 1)
    publish(store, "bolt.stl", 2)
    publish(store, "arm.stl", 1, "bolt.stl")
    publish(store, "leg.stl", 1, "bolt.stl")
    publish(store, "robot", 1, "arm.stl", "leg.stl")
    assert resolved(store, "robot") == [("robot", 1), ("arm.stl", 1), ("leg.stl", 1), ("bolt.stl", 2)]
    publish(store, "robot", 2, "leg.stl", ("bolt.stl", 1))
    assert resolved(store, "robot") == [("robot", 2), ("leg.stl", 1), ("bolt.stl", 1)]
    assert resolved(store, "robot", 1)[-1] == ("bolt.stl", 2)


def test_a_version_that_is_named_deeper_down_counts_for_those_that_name_none(store: Store):
    publish(store, "bolt.stl", 1)
    publish(store, "bolt.stl", 2)
    publish(store, "arm.stl", 1, ("bolt.stl", 1))
    publish(store, "robot", 1, "bolt.stl", "arm.stl")
    assert dict(resolved(store, "robot"))["bolt.stl"] == 1


def test_two_different_versions_of_one_component_are_refused_with_those_who_name_them(store: Store):
    publish(store, "bolt.stl", 1)
    publish(store, "bolt.stl", 2)
    publish(store, "arm.stl", 1, ("bolt.stl", 1))
    publish(store, "robot", 1, "arm.stl", ("bolt.stl", 2))
    with pytest.raises(DependencyError, match=r"'robot' needs version 2 of 'bolt.stl', and 'arm.stl' needs version 1"):
        resolve_dependencies(store, "robot")


def test_a_version_that_is_not_used_after_all_excludes_nothing(store: Store):
    """The newest leg names another bolt, but the robot names an old leg."""
    for number in (1, 2):
        publish(store, "bolt.stl", number)
    publish(store, "leg.stl", 1, ("bolt.stl", 1))
    publish(store, "leg.stl", 2, ("bolt.stl", 2))
    publish(store, "arm.stl", 1, ("leg.stl", 1))
    publish(store, "robot", 1, "leg.stl", "arm.stl")
    assert dict(resolved(store, "robot")) == {"robot": 1, "leg.stl": 1, "arm.stl": 1, "bolt.stl": 1}


@pytest.mark.parametrize("needs", ["leg.stl", ("arm.stl", 7)])
def test_what_is_not_there_cannot_be_needed(store: Store, needs: str | tuple[str, int]):
    publish(store, "arm.stl", 1)
    with pytest.raises(DependencyError, match=r"resolve 'memory.*/robot': it needs '(leg|arm).stl'"):
        publish(store, "robot", 1, needs)


def test_what_was_deleted_cannot_be_needed_but_at_a_version_before(store: Store):
    publish(store, "arm.stl", 1)
    name(store, "arm.stl", 2)
    with pytest.raises(DependencyError, match=r"'arm.stl', which was deleted"):
        publish(store, "robot", 1, "arm.stl")
    publish(store, "robot", 1, ("arm.stl", 1))
    assert resolved(store, "robot") == [("robot", 1), ("arm.stl", 1)]


def test_what_cannot_be_a_component_and_what_is_named_twice_is_refused(store: Store):
    publish(store, "arm.stl", 1)
    with pytest.raises(InvalidKeyError):
        publish(store, "robot", 1, ".skyhold/heads")
    with pytest.raises(DependencyError, match=r"names 'arm.stl' twice"):
        publish(store, "robot", 1, "arm.stl", ("arm.stl", 1))


def test_a_circle_is_refused_and_shown(store: Store):
    with pytest.raises(DependencyError, match="robot → robot"):
        publish(store, "robot", 1, "robot")
    publish(store, "robot", 1)
    publish(store, "arm.stl", 1, "robot")
    publish(store, "hand.stl", 1, "arm.stl")
    with pytest.raises(DependencyError, match=r"it would need itself: robot → hand.stl → arm.stl → robot"):
        publish(store, "robot", 2, "hand.stl")


def test_a_circle_that_two_made_at_once_is_walked_once(store: Store):
    name(store, "a", 1, b"a", needs=[Dependency("b")])
    name(store, "b", 1, b"b", needs=[Dependency("a")])
    assert resolved(store, "a") == [("a", 1), ("b", 1)]
    assert dependency_graph(store).as_text().splitlines()[:3] == [
        "a (version 1)",
        "└── b (version 1)",
        "    └── a (version 1), as above",
    ]


def test_a_component_that_is_needed_is_not_deleted_and_those_who_need_it_are_named(store: Store):
    publish(store, "arm.stl", 1)
    check_not_needed(store, "arm.stl")
    publish(store, "robot", 1, "arm.stl")
    publish(store, "robot/old", 1, ("arm.stl", 1))
    assert list_dependents(store, "arm.stl") == ["robot", "robot/old"]
    with pytest.raises(DependencyError, match="needed by 'robot', 'robot/old'"):
        check_not_needed(store, "arm.stl")
    publish(store, "robot", 2)
    name(store, "robot/old", 2)
    check_not_needed(store, "arm.stl")


def test_nobody_needs_a_component_because_of_another_whose_name_begins_alike(store: Store):
    publish(store, "arm", 1)
    publish(store, "arm.stl", 1)
    publish(store, "robot", 1, "arm.stl")
    assert list_dependents(store, "arm") == []


def test_asking_who_needs_a_component_that_nobody_needs_is_one_listing(store: Store):
    publish(store, "arm.stl", 1)
    seen: list[Operation] = []
    check_not_needed(store.observed(seen.append), "arm.stl")
    assert {operation.verb for operation in seen} == {"list"}


def test_there_is_no_graph_of_what_does_not_exist(store: Store):
    with pytest.raises(ComponentNotFoundError, match="'robot' is not there"):
        dependency_graph(store, "robot")
    publish(store, "robot", 1)
    with pytest.raises(ComponentNotFoundError, match=r"'robot' \(version 2\)"):
        dependency_graph(store, "robot", 2)


def test_the_graph_of_a_library_shows_every_component_and_what_is_missing(store: Store):
    publish(store, "bolt", 1)
    publish(store, "arm", 1, ("bolt", 1))
    publish(store, "robot", 1, "arm", "bolt")
    publish(store, "alone", 1)
    name(store, "odd", 1, b"odd", needs=[Dependency("lost")])
    assert dependency_graph(store).as_text().splitlines() == [
        "alone (version 1)",
        "odd (version 1)",
        "└── lost (missing)",
        "robot (version 1)",
        "├── arm (version 1)",
        "│   └── bolt (version 1)",
        "└── bolt (version 1)",
    ]
    assert list(dependency_graph(store, "robot").versions) == ["robot", "arm", "bolt"]


def test_a_name_cannot_break_out_of_the_diagram():
    graph = DependencyGraph({'a"]<script>#': 1})
    assert graph.as_mermaid() == 'graph LR\n    n0["a#quot;]#lt;script#gt;#35;<br>version 1"]'


def test_a_library_checks_what_is_needed_when_it_publishes_and_when_it_deletes(store: Store):
    library = Library(store, author="ann@desk")
    library.publish("arm.stl", b"arm")
    library.publish("robot.txt", b"robot", dependencies=["arm.stl"])
    with pytest.raises(DependencyError, match=r"it needs 'leg.stl', which is not there"):
        library.publish("cell.txt", b"cell", dependencies=["leg.stl"])
    with pytest.raises(DependencyError, match=r"arm.stl → robot.txt → arm.stl"):
        library.publish("arm.stl", b"longer", dependencies=[Dependency("robot.txt", 1)])
    with pytest.raises(DependencyError, match=r"needed by 'robot.txt'"):
        library.delete("arm.stl")
    assert library.log("arm.stl")[0].number == 1
    assert library.publish("robot.txt", b"better robot").dependencies == (Dependency("arm.stl"),)
    library.delete("robot.txt")
    library.delete("arm.stl")
    library.undelete("arm.stl")
    library.publish("robot.txt", b"robot again", dependencies=["arm.stl"])
    assert library.delete("arm.stl", even_if_needed=True).is_deleted


def test_nothing_is_kept_of_a_publication_that_needs_what_is_not_there(store: Store):
    with pytest.raises(DependencyError):
        Library(store).publish("cell.txt", b"cell", dependencies=["leg.stl"])
    assert [info.key for info in store.list()] == [LIBRARY]


@given(st.lists(st.tuples(st.integers(0, 7), st.sets(st.integers(0, 7), max_size=4)), max_size=20))
def test_whatever_is_published_no_component_ever_needs_itself(steps: list[tuple[int, set[int]]]):
    store = open_store(f"memory://needs-{uuid4().hex}")
    numbers: dict[int, int] = {}
    for component, needs in steps:
        number = numbers.get(component, 0) + 1
        try:
            publish(store, f"c{component}", number, *(f"c{each}" for each in sorted(needs)))
        except DependencyError:
            continue
        numbers[component] = number
    needed = {each: {need.component for need in needs} for each, needs in dependency_graph(store).needs.items()}
    for start, directly in needed.items():
        seen, left = set[str](), set(directly)
        while left:
            each = left.pop()
            assert each != start
            seen.add(each)
            left |= needed.get(each, set()) - seen
    for component in numbers:
        by = {each for each, needs in needed.items() if f"c{component}" in needs}
        assert set(list_dependents(store, f"c{component}")) == by
