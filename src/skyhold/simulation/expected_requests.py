"""What a campaign asks of its store, and how long its workers take, from its chunks and what a case is like."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import ceil

from skyhold.simulation.board import is_small
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.pieces import NEWS_S
from skyhold.simulation.planning import block_sizes
from skyhold.simulation.tasks import is_outdated
from skyhold.storage.objects import RequestClass
from skyhold.storage.opening import PART_BYTES

__all__ = ["CaseShape", "Expectation", "expect"]

_WAITING_LOOKS = 4
_VAIN_CLAIMS = 2
"""Of one worker among several, at most as we have seen it: while the others end, and where two want the same chunk."""
_VAIN_CLAIM: dict[RequestClass, int] = {"write": 1, "read": 2}


@dataclass(frozen=True, slots=True)
class CaseShape:
    """What one case is like.

    Attributes:
        run_s: Seconds to prepare and simulate it.
        commit_s: Seconds to keep it, while the next one is simulated.
        files: Sizes of the files that are kept.
    """

    run_s: float
    commit_s: float
    files: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected where every case is of one shape.

    Attributes:
        wall_s: From the first worker's start to the last one's end.
        requests: Of creating, running and collecting, by class.
    """

    wall_s: float
    requests: dict[RequestClass, int]


def expect(
    cases: int, shape: CaseShape, rules: Rules, workers: int, contents: int, *, is_lucky: bool = True
) -> Expectation:
    """Return what a campaign takes whose cases all succeed at once.

    Args:
        cases: How many runs.
        shape: Of each.
        rules: Of the campaign; with shards, there are as many workers.
        workers: How many, started together.
        contents: Models and weather files.
        is_lucky: Whether workers never want the same chunk, never wait for each other, and their machine has the
            models and weather files already. Else each worker fetches them for itself.

    Example:
        >>> expect(24, CaseShape(1.0, 0.1), Rules(), workers=2, contents=2).wall_s
        12.6
    """
    blocks = block_sizes(cases, rules)
    sizes = [size for block in blocks for size in block]
    workers = rules.shards or workers
    times = [_chunk_s(size, shape) for size in sizes]
    requests = Counter[RequestClass]()
    requests.update(_creating(contents + len(blocks)))
    requests.update(_running(blocks, rules, workers))
    requests.update(_keeping(cases, shape.files))
    beats = sum(int(time / rules.beat_s) for time in times)
    requests.update({"read": beats, "write": 0 if rules.shards else _claim_writes(sizes, shape, rules, beats)})
    if not is_lucky:
        requests["read"] += contents * workers
        if workers > 1 and not rules.shards:
            requests["list"] += _WAITING_LOOKS * workers
            requests.update({kind: count * _VAIN_CLAIMS * workers for kind, count in _VAIN_CLAIM.items()})
    return Expectation(round(_wall_s(times, workers), 6), dict(requests))


def _creating(blobs: int) -> dict[RequestClass, int]:
    # A look for the campaign and for each blob; whether the store keeps conditions: three writes, of which two are
    # refused and looked after, and a delete; the record comes last.
    return {"read": 1 + blobs + 2, "write": blobs + 3 + 1, "delete": 1}


def _running(blocks: Sequence[Sequence[int]], rules: Rules, workers: int) -> Counter[RequestClass]:
    chunks, count = sum(map(len, blocks)), len(blocks)
    requests = Counter[RequestClass]({"write": chunks + workers})
    if not rules.shards:
        requests["write"] += chunks
    if is_small(chunks, sum(map(sum, blocks))):
        # Who starts the workers reads record and plan too, and looks before and after; then the table is written.
        looks = _looks(chunks) if workers == 1 and not rules.shards else 2
        requests.update({"read": (1 + count) * (workers + 1) + 1, "list": looks * workers + 2, "write": 2})
        return requests
    # Of each block: its plan is read; what came of it, its sums and its rows are written. Who starts the workers looks
    # at all before, and reads the sums after.
    visits = max(count, workers)
    looks = sum(_looks(len(block)) for block in blocks) if not rules.shards else count * workers
    requests.update({"read": workers + 1 + visits + 2 * count + 2, "list": 2 * (looks + workers) + 2 + count})
    requests["write"] += 3 * count + 1
    return requests


def _keeping(cases: int, files: Sequence[int]) -> dict[RequestClass, int]:
    in_parts = [size for size in files if size > PART_BYTES]
    parts = sum(-(-size // PART_BYTES) + 2 for size in in_parts)
    return {"write": cases * (1 + len(files) - len(in_parts) + parts), "read": cases * len(in_parts)}


def _claim_writes(sizes: Sequence[int], shape: CaseShape, rules: Rules, beats: int) -> int:
    """Return how often claims are written again: where a case begins, if long after the last time, and by the heart."""
    apart = ceil(NEWS_S / shape.run_s) if shape.run_s > 0 else sum(sizes)
    heard = sum((size - 1) // apart for size in sizes)
    return heard + (beats if shape.run_s > rules.beat_s / 2 else 0)


def _looks(chunks: int) -> int:
    """Return how often one worker alone looks at the state."""
    looks, free, taken = 1, chunks, 0
    while free:
        if taken and is_outdated(taken, free):
            looks, taken = looks + 1, 0
        free, taken = free - 1, taken + 1
    return looks + 1


def _chunk_s(size: int, shape: CaseShape) -> float:
    """Return how long a chunk takes: while a case is simulated, the one before is kept."""
    return shape.run_s + (size - 1) * max(shape.run_s, shape.commit_s) + shape.commit_s


def _wall_s(times: Sequence[float], workers: int) -> float:
    """Return when the last worker ends, where each takes the next chunk as soon as it is free."""
    ends = [0.0] * workers
    heapify(ends)
    for time in times:
        heapreplace(ends, ends[0] + time)
    return max(ends)
