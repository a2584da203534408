"""Runs as OpenTelemetry sees them, through its own software development kit."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from pydantic import BaseModel

from skyhold import CSVInputAdapter, CSVOutputAdapter, OpenTelemetryListener, Pipe
from skyhold.errors import MissingExtraError, RejectLimitError
from skyhold.runs.progress import Progress
from skyhold.storage.objects import Operation
from skyhold.storage.wrappers.metered import Meter


class Sale(BaseModel):
    name: str
    price: float


class Observer:
    """A listener, and what came of it."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._metrics = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meters = MeterProvider(metric_readers=[self._metrics])
        self.listener = OpenTelemetryListener(tracer_provider=self.tracers, meter_provider=meters)

    def spans(self, name: str) -> list[ReadableSpan]:
        return [span for span in self._spans.get_finished_spans() if span.name == name]

    def points(self, name: str, **attributes: str) -> list[Any]:
        data = self._metrics.get_metrics_data()
        found = [
            metric.data.data_points
            for resource in (data.resource_metrics if data else [])
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        return [point for point in (found[0] if found else []) if dict(point.attributes or {}) == attributes]

    def value(self, name: str, **attributes: str) -> int:
        (point,) = self.points(name, **attributes)
        return point.value


@pytest.fixture
def observer() -> Observer:
    return Observer()


def _pipe(folder: Path, observer: Observer, **more: Any) -> Pipe:
    (folder / "in.csv").write_text("name,price\na,1\nb,x\nc,3\n")
    return Pipe(
        input_adapter=CSVInputAdapter(folder / "in.csv"),
        output_adapter=CSVOutputAdapter(folder / "out.csv"),
        schema_model=Sale,
        on_progress=observer.listener,
        **more,
    )


def _attributes(span: ReadableSpan) -> Mapping[str, Any]:
    assert span.attributes is not None
    return span.attributes


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


def test_a_pipe_is_one_span_with_a_child_for_each_step(tmp_path: Path, observer: Observer):
    with observer.tracers.get_tracer("the caller").start_as_current_span("nightly job"):
        report = _pipe(tmp_path, observer).run()
    (span,) = observer.spans("skyhold pipe")
    (job,) = observer.spans("nightly job")
    assert span.parent is not None
    assert span.parent.span_id == _id(job)
    told = _attributes(span)
    assert told["skyhold.input"] == f"{tmp_path}/in.csv"
    assert told["skyhold.output"] == f"{tmp_path}/out.csv"
    assert told["skyhold.schema_model"] == "Sale"
    assert told["skyhold.run.id"] == report.snapshot().run_id
    assert (told["skyhold.run.kind"], told["skyhold.run.state"]) == ("pipe", "completed")
    assert (told["skyhold.rows.read"], told["skyhold.rows.written"], told["skyhold.rows.rejected"]) == (3, 2, 1)
    assert told["skyhold.storage.bytes.in"] == report.bytes_read
    assert told["skyhold.storage.bytes.out"] == report.bytes_written
    assert "error.type" not in told
    assert span.status.status_code is StatusCode.UNSET
    ends = [span.start_time]
    for step in ("opening", "validating", "publishing"):
        (child,) = observer.spans(f"skyhold pipe {step}")
        assert child.parent is not None
        assert child.parent.span_id == _id(span)
        ends += [child.start_time, child.end_time]
    ends.append(span.end_time)
    assert ends == sorted(end or 0 for end in ends), "one after the other, within the run"


def test_metrics_add_up_over_runs(tmp_path: Path, observer: Observer):
    reports = [_pipe(tmp_path, observer).run() for _ in range(2)]
    kind = {"skyhold.run.kind": "pipe"}
    assert observer.value("skyhold.rows.read", **kind) == 6
    assert observer.value("skyhold.rows.written", **kind) == 4
    assert observer.value("skyhold.rows.rejected", **kind) == 2
    read, written = sum(each.bytes_read for each in reports), sum(each.bytes_written for each in reports)
    assert observer.value("skyhold.storage.bytes", **kind, direction="in") == read
    assert observer.value("skyhold.storage.bytes", **kind, direction="out") == written
    (duration,) = observer.points("skyhold.run.duration", **kind, **{"skyhold.run.state": "completed"})
    assert duration.count == 2


def test_a_failed_pipe_says_with_which_error(tmp_path: Path, observer: Observer):
    with pytest.raises(RejectLimitError):
        _pipe(tmp_path, observer, max_errors=0).run()
    (span,) = observer.spans("skyhold pipe")
    told = _attributes(span)
    assert (told["skyhold.run.state"], told["error.type"]) == ("failed", "reject_limit")
    assert (told["skyhold.rows.read"], told["skyhold.rows.rejected"]) == (3, 1)
    assert span.status.status_code is StatusCode.ERROR
    assert "max_errors=0" in (span.status.description or "")
    (step,) = observer.spans("skyhold pipe validating")
    assert step.status.status_code is StatusCode.ERROR
    assert not observer.spans("skyhold pipe publishing")


def test_a_run_that_was_stopped_on_purpose_is_no_error(observer: Observer):
    progress = Progress("1", "transfer", "x", unit="objects", listeners=[observer.listener])
    progress.start()
    progress.warn("one object changed")
    progress.end("stopped", "Ctrl-C", error="stopped")
    (span,) = observer.spans("skyhold transfer")
    assert span.status.status_code is StatusCode.UNSET
    assert "error.type" not in _attributes(span)
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [
        ("warning", {"message": "one object changed"})
    ]


def test_runs_at_the_same_time_are_not_mixed_up(observer: Observer):
    meter = Meter()
    first = Progress("1", "transfer", "x", unit="objects", listeners=[observer.listener], interval_s=0.0)
    second = Progress(
        "2", "pipe", "y", unit="rows", listeners=[observer.listener], about={"deep": {"a": [1]}}, meter=meter
    )
    first.start()
    second.start()
    first.advance(5, objects_failed=2)
    meter.record(Operation("write", "u", "write", requests=3, bytes_out=10))
    second.end("completed")
    first.advance(1, objects_failed=1)
    first.end("completed")
    (transfer,), (pipe,) = observer.spans("skyhold transfer"), observer.spans("skyhold pipe")
    assert _attributes(transfer)["skyhold.objects.failed"] == 3
    assert _attributes(pipe)["skyhold.storage.requests.write"] == 3
    assert _attributes(pipe)["skyhold.deep"] == '{"a": [1]}'
    assert "skyhold.objects.failed" not in _attributes(pipe)
    assert observer.value("skyhold.objects.failed", **{"skyhold.run.kind": "transfer"}) == 3
    assert observer.value("skyhold.storage.requests", **{"skyhold.run.kind": "pipe", "class": "write"}) == 3


def test_without_the_extra_it_says_which_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtraError) as caught:
        OpenTelemetryListener()
    assert "skyhold[otel]" in caught.value.remedy
