"""CSV to Parquet without a schema, every cell as text: skyhold, polars and duckdb."""

from typing import Any

from measuring.stopwatch import Stopwatch


def copy_with_skyhold(watch: Stopwatch, *, source: str, target: str, threads: int) -> dict[str, Any]:
    from skyhold import CSVInputAdapter, MultiThreadExecutor, ParquetOutputAdapter, Pipe, SingleThreadExecutor

    with watch:
        Pipe(
            input_adapter=CSVInputAdapter(source),
            output_adapter=ParquetOutputAdapter(target),
            executor=MultiThreadExecutor(threads) if threads > 1 else SingleThreadExecutor(),
        ).run()
    return what_stands(target)


def copy_with_polars(watch: Stopwatch, *, source: str, target: str, infer: bool) -> dict[str, Any]:
    import polars as pl

    with watch:
        pl.scan_csv(source, infer_schema=infer).sink_parquet(target, compression="zstd", compression_level=1)
    return what_stands(target)


def copy_with_duckdb(watch: Stopwatch, *, source: str, target: str, infer: bool) -> dict[str, Any]:
    import duckdb

    options = f"header = true, all_varchar = {not infer}".lower()
    with watch, duckdb.connect() as database:
        database.execute("SET enable_progress_bar = false")
        database.execute(
            f"COPY (SELECT * FROM read_csv('{source}', {options})) "
            f"TO '{target}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)"
        )
    return what_stands(target)


def what_stands(path: str) -> dict[str, Any]:
    """Return the rows of a Parquet file and the names of its columns."""
    import pyarrow.parquet as pq

    found = pq.read_metadata(path)
    return {"rows": found.num_rows, "columns": found.schema.to_arrow_schema().names}
