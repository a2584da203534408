"""One stream of events for everything that takes long; bars, pages, callbacks and telemetry listen to it."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

__all__ = ["Event", "Listener", "Phase", "Progress", "State"]

_LOG = logging.getLogger("skyhold.runs")

Phase = Literal["started", "advanced", "ended"]
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
        counts: Further numbers, such as ``rows_rejected``.
        seconds: Since the start.
        at: When, with time zone.
        message: In words, mostly empty.
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

    @property
    def rate(self) -> float:
        """Units a second since the start."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_s(self) -> float | None:
        """Seconds still to go at this rate; None while it cannot be told."""
        if self.total is None or not self.done:
            return None
        return max(0.0, (self.total - self.done) / self.rate) if self.rate else None


Listener = Callable[[Event], None]


class Progress:
    """Counts of one run, told to listeners a few times a second; the last word always arrives.

    Args:
        run_id: Which run.
        kind: What sort of run.
        name: What a person calls it.
        unit: What ``done`` counts.
        listeners: Who is told. One that raises is told no more, and the run goes on.
        interval_s: Shortest time between two events.

    Example:
        >>> seen = []
        >>> progress = Progress("1", "transfer", "example", unit="objects", listeners=[seen.append])
        >>> progress.start(total=2); progress.advance(2); progress.end("completed")
        >>> [(event.phase, event.done) for event in seen]
        [('started', 0), ('ended', 2)]
    """

    def __init__(
        self,
        run_id: str,
        kind: str,
        name: str,
        *,
        unit: str,
        listeners: "list[Listener] | tuple[Listener, ...]" = (),
        interval_s: float = 0.1,
    ) -> None:
        self.run_id = run_id
        self.kind = kind
        self.name = name
        self.unit = unit
        self._listeners = list(listeners)
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._started = self._told = time.monotonic()
        self._ended: float | None = None
        self._done = 0
        self._total: int | None = None
        self._counts: dict[str, int] = {}
        self._state: State = "running"

    @property
    def done(self) -> int:
        """Units done so far."""
        return self._done

    @property
    def counts(self) -> dict[str, int]:
        """Further numbers so far."""
        with self._lock:
            return dict(self._counts)

    @property
    def seconds(self) -> float:
        """Since the start, until the end."""
        return (self._ended or time.monotonic()) - self._started

    def start(self, total: int | None = None) -> None:
        """Begin to count."""
        self._started = self._told = time.monotonic()
        self._total = total
        self._tell("started")

    def advance(self, done: int = 0, *, total: int | None = None, **counts: int) -> None:
        """Add to what is done and to further numbers."""
        now = time.monotonic()
        with self._lock:
            self._done += done
            self._total = self._total if total is None else total
            for name, number in counts.items():
                self._counts[name] = self._counts.get(name, 0) + number
            due = now - self._told >= self._interval_s
            if due:
                self._told = now
        if due:
            self._tell("advanced")

    def end(self, state: State, message: str = "") -> None:
        """Say how it ended; later calls change nothing."""
        with self._lock:
            if self._ended is not None:
                return
            self._ended = time.monotonic()
            self._state = state
        self._tell("ended", message)

    def event(self, phase: Phase = "advanced", message: str = "") -> Event:
        """Return where the run stands now."""
        with self._lock:
            return Event(
                self.run_id,
                self.kind,
                self.name,
                phase,
                self._state,
                self._done,
                self._total,
                self.unit,
                dict(self._counts),
                self.seconds,
                message=message,
            )

    def _tell(self, phase: Phase, message: str = "") -> None:
        event = self.event(phase, message)
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:
                _LOG.exception("a progress listener failed and is told no more")
                self._listeners.remove(listener)
