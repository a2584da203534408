"""What listeners are told of a run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from skyhold.storage.wrappers.metered import Usage

__all__ = ["Event", "Listener", "Phase", "State"]

Phase = Literal["started", "stepped", "advanced", "warned", "ended"]
State = Literal["running", "completed", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Event:
    """Where a run stands.

    Attributes:
        run_id: Which run.
        kind: What sort of run: ``"pipe"``, ``"transfer"``, …
        name: What a person calls it.
        phase: Why this event is sent.
        state: Of the run as a whole.
        done: Units done so far; never goes down.
        total: Units in all, None while it is not known.
        unit: What is counted: ``"rows"``, ``"bytes"``, ``"objects"``, ``"cases"``.
        counts: Further numbers, such as ``rows_rejected``; they never go down either.
        seconds: Since the start.
        at: When, with time zone.
        message: In words, mostly empty.
        rate: Units a second, lately; over the whole run when it has ended.
        step: What the run is at, in words: ``"opening"``, …; empty where runs of its kind have no steps.
        share: How much is done, from 0 to 1, where that is measured by something else than ``done`` and ``total``.
        about: What was asked of the run, as plain JSON without secrets.
        usage: Requests and bytes so far.
        error: The stable code of the error that it failed with; empty while it has not.
    """

    run_id: str
    kind: str
    name: str
    phase: Phase
    state: State
    done: int
    total: int | None
    unit: str
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    seconds: float = 0.0
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    message: str = ""
    rate: float = 0.0
    step: str = ""
    share: float | None = None
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    usage: Usage = field(default_factory=Usage)
    error: str = ""

    @property
    def eta_s(self) -> float | None:
        """Seconds still to go at this rate; None while it cannot be told."""
        if self.state != "running":
            return None
        if self.total is not None:
            return max(0.0, (self.total - self.done) / self.rate) if self.rate > 0 else None
        return self.seconds * (1 - self.share) / self.share if self.share and self.done else None

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON, with ``eta_s``."""
        return {
            "run_id": self.run_id,
            "kind": self.kind,
            "name": self.name,
            "phase": self.phase,
            "state": self.state,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
            "counts": dict(self.counts),
            "seconds": round(self.seconds, 3),
            "at": self.at.isoformat(),
            "message": self.message,
            "rate": round(self.rate, 3),
            "eta_s": None if self.eta_s is None else round(self.eta_s, 1),
            "step": self.step,
            "share": None if self.share is None else round(self.share, 4),
            "about": dict(self.about),
            "requests": dict(self.usage.requests),
            "bytes_in": self.usage.bytes_in,
            "bytes_out": self.usage.bytes_out,
            "error": self.error,
        }


Listener = Callable[[Event], None]
