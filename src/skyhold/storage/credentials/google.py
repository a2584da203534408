"""Who one is on Google Cloud Storage."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from skyhold.config import Secret
from skyhold.errors import BadOptionError, CredentialsError
from skyhold.storage.credentials.draft import Identity, Way, choose_way, env_text, variables
from skyhold.storage.credentials.google_tokens import MachineSource, UserSource, library_source
from skyhold.storage.credentials.json_file import expand_path, is_there, read_json_file, unusable
from skyhold.storage.credentials.options import Given, parse_flag
from skyhold.storage.credentials.providers import FetchingProvider, StaticToken

__all__ = ["PATH_VARIABLES", "SERVICE_KEY_VARIABLE", "GoogleQuestion", "find_google_identity", "is_service_account"]

PATH_VARIABLES = ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH")
SERVICE_KEY_VARIABLE = "GOOGLE_SERVICE_ACCOUNT_KEY"
_WAYS = (
    Way("file", ("credentials_file",)),
    Way("service file", ("service_account",)),
    Way("adc file", ("application_credentials",)),
    Way("service key", ("service_account_key",)),
    Way("token", ("bearer_token",)),
    Way("anonymous", ("anonymous",)),
    Way("credential", ("credential",)),
)
_BY_LIBRARY = ("external_account", "external_account_authorized_user", "impersonated_service_account", "gdch")


@dataclass(frozen=True, slots=True)
class GoogleQuestion:
    """The options and the environment."""

    given: Given
    environment: Mapping[str, str] = field(repr=False)


def find_google_identity(question: GoogleQuestion) -> Identity:
    """Return the one identity.

    Raises:
        CredentialsError: None, an incomplete one, or two given as options.
        MissingExtraError: It needs google-auth.
    """
    question = replace(question, given=_without_gcsfs_token(question.given))
    way = choose_way(question.given, _WAYS)
    return _BY_OPTIONS[way](question) if way else _from_environment(question)


def is_service_account(content: Mapping[str, Any]) -> bool:
    """Return whether obstore can use a service account's file, or that of an emulator without OAuth."""
    return bool(content.get("disable_oauth")) or all(
        content.get(name) for name in ("client_email", "private_key", "private_key_id")
    )


def _from_environment(question: GoogleQuestion) -> Identity:
    environment, given = question.environment, question.given
    skip, text = env_text(environment, "GOOGLE_SKIP_SIGNATURE")
    if skip and given.flag("anonymous") is None and parse_flag(skip, text):
        return _anonymous("anonymous")
    emulator, _ = env_text(environment, "STORAGE_EMULATOR_HOST")
    if emulator and given.flag("anonymous") is None:
        # As in Google's own libraries: an emulator is asked without an identity.
        return _anonymous("anonymous")
    name, text = env_text(environment, "GOOGLE_BEARER_TOKEN")
    if text:
        return _token(variables(name), Secret(text))
    name, path = env_text(environment, *PATH_VARIABLES)
    key_name, key = env_text(environment, SERVICE_KEY_VARIABLE)
    if path and key:
        raise CredentialsError(f"{variables(name, key_name)} name two identities", remedy=f"Unset one: {name}")
    if key:
        return _from_key(Secret(key), variables(key_name))
    if not path:
        name, path = env_text(environment, "GOOGLE_APPLICATION_CREDENTIALS")
    if path:
        return _from_file(path, f"credentials file {path!r} ({name})", question)
    return _from_gcloud(question) or _from_machine(question, "no other source was found")


def _from_gcloud(question: GoogleQuestion) -> Identity | None:
    environment = question.environment
    folder = env_text(environment, "CLOUDSDK_CONFIG")[1]
    home = environment.get("HOME", "")
    if not folder and not home:
        return None
    parent = expand_path(folder, environment) if folder else Path(home) / ".config" / "gcloud"
    path = parent / "application_default_credentials.json"
    return _from_file(str(path), f"gcloud's credentials file {str(path)!r}", question) if is_there(path) else None


def _from_machine(question: GoogleQuestion, words: str) -> Identity:
    environment = question.environment
    if env_text(environment, "NO_GCE_CHECK")[1].lower() == "true":
        raise CredentialsError(
            "no credentials for Google were found: no options, no GOOGLE_APPLICATION_CREDENTIALS in the environment, "
            "no file of gcloud, and the machine's account is turned off (NO_GCE_CHECK)",
            remedy="Run: gcloud auth application-default login; for public data pass anonymous=True",
        )
    label = f"the machine's service account ({words})"
    host = env_text(environment, "GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")[1] or "169.254.169.254"
    return Identity(label, FetchingProvider(label, MachineSource(label, host).fetch, host))


def _anonymous(label: str) -> Identity:
    # Without a provider, obstore asks the machine's metadata service before each anonymous write.
    return replace(_token(label, Secret("anonymous")), settings={"skip_signature": True})


def _token(label: str, token: Secret) -> Identity:
    return Identity(label, StaticToken(label, token), can_sign=False)


def _fetched(label: str, fetch: Callable[[], dict[str, Any]], place: str) -> Identity:
    # obstore would sign in the name of the machine's account, which is another identity.
    return Identity(label, FetchingProvider(label, fetch, place), can_sign=False)


def _from_key(secret: Secret, label: str) -> Identity:
    try:
        content = json.loads(secret.reveal())
    except ValueError:
        content = None
    if not isinstance(content, dict) or not is_service_account(cast("dict[str, Any]", content)):
        raise CredentialsError(f"{label} holds no service account's key", remedy="Give the whole JSON of the key file")
    return _service(label, "", secret, cast("dict[str, Any]", content))


def _from_file(name: str, label: str, question: GoogleQuestion) -> Identity:
    content = read_json_file(name, question.environment, "gs")
    path = str(expand_path(name, question.environment))
    kind = content.get("type", "")
    if kind in _BY_LIBRARY:
        label = f"{label}, type {kind!r}"
        return _fetched(label, library_source(label, path=path), path)
    if kind == "authorized_user":
        return _user(name, label, content)
    if not is_service_account(content):
        raise unusable(name, content, "gs")
    return _service(label, path, Secret(json.dumps(content)), content)


def _user(name: str, label: str, content: Mapping[str, Any]) -> Identity:
    missing = [key for key in ("client_id", "client_secret", "refresh_token") if not content.get(key)]
    if missing:
        raise unusable(name, content, "gs", f"has no {missing[0]!r}")
    source = UserSource(
        label,
        str(content["client_id"]),
        Secret(str(content["client_secret"])),
        Secret(str(content["refresh_token"])),
        str(content.get("token_uri") or "https://oauth2.googleapis.com/token"),
    )
    return _fetched(label, source.fetch, f"{source.client_id} {content['refresh_token']}")


def _service(label: str, path: str, key: Secret, content: Mapping[str, Any]) -> Identity:
    hints = {"base_url": str(content.get("gcs_base_url") or "")}
    settings = {"service_account": path, "service_account_key": key}
    return Identity(label, None, settings=settings, hints=hints, can_sign=not content.get("disable_oauth"))


def _without_gcsfs_token(given: Given) -> Given:
    """Return the options with gcsfs's ``token``, which means many things, under the name of what it means."""
    if "token" not in given:
        return given
    token = given.values["token"]
    if isinstance(token, Mapping):
        meant, value = "service_account_key", Secret(json.dumps(dict(cast("Mapping[str, Any]", token))))
    elif isinstance(token, Secret):
        meant, value = "bearer_token", token
    elif token in _GCSFS_WORDS:
        meant, value = _GCSFS_WORDS[token]
    elif str(token).endswith(".json"):
        meant, value = "credentials_file", str(token)
    elif isinstance(token, str):
        meant, value = "bearer_token", Secret(token)
    else:
        raise BadOptionError("option 'token' is a bearer token, a key file, its content, or 'anon'")
    if meant in given:
        raise CredentialsError(
            f"more than one identity was given: {given.named(meant, 'token')}", remedy="Give exactly one of them"
        )
    values = {name: item for name, item in given.values.items() if name != "token"}
    return Given({**values, meant: value}, {**given.spelled, meant: given.spelled["token"]})


_GCSFS_WORDS: dict[Any, tuple[str, Any]] = {
    "anon": ("anonymous", True),
    "google_default": ("credential", "default"),
    "cloud": ("credential", "metadata"),
}


def _by_credential(question: GoogleQuestion) -> Identity:
    credential = question.given.values["credential"]
    words = question.given.named("credential")
    if hasattr(credential, "refresh"):
        label = f"{type(credential).__name__} ({words})"
        source = library_source(label, credential=credential)
        return _fetched(label, source, f"object {id(credential)}")
    if credential == "default":
        label = f"default credentials of google-auth ({words})"
        return _fetched(label, library_source(label), "default")
    if credential == "metadata":
        return _from_machine(question, words)
    raise BadOptionError(
        "option 'credential' is 'default', 'metadata' or a credential of google-auth",
        remedy="Give a key file as credentials_file=, a token as token=",
    )


def _by_file(option: str) -> Callable[[GoogleQuestion], Identity]:
    def build(question: GoogleQuestion) -> Identity:
        name = question.given.text(option)
        return _from_file(name, f"credentials file {name!r}", question)

    return build


def _by_token(question: GoogleQuestion) -> Identity:
    label = question.given.named("bearer_token")
    return _token(label, question.given.secret("bearer_token") or Secret(""))


_BY_OPTIONS: dict[str, Callable[[GoogleQuestion], Identity]] = {
    "file": _by_file("credentials_file"),
    "service file": _by_file("service_account"),
    "adc file": _by_file("application_credentials"),
    "service key": lambda question: _from_key(
        question.given.secret("service_account_key") or Secret(""), question.given.named("service_account_key")
    ),
    "token": _by_token,
    "anonymous": lambda _: _anonymous("anonymous"),
    "credential": _by_credential,
}
