"""Uploads in parts that a kill left behind: nobody sees the parts, and the service charges for them."""

import urllib.error
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from typing import Any, Literal
from urllib.parse import quote, urlencode
from xml.etree import ElementTree as ET

from skyhold.errors import (
    AccessDeniedError,
    BadCredentialsError,
    BucketNotFoundError,
    StorageError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.storage.buckets import with_errors
from skyhold.storage.credentials import Connection
from skyhold.storage.google_api import GoogleApi
from skyhold.storage.libraries import azure_client, connect, s3_client
from skyhold.storage.location import Location, parse_location

__all__ = ["LeftUpload", "abort_uploads", "ending_by_itself", "knows_uploads", "list_left_uploads"]

_BY_ITSELF = {"az": "Azure drops such parts by itself, a week after the last of them came"}
_STATUS: dict[int, type[StorageError]] = {401: BadCredentialsError, 403: AccessDeniedError, 404: BucketNotFoundError}


@dataclass(frozen=True, slots=True)
class LeftUpload:
    """An upload in parts that was begun and never ended.

    Attributes:
        key: What it was to become.
        upload_id: The service's name for it; empty on Azure, which has none.
        started: When it was begun, on Azure when a part came last; None where the service does not tell.
    """

    key: str
    upload_id: str
    started: datetime | None


def list_left_uploads(uri: str, *, older_than: timedelta = timedelta(0), **options: Any) -> list[LeftUpload]:
    """Return the uploads in parts that were begun under a URI and never ended.

    On Azure, those onto objects that exist are not among them.

    Args:
        uri: A bucket, or a prefix in one.
        older_than: Leave out younger ones: they may be under way.
        **options: As for `skyhold.storage.opening.open_store`.

    Raises:
        UnsupportedError: The store knows no such uploads.
        MissingExtraError: The provider's own library is needed, and not installed.
    """
    location, connection = _connected(uri, options, "list uploads")
    found = _LISTED[location.scheme](location, connection)
    latest = datetime.now(UTC) - older_than
    return [upload for upload in found if upload.started is None or upload.started <= latest]


def knows_uploads(uri: str) -> bool:
    """Return whether there are uploads in parts where a URI points to.

    Example:
        >>> knows_uploads("s3://bucket"), knows_uploads("results/")
        (True, False)
    """
    return parse_location(uri).scheme in _LISTED


def ending_by_itself(uri: str) -> str:
    """Return how the store ends such uploads, in words, where it lets nobody else do it.

    Example:
        >>> ending_by_itself("s3://bucket")
        ''
        >>> ending_by_itself("az://container")
        'Azure drops such parts by itself, a week after the last of them came'
    """
    return _BY_ITSELF.get(parse_location(uri).scheme, "")


def abort_uploads(uri: str, uploads: list[LeftUpload], **options: Any) -> None:
    """Abort uploads that `list_left_uploads` found; their parts are freed.

    Raises:
        UnsupportedError: The store knows no such uploads, or ends them by itself.
    """
    location, connection = _connected(uri, options, "abort uploads")
    if location.scheme == "gs":
        api = GoogleApi(connection, may="read_write")
        for upload in uploads:
            path = f"{quote(location.container)}/{quote(upload.key)}?{urlencode({'uploadId': upload.upload_id})}"
            _send(api, path, "DELETE", location)
        return
    if location.scheme != "s3":
        raise UnsupportedError(
            ending_by_itself(uri),
            operation="abort uploads",
            uri=location.container_uri,
            remedy="Wait, or write the object again: that drops them too",
        )
    client = s3_client(connection)
    for upload in uploads:
        with_errors(
            "abort upload",
            location,
            lambda upload=upload: client.abort_multipart_upload(
                Bucket=location.container, Key=upload.key, UploadId=upload.upload_id
            ),
        )


def _connected(uri: str, options: dict[str, Any], verb: str) -> tuple[Location, Connection]:
    location = parse_location(uri)
    if location.scheme not in _LISTED:
        raise UnsupportedError(f"{location.scheme}:// has no such thing", operation=verb, uri=location.container_uri)
    return location, connect(location, options)


def _of_s3(location: Location, connection: Connection) -> list[LeftUpload]:
    pages = s3_client(connection).get_paginator("list_multipart_uploads")
    found = with_errors(
        "list uploads", location, lambda: list(pages.paginate(Bucket=location.container, Prefix=location.key))
    )
    return [
        LeftUpload(each["Key"], each["UploadId"], each["Initiated"])
        for page in found
        for each in page.get("Uploads", [])
    ]


def _of_azure(location: Location, connection: Connection) -> list[LeftUpload]:
    container = azure_client(connection).get_container_client(location.container)

    def listed(*include: str) -> dict[str, datetime | None]:
        blobs = container.list_blobs(location.key or None, include=list(include))
        return {blob.name: blob.last_modified for blob in blobs}

    found = with_errors("list uploads", location, lambda: listed("uncommittedblobs"))
    whole = with_errors("list uploads", location, listed)  # later: one may have been completed meanwhile
    return [LeftUpload(name, "", started) for name, started in found.items() if name not in whole]


def _of_google(location: Location, connection: Connection) -> Iterator[LeftUpload]:
    api = GoogleApi(connection, may="read_write")
    markers: dict[str, str] = {}
    while True:
        query = urlencode({"prefix": location.key, **markers})
        root = ET.fromstring(_send(api, f"{quote(location.container)}?uploads&{query}", "GET", location))  # noqa: S314 - the service's own answer
        for each in root.iterfind("{*}Upload"):
            key, upload_id, started = (each.findtext(f"{{*}}{name}", "") for name in ("Key", "UploadId", "Initiated"))
            yield LeftUpload(key, upload_id, datetime.fromisoformat(started))
        if root.findtext("{*}IsTruncated") != "true":
            return
        markers = {
            "key-marker": root.findtext("{*}NextKeyMarker", ""),
            "upload-id-marker": root.findtext("{*}NextUploadIdMarker", ""),
        }


def _send(api: GoogleApi, path: str, method: Literal["GET", "DELETE"], location: Location) -> bytes:
    try:
        return api.send(path, method)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(4096).decode("utf-8", "replace")
        if "NoSuchUpload" in said:
            return b""  # it was completed or aborted meanwhile
        kind = _STATUS.get(error.code, StorageError)
        raise kind(f"the service answered {error.code}", operation="uploads", uri=location.container_uri) from error
    except (OSError, HTTPException) as error:
        raise UnreachableError(
            str(getattr(error, "reason", error)), operation="uploads", uri=location.container_uri
        ) from error


_LISTED: dict[str, Callable[[Location, Connection], Iterable[LeftUpload]]] = {
    "s3": _of_s3,
    "az": _of_azure,
    "gs": _of_google,
}
