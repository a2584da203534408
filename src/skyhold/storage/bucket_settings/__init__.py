"""What a store tells of a bucket's safety: versioning, encryption, public access, logs. One file a provider."""

from collections.abc import Callable, Iterator
from typing import Any

from skyhold.errors import UnsupportedError
from skyhold.storage.bucket_settings.azure import azure_settings
from skyhold.storage.bucket_settings.google import google_settings
from skyhold.storage.bucket_settings.s3 import s3_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.credentials import Connection
from skyhold.storage.libraries import connect
from skyhold.storage.location import parse_location

__all__ = ["bucket_settings", "has_settings"]

_PROVIDERS: dict[str, Callable[[Connection], Iterator[CheckLine]]] = {
    "s3": s3_settings,
    "az": azure_settings,
    "gs": google_settings,
}


def has_settings(uri: str) -> bool:
    """Return whether what lies there is a bucket with settings.

    Example:
        >>> has_settings("az://models/x.stl"), has_settings("./folder")
        (True, False)
    """
    return parse_location(uri).scheme in _PROVIDERS


def bucket_settings(uri: str, **options: Any) -> Iterator[CheckLine]:
    """Yield what the bucket's settings say of safety, a line each; what is not told is said on its line.

    Args:
        uri: The bucket, or anything in it.
        **options: As for `skyhold.storage.opening.open_store`.

    Raises:
        MissingExtraError: The provider's own library is not installed.
        CredentialsError: There is no identity, or it gives no credentials.
        UnsupportedError: The store has no such settings.
    """
    location = parse_location(uri)
    ask = _PROVIDERS.get(location.scheme)
    if ask is None:
        raise UnsupportedError(
            f"{location.scheme}:// has no such thing", operation="read settings", uri=location.container_uri
        )
    return ask(connect(location, options))
