"""Profiles that need a conversation: SSO, roles, processes. boto3 (the extra ``aws``) holds it."""

import importlib
from datetime import datetime
from typing import Any

from skyhold.config import redact
from skyhold.errors import CredentialsError, MissingExtraError
from skyhold.storage.credentials.aws_files import AwsFiles
from skyhold.storage.credentials.providers import FetchingProvider

__all__ = ["open_boto_profile"]

# A profile must not end in the role of the machine, unless it says so.
_MACHINE = frozenset({"iam-role", "container-role", "env"})


def open_boto_profile(label: str, name: str, files: AwsFiles, reason: str) -> FetchingProvider:
    """Return the provider of a profile that boto3 must resolve.

    Args:
        label: The identity in words.
        name: The profile.
        files: The files that it stands in.
        reason: The entry that makes boto3 necessary.

    Raises:
        MissingExtraError: boto3 is not installed.
    """
    try:
        botocore_session = importlib.import_module("botocore.session")
        botocore_errors = importlib.import_module("botocore.exceptions")
    except ImportError as error:
        raise MissingExtraError.of("aws", f"{label}: its entry {reason!r}") from error
    # An explicitly named profile makes botocore leave the keys of the environment alone.
    session: Any = botocore_session.Session(profile=name)
    for variable, path in (("credentials_file", files.credentials_path), ("config_file", files.config_path)):
        if path is not None:
            session.set_config_variable(variable, str(path))
    source = _BotoSource(label, session, botocore_errors.BotoCoreError, botocore_errors.ClientError)
    return FetchingProvider(label, source.fetch, f"{name} {files.credentials_path} {files.config_path}")


class _BotoSource:
    def __init__(self, label: str, session: Any, *errors: type[Exception]) -> None:
        self._label = label
        self._session = session
        self._errors = errors
        self._credentials: Any = None

    def fetch(self) -> dict[str, Any]:
        try:
            if self._credentials is None:
                self._credentials = self._session.get_credentials()
            if self._credentials is None or self._credentials.method in _MACHINE:
                raise CredentialsError(f"{self._label}: boto3 finds no credentials in it")
            frozen = self._credentials.get_frozen_credentials()
        except self._errors as error:
            raise CredentialsError(
                f"{self._label}: {redact(str(error))}",
                remedy="Renew the session (SSO: aws sso login), or correct the profile",
            ) from error
        # boto3 tells the end of credentials nowhere else; obstore's own provider claims 30 minutes whatever is left.
        expires_at: datetime | None = getattr(self._credentials, "_expiry_time", None)
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": expires_at,
        }
