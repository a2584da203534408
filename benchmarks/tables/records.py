"""The user's "Local to S3" pipeline: one million users from CSV to Parquet, one in a hundred wrong."""

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from measuring.race import Contender, Standing, measure_once, race
from measuring.report import Table
from tables.servers import BUCKET, Bucket, rclone_bucket
from tables.users import write_users

_LOOP_ROWS = {"EmailStr": 200_000, "str": 1_000_000}
_HEADER = ("", "rows/s", "times ZooPipe", "seconds", "peak MB")


def make_email_table(quick: bool) -> Table:
    """Addresses are checked."""
    return _make("EmailStr", "CSV to Parquet, addresses checked (`EmailStr`)", quick)


def make_text_table(quick: bool) -> Table:
    """Addresses are text."""
    return _make("str", "CSV to Parquet, plain strings", quick)


def _make(schema: str, title: str, quick: bool) -> Table:
    rows, repeats = (20_000, 1) if quick else (1_000_000, 3)
    loop_rows = min(rows, _LOOP_ROWS[schema])
    with tempfile.TemporaryDirectory() as name, rclone_bucket(Path(name)) as bucket:
        folder = Path(name)
        source = folder / "users.csv"
        write_users(source, rows, bad_mails=schema == "EmailStr")
        standings = race(_contenders(source, folder, bucket, schema, loop_rows), repeats)
        wrong = [standing.name for standing in standings if standing.told["rows"] not in {rows, loop_rows}]
        if wrong:
            raise SystemExit(f"{wrong[0]} did not read all {rows:,} rows")
        found = _compare(source, bucket.folder, schema)
    return Table(title, _caption(rows, repeats, found), _HEADER, _cells(standings))


def _contenders(source: Path, folder: Path, bucket: Bucket, schema: str, loop_rows: int) -> list[Contender]:
    def pipe(who: str, place: str, function: str, **more: Any) -> Contender:
        root = f"s3://{BUCKET}" if place == "S3" else str(folder)
        key = f"{root}/{function}-{more.get('threads', 8)}-{{run}}"
        arguments = {"source": str(source), "schema": schema, **more}
        arguments |= {"accepted": f"{key}.parquet", "rejected": f"{key}-errors.parquet"}
        environment = bucket.environment if place == "S3" else {}
        return Contender(f"{who}, to {place}", f"contenders.records:{function}", arguments, environment)

    peer = f"ZooPipe {version('zoopipe')}, 8 threads"
    loop = {"source": str(source), "schema": schema, "rows": loop_rows}
    return [
        pipe("skyhold, 8 threads", "S3", "run_skyhold", threads=8),
        pipe(peer, "S3", "run_zoopipe"),
        pipe("skyhold, 1 thread", "a folder", "run_skyhold", threads=1),
        pipe("skyhold, 8 threads", "a folder", "run_skyhold", threads=8),
        pipe(peer, "a folder", "run_zoopipe"),
        Contender(f"pydantic loop, {loop_rows:,} rows, to nowhere", "contenders.records:run_loop", loop),
    ]


def _cells(standings: list[Standing]) -> list[list[str]]:
    def rate(standing: Standing) -> float:
        return standing.told["rows"] / standing.seconds

    to_s3, to_folder = (next(s for s in standings if s.name.startswith("ZooPipe") and w in s.name) for w in ("S3", "f"))
    return [
        [
            standing.name,
            f"{rate(standing):,.0f}",
            f"{rate(standing) / rate(to_s3 if standing.name.endswith('S3') else to_folder):.1f}",
            f"{standing.seconds:.2f}",
            f"{standing.peak_mb:.0f}",
        ]
        for standing in standings
    ]


def _compare(source: Path, objects: Path, schema: str) -> dict[str, Any]:
    """Compare what the first runs wrote to S3 with a plain pydantic loop; end everything if ours differs."""
    arguments: dict[str, Any] = {"source": str(source), "schema": schema}
    for name, function in (("ours", "run_skyhold"), ("peers", "run_zoopipe")):
        key = objects / f"{function}-8-0"
        arguments[name] = [f"{key}.parquet", f"{key}-errors.parquet"]
    found = measure_once(Contender("comparison", "contenders.comparison:compare", arguments)).told
    ours = found["ours"]
    if ours["differences"] or ours["accepted"] != ours["same_values"] or ours["rejected"] != ours["same_rejects"]:
        raise SystemExit(f"{schema}: skyhold and pydantic disagree: {ours}")
    return found


def _caption(rows: int, repeats: int, found: dict[str, Any]) -> str:
    ours, peers = found["ours"], found["peers"]
    extra = sorted(set(peers["error_columns"]) - {"user_id", "username", "email", "age"})
    return (
        f"{rows:,} rows of 7 columns, 1 % bad, 0.2 % good but not in normal form; medians of {repeats} runs; the S3 "
        f"server (`rclone serve s3`) shares the machine. skyhold's output on S3 was compared with a plain pydantic "
        f"loop, row by row over all {rows:,} rows: the same {ours['accepted']:,} rows accepted with the same values "
        f"and types, the same {ours['rejected']:,} rows rejected, with their numbers and whole originals. "
        f"ZooPipe's, compared the same way: {peers['accepted']:,} accepted, of which {peers['same_values']:,} have "
        f"pydantic's values and types and {peers['same_as_text']:,} its values as text; {peers['rejected']:,} "
        f"rejected, of which {peers['same_rejects']:,} are the same rows, with the columns of the schema and "
        f"{'of others: ' + ', '.join(extra) if extra else 'no row number or reason'}."
    )
