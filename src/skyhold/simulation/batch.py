"""Many runs on this machine: one process each, several at a time, failures kept run by run."""

import os
import threading
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, overload

from skyhold.errors import BadOptionError, SimulationError, StoppedError
from skyhold.execution.waiting import wait_for
from skyhold.runs.journal import Journal
from skyhold.runs.progress import Event, Listener
from skyhold.runs.receipt import Artifact, Receipt
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.simulation.cache import ResultCache, choose_cache
from skyhold.simulation.energyplus import EnergyPlus
from skyhold.simulation.filesystem import FileSystem
from skyhold.simulation.job import SimulationJob
from skyhold.simulation.result_folder import open_result_folder
from skyhold.simulation.result_record import RECORD
from skyhold.simulation.result_state import Found
from skyhold.simulation.results import SimulationResult, place_of
from skyhold.simulation.run import Setting, run_job, simulator_of
from skyhold.simulation.simulator import Simulator

__all__ = ["BatchResult", "simulate_batch"]


@dataclass(frozen=True, slots=True)
class BatchResult(Sequence[SimulationResult]):
    """The results of a batch, in the order of its jobs.

    Attributes:
        results: One for each job. That of a run which was not made has its reason in ``error``.
        receipt: Of the batch.
    """

    results: tuple[SimulationResult, ...]
    receipt: Receipt | None = None

    @property
    def succeeded(self) -> tuple[SimulationResult, ...]:
        """Those that are complete."""
        return tuple(result for result in self.results if result.success)

    @property
    def failed(self) -> tuple[SimulationResult, ...]:
        """Those that are not."""
        return tuple(result for result in self.results if not result.success)

    @property
    def all_succeeded(self) -> bool:
        """Whether all are complete."""
        return not self.failed

    def raise_for_failure(self) -> "BatchResult":
        """Return this batch if all of it is complete.

        Raises:
            SimulationError: The first failure of those that there are, as its cause.
        """
        if self.failed:
            raise _failure_of(self.results) from self.failed[0].as_error()
        return self

    @overload
    def __getitem__(self, index: int) -> SimulationResult: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[SimulationResult, ...]: ...

    def __getitem__(self, index: int | slice) -> SimulationResult | tuple[SimulationResult, ...]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)


def simulate_batch(
    jobs: Iterable[SimulationJob],
    max_workers: int | None = None,
    fs: FileSystem | None = None,
    on_progress: Listener | None = None,
    *,
    engine: Any = None,
    cache: ResultCache | bool | None = None,
    stop: threading.Event | None = None,
) -> BatchResult:
    """Make many runs on this machine, and return all their results.

    Each runs in a process of its own; threads only wait for them. A run that fails, or cannot be made at all, leaves
    the others alone. For more runs than one machine should make, see `skyhold.simulation.Campaign`.

    Args:
        jobs: What to run.
        max_workers: Runs at a time; the number of processors if not given.
        fs: Where the results go; each job names its folder there.
        on_progress: Told of the batch's events: ``done`` counts runs, ``share`` also what is done of those that run.
        engine: What runs them, an `Engine` or any `Simulator`; the EnergyPlus that is found, if not given.
        cache: Results that are known already; True for the user's own cache.
        stop: Set to end the batch: runs are stopped, and those that have not begun are not made.

    Raises:
        BadOptionError: There are no jobs, or two would write to the same folder.
        MissingExtraError: There is no EnergyPlus on this machine.
    """
    asked = list(jobs)
    _check(asked, max_workers)
    known = choose_cache(cache)
    workers = min(len(asked), max_workers or os.cpu_count() or 1)
    listeners = (on_progress,) if on_progress is not None else ()
    about = {"jobs": len(asked), "max_workers": workers}
    name = f"{len(asked)} runs"
    with (
        _simulator(engine, len(asked)) as simulator,
        record_run("batch", name, asked=about, unit="runs", total=len(asked), listeners=listeners) as run,
    ):
        setting = Setting(simulator, fs, known, stop or threading.Event(), journal=Journal(None))
        return _Batch(asked, setting, run).make(workers)


@dataclass(slots=True)
class _Batch:
    """The jobs of one call, and how far each of them is."""

    jobs: Sequence[SimulationJob]
    setting: Setting
    recorder: RunRecorder
    shares: dict[int, float] = field(default_factory=dict[int, float])

    def make(self, workers: int) -> BatchResult:
        stop = self.setting.stop
        assert stop is not None
        self.recorder.progress.step("running", measure_share=self._share)
        with ThreadPoolExecutor(workers, thread_name_prefix="skyhold-simulation") as pool:
            try:
                futures = [pool.submit(self._make_one, number, job) for number, job in enumerate(self.jobs)]
                wait_for(futures)
            except BaseException:
                stop.set()
                raise
        results = tuple(future.result() for future in futures)
        return BatchResult(results, self._end(results, stopped=stop.is_set()))

    def _make_one(self, number: int, job: SimulationJob) -> SimulationResult:
        def listen(event: Event) -> None:
            self.shares[number] = event.share or self.shares.get(number, 0.0)
            self.recorder.progress.advance()

        try:
            result = run_job(job, replace(self.setting, listeners=(listen,)))
        except Exception as error:  # noqa: BLE001 - kept, and given to whoever asks for this job's result
            result = _not_made(job, self.setting.fs, error)
        self.shares[number] = 1.0
        counted = "reused" if result.reused else "succeeded" if result.success else "failed"
        self.recorder.progress.advance(1, **{counted: 1})
        return result

    def _share(self) -> float:
        return sum(list(self.shares.values())) / len(self.jobs)

    def _end(self, results: Sequence[SimulationResult], *, stopped: bool) -> Receipt:
        recorder = self.recorder
        recorder.engines[self.setting.simulator.name] = self.setting.simulator.build
        for result in results:
            if result.record is not None:
                text = result.record.to_json()
                place = f"{result.uri}/{RECORD}"
                recorder.outputs.append(Artifact(place, len(text), sha256=sha256(text).hexdigest()))
        if all(result.success for result in results):
            recorder.finish(recorder.complete())
        else:
            recorder.fail(StoppedError("the batch was stopped") if stopped else _failure_of(results))
        assert recorder.receipt is not None
        return recorder.receipt


@contextmanager
def _simulator(engine: Any, runs: int) -> Generator[Simulator]:
    """Give the simulator; an EnergyPlus that is made here keeps its process warm between the runs."""
    simulator = simulator_of(engine)
    if simulator is engine or not isinstance(simulator, EnergyPlus):
        yield simulator
        return
    with EnergyPlus(simulator.engine, warm=runs > 1) as warm:
        yield warm


def _check(jobs: Sequence[SimulationJob], max_workers: int | None) -> None:
    if not jobs:
        raise BadOptionError("the batch has no jobs", remedy="Give simulate_batch at least one SimulationJob")
    if max_workers is not None and max_workers < 1:
        raise BadOptionError(f"max_workers={max_workers} is less than 1")
    seen: dict[Any, SimulationJob] = {}
    for job in jobs:
        if job.output_dir is None:
            continue
        folder = os.path.normpath(job.output_dir)
        if folder in seen:
            raise BadOptionError(
                f"the jobs {seen[folder].name!r} and {job.name!r} both write to {os.fspath(job.output_dir)!r}",
                remedy="Give each job an output_dir of its own",
            )
        seen[folder] = job


def _not_made(job: SimulationJob, fs: FileSystem | None, error: Exception) -> SimulationResult:
    """Return what stands for a run that was not made, or whose result could not be written."""
    folder = open_result_folder("memory://skyhold-not-made")
    where, run_dir = (fs or place_of("", None)[0]), PurePosixPath(job.output_dir or "")
    result = SimulationResult(where, run_dir, folder, Found("absent", "nothing", str(error)))
    result.uri = os.fspath(job.output_dir or "")
    result.label = job.label
    result.error = error
    return result


def _failure_of(results: Sequence[SimulationResult]) -> SimulationError:
    failed = [result for result in results if not result.success]
    first = failed[0]
    return SimulationError(
        f"{len(failed)} of {len(results)} runs failed, the first ({first.label or first.uri!r}): {first.detail}",
        remedy="Look at the failed results: each says why",
    )
