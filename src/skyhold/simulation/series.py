"""Variables, environments and time series, as a run reports them."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa

__all__ = ["AXIS", "FREQUENCIES", "Environment", "Frequency", "TimeSeries", "Variable", "field_of", "frequencies_of"]

Frequency = Literal["detailed", "timestep", "hourly", "daily", "monthly", "runperiod", "annual"]

FREQUENCIES: tuple[Frequency, ...] = ("detailed", "timestep", "hourly", "daily", "monthly", "runperiod", "annual")
"""From the finest on. ``detailed`` is every step of the systems, of uneven length."""

AXIS: dict[str, Any] = {
    "timestamp": pa.timestamp("ms"),
    "environment": pa.dictionary(pa.int32(), pa.string()),
    "interval_min": pa.int32(),
    "is_dst": pa.bool_(),
    "day_type": pa.dictionary(pa.int32(), pa.string()),
}
"""The columns that say what a row is of, and their types.

``timestamp``: the end of the interval in local standard time, so 24:00 is 00:00 of the next day, and no hour is missing
or doubled where daylight saving begins and ends. A day that has no year, as design days, is given `NO_YEAR`.
``interval_min``: how long it is. ``is_dst``: whether schedules followed daylight saving time. ``day_type``: ``Monday``,
``Holiday``, ``WinterDesignDay``... The last two are null where an interval is longer than a day.
"""

NO_YEAR = 2000
"""The year of days that have none: a leap year, in which every day there is has its place."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Something that was simulated: a design day, or a run period of the weather file."""

    name: str
    is_run_period: bool


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable or meter that a run reported.

    Attributes:
        name: Such as ``"Zone Mean Air Temperature"``.
        key: What it is of, such as a zone; empty for meters.
        units: Such as ``"C"``; empty where it has none.
        frequency: How often it was reported.
        is_meter: Whether it is a meter.
        label: Names the column of this variable: ``"key:name [units]"``, and unlike any other of its frequency.
    """

    name: str
    key: str
    units: str
    frequency: Frequency
    is_meter: bool
    label: str


class TimeSeries:
    """The values of one variable or meter.

    Attributes:
        variable: What it is.
    """

    def __init__(self, variable: Variable, table: pa.Table) -> None:
        self.variable = variable
        self._table = table

    @property
    def name(self) -> str:
        """What the variable is called."""
        return self.variable.name

    @property
    def key(self) -> str:
        """What the variable is of; empty for meters."""
        return self.variable.key

    @property
    def units(self) -> str:
        """Such as ``"C"``; empty where it has none."""
        return self.variable.units

    @property
    def frequency(self) -> Frequency:
        """How often it was reported."""
        return self.variable.frequency

    @cached_property
    def values(self) -> list[float]:
        """The values, in the order of time; NaN where the engine reported none."""
        return self._table["value"].to_pylist()

    @cached_property
    def timestamps(self) -> list[dt.datetime]:
        """The end of each interval, in local standard time without daylight saving."""
        return self._table["timestamp"].to_pylist()

    @cached_property
    def environments(self) -> list[str]:
        """What each value belongs to: the name of a design day or run period."""
        return self._table["environment"].to_pylist()

    def to_arrow(self) -> pa.Table:
        """Return the columns of `AXIS` and ``value``, whose field says what it is in its metadata."""
        schema = self._table.schema
        position = schema.get_field_index("value")
        return self._table.cast(schema.set(position, field_of(self.variable, schema.field(position).type, "value")))

    def __len__(self) -> int:
        """Return how many values there are."""
        return len(self._table)

    def __repr__(self) -> str:
        """Show what it is, and how long."""
        return f"<TimeSeries {self.variable.label!r} {self.frequency}, {len(self)} values>"


def frequencies_of(variables: Iterable[Variable]) -> list[Frequency]:
    """Return the frequencies that some variables have, from the finest on."""
    present = {each.frequency for each in variables}
    return [each for each in FREQUENCIES if each in present]


def field_of(variable: Variable, kind: Any, name: str | None = None) -> pa.Field:
    """Return the field of a variable's column, which tells name, key and unit in its metadata."""
    told = {
        "variable": variable.name,
        "key": variable.key,
        "unit": variable.units,
        "frequency": variable.frequency,
        "is_meter": "true" if variable.is_meter else "false",
    }
    return pa.field(name or variable.label, kind, metadata=told)
