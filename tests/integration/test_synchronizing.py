"""A folder and a library kept equal: what is moved, what is kept, and what stops it."""

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket, make_container
from skyhold.components import (
    conditions,
    folder_scan,
    seen_names,
    sync_files,
    sync_locks,
    sync_session,
    sync_view,
    synchronizing,
)
from skyhold.components.layout import head_key
from skyhold.components.library import Library
from skyhold.components.pruning import prune_library
from skyhold.components.sync_config import SyncConfig
from skyhold.components.sync_state import STATE_NAME, Remembered, SyncState
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.errors import (
    BadOptionError,
    BucketNotFoundError,
    ConflictError,
    DeleteGuardError,
    IntegrityError,
    KeyNotFoundError,
    LockedError,
    StorageError,
    TransferError,
)
from skyhold.runs.journal import default_journal
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange, ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from sync_sides import Machine


@pytest.fixture
def library() -> Library:
    return Library(f"memory://sync-{uuid4().hex}", author="ann")


@pytest.fixture
def machine(tmp_path: Path, library: Library) -> Machine:
    return Machine(tmp_path / "folder", library)


@pytest.fixture(params=["memory", "file", "mock", "moto", "rclone", pytest.param("azurite", marks=pytest.mark.azurite)])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return open_store(f"memory://sync-{uuid4().hex}")
    if request.param == "file":
        (tmp_path / "store").mkdir()
        return open_store(f"file://{tmp_path / 'store'}")
    if request.param == "mock":
        return open_store(
            f"mock://{tmp_path}/mock", lost_rate=0.05, seed=7
        )  # answers of writes that were done get lost
    server = request.getfixturevalue(request.param)
    if request.param == "azurite":
        return open_store(f"az://{make_container(server)}", **server.options)
    return open_store(f"s3://{make_bucket(server)}", **server.options)


def _agreed(machine: Machine, **contents: str) -> None:
    """Let both sides have files, and agree on them."""
    machine.write(**contents)
    machine.sync()
    assert machine.local == machine.remote


class _Meddled(DelegatingStore):
    """A store in which somebody does something just before a write of a key, once."""

    def __init__(self, inner: Store, key: str, meddle: Callable[[], object]) -> None:
        super().__init__(inner)
        self.waiting = {key: meddle}

    def observed(self, observer: Any) -> Any:
        return self

    def write(self, key: str, data: Any, **options: Any) -> ObjectInfo:
        meddle = self.waiting.pop(key, None)
        if meddle is not None:
            meddle()
        return self._inner.write(key, data, **options)


class _Flipping(DelegatingStore):
    """A store whose answers have a flipped bit, of keys that begin so."""

    def __init__(self, inner: Store, *prefixes: str) -> None:
        super().__init__(inner)
        self.prefixes = prefixes

    def observed(self, observer: Any) -> Any:
        return self

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        info, data = self._inner.read_with_info(key, byte_range, if_match=if_match)
        return info, bytes([data[0] ^ 1]) + data[1:] if key.startswith(self.prefixes) else data


def test_both_sides_get_what_the_other_has_then_follow_edits_and_deletions(any_store: Store, tmp_path: Path):
    library = Library(any_store, author="ann")
    here, there = Machine(tmp_path / "here", library), Machine(tmp_path / "there", library)
    here.write(a__stl="one", b__stl="two", c="three")
    here.put("deep/er/d.stl", "four")
    library.publish("e.stl", b"five")
    assert here.sync().counts["uploaded"] == 4
    assert there.sync().counts["downloaded"] == 5
    assert here.local == there.local == here.remote

    here.write(a__stl="one, edited here")
    there.write(b__stl="two, edited there")
    (there.folder / "deep/er/d.stl").unlink()
    for machine in (here, there, here):
        machine.sync()
    assert here.local == there.local == here.remote
    assert here.local == {"a.stl": "one, edited here", "b.stl": "two, edited there", "c": "three", "e.stl": "five"}
    assert not (here.folder / "deep").exists()
    assert [version.number for version in library.log("a.stl")] == [2, 1]
    assert library.read("deep/er/d.stl", version=1) == b"four"
    for machine in (here, there):
        result = machine.sync()
        assert (result.done, result.unchanged) == ([], 4)


def test_a_synchronization_that_finds_no_change_lists_only_and_reads_no_file(
    machine: Machine, moto: Any, monkeypatch: pytest.MonkeyPatch
):
    machine.library = Library(f"s3://{make_bucket(moto)}", **moto.options)
    _agreed(machine, **{f"f{number}": "content" for number in range(30)})
    opened: list[Path] = []
    monkeypatch.setattr(sync_view, "hash_unchanged", opened.append)
    result = machine.sync()
    assert (result.unchanged, result.done, opened) == (30, [], [])
    entry = default_journal().list_runs()[0]
    assert entry.receipt is not None
    assert entry.receipt.kind == "sync"
    requests = {kind: count for kind, count in entry.receipt.requests.items() if count}
    assert requests == {"list": 2}


def test_what_is_known_of_the_store_divides_its_listing(machine: Machine, moto: Any, monkeypatch: pytest.MonkeyPatch):
    machine.library = Library(f"s3://{make_bucket(moto)}", **moto.options)
    _agreed(machine, **{f"f{number:02}": "content" for number in range(30)})
    machine.library.publish("f15", b"other content")
    machine.library.publish("f99", b"content")
    monkeypatch.setattr(SyncState, "milestones", lambda *_: ["f09", "f15", "f19"])
    result = machine.sync()
    assert (result.unchanged, result.paths("download")) == (29, ["f15", "f99"])
    monkeypatch.setattr(sync_view, "hash_unchanged", None)
    assert machine.sync().unchanged == 31
    entry = default_journal().list_runs()[0]
    assert entry.receipt is not None
    assert entry.receipt.requests["list"] == 5  # four parts, and what comes before the history


def test_milestones_are_where_pages_of_a_listing_end(tmp_path: Path):
    with SyncState(tmp_path, "memory://milestones") as state:
        item = Remembered(1, 2, 3, 4, "sha", "token", 1)
        names = [f"f{number:05}" for number in range(9_500)]
        state.remember_all((name, item) for name in reversed(names))
        assert state.milestones(4_000, 8) == ["f03999", "f07999"]
        assert state.milestones(1_000, 3) == ["f03999", "f07999"]
        assert state.milestones(1_000, 8) == [f"f0{thousand}999" for thousand in (1, 3, 5, 7)]
        assert state.milestones(9_500, 8) == []
    with SyncState(tmp_path, "memory://elsewhere") as state:
        assert state.milestones(1, 8) == []


def test_a_touched_file_is_read_once_and_not_moved(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    _agreed(machine, a="one", b="two")
    os.utime(machine.folder / "a")
    read: list[str] = []
    real = folder_scan.hash_unchanged

    def follow(path: Path):
        read.append(path.name)
        return real(path)

    monkeypatch.setattr(sync_view, "hash_unchanged", follow)
    assert machine.sync().done == []
    assert machine.sync().done == []
    assert read == ["a"]


def test_an_edit_that_keeps_size_and_modification_time_is_seen(machine: Machine):
    _agreed(machine, a="one", b="keep")
    file = machine.folder / "a"
    before = file.stat()
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert machine.sync().paths("upload") == ["a"]
    assert machine.remote["a"] == "two"


def test_a_file_that_is_replaced_keeps_its_rights(machine: Machine):
    _agreed(machine, a="one", b="x")
    (machine.folder / "a").chmod(0o750)
    machine.library.publish("a", b"edited there")
    machine.sync()
    assert machine.local["a"] == "edited there"
    assert (machine.folder / "a").stat().st_mode & 0o777 == 0o750


def test_what_another_component_needs_is_not_deleted_and_that_is_told(machine: Machine):
    _agreed(machine, a="one", b="two", c="three")
    machine.library.publish("b", b"two", message="needs a", dependencies=["a"])
    machine.sync()
    (machine.folder / "a").unlink()
    with pytest.raises(TransferError) as caught:
        machine.sync()
    assert list(caught.value.failures) == ["a"]
    assert machine.remote["a"] == "one"


def test_a_deleted_file_whose_content_no_version_has_any_more_goes_to_the_trash(machine: Machine):
    _agreed(machine, a__stl="one", other="x")
    machine.library.publish("a.stl", b"two")
    machine.library.delete("a.stl")
    prune_library(machine.library, keep_last=1, dry_run=False)
    result = machine.sync()
    assert machine.local == machine.remote == {"other": "x"}
    assert Path(result.kept["a.stl"]).read_text() == "one"
    assert f"deleted: a.stl, the local content is kept as {result.kept['a.stl']}" in result.get_summary_string()
    assert result.success
    assert machine.sync().done == []


def test_a_deleted_file_whose_content_a_younger_version_has_is_deleted(machine: Machine):
    _agreed(machine, a__stl="one", other="x")
    for content in (b"two", b"one"):
        machine.library.publish("a.stl", content)
    machine.library.delete("a.stl")
    prune_library(machine.library, keep_last=2, dry_run=False)
    result = machine.sync()
    assert machine.local == {"other": "x"}
    assert result.kept == {}


@pytest.mark.parametrize("keep_last", [1, 2])
def test_a_file_that_a_component_of_several_has_no_more_is_deleted_though_its_version_was_pruned(
    machine: Machine, tmp_path: Path, keep_last: int
):
    parts = {name: tmp_path / name for name in ("arm", "leg", "longer leg")}
    for name, file in parts.items():
        file.write_text(name)
    machine.library.publish("robot", {"arm": parts["arm"], "leg": parts["leg"]})
    machine.put("other", "x")
    machine.sync()
    machine.library.publish("robot", {"arm": parts["arm"], "leg": parts["longer leg"]})
    machine.library.publish("robot", {"leg": parts["longer leg"]})
    assert prune_library(machine.library, keep_last=keep_last, dry_run=False).pruned
    result = machine.sync()
    assert machine.local == machine.remote == {"robot/leg": "longer leg", "other": "x"}
    kept = {path: Path(place).read_text() for path, place in result.kept.items()}
    assert kept == ({"robot/arm": "arm"} if keep_last == 1 else {})
    assert result.success
    assert machine.sync().done == []


def test_single_files_of_a_component_of_several_come_down_and_are_not_published(machine: Machine, tmp_path: Path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("arm", "leg"):
        (source / name).write_text(name)
    machine.library.publish("robot", source)
    machine.sync()
    assert machine.local == {"robot/arm": "arm", "robot/leg": "leg"}
    machine.put("robot/arm", "edited")
    with pytest.raises(TransferError) as caught:
        machine.sync()
    assert list(caught.value.failures) == ["robot/arm"]
    assert "'robot' is a component itself" in str(caught.value)
    assert machine.remote == {"robot/arm": "arm", "robot/leg": "leg"}
    assert machine.local["robot/arm"] == "edited"

    machine.put("robot/arm", "arm")
    machine.put("other", "x")
    machine.sync()
    machine.library.delete("robot")
    machine.sync()
    assert machine.local == machine.remote == {"other": "x"}


def test_an_edit_of_a_file_of_several_by_another_program_becomes_a_version_of_the_whole(
    machine: Machine, tmp_path: Path
):
    source = tmp_path / "source"
    source.mkdir()
    (source / "arm").write_text("arm")
    machine.library.publish("robot", source)
    machine.put("x", "x")
    machine.sync()
    machine.library.store.write("robot/arm", b"edited by a script")
    machine.sync()
    assert machine.local == {"robot/arm": "edited by a script", "x": "x"}
    assert machine.library.info("robot").origin == "outside"
    assert {info.component for info in machine.library.list()} == {"robot", "x"}
    assert machine.sync().done == []


def test_an_edit_on_both_sides_keeps_both_contents_on_both_sides(machine: Machine):
    _agreed(machine, a__stl="base", b="x")
    machine.write(a__stl="mine")
    machine.library.publish("a.stl", b"theirs")
    result = machine.sync()
    assert result.conflicts == ["a.stl"]
    kept = result.kept["a.stl"]
    assert kept.startswith("a.conflict-")
    assert kept.endswith(".stl")
    assert machine.local == machine.remote == {"a.stl": "theirs", kept: "mine", "b": "x"}
    assert kept in result.get_summary_string()
    assert machine.sync().done == []


def test_two_machines_of_one_name_that_put_the_same_content_aside_in_one_second_agree(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sync_files, "conflict_name", lambda path, host, moment: f"{path}.conflict")
    monkeypatch.setattr(sync_session, "_LANES", ((10**6, 1),))
    other = Machine(tmp_path / "other", machine.library)
    for each in (machine, other):
        each.write(a="the same on both machines")
    machine.library.publish("a", b"theirs")
    results = [each.sync() for each in (machine, other, machine, other)]
    assert all(result.success for result in results)
    assert machine.local == other.local == machine.remote
    assert machine.remote == {"a": "theirs", "a.conflict": "the same on both machines"}


def test_the_same_edit_on_both_sides_is_no_conflict(machine: Machine):
    _agreed(machine, a="base", b="x")
    machine.write(a="same")
    machine.library.publish("a", b"same")
    assert "2 unchanged" in machine.synchronizer().dry_run().get_summary_string()
    result = machine.sync()
    assert (result.paths("agree"), result.conflicts) == (["a"], [])
    assert "2 unchanged" in result.get_summary_string()
    assert machine.sync().done == []


def test_different_contents_with_nothing_agreed_are_a_conflict(machine: Machine):
    machine.write(a="mine")
    machine.library.publish("a", b"theirs")
    result = machine.sync()
    assert set(machine.local.values()) == set(machine.remote.values()) == {"mine", "theirs"}
    assert result.conflicts == ["a"]


def test_a_conflict_can_be_decided_for_one_side_and_the_other_content_is_kept(machine: Machine):
    _agreed(machine, a="base", b="base", c="c")
    machine.write(a="mine", b="mine")
    machine.library.publish("a", b"theirs")
    machine.library.publish("b", b"theirs")
    machine.synchronizer().resolve("a", "local")
    machine.synchronizer().resolve("b", "remote")
    result = machine.sync(conflict="ask")
    assert machine.local == machine.remote == {"a": "mine", "b": "theirs", "c": "c"}
    assert machine.library.read("a", version=2) == b"theirs"
    assert Path(result.kept["b"]).read_text() == "mine"
    with pytest.raises(KeyNotFoundError, match="no conflict about 'a'"):
        machine.synchronizer().resolve("a", "local")


def test_with_ask_a_conflict_waits_for_an_answer(machine: Machine):
    _agreed(machine, a="base", b="x")
    machine.write(a="mine")
    machine.library.publish("a", b"theirs")
    result = machine.sync(conflict="ask")
    assert "somebody has to choose" in result.left["a"]
    assert (machine.local["a"], machine.remote["a"]) == ("mine", "theirs")
    asked: list[str] = []

    def answer(action: Any) -> Any:
        asked.append(action.path)
        return "local"

    synchronizer = StorageSynchronizer(machine.library, SyncConfig(machine.folder, conflict="ask"), ask=answer)
    synchronizer.synchronize()
    assert asked == ["a"]
    assert machine.local["a"] == machine.remote["a"] == "mine"


def test_many_conflicts_are_settled_by_one_look(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.write(a="here", b="here", c="here")
    for name in ("a", "b", "c"):
        machine.library.publish(name, b"there")
    synchronizer = machine.synchronizer(conflict="ask")
    looks: list[None] = []
    real = synchronizing.look
    monkeypatch.setattr(synchronizing, "look", lambda *args, **options: (looks.append(None), real(*args, **options))[1])
    synchronizer.resolve_all({"a": "local", "b": "remote"})
    with pytest.raises(KeyNotFoundError, match="no conflict about 'd'"):
        synchronizer.resolve_all({"c": "local", "d": "local"})
    assert len(looks) == 2
    result = synchronizer.synchronize()
    assert (result.waiting, machine.local["b"], machine.remote["a"]) == (["c"], "there", "here")


def test_what_conflicts_have_replaced_stays_in_the_trash_as_long_as_was_asked(machine: Machine):
    trash = machine.folder / ".skyhold-sync.trash"
    for folder in ("20200101T000000Z", "20200102T000000Z", "mine"):
        (trash / folder).mkdir(parents=True)
        (trash / folder / "old").write_text("old")
    machine.write(a="here")
    machine.library.publish("a", b"there")
    assert machine.sync(conflict="remote", trash_days=1e5).notes == []
    assert len(list(trash.iterdir())) == 4
    assert any("more than 30 days ago" in note for note in machine.sync().notes)
    assert len(list(trash.iterdir())) == 4
    assert machine.sync(trash_days=30).notes == []
    assert sorted(path.read_text() for path in trash.rglob("*") if path.is_file()) == ["here", "old"]
    with pytest.raises(BadOptionError, match="negative"):
        machine.sync(trash_days=-1)


def test_newest_goes_by_the_times_of_both_sides(machine: Machine):
    _agreed(machine, a="base", b="base")
    machine.write(a="mine", b="mine")
    machine.library.publish("a", b"theirs")
    machine.library.publish("b", b"theirs")
    os.utime(machine.folder / "a", (1, 1))
    os.utime(machine.folder / "b", (4_000_000_000, 4_000_000_000))
    machine.sync(conflict="newest")
    assert machine.local == machine.remote == {"a": "theirs", "b": "mine"}


def test_an_edit_beats_a_deletion(machine: Machine):
    _agreed(machine, a="base", b="base", c="c")
    machine.write(a="edited here")
    machine.library.delete("a")
    (machine.folder / "b").unlink()
    machine.library.publish("b", b"edited there")
    machine.sync()
    assert machine.local == machine.remote == {"a": "edited here", "b": "edited there", "c": "c"}


def test_deletions_are_not_followed_unless_it_is_asked_for(machine: Machine):
    _agreed(machine, a="one", b="two", c="three")
    (machine.folder / "a").unlink()
    machine.library.delete("b")
    machine.sync(delete_files=False)
    assert machine.local == machine.remote == {"a": "one", "b": "two", "c": "three"}


def test_renames_are_followed_on_both_sides_without_moving_content(machine: Machine, tmp_path: Path):
    _agreed(machine, a="one", b="two", c="three", d="four")
    other = Machine(tmp_path / "other", machine.library)
    other.sync()
    (machine.folder / "a").rename(machine.folder / "moved")
    (machine.folder / "sub").mkdir()
    (machine.folder / "b").rename(machine.folder / "sub" / "b2")
    assert machine.sync().paths("rename_remote") == ["a", "b"]
    inode = (other.folder / "a").stat().st_ino
    result = other.sync()
    assert (result.paths("rename_local"), result.paths("download")) == (["a", "b"], [])
    assert (other.folder / "moved").stat().st_ino == inode
    assert machine.local == other.local == machine.remote
    assert set(other.local) == {"moved", "sub/b2", "c", "d"}
    assert machine.sync().done == other.sync().done == []


def test_uploading_only_leaves_the_folder_as_it_is(machine: Machine):
    _agreed(machine, a="one", b="two", c="three", d="four")
    machine.write(a="edited", new="new")
    machine.library.publish("b", b"edited there")
    machine.library.publish("theirs", b"new there")
    (machine.folder / "c").unlink()
    before = machine.local
    result = machine.sync(direction="upload")
    assert machine.local == before
    assert machine.remote == {"a": "edited", "b": "edited there", "d": "four", "new": "new", "theirs": "new there"}
    assert set(result.left) == {"b", "theirs"}


def test_downloading_only_leaves_the_library_as_it_is(machine: Machine):
    _agreed(machine, a="one", b="two", c="three", d="four")
    machine.write(a="edited", new="new")
    machine.library.publish("b", b"edited there")
    machine.library.delete("c")
    (machine.folder / "d").unlink()
    before = machine.remote
    machine.sync(direction="download")
    assert machine.remote == before
    assert machine.local == {"a": "edited", "b": "edited there", "d": "four", "new": "new"}


def test_without_overwrite_nothing_is_replaced(machine: Machine):
    _agreed(machine, a="one", b="two", c="three")
    machine.write(a="edited", c="mine")
    machine.library.publish("b", b"edited there")
    machine.library.publish("c", b"theirs")
    local, remote = machine.local, machine.remote
    result = machine.sync(overwrite=False)
    assert (machine.local, machine.remote) == (local, remote)
    assert set(result.left) == {"a", "b", "c"}


def test_a_write_by_another_program_after_the_listing_becomes_a_conflict_not_a_loss(machine: Machine):
    _agreed(machine, a="base", b="x")
    machine.write(a="mine")
    inner = machine.library.store
    store = _Meddled(inner, "a", lambda: inner.write("a", b"theirs, by another program"))
    machine.library = Library(store, author="ann")
    machine.sync()
    kept = next(path for path in machine.local if "conflict" in path)
    assert machine.local == machine.remote
    everything = {
        version.number: machine.library.read("a", version=version.number) for version in machine.library.log("a")
    }
    assert b"theirs, by another program" in everything.values()
    assert "mine" in {*machine.local.values(), *(content.decode() for content in everything.values())}
    assert {machine.local["a"], machine.local[kept]} == {"mine", "theirs, by another program"}


def test_a_version_that_somebody_publishes_after_the_listing_becomes_a_conflict(machine: Machine):
    _agreed(machine, a="base", b="x", c="x")
    machine.write(a="mine", b="edited")
    inner = machine.library.store
    other = Library(inner, author="bob")
    key = ".skyhold/versions/a/@/00000002.json"
    machine.library = Library(_Meddled(inner, key, lambda: other.publish("a", b"theirs")), author="ann")
    result = machine.sync()
    assert machine.local == machine.remote
    assert set(machine.local.values()) == {"mine", "theirs", "edited", "x"}
    assert list(result.kept) == ["a"]
    assert result.counts["unchanged"] == 1  # what an earlier round has done is not counted twice


def test_a_problem_that_is_gone_when_others_are_looked_at_again_is_none(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    _agreed(machine, a="base", b="x")
    machine.write(a="mine", c="being written")
    inner = machine.library.store
    other = Library(inner, author="bob")
    key = ".skyhold/versions/a/@/00000002.json"
    machine.library = Library(_Meddled(inner, key, lambda: other.publish("a", b"theirs")), author="ann")
    busy = {"c"}

    def hash_unchanged(path: Path) -> tuple[str, folder_scan.Stamp]:
        if path.name in busy:
            busy.remove(path.name)
            raise ConflictError("the file changed while it was read")
        return folder_scan.hash_unchanged(path)

    monkeypatch.setattr(sync_view, "hash_unchanged", hash_unchanged)
    result = machine.sync()
    assert (result.problems, result.success) == ({}, True)
    assert machine.remote["c"] == "being written"


def test_a_file_that_is_edited_between_the_plan_and_the_download_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    _agreed(machine, a="base", b="x")
    machine.library.publish("a", b"theirs")
    real, done = sync_session.look, []

    def edit_after(*arguments: Any, **options: Any) -> Any:
        found = real(*arguments, **options)
        if not done:
            done.append(1)
            machine.write(a="mine, at the last moment")
        return found

    monkeypatch.setattr(sync_session, "look", edit_after)
    machine.sync()
    assert machine.local == machine.remote
    assert set(machine.local.values()) == {"mine, at the last moment", "theirs", "x"}


def test_a_damaged_download_is_refused_and_the_file_stays(machine: Machine):
    _agreed(machine, a="base", b="x")
    inner = machine.library.store
    machine.library.publish("a", b"theirs, and longer")
    machine.library = Library(_Flipping(inner, "a", ".skyhold/blobs", ".skyhold/deltas"), author="ann")
    with pytest.raises(TransferError) as caught:
        machine.sync()
    assert isinstance(caught.value.failures["a"], IntegrityError)
    assert machine.local == {"a": "base", "b": "x"}
    machine.library = Library(_Flipping(inner, "a"), author="ann")  # the history is whole: it comes from there
    machine.sync()
    assert machine.local == {"a": "theirs, and longer", "b": "x"}


def test_what_another_program_writes_or_deletes_is_followed_and_becomes_versions(machine: Machine):
    _agreed(machine, a="one", b="two", c="three", d="four")
    store = machine.library.store
    store.write("a", b"edited by a script")
    store.write("new.txt", b"new by a script")
    store.delete("b")
    machine.sync()
    assert (
        machine.local
        == machine.remote
        == {
            "a": "edited by a script",
            "new.txt": "new by a script",
            "c": "three",
            "d": "four",
        }
    )
    assert machine.library.info("a").origin == "outside"
    assert machine.library.info("b").is_deleted
    assert machine.library.read("b", version=1) == b"two"
    assert machine.library.info("new.txt").number == 1
    assert machine.sync().done == []


def test_where_the_state_is_lost_nothing_is_deleted_or_overwritten(machine: Machine):
    _agreed(machine, a="one", b="two", c="three")
    (machine.folder / "a").unlink()
    machine.write(b="edited")
    machine.library.delete("c")
    for file in machine.folder.glob(f"{STATE_NAME}*"):
        file.unlink()
    result = machine.sync()
    assert machine.local == machine.remote
    assert sorted(machine.local.values()) == ["edited", "one", "three", "two"]
    assert result.conflicts == ["b"]


def test_a_damaged_state_is_told_and_loses_nothing(machine: Machine):
    _agreed(machine, a="one", b="two")
    (machine.folder / STATE_NAME).write_bytes(b"nothing of the kind" * 1000)
    (machine.folder / "a").unlink()
    result = machine.sync()
    assert machine.local == {"a": "one", "b": "two"}
    assert "damaged" in result.get_summary_string()


def test_a_state_that_holds_what_is_no_text_is_told_and_loses_nothing(machine: Machine):
    _agreed(machine, gripper="one", b="two")
    file = machine.folder / STATE_NAME
    file.write_bytes(file.read_bytes().replace(b"gripper", b"gr\xffpper"))
    (machine.folder / "gripper").unlink()
    result = machine.sync()
    assert machine.local == {"gripper": "one", "b": "two"}
    assert "damaged" in result.get_summary_string()


def test_an_empty_folder_deletes_nothing_unless_it_is_confirmed(machine: Machine):
    _agreed(machine, a="one", b="two")
    for name in ("a", "b"):
        (machine.folder / name).unlink()
    with pytest.raises(DeleteGuardError, match="folder is empty"):
        machine.sync()
    assert machine.remote == {"a": "one", "b": "two"}
    machine.sync(confirmed=True)
    assert machine.remote == {}
    machine.library.undelete("a")
    machine.sync()
    assert machine.local == machine.remote == {"a": "one"}


def test_a_library_that_was_emptied_with_its_history_takes_no_file_along(machine: Machine):
    _agreed(machine, a="one", b="two", c="three")
    machine.library.store.delete([info.key for info in machine.library.store.list()])
    machine.library = Library(machine.library.store)
    with pytest.raises(DeleteGuardError, match="store is empty"):
        machine.sync()
    machine.sync(confirmed=True)
    assert machine.local == machine.remote == {"a": "one", "b": "two", "c": "three"}


@pytest.mark.parametrize("scheme", ["file", "mock"])
def test_a_dry_run_into_a_folder_that_would_be_made_makes_none(scheme: str, tmp_path: Path):
    machine = Machine(tmp_path / "here", Library(f"{scheme}://{tmp_path}/there/deep", author="ann"))
    machine.write(a="one")
    result = machine.synchronizer().dry_run()
    assert "upload        a" in result.get_summary_string()
    assert not (tmp_path / "there").exists()
    with pytest.raises(BucketNotFoundError):
        machine.synchronizer(direction="download").dry_run()
    assert machine.sync().paths("upload") == ["a"]


def test_a_dry_run_of_a_bucket_that_is_missing_fails_as_the_run_would(tmp_path: Path, moto: Any):
    machine = Machine(tmp_path / "here", Library(f"s3://missing-{uuid4().hex}", author="ann", **moto.options))
    machine.write(a="one")
    for work in (machine.synchronizer().dry_run, machine.sync):
        with pytest.raises(BucketNotFoundError):
            work()


def test_a_dry_run_prints_the_plan_and_changes_nothing(machine: Machine):
    _agreed(machine, a="one", b="two", c="three", d="four")
    machine.write(a="edited")
    machine.library.publish("b", b"edited there")
    machine.library.store.write("d", b"by a script")
    (machine.folder / "c").unlink()
    local, remote = machine.local, machine.remote
    keys = [info.key for info in machine.library.store.list()]
    result = machine.synchronizer().dry_run()
    assert (machine.local, machine.remote) == (local, remote)
    assert [info.key for info in machine.library.store.list()] == keys
    summary = result.get_summary_string()
    for line in ("upload        a", "download      b", "delete remote c", "download      d"):
        assert line in summary
    assert result.as_dict()["plan"]["actions"]


def test_only_files_of_the_patterns_are_touched(machine: Machine):
    machine.write(a__stl="one", b__txt="two")
    machine.library.publish("c.stl", b"three")
    machine.library.publish("d.txt", b"four")
    machine.sync(file_patterns=["*.stl"])
    assert set(machine.local) == {"a.stl", "b.txt", "c.stl"}
    assert set(machine.remote) == {"a.stl", "c.stl", "d.txt"}
    assert machine.sync(file_patterns=["*.txt"]).counts["deleted_local"] == 0
    assert set(machine.local) == set(machine.remote)


@pytest.mark.parametrize("prefix", ["robot", "robot/"])
def test_a_prefix_is_a_folder_and_no_neighbour_whose_name_goes_on(machine: Machine, prefix: str):
    machine.library.publish("robot/arm", b"arm")
    machine.library.publish("robots/leg", b"leg")
    machine.sync(prefix=prefix)
    assert machine.local == {"arm": "arm"}
    machine.write(hand="hand")
    machine.sync(prefix=prefix)
    assert machine.remote == {"robot/arm": "arm", "robot/hand": "hand", "robots/leg": "leg"}


def test_a_folder_can_be_a_part_of_the_library(machine: Machine):
    machine.library.publish("robots/arm", b"arm")
    machine.library.publish("cars/wheel", b"wheel")
    machine.write(leg="leg")
    machine.sync(prefix="robots/")
    assert machine.local == {"leg": "leg", "arm": "arm"}
    assert machine.remote == {"robots/arm": "arm", "robots/leg": "leg", "cars/wheel": "wheel"}
    assert machine.sync(prefix="robots/").done == []


def test_links_are_told_and_neither_followed_nor_replaced(machine: Machine, tmp_path: Path):
    _agreed(machine, a="one", b="two", c="three")
    (tmp_path / "secret").write_text("secret")
    (machine.folder / "a").unlink()
    (machine.folder / "a").symlink_to(tmp_path / "secret")
    (machine.folder / "inside").symlink_to(tmp_path)
    machine.library.publish("a", b"edited there")
    machine.library.publish("inside/secret", b"overwritten?")
    result = machine.sync()
    assert "symbolic link" in result.problems["a"]
    assert "symbolic link" in result.problems["inside/secret"]
    assert (tmp_path / "secret").read_text() == "secret"
    assert machine.remote["a"] == "edited there"
    assert "symbolic link" in result.get_summary_string()


def test_names_that_the_other_side_cannot_hold_are_told_and_the_rest_is_done(machine: Machine):
    machine.put("bad\nname", "one")
    machine.put("@/x", "two")
    machine.put("good", "three")
    machine.library.store.write(".skyhold-sync.sqlite", b"evil")
    machine.library.store.write("n" * 300, b"long")
    result = machine.sync()
    assert set(result.problems) == {"bad\nname", "@/x", ".skyhold-sync.sqlite", "n" * 300}
    assert machine.remote["good"] == "three"
    assert "n" * 300 not in machine.local


def test_a_file_where_the_other_side_has_a_folder_fails_alone_and_loses_nothing(machine: Machine):
    machine.put("x/inner", "here")
    machine.put("good", "here")
    machine.library.publish("x", b"there")
    with pytest.raises(TransferError) as caught:
        machine.sync()
    assert set(caught.value.failures) == {"x", "x/inner"}
    assert machine.local == {"x/inner": "here", "good": "here"}
    assert machine.remote == {"x": "there", "good": "here"}


def test_a_file_that_cannot_be_read_is_told_and_stays_on_the_other_side(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    _agreed(machine, a="one", b="two")
    machine.write(a="edited", b="edited")
    real = os.open

    def refuse(path: Any, *arguments: Any, **options: Any) -> int:
        if str(path) == str(machine.folder / "a"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    result = machine.sync()
    assert "Permission denied" in result.problems["a"]
    assert machine.remote == {"a": "one", "b": "edited"}


def test_names_in_another_unicode_form_are_one_file(machine: Machine, tmp_path: Path):
    apart, composed = "Tra\u0308ger", "Tr\u00e4ger"
    machine.put(apart, "one")
    machine.put("x", "x")
    machine.sync()
    assert set(machine.remote) == {composed, "x"}
    machine.library.publish(composed, b"edited there")
    machine.sync()
    assert machine.local == {apart: "edited there", "x": "x"}
    machine.put(apart, "edited here")
    machine.sync()
    assert machine.remote[composed] == "edited here"
    (machine.folder / apart).unlink()
    machine.sync()
    assert set(machine.remote) == {"x"}


def test_an_object_that_another_program_named_in_another_unicode_form_is_followed_under_its_own_name(machine: Machine):
    apart, composed = "Tra\u0308ger", "Tr\u00e4ger"
    machine.library.publish(apart, b"one")
    machine.library.publish("x", b"x")
    machine.sync()
    assert set(machine.local) == {composed, "x"}
    machine.put(composed, "edited here")
    machine.sync()
    assert machine.remote == {apart: "edited here", "x": "x"}


def test_a_folder_that_does_not_tell_capitals_apart_gets_one_of_two(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.library.publish("Arm.stl", b"one")
    machine.library.publish("arm.stl", b"two")
    monkeypatch.setattr(sync_view, "is_case_sensitive", lambda root, known: False)
    result = machine.sync()
    assert list(result.problems) == ["arm.stl"]
    assert machine.local == {"Arm.stl": "one"}
    assert machine.remote == {"Arm.stl": "one", "arm.stl": "two"}


def test_a_folder_that_does_not_tell_capitals_apart_gets_one_of_two_folders(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sync_view, "is_case_sensitive", lambda root, known: False)
    machine.put("sub/mine", "mine")
    machine.library.publish("SUB/theirs", b"theirs")
    result = machine.sync()
    assert result.problems == {"SUB/theirs": "the folder does not tell it from 'sub'"}
    assert machine.local == {"sub/mine": "mine"}
    assert machine.remote == {"sub/mine": "mine", "SUB/theirs": "theirs"}


@pytest.mark.parametrize("delete_files", [True, False])
def test_a_file_that_only_gets_other_capitals_is_renamed_where_the_folder_does_not_tell_them_apart(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, delete_files: bool
):
    monkeypatch.setattr(sync_view, "is_case_sensitive", lambda root, known: False)
    machine.put("sub/Arm.stl", "arm")
    machine.sync()
    (machine.folder / "sub/Arm.stl").rename(machine.folder / "sub/ARM.stl")
    result = machine.sync(delete_files=delete_files)
    assert machine.local == {"sub/ARM.stl": "arm"}
    if delete_files:
        assert (result.paths("rename_remote"), result.success) == (["sub/Arm.stl"], True)
        assert machine.remote == {"sub/ARM.stl": "arm"}
    else:
        assert list(result.problems) == ["sub/Arm.stl"]
        assert machine.remote == {"sub/ARM.stl": "arm", "sub/Arm.stl": "arm"}


def test_a_file_is_there_only_under_exactly_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    files = sync_files.SyncFiles(tmp_path, host="desk", moment=datetime.now(UTC))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/ARM").touch()
    monkeypatch.setattr(sync_files, "stamp_of", lambda path: folder_scan.stamp_of(tmp_path / "sub/ARM"))
    assert [files.has(name) for name in ("sub/ARM", "sub/Arm", "SUB/ARM")] == [True, False, False]


def test_a_component_that_somebody_locked_is_not_replaced(machine: Machine):
    _agreed(machine, a="one", b="two")
    machine.write(a="edited", b="edited")
    Library(machine.library.store, author="bob").locks.take("a")
    with pytest.raises(TransferError) as caught:
        machine.sync()
    assert isinstance(caught.value.failures["a"], LockedError)
    assert machine.remote == {"a": "one", "b": "edited"}


def test_a_component_that_somebody_locked_is_not_deleted(machine: Machine):
    _agreed(machine, a="one", b="two")
    Library(machine.library.store, author="bob").locks.take("a")
    for name in "ab":
        (machine.folder / name).unlink()
    with pytest.raises(TransferError, match="held by 'bob'") as caught:
        machine.sync(confirmed=True)
    assert list(caught.value.failures) == ["a"]
    assert machine.remote == {"a": "one"}


def test_a_lock_keeps_a_name_that_has_no_version_yet(machine: Machine):
    Library(machine.library.store, author="bob").locks.take("sub/new", reason="mine soon")
    machine.write(other="one")
    machine.put("sub/new", "two")
    with pytest.raises(TransferError, match="held by 'bob'") as caught:
        machine.sync()
    assert list(caught.value.failures) == ["sub/new"]
    assert machine.remote == {"other": "one"}
    machine.library.locks.release("sub/new", force=True, reason="bob has left")
    machine.sync()
    assert machine.remote == {"other": "one", "sub/new": "two"}


@pytest.mark.parametrize("change", ["new", "edited", "in conflict"])
def test_a_lock_that_is_taken_while_others_go_up_is_kept(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, change: str
):
    monkeypatch.setattr(seen_names, "_KNOWN_FOR_S", 0.0)
    if change != "new":
        _agreed(machine, b="agreed")
    machine.write(b="changed")
    if change == "in conflict":
        machine.library.publish("b", b"another")
    bob = Library(machine.library.store, author="bob")
    store = _Meddled(machine.library.store, head_key("a"), lambda: bob.locks.take("b"))
    machine.write(a="goes up first")
    monkeypatch.setattr(sync_session, "_LANES", ((10**6, 1),))
    before = machine.remote
    with pytest.raises(TransferError, match="held by 'bob'"):
        Machine(machine.folder, Library(store, author="ann")).sync(conflict="local")
    assert machine.remote == {**before, "a": "goes up first"}


def test_a_long_upload_asks_for_its_lock_however_new_the_list_is(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(seen_names, "_KNOWN_FOR_S", 1e9)
    monkeypatch.setattr(sync_locks, "_LONG_BYTES", 4)
    monkeypatch.setattr(sync_session, "_LANES", ((10**6, 1),))
    bob = Library(machine.library.store, author="bob")

    def take() -> None:
        bob.locks.take("b")
        bob.locks.take("c")

    store = _Meddled(machine.library.store, head_key("a"), take)
    machine.write(a="one", b="long enough", c="tiny")
    with pytest.raises(TransferError) as caught:
        Machine(machine.folder, Library(store, author="ann")).sync()
    assert list(caught.value.failures) == ["b"]


def test_there_must_be_room_on_the_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.library.publish("a", b"content")
    monkeypatch.setattr(sync_session.shutil, "disk_usage", lambda path: SimpleNamespace(free=5))
    with pytest.raises(StorageError, match="downloads need 7 B, and the disk has 5 B free"):
        machine.sync()
    assert machine.local == {}


def test_large_files_go_both_ways(machine: Machine, tmp_path: Path):
    content = "0123456789abcdef" * 600_000
    machine.put("large.bin", content)
    machine.sync()
    other = Machine(tmp_path / "other", machine.library)
    other.sync()
    assert other.local == {"large.bin": content}
    assert other.sync().done == []
    assert not list(other.folder.glob(".skyhold-sync.parts*"))


def test_progress_is_told_in_words_and_as_events(machine: Machine):
    machine.write(a="one", b="two")
    words: list[str] = []
    events: list[Any] = []
    result = machine.synchronizer().synchronize(words.append, on_progress=events.append)
    assert any(line.startswith("upload") and " a " in line for line in words)
    assert events[-1].done == events[-1].total == 2
    assert result.get_summary_string().startswith("Synchronized in ")
    assert "2 uploaded" in result.get_summary_string()


def test_a_stopped_synchronization_says_so_and_the_next_goes_on(machine: Machine):
    machine.write(**{f"f{number}": "x" for number in range(10)})
    stop = threading.Event()
    stop.set()
    result = machine.synchronizer().synchronize(stop=stop)
    assert result.done == []
    assert result.get_summary_string().startswith("Stopped in ")
    assert (result.stopped, result.success) == (True, False)
    assert machine.sync().counts["uploaded"] == 10


def test_a_missing_folder_is_made_for_downloads_and_refused_for_uploads(machine: Machine, tmp_path: Path):
    machine.library.publish("a", b"one")
    missing = tmp_path / "missing"
    with pytest.raises(KeyNotFoundError, match="no such folder"):
        StorageSynchronizer(machine.library, SyncConfig(missing, direction="upload")).synchronize()
    assert not missing.exists()
    StorageSynchronizer(machine.library, SyncConfig(missing)).synchronize()
    assert (missing / "a").read_text() == "one"


def test_what_was_only_told_as_a_problem_is_never_called_done(machine: Machine, tmp_path: Path):
    machine.write(a="one")
    assert machine.sync().success
    (machine.folder / "link").symlink_to(tmp_path)
    machine.write(b="two")
    result = machine.sync()
    assert (result.paths("upload"), list(result.problems), result.success) == (["b"], ["link"], False)
    assert result.get_summary_string().startswith("Synchronized all but 1 in ")
    assert result.as_dict()["success"] is False
    receipt = default_journal().list_runs()[0].receipt
    assert receipt is not None
    assert receipt.counts["problems"] == 1
    (machine.folder / "link").unlink()
    assert machine.sync().success


def test_a_conflict_that_waits_for_a_choice_is_not_done_and_one_that_may_not_be_settled_is(machine: Machine):
    machine.write(a="one")
    machine.library.publish("a", b"two")
    waiting = machine.sync(conflict="ask")
    assert (waiting.waiting, waiting.success, waiting.counts["waiting"]) == (["a"], False, 1)
    assert waiting.get_summary_string().startswith("Synchronized all but 1 in ")
    left = machine.sync(overwrite=False)
    assert (list(left.left), left.waiting, left.success) == (["a"], [], True)
    machine.synchronizer(conflict="ask").resolve("a", "local")
    assert machine.sync(conflict="ask").success


def test_a_store_that_ignores_conditions_is_told_where_something_is_written(
    rclone: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(conditions, "_warned", set())
    machine = Machine(tmp_path / "folder", Library(f"s3://{make_bucket(rclone)}", **rclone.options))
    machine.write(a="one")
    notes = machine.sync().notes
    assert len(notes) == 1
    assert "ignores conditions on writes" in notes[0]
    assert "ignores conditions on writes" in caplog.text
    assert machine.sync().notes == []
    other = Machine(tmp_path / "other", machine.library)
    assert other.sync().notes == []
    assert other.local == {"a": "one"}


def test_whatever_has_a_library_can_be_synchronized_with(machine: Machine):
    machine.write(a="one")
    manager: Any = SimpleNamespace(library=machine.library)
    assert StorageSynchronizer(manager, SyncConfig(machine.folder)).synchronize().paths("upload") == ["a"]


@pytest.mark.parametrize(
    "options", [{"direction": "up"}, {"conflict": "mine"}, {"file_patterns": "*.stl"}, {"file_patterns": []}]
)
def test_options_that_cannot_be_are_refused_at_once(options: Any):
    with pytest.raises(BadOptionError):
        SyncConfig("folder", **options)


def test_new_files_take_four_requests_each_and_edits_and_deletions_seven(machine: Machine, moto: Any):
    machine.library = Library(f"s3://{make_bucket(moto)}", **moto.options)
    _agreed(machine, first="so that the library is there")

    def requests_of(work: Callable[[], object]) -> dict[str, int]:
        work()
        receipt = default_journal().list_runs()[0].receipt
        assert receipt is not None
        return {kind: receipt.requests.get(kind, 0) for kind in ("read", "write", "list")}

    idle = requests_of(machine.sync)
    for number in range(10):
        machine.put(f"sub/f{number}", f"new {number}")
    new = requests_of(machine.sync)
    assert new["write"] == 40
    assert new["read"] <= 2  # whether the folder is a component, and whether the library can be read
    assert new["list"] <= idle["list"] + 1  # of locks
    for number in range(10):
        machine.put(f"sub/f{number}", f"edited {number}")
    edited = requests_of(machine.sync)
    assert edited["write"] == 40
    assert edited["read"] <= 31
    for number in range(10):
        (machine.folder / f"sub/f{number}").unlink()
    deleted = requests_of(lambda: machine.sync(confirmed=True))
    assert deleted["write"] == 20  # a record and a head each; deletions themselves count as neither
    assert deleted["read"] <= 41
    assert deleted["list"] <= idle["list"] + 2  # of locks, and of what is needed
    assert machine.local == machine.remote == {"first": "so that the library is there"}


def test_a_file_in_the_folder_of_a_component_of_several_files_is_no_component(machine: Machine):
    machine.library.publish("robot/left", b"published by itself")
    machine.library.delete("robot/left")
    (machine.folder / "parts").mkdir()
    (machine.folder / "parts" / "arm").write_text("arm")
    machine.library.publish("robot", {"arm": machine.folder / "parts" / "arm"})
    machine.put("robot/mine", "mine")
    machine.put("robot.txt", "fine")
    with pytest.raises(TransferError) as caught:
        machine.sync()
    assert list(caught.value.failures) == ["robot/mine"]
    assert "'robot' is a component itself" in str(caught.value)
    assert machine.local["robot/arm"] == "arm"
    assert machine.remote == {"robot/arm": "arm", "robot.txt": "fine", "parts/arm": "arm"}
