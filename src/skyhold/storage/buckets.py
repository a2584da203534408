"""Buckets themselves: making them, their settings, uploads that a kill left behind."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from skyhold.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BadCredentialsError,
    BucketNotFoundError,
    MissingExtraError,
    StorageError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.storage.checkup import CheckLine
from skyhold.storage.credentials import Connection, resolve_connection
from skyhold.storage.location import Location, parse_location

__all__ = ["LeftUpload", "abort_uploads", "bucket_settings", "list_left_uploads", "make_bucket"]


@dataclass(frozen=True, slots=True)
class LeftUpload:
    """A multipart upload that was begun and never ended; its parts are charged for until it is aborted."""

    key: str
    upload_id: str
    started: datetime


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
        connection = resolve_connection(location, options)
        region = str(connection.settings["region"])
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        with_errors("make bucket", location, lambda: _s3(connection).create_bucket(Bucket=location.container, **place))
    elif location.scheme == "az":
        connection = resolve_connection(location, options)
        with_errors("make container", location, lambda: _azure(connection).create_container(location.container))
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


def list_left_uploads(uri: str, *, older_than: timedelta = timedelta(0), **options: Any) -> list[LeftUpload]:
    """Return the multipart uploads that were begun under a URI and never ended.

    Args:
        uri: A bucket, or a prefix in one.
        older_than: Leave out younger ones: they may be under way.
        **options: As for `skyhold.storage.opening.open_store`.
    """
    location = _only_s3(uri, "list uploads")
    client = _s3(resolve_connection(location, options))
    pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=location.container, Prefix=location.key)
    found = with_errors("list uploads", location, lambda: list(pages))
    uploads = [
        LeftUpload(each["Key"], each["UploadId"], each["Initiated"])
        for page in found
        for each in page.get("Uploads", [])
    ]
    return [upload for upload in uploads if upload.started <= datetime.now(UTC) - older_than]


def abort_uploads(uri: str, uploads: list[LeftUpload], **options: Any) -> None:
    """Abort uploads that `list_left_uploads` found; their parts are freed."""
    location = _only_s3(uri, "abort uploads")
    client = _s3(resolve_connection(location, options))
    for upload in uploads:
        with_errors(
            "abort upload",
            location,
            lambda upload=upload: client.abort_multipart_upload(
                Bucket=location.container, Key=upload.key, UploadId=upload.upload_id
            ),
        )


def bucket_settings(uri: str, **options: Any) -> Iterator[CheckLine]:
    """Yield what the bucket's settings say of safety: versioning, encryption, public access, access log.

    Raises:
        MissingExtraError: boto3 is not installed.
        UnsupportedError: The store has no such settings.
    """
    location = _only_s3(uri, "read settings")
    client = _s3(resolve_connection(location, options))
    bucket = location.container
    yield _setting(
        "versioning",
        lambda: client.get_bucket_versioning(Bucket=bucket).get("Status") == "Enabled",
        f"Run: aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled",
    )
    yield _setting(
        "encryption at rest",
        lambda: bool(client.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"].get("Rules")),
        f"Run: aws s3api put-bucket-encryption --bucket {bucket} (SSE-S3 or SSE-KMS)",
    )
    yield _setting(
        "public access is blocked",
        lambda: all(client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values()),
        f"Run: aws s3api put-public-access-block --bucket {bucket}",
    )
    yield _setting(
        "access log",
        lambda: "LoggingEnabled" in client.get_bucket_logging(Bucket=bucket),
        f"Run: aws s3api put-bucket-logging --bucket {bucket}",
    )


def _setting(name: str, ask: Callable[[], bool], remedy: str) -> CheckLine:
    exceptions: Any = import_module("botocore.exceptions")
    try:
        return CheckLine(name, "ok", "on") if ask() else CheckLine(name, "warning", "off", remedy)
    except exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if "NotFound" in code or "NoSuch" in code:
            return CheckLine(name, "warning", "off", remedy)
        return CheckLine(name, "unknown", f"the store does not tell ({code})")
    except exceptions.BotoCoreError as error:
        return CheckLine(name, "unknown", f"the store does not tell ({error})")


def _only_s3(uri: str, verb: str) -> Location:
    location = parse_location(uri)
    if location.scheme != "s3":
        raise UnsupportedError(f"{location.scheme}:// has no such thing", operation=verb, uri=location.container_uri)
    return location


def _s3(connection: Connection) -> Any:
    try:
        boto3, botocore, config = (import_module(name) for name in ("boto3", "botocore", "botocore.config"))
    except ImportError as error:
        raise MissingExtraError.of("aws", "managing buckets on S3") from error
    keys: Mapping[str, Any] = connection.provider() if connection.provider else {}
    hosted = connection.settings.get("virtual_hosted_style_request")
    addressing = {"addressing_style": "virtual" if hosted else "path"}
    endpoint = str(connection.settings.get("endpoint") or "").replace(f"://{connection.container}.", "://", 1)
    unsigned = {"signature_version": botocore.UNSIGNED} if connection.identity == "anonymous" else {}
    return boto3.client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=connection.settings.get("region"),
        aws_access_key_id=keys.get("access_key_id"),
        aws_secret_access_key=keys.get("secret_access_key"),
        aws_session_token=keys.get("token"),
        config=config.Config(s3=addressing, connect_timeout=3, retries={"max_attempts": 2}, **unsigned),
    )


def _azure(connection: Connection) -> Any:
    try:
        blob = import_module("azure.storage.blob")
    except ImportError as error:
        raise MissingExtraError.of("azure", "managing containers on Azure") from error
    given: Mapping[str, Any] = connection.provider() if connection.provider else {}
    credential = given.get("access_key") or given.get("sas_token")
    account = connection.settings["account_name"]
    endpoint = connection.settings.get("endpoint") or f"https://{account}.blob.core.windows.net"
    if given.get("access_key"):
        credential = {"account_name": account, "account_key": credential}
    return blob.BlobServiceClient(endpoint, credential=credential)


_CODES: dict[str, type[StorageError]] = {
    "BucketAlreadyExists": AlreadyExistsError,
    "BucketAlreadyOwnedByYou": AlreadyExistsError,
    "ContainerAlreadyExists": AlreadyExistsError,
    "NoSuchBucket": BucketNotFoundError,
    "AccessDenied": AccessDeniedError,
    "InvalidAccessKeyId": BadCredentialsError,
    "SignatureDoesNotMatch": BadCredentialsError,
    "AuthenticationFailed": BadCredentialsError,
}


def with_errors(verb: str, location: Location, work: Callable[[], Any]) -> Any:
    """Do what a provider's library does, and raise our errors for its own."""
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
        raise kind(first_line, operation=verb, uri=location.container_uri) from error
