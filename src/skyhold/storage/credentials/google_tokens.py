"""Tokens of Google: of a user who ran gcloud, of a machine, of google-auth."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from skyhold.config import Secret, redact
from skyhold.errors import CredentialsError, MissingExtraError
from skyhold.storage.credentials.fetching import fetch_json

__all__ = ["MachineSource", "UserSource", "library_source"]

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@dataclass(frozen=True, slots=True)
class UserSource:
    """A user's refresh token, as ``gcloud auth application-default login`` stores it."""

    label: str
    client_id: str
    client_secret: Secret
    refresh_token: Secret
    token_uri: str

    def fetch(self) -> dict[str, Any]:
        """Return a new token."""
        form = {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret.reveal(),
            "refresh_token": self.refresh_token.reveal(),
        }
        try:
            answer = fetch_json(self.label, self.token_uri, form=form)
        except CredentialsError as error:
            raise CredentialsError(error.message, remedy="Run: gcloud auth application-default login") from error
        return _token(self.label, answer)


@dataclass(frozen=True, slots=True)
class MachineSource:
    """The service account of a machine, by its metadata service."""

    label: str
    host: str

    def fetch(self) -> dict[str, Any]:
        """Return a new token."""
        url = f"http://{self.host}/computeMetadata/v1/instance/service-accounts/default/token"
        headers = {"Metadata-Flavor": "Google"}
        try:
            answer = fetch_json(self.label, url, headers=headers, timeout_s=1, proxies=False, attempts=1)
        except CredentialsError as error:
            raise CredentialsError(
                f"no credentials for Google were found: {error}",
                remedy="Set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login; "
                "for public data pass anonymous=True",
            ) from error
        return _token(self.label, answer)


def library_source(label: str, *, path: str = "", credential: Any = None) -> Callable[[], dict[str, Any]]:
    """Return what fetches tokens by google-auth.

    Args:
        label: In words.
        path: A file of any kind that the library knows.
        credential: One of its credentials; by default what ``path`` holds, or the library finds.

    Raises:
        MissingExtraError: google-auth is not installed.
    """
    try:
        library: Any = importlib.import_module("google.auth")
        transport: Any = importlib.import_module("google.auth.transport.requests")
    except ImportError as error:
        raise MissingExtraError.of("gcp", label) from error
    held = [credential] if credential is not None else []

    def fetch() -> dict[str, Any]:
        try:
            if not held:
                scopes = [_SCOPE]
                found = library.load_credentials_from_file(path, scopes) if path else library.default(scopes)
                held.append(found[0])
            held[0].refresh(transport.Request())
        except Exception as error:
            # google-auth raises its own and its transport's errors; none of them is ours to sort.
            lines = redact(str(error)).strip().splitlines() or [type(error).__name__]
            raise CredentialsError(
                f"{label}: {lines[0][:300]}", remedy="Run: gcloud auth application-default login"
            ) from error
        expiry: datetime | None = held[0].expiry
        if expiry is not None and expiry.tzinfo is None:
            expiry = expiry.replace(tzinfo=UTC)
        return {"token": held[0].token, "expires_at": expiry}

    return fetch


def _token(label: str, answer: dict[str, Any]) -> dict[str, Any]:
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise CredentialsError(f"{label}: the answer holds no access_token")
    return {
        "token": token,
        "expires_at": datetime.now(UTC) + timedelta(seconds=float(answer.get("expires_in") or 300)),
    }
