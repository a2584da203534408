"""Tokens of Microsoft Entra ID, for an application, a machine, or the user of the command line."""

import importlib
import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlencode

from skyhold.config import Secret, redact
from skyhold.errors import CredentialsError, MissingExtraError
from skyhold.storage.credentials.fetching import fetch_json, parse_time

__all__ = ["ApplicationSource", "CommandLineSource", "ManagedSource", "identity_library_source", "library_installed"]

_RESOURCE = "https://storage.azure.com"
_SCOPE = f"{_RESOURCE}/.default"
_IMDS = "http://169.254.169.254/metadata/identity/oauth2/token"


@dataclass(frozen=True, slots=True)
class ApplicationSource:
    """An application's own token: by its secret, or by a federated token in a file."""

    label: str
    tenant_id: str
    client_id: str
    authority_host: str
    client_secret: Secret | None = None
    federated_token_file: str = ""

    def fetch(self) -> dict[str, Any]:
        """Return a new token."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "scope": _SCOPE}
        if self.client_secret is not None:
            form["client_secret"] = self.client_secret.reveal()
        else:
            form["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            form["client_assertion"] = self._read_assertion()
        host = self.authority_host.rstrip("/")
        url = f"{host if '://' in host else f'https://{host}'}/{self.tenant_id}/oauth2/v2.0/token"
        return _token(self.label, fetch_json(self.label, url, form=form))

    def _read_assertion(self) -> str:
        try:
            with open(self.federated_token_file, encoding="utf-8") as file:  # noqa: PTH123 - a plain name
                return file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(f"{self.label}: cannot read {self.federated_token_file!r}: {error}") from error


@dataclass(frozen=True, slots=True)
class ManagedSource:
    """The identity of the machine, by its metadata service or that of App Service."""

    label: str
    endpoint: str = ""
    header: Secret | None = None
    selector: tuple[tuple[str, str], ...] = ()

    def fetch(self) -> dict[str, Any]:
        """Return a new token."""
        version = "2019-08-01" if self.endpoint else "2018-02-01"
        query = urlencode({"api-version": version, "resource": _RESOURCE, **dict(self.selector)})
        headers = {"X-IDENTITY-HEADER": self.header.reveal()} if self.header else {"Metadata": "true"}
        try:
            answer = fetch_json(
                self.label, f"{self.endpoint or _IMDS}?{query}", headers=headers, timeout_s=2, proxies=False, attempts=1
            )
        except CredentialsError as error:
            raise CredentialsError(
                f"no credentials for Azure were found: {error}",
                remedy="Set AZURE_STORAGE_CONNECTION_STRING, or run: az login (with pip install 'skyhold[azure]')",
            ) from error
        return _token(self.label, answer)


@dataclass(frozen=True, slots=True)
class CommandLineSource:
    """The user of ``az login``."""

    label: str

    def fetch(self) -> dict[str, Any]:
        """Return a new token."""
        program = shutil.which("az")
        if program is None:
            raise CredentialsError(f"{self.label}: the program 'az' is not installed")
        command = [program, "account", "get-access-token", "--resource", _RESOURCE, "--output", "json"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
            answer = json.loads(done.stdout)
        except subprocess.CalledProcessError as error:
            reason = redact(str(error.stderr)).strip().splitlines()[-1:] or ["no reason given"]
            raise CredentialsError(f"{self.label}: {reason[0][:300]}", remedy="Run: az login") from error
        except (OSError, subprocess.TimeoutExpired, ValueError) as error:
            raise CredentialsError(f"{self.label}: {type(error).__name__}", remedy="Run: az login") from None
        return _token(self.label, {"access_token": answer.get("accessToken"), "expires_on": answer.get("expires_on")})


def library_installed() -> bool:
    """Return whether azure-identity (the extra ``azure``) is installed."""
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        return False


def identity_library_source(label: str, credential: Any = None) -> Callable[[], dict[str, Any]]:
    """Return what fetches tokens by azure-identity.

    Args:
        label: In words.
        credential: One of its credentials; by default its DefaultAzureCredential.

    Raises:
        MissingExtraError: azure-identity is not installed.
    """
    if credential is None:
        try:
            credential = importlib.import_module("azure.identity").DefaultAzureCredential()
        except ImportError as error:
            raise MissingExtraError.of("azure", label) from error

    def fetch() -> dict[str, Any]:
        try:
            token = credential.get_token(_SCOPE)
        except Exception as error:
            # azure-identity raises its own and its transport's errors; none of them is ours to sort.
            lines = redact(str(error)).strip().splitlines() or [type(error).__name__]
            raise CredentialsError(f"{label}: {lines[0][:300]}", remedy="Run: az login") from error
        return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}

    return fetch


def _token(label: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    token = answer.get("access_token")
    if not isinstance(token, str) or not token:
        raise CredentialsError(f"{label}: the answer holds no access_token")
    expires_at = parse_time(answer.get("expires_on"))
    if expires_at is None:
        expires_at = datetime.now(UTC) + timedelta(seconds=float(answer.get("expires_in") or 300))
    return {"token": token, "expires_at": expires_at}
