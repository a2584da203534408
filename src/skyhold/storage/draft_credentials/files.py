"""JSON files that hold credentials, in the forms that people have."""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from skyhold.errors import CredentialsError

__all__ = ["read_json_credentials"]

_LOG = logging.getLogger("skyhold.storage")

_EXAMPLES = {
    "s3": '{"aws_access_key_id": "…", "aws_secret_access_key": "…", "region": "us-east-1"}',
    "az": '{"connection_string": "…"} or {"account_name": "…", "account_key": "…"}',
    "gs": "the service account's JSON key as Google gives it",
}


def read_json_credentials(path: str, scheme: str) -> dict[str, Any]:
    """Return what a credentials file holds, as options.

    Raises:
        CredentialsError: It is missing, not JSON, or of no known form. Names found are told, values never.
    """
    file = Path(path).expanduser()
    try:
        content = json.loads(file.read_text())
    except OSError as error:
        raise CredentialsError(
            f"the credentials file {path!r} cannot be read: {error.strerror}", remedy=f"Write it: {_EXAMPLES[scheme]}"
        ) from error
    except ValueError as error:
        raise CredentialsError(
            f"the credentials file {path!r} is not JSON", remedy=f"Write it as {_EXAMPLES[scheme]}"
        ) from error
    if file.stat().st_mode & 0o077:
        _LOG.warning("the credentials file %r can be read by others; run: chmod 600 %r", path, path)
    if not isinstance(content, Mapping):
        raise CredentialsError(f"the credentials file {path!r} holds no object", remedy=f"Write {_EXAMPLES[scheme]}")
    return _options(path, scheme, dict(cast("Mapping[str, Any]", content)))


def _options(path: str, scheme: str, content: dict[str, Any]) -> dict[str, Any]:
    if scheme == "gs":
        if content.get("type") in {"service_account", "authorized_user", "external_account"}:
            return {"application_credentials": str(Path(path).expanduser())}
    elif scheme == "s3" and isinstance(content.get("Credentials"), Mapping):
        temporary = cast("Mapping[str, Any]", content["Credentials"])
        return {
            "access_key_id": temporary.get("AccessKeyId"),
            "secret_access_key": temporary.get("SecretAccessKey"),
            "session_token": temporary.get("SessionToken"),
        }
    else:
        known = {name.lower(): value for name, value in content.items()}
        wanted = {"s3": {"aws_access_key_id", "access_key_id"}, "az": {"connection_string", "account_name"}}[scheme]
        if wanted & known.keys():
            return known
    raise CredentialsError(
        f"the credentials file {path!r} holds {sorted(content)}, which is no form that {scheme}:// knows",
        remedy=f"Write it as {_EXAMPLES[scheme]}",
    )
