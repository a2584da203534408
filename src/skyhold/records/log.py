"""A pipe's few lines in the log."""

import logging

from skyhold.records.rejects import RejectCounts
from skyhold.runs.asked import redact_text
from skyhold.runs.event import Event

__all__ = ["PipeLog"]

_LOG = logging.getLogger("skyhold.records")
_MOST_REASONS = 20


class PipeLog:
    """A listener that writes to the logger ``skyhold.records``: the start, each new reason to reject rows, the end.

    Never a line for each row, and no value from a row, since logs go further than data may: only the error of a failed
    run may hold one. Reasons after the first 20 are only counted.

    Args:
        rejects: Where the pipe counts what it rejects.
    """

    def __init__(self, rejects: RejectCounts) -> None:
        self._rejects = rejects
        self._seen: set[tuple[str, str]] = set()

    def __call__(self, event: Event) -> None:
        """Write what is new."""
        if event.phase == "started":
            _LOG.info("pipe %s started: %s", event.run_id, event.name)
        self._tell_reasons(event)
        if event.phase == "ended":
            counts = event.counts
            _LOG.log(
                logging.INFO if event.state == "completed" else logging.WARNING,
                "pipe %s %s: %s; %d rows read, %d written, %d rejected, %.1f s%s",
                event.run_id,
                event.state,
                event.name,
                counts.get("rows_read", 0),
                counts.get("rows_written", 0),
                counts.get("rows_rejected", 0),
                event.seconds,
                f"; {event.error}: {event.message}" if event.error else "",
            )

    def _tell_reasons(self, event: Event) -> None:
        for group in self._rejects.groups():
            reason = group.field, group.type
            if reason in self._seen:
                continue
            if len(self._seen) == _MOST_REASONS:
                return
            self._seen.add(reason)
            _LOG.info(
                "pipe %s rejects rows: %s %s, first in row %d; more for this reason are only counted",
                event.run_id,
                redact_text(group.field),  # a dictionary's key may be part of it
                group.type,
                group.sample_rows[0],
            )
