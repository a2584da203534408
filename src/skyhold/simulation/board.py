"""How a campaign stands: its plan, read block by block, and listings of its state."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from skyhold.errors import BucketNotFoundError, KeyNotFoundError, ResultError
from skyhold.simulation.block import Block, BlockEnd, Sum
from skyhold.simulation.campaign_record import CampaignRecord, PartRecord
from skyhold.simulation.layout import (
    CAMPAIGN,
    CANCELLED,
    OVERVIEW,
    STATE,
    blob_key,
    block_of,
    block_prefix,
    ended_key,
    finished_key,
    part_key,
)
from skyhold.simulation.outcome import Outcome, read_outcomes
from skyhold.simulation.pieces import Division, Left, counting
from skyhold.simulation.tasks import Chunk, TaskList
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Board", "Standing", "is_small"]

_READS = 16
_SMALL_CHUNKS = 500
_SMALL_CASES = 5000
"""Up to here one page of a listing shows all of the state, and every worker reads all of the plan."""

Choose = Callable[[Sequence[str]], Iterable[str]]
"""Given the blocks that have not ended, returns those to look at."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One look at a campaign's state.

    Attributes:
        finished: Chunks, and pieces of chunks, whose cases have all come to an end, by block, of those looked at.
        claims: Chunks and pieces that were claimed there, with the claim's time and e-tag.
        beats: When each worker last told its own time, by the store's clock.
        parts: How many parts were added to the plan.
        is_cancelled: Whether somebody wishes the workers to stop.
        ended: Blocks of which is told what came of them.
        looked_at: The blocks that were looked at, in the order of the plan.
    """

    finished: Mapping[str, Collection[str]] = field(default_factory=dict[str, Collection[str]])
    claims: Mapping[str, ObjectInfo] = field(default_factory=dict[str, ObjectInfo])
    beats: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    parts: int = 0
    is_cancelled: bool = False
    ended: frozenset[str] = frozenset()
    looked_at: tuple[str, ...] = ()


class Board:
    """The plan of a campaign, and where it stands. One thread at a time.

    Args:
        store: The campaign's.

    Attributes:
        blocks: All blocks by name, in the order of the plan.
        names: What files were called, by their hash; of the blocks that were read.
        again: How cases had failed that are tried again.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.blocks: dict[str, Block] = {}
        self.names: dict[str, str] = {}
        self.again: Sum = Sum()
        self._record: CampaignRecord | None = None
        self._loaded = self._chunks = self._cases = 0
        self._plans: dict[str, tuple[TaskList, Mapping[str, Chunk]]] = {}
        self._sums: dict[str, Sum] = {}
        self._ends: dict[str, BlockEnd] = {}
        self._outcomes: dict[str, list[Outcome]] = {}

    @property
    def record(self) -> CampaignRecord:
        """What was written down at its creation.

        Raises:
            ResultError: There is no campaign here.
        """
        if self._record is None:
            try:
                data = self.store.read(CAMPAIGN)
            except (KeyNotFoundError, BucketNotFoundError) as error:
                reason = f": {error.reason}" if isinstance(error, BucketNotFoundError) else ""
                raise ResultError(
                    f"there is no campaign at {self.store.uri!r}{reason}",
                    remedy="Check the URI, or create it: skyhold.simulation.Campaign.create(uri, study)",
                ) from error
            self._record = CampaignRecord.from_json(data, self.store.uri)
        return self._record

    @property
    def total(self) -> int:
        """How many cases there are."""
        return sum(block.record.cases for block in self.blocks.values() if not block.is_retry)

    @property
    def is_small(self) -> bool:
        """Whether it is looked at as a whole, and not block by block."""
        return is_small(self._chunks, self._cases)

    def look(self, choose: Choose | None = None) -> Standing:
        """Return how it stands now, and read what has been added to the plan.

        Args:
            choose: In a large campaign, which blocks are looked at of those that have not ended; all if not given.
        """
        self.load(self._loaded - 1)
        was_small = self.is_small
        seen = _Seen()
        seen.add(self.store.list(STATE if was_small else OVERVIEW))
        self.load(seen.parts)
        left = [name for name in self.blocks if name not in seen.ended]
        looked_at = left if was_small or choose is None else list(choose(left))
        if not was_small:
            with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-look") as pool:
                for found in pool.map(self._list_block, looked_at):
                    seen.add(found)
        return seen.standing(looked_at)

    def is_all(self, standing: Standing) -> bool:
        """Return whether all that has not ended was looked at."""
        return all(block in standing.ended or block in standing.looked_at for block in self.blocks)

    def load(self, parts: int) -> None:
        """Read which blocks the plan has with this many added parts, as far as it was not read before."""
        if self._loaded == 0:
            self._add(0, self.record.part)
        while self._loaded <= parts:
            data = self.store.read(part_key(self._loaded))
            self._add(self._loaded, PartRecord.from_json(data))

    def plan(self, block: str) -> TaskList:
        """Return the cases of a block."""
        return self._plan(block)[0]

    def chunks(self, block: str) -> Mapping[str, Chunk]:
        """Return the chunks of a block by name."""
        return self._plan(block)[1]

    def unfinished(self, standing: Standing) -> list[Chunk]:
        """Return what is left of the chunks of the blocks that were looked at, in the order of the plan."""
        return [
            self.chunks(block_of(left.chunk))[left.chunk].piece(left.start, left.end, claim=left.claim)
            for left in self.left(standing)
        ]

    def left(self, standing: Standing) -> Iterator[Left]:
        """Return what `unfinished` does, without its cases: their plan is not read."""
        finished = (name for block in standing.looked_at for name in standing.finished.get(block, ()))
        division = Division(finished, standing.claims)
        for block in standing.looked_at:
            for chunk, size in self.blocks[block].sizes.items():
                yield from division.left_of(chunk, size)

    def remember(self, outcomes: Mapping[str, list[Outcome]]) -> None:
        """Take over what workers of this process have told of chunks, so that it is not read."""
        for name, told in outcomes.items():
            self._keep(name, told)

    def forget(self, block: str) -> None:
        """Drop what the notes of an ended block say: one tells it all."""
        for name in [name for name in self._outcomes if block_of(name) == block]:
            del self._outcomes[name]

    def read_sums(self, standing: Standing) -> Sum:
        """Return what has come of all cases that have ended; what never changes is read once, many at a time."""
        ends = sorted(standing.ended - self._ends.keys())
        counting = [name for block in standing.looked_at for name in self._counting(block, standing)]
        chunks = [name for name in counting if name not in self._sums]
        with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-read") as pool:
            for end in pool.map(self._read_end, ends):
                self._ends[end.block] = end
            for name, told in zip(chunks, pool.map(self._read_outcomes, chunks), strict=True):
                self._keep(name, told)
        sums = [self._ends[name].sum for name in sorted(standing.ended)]
        return Sum.total([*sums, *(self._sums[name] for name in counting)])

    def end_of(self, block: str) -> BlockEnd:
        """Return what came of a block that has ended."""
        if block not in self._ends:
            self._ends[block] = self._read_end(block)
        return self._ends[block]

    def outcomes_of(self, block: str, standing: Standing) -> list[Outcome]:
        """Return what came of the cases of a block, as far as their chunks are finished."""
        if block in standing.ended:
            return read_outcomes(self.end_of(block).unpack(self.store))
        with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-read") as pool:
            told = pool.map(self._outcomes_of_chunk, self._counting(block, standing))
            return [outcome for some in told for outcome in some]

    def failures_of(self, block: str, standing: Standing) -> list[Outcome]:
        """Return which cases of a block were given up; after `read_sums`, little is read where none was."""
        sums = [self._ends[block].sum] if block in standing.ended else self._sums_in(block, standing)
        if not any(each.failures for each in sums):
            return []
        return [outcome for outcome in self.outcomes_of(block, standing) if outcome.failure is not None]

    def _plan(self, block: str) -> tuple[TaskList, Mapping[str, Chunk]]:
        if block not in self._plans:
            found = self.blocks[block]
            plan = TaskList.from_bytes(self.store.read(blob_key(found.record.tasks)))
            if not self.is_small:
                self._plans.clear()  # who goes through blocks goes from one to the next
            self._plans[block] = plan, {chunk.chunk: chunk for chunk in found.chunks(plan)}
            self.names.update(plan.names)
        return self._plans[block]

    def _counting(self, block: str, standing: Standing) -> list[str]:
        return [] if block in standing.ended else counting(standing.finished.get(block, ()))

    def _sums_in(self, block: str, standing: Standing) -> list[Sum]:
        return [self._sums[name] for name in self._counting(block, standing)]

    def _list_block(self, block: str) -> list[ObjectInfo]:
        return list(self.store.list(block_prefix(block)))

    def _outcomes_of_chunk(self, name: str) -> list[Outcome]:
        return self._outcomes[name] if name in self._outcomes else self._read_outcomes(name)

    def _read_outcomes(self, name: str) -> list[Outcome]:
        return read_outcomes(self.store.read(finished_key(name)))

    def _read_end(self, block: str) -> BlockEnd:
        return BlockEnd.from_json(self.store.read(ended_key(block)))

    def _keep(self, name: str, told: list[Outcome]) -> None:
        self._sums[name] = Sum.of(told)
        if len(self._outcomes) < _SMALL_CHUNKS:
            self._outcomes[name] = told

    def _add(self, number: int, part: PartRecord) -> None:
        for block in Block.of_part(number, part, self._chunks):
            self.blocks[block.name] = block
            self._chunks += block.record.chunk_count
            self._cases += block.record.cases
        self.again = Sum.total([self.again, Sum(failures=dict(part.again))])
        self._loaded = number + 1


def is_small(chunks: int, cases: int) -> bool:
    """Return whether a campaign is looked at as a whole."""
    return chunks <= _SMALL_CHUNKS and cases <= _SMALL_CASES


class _Seen:
    """What listings of the state show."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.parts = 0
        self._finished: dict[str, set[str]] = defaultdict(set)
        self._claims: dict[str, ObjectInfo] = {}
        self._beats: dict[str, datetime] = {}
        self._is_cancelled = False

    def add(self, infos: Iterable[ObjectInfo]) -> None:
        for info in infos:
            folder, _, name = info.key.removeprefix(STATE).removesuffix(".json").rpartition("/")
            kind = folder.rpartition("/")[2]
            if kind == "finished":
                self._finished[block_of(name)].add(name)
            elif kind == "claims":
                self._claims[name] = info
            elif kind == "ended":
                self.ended.add(name)
            elif kind == "workers":
                self._beats[name] = info.modified
            elif kind == "parts":
                self.parts = max(self.parts, int(name))
            self._is_cancelled |= info.key == CANCELLED

    def standing(self, looked_at: Iterable[str]) -> Standing:
        return Standing(
            self._finished,
            self._claims,
            self._beats,
            self.parts,
            self._is_cancelled,
            frozenset(self.ended),
            tuple(looked_at),
        )
