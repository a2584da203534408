"""Where an Azure container is: account, endpoint, emulator."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from skyhold.config import Secret
from skyhold.errors import BadOptionError, CredentialsError
from skyhold.storage.credentials.azure import ACCOUNT_VARIABLES, AzureQuestion, find_azure_identity
from skyhold.storage.credentials.client import checked_endpoint, client_of
from skyhold.storage.credentials.connection_string import EMULATOR_ACCOUNT, account_of
from skyhold.storage.credentials.draft import Draft, Identity, env_text
from skyhold.storage.credentials.options import Given
from skyhold.storage.location import Location

__all__ = ["draft_azure"]

_EMULATOR_URL = "http://127.0.0.1:10000"
_EXAMPLE = "https://ACCOUNT.blob.core.windows.net"


def draft_azure(location: Location, given: Given, environment: Mapping[str, str]) -> Draft:
    """Return the settings for a container.

    obstore's own emulator mode is never used, since it ignores the endpoint; the account is always given, since
    obstore panics when it took it from the environment.
    """
    question = AzureQuestion(given, environment, location.account)
    identity = find_azure_identity(question)
    asked, name = _endpoint_asked_for(question, identity)
    account = _account(location, question, identity, asked)
    if account == EMULATOR_ACCOUNT and "emulator" not in identity.hints and not asked:
        asked = _emulator_endpoint(question)
    endpoint = asked or _usual_endpoint(account, question, identity)
    endpoint = checked_endpoint(endpoint, name or "endpoint", example=_EXAMPLE)
    settings: dict[str, Any] = {
        "account_name": account,
        "endpoint": endpoint,
        "use_emulator": False,
        "skip_signature": identity.provider is None,
        "credential_type": "auto",
        "use_fabric_endpoint": given.flag("use_fabric_endpoint") or False,
        **({"disable_tagging": given.flag("disable_tagging")} if "disable_tagging" in given else {}),
        **_encryption(question, endpoint),
    }
    return Draft(settings, client_of(given, endpoint, environment), identity)


def _endpoint_asked_for(question: AzureQuestion, identity: Identity) -> tuple[str, str]:
    given = question.given
    if "endpoint" in given:
        endpoint = given.text("endpoint")
        if identity.hints.get("emulator") and not urlsplit(endpoint).path.strip("/"):
            endpoint = f"{endpoint.rstrip('/')}/{EMULATOR_ACCOUNT}"
        return endpoint, given.named("endpoint")
    if hint := identity.hints.get("endpoint"):
        with_account = identity.hints.get("emulator") and not urlsplit(hint).path.strip("/")
        return (f"{hint}/{EMULATOR_ACCOUNT}" if with_account else hint), f"endpoint of {identity.label}"
    if identity.hints.get("emulator"):
        return _emulator_endpoint(question), "AZURITE_BLOB_STORAGE_URL"
    name, endpoint = env_text(question.environment, "AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
    return endpoint, name


def _emulator_endpoint(question: AzureQuestion) -> str:
    base = env_text(question.environment, "AZURITE_BLOB_STORAGE_URL")[1] or _EMULATOR_URL
    return base.rstrip("/") if urlsplit(base).path.strip("/") else f"{base.rstrip('/')}/{EMULATOR_ACCOUNT}"


def _usual_endpoint(account: str, question: AzureQuestion, identity: Identity) -> str:
    if question.given.flag("use_fabric_endpoint"):
        return f"https://{account}.dfs.fabric.microsoft.com"
    suffix = question.given.text("endpoint_suffix") or identity.hints.get("endpoint_suffix") or "core.windows.net"
    return f"{identity.hints.get('protocol') or 'https'}://{account}.blob.{suffix}"


def _account(location: Location, question: AzureQuestion, identity: Identity, endpoint: str) -> str:
    given = question.given
    said = {
        f"the URI {location.container_uri!r}": location.account,
        given.named("account_name"): given.text("account_name"),
        identity.label: identity.hints.get("account_name", ""),
    }
    named = {source: account for source, account in said.items() if account}
    if len(set(named.values())) > 1:
        words = ", ".join(f"{account!r} by {source}" for source, account in named.items())
        raise CredentialsError(f"the storage account is named differently: {words}", remedy="Name one account")
    if named:
        return next(iter(named.values()))
    account = account_of(endpoint) or env_text(question.environment, *ACCOUNT_VARIABLES)[1]
    if not account:
        raise CredentialsError(
            f"no storage account for {location.container_uri!r} (identity: {identity.label})",
            remedy=f"Write az://{location.container}@ACCOUNT/…, pass account_name=, or set AZURE_STORAGE_ACCOUNT_NAME",
        )
    return account


def _encryption(question: AzureQuestion, endpoint: str) -> dict[str, Any]:
    """Return the customer's key; where the environment has one, obstore uses it whatever we say, so we say it too."""
    key = question.text("encryption_key", "AZURE_ENCRYPTION_KEY")
    if key and endpoint.startswith("http://"):
        raise BadOptionError("an encryption key is sent with every request, so it needs an https:// endpoint")
    return {"encryption_key": Secret(key)} if key else {}
