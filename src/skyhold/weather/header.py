"""The header of an EPW file: where it is, what its years are, and which days its rows stand for."""

import calendar
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from skyhold.errors import WeatherError
from skyhold.weather.cells import Cells, MonthDay
from skyhold.weather.design_conditions import DesignConditions, parse_design_conditions

__all__ = [
    "DataPeriod",
    "EpwHeader",
    "GroundTemperatures",
    "Holidays",
    "Location",
    "TypicalPeriod",
    "check_beginning",
    "decode",
    "header_size",
    "parse_header",
]

_BOM = b"\xef\xbb\xbf"
_END = re.compile(rb"(?:\A|[\r\n])[ \t]*DATA PERIODS?[ \t]*,[^\r\n]*(?:\r\n|\n|\r)", re.IGNORECASE)
_WEEKDAYS = tuple(name.lower() for name in calendar.day_name)
_MOST_LINES = 200
_MOST_MINUTES = 60


@dataclass(frozen=True, slots=True)
class Location:
    """Where a weather file is from.

    Attributes:
        city: The station's name, as it stands.
        state: State or province, as it stands.
        country: Mostly an ISO 3166 code of three letters.
        source: The kind of data, such as ``"TMY3"``.
        wmo: The station's WMO number, as text.
        latitude: Degrees, north positive.
        longitude: Degrees, east positive.
        time_zone_h: Hours ahead of UTC, without daylight saving.
        elevation_m: Metres above the sea.
    """

    city: str
    state: str
    country: str
    source: str
    wmo: str
    latitude: float
    longitude: float
    time_zone_h: float
    elevation_m: float


@dataclass(frozen=True, slots=True)
class TypicalPeriod:
    """A week that is typical or extreme for a season; ``kind`` is the file's word for which."""

    name: str
    kind: str
    start: MonthDay
    end: MonthDay


@dataclass(frozen=True, slots=True)
class GroundTemperatures:
    """Monthly means in the ground at a depth, January first; properties of the soil where they are told."""

    depth_m: float
    conductivity_w_mk: float | None
    density_kg_m3: float | None
    specific_heat_j_kgk: float | None
    monthly_c: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Holidays:
    """Holidays as ``(name, day)``, the days as they stand, for they may be rules such as ``"Last Monday in May"``."""

    is_leap_year_observed: bool = False
    daylight_saving_start: str = ""
    daylight_saving_end: str = ""
    days: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class DataPeriod:
    """Days, both ends included, that the rows stand for; ``start_weekday`` counts from Monday, which is 0."""

    name: str
    start_weekday: int
    start: MonthDay
    end: MonthDay


@dataclass(frozen=True, slots=True)
class EpwHeader:
    """All that stands above the rows of an EPW file.

    Attributes:
        location: Where it is from.
        design_conditions: What equipment is sized for, a set for each source; may be empty.
        typical_periods: Typical and extreme weeks.
        ground_temperatures: By depth.
        holidays: And daylight saving.
        comments: The two lines, as they stand.
        data_periods: Which days the rows stand for.
        records_per_hour: Rows for each hour.
        lines: How many lines the header has.
    """

    location: Location
    data_periods: tuple[DataPeriod, ...]
    records_per_hour: int
    lines: int
    design_conditions: tuple[DesignConditions, ...] = ()
    typical_periods: tuple[TypicalPeriod, ...] = ()
    ground_temperatures: tuple[GroundTemperatures, ...] = ()
    holidays: Holidays = field(default_factory=Holidays)
    comments: tuple[str, str] = ("", "")


def header_size(data: bytes) -> int | None:
    """Return how many bytes the header has, None where its last line is not (wholly) there."""
    found = _END.search(data)
    return found.end() if found else None


def parse_header(data: bytes, source: str) -> EpwHeader:
    """Return the header of an EPW file, given its beginning or all of it.

    Raises:
        WeatherError: It is no EPW file, or a line is malformed; with file, line and column.
    """
    check_beginning(data, source)
    size = header_size(data)
    if size is None:
        raise WeatherError(
            f"{source!r} has no line 'DATA PERIODS', with which the header of an EPW file ends",
            remedy="Check that the file is whole",
        )
    lines = decode(data[:size]).replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]
    if len(lines) > _MOST_LINES:
        raise WeatherError(f"{source!r} has {len(lines)} lines above 'DATA PERIODS', more than any EPW header")
    found: dict[str, Any] = {}
    for number, line in enumerate(lines, 1):
        cells = Cells.cut(source, number, line)
        if any(cells.texts):
            _parse_line(cells, line, found)
    comments = (found.pop("comments 1", ""), found.pop("comments 2", ""))
    return EpwHeader(**found, comments=comments, lines=len(lines))


def check_beginning(data: bytes, source: str) -> None:
    """Refuse what does not begin as an EPW file does.

    Raises:
        WeatherError: It is something else, with how it begins.
    """
    start = data.removeprefix(_BOM).lstrip(b" \t\r\n")
    if start[:8].upper() != b"LOCATION":
        shown = decode(start[:40]) if start else "nothing"
        raise WeatherError(
            f"{source!r}, line 1, column 1: it is no EPW file, which begins with 'LOCATION'; it begins with {shown!r}",
            remedy="Name an EPW file",
        )


def decode(data: bytes) -> str:
    """Return text that may be UTF-8 or, in older files, Windows' Latin.

    Example:
        >>> decode("São Paulo".encode("utf-8")), decode("São Paulo".encode("cp1252"))
        ('São Paulo', 'São Paulo')
    """
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _parse_line(cells: Cells, line: str, found: dict[str, Any]) -> None:
    title = " ".join(cells.text(1).upper().split())
    if title in {"COMMENTS 1", "COMMENTS 2"}:
        found[title.lower()] = line.partition(",")[2].strip()
        return
    known = next((name for name in _LINES if title.startswith(name)), None)
    if known is None:
        raise cells.fault(1, "title", f"{cells.text(1)[:60]!r} is no line of an EPW header")
    name, parse = _LINES[known]
    if name in found:
        raise cells.fault(1, "title", f"{known!r} stands there twice")
    found[name] = parse(cells)
    if name == "data_periods":
        found["records_per_hour"] = _records_per_hour(cells)


def _parse_location(cells: Cells) -> Location:
    city, state, country, source, wmo = cells.texts[1:6] if len(cells.texts) > 6 else _short(cells)  # noqa: PLR2004
    return Location(
        city,
        state,
        country,
        source,
        wmo,
        latitude=cells.number(7, "latitude", -90, 90),
        longitude=cells.number(8, "longitude", -180, 180),
        time_zone_h=cells.number(9, "time zone", -12, 14),
        elevation_m=cells.number(10, "elevation", -1000, 9999.9),
    )


def _short(cells: Cells) -> tuple[str, str, str, str, str]:
    raise cells.fault(len(cells.texts), "location", f"the line ends after {len(cells.texts)} of 10 cells")


def _parse_typical_periods(cells: Cells) -> tuple[TypicalPeriod, ...]:
    number = cells.count(2, "number of periods")
    return tuple(
        TypicalPeriod(
            cells.text(at), cells.text(at + 1), cells.day(at + 2, "start of period"), cells.day(at + 3, "end of period")
        )
        for at in range(3, 3 + 4 * number, 4)
    )


def _parse_ground_temperatures(cells: Cells) -> tuple[GroundTemperatures, ...]:
    number = cells.count(2, "number of depths")
    return tuple(
        GroundTemperatures(
            cells.number(at, "depth"),
            cells.maybe(at + 1, "soil conductivity"),
            cells.maybe(at + 2, "soil density"),
            cells.maybe(at + 3, "soil specific heat"),
            tuple(cells.maybe(at + 4 + month, "ground temperature") for month in range(12)),
        )
        for at in range(3, 3 + 16 * number, 16)
    )


def _parse_holidays(cells: Cells) -> Holidays:
    number = cells.count(5, "number of holidays")
    if len(cells.texts) < 5 + 2 * number:
        raise cells.fault(5, "number of holidays", f"{number} are announced, and the line ends before")
    days = tuple((cells.text(at), cells.text(at + 1)) for at in range(6, 6 + 2 * number, 2))
    start, end = (text if text != "0" else "" for text in (cells.text(3), cells.text(4)))
    return Holidays(cells.text(2).lower() == "yes", start, end, days)


def _parse_data_periods(cells: Cells) -> tuple[DataPeriod, ...]:
    number = cells.count(2, "number of data periods")
    if number == 0:
        raise cells.fault(2, "number of data periods", "there is none")
    return tuple(
        DataPeriod(
            cells.text(at),
            _weekday(cells, at + 1),
            cells.day(at + 2, "start of data period"),
            cells.day(at + 3, "end of data period"),
        )
        for at in range(4, 4 + 4 * number, 4)
    )


def _weekday(cells: Cells, column: int) -> int:
    text = cells.text(column).lower()
    if text not in _WEEKDAYS:
        raise cells.fault(column, "weekday of the first day", f"{cells.text(column)[:60]!r} is no day of the week")
    return _WEEKDAYS.index(text)


def _records_per_hour(cells: Cells) -> int:
    number = cells.count(3, "records per hour")
    if number == 0 or _MOST_MINUTES % number:
        raise cells.fault(3, "records per hour", f"{number} rows do not divide an hour into whole minutes")
    return number


_LINES: dict[str, tuple[str, Callable[[Cells], Any]]] = {
    "LOCATION": ("location", _parse_location),
    "DESIGN CONDITION": ("design_conditions", parse_design_conditions),
    "TYPICAL/EXTREME PERIOD": ("typical_periods", _parse_typical_periods),
    "GROUND TEMPERATURE": ("ground_temperatures", _parse_ground_temperatures),
    "HOLIDAYS/DAYLIGHT SAVING": ("holidays", _parse_holidays),
    "DATA PERIOD": ("data_periods", _parse_data_periods),
}
