"""A progress bar on standard error, only where somebody looks at it."""

import sys
from typing import Any

from skyhold.runs.progress import Event

__all__ = ["ProgressBar"]


class ProgressBar:
    """A listener that draws one line for each run.

    Args:
        enabled: None draws only on a terminal.
    """

    def __init__(self, *, enabled: bool | None = None) -> None:
        self._enabled = sys.stderr.isatty() if enabled is None else enabled
        self._display: Any = None
        self._tasks: dict[str, Any] = {}

    def __call__(self, event: Event) -> None:
        """Show where the run stands."""
        if not self._enabled:
            return
        if self._display is None:
            self._display = _display()
            self._display.start()
        if event.run_id not in self._tasks:
            self._tasks[event.run_id] = self._display.add_task(event.name, total=event.total, words="")
        self._display.update(
            self._tasks[event.run_id], completed=event.done, total=event.total, words=_words(event)
        )
        if event.phase == "ended":
            self._display.refresh()
            self._display.stop()
            self._display = None
            self._tasks.clear()


def _words(event: Event) -> str:
    rejected = event.counts.get("rows_rejected", 0)
    failed = event.counts.get("objects_failed", 0)
    parts = [f"{event.done:,} {event.unit}", f"{event.rate:,.0f}/s"]
    parts += [f"{rejected:,} rejected"] if rejected else []
    parts += [f"{failed:,} failed"] if failed else []
    return ", ".join(parts)


def _display() -> Any:
    from rich.console import Console  # noqa: PLC0415 - 21 ms, and only on a terminal
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[words]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
