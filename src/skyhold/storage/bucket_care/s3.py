"""Buckets of S3 and services like it."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

from skyhold.errors import AccessError, AlreadyExistsError, KeyNotFoundError, UnsupportedError
from skyhold.storage.bucket_care.care import OURS, BucketCare, LifecycleRule
from skyhold.storage.buckets import with_errors
from skyhold.storage.credentials import Connection
from skyhold.storage.libraries import s3_client
from skyhold.storage.location import Location

__all__ = ["S3Care"]

T = TypeVar("T")

_BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_PUBLIC_READ = "SkyholdPublicRead"
_NOT_MADE = frozenset({"NoSuchLifecycleConfiguration", "NoSuchBucketPolicy"})
_COPY_LIMIT_BYTES = 5 * 1024**3
_MINIMUM = "TransitionDefaultMinimumObjectSize"


class S3Care(BucketCare):
    """A bucket, by boto3.

    Args:
        location: Where it is.
        connection: Who asks.

    Raises:
        MissingExtraError: boto3 is not installed.
    """

    def __init__(self, location: Location, connection: Connection) -> None:
        super().__init__(location, connection.identity)
        self._client = s3_client(connection)
        self._region = str(connection.settings["region"])
        self._bucket = location.container

    def create(self, *, public: bool = False, encryption: str = "", kms_key_id: str = "") -> None:
        if self._exists():  # which not every region says when it is made again
            raise AlreadyExistsError(
                "the bucket exists", operation="make bucket", uri=self.location.container_uri, identity=self.identity
            )
        place: dict[str, Any] = {}
        if self._region != "us-east-1":  # which is said by saying nothing
            place = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        self._do("make bucket", lambda: self._client.create_bucket(Bucket=self._bucket, **place))
        if public:
            self.set_public(public=True)
        else:
            self._set_block(dict.fromkeys(_BLOCK, True))
        if encryption:
            self.set_encryption(encryption, kms_key_id=kms_key_id)

    def set_encryption(self, encryption: str, *, kms_key_id: str = "") -> None:
        way = {"SSEAlgorithm": encryption, **({"KMSMasterKeyID": kms_key_id} if kms_key_id else {})}
        # A key of the bucket's own saves nearly all requests to KMS.
        rule = {"ApplyServerSideEncryptionByDefault": way, "BucketKeyEnabled": encryption != "AES256"}
        self._do(
            "set encryption",
            lambda: self._client.put_bucket_encryption(
                Bucket=self._bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
            ),
        )

    def set_public(self, *, public: bool, prefix: str = "") -> None:
        before = self._statements()
        others = [each for each in before if each.get("Sid") != _PUBLIC_READ]
        # Opened in the order in which the service allows it, and closed in the order in which nothing stays open.
        if public:
            self._set_block(dict.fromkeys(_BLOCK, False) | {"BlockPublicAcls": True, "IgnorePublicAcls": True})
            self._do("set policy", lambda: self._set_policy([*others, self._public_read(prefix)]))
            return
        self._set_block(dict.fromkeys(_BLOCK, True))
        if others != before:
            self._do("set policy", lambda: self._set_policy(others))

    def lifecycle(self) -> tuple[Sequence[LifecycleRule], Sequence[str]]:
        found = self._rules().get("Rules", [])
        ours = [_read_rule(rule) for rule in found if _is_ours(rule)]
        return ours, [str(rule.get("ID", "")) for rule in found if not _is_ours(rule)]

    def set_lifecycle(self, rules: Iterable[LifecycleRule]) -> None:
        verb = "set lifecycle rules"
        before = self._rules()
        others = [rule for rule in before.get("Rules", []) if not _is_ours(rule)]
        wanted = [*others, *(_write_rule(rule) for rule in rules)]
        if not wanted:
            if before.get("Rules"):  # a server that knows no rules might take it for the deletion of the bucket
                self._do(verb, lambda: self._client.delete_bucket_lifecycle(Bucket=self._bucket))
            return
        kept = {_MINIMUM: before[_MINIMUM]} if before.get(_MINIMUM) else {}
        self._do(
            verb,
            lambda: self._client.put_bucket_lifecycle_configuration(
                Bucket=self._bucket, LifecycleConfiguration={"Rules": wanted}, **kept
            ),
        )

    def check_lifecycle(self, rules: Iterable[LifecycleRule]) -> None:
        del rules
        self._rules()  # says so where the server has none

    def set_class(self, keys: Iterable[str], storage_class: str) -> int:
        # In one request, after which the e-tag is what it was; in parts only where it must be.
        whole = import_module("boto3.s3.transfer").TransferConfig(multipart_threshold=_COPY_LIMIT_BYTES)
        wish = {"StorageClass": storage_class, "MetadataDirective": "COPY"}
        count = 0
        for key in keys:
            source = {"Bucket": self._bucket, "Key": key}
            with_errors(
                "set storage class",
                self.location,
                lambda key=key, source=source: self._client.copy(source, self._bucket, key, wish, Config=whole),
                identity=self.identity,
                key=key,
            )
            count += 1
        return count

    def _exists(self) -> bool:
        try:
            with_errors("make bucket", self.location, lambda: self._client.head_bucket(Bucket=self._bucket))
        except KeyNotFoundError:
            return False
        except AccessError:
            return True  # somebody else's
        return True

    def _do(self, verb: str, work: Callable[[], T]) -> T:
        try:
            return with_errors(verb, self.location, work, identity=self.identity)
        except AlreadyExistsError as error:
            if verb == "make bucket":
                raise
            # Some servers look at nothing but the bucket's name.
            raise self.unsupported(verb) from error

    def _ask(self, verb: str, name: str, work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return an answer, with something called ``name`` in it; an empty one where the thing was never made."""

        def asked() -> Mapping[str, Any] | None:
            try:
                return work()
            except Exception as error:
                code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
                if code in _NOT_MADE:
                    return None
                raise

        answer = self._do(verb, asked)
        if answer is not None and not _looks_right(answer.get(name)):
            raise self.unsupported(verb)  # some servers answer what they do not know with a listing
        return answer or {}

    def _rules(self) -> Mapping[str, Any]:
        return self._ask(
            "read lifecycle rules",
            "Rules",
            lambda: self._client.get_bucket_lifecycle_configuration(Bucket=self._bucket),
        )

    def _statements(self) -> list[dict[str, Any]]:
        found = self._ask("read policy", "Policy", lambda: self._client.get_bucket_policy(Bucket=self._bucket))
        statements: Any = json.loads(found["Policy"]).get("Statement", []) if found else []
        return [statements] if isinstance(statements, dict) else statements

    def _set_policy(self, statements: list[dict[str, Any]]) -> None:
        if statements:
            policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
            self._client.put_bucket_policy(Bucket=self._bucket, Policy=policy)
        else:
            self._client.delete_bucket_policy(Bucket=self._bucket)

    def _set_block(self, block: dict[str, bool]) -> None:
        # Services like S3 mostly have no such block: there, a bucket without a policy is closed.
        with suppress(UnsupportedError):
            self._do(
                "set public access",
                lambda: self._client.put_public_access_block(Bucket=self._bucket, PublicAccessBlockConfiguration=block),
            )

    def _public_read(self, prefix: str) -> dict[str, Any]:
        partition = "aws-cn" if self._region.startswith("cn-") else "aws"
        resource = f"arn:{partition}:s3:::{self._bucket}/{prefix}*"
        return {
            "Sid": _PUBLIC_READ,
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": resource,
        }


def _looks_right(found: object) -> bool:
    return isinstance(found, list) or (isinstance(found, str) and found.lstrip().startswith("{"))


def _is_ours(rule: Mapping[str, Any]) -> bool:
    return str(rule.get("ID", "")).startswith(OURS)


def _write_rule(rule: LifecycleRule) -> dict[str, Any]:
    moved = {"StorageClass": rule.storage_class}
    actions: dict[str, dict[str, Any]] = {
        "abort-uploads": {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": rule.days}},
        "move": {"Transitions": [{"Days": rule.days, **moved}]},
        "move-old-versions": {"NoncurrentVersionTransitions": [{"NoncurrentDays": rule.days, **moved}]},
        "delete-old-versions": {"NoncurrentVersionExpiration": {"NoncurrentDays": rule.days}},
    }
    return {"ID": rule.name, "Status": "Enabled", "Filter": {"Prefix": rule.prefix}, **actions[rule.action]}


def _read_rule(rule: Mapping[str, Any]) -> LifecycleRule:
    name, prefix = str(rule["ID"]), str(rule.get("Filter", {}).get("Prefix", ""))
    if found := rule.get("AbortIncompleteMultipartUpload"):
        return LifecycleRule(name, "abort-uploads", found["DaysAfterInitiation"], prefix)
    if found := rule.get("Transitions"):
        return LifecycleRule(name, "move", found[0]["Days"], prefix, found[0]["StorageClass"])
    if found := rule.get("NoncurrentVersionTransitions"):
        return LifecycleRule(name, "move-old-versions", found[0]["NoncurrentDays"], prefix, found[0]["StorageClass"])
    return LifecycleRule(name, "delete-old-versions", rule["NoncurrentVersionExpiration"]["NoncurrentDays"], prefix)
