"""The life of one run: begun in the journal, told to listeners, ended with a receipt."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from skyhold.config import redact
from skyhold.errors import SkyholdError, StoppedError
from skyhold.runs.journal import Journal, default_journal
from skyhold.runs.progress import Listener, Progress
from skyhold.runs.receipt import Artifact, Failure, Receipt, RejectGroup, new_run_id, this_host, versions

__all__ = ["RunRecorder"]


class RunRecorder:
    """Collects what a run does, and writes it down when it ends.

    Args:
        kind: What sort of run.
        name: What a person calls it.
        asked: What was asked for; secrets are redacted.
        unit: What progress counts.
        listeners: Who is told of progress.
        journal: Where it is listed; None is the user's own.
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
    ) -> None:
        self.started = datetime.now(UTC)
        self.run_id = new_run_id(self.started)
        self.kind = kind
        self.name = name
        self.inputs: list[Artifact] = []
        self.outputs: list[Artifact] = []
        self.rejects: tuple[RejectGroup, ...] = ()
        self.usage: Mapping[str, Any] = {}
        self.progress = Progress(self.run_id, kind, name, unit=unit, listeners=tuple(listeners))
        self._asked = {option: redact(str(value)) for option, value in asked.items() if value is not None}
        self._journal = journal or default_journal()

    def start(self, total: int | None = None) -> None:
        """Note the beginning."""
        self._journal.begin(self.run_id, self.kind, self.name, self.started)
        self.progress.start(total)

    def complete(self) -> Receipt:
        """Return the receipt of a run that did all it was asked; `finish` notes it once it is stored."""
        return self._receipt("completed", None)

    def fail(self, error: BaseException) -> Receipt:
        """Note that the run failed or was stopped, and return its receipt."""
        stopped = isinstance(error, StoppedError | KeyboardInterrupt)
        failure = Failure(
            error.code if isinstance(error, SkyholdError) else type(error).__name__,
            redact(str(error)),
            error.remedy if isinstance(error, SkyholdError) else "",
        )
        receipt = self._receipt("stopped" if stopped else "failed", failure)
        self.finish(receipt)
        return receipt

    def finish(self, receipt: Receipt) -> None:
        """Note how it ended, and tell it."""
        self._journal.finish(receipt)
        self.progress.end(receipt.state, receipt.failure.message if receipt.failure else "")

    def _receipt(self, state: Any, failure: Failure | None) -> Receipt:
        return Receipt(
            run_id=self.run_id,
            kind=self.kind,
            name=self.name,
            state=state,
            started=self.started,
            seconds=round(self.progress.seconds, 3),
            asked=self._asked,
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
            counts=self.progress.counts,
            rejects=self.rejects,
            failure=failure,
            versions=versions("pyarrow", "pydantic"),
            host=this_host(),
            **self.usage,
        )
