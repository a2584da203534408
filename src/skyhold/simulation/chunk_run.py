"""A chunk of cases from the first to the last, by one worker, with what an earlier one has left."""

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from skyhold.errors import AlreadyExistsError, SimulationError, StorageError
from skyhold.simulation.case_run import Attempt, CaseRunner
from skyhold.simulation.claims import Claim, Claims
from skyhold.simulation.layout import done_key, done_prefix, fail_key, fail_prefix, finished_key
from skyhold.simulation.outcome import Outcome, read_outcomes, write_outcomes
from skyhold.simulation.pieces import NEWS_S
from skyhold.simulation.simulator import Verdict
from skyhold.simulation.spending import Spending
from skyhold.simulation.tasks import Chunk, Task

__all__ = ["ChunkRun", "Tally"]

_LOG = logging.getLogger("skyhold.simulation")
_TRY_AGAIN = frozenset({"infrastructure", "crash"})
_PATIENCE = 3
_SUSPICIOUS = 4
"""A chunk that was taken so often has perhaps a case that kills its workers: then each case is told before it runs."""


@dataclass(slots=True)
class Tally:
    """What one worker has done so far.

    Attributes:
        done: Cases that it has committed.
        failed: Cases that it has given up.
        lost: Attempts that came after another worker's commit, and were thrown away.
        stumbles: Attempts that failed in a row through no fault of the case.
        seconds: How long the cases that it has committed took the engine.
    """

    done: int = 0
    failed: int = 0
    lost: int = 0
    stumbles: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class ChunkRun:
    """Works through a chunk; while one case is simulated, the one before is kept and uploaded.

    Args:
        runner: Runs cases.
        chunk: Which.
        claims: Ours.
        claim: Of this chunk; None where there are no claims.
        max_attempts: How often a case is tried.
        stop: Set to end soon.
        tally: Counts for the whole worker.
        on_end: Told of each case that has come to an end here.
        spending: What the worker uses, of which each case gets its share.
        wait_for_others: Waits until no other chunk of this worker is under way; called before anything is counted.
        on_simulated: Called as soon as nothing seems left to simulate; a case that failed is tried again after that.
        ends: How each case has come to an end.
        told: What we have told of the finished chunk; None where another worker did.
    """

    runner: CaseRunner
    chunk: Chunk
    claims: Claims
    claim: Claim | None
    max_attempts: int
    stop: threading.Event
    tally: Tally
    on_end: Callable[[Outcome], None]
    spending: Spending
    wait_for_others: Callable[[], None]
    on_simulated: Callable[[], None]
    ends: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    told: list[Outcome] | None = None
    _tries: Counter[str] = field(default_factory=Counter[str])
    _queue: deque[Task] = field(default_factory=deque[Task])

    def run(self) -> bool:
        """Work until all cases have come to an end, or we are to stop; return whether they all have.

        Raises:
            StorageError: The store does not answer.
            SimulationError: This machine cannot run cases.
        """
        self._shorten()
        if not self._is_alone or self.chunk.is_retry:
            self.wait_for_others()
            self.recall()
        self._queue.extend(task for task in self.chunk.tasks if task.case not in self.ends)
        with ThreadPoolExecutor(1, thread_name_prefix="skyhold-commit") as committer:
            pending: tuple[Task, Future[Outcome]] | None = None
            while pending or (self._queue and not self._must_leave()):
                attempt = self._simulate_next()
                if not self._queue:
                    self.on_simulated()
                if pending:
                    self._settle(*pending)
                pending = None
                if attempt is not None:
                    pending = (attempt.task, committer.submit(self._commit, attempt))
        if any(task.case not in self.ends for task in self.chunk.tasks):
            return False
        self._finish()
        return True

    @property
    def _is_alone(self) -> bool:
        """Whether nobody has ever worked on these cases before us."""
        return self.claim is not None and self.claim.is_fresh and not self.chunk.is_piece

    def _shorten(self) -> None:
        """Leave to others what they have taken from the end."""
        until = self.claim.note.until if self.claim is not None else 0
        if self.chunk.start < until < self.chunk.end:
            self.chunk = self.chunk.piece(self.chunk.start, until)
            left = {task.case for task in self.chunk.tasks}
            self._queue = deque(task for task in self._queue if task.case in left)

    def _hear(self) -> None:
        """Learn whether others have taken cases, if we have not been told for long."""
        if self.claim is not None and time.monotonic() - self.claim.written_s > NEWS_S:
            self.claims.beat(self.claim, len(self.ends))
        self._shorten()

    def recall(self) -> None:
        """Take over what earlier workers have left: cases that are done, and attempts that failed."""
        store = self.runner.store
        cases = {task.case for task in self.chunk.tasks}
        for home in sorted({self.chunk.home_of(task) for task in self.chunk.tasks}):
            for info in store.list(done_prefix(home)):
                case = info.key.removeprefix(done_prefix(home)).removesuffix(".json")
                if case in cases:
                    self.ends[case] = read_outcomes(store.read(info.key))[0]
        prefix = fail_prefix(self.chunk.planned)
        for info in store.list(prefix):
            case = info.key.removeprefix(prefix).partition("/")[0]
            if case in cases and case not in self.ends:
                self._count_failure(read_outcomes(store.read(info.key))[0])
        if self.claim is not None and self.claim.fatal and self.claim.fatal not in self.ends:
            self._blame(self.claim.fatal)

    def _blame(self, case: str) -> None:
        """Note that a worker died while it was at a case."""
        verdict = Verdict(
            "crash", None, (), 0.0, self.runner.simulator.build, "its worker died, or was not heard of any more"
        )
        outcome = Outcome.of(case, "", self.runner.worker, verdict)
        self._note_failure(outcome)
        if self._count_failure(outcome):
            self.tally.failed += 1
            self.on_end(outcome)

    def _must_leave(self) -> bool:
        return self.stop.is_set() or (self.claim is not None and self.claim.is_lost)

    def _simulate_next(self) -> Attempt | None:
        """Run the next case, if there is one; None when it was stopped."""
        if self._queue and not self._must_leave():
            self._hear()
        if not self._queue or self._must_leave():
            return None
        return self._simulate(self._queue.popleft())

    def _simulate(self, task: Task) -> Attempt | None:
        """Run a case; None when it was stopped."""
        if self.claim is not None and self.claim.note.taken >= _SUSPICIOUS:
            self.claims.beat(self.claim, len(self.ends), case=task.case)
        try:
            attempt = self.runner.simulate(task, self.stop)
        except StorageError:
            raise
        except OSError as error:
            self.wait_for_others()
            self._failed(task, self._stumble(task, error))
            return None
        return None if attempt.verdict.failure == "cancelled" else attempt

    def _commit(self, attempt: Attempt) -> Outcome:
        try:
            return self.runner.commit(attempt, self.chunk.home_of(attempt.task))
        except StorageError:
            raise
        except OSError as error:
            return self._stumble(attempt.task, error)

    def _stumble(self, task: Task, error: OSError) -> Outcome:
        verdict = Verdict("infrastructure", None, (), 0.0, self.runner.simulator.build, f"on this machine: {error}")
        return Outcome.of(task.case, "", self.runner.worker, verdict)

    def _settle(self, task: Task, future: Future[Outcome]) -> None:
        outcome = future.result()
        self.wait_for_others()
        if outcome.failure is not None:
            self._failed(task, outcome)
            return
        self.tally.stumbles = 0
        self.ends[task.case] = outcome
        if outcome.worker == self.runner.worker:
            self.tally.done += 1
            self.tally.seconds += outcome.seconds
        else:
            self.tally.lost += 1
        self.on_end(outcome)

    def _failed(self, task: Task, outcome: Outcome) -> None:
        self._note_failure(outcome)
        if self._count_failure(outcome):
            self.tally.failed += 1
            self.on_end(outcome)
        else:
            self._queue.append(task)
        self.tally.stumbles = self.tally.stumbles + 1 if outcome.failure == "infrastructure" else 0
        if self.tally.stumbles >= _PATIENCE:
            raise SimulationError(
                f"{self.tally.stumbles} attempts in a row failed on this machine, the last: {outcome.detail}",
                remedy="Correct the machine and start the worker again; its cases are free for others",
            )

    def _count_failure(self, outcome: Outcome) -> bool:
        """Return whether it was the last attempt at its case."""
        self._tries[outcome.case] += 1
        if outcome.failure in _TRY_AGAIN and self._tries[outcome.case] < self.max_attempts:
            return False
        self.ends[outcome.case] = outcome
        return True

    def _note_failure(self, outcome: Outcome) -> None:
        number = self._tries[outcome.case]
        while True:
            try:
                key = fail_key(self.chunk.planned, outcome.case, number)
                self.runner.store.write(key, write_outcomes([outcome]), if_absent=True)
            except AlreadyExistsError:
                number += 1
            else:
                return

    def _finish(self) -> None:
        """Say what came of the chunk. A case that was committed meanwhile by somebody else is done, not failed."""
        store = self.runner.store
        for task in self.chunk.tasks:
            if self.ends[task.case].failure is None or self._is_alone:
                continue
            key = done_key(self.chunk.home_of(task), task.case)
            if store.exists(key):
                self.ends[task.case] = read_outcomes(store.read(key))[0]
        share = self.spending.take(len(self.chunk.tasks))
        outcomes = [replace(self.ends[task.case], usage=share) for task in self.chunk.tasks]
        try:
            store.write(finished_key(self.chunk.chunk), write_outcomes(outcomes), if_absent=True)
        except AlreadyExistsError:
            _LOG.info("another worker has finished the chunk %s", self.chunk.chunk)
        else:
            self.told = outcomes
