"""The table of a campaign: parameters and results, sorted, compared and judged; to look at and to take away."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skyhold.dashboard.campaign_place import campaign_address, campaign_trail
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.rendering import show
from skyhold.dashboard.versions import read_count
from skyhold.errors import BadOptionError
from skyhold.simulation.scales import scale_of

__all__ = ["Column", "column_of", "default_values", "table_routes"]

_ROWS = 100
_VALUES = 8
_MAIN = ("site_energy", "source_energy", "eui", "cost", "fuel.", "peak.", "unmet_hours.")
_ENDS = ("state", "failure", "detail", "warning_messages", "severe_messages", "fatal_messages", "seconds")
_BASELINES = 200
_SMALL, _LARGE = 1e-4, 1e9
"""Between them numbers are read without powers of ten."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a page shows it.

    Attributes:
        name: In the table.
        unit: In which its cells are.
        is_number: Whether they stand to the right.
        cells: As text; None where there is nothing.
    """

    name: str
    unit: str
    is_number: bool
    cells: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class _Asked:
    columns: tuple[str, ...]
    sort: str
    is_down: bool
    compare: str
    baseline: str
    gate: bool
    page: int

    @staticmethod
    def of(request: Request) -> "_Asked":
        asked = request.query_params
        compare = asked.get("compare", "")
        return _Asked(
            tuple(asked.getlist("column")),
            asked.get("sort", ""),
            asked.get("down") == "1",
            compare if compare in {"delta", "change"} else "",
            asked.get("baseline", ""),
            asked.get("gate") == "1",
            read_count(asked.get("page", "")) or 1,
        )

    def query(self, **changes: Any) -> str:
        """Return the part of an address that asks for the same, but for some changes."""
        fields = {
            "sort": self.sort,
            "down": "1" if self.is_down else "",
            "compare": self.compare,
            "baseline": self.baseline,
            "gate": "1" if self.gate else "",
            "page": self.page if self.page > 1 else "",
            **changes,
        }
        pairs = [("column", each) for each in self.columns] + [(name, value) for name, value in fields.items() if value]
        return urlencode(pairs, errors="surrogatepass")


def table_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/campaigns/{place}/table", _show_table),
        Route("/campaigns/{place}/table.csv", _download_csv),
        Route("/campaigns/{place}/table.parquet", _download_parquet),
    ]


def default_values(table: Any) -> list[str]:
    """Return the values that are shown where nobody has chosen: those that most people look for first."""
    from skyhold.simulation.table import columns_of  # noqa: PLC0415 - pyarrow, for tables alone

    known = columns_of(table, "value")
    first = [
        name for begin in _MAIN for name in known if name == begin or (begin[-1] == "." and name.startswith(begin))
    ]
    filled = [name for name in dict.fromkeys([*first, *known]) if table[name].null_count < len(table)]
    return filled[:_VALUES]


def column_of(table: Any, name: str, first: int = 0, count: int | None = None) -> Column:
    """Return some rows of a column, with cells that are easy to read; their unit is the same for all rows."""
    from skyhold.simulation.table import numbers_of, unit_of  # noqa: PLC0415 - pyarrow, for tables alone

    unit = unit_of(table, name)
    numbers = numbers_of(table, name)
    rows = slice(first, None if count is None else first + count)
    cells: list[Any] = table[name].to_pylist()[rows]
    if numbers is None or all(each is None for each in numbers):
        return Column(name, unit, False, [None if each is None else _word(each) for each in cells])
    factor, unit = scale_of(max((abs(each) for each in numbers if each is not None), default=0.0), unit)
    if factor != 1.0:
        cells = [None if each is None else each / factor for each in numbers[rows]]
    return Column(name, unit, True, _aligned(cells))


def _word(value: Any) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _aligned(cells: Sequence[float | None]) -> list[str | None]:
    """Return numbers with as many decimals as the highest needs for five digits, but none that all would end in."""
    known = [each for each in cells if each is not None and math.isfinite(each)]
    highest = max(map(abs, known), default=0.0)
    if all(isinstance(each, int) for each in known):
        return [None if each is None else f"{each:,}" for each in cells]
    if highest and not _SMALL <= highest < _LARGE:
        return [None if each is None else f"{each:,.5g}" for each in cells]
    decimals = max(0, 4 - math.floor(math.log10(highest))) if highest else 0
    while decimals and all(f"{each:.{decimals}f}"[-1] == "0" for each in known):
        decimals -= 1
    return [None if each is None else f"{round(each, decimals) + 0.0:,.{decimals}f}" for each in cells]


def _show_table(request: Request) -> Response:
    from skyhold.simulation.table import columns_of  # noqa: PLC0415 - pyarrow, for tables alone

    place, asked = place_of(request), _Asked.of(request)
    desk = desk_of(request)
    look = desk.campaigns.look(place)
    whole = desk.campaigns.survey(place).table()
    values = [name for name in asked.columns if name in whole.column_names] or default_values(whole)
    table = _compared(whole, asked, values)
    pages = max(1, -(-len(table) // _ROWS))
    page = min(asked.page, pages)
    names = [*columns_of(whole, "parameter"), "state", *_with_deltas(table, values)]
    names += [name for name in ("is_sound", "quality") if name in table.column_names]
    return show(
        request,
        "campaign_table.html",
        place=place,
        address=campaign_address(place),
        trail=campaign_trail(place, "Table"),
        tab="table",
        look=look,
        labels=table["label"].slice((page - 1) * _ROWS, _ROWS).to_pylist(),
        columns=[column_of(table, name, (page - 1) * _ROWS, _ROWS) for name in dict.fromkeys(names)],
        asked=asked,
        chosen=values,
        choices=[*columns_of(whole, "value"), *(name for name in _ENDS if name != "state")],
        baselines=list(look.cases)[:_BASELINES],
        has_own=_has_baselines(whole),
        page=page,
        pages=pages,
        first=(page - 1) * _ROWS + 1,
        total=len(table),
    )


def _with_deltas(table: Any, values: Sequence[str]) -> list[str]:
    """Return the columns to show: each value with what it differs by beside it."""
    return [
        name
        for value in values
        for name in (value, f"delta.{value}", f"change.{value}")
        if name == value or name in table.column_names
    ]


def _compared(table: Any, asked: _Asked, values: Sequence[str]) -> Any:
    from skyhold.simulation.campaign_table import compare  # noqa: PLC0415 - pyarrow, for tables alone
    from skyhold.simulation.table import columns_of  # noqa: PLC0415

    known = columns_of(table, "value")
    names = [name for name in values if name in known]
    deltas = names if asked.compare == "delta" else False
    changes = names if asked.compare == "change" else False
    baseline = (asked.baseline or _common_baseline(table)) if asked.compare else None
    return _sorted(compare(table, {}, deltas, changes, baseline, asked.gate), asked)


def _common_baseline(table: Any) -> str | None:
    """Return what all are compared with where nobody has chosen: the first case, if none has a baseline of its own."""
    return None if _has_baselines(table) or not len(table) else table["label"][0].as_py()


def _has_baselines(table: Any) -> bool:
    return table["baseline"].null_count < len(table)


def _sorted(table: Any, asked: _Asked) -> Any:
    if not asked.sort:
        return table
    import pyarrow.compute as pc  # noqa: PLC0415 - for tables alone

    if asked.sort not in table.column_names:
        raise BadOptionError(f"the table has no column {asked.sort!r}", remedy="Choose one that is shown")
    order = "descending" if asked.is_down else "ascending"
    return table.take(pc.sort_indices(table, sort_keys=[(asked.sort, order)]))


def _download_csv(request: Request) -> Response:
    from skyhold.simulation.table_files import format_csv  # noqa: PLC0415 - for downloads alone

    return _file(format_csv(_whole(request)), "csv", "text/csv")


def _download_parquet(request: Request) -> Response:
    from skyhold.simulation.table_files import format_parquet  # noqa: PLC0415 - for downloads alone

    return _file(format_parquet(_whole(request)), "parquet", "application/vnd.apache.parquet")


def _whole(request: Request) -> Any:
    """Return every row and column, sorted and compared as the page is."""
    asked = _Asked.of(request)
    table = desk_of(request).campaigns.survey(place_of(request)).table()
    return _compared(table, asked, list(asked.columns) or default_values(table))


def _file(content: bytes, ending: str, media_type: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="campaign.{ending}"'}
    return Response(content, media_type=media_type, headers=headers)
