"""The cases of a campaign as workers get them: what to run, in chunks that one worker takes at a time."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeVar

from skyhold.errors import BadOptionError
from skyhold.simulation.case import Case, case_key
from skyhold.simulation.layout import chunk_id, piece_id
from skyhold.simulation.plain import canonical_bytes, hash_json
from skyhold.simulation.private_places import PlaceOptions
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_object

__all__ = ["Blobs", "Chunk", "Label", "PlanLike", "Task", "TaskList", "chunk_sizes", "is_outdated", "list_tasks"]

T = TypeVar("T")

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
    """

    chunk: str
    tasks: tuple[Task, ...]
    is_retry: bool = False
    planned: str = ""
    start: int = 0
    claim: str = ""

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
        return Chunk(piece_id(self.planned, start, end), tasks, self.is_retry, self.planned, start, claim)


@dataclass(frozen=True, slots=True)
class TaskList:
    """A part of a plan.

    Attributes:
        tasks: Each case once.
        labels: Each label once; several may mean one case, also one of an earlier part.
        names: What files were called, by their hash: engines look at endings.
    """

    tasks: tuple[Task, ...]
    labels: tuple[Label, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_bytes(self) -> bytes:
        """Return it for the store, compressed."""
        return gzip.compress(canonical_bytes(self._content()), 6, mtime=0)

    @staticmethod
    def from_bytes(data: bytes) -> "TaskList":
        """Return what `to_bytes` wrote."""
        content: dict[str, Any] = json.loads(gzip.decompress(data))
        return TaskList(
            tuple(Task(**task) for task in content["tasks"]),
            tuple(Label(**label) for label in content["labels"]),
            content["names"],
        )

    def fingerprint(self) -> str:
        """Return what is equal for equal plans."""
        return hash_json(self._content())

    def chunks(self, part: int, sizes: Sequence[int], *, is_retry: bool) -> tuple[Chunk, ...]:
        """Return the tasks in chunks of these sizes."""
        found: list[Chunk] = []
        start = 0
        for number, size in enumerate(sizes):
            found.append(Chunk(chunk_id(part, number), self.tasks[start : start + size], is_retry))
            start += size
        return tuple(found)

    def _content(self) -> dict[str, Any]:
        return {
            "tasks": [asdict(task) for task in self.tasks],
            "labels": [asdict(label) for label in self.labels],
            "names": dict(self.names),
        }


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


def list_tasks(
    plan: PlanLike, build: str, known: Iterable[str] = (), *, beside: Store | None = None
) -> tuple[TaskList, Blobs]:
    """Return what is to be run, and the content that it needs.

    Args:
        plan: The cases.
        build: Of the simulator.
        known: Cases that the campaign has already.
        beside: A store with whose options weather files of the same bucket are read, where the plan has none.

    Raises:
        BadOptionError: The plan has no case, two cases of one label, or a case of a model or weather that it has not.
    """
    files = _Files(plan, beside)
    tasks: dict[str, Task] = {}
    labels: dict[str, Label] = {}
    skipped = set(known)
    for case in plan.cases:
        model, weather = files.model(case), files.weather(case)
        key = case_key(model, case.patch, weather, build, case.options, case.selection)
        if case.label in labels:
            raise BadOptionError(f"two cases are called {case.label!r}", remedy="Give each case a label of its own")
        labels[case.label] = Label(case.label, key, dict(case.parameters), case.baseline)
        if key not in skipped:
            tasks.setdefault(key, Task(key, model, case.patch, weather, dict(case.options), dict(case.selection)))
    if not labels:
        raise BadOptionError("the plan has no cases", remedy="Give its parameters values")
    return TaskList(tuple(tasks.values()), tuple(labels.values()), files.names), files.blobs


class _Files:
    """Reads each model and weather file once."""

    def __init__(self, plan: PlanLike, beside: Store | None) -> None:
        self._plan = plan
        self._beside = beside
        self._options: PlaceOptions = getattr(plan, "place_options", PlaceOptions())  # plans made by hand have none
        self._known: dict[tuple[str, str], str] = {}
        self.blobs: Blobs = {}
        self.names: dict[str, str] = {}

    def model(self, case: Case) -> str:
        def add() -> str:
            return self._add(_find(case, "model", case.model, self._plan.models), f"model{self._plan.suffix}")

        return self._once(("model", case.model), add)

    def weather(self, case: Case) -> str | None:
        name = case.weather
        if name is None:
            return None

        def add() -> str:
            uri = _find(case, "weather", name, self._plan.weathers)
            return self._add(*_read_weather(uri, {"beside": self._beside, **self._options.at(uri)}))

        return self._once(("weather", name), add)

    def _once(self, known: tuple[str, str], add: Callable[[], str]) -> str:
        if known not in self._known:
            self._known[known] = add()
        return self._known[known]

    def _add(self, data: bytes, file_name: str) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self.blobs[sha256] = data
        self.names.setdefault(sha256, file_name)
        return sha256


def _find(case: Case, kind: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise BadOptionError(
            f"the case {case.label!r} wants the {kind} {name!r}, and the plan has {', '.join(sorted(known)) or 'none'}"
        )
    return known[name]


def _read_weather(uri: str, options: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return a weather file and its name; what EnergyPlus reads is fetched once a machine, unpacked and checked."""
    if uri.lower().endswith((".epw", ".zip")):
        from skyhold.weather.downloader import fetch_weather  # noqa: PLC0415 - other simulators do without

        path = fetch_weather(uri, **options)
        return path.read_bytes(), path.name
    store, key = open_object(uri, **options)
    return store.read(key), PurePosixPath(key).name
