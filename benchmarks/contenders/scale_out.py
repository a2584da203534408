"""Rows through a validator in Python: by one thread, by two processes, by a Dask cluster of two processes."""

from concurrent.futures import Executor, wait
from importlib import import_module
from typing import Any

from contenders.schemas import SCHEMAS
from measuring.stopwatch import Stopwatch


def run(watch: Stopwatch, *, source: str, accepted: str, rejected: str, who: str, shards: int | None) -> dict[str, Any]:
    """Run one pipe; workers are there, and have loaded what they need, before the watch starts."""
    from skyhold import CSVInputAdapter, ParquetOutputAdapter, Pipe

    with _open(who) as executor:
        wait([executor.submit(_load, number) for number in range(8)])
        with watch:
            report = Pipe(
                input_adapter=CSVInputAdapter(source),
                output_adapter=ParquetOutputAdapter(accepted),
                error_output_adapter=ParquetOutputAdapter(rejected),
                schema_model=SCHEMAS["python"],
                executor=executor,
                shards=shards,
            ).run()
    return {"rows": report.total_processed, "rejected": report.error_count}


def _open(who: str) -> Executor:
    from skyhold import DaskExecutor, MultiProcessExecutor, SingleThreadExecutor

    if who == "single":
        return SingleThreadExecutor()
    if who == "processes":
        return MultiProcessExecutor(2)
    from distributed import Client

    return DaskExecutor(client=Client(n_workers=2, threads_per_worker=1, dashboard_address=":0"))


def _load(number: int) -> int:
    import time

    import_module("skyhold.records.pipe")  # a worker that has run before has it
    time.sleep(0.1)  # so that every worker gets one
    return number
