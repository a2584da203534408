"""Old versions go by a rule, never what anything points to, and what they were stays known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from library_parts import sha
from skyhold.components import pruning
from skyhold.components.garbage import collect_garbage
from skyhold.components.history import DeltaPolicy
from skyhold.components.layout import blob_key, head_key, pruned_key, version_key
from skyhold.components.library import Library
from skyhold.components.manifest import Dependency
from skyhold.components.pruning import prune_library
from skyhold.components.recovery import recover_library
from skyhold.components.replication import replicate_library
from skyhold.components.verification import verify_library
from skyhold.errors import BadOptionError, ComponentNotFoundError, DeleteGuardError
from skyhold.storage.contract import Store
from skyhold.storage.wrappers.delegating import DelegatingStore


@pytest.fixture(params=["memory", "file", "mock"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    places = {"memory": f"memory://prune-{uuid4().hex}", "file": str(tmp_path / "b"), "mock": f"mock://{tmp_path}/m"}
    return Library(places[request.param], author="ann")


@pytest.fixture
def memory() -> Library:
    return Library(f"memory://prune-{uuid4().hex}", author="ann")


def _publish(library: Library, component: str, count: int, **options: Any) -> None:
    for number in range(1, count + 1):
        library.publish(component, f"{component} {number}".encode(), **options)


def _numbers(library: Library, component: str) -> list[int]:
    return [version.number for version in library.log(component)]


def test_what_is_beyond_the_last_few_goes_and_its_record_is_kept(library: Library):
    _publish(library, "arm.stl", 5)
    _publish(library, "sub/leg.stl", 2)
    first = library.store.read(version_key("arm.stl", 1))
    report = prune_library(library, keep_last=2, dry_run=False)
    assert (report.pruned, report.kept, report.count) == ({"arm.stl": (1, 2, 3)}, 4, 3)
    assert _numbers(library, "arm.stl") == [5, 4]
    assert library.store.read(pruned_key("arm.stl", 1)) == first
    with pytest.raises(ComponentNotFoundError, match=r"version 1 of 'arm\.stl' was pruned"):
        library.info("arm.stl", 1)
    assert verify_library(library).findings == ()
    assert library.publish("arm.stl", b"next").number == 6
    assert prune_library(library, keep_last=2, dry_run=False).pruned == {"arm.stl": (4,)}


def test_nothing_goes_unless_it_is_said(library: Library):
    _publish(library, "arm.stl", 3)
    before = [info.key for info in library.store.list()]
    assert prune_library(library, keep_last=1).pruned == {"arm.stl": (1, 2)}
    assert [info.key for info in library.store.list()] == before


@pytest.mark.parametrize("how", ["tagged", "needed", "needed by an old version", "restorable", "not asked for"])
def test_what_something_points_to_stays(library: Library, how: str):
    _publish(library, "arm.stl", 3)
    options: dict[str, Any] = {}
    if how == "tagged":
        library.tag("arm.stl", "approved", 2)
    elif how.startswith("needed"):
        library.publish("robot", b"robot", dependencies=[Dependency("arm.stl", 2)])
        if how == "needed by an old version":
            library.publish("robot", b"robot alone", dependencies=[])
            options["components"] = ["arm.stl"]
    elif how == "restorable":
        library.restore("arm.stl", 2)
        library.delete("arm.stl")
    else:
        _publish(library, "leg.stl", 3)
        options["components"] = ["leg.stl"]
    gone = {
        "restorable": {"arm.stl": (1, 2, 3)},
        "not asked for": {"leg.stl": (1, 2)},
    }.get(how, {"arm.stl": (1,)})
    assert prune_library(library, keep_last=1, dry_run=False, **options).pruned == gone
    assert verify_library(library).findings == ()
    if how == "restorable":
        library.undelete("arm.stl")
        assert library.read("arm.stl") == b"arm.stl 2"


@pytest.mark.parametrize(("created_days", "written_days", "goes"), [(40, 40, True), (40, 2, False), (2, 40, False)])
def test_a_version_is_as_old_as_the_younger_of_its_two_times(
    memory: Library, monkeypatch: pytest.MonkeyPatch, created_days: int, written_days: int, goes: bool
):
    _publish(memory, "arm.stl", 2)
    now = datetime.now(UTC)
    monkeypatch.setattr(pruning, "store_time", lambda store: now + timedelta(days=written_days))
    behind = timedelta(days=created_days - written_days)
    key = version_key("arm.stl", 1)
    text = memory.store.read(key).decode()
    created = memory.info("arm.stl", 1).created
    shifted = text.replace(created.isoformat()[:10], (created - behind).isoformat()[:10])
    memory.store.write(key, shifted.encode())
    assert memory.info("arm.stl", 1).created == created - behind
    expected = {"arm.stl": (1,)} if goes else {}
    assert prune_library(memory, older_than=timedelta(days=30), dry_run=False).pruned == expected


def test_garbage_collection_frees_what_pruned_versions_held_and_keeps_what_others_are_made_from(memory: Library):
    library = Library(memory.store, policy=DeltaPolicy(min_content_bytes=1))
    first = Random(1).randbytes(30_000)
    library.publish("arm.stl", first)
    library.publish("arm.stl", first + b"an edit")
    library.publish("leg.stl", b"only here")
    library.publish("leg.stl", b"another")
    prune_library(library, keep_last=1, dry_run=False)
    for _ in range(2):
        collect_garbage(library, grace=timedelta(0), confirmed=True)
    assert library.read("arm.stl") == first + b"an edit"
    assert library.store.exists(blob_key(sha(first)))
    assert not library.store.exists(blob_key(sha(b"only here")))
    assert verify_library(library).findings == ()


def test_a_copy_keeps_what_it_has_and_does_not_bring_it_back(memory: Library, tmp_path: Path):
    backup = Library(str(tmp_path / "backup"))
    _publish(memory, "arm.stl", 3)
    replicate_library(memory, backup).check()
    prune_library(memory, keep_last=1, dry_run=False)
    replicate_library(memory, backup).check()
    replicate_library(backup, memory).check()
    assert (_numbers(memory, "arm.stl"), _numbers(backup, "arm.stl")) == ([3], [3, 2, 1])
    fresh = Library(str(tmp_path / "fresh"))
    replicate_library(memory, fresh).check()
    assert _numbers(fresh, "arm.stl") == [3]
    assert verify_library(fresh).findings == ()
    assert recover_library(fresh, copy=backup).left == ()
    assert _numbers(fresh, "arm.stl") == [3]


class _Meddled(DelegatingStore):
    """A store in which somebody does something as soon as the first version was moved."""

    def __init__(self, inner: Store, meddle: Callable[[], object]) -> None:
        super().__init__(inner)
        self.waiting = [meddle]

    def copy(self, source: str, target: str) -> None:
        super().copy(source, target)
        if self.waiting:
            self.waiting.pop()()


@pytest.mark.parametrize("how", ["tagged", "needed"])
def test_what_somebody_names_or_needs_while_it_goes_comes_back(
    memory: Library, how: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pruning, "_JOBS", 1)
    _publish(memory, "arm.stl", 3)

    def meddle() -> None:
        if how == "tagged":
            memory.tag("arm.stl", "approved", 2)
        else:
            memory.publish("robot", b"robot", dependencies=[Dependency("arm.stl", 2)])

    report = prune_library(Library(_Meddled(memory.store, meddle)), keep_last=1, dry_run=False)
    assert (report.pruned, report.brought_back) == ({"arm.stl": (1,)}, {"arm.stl": (2,)})
    assert _numbers(memory, "arm.stl") == [3, 2]
    assert verify_library(memory).findings == ()


class _KilledError(BaseException):
    """The process ends here."""


class _Killed(DelegatingStore):
    """A store on which the process ends before a change of a number."""

    def __init__(self, inner: Store, left: int) -> None:
        super().__init__(inner)
        self.left = left

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _KilledError

    def copy(self, source: str, target: str) -> None:
        self._count()
        super().copy(source, target)

    def delete(self, keys: Any) -> None:
        self._count()
        super().delete(keys)


@pytest.mark.parametrize("left", range(4))
def test_pruning_that_is_killed_anywhere_leaves_a_sound_library_and_is_finished_by_the_next(
    memory: Library, left: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pruning, "_JOBS", 1)
    _publish(memory, "arm.stl", 3)
    with pytest.raises(_KilledError):
        prune_library(Library(_Killed(memory.store, left)), keep_last=1, dry_run=False)
    assert verify_library(memory).findings == ()
    prune_library(memory, keep_last=1, dry_run=False)
    assert _numbers(memory, "arm.stl") == [3]
    assert verify_library(memory).findings == ()


def test_where_a_record_cannot_be_read_nothing_goes(memory: Library):
    _publish(memory, "arm.stl", 3)
    _publish(memory, "leg.stl", 1)
    memory.store.write(head_key("leg.stl"), b"damaged")
    with pytest.raises(DeleteGuardError, match="nobody knows what it points to"):
        prune_library(memory, keep_last=1, dry_run=False)
    assert _numbers(memory, "arm.stl") == [3, 2, 1]


def test_rules_that_make_no_sense_are_refused(memory: Library):
    _publish(memory, "arm.stl", 1)
    with pytest.raises(BadOptionError, match="nothing says"):
        prune_library(memory)
    with pytest.raises(BadOptionError, match="keep nothing"):
        prune_library(memory, keep_last=0)
    with pytest.raises(ComponentNotFoundError, match=r"'leg\.stl'"):
        prune_library(memory, keep_last=1, components=["leg.stl"])
