"""CSV to Parquet, validated: skyhold, ZooPipe and a plain pydantic loop."""

import csv
import itertools
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contenders.schemas import SCHEMAS
from measuring.stopwatch import Stopwatch


def run_skyhold(
    watch: Stopwatch, *, source: str, accepted: str, rejected: str, schema: str, threads: int
) -> dict[str, Any]:
    from skyhold import CSVInputAdapter, MultiThreadExecutor, ParquetOutputAdapter, Pipe, SingleThreadExecutor

    with watch:
        report = Pipe(
            input_adapter=CSVInputAdapter(source),
            output_adapter=ParquetOutputAdapter(accepted),
            error_output_adapter=ParquetOutputAdapter(rejected),
            schema_model=SCHEMAS[schema],
            executor=MultiThreadExecutor(threads) if threads > 1 else SingleThreadExecutor(),
        ).run()
    return {
        "rows": report.total_processed,
        "requests": dict(report.usage.requests),
        "bytes_in": report.usage.bytes_in,
        "bytes_out": report.usage.bytes_out,
        "dollars": report.cost.requests if report.cost else 0.0,
    }


def run_zoopipe(watch: Stopwatch, *, source: str, accepted: str, rejected: str, schema: str) -> dict[str, Any]:
    zoopipe: Any = import_module("zoopipe")
    with watch:
        pipe = zoopipe.Pipe(
            input_adapter=zoopipe.CSVInputAdapter(source),
            output_adapter=zoopipe.ParquetOutputAdapter(accepted),
            error_output_adapter=zoopipe.ParquetOutputAdapter(rejected),
            schema_model=SCHEMAS[schema],
            executor=zoopipe.MultiThreadExecutor(max_workers=8),
        )
        with pipe:
            pipe.wait()
    if str(pipe.report.status.value) != "completed":
        raise SystemExit(f"ZooPipe ended as {pipe.report.status}")
    return {"rows": pipe.report.total_processed}


def run_loop(watch: Stopwatch, *, source: str, schema: str, rows: int) -> dict[str, Any]:
    """The first rows through one model, nothing written: what pydantic alone takes."""
    model = SCHEMAS[schema]
    accepted = rejected = 0
    with watch, Path(source).open(newline="") as file:
        for row in itertools.islice(csv.DictReader(file), rows):
            try:
                model.model_validate(row)
                accepted += 1
            except ValidationError:
                rejected += 1
    return {"rows": accepted + rejected}
