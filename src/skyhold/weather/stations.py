"""The index of weather stations: by name, by place, by what they are."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false

import heapq
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from skyhold.errors import BadOptionError, WeatherError
from skyhold.weather.ranking import Ranking
from skyhold.weather.station import Match, Near, Station

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["StationIndex", "distance_km"]

_EARTH_RADIUS_KM = 6371.0088
_LATITUDE_MAX = 90
_LONGITUDE_MAX = 360


class StationIndex:
    """Weather stations, to be searched.

    Args:
        stations: The stations.
        source: Where they are from.
        problems: What is wrong with files that are in none of them, by URI.

    Example:
        >>> here = Station("Chicago-O'Hare", "USA", "725300", 41.98, -87.92, 201, -6, "s3://weather/ohare.epw", "IL")
        >>> there = Station("Miami Intl", "USA", "722020", 25.82, -80.30, 11, -5, "s3://weather/miami.epw", "FL")
        >>> index = StationIndex([here, there])
        >>> index.search("chicago")[0].station.wmo
        '725300'
        >>> near = index.nearest(25.76, -80.19)[0]
        >>> near.station.name, round(near.distance_km)
        ('Miami Intl', 13)
    """

    def __init__(
        self, stations: Sequence[Station], source: str = "", problems: Mapping[str, WeatherError] | None = None
    ) -> None:
        self.stations = tuple(stations)
        self.source = source
        self.problems = dict(problems or {})

    @classmethod
    def load(cls, uri: str | os.PathLike[str] | None = None, **options: Any) -> "StationIndex":
        """Return the stations of a folder, or the widest index that is installed; ``source`` says which.

        A folder's files are known by their headers, which are read by range requests, many at once. What was read is
        kept on this machine, so that the next load only lists the folder, and reads what is new or has changed. Files
        that are no EPW are left out, and `problems` says why.

        Args:
            uri: A prefix of a bucket, or a folder, with EPW files anywhere below. Without it: the index of the extra
                ``idf`` (some 70,000 files of the whole world) if that is installed, else the 16 files that come with
                the extra ``simulation``.
            **options: As `skyhold.open_store` takes them.

        Raises:
            WeatherError: No EPW file is there.
            MissingExtraError: No URI was given, and neither extra is installed.
        """
        from skyhold.weather.station_sources import ambient_stations, stations_in  # noqa: PLC0415 - brings pyarrow

        if uri is None:
            if options:
                raise BadOptionError(f"an index without a URI takes no options, found {', '.join(sorted(options))}")
            found = ambient_stations()
        else:
            found = stations_in(os.fspath(uri), options)
        return cls(found.stations, found.source, found.problems)

    def search(self, query: str, limit: int = 10) -> list[Match]:
        """Return the stations that words mean, the best first.

        Words are looked for in names, and as state, country or WMO number. Case, accents and apostrophes make no
        difference; the beginning of a word counts less than the whole, and a word that nobody has finds those spelt
        alike.

        Args:
            query: Such as ``"chicago"``, ``"ohare il"`` or ``"725300"``.
            limit: How many at most.
        """
        return self._ranking.search(query, limit)

    def nearest(self, latitude: float, longitude: float, n: int = 5) -> list[Near]:
        """Return the stations next to a place, the nearest first, with distances along the surface of the earth.

        Args:
            latitude: Degrees, north positive.
            longitude: Degrees, east positive.
            n: How many at most.

        Raises:
            BadOptionError: There is no such place.
        """
        if not (abs(latitude) <= _LATITUDE_MAX and abs(longitude) <= _LONGITUDE_MAX):
            raise BadOptionError(f"there is no latitude {latitude!r}, longitude {longitude!r} on the earth")
        found = (
            Near(station, distance_km(latitude, longitude, station.latitude, station.longitude))
            for station in self.stations
        )
        return heapq.nsmallest(n, found, key=lambda near: (near.distance_km, near.station.name))

    def filter(
        self,
        *,
        country: str | None = None,
        state: str | None = None,
        climate: str | None = None,
        source: str | None = None,
        elevation_m: tuple[float | None, float | None] = (None, None),
        newest: bool = False,
    ) -> "StationIndex":
        """Return an index of those stations that are all of this.

        Args:
            country: As the stations spell it, such as ``"USA"``; case makes no difference.
            state: As the stations spell it.
            climate: ASHRAE's zone or the beginning of it: ``"5"`` has 5A, 5B and 5C. EPW files do not tell theirs.
            source: The kind of data or the beginning of it: ``"TMYx"`` has ``"TMYx.2009-2023"``.
            elevation_m: The lowest and the highest; None for no limit.
            newest: Of several files of one place, only that with the newest data, by the years in its source.
        """
        low, high = elevation_m
        chosen = [
            station
            for station in self.stations
            if (country is None or station.country.casefold() == country.casefold())
            and (state is None or station.state.casefold() == state.casefold())
            and (climate is None or station.climate_zone.casefold().startswith(climate.casefold()))
            and (source is None or station.source.casefold().startswith(source.casefold()))
            and (low is None or station.elevation_m >= low)
            and (high is None or station.elevation_m <= high)
        ]
        return StationIndex(_newest_of(chosen) if newest else chosen, self.source, self.problems)

    def to_arrow(self) -> "pa.Table":
        """Return a row a station, with units in the fields' metadata."""
        from skyhold.weather.station_table import table_of  # noqa: PLC0415 - brings pyarrow

        return table_of(self.stations)

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Let any Arrow library read the table."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return len(self.stations)

    def __iter__(self) -> Iterator[Station]:
        return iter(self.stations)

    def __repr__(self) -> str:
        return f"<StationIndex of {len(self)} stations from {self.source!r}>"

    @cached_property
    def _ranking(self) -> Ranking:
        return Ranking(self.stations)


def _newest_of(stations: Sequence[Station]) -> list[Station]:
    newest: dict[tuple[str, str], Station] = {}
    for station in stations:
        place = (station.wmo or station.uri, station.name)
        if place not in newest or station.source > newest[place].source:
            newest[place] = station
    return list(newest.values())


def distance_km(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Return the length of the great circle between two places, on a sphere of the earth's mean radius.

    Example:
        >>> round(distance_km(0, 0, 0, 180))
        20015
    """
    one, other = math.radians(latitude), math.radians(other_latitude)
    north, east = (other - one) / 2, math.radians(other_longitude - longitude) / 2
    chord = math.sin(north) ** 2 + math.cos(one) * math.cos(other) * math.sin(east) ** 2
    return 2 * _EARTH_RADIUS_KM * math.asin(math.sqrt(min(1.0, chord)))
