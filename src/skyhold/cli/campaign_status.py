"""``sim status``: how far a campaign is, once, or as a table that follows it."""

import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from skyhold.cli.options import Common
from skyhold.cli.output import Printer, format_table
from skyhold.errors import BadOptionError
from skyhold.execution.waiting import wait_until
from skyhold.runs.wording import visible
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.status import ActiveChunk, Status

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["show_status", "tell"]

_DEFAULT = Common()
_FAILED = 1
_WIDTH = 120
_WATCH_S = 2.0
_SHOWN = 20
_BAR = 40
_LONGEST = 500
_COLUMNS = ("chunk", "cases", "worker", "heard of [UTC]", "taken")


def show_status(uri: str, /, *, watch: bool = False, failed: bool = False, common: Common = _DEFAULT) -> int:
    """Show how far a campaign is.

    Args:
        uri: The campaign.
        watch: Go on until it is complete or cancelled: a table that changes, or lines where there is no terminal.
        failed: Name the cases that were given up, and why.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)
    campaign = Campaign.open(uri, **common.options_for(uri))
    if failed:
        if watch:
            raise BadOptionError("--watch and --failed exclude each other", remedy="Leave one of them out")
        return _name_failed(printer, campaign, uri)
    if watch:
        return tell(printer, _follow(campaign, printer), uri, is_shown=True)
    return tell(printer, campaign.status(), uri)


def tell(printer: Printer, status: Status, uri: str, *, is_shown: bool = False) -> int:
    """Print how far a campaign is, and return the exit code.

    Args:
        printer: Prints it.
        status: How far.
        uri: The campaign.
        is_shown: Whether who is at what stands on the screen already.
    """
    if printer.as_json:
        for each in status.active:
            printer.item("", chunk=each.chunk, ended=each.ended, cases=each.cases, worker=each.worker, heard=each.heard)
    elif status.active and not is_shown:
        print("\n".join(format_table(_COLUMNS, [_cells(each) for each in status.active], width=_WIDTH)))
    hint = f"; why: skyhold sim status {uri} --failed" if status.failed else ""
    printer.summary(_words(status) + hint, **status.as_dict())
    return _FAILED if status.failed else 0


def _name_failed(printer: Printer, campaign: Campaign, uri: str) -> int:
    rows: list[dict[str, Any]] = campaign.table(["label", "failure", "detail", "attempt"]).to_pylist()
    failed = [row for row in rows if row["failure"]]
    for row in failed:
        words = (
            f"{visible(row['label'])}: {row['failure']}: {visible(row['detail'] or 'it does not say why', _LONGEST)}"
        )
        printer.item(words, **row)
    again = f"; to try them again: skyhold sim retry {uri}" if failed else ""
    printer.summary(f"{len(failed)} of {len(rows)} cases failed{again}", failed=len(failed), cases=len(rows))
    return _FAILED if failed else 0


def _follow(campaign: Campaign, printer: Printer) -> Status:
    """Show a campaign until it has come to an end, and return how far it is then."""
    never = threading.Event()
    with _screen(printer) as show:
        while True:
            status = campaign.status()
            show(status)
            if status.is_complete or status.is_cancelled:
                return status
            wait_until(never.wait, _WATCH_S)


@contextmanager
def _screen(printer: Printer) -> Generator[Callable[[Status], None]]:
    if printer.as_json or not sys.stdout.isatty():
        with _lines(printer) as show:
            yield show
        return
    from rich.console import Console  # noqa: PLC0415 - slow to load, and only for a terminal
    from rich.live import Live  # noqa: PLC0415 - as above

    console = Console()
    if console.is_dumb_terminal:
        with _lines(printer) as show:
            yield show
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda status: live.update(_picture(status), refresh=True)


@contextmanager
def _lines(printer: Printer) -> Generator[Callable[[Status], None]]:
    """Print a line where something has changed."""
    last = ""

    def show(status: Status) -> None:
        nonlocal last
        words = _words(status)
        if words != last and not (status.is_complete or status.is_cancelled):  # the end is told in any case
            printer.item(words, **status.as_dict())
        last = words

    yield show


def _picture(status: Status) -> "RenderableType":
    from rich.console import Group  # noqa: PLC0415 - as above
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(*_COLUMNS, box=None, pad_edge=False)
    for each in status.active[:_SHOWN]:
        table.add_row(*map(Text, _cells(each)))
    bar = ProgressBar(total=max(status.total, 1), completed=status.done + status.failed, width=_BAR)
    head = Table.grid(padding=(0, 2))  # a bar alone does not end its line
    head.add_row(bar, Text(_words(status)))
    more = [Text(f"and {len(status.active) - _SHOWN} more")] if len(status.active) > _SHOWN else []
    return Group(head, *([table] if status.active else []), *more)


def _cells(each: ActiveChunk) -> list[str]:
    return [each.chunk, f"{each.ended}/{each.cases}", each.worker, f"{each.heard:%Y-%m-%d %H:%M:%S}", str(each.taken)]


def _words(status: Status) -> str:
    failures = ", ".join(f"{count} {kind}" for kind, count in sorted(status.failures.items()))
    failed = f"{status.failed} failed ({failures})" if failures else f"{status.failed} failed"
    cancelled = "; cancelled" if status.is_cancelled else ""
    return (
        f"{status.done} of {status.total} done, {failed}, {status.running} running, {status.waiting} waiting{cancelled}"
    )
