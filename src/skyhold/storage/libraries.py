"""Clients of the providers' own libraries, for what is about a bucket and not about its objects."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

from skyhold.errors import BadOptionError, MissingExtraError
from skyhold.storage.credentials import Connection, resolve_connection
from skyhold.storage.credentials.providers import Provider
from skyhold.storage.location import Location
from skyhold.storage.opening import COMMON_OPTIONS

__all__ = ["azure_client", "connect", "endpoint_of", "s3_client"]

_CONNECT_S = 3
_READ_S = 20


def connect(location: Location, options: Mapping[str, Any]) -> Connection:
    """Return the connection that `open_store` would use with these options.

    Raises:
        CredentialsError: No identity, half of one, or two.
    """
    return resolve_connection(location, {name: options[name] for name in options if name not in COMMON_OPTIONS})


def endpoint_of(connection: Connection) -> str:
    """Return where requests go.

    Example:
        >>> from skyhold.storage.location import parse_location
        >>> endpoint_of(connect(parse_location("gs://public"), {"anonymous": True}))
        'https://storage.googleapis.com'
    """
    settings = connection.settings
    return str(settings.get("endpoint") or settings.get("base_url") or "")


def s3_client(connection: Connection) -> Any:
    """Return boto3's client.

    Raises:
        MissingExtraError: boto3 is not installed.
    """
    try:
        boto3, botocore, config = (import_module(name) for name in ("boto3", "botocore", "botocore.config"))
    except ImportError as error:
        raise MissingExtraError.of("aws", "managing buckets on S3") from error
    keys: Mapping[str, Any] = connection.provider() if connection.provider else {}
    hosted = connection.settings.get("virtual_hosted_style_request")
    addressing = {"addressing_style": "virtual" if hosted else "path"}
    endpoint = endpoint_of(connection).replace(f"://{connection.container}.", "://", 1)
    unsigned = {"signature_version": botocore.UNSIGNED} if connection.identity == "anonymous" else {}
    patience = {"connect_timeout": _CONNECT_S, "read_timeout": _READ_S, "retries": {"max_attempts": 2}}
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=connection.settings.get("region"),
        aws_access_key_id=keys.get("access_key_id"),
        aws_secret_access_key=keys.get("secret_access_key"),
        aws_session_token=keys.get("token"),
        config=config.Config(s3=addressing, **patience, **unsigned),
    )


def azure_client(connection: Connection) -> Any:
    """Return the client of azure-storage-blob.

    Raises:
        MissingExtraError: It is not installed.
        BadOptionError: The identity is a token, and the endpoint has no TLS.
    """
    try:
        blob = import_module("azure.storage.blob")
    except ImportError as error:
        raise MissingExtraError.of("azure", "managing containers on Azure") from error
    given: Mapping[str, Any] = connection.provider() if connection.provider else {}
    credential: Any = given.get("sas_token")
    if given.get("access_key"):
        credential = {"account_name": connection.settings["account_name"], "account_key": given["access_key"]}
    elif given.get("token") and connection.provider:
        if not endpoint_of(connection).startswith("https://"):
            raise BadOptionError("a token is sent over https:// only", remedy="Give an https:// endpoint, or a key")
        credential = _Bearer(connection.provider)
    return blob.BlobServiceClient(
        endpoint_of(connection),
        credential=credential,
        connection_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retry_total=2,
    )


class _Bearer:
    """Our provider in the form of the library's token credentials."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    def get_token(self, *_scopes: str, **_options: Any) -> Any:
        """Return a token that is valid now."""
        given = self._provider()
        expires_at = given.get("expires_at") or datetime.now(UTC) + timedelta(minutes=5)
        return import_module("azure.core.credentials").AccessToken(given["token"], int(expires_at.timestamp()))
