"""What a pipe asks of a store: requests, bytes, and what they would cost."""

import tempfile
from pathlib import Path
from typing import Any

from measuring.race import Contender, measure_once
from measuring.report import Table
from skyhold.storage.pricing import estimate_cost
from skyhold.storage.wrappers.metered import Usage
from tables.servers import BUCKET, rclone_bucket
from tables.users import write_csv, write_jsonl, write_parquet

_WRITERS = {"csv": write_csv, "jsonl": write_jsonl, "parquet": write_parquet}
_SCHEMAS = {"csv": "str", "jsonl": "str", "parquet": "all columns"}


def make_table(quick: bool) -> Table:
    """One run for each format, read from S3 and written to it."""
    rows = 20_000 if quick else 1_000_000
    cells: list[list[str]] = []
    for suffix, write in _WRITERS.items():
        with tempfile.TemporaryDirectory() as name, rclone_bucket(Path(name)) as bucket:
            source = bucket.folder / f"users.{suffix}"
            write(source, rows)
            arguments = {"source": f"s3://{BUCKET}/users.{suffix}", "schema": _SCHEMAS[suffix], "threads": 8}
            arguments |= {name: f"s3://{BUCKET}/{name}.parquet" for name in ("accepted", "rejected")}
            pipe = Contender("skyhold", "contenders.records:run_skyhold", arguments, bucket.environment)
            cells.append([f"{suffix} to parquet", *_row(measure_once(pipe).told, source.stat().st_size)])
    caption = (
        f"{rows:,} users read from S3, accepted rows, rejected rows and the receipt written to it, as the run's own "
        "meter counts them; dollars by the default price table, for requests alone."
    )
    header = ("", "input, MB", "MB in", "MB out", "reads", "writes", "lists", "dollars")
    return Table("Requests", caption, header, cells)


def _row(told: dict[str, Any], size_bytes: int) -> list[str]:
    requests = told["requests"]
    dollars = estimate_cost(Usage(requests, told["bytes_in"], told["bytes_out"])).requests
    sizes = [f"{count / 1e6:.1f}" for count in (size_bytes, told["bytes_in"], told["bytes_out"])]
    return [*sizes, *(str(requests.get(kind, 0)) for kind in ("read", "write", "list")), f"{dollars:.6f}"]
