"""The journal: whole files, many processes, killed runs told apart, never in the way of a run."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from skyhold.errors import AccessDeniedError, KeyNotFoundError, MalformedInputError
from skyhold.runs import liveness
from skyhold.runs.journal import Journal, default_journal
from skyhold.runs.json_reader import JsonReader
from skyhold.runs.liveness import ProcessMark, is_alive, mark_process
from skyhold.runs.progress import Event
from skyhold.runs.receipt import Receipt, new_run_id

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def receipt(number: int = 0, *, kind: str = "pipe", state: str = "completed") -> Receipt:
    started = START + timedelta(seconds=number)
    return Receipt(
        run_id=new_run_id(started),
        kind=kind,
        name=f"run {number} é",
        state=state,  # type: ignore[arg-type]
        started=started,
        ended=started,
        seconds=1.0,
    )


def event(run_id: str, done: int) -> Event:
    return Event(run_id, "pipe", "x", "advanced", "running", done, 10, "rows", {"rows_read": done}, rate=2.5)


def spawn(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], stdout=subprocess.PIPE, text=True
    )


BEGIN_AND_WAIT = """
    import sys, time
    from datetime import UTC, datetime
    from pathlib import Path
    from skyhold.runs.journal import Journal
    from skyhold.runs.receipt import new_run_id
    started = datetime.now(UTC)
    run_id = new_run_id(started)
    Journal(Path(sys.argv[1])).begin(run_id, "pipe", "a long one", started)
    print(run_id, flush=True)
    time.sleep(120)
"""


def test_a_killed_run_is_told_apart_from_a_running_one(tmp_path: Path):
    with spawn(BEGIN_AND_WAIT, str(tmp_path)) as process:
        try:
            assert process.stdout is not None
            run_id = process.stdout.readline().strip()
            entry = Journal(tmp_path).read_run(run_id)
            assert (entry.state, entry.name, entry.receipt) == ("running", "a long one", None)
            assert entry.running is not None
            assert entry.running.process.pid == process.pid

            os.kill(process.pid, signal.SIGKILL)
            # Not waited for yet: a zombie still has its number, and is dead all the same.
            wait_until(lambda: Journal(tmp_path).read_run(run_id).state == "killed")
        finally:
            process.kill()
    assert Journal(tmp_path).list_runs(state="killed")[0].run_id == run_id
    assert not Journal(tmp_path).list_runs(state="running")


def wait_until(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def mark(**changes: str | int) -> ProcessMark:
    return ProcessMark.parse(JsonReader({**mark_process().as_dict(), **changes}))


@pytest.mark.parametrize(
    ("changes", "alive"),
    [
        ({}, True),
        ({"started": "1"}, False),  # the number was given to another process since
        ({"boot": "another"}, False),  # the machine was started anew since
        ({"pid": 2**22 + 1}, False),
        ({"pid_space": "another", "pid": 2**22 + 1}, True),  # another container's: cannot be asked
        ({"host": "another", "boot": "another", "pid": 2**22 + 1}, True),  # another machine's: neither
    ],
)
def test_a_process_is_called_dead_only_when_that_is_sure(changes: dict[str, str | int], alive: bool):
    assert is_alive(mark(**changes)) is alive


def test_without_proc_the_process_list_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    if not Path("/bin/ps").exists():
        pytest.skip("there is no ps")
    monkeypatch.setattr("skyhold.runs.liveness._PROC", tmp_path)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        here = mark(pid=process.pid, started=liveness._started(process.pid) or "")
        assert is_alive(here)
        process.kill()
        process.wait()
        assert not is_alive(here)
    assert is_alive(mark_process())
    assert not is_alive(mark(started="Thu Jan  1 00:00:00 1970"))


def test_a_run_goes_from_begun_to_ended_in_one_file(tmp_path: Path):
    journal = Journal(tmp_path)
    ended = receipt()
    journal.begin(ended.run_id, "pipe", ended.name, ended.started)
    assert [entry.state for entry in journal.list_runs()] == ["running"]
    journal.finish(ended)
    entry = journal.read_run(ended.run_id)
    assert (entry.state, entry.receipt, entry.running) == ("completed", ended, None)
    assert [path.name for path in tmp_path.iterdir()] == [f"{ended.run_id}.json"]


def test_the_journal_says_how_far_a_run_is_and_writes_rarely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = 100.0
    monkeypatch.setattr("skyhold.runs.journal.time.monotonic", lambda: clock)
    journal = Journal(tmp_path)
    run_id = new_run_id(START)
    journal.begin(run_id, "pipe", "x", START)

    def done() -> int:
        running = journal.read_run(run_id).running
        assert running is not None
        return running.done

    for step in range(1, 5):
        clock += 0.3
        journal.update(event(run_id, step))
    assert done() == 4  # the first three came within a second of the beginning
    clock += 0.5
    journal.update(event(run_id, 5))
    assert done() == 4
    clock += 0.6
    journal.update(event(run_id, 6))
    running = journal.read_run(run_id).running
    assert running is not None
    assert (running.done, running.total, running.unit, running.counts, running.rate) == (
        6,
        10,
        "rows",
        {"rows_read": 6},
        2.5,
    )


def test_a_late_event_does_not_overwrite_the_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    clock = 100.0
    monkeypatch.setattr("skyhold.runs.journal.time.monotonic", lambda: clock)
    journal = Journal(tmp_path)
    ended = receipt()
    journal.begin(ended.run_id, "pipe", ended.name, ended.started)
    journal.finish(ended)
    clock += 100
    journal.update(event(ended.run_id, 3))
    assert journal.read_run(ended.run_id).receipt == ended


def test_runs_are_listed_newest_first_and_by_kind_and_state(tmp_path: Path):
    journal = Journal(tmp_path)
    for number in range(6):
        state = "failed" if number == 4 else "completed"
        journal.finish(receipt(number, kind="pipe" if number % 2 else "sync", state=state))
    assert [entry.name for entry in journal.list_runs()] == [f"run {number} é" for number in (5, 4, 3, 2, 1, 0)]
    assert [entry.name for entry in journal.list_runs(2)] == ["run 5 é", "run 4 é"]
    assert [entry.name for entry in journal.list_runs(2, kind="sync")] == ["run 4 é", "run 2 é"]
    assert [entry.name for entry in journal.list_runs(state="failed")] == ["run 4 é"]
    assert journal.list_runs(0) == []
    assert len(journal.list_runs(None)) == 6


def test_a_run_is_found_by_the_beginning_of_its_id(tmp_path: Path):
    journal = Journal(tmp_path)
    first, second = receipt(0), receipt(1)
    journal.finish(first)
    assert journal.read_run(first.run_id[:4]).receipt == first
    journal.finish(second)
    assert journal.read_run(first.run_id[:20]).receipt == first
    with pytest.raises(KeyNotFoundError, match="2 runs begin with '2026'") as ambiguous:
        journal.read_run("2026")
    assert first.run_id in ambiguous.value.remedy
    assert second.run_id in ambiguous.value.remedy


@pytest.mark.parametrize("wrong", ["", "2025", "../../etc/passwd", "*"])
def test_an_unknown_run_is_refused_with_those_that_are_near(tmp_path: Path, wrong: str):
    journal = Journal(tmp_path / "journal")
    with pytest.raises(KeyNotFoundError, match="no run begins") as empty:
        journal.read_run(wrong)
    assert "Nothing was run yet" in empty.value.remedy
    known = receipt()
    journal.finish(known)
    with pytest.raises(KeyNotFoundError, match="no run begins") as near:
        journal.read_run(wrong)
    assert known.run_id in near.value.remedy


@pytest.mark.parametrize("damage", ["", "{", '{"schema": "skyhold.receipt/9"}', '{"schema": "skyhold.run/1"}', "[]"])
def test_a_damaged_file_spoils_neither_the_list_nor_the_others(tmp_path: Path, damage: str):
    journal = Journal(tmp_path)
    good, bad = receipt(0), receipt(1)
    journal.finish(good)
    (tmp_path / f"{bad.run_id}.json").write_text(damage)
    (tmp_path / "notes.json").write_text("the user's own")
    assert [(entry.run_id, entry.state) for entry in journal.list_runs()] == [
        (bad.run_id, "unreadable"),
        (good.run_id, "completed"),
    ]
    assert journal.list_runs()[0].started == bad.started
    with pytest.raises(MalformedInputError):
        journal.read_run(bad.run_id)


def test_a_receipt_changed_in_the_journal_is_unreadable_and_not_believed(tmp_path: Path):
    journal = Journal(tmp_path)
    ended = receipt()
    journal.finish(ended)
    path = tmp_path / f"{ended.run_id}.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"counts": {}', '"counts": {"rows_read": 3}'), "utf-8")
    assert journal.list_runs()[0].state == "unreadable"


def test_the_oldest_runs_are_pruned_but_never_one_that_runs_and_no_stranger(tmp_path: Path):
    journal = Journal(tmp_path, keep=3)
    long = new_run_id(START - timedelta(days=9))
    journal.begin(long, "campaign", "a long one", START)
    (tmp_path / "0.json").write_text("the user's own")
    for number in range(10):
        journal.finish(receipt(number))
    names = [entry.name for entry in journal.list_runs()]
    assert names == ["run 9 é", "run 8 é", "run 7 é", "a long one"]
    assert (tmp_path / "0.json").exists()


def test_left_overs_of_killed_writers_are_cleared_when_they_are_old(tmp_path: Path):
    journal = Journal(tmp_path)
    old, new = tmp_path / ".abc.tmp", tmp_path / ".def.tmp"
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (0, 0))
    journal.finish(receipt())
    assert (old.exists(), new.exists()) == (False, True)


def test_the_journal_is_for_its_owner_alone(tmp_path: Path):
    journal = Journal(tmp_path / "journal")
    ended = receipt()
    journal.finish(ended)
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
    assert (tmp_path / "journal" / f"{ended.run_id}.json").stat().st_mode & 0o077 == 0


def test_a_journal_that_cannot_be_written_warns_once_and_fails_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "journal").write_text("a file where the folder should be")
    journal = Journal(tmp_path / "journal")
    with caplog.at_level(logging.WARNING, "skyhold.runs"):
        for number in range(3):
            ended = receipt(number)
            journal.begin(ended.run_id, "pipe", "x", ended.started)
            journal.update(event(ended.run_id, 1))
            journal.finish(ended)
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    journal = Journal(tmp_path)
    ended = receipt()
    journal.begin(ended.run_id, "pipe", "x", ended.started)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    journal.finish(ended)
    assert [path.name for path in tmp_path.iterdir()] == [f"{ended.run_id}.json"]
    assert json.loads((tmp_path / f"{ended.run_id}.json").read_text())["schema"] == "skyhold.run/1"


def test_a_journal_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path):
    (tmp_path / "journal").write_text("a file where the folder should be")
    with pytest.raises(AccessDeniedError, match="cannot be read"):
        Journal(tmp_path / "journal").list_runs()


def test_a_journal_without_a_folder_keeps_nothing():
    journal = Journal(None)
    ended = receipt()
    journal.begin(ended.run_id, "pipe", "x", ended.started)
    journal.finish(ended)
    assert journal.list_runs() == []


def test_the_users_journal_is_one_and_lies_in_the_state_folder(private_home: Path):
    default_journal().finish(receipt())
    assert default_journal() is default_journal()
    assert len(list((private_home / "state" / "journal").iterdir())) == 1


def test_a_user_without_a_home_can_still_run(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr("skyhold.config.state_folder", homeless)
    default_journal().finish(receipt())
    assert "SKYHOLD_STATE" in caplog.text


def test_the_journal_does_not_depend_on_the_locale(tmp_path: Path):
    code = """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from skyhold.runs.journal import Journal
        from skyhold.runs.receipt import Receipt, new_run_id
        now = datetime.now(UTC)
        journal = Journal(Path(sys.argv[1]))
        run_id = new_run_id(now)
        journal.begin(run_id, "pipe", "caf\\u00e9", now)
        assert journal.read_run(run_id).name == "caf\\u00e9"
        journal.finish(Receipt(run_id=run_id, kind="pipe", name="caf\\u00e9", state="completed", started=now,
                               ended=now, seconds=1))
        assert journal.read_run(run_id).name == "caf\\u00e9"
    """
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], env={**os.environ, **plain}, check=True
    )


def test_processes_share_a_journal_and_its_readers_never_see_half_a_run(tmp_path: Path):
    code = """
        import sys
        from datetime import UTC, datetime
        from pathlib import Path
        from skyhold.runs.journal import Journal
        from skyhold.runs.receipt import Receipt, new_run_id
        journal = Journal(Path(sys.argv[1]), keep=40)
        for number in range(60):
            now = datetime.now(UTC)
            run_id = new_run_id(now)
            journal.begin(run_id, "pipe", "x", now)
            journal.finish(Receipt(run_id=run_id, kind="pipe", name=sys.argv[2], state="completed", started=now,
                                   ended=now, seconds=0, asked={"padding": "x" * 5000}))
    """
    writers = [spawn(code, str(tmp_path), str(number)) for number in range(4)]
    seen: set[str] = set()
    try:
        while any(writer.poll() is None for writer in writers):
            seen |= {entry.state for entry in Journal(tmp_path).list_runs(None)}
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert seen <= {"running", "completed"}
    entries = Journal(tmp_path).list_runs(None)
    assert {entry.state for entry in entries} == {"completed"}
    assert len(entries) == 40
    assert not list(tmp_path.glob(".*.tmp"))
