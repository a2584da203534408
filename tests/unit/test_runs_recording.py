"""A run's life: whatever happens in the block, the journal and the listeners hear how it ended."""

import hashlib
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.errors import KeyNotFoundError, StoppedError, VerificationError
from skyhold.execution.signals import Terminated
from skyhold.runs.hashing import HashingWriter
from skyhold.runs.journal import Journal
from skyhold.runs.progress import Event
from skyhold.runs.receipt import read_receipt
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_object, open_store


@pytest.fixture
def store() -> Store:
    return open_store(f"memory://recording-{uuid4().hex}")


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path)


def test_a_completed_run_leaves_the_same_receipt_beside_the_output_and_in_the_journal(store: Store, journal: Journal):
    seen: list[Event] = []
    store.write("in.csv", b"a,b\n")
    with record_run(
        "pipe", "orders", asked={"password": "hunter2"}, unit="rows", total=3, listeners=[seen.append], journal=journal
    ) as run:
        assert journal.read_run(run.run_id).state == "running"
        metered = run.metered(store)
        info = metered.info("in.csv")
        metered.read("in.csv")
        run.add_input(store.uri_of("in.csv"), info, rows=3)
        with HashingWriter(metered.open_writer("out.csv")) as writer:
            writer.write(b"12")
            writer.write(memoryview(b"345"))
        run.add_output(store.uri_of("out.csv"), writer.info, sha256=writer.sha256, rows=2)
        run.progress.advance(3, rows_read=3, rows_written=2, rows_rejected=1)
        run.engines["energyplus"] = "24.1.0"
        receipt = run.publish(store, "out.csv.receipt.json")

    assert read_receipt(store.uri_of("out.csv.receipt.json"), open_object) == receipt
    assert journal.read_run(run.run_id).receipt == receipt
    assert receipt.state == "completed"
    assert receipt.asked == {"password": "**redacted**"}
    assert receipt.outputs[0].sha256 == hashlib.sha256(b"12345").hexdigest()
    assert (receipt.outputs[0].size_bytes, receipt.outputs[0].rows) == (5, 2)
    assert (receipt.inputs[0].size_bytes, receipt.inputs[0].e_tag) == (4, info.e_tag)
    assert (receipt.bytes_in, receipt.bytes_out) == (4, 5)
    assert receipt.versions["energyplus"] == "24.1.0"
    assert (seen[-1].phase, seen[-1].state, seen[-1].done) == ("ended", "completed", 3)
    assert seen[0].about == {"password": "**redacted**"}
    assert (seen[-1].usage.bytes_in, seen[-1].usage.bytes_out) == (4, 5)


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (KeyNotFoundError("no such object", remedy="look"), "failed", "key_not_found"),
        (ZeroDivisionError("division by zero"), "failed", "ZeroDivisionError"),
        (SystemExit(3), "failed", "SystemExit"),
        (StoppedError("asked to"), "stopped", "stopped"),
        (KeyboardInterrupt(), "stopped", "KeyboardInterrupt"),
        (Terminated(), "stopped", "Terminated"),
    ],
)
def test_a_block_that_raises_leaves_its_receipt_in_the_journal_alone(
    store: Store, journal: Journal, error: BaseException, state: str, code: str
):
    seen: list[Event] = []
    with (
        pytest.raises(type(error)) as caught,
        record_run("pipe", "x", asked={}, unit="rows", listeners=[seen.append], journal=journal) as run,
    ):
        run.progress.advance(3, rows_read=3, rows_written=1)  # caught in the middle: it need not balance
        raise error
    assert caught.value is error
    receipt = journal.read_run(run.run_id).receipt
    assert receipt is not None
    assert receipt.failure is not None
    assert (receipt.state, receipt.failure.code) == (state, code)
    assert seen[-1].state == state
    assert not list(store.list())


def test_a_block_that_ends_without_publishing_is_complete_in_the_journal(journal: Journal):
    with record_run("sync", "x", asked={}, unit="objects", journal=journal) as run:
        pass
    assert journal.read_run(run.run_id).state == "completed"


def test_the_journal_hears_how_far_the_run_is(journal: Journal, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("skyhold.runs.journal._UPDATE_S", 0.0)
    with record_run("sync", "x", asked={}, unit="objects", total=9, journal=journal) as run:
        time.sleep(0.11)
        run.progress.advance(4)
        running = journal.read_run(run.run_id).running
        assert running is not None
        assert (running.done, running.total) == (4, 9)


def test_counts_that_do_not_balance_fail_the_run_before_anything_is_written(store: Store, journal: Journal):
    with (
        pytest.raises(VerificationError, match="does not balance"),
        record_run("pipe", "x", asked={}, unit="rows", journal=journal) as run,
    ):
        run.progress.advance(3, rows_read=3, rows_written=2)
        run.publish(store, "out.receipt.json")
    assert journal.read_run(run.run_id).state == "failed"
    assert not list(store.list())


def test_an_error_after_publishing_does_not_turn_a_completed_run_into_a_failed_one(store: Store, journal: Journal):
    with (
        pytest.raises(ZeroDivisionError),
        record_run("pipe", "x", asked={}, unit="rows", journal=journal) as run,
    ):
        run.publish(store, "out.receipt.json")
        raise ZeroDivisionError
    assert journal.read_run(run.run_id).state == "completed"


def test_a_receipt_that_cannot_be_stored_fails_the_run(store: Store, journal: Journal):
    with pytest.raises(OSError), record_run("pipe", "x", asked={}, unit="rows", journal=journal) as run:  # noqa: PT011 - any
        run.publish(store, "/not/a/key")
    assert journal.read_run(run.run_id).state == "failed"


def test_secrets_in_a_runs_name_and_command_are_not_kept(journal: Journal, tmp_path: Path):
    command = ["skyhold", "pipe", "--password", "hunter2"]
    seen: list[Event] = []
    with record_run(
        "pipe",
        "postgresql://me:hunter2@host/db → x",
        asked={"uri": "postgresql://me:hunter2@host/db"},
        unit="rows",
        journal=journal,
        command=command,
        listeners=[seen.append],
    ):
        kept = [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    kept += [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()]
    assert len(kept) == 2
    assert "hunter2" not in "".join(kept) + repr(seen)


def test_usage_counted_elsewhere_is_taken_as_it_is(journal: Journal):
    run = RunRecorder("pipe", "x", asked={}, unit="rows", journal=journal)
    run.usage = {"requests": {"read": 7}, "bytes_in": 1, "bytes_out": 2, "cost": {"currency": "EUR"}}
    run.start()
    receipt = run.complete()
    assert (receipt.requests, receipt.bytes_in, receipt.bytes_out) == ({"read": 7}, 1, 2)
    run.fail(StoppedError("enough"))
    assert journal.read_run(run.run_id).state == "stopped"


def test_an_aborted_writer_leaves_nothing(store: Store):
    def write() -> None:
        with HashingWriter(store.open_writer("out")) as writer:
            writer.write(b"123")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert not store.exists("out")


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_hash_is_of_all_that_was_written(store: Store, size: int):
    data = bytes(range(256)) * (size // 256 + 1)
    with HashingWriter(store.open_writer("out")) as writer:
        for start in range(0, size, 7919):
            writer.write(data[start : min(start + 7919, size)])
    assert writer.sha256 == hashlib.sha256(store.read("out")).hexdigest()
    assert writer.size_bytes == size


def test_the_package_is_light_to_import():
    modules = ["recording", "verification", "bar", "journal", "progress", "receipt", "hashing"]
    code = "import sys\n" + "".join(f"import skyhold.runs.{name}\n" for name in modules) + "print(*sys.modules)"
    loaded: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"rich", "pyarrow", "pydantic", "orjson", "obstore"} & set(loaded)
