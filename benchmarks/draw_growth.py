"""Draw docs/images/growth-*.png from benchmarks/growth_points.json, and write the tables of docs/scale.md."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter

from measuring.growth import BEND, Point, describe_fit, fit_points, read_points
from skyhold.storage.objects import RequestClass
from skyhold.storage.pricing import AWS_2024

_HERE = Path(__file__).parent
_IMAGES = _HERE.parent / "docs" / "images"
_PAGE = _HERE.parent / "docs" / "scale.md"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's, which the colour-blind tell apart."""
_MARKERS = "osD^vPX"

_WRITES_S, _READS_S = 3_500, 5_500
"""What S3 serves a second for each beginning of keys, at least."""

_LISTINGS = ("list all", "`ls`, one level", "sync plan", "list a library")
_CAMPAIGNS = ("create", "work, 1 at a time", "work, 2 at a time", "work, 8 at a time", "status", "collect", "table")

_TICK_S = 0.01
"""Computing is told in such steps: less is drawn as one."""
_MINUTE_S, _HOUR_S = 60.0, 3_600.0


def main() -> None:
    points = read_points(_HERE / "growth_points.json")
    _draw(points, _LISTINGS, "keys", "growth-listing")
    _draw(points, _CAMPAIGNS, "cases", "growth-campaign")
    _tell(points, _LISTINGS, "keys", 100_000_000)
    _tell(points, (*_CAMPAIGNS, "retry", "extend"), "cases", 10_000_000)


def _tell(points: Sequence[Point], steps: Sequence[str], unit: str, size: int) -> None:
    """Put the table of what a size takes on paper into the page."""
    header = ["", "requests for n", f"for {size:,}", "dollars", "at the least", "computing", "memory as measured"]
    rows = [
        f"| {' | '.join(header)} |",
        "|" + "---|" * len(header),
        *(_paper(_of(points, step), size) for step in steps),
    ]
    begin, end = f"<!-- begin {unit} -->\n", f"\n<!-- end {unit} -->"
    before, _, rest = _PAGE.read_text().partition(begin)
    _PAGE.write_text(before + begin + "\n".join(rows) + end + rest.partition(end)[2])


def _paper(points: Sequence[Point], size: int) -> str:
    """Return a row: formula, requests and dollars at a size, what one beginning of keys allows, computing, memory."""
    kinds: tuple[RequestClass, ...] = ("read", "write", "list")
    counts: dict[RequestClass, float] = {kind: max(0.0, fit_points(points, kind)[1].at(size)) for kind in kinds}
    limited_s = counts["write"] / _WRITES_S + (counts["read"] + counts["list"]) / _READS_S
    first, last = points[0], points[-1]
    cells = [points[0].step, describe_fit(points), f"{sum(counts.values()):,.0f}", f"{AWS_2024.price(counts):,.2f}"]
    cells += [f"{limited_s:,.0f} s", _spell_time(max(0.0, fit_points(points, "cpu_ms")[1].at(size)) / 1e3)]
    cells += [f"{first.peak_mb:.0f} MB at {first.size:,}, {last.peak_mb:.0f} at {last.size:,}"]
    return f"| {' | '.join(cells)} |"


def _spell_time(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:,.0f} s"
    return f"{seconds / _MINUTE_S:,.0f} min" if seconds < 2 * _HOUR_S else f"{seconds / _HOUR_S:,.0f} h"


def _of(points: Sequence[Point], step: str) -> list[Point]:
    return sorted((point for point in points if point.step == step), key=lambda point: point.size)


def _draw(points: Sequence[Point], steps: Sequence[str], unit: str, name: str) -> None:
    plt.rcParams.update({"font.size": 9, "axes.grid": True, "grid.color": "#e4e4e4"})
    figure, (requests, computing, memory) = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    for number, step in enumerate(steps):
        some = _of(points, step)
        look: dict[str, Any] = {"color": _COLOURS[number], "label": step.replace("`", "")}
        sizes = [point.size for point in some]
        along = [sizes[0] * (sizes[-1] / sizes[0]) ** (part / 200) for part in range(201)]
        for axes, what, unit_size, least in ((requests, "total", 1, 0.5), (computing, "cpu_ms", 1e3, _TICK_S)):
            below, above = fit_points(some, what)
            fitted = [max((below if size <= BEND else above).at(size) / unit_size, least) for size in along]
            axes.plot(along, fitted, color=look["color"], linewidth=1)
            found = [max(getattr(point, what) / unit_size, least) for point in some]
            axes.plot(sizes, found, _MARKERS[number], markersize=5, **look)
        memory.plot(sizes, [point.peak_mb for point in some], f"{_MARKERS[number]}-", markersize=5, linewidth=1, **look)

    def spell(value: float, place: int) -> str:
        del place
        return f"{value:,.0f}" if value >= 1 else f"{value:g}"

    titles = ("requests, and the fitted lines", "computing, seconds", "highest memory of the process, MB")
    for axes, title in zip((requests, computing, memory), titles, strict=True):
        axes.set_xscale("log")
        axes.set_xlabel(unit)
        axes.set_title(title, loc="left", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_formatter(FuncFormatter(spell))
    for axes in (requests, computing):
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(spell))
    memory.set_ylim(bottom=0)
    requests.legend(frameon=False, fontsize=8)
    figure.savefig(_IMAGES / f"{name}.png", dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
