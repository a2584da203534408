"""The table of a study, made of plain records, compared with a baseline, and judged."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from skyhold.errors import BadOptionError
from skyhold.simulation.naming import nearest
from skyhold.simulation.simulator import Quantity

__all__ = [
    "QualityGate",
    "TableBuilder",
    "add_deltas",
    "add_quality",
    "add_values",
    "columns_of",
    "make_table",
    "names_of",
    "numbers_of",
    "unit_of",
]

_SEVERITIES = ("warning", "severe", "fatal")

_ZERO_WHERE_ABSENT = ("end_use.", "fuel.")
"""Values that a run has only where they are not zero."""

Row = Mapping[str, Any]


def make_table(cases: Iterable[Mapping[str, Any]]) -> Any:
    """Return an Arrow table with a row for each case: label, parameters, values with their units, and how it ended.

    The role of a column (``"label"``, ``"parameter"``, ``"value"``, ``"end"``, ``"provenance"``) and its unit are in
    its field's metadata, as in the tables of campaigns. A value of the name of a parameter is called
    ``"name (result)"``.

    Args:
        cases: Each has a ``label``, and may have ``parameters`` (by name), ``values`` (by name: a `Quantity`, or number
            and unit), ``messages`` (how many, by severity), ``failure`` (why there is no result) and ``baseline`` (the
            label of the case that it is compared with).

    Raises:
        BadOptionError: Two cases have one label, or a value has two units.

    Example:
        >>> table = make_table([
        ...     {"label": "thin", "parameters": {"d": 0.1}, "values": {"site_energy": (9e9, "J")}},
        ...     {"label": "thick", "parameters": {"d": 0.3}, "values": {"site_energy": (6e9, "J")}, "baseline": "thin"},
        ... ])
        >>> add_deltas(table)["delta.site_energy"].to_pylist()
        [None, -3000000000.0]
    """
    rows = list(cases)
    labels = [str(row["label"]) for row in rows]
    for label, count in Counter(labels).items():
        if count > 1:
            raise BadOptionError(f"{count} cases have the label {label!r}")
    built = TableBuilder()
    built.add("label", labels, "label")
    for name in names_of(row.get("parameters") for row in rows):
        built.add(name, [(row.get("parameters") or {}).get(name) for row in rows], "parameter")
    for name in names_of(row.get("values") for row in rows):
        found = [_quantity((row.get("values") or {}).get(name)) for row in rows]
        units = {each.unit for each in found if each is not None}
        if len(units) > 1:
            raise BadOptionError(f"the value {name!r} has {len(units)} units: {', '.join(sorted(units))}")
        built.add(name, [None if each is None else each.value for each in found], "value", "".join(units))
    built.add("failure", [row.get("failure") for row in rows], "end")
    for severity in _SEVERITIES:
        counts = [row.get("messages") for row in rows]
        built.add(f"{severity}_messages", [None if each is None else each.get(severity, 0) for each in counts], "end")
    built.add("baseline", [row.get("baseline") for row in rows], "provenance")
    return built.table()


def add_values(table: Any, functions: Mapping[str, Callable[[Row], Quantity | float | str | None]]) -> Any:
    """Return the table with values of the user's own.

    Args:
        table: An Arrow table of `make_table`, or of a campaign.
        functions: By the name of the value: called with each row as a mapping; a `Quantity` brings its unit. In rows
            without results the values are None.

    Example:
        >>> table = make_table([{"label": "a", "values": {"site_energy": (7.2e9, "J")}}])
        >>> costs = add_values(table, {"cost": lambda row: Quantity(row["site_energy"] / 3.6e6 * 0.25, "EUR")})
        >>> costs["cost"].to_pylist(), unit_of(costs, "cost")
        ([500.0], 'EUR')
    """
    built, rows = TableBuilder(table), table.to_pylist()
    for name, function in functions.items():
        found = [_call(name, function, row) for row in rows]
        units = {each.unit for each in found if each is not None}
        if len(units) > 1:
            raise BadOptionError(f"the value {name!r} has {len(units)} units: {', '.join(sorted(units))}")
        built.add(name, [None if each is None else each.value for each in found], "value", "".join(units))
    return built.table()


def _call(name: str, function: Callable[[Row], Any], row: Row) -> Quantity | None:
    try:
        return _quantity(function(row))
    except Exception as error:
        reason = f", which has no result ({row['failure']})" if row.get("failure") else ""
        error.add_note(f"The function of the value {name!r}, at the case {row.get('label')!r}{reason}")
        raise


def add_deltas(
    table: Any, baseline: str | None = None, *, names: Sequence[str] | None = None, percent: bool = False
) -> Any:
    """Return the table with what each value differs by from that of the baseline.

    The columns are called ``"delta.site_energy"``, in the unit of the value, or with ``percent``
    ``"change.site_energy"``, in %. A cell is null where there is no baseline, no result, or nothing to divide by.

    Args:
        table: An Arrow table of `make_table`, or of a campaign.
        baseline: The label of the baseline of all rows; without it, each row's own (its column ``baseline``).
        names: Which values; all that are numbers without it.
        percent: Relative instead of absolute.

    Raises:
        BadOptionError: There is no such label or value.
    """
    labels: list[str] = table["label"].to_pylist()
    places = {label: place for place, label in enumerate(labels)}
    if baseline is not None and baseline not in places:
        raise BadOptionError(f"no case has the label {baseline!r}{nearest(baseline, labels)}")
    own: list[Any] = table["baseline"].to_pylist() if "baseline" in table.column_names else [None] * len(labels)
    bases = [places.get(each if baseline is None else baseline) for each in own]
    built = TableBuilder(table)
    for name in columns_of(table, "value") if names is None else names:
        found = numbers_of(table, name)
        if found is None:
            continue
        compared = [None if base is None else found[base] for base in bases]
        pairs = list(zip(found, compared, strict=True))
        if percent:
            built.add(f"change.{name}", [_change(*pair) for pair in pairs], "delta", "%")
        else:
            built.add(f"delta.{name}", [_difference(*pair) for pair in pairs], "delta", unit_of(table, name))
    return built.table()


@dataclass(frozen=True, slots=True)
class QualityGate:
    """What a result may have and still be used.

    Attributes:
        severe_messages: How many severe messages of the engine.
        fatal_messages: How many fatal ones.
        unmet_hours: Occupied hours in which set points of heating and cooling were not met, together (ASHRAE 90.1,
            G3.1.2.3, allows 300); None for any number.
        discomfort_hours: Hours that are not comfortable by the simple method of ASHRAE 55-2004; None for any number.
    """

    severe_messages: int = 0
    fatal_messages: int = 0
    unmet_hours: float | None = 300.0
    discomfort_hours: float | None = None

    def judge(self, row: Row) -> list[str]:
        """Return what is wrong with a row of a table; nothing where it may be used."""
        if row.get("failure"):
            return [f"failed: {row['failure']}"]
        wrong: list[str] = []
        for severity, most in (("severe", self.severe_messages), ("fatal", self.fatal_messages)):
            count = row.get(f"{severity}_messages")
            if count is None:
                return ["no result"]
            if count > most:
                wrong.append(f"{count} {severity} messages, {most} allowed")
        unmet = [row.get(f"unmet_hours.occupied_{each}") for each in ("heating", "cooling")]
        hours = sum(each for each in unmet if each is not None)
        wrong += _exceeds(hours, self.unmet_hours, "set points not met")
        wrong += _exceeds(row.get("discomfort_hours") or 0.0, self.discomfort_hours, "not comfortable")
        return wrong


def add_quality(table: Any, gate: QualityGate | None = None) -> Any:
    """Return the table with the columns ``is_sound`` and ``quality``, which says what is wrong.

    Example:
        >>> table = make_table([{"label": "a", "messages": {"severe": 2}}, {"label": "b", "messages": {}}])
        >>> add_quality(table).select(["is_sound", "quality"]).to_pylist()[0]
        {'is_sound': False, 'quality': '2 severe messages, 0 allowed'}
    """
    asked = gate or QualityGate()
    wrong = [asked.judge(row) for row in table.to_pylist()]
    built = TableBuilder(table)
    built.add("is_sound", [not each for each in wrong], "quality")
    built.add("quality", ["; ".join(each) or None for each in wrong], "quality")
    return built.table()


def columns_of(table: Any, role: str) -> list[str]:
    """Return the names of the columns that have a role."""
    return [each.name for each in table.schema if (each.metadata or {}).get(b"role") == role.encode()]


def unit_of(table: Any, name: str) -> str:
    """Return the unit of a column; empty where it has none."""
    return (table.schema.field(name).metadata or {}).get(b"unit", b"").decode()


def numbers_of(table: Any, name: str) -> list[float | None] | None:
    """Return a column of numbers; None where it is of something else.

    An end use or a fuel that a run does not have is zero, where it has others.

    Raises:
        BadOptionError: There is no such column.
    """
    if name not in table.column_names:
        raise BadOptionError(f"the table has no column {name!r}{nearest(name, table.column_names)}")
    kind = table.schema.field(name).type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        return None
    found: list[float | None] = [None if each is None else float(each) for each in table[name].to_pylist()]
    for prefix in _ZERO_WHERE_ABSENT:
        if name.startswith(prefix):
            others = [table[each].to_pylist() for each in table.column_names if each.startswith(prefix)]
            has_any = [any(cell is not None for cell in row) for row in zip(*others, strict=True)]
            found = [0.0 if each is None and any_ else each for each, any_ in zip(found, has_any, strict=True)]
    return found


class TableBuilder:
    """Columns under names that differ, with role and unit."""

    def __init__(self, table: Any | None = None) -> None:
        self._columns: dict[str, Any] = {} if table is None else {name: table[name] for name in table.column_names}
        self._fields: list[Any] = [] if table is None else list(table.schema)

    def add(self, name: str, values: Sequence[Any], role: str, unit: str = "") -> None:
        """Add a column; a name that is taken is called ``"name (result)"``."""
        array, is_json = self.array(values)
        self.add_array(name, array, role, unit, is_json=is_json)

    def add_array(self, name: str, array: Any, role: str, unit: str = "", *, is_json: bool = False) -> None:
        """Add a column that is an array already."""
        about = {"role": role, "unit": unit}
        if is_json:
            about["json"] = "true"
        if name in self._columns:
            about["name"] = name
        while name in self._columns:
            name = f"{name} (result)"
        self._columns[name] = array
        self._fields.append(pa.field(name, array.type, metadata=about))

    @staticmethod
    def array(values: Sequence[Any]) -> tuple[Any, bool]:
        """Return values as an array of one type, and whether it is JSON: what is no number, text or truth is."""
        kinds = {type(value) for value in values if value is not None}
        if kinds and kinds <= {int, float}:
            return pa.array(values, pa.float64() if float in kinds else pa.int64()), False
        if kinds == {bool}:
            return pa.array(values, pa.bool_()), False
        if kinds <= {str}:
            return pa.array(values, pa.string()), False
        texts = [None if value is None else json.dumps(value, sort_keys=True) for value in values]
        return pa.array(texts, pa.string()), True

    def table(self) -> Any:
        """Return the columns as a table."""
        return pa.table(list(self._columns.values()), schema=pa.schema(self._fields))


def names_of(mappings: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """Return the names in some mappings, in the order in which they come."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping or ()))


def _quantity(value: Any) -> Quantity | None:
    if value is None or isinstance(value, Quantity):
        return value
    return Quantity(*value) if isinstance(value, list | tuple) else Quantity(value)


def _difference(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value - base


def _change(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else (value / base - 1.0) * 100.0


def _exceeds(hours: float, most: float | None, what: str) -> list[str]:
    return [] if most is None or hours <= most else [f"{what} in {hours:g} h, {most:g} h allowed"]
