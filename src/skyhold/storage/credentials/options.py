"""The options of each cloud: one canonical name each, and every spelling that other libraries gave them."""

import difflib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from skyhold.config import Secret
from skyhold.errors import BadOptionError
from skyhold.storage.credentials.option_names import OPTIONS, Option

__all__ = ["CLIENT_OPTIONS", "FLAG_WORDS", "CloudScheme", "Given", "is_known_option", "parse_flag", "parse_options"]

CloudScheme = Literal["s3", "az", "gs", "http"]

CLIENT_OPTIONS = (
    "allow_http", "allow_invalid_certificates", "connect_timeout", "default_content_type", "default_headers",
    "http1_only", "http2_keep_alive_interval", "http2_keep_alive_timeout", "http2_keep_alive_while_idle", "http2_only",
    "pool_idle_timeout", "pool_max_idle_per_host", "proxy_ca_certificate", "proxy_excludes", "proxy_url",
    "randomize_addresses", "read_timeout", "root_certificate", "timeout", "user_agent",
)  # fmt: skip
"""What obstore's HTTP client takes, and `client_options` passes on."""

_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
_FALSE = frozenset({"0", "false", "no", "off", "n", "f"})
FLAG_WORDS = _TRUE | _FALSE
"""What is understood as yes or no."""
_NESTED = ("client_kwargs", "config_kwargs")


@dataclass(frozen=True, slots=True)
class Given:
    """Options under their canonical names, and how each was spelled; empty values are left out.

    Attributes:
        values: By canonical name: text, bool, Secret or mapping.
        spelled: The user's spelling, by canonical name.
    """

    values: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    spelled: dict[str, str] = field(default_factory=dict[str, str])

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str:
        """Return an option's text, or the empty text."""
        value = self.values.get(name, "")
        return value.reveal() if isinstance(value, Secret) else str(value)

    def secret(self, name: str) -> Secret | None:
        """Return an option's secret, or None."""
        return self.values.get(name)

    def flag(self, name: str) -> bool | None:
        """Return an option's yes or no, or None."""
        return self.values.get(name)

    def named(self, *names: str) -> str:
        """Return those of the options that were given, as the user spelled them, for messages."""
        found = [f"{self.spelled[name]!r}" for name in names if name in self.values]
        return ("option " if len(found) == 1 else "options ") + ", ".join(found)


def parse_flag(name: str, value: object) -> bool:
    """Return a yes or no from a bool or its usual words.

    Raises:
        BadOptionError: It is neither.

    Example:
        >>> parse_flag("anon", "True"), parse_flag("anon", "0")
        (True, False)
    """
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if word in FLAG_WORDS:
        return word in _TRUE
    raise BadOptionError(f"option {name!r} is yes or no, found {value!r}", remedy=f"Write {name}=True or {name}=False")


def is_known_option(scheme: CloudScheme, name: str) -> bool:
    """Return whether `parse_options` takes an option of this name, in any spelling.

    Example:
        >>> is_known_option("s3", "endpoint_url"), is_known_option("s3", "delimiter")
        (True, False)
    """
    nested = scheme == "s3" and name in _NESTED
    return nested or any(_normal(name) in (option.name, *option.spellings) for option in OPTIONS[scheme])


def parse_options(scheme: CloudScheme, options: Mapping[str, Any]) -> Given:
    """Return the options under their canonical names.

    Raises:
        BadOptionError: An unknown option, a value of the wrong kind, or two spellings that disagree.

    Example:
        >>> parse_options("s3", {"client_kwargs": {"region_name": "eu-west-1"}}).values
        {'region': 'eu-west-1'}
    """
    known = {spelling: option for option in OPTIONS[scheme] for spelling in (option.name, *option.spellings)}
    given = Given()
    for spelled, value in _flattened(scheme, options):
        option = known.get(_normal(spelled))
        if option is None:
            raise _unknown(scheme, spelled, known)
        converted = _convert(option, spelled, value)
        if converted is None:
            continue
        if option.name in given.values and given.values[option.name] != converted:
            raise BadOptionError(
                f"options {given.spelled[option.name]!r} and {spelled!r} are the same option and differ",
                remedy=f"Give {option.name!r} once",
            )
        given.values[option.name] = converted
        given.spelled.setdefault(option.name, spelled)
    return given


def _normal(spelled: str) -> str:
    return spelled.lower().replace("-", "_")


def _flattened(scheme: CloudScheme, options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in options.items():
        if scheme == "s3" and name in _NESTED and value is not None:
            inner = _mapping(name, value)
            if name == "config_kwargs":
                inner = {**inner, **_mapping("config_kwargs['s3']", inner.get("s3") or {})}
                inner.pop("s3", None)
            yield from inner.items()
        else:
            yield name, value


def _mapping(name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise BadOptionError(f"option {name!r} is a mapping, found {type(value).__name__}")
    return {str(key): item for key, item in cast("Mapping[Any, Any]", value).items()}


def _convert(option: Option, spelled: str, value: object) -> object:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if option.kind == "flag" or (option.kind == "switch" and isinstance(value, bool)):
        return parse_flag(spelled, value)
    if option.kind == "mapping":
        return _mapping(spelled, value)
    if option.kind == "any":
        return value.strip() if isinstance(value, str) else value
    return _text(option, spelled, value)


def _text(option: Option, spelled: str, value: object) -> str | Secret:
    if isinstance(value, Secret):
        return value if option.kind == "secret" else value.reveal()
    if isinstance(value, os.PathLike):
        value = os.fspath(cast("os.PathLike[str]", value))
    if not isinstance(value, str):
        raise BadOptionError(f"option {spelled!r} is text, found {type(value).__name__}")
    return Secret(value.strip()) if option.kind == "secret" else value.strip()


def _unknown(scheme: CloudScheme, spelled: str, known: Mapping[str, Option]) -> BadOptionError:
    near = difflib.get_close_matches(_normal(spelled), known, n=1, cutoff=0.7)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    names = ", ".join(sorted(option.name for option in OPTIONS[scheme]))
    return BadOptionError(
        f"unknown option {spelled!r} for {scheme}://{hint}", remedy=f"Use one of: {names} (or their usual spellings)"
    )
