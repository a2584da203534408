"""What was asked of a run, as plain JSON and without its secrets."""

import math
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, cast

from skyhold.config import is_secret_name, redact

__all__ = ["format_command", "redact_asked", "redact_text"]

_REDACTED = "**redacted**"
_DEEPEST = 12
_LONGEST = 1000
_MARK_LENGTH = 40
_CREDENTIALS = re.compile(r"(?i)credentials?$")


def redact_asked(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON holds them; secrets are found by their option's name, by their type and by their looks.

    Doing it twice changes nothing.

    Example:
        >>> redact_asked({"rows": 3, "secretAccessKey": "hunter2", "to": "https://me:hunter2@host/x"})
        {'rows': 3, 'secretAccessKey': '**redacted**', 'to': 'https://me:**redacted**@host/x'}
    """
    return {str(name): _plain(str(name), value, 0) for name, value in asked.items()}


def redact_text(text: str) -> str:
    """Return a text without secrets, and of a length that fits into a receipt: 1,000 characters, cut between words.

    Example:
        >>> redact_text("secret_key=hunter2 " + "very " * 1000)[-30:]
        'very very … (5,019 characters)'
    """
    size = len(text)
    if size > _LONGEST + _MARK_LENGTH:
        text = _cut(text, size)
    shown = redact(text)
    return _cut(shown, size) if len(shown) > _LONGEST + _MARK_LENGTH else shown


def format_command(arguments: Sequence[str]) -> str:
    """Return a command line that can be pasted into a shell, without its secrets.

    Example:
        >>> format_command(["skyhold", "pipe", "my file.csv", "--secret-access-key", "hunter2"])
        "skyhold pipe 'my file.csv' --secret-access-key '**redacted**'"
    """
    shown: list[str] = []
    hide_next = False
    for argument in arguments:
        name, equals, value = argument.partition("=")
        secret = name.startswith("-") and _is_secret(name.lstrip("-"))
        if hide_next and not argument.startswith("--"):
            shown.append(_REDACTED)
        elif secret and equals and value:
            shown.append(f"{name}={_REDACTED}")
        else:
            shown.append(redact_text(argument))
        hide_next = secret and not equals
    return shlex.join(shown)


def _cut(text: str, size: int) -> str:
    """Keep whole words, since half of a secret might not look like one."""
    words = text[: _LONGEST + 1].rpartition(" ")[0]
    return f"{words} … ({size:,} characters)".lstrip()


def _is_secret(name: str) -> bool:
    return is_secret_name(name) or _CREDENTIALS.search(name) is not None


def _plain(name: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _is_secret(name) and value != "":
        return _REDACTED
    if isinstance(value, int | float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str | os.PathLike):
        return redact_text(os.fsdecode(cast("str | os.PathLike[str]", value)))
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    return _plain_tree(name, value, depth) if depth < _DEEPEST else "…"


def _plain_tree(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        items = cast("Mapping[Any, Any]", value).items()
        return {str(key): _plain(str(key), each, depth + 1) for key, each in items}
    if isinstance(value, list | tuple):
        return [_plain(name, each, depth + 1) for each in cast("Sequence[Any]", value)]
    if isinstance(value, set | frozenset):
        return sorted((_plain(name, each, depth + 1) for each in cast("set[Any]", value)), key=str)
    # A class or a function by its name: its repr would hold an address, which differs from run to run.
    return redact_text(str(getattr(value, "__qualname__", None) or value))
