"""The charts of a campaign: end uses, time series, and parallel coordinates. Each has a table that says the same."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skyhold.dashboard.campaign_place import campaign_address, campaign_trail
from skyhold.dashboard.campaign_series import series_routes
from skyhold.dashboard.campaign_tables import column_of, default_values
from skyhold.dashboard.charts import find_scale
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.parallel import Axis, find_axes, lines_across, within
from skyhold.dashboard.rendering import show
from skyhold.dashboard.versions import read_count
from skyhold.simulation.scales import scale_of

__all__ = ["chart_routes"]

_BARS = 50
_USES = 7
_AXES = 6
_MOST_AXES = 12
_LINES = 2000
_LISTED = 50


def chart_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/campaigns/{place}/energy", _show_energy),
        Route("/campaigns/{place}/parallel", _show_parallel),
        *series_routes(),
    ]


def _show_energy(request: Request) -> Response:
    place, asked = place_of(request), request.query_params
    desk = desk_of(request)
    look = desk.campaigns.look(place)
    table = desk.campaigns.survey(place).table()
    uses, rows = _end_uses(table)
    order = asked.get("order", "") if asked.get("order") in {"most", "least"} else ""
    if order:
        rows.sort(key=lambda row: sum(row[1]), reverse=order == "most")
    pages = max(1, -(-len(rows) // _BARS))
    page = min(pages, read_count(asked.get("page", "")) or 1)
    shown = rows[(page - 1) * _BARS : page * _BARS]
    highest = max((sum(numbers) for _, numbers in rows), default=0.0)
    factor, unit = scale_of(highest, _unit_of_uses(table))
    scale = find_scale([highest / factor], from_zero=True)
    return show(
        request,
        "campaign_energy.html",
        place=place,
        address=campaign_address(place),
        trail=campaign_trail(place, "End uses"),
        tab="energy",
        look=look,
        uses=uses,
        bars=[(label, [number / factor for number in numbers], sum(numbers) / factor) for label, numbers in shown],
        unit=unit,
        scale=scale,
        order=order,
        page=page,
        pages=pages,
        first=(page - 1) * _BARS + 1,
        total=len(rows),
    )


def _use_names(table: Any) -> list[str]:
    from skyhold.simulation.table import columns_of  # noqa: PLC0415 - pyarrow, for tables alone

    return [name for name in columns_of(table, "value") if name.startswith("end_use.") and name.count(".") == 1]


def _unit_of_uses(table: Any) -> str:
    from skyhold.simulation.table import unit_of  # noqa: PLC0415 - pyarrow, for tables alone

    names = _use_names(table)
    return unit_of(table, names[0]) if names else ""


def _end_uses(table: Any) -> tuple[list[str], list[tuple[str, list[float]]]]:
    """Return the end uses that matter most, the rest of them as one, and each case with its energies."""
    from skyhold.simulation.table import numbers_of  # noqa: PLC0415 - pyarrow, for tables alone

    found = {name: numbers_of(table, name) or [] for name in _use_names(table)}
    totals = {name: sum(each for each in numbers if each) for name, numbers in found.items()}
    ranked = sorted((name for name in found if totals[name]), key=lambda name: -totals[name])
    main, rest = (ranked, []) if len(ranked) <= _USES + 1 else (ranked[:_USES], ranked[_USES:])
    uses = [name.removeprefix("end_use.").replace("_", " ") for name in main] + (["others"] if rest else [])
    rows: list[tuple[str, list[float]]] = []
    for place, label in enumerate(table["label"].to_pylist()):
        if any(found[name][place] is not None for name in ranked):
            numbers = [found[name][place] or 0.0 for name in main]
            rows.append((label, numbers + ([sum(found[name][place] or 0.0 for name in rest)] if rest else [])))
    return uses, rows


def _show_parallel(request: Request) -> Response:
    from skyhold.simulation.table import columns_of  # noqa: PLC0415 - pyarrow, for tables alone

    place, asked = place_of(request), request.query_params
    desk = desk_of(request)
    look = desk.campaigns.look(place)
    table = desk.campaigns.survey(place).table()
    choices = [*columns_of(table, "parameter"), *columns_of(table, "value")]
    chosen = [name for name in asked.getlist("column") if name in choices][:_MOST_AXES]
    axes = find_axes(table, chosen or _default_axes(table), asked)
    colour_by = asked.get("colour", "")
    if colour_by not in {axis.name for axis in axes}:
        results = [axis.name for axis in axes if axis.name in columns_of(table, "value")]
        colour_by = next(iter(results), axes[-1].name if axes else "")
    lines = lines_across(table, axes, colour_by, _LINES)
    inside = [line for line in lines if line.is_inside]
    query = urlencode([("column", axis.name) for axis in axes if axis.name not in columns_of(table, "parameter")])
    return show(
        request,
        "campaign_parallel.html",
        place=place,
        address=campaign_address(place),
        trail=campaign_trail(place, "Parallel coordinates"),
        tab="parallel",
        look=look,
        axes=axes,
        lines=sorted(lines, key=lambda line: line.is_inside),
        inside=inside[:_LISTED],
        count=len(inside),
        total=within(table, axes),
        choices=choices,
        colour_by=colour_by,
        cells=_cells(table, axes, [line.row for line in inside[:_LISTED]]),
        table_query=query,
    )


def _default_axes(table: Any) -> list[str]:
    """Return the parameters that vary, and the results that are looked for first."""
    from skyhold.simulation.table import columns_of  # noqa: PLC0415 - pyarrow, for tables alone

    varied = [name for name in columns_of(table, "parameter") if len(set(table[name].to_pylist())) > 1]
    values = [name for name in default_values(table) if len(set(table[name].to_pylist())) > 1]
    return [*varied[: _AXES - 1], *values[: max(2, _AXES - len(varied))]][:_MOST_AXES]


def _cells(table: Any, axes: Sequence[Axis], rows: Sequence[int]) -> list[list[str | None]]:
    columns = [column_of(table, axis.name).cells for axis in axes]
    return [[column[row] for column in columns] for row in rows]
