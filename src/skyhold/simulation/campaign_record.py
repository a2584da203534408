"""What is written down when a campaign is created, and never changed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Literal

from skyhold.errors import BadOptionError, ResultError
from skyhold.simulation.layout import OLD_SCHEMAS, SCHEMA

__all__ = ["TABLE_ROWS", "BlockRecord", "CampaignRecord", "PartKind", "PartRecord", "Rules"]

PartKind = Literal["plan", "extension", "retry"]

_BLOCK_CHUNKS = 500
"""Claims and notes of so many chunks fill a page of a listing."""

TABLE_ROWS = 5000
"""A file of the table has about so many rows."""

_BLOCK_CASES = 5000
"""Of so many cases the plan is read, and the table built, in less than a second."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the workers of a campaign work together.

    Attributes:
        lease_s: A worker that is not heard of for longer has lost its chunk.
        max_attempts: How often a case is tried whose failures are no fault of its own.
        timeout_s: How long a case may take; None for as long as it takes.
        chunk_s: How much work one worker takes at a time.
        case_s: How long a case is expected to take.
        workers: How many workers are expected; another number does no harm.
        shards: Not 0 where the store ignores conditional writes: each chunk then belongs to one of so many workers.
    """

    lease_s: float = 60.0
    max_attempts: int = 3
    timeout_s: float | None = None
    chunk_s: float = 45.0
    case_s: float = 2.0
    workers: int = 4
    shards: int = 0

    def __post_init__(self) -> None:
        for name in ("lease_s", "max_attempts", "chunk_s", "case_s", "workers"):
            if getattr(self, name) <= 0:
                raise BadOptionError(f"the option {name}={getattr(self, name)!r} is not positive")
        if self.shards < 0:
            raise BadOptionError(f"the option shards={self.shards!r} is negative")

    @property
    def beat_s(self) -> float:
        """How often a worker tells that it is alive: twice may fail before its lease is over."""
        return self.lease_s / 3.5

    @property
    def largest_chunk(self) -> int:
        """How many cases a chunk has at most."""
        return max(1, round(self.chunk_s / self.case_s))

    @property
    def block_chunks(self) -> int:
        """How many chunks a block has at most."""
        return max(1, min(_BLOCK_CHUNKS, _BLOCK_CASES // self.largest_chunk))


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block of the plan.

    Attributes:
        tasks: SHA-256 of its cases.
        chunks: How many cases its chunks have: pairs of a size, and how many chunks in a row have it.
        labels: How many labels it brings.
        needs: Other blocks to which its labels point, or whose cases it tries again.
    """

    tasks: str
    chunks: tuple[tuple[int, int], ...]
    labels: int = 0
    needs: tuple[str, ...] = ()

    @staticmethod
    def of(tasks: str, sizes: Sequence[int], labels: int = 0, needs: Iterable[str] = ()) -> "BlockRecord":
        """Return the record of a block with chunks of these sizes.

        Example:
            >>> BlockRecord.of("ab", [6, 6, 3]).chunks
            ((6, 2), (3, 1))
        """
        runs = tuple((size, len(list(same))) for size, same in groupby(sizes))
        return BlockRecord(tasks, runs, labels, tuple(sorted(needs)))

    @property
    def fills_a_file(self) -> bool:
        """Whether its rows have a file of their own in the table; small blocks share one."""
        return self.labels > TABLE_ROWS // 2

    @property
    def sizes(self) -> list[int]:
        """How many cases each chunk has."""
        return [size for size, count in self.chunks for _ in range(count)]

    @property
    def chunk_count(self) -> int:
        """How many chunks it has."""
        return sum(count for _, count in self.chunks)

    @property
    def cases(self) -> int:
        """How many cases it has."""
        return sum(size * count for size, count in self.chunks)


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A part of the plan: its blocks.

    Attributes:
        kind: How it came about.
        blocks: In their order.
        again: How its cases had failed before, where they are tried again: how many, by class.
    """

    kind: PartKind
    blocks: tuple[BlockRecord, ...]
    again: Mapping[str, int] = field(default_factory=dict[str, int])

    def to_json(self) -> bytes:
        """Return it for the store."""
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> "PartRecord":
        """Return what JSON says."""
        blocks = (
            BlockRecord(
                each["tasks"],
                tuple((size, count) for size, count in each["chunks"]),
                each["labels"],
                tuple(each["needs"]),
            )
            for each in content["blocks"]
        )
        return PartRecord(content["kind"], tuple(blocks), content["again"])

    @staticmethod
    def from_json(data: bytes) -> "PartRecord":
        """Return what `to_json` wrote."""
        return PartRecord.from_dict(json.loads(data))


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign.

    Attributes:
        simulator: What it is called.
        build: Which build; results of two builds are two results.
        fingerprint: Equal for equal plans.
        rules: How workers work together.
        part: The first part of the plan.
        made_by: Versions, for people.
        origins: Where models and weather files were read from when it was created, for people: it has copies of them.
    """

    simulator: str
    build: str
    fingerprint: str
    rules: Rules
    part: PartRecord
    made_by: Mapping[str, str] = field(default_factory=dict[str, str])
    origins: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        """Return it for the store."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}).encode()

    @staticmethod
    def from_json(data: bytes, uri: str) -> "CampaignRecord":
        """Return what ``campaign.json`` says.

        Raises:
            ResultError: It is no campaign, or one of a version that this package does not know.
        """
        try:
            content: dict[str, Any] = json.loads(data)
            schema = content.pop("schema")
        except (ValueError, KeyError, AttributeError) as error:
            raise ResultError(f"{uri!r} is no campaign: {error}", remedy="Check the URI") from error
        if schema != SCHEMA:
            older = "Read its table with the skyhold that made it, and create it anew: what a cache knows does not run"
            raise ResultError(
                f"the campaign at {uri!r} has the schema {schema!r}, not {SCHEMA!r}",
                remedy=older if schema in OLD_SCHEMAS else "Update skyhold: pip install --upgrade skyhold",
            )
        rules, part = Rules(**content.pop("rules")), PartRecord.from_dict(content.pop("part"))
        return CampaignRecord(rules=rules, part=part, origins=tuple(content.pop("origins", ())), **content)
