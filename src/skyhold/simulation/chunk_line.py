"""The chunks of one worker in line: while what the last run of one has left is kept, the next one begins."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from skyhold.errors import StorageError
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.case_run import CaseRunner
from skyhold.simulation.chunk_run import ChunkRun, Tally
from skyhold.simulation.claims import Claim, Claims
from skyhold.simulation.company import COMPANY
from skyhold.simulation.heart import Heart
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.spending import Spending
from skyhold.simulation.tasks import Chunk

__all__ = ["ChunkLine"]


@dataclass(slots=True)
class ChunkLine:
    """Works through chunks in the order in which they are given; no more than two are under way.

    A chunk whose last case has been simulated ends by itself: that case is kept, uploaded and committed, and the chunk
    is said to be finished. Meanwhile the engine has the next chunk's first case. The second chunk settles nothing
    before the first has ended, so that one thread at a time counts, and what stops one stops the other.

    Args:
        runner: Runs cases.
        claims: Ours.
        rules: The campaign's.
        stop: Set to end soon.
        tally: Counts for the whole worker.
        spending: What the worker uses.
        on_case: Told of each case that has come to an end here.
        on_chunk: Told what came of a chunk that was finished here.
    """

    runner: CaseRunner
    claims: Claims
    rules: Rules
    stop: threading.Event
    tally: Tally
    spending: Spending
    on_case: Callable[[Outcome], None]
    on_chunk: Callable[[str, list[Outcome]], None]
    _last: Future[None] | None = None
    _threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "skyhold-chunk"))

    def run(self, chunk: Chunk, claim: Claim | None) -> None:
        """Work through a chunk until nothing of it is left to simulate, and until the one before has ended.

        Raises:
            StorageError: The store does not answer.
            SimulationError: This machine cannot run cases.
        """
        before, simulated = self._last, threading.Event()
        self._last = self._threads.submit(self._run, chunk, claim, before, simulated)
        simulated.wait()
        _wait_for_end(before)

    def end(self) -> None:
        """Wait until all have ended.

        Raises:
            StorageError: The store does not answer.
            SimulationError: This machine cannot run cases.
        """
        last, self._last = self._last, None
        _wait_for_end(last)

    def close(self) -> None:
        """Send the threads home when they are done, whatever came of it."""
        self._threads.shutdown()

    def _run(self, chunk: Chunk, claim: Claim | None, before: Future[None] | None, simulated: threading.Event) -> None:
        chunk_run = ChunkRun(
            self.runner,
            chunk,
            self.claims,
            claim,
            self.rules.max_attempts,
            self.stop,
            self.tally,
            self.on_case,
            self.spending,
            lambda: _wait_for_end(before),
            simulated.set,
        )
        is_finished = False
        with COMPANY.at_work(self.runner.store.uri):  # until the chunk is free: who waits for us looks only once
            try:
                with Heart(self.claims, claim, self.rules.beat_s, lambda: len(chunk_run.ends), self.stop.set):
                    is_finished = chunk_run.run()
                if chunk_run.told is not None:
                    self.on_chunk(chunk_run.chunk.chunk, chunk_run.told)
            except BaseException:
                self.stop.set()  # what the other chunk is at would be in vain
                raise
            finally:
                simulated.set()
                if not is_finished:
                    self._give_back(claim, chunk_run)

    def _give_back(self, claim: Claim | None, chunk_run: ChunkRun) -> None:
        if claim is not None and not claim.is_lost:
            with suppress(StorageError):  # its lease ends anyway
                self.claims.give_back(claim, len(chunk_run.ends))


def _wait_for_end(chunk: Future[None] | None) -> None:
    if chunk is not None:
        chunk.result()
