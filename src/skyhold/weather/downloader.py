"""Weather files from anywhere to this machine, each once."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from skyhold.config import cache_folder
from skyhold.errors import AccessDeniedError, BadOptionError, NotFoundError
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location
from skyhold.storage.objects import ByteRange
from skyhold.storage.opening import open_object
from skyhold.storage.trimming import MOST_KEPT_BYTES
from skyhold.weather.header import check_beginning
from skyhold.weather.kept import WeatherCache
from skyhold.weather.unpacking import COMPANIONS

__all__ = ["HasUrl", "WeatherDownloader", "WeatherFiles", "WeatherSource", "fetch_weather", "locate_weather"]

MOST_BYTES = 256 * 1024 * 1024
_ZIP = b"PK"
_SUFFIX = ".epw"


@runtime_checkable
class HasUrl(Protocol):
    """Whatever says where its weather file is: our stations, and those of other libraries."""

    @property
    def url(self) -> str:
        """Where the file is."""
        ...


@dataclass(frozen=True, slots=True)
class WeatherFiles:
    """Weather files on this machine.

    Attributes:
        epw: The weather.
        uri: Where it is from, without secrets.
        ddy: Design days, where there are some.
        stat: Statistics, where there are some.
    """

    epw: Path
    uri: str
    ddy: Path | None = None
    stat: Path | None = None


WeatherSource = str | os.PathLike[str] | HasUrl | WeatherFiles
"""A path, a URI, a station, or what was downloaded."""


class WeatherDownloader:
    """Brings weather files to this machine, and keeps them by content.

    A file is fetched once a machine, also when many processes ask at once, and again when its store says that it has
    changed: each use costs one small request. Kept files that were damaged are fetched again.

    Args:
        cache_dir: Where they are kept; by default ``weather`` in `skyhold.config.cache_folder`. It may be deleted.
        offline: Take what is kept without asking whether it has changed, and fetch nothing.
        most_bytes: How large a file may be, packed and unpacked.
        most_kept_bytes: How much is kept; what was used least recently goes, but not what was used in the last day.
        **options: For the stores, as `skyhold.open_store` takes them.

    Example:
        >>> from pyenergyplus.dataset import weather_files
        >>> WeatherDownloader().download(weather_files["usa_il_chicago"]).epw.name
        'USA_IL_Chicago-OHare.Intl.AP.725300_TMY3.epw'
    """

    def __init__(
        self,
        cache_dir: str | os.PathLike[str] | None = None,
        *,
        offline: bool = False,
        most_bytes: int = MOST_BYTES,
        most_kept_bytes: int = MOST_KEPT_BYTES,
        **options: Any,
    ) -> None:
        folder = cache_folder() / "weather" if cache_dir is None else Path(cache_dir)
        self._cache = WeatherCache(folder, offline=offline, most_bytes=most_bytes, most_kept_bytes=most_kept_bytes)
        self._options = options

    def download(self, source: WeatherSource) -> WeatherFiles:
        """Return a weather file, and the design days and statistics that lie beside it.

        A local EPW file is returned where it is. From a zip, what it holds beside the EPW is taken.

        Args:
            source: A station, or the path or URI of an EPW file or of a zip that holds one.

        Raises:
            BadOptionError: It is none of these.
            WeatherError: What is there is no weather file.
            NotFoundError: Nothing is there.
        """
        store, key = self._open(source)
        local = _local_epw(source, store, key)
        if local is not None:
            return WeatherFiles(local, str(local), *(_beside(local, suffix) for suffix in COMPANIONS))
        kept = self._cache.get(store, key)
        if key.lower().endswith(_SUFFIX):
            found = [self._companion(store, key, suffix) for suffix in COMPANIONS]
        else:
            found = [kept.files[suffix][0] if suffix in kept.files else None for suffix in COMPANIONS]
        return WeatherFiles(kept.files[_SUFFIX][0], kept.uri, *found)

    def fetch(self, source: WeatherSource) -> Path:
        """Return the EPW file alone; errors as `download`."""
        store, key = self._open(source)
        return _local_epw(source, store, key) or self._cache.get(store, key).files[_SUFFIX][0]

    def _open(self, source: WeatherSource) -> tuple[Store, str]:
        return open_object(locate_weather(source), **self._options)

    def _companion(self, store: Store, key: str, suffix: str) -> Path | None:
        """Return a file beside a fetched one; of what is not there, servers may say "denied", or send a page."""
        try:
            path = self._cache.get(store, key[: -len(_SUFFIX)] + suffix, suffix).files[suffix][0]
        except (NotFoundError, AccessDeniedError):
            return None
        return None if path.read_bytes().lstrip().startswith(b"<") else path


def fetch_weather(source: WeatherSource, *, cache_dir: str | os.PathLike[str] | None = None, **options: Any) -> Path:
    """Return the path of an EPW file on this machine: a local one as it is, any other fetched once.

    Args:
        source: A path, a URI or a station; a zip that holds one EPW file will do.
        cache_dir: Where fetched files are kept.
        **options: As `skyhold.open_store` takes them.

    Raises:
        WeatherError: What is there is no weather file.
        NotFoundError: Nothing is there.

    Example:
        >>> from pyenergyplus.dataset import weather_files
        >>> fetch_weather(weather_files["usa_il_chicago"]).name
        'USA_IL_Chicago-OHare.Intl.AP.725300_TMY3.epw'
    """
    return WeatherDownloader(cache_dir, **options).fetch(source)


def locate_weather(source: WeatherSource) -> str:
    """Return the path or URI of a weather file, however it is given.

    Raises:
        BadOptionError: It is no weather.

    Example:
        >>> locate_weather(WeatherFiles(Path("chicago.epw"), "s3://weather/chicago.epw"))
        'chicago.epw'
    """
    if isinstance(source, WeatherFiles):
        return str(source.epw)
    if isinstance(source, HasUrl):
        return source.url
    try:
        return os.fspath(source)
    except TypeError as error:
        raise BadOptionError(
            f"{source!r} is no weather",
            remedy="Give a path or URI, a station such as index.search('…')[0].station, or what was downloaded of it",
        ) from error


def _local_epw(source: WeatherSource, store: Store, key: str) -> Path | None:
    """Return the path of a local EPW file; None for what must be fetched or unpacked."""
    uri = locate_weather(source)
    location = parse_location(uri)
    if location.scheme != "file":
        return None
    start = store.read(key, ByteRange(0, 64))
    if start.startswith(_ZIP):
        return None
    check_beginning(start, store.uri_of(key))
    return Path(location.container if "://" in uri else uri).expanduser()


def _beside(path: Path, suffix: str) -> Path | None:
    """Return the file of another suffix, spelt either way."""
    return next(
        (found for found in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if found.exists()), None
    )
