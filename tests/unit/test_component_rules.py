"""What a library does on any store, looked at on one."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.components.history import History, Stored
from skyhold.components.layout import blob_key
from skyhold.components.library import ANY, Library
from skyhold.errors import (
    BadOptionError,
    ComponentNotFoundError,
    ConflictError,
    IntegrityError,
    InvalidKeyError,
    LockedError,
    MalformedInputError,
)
from stepped_store import SteppedStore


@pytest.fixture
def here() -> Library:
    return Library(f"memory://library-{uuid4().hex}", author="ann")


def test_a_lock_of_somebody_else_is_respected(here: Library) -> None:
    here.publish("arm.stl", b"one")
    bob = Library(here.store, author="bob")
    with bob.locks.take("arm.stl"):
        for refused in (
            lambda: here.publish("arm.stl", b"two"),
            lambda: here.delete("arm.stl"),
            lambda: here.restore("arm.stl", 1),
        ):
            with pytest.raises(LockedError, match="held by 'bob'"):
                refused()
        bob.publish("arm.stl", b"two")
        assert here.publish("arm.stl", b"three", ignore_lock=True).number == 3


@pytest.mark.parametrize("component", ["arm", "arm/left/hand.stl"])
def test_a_component_is_neither_in_another_nor_around_one(here: Library, component: str) -> None:
    here.publish("arm/left", b"one")
    with pytest.raises(InvalidKeyError, match="no component can be made here"):
        here.publish(component, b"two")
    here.delete("arm/left")
    assert here.publish(component, b"two").number == 1
    with pytest.raises(InvalidKeyError, match="no component can be made here"):
        here.undelete("arm/left")


@pytest.mark.parametrize(
    "component", ["", "/a", "a/", "a//b", "../a", "a/../b", ".skyhold/a", "a/@/b", "@.json", "a\0b"]
)
def test_a_name_that_cannot_be_kept_is_refused_before_anything_is_written(here: Library, component: str) -> None:
    with pytest.raises(InvalidKeyError):
        here.publish(component, b"one")
    assert list(here.store.list()) == []


def test_missing_things_are_told_by_name(here: Library, tmp_path: Path) -> None:
    here.publish("arm.stl", b"one")
    for missing, words in (
        (lambda: here.info("leg.stl"), "no component 'leg.stl'"),
        (lambda: here.log("leg.stl"), "no component 'leg.stl'"),
        (lambda: here.delete("leg.stl"), "no component 'leg.stl'"),
        (lambda: here.tag("leg.stl", "approved"), "no component 'leg.stl'"),
        (lambda: here.info("arm.stl", 7), "no version 7; the newest are: 1"),
        (lambda: here.get("arm.stl", tmp_path / "a", version="approved"), "tagged 'approved'; the tags are: none"),
        (lambda: here.read("arm.stl", "hand"), "no file 'hand'"),
    ):
        with pytest.raises(ComponentNotFoundError, match=words):
            missing()
    with pytest.raises(FileNotFoundError):
        here.publish("leg.stl", tmp_path / "leg.stl")
    with pytest.raises(BadOptionError, match="no file to publish"):
        here.publish("leg", tmp_path)


@pytest.mark.parametrize("name", ["", "latest", "12", " a", "a\nb"])
def test_a_tag_that_means_something_else_is_refused(here: Library, name: str) -> None:
    here.publish("arm.stl", b"one")
    with pytest.raises(BadOptionError, match="a tag cannot be called"):
        here.tag("arm.stl", name)


def test_a_library_of_another_format_is_left_alone(here: Library) -> None:
    here.store.write(".skyhold/library.json", b'{"schema": "skyhold.library/9"}')
    uses: list[Callable[[], object]] = [
        lambda: here.publish("a", b""),
        lambda: list(here.list()),
        lambda: here.log("a"),
    ]
    for use in uses:
        with pytest.raises(MalformedInputError, match=r"skyhold\.library/9"):
            use()
    assert len(list(here.store.list())) == 1


@pytest.mark.parametrize("name", ["../stolen", "..", "a/..", "/etc/stolen", "a/../../stolen", "", "link/stolen"])
def test_a_name_from_a_bucket_never_leads_out_of_the_folder(here: Library, tmp_path: Path, name: str) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"part")
    here.publish("robot", {"a": path, "b": path})
    key = ".skyhold/versions/robot/@/00000001.json"
    content = json.loads(here.store.read(key))
    content["files"][0]["name"] = name
    here.store.write(key, json.dumps(content).encode())
    target = tmp_path / "deep" / "robot"
    target.mkdir(parents=True)
    (target / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidKeyError, match="leads out of the folder"):
        here.get("robot", target)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["deep", "part"]
    assert [found.name for found in target.iterdir()] == ["link"]


def test_a_version_goes_where_it_is_sent(here: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here.publish("robot/arm.stl", b"solid arm")
    part = tmp_path / "part"
    part.write_bytes(b"part")
    here.publish("leg", {"a": part, "b": part})
    here.get("robot/arm.stl", f"{tmp_path}/new/")
    assert (tmp_path / "new" / "arm.stl").read_bytes() == b"solid arm"
    monkeypatch.chdir(tmp_path / "new")
    here.get("leg", ".")
    here.get("leg", "leg")
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["new/a", "new/arm.stl", "new/b", "new/leg/a", "new/leg/b", "part"]


def test_a_download_that_failed_leaves_nothing_and_the_next_one_goes_on_with_it(here: Library, tmp_path: Path) -> None:
    files = {name: tmp_path / f"{name}.part" for name in "abc"}
    for name, path in files.items():
        path.write_bytes(name.encode())
    version = here.publish("robot", files)
    key = blob_key(version.files[2].sha256)
    here.store.write(key, b"d")
    target = tmp_path / "robot"
    with pytest.raises(IntegrityError):
        here.get("robot", target)
    assert not target.exists()
    here.store.write(key, b"c")
    read: list[str] = []
    here.over(here.store.observed(lambda operation: read.append(operation.uri))).get("robot", target)
    assert sorted(path.name for path in target.iterdir()) == ["a", "b", "c"]
    assert [uri for uri in read if "/blobs/" in uri] == [here.store.uri_of(key)]
    assert not list(tmp_path.glob(".*"))


def test_a_damaged_head_hides_no_other_component(here: Library) -> None:
    for name in ("a", "b", "c"):
        here.publish(name, b"one")
    record = here.store.write(".skyhold/heads/b/@.json", b"{}")
    fault = f"the record {here.store.uri_of(record.key)!r} is damaged: $.schema is missing"
    assert [(each.component, each.version, each.fault) for each in here.list()] == [
        ("a", 1, ""),
        ("b", 0, fault),
        ("c", 1, ""),
    ]


def test_a_publication_is_recorded_and_told(here: Library, tmp_path: Path) -> None:
    path = tmp_path / "arm.stl"
    path.write_bytes(b"solid arm")
    told: list[tuple[str, int]] = []
    here.publish("arm.stl", path, on_progress=lambda event: told.append((event.kind, event.done)))
    here.get("arm.stl", tmp_path / "b", on_progress=lambda event: told.append((event.kind, event.done)))
    assert (told[0], told[-1]) == (("publish", 0), ("get", 9))
    assert ("publish", 9) in told


def test_any_newest_version_is_followed_unless_one_is_named(here: Library) -> None:
    here.publish("arm.stl", b"one")
    assert here.publish("arm.stl", b"two", expected=ANY).number == 2


def test_a_new_component_of_a_listed_library_costs_four_requests(here: Library, tmp_path: Path) -> None:
    here.publish("first", b"first")
    told: list[str] = []
    library = here.over(here.store.observed(lambda operation: told.append(operation.verb)))
    path = tmp_path / "arm.stl"
    path.write_bytes(b"solid arm")
    version, head = library.publish_listed("robot/arm.stl", path, expected=None, is_new=True)
    assert told == ["write"] * 4
    assert (version.number, head.version) == (1, 1)
    assert here.head("robot/arm.stl")[0] == head
    assert head.plain[0].e_tag == here.store.info("robot/arm.stl").e_tag


def test_content_that_is_there_already_is_not_sent_again(here: Library, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(os.urandom(9_000_000))
    here.publish("large", path)
    sent: list[int] = []
    here.over(here.store.observed(lambda operation: sent.append(operation.bytes_out))).publish("large", path)
    assert sum(sent) == 0


def test_a_file_that_is_written_while_it_is_read_is_refused(
    here: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "arm.stl"
    path.write_bytes(b"solid arm")
    put = here.history.put

    def put_slowly(*args: Any, **options: Any) -> Stored:
        path.write_bytes(b"solid longer arm")
        return put(*args, **options)

    monkeypatch.setattr(History, "put", lambda _, *args, **options: put_slowly(*args, **options))
    with pytest.raises(ConflictError, match="changed while it was read"):
        here.publish("arm.stl", path)
    assert list(here.list(deleted=True)) == []


def test_an_object_that_a_listing_had_not_yet_is_kept(here: Library) -> None:
    here.store.write("leg.stl", b"by another program")
    version, head = here.publish_listed("leg.stl", b"ours", expected=None, is_new=True)
    assert (version.number, head.version) == (1, 2)
    assert [here.read("leg.stl", version=number) for number in (1, 2)] == [b"ours", b"by another program"]
    assert here.store.read("leg.stl") == b"by another program"


def test_a_copy_that_a_late_publisher_overwrites_is_made_again(here: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1)
    first, second = (here.publish("arm.stl", content) for content in (b"first", b"secnd"))
    late = [blob_key(version.files[0].sha256) for version in (first, second)]

    def overwrite(verb: str, key: str) -> None:
        if verb == "copy" and late:
            here.store.copy(late.pop(), key)

    here.over(SteppedStore(here.store, lambda *_: None, overwrite)).publish("arm.stl", b"third")
    assert not late
    assert here.store.read("arm.stl") == b"third"
    assert here.head("arm.stl")[0].plain[0].e_tag == here.store.info("arm.stl").e_tag
    assert [version.number for version in here.log("arm.stl")] == [3, 2, 1]


def test_what_another_program_writes_just_after_a_copy_is_a_version(
    here: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("skyhold.components.plain_files.CONDITIONAL_BYTES", 1)
    here.publish("arm.stl", b"first")
    contents = [b"other"]

    def overwrite(verb: str, key: str) -> None:
        if verb == "copy" and contents:
            here.store.write(key, contents.pop())

    here.over(SteppedStore(here.store, lambda *_: None, overwrite)).publish("arm.stl", b"third")
    assert [here.read("arm.stl", version=version.number) for version in here.log("arm.stl")] == [
        b"other",
        b"third",
        b"first",
    ]
    assert here.info("arm.stl").origin == "outside"
