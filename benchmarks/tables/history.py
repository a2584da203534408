"""What a second version of a mesh takes in the history of a library, beside git and beside packing it alone."""

import shutil
import statistics
import tempfile
from pathlib import Path

from measuring.race import Contender, Standing, race
from measuring.report import Table, count_runs
from tables.meshes import write_versions

_NAMES = {"skyhold": "skyhold", "git": "git, packed", "zstd": "zstd alone"}
_HEADER = ("second version", "by", "stored, MB", "of its size", "to store, s", "to get back, s", "peak MB")


def make_table(quick: bool) -> Table:
    """Five ways in which a mesh of 25 MB comes to be another."""
    side, repeats = (100, 1) if quick else (500, 3)
    names = {who: name for who, name in _NAMES.items() if who != "git" or shutil.which("git")}
    cells: list[list[str]] = []
    with tempfile.TemporaryDirectory() as name:
        first, versions = write_versions(Path(name), side)
        for what, second in versions.items():
            standings = race([_contender(who, first, second) for who in names], repeats)
            for who, standing in zip(names, standings, strict=True):
                cells.append([what, names[who], *_cells(standing, second)])
        size_mb = first.stat().st_size / 1e6
    caption = (
        f"The aim is at most 0.3 MB for a local edit. The first version is a binary STL of {size_mb:.1f} MB with noise "
        f"as of a scan; {count_runs(repeats)}, on a local folder, and what comes back is compared byte by byte. "
        "skyhold: what is added under `.skyhold/`, records included, while the second version also becomes the plain "
        "file, which is part of the time to store; what comes back is verified by SHA-256. git: what a commit and "
        "`git gc` add; it makes deltas only then, which is part of the time. zstd: level 3, without the first version. "
        "Tools that keep whole files (DVC, git-lfs, versions of a bucket) store all of it. Memory of git is its own."
    )
    return Table("History of a mesh", caption, _HEADER, cells)


def _contender(who: str, first: Path, second: Path) -> Contender:
    arguments = {"folder": f"{first.parent}/{who}-{second.stem}-{{run}}", "first": str(first), "second": str(second)}
    return Contender(who, f"contenders.history:keep_with_{who}", arguments, is_command=who == "git")


def _cells(standing: Standing, second: Path) -> list[str]:
    if not all(run.told["is_same"] for run in standing.runs):
        raise SystemExit(f"{standing.name} gave back something else than {second}")
    added, size_bytes = standing.told["added_bytes"], second.stat().st_size
    back_s = statistics.median(run.told["back_s"] for run in standing.runs)
    return [
        f"{added / 1e6:.3f}",
        f"{added / size_bytes:.1%}",
        f"{standing.seconds:.2f}",
        f"{back_s:.2f}",
        f"{standing.peak_mb:.0f}",
    ]
