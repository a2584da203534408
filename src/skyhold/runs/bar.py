"""A progress bar on standard error, only where somebody looks at it."""

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from skyhold.runs.progress import Event
from skyhold.runs.wording import human_time

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Display
    from rich.progress import TaskID

__all__ = ["ProgressBar"]

_MARKS = {"completed": "[green]✓", "failed": "[red]✗", "stopped": "[yellow]■"}
_LINE_S = 10.0
_ARROW = " → "
_NUMBERS_WIDTH = 74
_LEAST_WIDTH = 23
_WIDE = 100


class ProgressBar:
    """A listener that draws one line for each run, however many there are at once.

    A terminal that cannot move its cursor gets a plain line now and then. Where there is no terminal there is nothing.

    Args:
        enabled: None draws only on a terminal; False, for ``--no-progress``, never; True always.

    Example:
        >>> with ProgressBar(enabled=False) as bar:
        ...     bar(Event("1", "pipe", "orders", "started", "running", 0, None, "rows"))
    """

    def __init__(self, *, enabled: bool | None = None) -> None:
        self._enabled = sys.stderr.isatty() if enabled is None else enabled
        self._lock = threading.Lock()
        self._console: Console | None = None
        self._display: Display | None = None
        self._tasks: dict[str, TaskID] = {}
        self._running: set[str] = set()
        self._next_line_s: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Show where the run stands."""
        if not self._enabled:
            return
        with self._lock:
            if self._console is None:
                self._console = _open_console()
            if self._console.is_dumb_terminal:
                self._print(self._console, event)
            else:
                self._draw(self._console, event)

    def close(self) -> None:
        """Give the terminal back; runs do so by ending, and this is for those that never say how they ended."""
        with self._lock:
            if self._display is not None:
                self._display.stop()
            self._display = None
            self._tasks.clear()
            self._running.clear()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _draw(self, console: "Console", event: Event) -> None:
        if self._display is None:
            self._display = _open_display(console)
            self._display.start()
        if event.run_id not in self._tasks:
            self._tasks[event.run_id] = self._display.add_task(
                _shortened(event.name, console.width), total=event.total, words="", mark="", left=""
            )
            self._running.add(event.run_id)
        if event.phase == "warned":
            console.print(f"{event.name}: {event.message}", markup=False, highlight=False)
        completed, total = _filled(event)
        self._display.update(
            self._tasks[event.run_id],
            completed=completed,
            total=total,
            words=_words(event),
            mark=_MARKS.get(event.state, ""),
            left=_left(event),
        )
        if event.phase == "ended":
            self._running.discard(event.run_id)
            if not self._running:
                self._display.stop()  # draws once more, so the last state stays on the screen
                self._display = None
                self._tasks.clear()

    def _print(self, console: "Console", event: Event) -> None:
        due = event.seconds >= self._next_line_s.get(event.run_id, 0.0)
        if event.phase == "advanced" and not due:
            return
        self._next_line_s[event.run_id] = event.seconds + _LINE_S
        words = event.message if event.phase == "warned" else f"{event.state}, {_words(event)}"
        console.print(f"{event.name}: {words}", markup=False, highlight=False, soft_wrap=True)


def _words(event: Event) -> str:
    of = f" of {event.total:,}" if event.total is not None else ""
    parts = [f"{event.done:,}{of} {event.unit}", f"{event.rate:,.0f}/s" if event.rate >= 1 else f"{event.rate:.2g}/s"]
    names = {"rows_rejected": "rejected", "objects_failed": "failed", "cases_failed": "failed"}
    parts += [f"{event.counts[name]:,} {word}" for name, word in names.items() if event.counts.get(name)]
    return ", ".join(parts)


def _filled(event: Event) -> tuple[float, float | None]:
    """Return how far the bar is, and its end. A run of unknown size that has ended is full, not bouncing for ever."""
    if event.total is not None:
        return event.done, event.total
    if event.phase == "ended":
        return 1, 1
    return (0, None) if event.share is None else (event.share, 1)


def _left(event: Event) -> str:
    """Return the time left; without it the step; at the end the time that it took."""
    if event.state != "running":
        return human_time(event.seconds)
    return event.step if event.eta_s is None else f"{human_time(max(1, round(event.eta_s)))} left"


def _shortened(name: str, width: int) -> str:
    """Return a name that leaves room for the numbers, with the end of each URI: what differs stands there.

    Example:
        >>> _shortened("s3://bucket/raw/2024/flights.csv → s3://bucket/clean/flights.parquet", 110)
        '…024/flights.csv → …flights.parquet'
    """
    parts = name.split(_ARROW)
    room = (max(width - _NUMBERS_WIDTH, _LEAST_WIDTH) - len(_ARROW) * (len(parts) - 1)) // len(parts)
    return _ARROW.join(part if len(part) <= room else f"…{part[1 - room :]}" for part in parts)


def _open_console() -> "Console":
    from rich.console import Console  # noqa: PLC0415 - 21 ms, and only on a terminal

    return Console(stderr=True)


def _open_display(console: "Console") -> "Display":
    from rich.progress import BarColumn, SpinnerColumn, TextColumn  # noqa: PLC0415 - as above
    from rich.progress import Progress as RichProgress  # noqa: PLC0415

    return RichProgress(
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.fields[mark]}"),
        TextColumn("{task.description}", markup=False),
        BarColumn(20 if console.width > _WIDE else 6),
        TextColumn("{task.fields[words]}", markup=False),
        TextColumn("{task.fields[left]}", markup=False),
        console=console,
    )
