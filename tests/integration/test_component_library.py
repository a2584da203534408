"""A library keeps the same promises on every store."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest

from conftest import AZURITE_KEY, make_bucket, make_container
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency
from skyhold.errors import ComponentNotFoundError, VersionConflictError
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer
from stepped_store import SteppedStore

KINDS = ["memory", "file", "mock", "moto", "rclone", "azurite"]


@pytest.fixture(params=KINDS)
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    return _open(request.param, request, tmp_path)


def _open(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    if kind == "memory":
        return Library(f"memory://library-{uuid4().hex}/models", author="ann")
    if kind in {"file", "mock"}:
        return Library(f"{kind}://{tmp_path}/store/models", author="ann")
    server: LocalServer = request.getfixturevalue(kind)
    if kind == "azurite":
        store = open_store(
            f"az://{make_container(server)}/models",
            account_name="devstoreaccount1",
            account_key=AZURITE_KEY,
            endpoint=server.endpoint,
        )
    else:
        store = open_store(f"s3://{make_bucket(server)}/models", **server.options)
    return Library(store, author="ann")


def test_versions_are_numbered_told_and_read(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "arm.stl"
    path.write_bytes(b"solid arm")
    first = library.publish("robot/arm.stl", path, message="first", metadata={"mass": "2 kg", "Prüfer": "Ann ✓"})
    path.write_bytes(b"solid longer arm")
    second = library.publish("robot/arm.stl", path, message="longer")
    assert (first.number, second.number, second.parents, second.author) == (1, 2, (1,), "ann")
    assert second.metadata == first.metadata
    assert library.info("robot/arm.stl") == second
    assert library.info("robot/arm.stl", 1) == first
    assert library.log("robot/arm.stl") == [second, first]
    assert library.store.read("robot/arm.stl") == b"solid longer arm"
    (listed,) = library.list()
    assert (listed.component, listed.version, listed.size_bytes, listed.files) == ("robot/arm.stl", 2, 16, 1)
    assert [component_id for component_id, _ in library.list_heads("robot/")] == ["robot/arm.stl"]
    assert library.get("robot/arm.stl", tmp_path / "old" / "arm.stl", version=1) == first
    assert (tmp_path / "old" / "arm.stl").read_bytes() == b"solid arm"
    library.get("robot/arm.stl", tmp_path)
    assert path.read_bytes() == b"solid longer arm"


def test_equal_content_makes_no_version_unless_there_is_something_to_say(library: Library) -> None:
    library.publish("bolt.stl", b"solid bolt")
    first = library.publish("arm.stl", b"solid arm", message="first")
    assert library.publish("arm.stl", b"solid arm") == first
    assert library.publish("arm.stl", b"solid arm", message="first", expected=0) == first
    assert library.publish("arm.stl", b"solid arm", message="checked").number == 2
    assert library.publish("arm.stl", b"solid arm", metadata={"mass": "2 kg"}).number == 3
    assert library.publish("arm.stl", b"solid arm", dependencies=["bolt.stl"]).number == 4
    assert library.info("arm.stl").dependencies == (Dependency("bolt.stl"),)
    assert library.info("arm.stl").metadata == {"mass": "2 kg"}


def test_a_folder_is_a_component_of_several_files(library: Library, tmp_path: Path) -> None:
    folder = tmp_path / "robot"
    (folder / "parts").mkdir(parents=True)
    (folder / "robot.gltf").write_bytes(b"{}")
    (folder / "parts" / "arm.bin").write_bytes(b"1234")
    first = library.publish("robot", folder)
    assert [entry.name for entry in first.files] == ["parts/arm.bin", "robot.gltf"]
    (folder / "parts" / "arm.bin").unlink()
    (folder / "robot.png").write_bytes(b"png")
    library.publish("robot", folder)
    plain = [info.key for info in library.store.list() if not info.key.startswith(".skyhold/")]
    assert plain == ["robot/robot.gltf", "robot/robot.png"]
    library.get("robot", tmp_path / "old", version=1)
    assert sorted(path.relative_to(tmp_path / "old").as_posix() for path in (tmp_path / "old").rglob("*.*")) == [
        "parts/arm.bin",
        "robot.gltf",
    ]
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").write_text("mine")
    library.get("robot", tmp_path / "new")
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["mine.txt", "robot.gltf", "robot.png"]
    assert library.read("robot", "robot.png") == b"png"
    assert not list(tmp_path.glob(".*"))


def test_a_component_may_become_a_folder_and_one_file_again(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "arm"
    path.write_bytes(b"one")
    library.publish("arm", path)
    library.publish("arm", {"a/b": path, "c": path})
    assert library.read("arm", "a/b") == b"one"
    library.publish("arm", b"two")
    assert [info.key for info in library.store.list("arm")] == ["arm"]
    assert library.log("arm")[1].size_bytes == 6


def test_a_deleted_component_is_gone_and_comes_back(library: Library, tmp_path: Path) -> None:
    library.publish("arm.stl", b"one")
    library.publish("arm.stl", b"two")
    deleted = library.delete("arm.stl", message="not needed")
    assert (deleted.number, deleted.is_deleted) == (3, True)
    assert library.delete("arm.stl") == deleted
    assert not library.store.exists("arm.stl")
    assert list(library.list()) == []
    assert [(each.component, each.is_deleted) for each in library.list(deleted=True)] == [("arm.stl", True)]
    with pytest.raises(ComponentNotFoundError, match=r"deleted in version 3, by 'ann'"):
        library.get("arm.stl", tmp_path / "arm.stl")
    assert library.read("arm.stl", version=2) == b"two"
    assert library.undelete("arm.stl").number == 4
    assert library.store.read("arm.stl") == b"two"
    assert library.undelete("arm.stl").number == 4
    restored = library.restore("arm.stl", 1)
    assert (restored.number, restored.parents) == (5, (4, 1))
    assert library.store.read("arm.stl") == b"one"
    assert library.restore("arm.stl", 1) == restored


def test_tags_name_versions(library: Library) -> None:
    library.publish("arm.stl", b"one")
    library.publish("arm.stl", b"two")
    library.tag("arm.stl", "approved", 1)
    assert library.info("arm.stl", "approved").number == 1
    library.publish("arm.stl", b"three")
    assert library.tag("arm.stl", "approved").number == 3
    assert library.read("arm.stl", version="approved") == b"three"
    library.tag("arm.stl", "released", "approved")
    assert next(library.list()).tags == {"approved": 3, "released": 3}
    library.untag("arm.stl", "approved")
    library.untag("arm.stl", "approved")
    with pytest.raises(ComponentNotFoundError, match="the tags are: released"):
        library.info("arm.stl", "approved")
    assert library.info("arm.stl", "2").number == 2


def test_what_another_program_writes_becomes_a_version(library: Library) -> None:
    library.publish("arm.stl", b"one")
    library.store.write("arm.stl", b"edited elsewhere")
    third = library.publish("arm.stl", b"ours")
    outside = library.info("arm.stl", 2)
    assert (third.number, third.parents, outside.origin, outside.parents) == (3, (2,), "outside", (1,))
    assert library.read("arm.stl", version=2) == b"edited elsewhere"
    assert library.store.read("arm.stl") == b"ours"
    library.store.write("arm.stl", b"edited again")
    with pytest.raises(VersionConflictError, match="the newest is 4, by another program"):
        library.publish("arm.stl", b"ours again", expected=3)
    assert library.store.read("arm.stl") == b"edited again"
    library.store.write("arm.stl", b"one")
    reverted = library.reconcile("arm.stl")
    assert reverted is not None
    assert (reverted.number, library.read("arm.stl")) == (5, b"one")
    assert library.reconcile("arm.stl") == reverted


def test_what_another_program_deletes_is_a_deletion_or_is_written_again(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"part")
    library.publish("robot", {"a": path, "b": path})
    library.store.delete("robot/a")
    assert library.reconcile("robot", gone_is_deleted=False) == library.info("robot", 1)
    assert library.store.read("robot/a") == b"part"
    library.store.delete("robot/a")
    library.store.write("robot/c", b"new")
    version = library.reconcile("robot")
    assert version is not None
    assert [entry.name for entry in version.files] == ["b", "c"]
    library.store.delete(["robot/b", "robot/c"])
    version = library.reconcile("robot")
    assert version is not None
    assert (version.is_deleted, version.origin) == (True, "outside")


def test_an_object_that_was_there_before_is_the_first_version(library: Library) -> None:
    library.store.write("arm.stl", b"old")
    assert library.publish("arm.stl", b"new").number == 2
    assert library.read("arm.stl", version=1) == b"old"
    library.store.write("leg.stl", b"leg")
    found = library.reconcile("leg.stl")
    assert found is not None
    assert (found.number, found.origin, library.read("leg.stl")) == (1, "outside", b"leg")
    assert library.reconcile("head.stl") is None


def test_a_publisher_who_has_not_seen_the_newest_version_is_refused(library: Library) -> None:
    library.publish("arm.stl", b"one", expected=None)
    library.publish("arm.stl", b"two", expected=1)
    with pytest.raises(VersionConflictError, match=r"was to be 1; the newest is 2, by ann"):
        library.publish("arm.stl", b"three", expected=1)
    with pytest.raises(VersionConflictError, match=r"was to be none"):
        library.publish("arm.stl", b"three", expected=None)
    with pytest.raises(VersionConflictError, match=r"was to be 1"):
        library.delete("arm.stl", expected=1)
    library.delete("arm.stl", expected=2)
    assert library.publish("arm.stl", b"three", expected=None).number == 4


def test_large_objects_are_copied_by_the_store_itself(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1000)
    path = tmp_path / "large"
    contents = [os.urandom(50_000), os.urandom(50_000)]
    for content in contents:
        path.write_bytes(content)
        library.publish("large", path)
    assert library.store.read("large") == contents[1]
    assert library.restore("large", 1).number == 3
    assert library.store.read("large") == contents[0]
    library.get("large", path)
    assert path.read_bytes() == contents[0]
    library.store.write("large", b"edited elsewhere" * 100)
    assert library.publish("large", contents[1]).number == 5
    assert library.read("large", version=4) == b"edited elsewhere" * 100


def test_a_large_object_of_which_the_history_has_a_delta_is_put_together(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1000)
    first = os.urandom(1_000_000)
    path = tmp_path / "large"
    path.write_bytes(first)
    library.publish("large", path)
    path.write_bytes(first + b" and more")
    library.publish("large", path)
    assert {held.kind for held in library.history.all_hashes()} == {"blob", "delta"}
    assert library.store.read("large") == first + b" and more"
    library.restore("large", 1)
    assert library.store.read("large") == first
    library.restore("large", 2)
    assert library.store.read("large") == first + b" and more"


def test_a_large_object_that_another_program_writes_while_it_is_sent_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1000)
    inner = open_store(f"memory://{uuid4().hex}")
    edits = [b"edited elsewhere"]

    def edit(verb: str, key: str) -> None:
        if (verb, key) == ("write", "large") and inner.exists("large") and edits:
            inner.write("large", edits.pop())

    library = Library(SteppedStore(inner, edit))
    first = os.urandom(1_000_000)
    path = tmp_path / "large"
    for content in (first, first + b" and more"):
        path.write_bytes(content)
        library.publish("large", path)
    assert not edits
    contents = [library.read("large", version=version.number) for version in library.log("large")]
    assert sorted(contents) == sorted([first, first + b" and more", b"edited elsewhere"])
    assert inner.read("large") == contents[0]


def test_a_listing_that_is_out_of_date_does_no_harm(library: Library) -> None:
    first = library.publish("arm.stl", b"one")
    with pytest.raises(VersionConflictError, match="was to be none; the newest is 1, by ann"):
        library.publish_listed("arm.stl", b"two", expected=None, is_new=True)
    assert library.publish_listed("arm.stl", b"one", expected=None, is_new=True)[0] == first
    version, head = library.publish_listed("arm.stl", b"two", is_new=True)
    assert (version.number, head.version, library.store.read("arm.stl")) == (2, 2, b"two")


@pytest.mark.parametrize("kind", ["memory", "file", "azurite"])
def test_publishers_at_the_very_same_moment_leave_all_versions(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    library = _open(kind, request, tmp_path)
    library.create()
    start = Barrier(3)

    def publish(author: str) -> list[int]:
        own = Library(library.store, author=author)
        start.wait()
        return [own.publish("arm.stl", f"{author} {number}".encode()).number for number in range(2)]

    with ThreadPoolExecutor(3) as pool:
        numbers = list(pool.map(publish, "abc"))
    assert sorted(number for each in numbers for number in each) == list(range(1, 7))
    assert all(each == sorted(each) for each in numbers)
    contents = {library.read("arm.stl", version=number) for number in range(1, 7)}
    assert contents == {f"{author} {number}".encode() for author in "abc" for number in range(2)}
    assert library.store.read("arm.stl") == library.read("arm.stl")
    assert library.head("arm.stl")[0].version == 6
