"""What the journal knows of a run that has not said how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skyhold.errors import MalformedInputError
from skyhold.runs.event import Event
from skyhold.runs.json_reader import JsonReader
from skyhold.runs.liveness import ProcessMark

__all__ = ["RunningRun", "Said", "describe_event", "note_message", "read_running", "read_said"]

_MESSAGES = 50


@dataclass(frozen=True, slots=True)
class Said:
    """Something that a run has said in words."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class RunningRun:
    """How far a run is that has not said how it ended.

    Attributes:
        process: Who runs it, or ran it.
        updated: When it was last heard of.
        done: Units done by then.
        total: Units in all, None while it was not known.
        unit: What is counted.
        counts: Further numbers.
        rate: Units a second by then.
        step: What it was at, in words; empty where runs of its kind have no steps.
        share: How much was done, from 0 to 1; None while it could not be told.
        eta_s: Seconds that were still to go; None while it could not be told.
        requests: Requests sent by then, by class.
        bytes_in: Content received by then.
        bytes_out: Content sent by then.
        asked: What was asked for, as plain JSON without secrets.
        command: What was typed; empty when it was not typed.
        messages: The last things that it said, oldest first.
    """

    process: ProcessMark
    updated: datetime
    done: int = 0
    total: int | None = None
    unit: str = ""
    counts: "dict[str, int] | None" = None
    rate: float = 0.0
    step: str = ""
    share: float | None = None
    eta_s: float | None = None
    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    bytes_in: int = 0
    bytes_out: int = 0
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    command: str = ""
    messages: tuple[Said, ...] = ()


def describe_event(event: Event) -> dict[str, Any]:
    """Return how far a run is, for its note; `read_running` understands it."""
    share = event.done / event.total if event.total else event.share
    return {
        "updated": event.at.isoformat(),
        "done": event.done,
        "total": event.total,
        "unit": event.unit,
        "counts": dict(event.counts),
        "rate": event.rate,
        "step": event.step,
        "share": share,
        "eta_s": event.eta_s,
        "requests": dict(event.usage.requests),
        "bytes_in": event.usage.bytes_in,
        "bytes_out": event.usage.bytes_out,
        "asked": dict(event.about),
    }


def note_message(note: dict[str, Any], event: Event) -> bool:
    """Add what an event says in words to a run's note, which keeps the last 50; return whether it says anything."""
    words = event.message or (event.step if event.phase == "stepped" else "")
    if words:
        messages = [*note.get("messages", ()), {"at": event.at.isoformat(), "message": words}]
        note["messages"] = messages[-_MESSAGES:]
    return bool(words)


def read_running(reader: JsonReader) -> RunningRun:
    """Return what a run's note says.

    Raises:
        MalformedInputError: It is damaged.
    """
    process = reader.child("process", ProcessMark.parse)
    if process is None:
        raise MalformedInputError("$.process is missing")
    return RunningRun(
        process,
        reader.moment("updated"),
        reader.integer("done", 0),
        reader.integer_or_none("total"),
        reader.text("unit", ""),
        reader.mapping_of("counts", int, "an integer"),
        reader.number("rate") if reader.has("rate") else 0.0,
        reader.text("step", ""),
        reader.number("share") if reader.has("share") else None,
        reader.number("eta_s") if reader.has("eta_s") else None,
        reader.mapping_of("requests", int, "an integer"),
        reader.integer("bytes_in", 0),
        reader.integer("bytes_out", 0),
        reader.mapping("asked"),
        reader.text("command", ""),
        read_said(reader),
    )


def read_said(reader: JsonReader) -> tuple[Said, ...]:
    """Return the last things that a run said, as its note has them.

    Raises:
        MalformedInputError: It is damaged.
    """
    return reader.children("messages", _read_one)


def _read_one(reader: JsonReader) -> Said:
    return Said(reader.moment("at"), reader.text("message"))
