"""Publishers who meet at any request, and other programs among them: every version survives, in one order."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.sources import Content
from skyhold.errors import ConflictError
from skyhold.runs.journal import Journal
from skyhold.runs.recording import RunRecorder
from skyhold.storage.backends.memory import MemoryBackend
from skyhold.storage.contract import Store
from stepped_store import Keepsake, Stage, SteppedStore

ID = "arm.stl"
ORDERS = st.lists(st.integers(0, 2), max_size=60)
STEPS = st.sampled_from(["one", "two", "listed", "delete", "restore", "tag"])


def _run() -> RunRecorder:
    return RunRecorder("publish", ID, asked={}, unit="bytes", journal=Journal(None))


def _publish(library: Library, content: bytes) -> Version:
    return library.publish(ID, content, run=_run())


def _begun() -> Store:
    store = MemoryBackend(f"publishers-{uuid4().hex}")
    _publish(Library(store, author="ann"), b"begin")
    return store


def _do(library: Library, step: str, made: list[tuple[str, Version]]) -> None:
    if step == "delete":
        made.append((step, library.delete(ID)))
    elif step == "restore":
        made.append((step, library.restore(ID, 1)))
    elif step == "tag":
        library.tag(ID, library.author, 1)
    elif step == "listed":
        content = f"{library.author} listed"
        version, head = library.publish_listed(ID, content.encode(), is_new=True, run=_run())
        made.append((content, version))
        assert head.version >= version.number
    else:
        made.append((f"{library.author} {step}", _publish(library, f"{library.author} {step}".encode())))


def _worker(store: Store, name: str, todo: list[str], made: list[tuple[str, Version]]) -> Callable[[], None]:
    library = Library(store, author=name)

    def work() -> None:
        for step in todo:
            _do(library, step, made)

    return work


def _check(store: Store, made: list[tuple[str, Version]]) -> None:
    library = Library(store)
    log = library.log(ID)
    assert [version.number for version in log] == list(range(len(log), 0, -1))
    assert all(version.parents[:1] == (version.number - 1,) for version in log[:-1])
    head, _ = library.head(ID)
    assert head.version == len(log)
    newest = log[0]
    if newest.is_deleted:
        assert not store.exists(ID)
        assert head.plain == ()
    else:
        assert store.read(ID) == library.read(ID)
        assert [(each.sha256, each.e_tag) for each in head.plain] == [(newest.files[0].sha256, store.info(ID).e_tag)]
    for content, version in made:
        assert library.info(ID, version.number) == version
        if content not in {"delete", "restore"}:
            assert library.read(ID, version=version.number) == content.encode()


@given(order=ORDERS, steps=st.lists(st.lists(STEPS, min_size=1, max_size=3), min_size=2, max_size=3))
@example(order=[], steps=[["one"], ["two"]])
def test_publishers_who_meet_anywhere_leave_all_versions_in_one_order(order: list[int], steps: list[list[str]]) -> None:
    store = _begun()
    stage = Stage(order)
    made: list[tuple[str, Version]] = []

    def worker(name: str, todo: list[str]) -> Callable[[], None]:
        return _worker(SteppedStore(Keepsake(store, ID), stage.gate(name)), name, todo, made)

    names = ["ann", "bob", "cyd"]
    stage.play({name: worker(name, todo) for name, todo in zip(names, steps, strict=False)})
    _check(store, made)
    tags = Library(store).head(ID)[0].tags
    assert tags == {name: 1 for name, todo in zip(names, steps, strict=False) if "tag" in todo}


@given(order=ORDERS, outside=st.lists(st.sampled_from([b"x", b"y", b"begin", b"ann one"]), min_size=1, max_size=3))
def test_what_another_program_writes_meanwhile_is_never_lost(order: list[int], outside: list[bytes]) -> None:
    store = _begun()
    stage = Stage(order)
    made: list[tuple[str, Version]] = []
    other = SteppedStore(store, stage.gate("other"))

    def worker(name: str) -> Callable[[], None]:
        return _worker(SteppedStore(Keepsake(store, ID), stage.gate(name)), name, ["one", "listed"], made)

    def write() -> None:
        for content in outside:
            other.write(ID, content)

    stage.play({"ann": worker("ann"), "bob": worker("bob"), "other": write})
    library = Library(store)
    library.reconcile(ID)
    _check(store, made)
    contents = [library.read(ID, version=version.number) for version in library.log(ID)]
    assert outside[-1] in contents
    assert {b"ann one", b"ann listed", b"bob one", b"bob listed"} <= set(contents)


@given(order=ORDERS)
def test_of_two_who_follow_the_same_version_one_is_told_so(order: list[int]) -> None:
    store = _begun()
    stage = Stage(order)
    outcomes: list[str] = []

    def worker(name: str) -> Callable[[], None]:
        library = Library(SteppedStore(store, stage.gate(name)), author=name)

        def work() -> None:
            try:
                library.publish(ID, name.encode(), expected=1, run=_run())
                outcomes.append("published")
            except ConflictError:
                outcomes.append("refused")

        return work

    stage.play({"ann": worker("ann"), "bob": worker("bob")})
    assert sorted(outcomes) == ["published", "refused"]
    _check(store, [])


@given(order=ORDERS)
def test_two_who_make_a_component_at_once_make_one_of_two_versions(order: list[int]) -> None:
    store = MemoryBackend(f"publishers-{uuid4().hex}")
    stage = Stage(order)

    def worker(name: str) -> Callable[[], None]:
        return _worker(SteppedStore(store, stage.gate(name)), name, ["one"], [])

    stage.play({"ann": worker("ann"), "bob": worker("bob")})
    _check(store, [])
    assert {version.author for version in Library(store).log(ID)} == {"ann", "bob"}


@given(order=ORDERS, large=st.booleans())
def test_publishers_of_several_files_leave_the_newest_under_the_plain_keys(order: list[int], large: bool) -> None:
    store = MemoryBackend(f"publishers-{uuid4().hex}")
    Library(store, author="ann").publish(ID, b"begin", run=_run())
    stage = Stage(order)

    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("skyhold.components.in_parallel._JOBS", 1)
        if large:
            patch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1)
        paths = [Path(folder) / name for name in ("one", "two", "six")]
        for path in paths:
            path.write_text(path.name)
        one, two, six = paths

        def worker(name: str, contents: list[Content]) -> Callable[[], None]:
            library = Library(SteppedStore(Keepsake(store, ID), stage.gate(name)), author=name)

            def work() -> None:
                for content in contents:
                    library.publish(ID, content, run=_run())

            return work

        stage.play(
            {"ann": worker("ann", [{"a": one, "b": one}, {"b": two}]), "bob": worker("bob", [{"b": six}, {"b": one}])}
        )
    library = Library(store)
    log = library.log(ID)
    assert [version.number for version in log] == [5, 4, 3, 2, 1]
    plain = {info.key.removeprefix(f"{ID}/"): (store.read(info.key), info.e_tag) for info in store.list(ID)}
    assert {name: content for name, (content, _) in plain.items()} == {
        entry.name: library.history.read(entry.sha256) for entry in log[0].files
    }
    head, _ = library.head(ID)
    assert (head.version, {each.name: each.e_tag for each in head.plain}) == (
        5,
        {name: e_tag for name, (_, e_tag) in plain.items()},
    )
