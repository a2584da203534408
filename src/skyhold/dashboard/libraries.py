"""Libraries behind places, and the addresses of their components' pages."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from skyhold.components.config import CloudStorageConfig
from skyhold.components.layout import LIBRARY
from skyhold.components.library import Library
from skyhold.components.manager import CloudStorageManager
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.place import Place
from skyhold.dashboard.trail import Crumb

__all__ = ["HOME", "Shelf", "is_library", "shelf_of"]

HOME = Crumb("Cloud Storage", "/components")


class Shelf:
    """A place seen as a library.

    Args:
        place: Which.
        config: The provider's configuration that it was made from, if it was.
    """

    def __init__(self, place: Place, config: CloudStorageConfig | None = None) -> None:
        self.place = place
        self._config = config

    @property
    def address(self) -> str:
        """The page of its components."""
        return f"/components/{self.place.name}"

    def library(self, *, hasty: bool = True) -> Library:
        """Return the library.

        Args:
            hasty: Give up soon, since somebody waits for a page.

        Raises:
            SkyholdError: As `open_store`.
        """
        if self._config is not None and not hasty:  # knows the storage class of contents, which only writing asks for
            return CloudStorageManager(self._config, log_file=None).library
        return Library(self.place.open(hasty=hasty))

    def link(self, page: str, component_id: str, **query: Any) -> str:
        r"""Return the address of a page about a component.

        Example:
            >>> Shelf(Place("lab-1", "memory://lab")).link("component", "a b/c&d.stl", version=2)
            '/components/lab-1/component?id=a+b%2Fc%26d.stl&version=2'
        """
        fields: Mapping[str, Any] = {"id": component_id, **query}
        return f"{self.address}/{page}?{urlencode(fields, errors='surrogatepass')}"

    def trail(self, component_id: str = "", *steps: str) -> list[Crumb]:
        """Return the steps to the library, a component of it, and a page about that."""
        crumbs = [HOME, Crumb(self.place.shown_uri, self.address)]
        if component_id:
            crumbs.append(Crumb(component_id, self.link("component", component_id)))
        return [*crumbs, *(Crumb(step) for step in steps)]


def shelf_of(request: Request) -> Shelf:
    """Return the place that the page's address names, as a library.

    Raises:
        KeyNotFoundError: There is no such place.
    """
    place = place_of(request)
    return Shelf(place, desk_of(request).configured.get(place.name))


def is_library(place: Place) -> bool:
    """Return whether components were ever published there.

    Raises:
        SkyholdError: It cannot be found out.
    """
    return place.open().exists(LIBRARY)
