"""Design days: what equipment is sized for, as objects of EnergyPlus, from DDY files (or any IDF)."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from skyhold.errors import AccessDeniedError, NotFoundError, WeatherError
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import open_object
from skyhold.weather.cells import is_number
from skyhold.weather.header import decode

__all__ = ["DesignDay", "parse_ddy", "read_ddy", "read_ddy_beside"]

_CLASS = "sizingperiod:designday"
_COMMENT = re.compile(r"![^\n]*")
_SHARE = re.compile(r"(\d*\.?\d+)\s*%")
_TEXTS = {
    "day_type",
    "dry_bulb_temperature_range_modifier_type",
    "dry_bulb_temperature_range_modifier_day_schedule_name",
    "humidity_condition_type",
    "humidity_condition_day_schedule_name",
    "rain_indicator",
    "snow_indicator",
    "daylight_saving_time_indicator",
    "solar_model_indicator",
    "beam_solar_day_schedule_name",
    "diffuse_solar_day_schedule_name",
    "begin_environment_reset_mode",
}
_FIELDS = (
    "month",
    "day_of_month",
    "day_type",
    "maximum_dry_bulb_temperature",
    "daily_dry_bulb_temperature_range",
    "dry_bulb_temperature_range_modifier_type",
    "dry_bulb_temperature_range_modifier_day_schedule_name",
    "humidity_condition_type",
    "wetbulb_or_dewpoint_at_maximum_dry_bulb",
    "humidity_condition_day_schedule_name",
    "humidity_ratio_at_maximum_dry_bulb",
    "enthalpy_at_maximum_dry_bulb",
    "daily_wet_bulb_temperature_range",
    "barometric_pressure",
    "wind_speed",
    "wind_direction",
    "rain_indicator",
    "snow_indicator",
    "daylight_saving_time_indicator",
    "solar_model_indicator",
    "beam_solar_day_schedule_name",
    "diffuse_solar_day_schedule_name",
    "ashrae_clear_sky_optical_depth_for_beam_irradiance_taub_",
    "ashrae_clear_sky_optical_depth_for_diffuse_irradiance_taud_",
    "sky_clearness",
    "maximum_number_warmup_days",
    "begin_environment_reset_mode",
)
_WHOLE = {"month", "day_of_month", "maximum_number_warmup_days"}


@dataclass(frozen=True, slots=True)
class DesignDay:
    """One ``SizingPeriod:DesignDay``.

    Attributes:
        name: Such as ``"CHICAGO Ann Htg 99.6% Condns DB"``.
        fields: Its fields under the names that epJSON has for them; those that are empty are left out.
    """

    name: str
    fields: Mapping[str, float | int | str]

    @property
    def dry_bulb_max_c(self) -> float:
        """The highest temperature of the day; on heating days the only one."""
        return float(self.fields["maximum_dry_bulb_temperature"])

    @property
    def is_heating(self) -> bool:
        """Whether it is a winter day."""
        return str(self.fields.get("day_type", "")).lower() == "winterdesignday"

    @property
    def share_percent(self) -> float | None:
        """The share of the year that its name tells, such as 99.6 or 0.4; None where it tells none.

        Example:
            >>> DesignDay("CHICAGO Ann Clg .4% Condns DB=>MWB", {}).share_percent
            0.4
        """
        found = _SHARE.search(self.name)
        return float(found[1]) if found else None


def read_ddy(uri: str | os.PathLike[str], **options: Any) -> tuple[DesignDay, ...]:
    """Read the design days of a DDY file, or of any IDF.

    Args:
        uri: A path or URI.
        **options: As `skyhold.open_store` takes them.

    Raises:
        WeatherError: A design day is malformed, with file, line and field.
        NotFoundError: There is no such file.
    """
    store, key = open_object(uri, **options)
    return parse_ddy(store.read(key), redact_uri(store.uri_of(key)))


def read_ddy_beside(uri: str | os.PathLike[str], **options: Any) -> tuple[DesignDay, ...]:
    """Read the design days of the DDY file beside an EPW file; none where there is no such file.

    Args:
        uri: The EPW file's path or URI.
        **options: As `skyhold.open_store` takes them.

    Raises:
        WeatherError: As `read_ddy`.
    """
    store, key = open_object(uri, **options)
    for suffix in (".ddy", ".DDY"):
        name = key.removesuffix(PurePosixPath(key).suffix) + suffix
        try:
            return parse_ddy(store.read(name), redact_uri(store.uri_of(name)))
        except (NotFoundError, AccessDeniedError):  # many servers say "denied" of what is not there
            continue
    return ()


def parse_ddy(data: bytes, source: str) -> tuple[DesignDay, ...]:
    """Return the design days in a file's bytes; ``source`` is its name in errors.

    Raises:
        WeatherError: As `read_ddy`.

    Example:
        >>> text = b"SizingPeriod:DesignDay, Cold 99.6%, 1, 21, WinterDesignDay, -20.0, 0.0; ! heating"
        >>> parse_ddy(text, "a.ddy")[0].fields
        {'month': 1, 'day_of_month': 21, 'day_type': 'WinterDesignDay', 'maximum_dry_bulb_temperature': -20.0, \
'daily_dry_bulb_temperature_range': 0.0}
    """
    text = _COMMENT.sub("", decode(data).replace("\r\n", "\n"))
    days: list[DesignDay] = []
    line = 1
    for chunk in text.split(";"):
        cells = [cell.strip() for cell in chunk.split(",")]
        if cells[0].lower() == _CLASS:
            above = len(chunk) - len(chunk.lstrip())
            days.append(_parse_day(cells[1:], source, line + chunk.count("\n", 0, above)))
        line += chunk.count("\n")
    return tuple(days)


def _parse_day(cells: list[str], source: str, line: int) -> DesignDay:
    if len(cells) < 1 + len(_FIELDS[:4]) or len(cells) > 1 + len(_FIELDS):
        raise _fault(source, line, f"a design day has {len(cells)} fields, and it can have 5 to {1 + len(_FIELDS)}")
    name, *values = cells
    fields: dict[str, float | int | str] = {}
    for field, value in zip(_FIELDS, values, strict=False):
        if not value:
            continue
        if field in _TEXTS:
            fields[field] = value
        elif not is_number(value) and value.lower() not in {"autocalculate", "autosize"}:
            raise _fault(source, line, f"in the design day {name!r}, {field} is {value[:60]!r}, which is no number")
        else:
            fields[field] = _number(field, value)
    absent = next((field for field in _FIELDS[:4] if field not in fields), None)
    if absent:
        raise _fault(source, line, f"the design day {name!r} has no {absent}")
    return DesignDay(name, fields)


def _number(field: str, value: str) -> float | int | str:
    if not is_number(value):
        return value
    return int(float(value)) if field in _WHOLE else float(value)


def _fault(source: str, line: int, found: str) -> WeatherError:
    return WeatherError(f"{source!r}, line {line}: {found}", remedy="Correct the file, or leave it away")
