"""Weather stations, and the EPW files that simulations need."""

from typing import TYPE_CHECKING

from skyhold.lazy import load_lazily

if TYPE_CHECKING:
    from skyhold.weather.ddy import DesignDay, read_ddy, read_ddy_beside
    from skyhold.weather.downloader import WeatherDownloader, WeatherFiles, fetch_weather
    from skyhold.weather.epw import Epw, read_epw, read_epw_header
    from skyhold.weather.header import EpwHeader
    from skyhold.weather.station import Station
    from skyhold.weather.stations import StationIndex

__all__ = [
    "DesignDay",
    "Epw",
    "EpwHeader",
    "Station",
    "StationIndex",
    "WeatherDownloader",
    "WeatherFiles",
    "fetch_weather",
    "read_ddy",
    "read_ddy_beside",
    "read_epw",
    "read_epw_header",
]

_HOMES = {
    "DesignDay": "skyhold.weather.ddy",
    "Epw": "skyhold.weather.epw",
    "EpwHeader": "skyhold.weather.header",
    "Station": "skyhold.weather.station",
    "StationIndex": "skyhold.weather.stations",
    "WeatherDownloader": "skyhold.weather.downloader",
    "WeatherFiles": "skyhold.weather.downloader",
    "fetch_weather": "skyhold.weather.downloader",
    "read_ddy": "skyhold.weather.ddy",
    "read_ddy_beside": "skyhold.weather.ddy",
    "read_epw": "skyhold.weather.epw",
    "read_epw_header": "skyhold.weather.epw",
}

__getattr__, __dir__ = load_lazily(__name__, _HOMES)
