"""Where an index of stations comes from: a folder of EPW files, another package's index, or the files of the engine."""

import importlib.util
import tempfile
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from skyhold.errors import KeyNotFoundError, MissingExtraError, WeatherError
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_object, open_store
from skyhold.weather.epw import read_header_of
from skyhold.weather.station import Station
from skyhold.weather.station_table import Entry, keep_index, kept_index

__all__ = ["FoundStations", "ambient_stations", "stations_in"]

_SUFFIX = ".epw"
_MOST_THREADS = 64
_WIDER = "idfkit"
_ENGINE = "pyenergyplus"
_ENGINE_PACKAGE = "pyenergyplus-lbnl"


@dataclass(frozen=True, slots=True)
class FoundStations:
    """What a source has.

    Attributes:
        source: What it is.
        stations: Each file that is one.
        problems: What is wrong with each of the others, by URI.
    """

    source: str
    stations: tuple[Station, ...]
    problems: Mapping[str, WeatherError] = field(default_factory=dict[str, WeatherError])


def stations_in(uri: str, options: Mapping[str, Any]) -> FoundStations:
    """Return the EPW files below a prefix or folder; only those that are new or have changed are read.

    Raises:
        WeatherError: There is no EPW file at all, or none that can be read.
    """
    store = open_store(uri, **options)
    source = redact_uri(store.uri)
    files = [info for info in store.list() if info.key.lower().endswith(_SUFFIX)]
    if not files:
        raise WeatherError(f"there is no EPW file under {source!r}", remedy="Name the folder that holds them")
    kept = {(entry.key, entry.e_tag, entry.size_bytes): entry for entry in kept_index(source)}
    known = {info.key: kept.get((info.key, info.e_tag, info.size_bytes)) for info in files if info.e_tag is not None}
    missing = [info for info in files if known.get(info.key) is None]
    read, problems = _read_headers(store, missing)
    entries = [entry for info in files if (entry := known.get(info.key) or read.get(info.key))]
    if not entries:
        first = next(iter(problems.values()), None)
        raise WeatherError(f"none of the {len(files)} EPW files under {source!r} can be read: {first}") from first
    if read or len(kept) != len(entries):
        keep_index(source, entries)
    return FoundStations(source, tuple(entry.station for entry in entries), problems)


def ambient_stations() -> FoundStations:
    """Return the widest index that is installed.

    Raises:
        MissingExtraError: None is.
    """
    if importlib.util.find_spec(_WIDER):
        return _wider_index()
    if importlib.util.find_spec(_ENGINE):
        return _files_of_the_engine()
    raise MissingExtraError(
        "an index of weather stations needs the extra 'idf' (stations of the whole world) or 'simulation' (16 files "
        "of the USA); neither is installed",
        remedy="Run: pip install 'skyhold[idf]', or name a folder of EPW files",
    )


def _read_headers(store: Store, files: Iterable[ObjectInfo]) -> tuple[dict[str, Entry], dict[str, WeatherError]]:
    """Read the headers of files, many at once; a file that vanished meanwhile is passed over."""
    files = list(files)
    read: dict[str, Entry] = {}
    problems: dict[str, WeatherError] = {}
    if not files:
        return read, problems
    threads = min(_MOST_THREADS, store.concurrency, len(files))
    with ThreadPoolExecutor(threads, thread_name_prefix="skyhold-weather") as pool:
        stations = pool.map(partial(_read_station, store), [info.key for info in files])
        for info, found in zip(files, stations, strict=True):
            if isinstance(found, WeatherError):
                problems[redact_uri(store.uri_of(info.key))] = found
            elif found is not None:
                read[info.key] = found
    return read, problems


def _read_station(store: Store, key: str) -> Entry | WeatherError | None:
    try:
        info, header = read_header_of(store, key)
    except KeyNotFoundError:
        return None
    except WeatherError as error:
        return error
    place = header.location
    station = Station(
        name=place.city,
        country=place.country,
        wmo=place.wmo,
        latitude=place.latitude,
        longitude=place.longitude,
        elevation_m=place.elevation_m,
        time_zone_h=place.time_zone_h,
        uri=store.uri_of(key),
        state="" if place.state == "-" else place.state,
        source=place.source,
    )
    return Entry(station, key, info.e_tag, info.size_bytes)


def _files_of_the_engine() -> FoundStations:
    paths: Mapping[str, str] = import_module("pyenergyplus.dataset").weather_files
    found = {path: _read_station(*open_object(path)) for path in paths.values()}
    stations = tuple(entry.station for entry in found.values() if isinstance(entry, Entry))
    problems = {path: entry for path, entry in found.items() if isinstance(entry, WeatherError)}
    return FoundStations(f"{_ENGINE_PACKAGE} {metadata.version(_ENGINE_PACKAGE)}", stations, problems)


def _wider_index() -> FoundStations:
    """Return the other package's index, which takes long to load, so that it is kept in our own form."""
    source = f"{_WIDER} {metadata.version(_WIDER)}"
    entries = kept_index(source)
    if not entries:
        with tempfile.TemporaryDirectory() as name:
            # With a folder of its own that says "asked just now", loading asks no server whether there is news.
            (Path(name) / "last_update_check").touch()
            index = import_module("idfkit.weather").StationIndex.load(cache_dir=Path(name))
        entries = [Entry(_of_another(station)) for station in index.stations]
        keep_index(source, entries)
    return FoundStations(source, tuple(entry.station for entry in entries))


def _of_another(station: Any) -> Station:
    zone, _, told = str(station.ashrae_climate_zone).partition(" - ")
    return Station(
        name=station.city,
        country=station.country,
        wmo=station.wmo,
        latitude=station.latitude,
        longitude=station.longitude,
        elevation_m=station.elevation,
        time_zone_h=station.timezone,
        uri=station.url,
        state=station.state,
        source=station.dataset_variant,
        climate_zone="" if "could not" in told else zone,
    )
