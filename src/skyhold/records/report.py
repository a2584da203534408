"""What a pipe says of itself, while it runs and after."""

import threading
from collections.abc import Callable
from typing import Literal

from skyhold.records.rejects import RejectCounts
from skyhold.runs.progress import Progress
from skyhold.runs.receipt import Receipt, RejectGroup
from skyhold.storage.pricing import Cost, estimate_cost
from skyhold.storage.wrappers.metered import Meter, Usage

__all__ = ["Report", "Status"]

Status = Literal["pending", "running", "completed", "failed", "stopped"]


class Report:
    """Live counts of one pipe; every number may be read at any time, from any thread.

    ``total_processed = success_count + error_count``, always.
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

    @property
    def total_processed(self) -> int:
        """Rows read so far, accepted or not."""
        return self._progress.done

    @property
    def success_count(self) -> int:
        """Rows accepted so far."""
        return self._progress.counts.get("rows_written", 0)

    @property
    def error_count(self) -> int:
        """Rows rejected so far."""
        return self._progress.counts.get("rows_rejected", 0)

    @property
    def total_errors(self) -> int:
        """Rows rejected so far."""
        return self.error_count

    @property
    def rejects(self) -> tuple[RejectGroup, ...]:
        """Why rows were rejected, the most frequent reason first."""
        return self._rejects.groups()

    @property
    def duration(self) -> float:
        """Seconds since the start, until the end."""
        return self._progress.seconds if self.status != "pending" else 0.0

    @property
    def items_per_second(self) -> float:
        """Rows a second since the start."""
        return self.total_processed / self.duration if self.duration else 0.0

    @property
    def usage(self) -> Usage:
        """Requests and bytes so far."""
        return self._meter.usage

    @property
    def cost(self) -> Cost | None:
        """What they cost, by the default price table; None when no service was asked."""
        usage = self.usage
        return estimate_cost(usage) if any(usage.requests.values()) else None

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
        return self._ended.wait(timeout)

    def mark_ended(self) -> None:
        """Let waiters go on; the pipe calls this once."""
        self._ended.set()

    def __repr__(self) -> str:
        """Show the counts in one line."""
        return (
            f"<Report {self.status}: {self.total_processed:,} rows, {self.success_count:,} written, "
            f"{self.error_count:,} rejected, {self.duration:.1f} s>"
        )
