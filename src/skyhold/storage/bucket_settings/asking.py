"""One table row for each setting: how it is asked, what is good, and what to do when it is not."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from skyhold.config import redact
from skyhold.errors import SkyholdError
from skyhold.storage.checkup import CheckLine

__all__ = ["Refusal", "Setting", "Told", "ask_settings"]

_DENIED = {401, 403}
_UNKNOWN_THERE = {400, 404, 405, 501}


@dataclass(frozen=True, slots=True)
class Told:
    """What the store tells of a setting.

    Attributes:
        good: Whether it is as it should be; None when the store tells nothing of it.
        found: In words.
    """

    good: bool | None
    found: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the store did not tell.

    Attributes:
        status: Of the answer; 0 when there was none.
        code: The store's own word for it, or the reason why there was no answer.
    """

    status: int
    code: str


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of a provider's table.

    Attributes:
        name: What is asked.
        ask: Asks it of the provider's client.
        remedy: The command that puts it right; ``{bucket}`` and other names of the place are filled in.
        permission: What the identity needs to be told.
    """

    name: str
    ask: Callable[[Any], Told]
    remedy: str
    permission: str


def ask_settings(
    settings: Iterable[Setting],
    client: Any,
    refusal_of: Callable[[Exception], Refusal | None],
    **names: str,
) -> Iterator[CheckLine]:
    """Ask one after the other; what one is refused keeps no other from being asked.

    Args:
        settings: The table.
        client: Given to each row's ``ask``.
        refusal_of: Reads an exception of the provider's library; None for what is not its own.
        **names: Filled into the remedies.
    """
    for setting in settings:
        try:
            told = setting.ask(client)
        except SkyholdError as error:
            yield CheckLine(setting.name, "unknown", f"not told: {error.message}", error.remedy)
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            yield CheckLine(setting.name, "unknown", _why_not(refusal, setting.permission))
        else:
            yield _line(setting, told, names)


def _line(setting: Setting, told: Told, names: dict[str, str]) -> CheckLine:
    if told.good:
        return CheckLine(setting.name, "ok", told.found)
    state = "warning" if told.good is False else "unknown"
    return CheckLine(setting.name, state, told.found, setting.remedy.format_map(names))


def _why_not(refusal: Refusal, permission: str) -> str:
    if refusal.status in _DENIED:
        return f"not told: needs permission {permission} ({refusal.code})"
    if refusal.status in _UNKNOWN_THERE:
        return f"not told: the store does not know this setting ({refusal.code})"
    return f"not told: {redact(refusal.code).partition(chr(10))[0]}"
