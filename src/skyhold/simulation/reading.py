"""What a run reported, wherever it is kept: names, time series and tables, asked for by name."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import ResultError
from skyhold.simulation.naming import nearest, parse_frequency, same
from skyhold.simulation.series import AXIS, Environment, Frequency, TimeSeries, Variable, frequencies_of
from skyhold.simulation.tabular import TabularData, TabularRow, filter_tables

__all__ = ["Outputs"]

_ANNUAL = ("annual", "run_period")
_SIZING = ("sizing", "design_day")


class Outputs(ABC):
    """What a run reported. Names are compared without regard to case, as the engine does.

    Rows of the warm-up are never among the results. Rows of design days are apart from those of the run period:
    ``environment`` chooses, with ``None`` or ``"annual"`` for the run periods (``None`` falls back to the design days
    where the run simulated nothing else), ``"sizing"`` for the design days, ``"all"`` for both, or the name of one.
    """

    @abstractmethod
    def _load_variables(self) -> Sequence[Variable]: ...

    @abstractmethod
    def _load_environments(self) -> Sequence[Environment]: ...

    @abstractmethod
    def _load_tables(self) -> pa.Table:
        """Return every cell of every table.

        Raises:
            ResultError: The tables are not there.
        """

    @abstractmethod
    def read_wide(self, variables: Iterable[Variable]) -> dict[Frequency, pa.Table]:
        """Return a table for each frequency: the columns of `AXIS`, then one column for each variable, by its label.

        Rows are all those that one of the variables has, of every environment, in the engine's order. A cell is null
        where a variable has no value at that row, and NaN where the engine reported none.
        """

    @cached_property
    def _variables(self) -> tuple[Variable, ...]:
        return tuple(self._load_variables())

    @cached_property
    def _environments(self) -> tuple[Environment, ...]:
        return tuple(self._load_environments())

    @cached_property
    def _tables(self) -> pa.Table:
        return self._load_tables()

    def list_cells(self, tables: Iterable[tuple[str, str]], for_: str) -> list[TabularRow]:
        """Return the cells of some tables, in the engine's order; none of a table that is not there.

        Args:
            tables: Which, each by report and table.
            for_: What the reports are of.
        """
        found: list[TabularRow] = []
        for report, table in tables:
            with suppress(ResultError):
                found += self.get_tabular_data(report, table, for_=for_)
        return found

    def list_variables(self) -> tuple[Variable, ...]:
        """Return every variable and meter that was reported, once for each key and frequency."""
        return self._variables

    def list_environments(self) -> tuple[Environment, ...]:
        """Return what was simulated: design days and run periods, in their order."""
        return self._environments

    def list_reports(self) -> tuple[str, ...]:
        """Return the names of the tabular reports.

        Raises:
            ResultError: The tables are not there.
        """
        return tuple(pc.unique(self._tables["report"]).to_pylist())

    def get_timeseries(
        self, variable: str, key: str | None = None, *, frequency: str | None = None, environment: str | None = None
    ) -> TimeSeries:
        """Return the values of one variable or meter.

        Args:
            variable: Its name, such as ``"Zone Mean Air Temperature"`` or ``"Electricity:Facility"``.
            key: What it is of, such as a zone; may be left out where there is only one.
            frequency: ``"detailed"``, ``"timestep"``, ``"hourly"``, ``"daily"``, ``"monthly"``, ``"runperiod"`` or
                ``"annual"``, or the engine's own words; the finest reported without it.
            environment: As the class says.

        Raises:
            ResultError: No such name was reported; the error names near ones.
            BadOptionError: There is no such frequency.
        """
        found = self._find(variable, key, frequency)
        table = self.only(self.read_wide([found])[found.frequency], environment)
        return TimeSeries(found, table.rename_columns([*AXIS, "value"]))

    def to_arrow(
        self,
        variables: Sequence[str] | None = None,
        *,
        frequency: str | None = None,
        environment: str | None = None,
        layout: Literal["wide", "long"] = "wide",
    ) -> pa.Table:
        """Return many time series as one table.

        Args:
            variables: Names of variables and meters, each with all its keys; everything without it.
            frequency: As in `get_timeseries`; without it, the finest that any of them has.
            environment: As the class says.
            layout: ``"wide"`` for one column each, named ``"key:variable [unit]"``, with key, variable and unit in
                the field's metadata; ``"long"`` for the columns key, variable, unit and value.

        Raises:
            ResultError: A name was not reported at this frequency.
        """
        asked = None if frequency is None else parse_frequency(frequency)
        chosen = [each for name in variables for each in self._named(name)] if variables else list(self._variables)
        if not chosen:
            raise ResultError("the run reported no variable and no meter")
        finest = asked or frequencies_of(chosen)[0]
        for name in variables or ():
            if not any(same(each.name, name) and each.frequency == finest for each in chosen):
                raise ResultError(
                    f"{name!r} was not reported {finest}", remedy="Ask for another frequency, or for fewer variables"
                )
        wanted = [each for each in dict.fromkeys(chosen) if each.frequency == finest]
        if not wanted:
            raise ResultError(f"nothing was reported {finest}")
        table = self.only(self.read_wide(wanted)[finest], environment)
        return table if layout == "wide" else _lengthen(table, wanted)

    def get_tabular_data(
        self,
        report: str | None = None,
        table: str | None = None,
        row: str | None = None,
        column: str | None = None,
        for_: str | None = None,
    ) -> TabularData:
        """Return the cells of the engine's tables that have these names.

        Args:
            report: Such as ``"AnnualBuildingUtilityPerformanceSummary"``.
            table: Such as ``"End Uses"``.
            row: Such as ``"Heating"``.
            column: Such as ``"Natural Gas"``.
            for_: What the report is of, such as ``"Entire Facility"``.

        Raises:
            ResultError: No cell has these names, and the error names near ones; or the tables are not there.
        """
        asked = {"report": report, "for": for_, "table": table, "row": row, "column": column}
        return TabularData(
            filter_tables(self._tables, {name: text for name, text in asked.items() if text is not None})
        )

    def _named(self, variable: str) -> list[Variable]:
        found = [each for each in self._variables if same(each.name, variable)]
        if not found:
            raise ResultError(
                f"the variable or meter {variable!r} was not reported"
                + nearest(variable, (each.name for each in self._variables)),
                remedy="Look at list_variables(); what is missing must be asked for before the run, "
                "with outputs=OutputSelection(variables=[…])",
            )
        return found

    def _find(self, variable: str, key: str | None, frequency: str | None) -> Variable:
        found = self._named(variable)
        if key not in (None, "*"):
            keys = [each.key for each in found]
            found = [each for each in found if same(each.key, key or "")]
            if not found:
                raise ResultError(f"{variable!r} was not reported for the key {key!r}{nearest(key or '', keys)}")
        if frequency is not None:
            asked, all_of_them = parse_frequency(frequency), frequencies_of(found)
            found = [each for each in found if each.frequency == asked]
            if not found:
                raise ResultError(f"{variable!r} was not reported {asked}, but {', '.join(all_of_them)}")
        finest = frequencies_of(found)[0]
        found = [each for each in found if each.frequency == finest]
        if len(found) > 1:
            raise ResultError(
                f"{variable!r} was reported for {len(found)} keys: {', '.join(repr(each.key) for each in found)}",
                remedy="Say which, with key=",
            )
        return found[0]

    def only(self, table: pa.Table, environment: str | None) -> pa.Table:
        """Return the rows of a table of `read_wide` that are of an environment, named as the class says.

        Raises:
            ResultError: There is no such environment.
        """
        names = self._environment_names(environment)
        if len(names) == len(self._environments):
            return table
        return table.filter(pc.is_in(table["environment"].cast(pa.string()), pa.array(names, pa.string())))

    def _environment_names(self, asked: str | None) -> list[str]:
        runs = [each.name for each in self._environments if each.is_run_period]
        sizing = [each.name for each in self._environments if not each.is_run_period]
        if asked == "all":
            return [each.name for each in self._environments]
        if asked is None:
            return runs or sizing
        if asked in _ANNUAL or asked in _SIZING:
            found, what = (runs, "run period") if asked in _ANNUAL else (sizing, "design day")
            if not found:
                raise ResultError(f"no {what} was simulated", remedy=f"Run it with annual={asked in _ANNUAL}")
            return found
        found = [name for name in runs + sizing if same(name, asked)]
        if not found:
            raise ResultError(f"there is no environment {asked!r}{nearest(asked, runs + sizing)}")
        return found


def _lengthen(table: pa.Table, variables: Sequence[Variable]) -> pa.Table:
    parts: list[pa.Table] = []
    for each in variables:
        part = table.select([*AXIS, each.label]).rename_columns([*AXIS, "value"])
        part = part.filter(pc.is_valid(part["value"]))
        words: Mapping[str, Any] = {"key": each.key, "variable": each.name, "unit": each.units}
        for position, (name, text) in enumerate(words.items()):
            column = pa.repeat(pa.scalar(text, pa.string()), len(part)).dictionary_encode()
            part = part.add_column(len(AXIS) + position, name, column)
        parts.append(part)
    return pa.concat_tables(parts).unify_dictionaries()
