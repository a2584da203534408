"""``demo``: the main job on real input."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from skyhold.cli.options import Common
from skyhold.cli.output import Printer

__all__ = ["demo"]

_DEFAULT = Common()


def demo(
    *,
    local: Annotated[bool, Parameter(negative="")] = False,
    folder: Path = Path("demo-output"),
    common: Common = _DEFAULT,
) -> int:
    """Read real flight records from a bucket, validate them, write typed Parquet, and set damaged rows aside.

    Args:
        local: On plain folders, without an S3 server.
        folder: Where results go.
        common: Options of every command.
    """
    from skyhold.demo.story import tell_story  # noqa: PLC0415 - pyarrow and pydantic, for this command alone

    printer = Printer(as_json=common.json)
    report = tell_story(
        folder,
        lambda words: printer.item(words, said=words),
        local=local,
        progress=common.progress and not common.json,
    )
    printer.summary("", rows=report.total_processed, written=report.success_count, rejected=report.error_count)
    return 0
