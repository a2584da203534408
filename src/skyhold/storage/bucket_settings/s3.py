"""What S3 and services like it tell of a bucket."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from skyhold.storage.bucket_settings.asking import Refusal, Setting, Told, ask_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.credentials import Connection
from skyhold.storage.libraries import endpoint_of, s3_client

__all__ = ["s3_settings"]

_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class _Bucket:
    """Asks boto3's client about one bucket."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, what: str) -> dict[str, Any] | None:
        """Return a setting; None where the store says that it was never made."""
        exceptions: Any = import_module("botocore.exceptions")
        try:
            return getattr(self._client, f"get_{what}")(Bucket=self._name)
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code.endswith("NotFoundError") or (code.startswith("NoSuch") and code != "NoSuchBucket"):
                return None
            raise


def s3_settings(connection: Connection) -> Iterator[CheckLine]:
    """Yield a line for each setting.

    Raises:
        MissingExtraError: boto3 is not installed.
    """
    bucket = _Bucket(s3_client(connection), connection.container)
    endpoint = endpoint_of(connection)
    at = "" if ".amazonaws.com" in endpoint else f" --endpoint-url {endpoint}"
    return ask_settings(_SETTINGS, bucket, _refusal_of, bucket=connection.container, at=at)


def _versioning(bucket: _Bucket) -> Told:
    found = bucket.get("bucket_versioning") or {}
    if found.get("Status") == "Enabled":
        return Told(good=True, found=f"on, MFA delete {'on' if found.get('MFADelete') == 'Enabled' else 'off'}")
    return Told(good=False, found=str(found.get("Status", "off")).lower())


def _encryption(bucket: _Bucket) -> Told:
    found = bucket.get("bucket_encryption") or {}
    rules = found.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    ways = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    words = [" ".join(filter(None, (way.get("SSEAlgorithm"), way.get("KMSMasterKeyID")))) for way in ways]
    return Told(good=True, found=f"on: {', '.join(words)}") if any(words) else Told(good=False, found="off")


def _public_access(bucket: _Bucket) -> Told:
    found = (bucket.get("public_access_block") or {}).get("PublicAccessBlockConfiguration", {})
    off = [name for name in _ACCESS_BLOCKS if not found.get(name)]
    if not off:
        return Told(good=True, found="all of it")
    return Told(good=False, found="off" if len(off) == len(_ACCESS_BLOCKS) else f"off: {', '.join(off)}")


def _policy(bucket: _Bucket) -> Told:
    found = bucket.get("bucket_policy_status")
    if found is None:
        return Told(good=True, found="there is none")
    public = found.get("PolicyStatus", {}).get("IsPublic")
    if public is None:  # some servers answer what they do not know with a listing
        return Told(good=None, found="not told: the answer does not say")
    return Told(good=not public, found="the policy lets everybody in" if public else "it names who may come in")


def _log(bucket: _Bucket) -> Told:
    found = (bucket.get("bucket_logging") or {}).get("LoggingEnabled")
    return Told(good=True, found=f"to s3://{found['TargetBucket']}") if found else Told(good=False, found="off")


_RUN = "Run: aws s3api{at}"
_SETTINGS = (
    Setting(
        "versioning",
        _versioning,
        _RUN + " put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled",
        "s3:GetBucketVersioning",
    ),
    Setting(
        "encryption at rest",
        _encryption,
        _RUN + " put-bucket-encryption --bucket {bucket} --server-side-encryption-configuration"
        """ '{{"Rules":[{{"ApplyServerSideEncryptionByDefault":{{"SSEAlgorithm":"AES256"}}}}]}}'""",
        "s3:GetEncryptionConfiguration",
    ),
    Setting(
        "public access is blocked",
        _public_access,
        _RUN + " put-public-access-block --bucket {bucket} --public-access-block-configuration "
        + ",".join(f"{name}=true" for name in _ACCESS_BLOCKS),
        "s3:GetBucketPublicAccessBlock",
    ),
    Setting(
        "bucket policy is not public",
        _policy,
        _RUN + " get-bucket-policy --bucket {bucket}, and name who may come in as Principal",
        "s3:GetBucketPolicyStatus",
    ),
    Setting(
        "access log",
        _log,
        _RUN + " put-bucket-logging --bucket {bucket} --bucket-logging-status"
        """ '{{"LoggingEnabled":{{"TargetBucket":"LOG-BUCKET","TargetPrefix":"{bucket}/"}}}}'""",
        "s3:GetBucketLogging",
    ),
)  # fmt: skip


def _refusal_of(error: Exception) -> Refusal | None:
    exceptions: Any = import_module("botocore.exceptions")
    if isinstance(error, exceptions.ClientError):
        response: Any = getattr(error, "response", {})
        status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        return Refusal(status, str(response.get("Error", {}).get("Code", "")) or str(status))
    return Refusal(0, str(error)) if isinstance(error, exceptions.BotoCoreError) else None
