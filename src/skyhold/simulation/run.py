"""One run: from a model and a weather file to a result that is there whole or not at all."""

import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Any

from skyhold.errors import BadOptionError, ConfigError, ResultError, SimulationError, StoppedError, StorageError
from skyhold.runs.journal import Journal
from skyhold.runs.progress import Listener
from skyhold.runs.receipt import Artifact
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.simulation.cache import ResultCache, choose_cache
from skyhold.simulation.committing import Claim, claim_folder, release_folder, write_result
from skyhold.simulation.energyplus import EnergyPlus
from skyhold.simulation.engine import Engine
from skyhold.simulation.engine_messages import EngineMessages
from skyhold.simulation.filesystem import AnyPath, FileSystem, store_of
from skyhold.simulation.job import PreparedJob, SimulationJob, prepare_job
from skyhold.simulation.preparation import name_of
from skyhold.simulation.result_folder import open_result_folder
from skyhold.simulation.result_record import RECEIPT, RECORD, ResultRecord, record_files
from skyhold.simulation.result_state import Found
from skyhold.simulation.results import SimulationResult, place_of
from skyhold.simulation.simulator import Kept, Simulator, Verdict, Watch
from skyhold.weather.downloader import WeatherSource, locate_weather

__all__ = ["Setting", "run_job", "simulate", "simulator_of"]

_SAID = ("*.err", "*.end", "*.log", "*.audit", "*.txt", "in.idf", "in.epJSON")
"""What is kept of a run that failed: what the engine said, and what it was given."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What runs share.

    Attributes:
        simulator: What runs them.
        fs: Where their results go; None for this machine.
        cache: Results that are known already.
        stop: Set to end them.
        listeners: Who is told of progress.
        journal: Where the runs are listed; None is the user's own.
    """

    simulator: Simulator
    fs: FileSystem | None = None
    cache: ResultCache | None = None
    stop: threading.Event | None = None
    listeners: Sequence[Listener] = ()
    journal: Journal | None = None


def simulate(  # noqa: PLR0913 - document 003 names them
    model: Any,
    weather: WeatherSource | None = None,
    *,
    output_dir: AnyPath | None = None,
    fs: FileSystem | None = None,
    annual: bool = False,
    design_day: bool = False,
    expand_objects: bool = False,
    outputs: Any = None,
    timeout: float | None = None,
    on_progress: Listener | None = None,
    engine: Any = None,
    cache: ResultCache | bool | None = None,
    overwrite: bool = False,
    label: str = "",
    options: Mapping[str, Any] | None = None,
    stop: threading.Event | None = None,
) -> SimulationResult:
    """Run a model, and return its result; a run that failed is a result too.

    The engine runs in a process of its own, in a folder of its own. What is kept is then written to ``output_dir``, and
    a commit record last of all, so that the result is there whole or not at all. A result of the same inputs that
    is there already is returned as it is.

    Args:
        model: A path or URI of an IDF or epJSON, a `skyhold.Model`, an epJSON dict, or a document of idfkit. What lies
            in the bucket of ``fs``, model or weather, is read with its options; anything else with those of the
            environment.
        weather: A path or URI of an EPW, or a station, fetched once a machine; None for a run that needs none.
        output_dir: The folder of the result in ``fs``; without ``fs`` a local path or the URI of a folder of any
            store. A new folder of this machine, if not given.
        fs: Where the result goes.
        annual: Run the whole year of the weather file, whatever the model says.
        design_day: Run the design days alone.
        expand_objects: Expand the templates of the model (``HVACTemplate``) first.
        outputs: What is kept (`OutputSelection`); everything that the engine leaves, if not given.
        timeout: Seconds that the engine may take.
        on_progress: Told of the run's events (`skyhold.runs.progress.Event`): ``share`` is how much of it is done, and
            ``step`` where it is.
        engine: What runs it, an `Engine` or any `Simulator`; the EnergyPlus that is found, if not given.
        cache: Results that are known already; True for the user's own cache.
        overwrite: Run it again, and replace whatever result the folder holds.
        label: What people call it.
        options: Further flags of the engine.
        stop: Set to end the run.

    Raises:
        ModelError: The model cannot be run.
        WeatherError: The weather file is none.
        MissingExtraError: There is no EnergyPlus on this machine.
        AlreadyExistsError: The folder holds something else.
        StoppedError: ``stop`` was set.
        SimulationError: The run ended, and its result could not be written; the message says where it is.
        StorageError: A store cannot be read, or not be written to at all, which is found before the run.
    """
    asked = SimulationJob(
        model,
        weather,
        label=label,
        output_dir=output_dir,
        annual=annual,
        design_day=design_day,
        expand_objects=expand_objects,
        outputs=outputs,
        timeout=timeout,
        overwrite=overwrite,
        options=options or {},
    )
    known = choose_cache(cache)
    listeners = (on_progress,) if on_progress is not None else ()
    return run_job(asked, Setting(simulator_of(engine), fs, known, stop, listeners))


def run_job(asked: SimulationJob, setting: Setting) -> SimulationResult:
    """Make one run, and record it; arguments and errors as `simulate`."""
    with record_run(
        "simulation",
        asked.name,
        asked=_told(asked),
        unit="runs",
        total=1,
        listeners=setting.listeners,
        journal=setting.journal,
    ) as recorder:
        return _Run(asked, setting, recorder).make()


def simulator_of(engine: Any) -> Simulator:
    """Return what runs models: a simulator as it is given, else EnergyPlus on the engine given or found."""
    if hasattr(engine, "simulate"):
        return engine
    if engine is not None and not isinstance(engine, Engine):
        raise BadOptionError(
            f"engine={engine!r} is neither an engine nor a simulator",
            remedy="Give what find_engine(version=…) returns, or leave engine out",
        )
    return EnergyPlus(engine)


class _Run:
    """The steps of one run."""

    def __init__(self, asked: SimulationJob, setting: Setting, recorder: RunRecorder) -> None:
        self._asked = asked
        self._setting = setting
        self._recorder = recorder
        self._share = 0.0
        self._folder_is_needed = False
        self._unused: Path | None = None

    def make(self) -> SimulationResult:
        """Do them all."""
        if self._setting.stop is not None and self._setting.stop.is_set():
            raise StoppedError(f"the run of {self._asked.name!r} was not made: it was stopped before")
        work = Path(tempfile.mkdtemp(prefix="skyhold-run-"))
        try:
            return self._make(work)
        finally:
            if not self._folder_is_needed:
                shutil.rmtree(work, ignore_errors=True)
            if self._unused is not None:
                shutil.rmtree(self._unused, ignore_errors=True)

    def _make(self, work: Path) -> SimulationResult:
        given, kept = work / "given", work / "kept"
        given.mkdir()
        kept.mkdir()
        prepared = prepare_job(self._asked, self._setting.simulator, given, store_of(self._setting.fs))
        self._note_inputs(prepared)
        fs, run_dir = self._destination()
        folder = open_result_folder(run_dir, fs)
        claim = claim_folder(
            folder.metered(self._recorder.meter),
            prepared.key,
            self._recorder.run_id,
            overwrite=self._asked.overwrite,
        )
        if claim.found is not None:
            result = SimulationResult(fs, run_dir, folder, Found.of(claim.found))
            result.reused = True
            self._recorder.progress.advance(1, reused=1)
            return result
        try:
            record = self._known(prepared, kept) or self._simulate(prepared, work / "run", kept)
        except BaseException:
            with suppress(StorageError, ResultError):
                release_folder(claim)
            raise
        result = SimulationResult(fs, run_dir, folder, Found.of(record))
        self._deliver(claim, kept, record, result)
        return result

    def _note_inputs(self, prepared: PreparedJob) -> None:
        simulator = self._setting.simulator
        self._recorder.engines[simulator.name] = simulator.build
        model, weather = prepared.inputs["model"], prepared.inputs["weather"]
        self._recorder.add_input(model["uri"])  # its hash is of the model, however the file spells it
        if weather is not None:
            self._recorder.add_input(weather["uri"], sha256=weather["sha256"])

    def _destination(self) -> tuple[FileSystem, PurePath]:
        path, fs = self._asked.output_dir, self._setting.fs
        if path is None and fs is not None:
            raise BadOptionError(
                f"the run of {self._asked.name!r} has a file system and no folder in it", remedy="Say output_dir="
            )
        if path is None:
            path = self._unused = Path(tempfile.mkdtemp(prefix="skyhold-result-"))
        return place_of(path, fs)

    def _known(self, prepared: PreparedJob, kept: Path) -> ResultRecord | None:
        """Return the record of a result that the cache has, and its files."""
        cache = self._setting.cache
        if cache is None or self._asked.overwrite:
            return None
        record = cache.get(prepared.key, kept, simulator=self._setting.simulator.name)
        return None if record is None else replace(record, label=self._asked.label)

    def _simulate(self, prepared: PreparedJob, work: Path, kept: Path) -> ResultRecord:
        work.mkdir()
        watch = Watch(self._asked.timeout, self._setting.stop or threading.Event(), self._note_share)
        self._recorder.progress.step("running", measure_share=lambda: self._share)
        verdict = self._setting.simulator.simulate(prepared.job, work, watch)
        if verdict.failure == "cancelled":
            raise StoppedError(f"the run of {self._asked.name!r} was stopped: {verdict.detail}".rstrip(": "))
        record = self._record(prepared, verdict, self._keep(prepared, verdict, work, kept), kept)
        (kept / RECORD).parent.mkdir()
        (kept / RECORD).write_bytes(record.to_json())
        if self._setting.cache is not None and verdict.is_success:
            self._remember(self._setting.cache, kept, record)
        return record

    def _remember(self, cache: ResultCache, kept: Path, record: ResultRecord) -> None:
        """Keep the result for the next time; a cache that cannot be written costs a warning, and no run."""
        try:
            cache.put(kept, record)
        except (BadOptionError, OSError) as error:
            self._recorder.progress.warn(str(error))

    def _keep(self, prepared: PreparedJob, verdict: Verdict, work: Path, kept: Path) -> Kept:
        if not verdict.is_success:
            return _keep_what_was_said(work, kept)
        try:
            return self._setting.simulator.keep(work, kept, prepared.selection)
        except (SimulationError, ConfigError) as error:
            self._folder_is_needed = True
            error.add_note(f"The run is finished; what the engine left is in {str(work)!r}")
            raise

    def _record(self, prepared: PreparedJob, verdict: Verdict, taken: Kept, kept: Path) -> ResultRecord:
        return ResultRecord(
            run_id=self._recorder.run_id,
            key=prepared.key,
            label=self._asked.label,
            finished=datetime.now(UTC),
            simulator=self._setting.simulator.name,
            inputs=prepared.inputs,
            verdict=verdict,
            message_counts=EngineMessages(verdict.messages).counts,
            files=record_files(kept, taken.files),
            values=taken.values,
        )

    def _note_share(self, share: float, where: str) -> None:
        self._share = share
        self._recorder.progress.step(where or "running")

    def _deliver(self, claim: Claim, kept: Path, record: ResultRecord, result: SimulationResult) -> None:
        """Write the result; a finished run outlives a store that fails."""
        recorder = self._recorder
        self._unused = None
        recorder.progress.step("writing")
        recorder.outputs += [
            Artifact(f"{result.uri}/{file.name}", file.size_bytes, sha256=file.sha256) for file in record.files
        ]

        def leave_receipt() -> None:
            recorder.progress.advance(1, **{"succeeded" if result.success else "failed": 1})
            receipt = recorder.complete() if result.success else recorder.fail(result.as_error())
            claim.folder.write(RECEIPT, receipt.to_json().encode())
            result.receipt = receipt

        try:
            write_result(claim, kept, record, leave_receipt)
        except (StorageError, OSError) as error:
            self._folder_is_needed = True
            raise SimulationError(
                f"the run of {self._asked.name!r} is finished, and its result could not be written to "
                f"{result.uri!r}: {error}",
                remedy=f"Its files are in {str(kept)!r}, and SimulationResult.from_directory reads them there; "
                "once the store takes them, write them with result.copy_to(output_dir, fs)",
            ) from error
        if result.receipt is not None:
            recorder.finish(result.receipt)


def _keep_what_was_said(work: Path, kept: Path) -> Kept:
    found = [path for path in work.rglob("*") if path.is_file()]
    said = [path for path in found if any(fnmatchcase(path.name, pattern) for pattern in _SAID)]
    for path in said:
        target = kept / path.relative_to(work)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return Kept(tuple(sorted(path.relative_to(work).as_posix() for path in said)), {})


def _told(asked: SimulationJob) -> dict[str, Any]:
    """Return what was asked as a receipt says it: a model that is no path is too long for it."""
    told = {name: getattr(asked, name) for name in asked.__slots__}
    told["model"] = name_of(asked.model)
    told["weather"] = None if asked.weather is None else name_of(locate_weather(asked.weather))
    return {name: value for name, value in told.items() if value not in (None, False, "", {})}
