"""What a simulator is: anything that turns a model and a weather file into a folder of results."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

__all__ = [
    "EngineMessage",
    "FailureClass",
    "Job",
    "Kept",
    "ModelChecker",
    "OutputRequester",
    "Quantity",
    "Simulator",
    "Verdict",
    "Watch",
]

FailureClass = Literal["engine", "timeout", "crash", "cancelled", "infrastructure"]
"""Why a run gave no result. ``engine``: it said so itself, and would say so again. ``crash``: its process died.
``infrastructure``: it never came to run, or its results could not be kept: worth another try."""

Severity = Literal["warning", "severe", "fatal"]


@dataclass(frozen=True, slots=True)
class EngineMessage:
    """What an engine says of a run.

    Attributes:
        severity: How bad it is; ``fatal`` spoils a result, ``severe`` puts it in doubt.
        text: What it says, its continuation lines joined by line feeds.
        count: How often, where the engine counts.
    """

    severity: Severity
    text: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """What is simulated.

    Attributes:
        model: The model, a file of the engine's own format.
        weather: The weather file, if the run needs one.
        options: The engine's own flags as plain JSON values, such as ``{"annual": true}``.
    """

    model: Path
    weather: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run is watched from outside.

    Attributes:
        timeout_s: Seconds it may take; None for as long as it takes.
        stop: Set to end it soon.
        on_progress: Called with the share done, 0 to 1, and where the run is in words (``"07/21"``).
    """

    timeout_s: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    on_progress: Callable[[float, str], None] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended.

    Attributes:
        failure: None where it is complete and sound; else why not.
        exit_code: Of the engine's process, negative for a signal; None where it has none.
        messages: What the engine said.
        seconds: How long the engine ran.
        build: Which engine it was, to the commit.
        detail: One sentence on a failure.
    """

    failure: FailureClass | None
    exit_code: int | None
    messages: tuple[EngineMessage, ...]
    seconds: float
    build: str
    detail: str = ""

    @property
    def is_success(self) -> bool:
        """Whether its results may be used."""
        return self.failure is None


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, or a word, with its unit (``""`` where it has none)."""

    value: float | str | None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a run.

    Attributes:
        files: Paths below the target folder, with ``/``, sorted.
        values: Results by name, for the table of a study.
    """

    files: tuple[str, ...]
    values: Mapping[str, Quantity]


class Simulator(Protocol):
    """An engine. One object may be asked by several threads at once; each run is in a process of its own.

    Attributes:
        name: What it is called in plans and receipts, such as ``"energyplus"``.
        build: Which build, to the commit: results of two builds are two results.
    """

    name: str
    build: str

    def simulate(self, job: Job, folder: Path, watch: Watch) -> Verdict:
        """Run in an empty folder, which the engine fills; leave no process behind.

        Never raises for what the run itself does: a failed run is a `Verdict` too.
        """
        ...

    def keep(self, folder: Path, target: Path, selection: Mapping[str, Any]) -> Kept:
        """Take from a run's folder what the selection asks for, into an empty folder.

        Raises:
            ResultError: The folder has not what was asked for.
            BadOptionError: The selection asks for what there is not.
        """
        ...


@runtime_checkable
class OutputRequester(Protocol):
    """A simulator whose models say what is reported, so that a selection has to be asked for before the run."""

    def request_outputs(self, document: Any, selection: Mapping[str, Any]) -> Any:
        """Return a model's document with requests for all that the selection keeps; the given one stays as it is.

        Raises:
            BadOptionError: The selection asks for what there is not.
        """
        ...


@runtime_checkable
class ModelChecker(Protocol):
    """A simulator that can tell before a run what is wrong with a model."""

    def check_model(self, document: Any) -> None:
        """Check a model (`skyhold.simulation.Document`).

        Raises:
            ModelError: It cannot be run, or has what a run would leave out.
        """
        ...
