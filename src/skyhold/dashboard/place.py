"""A bucket, prefix or folder that the dashboard shows."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from skyhold.config import load_profile
from skyhold.storage.contract import Store
from skyhold.storage.diagnosis import open_diagnosis
from skyhold.storage.location import parse_location, redact_uri
from skyhold.storage.opening import open_store

__all__ = ["Place", "make_place"]

# A page does not wait as long as a copy would; what moves content has the usual patience.
_HASTY: Mapping[str, Any] = {"retries": 2, "retry_timeout_s": 15, "timeout_s": 20}
_SLUG = re.compile(r"[^a-z0-9]+")
_LOCAL = {"file", "memory", "mock"}


@dataclass(frozen=True)
class Place:
    """A bucket, prefix or folder that the dashboard shows.

    Attributes:
        name: Stands for it in addresses of pages; the same each time.
        uri: Where it is.
        profile: The connection profile that it is opened with; empty for none.
        options: Further options; they may hold secrets, and no page shows them.
    """

    name: str
    uri: str
    profile: str = ""
    options: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)

    @property
    def shown_uri(self) -> str:
        """Its URI as pages show it."""
        return redact_uri(self.uri)

    def all_options(self) -> dict[str, Any]:
        """Return the options to open it with; plain folders and memory take none."""
        if parse_location(self.uri).scheme in _LOCAL:
            return {}
        return {**(load_profile(self.profile) if self.profile else {}), **self.options}

    def open(self, *, hasty: bool = True) -> Store:
        """Return the store.

        Args:
            hasty: Give up soon, since somebody waits for a page.

        Raises:
            SkyholdError: As `open_store`.
        """
        return open_store(self.uri, **{**(_HASTY if hasty else {}), **self.all_options()})

    def below(self, prefix: str) -> "Place":
        """Return a folder of it as a place, opened with the same options.

        Example:
            >>> Place("b-1", "s3://b/models").below("year/").uri
            's3://b/models/year'
        """
        if not prefix.strip("/"):
            return self
        found = make_place(f"{self.uri.rstrip('/')}/{prefix.strip('/')}", self.profile)
        return replace(found, options=self.options)

    def connection(self) -> str:
        """Return what tells this connection from others: where, by which endpoint, and as whom.

        Raises:
            SkyholdError: As `open_store`: without an identity nobody is told what another one has seen.
        """
        diagnosis = open_diagnosis(self.uri, **self.all_options())
        return f"{diagnosis.uri}\n{diagnosis.endpoint}\n{diagnosis.identity}\n{self.profile}"


def make_place(uri: str, profile: str = "", options: Mapping[str, Any] | None = None) -> Place:
    """Return a place for a URI, named after it.

    Raises:
        BadUriError: The URI cannot be read.

    Example:
        >>> make_place("s3://models/2024").name
        'models-2024-ff37d6'
    """
    location = parse_location(uri)
    uri = location.container if location.scheme == "file" else uri  # a relative path means another place elsewhere
    where = f"{location.container}/{location.key}".rstrip("/")
    slug = _SLUG.sub("-", "/".join(where.split("/")[-2:]).lower()).strip("-")
    digest = hashlib.sha256(f"{uri}\n{profile}".encode("utf-8", "surrogatepass")).hexdigest()
    return Place(f"{slug}-{digest[:6]}".strip("-"), uri, profile, dict(options or {}))
