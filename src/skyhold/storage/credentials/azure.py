"""Who one is on Azure, and where the account is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from skyhold.config import Secret
from skyhold.errors import BadOptionError, CredentialsError
from skyhold.storage.credentials.azure_tokens import (
    ApplicationSource,
    CommandLineSource,
    ManagedSource,
    identity_library_source,
    library_installed,
)
from skyhold.storage.credentials.connection_string import (
    EMULATOR_ACCOUNT,
    EMULATOR_KEY,
    account_of,
    parse_connection_string,
)
from skyhold.storage.credentials.draft import Identity, Way, choose_way, env_text, variables
from skyhold.storage.credentials.fetching import parse_time
from skyhold.storage.credentials.json_file import expand_path, read_json_file, unusable
from skyhold.storage.credentials.options import Given, parse_flag, parse_options
from skyhold.storage.credentials.providers import FetchingProvider, StaticAzureCredential, check_not_expired

__all__ = ["ACCOUNT_VARIABLES", "AzureQuestion", "find_azure_identity"]

ACCOUNT_VARIABLES = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT")
_KEY_VARIABLES = (
    "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCESS_KEY", "AZURE_STORAGE_MASTER_KEY",
)  # fmt: skip
_SAS_VARIABLES = ("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY")
_TENANT = ("AZURE_TENANT_ID", "AZURE_STORAGE_TENANT_ID", "AZURE_AUTHORITY_ID")
_CLIENT = ("AZURE_CLIENT_ID", "AZURE_STORAGE_CLIENT_ID")
_CLIENT_SECRET = ("AZURE_CLIENT_SECRET", "AZURE_STORAGE_CLIENT_SECRET")

_WAYS = (
    Way("connection string", ("connection_string",)),
    Way("key", ("account_key",)),
    Way("sas", ("sas_token",)),
    Way("application", ("client_secret",)),
    Way("federated", ("federated_token_file",)),
    Way("token", ("token",)),
    Way("file", ("credentials_file",)),
    Way("anonymous", ("anonymous",)),
    Way("credential", ("credential",)),
    Way("command line", ("use_azure_cli",)),
    Way("managed", ("msi_endpoint", "object_id", "msi_resource_id")),
    Way("emulator", ("use_emulator",)),
)
_FILE_NAMES = {
    "connection_string", "account_name", "account_key", "sas_token", "client_id", "client_secret", "tenant_id",
    "endpoint", "endpoint_suffix",
}  # fmt: skip
_NOT_OURS = {"provider", "container", "container_name", "bucket_name", "prefix", "displayname", "subscription_id"}
# The output of `az ad sp create-for-rbac`.
_APPLICATION = {"appId": "client_id", "password": "client_secret", "tenant": "tenant_id"}


@dataclass(frozen=True, slots=True)
class AzureQuestion:
    """The options, the environment, and the account that the URI names."""

    given: Given
    environment: Mapping[str, str] = field(repr=False)
    account: str = ""

    def text(self, option: str, *names: str) -> str:
        """Return an option, or the first of the variables, or the empty text."""
        return self.given.text(option) or env_text(self.environment, *names)[1]


def find_azure_identity(question: AzureQuestion) -> Identity:
    """Return the one identity; its hints hold the account that belongs to it.

    Raises:
        CredentialsError: None, an incomplete one, or two given as options.
        MissingExtraError: It needs azure-identity.
    """
    given = question.given
    if way := choose_way(given, _WAYS):
        return _BY_OPTIONS[way](question)
    named = (given.text("account_name"), account_of(given.text("endpoint")), question.account)
    if EMULATOR_ACCOUNT in named and given.flag("use_emulator") is None:
        return _emulator(given.named("account_name", "endpoint") if given.values else "the URI's account")
    return _from_environment(question)


def _from_environment(question: AzureQuestion) -> Identity:
    environment = question.environment
    skip, text = env_text(environment, "AZURE_SKIP_SIGNATURE")
    if skip and question.given.flag("anonymous") is None and parse_flag(skip, text):
        return Identity("anonymous", None)
    name, text = env_text(environment, "AZURE_STORAGE_CONNECTION_STRING")
    if text:
        return _from_string(Secret(text), variables(name))
    emulator, text = env_text(environment, "AZURE_STORAGE_USE_EMULATOR")
    if emulator and question.given.flag("use_emulator") is None and parse_flag(emulator, text):
        return _emulator(variables(emulator))
    return _secret_of_environment(question) or _application_of_environment(question) or _from_machine(question)


def _secret_of_environment(question: AzureQuestion) -> Identity | None:
    environment = question.environment
    account_name, account = env_text(environment, *ACCOUNT_VARIABLES)
    hints = {"account_name": account} if account else {}
    name, text = env_text(environment, *_KEY_VARIABLES)
    if text:
        return _static(variables(account_name, name), "access_key", Secret(text), hints)
    name, text = env_text(environment, *_SAS_VARIABLES)
    if text:
        return _static(variables(account_name, name), "sas_token", Secret(text), hints)
    name, text = env_text(environment, "AZURE_STORAGE_TOKEN")
    return _static(variables(name), "token", Secret(text), {}) if text else None


def _application_of_environment(question: AzureQuestion) -> Identity | None:
    environment = question.environment
    tenant, client = env_text(environment, *_TENANT), env_text(environment, *_CLIENT)
    name, text = env_text(environment, *_CLIENT_SECRET)
    if text:
        values = {"tenant_id": tenant[1], "client_id": client[1]}
        return _application(question, variables(tenant[0], client[0], name), values, Secret(text))
    name, text = env_text(environment, "AZURE_FEDERATED_TOKEN_FILE")
    if text:
        values = {"tenant_id": tenant[1], "client_id": client[1], "file": text}
        return _application(question, variables(tenant[0], client[0], name), values, None)
    return None


def _from_machine(question: AzureQuestion) -> Identity:
    environment = question.environment
    name, _ = env_text(environment, "IDENTITY_ENDPOINT", "AZURE_IDENTITY_ENDPOINT", "AZURE_MSI_ENDPOINT")
    if name:
        return _managed(question, variables(name))
    cli, text = env_text(environment, "AZURE_USE_AZURE_CLI")
    if cli and question.given.flag("use_azure_cli") is None and parse_flag(cli, text):
        return _command_line(variables(cli))
    azurite, _ = env_text(environment, "AZURITE_BLOB_STORAGE_URL")
    if azurite:
        return _emulator(variables(azurite))
    if library_installed():
        return _library("DefaultAzureCredential of azure-identity (no other source was found)", None)
    return _managed(question, "no other source was found")


def _static(label: str, kind: str, secret: Secret, hints: Mapping[str, str]) -> Identity:
    expires_at = None
    if kind == "sas_token":
        secret = Secret(secret.reveal().removeprefix("?"), secret.origin)
        fields = parse_qs(secret.reveal())
        if "sig" not in fields:
            raise CredentialsError(
                f"{label}: the shared access signature has no 'sig=' in it", remedy="Copy the whole token, from 'sv='"
            )
        expires_at = parse_time(fields.get("se", [""])[0])
        check_not_expired(label, expires_at)
    provider = StaticAzureCredential(label, kind, secret, expires_at)
    return Identity(label, provider, expires_at=expires_at, hints=dict(hints))


def _from_string(secret: Secret, label: str) -> Identity:
    parsed = parse_connection_string(secret, label)
    hints = {
        "account_name": parsed.account_name,
        "endpoint": parsed.endpoint,
        "endpoint_suffix": parsed.endpoint_suffix,
        "protocol": parsed.protocol,
        "emulator": "true" if parsed.emulator else "",
    }
    if parsed.account_key is not None:
        return _static(label, "access_key", parsed.account_key, hints)
    return _static(label, "sas_token", parsed.sas_token or Secret(""), hints)


def _emulator(label: str) -> Identity:
    hints = {"account_name": EMULATOR_ACCOUNT, "emulator": "true"}
    return _static(f"the emulator's own account ({label})", "access_key", Secret(EMULATOR_KEY), hints)


def _application(
    question: AzureQuestion, words: str, values: Mapping[str, str], client_secret: Secret | None
) -> Identity:
    missing = [name for name in ("tenant_id", "client_id") if not values.get(name)]
    if missing:
        names = " and ".join(f"{name} (AZURE_{name.upper()})" for name in missing)
        raise CredentialsError(f"{words}: incomplete, {names} is missing", remedy="Give tenant, client and secret")
    label = f"{'application' if client_secret else 'federated identity'} ({words})"
    host = question.text("authority_host", "AZURE_AUTHORITY_HOST", "AZURE_STORAGE_AUTHORITY_HOST")
    file = str(expand_path(values["file"], question.environment)) if "file" in values else ""
    source = ApplicationSource(
        label,
        values["tenant_id"],
        values["client_id"],
        host or "https://login.microsoftonline.com",
        client_secret,
        file,
    )
    place = f"{source.tenant_id} {source.client_id} {file} {client_secret and client_secret.reveal()} {host}"
    return Identity(label, FetchingProvider(label, source.fetch, place))


def _managed(question: AzureQuestion, words: str) -> Identity:
    label = f"managed identity ({words})"
    given, environment = question.given, question.environment
    endpoint = question.text("msi_endpoint", "IDENTITY_ENDPOINT", "AZURE_IDENTITY_ENDPOINT", "AZURE_MSI_ENDPOINT")
    header = env_text(environment, "IDENTITY_HEADER")[1]
    selector = {
        "client_id": question.text("client_id", *_CLIENT),
        "object_id": question.text("object_id", "AZURE_OBJECT_ID"),
        "msi_res_id": question.text("msi_resource_id", "AZURE_MSI_RESOURCE_ID"),
    }
    chosen = tuple((name, text) for name, text in selector.items() if text)
    # A header goes only to the address that came with it.
    secret = Secret(header) if header and "msi_endpoint" not in given else None
    source = ManagedSource(label, endpoint, secret, chosen)
    return Identity(label, FetchingProvider(label, source.fetch, f"{endpoint} {chosen}"))


def _command_line(words: str) -> Identity:
    label = f"Azure CLI ({words})"
    return Identity(label, FetchingProvider(label, CommandLineSource(label).fetch, "az"))


def _library(label: str, credential: Any) -> Identity:
    place = "default" if credential is None else f"object {id(credential)}"
    return Identity(label, FetchingProvider(label, identity_library_source(label, credential), place))


def _by_credential(question: AzureQuestion) -> Identity:
    credential = question.given.values["credential"]
    words = question.given.named("credential")
    if hasattr(credential, "get_token"):
        return _library(f"{type(credential).__name__} ({words})", credential)
    if credential == "default":
        return _library(f"DefaultAzureCredential of azure-identity ({words})", None)
    if credential in {"managed_identity", "managed"}:
        return _managed(question, words)
    if credential in {"cli", "azure_cli"}:
        return _command_line(words)
    raise BadOptionError(
        "option 'credential' is 'default', 'managed_identity', 'cli' or a credential of azure-identity",
        remedy="Give a key as account_key=, a signature as sas_token=",
    )


def _by_secret(option: str, kind: str) -> Callable[[AzureQuestion], Identity]:
    def build(question: AzureQuestion) -> Identity:
        label = question.given.named("account_name", option)
        return _static(label, kind, question.given.secret(option) or Secret(""), {})

    return build


def _by_application(question: AzureQuestion) -> Identity:
    given = question.given
    names = ("tenant_id", "client_id", "client_secret", "federated_token_file")
    values = {name: given.text(name) for name in names[:2]}
    if "federated_token_file" in given:
        values["file"] = given.text("federated_token_file")
    return _application(question, given.named(*names), values, given.secret("client_secret"))


def _by_file(question: AzureQuestion) -> Identity:
    name = question.given.text("credentials_file")
    content = read_json_file(name, question.environment, "az")
    renamed = {_APPLICATION.get(key, key): text for key, text in content.items() if key.lower() not in _NOT_OURS}
    try:
        found = parse_options("az", renamed)
    except BadOptionError:
        raise unusable(name, content, "az") from None
    if not set(found.values) <= _FILE_NAMES:
        raise unusable(name, content, "az")
    label = f"credentials file {name!r}"
    secrets = [key for key in ("connection_string", "account_key", "sas_token", "client_secret") if key in found]
    if len(secrets) != 1:
        raise unusable(name, content, "az", "holds more than one secret" if secrets else "holds no secret")
    hints = {key: found.text(key) for key in ("account_name", "endpoint", "endpoint_suffix") if key in found}
    secret = found.secret(secrets[0]) or Secret("")
    if secrets[0] == "connection_string":
        return _from_string(secret, label)
    if secrets[0] == "client_secret":
        values = {key: found.text(key) for key in ("tenant_id", "client_id")}
        identity = _application(question, label, values, secret)
        return Identity(identity.label, identity.provider, hints=hints)
    if "account_name" not in hints:
        raise unusable(name, content, "az", "has no 'account_name'")
    return _static(label, "access_key" if secrets[0] == "account_key" else "sas_token", secret, hints)


_BY_OPTIONS: dict[str, Callable[[AzureQuestion], Identity]] = {
    "connection string": lambda question: _from_string(
        question.given.secret("connection_string") or Secret(""), question.given.named("connection_string")
    ),
    "key": _by_secret("account_key", "access_key"),
    "sas": _by_secret("sas_token", "sas_token"),
    "token": _by_secret("token", "token"),
    "application": _by_application,
    "federated": _by_application,
    "file": _by_file,
    "anonymous": lambda _: Identity("anonymous", None),
    "credential": _by_credential,
    "command line": lambda question: _command_line(question.given.named("use_azure_cli")),
    "managed": lambda question: _managed(
        question, question.given.named("msi_endpoint", "object_id", "msi_resource_id")
    ),
    "emulator": lambda question: _emulator(question.given.named("use_emulator")),
}
