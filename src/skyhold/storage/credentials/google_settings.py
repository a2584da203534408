"""Where Google Cloud Storage is, and what obstore must be told so that it takes nothing from the environment."""

from collections.abc import Mapping
from typing import Any

from skyhold.config import Secret
from skyhold.errors import CredentialsError
from skyhold.storage.credentials.client import checked_endpoint, client_of
from skyhold.storage.credentials.draft import Draft, Identity, env_text
from skyhold.storage.credentials.google import (
    PATH_VARIABLES,
    SERVICE_KEY_VARIABLE,
    GoogleQuestion,
    find_google_identity,
    is_service_account,
)
from skyhold.storage.credentials.json_file import read_json_file
from skyhold.storage.credentials.options import Given
from skyhold.storage.location import Location

__all__ = ["draft_google"]


def draft_google(location: Location, given: Given, environment: Mapping[str, str]) -> Draft:  # noqa: ARG001 - as for every cloud
    """Return the settings for a bucket."""
    identity = find_google_identity(GoogleQuestion(given, environment))
    endpoint = _base_url(given, environment, identity)
    settings: dict[str, Any] = {
        "base_url": endpoint,
        "skip_signature": bool(identity.settings.get("skip_signature")),
        **_service_account(identity, environment),
    }
    return Draft(settings, client_of(given, endpoint, environment), identity)


def _base_url(given: Given, environment: Mapping[str, str], identity: Identity) -> str:
    name, host = env_text(environment, "STORAGE_EMULATOR_HOST")
    if host and "://" not in host:
        host = f"http://{host}"
    if "base_url" in given:
        name, host = given.named("base_url"), given.text("base_url")
    elif not host:
        name, host = f"gcs_base_url of {identity.label}", identity.hints.get("base_url", "")
    if not host:
        name, host = env_text(environment, "GOOGLE_BASE_URL")
    return checked_endpoint(host or "https://storage.googleapis.com", name, example="http://localhost:4443")


def _service_account(identity: Identity, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the service account as a path or as its text, whichever overrules what the environment has.

    obstore reads both variables on its own, even beside a provider, and refuses a path together with a text.
    """
    path_name, ambient_path = env_text(environment, *PATH_VARIABLES)
    key_name, ambient_key = env_text(environment, SERVICE_KEY_VARIABLE)
    path, key = identity.settings.get("service_account", ""), identity.settings.get("service_account_key")
    if ambient_path and (ambient_key or (key and not path)):
        raise _unset(path_name, identity)
    if key is not None:
        return {"service_account_key": key} if ambient_key or not path else {"service_account": path}
    if ambient_path and not _is_readable(ambient_path, environment):
        raise _unset(path_name, identity)
    # Beside a provider a text only has to be well-formed: this one opens nothing.
    harmless = '{"disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": ""}'
    return {"service_account_key": Secret(harmless)} if key_name else {}


def _is_readable(path: str, environment: Mapping[str, str]) -> bool:
    try:
        return is_service_account(read_json_file(path, environment, "gs"))
    except CredentialsError:
        return False


def _unset(name: str, identity: Identity) -> CredentialsError:
    return CredentialsError(
        f"the identity is {identity.label}, and {name} of the environment names another that cannot be kept out",
        remedy=f"Unset {name}",
    )
