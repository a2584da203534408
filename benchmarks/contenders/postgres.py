"""A table of PostgreSQL to Parquet: skyhold, and ADBC with pyarrow alone."""

from typing import Any

from contenders.plain import what_stands
from contenders.schemas import SCHEMAS
from measuring.stopwatch import Stopwatch


def read_with_skyhold(watch: Stopwatch, *, uri: str, table: str, target: str, schema: str | None) -> dict[str, Any]:
    from skyhold import ParquetOutputAdapter, Pipe, SQLInputAdapter

    with watch:
        Pipe(
            input_adapter=SQLInputAdapter(uri, table_name=table),
            output_adapter=ParquetOutputAdapter(target),
            schema_model=SCHEMAS[schema] if schema else None,
        ).run()
    return what_stands(target)


def read_with_adbc(watch: Stopwatch, *, uri: str, table: str, target: str) -> dict[str, Any]:
    import pyarrow.parquet as pq
    from adbc_driver_postgresql import dbapi

    with watch, dbapi.connect(uri) as connection, connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}"')
        batches = cursor.fetch_record_batch()
        with pq.ParquetWriter(target, batches.schema, compression="zstd") as writer:
            for batch in batches:
                writer.write_batch(batch)
    return what_stands(target)
