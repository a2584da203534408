"""Garbage: what no version names goes, in two steps, and nobody who publishes meanwhile is hurt."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_bucket, make_container
from library_parts import Clock, Clocked, name, put, sha
from skyhold.components.garbage import GarbageReport, collect_garbage
from skyhold.components.history import DeltaPolicy
from skyhold.components.layout import blob_key, clock_key, delta_key, head_key, preview_key, trash_key, version_key
from skyhold.components.library import Library
from skyhold.components.manifest import Head, PlainFile
from skyhold.components.verification import verify_library
from skyhold.errors import DeleteGuardError, StoppedError, TransferError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.testing.servers import LocalServer

GRACE = timedelta(days=7)


class Sample:
    """A store with a clock of its own."""

    def __init__(self, inner: Store) -> None:
        self.clock = Clock()
        self.store = Clocked(inner, self.clock)

    def wait(self, days: float = 8) -> None:
        self.clock.ahead += timedelta(days=days)

    def collect(self, store: Store | None = None, **options: Any) -> GarbageReport:
        return collect_garbage(Library(store or self.store), **options)

    def listed(self) -> set[str]:
        return {info.key for info in self.store.list()}


@pytest.fixture(params=["memory", "file", "mock", "moto", pytest.param("azurite", marks=pytest.mark.azurite)])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Sample:
    if request.param == "azurite":
        server: LocalServer = request.getfixturevalue("azurite")
        return Sample(open_store(f"az://{make_container(server)}/library", **server.options))
    if request.param == "moto":
        server = request.getfixturevalue("moto")
        return Sample(open_store(f"s3://{make_bucket(server)}/library", **server.options))
    places = {"memory": f"memory://gc-{uuid4().hex}", "file": str(tmp_path), "mock": f"mock://{tmp_path}"}
    return Sample(open_store(places[request.param]))


@pytest.fixture
def memory() -> Sample:
    return Sample(open_store(f"memory://gc-{uuid4().hex}"))


def test_content_that_no_version_names_goes_to_the_trash_after_one_grace_period_and_for_good_after_another(
    library: Sample,
):
    kept, gone = put(library.store, b"kept"), put(library.store, b"gone")
    name(library.store, "arm.stl", 1, b"kept")
    report = library.collect()
    assert (report.kept, report.young, report.trashed, report.deleted) == (1, (gone,), (), ())
    library.wait()
    report = library.collect()
    assert (report.kept, report.young, report.trashed, report.deleted) == (1, (), (gone,), ())
    assert (report.trashed_bytes, report.freed_bytes) == (4, 0)
    assert library.store.read(trash_key(gone)) == b"gone"
    report = library.collect()
    assert (report.trashed, report.deleted) == ((), ())
    library.wait()
    report = library.collect()
    assert (report.trashed, report.deleted, report.freed_bytes) == ((), (trash_key(gone),), 4)
    assert library.listed() == {kept, version_key("arm.stl", 1), ".skyhold/heads/arm.stl/@.json"}


def test_a_dry_run_tells_what_would_go_and_changes_nothing(library: Sample):
    put(library.store, b"kept")
    gone = put(library.store, b"gone")
    name(library.store, "arm.stl", 1, b"kept")
    library.wait()
    before = library.listed()
    report = library.collect(dry_run=True)
    assert (report.trashed, report.dry_run) == ((gone,), True)
    assert library.listed() == before


def test_versions_before_the_newest_and_those_of_deleted_components_keep_their_content(memory: Sample):
    for content in (b"one", b"two"):
        put(memory.store, content)
    name(memory.store, "arm.stl", 1, b"one")
    name(memory.store, "arm.stl", 2, b"two")
    name(memory.store, "arm.stl", 3)
    memory.wait()
    assert memory.collect().trashed == ()


def test_what_kept_content_is_stored_against_is_kept_through_the_whole_chain(memory: Sample):
    put(memory.store, b"whole")
    put(memory.store, b"first", base=b"whole")
    put(memory.store, b"second", base=b"first")
    other = put(memory.store, b"other", base=b"second")
    for number in (1, 2, 3):
        name(memory.store, "arm.stl", number, b"second")
    memory.wait()
    assert memory.collect().trashed == (other,)


def test_what_young_content_is_stored_against_stays_until_it_is_known_whether_that_is_named(memory: Sample):
    name(memory.store, "x", 1, b"named")
    base = put(memory.store, b"whole")
    memory.wait()
    young = put(memory.store, b"first", base=b"whole")
    assert memory.collect().young == tuple(sorted([base, young]))


class Meanwhile(DelegatingStore):
    """Lets somebody publish just before a moment."""

    def __init__(self, inner: Store, verb: str, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._verb = verb
        self._acts = [act]

    def _now(self, verb: str) -> None:
        if self._acts and verb == self._verb:
            self._acts.pop()()

    def copy(self, source: str, target: str) -> None:
        self._now("copy")
        super().copy(source, target)
        self._now("copied")

    def delete(self, keys: Any) -> None:
        listed = [keys] if isinstance(keys, str) else list(keys)
        relevant = any("/blobs/" in key or "/deltas/" in key for key in listed)
        if relevant:
            self._now("delete")
        super().delete(listed)
        if relevant:
            self._now("deleted")


@pytest.mark.parametrize("moment", ["copy", "copied", "delete", "deleted"])
def test_content_that_is_named_while_it_goes_to_the_trash_comes_back(memory: Sample, moment: str):
    again = put(memory.store, b"old content, used again")
    name(memory.store, "arm.stl", 1, b"something else")
    memory.wait()
    act = lambda: name(memory.store, "arm.stl", 2, b"old content, used again")  # noqa: E731 - it stands for a person
    report = memory.collect(Meanwhile(memory.store, moment, act))
    assert report.restored == (again,) or moment == "deleted"
    memory.collect()
    assert memory.store.read(again) == b"old content, used again"
    assert trash_key(again) not in memory.listed()


def test_content_that_is_named_while_it_lies_in_the_trash_comes_back_with_what_it_is_stored_against(memory: Sample):
    name(memory.store, "x", 1, b"named")
    whole, delta = put(memory.store, b"whole"), put(memory.store, b"first", base=b"whole")
    memory.wait()
    assert memory.collect().trashed == tuple(sorted([whole, delta]))
    memory.wait()
    name(memory.store, "arm.stl", 1, b"first")
    assert memory.collect().restored == tuple(sorted([whole, delta]))
    assert {whole, delta} <= memory.listed()


def test_content_that_went_and_was_uploaded_and_went_again_lies_in_the_trash_for_a_whole_grace_period(memory: Sample):
    name(memory.store, "x", 1, b"named")
    gone = put(memory.store, b"gone")
    memory.wait()
    memory.collect()
    put(memory.store, b"gone")
    memory.wait()
    report = memory.collect()
    assert (report.trashed, report.deleted) == ((gone,), ())
    assert memory.store.read(trash_key(gone)) == b"gone"


class Killed(DelegatingStore):
    """Ends everything at its n-th change."""

    def __init__(self, inner: Store, changes: int) -> None:
        super().__init__(inner)
        self._left = changes

    def _change(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise StoppedError("killed")

    def write(self, *args: Any, **options: Any) -> ObjectInfo:
        self._change()
        return super().write(*args, **options)

    def copy(self, source: str, target: str) -> None:
        self._change()
        super().copy(source, target)

    def delete(self, keys: Any) -> None:
        for key in [keys] if isinstance(keys, str) else list(keys):
            self._change()
            super().delete(key)


@pytest.mark.parametrize("changes", range(9))
def test_a_collection_that_is_killed_anywhere_loses_nothing_and_is_finished_by_the_next(memory: Sample, changes: int):
    kept, first, second = (put(memory.store, each) for each in (b"kept", b"one", b"two"))
    name(memory.store, "arm.stl", 1, b"kept")
    memory.wait()
    with pytest.raises((StoppedError, TransferError)):
        memory.collect(Killed(memory.store, changes))
        raise StoppedError("it was not long enough to be killed")
    name(memory.store, "arm.stl", 2, b"one")
    memory.wait()
    memory.collect()
    memory.wait()
    memory.collect()
    assert memory.store.read(first) == b"one"
    assert memory.store.read(kept) == b"kept"
    assert not {second, trash_key(second), trash_key(first)} & memory.listed()


def test_two_collections_at_once_lose_nothing(memory: Sample):
    kept, gone = put(memory.store, b"kept"), put(memory.store, b"gone")
    name(memory.store, "arm.stl", 1, b"kept")
    memory.wait()
    for moment in ("copy", "copied", "delete", "deleted"):
        memory.collect(Meanwhile(memory.store, moment, memory.collect))
        assert memory.store.read(kept) == b"kept"
        assert memory.store.read(trash_key(gone)) == b"gone"
        memory.store.rename(trash_key(gone), gone)
        memory.wait()


def test_where_a_version_cannot_be_read_nothing_goes(memory: Sample):
    put(memory.store, b"of the damaged version")
    name(memory.store, "arm.stl", 1, b"of the damaged version")
    name(memory.store, "leg.stl", 1, b"other")
    memory.store.write(version_key("arm.stl", 1), b"{")
    memory.wait()
    before = memory.listed()
    with pytest.raises(DeleteGuardError, match=r"1 versions cannot be read.*not JSON"):
        memory.collect()
    assert memory.listed() == before


def test_where_the_record_of_a_version_is_lost_nothing_goes_unless_it_is_confirmed(memory: Sample):
    gone = put(memory.store, b"of the lost version")
    for number, content in enumerate((b"of the lost version", b"newer"), start=1):
        name(memory.store, "arm.stl", number, content)
    memory.store.delete(version_key("arm.stl", 1))
    memory.wait()
    with pytest.raises(DeleteGuardError, match=r"version 1 of 'arm.stl' is lost"):
        memory.collect()
    assert memory.collect(confirmed=True).trashed == (gone,)


def test_what_the_head_of_a_lost_version_names_is_kept(memory: Sample):
    key = put(memory.store, b"newest")
    put(memory.store, b"garbage")
    name(memory.store, "arm.stl", 1, b"first")
    memory.store.write(head_key("arm.stl"), Head("arm.stl", 2, (PlainFile("", sha(b"newest"), 6),)).to_json())
    memory.wait()
    with pytest.raises(DeleteGuardError, match=r"version 2 of 'arm.stl' is lost"):
        memory.collect()
    assert key not in memory.collect(confirmed=True).trashed


def test_where_there_are_no_versions_at_all_nothing_goes_even_if_it_is_confirmed(memory: Sample):
    put(memory.store, b"all that is left")
    memory.wait()
    with pytest.raises(DeleteGuardError, match="no versions at all"):
        memory.collect(confirmed=True)
    assert len(memory.listed()) == 1


def test_more_than_half_of_many_objects_go_only_if_it_is_confirmed(memory: Sample):
    for number in range(101):
        put(memory.store, str(number).encode())
    name(memory.store, "arm.stl", 1, b"0")
    memory.wait()
    assert len(memory.collect(dry_run=True).trashed) == 100
    put(memory.store, b"one more")
    memory.wait()
    with pytest.raises(DeleteGuardError, match="101 of 102 objects would go"):
        memory.collect()
    assert len(memory.collect(confirmed=True).trashed) == 101


def test_pictures_of_content_that_is_gone_and_left_looks_at_the_clock_go_too(memory: Sample):
    put(memory.store, b"kept")
    name(memory.store, "arm.stl", 1, b"kept")
    kept = preview_key(sha(b"kept"), ".png")
    gone = [preview_key(sha(b"gone"), ".png"), clock_key("left")]
    for key in (kept, *gone):
        memory.store.write(key, b"x")
    assert memory.collect().deleted == ()
    memory.wait()
    assert memory.collect().deleted == tuple(sorted(gone))
    assert kept in memory.listed()


def test_foreign_objects_among_the_content_are_left_alone(memory: Sample):
    name(memory.store, "arm.stl", 1, b"kept")
    foreign = [".skyhold/blobs/readme.txt", ".skyhold/blobs/ab/abcd", f"{blob_key(sha(b'x'))}.bak"]
    foreign.append(blob_key(sha(b"x")).replace("/blobs/", "/deltas/"))
    foreign.append(delta_key(sha(b"x"), sha(b"y")).replace("/deltas/", "/blobs/"))
    for key in foreign:
        memory.store.write(key, b"x")
    memory.wait()
    assert memory.collect().trashed == ()
    assert set(foreign) <= memory.listed()


CONTENTS = [b"a", b"b", b"c", b"d"]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.sampled_from(CONTENTS)),
            st.tuples(st.just("name"), st.sampled_from(CONTENTS)),
            st.tuples(st.just("wait"), st.sampled_from([1.0, 8.0])),
            st.tuples(st.just("collect"), st.none()),
        ),
        max_size=30,
    )
)
def test_whatever_happens_in_whatever_order_content_that_a_version_names_can_be_read_after_a_collection(
    steps: list[tuple[str, Any]],
):
    library = Sample(open_store(f"memory://gc-{uuid4().hex}"))
    name(library.store, "first", 1, b"first")
    seen: dict[bytes, timedelta] = {}
    named: set[bytes] = set()
    for step, value in steps:
        if step == "put":
            if not library.store.exists(blob_key(sha(value))):
                put(library.store, value)
            seen[value] = library.clock.ahead
        elif step == "name" and value not in named and value in seen and library.clock.ahead - seen[value] < GRACE:
            named.add(value)
            name(library.store, "arm.stl", len(named), value)
        elif step == "wait":
            library.wait(value)
        elif step == "collect":
            library.collect()
            for content in named:
                assert library.store.read(blob_key(sha(content))) == content


class AtRequest(DelegatingStore):
    """Lets somebody act just before the n-th request."""

    def __init__(self, inner: Store, number: int, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._left = [None] * number  # shared by all views of this store
        self._acts = [act]

    def _request(self) -> None:
        if self._left:
            self._left.pop()
        elif self._acts:
            self._acts.pop()()

    @property
    def was_reached(self) -> bool:
        return not self._acts

    def info(self, key: str) -> ObjectInfo:
        self._request()
        return super().info(key)

    def read_with_info(self, *args: Any, **options: Any) -> tuple[ObjectInfo, bytes]:
        self._request()
        return super().read_with_info(*args, **options)

    def write(self, *args: Any, **options: Any) -> ObjectInfo:
        self._request()
        return super().write(*args, **options)

    def list_pages(self, *args: Any, **options: Any):
        self._request()
        return super().list_pages(*args, **options)

    def copy(self, source: str, target: str) -> None:
        self._request()
        super().copy(source, target)

    def delete(self, keys: Any) -> None:
        self._request()
        super().delete(keys)


OLD = bytes(range(256)) * 40
POLICY = DeltaPolicy(min_content_bytes=1)


def with_old_garbage() -> Sample:
    """A library in whose history lies what a publication left that was killed long ago, whole and as a delta."""
    sample = Sample(open_store(f"memory://gc-{uuid4().hex}"))
    library = Library(sample.store, policy=POLICY)
    base = library.publish("arm.stl", OLD).files[0].sha256
    library.history.put(OLD + b"left whole")
    library.history.put(OLD + b"left as a delta", base=base)
    sample.wait()
    return sample


@pytest.mark.parametrize("left", [b"left whole", b"left as a delta"])
@pytest.mark.parametrize("who_is_interrupted", ["publisher", "collector"])
def test_at_whatever_moment_content_is_published_again_that_goes_to_the_trash_it_can_be_read_after_the_next_collection(
    left: bytes, who_is_interrupted: str
):
    moments = 0
    for number in range(100):
        sample = with_old_garbage()
        if who_is_interrupted == "publisher":
            busy = AtRequest(sample.store, number, sample.collect)
            Library(busy, policy=POLICY).publish("arm.stl", OLD + left)
        else:
            plain = Library(sample.store, policy=POLICY)
            busy = AtRequest(sample.store, number, lambda plain=plain: plain.publish("arm.stl", OLD + left))
            sample.collect(busy)
        if not busy.was_reached:
            break
        moments += 1
        sample.collect()
        library = Library(sample.store)
        assert verify_library(library).findings == ()
        assert library.read("arm.stl") == OLD + left
    assert 8 <= moments < 99
