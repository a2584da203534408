"""One stream of events for everything that takes long; bars, pages, callbacks and telemetry listen to it."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from skyhold.runs.event import Event, Listener, Phase, State
from skyhold.storage.wrappers.metered import Meter

__all__ = ["Event", "Listener", "MeasureShare", "Phase", "Progress", "State"]

_LOG = logging.getLogger("skyhold.runs")
_SAMPLES = 60
_SAMPLE_S = 0.5
_END_WAIT_S = 2.0

MeasureShare = Callable[[], float | None]


class Progress:
    """Counts of one run, told to listeners a few times a second.

    May be used from many threads. Listeners are called one event at a time and in order, never two at once, in
    whatever thread has news: mostly one that advances; when a burst is followed by silence, a thread of its own
    brings the newest counts. One that raises is logged once and told no more, and the run goes on.

    Args:
        run_id: Which run.
        kind: What sort of run.
        name: What a person calls it.
        unit: What ``done`` counts.
        listeners: Who is told.
        interval_s: Shortest time between two ``advanced`` events; the other phases are told at once.
        about: What was asked, for events to say; as plain JSON and without secrets.
        meter: Counts what the run's stores are asked for.

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
        listeners: Sequence[Listener] = (),
        interval_s: float = 0.1,
        about: Mapping[str, Any] | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.run_id = run_id
        self.kind = kind
        self.name = name
        self.unit = unit
        self._interval_s = interval_s
        self._about = dict(about or {})
        self._meter = meter or Meter()
        self._measure_share: MeasureShare = _unknown
        self._step = self._error = ""
        self._lock = threading.Lock()
        self._outbox = _Outbox(listeners)
        self._later: threading.Timer | None = None
        self._held_back = False
        self._started = self._told = time.monotonic()
        self._ended: float | None = None
        self._done = self._done_before = 0
        self._total: int | None = None
        self._counts: dict[str, int] = {}
        self._samples: deque[tuple[float, int]] = deque([(self._started, 0)], maxlen=_SAMPLES)
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
        return (time.monotonic() if self._ended is None else self._ended) - self._started

    @property
    def rate(self) -> float:
        """Units a second: over the last 60 changes or half minute while it runs, over the whole run afterwards."""
        with self._lock:
            return self._rate()

    @property
    def eta_s(self) -> float | None:
        """Seconds still to go at this rate; None while it cannot be told."""
        return self.event().eta_s

    def start(self, total: int | None = None, *, done: int = 0) -> None:
        """Begin to count.

        Args:
            total: Units in all, where known.
            done: Units that an earlier run has done; they do not count towards the rate.
        """
        with self._lock:
            self._started = self._told = time.monotonic()
            self._samples.clear()
            self._samples.append((self._started, done))
            self._total = total
            self._done = self._done_before = done
        self._tell("started")

    def step(self, name: str, *, measure_share: MeasureShare | None = None) -> None:
        """Say what the run is at now.

        Args:
            name: In words, such as ``"opening"``.
            measure_share: Tells from now on how much is done, from 0 to 1, or None; for runs whose ``total`` is not
                known. It is called for every event, from any thread, and must not ask this progress anything.
        """
        with self._lock:
            self._step = name
            self._measure_share = measure_share or self._measure_share
        self._tell("stepped")

    def advance(self, done: int = 0, *, total: int | None = None, **counts: int) -> None:
        """Add to what is done and to further numbers.

        Raises:
            ValueError: A number is negative: progress does not go back.
        """
        if done < 0 or any(number < 0 for number in counts.values()):
            raise ValueError(f"progress does not go back: done={done}, {counts}")
        with self._lock:
            self._done += done
            self._total = self._total if total is None else total
            for name, number in counts.items():
                self._counts[name] = self._counts.get(name, 0) + number
            now = time.monotonic()
            if now - self._samples[-1][0] >= _SAMPLE_S:
                self._samples.append((now, self._done))
            wait_s = self._told + self._interval_s - now
            self._held_back = wait_s > 0
            if self._held_back:
                self._tell_later(wait_s)
                return
            self._told = now
        self._tell("advanced")

    def warn(self, message: str) -> None:
        """Say in words what a person should know, while the run goes on."""
        self._tell("warned", message)

    def end(self, state: State, message: str = "", *, error: str = "") -> None:
        """Say how it ended; what is said later changes nothing and reaches nobody.

        Args:
            state: How.
            message: In words.
            error: The stable code of the error that ended it.
        """
        with self._lock:
            if self._ended is not None:
                return
            self._ended = time.monotonic()
            self._state = state
            self._error = error
            if self._later is not None:
                self._later.cancel()
            self._outbox.put(self._event("ended", message))
        self._outbox.deliver()
        self._outbox.wait(_END_WAIT_S)

    def event(self, phase: Phase = "advanced", message: str = "") -> Event:
        """Return where the run stands now."""
        with self._lock:
            return self._event(phase, message)

    def _event(self, phase: Phase, message: str) -> Event:
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
            rate=self._rate(),
            step=self._step,
            share=self._measure_share() if self._state == "running" else None,
            about=self._about,
            usage=self._meter.usage,
            error=self._error,
        )

    def _rate(self) -> float:
        since, before = self._samples[0]
        if self._ended is not None:
            since, before = self._started, self._done_before
        elapsed = (time.monotonic() if self._ended is None else self._ended) - since
        return (self._done - before) / elapsed if elapsed > 0 else 0.0

    def _tell_later(self, wait_s: float) -> None:
        """See to it that counts which were held back are told even if nothing follows them."""
        if self._later is not None or self._ended is not None or not self._outbox.listened:
            return
        self._later = threading.Timer(wait_s, self._tell_held_back)
        self._later.daemon = True
        try:
            self._later.start()
        except RuntimeError:  # no more threads: the next advance tells it
            self._later = None

    def _tell_held_back(self) -> None:
        with self._lock:
            self._later = None
            if not self._held_back:
                return
            now = time.monotonic()
            wait_s = self._told + self._interval_s - now
            if wait_s > 0:  # an advance was told meanwhile, and another one held back since
                self._tell_later(wait_s)
                return
            self._told = now
            self._held_back = False
        self._tell("advanced")

    def _tell(self, phase: Phase, message: str = "") -> None:
        with self._lock:
            if self._ended is not None:
                return
            self._outbox.put(self._event(phase, message))
        self._outbox.deliver()


def _unknown() -> float | None:
    return None


class _Outbox:
    """Events on their way to listeners. Whoever finds nobody delivering delivers; nobody waits, so nothing locks up."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = list(listeners)
        self._events: deque[Event] = deque()
        self._state = threading.Condition()
        self._deliverer: int | None = None

    @property
    def listened(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._listeners)

    def put(self, event: Event) -> None:
        """Add an event; a newer state replaces one that nobody has seen yet."""
        with self._state:
            if self._events and self._events[-1].phase == event.phase == "advanced":
                self._events.pop()
            self._events.append(event)

    def deliver(self) -> None:
        """Tell everything there is, unless another call is at it: that one tells this too."""
        with self._state:
            if self._deliverer is not None:
                return
            self._deliverer = threading.get_ident()
        try:
            while (event := self._take()) is not None:
                self._tell(event)
        except BaseException:
            self._rest()
            raise

    def wait(self, timeout_s: float) -> None:
        """Wait until all is told, for a while: a listener may itself be waiting for this run."""
        with self._state:
            if self._deliverer != threading.get_ident():
                self._state.wait_for(lambda: self._deliverer is None, timeout_s)

    def _take(self) -> Event | None:
        with self._state:
            if self._events:
                return self._events.popleft()
            self._deliverer = None
            self._state.notify_all()
            return None

    def _rest(self) -> None:
        with self._state:
            self._deliverer = None
            self._state.notify_all()

    def _tell(self, event: Event) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - whatever a listener does, the run goes on
                _LOG.exception("a progress listener failed and is told no more")
                self._listeners.remove(listener)
