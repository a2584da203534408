"""What the clouds' modules hand to `resolve_connection`, and what they share in choosing an identity."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from skyhold.errors import CredentialsError
from skyhold.storage.credentials.options import Given
from skyhold.storage.credentials.providers import Provider

__all__ = ["Draft", "Identity", "Way", "choose_way", "env_text", "variables"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Exactly one source of credentials.

    Attributes:
        label: In words.
        provider: Gives them; None for anonymous access, or when ``settings`` carry them.
        settings: What obstore needs to fetch them itself.
        expires_at: When they end, if that is known.
        hints: What else the source says that is no secret, such as a region: canonical option names.
        can_sign: Whether links can be presigned with it; a mere token of Google cannot.
    """

    label: str
    provider: Provider | None
    settings: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    expires_at: datetime | None = None
    hints: dict[str, str] = field(default_factory=dict[str, str])
    can_sign: bool = True


@dataclass(frozen=True, slots=True)
class Draft:
    """A connection without its recipe."""

    settings: dict[str, Any] = field(repr=False)
    client: dict[str, Any] = field(repr=False)
    identity: Identity


@dataclass(frozen=True, slots=True)
class Way:
    """One way to say who one is, by options: a name and the options that say it."""

    name: str
    options: tuple[str, ...]


def choose_way(given: Given, ways: tuple[Way, ...]) -> str:
    """Return the name of the one way that was taken by options, or the empty text.

    Raises:
        CredentialsError: More than one was taken.
    """
    taken = [way for way in ways if any(_says(given, option) for option in way.options)]
    if len(taken) > 1:
        both = " and ".join(given.named(*way.options) for way in taken)
        raise CredentialsError(f"more than one identity was given: {both}", remedy="Give exactly one of them")
    return taken[0].name if taken else ""


def _says(given: Given, option: str) -> bool:
    # `anonymous=False` says that one is somebody, not who.
    return option in given and given.values[option] is not False


def env_text(environment: Mapping[str, str], *names: str) -> tuple[str, str]:
    """Return the first variable that is set and not blank, and its text; or two empty texts."""
    for name in names:
        if text := environment.get(name, "").strip():
            return name, text
    return "", ""


def variables(*names: str) -> str:
    """Return the words for environment variables.

    Example:
        >>> variables("A"), variables("A", "", "B")
        ('environment variable A', 'environment variables A, B')
    """
    used = [name for name in names if name]
    return f"environment variable{'s' if len(used) > 1 else ''} {', '.join(used)}"
