"""What more bad rows cost, and what more rows cost in memory: skyhold against itself."""

import tempfile
from pathlib import Path

from measuring.race import Contender, Run, measure_once, race
from measuring.report import Table, count_runs
from tables.users import write_csv

_MILLION = 1_000_000


def make_bad_rows_table(quick: bool) -> Table:
    """One in a hundred, one in ten."""
    rows, repeats = (20_000, 1) if quick else (1_000_000, 5)
    with tempfile.TemporaryDirectory() as name:
        contenders: list[Contender] = []
        for share, every in (("1 %", 100), ("10 %", 10)):
            source = Path(name) / f"every-{every}.csv"
            write_csv(source, rows, bad_mails=True, bad_every=every)
            contenders.append(_pipe(f"{share} bad", source))
        standings = race(contenders, repeats)
    few = standings[0].seconds
    cells = [
        [
            each.name,
            f"{each.told['rejected']:,}",
            f"{rows / each.seconds:,.0f}",
            f"{few / each.seconds:.2f}",
            f"{each.seconds:.2f}",
            f"{each.cpu_seconds:.2f}",
            f"{each.peak_mb:.0f}",
        ]
        for each in standings
    ]
    caption = (
        f"The aim is that 10 % bad rows go at no less than half the speed of 1 %. {rows:,} rows, addresses checked, "
        f"8 threads, local files; {count_runs(repeats)}. Each rejected row is judged by pydantic itself, and written "
        "with its reasons and its whole original. Half of the bad rows have one of four bad addresses, over and over."
    )
    header = ("", "rejected", "rows/s", "times the speed at 1 %", "seconds", "CPU s", "peak MB")
    return Table("Bad rows", caption, header, cells)


def make_memory_table(quick: bool) -> Table:
    """As many rows as a usual run of the benchmarks bears."""
    return _measure_memory((20_000, 60_000) if quick else (_MILLION, 3 * _MILLION))


def make_long_memory_table(quick: bool) -> Table:
    """Thirty times as many rows."""
    return _measure_memory((20_000, 600_000) if quick else (_MILLION, 30 * _MILLION))


def _measure_memory(sizes: tuple[int, ...]) -> Table:
    found = [(rows, threads, _run_once(rows, threads)) for rows in sizes for threads in (1, 8)]
    least = {threads: run.peak_mb for rows, threads, run in found if rows == sizes[0]}
    cells = [
        [
            f"{rows:,} rows",
            str(threads),
            f"{run.peak_mb:.0f}",
            f"{run.peak_mb / least[threads]:.2f}",
            f"{run.seconds:.1f}",
            f"{rows / run.seconds:,.0f}",
        ]
        for rows, threads, run in found
    ]
    caption = (
        "The aim is at most 300 MB, however many rows. CSV to Parquet, addresses checked, 1 % bad, local files, one "
        f"run each; the ratio is to {sizes[0]:,} rows."
    )
    header = ("", "threads", "peak MB", "times", "seconds", "rows/s")
    return Table(f"Memory, up to {sizes[-1]:,} rows", caption, header, cells)


def _run_once(rows: int, threads: int) -> Run:
    """Write the input, run, and drop both: the largest take gigabytes."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "users.csv"
        write_csv(source, rows, bad_mails=True)
        run = measure_once(_pipe("skyhold", source, threads))
    if run.told["rows"] != rows:
        raise SystemExit(f"skyhold read {run.told['rows']:,} of {rows:,} rows")
    return run


def _pipe(who: str, source: Path, threads: int = 8) -> Contender:
    key = f"{source.with_suffix('')}-{{run}}"
    arguments = {"source": str(source), "schema": "EmailStr", "threads": threads}
    arguments |= {"accepted": f"{key}.parquet", "rejected": f"{key}-errors.parquet"}
    return Contender(who, "contenders.records:run_skyhold", arguments)
