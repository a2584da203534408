"""From the cases of a study to the blocks of a campaign's plan, one after the other: no more than a few are held."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, TypeVar

from skyhold.errors import BadOptionError
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.case import Case, case_key
from skyhold.simulation.plain import canonical_bytes
from skyhold.simulation.private_places import PlaceOptions
from skyhold.simulation.tasks import Blobs, Label, PlanLike, Task, TaskList, chunk_sizes
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_object

__all__ = ["BlockDraft", "Entry", "TaskReader", "block_sizes", "cut_blocks", "list_tasks"]

T = TypeVar("T")

Entry = tuple[Label | None, Task | None]
"""A label, and the run that it asks for; no run where another label, or the campaign, has it already."""


class TaskReader:
    """Makes labels and tasks of the cases of a plan.

    Args:
        plan: The cases.
        build: Of the simulator.
        known: Cases that the campaign has already.
        beside: A store with whose options weather files of the same bucket are read, where the plan has none.

    Attributes:
        names: What the files that cases need were called, by their hash.
        blobs: The files that cases need, by their hash.
    """

    def __init__(self, plan: PlanLike, build: str, known: Iterable[str] = (), *, beside: Store | None = None) -> None:
        self._plan = plan
        self._build = build
        self._known = {_short(case) for case in known}
        self._places: dict[bytes, int] = {}
        self._files = _Files(plan, beside)
        self._hash = hashlib.sha256()
        self.names: Mapping[str, str] = self._files.names
        self.blobs: Blobs = self._files.blobs

    @property
    def fingerprint(self) -> str:
        """Equal where labels and cases are, in equal order; of what was read so far."""
        names = hashlib.sha256(canonical_bytes(dict(self.names)))
        return hashlib.sha256(self._hash.digest() + names.digest()).hexdigest()

    def read(self) -> Iterator[Entry]:
        """Return each label, and its task where it is the first that asks for it.

        Raises:
            BadOptionError: There are no cases, two of one label, or one of a model or weather that the plan has not.
        """
        labels: set[bytes] = set()
        for case in self._plan.cases:
            entry = self._read(case)
            name = hashlib.blake2b(case.label.encode(), digest_size=16).digest()
            if name in labels:
                raise BadOptionError(f"two cases are called {case.label!r}", remedy="Give each case a label of its own")
            labels.add(name)
            yield entry
        if not labels:
            raise BadOptionError("the plan has no cases", remedy="Give its parameters values")

    def place_of(self, case: str) -> int | None:
        """Return which of the tasks that were read a case is; None for one that was known before."""
        return self._places.get(_short(case))

    def _read(self, case: Case) -> Entry:
        model, weather = self._files.model(case), self._files.weather(case)
        key = case_key(model, case.patch, weather, self._build, case.options, case.selection)
        label = Label(case.label, key, dict(case.parameters), case.baseline)
        self._hash.update(canonical_bytes([label.label, key, dict(label.parameters), label.baseline]))
        short = _short(key)
        if short in self._known or short in self._places:
            return label, None
        self._places[short] = len(self._places)
        return label, Task(key, model, case.patch, weather, dict(case.options), dict(case.selection))


def _short(case: str) -> bytes:
    """Return what tells cases apart in little memory: half of the hash that they are called by."""
    return bytes.fromhex(case[:32])


def list_tasks(
    plan: PlanLike, build: str, known: Iterable[str] = (), *, beside: Store | None = None
) -> tuple[TaskList, Blobs]:
    """Return all that is to be run, and the content that it needs.

    Args:
        plan: The cases.
        build: Of the simulator.
        known: Cases that are not to be run.
        beside: As for `TaskReader`.

    Raises:
        BadOptionError: As `TaskReader.read` has it.
    """
    reader = TaskReader(plan, build, known, beside=beside)
    return _task_list(list(reader.read()), reader.names), reader.blobs


@dataclass(frozen=True, slots=True)
class BlockDraft:
    """A block of the plan that is not in a store yet.

    Attributes:
        tasks: Its cases and labels.
        sizes: How many cases each of its chunks has.
        foreign: Cases of other blocks, to which its labels point.
    """

    tasks: TaskList
    sizes: list[int]
    foreign: frozenset[str] = field(default_factory=frozenset[str])


def cut_blocks(entries: Iterable[Entry], rules: Rules, names: Mapping[str, str]) -> Iterator[BlockDraft]:
    """Return the blocks of a part of a plan, each as soon as it is full; one at least.

    Small chunks come last, and how small they are depends on how many cases there are: so some are held back.
    """
    full, held_back = _full_block(rules), _held_back(rules)
    buffer: list[Entry] = []
    for entry in entries:
        buffer.append(entry)
        if len(buffer) >= full + held_back:
            yield _draft(buffer[:full], names, rules=rules)
            del buffer[:full]
    cases = sum(task is not None for _, task in buffer)
    sizes = _grouped(chunk_sizes(cases, largest=rules.largest_chunk, workers=rules.workers), rules)
    for number, some in enumerate(sizes, 1):
        count = len(buffer) if number == len(sizes) else _entries_with(buffer, sum(some))
        yield _draft(buffer[:count], names, sizes=some)
        del buffer[:count]


def block_sizes(cases: int, rules: Rules) -> list[list[int]]:
    """Return how many cases each chunk of each block has, where no two labels mean one case.

    Example:
        >>> [len(sizes) for sizes in block_sizes(10_000, Rules())], block_sizes(5, Rules(workers=1))
        ([227, 227, 15], [[3, 1, 1]])
    """
    full = _full_block(rules)
    count = max(0, (cases - _held_back(rules)) // full)
    sizes = chunk_sizes(cases - count * full, largest=rules.largest_chunk, workers=rules.workers)
    return [[rules.largest_chunk] * rules.block_chunks] * count + _grouped(sizes, rules)


def _full_block(rules: Rules) -> int:
    return rules.block_chunks * rules.largest_chunk


def _held_back(rules: Rules) -> int:
    return 2 * rules.workers * rules.largest_chunk


def _grouped(sizes: list[int], rules: Rules) -> list[list[int]]:
    return [sizes[start : start + rules.block_chunks] for start in range(0, max(len(sizes), 1), rules.block_chunks)]


def _draft(
    entries: list[Entry], names: Mapping[str, str], *, sizes: list[int] | None = None, rules: Rules | None = None
) -> BlockDraft:
    tasks = _task_list(entries, names)
    if sizes is None:
        assert rules is not None
        whole, rest = divmod(len(tasks.tasks), rules.largest_chunk)
        sizes = [rules.largest_chunk] * whole + [rest] * (rest > 0)
    own = {task.case for task in tasks.tasks}
    return BlockDraft(tasks, sizes, frozenset(label.case for label in tasks.labels if label.case not in own))


def _entries_with(entries: list[Entry], tasks: int) -> int:
    """Return how many entries have so many tasks."""
    seen = 0
    for number, (_, task) in enumerate(entries, 1):
        seen += task is not None
        if seen == tasks:
            return number
    return len(entries)


def _task_list(entries: list[Entry], names: Mapping[str, str]) -> TaskList:
    tasks = tuple(task for _, task in entries if task is not None)
    labels = tuple(label for label, _ in entries if label is not None)
    used = {sha256 for task in tasks for sha256 in (task.model, task.weather) if sha256 is not None}
    return TaskList(tasks, labels, {sha256: names[sha256] for sha256 in sorted(used) if sha256 in names})


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
