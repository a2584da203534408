"""What more processes bring to validators in Python: skyhold against itself."""

import tempfile
from pathlib import Path

from measuring.race import Contender, race
from measuring.report import Table, count_runs
from tables.users import write_csv

_WHO: tuple[tuple[str, str, int | None], ...] = (
    ("one thread", "single", None),
    ("two processes", "processes", None),
    ("two processes, 8 shards", "processes", 8),
    ("two Dask workers, 8 shards", "dask", 8),
)


def make_table(quick: bool) -> Table:
    """CSV to Parquet on local files, four ways."""
    rows, repeats = (50_000, 1) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "users.csv"
        write_csv(source, rows)
        standings = race([_contender(source, *each) for each in _WHO], repeats)
    if len({(each.told["rows"], each.told["rejected"]) for each in standings}) != 1:
        raise SystemExit("not all of them have found the same rows")
    single, processes = standings[0].seconds, standings[1].seconds
    cells = [
        [
            each.name,
            f"{rows / each.seconds:,.0f}",
            f"{single / each.seconds:.2f}",
            f"{each.seconds / processes:.2f}",
            f"{each.seconds:.2f}",
            f"{each.cpu_seconds:.2f}",
            f"{each.peak_mb:.0f}",
        ]
        for each in standings
    ]
    caption = (
        "The aim is that two Dask workers have 1.5 times the speed of one thread at least, and take no more than 1.15 "
        f"times as long as two processes. {rows:,} rows, a validator in Python that takes some twenty microseconds, "
        f"local files; {count_runs(repeats)}. Workers have done a few rows before the clock starts. Without shards the "
        "driver reads and writes and the processes judge; with shards they read, judge and write, and the driver makes "
        "one file of what they have written."
    )
    header = ("", "rows/s", "times one thread", "time of two processes", "seconds", "CPU s", "peak MB")
    return Table("Scale-out", caption, header, cells)


def _contender(source: Path, name: str, who: str, shards: int | None) -> Contender:
    key = f"{source.with_suffix('')}-{who}-{shards}-{{run}}"
    arguments = {"source": str(source), "who": who, "shards": shards}
    arguments |= {"accepted": f"{key}.parquet", "rejected": f"{key}-errors.parquet"}
    return Contender(name, "contenders.scale_out:run", arguments, is_sampled=False)
