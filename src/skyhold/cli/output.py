"""What commands print: words for people, or one JSON object a line with a summary last."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

__all__ = ["Printer", "human_size", "show_error"]

_UNIT = 1024


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


def human_size(size_bytes: float) -> str:
    """Return a size in words.

    Example:
        >>> human_size(1536), human_size(5)
        ('1.5 KiB', '5 B')
    """
    if size_bytes < _UNIT:
        return f"{size_bytes:.0f} B"
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        size_bytes /= _UNIT
        if size_bytes < _UNIT:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes:.1f} PiB"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    return str(value)
