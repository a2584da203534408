"""What the form of each provider asks for, and the configuration that its answers make."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from skyhold.components.config import CloudStorageConfig, Provider
from skyhold.config import Secret
from skyhold.dashboard.forms import Form
from skyhold.errors import BadOptionError

__all__ = ["FIELDS", "TITLES", "Field", "read_config", "shown_values"]

TITLES: Mapping[Provider, str] = {
    "aws": "AWS S3 and services like it",
    "azure": "Azure Blob Storage",
    "gcs": "Google Cloud Storage",
    "local": "A folder",
    "mock": "A mock, to try things out",
}
"""Providers, as people call them."""

_FOLDERS = {"local", "mock"}
_PATHS = {"credentials_file"}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in.

    Attributes:
        name: Of the option.
        label: What the form calls it.
        kind: A secret is never shown again.
        hint: What may stand there.
        required: Whether something must.
    """

    name: str
    label: str
    kind: Literal["text", "path", "number", "flag", "secret"] = "text"
    hint: str = ""
    required: bool = False


_PREFIX = Field("prefix", "Under", hint="models")
_CREDENTIALS = Field("credentials_file", "Credentials file", "path", hint="aws_credentials.json")
_PUBLIC = Field("public_access", "Let everybody read a bucket that is made", "flag")

FIELDS: Mapping[Provider, tuple[Field, ...]] = {
    "aws": (
        Field("bucket_name", "Bucket", hint="model-components", required=True),
        _PREFIX,
        Field("region", "Region", hint="us-east-1"),
        Field("endpoint", "Endpoint", hint="empty for AWS itself; http://localhost:9000"),
        _CREDENTIALS,
        Field("access_key_id", "Access key"),
        Field("secret_access_key", "Secret access key", "secret"),
        Field("storage_class", "Storage class", hint="STANDARD_IA"),
        Field("encryption", "Let the service encrypt", "flag"),
        Field("kms_key_id", "With the key", hint="empty for the service's own"),
        _PUBLIC,
    ),
    "azure": (
        Field("bucket_name", "Container", hint="model-components", required=True),
        _PREFIX,
        Field("account_name", "Account"),
        Field("endpoint", "Endpoint", hint="empty for Azure itself"),
        Field("credentials_file", "Credentials file", "path", hint="azure_credentials.json"),
        Field("connection_string", "Connection string", "secret"),
        Field("account_key", "Account key", "secret"),
        Field("sas_token", "SAS token", "secret"),
        Field("storage_class", "Tier", hint="Cool"),
        _PUBLIC,
    ),
    "gcs": (
        Field("bucket_name", "Bucket", hint="model-components", required=True),
        _PREFIX,
        Field("credentials_file", "Credentials file", "path", hint="service_account.json"),
        Field("storage_class", "Storage class", hint="NEARLINE"),
        _PUBLIC,
    ),
    "local": (Field("bucket_name", "Folder", "path", hint="~/components", required=True), _PREFIX),
    "mock": (
        Field("bucket_name", "Folder", "path", hint="~/mock-components", required=True),
        _PREFIX,
        Field("latency_ms", "Latency in ms", "number"),
        Field("error_rate", "Share of requests that fail", "number", hint="0.05"),
    ),
}
"""What is asked for, by provider."""


def read_config(provider: Provider, form: Form, before: CloudStorageConfig | None) -> CloudStorageConfig:
    """Return the configuration that a form's answers make.

    Args:
        provider: Whose form it is.
        form: Its answers. A secret that is left empty stays what it was.
        before: The configuration that there was.

    Raises:
        BadOptionError: The provider cannot do what is asked.
        ConfigError: A variable that is to hold a secret does not.
    """
    fields = FIELDS[provider]
    names = {field.name for field in fields}
    old: Mapping[str, Any] = before.options if before else {}
    values: dict[str, Any] = {name: value for name, value in old.items() if name not in names}
    for field in fields:
        value = _secret(field, form, old.get(field.name)) if field.kind == "secret" else _answer(field, form)
        if value not in ("", None, False):
            values[field.name] = value
    if values.get("encryption") and before and isinstance(before.encryption, str) and before.encryption:
        values["encryption"] = before.encryption  # the form has no words for a way of its own
    return CloudStorageConfig(provider, **values)


def shown_values(provider: Provider, config: CloudStorageConfig | None) -> dict[str, str]:
    """Return what stands in a form: of a secret only where it comes from, or that there is one.

    Example:
        >>> config = CloudStorageConfig("aws", bucket_name="models", access_key_id="me", secret_access_key="hunter2")
        >>> shown_values("aws", config)["secret_access_key"]
        'kept as it is'
    """
    shown: dict[str, str] = {}
    for field in FIELDS[provider] if config else ():
        value = getattr(config, field.name, None) or (config.options.get(field.name) if config else None)
        if isinstance(value, Secret):
            shown[field.name] = str(value.origin) if value.origin else "kept as it is"
        elif value and field.kind != "secret":
            shown[field.name] = "yes" if field.kind == "flag" else str(value)
    return shown


def _answer(field: Field, form: Form) -> Any:
    text = form.text(field.name).strip()
    if field.kind == "flag":
        return text == "yes"
    if field.kind == "path" and text:
        return str(Path(text).expanduser().absolute())
    if field.kind != "number" or not text:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadOptionError(f"{field.label!r} is {text!r}, and should be a number", remedy="Go back and correct it")
    return number


def _secret(field: Field, form: Form, before: Any) -> Any:
    typed, variable = form.text(field.name), form.text(f"{field.name}_variable").strip()
    if typed and variable:
        raise BadOptionError(
            f"{field.label!r} is given twice: itself, and as a variable's name", remedy="Go back and give one of them"
        )
    if form.text(f"{field.name}_forget") == "yes":
        before = None
    return typed or ({"env": variable} if variable else before)
