"""``~/.aws/credentials`` and ``~/.aws/config``, read without boto3."""

import configparser
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from skyhold.errors import CredentialsError
from skyhold.storage.credentials.json_file import expand_path, is_there

__all__ = ["AwsFiles", "AwsProfile", "read_aws_files"]

# What needs a conversation with AWS or another program, which boto3 holds.
_DYNAMIC = (
    "role_arn",
    "source_profile",
    "credential_source",
    "web_identity_token_file",
    "sso_session",
    "sso_start_url",
    "sso_account_id",
    "login_session",
    "credential_process",
)
_STATIC = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")


@dataclass(frozen=True, slots=True)
class AwsProfile:
    """A profile, merged from both files; the credentials file wins.

    Attributes:
        name: Without the word ``profile``.
        values: Its entries.
        file: Which file holds its keys, or any of it.
        endpoint: Its endpoint for S3, from its services section or its own.
    """

    name: str
    values: dict[str, str] = field(repr=False)
    file: Path
    endpoint: str = ""

    @property
    def static(self) -> dict[str, str]:
        """The entries that are keys."""
        return {name: self.values[name] for name in _STATIC if self.values.get(name)}

    @property
    def dynamic(self) -> str:
        """The entry that says that the keys must be fetched, or the empty text."""
        found = next((name for name in _DYNAMIC if self.values.get(name)), "")
        # As in botocore, keys that stand there come before a process that would make some.
        return "" if found == "credential_process" and self.static else found


@dataclass(frozen=True, slots=True)
class AwsFiles:
    """Both files."""

    profiles: dict[str, AwsProfile]
    credentials_path: Path | None
    config_path: Path | None

    def named(self, name: str) -> AwsProfile:
        """Return a profile.

        Raises:
            CredentialsError: There is none of this name; the message lists those that there are.
        """
        if name in self.profiles:
            return self.profiles[name]
        known = ", ".join(sorted(self.profiles)) or "none"
        raise CredentialsError(
            f"no profile {name!r} in {self.credentials_path} or {self.config_path}; there is: {known}",
            remedy=f"Name one of them, or run: aws configure --profile {name}",
        )


def read_aws_files(environment: Mapping[str, str]) -> AwsFiles:
    """Return the profiles of ``AWS_SHARED_CREDENTIALS_FILE`` and ``AWS_CONFIG_FILE``, by default in ``~/.aws``.

    Raises:
        CredentialsError: A file cannot be read or understood.
    """
    credentials_path = _path("AWS_SHARED_CREDENTIALS_FILE", "credentials", environment)
    config_path = _path("AWS_CONFIG_FILE", "config", environment)
    credentials, config = _sections(credentials_path), _sections(config_path)
    services = {_second(name): values for name, values in config.items() if name.startswith("services ")}
    profiles: dict[str, AwsProfile] = {}
    for section, values in config.items():
        name = section if section == "default" else _second(section) if section.startswith("profile ") else ""
        if name and config_path:
            profiles[name] = AwsProfile(name, dict(values), config_path)
    for name, values in credentials.items():
        merged = {**profiles[name].values, **values} if name in profiles else dict(values)
        if credentials_path:
            profiles[name] = AwsProfile(name, merged, credentials_path)
    with_endpoints = {
        name: AwsProfile(name, profile.values, profile.file, _endpoint(profile.values, services))
        for name, profile in profiles.items()
    }
    return AwsFiles(with_endpoints, credentials_path, config_path)


def parse_nested(text: str) -> dict[str, str]:
    """Return the entries of a nested section, such as ``s3 =`` with indented lines below."""
    lines = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, _, value in lines}


def _endpoint(values: Mapping[str, str], services: Mapping[str, Mapping[str, str]]) -> str:
    service = services.get(values.get("services", ""), {})
    return parse_nested(service.get("s3", "")).get("endpoint_url", "") or values.get("endpoint_url", "")


def _path(variable: str, name: str, environment: Mapping[str, str]) -> Path | None:
    if named := environment.get(variable):
        return expand_path(named, environment)
    home = environment.get("HOME")
    return Path(home) / ".aws" / name if home else None


def _second(section: str) -> str:
    try:
        parts = shlex.split(section)
    except ValueError:
        parts = section.split(maxsplit=1)
    return parts[1] if len(parts) > 1 else ""


def _sections(path: Path | None) -> dict[str, dict[str, str]]:
    if path is None or not is_there(path):
        return {}
    parser = configparser.RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CredentialsError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    except (configparser.Error, UnicodeDecodeError) as error:
        # The parser's message quotes the line, which may hold a secret.
        line = getattr(error, "lineno", None) or next((number for number, _ in getattr(error, "errors", ())), "?")
        raise CredentialsError(f"{str(path)!r} cannot be understood at line {line}") from None
    return {name: {key: value.strip() for key, value in parser.items(name)} for name in parser.sections()}
