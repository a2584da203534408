"""A pipe: rows from one place, through a schema, to another, with nothing lost on the way."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import os
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from skyhold.errors import PipeStateError, RejectLimitError, StoppedError
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.behind import WriteBehind
from skyhold.records.formats.adapter import Batch, InputAdapter, InputStream, OutputAdapter, OutputStream, Written
from skyhold.records.rejects import (
    RejectCounts,
    RejectedRow,
    RejectedRows,
    collect_rejects,
    reject_schema,
    rejects_to_batch,
)
from skyhold.records.report import Report
from skyhold.records.validation.inference import InferredPlan
from skyhold.records.validation.outcome import FieldRoute, RowKind
from skyhold.records.validation.plan import ValidationPlan
from skyhold.runs.progress import Listener
from skyhold.runs.receipt import Receipt
from skyhold.runs.recording import RunRecorder
from skyhold.storage.contract import Store
from skyhold.storage.wrappers.metered import MeteredStore

__all__ = ["Pipe"]


class Pipe:
    r"""Reads, validates, writes.

    Rows come out in the order they came in. The outputs appear whole, after the last row: first the error output, then
    the output, then its receipt (``<output>.receipt.json``). When anything fails, what was there before stays.

    Args:
        input_adapter: What to read.
        output_adapter: Where accepted rows go.
        error_output_adapter: Where rejected rows go, with reasons and their whole originals.
        schema_model: A pydantic model, dataclass or TypedDict. Without one, columns keep their types.
        executor: Who validates; any ``concurrent.futures.Executor`` of threads.
        max_errors: Stop the run, writing nothing, when more rows than this are rejected.
        on_progress: Called with every `skyhold.runs.progress.Event`, one at a time and in order.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> from skyhold.records.formats.csv import CSVInputAdapter, CSVOutputAdapter
        >>> _ = open_store("memory://pipe-example").write("in.csv", b"a,b\n1,x\n2,y\n")
        >>> pipe = Pipe(
        ...     input_adapter=CSVInputAdapter("memory://pipe-example/in.csv"),
        ...     output_adapter=CSVOutputAdapter("memory://pipe-example/out.csv"),
        ... )
        >>> pipe.run().total_processed
        2
    """

    def __init__(
        self,
        *,
        input_adapter: InputAdapter,
        output_adapter: OutputAdapter,
        error_output_adapter: OutputAdapter | None = None,
        schema_model: Any = None,
        executor: Executor | None = None,
        max_errors: int | None = None,
        on_progress: Listener | Sequence[Listener] = (),
    ) -> None:
        self._input = input_adapter
        self._output = output_adapter
        self._errors = error_output_adapter
        self._model = schema_model
        self._executor = executor or SingleThreadExecutor()
        self._max_errors = max_errors
        listeners = (on_progress,) if callable(on_progress) else tuple(on_progress)
        asked = {
            "input": input_adapter.uri,
            "output": output_adapter.uri,
            "error_output": error_output_adapter.uri if error_output_adapter else None,
            "schema_model": getattr(schema_model, "__qualname__", None),
            "max_errors": max_errors,
        }
        self._recorder = RunRecorder(
            "pipe", f"{input_adapter.uri} → {output_adapter.uri}", asked=asked, unit="rows", listeners=listeners
        )
        self._meter = self._recorder.meter
        self._rejects = RejectCounts()
        self._rows_by_source: Counter[str] = Counter()
        self._told = False
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.report = Report(self._recorder.progress, self._meter, self._rejects, self._tell)

    def start(self) -> None:
        """Begin, in a thread of its own.

        Raises:
            PipeStateError: It has been started before; a pipe runs once.
        """
        if self._thread is not None:
            raise PipeStateError("this pipe has been started before", remedy="Make a new Pipe for a new run")
        self.report.status = "running"
        self._thread = threading.Thread(target=self._work, name="skyhold-pipe")
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Returns: True when it is complete, False when the time is over.

        Raises:
            Exception: Whatever made the pipe fail.
            KeyboardInterrupt: Ctrl-C; the pipe is stopped first, and leaves nothing half-written.
        """
        if self._thread is None:
            raise PipeStateError("this pipe has not been started", remedy="Call start() or run() first")
        try:
            if not self.report.wait(timeout):
                return False
        except KeyboardInterrupt:
            self._told = True
            self.shutdown()
            raise
        self._thread.join()
        self._tell()
        return True

    def run(self) -> Report:
        """Start, wait, and return the report.

        Raises:
            Exception: Whatever made the pipe fail.
        """
        self.start()
        self.wait()
        return self.report

    def shutdown(self) -> None:
        """Stop soon, writing nothing, and wait until it has stopped; a complete pipe stays complete."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def explain(self) -> list[FieldRoute]:
        """Return how each field is validated and why; opens the input to see its columns."""
        if self._model is None:
            return []
        with self._input.open(self._metered) as stream:
            return ValidationPlan.build(self._model, columns=stream.schema, kind=stream.kind).explain()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.wait()
        else:
            self._told = True
            self.shutdown()

    def _tell(self) -> None:
        """Raise the pipe's error, unless somebody was told already."""
        if self.report.error is not None and not self._told:
            self._told = True
            raise self.report.error

    def _metered(self, store: Store) -> Store:
        return MeteredStore(store, self._meter)

    def _work(self) -> None:
        try:
            self._recorder.start()
            with self._input.open(self._metered) as stream:
                self._transfer(stream)
            self.report.receipt = self._publish_receipt()
            self.report.status = "completed"
        except BaseException as error:  # noqa: BLE001 - carried to whoever asks, in their thread
            self.report.error = error
            self.report.status = "stopped" if isinstance(error, StoppedError) else "failed"
            self.report.receipt = self._recorder.fail(error)
        finally:
            self.report.mark_ended()

    def _transfer(self, stream: InputStream) -> None:
        plan = self._plan(stream)
        output = self._output.open(plan.output_schema if plan else stream.schema, self._metered)
        if not isinstance(self._executor, SingleThreadExecutor):
            output = WriteBehind(output)
        errors: OutputStream | None = None
        try:
            columns = reject_schema(stream.schema, stream.kind)
            errors = self._errors.open(columns, self._metered) if self._errors else None
            for batch, accepted, rejected in self._validated(stream, plan):
                if rejected.rows and errors is not None:
                    errors.write(rejects_to_batch(batch.source, rejected, columns))
                self._write(batch, accepted, rejected.rows, output)
            self._check_stop()
            written = [*(errors.close() if errors else []), *output.close()]
        except BaseException:
            output.abort()
            if errors is not None:
                errors.abort()
            raise
        self._note(stream, written)

    def _plan(self, stream: InputStream) -> ValidationPlan | InferredPlan | None:
        if self._model is not None:
            return ValidationPlan.build(self._model, columns=stream.schema, kind=stream.kind)
        return InferredPlan(stream.schema) if stream.kind == "json" else None

    def _write(
        self,
        batch: Batch,
        accepted: pa.RecordBatch,
        rejected: list[RejectedRow],
        output: OutputStream,
    ) -> None:
        self._check_stop()
        if accepted.num_rows:
            output.write(accepted)
        self._rejects.add(rejected)
        read = batch.data.num_rows + len(batch.malformed)
        self._rows_by_source[batch.source] += read
        self._recorder.progress.advance(
            read, rows_read=read, rows_written=accepted.num_rows, rows_rejected=len(rejected)
        )
        if self._max_errors is not None and self._rejects.total > self._max_errors:
            worst = self._rejects.groups()[0]
            raise RejectLimitError(
                f"{self._rejects.total:,} rows of {self._input.uri!r} were rejected, more than max_errors="
                f"{self._max_errors:,}; the most frequent: {worst.field} {worst.message} (row {worst.sample_rows[0]})",
                remedy="Correct the input or the model, or raise max_errors",
            )

    def _validated(
        self, stream: InputStream, plan: ValidationPlan | InferredPlan | None
    ) -> Iterator[tuple[Batch, pa.RecordBatch, RejectedRows]]:
        """Validate in the executor, a few batches ahead, and yield in input order."""
        workers = getattr(self._executor, "max_workers", None) or 1
        window = 1 if isinstance(self._executor, SingleThreadExecutor) else min(workers, os.cpu_count() or 1) + 1
        waiting: deque[Future[tuple[Batch, pa.RecordBatch, RejectedRows]]] = deque()
        try:
            for batch in _resized(stream.batches(), getattr(self._executor, "batch_size", None)):
                waiting.append(self._executor.submit(_validate, batch, plan, stream.kind))
                if len(waiting) >= window:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise StoppedError("the pipe was stopped; its output was not changed")

    def _note(self, stream: InputStream, written: list[Written]) -> None:
        for source in stream.sources:
            self._recorder.add_input(source.uri, source.info, rows=self._rows_by_source[source.uri])
        for each in written:
            self._recorder.add_output(each.uri, each.info, sha256=each.sha256, rows=each.rows)

    def _publish_receipt(self) -> Receipt:
        self._recorder.progress.advance(rows_read=0, rows_written=0, rows_rejected=0)  # counts of an empty input
        self._recorder.rejects = self._rejects.groups()
        place = self._output.receipt_place(self._metered)
        if place is not None:
            return self._recorder.publish(*place)
        receipt = self._recorder.complete()
        self._recorder.finish(receipt)
        return receipt


def _validate(
    batch: Batch, plan: ValidationPlan | InferredPlan | None, kind: RowKind
) -> tuple[Batch, pa.RecordBatch, RejectedRows]:
    if plan is None:
        return batch, batch.data, collect_rejects(batch, (), kind)
    outcome = plan.validate(batch.data)
    return batch, outcome.accepted, collect_rejects(batch, outcome.rejects, kind)


def _resized(batches: Iterator[Batch], rows: int | None) -> Iterator[Batch]:
    """Cut batches down to at most ``rows`` rows; malformed rows stay with the first piece."""
    for batch in batches:
        if rows is None or batch.data.num_rows <= rows:
            yield batch
            continue
        for start in range(0, batch.data.num_rows, rows):
            yield batch.slice(start, rows)
