"""The user's pipeline: users, one in a hundred of them wrong, to validated Parquet; from three formats."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring.race import Contender, Standing, measure_once, race
from measuring.report import Table, count_runs
from tables.servers import BUCKET, Bucket, rclone_bucket
from tables.users import write_csv, write_jsonl, write_parquet

_HEADER = ("", "rows/s", "times ZooPipe", "seconds", "CPU s", "peak MB")
_CSV_ODD = "1 % bad, 0.2 % good but not in normal form"


@dataclass(frozen=True, slots=True)
class _Case:
    """One table.

    Attributes:
        title: Its heading.
        aim: How many times as fast as ZooPipe it should be.
        schema: A name of `contenders.schemas.SCHEMAS`.
        file_name: Of the input; its suffix tells the format.
        write: Writes so many rows of it.
        about: What is in it.
        loop_rows: So many of them the plain loop reads.
        to_s3: Also measured with its output on S3.
    """

    title: str
    aim: int
    schema: str
    file_name: str
    write: Callable[[Path, int], None]
    about: str
    loop_rows: int = 1_000_000
    to_s3: bool = False


_CASES = {
    "records-email": _Case(
        "CSV to Parquet, addresses checked (`EmailStr`)",
        25,
        "EmailStr",
        "users.csv",
        partial(write_csv, bad_mails=True),
        _CSV_ODD,
        loop_rows=100_000,
        to_s3=True,
    ),
    "records-text": _Case("CSV to Parquet, plain strings", 6, "str", "users.csv", write_csv, _CSV_ODD, to_s3=True),
    "records-validator": _Case(
        "CSV to Parquet, one `field_validator` in Python", 4, "field_validator", "users.csv", write_csv, _CSV_ODD
    ),
    "records-jsonl": _Case("JSONL to Parquet", 5, "str", "users.jsonl", write_jsonl, _CSV_ODD),
    "records-parquet": _Case(
        "Parquet to Parquet", 5, "all columns", "users.parquet", write_parquet, "1 % with ages missing or out of bounds"
    ),
}


def makers() -> dict[str, Callable[[bool], Table]]:
    """Return the tables by their names."""
    return {name: partial(_make, case) for name, case in _CASES.items()}


def _make(case: _Case, quick: bool) -> Table:
    rows, repeats = (20_000, 1) if quick else (1_000_000, 3)
    loop_rows = min(rows, case.loop_rows)
    with tempfile.TemporaryDirectory() as name, rclone_bucket(Path(name)) as bucket:
        source = Path(name) / case.file_name
        case.write(source, rows)
        standings = race(_contenders(case, source, bucket, loop_rows), repeats)
        wrong = [standing.name for standing in standings if standing.told["rows"] not in {rows, loop_rows}]
        if wrong:
            raise SystemExit(f"{wrong[0]} did not read all {rows:,} rows")
        found = _compare(source, bucket.folder if case.to_s3 else source.parent, case.schema)
    return Table(case.title, _caption(case, rows, repeats, found), _HEADER, _cells(standings))


def _contenders(case: _Case, source: Path, bucket: Bucket, loop_rows: int) -> list[Contender]:
    peer = f"ZooPipe {version('zoopipe')}, 8 threads"
    found: list[Contender] = []
    for place in ("S3", "a folder") if case.to_s3 else ("a folder",):
        pipe = partial(_pipe, place, source, case.schema, bucket.environment)
        if place != "S3":
            found.append(pipe("skyhold, 1 thread", "run_skyhold", threads=1))
        found.append(pipe("skyhold, 8 threads", "run_skyhold", threads=8))
        found.append(pipe(peer, "run_zoopipe"))
    loop = {"source": str(source), "schema": case.schema, "rows": loop_rows}
    return [*found, Contender(f"pydantic loop, {loop_rows:,} rows, to nowhere", "contenders.records:run_loop", loop)]


def _pipe(
    place: str, source: Path, schema: str, environment: dict[str, str], who: str, function: str, **more: Any
) -> Contender:
    root = f"s3://{BUCKET}" if place == "S3" else str(source.parent)
    key = f"{root}/{function}-{more.get('threads', 8)}-{{run}}"
    arguments = {"source": str(source), "schema": schema, **more}
    arguments |= {"accepted": f"{key}.parquet", "rejected": f"{key}-errors.parquet"}
    needed = environment if place == "S3" else {}
    return Contender(f"{who}, to {place}", f"contenders.records:{function}", arguments, needed)


def _cells(standings: list[Standing]) -> list[list[str]]:
    def rate(standing: Standing) -> float:
        return standing.told["rows"] / standing.seconds

    peers = {s.name.rpartition(" to ")[2]: rate(s) for s in standings if s.name.startswith("ZooPipe")}
    return [
        [
            standing.name,
            f"{rate(standing):,.0f}",
            f"{rate(standing) / peers.get(standing.name.rpartition(' to ')[2], peers['a folder']):.1f}",
            f"{standing.seconds:.2f}",
            f"{standing.cpu_seconds:.2f}",
            f"{standing.peak_mb:.0f}",
        ]
        for standing in standings
    ]


def _compare(source: Path, outputs: Path, schema: str) -> dict[str, Any]:
    """Compare what the first runs wrote with a plain pydantic loop; end everything if ours differs."""
    arguments: dict[str, Any] = {"source": str(source), "schema": schema}
    for name, function in (("ours", "run_skyhold"), ("peers", "run_zoopipe")):
        key = outputs / f"{function}-8-0"
        arguments[name] = [f"{key}.parquet", f"{key}-errors.parquet"]
    found = measure_once(Contender("comparison", "contenders.comparison:compare", arguments)).told
    ours = found["ours"]
    if ours["differences"] or ours["accepted"] != ours["same_values"] or ours["rejected"] != ours["same_rejects"]:
        raise SystemExit(f"{schema}: skyhold and pydantic disagree: {ours}")
    return found


def _caption(case: _Case, rows: int, repeats: int, found: dict[str, Any]) -> str:
    ours, peers = found["ours"], found["peers"]
    extra = sorted(set(peers["error_columns"]) - {"user_id", "username", "email", "age"})
    server = "; the S3 server (`rclone serve s3`) shares the machine" if case.to_s3 else ""
    place = "on S3 " if case.to_s3 else ""
    return (
        f"The aim is {case.aim} times ZooPipe's rows a second. {rows:,} rows of 7 columns, {case.about}; "
        f"{count_runs(repeats)}{server}. skyhold's output {place}was compared with a plain pydantic "
        f"loop, row by row over all {rows:,} rows: the same {ours['accepted']:,} rows accepted with the same values "
        f"and types, the same {ours['rejected']:,} rows rejected, with their numbers and whole originals. "
        f"ZooPipe's, compared the same way: {peers['accepted']:,} accepted, of which {peers['same_values']:,} have "
        f"pydantic's values and types and {peers['same_as_text']:,} its values as text; {peers['rejected']:,} "
        f"rejected, of which {peers['same_rejects']:,} are the same rows, with the columns of the schema and "
        f"{'of others: ' + ', '.join(extra) if extra else 'no row number or reason'}."
    )
