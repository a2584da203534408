"""What an engine said of a run, as one thing to look at and to print."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import overload

from skyhold.simulation.simulator import EngineMessage, Severity

__all__ = ["EngineMessages"]

_WORST_FIRST: tuple[Severity, ...] = ("fatal", "severe", "warning")
_SHOWN = 20


class EngineMessages(Sequence[EngineMessage]):
    """The messages of a run, in the order in which they came; printed, the worst come first.

    Args:
        messages: What was said.
        counts: How often in all, by severity, where more was said than is here.

    Example:
        >>> said = EngineMessages([EngineMessage("warning", "Site is cold.", 3), EngineMessage("severe", "No roof.")])
        >>> print(said)
        1 severe, 3 warnings
        [severe] No roof.
        [warning] Site is cold. (3 times)
        >>> [message.text for message in said.severe]
        ['No roof.']
    """

    def __init__(self, messages: Iterable[EngineMessage] = (), counts: "dict[str, int] | None" = None) -> None:
        self._messages = tuple(messages)
        found: Counter[str] = Counter()
        for message in self._messages:
            found[message.severity] += message.count
        self.counts: dict[Severity, int] = {name: (counts or found).get(name, 0) for name in _WORST_FIRST}

    @property
    def fatal(self) -> tuple[EngineMessage, ...]:
        """What ended the run."""
        return self._of("fatal")

    @property
    def severe(self) -> tuple[EngineMessage, ...]:
        """What spoils a result."""
        return self._of("severe")

    @property
    def warnings(self) -> tuple[EngineMessage, ...]:
        """What should be looked at."""
        return self._of("warning")

    @property
    def has_fatal(self) -> bool:
        """Whether anything ended the run."""
        return self.counts["fatal"] > 0

    @property
    def has_severe(self) -> bool:
        """Whether anything spoils the result."""
        return self.counts["severe"] > 0

    def summary(self) -> str:
        """Return how many there were of each severity, in a line."""
        named = ((self.counts[name], name, "warnings" if name == "warning" else name) for name in _WORST_FIRST)
        told = [f"{count:,} {one if count == 1 else many}" for count, one, many in named if count]
        return ", ".join(told) or "no messages"

    def __str__(self) -> str:
        worst = [message for name in _WORST_FIRST for message in self._of(name)]
        lines = [self.summary(), *(_line(message) for message in worst[:_SHOWN])]
        if len(worst) > _SHOWN:
            lines.append(f"… and {len(worst) - _SHOWN:,} more")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"<EngineMessages: {self.summary()}>"

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, index: int) -> EngineMessage: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[EngineMessage, ...]: ...

    def __getitem__(self, index: int | slice) -> EngineMessage | tuple[EngineMessage, ...]:
        return self._messages[index]

    def _of(self, severity: Severity) -> tuple[EngineMessage, ...]:
        return tuple(message for message in self._messages if message.severity == severity)


def _line(message: EngineMessage) -> str:
    times = f" ({message.count:,} times)" if message.count > 1 else ""
    text = message.text.replace("\n", "\n    ")
    return f"[{message.severity}] {text}{times}"
