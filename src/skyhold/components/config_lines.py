"""A configuration, line by line, for somebody who is to say yes to it; without its secrets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skyhold.components.config import CloudStorageConfig, config_file
from skyhold.config import Secret, redact

__all__ = ["ConfigLine", "explain_config"]

_PLAIN_SECRET = "a secret in plain text; it is kept, and never shown"  # noqa: S105 - says that there is one


@dataclass(frozen=True, slots=True)
class ConfigLine:
    """One thing that a configuration says.

    Attributes:
        name: Of the option.
        value: As it may be shown.
        state: A warning is to be thought about.
        note: Why.
    """

    name: str
    value: str
    state: Literal["ok", "warning"] = "ok"
    note: str = ""


def explain_config(config: CloudStorageConfig, folder: Path) -> list[ConfigLine]:
    """Return what a configuration says, and what becomes of it in a folder; nobody is asked, and nothing is opened.

    Args:
        config: What is to be taken.
        folder: Where configurations are kept.

    Example:
        >>> config = CloudStorageConfig("aws", bucket_name="models", secret_access_key="hunter2")
        >>> [line.value for line in explain_config(config, Path("/nowhere"))][:3]
        ['aws', 's3://models', 'a secret in plain text; it is kept, and never shown']
    """
    lines = [ConfigLine("provider", config.provider), _place_line(config)]
    if config.credentials_file:
        lines.append(_file_line("credentials_file", config.credentials_file))
    said = {name: str(getattr(config, name)) for name in ("region", "storage_class")}
    lines += [ConfigLine(name, value) for name, value in said.items() if value]
    if config.encryption:
        lines.append(ConfigLine("encryption", "yes" if config.encryption is True else str(config.encryption)))
    if config.public_access:
        lines.append(ConfigLine("public_access", "yes", "warning", "a bucket that is made is open to everybody"))
    lines += [_option_line(config, name) for name in config.options]
    target = config_file(config.provider, folder)
    if target.exists():
        lines.append(ConfigLine("kept in", str(target), "warning", "it takes the place of the configuration there"))
    else:
        lines.append(ConfigLine("kept in", str(target)))
    return lines


def _place_line(config: CloudStorageConfig) -> ConfigLine:
    is_new = config.provider in {"local", "mock"} and not Path(config.bucket_name).expanduser().is_dir()
    return ConfigLine("place", config.uri, "warning" if is_new else "ok", "there is no such folder" if is_new else "")


def _file_line(name: str, path: str) -> ConfigLine:
    is_there = Path(path).is_file()
    return ConfigLine(name, path, "ok" if is_there else "warning", "" if is_there else "there is no such file here")


def _option_line(config: CloudStorageConfig, name: str) -> ConfigLine:
    value = config.options[name]
    if isinstance(value, Secret) and value.origin:
        return ConfigLine(name, str(value.origin))
    if config.has_plain_secret(name):
        return ConfigLine(name, _PLAIN_SECRET)
    if name == "endpoint" and not str(value).startswith("https://"):
        return ConfigLine(name, redact(str(value)), "warning", "without encryption on the way")
    return ConfigLine(name, redact(str(value)))
