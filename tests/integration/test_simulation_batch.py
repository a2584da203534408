"""Many runs at a time, with a simulator that takes no time."""

import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from skyhold.errors import BadOptionError, EngineError, SimulationError, StoppedError
from skyhold.runs.journal import default_journal
from skyhold.runs.progress import Event
from skyhold.simulation import (
    BatchResult,
    ResultCache,
    SimulationJob,
    SimulationResult,
    StoreFileSystem,
    simulate_batch,
)
from skyhold.simulation.simulator import Job, Verdict, Watch
from tiny_simulator import TinySimulator


@pytest.fixture
def fs(tmp_path: Path) -> StoreFileSystem:
    return StoreFileSystem(f"memory://{tmp_path.name}")


@pytest.fixture
def tiny() -> TinySimulator:
    return TinySimulator()


def _jobs(count: int, **model: Any) -> list[SimulationJob]:
    return [
        SimulationJob(model={"area": number} | model, label=f"case {number}", output_dir=f"run-{number}")
        for number in range(count)
    ]


def test_results_come_in_the_order_of_the_jobs(fs: StoreFileSystem):
    class LastFirst(TinySimulator):
        def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
            if b":0" in job.model.read_bytes():
                time.sleep(0.2)
            return super().simulate(job, folder, watch)

    batch = simulate_batch(_jobs(4), max_workers=4, fs=fs, engine=LastFirst())
    assert [result.values["area"].value for result in batch] == [0, 1, 2, 3]
    assert [result.label for result in batch.results] == [f"case {number}" for number in range(4)]
    assert batch.all_succeeded
    assert (len(batch), len(batch.succeeded), batch.failed) == (4, 4, ())
    assert batch[1].label == "case 1"
    assert [result.label for result in batch[2:]] == ["case 2", "case 3"]
    assert batch.raise_for_failure() is batch
    for number in range(4):
        assert SimulationResult.from_directory(f"run-{number}", fs=fs).success


def test_one_failure_leaves_the_others_alone(fs: StoreFileSystem, tiny: TinySimulator):
    jobs = _jobs(4)
    jobs[1] = SimulationJob({"end": "engine"}, label="bad roof", output_dir="bad-1")
    jobs[2] = SimulationJob("/absent/model.json", label="no model", output_dir="bad-2")
    batch = simulate_batch(jobs, fs=fs, engine=tiny)
    assert [result.success for result in batch] == [True, False, False, True]
    assert not batch.all_succeeded
    fatal, absent = batch.failed
    assert (fatal.state, fatal.failure) == ("failed", "engine")
    assert (absent.state, absent.label, absent.uri) == ("absent", "no model", "bad-2")
    assert isinstance(absent.error, FileNotFoundError)
    with pytest.raises(FileNotFoundError, match="/absent"):
        absent.raise_for_failure()
    with pytest.raises(SimulationError, match=r"2 of 4 runs failed, the first \('bad roof'\)") as caught:
        batch.raise_for_failure()
    assert isinstance(caught.value.__cause__, EngineError)
    (entry,) = default_journal().list_runs()
    assert (entry.kind, entry.state) == ("batch", "failed")


def test_progress_counts_runs(fs: StoreFileSystem, tiny: TinySimulator):
    events: list[Event] = []
    batch = simulate_batch(_jobs(3), 2, fs, events.append, engine=tiny)
    assert (events[-1].done, events[-1].total, events[-1].state) == (3, 3, "completed")
    assert events[-1].counts == {"succeeded": 3}
    shares = [event.share for event in events if event.share is not None]
    assert shares == sorted(shares)
    assert batch.receipt is not None
    assert len(batch.receipt.outputs) == 3


def test_no_more_runs_at_a_time_than_asked_for(fs: StoreFileSystem):
    class Counting(TinySimulator):
        now = most = 0

        def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
            with self._lock:
                self.now += 1
                self.most = max(self.most, self.now)
            time.sleep(0.02)
            with self._lock:
                self.now -= 1
            return super().simulate(job, folder, watch)

    counting = Counting()
    simulate_batch(_jobs(8), max_workers=2, fs=fs, engine=counting)
    assert counting.most <= 2


def test_a_batch_that_is_stopped_keeps_what_was_made(fs: StoreFileSystem, tiny: TinySimulator):
    jobs = [*_jobs(1), SimulationJob({"end": "wait"}, output_dir="waits"), *_jobs(4)[1:]]
    stop = threading.Event()

    def stop_when_two_have_begun(event: Event) -> None:
        if tiny.runs == 2:
            stop.set()

    batch = simulate_batch(jobs, 1, fs, stop_when_two_have_begun, engine=tiny, stop=stop)
    assert [result.success for result in batch] == [True, False, False, False, False]
    assert all(isinstance(result.error, StoppedError) for result in batch.failed)
    assert tiny.runs == 2
    assert default_journal().list_runs()[0].state == "stopped"


def test_ctrl_c_stops_the_runs_and_goes_on(fs: StoreFileSystem):
    asked_to_stop: list[bool] = []

    class Interrupting(TinySimulator):
        def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            asked_to_stop.append(watch.stop.wait(30))
            return super().simulate(job, folder, watch)

    with pytest.raises(KeyboardInterrupt):
        simulate_batch([SimulationJob({"end": "wait"}, output_dir="waits")], fs=fs, engine=Interrupting())
    assert asked_to_stop == [True]
    assert default_journal().list_runs()[0].state == "stopped"


def test_what_is_known_already_is_not_run_again(fs: StoreFileSystem, tiny: TinySimulator, tmp_path: Path):
    cache = ResultCache(tmp_path / "cache")
    same = [SimulationJob({"area": 1}, output_dir=f"same-{number}") for number in range(3)]
    assert simulate_batch(same, 1, fs, engine=tiny, cache=cache).all_succeeded
    assert tiny.runs == 1
    again = simulate_batch(same, 1, fs, engine=tiny)
    assert [result.reused for result in again] == [True] * 3
    assert tiny.runs == 1


def test_jobs_that_cannot_be_kept_apart_are_refused(fs: StoreFileSystem, tiny: TinySimulator):
    with pytest.raises(BadOptionError, match="'a' and 'b' both write to 'run/x'"):
        simulate_batch(
            [SimulationJob({}, label="a", output_dir="run/./x"), SimulationJob({}, label="b", output_dir="run/x")],
            fs=fs,
            engine=tiny,
        )
    with pytest.raises(BadOptionError, match="no jobs"):
        simulate_batch([], engine=tiny)
    with pytest.raises(BadOptionError, match="max_workers=0"):
        simulate_batch(_jobs(1), max_workers=0, engine=tiny)
    assert tiny.runs == 0


def test_a_batch_of_nothing_is_a_batch():
    assert BatchResult(()).all_succeeded
