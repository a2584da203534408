"""The numbers that say what a building did: one row of a study's table."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.simulation.naming import same
from skyhold.simulation.reading import Outputs
from skyhold.simulation.selection import TabularValue
from skyhold.simulation.series import FREQUENCIES, Frequency, Variable
from skyhold.simulation.simulator import Quantity
from skyhold.simulation.tabular import TabularRow

__all__ = ["read_values"]

_SUMMARY = "AnnualBuildingUtilityPerformanceSummary"

_TOTAL = "Total End Uses"

_METERS_OF_END_USES = {
    "Heating": "Heating",
    "Cooling": "Cooling",
    "Interior Lighting": "InteriorLights",
    "Exterior Lighting": "ExteriorLights",
    "Interior Equipment": "InteriorEquipment",
    "Exterior Equipment": "ExteriorEquipment",
    "Fans": "Fans",
    "Pumps": "Pumps",
    "Heat Rejection": "HeatRejection",
    "Humidification": "Humidifier",
    "Heat Recovery": "HeatRecovery",
    "Water Systems": "WaterSystems",
    "Refrigeration": "Refrigeration",
    "Generators": "Cogeneration",
}

_SI = {
    "J": ("J", "1.0"),
    "kJ": ("J", "1e3"),
    "MJ": ("J", "1e6"),
    "GJ": ("J", "1e9"),
    "Wh": ("J", "3.6e3"),
    "kWh": ("J", "3.6e6"),
    "kBtu": ("J", "1055055.85262"),
    "W": ("W", "1.0"),
    "kW": ("W", "1e3"),
    "Btu/h": ("W", "0.29307107017"),
    "kBtuh": ("W", "293.07107017"),
    "m2": ("m2", "1.0"),
    "ft2": ("m2", "0.09290304"),
    "m3": ("m3", "1.0"),
    "L": ("m3", "1e-3"),
    "gal": ("m3", "0.003785411784"),
    "Hours": ("h", "1.0"),
    "hr": ("h", "1.0"),
}
"""Units of the engine's tables: the SI unit (and the hour), and how many of it one is."""

_SINGLE = {
    "floor_area": TabularValue(_SUMMARY, "Building Area", "Total Building Area", "Area"),
    "conditioned_area": TabularValue(_SUMMARY, "Building Area", "Net Conditioned Building Area", "Area"),
    "site_energy": TabularValue(_SUMMARY, "Site and Source Energy", "Total Site Energy", "Total Energy"),
    "source_energy": TabularValue(_SUMMARY, "Site and Source Energy", "Total Source Energy", "Total Energy"),
    "unmet_hours.heating": TabularValue("SystemSummary", "Time Setpoint Not Met", "Facility", "During Heating"),
    "unmet_hours.cooling": TabularValue("SystemSummary", "Time Setpoint Not Met", "Facility", "During Cooling"),
    "unmet_hours.occupied_heating": TabularValue(
        _SUMMARY,
        "Comfort and Setpoint Not Met Summary",
        "Time Setpoint Not Met During Occupied Heating",
        "Facility",
    ),
    "unmet_hours.occupied_cooling": TabularValue(
        _SUMMARY,
        "Comfort and Setpoint Not Met Summary",
        "Time Setpoint Not Met During Occupied Cooling",
        "Facility",
    ),
    "discomfort_hours": TabularValue(
        _SUMMARY,
        "Comfort and Setpoint Not Met Summary",
        "Time Not Comfortable Based on Simple ASHRAE 55-2004",
        "Facility",
    ),
}

_ROUNDING_J = 1e7
"""What the engine's tables of energies show at least: 0.01 GJ."""

_DEMAND = "DemandEndUseComponentsSummary"

_TABLES = tuple(
    dict.fromkeys(
        [*((each.report, each.table) for each in _SINGLE.values()), (_SUMMARY, "End Uses"), (_DEMAND, "End Uses")]
    )
)

_OF_THE_BUILDING = ("floor_area", "conditioned_area")

_Wide = Mapping[Frequency, pa.Table]


def read_values(outputs: Outputs, chosen: Mapping[str, TabularValue], wide: _Wide | None = None) -> dict[str, Quantity]:
    """Return the values of a run, by name, in SI units (and hours, h).

    ``floor_area``, ``conditioned_area`` (m2); ``site_energy``, ``source_energy`` (J), ``site_eui``, ``source_eui``
    (J/m2 of the floor area); ``end_use.heating`` … of all fuels, ``end_use.heating.natural_gas`` … of one, and
    ``fuel.electricity`` … of all end uses (J; what is not there is zero); ``water`` (m3); ``peak.electricity`` … (W);
    ``unmet_hours.heating``, ``.cooling``, ``.occupied_heating``, ``.occupied_cooling`` and ``discomfort_hours`` (h, by
    the simple method of ASHRAE 55-2004).

    Energies are those of the engine's meters where the run reported them, and else those of its tables, which it
    rounds to 0.01 GJ. A run of design days alone has areas and peaks: for the rest, the engine's tables hold zeros.

    Args:
        outputs: What the run reported.
        chosen: Cells of the tables that are wanted beside these, by the name that they are given; in their own unit.
        wide: Time series that were read before.

    Raises:
        ResultError: A chosen cell is not there.
    """
    is_run = any(each.is_run_period for each in outputs.list_environments())
    meters, cells = _Meters(outputs, wide or {}), _Cells(outputs)
    result: dict[str, Quantity] = {}
    for name, cell in _SINGLE.items():
        found = cells.get(cell) if is_run or name in _OF_THE_BUILDING else None
        if found is not None:
            result[name] = _in_si(found)
    if is_run:
        result |= _end_uses(cells, meters)
        result |= _site_energy(result)
        result |= _intensities(result)
    result |= _peaks(cells, meters, is_run=is_run)
    for name, cell in chosen.items():
        row = outputs.get_tabular_data(cell.report, cell.table, cell.row, cell.column, cell.for_)[0]
        result[name] = Quantity(row.value if row.number is None else row.number, row.units)
    return {name: result[name] for name in sorted(result)}


class _Cells:
    """The cells of the tables that values are taken from, of the whole facility, read at once."""

    def __init__(self, outputs: Outputs) -> None:
        self._tables: dict[tuple[str, str], list[TabularRow]] = {}
        for each in outputs.list_cells(_TABLES, "Entire Facility"):
            self._tables.setdefault((each.report.casefold(), each.table.casefold()), []).append(each)

    def get(self, cell: TabularValue) -> TabularRow | None:
        """Return a cell; None where it is not there."""
        found = self.table(cell.report, cell.table)
        return next((each for each in found if same(each.row, cell.row) and same(each.column, cell.column)), None)

    def table(self, report: str, table: str) -> list[TabularRow]:
        """Return the cells of a table; none where it is not there."""
        return self._tables.get((report.casefold(), table.casefold()), [])


class _Meters:
    """The meters of a run, with what was read of them before."""

    def __init__(self, outputs: Outputs, wide: _Wide) -> None:
        self._outputs = outputs
        self._wide = wide
        self._more: dict[Frequency, pa.Table] = {}
        self._known: dict[str, list[Variable]] = {}
        for each in outputs.list_variables():
            if each.is_meter:
                self._known.setdefault(each.name.casefold(), []).append(each)

    def total(self, name: str) -> float | None:
        """Return what a meter counted over the run periods; None where it was not reported."""
        found = self._known.get(name.casefold(), [])
        for variable in sorted(found, key=lambda each: FREQUENCIES.index(each.frequency), reverse=True):
            table = self._table(variable)
            total = pc.sum(table[variable.label]).as_py()
            if total is not None:
                return float(total)
        return None

    def peak(self, name: str) -> float | None:
        """Return the highest power that a meter of energy shows, of an hour or less; None where it shows none."""
        found = [each for each in self._known.get(name.casefold(), []) if each.units == "J"]
        for variable in sorted(found, key=lambda each: FREQUENCIES.index(each.frequency)):
            if FREQUENCIES.index(variable.frequency) <= FREQUENCIES.index("hourly"):
                table = self._table(variable)
                seconds = pc.multiply(table["interval_min"].cast(pa.float64()), 60.0)
                return pc.max(pc.divide(table[variable.label], seconds)).as_py()
        return None

    def fuels(self) -> list[str]:
        """Return the fuels that have a meter of the whole facility."""
        names = [name.removesuffix(":facility") for name in self._known if name.endswith(":facility")]
        return [name for name in names if name in _FUEL_METERS]

    def _table(self, variable: Variable) -> pa.Table:
        known = self._wide.get(variable.frequency)
        if known is None or variable.label not in known.column_names:
            known = self._read(variable.frequency)
        return self._outputs.only(known, None)

    def _read(self, frequency: Frequency) -> pa.Table:
        """Return all meters of a frequency that may be asked for: each reading goes through all that was reported."""
        if frequency not in self._more:
            found = [each for name, meters in self._known.items() if _is_asked_for(name) for each in meters]
            asked = [each for each in found if each.frequency == frequency]
            self._more[frequency] = self._outputs.read_wide(asked)[frequency]
        return self._more[frequency]


_FUELS = (
    "Electricity",
    "Natural Gas",
    "Gasoline",
    "Diesel",
    "Coal",
    "Fuel Oil No 1",
    "Fuel Oil No 2",
    "Propane",
    "Other Fuel 1",
    "Other Fuel 2",
    "District Cooling",
    "District Heating",
    "District Heating Water",
    "District Heating Steam",
)

_FUEL_METERS = {fuel.replace(" ", "").casefold(): fuel for fuel in _FUELS}


_WORDS = frozenset(word.casefold() for word in _METERS_OF_END_USES.values())


def _is_asked_for(meter: str) -> bool:
    """Return whether a value may be taken from the meter of this name, in small letters."""
    first, _, last = meter.partition(":")
    return last == "facility" or first in _WORDS


def _end_uses(tables: _Cells, meters: _Meters) -> dict[str, Quantity]:
    cells = {(each.row, each.column): each for each in tables.table(_SUMMARY, "End Uses")}
    columns = list(dict.fromkeys(column for _, column in cells)) or [_FUEL_METERS[name] for name in meters.fuels()]
    result: dict[str, Quantity] = {}
    totals: dict[str, float] = {}
    for fuel in columns:
        metered = fuel.replace(" ", "")
        whole = _exact(cells.get((_TOTAL, fuel)), meters.total(f"{metered}:Facility"))
        if fuel == "Water":
            result["water"] = whole or Quantity(0.0, "m3")
            continue
        for use, word in _METERS_OF_END_USES.items():
            found = _exact(cells.get((use, fuel)), meters.total(f"{word}:{metered}"))
            if found is not None:
                totals[use] = totals.get(use, 0.0) + _number(found)
                if found.value:
                    result[f"end_use.{_slug(use)}.{_slug(fuel)}"] = found
        if whole is not None and whole.value:
            result[f"fuel.{_slug(fuel)}"] = whole
    return result | {f"end_use.{_slug(use)}": Quantity(total, "J") for use, total in totals.items()}


def _site_energy(values: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return the site energy as the sum of what the fuels' meters counted, where the engine's own agrees."""
    fuels = [_number(each) for name, each in values.items() if name.startswith("fuel.")]
    shown = values.get("site_energy")
    if shown is None:
        return {"site_energy": Quantity(sum(fuels), "J")} if fuels else {}
    agrees = abs(sum(fuels) - _number(shown)) <= _ROUNDING_J
    return {"site_energy": Quantity(sum(fuels), "J")} if agrees else {}


def _intensities(values: Mapping[str, Quantity]) -> dict[str, Quantity]:
    area = values.get("floor_area")
    if area is None or not area.value:
        return {}
    return {
        f"{which}_eui": Quantity(_number(values[f"{which}_energy"]) / _number(area), "J/m2")
        for which in ("site", "source")
        if f"{which}_energy" in values
    }


def _peaks(tables: _Cells, meters: _Meters, *, is_run: bool) -> dict[str, Quantity]:
    cells = tables.table(_DEMAND, "End Uses") if is_run else []
    found = {each.column: _in_si(each) for each in cells if each.row == _TOTAL}
    if not found:
        shown = {_FUEL_METERS[name]: meters.peak(f"{name}:Facility") for name in meters.fuels()}
        found = {fuel: Quantity(peak, "W") for fuel, peak in shown.items() if peak is not None}
    return {
        f"peak.{_slug(fuel)}": each
        for fuel, each in found.items()
        if each.unit == "W" and (each.value or fuel == "Electricity")
    }


def _in_si(row: TabularRow) -> Quantity:
    """Return the cell in the SI unit; decimal, so that 4242.61 GJ is 4242610000000 J and no fraction less."""
    unit, factor = _SI.get(row.units, (row.units, "1"))
    return Quantity(None if row.number is None else float(Decimal(row.value) * Decimal(factor)), unit)


def _exact(row: TabularRow | None, metered: float | None) -> Quantity | None:
    """Return what a meter counted where it agrees with the cell of a table, and else the cell.

    It may differ: the tables count several run periods, and parts of the day, as the model says.
    """
    if row is None or row.number is None:
        return None if metered is None else Quantity(metered, "J")
    shown = _in_si(row)
    if metered is None or shown.unit != "J":
        return shown
    step = float(_SI[row.units][1]) * 10.0 ** -len(row.value.partition(".")[2])
    return Quantity(metered, "J") if abs(metered - _number(shown)) <= step else shown


def _number(quantity: Quantity) -> float:
    return float(quantity.value or 0.0)


def _slug(name: str) -> str:
    return name.lower().replace(" ", "_")
