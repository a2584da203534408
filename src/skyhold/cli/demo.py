"""``demo``: the whole story, or the main job of records on real input."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common
from skyhold.cli.output import Printer

__all__ = ["demo"]

_DEFAULT = Common()


def demo(
    *,
    flights: Annotated[bool, Parameter(negative="")] = False,
    quick: Annotated[bool, Parameter(negative="")] = False,
    s3: Annotated[bool, Parameter(negative="")] = False,
    folder: Path = Path("demo-output"),
    ui: bool | None = None,
    common: Common = _DEFAULT,
) -> int:
    """Publish a building as components, simulate variants of it, and turn the results into validated rows.

    It may be stopped anywhere, and goes on when it is run again.

    Args:
        flights: Instead, read 336,776 real flight records, validate them, and set damaged rows aside.
        quick: Simulate a week instead of a year.
        s3: On a bucket of a real S3 server, which ends with the demo.
        folder: Where results go.
        ui: Open the dashboard on it in the end; by itself where this runs in a terminal.
        common: Options of every command.
    """
    printer = Printer(as_json=common.json)

    def say(words: str) -> None:
        printer.item(words, said=words)

    progress = common.progress and not common.json
    if flights:
        from skyhold.demo.flights_job import move_flights  # noqa: PLC0415 - pyarrow and pydantic, for this alone

        report, places = move_flights(folder, say, s3=s3, progress=progress), ()
    else:
        from skyhold.demo.story import tell_story  # noqa: PLC0415 - likewise

        story = tell_story(folder, say, s3=s3, quick=quick, progress=progress)
        report, places = story.report, story.places
    printer.summary("", rows=report.total_processed, written=report.success_count, rejected=report.error_count)
    in_terminal = sys.stdout.isatty() and find_spec("starlette") is not None
    if not places or not (in_terminal if ui is None else ui):
        return 0
    from skyhold.cli.dashboard import ui as open_dashboard  # noqa: PLC0415 - where it is asked for alone

    return open_dashboard(*places, common=common)
