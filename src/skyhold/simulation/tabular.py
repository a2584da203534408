"""The cells of an engine's tables, found by name."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import ResultError
from skyhold.simulation.naming import nearest

__all__ = ["TABLE_COLUMNS", "TabularData", "TabularRow", "filter_tables", "parse_number"]

TABLE_COLUMNS = ("report", "for", "table", "row", "column", "units", "value")
"""What a cell has; all text, as the engine writes it, without the blanks around."""


@dataclass(frozen=True, slots=True)
class TabularRow:
    """One cell of a table.

    Attributes:
        report: Which report, such as ``"AnnualBuildingUtilityPerformanceSummary"``.
        for_: What it is of, such as ``"Entire Facility"``.
        table: Which table of the report.
        row: Which row of the table.
        column: Which column.
        units: The value's unit; empty where it has none.
        value: As the engine writes it.
    """

    report: str
    for_: str
    table: str
    row: str
    column: str
    units: str
    value: str

    @property
    def number(self) -> float | None:
        """The value as a number; None where it is none."""
        return parse_number(self.value)


class TabularData(Sequence[TabularRow]):
    """Cells of tables, in the engine's order; as rows, or as Arrow."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def to_arrow(self) -> pa.Table:
        """Return the columns of `TABLE_COLUMNS`."""
        return self._table

    @property
    def number(self) -> float | None:
        """The number in the only cell.

        Raises:
            ResultError: There are several cells.
        """
        if len(self) != 1:
            raise ResultError(
                f"{len(self)} cells have these names", remedy="Say more: report, table, row, column, for_"
            )
        return self[0].number

    def __len__(self) -> int:
        """Return how many cells there are."""
        return len(self._table)

    def __iter__(self) -> Iterator[TabularRow]:
        """Yield the cells."""
        columns = [self._table[name].cast(pa.string()).to_pylist() for name in TABLE_COLUMNS]
        return (TabularRow(*cell) for cell in zip(*columns, strict=True))

    @overload
    def __getitem__(self, index: int) -> TabularRow: ...
    @overload
    def __getitem__(self, index: slice) -> "TabularData": ...
    def __getitem__(self, index: int | slice) -> "TabularRow | TabularData":
        """Return a cell, or some of them."""
        if isinstance(index, slice):
            return TabularData(self._table.take(pa.array(range(len(self))[index], pa.int64())))
        place = range(len(self))[index]
        return TabularRow(*(self._table[name][place].as_py() for name in TABLE_COLUMNS))

    def __repr__(self) -> str:
        """Show how many."""
        return f"<TabularData of {len(self)} cells>"


def filter_tables(table: pa.Table, names: Mapping[str, str]) -> pa.Table:
    """Return the cells that have these names, whatever their case.

    Args:
        table: Cells, with the columns of `TABLE_COLUMNS`.
        names: What the columns must hold, most general first.

    Raises:
        ResultError: None has; the error names near ones.
    """
    left, within = table, ""
    for column, name in names.items():
        folded = pc.utf8_lower(left[column].cast(pa.string()))
        found = left.filter(pc.equal(folded, name.lower()))
        if not len(found):
            known = pc.unique(left[column].cast(pa.string())).to_pylist()
            raise ResultError(f"no cell has the {column} {name!r}{within}{nearest(name, known)}")
        left = found
        within += f"{',' if within else ' within'} {column} {name!r}"
    return left


def parse_number(text: str) -> float | None:
    """Return the number that a cell holds, if it holds one.

    Example:
        >>> parse_number("12.94"), parse_number("21-JUL-15:00"), parse_number("")
        (12.94, None, None)
    """
    try:
        return float(text)
    except ValueError:
        return None
