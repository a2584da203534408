"""The checkup of what a URI names, with everything that can be asked there; and who asks, from where."""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from skyhold.storage.bucket_settings import bucket_settings, has_settings
from skyhold.storage.buckets import delete_versions
from skyhold.storage.checkup import CheckLine, check_store
from skyhold.storage.contract import Store
from skyhold.storage.libraries import connect, endpoint_of
from skyhold.storage.location import parse_location
from skyhold.storage.opening import open_store

__all__ = ["Diagnosis", "open_diagnosis"]

_SMALLEST_PART = 5 * 1024 * 1024  # that S3 takes


@dataclass(frozen=True)
class Diagnosis:
    """A store that is about to be tried.

    Attributes:
        uri: Its own.
        identity: Where its credentials came from; empty where there are none.
        endpoint: Where requests go; empty for folders and memory.
        expires_at: When the credentials end, where that is known beforehand.
    """

    uri: str
    identity: str
    endpoint: str
    expires_at: datetime | None
    _store: Store
    _options: dict[str, Any]

    def lines(self) -> Generator[CheckLine]:
        """Try everything, and yield a line as soon as it is known; see `check_store`."""
        settings = partial(bucket_settings, self.uri, **self._options) if has_settings(self.uri) else None
        is_s3 = parse_location(self.uri).scheme == "s3"
        purge = partial(_delete_versions, self._options) if is_s3 else None
        part_bytes = int(self._options.get("part_bytes", _SMALLEST_PART))
        return check_store(self._store, settings, part_bytes=part_bytes, purge=purge)


def open_diagnosis(uri: str, **options: Any) -> Diagnosis:
    """Open what a URI names, to be tried.

    Args:
        uri: A bucket, or a prefix in it; a folder.
        **options: As for `skyhold.storage.opening.open_store`.

    Raises:
        SkyholdError: As `skyhold.storage.opening.open_store`.

    Example:
        >>> diagnosis = open_diagnosis("memory://diagnosis-example")
        >>> diagnosis.uri, diagnosis.identity, diagnosis.endpoint
        ('memory://diagnosis-example', '', '')
        >>> {line.state for line in diagnosis.lines()} <= {"ok", "warning"}
        True
    """
    endpoint, expires_at = "", None
    if has_settings(uri):
        connection = connect(parse_location(uri), options)
        endpoint, expires_at = endpoint_of(connection), connection.expires_at
        options = {"part_bytes": _SMALLEST_PART, **options}
    store = open_store(uri, **options)
    return Diagnosis(store.uri, store.identity, endpoint, expires_at, store, options)


def _delete_versions(options: dict[str, Any], uri: str) -> int:
    return delete_versions(uri, **options)
