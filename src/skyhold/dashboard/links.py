"""Addresses of pages that other pages lead to."""

from urllib.parse import urlencode

from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place
from skyhold.errors import BadUriError
from skyhold.storage.location import parse_location

__all__ = ["find_place", "folder_link", "object_link"]


def folder_link(place: Place, prefix: str) -> str:
    """Return the address of a folder's page.

    Example:
        >>> folder_link(Place("b-1", "s3://b"), "a&b/")
        '/storage/b-1?prefix=a%26b%2F'
    """
    return f"/storage/{place.name}?{urlencode({'prefix': prefix}, errors='surrogatepass')}"


def find_place(desk: Desk, uri: str) -> tuple[Place, str] | None:
    """Return the nearest place that a URI is in, and what follows there; None where it is in none.

    Raises:
        BadUriError: The URI cannot be read.
    """
    wanted = _whole(uri)
    for place in sorted(desk.places.values(), key=lambda each: -len(each.uri)):
        whole = _whole(place.uri)
        if wanted == whole or wanted.startswith(f"{whole}/"):
            return place, wanted.removeprefix(whole).removeprefix("/")
    return None


def object_link(desk: Desk, uri: str) -> str:
    """Return the address of an object's page; empty where the dashboard shows no place that it is in."""
    try:
        found = find_place(desk, uri)
    except BadUriError:  # what runs name need not be in a store
        return ""
    if found is None or not found[1]:
        return ""
    return f"/storage/{found[0].name}/object?{urlencode({'key': found[1]}, errors='surrogatepass')}"


def _whole(uri: str) -> str:
    location = parse_location(uri)
    return f"{location.scheme}:{location.container}/{location.key}".rstrip("/")
