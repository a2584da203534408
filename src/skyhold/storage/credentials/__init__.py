"""Exactly one identity for each store, chosen by rule, never merged from two sources, and named in every error.

The order: options, a JSON credentials file (an option too), environment variables, files of the cloud's own tools
(``~/.aws``, gcloud), services of the machine (web identity, container, instance). Two ways by options are an error,
and so is half of one: nothing falls through to another identity.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from skyhold import config
from skyhold.config import Secret, is_secret_name
from skyhold.errors import ConfigError
from skyhold.storage.credentials.aws_settings import draft_s3
from skyhold.storage.credentials.azure_settings import draft_azure
from skyhold.storage.credentials.connection import Connection, Recipe, reveal_settings
from skyhold.storage.credentials.draft import Draft
from skyhold.storage.credentials.options import CloudScheme, Given, parse_options
from skyhold.storage.location import Location

__all__ = ["Connection", "resolve_connection", "reveal_settings"]

_DRAFTS: dict[str, Callable[[Location, Given, Mapping[str, str]], Draft]] = {"s3": draft_s3, "az": draft_azure}


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
    draft_of = _DRAFTS.get(location.scheme)
    if draft_of is None:
        raise ConfigError(f"{location.container_uri!r} needs no credentials")
    scheme = cast("CloudScheme", location.scheme)
    given = parse_options(scheme, options)
    draft = draft_of(location, given, config.environment() if environment is None else environment)
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
    )


def _holds_secret(given: Given) -> bool:
    """Return whether a secret stands in the options itself, and not by reference."""
    for name, value in given.values.items():
        if isinstance(value, Secret) and value.origin is None:
            return True
        if name in {"credential", "headers", "client_options", "proxy_url", "token"} and _may_hold_secret(value):
            return True
    return False


def _may_hold_secret(value: object) -> bool:
    if isinstance(value, Mapping):
        names = {str(name).lower() for name in cast("Mapping[Any, Any]", value)}
        return bool(names & {"default_headers", "authorization", "cookie", "proxy_url"}) or any(
            map(is_secret_name, names)
        )
    return not isinstance(value, str) or "@" in value
