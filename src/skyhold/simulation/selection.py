"""What to keep of a run, as plain data, and how the engine is asked for it."""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any, Literal, Self, TypeGuard, cast

from skyhold.errors import BadOptionError
from skyhold.simulation.naming import nearest, parse_frequency, same
from skyhold.simulation.series import Variable

__all__ = ["OutputSelection", "TabularValue", "request_outputs"]

_LISTS = ("variables", "meters", "tables", "raw")

_WILD = frozenset("*?[")

_ENGINE_FREQUENCIES = {
    "detailed": "Detailed",
    "timestep": "Timestep",
    "hourly": "Hourly",
    "daily": "Daily",
    "monthly": "Monthly",
    "runperiod": "RunPeriod",
    "annual": "Annual",
}

_REPORTS_OF_VALUES = ("AnnualBuildingUtilityPerformanceSummary", "DemandEndUseComponentsSummary", "SystemSummary")
"""The reports that the values of a run are taken from."""


@dataclass(frozen=True, slots=True)
class TabularValue:
    """One cell of the engine's tables; see `skyhold.simulation.reading.Outputs.get_tabular_data`."""

    report: str
    table: str
    row: str
    column: str
    for_: str = "Entire Facility"


@dataclass(frozen=True, slots=True)
class OutputSelection:
    """What to keep of a run.

    A name without wildcards must be among the results, or keeping them fails; a pattern (``*``, ``?``, ``[…]``) takes
    what there is. Case does not matter, except for files.

    Attributes:
        variables: ``"Zone Mean Air Temperature"`` for all its keys, or ``"OFFICE:Zone Mean Air Temperature"``; None for
            every variable that was reported, ``()`` for none. Kept at every frequency that it was reported at.
        meters: As ``variables``, such as ``"Electricity:Facility"``.
        tables: Names of tabular reports; None for all.
        values: Cells of the tables that become values of the run, by the name that they are given.
        raw: Patterns of the engine's own files that are kept as they are, such as ``"eplustbl.htm"`` or ``"*.csv"``.
        everything: Keep all of the engine's own files.
        dtype: ``"float32"`` halves the time series, and rounds them to 7 digits; ``"float64"`` changes no bit.
        frequency: How often variables and meters are asked for that the model does not report itself.

    Example:
        >>> selection = OutputSelection(variables=["Zone Mean Air Temperature"], meters=[], raw=["eplusout.err"])
        >>> OutputSelection.from_json(selection.to_json()) == selection
        True
    """

    variables: Sequence[str] | None = None
    meters: Sequence[str] | None = None
    tables: Sequence[str] | None = None
    values: Mapping[str, TabularValue] = field(default_factory=dict[str, TabularValue])
    raw: Sequence[str] = ()
    everything: bool = False
    dtype: Literal["float64", "float32"] = "float64"
    frequency: str = "hourly"

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            BadOptionError: Something is not what it should be; the error names it.
        """
        for name in _LISTS:
            given: object = getattr(self, name)
            if given is None and name != "raw":
                continue
            if not _is_names(given):
                raise BadOptionError(f"{name}={given!r} is not a list of names", remedy=f"Write {name}=[…]")
            object.__setattr__(self, name, tuple(given))
        if self.dtype not in ("float64", "float32"):
            raise BadOptionError(f"dtype={self.dtype!r} is neither 'float64' nor 'float32'")
        object.__setattr__(self, "frequency", parse_frequency(self.frequency))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON values; equal selections give equal ones."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        lists = {name: None if plain[name] is None else list(plain[name]) for name in _LISTS}
        values = {name: asdict(self.values[name]) for name in sorted(self.values)}
        return {**plain, **lists, "values": values}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """Return the selection that `to_json` gave, or one written by hand; what is left out is as by default.

        Raises:
            BadOptionError: There is no such option.
        """
        known = [each.name for each in fields(cls)]
        for name in plain:
            if name not in known:
                raise BadOptionError(f"an output selection has no {name!r}{nearest(name, known)}")
        given = dict(plain)
        try:
            given["values"] = {name: TabularValue(**cell) for name, cell in dict(plain.get("values", {})).items()}
        except TypeError as error:
            raise BadOptionError(
                f"values={plain['values']!r} are not cells of tables",
                remedy="Write {name: {'report': …, 'table': …, 'row': …, 'column': …}}",
            ) from error
        return cls(**given)

    @property
    def needs_series(self) -> bool:
        """Whether any time series are kept."""
        return self.variables != () or self.meters != ()

    def takes(self, variable: Variable) -> bool:
        """Return whether a variable or meter is kept."""
        names = self.meters if variable.is_meter else self.variables
        return names is None or any(matches_variable(name, variable) for name in names)


def _is_names(given: object) -> TypeGuard[Sequence[str]]:
    """Return whether it is a list of texts, and not one text, which is a list of letters."""
    return isinstance(given, list | tuple) and all(isinstance(each, str) for each in cast("Sequence[object]", given))


def is_pattern(name: str) -> bool:
    """Return whether a name has wildcards."""
    return not _WILD.isdisjoint(name)


def matches(pattern: str, name: str) -> bool:
    """Return whether a name is the one asked for, or fits the pattern, whatever its case."""
    return same(pattern, name) or (is_pattern(pattern) and fnmatchcase(name.casefold(), pattern.casefold()))


def matches_variable(pattern: str, variable: Variable) -> bool:
    """Return whether a variable or meter is the one asked for: by its name, or by ``key:name``."""
    return matches(pattern, variable.name) or (
        not variable.is_meter and matches(pattern, f"{variable.key}:{variable.name}")
    )


def request_outputs(model: Mapping[str, Any], selection: OutputSelection | Mapping[str, Any]) -> dict[str, Any]:
    """Return a model that reports what a selection keeps; the model given is left as it is.

    Tables are always asked for, since the values of a run are taken from them. Only names without wildcards can be
    asked for: a pattern chooses among what the model reports anyway.

    Args:
        model: An epJSON document.
        selection: What will be kept.

    Example:
        >>> model = {"Output:SQLite": {"Output:SQLite 1": {"option_type": "Simple"}}}
        >>> asked = request_outputs(model, OutputSelection(meters=["Electricity:Facility"], tables=[]))
        >>> asked["Output:SQLite"], asked["Output:Meter"]["Output:Meter 1"]["key_name"]
        ({'Output:SQLite 1': {'option_type': 'SimpleAndTabular'}}, 'Electricity:Facility')
        >>> model["Output:SQLite"]["Output:SQLite 1"]["option_type"]
        'Simple'
    """
    chosen = selection if isinstance(selection, OutputSelection) else OutputSelection.from_json(selection)
    result = dict(model)
    frequency = _ENGINE_FREQUENCIES[chosen.frequency]
    _ask_for_sqlite(result)
    _ask_for_reports(result, _REPORTS_OF_VALUES if chosen.tables == () and not chosen.values else ("AllSummary",))
    for name in chosen.variables or ():
        key, _, variable = name.rpartition(":")
        if not is_pattern(variable):
            asked = "*" if is_pattern(key) or not key else key
            _add(result, "Output:Variable", key_value=asked, variable_name=variable, reporting_frequency=frequency)
    for name in chosen.meters or ():
        if not is_pattern(name):
            _add(result, "Output:Meter", key_name=name, reporting_frequency=frequency)
    return result


def _add(model: dict[str, Any], kind: str, **wanted: str) -> None:
    """Add an object, unless one that says the same is there."""
    present: dict[str, Any] = dict(model.get(kind, {}))
    defaults = {"key_value": "*", "reporting_frequency": "Hourly"}
    for known in present.values():
        if all(same(str(known.get(name, defaults.get(name, ""))), text) for name, text in wanted.items()):
            return
    number = len(present) + 1
    while f"{kind} {number}" in present:
        number += 1
    model[kind] = {**present, f"{kind} {number}": dict(wanted)}


def _ask_for_sqlite(model: dict[str, Any]) -> None:
    present = dict(model.get("Output:SQLite", {})) or {"Output:SQLite 1": {}}
    model["Output:SQLite"] = {name: {**value, "option_type": "SimpleAndTabular"} for name, value in present.items()}


def _ask_for_reports(model: dict[str, Any], reports: Sequence[str]) -> None:
    kind = "Output:Table:SummaryReports"
    present: dict[str, Any] = dict(model.get(kind, {})) or {f"{kind} 1": {}}
    name, first = next(iter(present.items()))
    first = copy(first)
    asked = [str(each.get("report_name", "")) for value in present.values() for each in value.get("reports", [])]
    if any(same(each, "AllSummary") or same(each, "AllSummaryAndMonthly") for each in asked):
        return
    missing = [{"report_name": each} for each in reports if not any(same(each, known) for known in asked)]
    first["reports"] = [*first.get("reports", []), *missing]
    model[kind] = {**present, name: first}
