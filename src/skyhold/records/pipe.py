"""A pipe: rows from one place, through a schema, to another, with nothing lost on the way."""

import threading
from collections.abc import Sequence
from concurrent.futures import Executor
from contextvars import copy_context
from types import TracebackType
from typing import Any, Literal, Self

from skyhold.errors import BadOptionError, PipeStateError, StoppedError
from skyhold.execution.signals import exit_on_terminate
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.flow import Request, plan_for
from skyhold.records.formats.adapter import InputAdapter, OutputAdapter
from skyhold.records.hooks import Hook, as_hooks
from skyhold.records.log import PipeLog
from skyhold.records.rejects import RejectCounts
from skyhold.records.report import Report
from skyhold.records.shard_run import run_rows
from skyhold.records.validation.outcome import FieldRoute
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
        executor: Who validates: any ``concurrent.futures.Executor``; results and their order are the same for all.
        before_validation: Hooks for rows as they were read (`skyhold.records.hooks`).
        after_validation: Hooks for accepted rows.
        max_errors: Publish nothing when more rows than this are rejected: a count, which stops the run at once, or a
            share such as 0.01, which is known at the end.
        shards: Into how many parts the input is divided, each read, judged and written by a worker itself; the driver
            makes the output of what they leave. ``"auto"`` goes by the executor. None divides for executors whose
            workers may be on other machines, where nothing stands in the way, and else lets this process read.
        pieces: A folder for what workers leave until the output is made of it; beside the output if not given.
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

    def __init__(  # noqa: PLR0913 - all by name, and few are ever given
        self,
        *,
        input_adapter: InputAdapter,
        output_adapter: OutputAdapter,
        error_output_adapter: OutputAdapter | None = None,
        schema_model: Any = None,
        executor: Executor | None = None,
        before_validation: Hook | Sequence[Hook] = (),
        after_validation: Hook | Sequence[Hook] = (),
        max_errors: float | None = None,
        shards: int | Literal["auto"] | None = None,
        pieces: str | None = None,
        on_progress: Listener | Sequence[Listener] = (),
    ) -> None:
        self._request = Request(
            input_adapter,
            output_adapter,
            error_output_adapter,
            schema_model,
            executor or SingleThreadExecutor(),
            as_hooks(before_validation, "before_validation"),
            as_hooks(after_validation, "after_validation"),
            _as_limit(max_errors),
            _as_shards(shards),
            pieces,
        )
        self._rejects = RejectCounts()
        listeners = (PipeLog(self._rejects), *((on_progress,) if callable(on_progress) else on_progress))
        asked = {
            "input": input_adapter.uri,
            "output": output_adapter.uri,
            "error_output": error_output_adapter.uri if error_output_adapter else None,
            "schema_model": getattr(schema_model, "__qualname__", None),
            "max_errors": max_errors,
            "shards": shards,
        }
        self._recorder = RunRecorder(
            "pipe", f"{input_adapter.uri} → {output_adapter.uri}", asked=asked, unit="rows", listeners=listeners
        )
        self._meter = self._recorder.meter
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
        self._thread = threading.Thread(target=copy_context().run, args=(self._work,), name="skyhold-pipe")
        self._thread.start()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end.

        Args:
            timeout: Seconds; None waits as long as it takes.

        Returns: True when it is complete, False when the time is over.

        Raises:
            Exception: Whatever made the pipe fail.
            KeyboardInterrupt: Ctrl-C; the pipe is stopped first, and leaves nothing half-written.
            SystemExit: The process was asked to end (SIGTERM), where nothing else handles that; likewise.
        """
        if self._thread is None:
            raise PipeStateError("this pipe has not been started", remedy="Call start() or run() first")
        try:
            with exit_on_terminate():
                if not self.report.wait(timeout):
                    return False
        except (KeyboardInterrupt, SystemExit):
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
        try:
            self.start()
            self.wait()
        except (KeyboardInterrupt, SystemExit):  # between the two, nobody else would stop it
            self._told = True
            self.shutdown()
            raise
        return self.report

    def shutdown(self) -> None:
        """Stop soon, writing nothing, and wait until it has stopped; a complete pipe stays complete."""
        self._stop.set()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def explain(self) -> list[FieldRoute]:
        """Return how each field is validated and why; opens the input to see its columns."""
        with self._request.input.open(self._metered) as stream:
            plan = plan_for(self._request.model, stream, self._request.before)
        return plan.explain() if isinstance(plan, ValidationPlan) else []

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
            run_rows(self._request, self._recorder, self._rejects, self._stop, self._metered)
            self.report.receipt = self._publish_receipt()
            self.report.status = "completed"
        except BaseException as error:  # noqa: BLE001 - carried to whoever asks, in their thread
            self.report.error = error
            self.report.status = "stopped" if isinstance(error, StoppedError) else "failed"
            self.report.receipt = self._recorder.fail(error)
        finally:
            self.report.mark_ended()

    def _publish_receipt(self) -> Receipt:
        place = self._request.output.receipt_place(self._metered)
        if place is not None:
            return self._recorder.publish(*place)
        receipt = self._recorder.complete()
        self._recorder.finish(receipt)
        return receipt


def _as_limit(max_errors: float | None) -> float | None:
    kind = type(max_errors)
    if max_errors is None or (kind is int and max_errors >= 0) or (kind is float and 0 <= max_errors <= 1):
        return max_errors
    raise BadOptionError(
        f"max_errors={max_errors!r} is neither a count nor a share from 0.0 to 1.0",
        remedy="Pass max_errors=100 for a hundred rows, max_errors=0.01 for one in a hundred",
    )


def _as_shards(shards: int | Literal["auto"] | None) -> int | Literal["auto"] | None:
    if shards is None or shards == "auto" or (type(shards) is int and shards > 0):
        return shards
    raise BadOptionError(
        f"shards={shards!r} is neither a number of parts nor 'auto'", remedy="Pass shards=8, or leave it out"
    )
