"""What commands print: words for people, or one JSON object a line with a summary last."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

__all__ = ["Printer", "show_error"]


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


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    return str(value)
