"""Connection profiles as they may be shown: where their secrets are kept, and never what they are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from skyhold.config import SecretOrigin, is_secret_name, profiles_path, read_tables, redact

__all__ = ["Profile", "list_profiles"]

_REDACTED = "**redacted**"


@dataclass(frozen=True, slots=True)
class Profile:
    """A connection profile, as it may be shown: secrets are told by their place alone.

    Attributes:
        name: Its table.
        uri: The bucket or prefix that it is for; empty where it does not say.
        settings: Its options.
    """

    name: str
    uri: str
    settings: Mapping[str, str]


def list_profiles(path: str | os.PathLike[str] | None = None) -> list[Profile]:
    r"""Return all connection profiles without their secrets, which are not read; none where there is no file.

    Args:
        path: The file; by default `profiles_path`.

    Raises:
        ConfigError: The file cannot be used.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "profiles.toml"
        >>> _ = file.write_text("[minio]\nuri = 's3://models'\nsecret_access_key = {env = 'MINIO_KEY'}\n")
        >>> list_profiles(file)
        [Profile(name='minio', uri='s3://models', settings={'secret_access_key': 'environment variable MINIO_KEY'})]
    """
    file = profiles_path() if path is None else Path(path)
    tables = read_tables(file) if file.exists() else {}
    return [
        Profile(
            name,
            str(_as_table(table).get("uri", "")),
            {option: _shown(option, value) for option, value in _as_table(table).items() if option != "uri"},
        )
        for name, table in tables.items()
    ]


def _shown(option: str, value: Any) -> str:
    for kind, place in _as_table(value).items():
        return str(SecretOrigin(kind, str(place))) if kind in {"env", "file"} else _REDACTED
    return _REDACTED if is_secret_name(option) else redact(str(value))


def _as_table(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
