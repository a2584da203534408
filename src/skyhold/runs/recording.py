"""The life of one run: begun in the journal, told to listeners, ended with a receipt."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from skyhold.errors import StoppedError
from skyhold.execution.signals import Terminated
from skyhold.runs.asked import format_command, redact_asked, redact_text
from skyhold.runs.journal import Journal, default_journal
from skyhold.runs.progress import Listener, Progress
from skyhold.runs.receipt import (
    Artifact,
    EndState,
    Failure,
    Receipt,
    RejectGroup,
    new_run_id,
    this_host,
    versions,
)
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.pricing import estimate_cost
from skyhold.storage.wrappers.metered import Meter, MeteredStore

__all__ = ["RunRecorder", "record_run", "typed_command"]

_typed: ContextVar[tuple[str, ...]] = ContextVar("_typed", default=())


@contextmanager
def typed_command(arguments: Sequence[str]) -> Generator[None]:
    """Say what was typed: receipts of runs that the block makes tell it, unless they are given a command of their own.

    Args:
        arguments: The command line.

    Example:
        >>> with typed_command(["skyhold", "cp", "a", "b"]):
        ...     RunRecorder("copy", "a", asked={}, unit="objects", journal=Journal(None)).complete().command
        'skyhold cp a b'
    """
    token = _typed.set(tuple(arguments))
    try:
        yield
    finally:
        _typed.reset(token)


class RunRecorder:
    """Collects what a run does, and writes it down when it ends. Mostly made by `record_run`.

    Args:
        kind: What sort of run.
        name: What a person calls it.
        asked: What was asked for; secrets are redacted.
        unit: What progress counts.
        listeners: Who is told of progress.
        journal: Where it is listed; None is the user's own.
        command: The command line that was typed; the one told by `typed_command` if not given.

    Attributes:
        inputs: What was read.
        outputs: What was written.
        rejects: Why rows were refused.
        meter: Counts requests and bytes of the stores that `metered` gives.
        usage: ``requests``, ``bytes_in``, ``bytes_out`` and ``cost``, where somebody else has counted them.
        engines: Versions of further programs, by name.
        receipt: What is left; None until the end.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        *,
        asked: Mapping[str, Any],
        unit: str,
        listeners: Sequence[Listener] = (),
        journal: Journal | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self.started = datetime.now(UTC)
        self.run_id = new_run_id(self.started)
        self.kind = kind
        self.name = redact_text(name)
        self.inputs: list[Artifact] = []
        self.outputs: list[Artifact] = []
        self.rejects: tuple[RejectGroup, ...] = ()
        self.meter = Meter()
        self.usage: Mapping[str, Any] = {}
        self.engines: dict[str, str] = {}
        self.receipt: Receipt | None = None
        self._asked = {option: value for option, value in asked.items() if value is not None}
        self._command = format_command(command or _typed.get())
        self._journal = default_journal() if journal is None else journal
        self.progress = Progress(
            self.run_id,
            kind,
            self.name,
            unit=unit,
            listeners=(*listeners, self._journal.update),
            about=redact_asked(self._asked),
            meter=self.meter,
        )

    def start(self, total: int | None = None, *, done: int = 0) -> None:
        """Note the beginning; ``done`` is what an earlier run has done already."""
        self._journal.begin(self.run_id, self.kind, self.name, self.started, command=self._command)
        self.progress.start(total, done=done)

    def metered(self, store: Store) -> Store:
        """Return a view of a store whose requests and bytes go into the receipt."""
        return MeteredStore(store, self.meter)

    def add_input(
        self, uri: str, info: ObjectInfo | None = None, *, sha256: str | None = None, rows: int | None = None
    ) -> None:
        """Note what was read."""
        self.inputs.append(_artifact(uri, info, sha256, rows))

    def add_output(
        self, uri: str, info: ObjectInfo | None = None, *, sha256: str | None = None, rows: int | None = None
    ) -> None:
        """Note what was written; with its SHA-256 (see `skyhold.runs.hashing`), so that it can be verified."""
        self.outputs.append(_artifact(uri, info, sha256, rows))

    def publish(self, store: Store, key: str) -> Receipt:
        """Write the receipt of a run that did all it was asked as an object, then note and tell the end.

        Raises:
            VerificationError: The counts do not balance; nothing was written.
        """
        receipt = self.complete()
        receipt.write(store, key)
        self.finish(receipt)
        return receipt

    def complete(self) -> Receipt:
        """Return the receipt of a run that did all it was asked; `finish` notes it once it is stored."""
        return self._receipt("completed", None)

    def fail(self, error: BaseException) -> Receipt:
        """Note that the run failed or was stopped, and return its receipt. A run that has ended stays as it ended."""
        if self.receipt is not None:
            return self.receipt
        stopped = isinstance(error, StoppedError | KeyboardInterrupt | Terminated)
        receipt = self._receipt("stopped" if stopped else "failed", Failure.of(error))
        self.finish(receipt)
        return receipt

    def finish(self, receipt: Receipt) -> None:
        """Note how it ended, and tell it; a run that has ended stays as it ended."""
        if self.receipt is not None:
            return
        self.receipt = receipt
        self._journal.finish(receipt)
        failure = receipt.failure
        self.progress.end(receipt.state, failure.message if failure else "", error=failure.code if failure else "")

    def _receipt(self, state: EndState, failure: Failure | None) -> Receipt:
        usage = self.usage or self._metered_usage()
        return Receipt(
            run_id=self.run_id,
            kind=self.kind,
            name=self.name,
            state=state,
            started=self.started,
            ended=datetime.now(UTC),
            seconds=round(self.progress.seconds, 3),
            asked=self._asked,
            command=self._command,
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
            counts=self.progress.counts,
            rejects=self.rejects,
            failure=failure,
            versions={**versions("pyarrow", "pydantic"), **self.engines},
            host=this_host(),
            **usage,
        )

    def _metered_usage(self) -> Mapping[str, Any]:
        usage = self.meter.usage
        return {
            "requests": usage.requests,
            "bytes_in": usage.bytes_in,
            "bytes_out": usage.bytes_out,
            "cost": estimate_cost(usage).as_dict() if any(usage.requests.values()) else None,
        }


@contextmanager
def record_run(
    kind: str,
    name: str,
    *,
    asked: Mapping[str, Any],
    unit: str,
    total: int | None = None,
    listeners: Sequence[Listener] = (),
    journal: Journal | None = None,
    command: Sequence[str] = (),
) -> Generator[RunRecorder]:
    """Record what the block does as one run.

    A block that raises leaves a receipt in the journal alone: ``stopped`` for Ctrl-C, SIGTERM and `StoppedError`,
    ``failed`` for everything else; the error goes on. A block that ends completes the run, unless it has called
    ``publish`` already.

    Args:
        kind: What sort of run.
        name: What a person calls it.
        asked: What was asked for; secrets are redacted.
        unit: What progress counts.
        total: How many units there are, where known.
        listeners: Who is told of progress.
        journal: Where it is listed; None is the user's own.
        command: The command line that was typed; the one told by `typed_command` if not given.

    Raises:
        VerificationError: The counts do not balance at the end.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://record-run-example")
        >>> nowhere = Journal(None)
        >>> with record_run("copy", "one object", asked={"to": "b"}, unit="objects", journal=nowhere) as run:
        ...     run.add_output(store.uri_of("b"), run.metered(store).write("b", b"123"))
        ...     run.progress.advance(1)
        ...     receipt = run.publish(store, "b.receipt.json")
        >>> receipt.state, receipt.bytes_out, store.exists("b.receipt.json")
        ('completed', 3, True)
    """
    run = RunRecorder(kind, name, asked=asked, unit=unit, listeners=listeners, journal=journal, command=command)
    try:
        run.start(total)
        yield run
        if run.receipt is None:
            run.finish(run.complete())
    except BaseException as error:
        run.fail(error)
        raise


def _artifact(uri: str, info: ObjectInfo | None, sha256: str | None, rows: int | None) -> Artifact:
    if info is None:
        return Artifact(uri, sha256=sha256, rows=rows)
    return Artifact(uri, info.size_bytes, info.e_tag, sha256, rows)
