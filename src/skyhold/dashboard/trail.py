"""Where a page is: the steps from the places down to an object."""

from dataclasses import dataclass
from urllib.parse import urlencode

from skyhold.dashboard.place import Place

__all__ = ["Crumb", "folder_of", "trail_of"]


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step: its name, and its page; the last step is the page that is shown, and no link."""

    name: str
    target: str = ""


def folder_of(key: str) -> str:
    """Return the prefix that a key or a folder lies in.

    Example:
        >>> folder_of("a/b/c.csv"), folder_of("a/b/"), folder_of("c.csv")
        ('a/b/', 'a/', '')
    """
    return key[: key.rstrip("/").rfind("/") + 1]


def trail_of(place: Place, key: str) -> list[Crumb]:
    """Return the steps to a folder or an object of a place.

    Example:
        >>> [crumb.name for crumb in trail_of(Place("b-1", "s3://b"), "a/c.csv")]
        ['Storage', 's3://b', 'a', 'c.csv']
    """
    crumbs = [Crumb("Storage", "/storage"), Crumb(place.shown_uri, f"/storage/{place.name}")]
    parts = key.rstrip("/").split("/") if key else []
    for number, part in enumerate(parts, 1):
        prefix = "/".join(parts[:number]) + "/"
        crumbs.append(Crumb(part, f"/storage/{place.name}?{urlencode({'prefix': prefix})}"))
    return crumbs
