"""No schema: CSV to Parquet as polars and duckdb do it."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring.race import Contender, Standing, race
from measuring.report import Table, count_runs
from tables.users import HEADER, write_csv

_HEADER = ("", "rows/s", "times polars' seconds", "seconds", "CPU s", "peak MB")


def make_table(quick: bool) -> Table:
    """Every cell stays text; the peers' own guess at types beside it."""
    rows, repeats = (20_000, 1) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "users.csv"
        write_csv(source, rows)
        standings = race(_contenders(source), repeats)
    for standing in standings:
        if standing.told != {"rows": rows, "columns": list(HEADER)}:
            raise SystemExit(f"{standing.name} wrote {standing.told}, not {rows:,} rows of {HEADER}")
    caption = (
        f"The aim is at most 1.2 times polars' seconds for the same work, every cell kept as text. {rows:,} rows of 7 "
        f"columns, zstd at level 1, local files; {count_runs(repeats)}. skyhold also hashes what it reads and writes, "
        "and rejects rows that are no CSV or no UTF-8."
    )
    return Table("CSV to Parquet, no schema", caption, _HEADER, _cells(standings, rows))


def _contenders(source: Path) -> list[Contender]:
    def contender(who: str, function: str, **more: Any) -> Contender:
        label = "-".join(str(value) for value in more.values())
        target = str(source.parent / f"{function}-{label}-{{run}}.parquet")
        return Contender(who, f"contenders.plain:{function}", {"source": str(source), "target": target, **more})

    polars, duckdb = f"polars {version('polars')}", f"duckdb {version('duckdb')}"
    return [
        contender("skyhold, 1 thread, as text", "copy_with_skyhold", threads=1),
        contender("skyhold, 8 threads, as text", "copy_with_skyhold", threads=8),
        contender(f"{polars}, as text", "copy_with_polars", infer=False),
        contender(f"{duckdb}, as text", "copy_with_duckdb", infer=False),
        contender(f"{polars}, types guessed", "copy_with_polars", infer=True),
        contender(f"{duckdb}, types guessed", "copy_with_duckdb", infer=True),
    ]


def _cells(standings: list[Standing], rows: int) -> list[list[str]]:
    polars = next(s.seconds for s in standings if s.name.startswith("polars") and s.name.endswith("as text"))
    return [
        [
            standing.name,
            f"{rows / standing.seconds:,.0f}",
            f"{standing.seconds / polars:.2f}",
            f"{standing.seconds:.2f}",
            f"{standing.cpu_seconds:.2f}",
            f"{standing.peak_mb:.0f}",
        ]
        for standing in standings
    ]
