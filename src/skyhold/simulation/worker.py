"""A worker: takes chunks of a campaign and works through them, until none is left. Any number, anywhere."""

import random
import socket
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from skyhold.config import cache_folder
from skyhold.errors import BadOptionError, StorageError
from skyhold.execution.signals import exit_on_terminate
from skyhold.execution.waiting import wait_for
from skyhold.runs.event import Listener
from skyhold.runs.receipt import Receipt
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.simulation.board import Board, Standing
from skyhold.simulation.cache import ResultCache, choose_cache
from skyhold.simulation.case_run import BlobFolder, CaseRunner
from skyhold.simulation.chunk_line import ChunkLine
from skyhold.simulation.chunk_run import Tally
from skyhold.simulation.claims import Claim, Claims
from skyhold.simulation.company import COMPANY
from skyhold.simulation.ending import end_blocks
from skyhold.simulation.known_cases import KnownCases
from skyhold.simulation.layout import block_of, receipt_key
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.pieces import cases_to_take
from skyhold.simulation.route import Route
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.simulator_choice import check_simulator, find_simulator
from skyhold.simulation.spending import Spending
from skyhold.simulation.tasks import Chunk, is_outdated
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_store

__all__ = ["WorkReport", "Worker", "work"]

_SHORTEST_WAIT = 16
_WORTH_S = 4.0
"""How much work it must be at least that is taken from another worker: that costs some eight requests."""


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What one worker has done.

    Attributes:
        worker: Its name.
        done: Cases that it has committed.
        failed: Cases that it has given up.
        lost: Attempts that came after another worker's commit, and were thrown away.
        is_complete: Whether it left because nothing is left to do; else it was stopped, or others are still at it.
        receipt: What it read, wrote and spent.
        outcomes: What came of the chunks that it finished, by chunk, as far as it is not told with their blocks.
    """

    worker: str
    done: int
    failed: int
    lost: int
    is_complete: bool
    receipt: Receipt
    outcomes: Mapping[str, list[Outcome]]


def work(  # noqa: PLR0913 - each is a choice of whoever starts one
    place: str | Store,
    *,
    simulator: Simulator | None = None,
    shard: int = 0,
    among: int = 1,
    wait: bool = True,
    stop: threading.Event | None = None,
    cache: ResultCache | bool | None = None,
    on_progress: Sequence[Listener] = (),
    on_case: Callable[[Outcome], None] | None = None,
    **options: Any,
) -> WorkReport:
    """Work on a campaign until nothing is left to do. Start it as often and wherever you like.

    When the process is asked to end (SIGTERM, Ctrl-C), the run that is going on is ended and the rest of the chunk
    given back, so that others go on at once; killed, its chunk is free when the lease is over.

    Args:
        place: The campaign.
        simulator: Runs the cases; EnergyPlus if not given.
        shard: Which of the campaign's shards to work on, where its store ignores conditional writes. Elsewhere, the
            number of this worker among those that were started together: it begins with a share of its own.
        among: How many were started together.
        wait: Stay until the others have finished what they are at, to take over from those that die.
        stop: Set to end soon.
        cache: Results that this machine knows already: they are committed without a run, and what is run is kept for
            the next time. True for the user's own cache; None for none, since it takes disk and pays only where
            campaigns overlap.
        on_progress: Told of progress.
        on_case: Told of each case that has come to an end here.
        **options: Of the store.

    Raises:
        ResultError: There is no campaign.
        EngineError: The simulator is another, or another build, than the campaign was created with.
        StorageError: The store does not answer; what was done stays done.
        SimulationError: This machine cannot run cases.
    """
    store = open_store(place, **options) if isinstance(place, str) else place
    simulator = simulator or find_simulator()
    stop = stop or threading.Event()
    with (
        exit_on_terminate(),
        record_run(
            "work", f"work on {store.uri}", asked={"campaign": store.uri}, unit="cases", listeners=on_progress
        ) as run,
        tempfile.TemporaryDirectory(prefix="skyhold-work-", ignore_cleanup_errors=True) as scratch,
        ThreadPoolExecutor(1, thread_name_prefix="skyhold-work") as own,  # signals come to this thread
    ):
        worker = Worker(
            run,
            store,
            simulator,
            Path(scratch),
            (shard, among),
            wait=wait,
            stop=stop,
            cache=choose_cache(cache),
            on_case=on_case,
        )
        working = own.submit(worker.run)
        try:
            wait_for([working])
            working.result()
        except BaseException:
            stop.set()
            working.exception()  # it gives back what it has
            raise
        run.add_output(store.uri)
        receipt = run.publish(store, receipt_key(run.run_id))
        tally = worker.tally
        return WorkReport(
            worker.name, tally.done, tally.failed, tally.lost, worker.is_complete, receipt, worker.outcomes
        )


class Worker:
    """The loop of one worker.

    Args:
        run: Counts and tells what it does.
        store: The campaign's.
        simulator: Runs the cases.
        scratch: An empty folder.
        turn: Which worker this is, and how many were started together.
        wait: Whether to stay until all is finished.
        stop: Set to end soon.
        cache: Results that this machine knows already.
        on_case: Told of each case that has come to an end here.

    Attributes:
        name: No other worker has it.
        tally: What it has done.
        outcomes: What came of the chunks that it finished, by chunk.
        is_complete: Whether everything was finished when it left.
    """

    def __init__(  # noqa: PLR0913 - what `work` was given
        self,
        run: RunRecorder,
        store: Store,
        simulator: Simulator,
        scratch: Path,
        turn: tuple[int, int] = (0, 1),
        *,
        wait: bool = True,
        stop: threading.Event | None = None,
        cache: ResultCache | None = None,
        on_case: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.name = f"{socket.gethostname()}-{uuid.uuid4().hex[:12]}"
        self.tally = Tally()
        self.outcomes: dict[str, list[Outcome]] = {}
        self.is_complete = False
        self._run = run
        self._store = run.metered(store)
        self._spending = Spending(run.meter)
        self._board = Board(self._store)
        self._simulator = simulator
        self._scratch = scratch
        self._shard, self._among = turn
        self._wait = wait
        self._stop = stop or threading.Event()
        self._on_case = on_case
        self._known = None if cache is None else KnownCases(cache, self._store, simulator)
        self._route = Route(turn)
        self._standing: Standing | None = None
        self._taken: set[str] = set()
        self._has_beaten = False
        self._held: dict[str, str | None] = {}

    def run(self) -> None:
        """Work until nothing is left."""
        record = self._board.record
        check_simulator(self._simulator, record, self._store.uri)
        self._rules = record.rules
        self._check_shard()
        self._claims = Claims(self._store, self.name, self._rules.lease_s)
        blobs = BlobFolder(self._store, cache_folder() / "simulation" / "blobs")
        runner = CaseRunner(
            self._store,
            self._simulator,
            blobs,
            self._board.names,
            self._rules.timeout_s,
            self.name,
            self._scratch,
            self._known,
        )
        self._line = ChunkLine(
            runner,
            self._claims,
            self._rules,
            self._stop,
            self.tally,
            self._spending,
            self._note_end,
            self._note_chunk,
        )
        try:
            while (found := self._next()) is not None:
                self._line.run(*found)
            self._line.end()
        finally:
            self._line.close()
            if self._has_beaten:
                with suppress(StorageError):  # it only says that we were here
                    self._claims.leave()

    def _note_chunk(self, chunk: str, outcomes: list[Outcome]) -> None:
        self.outcomes[chunk] = outcomes
        self._board.remember({chunk: outcomes})

    def _note_end(self, outcome: Outcome) -> None:
        counts = {"cases_failed": 1} if outcome.failure else {"cases_done": 1}
        self._run.progress.advance(1, **counts)
        if self._on_case is not None:
            self._on_case(outcome)

    def _next(self) -> tuple[Chunk, Claim | None] | None:
        """Return a chunk that is ours now; None when there is nothing to do any more."""
        waits = 0
        while not self._stop.is_set():
            is_fresh = self._standing is None
            standing = self._look() if self._standing is None else self._standing
            left = [chunk for chunk in self._board.unfinished(standing) if self._is_mine(chunk)]
            self.is_complete = is_fresh and not left and self._board.is_all(standing)
            if standing.is_cancelled:
                return None
            if (found := self._take_any(left, standing, is_fresh=is_fresh)) is not None:
                return found
            if self._standing is None:  # somebody was faster, or there is news
                continue
            if left and (shared := self._take_from_others(left)) is not None:
                return shared
            if self._go_on(standing):
                continue
            if self.is_complete or not self._wait:
                return None
            self._rest(waits)
            waits += 1
        return None

    def _rest(self, waits: int) -> None:
        """Wait, longer each time, until there may be something for us again."""
        pause_s = min(self._rules.beat_s / _SHORTEST_WAIT * 2**waits, self._rules.beat_s)
        # Shorter or longer, so that workers do not march in step.
        COMPANY.wait(self._store.uri, pause_s * random.uniform(0.7, 1.0), self._stop)  # noqa: S311
        self._route.rest()
        if waits:  # others mostly end within the first
            self._claims.beat_self()
            self._has_beaten = True

    def _take_any(self, left: list[Chunk], standing: Standing, *, is_fresh: bool) -> tuple[Chunk, Claim | None] | None:
        """Take a chunk that is free or abandoned; forget how it stands where that has changed since we looked."""
        free = [chunk for chunk in left if not chunk.claim]
        if self._rules.shards and left:
            return self._take_mine(left[0])
        if free and not is_fresh and self._is_outdated(free):
            self._standing = None
            return None
        found = self._take(free) if free else self._take_over(left, standing) if is_fresh else None
        if found is None and (free or not is_fresh):
            self._standing = None
        return found

    def _go_on(self, standing: Standing) -> bool:
        """Leave a block in which nothing is to be had now; return whether to look for something elsewhere at once."""
        self._standing = None
        if end_blocks(self._board, standing):
            return True
        has_more = self._route.leave()
        if self._rules.shards:  # what is left elsewhere is others'
            self.is_complete = not has_more
            return has_more
        return has_more and not (self._wait and self._route.is_tired)

    def _is_outdated(self, free: list[Chunk]) -> bool:
        """Return whether a chunk that was free when we looked is now likely another's.

        Our own share is left to us. Of the rest, others have taken as much as we since then, if they are as fast. A
        vain attempt at a claim costs three requests, another look one.
        """
        return not self._share(free) and is_outdated(len(self._taken), len(free))

    def _share(self, free: list[Chunk]) -> list[Chunk]:
        """Return the chunks that are left to us by those that were started with us; nobody where we are alone."""
        if self._among == 1:
            return []
        return [chunk for chunk in free if chunk.number % self._among == self._shard]

    def _look(self) -> Standing:
        self._line.end()  # else it would look like somebody's
        self._standing = self._board.look(self._route.choose)
        self._taken.clear()
        for name in [name for name in self.outcomes if block_of(name) in self._standing.ended]:
            del self.outcomes[name]  # who collects finds it with its block
        self._run.progress.advance(total=self._board.total)
        return self._standing

    def _is_mine(self, chunk: Chunk) -> bool:
        if chunk.chunk in self._taken:
            return False
        shards = self._rules.shards
        return not shards or chunk.number % shards == self._shard

    def _take_mine(self, chunk: Chunk) -> tuple[Chunk, None]:
        self._taken.add(chunk.chunk)
        return chunk, None

    def _take(self, free: list[Chunk]) -> tuple[Chunk, Claim] | None:
        alike = [chunk for chunk in free if len(chunk.tasks) == len(free[0].tasks)]
        chunk = next(iter(self._share(free)), None) or random.choice(alike)  # noqa: S311 - so that workers rarely want the same
        claim = self._claims.take(chunk.chunk)
        if claim is None:
            return None
        self._taken.add(chunk.chunk)
        return chunk, claim

    def _take_over(self, left: list[Chunk], standing: Standing) -> tuple[Chunk, Claim] | None:
        """Take a chunk that was given back, or whose worker is not heard of any more."""
        now = standing.beats.get(self.name)
        candidates = [chunk for chunk in left if self._may_be_free(standing.claims[chunk.claim], now)]
        random.shuffle(candidates)
        for chunk in candidates:
            found = standing.claims[chunk.claim]
            claim = self._claims.steal(chunk.claim, now or found.modified)
            if claim is not None:
                self._taken.add(chunk.chunk)
                return chunk, claim
            self._held[found.key] = found.e_tag
        return None

    def _take_from_others(self, left: list[Chunk]) -> tuple[Chunk, Claim] | None:
        """Take cases from the end of the largest chunk that somebody is at, where that is worth the requests."""
        case_s = self.tally.seconds / self.tally.done if self.tally.done else self._rules.case_s
        largest = max(left, key=lambda chunk: len(chunk.tasks))
        if cases_to_take(len(largest.tasks), 0) * case_s < _WORTH_S:
            return None
        piece = self._claims.divide(largest)
        return self._take([piece]) if piece is not None else None

    def _may_be_free(self, claim: ObjectInfo, now: datetime | None) -> bool:
        """Return whether a claim is old, or may have been given back: it is not as when we saw somebody hold it."""
        is_old = now is not None and now - claim.modified > timedelta(seconds=self._rules.lease_s)
        return is_old or self._held.get(claim.key) != claim.e_tag

    def _check_shard(self) -> None:
        shards = self._rules.shards
        if not 0 <= self._shard < max(shards, self._among):
            raise BadOptionError(f"there is no shard {self._shard} among {max(shards, self._among)}")
