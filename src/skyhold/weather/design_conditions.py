"""The line ``DESIGN CONDITIONS`` of an EPW header: what equipment is sized for, as numbers by name.

Source: ASHRAE Handbook Fundamentals, chapter "Climatic Design Information" (2009 and later), in the order in which the
EPW format repeats its tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from skyhold.weather.cells import Cells, is_number

__all__ = ["DesignConditions", "parse_design_conditions"]

_HEATING = (
    "coldest_month",
    "dry_bulb_99.6_c",
    "dry_bulb_99.0_c",
    "humidification_dew_point_99.6_c",
    "humidification_humidity_ratio_99.6_g_kg",
    "humidification_coincident_dry_bulb_99.6_c",
    "humidification_dew_point_99.0_c",
    "humidification_humidity_ratio_99.0_g_kg",
    "humidification_coincident_dry_bulb_99.0_c",
    "coldest_month_wind_speed_0.4_m_s",
    "coldest_month_wind_coincident_dry_bulb_0.4_c",
    "coldest_month_wind_speed_1.0_m_s",
    "coldest_month_wind_coincident_dry_bulb_1.0_c",
    "coincident_wind_speed_99.6_m_s",
    "coincident_wind_direction_99.6_deg",
)
_SHARES = ("0.4", "1.0", "2.0")
_COOLING = (
    "hottest_month",
    "hottest_month_dry_bulb_range_k",
    *(name for share in _SHARES for name in (f"dry_bulb_{share}_c", f"coincident_wet_bulb_{share}_c")),
    *(
        name
        for share in _SHARES
        for name in (f"evaporation_wet_bulb_{share}_c", f"evaporation_coincident_dry_bulb_{share}_c")
    ),
    "coincident_wind_speed_0.4_m_s",
    "coincident_wind_direction_0.4_deg",
    *(
        name
        for share in _SHARES
        for name in (
            f"dehumidification_dew_point_{share}_c",
            f"dehumidification_humidity_ratio_{share}_g_kg",
            f"dehumidification_coincident_dry_bulb_{share}_c",
        )
    ),
    *(name for share in _SHARES for name in (f"enthalpy_{share}_kj_kg", f"enthalpy_coincident_dry_bulb_{share}_c")),
    "hours_8_to_4_12.8_to_20.6_c",
)
_EXTREMES = (
    "wind_speed_1.0_m_s",
    "wind_speed_2.5_m_s",
    "wind_speed_5.0_m_s",
    "wet_bulb_max_c",
    "annual_dry_bulb_min_mean_c",
    "annual_dry_bulb_max_mean_c",
    "annual_dry_bulb_min_deviation_k",
    "annual_dry_bulb_max_deviation_k",
    *(f"dry_bulb_{end}_in_{years}_years_c" for years in (5, 10, 20, 50) for end in ("min", "max")),
)
_SECTIONS = {"heating": _HEATING, "cooling": _COOLING, "extremes": _EXTREMES}


@dataclass(frozen=True, slots=True)
class DesignConditions:
    """What a place's equipment is sized for.

    Each section maps names to numbers, None where the file leaves one out. Names carry the share of the year (99.6 %
    for heating, 0.4 %, 1 % and 2 % for cooling) and the unit. A section whose length is not that of the 2009 handbook
    and its successors has no sure names: it is left empty, and `raw` has its cells.

    Attributes:
        title: Where they are from, such as ``"Climate Design Data 2009 ASHRAE Handbook"``.
        heating: Such as ``heating["dry_bulb_99.6_c"]``.
        cooling: Such as ``cooling["dry_bulb_0.4_c"]`` and ``cooling["coincident_wet_bulb_0.4_c"]``.
        extremes: Such as ``extremes["dry_bulb_max_in_50_years_c"]``.
        raw: The cells of each section as they stand.
    """

    title: str
    heating: Mapping[str, float | None]
    cooling: Mapping[str, float | None]
    extremes: Mapping[str, float | None]
    raw: Mapping[str, tuple[str, ...]]


@dataclass(slots=True)
class _Draft:
    title: str = ""
    sections: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


def parse_design_conditions(cells: Cells) -> tuple[DesignConditions, ...]:
    """Return the sets of design conditions of a header line.

    Raises:
        WeatherError: The number of sets is none.

    Example:
        >>> line = "DESIGN CONDITIONS,1,ASHRAE,,Heating,1,-20,-16.6,-25.7,0.4,-19.2,-22.1,0.5,-15.7,12,-3,11,-3,4.9,270"
        >>> parse_design_conditions(Cells.cut("a.epw", 2, line))[0].heating["dry_bulb_99.6_c"]
        -20.0
    """
    announced = cells.count(2, "number of design conditions")
    drafts: list[_Draft] = []
    section: list[str] | None = None
    for place, cell in enumerate(cells.texts[2:], 3):
        if cell.lower() in _SECTIONS and drafts:
            section = drafts[-1].sections.setdefault(cell.lower(), [])
        elif len(drafts) < announced and _is_title(cell, cells.texts[place:]):
            drafts.append(_Draft(cell))
            section = None
        elif section is not None:
            section.append(cell)
    return tuple(_finished(draft) for draft in drafts)


def _is_title(cell: str, after: tuple[str, ...]) -> bool:
    """Return whether a cell begins a set: a text with no number between it and the first section."""
    if not cell or is_number(cell):
        return False
    following = next((other.lower() for other in after if is_number(other) or other.lower() in _SECTIONS), "heating")
    return following == "heating"


def _finished(draft: _Draft) -> DesignConditions:
    raw = {name: tuple(cells) for name, cells in draft.sections.items()}
    named = {name: _named(name, raw.get(name, ())) for name in _SECTIONS}
    return DesignConditions(draft.title, named["heating"], named["cooling"], named["extremes"], raw)


def _named(section: str, cells: tuple[str, ...]) -> dict[str, float | None]:
    names = _SECTIONS[section]
    while len(cells) > len(names) and not cells[-1]:
        cells = cells[:-1]  # spreadsheets pad lines with commas
    if len(cells) != len(names):
        return {}
    return {name: float(cell) if is_number(cell) else None for name, cell in zip(names, cells, strict=True)}
