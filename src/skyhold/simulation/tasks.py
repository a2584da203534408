"""The cases of a campaign as workers get them: what to run, in chunks that one worker takes at a time."""

import gzip
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

from skyhold.simulation.case import Case
from skyhold.simulation.layout import chunk_id, piece_id

__all__ = ["Blobs", "Chunk", "Label", "PlanLike", "Task", "TaskList", "chunk_sizes", "is_outdated"]

Blobs = dict[str, bytes]
"""Content by its SHA-256."""


class PlanLike(Protocol):
    """What `Study.plan` returns."""

    @property
    def cases(self) -> Iterable[Case]:
        """The cases."""
        ...

    @property
    def models(self) -> Mapping[str, bytes]:
        """Base models by name, as JSON."""
        ...

    @property
    def suffix(self) -> str:
        """How a file of such a model ends."""
        ...

    @property
    def weathers(self) -> Mapping[str, str]:
        """Paths or URIs of weather files by name."""
        ...


@dataclass(frozen=True, slots=True)
class Task:
    """A run.

    Attributes:
        case: Its id: two labels that ask for the same have the same, and run once.
        model: SHA-256 of the base model.
        patch: What makes the base into this case's model.
        weather: SHA-256 of the weather file, if it needs one.
        options: The engine's flags.
        selection: What is kept.
        home: The chunk under which its end is noted, where that is not the chunk that it is in: it is tried again.
    """

    case: str
    model: str
    patch: list[list[Any]]
    weather: str | None
    options: Mapping[str, Any]
    selection: Mapping[str, Any]
    home: str = ""


@dataclass(frozen=True, slots=True)
class Label:
    """What people call a case, and the values that it stands for."""

    label: str
    case: str
    parameters: Mapping[str, Any]
    baseline: str | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Cases that one worker takes at a time: a chunk of the plan, or a piece of one.

    Attributes:
        chunk: What it is called.
        tasks: Its cases.
        is_retry: Whether they have failed before.
        planned: The chunk of the plan.
        start: Where in that the cases begin.
        claim: Name of the claim on it; empty where nobody has claimed it.
        number: Which chunk of the whole plan it is, or is a piece of.
    """

    chunk: str
    tasks: tuple[Task, ...]
    is_retry: bool = False
    planned: str = ""
    start: int = 0
    claim: str = ""
    number: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "planned", self.planned or self.chunk)

    @property
    def end(self) -> int:
        """Where in the planned chunk the cases end."""
        return self.start + len(self.tasks)

    @property
    def is_piece(self) -> bool:
        """Whether the plan has it as part of a chunk."""
        return self.chunk != self.planned

    def home_of(self, task: Task) -> str:
        """Return the chunk under which a case's end is noted."""
        return task.home or self.planned

    def piece(self, start: int, end: int, *, claim: str = "") -> "Chunk":
        """Return some of the cases, from a place in the planned chunk up to another."""
        if (start, end) == (self.start, self.end):
            return replace(self, claim=claim)
        tasks = self.tasks[start - self.start : end - self.start]
        name = piece_id(self.planned, start, end)
        return replace(self, chunk=name, tasks=tasks, start=start, claim=claim)


@dataclass(frozen=True, slots=True)
class TaskList:
    """Cases of a plan: a block of it, or all of a small one.

    Attributes:
        tasks: Each case once.
        labels: Each label once; several may mean one case, also one of another block.
        names: What files were called, by their hash: engines look at endings.
    """

    tasks: tuple[Task, ...]
    labels: tuple[Label, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_blob(self) -> tuple[str, bytes]:
        """Return it for the store, with the hash of what is compressed: that is the same whatever compresses it."""
        # Not in canonical order: parameters are columns of the table in the order in which the study names them.
        content = json.dumps(self._content(), separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return hashlib.sha256(content).hexdigest(), gzip.compress(content, 6, mtime=0)

    @staticmethod
    def from_bytes(data: bytes) -> "TaskList":
        """Return what `to_bytes` wrote."""
        content: dict[str, Any] = json.loads(gzip.decompress(data))
        return TaskList(
            tuple(Task(**_shared(task)) for task in content["tasks"]),
            tuple(Label(**label) for label in content["labels"]),
            content["names"],
        )

    def chunks(self, block: str, sizes: Sequence[int], *, is_retry: bool, first: int = 0) -> tuple[Chunk, ...]:
        """Return the tasks in chunks of these sizes; ``first`` is the number of the first in the whole plan."""
        found: list[Chunk] = []
        start = 0
        for number, size in enumerate(sizes):
            tasks = self.tasks[start : start + size]
            found.append(Chunk(chunk_id(block, number), tasks, is_retry, number=first + number))
            start += size
        return tuple(found)

    def _content(self) -> dict[str, Any]:
        return {
            "tasks": [_fields(task) for task in self.tasks],
            "labels": [_fields(label) for label in self.labels],
            "names": dict(self.names),
        }


def _shared(task: dict[str, Any]) -> dict[str, Any]:
    """Return what a task holds, where texts that thousands of tasks have are one in memory."""
    names = {name: sys.intern(task[name]) for name in ("model", "weather", "home") if task[name] is not None}
    return {**task, **names}


def _fields(record: Task | Label) -> dict[str, Any]:
    """Return what a record holds, not copied as `dataclasses.asdict` would: that takes longer than all the rest."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


def chunk_sizes(cases: int, *, largest: int, workers: int) -> list[int]:
    """Return sizes of chunks: large ones first, which cost few requests, and small ones last, which end together.

    Args:
        cases: How many there are.
        largest: No chunk has more.
        workers: How many are expected; more than that do no harm.

    Example:
        >>> chunk_sizes(24, largest=20, workers=2)
        [6, 6, 3, 3, 2, 2, 1, 1]
    """
    sizes: list[int] = []
    left = cases
    while left:
        size = max(1, min(largest, -(-left // (2 * workers))))
        for _ in range(workers):
            taken = min(size, left)
            if taken:
                sizes.append(taken)
            left -= taken
    return sizes


def is_outdated(taken: int, free: int) -> bool:
    """Return whether a look at the state is too old to take another chunk by.

    Args:
        taken: Chunks that we have taken since then.
        free: Chunks that were free then, without these.
    """
    return 3 * taken > free
