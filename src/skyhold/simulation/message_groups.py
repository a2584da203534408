"""What the engine said in many cases, the same words together."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from skyhold.simulation.outcome import Outcome
from skyhold.simulation.simulator import EngineMessage

__all__ = ["MessageGroup", "group_messages"]

_ORDER = ("fatal", "severe", "warning")
_NAMES = re.compile(r"\"[^\"]*\"|'[^']*'|=\s*[A-Z0-9][A-Z0-9 _:.-]*(?=[,.;]|$)")
_NUMBERS = re.compile(r"[-+]?\d[\d.,:/]*(?:[eE][-+]?\d+)?")
_LENGTH = 160
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class MessageGroup:
    """Messages that differ in names and numbers alone.

    Attributes:
        severity: How bad they are.
        text: One of them.
        count: How often they were said, over all cases.
        cases: Labels of the cases, in the order of the plan.
    """

    severity: Literal["warning", "severe", "fatal"]
    text: str
    count: int
    cases: tuple[str, ...]


def group_messages(outcomes: Mapping[str, Outcome]) -> list[MessageGroup]:
    """Return what the engine said, the worst first and then what most cases share.

    What each case has kept of it is in its `Outcome`: the first few messages, the worst first.

    Args:
        outcomes: How cases ended, by label.

    Example:
        >>> def ended(zone):
        ...     said = EngineMessage("severe", f'Zone "{zone}" has no floor')
        ...     return Outcome("", "", None, "", "", "", remarks=(said,))
        >>> [(each.text, each.cases) for each in group_messages({"a": ended("East"), "b": ended("West")})]
        [('Zone "East" has no floor', ('a', 'b'))]
    """
    found: dict[tuple[str, str], tuple[EngineMessage, dict[str, int]]] = {}
    for label, outcome in outcomes.items():
        for message in _said_in(outcome):
            _, counts = found.setdefault((message.severity, _shape_of(message.text)), (message, {}))
            counts[label] = counts.get(label, 0) + message.count
    groups = [
        MessageGroup(message.severity, _on_one_line(message.text), sum(counts.values()), tuple(counts))
        for message, counts in found.values()
    ]
    return sorted(groups, key=lambda group: (_ORDER.index(group.severity), -len(group.cases)))


def _said_in(outcome: Outcome) -> Iterable[EngineMessage]:
    """Return what a case has kept; one of an earlier version has texts alone, the severe and the fatal ones."""
    if outcome.remarks or not outcome.texts:
        return outcome.remarks
    is_severe = not outcome.messages.get("fatal")
    return [EngineMessage("severe" if is_severe else "fatal", text) for text in outcome.texts]


def _shape_of(text: str) -> str:
    return _NUMBERS.sub("#", _NAMES.sub("…", _on_one_line(text)))[:_LENGTH]


def _on_one_line(text: str) -> str:
    return _SPACES.sub(" ", text).strip()
