"""What the pages work on: the journal, and the places that may be looked into."""

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from starlette.requests import Request

from skyhold.components.config import CloudStorageConfig
from skyhold.dashboard.campaign_desk import CampaignDesk
from skyhold.dashboard.index_tasks import IndexTasks
from skyhold.dashboard.place import Place
from skyhold.dashboard.sync_tasks import SyncTasks
from skyhold.errors import KeyNotFoundError
from skyhold.runs.journal import Journal

__all__ = ["Desk", "desk_of", "place_of"]


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

    def wait(self, timeout_s: float) -> None:
        """Wait until what was at work here has ended in good order, since the dashboard closes; but not for ever."""
        until = time.monotonic() + timeout_s
        for work in (*self.campaigns.works(), *self.syncs.tasks.values(), *self.indexes.tasks.values()):
            work.wait(max(0.0, until - time.monotonic()))

    def place(self, name: str) -> Place:
        """Return a place, or a campaign that lies right in one.

        Raises:
            KeyNotFoundError: There is none of this name.
        """
        found = self.places.get(name) or self.campaigns.place(name)
        if found is None:
            raise KeyNotFoundError(
                "this dashboard shows no such place",
                operation="open",
                uri=name,
                remedy="Choose one under Storage, or start skyhold ui with its URI",
            )
        return found


def desk_of(request: Request) -> Desk:
    """Return the desk of the dashboard that was asked."""
    return request.app.state.desk


def place_of(request: Request) -> Place:
    """Return the place that the page's address names.

    Raises:
        KeyNotFoundError: There is none of this name.
    """
    return desk_of(request).place(request.path_params["place"])
