"""How far a campaign is."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from skyhold.simulation.board import Board, Standing
from skyhold.simulation.claims import ClaimNote
from skyhold.simulation.layout import block_of, claim_key, piece_id

__all__ = ["ActiveChunk", "Status", "find_status"]

_READS = 16


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
        seconds: What the engine took, over all finished cases, and over those that are tried again.
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
    """Return how far a campaign is.

    From one look, what is told of ended blocks and finished chunks (once), and the claims of the others. Cases are
    added up, and not looked at one by one; those that are tried again have not failed any more.
    """
    ended = board.read_sums(standing)
    failures = Counter(ended.failures)
    failures.subtract(board.again.failures)
    active = _read_active(board, standing)
    total, failed, told = board.total, failures.total(), sum(each.ended for each in active)
    running = sum(each.cases for each in active) - told
    done = ended.done + told
    return Status(
        total,
        done,
        failed,
        running,
        total - done - failed - running,
        {name: count for name, count in failures.items() if count},
        tuple(active),
        round(ended.seconds, 3),
        standing.is_cancelled,
    )


def _read_active(board: Board, standing: Standing) -> list[ActiveChunk]:
    """Read the claims of what is left, many at a time."""
    claimed = [left for left in board.left(standing) if left.claim]
    with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-read") as pool:
        found = list(pool.map(board.store.read_with_info, [claim_key(left.claim) for left in claimed]))
    active: list[ActiveChunk] = []
    for left, (info, data) in zip(claimed, found, strict=True):
        note = ClaimNote.from_json(data)
        if note.state == "held":
            is_whole = (left.start, left.end) == (0, board.blocks[block_of(left.chunk)].sizes[left.chunk])
            name = left.chunk if is_whole else piece_id(left.chunk, left.start, left.end)
            cases = left.end - left.start
            finished = min(note.finished, cases)  # of a chunk that was divided, its owner may have done more
            active.append(ActiveChunk(name, note.worker, note.host, cases, finished, note.taken, info.modified))
    return active
