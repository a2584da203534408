"""A pipe in shards: workers read, judge and write pieces; the driver makes the output of them, in order."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import replace

import pyarrow as pa

from skyhold.errors import (
    ConfigError,
    ConflictError,
    KeyNotFoundError,
    RecordsError,
    RejectLimitError,
    StoppedError,
    StorageError,
    VerificationError,
)
from skyhold.execution.elsewhere import cancel, is_elsewhere, is_here, lost_work, result_of
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.behind import WriteBehind
from skyhold.records.endings import check_written, too_many_rejects, whole_or_nothing
from skyhold.records.flow import Flow, Request
from skyhold.records.formats.adapter import Checkpoint, OpenStore, OutputStream, Piece
from skyhold.records.pieces import read_blocks, read_piece, shift_lines
from skyhold.records.rejects import RejectCounts
from skyhold.records.shard_plan import ShardPlan, plan_shards, task_of
from skyhold.records.shard_work import ShardResult, run_shard
from skyhold.records.stopping import stoppable
from skyhold.runs.receipt import Artifact, check_balance
from skyhold.runs.recording import RunRecorder

__all__ = ["run_rows"]

_FINAL = (StoppedError, RecordsError, ConfigError, ConflictError, VerificationError)
"""After these, the same run would not go on any further: what is finished is thrown away."""
_TICK_S = 0.2
_UNSEEN_S = 2.5
"""How long workers of a cluster are given to hear that they are to stop: they look once a second."""
_HALT_S = 15.0
"""How long those of a pool are waited for, which may have handed out some more work already."""


def run_rows(
    request: Request, recorder: RunRecorder, rejects: RejectCounts, stop: threading.Event, wrap: OpenStore
) -> None:
    """Read, judge and write everything, in shards or from here; on failure nothing is published.

    Args:
        request: What was asked for.
        recorder: Notes counts, inputs and outputs.
        rejects: Counts refused rows.
        stop: Set from outside to end the run without a result.
        wrap: Put around every store.

    Raises:
        StoppedError: It was stopped.
        RejectLimitError: Too many rows were rejected.
        ExecutorError: Workers died; run again, it goes on with the shards that are finished.
        Exception: Whatever else made it fail.
    """
    recorder.progress.step("opening")
    with stoppable(stop):
        plan = plan_shards(request, wrap)
    if plan is None:
        Flow(request, recorder, rejects, stop, wrap).run()
        return
    with plan.shards:
        _ShardRun(request, plan, recorder, rejects, stop, wrap).run()


class _ShardRun:
    def __init__(
        self,
        request: Request,
        plan: ShardPlan,
        recorder: RunRecorder,
        rejects: RejectCounts,
        stop: threading.Event,
        wrap: OpenStore,
    ) -> None:
        self._request = request
        self._plan = plan
        self._recorder = recorder
        self._rejects = rejects
        self._stop = stop
        self._wrap = wrap
        self._pieces = wrap(plan.store)
        self._halted = threading.Event()
        self._todo = iter([number for number in range(len(plan.shards)) if number not in plan.finished])
        self._waiting: dict[Future[ShardResult], int] = {}
        self._results: dict[int, ShardResult] = {}
        self._done = 0
        self._rejected = 0
        self._parts_before = 0  # written by an earlier run
        self._next = 0
        # Of what is behind the next shard:
        self._counts: Counter[str] = Counter()
        self._rows: Counter[str] = Counter()
        self._inputs: dict[str, Artifact] = {}
        self._rows_before: Counter[str] = Counter()
        self._lines_before: Counter[str] = Counter()

    def run(self) -> None:
        request, plan, progress = self._request, self._plan, self._recorder.progress
        try:
            output: OutputStream = WriteBehind(request.output.open(plan.schema, self._wrap))
            with whole_or_nothing(output) as outputs:
                errors = request.errors.open(plan.reject_columns, self._wrap) if request.errors else None
                if errors is not None:
                    outputs.append(errors)
                if output.checkpoint_rows is not None:
                    self._parts_before = len(output.resume(f"{plan.fingerprint} {len(plan.shards)} shards"))
                progress.step("validating", measure_share=self._share_done)
                for result in self._in_order():
                    self._append(result, output, errors)
                self._check_end()
                progress.step("publishing")
                refused, written = errors.close() if errors else [], output.close()
        except BaseException as error:
            self._halt(keep=not isinstance(error, _FINAL) and bool(self._next or self._results))
            raise
        for each in (*refused, *written):
            self._recorder.add_output(each.uri, each.info, sha256=each.sha256, rows=each.rows)
        counts = progress.counts
        check_written(request.output, written, counts["rows_written"])
        check_written(request.errors, refused, counts["rows_rejected"])
        try:
            plan.pieces.clear()
        except StorageError as error:
            progress.warn(f"the pieces stay where they are: {error}")

    def _in_order(self) -> Iterator[ShardResult]:
        for result in self._plan.finished.values():
            self._accept(result)
        for number in range(len(self._plan.shards)):
            self._check_stop()
            self._submit()
            while number not in self._results:
                done, _ = wait(self._waiting, timeout=_TICK_S, return_when=FIRST_COMPLETED)
                self._check_stop()
                for future in done:
                    del self._waiting[future]
                    self._accept(result_of(future))
                self._submit()
            yield self._results.pop(number)

    def _submit(self) -> None:
        """Hand out all shards; an executor that works at once, in this thread, gets the next one only."""
        executor = self._request.executor
        for number in self._todo:
            task = task_of(self._request, self._plan, number)
            stop = None
            if is_here(executor):
                task = replace(task, before=deepcopy(task.before), after=deepcopy(task.after))
                stop = _Either(self._stop, self._halted)
            try:
                self._waiting[executor.submit(run_shard, task, stop)] = number
            except BrokenExecutor as error:
                raise lost_work(str(error)) from error
            if isinstance(executor, SingleThreadExecutor):
                return

    def _accept(self, result: ShardResult) -> None:
        """Count a shard that is finished; its rows come when it is their turn."""
        self._recorder.meter.add(result.usage)
        counts = {name: count for name, count in result.counts.items() if count}
        self._recorder.progress.advance(counts.get("rows_read", 0), **counts)
        self._rejected += counts.get("rows_rejected", 0)
        self._results[result.number] = result
        self._done += 1
        limit = self._request.max_errors
        if isinstance(limit, int) and self._rejected > limit:
            raise self._too_many(f"max_errors={limit:,}")

    def _share_done(self) -> float | None:
        share = self._done / len(self._plan.shards)
        return share if share < 1 else None  # what is left then, nobody knows

    def _append(self, result: ShardResult, output: OutputStream, errors: OutputStream | None) -> None:
        """Write the rows of the next shard, under the numbers that they have in the whole input."""
        is_new = result.number >= self._parts_before
        if is_new and self._plan.form is not None:
            key, written = result.rows_key, result.counts["rows_written"]
            output.append(Piece(self._pieces, key, written, result.rows_sha256, self._copy(key)))
        elif is_new:
            for batch in self._read(result.rows_key, self._plan.schema):
                output.write(batch)
        lines: list[pa.RecordBatch] = []
        if errors is not None:
            for batch in self._read(result.rejects_key, self._plan.reject_columns):
                source = batch["source"][0].as_py()
                shifted = shift_lines(batch, self._rows_before[source], self._lines_before[source])
                errors.write(shifted)
                if output.checkpoint_rows is not None:
                    lines.append(shifted)
        self._count(result)
        if output.checkpoint_rows is not None and is_new:
            output.checkpoint(self._reached(lines))

    def _copy(self, key: str) -> Iterator[bytes]:
        with self._told_of_absence():
            for block in read_blocks(self._pieces, key):
                self._check_stop()
                yield block

    def _read(self, key: str, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        with self._told_of_absence():
            for batch in read_piece(self._pieces, key):
                self._check_stop()
                if batch.schema.names != schema.names:
                    raise VerificationError(
                        f"the piece {key!r} has the columns {batch.schema.names}, and not {schema.names}",
                        remedy="Give all workers the same version of skyhold and of the model",
                    )
                yield batch

    @contextmanager
    def _told_of_absence(self) -> Generator[None]:
        try:
            yield
        except KeyNotFoundError as error:
            error.add_note("Remedy: Let workers and driver see the same files, best those of a bucket")
            raise

    def _count(self, result: ShardResult) -> None:
        """Note what is behind the next shard."""
        for source, groups in result.rejects:
            self._rejects.merge(groups, self._rows_before[source])
        self._counts.update(result.counts)
        self._rows.update(result.rows)
        self._rows_before[result.last_source] += result.rows_passed
        self._lines_before[result.last_source] += result.lines_passed
        for each in result.inputs:
            known = self._inputs.setdefault(each.uri, replace(each, rows=0))
            if (known.size_bytes, known.e_tag) != (each.size_bytes, each.e_tag):
                raise ConflictError(
                    "it has changed while it was read", operation="read", uri=each.uri, remedy="Run the pipe again"
                )
            self._inputs[each.uri] = replace(known, rows=(known.rows or 0) + (each.rows or 0))
        self._next = result.number + 1

    def _reached(self, lines: list[pa.RecordBatch]) -> Checkpoint:
        groups = tuple(
            (each.field, each.type, each.count, each.message, each.sample_rows) for each in self._rejects.groups()
        )
        sources = tuple((each.uri, each.size_bytes, each.e_tag) for each in self._inputs.values())
        rejected = pa.Table.from_batches(lines) if lines else None
        return Checkpoint(dict(self._counts), dict(self._rows), sources, groups, rejected)

    def _check_end(self) -> None:
        self._check_stop()
        recorder = self._recorder
        recorder.progress.advance(rows_read=0, rows_written=0, rows_rejected=0)  # counts of an empty input
        check_balance(recorder.run_id, recorder.progress.counts)
        limit = self._request.max_errors
        if isinstance(limit, float) and self._rejected > limit * recorder.progress.done:
            share = f"max_errors={limit:.2%} of {recorder.progress.done:,}"
            raise too_many_rejects(self._request.input.uri, self._rejects, share)
        recorder.inputs += self._inputs.values()
        recorder.rejects = self._rejects.groups()

    def _too_many(self, limit: str) -> RejectLimitError:
        """Return the error, with the row numbers of those shards alone before which all is known."""
        for number, result in sorted(self._results.items()):
            if number == self._next:
                self._count(result)
                continue
            for _, groups in result.rejects:
                self._rejects.merge(groups, None)
        return too_many_rejects(self._request.input.uri, self._rejects, limit)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise StoppedError("the pipe was stopped; its output was not changed")

    def _halt(self, *, keep: bool) -> None:
        """Let workers stop, and wait for them for a while; then take away what is not to be gone on with."""
        self._halted.set()
        running = [future for future in self._waiting if not cancel(future)]
        executor = self._request.executor
        with suppress(StorageError):  # there is an error already that says more
            if is_here(executor):
                wait(running)
            elif self._waiting:
                self._plan.pieces.tell_to_stop()
                if is_elsewhere(executor):  # a cluster does not say which of those that were cancelled are running
                    time.sleep(_UNSEEN_S)
                wait(running, timeout=_HALT_S)
                self._plan.pieces.forget_stop()
            if not keep:
                self._plan.pieces.clear()


class _Either(threading.Event):
    """Set when one of several is."""

    def __init__(self, *events: threading.Event) -> None:
        super().__init__()
        self._events = events

    def is_set(self) -> bool:
        return any(event.is_set() for event in self._events)
