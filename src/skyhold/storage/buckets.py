"""Buckets themselves: making them, and versions in them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skyhold.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BadCredentialsError,
    BucketNotFoundError,
    KeyNotFoundError,
    StorageError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.storage.libraries import azure_client, connect, s3_client
from skyhold.storage.location import Location, parse_location

__all__ = ["delete_versions", "make_bucket", "with_errors"]


def make_bucket(uri: str, **options: Any) -> None:
    """Make a bucket, a container or a folder.

    Raises:
        AlreadyExistsError: It exists.
        MissingExtraError: The provider's own library is not installed.
    """
    location = parse_location(uri)
    if location.scheme in {"file", "mock"}:
        _make_folder(location)
    elif location.scheme == "s3":
        connection = connect(location, options)
        region = str(connection.settings["region"])
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with_errors(
            "make bucket", location, lambda: s3_client(connection).create_bucket(Bucket=location.container, **place)
        )
    elif location.scheme == "az":
        connection = connect(location, options)
        with_errors("make container", location, lambda: azure_client(connection).create_container(location.container))
    elif location.scheme != "memory":
        raise UnsupportedError(
            "buckets of this service are not made here",
            operation="make bucket",
            uri=location.container_uri,
            remedy="Make it in the provider's console",
        )


def _make_folder(location: Location) -> None:
    try:
        Path(location.container).mkdir(parents=True)
    except FileExistsError as error:
        raise AlreadyExistsError("the folder exists", operation="make bucket", uri=location.container) from error
    except OSError as error:
        raise StorageError(str(error), operation="make bucket", uri=location.container) from error


def delete_versions(uri: str, **options: Any) -> int:
    """Delete every version of one object for good, in a bucket that keeps versions; return how many there were.

    Args:
        uri: The object.
        **options: As for `skyhold.storage.opening.open_store`.

    Raises:
        MissingExtraError: boto3 is not installed.
        UnsupportedError: The store is not S3.
        BadUriError: The URI names no object.
    """
    location, key = _only_s3(uri, "delete versions").split_object()
    client = s3_client(connect(location, options))
    pages = client.get_paginator("list_object_versions").paginate(Bucket=location.container, Prefix=key)
    found = with_errors("list versions", location, lambda: list(pages))
    listed = [each for page in found for kind in ("Versions", "DeleteMarkers") for each in page.get(kind, [])]
    versions = [each["VersionId"] for each in listed if each["Key"] == key]  # a prefix is the start of others too
    for version in versions:
        with_errors(
            "delete version",
            location,
            lambda version=version: client.delete_object(Bucket=location.container, Key=key, VersionId=version),
        )
    return len(versions)


def _only_s3(uri: str, verb: str) -> Location:
    location = parse_location(uri)
    if location.scheme != "s3":
        raise UnsupportedError(f"{location.scheme}:// has no such thing", operation=verb, uri=location.container_uri)
    return location


_CODES: dict[str, type[StorageError]] = {
    "BucketAlreadyExists": AlreadyExistsError,
    "BucketAlreadyOwnedByYou": AlreadyExistsError,
    "ContainerAlreadyExists": AlreadyExistsError,
    "NoSuchBucket": BucketNotFoundError,
    "ContainerNotFound": BucketNotFoundError,
    "NoSuchKey": KeyNotFoundError,
    "404": KeyNotFoundError,  # an answer without a body, to a question about an object
    "BlobNotFound": KeyNotFoundError,
    "AccessDenied": AccessDeniedError,
    "AuthorizationFailure": AccessDeniedError,
    "AuthorizationPermissionMismatch": AccessDeniedError,
    "PublicAccessNotPermitted": AccessDeniedError,
    "NotImplemented": UnsupportedError,
    "MethodNotAllowed": UnsupportedError,
    "InvalidAccessKeyId": BadCredentialsError,
    "SignatureDoesNotMatch": BadCredentialsError,
    "AuthenticationFailed": BadCredentialsError,
}


def with_errors(verb: str, location: Location, work: Callable[[], Any], *, identity: str = "", key: str = "") -> Any:
    """Do what a provider's library does, and raise our errors for its own.

    Args:
        verb: What is done, for the error.
        location: The bucket.
        work: Does it.
        identity: Who asks, for the error.
        key: The object, where it is about one.
    """
    try:
        return work()
    except Exception as error:
        code = str(getattr(error, "error_code", "") or getattr(error, "response", {}).get("Error", {}).get("Code", ""))
        module = type(error).__module__.partition(".")[0]
        if module not in {"botocore", "azure"}:
            raise
        unreachable = "Connection" in type(error).__name__ or "Timeout" in type(error).__name__
        kind = UnreachableError if unreachable else _CODES.get(code, StorageError)
        first_line = str(error).partition("\n")[0]
        uri = f"{location.container_uri}/{key}" if key else location.container_uri
        raise kind(first_line, operation=verb, uri=uri, identity=identity) from error
