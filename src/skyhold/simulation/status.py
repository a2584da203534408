"""How far a campaign is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from skyhold.simulation.board import Board, Standing
from skyhold.simulation.claims import ClaimNote
from skyhold.simulation.layout import claim_key

__all__ = ["ActiveChunk", "Status", "find_status"]


@dataclass(frozen=True, slots=True)
class ActiveChunk:
    """A chunk that somebody is at.

    Attributes:
        chunk: Which.
        worker: Who.
        host: Where.
        cases: How many cases it has.
        ended: How many of them had come to an end at the last heartbeat.
        taken: How often the chunk was taken; more than once means that workers were stopped or died.
        heard: When the worker was last heard of, by the store's clock.
    """

    chunk: str
    worker: str
    host: str
    cases: int
    ended: int
    taken: int
    heard: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """How far a campaign is.

    Attributes:
        total: Cases.
        done: Those with results. Of chunks that are being worked on, what their workers have told.
        failed: Those that were given up.
        running: Those in chunks that somebody is at, without those that have ended.
        waiting: The others.
        failures: Given up, by class.
        active: Chunks that somebody is at.
        seconds: What the engine took, over all finished cases.
        is_cancelled: Whether there is a wish to stop.
    """

    total: int
    done: int
    failed: int
    running: int
    waiting: int
    failures: Mapping[str, int]
    active: tuple[ActiveChunk, ...]
    seconds: float
    is_cancelled: bool

    @property
    def is_complete(self) -> bool:
        """Whether every case has come to an end."""
        return self.done + self.failed == self.total

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        active = [{**asdict(each), "heard": each.heard.isoformat()} for each in self.active]
        return {**asdict(self), "active": active, "is_complete": self.is_complete}


def find_status(board: Board, standing: Standing) -> Status:
    """Return how far a campaign is, from one listing, what finished chunks say (once), and the claims of the others."""
    left = board.unfinished(standing)
    open_again = {task.case for chunk in left if chunk.is_retry for task in chunk.tasks}
    results = board.results(standing)
    ended = [outcome for outcome in results.values() if outcome.case not in open_again or outcome.failure is None]
    failures = Counter(outcome.failure for outcome in ended if outcome.failure is not None)
    active: list[ActiveChunk] = []
    for chunk in left:
        if not chunk.claim:
            continue
        info, data = board.store.read_with_info(claim_key(chunk.claim))
        note = ClaimNote.from_json(data)
        if note.state == "held":
            cases = len(chunk.tasks)
            finished = min(note.finished, cases)  # of a chunk that was divided, its owner may have done more
            active.append(ActiveChunk(chunk.chunk, note.worker, note.host, cases, finished, note.taken, info.modified))
    total, failed, told = len(board.cases()), failures.total(), sum(each.ended for each in active)
    running = sum(each.cases for each in active) - told
    done = len(ended) - failed + told
    return Status(
        total,
        done,
        failed,
        running,
        total - done - failed - running,
        dict(failures),
        tuple(active),
        round(sum(outcome.seconds for outcome in results.values()), 3),
        standing.is_cancelled,
    )
