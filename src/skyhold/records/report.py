"""What a pipe says of itself, while it runs and after."""

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from skyhold.execution.waiting import wait_until
from skyhold.records.formats.adapter import InputStream
from skyhold.records.rejects import RejectCounts
from skyhold.records.snapshot import ReportSnapshot, Status
from skyhold.runs.progress import MeasureShare, Progress
from skyhold.runs.receipt import Failure, Receipt, RejectGroup
from skyhold.storage.objects import RequestClass
from skyhold.storage.pricing import Cost
from skyhold.storage.wrappers.metered import Meter, Usage

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Report", "Status", "share_read"]


class Report:
    """Live counts of one pipe; every number may be read at any time, from any thread.

    ``total_processed = success_count + error_count``, always. Numbers that are to belong together come from one
    `snapshot`. A pickled report is such a snapshot: numbers as they were, and nothing that runs.

    Attributes:
        status: Whether it runs, and how it ended.
        receipt: What the run left; None until the end.
        error: What made it fail, or stopped it.
    """

    def __init__(self, progress: Progress, meter: Meter, rejects: RejectCounts, settle: Callable[[], None]) -> None:
        self._progress = progress
        self._meter = meter
        self._rejects = rejects
        self._settle = settle
        self._ended = threading.Event()
        self.status: Status = "pending"
        self.receipt: Receipt | None = None
        self.error: BaseException | None = None

    def snapshot(self) -> ReportSnapshot:
        """Return all numbers as they are now; raises nothing, also when the pipe has failed."""
        ended, status, error = self._ended.is_set(), self.status, self.error
        event = self._progress.event()
        return ReportSnapshot(
            run_id=event.run_id,
            name=event.name,
            status=status,
            is_finished=ended,
            total_processed=event.done,
            total_written=event.counts.get("rows_written", 0),
            error_count=event.counts.get("rows_rejected", 0),
            elapsed=event.seconds if status != "pending" else 0.0,
            eta=event.eta_s if status == "running" else None,
            usage=self._meter.usage,
            rejects=self._rejects.groups(),
            failure=None if error is None else Failure.of(error),
        )

    @property
    def total_processed(self) -> int:
        """Rows read so far, accepted or not."""
        return self._progress.done

    @property
    def total_written(self) -> int:
        """Rows handed to the output so far; it shows them when the pipe is complete."""
        return self.snapshot().total_written

    @property
    def success_count(self) -> int:
        """Rows accepted so far."""
        return self.snapshot().success_count

    @property
    def error_count(self) -> int:
        """Rows rejected so far."""
        return self.snapshot().error_count

    @property
    def total_errors(self) -> int:
        """Rows rejected so far."""
        return self.error_count

    @property
    def rejects(self) -> tuple[RejectGroup, ...]:
        """Why rows were rejected, the most frequent reason first."""
        return self._rejects.groups()

    @property
    def elapsed(self) -> float:
        """Seconds since the start, until the end."""
        return self.snapshot().elapsed

    @property
    def duration(self) -> float:
        """Seconds since the start, until the end."""
        return self.elapsed

    @property
    def eta(self) -> float | None:
        """Seconds still to go, by the share of the input's bytes that has come.

        None while that cannot be told: the input's size is not known, or all of it has come and is being worked on.
        Bytes come some tens of megabytes before their rows are written, so a short run takes longer than this says.
        """
        return self.snapshot().eta

    @property
    def items_per_second(self) -> float:
        """Rows a second since the start."""
        return self.snapshot().items_per_second

    @property
    def usage(self) -> Usage:
        """Requests and bytes so far."""
        return self._meter.usage

    @property
    def bytes_read(self) -> int:
        """Content received from stores so far, as it is stored there."""
        return self.usage.bytes_in

    @property
    def bytes_written(self) -> int:
        """Content sent to stores so far."""
        return self.usage.bytes_out

    @property
    def requests(self) -> Mapping[RequestClass, int]:
        """Requests sent to services so far, by class."""
        return self.usage.requests

    @property
    def cost(self) -> Cost | None:
        """What they cost, by the default price table; None when no service was asked."""
        return self.snapshot().cost

    @property
    def is_finished(self) -> bool:
        """Whether the pipe has ended.

        Raises:
            Exception: The pipe has failed and nobody was told yet: its own error, so that a loop which only polls
                cannot take a failure for the end.
        """
        ended = self._ended.is_set()
        if ended:
            self._settle()
        return ended

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; return whether it came. Does not raise the pipe's error."""
        return wait_until(self._ended.wait, timeout)

    def mark_ended(self) -> None:
        """Let waiters go on; the pipe calls this once."""
        self._ended.set()

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain JSON types, under their names here."""
        return self.snapshot().to_dict()

    def to_json(self) -> str:
        """Return `to_dict` as text."""
        return self.snapshot().to_json()

    def to_html(self) -> str:
        """Return it as a table, as notebooks show it."""
        return self.snapshot().to_html()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as the snapshot of this moment."""
        return (_as_is, (self.snapshot(),))

    def __repr__(self) -> str:
        """Show the counts in one line."""
        return repr(self.snapshot())

    def __rich__(self) -> "Table":
        """Show it on a terminal; ``rich.print(report)`` calls this."""
        return self.snapshot().__rich__()

    def _repr_html_(self) -> str:
        return self.to_html()


def _as_is(snapshot: ReportSnapshot) -> ReportSnapshot:
    return snapshot


def share_read(stream: InputStream, meter: Meter) -> MeasureShare:
    """Return what tells how much of an input's bytes has come, from 0 to 1.

    It tells None where the size is not known, and when all has come: what is left to do then is not known either.

    Args:
        stream: What is read.
        meter: Counts the bytes that its stores have given.
    """

    def measure() -> float | None:
        size_bytes, came_bytes = stream.size_bytes, meter.usage.bytes_in
        return came_bytes / size_bytes if size_bytes and came_bytes < size_bytes else None

    return measure
