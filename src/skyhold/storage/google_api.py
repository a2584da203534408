"""Requests to Google Cloud Storage for what is about a bucket and not about its objects."""

import json
import urllib.request
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from skyhold.errors import CredentialsError, MissingExtraError
from skyhold.storage.credentials import Connection, reveal_settings
from skyhold.storage.libraries import endpoint_of

__all__ = ["GoogleApi"]

_SCOPE = "https://www.googleapis.com/auth/devstorage."
_TIMEOUT_S = 20


class GoogleApi:
    """Asks as the connection's identity.

    Args:
        connection: Where, and who.
        may: What a token is asked for, where one has to be asked for.

    Raises:
        MissingExtraError: The identity is a service account's key, and google-auth is not installed.
        CredentialsError: The identity gives no token.
    """

    def __init__(self, connection: Connection, *, may: Literal["read_only", "read_write"]) -> None:
        self._endpoint = endpoint_of(connection).rstrip("/")
        token = _token(connection, _SCOPE + may)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, path: str, method: Literal["GET", "DELETE"] = "GET") -> bytes:
        """Return the body of an answer; errors are those of `urllib.request`.

        Args:
            path: With its query, both encoded.
            method: The HTTP method.
        """
        request = urllib.request.Request(f"{self._endpoint}/{path}", headers=self._headers, method=method)  # noqa: S310 - checked as an endpoint
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=_TIMEOUT_S) as answer:
            return answer.read()


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Takes a redirect as a refusal: the token would follow it to anywhere."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def _token(connection: Connection, scope: str) -> str:
    settings = reveal_settings(connection.settings)
    if settings.get("skip_signature"):
        return ""
    if connection.provider is not None:
        return str(connection.provider()["token"])
    text, path = settings.get("service_account_key"), settings.get("service_account")
    if not text and path:
        text = Path(path).read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text or "{}")
    return "" if content.get("disable_oauth") else _sign_in(connection.identity, content, scope)


def _sign_in(identity: str, content: dict[str, Any], scope: str) -> str:
    try:
        library: Any = import_module("google.oauth2.service_account")
        transport: Any = import_module("google.auth.transport.requests")
        problems: Any = import_module("google.auth.exceptions")
    except ImportError as error:
        raise MissingExtraError.of("gcp", "asking Google about a bucket as a service account") from error
    try:
        credentials = library.Credentials.from_service_account_info(content, scopes=[scope])
        credentials.refresh(transport.Request())
    except (problems.GoogleAuthError, ValueError) as error:
        raise CredentialsError(
            f"{identity}: {type(error).__name__} when a token was asked for",
            remedy="Make a new key: gcloud iam service-accounts keys create",
        ) from error
    return str(credentials.token)
