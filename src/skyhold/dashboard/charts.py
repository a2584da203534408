"""The geometry of charts: ticks, scales, and lines that have no more points than a screen shows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Scale", "Tick", "decimate", "find_scale", "polylines", "time_ticks"]

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_MOST_TICKS = 12


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where, from 0 to 1, and its text."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from one number to another."""

    low: float
    high: float
    ticks: tuple[Tick, ...]

    def place(self, value: float) -> float:
        """Return where a value is, from 0 to 1 for those within."""
        return (value - self.low) / (self.high - self.low)


def find_scale(values: Iterable[float], ticks: int = 5, *, from_zero: bool = False) -> Scale:
    """Return an axis whose ends and marks are round numbers, with all the values within.

    Args:
        values: What it is to show.
        ticks: About how many marks.
        from_zero: Let it begin or end at zero.

    Example:
        >>> scale = find_scale([3.2, 17.9])
        >>> scale.low, scale.high, [tick.text for tick in scale.ticks]
        (0.0, 20.0, ['0', '5', '10', '15', '20'])
    """
    known = [value for value in values if math.isfinite(value)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = low - (abs(low) * 0.1 or 1.0), high + (abs(high) * 0.1 or 1.0)
    raw = (high - low) / max(1, ticks - 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * each for each in _STEPS if size * each >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9) + (1 if abs(step / size - 2.5) < 1e-9 else 0))  # noqa: PLR2004
    marks = tuple(
        Tick((number - first) / (last - first), f"{number * step:,.{min(digits, 12)}f}")
        for number in range(first, last + 1)
    )
    return Scale(first * step, last * step, marks)


def decimate(values: Sequence[float | None], points: int) -> list[tuple[int, float | None]]:
    """Return places and values, at most about so many, so that the line looks the same: every peak stays.

    Of each stretch of places the lowest and the highest are taken. None and NaN are gaps.

    Example:
        >>> decimate([1.0, 5.0, 2.0, 0.0, None, 3.0], 4)
        [(0, 1.0), (1, 5.0), (3, 0.0), (4, None), (5, 3.0)]
    """
    width = max(1, math.ceil(2 * len(values) / max(2, points)))
    found: list[tuple[int, float | None]] = []
    for start in range(0, len(values), width):
        stretch = [(place, values[place]) for place in range(start, min(start + width, len(values)))]
        known = [(place, value) for place, value in stretch if value is not None and math.isfinite(value)]
        if known:
            lowest, highest = min(known, key=lambda each: each[1]), max(known, key=lambda each: each[1])
            found += sorted({lowest, highest})
        if len(known) < len(stretch):
            gap = next(place for place, value in stretch if value is None or not math.isfinite(value))
            found.append((gap, None))
    return sorted(found, key=lambda each: each[0])


def polylines(points: Iterable[tuple[float, float | None]]) -> list[str]:
    """Return what SVG's ``points`` say of a line, a text for each part without gaps.

    Example:
        >>> polylines([(0, 1.0), (1, 2.25), (2, None), (3, 4.0)])
        ['0,1 1,2.25', '3,4 3,4']
    """
    parts: list[list[str]] = [[]]
    for x, y in points:
        if y is None:
            parts.append([])
        else:
            parts[-1].append(f"{_short(x)},{_short(y)}")
    return [" ".join(part if len(part) > 1 else part * 2) for part in parts if part]


def time_ticks(moments: Sequence[datetime], interval: timedelta) -> list[Tick]:
    """Return marks for an axis of moments: months, days or hours, by its length.

    Args:
        moments: The end of each interval.
        interval: How long one is.

    Example:
        >>> hours = [datetime(2017, 1, 1) + timedelta(hours=number + 1) for number in range(8760)]
        >>> [tick.text for tick in time_ticks(hours, timedelta(hours=1))][:3]
        ['Jan', 'Feb', 'Mar']
    """
    if not moments:
        return []
    begins = [moment - interval for moment in moments]
    length_s = len(moments) * interval.total_seconds()
    if length_s > 45 * _DAY_S:
        names = [f"{each:%b}" for each in begins]
    elif length_s > 3 * _DAY_S:
        names = [f"{each.day} {each:%b}" for each in begins]
    else:
        names = [f"{each.day} {each:%b %H}:00" for each in begins]
    changes = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    changes = changes[:: max(1, math.ceil(len(changes) / _MOST_TICKS))]
    return [Tick(place / len(names), names[place]) for place in changes]


def _short(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
