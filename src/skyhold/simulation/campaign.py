"""Many runs whose plan, state and results lie in a store, and nowhere else."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from skyhold.errors import BadOptionError, ResultError, StoppedError
from skyhold.execution.signals import exit_on_terminate
from skyhold.runs.event import Listener
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.simulation.board import Board, Standing
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.campaign_record import CampaignRecord, Rules
from skyhold.simulation.campaign_run import add_usage, run_workers
from skyhold.simulation.creation import create_campaign
from skyhold.simulation.growing import extend_plan, retry_failed
from skyhold.simulation.layout import CANCELLED, out_key
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.plan import Plan
from skyhold.simulation.simulator import ModelChecker, Simulator
from skyhold.simulation.simulator_choice import find_simulator
from skyhold.simulation.status import Status, find_status
from skyhold.simulation.table_head import read_head
from skyhold.simulation.tasks import Label, PlanLike
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.prefixed import PrefixedStore

if TYPE_CHECKING:
    from skyhold.simulation.table import QualityGate  # pyarrow

__all__ = ["Campaign"]


class Campaign:
    """A campaign in a store. It may be stopped, killed, gone on with and widened anywhere; only what is missing runs.

    Args:
        store: Its place.

    Example:
        >>> import sys
        >>> from skyhold.simulation.command import CommandSimulator
        >>> from skyhold.simulation.study import Study
        >>> code = "import json, sys; x = json.load(open(sys.argv[1]))['x']; json.dump({'y': x * x}, open('y', 'w'))"
        >>> square = CommandSimulator("square", "1", (sys.executable, "-c", code, "{model}"), values="y")
        >>> study = Study({"x": 0}, None, {"x": [2, 3]})
        >>> campaign = Campaign.create("memory://campaign-example", study, simulator=square)
        >>> campaign.run(simulator=square).done
        2
        >>> campaign.table(columns=["x", "y"]).to_pylist()
        [{'x': 2, 'y': 4}, {'x': 3, 'y': 9}]
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.uri = store.uri
        self._board = Board(store)

    @classmethod
    def create(
        cls,
        place: str | Store,
        study: Any,
        *,
        simulator: Simulator | None = None,
        rules: Rules | None = None,
        shards: int = 0,
        **options: Any,
    ) -> Self:
        """Create a campaign. The same plan again changes nothing, also not its rules.

        Args:
            place: Where: a URI whose folder is the campaign's own.
            study: A study, or its plan. Its weather files that lie in the campaign's bucket are read with its options.
            simulator: What will run the cases; EnergyPlus if not given. Its build belongs to the cases.
            rules: How workers work together.
            shards: For stores that ignore conditional writes: how many workers there will be, each with a number.
            **options: Of the store.

        Raises:
            AlreadyExistsError: Another campaign is there.
            UnsupportedError: The store ignores conditional writes, and no shards were asked for.
            BadOptionError: The plan has no cases, or an option cannot be used.
            ModelError: A model is wrong.
        """
        store = _open(place, options)
        simulator = simulator or find_simulator()
        plan = _plan_of(study)
        _check(plan, simulator)
        create_campaign(store, plan, simulator, replace(rules or Rules(), shards=shards))
        return cls(store)

    @classmethod
    def open(cls, place: str | Store, **options: Any) -> Self:
        """Return a campaign that is there; nothing is asked of the store yet."""
        return cls(_open(place, options))

    def __repr__(self) -> str:
        """Say where it is; how it stands is asked of the store: `status`."""
        return f"Campaign({self.uri!r})"

    @property
    def record(self) -> CampaignRecord:
        """What was written down at its creation.

        Raises:
            ResultError: There is none.
        """
        return self._board.record

    @property
    def labels(self) -> dict[str, Label]:
        """All labels by name, with their parameters and cases."""
        self._board.look()
        return {label.label: label for name in self._board.blocks for label in self._board.plan(name).labels}

    def status(self) -> Status:
        """Return how far it is. What finished chunks say is read once by this object."""
        return find_status(self._board, self._look())

    def outcomes(self) -> dict[str, Outcome]:
        """Return how each case ended, as far as its chunk is finished; the last of several attempts counts."""
        standing = self._look()
        blocks = self._board.blocks
        return {each.case: each for name in blocks for each in self._board.outcomes_of(name, standing)}

    def run(
        self,
        executor: Executor | None = None,
        workers: int = 1,
        *,
        simulator: Simulator | None = None,
        on_progress: Sequence[Listener] = (),
        stop: threading.Event | None = None,
        cache: ResultCache | bool | None = None,
    ) -> Status:
        """Start workers, wait until they have nothing left to do, and collect the table.

        Nothing distinguishes these workers from others that run elsewhere: it may be called while they do.

        Args:
            executor: Where workers run; threads of this process if not given: the engines are processes anyway.
            workers: How many. In a campaign with shards, as many as it has shards.
            simulator: Runs the cases; EnergyPlus if not given.
            on_progress: Told of progress.
            stop: Set to end soon.
            cache: Results that the workers' machines know already; as for `work`.

        Raises:
            StoppedError: The campaign was cancelled.
            EngineError: The simulator is another than the campaign was created with.
            StorageError: The store does not answer.
        """
        record = self.record
        stop = stop or threading.Event()
        simulator = simulator or find_simulator(record.simulator)
        shards = record.rules.shards
        asked = {"campaign": self.uri, "workers": shards or workers}
        with (
            exit_on_terminate(),
            record_run("campaign", f"run {self.uri}", asked=asked, unit="cases", listeners=on_progress) as run,
        ):
            self._board.store = run.metered(self.store)
            try:
                return self._run(run, executor, shards or workers, simulator, stop, cache)
            finally:
                self._board.store = self.store

    def _run(
        self,
        run: RunRecorder,
        executor: Executor | None,
        workers: int,
        simulator: Simulator,
        stop: threading.Event,
        cache: ResultCache | bool | None,
    ) -> Status:
        before = find_status(self._board, self._look_uncancelled())
        run.progress.advance(before.done + before.failed, total=before.total)
        reports = run_workers(self.store, executor, workers, simulator, stop, run, cache)
        for report in reports:
            self._board.remember(report.outcomes)
        standing = self._look_uncancelled()
        self._collect(standing)
        run.usage = add_usage([report.receipt for report in reports], run.meter.usage)
        return find_status(self._board, standing)

    def retry(self) -> int:
        """Let the cases that were given up be tried again, and lift a cancellation; return how many there are.

        Only the plan changes: `run`, or workers that are running, do the rest.
        """
        if self._look().is_cancelled:
            self.store.delete(CANCELLED)
        while (count := retry_failed(self._board, self._look())) is None:
            pass  # somebody else has changed the plan
        return count

    def extend(self, study: Any) -> int:
        """Add the cases of a study or plan that are not there yet, and return how many will run.

        Raises:
            AlreadyExistsError: A label is there that means another case.
        """
        plan = _plan_of(study)
        while (count := extend_plan(self._board, self._look(), plan)) is None:
            pass  # somebody else has changed it
        return count

    def cancel(self) -> None:
        """Let all workers stop soon, wherever they are, and none start; what is done stays. `retry` lifts it."""
        self.record  # noqa: B018 - asking refuses places that hold no campaign
        self.store.write(CANCELLED, b"{}")

    def collect(self) -> int:
        """Gather what is finished into the newest table, and return how many rows have results.

        Needs no engine. Workers do it at the end; it can be repeated, and run at any time.
        """
        return self._collect(self._look())

    def _collect(self, standing: Standing) -> int:
        from skyhold.simulation.collecting import collect_table  # noqa: PLC0415 - pyarrow

        return collect_table(self._board, standing)

    def table(
        self,
        columns: Sequence[str] | None = None,
        cases: Sequence[str] | None = None,
        *,
        values: Mapping[str, Callable[[Mapping[str, Any]], Any]] | None = None,
        deltas: bool | Sequence[str] = False,
        changes: bool | Sequence[str] = False,
        baseline: str | None = None,
        gate: "QualityGate | bool" = False,
    ) -> Any:
        """Return parameters and results as an Arrow table, a row for each label; once collected, by two requests.

        Each five thousand rows more take one more. Units are in the fields' metadata. Rows whose case is not finished
        have parameters alone. What a chunk asked of the store is shared evenly among its cases: ``requests``,
        ``read_bytes``, ``sent_bytes`` and ``requests_cost``.
        What workers ask after their last chunk, or before they are killed, is not in it; see their receipts.

        Args:
            columns: Which, those that are asked for below too; all if not given.
            cases: Labels; all if not given. What they are compared with need not be among them.
            values: Values of one's own by name, as for `skyhold.simulation.add_values`; called for the rows that have
                results.
            deltas: True, or the names of values: what each differs by from the baseline, as ``"delta.site_energy"``.
            changes: The same in %, as ``"change.site_energy"``.
            baseline: The label of the case that all are compared with; each with its own if not given.
            gate: What a result may have and still be used: ``is_sound`` says whether it may, and ``quality`` why not.
                True for `QualityGate()`.

        Raises:
            BadOptionError: There is no such column, label or value.
            ResultError: There is no campaign.
        """
        from skyhold.simulation.campaign_table import compare, read_table, select  # noqa: PLC0415 - pyarrow

        head = read_head(self.store)
        if head is None or not head.is_complete:
            self.collect()
            head = read_head(self.store)
        if head is None:
            raise ResultError(f"the campaign at {self.uri!r} has no table", remedy="Collect it: campaign.collect()")
        compares = bool(values or deltas or changes or gate or baseline is not None)
        needed = None if columns is None or compares else [*columns, "label"]
        found = compare(read_table(self.store, head, needed), values or {}, deltas, changes, baseline, gate)
        return select(found, columns, cases)

    def folder(self, label: str) -> Store:
        """Return what was kept of a case, as a store of its own: files by the names that the engine gave them.

        Raises:
            BadOptionError: There is no such label.
            ResultError: The case has no results.
        """
        return self._folders([label])[label]

    def timeseries(
        self,
        variables: Sequence[str] | None = None,
        cases: Sequence[str] | None = None,
        *,
        frequency: str | None = None,
        environment: str | None = None,
    ) -> Any:
        """Return time series of EnergyPlus runs as an Arrow table; only the columns that are asked for are fetched.

        Args:
            variables: Names of variables and meters; everything that was kept if not given.
            cases: Labels; all that have results if not given.
            frequency: Such as ``"hourly"``; the finest if not given.
            environment: ``"annual"``, ``"sizing"``, ``"all"``, or the name of one; see `KeptResults`.

        Raises:
            BadOptionError: There is no such label.
            ResultError: A case has no results, or not these.
        """
        from skyhold.simulation.campaign_series import read_series  # noqa: PLC0415 - pyarrow

        folders = self._folders(cases)
        if not folders:
            raise ResultError(f"no case of {self.uri!r} has results", remedy="Look at campaign.status()")
        return read_series(folders, variables, frequency=frequency, environment=environment)

    def _folders(self, cases: Sequence[str] | None) -> dict[str, Store]:
        rows: list[dict[str, Any]] = self.table(["label", "case", "attempt", "state", "detail"], cases).to_pylist()
        folders: dict[str, Store] = {}
        for row in rows:
            if row["state"] == "done":
                folders[row["label"]] = PrefixedStore(self.store, out_key(row["case"], row["attempt"], ""))
            elif cases is not None:
                reason = row["detail"] or "it has not been run"
                raise ResultError(f"the case {row['label']!r} has no results: {reason}", remedy="campaign.retry()")
        return folders

    def _look_uncancelled(self) -> Standing:
        standing = self._look()
        if standing.is_cancelled:
            raise StoppedError(
                f"the campaign {self.uri!r} was cancelled",
                remedy=f"Lift it and try failed cases again: campaign.retry(), or skyhold sim retry {self.uri}",
            )
        return standing

    def _look(self) -> Standing:
        self.record  # noqa: B018 - asking refuses places that hold no campaign
        return self._board.look()


def _open(place: str | Store, options: dict[str, Any]) -> Store:
    if isinstance(place, str):
        return open_store(place, **options)
    if options:
        raise BadOptionError(f"the store is open already, and the option {min(options)!r} comes too late")
    return place


def _check(plan: PlanLike, simulator: Simulator) -> None:
    if isinstance(plan, Plan) and isinstance(simulator, ModelChecker):
        plan.check_with(simulator.check_model)


def _plan_of(study: Any) -> PlanLike:
    return study.plan() if hasattr(study, "plan") else study
