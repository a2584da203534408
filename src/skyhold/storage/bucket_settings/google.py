"""What Google Cloud Storage tells of a bucket, by its JSON API."""

import json
import urllib.error
from collections.abc import Iterator
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.parse import quote

from skyhold.storage.bucket_settings.asking import Refusal, Setting, Told, ask_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.credentials import Connection
from skyhold.storage.google_api import GoogleApi

__all__ = ["google_settings"]

_FIELDS = "versioning,iamConfiguration,encryption,logging"
_PERMISSION = "storage.buckets.get"


class _Bucket:
    """Asks once, when the first setting is wanted."""

    def __init__(self, connection: Connection) -> None:
        self._api = GoogleApi(connection, may="read_only")
        self._path = f"storage/v1/b/{quote(connection.container, safe='')}?fields={_FIELDS}"

    @cached_property
    def answer(self) -> dict[str, Any] | Refusal:
        try:
            return json.loads(self._api.send(self._path))
        except urllib.error.HTTPError as error:
            with error:
                return Refusal(error.code, str(error.code))
        except (OSError, HTTPException, ValueError) as error:
            return Refusal(0, str(getattr(error, "reason", error)) or type(error).__name__)

    def get(self, part: str) -> dict[str, Any]:
        """Return a part of the bucket's settings; empty where it was never made."""
        if isinstance(self.answer, Refusal):
            raise _RefusedError(self.answer)
        return self.answer.get(part) or {}


class _RefusedError(Exception):
    """The service did not tell."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def google_settings(connection: Connection) -> Iterator[CheckLine]:
    """Yield a line for each setting.

    Raises:
        MissingExtraError: The identity is a service account's key, and google-auth is not installed.
        CredentialsError: The identity gives no token.
    """
    return ask_settings(_SETTINGS, _Bucket(connection), _refusal_of, bucket=f"gs://{connection.container}")


def _versioning(bucket: _Bucket) -> Told:
    on = bool(bucket.get("versioning").get("enabled"))
    return Told(good=on, found="on" if on else "off")


def _uniform_access(bucket: _Bucket) -> Told:
    on = bool(bucket.get("iamConfiguration").get("uniformBucketLevelAccess", {}).get("enabled"))
    return Told(good=on, found="on" if on else "off: single objects may be opened to others")


def _public_access(bucket: _Bucket) -> Told:
    found = str(bucket.get("iamConfiguration").get("publicAccessPrevention", "inherited"))
    if found == "enforced":
        return Told(good=True, found="enforced")
    return Told(good=False, found=f"{found}: only a rule of the organisation would prevent it")


def _encryption(bucket: _Bucket) -> Told:
    key = bucket.get("encryption").get("defaultKmsKeyName")
    return Told(good=True, found=f"on: {key}" if key else "on, with Google's own key")


def _log(bucket: _Bucket) -> Told:
    target = bucket.get("logging").get("logBucket")
    return Told(good=True, found=f"to gs://{target}") if target else Told(good=False, found="off")


_RUN = "Run: gcloud storage buckets update {bucket}"
_SETTINGS = (
    Setting("versioning", _versioning, f"{_RUN} --versioning", _PERMISSION),
    Setting("encryption at rest", _encryption, "", _PERMISSION),
    Setting("uniform access", _uniform_access, f"{_RUN} --uniform-bucket-level-access", _PERMISSION),
    Setting("public access is blocked", _public_access, f"{_RUN} --public-access-prevention", _PERMISSION),
    Setting("access log", _log, f"{_RUN} --log-bucket=gs://LOG-BUCKET", _PERMISSION),
)


def _refusal_of(error: Exception) -> Refusal | None:
    return error.refusal if isinstance(error, _RefusedError) else None
