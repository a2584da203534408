"""From the URI of a campaign to the place of the dashboard that it is."""

from starlette.requests import Request

from skyhold.dashboard.desk import desk_of
from skyhold.dashboard.links import find_place
from skyhold.dashboard.place import Place, make_place
from skyhold.dashboard.trail import Crumb
from skyhold.errors import AccessDeniedError

__all__ = ["HOME", "campaign_address", "campaign_trail", "open_campaign"]

HOME = Crumb("Campaigns", "/campaigns")


def campaign_address(place: Place) -> str:
    """Return the address of a campaign's page."""
    return f"/campaigns/{place.name}"


def campaign_trail(place: Place, *steps: str) -> list[Crumb]:
    """Return the steps to a campaign and a page about it."""
    return [HOME, Crumb(place.shown_uri, campaign_address(place)), *(Crumb(step) for step in steps)]


def open_campaign(request: Request, uri: str) -> Place:
    """Return the place of a campaign, which the dashboard shows from now on: a known one, or a folder of one.

    Raises:
        AccessDeniedError: It is none of them, and pages may open no further places.
        BadUriError: The URI cannot be read.
    """
    desk = desk_of(request)
    found = find_place(desk, uri)
    if found is None and not desk.may_open:
        raise AccessDeniedError(
            "pages of a dashboard that other machines reach open no further places",
            operation="open",
            remedy="Start skyhold ui with the campaign's URI",
        )
    place = found[0].below(found[1]) if found else make_place(uri)
    desk.add([place])
    return place
