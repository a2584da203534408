r"""What EnergyPlus says of a run: its ``.err`` file, message by message, and its ``.end`` file.

Both may be absent, cut short by a kill, or hold bytes of any encoding (names in a model are copied into them).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from skyhold.simulation.simulator import EngineMessage, Severity

__all__ = ["Ending", "parse_ending", "parse_messages", "read_text"]

# Recurring messages are repeated in a summary at the end, where each line begins with thirteen stars.
_MESSAGE = re.compile(r"\s*(?:\*{13}\s*)?\*\*\s*(Warning|Severe|Fatal|~~~)\s*\*\*\s?(.*)")
_STARS = re.compile(r"\s*\*{13}(?!\*)")
_SUMMARY = re.compile(r"\s*\.{3,5}\s?\S")
_TIMES = re.compile(r"This error occurred (\d+) total times")
_ENDING = re.compile(
    r"EnergyPlus (Completed Successfully|Terminated)--.*?(\d+) Warning; (\d+) Severe Errors(?:; Elapsed Time=(.*))?"
)
_SEVERITIES: dict[str, Severity] = {"Warning": "warning", "Severe": "severe", "Fatal": "fatal"}


@dataclass(frozen=True, slots=True)
class Ending:
    """What the engine says of the run as a whole.

    Attributes:
        is_complete: Whether it says that it completed successfully.
        warnings: How many warnings it counted.
        severes: How many severe errors it counted.
    """

    is_complete: bool
    warnings: int
    severes: int


def parse_ending(text: str) -> Ending | None:
    """Return what a ``.end`` file says, or the last line of an ``.err`` file; None when neither says anything.

    Example:
        >>> parse_ending("EnergyPlus Completed Successfully-- 5 Warning; 0 Severe Errors; Elapsed Time=00hr 00min")
        Ending(is_complete=True, warnings=5, severes=0)
        >>> parse_ending("") is None
        True
    """
    endings = list(_ENDING.finditer(text))
    if not endings:
        return None
    found = endings[-1]
    return Ending(found[1].startswith("Completed"), int(found[2]), int(found[3]))


def parse_messages(text: str) -> tuple[EngineMessage, ...]:
    r"""Return the messages of an ``.err`` file in order, each with its continuation lines.

    Example:
        >>> text = "   ** Warning ** Site: outside 15-25C.\n   **   ~~~   ** Consult the reference.\n"
        >>> parse_messages(text)
        (EngineMessage(severity='warning', text='Site: outside 15-25C.\nConsult the reference.', count=1),)
    """
    messages: list[tuple[Severity, list[str]]] = []
    is_open = False
    for line in text.splitlines():
        found = _MESSAGE.match(line)
        if found and found[1] != "~~~":
            messages.append((_SEVERITIES[found[1]], [found[2].strip()]))
            is_open = True
        elif found and messages:
            messages[-1][1].append(found[2].strip())
        elif _STARS.match(line) or _SUMMARY.match(line):
            is_open = False
        elif is_open and line.strip():
            # What is quoted from a model may hold line feeds of its own.
            messages[-1][1].append(line.strip())
    return tuple(EngineMessage(severity, "\n".join(lines), _times(lines)) for severity, lines in messages)


def read_text(path: Path) -> str:
    """Return a file's text, whatever its encoding; nothing when there is no such file."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return ""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _times(lines: list[str]) -> int:
    found = next(filter(None, map(_TIMES.search, lines)), None)
    return max(int(found[1]), 1) if found else 1
