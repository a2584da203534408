"""From the URI of a campaign to the place of the dashboard that it is."""

from dataclasses import replace

from starlette.requests import Request

from skyhold.dashboard.desk import Desk, Place, desk_of, make_place, place_of
from skyhold.dashboard.trail import Crumb
from skyhold.errors import AccessDeniedError
from skyhold.storage.location import parse_location

__all__ = ["HOME", "campaign_address", "campaign_trail", "open_campaign", "place_below", "place_of"]

HOME = Crumb("Campaigns", "/campaigns")


def campaign_address(place: Place) -> str:
    """Return the address of a campaign's page."""
    return f"/campaigns/{place.name}"


def campaign_trail(place: Place, *steps: str) -> list[Crumb]:
    """Return the steps to a campaign and a page about it."""
    return [HOME, Crumb(place.shown_uri, campaign_address(place)), *(Crumb(step) for step in steps)]


def place_below(place: Place, prefix: str) -> Place:
    """Return a folder of a place as a place, opened with the same options.

    Example:
        >>> place_below(Place("b-1", "s3://b/models"), "year/").uri
        's3://b/models/year'
    """
    if not prefix.strip("/"):
        return place
    found = make_place(f"{place.uri.rstrip('/')}/{prefix.strip('/')}", place.profile)
    return replace(found, options=place.options)


def open_campaign(request: Request, uri: str) -> Place:
    """Return the place of a campaign, which the dashboard shows from now on: a known one, or a folder of one.

    Raises:
        AccessDeniedError: It is none of them, and pages may open no further places.
        BadUriError: The URI cannot be read.
    """
    desk = desk_of(request)
    place = _known(desk, uri)
    if place is None:
        if not desk.may_open:
            raise AccessDeniedError(
                "pages of a dashboard that other machines reach open no further places",
                operation="open",
                remedy="Start skyhold ui with the campaign's URI",
            )
        place = make_place(uri)
    desk.add([place])
    return place


def _known(desk: Desk, uri: str) -> Place | None:
    wanted = _whole(uri)
    for place in sorted(desk.places.values(), key=lambda each: -len(each.uri)):
        whole = _whole(place.uri)
        if wanted == whole:
            return place
        if wanted.startswith(f"{whole}/"):
            return place_below(place, wanted.removeprefix(f"{whole}/"))
    return None


def _whole(uri: str) -> str:
    location = parse_location(uri)
    return f"{location.scheme}:{location.container}/{location.key}".rstrip("/")
