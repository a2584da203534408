"""skyhold beside its peers, in one run on one machine: medians, ratios, memory. Writes docs/benchmarks.md.

Each contender runs in a process of its own, which prints its seconds and its peak memory as JSON.
"""

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parent.parent / "docs" / "benchmarks.md"
CONTENDERS = Path(__file__).parent / "contenders.py"


def write_users(target: Path, rows: int) -> None:
    """Seven columns, one row in a hundred bad: half by its mail address, half by its age."""
    dice = random.Random(7)
    with target.open("w") as file:
        file.write("user_id,username,email,age,city,score,note\n")
        for number in range(rows):
            mail, age = f"user{number}@example.com", str(dice.randrange(100))
            if number % 100 == 7:
                mail, age = ("nobody", age) if number % 200 == 7 else (mail, "many")
            file.write(f"u{number},user {number},{mail},{age},Berlin,{dice.random():.4f},note {number}\n")


def measure(contender: str, source: Path, schema: str, repeats: int) -> dict[str, Any]:
    """Return the median seconds and the highest peak of some runs, each in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    runs: list[dict[str, Any]] = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, str(CONTENDERS), contender, str(source), schema, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            runs.append(json.loads(done.stdout.splitlines()[-1]))
    middle = statistics.median(run["seconds"] for run in runs)
    return {**runs[0], "seconds": middle, "peak_mb": max(run["peak_mb"] for run in runs)}


def pipe_table(source: Path, small: Path, rows: int, small_rows: int, schema: str, repeats: int) -> list[str]:
    """Return the lines of one table, and check that all accept and reject the same rows."""
    plain = measure("pydantic loop", small, schema, 1)
    same = measure("skyhold, 1 thread", small, schema, 1)
    if (plain["accepted"], plain["hash"]) != (same["accepted"], same["hash"]):
        raise SystemExit(f"{schema}: skyhold and pydantic disagree: {same} {plain}")
    peer = measure("ZooPipe, 8 threads", source, schema, 1 if schema == "EmailStr" else repeats)
    found = [
        ("skyhold, 1 thread", measure("skyhold, 1 thread", source, schema, repeats), rows),
        ("skyhold, 8 threads", measure("skyhold, 8 threads", source, schema, repeats), rows),
        ("ZooPipe 2026.2.2, 8 threads", peer, rows),
        (f"pydantic loop ({small_rows:,} rows)", plain, small_rows),
    ]
    lines = ["| | rows/s | times ZooPipe | peak MB |", "|---|---|---|---|"]
    for name, run, count in found:
        ratio = (count / run["seconds"]) / (rows / peer["seconds"])
        lines.append(f"| {name} | {count / run['seconds']:,.0f} | {ratio:.1f} | {run['peak_mb']:.0f} |")
    return lines


def start_up_table() -> list[str]:
    """Return how long commands take that do nothing."""
    hello = "import argparse; parser = argparse.ArgumentParser(); parser.add_argument('--x'); parser.parse_args()"
    bare = timed([sys.executable, "-c", "pass"])
    found = [
        ("python -c pass", bare),
        ("argparse hello world", timed([sys.executable, "-c", hello])),
        ("skyhold --version", timed([str(Path(sys.executable).parent / "skyhold"), "--version"])),
        ("skyhold ls .", timed([str(Path(sys.executable).parent / "skyhold"), "ls", "."])),
    ]
    lines = ["| | ms | more than bare Python |", "|---|---|---|"]
    return lines + [f"| `{name}` | {ms:.0f} | {ms - bare:.0f} |" for name, ms in found]


def timed(command: list[str]) -> float:
    """Return the median milliseconds of eleven runs."""
    import time

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    taken: list[float] = []
    for _ in range(11):
        begun = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True, env=environment)
        taken.append((time.perf_counter() - begun) * 1000)
    return statistics.median(taken)


def main() -> None:
    """Run all, and write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rows, and no document")
    quick = parser.parse_args().quick
    rows, small_rows, repeats = (50_000, 10_000, 1) if quick else (1_000_000, 100_000, 3)
    sections: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        source, small = Path(folder) / "users.csv", Path(folder) / "small.csv"
        write_users(source, rows)
        write_users(small, small_rows)
        tables: list[tuple[str, Callable[[], list[str]]]] = [
            (
                "CSV to Parquet, with `EmailStr`",
                lambda: pipe_table(source, small, rows, small_rows, "EmailStr", repeats),
            ),
            ("CSV to Parquet, plain strings", lambda: pipe_table(source, small, rows, small_rows, "str", repeats)),
            ("Start-up", start_up_table),
        ]
        for title, make in tables:
            sections += [f"## {title}", "", *make(), ""]
            print("\n".join(sections[-8:]), flush=True)
    if not quick:
        about = (
            f"{os.cpu_count()} cores, Python {platform.python_version()}, {datetime.now(UTC):%Y-%m-%d}; "
            f"{rows:,} rows of 7 columns, 1 % bad, local files; medians of {repeats} runs "
            "(ZooPipe with `EmailStr`: one), each in a process of its own, imports not timed. "
            "Accepted rows were compared with a plain pydantic loop "
            f"over {small_rows:,} rows, and are the same."
        )
        DOCUMENT.write_text("\n".join(["# Benchmarks", "", "`make bench` wrote this page.", "", about, "", *sections]))


if __name__ == "__main__":
    main()
