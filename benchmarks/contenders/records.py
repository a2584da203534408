"""Records to Parquet, validated: skyhold, ZooPipe and a plain pydantic loop."""

import itertools
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contenders.schemas import SCHEMAS
from contenders.sources import open_rows
from measuring.stopwatch import Stopwatch

_READERS = {".csv": "CSVInputAdapter", ".jsonl": "JSONInputAdapter", ".parquet": "ParquetInputAdapter"}
"""Suffix -> the class that reads it; skyhold and ZooPipe have the same names."""


def run_skyhold(
    watch: Stopwatch, *, source: str, accepted: str, rejected: str, schema: str, threads: int
) -> dict[str, Any]:
    import skyhold
    from skyhold import MultiThreadExecutor, ParquetOutputAdapter, Pipe, SingleThreadExecutor

    reader = getattr(skyhold, _READERS[Path(source).suffix])
    with watch:
        report = Pipe(
            input_adapter=reader(source),
            output_adapter=ParquetOutputAdapter(accepted),
            error_output_adapter=ParquetOutputAdapter(rejected),
            schema_model=SCHEMAS[schema],
            executor=MultiThreadExecutor(threads) if threads > 1 else SingleThreadExecutor(),
        ).run()
    usage = report.usage
    return {
        "rows": report.total_processed,
        "rejected": report.error_count,
        "requests": dict(usage.requests),
        "bytes_in": usage.bytes_in,
        "bytes_out": usage.bytes_out,
    }


def run_zoopipe(watch: Stopwatch, *, source: str, accepted: str, rejected: str, schema: str) -> dict[str, Any]:
    zoopipe: Any = import_module("zoopipe")
    reader = getattr(zoopipe, _READERS[Path(source).suffix])
    with watch:
        pipe = zoopipe.Pipe(
            input_adapter=reader(source),
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
    accepted = rejected = 0
    originals, validate = open_rows(source, SCHEMAS[schema])
    with watch:
        for original in itertools.islice(originals, rows):
            try:
                validate(original)
                accepted += 1
            except ValidationError:
                rejected += 1
    return {"rows": accepted + rejected}
