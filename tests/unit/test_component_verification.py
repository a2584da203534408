"""A library is looked at and mended: one object's damage is found, hurts only what it holds, and mostly is mended."""

import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket
from library_parts import sha
from skyhold.components import layout
from skyhold.components.findings import LibraryVerification
from skyhold.components.garbage import collect_garbage
from skyhold.components.history import DeltaPolicy
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency
from skyhold.components.recovery import recover_library
from skyhold.components.replication import replicate_library
from skyhold.components.verification import verify_library
from skyhold.errors import AccessDeniedError, SkyholdError, VerificationError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange, ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.testing.servers import LocalServer

FIRST = random.Random(1).randbytes(30_000)
SECOND = FIRST[:10_000] + b"an edit" + FIRST[10_000:]
THIRD = SECOND[:20_000] + b"another edit" + SECOND[20_000:]
VERSIONS = {"arm.stl": 3, "old.txt": 2, "robot": 2, "alone.txt": 1}


def fill(store: Store) -> Library:
    """A library with deltas, a folder, dependencies, tags and a deletion."""
    library = Library(store, author="ann@desk", policy=DeltaPolicy(min_content_bytes=1))
    for content in (FIRST, SECOND, THIRD):
        library.publish("arm.stl", content)
    library.tag("arm.stl", "approved", 2)
    library.publish("old.txt", b"old")
    library.delete("old.txt")
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "parts").mkdir()
        (folder / "a.txt").write_bytes(b"one")
        (folder / "parts" / "b.txt").write_bytes(b"two")
        library.publish("robot", folder, dependencies=[Dependency("arm.stl", 2)])
        (folder / "parts" / "b.txt").write_bytes(b"three")
        library.publish("robot", folder, metadata={"mass": "3 kg"})
    library.publish("alone.txt", b"alone")
    return library


class Rotten(DelegatingStore):
    """A store in which objects rot: their bytes are others than were written, under the same e-tag."""

    def __init__(self, inner: Store, *keys: str) -> None:
        super().__init__(inner)
        self.keys = set(keys)
        self.denied: set[str] = set()

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        if key in self.denied:
            raise AccessDeniedError("not yours", operation="read", uri=self.uri_of(key))
        info, data = super().read_with_info(key, byte_range, if_match=if_match)
        return info, (bytes([data[0] ^ 1]) + data[1:] if key in self.keys and data else data)

    def write(self, key: str, *args: Any, **options: Any) -> ObjectInfo:
        info = super().write(key, *args, **options)
        self.keys.discard(key)
        return info

    def copy(self, source: str, target: str) -> None:
        super().copy(source, target)
        self.keys.discard(target)
        self.keys |= {target} if source in self.keys else set()


def verified(store: Store, *, quick: bool = False) -> LibraryVerification:
    return verify_library(Library(store), quick=quick)


def new_store() -> Store:
    return open_store(f"memory://verify-{uuid4().hex}")


MARK = layout.needed_key("arm.stl", "robot")
KEYS = [
    *(layout.head_key(component) for component in VERSIONS),
    *(layout.version_key(component, number) for component, count in VERSIONS.items() for number in range(1, count + 1)),
    *(layout.blob_key(sha(content)) for content in (FIRST, b"old", b"one", b"two", b"three", b"alone")),
    layout.delta_key(sha(SECOND), sha(FIRST)),
    layout.delta_key(sha(THIRD), sha(SECOND)),
    *("arm.stl", "robot/a.txt", "robot/parts/b.txt", "alone.txt"),
]


ONLY_THERE = [
    layout.version_key("arm.stl", 1),
    layout.version_key("arm.stl", 2),
    layout.version_key("old.txt", 1),
    layout.version_key("robot", 1),
    layout.blob_key(sha(FIRST)),
    layout.blob_key(sha(b"old")),
    layout.blob_key(sha(b"two")),
    layout.delta_key(sha(SECOND), sha(FIRST)),
]
"""What no other object of the library can tell."""


def found(report: LibraryVerification) -> list[tuple[str, str]]:
    return [(each.component, each.what) for each in report.findings]


def readable(library: Library) -> set[tuple[str, int]]:
    """Which versions can be had, each by its number."""
    there: set[tuple[str, int]] = set()
    for component, count in VERSIONS.items():
        for number in range(1, count + 1):
            try:
                version = library.info(component, number)
                for entry in version.files:
                    library.history.check(entry.sha256)
            except SkyholdError:
                continue
            there.add((component, number))
    return there


EVERYTHING = {(component, number) for component, count in VERSIONS.items() for number in range(1, count + 1)}


@pytest.mark.parametrize("place", ["memory", "file", "mock", "moto"])
def test_a_sound_library_is_verified_whole(place: str, request: pytest.FixtureRequest, tmp_path: Path):
    if place == "moto":
        server: LocalServer = request.getfixturevalue("moto")
        store = open_store(f"s3://{make_bucket(server)}/library", **server.options)
    else:
        store = open_store(
            {"memory": f"memory://{uuid4().hex}", "file": str(tmp_path)}.get(place, f"mock://{tmp_path}")
        )
    fill(store)
    for quick in (False, True):
        report = verified(store, quick=quick)
        report.check()
        assert found(report) == []
        assert (report.components, report.versions, report.contents, report.plain_files) == (4, 8, 8, 4)
        assert (report.contents_verified, report.plain_verified) == ((0, 4) if quick else (8, 4))
        assert report.bytes_read == (0 if quick else report.as_dict()["bytes_read"])


def test_the_objects_of_the_sample_are_all_tried():
    store = new_store()
    fill(store)
    assert {info.key for info in store.list()} == {*KEYS, MARK, layout.LIBRARY}


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("how", ["gone", "rotten"])
def test_the_damage_of_one_object_is_found_hurts_only_what_it_holds_and_is_mended_where_anything_else_has_it(
    key: str, how: str
):
    rotten = Rotten(new_store())
    library = fill(rotten)
    if how == "gone":
        rotten.delete(key)
    else:
        rotten.keys.add(key)
    before = readable(library)
    report = verified(rotten)
    touched = {each.component for each in report.findings if each.what != "dependency missing"}
    assert not report.ok
    assert len(touched) == 1
    assert {each for each in EVERYTHING if each[0] not in touched} <= before

    recovery = recover_library(library)
    after = readable(library)
    assert before <= after
    left = verified(rotten)
    # Damaged content of which nothing else has a copy lies aside by then, so that it can be written again.
    aside = {each.key: "content missing" for each, _ in recovery.left if each.key == key and "content" in each.what}
    assert {(each.component, each.what) for each in left.failed} == {
        (each.component, aside.get(each.key, each.what)) for each, _ in recovery.left
    }
    assert how == "gone" or all(rotten.exists(layout.damaged_key(each)) for each in aside)
    if key in ONLY_THERE:
        assert recovery.left
    else:
        assert left.ok
        assert all((component, count) in after for component, count in VERSIONS.items())


@pytest.mark.parametrize("key", [*ONLY_THERE, layout.version_key("robot", 2), layout.head_key("arm.stl")])
@pytest.mark.parametrize("how", ["gone", "rotten"])
def test_whatever_is_damaged_is_mended_where_a_copy_is_at_hand(key: str, how: str):
    rotten, copy = Rotten(new_store()), Library(new_store())
    library = fill(rotten)
    replicate_library(library, copy).check()
    if how == "gone":
        rotten.delete(key)
    else:
        rotten.keys.add(key)
    recovery = recover_library(library, copy=copy)
    assert recovery.left == ()
    assert verified(rotten).findings == ()
    assert readable(library) == EVERYTHING
    assert [library.log(component) for component in VERSIONS] == [copy.log(component) for component in VERSIONS]
    assert library.head("arm.stl")[0].tags == {"approved": 2}


def test_a_copy_that_went_another_way_is_not_mixed_in():
    store, other = new_store(), Library(new_store())
    library = fill(store)
    for content in (b"other", SECOND, b"another"):
        other.publish("arm.stl", content)
    store.delete(layout.version_key("arm.stl", 2))
    recovery = recover_library(library, copy=other)
    assert [(finding.what, "has another version 1" in reason) for finding, reason in recovery.left] == [
        ("version missing", True)
    ]


def test_rot_under_a_plain_key_is_not_taken_for_somebodys_edit():
    rotten = Rotten(new_store())
    library = fill(rotten)
    rotten.keys.add("arm.stl")
    assert found(verified(rotten)) == [("arm.stl", "plain file damaged")]
    assert found(verified(rotten, quick=True)) == []
    recover_library(library)
    assert rotten.read("arm.stl") == THIRD
    assert library.info("arm.stl").number == 3
    assert rotten.exists(layout.damaged_key("arm.stl"))


def test_what_another_program_wrote_is_a_warning_and_recovery_leaves_it():
    store = new_store()
    library = fill(store)
    store.write("arm.stl", b"edited by hand")
    report = verified(store)
    assert found(report) == [("arm.stl", "plain file changed")]
    assert report.ok
    recover_library(library)
    assert store.read("arm.stl") == b"edited by hand"


def test_what_another_program_wrote_in_place_of_a_deleted_component_is_a_warning():
    store = new_store()
    fill(store)
    store.write("old.txt", b"here again")
    report = verified(store)
    assert found(report) == [("old.txt", "plain file changed")]
    assert report.ok


def test_all_heads_can_be_lost_and_are_made_of_versions_again_but_for_tags():
    store = new_store()
    library = fill(store)
    before = {each.component: (each.version, each.is_deleted) for each in library.list(deleted=True)}
    store.delete([info.key for info in store.list(layout.HEADS)])
    recovery = recover_library(library)
    assert {each.what for each in recovery.mended} == {"head missing"}
    assert {each.component: (each.version, each.is_deleted) for each in library.list(deleted=True)} == before
    assert verified(store).ok
    assert library.head("arm.stl")[0].tags == {}


def test_all_plain_files_can_be_lost_and_are_made_of_the_history_again():
    store = new_store()
    library = fill(store)
    before = {info.key: store.read(info.key) for info in store.list() if not info.key.startswith(layout.RESERVED)}
    store.delete(list(before))
    assert len(recover_library(library, quick=True).mended) == 4
    assert {key: store.read(key) for key in before} == before
    assert library.info("arm.stl").number == 3


def test_a_record_made_of_its_head_says_so_and_has_the_files():
    store = new_store()
    library = fill(store)
    store.delete(layout.version_key("robot", 2))
    assert ("robot", "version missing") in found(verified(store))
    recover_library(library)
    version = library.info("robot")
    assert (version.number, version.parents, version.message.startswith("its record was lost")) == (2, (1,), True)
    assert library.read("robot", "parts/b.txt") == b"three"


@pytest.mark.parametrize("size_bytes", [30_000, 9 * 1024 * 1024])
def test_content_of_which_nothing_has_a_copy_is_put_aside_and_comes_back_by_publishing_it_again(size_bytes: int):
    content = random.Random(5).randbytes(size_bytes)
    library = Library(f"memory://recover-{uuid4().hex}", author="ann")
    library.publish("arm.stl", content)
    wrong = content[:-1] + bytes([content[-1] ^ 1])
    key = layout.blob_key(sha(content))
    library.store.write(key, wrong)
    library.store.write("arm.stl", b"written by another program")
    done = recover_library(library)
    assert [finding.what for finding, _ in done.left] == ["content damaged"]
    assert "publish a file with this content again" in done.left[0][1]
    assert library.store.read(layout.damaged_key(key)) == wrong
    library.publish("other.stl", content)
    assert library.read("arm.stl", version=1) == content
    assert verify_library(library).ok


def test_a_delta_is_not_put_aside_where_what_it_is_made_from_is_damaged():
    library = Library(f"memory://recover-{uuid4().hex}", policy=DeltaPolicy(min_content_bytes=1))
    library.publish("arm.stl", FIRST)
    library.publish("arm.stl", SECOND)
    library.publish("arm.stl", b"something else")
    library.store.write(layout.blob_key(sha(FIRST)), FIRST[:-1] + b"?")
    assert len(recover_library(library).left) == 2
    library.publish("other.stl", FIRST)
    assert library.read("arm.stl", version=2) == SECOND


def test_a_dry_run_changes_nothing():
    store = new_store()
    library = fill(store)
    store.delete("arm.stl")
    before = [(info.key, info.e_tag) for info in store.list()]
    assert [each.what for each in recover_library(library, dry_run=True).mended] == ["plain file missing"]
    assert [(info.key, info.e_tag) for info in store.list()] == before


def test_marks_of_who_needs_a_component_are_made_again():
    store = new_store()
    library = fill(store)
    store.delete(MARK)
    recover_library(library, quick=True)
    assert store.exists(MARK)


@pytest.mark.parametrize(
    "key",
    ["arm.stl", layout.head_key("robot"), layout.version_key("robot", 1), layout.blob_key(sha(b"alone"))],
)
def test_what_could_not_be_read_is_not_verified(key: str):
    denied = Rotten(new_store())
    fill(denied)
    denied.denied.add(key)
    report = verified(denied)
    assert [(each.what, each.level) for each in report.findings] == [("unread", "unread")]
    assert not report.ok
    with pytest.raises(VerificationError, match=r"unread at .*not yours"):
        report.check()


def test_content_in_the_trash_that_a_version_names_is_told_with_the_way_back():
    store = new_store()
    fill(store)
    key = layout.blob_key(sha(b"alone"))
    store.rename(key, layout.trash_key(key))
    report = verified(store, quick=True)
    assert found(report) == [("alone.txt", "content missing")]
    assert "skyhold comp gc" in report.findings[0].remedy
    collect_garbage(Library(store))
    assert verified(store).ok


class Meanwhile(DelegatingStore):
    """Lets somebody publish once, before the first look at something."""

    def __init__(self, inner: Store, prefix: str, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._prefix = prefix
        self._acts = [act]

    def list_pages(self, prefix: str = "", **options: Any):
        if prefix == self._prefix and self._acts:
            self._acts.pop()()
        return super().list_pages(prefix, **options)


@pytest.mark.parametrize("prefix", [layout.HEADS, layout.VERSIONS, layout.BLOBS])
def test_what_is_published_meanwhile_is_no_finding(prefix: str):
    store = new_store()
    library = fill(store)

    def publish() -> None:
        library.publish("arm.stl", FIRST + b"newest")
        library.publish("new.txt", b"new")
        library.delete("robot")

    assert found(verified(Meanwhile(store, prefix, publish))) == []


def test_a_head_that_lags_is_a_warning_and_is_brought_up():
    store = new_store()
    library = fill(store)
    before = store.read(layout.head_key("arm.stl"))
    library.publish("arm.stl", b"newest")
    store.write(layout.head_key("arm.stl"), before)
    report = verified(store)
    assert ("arm.stl", "head behind") in found(report)
    assert report.ok
    recover_library(library)
    assert library.head("arm.stl")[0].version == 4
    assert found(verified(store)) == []


def test_versions_tags_and_dependencies_that_are_not_there_are_told():
    store = new_store()
    fill(store)
    store.delete([layout.version_key("arm.stl", 2)])
    assert found(verified(store, quick=True)) == [
        ("arm.stl", "tag without version"),
        ("arm.stl", "version missing"),
        ("robot", "dependency missing"),
        ("robot", "dependency missing"),
    ]
