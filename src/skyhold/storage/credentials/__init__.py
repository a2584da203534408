"""Exactly one identity for each store, chosen by rule, never merged from two sources, and named in every error.

The order: options, a JSON credentials file (an option too), environment variables, files of the cloud's own tools
(``~/.aws``, gcloud), services of the machine (web identity, container, instance). Two ways by options are an error,
and so is half of one: nothing falls through to another identity.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from skyhold.config import Secret
from skyhold.config import environment as process_environment
from skyhold.errors import ConfigError
from skyhold.storage.credentials.connection import Connection, Recipe, reveal_settings
from skyhold.storage.credentials.draft import Draft
from skyhold.storage.credentials.options import CloudScheme, Given, parse_options
from skyhold.storage.location import Location

__all__ = ["Connection", "holds_secret", "resolve_connection", "reveal_settings"]

_DraftOf = Callable[[Location, Given, Mapping[str, str]], Draft]

_DRAFTS = {
    "s3": ("aws_settings", "draft_s3"),
    "az": ("azure_settings", "draft_azure"),
    "gs": ("google_settings", "draft_google"),
    "http": ("web", "draft_web"),
}
"""Module and function for each scheme; only those of the scheme that is asked for are loaded."""


def resolve_connection(
    location: Location, options: Mapping[str, Any], environment: Mapping[str, str] | None = None
) -> Connection:
    """Return how to connect to a bucket, container or server, and as whom.

    Nothing is asked over the network: sources that must be asked are asked at the first request.

    Args:
        location: The store; its key is not looked at.
        options: In any spelling of `skyhold.storage.credentials.option_names`.
        environment: Instead of the process's; such a connection is not pickled, since no other process has it.

    Raises:
        BadOptionError: An option is unknown, has a wrong value, or was given twice.
        CredentialsError: No identity, half of one, or two.
        MissingExtraError: The identity needs a package that is not installed.

    Example:
        >>> from skyhold.storage.location import parse_location
        >>> connection = resolve_connection(parse_location("s3://public"), {"anon": True, "region": "eu-west-1"}, {})
        >>> connection
        Connection(scheme='s3', container='public', identity='anonymous', expires_at=None)
        >>> connection.settings["endpoint"]
        'https://public.s3.eu-west-1.amazonaws.com'
    """
    if location.scheme not in _DRAFTS:
        raise ConfigError(f"{location.container_uri!r} needs no credentials")
    module, function = _DRAFTS[location.scheme]
    draft_of: _DraftOf = getattr(import_module(f"{__name__}.{module}"), function)
    scheme = cast("CloudScheme", location.scheme)
    given = parse_options(scheme, options)
    draft = draft_of(location, given, process_environment() if environment is None else environment)
    label, provider = draft.identity.label, draft.identity.provider
    recipe = None
    if environment is None and not _holds_secret(given):
        recipe = Recipe(resolve_connection, location, tuple(options.items()), label)
    if provider is not None:
        provider.recipe = recipe
    return Connection(
        scheme=scheme,
        container=location.container,
        identity=label,
        settings=draft.settings,
        provider=provider,
        client=draft.client,
        expires_at=draft.identity.expires_at,
        recipe=recipe,
        can_sign=draft.identity.can_sign,
    )


def holds_secret(scheme: CloudScheme, options: Mapping[str, Any]) -> bool:
    """Return whether a secret may stand in options themselves, and not by reference; errors as `parse_options`."""
    return _holds_secret(parse_options(scheme, options))


def _holds_secret(given: Given) -> bool:
    return any(_may_be_secret(name, value) for name, value in given.values.items())


def _may_be_secret(name: str, value: object) -> bool:
    if isinstance(value, Secret):
        return value.origin is None
    if name == "headers":
        return True
    if name == "client_options":
        return bool(set(cast("dict[str, Any]", value)) & {"default_headers", "proxy_url"})
    if name in {"token", "credential"}:
        return not (isinstance(value, str) and (value in _WORDS or value.endswith(".json")))
    return name == "proxy_url" and "@" in str(value)


_WORDS = frozenset(
    {"anon", "google_default", "cloud", "default", "metadata", "managed_identity", "managed", "cli", "azure_cli"}
)
