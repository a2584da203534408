"""A block of a campaign's plan: some hundreds of chunks, of which one note tells what came of them in the end."""

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from skyhold.errors import IntegrityError
from skyhold.simulation.campaign_record import BlockRecord, PartKind, PartRecord
from skyhold.simulation.layout import blob_key, block_id, chunk_id
from skyhold.simulation.outcome import Outcome, write_outcomes
from skyhold.simulation.table_head import TablePart
from skyhold.simulation.tasks import Chunk, TaskList
from skyhold.storage.contract import Store

__all__ = ["Block", "BlockEnd", "Sum", "pack_outcomes"]


@dataclass(frozen=True)
class Block:
    """A block of the plan, without its cases.

    Attributes:
        name: What it is called.
        record: What is written down of it.
        kind: How its part came about.
        first: Which chunk of the whole plan its first one is.
    """

    name: str
    record: BlockRecord
    kind: PartKind
    first: int

    @staticmethod
    def of_part(number: int, part: PartRecord, first: int) -> "Iterator[Block]":
        """Return the blocks of a part whose first chunk has a number in the whole plan."""
        for place, record in enumerate(part.blocks):
            yield Block(block_id(number, place), record, part.kind, first)
            first += record.chunk_count

    @property
    def is_retry(self) -> bool:
        """Whether its cases have failed before."""
        return self.kind == "retry"

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """How many cases each of its chunks has, by name."""
        return {chunk_id(self.name, number): size for number, size in enumerate(self.record.sizes)}

    def chunks(self, plan: TaskList) -> tuple[Chunk, ...]:
        """Return its chunks."""
        return plan.chunks(self.name, self.record.sizes, is_retry=self.is_retry, first=self.first)


@dataclass(frozen=True, slots=True)
class Sum:
    """How many cases have ended, and how.

    Attributes:
        done: With results.
        failures: Given up, by class.
        seconds: What the engine took.
    """

    done: int = 0
    failures: Mapping[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0

    @staticmethod
    def of(outcomes: Iterable[Outcome]) -> "Sum":
        """Return the sum of outcomes."""
        done, seconds, failures = 0, 0.0, Counter[str]()
        for outcome in outcomes:
            seconds += outcome.seconds
            if outcome.failure is None:
                done += 1
            else:
                failures[outcome.failure] += 1
        return Sum(done, dict(failures), seconds)

    @staticmethod
    def total(sums: "Iterable[Sum]") -> "Sum":
        """Return the sum of sums.

        Example:
            >>> Sum.total([Sum(2, {"crash": 1}, 3.0), Sum(1, {"crash": 2})])
            Sum(done=3, failures={'crash': 3}, seconds=3.0)
        """
        done, seconds, failures = 0, 0.0, Counter[str]()
        for each in sums:
            done, seconds = done + each.done, seconds + each.seconds
            failures.update(each.failures)
        return Sum(done, dict(failures), seconds)

    @property
    def ended(self) -> int:
        """How many cases have ended."""
        return self.done + sum(self.failures.values())


@dataclass(frozen=True, slots=True)
class BlockEnd:
    """What came of a block whose cases have all ended.

    Attributes:
        block: Which.
        outcomes: SHA-256 of what came of each of its cases, packed (`pack_outcomes`).
        sum: How many, and how.
        table: Its rows, where they have a file of their own and need no other block.
    """

    block: str
    outcomes: str
    sum: Sum
    table: TablePart | None = None

    def to_json(self) -> bytes:
        """Return it for the store."""
        content = {
            "block": self.block,
            "outcomes": self.outcomes,
            "done": self.sum.done,
            "failures": dict(self.sum.failures),
            "seconds": round(self.sum.seconds, 3),
            "table": None if self.table is None else asdict(self.table),
        }
        return json.dumps(content).encode()

    @staticmethod
    def from_json(data: bytes) -> "BlockEnd":
        """Return what `to_json` wrote."""
        content: dict[str, Any] = json.loads(data)
        return BlockEnd(
            content["block"],
            content["outcomes"],
            Sum(content["done"], content["failures"], content["seconds"]),
            None if content["table"] is None else TablePart.from_dict(content["table"]),
        )

    def unpack(self, store: Store) -> bytes:
        """Return what came of its cases, as `write_outcomes` has it.

        Raises:
            IntegrityError: Other bytes came than were written.
        """
        key = blob_key(self.outcomes)
        data = store.read(key)
        if hashlib.sha256(data).hexdigest() != self.outcomes:
            raise IntegrityError(
                "the bytes have another hash than their name says",
                operation="read",
                uri=store.uri_of(key),
                remedy=f"Delete state/campaign/ended/{self.block}.json: collect() gathers it anew",
            )
        return gzip.decompress(data)


def pack_outcomes(outcomes: Sequence[Outcome]) -> tuple[str, bytes]:
    """Return the hash and the bytes of what came of some cases."""
    data = gzip.compress(write_outcomes(outcomes), 6, mtime=0)
    return hashlib.sha256(data).hexdigest(), data
