"""Which campaigns there are: places that are one, and folders that lie right in a place."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from skyhold.dashboard.place import Place
from skyhold.errors import SkyholdError
from skyhold.runs.asked import redact_text
from skyhold.runs.receipt import Receipt
from skyhold.simulation.survey import Look, find_campaigns
from skyhold.storage.location import parse_location

__all__ = ["CampaignList", "Listed"]

_LOG = logging.getLogger("skyhold.dashboard")
_FRESH_S = 2.0
_SEARCHED_S = 60.0


@dataclass(frozen=True, slots=True)
class Listed:
    """A campaign among others.

    Attributes:
        name: Of its place.
        uri: Where it is.
        look: How it stood when it was last looked at.
        receipts: What its workers have left, the newest first.
    """

    name: str
    uri: str
    look: Look
    receipts: tuple[Receipt, ...]


class CampaignList:
    """Looks for campaigns while pages are read, and not in their time.

    Args:
        note: Returns how a campaign stands.
    """

    def __init__(self, note: Callable[[Place], Listed]) -> None:
        self._note = note
        self._within: dict[str, tuple[Place, ...]] = {}
        self._searched: dict[str, float] = {}
        self._listed: dict[str, Listed] = {}
        self._listed_at = 0.0
        self._listing: threading.Thread | None = None
        self._lock = threading.Lock()

    def listed(self, places: Iterable[Place], *, wait_s: float = 0.0) -> list[Listed]:
        """Return the campaigns of some places, as far as they are known; others are looked for meanwhile.

        Args:
            places: Where to look: each may be a campaign, or have some right in it.
            wait_s: How long to wait for those that were never looked at.
        """
        asked = list(places)
        with self._lock:
            is_old = time.monotonic() - self._listed_at > _FRESH_S
            if asked and is_old and (self._listing is None or not self._listing.is_alive()):
                self._listing = threading.Thread(
                    target=self._look_for, args=(asked,), name="skyhold-campaigns", daemon=True
                )
                self._listing.start()
            listing = self._listing
        if listing is not None and not self._are_known(asked):
            listing.join(wait_s)
        return [found for place in self._campaigns(asked) if (found := self._listed.get(place.name)) is not None]

    def place(self, name: str) -> Place | None:
        """Return the place of a campaign that was found, by its name."""
        return next((each for found in list(self._within.values()) for each in found if each.name == name), None)

    def _are_known(self, places: list[Place]) -> bool:
        return all(place.name in self._searched for place in places) and all(
            each.name in self._listed for each in self._campaigns(places)
        )

    def _campaigns(self, places: list[Place]) -> list[Place]:
        """Return the campaigns of some places, each once: those first that are places themselves."""
        found: dict[tuple[str, str], Place] = {}
        for place in sorted(places, key=lambda each: each not in self._within.get(each.name, ())):
            for campaign in self._within.get(place.name, ()):
                location = parse_location(campaign.uri)
                where = f"{location.container}/{location.key}".rstrip("/")
                found.setdefault((location.scheme, where), campaign)
        return list(found.values())

    def _look_for(self, places: list[Place]) -> None:
        for place in places:
            if time.monotonic() - self._searched.get(place.name, -_SEARCHED_S) >= _SEARCHED_S:
                self._search(place)
        for campaign in self._campaigns(places):
            try:
                self._listed[campaign.name] = self._note(campaign)
            except SkyholdError as error:
                self._forget(campaign, error)
        self._listed_at = time.monotonic()

    def _search(self, place: Place) -> None:
        if place not in self._within.get(place.name, ()):
            try:
                self._within[place.name] = tuple(map(place.below, find_campaigns(place.open())))
            except SkyholdError as error:  # its own page says what is wrong with a place
                self._within.pop(place.name, None)
                _LOG.info("no campaigns are listed of %s: %s", place.shown_uri, redact_text(str(error)))
        self._searched[place.name] = time.monotonic()

    def _forget(self, campaign: Place, error: SkyholdError) -> None:
        """List a campaign no more that cannot be looked at, until it is found again."""
        _LOG.info("no campaign is listed of %s: %s", campaign.shown_uri, redact_text(str(error)))
        self._listed.pop(campaign.name, None)
        for name, found in list(self._within.items()):
            if campaign in found:
                self._within[name] = tuple(each for each in found if each != campaign)
                self._searched[name] = time.monotonic()
