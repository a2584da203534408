"""Straight lines through what was measured at several sizes, and the points themselves, kept for pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["BEND", "Line", "Point", "describe_fit", "fit_line", "fit_points", "read_points", "write_points"]

BEND = 5_000
"""A campaign of more cases is looked at block by block: what small ones read chunk by chunk has another line."""

_BENT = frozenset({"status", "collect", "retry"})
_CLASSES = ("read", "write", "list", "delete")


@dataclass(frozen=True, slots=True)
class Point:
    """What one step took at one size.

    Attributes:
        step: What was done.
        size: Of how many.
        seconds: Wall time.
        cpu_ms: Computing: what else the machine does shows in it less than in the wall time.
        peak_mb: The highest resident memory of its process.
        requests: By class.
        bytes_in: Content received.
        bytes_out: Content sent.
    """

    step: str
    size: int
    seconds: float
    cpu_ms: float
    peak_mb: float
    requests: Mapping[str, int]
    bytes_in: int
    bytes_out: int

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())


@dataclass(frozen=True, slots=True)
class Line:
    """``fixed + each * n``."""

    fixed: float
    each: float

    def at(self, size: float) -> float:
        """Return what it says of a size."""
        return self.fixed + self.each * size

    def __str__(self) -> str:
        return f"{self.fixed:,.0f} + {self.each:.4g} n"


def fit_line(sizes: Sequence[float], values: Sequence[float]) -> Line:
    """Return the line that is nearest in share of the value: small sizes count as much as large ones.

    Example:
        >>> print(fit_line([10, 100, 1000], [13, 103, 1003]))
        3 + 1 n
    """
    weights = [1 / max(abs(value), 1.0) ** 2 for value in values]
    total = sum(weights)
    mean_x = sum(w * x for w, x in zip(weights, sizes, strict=True)) / total
    mean_y = sum(w * y for w, y in zip(weights, values, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, x in zip(weights, sizes, strict=True))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, x, y in zip(weights, sizes, values, strict=True)) / spread
    return Line(mean_y - slope * mean_x, slope)


def fit_points(points: Sequence[Point], what: str = "total") -> tuple[Line, Line]:
    """Return the lines of something below and above `BEND`; the same one twice for what does not bend."""
    some = sorted(points, key=lambda point: point.size)

    def value(point: Point) -> float:
        return point.requests.get(what, 0) if what in _CLASSES else getattr(point, what)

    def fit(chosen: Sequence[Point]) -> Line:
        values = [value(point) for point in chosen]
        line = fit_line([point.size for point in chosen], values) if len(chosen) > 1 else Line(values[0], 0.0)
        return line if line.each >= 0 else Line(sum(values) / len(values), 0.0)

    below, above = [each for each in some if each.size <= BEND], [each for each in some if each.size > BEND]
    if some[0].step not in _BENT or not below or not above or what == "peak_mb":
        return (line := fit(some)), line
    return fit(below), fit(above)


def describe_fit(points: Sequence[Point]) -> str:
    """Return the lines of one step's requests in words."""
    below, above = fit_points(points)
    return str(below) if below == above else f"{below}; from {BEND:,} on {above}"


def write_points(file: Path, points: Sequence[Point]) -> None:
    """Keep points; of a step and size that are there already, the new ones count."""
    fresh = {(point.step, point.size) for point in points}
    kept = [point for point in read_points(file) if (point.step, point.size) not in fresh] if file.exists() else []
    content: list[dict[str, Any]] = [asdict(point) for point in [*kept, *points]]
    file.write_text("[\n" + ",\n".join(json.dumps(each) for each in content) + "\n]\n")


def read_points(file: Path) -> list[Point]:
    """Return what was kept."""
    return [Point(**each) for each in json.loads(file.read_text())]
