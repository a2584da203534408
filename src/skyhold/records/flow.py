"""The flow of rows through a pipe: read, hooked, judged by an executor, written in order, checkpointed."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import hashlib
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from skyhold._version import __version__
from skyhold.errors import BadOptionError, ConflictError, StoppedError
from skyhold.execution.elsewhere import cancel, is_elsewhere, is_here, result_of, workers_of
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.behind import WriteBehind
from skyhold.records.endings import check_written, too_many_rejects, whole_or_nothing
from skyhold.records.formats.adapter import (
    Batch,
    Checkpoint,
    InputAdapter,
    InputStream,
    OpenStore,
    OutputAdapter,
    OutputStream,
    Passed,
    Written,
)
from skyhold.records.handover import Parcel, pack, shared_folder
from skyhold.records.hooking import Hooked, Hooks, after_columns, before_columns, run_after, run_before, running
from skyhold.records.rejects import RejectCounts, collect_rejects, reject_schema, rejects_to_batch
from skyhold.records.report import share_read
from skyhold.records.stopping import stoppable
from skyhold.records.validation.inference import InferredPlan
from skyhold.records.validation.plan import ValidationPlan
from skyhold.records.work import Judged, KeptPlan, Plan, RemoteJudge, judge
from skyhold.runs.receipt import RejectGroup, check_balance
from skyhold.runs.recording import RunRecorder

__all__ = ["Flow", "Request", "plan_for", "run_fingerprint"]


@dataclass(frozen=True, slots=True)
class Request:
    """What a pipe was asked for; see `skyhold.records.pipe.Pipe`."""

    input: InputAdapter
    output: OutputAdapter
    errors: OutputAdapter | None
    model: Any
    executor: Executor
    before: Hooks
    after: Hooks
    max_errors: float | None
    shards: int | Literal["auto"] | None = None
    pieces: str | None = None


class _Piece(NamedTuple):
    """Rows that are judged together; after those of the last piece before a checkpoint comes the checkpoint."""

    batch: Batch
    ends_part: bool


def plan_for(model: Any, stream: InputStream, before: Hooks = ()) -> Plan:
    """Return what judges the rows of an input."""
    columns = before_columns(before, stream.schema, stream.kind)
    if model is not None:
        return ValidationPlan.build(model, columns=columns, kind=stream.kind)
    return InferredPlan(columns) if stream.kind == "json" else KeptPlan(columns)


class Flow:
    """One run's rows.

    Args:
        request: What was asked for.
        recorder: Notes counts, inputs and outputs.
        rejects: Counts refused rows.
        stop: Set from outside to end the run without a result.
        wrap: Put around every store.

    Attributes:
        rows_by_source: Rows read so far of each source.
        last_source: What it ended in.
        passed: How much of that is behind it, at the end.
    """

    def __init__(
        self,
        request: Request,
        recorder: RunRecorder,
        rejects: RejectCounts,
        stop: threading.Event,
        wrap: OpenStore,
    ) -> None:
        self._request = request
        self._recorder = recorder
        self._rejects = rejects
        self._stop = stop
        self._wrap = wrap
        self.rows_by_source: Counter[str] = Counter()
        self.last_source = ""
        self.passed = Passed()
        self._lines: list[pa.RecordBatch] = []  # of the error output, since the last checkpoint
        self._skipped: Checkpoint | None = None

    def run(self) -> None:
        """Read, judge and write everything; on failure nothing is published.

        Raises:
            StoppedError: It was stopped.
            RejectLimitError: Too many rows were rejected.
            Exception: Whatever else made it fail.
        """
        request, progress = self._request, self._recorder.progress
        with request.input.open(self._wrap) as stream, running([*request.before, *request.after]):
            progress.step("validating", measure_share=share_read(stream, self._recorder.meter))
            plan = plan_for(request.model, stream, request.before)
            schema = after_columns(request.after, plan.output_schema)
            output = request.output.open(schema, self._wrap)
            if not isinstance(request.executor, SingleThreadExecutor):
                output = WriteBehind(output)
            columns = reject_schema(stream.schema, stream.kind)
            with whole_or_nothing(output) as outputs:
                errors = request.errors.open(columns, self._wrap) if request.errors else None
                if errors is not None:
                    outputs.append(errors)
                self._resume(output, errors, stream, schema)
                with stoppable(self._stop):  # for hooks, which run in this thread
                    for piece, judged in self._judged(stream, plan, output.checkpoint_rows):
                        self._write(piece.batch, judged, output, errors, columns)
                        if piece.ends_part:
                            output.checkpoint(self._reached(stream))
                self._check_end(stream)
                self.passed = stream.passed()
                self.last_source = stream.sources[-1].uri if stream.sources else ""
                progress.step("publishing")
                refused, written = errors.close() if errors else [], output.close()
        self._note(stream, [*refused, *written])
        counts = self._recorder.progress.counts
        check_written(request.output, written, counts["rows_written"])
        check_written(request.errors, refused, counts["rows_rejected"])

    def _judged(self, stream: InputStream, plan: Plan, part_rows: int | None) -> Generator[tuple[_Piece, Judged]]:
        """Judge in the executor, a few pieces ahead, and yield in input order."""
        request = self._request
        executor = request.executor
        workers = workers_of(executor) if is_elsewhere(executor) else min(workers_of(executor), os.cpu_count() or 1)
        window = 1 if isinstance(executor, SingleThreadExecutor) else workers + 1
        waiting: deque[tuple[_Piece, Future[Judged | Parcel]]] = deque()
        batches = _resized(self._unseen(stream.batches()), getattr(executor, "batch_size", None))
        with self._submitting(plan, stream) as submit:
            try:
                for piece in _pieces(batches, part_rows):
                    hooked = run_before(request.before, piece.batch.data, stream.kind) if request.before else None
                    waiting.append((piece, submit(piece.batch, hooked)))
                    if len(waiting) >= window:
                        yield self._oldest(waiting, stream)
                while waiting:
                    yield self._oldest(waiting, stream)
            finally:
                for _, future in waiting:
                    cancel(future)

    def _oldest(
        self, waiting: deque[tuple[_Piece, Future[Judged | Parcel]]], stream: InputStream
    ) -> tuple[_Piece, Judged]:
        piece, future = waiting.popleft()
        found = result_of(future)
        return piece, self._hooked(piece.batch, found.unpack() if isinstance(found, Parcel) else found, stream)

    @contextmanager
    def _submitting(
        self, plan: Plan, stream: InputStream
    ) -> Generator[Callable[[Batch, Hooked | None], Future[Judged | Parcel]]]:
        executor, kind = self._request.executor, stream.kind
        if is_here(executor):

            def judge_here(batch: Batch, hooked: Hooked | None) -> Judged:
                with stoppable(self._stop):
                    return judge(batch, hooked, plan, kind)

            yield lambda batch, hooked: executor.submit(judge_here, batch, hooked)
            return
        with shared_folder() if isinstance(executor, ProcessPoolExecutor) else nullcontext() as folder:
            remote = RemoteJudge(plan, kind, self._recorder.run_id, folder)
            yield lambda batch, hooked: executor.submit(remote, pack((batch, hooked), folder))

    def _hooked(self, batch: Batch, judged: Judged, stream: InputStream) -> Judged:
        """Run the hooks that come after validation."""
        if not self._request.after:
            return judged
        hooked = run_after(self._request.after, judged.accepted, judged.origin)
        rejects = sorted([*judged.rejects, *hooked.rejects], key=lambda reject: reject.row)
        rejected = collect_rejects(batch, rejects, stream.kind) if hooked.rejects else judged.rejected
        dropped, added = judged.dropped + hooked.dropped, judged.added + hooked.added
        places = judged.origin if hooked.origin is None else hooked.origin
        return Judged(hooked.data, places, rejected, rejects, dropped, added)

    def _write(
        self, batch: Batch, judged: Judged, output: OutputStream, errors: OutputStream | None, columns: pa.Schema
    ) -> None:
        self._check_stop()
        rejected = judged.rejected.rows
        if rejected and errors is not None:
            lines = rejects_to_batch(batch.source, judged.rejected, columns)
            errors.write(lines)
            if output.checkpoint_rows is not None:
                self._lines.append(lines)
        if judged.accepted.num_rows:
            output.write(judged.accepted)
        self._rejects.add(rejected)
        read = batch.data.num_rows + len(batch.malformed)
        self.rows_by_source[batch.source] += read
        counts = {"rows_read": read, "rows_written": judged.accepted.num_rows, "rows_rejected": len(rejected)}
        hooked = {"rows_dropped": judged.dropped, "rows_added": judged.added}
        self._recorder.progress.advance(read, **counts, **{name: count for name, count in hooked.items() if count})
        limit = self._request.max_errors
        if isinstance(limit, int) and self._rejects.total > limit:
            raise too_many_rejects(self._request.input.uri, self._rejects, f"max_errors={limit:,}")

    def _check_end(self, stream: InputStream) -> None:
        self._check_stop()
        check_balance(self._recorder.run_id, self._recorder.progress.counts)
        limit = self._request.max_errors
        if isinstance(limit, float) and self._rejects.total > limit * self._recorder.progress.done:
            share = f"max_errors={limit:.2%} of {self._recorder.progress.done:,}"
            raise too_many_rejects(self._request.input.uri, self._rejects, share)
        if self._skipped is not None:
            self._check_sources(self._skipped, stream)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise StoppedError("the pipe was stopped; its output was not changed")

    def _resume(
        self, output: OutputStream, errors: OutputStream | None, stream: InputStream, schema: pa.Schema
    ) -> None:
        """Take over what an earlier run has done, so that its rows are only counted on the way."""
        if output.checkpoint_rows is None:
            return
        earlier = output.resume(run_fingerprint(self._request, stream, schema))
        if not earlier:
            return
        if self._request.before or self._request.after:
            raise BadOptionError("a run with hooks cannot be resumed: they would see only the rest of the rows")
        for checkpoint in earlier:
            if checkpoint.rejected is not None and errors is not None:
                for lines in checkpoint.rejected.to_batches():
                    errors.write(lines)
        last = self._skipped = earlier[-1]
        self.rows_by_source.update(last.rows_by_source)
        self._rejects.restore(RejectGroup(*group) for group in last.rejects)
        self._recorder.progress.advance(last.counts["rows_read"], **last.counts)

    def _unseen(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Leave out the rows that an earlier run has done."""
        left = self._skipped.counts["rows_read"] if self._skipped else 0
        for batch in batches:
            read = batch.data.num_rows + len(batch.malformed)
            if left >= read:
                left -= read
                self._check_stop()
            elif left:
                yield batch.slice(left - len(batch.malformed), batch.data.num_rows, with_malformed=False)
                left = 0
            else:
                yield batch

    def _check_sources(self, checkpoint: Checkpoint, stream: InputStream) -> None:
        now = _sources(stream)
        if now[: len(checkpoint.sources)] != checkpoint.sources:
            raise ConflictError(
                f"{self._request.input.uri!r} has changed since the run that this one goes on from",
                operation="resume",
                uri=self._request.output.uri,
                remedy="Begin anew with overwrite=True",
            )

    def _reached(self, stream: InputStream) -> Checkpoint:
        lines, self._lines = self._lines, []
        counts = dict(self._recorder.progress.counts)
        groups = tuple(
            (each.field, each.type, each.count, each.message, each.sample_rows) for each in self._rejects.groups()
        )
        rejected = pa.Table.from_batches(lines) if lines else None
        return Checkpoint(counts, dict(self.rows_by_source), _sources(stream), groups, rejected)

    def _note(self, stream: InputStream, written: list[Written]) -> None:
        for source in stream.sources:
            self._recorder.add_input(source.uri, source.info, rows=self.rows_by_source[source.uri])
        for each in written:
            self._recorder.add_output(each.uri, each.info, sha256=each.sha256, rows=each.rows)
        self._recorder.progress.advance(rows_read=0, rows_written=0, rows_rejected=0)  # counts of an empty input
        self._recorder.rejects = self._rejects.groups()


def _resized(batches: Iterator[Batch], rows: int | None) -> Iterator[Batch]:
    """Cut batches down to at most ``rows`` rows."""
    for batch in batches:
        if rows is None or batch.data.num_rows <= rows:
            yield batch
            continue
        for start in range(0, batch.data.num_rows, rows):
            yield batch.slice(start, rows, with_malformed=start == 0)


def _pieces(batches: Iterator[Batch], part_rows: int | None) -> Iterator[_Piece]:
    """Cut batches where a checkpoint is due: after every ``part_rows`` rows, malformed ones counted."""
    done = 0
    for batch in batches:
        start, malformed, rows = 0, len(batch.malformed), batch.data.num_rows
        while start < rows or malformed or not rows:
            room = rows if part_rows is None else max(0, part_rows - done - malformed)
            taken = min(rows - start, room)
            is_whole = taken == rows
            piece = batch if is_whole else batch.slice(start, taken, with_malformed=malformed > 0)
            start, done, malformed = start + taken, done + taken + malformed, 0
            is_full = part_rows is not None and done >= part_rows
            yield _Piece(piece, ends_part=is_full)
            done = 0 if is_full else done
            if is_whole:
                break


def _sources(stream: InputStream) -> tuple[tuple[str, int | None, str | None], ...]:
    return tuple(
        (each.uri, each.info.size_bytes if each.info else None, each.info.e_tag if each.info else None)
        for each in stream.sources
    )


def run_fingerprint(request: Request, stream: InputStream, schema: pa.Schema) -> str:
    """Return a hash that differs where a run would write something else."""
    told = (
        __version__,
        request.input.uri,
        request.output.uri,
        request.errors.uri if request.errors else None,
        schema.serialize().to_pybytes(),  # with its metadata, which tells the model
        stream.schema.serialize().to_pybytes(),
        _sources(stream)[:1],
        request.max_errors,
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()
