"""Synchronization under rough hands: names that change their kind, links, strange places, a disk that is full."""

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.components.library import Library
from skyhold.components.sync_config import SyncConfig
from skyhold.components.sync_state import STATE_NAME, Remembered, SyncState
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.errors import AccessDeniedError, BadOptionError, TransferError
from sync_sides import Machine


@pytest.fixture(params=["memory", "file"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> Library:
    return Library(f"memory://rough-{uuid4().hex}" if request.param == "memory" else str(tmp_path / "library"))


@pytest.fixture
def machine(tmp_path: Path, library: Library) -> Machine:
    return Machine(tmp_path / "folder", library)


def _file_becomes_folder(machine: Machine, content: str) -> None:
    (machine.folder / "arm").unlink()
    machine.put("arm/left", content)


def _folder_becomes_file(machine: Machine, content: str) -> None:
    (machine.folder / "leg/left").unlink()
    (machine.folder / "leg").rmdir()
    machine.put("leg", content)


@pytest.mark.parametrize("content", ["the same", "another"])
@pytest.mark.parametrize("change", [_file_becomes_folder, _folder_becomes_file])
def test_a_name_that_was_a_file_may_become_a_folder_and_the_other_way_round(
    tmp_path: Path, library: Library, change: Callable[[Machine, str], None], content: str
):
    here, there = Machine(tmp_path / "here", library), Machine(tmp_path / "there", library)
    for path in ("arm", "leg/left"):
        here.put(path, "the same")
    for number in range(4):
        here.put(f"other-{number}", str(number))
    here.sync()
    there.sync()
    change(here, content)
    here.sync()
    assert here.remote == here.local
    there.sync()
    assert there.local == here.local
    assert not here.sync().done
    assert not there.sync().done


def test_what_lies_below_a_link_is_never_taken_for_deleted_whatever_the_patterns_are(tmp_path: Path, machine: Machine):
    for name in ("arm/left.stl", "a.stl", "b.stl", "c.stl"):
        machine.put(name, name)
    machine.sync(file_patterns=["*.stl"])
    (machine.folder / "arm").rename(tmp_path / "elsewhere")
    (machine.folder / "arm").symlink_to(tmp_path / "elsewhere")
    result = machine.sync(file_patterns=["*.stl"])
    assert not result.done
    assert "symbolic link" in result.problems["arm/left.stl"]
    assert machine.remote["arm/left.stl"] == "arm/left.stl"


def test_nothing_is_downloaded_through_a_link_that_stays_in_the_folder(machine: Machine):
    (machine.folder / "other").mkdir()
    (machine.folder / "arm").symlink_to("other")
    machine.library.publish("arm/left.stl", b"solid")
    assert not machine.sync(file_patterns=["*.stl"]).done
    assert not list((machine.folder / "other").iterdir())


@pytest.mark.parametrize(("folder", "place"), [("a", "a/library"), ("a/parts", "a"), ("a", "a"), ("a", "b/../a/lib")])
@pytest.mark.parametrize("scheme", ["file", "mock"])
def test_a_library_in_the_folder_or_around_it_is_refused(tmp_path: Path, folder: str, place: str, scheme: str):
    (tmp_path / "a" / "parts").mkdir(parents=True)
    (tmp_path / "a" / "arm.stl").write_text("solid")
    before = sorted(tmp_path.rglob("*"))
    synchronizer = StorageSynchronizer(f"{scheme}://{tmp_path / place}", SyncConfig(tmp_path / folder))
    for attempt in (synchronizer.synchronize, synchronizer.dry_run):
        with pytest.raises(BadOptionError, match="cannot be synchronized"):
            attempt()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_whose_name_only_begins_like_the_librarys_is_none_of_it(tmp_path: Path):
    machine = Machine(tmp_path / "parts", Library(str(tmp_path / "parts-library")))
    machine.put("arm", "solid")
    assert machine.sync().paths("upload") == ["arm"]


def test_a_file_of_a_component_of_several_never_becomes_a_component_of_its_own(tmp_path: Path, machine: Machine):
    for name in ("left", "right"):
        (tmp_path / name).write_text(name)
    machine.library.publish("robot", {"left": tmp_path / "left", "right": tmp_path / "right"})
    machine.sync()
    machine.put("robot/left", "edited")
    with pytest.raises(TransferError, match="'robot' is a component itself"):
        machine.sync()
    assert [each.component for each in machine.library.list()] == ["robot"]
    assert machine.local["robot/left"] == "edited"
    assert machine.remote["robot/left"] == "left"


class _Counted(dict[str, Remembered]):
    asked = 0

    def __getitem__(self, path: str) -> Remembered:
        self.asked += 1
        return super().__getitem__(path)


def _asked_for_renames(machine: Machine, files: int, monkeypatch: pytest.MonkeyPatch) -> int:
    machine.write(**{f"old{number}": "x" * number for number in range(files)})
    machine.sync()
    for number in range(files):
        machine.library.delete(f"old{number}")
        machine.library.publish(f"new{number}", b"y" * (number + 1000))
    load = SyncState.load
    with monkeypatch.context() as patch:
        counted = _Counted()
        patch.setattr(SyncState, "load", lambda state: counted.update(load(state)) or counted)
        machine.synchronizer().plan()
    machine.sync(confirmed=True)
    return counted.asked


def test_looking_for_renames_takes_no_step_for_each_pair_of_files(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    few, many = (_asked_for_renames(machine, files, monkeypatch) for files in (10, 40))
    assert 0 < many < 6 * few


def test_a_summary_shows_names_that_a_terminal_would_obey(machine: Machine):
    machine.put("red\x1b[31m\nline", "x")
    result = machine.sync()
    assert "\x1b" not in result.get_summary_string()
    assert len(result.get_summary_string().splitlines()) == 2
    assert "\x1b" not in machine.synchronizer().dry_run().get_summary_string()


def test_a_name_that_is_no_text_is_a_problem_and_no_crash(tmp_path: Path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with (folder / os.fsdecode(b"bad\xff.stl")).open("w") as file:
        file.write("x")
    for more in ([], ["--json"], ["--dry-run"]):
        command = [sys.executable, "-m", "skyhold.cli", "sync", str(folder), str(tmp_path / "library"), *more]
        done = subprocess.run(
            command, check=False, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"}
        )
        assert done.returncode == (0 if "--dry-run" in more else 1), done.stderr
        assert b"bad\\udcff.stl" in done.stdout


@pytest.mark.parametrize("library", ["memory"], indirect=True)
@pytest.mark.parametrize(("size_bytes", "has_links"), [(10, True), (10, False), (9_000_000, True)])
@pytest.mark.parametrize("how", ["new", "edited", "in conflict", "by itself"])
def test_content_is_on_the_disk_before_it_gets_its_name(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, how: str, size_bytes: int, has_links: bool
):
    if how != "new":
        machine.write(a="before")
        machine.sync()
    if how == "in conflict":
        machine.write(a="mine")
    machine.library.publish("a", b"x" * size_bytes)
    on_disk: set[int] = set()
    named: list[bool] = []
    fsync, replace, link = os.fsync, os.replace, os.link

    def force(handle: int) -> None:
        fsync(handle)
        on_disk.add(os.fstat(handle).st_ino)

    def name(real: Callable[..., None], source: Any, target: Any) -> None:
        if Path(target) == machine.folder / "a":
            named.append(Path(source).stat().st_ino in on_disk)
        if real is link and not has_links:
            raise OSError(errno.EPERM, "no links here")
        real(source, target)

    monkeypatch.setattr(os, "fsync", force)
    monkeypatch.setattr(os, "replace", lambda source, target: name(replace, source, target))
    monkeypatch.setattr(os, "link", lambda source, target, **_: name(link, source, target))
    if how == "by itself":
        machine.library.get("a", machine.folder / "a")
    else:
        machine.sync()
    assert (machine.folder / "a").stat().st_size == size_bytes
    assert named
    assert all(named)


def _full(state: SyncState) -> None:
    state._database.execute("PRAGMA max_page_count = 1")


def test_a_disk_that_is_full_is_told_by_name_and_loses_nothing(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.write(first="1")
    machine.sync()
    start = SyncState._prepare

    def prepare(state: SyncState) -> None:
        start(state)
        _full(state)

    monkeypatch.setattr(SyncState, "_prepare", prepare)
    for number in range(100):
        machine.put(f"part-{number}", "x" * 50)
    with pytest.raises(TransferError, match="disk is full") as caught:
        machine.sync()
    assert all(isinstance(error, AccessDeniedError) for error in caught.value.failures.values())
    monkeypatch.undo()
    machine.sync()
    assert machine.local == machine.remote


def test_a_state_that_another_program_holds_is_not_thrown_away(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    machine.write(first="1", second="2")
    machine.sync()
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **options: connect(*given, **{**options, "timeout": 0.05}))
    other = connect(machine.folder / STATE_NAME, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(AccessDeniedError, match="locked"):
            machine.sync()
    finally:
        other.execute("COMMIT")
        other.close()
    assert not list(machine.folder.glob(".skyhold-sync.damaged*"))
    assert machine.sync().unchanged == 2


def _no_link(*names: object, **options: object) -> None:
    del options
    raise PermissionError(errno.EPERM, "Operation not permitted", str(names[0]))


def test_a_disk_without_hard_links_serves_for_all_that_is_done(
    tmp_path: Path, library: Library, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "link", _no_link)
    here, there = Machine(tmp_path / "here", library), Machine(tmp_path / "there", library)
    here.write(first="1", second="2", third="3", fourth="4")
    here.sync()
    there.sync()
    assert there.local == here.local
    (here.folder / "first").rename(here.folder / "renamed")
    here.write(second="here", third="here")
    there.write(second="there", third="there")
    here.sync()
    result = there.sync()
    assert sorted(result.kept) == ["second", "third"]
    here.sync()
    assert here.local == there.local == here.remote
    assert sorted(here.local.values()) == ["1", "4", "here", "here", "there", "there"]
    here.write(fourth="here")
    there.write(fourth="there")
    here.sync()
    kept = there.sync(conflict="remote").kept["fourth"]
    assert Path(kept).read_text() == "there"
    assert there.local["fourth"] == "here"
    assert not list(there.folder.glob(".skyhold-sync.parts/*"))


def test_without_hard_links_a_file_that_came_meanwhile_is_not_replaced(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
):
    def meddled(*names: str | Path, **options: object) -> None:
        monkeypatch.setattr(os, "link", _no_link)
        Path(names[1]).write_text("mine")
        _no_link(*names, **options)

    machine.library.publish("arm", b"theirs")
    monkeypatch.setattr(os, "link", meddled)
    machine.sync()
    assert sorted(machine.local.values()) == ["mine", "theirs"]
