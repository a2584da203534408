"""What listings and campaigns take as they grow, and the lines through it."""

import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from measuring.growth import Point, describe_fit, write_points
from measuring.race import Contender, measure_once
from measuring.report import Table

POINTS = Path(__file__).parent.parent / "growth_points.json"
"""What the pictures of docs/scale.md are drawn from."""

_LISTING_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
_LIBRARY_SIZES = (100, 300, 1_000)
_CAMPAIGN_SIZES = (10, 100, 1_000, 10_000, 40_000)
_MOST_SYNCHRONIZED = 10_000
"""Each file has to be published first."""

_LEVELS = 20
"""Files are in so many folders."""

_WORKERS = (1, 2, 8)
_MOST_WITH_MANY = 10_000
"""Larger campaigns are done by one worker alone."""


def make_listing_table(quick: bool) -> Table:
    """List, list one level, plan a synchronization, and list a library."""
    points: list[Point] = []
    for size in _LISTING_SIZES[:1] if quick else _LISTING_SIZES:
        points += _kept(_list(size), quick)
    for size in _LIBRARY_SIZES[:1] if quick else _LIBRARY_SIZES:
        points += _kept([_list_library(size)], quick)
    caption = (
        f"Files of no bytes in {_LEVELS} folders, over `mock://`, which counts requests as a cloud does; one run each. "
        "`ls` looks at one level. The plan of a synchronization compares a folder with as many objects, once they are "
        "agreed on. A library is asked for all its components."
    )
    return Table("Listings as they grow", caption, _HEADER, _cells(points))


def make_campaign_table(quick: bool) -> Table:
    """Create, work, look, collect, read, try again and extend."""
    points: list[Point] = []
    for size in _CAMPAIGN_SIZES[:2] if quick else _CAMPAIGN_SIZES:
        points += _kept(_run_campaign(size), quick)
    caption = (
        "A simulator that does nothing and keeps one file, chunks of 22 cases, over `mock://`, which counts requests "
        "as a cloud does; one run each, every step in a process of its own. One case of a hundred fails and is tried "
        "again; a tenth more is added. Workers are threads of one process, which also collects the table."
    )
    return Table("Campaigns as they grow", caption, _HEADER, _cells(points))


_HEADER = ("", "n", "reads", "writes", "lists", "MB in", "seconds", "CPU s", "peak MB", "requests, fitted")


def _cells(points: list[Point]) -> list[list[str]]:
    cells: list[list[str]] = []
    order = list(dict.fromkeys(point.step for point in points))
    in_order = sorted(points, key=lambda point: (order.index(point.step), point.size))
    for step, some in groupby(in_order, lambda point: point.step):
        found = list(some)
        line = describe_fit(found)
        for point in found:
            counts = [f"{point.requests.get(kind, 0):,}" for kind in ("read", "write", "list")]
            times = [f"{point.seconds:.2f}", f"{point.cpu_ms / 1e3:.2f}"]
            more = [f"{point.bytes_in / 1e6:.2f}", *times, f"{point.peak_mb:.0f}"]
            is_first = point is found[0]
            cells.append([step if is_first else "", f"{point.size:,}", *counts, *more, line if is_first else ""])
    return cells


def _kept(points: Iterable[Point], quick: bool) -> list[Point]:
    """Return points, written down for the pictures as soon as there are some of a size."""
    found = list(points)
    if not quick:
        write_points(POINTS, found)
    return found


def _list(size: int) -> Iterator[Point]:
    with tempfile.TemporaryDirectory() as name:
        _make_files(Path(name) / "store", size)
        place = f"mock://{name}/store"
        for how, words in (("all", "list all"), ("level", "`ls`, one level")):
            yield _measure(words, size, "list_keys", {"place": place, "how": how})
        if size > _MOST_SYNCHRONIZED:
            return
        folder, target = Path(name) / "local", f"mock://{name}/library"
        _make_files(folder, size)
        folders = {"folder": str(folder), "target": target}
        measure_once(Contender("sync", "contenders.syncing:sync_with_skyhold", folders, is_sampled=False))
        yield _measure("sync plan", size, "list_keys", {"place": target, "how": "sync", "folder": str(folder)})


def _list_library(size: int) -> Point:
    with tempfile.TemporaryDirectory() as name:
        place = f"mock://{name}"
        measure_once(Contender("fill", "contenders.growth:fill_library", {"place": place, "components": size}))
        return _measure("list a library", size, "list_keys", {"place": place, "how": "library"})


def _make_files(folder: Path, size: int) -> None:
    for level in range(_LEVELS):
        below = folder / f"level-{level:02d}"
        below.mkdir(parents=True)
        for number in range(size // _LEVELS):
            (below / f"{number:06d}").touch()


def _run_campaign(size: int) -> Iterator[Point]:
    with tempfile.TemporaryDirectory() as name:

        def measure(words: str, place: str, step: str, workers: int = 1) -> Point:
            asked: dict[str, object] = {
                "place": f"mock://{name}/{place}",
                "step": step,
                "cases": size,
                "workers": workers,
            }
            return _measure(words, size, "run_step", asked)

        for workers in _WORKERS if size <= _MOST_WITH_MANY else _WORKERS[:1]:
            created = measure("create", f"{workers}", "create")
            if workers == 1:
                yield created
            yield measure(f"work, {workers} at a time", f"{workers}", "work", workers)
        for step in ("status", "collect", "table", "retry", "extend"):
            yield measure(step, "1", step)


def _measure(step: str, size: int, function: str, arguments: dict[str, object]) -> Point:
    run = measure_once(Contender(step, f"contenders.growth:{function}", arguments, is_sampled=False))
    told = run.told
    cpu_ms, counts = run.cpu_seconds * 1e3, told["requests"]
    return Point(step, size, run.seconds, cpu_ms, run.peak_mb, counts, told["bytes_in"], told["bytes_out"])
