"""Tables, and short ways to store and read them, for the tests of Parquet and Arrow."""

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skyhold.records.formats.adapter import Batch, InputAdapter, OutputAdapter
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import Meter, MeteredStore, Usage
from skyhold.testing.servers import LocalServer

MEMORY = "memory://columnar-tests"


def put_object(name: str, data: bytes) -> str:
    open_store(MEMORY).write(name, data)
    return f"{MEMORY}/{name}"


def parquet_bytes(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def arrow_bytes(make: Callable[..., Any], *batches: pa.RecordBatch, **options: Any) -> bytes:
    sink = io.BytesIO()
    with make(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def read_batches(source: InputAdapter, wrap: Callable[[Store], Store] = lambda store: store) -> list[Batch]:
    with source.open(wrap) as stream:
        return list(stream.batches())


def read_table(source: InputAdapter) -> pa.Table:
    with source.open(lambda store: store) as stream:
        return pa.Table.from_batches([batch.data for batch in stream.batches()], stream.schema)


def row_numbers(batches: list[Batch]) -> list[int]:
    return [batch.row_number(index) for batch in batches for index in range(batch.data.num_rows)]


def measure(source: InputAdapter) -> Usage:
    meter = Meter()
    read_batches(source, lambda store: MeteredStore(store, meter))
    return meter.usage


def options_of(server: LocalServer) -> dict[str, Any]:
    return dict(server.options)


# What the peer read as null, or as something else, in runs that it called complete.
KEPT = pa.table(
    {
        "instant": pa.array([datetime(2026, 1, 2, 3, 4, 5, 6, UTC), None], pa.timestamp("ns", "UTC")),
        "seconds": pa.array([datetime(2026, 1, 2), None], pa.timestamp("s")),  # noqa: DTZ001 - a local time is meant
        "amount": pa.array([Decimal("12345678901234567890.123456789"), None]),
        "list": pa.array([[1, None, 3], []], pa.list_(pa.int16())),
        "struct": pa.array([{"a": 1, "b": "x"}, None], pa.struct({"a": pa.int8(), "b": pa.string()})),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "word": pa.array(["red", "blue"]).dictionary_encode(),
        "ordered": pa.DictionaryArray.from_arrays(pa.array([1, None], pa.int8()), ["small", "large"], ordered=True),
        "numbered": pa.DictionaryArray.from_arrays(pa.array([0, 1], pa.uint16()), [20, 10]),
        "huge": pa.array([2**64 - 1, 2**63], pa.uint64()),
        "day": pa.array([date(1, 1, 1), date(9999, 12, 31)], pa.date64()),
        "time": pa.array([time(23, 59, 59), None], pa.time32("s")),
        "span": pa.array([timedelta(days=-1, microseconds=1), None], pa.duration("us")),
        "half": pa.array([1.5, None], pa.float16()),
        "nothing": pa.nulls(2),
        "text": pa.array(["None", None], pa.large_string()),
        "id": pa.array([b"0123456789abcdef", None], pa.uuid()),
    },
    metadata={"who": "me"},
)


def write_batches(adapter: OutputAdapter, batches: list[pa.RecordBatch]) -> None:
    stream = adapter.open(batches[0].schema, lambda store: store)
    for batch in batches:
        stream.write(batch)
    stream.close()
