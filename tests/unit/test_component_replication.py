"""A library is copied with its history: whole, nothing twice, nothing overwritten, whatever is killed."""

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_bucket, make_container
from library_parts import sha
from skyhold.components import layout
from skyhold.components.history import DeltaPolicy
from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.replication import replicate_library
from skyhold.components.verification import verify_library
from skyhold.errors import BadOptionError, SkyholdError, StoppedError, TransferError, VersionConflictError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange, ObjectInfo, Operation
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.testing.servers import LocalServer

FIRST = random.Random(1).randbytes(30_000)
SECOND = FIRST[:10_000] + b"an edit" + FIRST[10_000:]
POLICY = DeltaPolicy(min_content_bytes=1)


def new_library() -> Library:
    return Library(f"memory://replicate-{uuid4().hex}", author="ann@desk", policy=POLICY)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = new_library()
    for content in (FIRST, SECOND):
        made.publish("arm.stl", content)
    made.tag("arm.stl", "approved", 1)
    made.publish("old.txt", b"old")
    made.delete("old.txt")
    (tmp_path / "robot").mkdir()
    (tmp_path / "robot" / "a.txt").write_bytes(b"one")
    (tmp_path / "robot" / "b.txt").write_bytes(b"two")
    made.publish("robot", tmp_path / "robot", metadata={"mass": "3 kg"})
    return made


@pytest.fixture(params=["memory", "file", "mock", "moto", pytest.param("azurite", marks=pytest.mark.azurite)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    if request.param == "azurite":
        server: LocalServer = request.getfixturevalue("azurite")
        return Library(open_store(f"az://{make_container(server)}/library", **server.options))
    if request.param == "moto":
        server = request.getfixturevalue("moto")
        return Library(open_store(f"s3://{make_bucket(server)}/library", **server.options))
    place = tmp_path / "target"
    return Library({"memory": f"memory://{uuid4().hex}", "file": str(place)}.get(request.param, f"mock://{place}"))


def state(library: Library) -> dict[str, tuple[list[Version], dict[str, int]]]:
    components = [each.component for each in library.list(deleted=True)]
    return {each: (library.log(each), dict(library.head(each)[0].tags)) for each in components}


def plain(library: Library) -> dict[str, bytes]:
    keys = [info.key for info in library.store.list() if not info.key.startswith(layout.RESERVED)]
    return {key: library.store.read(key) for key in keys}


def test_a_copy_has_every_version_tag_and_plain_file_and_is_sound(library: Library, target: Library):
    done = replicate_library(library, target)
    done.check()
    assert done.versions == {"arm.stl": (1, 2), "old.txt": (1, 2), "robot": (1,)}
    assert done.tags == {"arm.stl": ("approved",)}
    assert state(target) == state(library)
    assert plain(target) == plain(library)
    assert verify_library(target).findings == ()


def test_what_is_there_already_is_not_sent_again(library: Library, target: Library):
    replicate_library(library, target)
    before = [(info.key, info.e_tag) for info in target.store.list()]
    again = replicate_library(library, target)
    assert (again.versions, again.contents, again.tags, again.ok) == ({}, 0, {}, True)
    assert [(info.key, info.e_tag) for info in target.store.list()] == before
    library.publish("arm.stl", SECOND + b"more")
    library.tag("arm.stl", "approved", 2)
    more = replicate_library(library, target)
    assert (more.versions, more.contents) == ({"arm.stl": (3,)}, 1)
    assert more.bytes_copied < 1000
    assert more.tags == {"arm.stl": ("approved",)}
    assert state(target) == state(library)


def test_a_lost_library_comes_back_from_its_copy(library: Library, target: Library):
    before, files = state(library), plain(library)
    replicate_library(library, target)
    library.store.delete([info.key for info in library.store.list()])
    replicate_library(target, library).check()
    assert (state(library), plain(library)) == (before, files)


def test_objects_that_were_lost_come_back_from_a_copy(library: Library):
    backup = new_library()
    replicate_library(library, backup)
    gone = [layout.version_key("arm.stl", 1), layout.blob_key(sha(FIRST)), layout.head_key("robot")]
    library.store.delete(gone)
    done = replicate_library(backup, library)
    assert (done.versions, done.contents) == ({"arm.stl": (1,)}, 1)
    assert state(library) == state(backup)
    assert verify_library(library).findings == ()


def test_a_dry_run_writes_nothing(library: Library):
    backup = new_library()
    planned = replicate_library(library, backup, dry_run=True)
    assert planned.versions == {"arm.stl": (1, 2), "old.txt": (1, 2), "robot": (1,)}
    assert list(backup.store.list()) == []


def test_a_component_that_went_two_ways_is_left_alone_and_the_others_are_copied(library: Library):
    backup = new_library()
    replicate_library(library, backup)
    library.publish("arm.stl", b"here")
    backup.publish("arm.stl", b"there")
    library.publish("robot", b"other")
    before = backup.log("arm.stl")
    done = replicate_library(library, backup)
    assert [(each.component, each.version) for each in done.diverged] == [("arm.stl", 3)]
    assert "'ann@desk'" in done.diverged[0].detail
    assert done.versions == {"robot": (2,)}
    assert backup.log("arm.stl") == before
    assert backup.store.read("arm.stl") == b"there"
    with pytest.raises(VersionConflictError, match=r"1 components were left alone.*arm.stl"):
        done.check()


def test_a_copy_that_is_ahead_is_left_ahead_and_keeps_its_tags(library: Library):
    backup = new_library()
    replicate_library(library, backup)
    backup.publish("arm.stl", b"newer")
    backup.tag("arm.stl", "approved", 3)
    done = replicate_library(library, backup)
    assert (done.ahead, done.versions, done.tags, done.ok) == (("arm.stl",), {}, {}, True)
    assert backup.head("arm.stl")[0].tags == {"approved": 3}


def test_a_library_is_not_copied_onto_itself(library: Library):
    with pytest.raises(BadOptionError, match="onto itself"):
        replicate_library(library, Library(library.uri))


def test_what_another_program_wrote_at_the_target_is_not_overwritten_but_becomes_a_version_there(library: Library):
    backup = new_library()
    replicate_library(library, backup)
    backup.store.write("arm.stl", b"edited by hand")
    library.publish("arm.stl", b"newest")
    replicate_library(library, backup)
    contents = [backup.read("arm.stl", version=version.number) for version in backup.log("arm.stl")]
    assert contents == [b"edited by hand", b"newest", SECOND, FIRST]
    assert backup.store.read("arm.stl") == b"edited by hand"


def test_a_component_that_would_lie_within_another_is_refused(library: Library):
    backup = new_library()
    backup.publish("robot/a.txt", b"a component here")
    done = replicate_library(library, backup)
    assert list(done.failed) == ["robot"]
    assert done.versions.keys() == {"arm.stl", "old.txt"}
    with pytest.raises(TransferError, match="1 components could not be copied"):
        done.check()


class Rotten(DelegatingStore):
    """A store in which one object has rotten."""

    def __init__(self, inner: Store, rotten: str) -> None:
        super().__init__(inner)
        self._rotten = rotten

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        info, data = super().read_with_info(key, byte_range, if_match=if_match)
        return info, (bytes([data[0] ^ 1]) + data[1:] if key == self._rotten else data)


@pytest.mark.parametrize(
    ("key", "hurt", "copied"),
    [
        (layout.blob_key(sha(FIRST)), "arm.stl", {"old.txt": (1, 2), "robot": (1,)}),
        (layout.blob_key(sha(b"two")), "robot", {"arm.stl": (1, 2), "old.txt": (1, 2)}),
        (layout.version_key("arm.stl", 2), "arm.stl", {"arm.stl": (1,), "old.txt": (1, 2), "robot": (1,)}),
    ],
)
def test_damage_at_the_source_is_not_copied_and_keeps_only_its_component_back(
    library: Library, key: str, hurt: str, copied: dict[str, tuple[int, ...]]
):
    backup = new_library()
    done = replicate_library(Library(Rotten(library.store, key)), backup)
    assert list(done.failed) == [hurt]
    assert done.versions == copied
    assert verify_library(backup).ok
    replicate_library(library, backup).check()
    assert state(backup) == state(library)


def test_content_without_a_stamp_is_judged_by_its_name(library: Library):
    library.store.write(layout.blob_key(sha(b"two")), b"TWO")
    backup = new_library()
    done = replicate_library(library, backup)
    assert "has not the hash that it is named by" in done.failed["robot"]
    assert not backup.store.exists(layout.blob_key(sha(b"two")))


class Killed(DelegatingStore):
    """Ends everything at its n-th change."""

    def __init__(self, inner: Store, changes: int) -> None:
        super().__init__(inner)
        self.left = changes

    def write(self, *args: Any, **options: Any) -> ObjectInfo:
        self.left -= 1
        if self.left < 0:
            raise StoppedError("killed")
        return super().write(*args, **options)


@pytest.mark.parametrize("changes", range(0, 24, 2))
def test_a_replication_that_is_killed_anywhere_leaves_a_sound_library_and_the_next_ends_it(
    library: Library, changes: int
):
    backup = new_library()
    with suppress(SkyholdError):
        replicate_library(library, Library(Killed(backup.store, changes))).check()
    report = verify_library(backup)
    assert {each.what for each in report.findings} <= {"head missing", "head behind"}
    replicate_library(library, backup).check()
    assert state(backup) == state(library)
    assert plain(backup) == plain(library)
    assert verify_library(backup).findings == ()


class Meanwhile(DelegatingStore):
    """Lets somebody act once, before the first look at something."""

    def __init__(self, inner: Store, prefix: str, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._prefix = prefix
        self._acts = [act]

    def list_pages(self, prefix: str = "", **options: Any):
        if prefix == self._prefix and self._acts:
            self._acts.pop()()
        return super().list_pages(prefix, **options)


@pytest.mark.parametrize("prefix", [layout.VERSIONS, layout.BLOBS, layout.DELTAS, layout.NEEDED])
def test_what_is_published_at_the_source_meanwhile_is_copied_then_or_the_next_time(library: Library, prefix: str):
    backup = new_library()
    busy = Meanwhile(library.store, prefix, lambda: library.publish("arm.stl", SECOND + b"newest"))
    replicate_library(Library(busy), backup).check()
    assert verify_library(backup).findings == ()
    replicate_library(library, backup).check()
    assert state(backup) == state(library)


def test_somebody_who_publishes_at_the_target_meanwhile_is_not_overwritten(library: Library):
    backup = new_library()
    busy = Meanwhile(backup.store, layout.NEEDED, lambda: backup.publish("arm.stl", b"there"))
    done = replicate_library(library, Library(busy))
    assert [(each.component, each.version) for each in done.diverged] == [("arm.stl", 1)]
    assert [version.number for version in backup.log("arm.stl")] == [1]
    assert backup.store.read("arm.stl") == b"there"


def test_looking_for_news_where_there_are_none_reads_heads_only(library: Library):
    backup = new_library()
    replicate_library(library, backup)
    seen: list[Operation] = []
    watched = library.store.observed(seen.append)
    same_tags = Tagged(watched), Tagged(backup.store)
    replicate_library(Library(same_tags[0]), Library(same_tags[1]))
    read = [operation.uri for operation in seen if operation.verb == "read"]
    assert {uri.removeprefix(library.uri) for uri in read} == {
        f"/{layout.LIBRARY}",
        *(f"/{layout.head_key(component)}" for component in ("arm.stl", "old.txt", "robot")),
    }


class Tagged(DelegatingStore):
    """A store whose e-tags tell the content, as those of S3 do."""

    def list_pages(self, *args: Any, **options: Any):
        for page in super().list_pages(*args, **options):
            infos = [ObjectInfo(each.key, each.size_bytes, each.modified, "same") for each in page.objects]
            yield type(page)(tuple(infos), page.prefixes)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "delete", "tag", "replicate"]),
        st.sampled_from(["a.txt", "b.txt"]),
        st.binary(min_size=1, max_size=3),
    ),
    max_size=15,
)


@given(STEPS)
def test_whatever_was_published_and_whenever_it_was_copied_the_copy_is_the_same_in_the_end(
    steps: list[tuple[str, str, bytes]],
):
    library, backup = new_library(), new_library()
    for step, component, content in steps:
        try:
            if step == "publish":
                library.publish(component, content)
            elif step == "delete":
                library.delete(component)
            elif step == "tag":
                library.tag(component, "approved")
            else:
                replicate_library(library, backup).check()
        except FileNotFoundError:
            continue
    replicate_library(library, backup).check()
    assert state(backup) == state(library)
    assert plain(backup) == plain(library)
