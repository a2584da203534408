"""Credentials files in JSON."""

import json
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from skyhold.errors import CredentialsError

__all__ = ["expand_path", "is_there", "read_json_file", "unusable", "warn_if_others_may_read"]

_LOG = logging.getLogger("skyhold.storage.credentials")
_warned: set[str] = set()

EXAMPLES = {
    "s3": '{"aws_access_key_id": "...", "aws_secret_access_key": "...", "region": "us-east-1"}',
    "az": '{"connection_string": "..."} or {"account_name": "...", "account_key": "..."}',
    "gs": 'a service account\'s key file, {"type": "service_account", ...}',
}


def expand_path(name: str, environment: Mapping[str, str]) -> Path:
    """Return a path with ``~`` expanded by the given environment's ``HOME``."""
    home = environment.get("HOME", "")
    if home and (name == "~" or name.startswith("~/")):
        return Path(home) / name[2:]
    return Path(name)


def is_there(path: Path) -> bool:
    """Return whether a file is there; one in a folder that may not be searched, as another user's home, is not."""
    try:
        return path.is_file()
    except PermissionError:
        return False


def read_json_file(name: str, environment: Mapping[str, str], scheme: str) -> dict[str, Any]:
    """Return the object in a credentials file.

    Raises:
        CredentialsError: It is missing, unreadable, or no JSON object.
    """
    path = expand_path(name, environment)
    example = f"Write it as {EXAMPLES[scheme]}"
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise CredentialsError(
            f"cannot read the credentials file {name!r}: {error.strerror or error}", remedy=example
        ) from error
    except ValueError as error:
        # A decoder's error carries the whole text, which may hold secrets: it is not chained.
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise CredentialsError(f"the credentials file {name!r} is not valid JSON{where}", remedy=example) from None
    if not isinstance(value, dict):
        raise CredentialsError(f"the credentials file {name!r} holds no JSON object", remedy=example)
    warn_if_others_may_read(path)
    return cast("dict[str, Any]", value)


def unusable(name: str, found: Mapping[str, Any], scheme: str, why: str = "") -> CredentialsError:
    """Return the error for a file with other content: it names the keys found, never their values."""
    keys = ", ".join(repr(str(key)) for key in sorted(found)) or "none"
    return CredentialsError(
        f"the credentials file {name!r} {why or 'is of no known form'}; its keys are: {keys}",
        remedy=f"Write it as {EXAMPLES[scheme]}",
    )


def warn_if_others_may_read(path: Path) -> None:
    """Warn, once for each file, when a file of secrets is readable by other users."""
    if os.name != "posix" or str(path) in _warned:
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IRGRP | stat.S_IROTH):
        _warned.add(str(path))
        _LOG.warning("%s holds credentials and may be read by others (mode %04o); run: chmod 600 %s", path, mode, path)
