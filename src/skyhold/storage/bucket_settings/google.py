"""What Google Cloud Storage tells of a bucket, by its JSON API."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from functools import cached_property
from http.client import HTTPException
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from skyhold.errors import CredentialsError, MissingExtraError
from skyhold.storage.bucket_settings.asking import Refusal, Setting, Told, ask_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.credentials import Connection, reveal_settings
from skyhold.storage.libraries import endpoint_of

__all__ = ["google_settings"]

_SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
_FIELDS = "versioning,iamConfiguration,encryption,logging"
_PERMISSION = "storage.buckets.get"
_TIMEOUT_S = 20


class _Bucket:
    """Asks once, when the first setting is wanted."""

    def __init__(self, connection: Connection, token: str) -> None:
        self._url = f"{endpoint_of(connection).rstrip('/')}/storage/v1/b/{quote(connection.container, safe='')}"
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    @cached_property
    def answer(self) -> dict[str, Any] | Refusal:
        request = urllib.request.Request(f"{self._url}?fields={_FIELDS}", headers=self._headers)  # noqa: S310 - checked as an endpoint
        opener = urllib.request.build_opener(_NoRedirects)
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                return json.load(answer)
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


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as a refusal: the token would follow it to anywhere."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def google_settings(connection: Connection) -> Iterator[CheckLine]:
    """Yield a line for each setting.

    Raises:
        MissingExtraError: The identity is a service account's key, and google-auth is not installed.
        CredentialsError: The identity gives no token.
    """
    return ask_settings(
        _SETTINGS, _Bucket(connection, _token(connection)), _refusal_of, bucket=f"gs://{connection.container}"
    )


def _token(connection: Connection) -> str:
    settings = reveal_settings(connection.settings)
    if settings.get("skip_signature"):
        return ""
    if connection.provider is not None:
        return str(connection.provider()["token"])
    text, path = settings.get("service_account_key"), settings.get("service_account")
    if not text and path:
        text = Path(path).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text or "{}")
    return "" if content.get("disable_oauth") else _sign_in(connection.identity, content)


def _sign_in(identity: str, content: dict[str, Any]) -> str:
    try:
        library: Any = import_module("google.oauth2.service_account")
        transport: Any = import_module("google.auth.transport.requests")
        problems: Any = import_module("google.auth.exceptions")
    except ImportError as error:
        raise MissingExtraError.of("gcp", "asking Google for a bucket's settings as a service account") from error
    try:
        credentials = library.Credentials.from_service_account_info(content, scopes=[_SCOPE])
        credentials.refresh(transport.Request())
    except (problems.GoogleAuthError, ValueError) as error:
        raise CredentialsError(
            f"{identity}: {type(error).__name__} when a token was asked for",
            remedy="Make a new key: gcloud iam service-accounts keys create",
        ) from error
    return str(credentials.token)


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
