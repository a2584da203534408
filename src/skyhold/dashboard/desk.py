"""What the pages work on: the journal, and the places that may be looked into."""

import hashlib
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.requests import Request

from skyhold.components.config import CloudStorageConfig
from skyhold.config import load_profile
from skyhold.dashboard.campaign_desk import CampaignDesk
from skyhold.dashboard.index_tasks import IndexTasks
from skyhold.dashboard.sync_tasks import SyncTasks
from skyhold.errors import KeyNotFoundError
from skyhold.runs.journal import Journal
from skyhold.storage.contract import Store
from skyhold.storage.diagnosis import open_diagnosis
from skyhold.storage.location import parse_location, redact_uri
from skyhold.storage.opening import open_store

__all__ = ["Desk", "Place", "desk_of", "make_place", "place_of"]

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

    def connection(self) -> str:
        """Return what tells this connection from others: where, by which endpoint, and as whom.

        Raises:
            SkyholdError: As `open_store`: without an identity nobody is told what another one has seen.
        """
        diagnosis = open_diagnosis(self.uri, **self.all_options())
        return f"{diagnosis.uri}\n{diagnosis.endpoint}\n{diagnosis.identity}\n{self.profile}"


@dataclass
class Desk:
    """What one dashboard shows.

    Attributes:
        journal: Where runs are listed.
        places: What may be looked into, by name.
        may_open: Whether pages may open further places; not where other machines reach the dashboard.
        configured: The configurations that places were made from, by the places' names.
        offered: Configurations that were shown, and not taken yet, by a number.
        folder: Where configurations of providers are kept.
        syncs: What is kept in step with folders.
        indexes: Indexes that are being made.
        campaigns: What is known of campaigns.
        front: The place that is shown first, if it is a campaign; empty for none.
        closing: Set when the dashboard stops, so that what streams to pages ends; setting it stops the dashboard.
    """

    journal: Journal
    places: dict[str, Place] = field(default_factory=dict[str, Place])
    may_open: bool = True
    configured: dict[str, CloudStorageConfig] = field(default_factory=dict[str, CloudStorageConfig])
    offered: dict[str, CloudStorageConfig] = field(default_factory=dict[str, CloudStorageConfig])
    folder: Path = field(default_factory=Path.cwd)
    syncs: SyncTasks = field(default_factory=SyncTasks)
    indexes: IndexTasks = field(default_factory=IndexTasks)
    campaigns: CampaignDesk = field(default_factory=CampaignDesk)
    front: str = ""
    closing: threading.Event = field(default_factory=threading.Event)

    def add(self, places: Iterable[Place]) -> None:
        """Show further places."""
        self.places |= {place.name: place for place in places}

    def place(self, name: str) -> Place:
        """Return a place.

        Raises:
            KeyNotFoundError: There is none of this name.
        """
        try:
            return self.places[name]
        except KeyError:
            raise KeyNotFoundError(
                "this dashboard shows no such place",
                operation="open",
                uri=name,
                remedy="Choose one under Storage, or start skyhold ui with its URI",
            ) from None


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


def desk_of(request: Request) -> Desk:
    """Return the desk of the dashboard that was asked."""
    return request.app.state.desk


def place_of(request: Request) -> Place:
    """Return the place that the page's address names.

    Raises:
        KeyNotFoundError: There is none of this name.
    """
    return desk_of(request).place(request.path_params["place"])
