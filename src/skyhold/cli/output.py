"""What commands print: words for people, or one JSON object a line with a summary last."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from skyhold.runs.wording import visible

__all__ = ["Printer", "format_table", "show_error"]


class Printer:
    """Prints items as they come, then a summary.

    Args:
        as_json: JSON lines instead of words.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def item(self, words: str, **fields: Any) -> None:
        """Print one item."""
        print(json.dumps(fields, default=_plain, ensure_ascii=False) if self.as_json else words)

    def summary(self, words: str, **fields: Any) -> None:
        """Print what it all comes to; as words on standard error, so that output stays clean in a pipe."""
        if self.as_json:
            print(json.dumps({"summary": fields}, default=_plain, ensure_ascii=False))
        elif words:
            print(words, file=sys.stderr)


def show_error(message: str, remedy: str, *, code: str, as_json: bool) -> None:
    """Print an error, in the form that was asked for."""
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message, "remedy": remedy}}, ensure_ascii=False))
    print(f"error: {message}", file=sys.stderr)
    if remedy:
        print(f"remedy: {remedy}", file=sys.stderr)


def format_table(names: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, widest: int = 40) -> list[str]:
    """Return rows as aligned lines under a header; columns that do not fit into the width are left out and counted.

    Args:
        names: Of the columns.
        rows: Their cells.
        width: Of a line.
        widest: Of a column.

    Example:
        >>> format_table(["a", "name"], [["1", "x"], ["22", "yy"]], width=80)
        ['a   name', '1   x', '22  yy']
    """
    shown = [[visible(cell, widest) for cell in row] for row in [names, *rows]]
    widths = [max(len(cell) for cell in column) for column in zip(*shown, strict=True)]
    kept, used = 0, 0
    while kept < len(widths) and (not kept or used + widths[kept] <= width):
        used += widths[kept] + 2
        kept += 1
    lines = [
        "  ".join(cell.ljust(size) for cell, size in zip(row[:kept], widths, strict=False)).rstrip() for row in shown
    ]
    left = len(widths) - kept
    return [*lines, f"and {left} more columns: {visible(', '.join(names[kept:]), width)}"] if left else lines


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    return str(value)
