"""Addresses of pages that other pages lead to."""

from urllib.parse import urlencode

from skyhold.dashboard.desk import Place

__all__ = ["folder_link"]


def folder_link(place: Place, prefix: str) -> str:
    """Return the address of a folder's page.

    Example:
        >>> folder_link(Place("b-1", "s3://b"), "a&b/")
        '/storage/b-1?prefix=a%26b%2F'
    """
    return f"/storage/{place.name}?{urlencode({'prefix': prefix}, errors='surrogatepass')}"
