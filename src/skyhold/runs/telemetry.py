"""Runs as OpenTelemetry spans and metrics."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from skyhold._version import __version__
from skyhold.errors import MissingExtraError
from skyhold.runs.event import Event

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Counter, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["OpenTelemetryListener"]

_SCOPE = "skyhold"


class _Sum(NamedTuple):
    """One thing that a run adds up: the metric, its unit, and the attribute that tells it from its siblings."""

    metric: str
    unit: str
    attribute: str = ""
    value: str = ""

    @property
    def name(self) -> str:
        """What a span calls it."""
        return f"{self.metric}.{self.value}" if self.value else self.metric


@dataclass(slots=True)
class _Run:
    """What is known of a run that has not ended."""

    span: "Span"
    within: "Context"
    step: "Span | None" = None
    told: dict[_Sum, int] = field(default_factory=dict[_Sum, int])


class OpenTelemetryListener:
    """A listener that makes each run a span, and adds up what runs do as metrics.

    The span says what was asked, how the run ended, its counts, requests and bytes; it has a child for each step, such
    as validating and publishing. A run that fails has the error's code as ``error.type``. The span belongs to the one
    that was current where the run was started. Metrics carry the kind of the run and nothing that grows without bound:

    - ``skyhold.rows.read``, ``skyhold.rows.written``, ``skyhold.rows.rejected``, and so every other count of a run;
    - ``skyhold.storage.bytes``, by ``direction``: ``in``, ``out``;
    - ``skyhold.storage.requests``, by ``class``: ``read``, ``write``, ``list``, ``delete``;
    - ``skyhold.run.duration``, a histogram in seconds, by ``skyhold.run.state``.

    One listener may serve any number of runs at once. Where spans and metrics go is the providers' concern.

    Args:
        tracer_provider: None takes the one that is set for the process.
        meter_provider: None takes the one that is set for the process.

    Raises:
        MissingExtraError: The extra ``otel`` is not installed.

    Example:
        >>> from skyhold.runs.progress import Progress
        >>> progress = Progress("1", "pipe", "orders", unit="rows", listeners=[OpenTelemetryListener()])
        >>> progress.start(); progress.advance(2, rows_read=2); progress.end("completed")
    """

    def __init__(
        self, *, tracer_provider: "TracerProvider | None" = None, meter_provider: "MeterProvider | None" = None
    ) -> None:
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtraError.of("otel", "OpenTelemetryListener") from error
        self._trace = trace
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider)
        self._meter = metrics.get_meter(_SCOPE, __version__, meter_provider)
        self._duration = self._meter.create_histogram(
            "skyhold.run.duration", unit="s", description="How long runs took"
        )
        self._counters: dict[str, Counter] = {}
        self._runs: dict[str, _Run] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Tell what is new."""
        with self._lock:
            run = self._runs.get(event.run_id)
            if run is None:
                run = self._runs[event.run_id] = self._begin(event)
            self._add(run, event)
            if event.phase == "stepped":
                self._step(run, event)
            elif event.phase == "warned":
                run.span.add_event("warning", {"message": event.message}, _nanoseconds(event.at))
            elif event.phase == "ended":
                del self._runs[event.run_id]
                self._end(run, event)

    def _begin(self, event: Event) -> _Run:
        asked = {f"skyhold.{name}": _plain(value) for name, value in event.about.items()}
        span = self._tracer.start_span(
            f"skyhold {event.kind}",
            attributes={
                **asked,
                "skyhold.run.id": event.run_id,
                "skyhold.run.kind": event.kind,
                "skyhold.run.name": event.name,
            },
            start_time=_nanoseconds(event.at),
        )
        return _Run(span, self._trace.set_span_in_context(span))

    def _step(self, run: _Run, event: Event) -> None:
        at = _nanoseconds(event.at)
        if run.step is not None:
            run.step.end(at)
        run.step = self._tracer.start_span(f"skyhold {event.kind} {event.step}", run.within, start_time=at)

    def _add(self, run: _Run, event: Event) -> None:
        """Add to the metrics what has come since the last event."""
        for each, total in _sums(event):
            new = total - run.told.get(each, 0)
            run.told[each] = total
            if new:
                told_by = {each.attribute: each.value} if each.attribute else {}
                self._counter(each).add(new, {"skyhold.run.kind": event.kind, **told_by})

    def _counter(self, each: _Sum) -> "Counter":
        if each.metric not in self._counters:
            self._counters[each.metric] = self._meter.create_counter(each.metric, unit=each.unit)
        return self._counters[each.metric]

    def _end(self, run: _Run, event: Event) -> None:
        at = _nanoseconds(event.at)
        failed = event.state == "failed"
        if run.step is not None:
            if failed:
                run.step.set_status(self._trace.StatusCode.ERROR)
            run.step.end(at)
        run.span.set_attributes({each.name: total for each, total in run.told.items()})
        run.span.set_attribute("skyhold.run.state", event.state)
        if failed:
            run.span.set_attribute("error.type", event.error)
            run.span.set_status(self._trace.StatusCode.ERROR, event.message)
        run.span.end(at)
        self._duration.record(event.seconds, {"skyhold.run.kind": event.kind, "skyhold.run.state": event.state})


def _sums(event: Event) -> Iterator[tuple[_Sum, int]]:
    for name, total in event.counts.items():
        yield _Sum(f"skyhold.{name.replace('_', '.', 1)}", f"{{{name.partition('_')[0]}}}"), total
    yield _Sum("skyhold.storage.bytes", "By", "direction", "in"), event.usage.bytes_in
    yield _Sum("skyhold.storage.bytes", "By", "direction", "out"), event.usage.bytes_out
    for name, total in event.usage.requests.items():
        yield _Sum("skyhold.storage.requests", "{request}", "class", name), total


def _plain(value: Any) -> str | bool | int | float:
    return value if isinstance(value, str | bool | int | float) else json.dumps(value, ensure_ascii=False)


def _nanoseconds(at: datetime) -> int:
    return round(at.timestamp() * 1_000_000) * 1000
