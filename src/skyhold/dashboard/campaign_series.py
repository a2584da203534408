"""Time series of chosen cases: lines with no more points than a screen shows, figures, and the values to take away."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skyhold.dashboard.campaign_place import campaign_address, campaign_trail
from skyhold.dashboard.charts import Scale, Tick, decimate, find_scale, polylines, time_ticks
from skyhold.dashboard.desk import desk_of, place_of
from skyhold.dashboard.rendering import error_words, show
from skyhold.errors import BadOptionError, SkyholdError
from skyhold.simulation.scales import scale_of
from skyhold.simulation.survey import Look

__all__ = ["series_routes"]

_POINTS = 1400
_LINES = 8
_WIDTH = 1000
_HEIGHT = 240
_CASES = 400
_FIRST = "Electricity:Facility"
_FEW = 60
"""Fewer values are not shown by the month."""


@dataclass(frozen=True, slots=True)
class _Curve:
    """One variable of one case, within the window that is shown."""

    number: int
    case: str
    variable: str
    unit: str
    moments: Sequence[datetime]
    values: Sequence[float | None]
    parts: Sequence[str] = ()

    def figures(self) -> tuple[tuple[float, datetime], tuple[float, datetime], float, float] | None:
        """Return the lowest and the highest value with their moments, the mean, and the sum; None for only gaps."""
        known = [(value, at) for value, at in zip(self.values, self.moments, strict=True) if _is_known(value)]
        if not known:
            return None
        total = math.fsum(value or 0.0 for value, _ in known)
        low, high = min(known, key=lambda each: each[0] or 0.0), max(known, key=lambda each: each[0] or 0.0)
        return (low[0] or 0.0, low[1]), (high[0] or 0.0, high[1]), total / len(known), total


@dataclass(frozen=True, slots=True)
class _Chart:
    """Curves of one unit."""

    unit: str
    curves: Sequence[_Curve]
    scale: Scale
    ticks: Sequence[Tick]
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be shown.

    Attributes:
        cases: Labels.
        variables: As ``frequency|label``.
        environment: A run period or design day; empty for the run periods.
        start: The first value that is shown, from 0.
        end: Where to stop; 0 for the end.
    """

    cases: tuple[str, ...]
    variables: tuple[str, ...]
    environment: str
    start: int
    end: int

    @staticmethod
    def of(request: Request) -> "_Asked":
        asked = request.query_params

        def number(name: str) -> int:
            text = asked.get(name, "")
            return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 - no series is longer

        return _Asked(
            tuple(dict.fromkeys(asked.getlist("case")))[:_LINES],
            tuple(dict.fromkeys(asked.getlist("variable")))[:_LINES],
            asked.get("environment", ""),
            max(0, number("start") - 1) if number("start") else 0,
            number("end"),
        )

    def query(self, **changes: Any) -> str:
        """Return the part of an address that asks for the same, but for some changes."""
        fields = {"environment": self.environment, "start": self.start + 1, "end": self.end, **changes}
        pairs = [("case", each) for each in self.cases] + [("variable", each) for each in self.variables]
        return urlencode([*pairs, *((name, value) for name, value in fields.items() if value)], errors="surrogatepass")


def series_routes() -> list[Route]:
    """Return the routes of these pages."""
    return [
        Route("/campaigns/{place}/series", _show_series),
        Route("/campaigns/{place}/series.csv", _download_csv),
    ]


def _show_series(request: Request) -> Response:
    place = place_of(request)
    look = desk_of(request).campaigns.look(place)
    done = [name for name, view in look.cases.items() if view.outcome is not None and not view.outcome.failure]
    asked = _Asked.of(request)
    fault, variables, environments, curves = None, [], [], []
    length = 0
    try:
        if done:
            asked, variables, environments = _complete(request, look, asked, done)
            curves = _in_readable_units(_read(request, look, asked))
            length = max((len(each.values) for each in curves), default=0)
    except SkyholdError as error:
        fault = error_words(error)
    start, end = _window(asked, length)
    charts = _charts(curves, start, end)
    return show(
        request,
        "campaign_series.html",
        place=place,
        address=campaign_address(place),
        trail=campaign_trail(place, "Time series"),
        tab="series",
        look=look,
        asked=asked,
        done=list(dict.fromkeys([*asked.cases, *done]))[:_CASES],
        more=max(0, len(done) - _CASES),
        variables=variables,
        environments=environments,
        fault=fault,
        charts=charts,
        curves=[each for chart in charts for each in chart.curves],
        start=start,
        end=end,
        length=length,
        months=_months(curves),
    )


def _complete(request: Request, look: Look, asked: _Asked, done: Sequence[str]) -> tuple[_Asked, list[Any], list[str]]:
    """Return what is to be shown, with something where nothing was chosen, and what there is to choose from."""
    from skyhold.simulation.series import FREQUENCIES  # noqa: PLC0415 - pyarrow, for charts alone

    cases = asked.cases or tuple(dict.fromkeys((done[0], done[-1])))
    kept = desk_of(request).campaigns.kept(place_of(request), look.named(cases[0]))
    variables = sorted(
        kept.list_variables(),
        key=lambda each: (
            FREQUENCIES.index(each.frequency),
            each.name != _FIRST,
            not each.is_meter,
            each.name,
            each.key,
        ),
    )
    chosen = asked.variables or tuple(_name_of(each) for each in variables[:1])
    environments = [each.name for each in kept.list_environments()]
    return _Asked(cases, chosen, asked.environment, asked.start, asked.end), variables, environments


def _name_of(variable: Any) -> str:
    return f"{variable.frequency}|{variable.label}"


def _read(request: Request, look: Look, asked: _Asked) -> list[_Curve]:
    """Return the curves, whole.

    Raises:
        BadOptionError: A case has no such variable.
        ResultError: A case has no results, or kept no series.
    """
    campaigns, place = desk_of(request).campaigns, place_of(request)
    curves: list[_Curve] = []
    for label in asked.cases:
        kept = campaigns.kept(place, look.named(label))
        known = {_name_of(each): each for each in kept.list_variables()}
        for name in asked.variables:
            if len(curves) == _LINES:
                return curves
            if name not in known:
                raise BadOptionError(
                    f"the case {label!r} has not kept {name.partition('|')[2]!r}", remedy="Choose another variable"
                )
            found = known[name]
            series = kept.get_timeseries(
                found.name, found.key, frequency=found.frequency, environment=asked.environment or None
            )
            curves.append(_Curve(len(curves), label, found.label, found.units, series.timestamps, series.values))
    return curves


def _in_readable_units(curves: Sequence[_Curve]) -> list[_Curve]:
    """Return curves whose numbers are short, those of one unit alike."""
    found: list[_Curve] = []
    for curve in curves:
        alike = (value for each in curves if each.unit == curve.unit for value in each.values if _is_known(value))
        factor, unit = scale_of(max((abs(value or 0.0) for value in alike), default=0.0), curve.unit)
        values = curve.values if factor == 1.0 else [None if each is None else each / factor for each in curve.values]
        found.append(replace(curve, unit=unit, values=values))
    return found


def _window(asked: _Asked, length: int) -> tuple[int, int]:
    end = min(asked.end or length, length)
    start = min(asked.start, max(0, end - 2))
    return start, end


def _charts(curves: Sequence[_Curve], start: int, end: int) -> list[_Chart]:
    charts: list[_Chart] = []
    for unit in dict.fromkeys(each.unit for each in curves):
        chosen = [
            replace(each, moments=each.moments[start:end], values=each.values[start:end])
            for each in curves
            if each.unit == unit and each.moments[start:end]
        ]
        if chosen:
            charts.append(_chart(unit, chosen))
    return charts


def _chart(unit: str, curves: Sequence[_Curve]) -> _Chart:
    scale = find_scale(value for each in curves for value in each.values if value is not None)
    longest = max(curves, key=lambda each: len(each.moments)).moments
    interval = longest[1] - longest[0] if len(longest) > 1 else timedelta(hours=1)
    width = max(1, len(longest) - 1)
    drawn = [
        replace(
            each,
            parts=polylines(
                (place / width * _WIDTH, None if value is None else _HEIGHT * (1 - scale.place(value)))
                for place, value in decimate(each.values, _POINTS)
            ),
        )
        for each in curves
    ]
    return _Chart(unit, drawn, scale, time_ticks(longest, interval), longest[0], longest[-1])


def _months(curves: Sequence[_Curve]) -> list[tuple[str, int, int]]:
    """Return the months of the longest curve: name, first value from 1, and last."""
    if not curves:
        return []
    moments = max((each.moments for each in curves), key=len)
    if len(moments) < _FEW:
        return []
    interval = moments[1] - moments[0]
    names = [f"{moment - interval:%b}" for moment in moments]
    firsts = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    found = [(names[first], first + 1, end) for first, end in zip(firsts, [*firsts[1:], len(names)], strict=True)]
    return found if 1 < len(found) <= 12 else []  # noqa: PLR2004 - months of a year


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _download_csv(request: Request) -> Response:
    import pyarrow as pa  # noqa: PLC0415 - for downloads alone
    import pyarrow.csv as pa_csv  # noqa: PLC0415

    place = place_of(request)
    look = desk_of(request).campaigns.look(place)
    asked = _Asked.of(request)
    curves = _read(request, look, asked)
    if not curves:
        raise BadOptionError("no case and variable were chosen", remedy="Choose them under Time series")
    start, end = _window(asked, max(len(each.values) for each in curves))
    length = max(len(each.values[start:end]) for each in curves)
    columns: dict[str, Any] = {}
    for each in curves:
        columns.setdefault("timestamp", _padded(each.moments[start:end], length))
        columns[f"{each.case}: {each.variable}"] = _padded(each.values[start:end], length)
    sink = io.BytesIO()
    pa_csv.write_csv(pa.table({name: pa.array(cells) for name, cells in columns.items()}), sink)
    headers = {"Content-Disposition": 'attachment; filename="series.csv"'}
    return Response(sink.getvalue(), media_type="text/csv", headers=headers)


def _padded(cells: Sequence[Any], length: int) -> list[Any]:
    return [*cells, *([None] * (length - len(cells)))]
