"""Rows through a validator in Python: by one thread, by two processes, by a Dask cluster of two processes."""

import itertools
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from contenders.schemas import SCHEMAS
from measuring.stopwatch import Stopwatch

_FIRST_ROWS = 400


def run(watch: Stopwatch, *, source: str, accepted: str, rejected: str, who: str, shards: int | None) -> dict[str, Any]:
    """Run one pipe; workers are there, and have done its first rows before, when the watch starts."""
    first = Path(f"{accepted}.first.csv")
    with Path(source).open() as rows:
        first.write_text("".join(itertools.islice(rows, _FIRST_ROWS)))
    with _open(who) as executor:
        _pipe(str(first), f"{first}.parquet", f"{first}-errors.parquet", executor, shards).run()
        with watch:
            report = _pipe(source, accepted, rejected, executor, shards).run()
    return {"rows": report.total_processed, "rejected": report.error_count}


def _pipe(source: str, accepted: str, rejected: str, executor: Executor, shards: int | None) -> Any:
    from skyhold import CSVInputAdapter, ParquetOutputAdapter, Pipe

    return Pipe(
        input_adapter=CSVInputAdapter(source),
        output_adapter=ParquetOutputAdapter(accepted),
        error_output_adapter=ParquetOutputAdapter(rejected),
        schema_model=SCHEMAS["python"],
        executor=executor,
        shards=shards,
    )


def _open(who: str) -> Executor:
    from skyhold import DaskExecutor, MultiProcessExecutor, SingleThreadExecutor

    if who == "single":
        return SingleThreadExecutor()
    if who == "processes":
        return MultiProcessExecutor(2)
    from distributed import Client

    return DaskExecutor(client=Client(n_workers=2, threads_per_worker=1, dashboard_address=":0"))
