"""Parallel coordinates: an upright axis for each column, and a line for each case."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyhold.dashboard.charts import Scale, Tick, find_scale, polylines
from skyhold.simulation.scales import scale_of

__all__ = ["Axis", "Line", "find_axes", "lines_across", "within"]

_SHADES = 5
_WIDTH = 1000
_HEIGHT = 320
_WORDS = 30


@dataclass(frozen=True, slots=True)
class Axis:
    """A column upright.

    Attributes:
        name: Of the column.
        unit: In which its ticks are.
        place: From left to right, 0 to 1.
        ticks: Upwards.
        heights: Of each row, 0 to 1; None where the cell is empty.
        low: What is asked of the numbers, as it was typed; empty for nothing.
        high: The same.
        is_number: Whether it has numbers, which may be bounded.
        are_inside: Which rows are within what is asked.
    """

    name: str
    unit: str
    place: float
    ticks: tuple[Tick, ...]
    heights: Sequence[float | None]
    low: str
    high: str
    is_number: bool
    are_inside: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Line:
    """A case across the axes.

    Attributes:
        row: Of the table.
        label: The case.
        points: For SVG, on 1000 x 320.
        shade: From 0, the least of what colours lines, to 4.
        is_inside: Whether it is within all bounds.
    """

    row: int
    label: str
    points: str
    shade: int
    is_inside: bool


def find_axes(table: Any, names: Sequence[str], asked: Mapping[str, str]) -> list[Axis]:
    """Return the axes of some columns, evenly spaced.

    Args:
        table: Of a campaign.
        names: Which columns.
        asked: Bounds: ``low.NAME`` and ``high.NAME``, in the unit of the axis.
    """
    places = [(number + 0.5) / len(names) for number in range(len(names))]
    return [_axis(table, name, place, asked) for name, place in zip(names, places, strict=True)]


def _axis(table: Any, name: str, place: float, asked: Mapping[str, str]) -> Axis:
    from skyhold.simulation.table import numbers_of, unit_of  # noqa: PLC0415 - pyarrow, for tables alone

    numbers = numbers_of(table, name)
    if numbers is None:
        return _axis_of_words(name, place, [None if each is None else str(each) for each in table[name].to_pylist()])
    factor, unit = scale_of(max((abs(each) for each in numbers if each is not None), default=0.0), unit_of(table, name))
    scaled = [None if each is None or not math.isfinite(each) else each / factor for each in numbers]
    scale = _scale_of([each for each in scaled if each is not None])
    low, high = asked.get(f"low.{name}", "").strip(), asked.get(f"high.{name}", "").strip()
    least, most = _bound(low, -math.inf), _bound(high, math.inf)
    return Axis(
        name,
        unit,
        place,
        scale.ticks,
        [None if each is None else scale.place(each) for each in scaled],
        low if math.isfinite(least) else "",
        high if math.isfinite(most) else "",
        True,
        [
            (each is None and least == -math.inf and most == math.inf) or (each is not None and least <= each <= most)
            for each in scaled
        ],
    )


def _axis_of_words(name: str, place: float, words: Sequence[str | None]) -> Axis:
    kinds = sorted({each for each in words if each is not None})
    step = 1 / max(1, len(kinds) - 1)
    heights = {kind: (number * step if len(kinds) > 1 else 0.5) for number, kind in enumerate(kinds)}
    stride = max(1, len(kinds) // _WORDS)
    ticks = tuple(Tick(heights[kind], kind) for kind in kinds[::stride])
    found = [None if each is None else heights[each] for each in words]
    return Axis(name, "", place, ticks, found, "", "", False, [True] * len(words))


def _scale_of(numbers: Sequence[float]) -> Scale:
    """Return an axis from the lowest to the highest number, with a mark at each where there are few."""
    few = sorted(set(numbers))
    if 1 < len(few) <= _SHADES:
        low, high = few[0], few[-1]
        return Scale(low, high, tuple(Tick((each - low) / (high - low), f"{each:,.4g}") for each in few))
    return find_scale(numbers)


def _bound(text: str, otherwise: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return otherwise
    return otherwise if math.isnan(number) else number


def within(table: Any, axes: Sequence[Axis]) -> int:
    """Return how many cases have a cell on every axis."""
    return sum(all(axis.heights[row] is not None for axis in axes) for row in range(len(table)))


def lines_across(table: Any, axes: Sequence[Axis], colour_by: str, most: int) -> list[Line]:
    """Return a line for each case that has a cell on every axis; of too many, some that are evenly spread.

    Args:
        table: Of a campaign.
        axes: From left to right.
        colour_by: Name of the axis whose heights colour the lines.
        most: How many.
    """
    rows = [row for row in range(len(table)) if all(axis.heights[row] is not None for axis in axes)]
    rows = rows[:: max(1, math.ceil(len(rows) / most))]
    labels: list[str] = table["label"].to_pylist()
    tint = next((axis.heights for axis in axes if axis.name == colour_by), None)
    found: list[Line] = []
    for row in rows if axes else ():
        heights = [(axis.place * _WIDTH, _HEIGHT * (1 - (axis.heights[row] or 0.0))) for axis in axes]
        shade = min(_SHADES - 1, int((tint[row] or 0.0) * _SHADES)) if tint else 0
        found.append(Line(row, labels[row], polylines(heights)[0], shade, all(axis.are_inside[row] for axis in axes)))
    return found
