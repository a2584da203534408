"""A weather station's entry in an index, and what is found by asking one."""

from dataclasses import dataclass

__all__ = ["Match", "Near", "Station"]


@dataclass(frozen=True, slots=True)
class Station:
    """One weather file, and where it is from. A place may have several: of other years, or from other makers.

    Attributes:
        name: The station's name, as its source spells it.
        country: Mostly an ISO 3166 code of three letters.
        wmo: The WMO number, as text, since it may begin with 0.
        latitude: Degrees, north positive.
        longitude: Degrees, east positive.
        elevation_m: Metres above the sea.
        time_zone_h: Hours ahead of UTC, without daylight saving.
        uri: The file: an EPW, or a zip that holds one.
        state: State or province; empty where there is none.
        source: The kind of data, such as ``"TMY3"``.
        climate_zone: ASHRAE's, such as ``"5A"``; empty where it is not known: EPW files do not tell theirs.
    """

    name: str
    country: str
    wmo: str
    latitude: float
    longitude: float
    elevation_m: float
    time_zone_h: float
    uri: str
    state: str = ""
    source: str = ""
    climate_zone: str = ""

    @property
    def url(self) -> str:
        """The same as ``uri``."""
        return self.uri

    def __str__(self) -> str:
        """Return name, state and country."""
        return ", ".join(part for part in (self.name, self.state, self.country) if part)


@dataclass(frozen=True, slots=True)
class Match:
    """A station found by its name; ``score`` is 1 for one that has every word in full, and above 0 for any."""

    station: Station
    score: float


@dataclass(frozen=True, slots=True)
class Near:
    """A station found by its place, and how far it is along the surface of the earth."""

    station: Station
    distance_km: float
