"""Parquet and Arrow on a real S3 server: few requests, the rows and columns that were asked for, nothing lost."""

import os
import random
import threading
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from columnar_samples import (
    KEPT,
    MEMORY,
    arrow_bytes,
    measure,
    options_of,
    parquet_bytes,
    put_object,
    read_batches,
    read_table,
    row_numbers,
    write_batches,
)
from conftest import make_bucket
from skyhold import (
    ArrowInputAdapter,
    ArrowOutputAdapter,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    Pipe,
)
from skyhold.errors import (
    BadOptionError,
    KeyNotFoundError,
    MalformedInputError,
    SchemaError,
)
from skyhold.records.formats.adapter import Batch, InputAdapter
from skyhold.records.formats.objects import ObjectPlace
from skyhold.records.formats.planned import PlannedReader, Span
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


@pytest.fixture(scope="module")
def large(moto: LocalServer) -> tuple[str, dict[str, Any], bytes]:
    """An object of 12 MB: three columns, of which the middle one is nearly all of it."""
    rows = 120_000
    noise = random.Random(7).randbytes(rows * 96)
    table = pa.table(
        {
            "number": pa.array(range(rows), pa.int64()),
            "noise": pa.array([noise[n * 96 : n * 96 + 96] for n in range(rows)]),
            "part": pa.array([n // 20_000 for n in range(rows)], pa.int32()),
        }
    )
    data = parquet_bytes(table, row_group_size=20_000, compression="zstd")
    uri = f"s3://{make_bucket(moto)}/a folder/large.parquet"
    store = open_store(uri.rpartition("/")[0], **options_of(moto))
    store.write("large.parquet", data)
    return uri, dict(moto.options), data


def test_twelve_megabytes_are_read_in_six_requests_and_once(large: tuple[str, dict[str, Any], bytes]):
    uri, options, data = large
    assert len(data) > 11_500_000
    usage = measure(ParquetInputAdapter(uri, **options))
    assert usage.requests["read"] <= 6
    assert len(data) - len(b"PAR1") <= usage.bytes_in <= len(data) + 1024  # nobody needs the mark at the beginning


def test_only_the_bytes_of_wanted_columns_and_rows_are_fetched(large: tuple[str, dict[str, Any], bytes]):
    uri, options, data = large
    assert measure(ParquetInputAdapter(uri, columns=["number", "part"], **options)).bytes_in < 1_300_000
    assert measure(ParquetInputAdapter(uri, row_groups=[4], **options)).bytes_in < len(data) / 5
    assert measure(ParquetInputAdapter(uri, filter=pc.field("part") == 3, **options)).bytes_in < len(data) / 5
    assert measure(ParquetInputAdapter(uri, offset=119_990, **options)).bytes_in < len(data) / 5
    assert measure(ParquetInputAdapter(uri, limit=10, **options)).bytes_in < len(data) / 4
    assert measure(ParquetInputAdapter(uri, limit=0, **options)).requests["read"] == 1
    impossible = ParquetInputAdapter(uri, filter=pc.field("part") > 99, **options)
    assert measure(impossible).requests["read"] == 1, "the footer says that there is none"


def test_selected_rows_keep_their_numbers_in_the_file(large: tuple[str, dict[str, Any], bytes]):
    uri, options, _ = large

    def read(**selection: Any) -> list[int]:
        batches = read_batches(ParquetInputAdapter(uri, columns=["number"], **selection, **options))
        numbers = [number for batch in batches for number in batch.data["number"].to_pylist()]
        assert [row - 1 for row in row_numbers(batches)] == numbers, "row 1 holds the number 0"
        return numbers

    assert read() == list(range(120_000))
    assert read(row_groups=[5, 1, 2]) == [*range(100_000, 120_000), *range(20_000, 60_000)]
    assert read(offset=30_005, limit=3) == [30_005, 30_006, 30_007]
    assert read(row_groups=[3, 0], offset=19_999, limit=2) == [79_999, 0]
    assert read(offset=120_000) == read(limit=0) == []
    assert read(batch_size=7, limit=20) == list(range(20))
    odd = pc.bit_wise_and(pc.field("number"), 1) == 1
    assert read(filter=odd & (pc.field("part") == 2), offset=1, limit=3) == [40_003, 40_005, 40_007]
    assert read(filter=(pc.field("number") < 2) | (pc.field("number") > 119_997)) == [0, 1, 119_998, 119_999]


def test_a_batch_counts_rows_past_those_it_skips():
    @given(st.sets(st.integers(5, 40)), st.integers(1, 10))
    def check(skipped: set[int], rows: int) -> None:
        data = pa.RecordBatch.from_pylist([{"a": 1}] * rows)
        batch = Batch(data, "x", 5, tuple(sorted(skipped)))
        left = [number for number in range(5, 60) if number not in skipped]
        assert [batch.row_number(index) for index in range(rows)] == left[:rows]

    check()


def test_a_row_group_larger_than_memory_allows_is_read_bit_by_bit():
    rows = 6_000
    noise = [pa.array([os.urandom(1000) for _ in range(rows)]) for _ in range(8)]
    table = pa.table({f"c{number}": each for number, each in enumerate(noise)})
    uri = put_object(
        "huge.parquet", parquet_bytes(table, row_group_size=rows, compression="none", use_dictionary=False)
    )
    with ParquetInputAdapter(uri).open(lambda store: store) as stream:
        held = most = 0
        found: list[pa.RecordBatch] = []
        for batch in stream.batches():
            held = cast("Any", stream)._reader._held_bytes
            most = max(most, held)
            found.append(batch.data)
    assert pa.Table.from_batches(found).equals(table)
    assert len(found) > 3
    assert 0 < most <= 32 * 2**20
    assert held < 8 * 2**20, "what was read is let go"


def test_a_plan_is_kept_whatever_the_order_of_reading():
    data = os.urandom(300_000)
    put_object("planned", data)
    spans = st.lists(st.integers(0, 299_999), unique=True, max_size=8).map(sorted)
    reads = st.lists(st.tuples(st.integers(0, 299_999), st.integers(1, 100_000)), max_size=12)

    @given(spans, st.integers(0, 100_000), reads)
    def check(edges: list[int], ahead: int, asked: list[tuple[int, int]]) -> None:
        planned = [Span(*pair) for pair in zip(edges[::2], edges[1::2], strict=False)]
        reader = PlannedReader(ObjectPlace(open_store(MEMORY), "planned"))
        reader.plan(planned[::-1], ahead_bytes=ahead)
        for start, size in asked:
            assert reader.peek(start, size) == data[start : start + size]
            reader.seek(start)
            assert bytes(reader.read(size)) == data[start : start + size]
        reader.close()

    check()


def test_what_others_lose_comes_through_a_bucket(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    open_store(base, **options_of(moto)).write("in.parquet", parquet_bytes(KEPT))
    steps = [
        (ParquetInputAdapter(f"{base}/in.parquet", **options_of(moto)), ArrowOutputAdapter, "a b/1.arrow", {}),
        (ArrowInputAdapter(f"{base}/a b/1.arrow", **options_of(moto)), ParquetOutputAdapter, "2.parquet", {}),
        (ParquetInputAdapter(f"{base}/2.parquet", **options_of(moto)), ArrowOutputAdapter, "3", {"format": "stream"}),
    ]
    for source, output, name, more in steps:
        report = Pipe(input_adapter=source, output_adapter=output(f"{base}/{name}", **more, **options_of(moto))).run()
        assert (report.total_processed, report.success_count) == (2, 2)
    for source in (*(step[0] for step in steps), ArrowInputAdapter(f"{base}/3", **options_of(moto))):
        found = read_table(source)
        assert found.schema.equals(KEPT.schema, check_metadata=True)
        assert found.equals(KEPT)


class Sale(BaseModel):
    order_id: str
    revenue: float = Field(gt=0)


def test_typed_rows_are_validated_and_rejected_with_their_numbers(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    table = pa.table({"order_id": [f"o{n}" for n in range(10)], "revenue": [float(n - 2) for n in range(10)]})
    store = open_store(base, **options_of(moto))
    store.write("in.parquet", parquet_bytes(table, row_group_size=3))
    pipe = Pipe(
        input_adapter=ParquetInputAdapter(f"{base}/in.parquet", offset=1, **options_of(moto)),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **options_of(moto)),
        error_output_adapter=ArrowOutputAdapter(f"{base}/errors.arrow", **options_of(moto)),
        schema_model=Sale,
    )
    report = pipe.run()
    assert (report.total_processed, report.success_count, report.total_errors) == (9, 7, 2)
    errors = read_table(ArrowInputAdapter(f"{base}/errors.arrow", **options_of(moto))).to_pylist()
    assert [(error["row_number"], error["field"], error["error_type"]) for error in errors] == [
        (2, "$.revenue", "greater_than"),
        (3, "$.revenue", "greater_than"),
    ]


def test_many_objects_are_read_as_one(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    store = open_store(base, **moto.options)
    for part in range(3):
        table = pa.table({"word": pa.array([f"w{part}", None]).dictionary_encode(), "n": [part * 2, part * 2 + 1]})
        store.write(f"part-{part}.parquet", parquet_bytes(table))
    source = ParquetInputAdapter(f"{base}/part-*.parquet", filter=pc.field("n") > 0, **options_of(moto))
    Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{base}/all.arrow", **options_of(moto))).run()
    found = read_table(ArrowInputAdapter(f"{base}/all.arrow", **options_of(moto)))
    assert found["n"].to_pylist() == [1, 2, 3, 4, 5]
    assert found["word"].to_pylist() == [None, "w1", None, "w2", None]


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_an_empty_input_gives_its_columns_and_no_rows(kind: str, tmp_path: Path):
    empty = KEPT.slice(0, 0)
    if kind == "parquet":
        source: InputAdapter = ParquetInputAdapter(put_object("empty", parquet_bytes(empty)))
    else:
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        nothing = pa.RecordBatch.from_arrays([column.combine_chunks() for column in empty.columns], schema=empty.schema)
        source = ArrowInputAdapter(put_object("empty", arrow_bytes(make, nothing)))
    for output, again in (
        (ParquetOutputAdapter(tmp_path / "out.parquet"), ParquetInputAdapter(tmp_path / "out.parquet")),
        (ArrowOutputAdapter(tmp_path / "out.arrow"), ArrowInputAdapter(tmp_path / "out.arrow")),
    ):
        assert Pipe(input_adapter=source, output_adapter=output).run().total_processed == 0
        found = read_table(again)
        assert found.num_rows == 0
        assert found.schema.equals(KEPT.schema, check_metadata=True)


def test_what_is_not_there_or_cannot_be_meant_is_told(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    for adapter in (ParquetInputAdapter, ArrowInputAdapter):
        with pytest.raises(KeyNotFoundError, match=r"nothing\.here"):
            read_batches(adapter(f"{base}/nothing.here", **options_of(moto)))
        with pytest.raises(BadOptionError, match="limit=-1"):
            adapter("memory://x/y", limit=-1)
    parquet = put_object("told.parquet", parquet_bytes(pa.table({"price": [1], "name": ["x"]})))
    arrow = put_object("told.arrow", arrow_bytes(pa.ipc.new_file, pa.record_batch({"price": [1]})))
    for source in (ParquetInputAdapter(parquet, columns=["prise"]), ArrowInputAdapter(arrow, columns=["prise"])):
        with pytest.raises(SchemaError, match="no column 'prise'") as caught:
            read_batches(source)
        assert caught.value.remedy == "Did you mean 'price'?"
    with pytest.raises(SchemaError, match="twice"):
        read_batches(ParquetInputAdapter(parquet, columns=["name", "name"]))
    with pytest.raises(BadOptionError, match="has 1"):
        read_batches(ParquetInputAdapter(parquet, row_groups=[1]))
    for wrong in (pc.field("nope") > 1, pc.field("name") > 1, pc.field("price") + 1):
        with pytest.raises(SchemaError, match="filter"):
            read_batches(ParquetInputAdapter(parquet, filter=wrong))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(MalformedInputError, match="more than one column called 'a'"):
        read_batches(ParquetInputAdapter(put_object("twice.parquet", parquet_bytes(twice))))


def test_columns_come_in_the_order_asked_for_and_a_filter_may_look_at_others():
    table = pa.table({"a": [1, 2, 3], "a.b": ["x", "y", "z"], "c": [{"d": 1, "e": [2]}] * 3})
    uri = put_object("order.parquet", parquet_bytes(table))
    assert read_table(ParquetInputAdapter(uri, columns=["c", "a.b"], filter=pc.field("a") > 2)).to_pylist() == [
        {"c": {"d": 1, "e": [2]}, "a.b": "z"}
    ]
    arrow = put_object(
        "order.arrow", arrow_bytes(pa.ipc.new_file, *table.to_batches(), *table.to_batches(), compression="lz4")
    )
    assert read_table(ArrowInputAdapter(arrow, columns=["a.b", "a"], offset=2, limit=2)).to_pylist() == [
        {"a.b": "z", "a": 3},
        {"a.b": "x", "a": 1},
    ]


def test_columns_whose_values_repeat_have_dictionaries(tmp_path: Path):
    rows = 1000
    table = pa.table(
        {
            "id": [f"user {n}" for n in range(rows)],
            "a.b": [f"city {n % 7}" for n in range(rows)],
            "half": pa.array([n // 2 for n in range(rows)], pa.int64()),
            "nested": [{"id": n, "tags": [str(n)]} for n in range(rows)],
            "nothing": pa.nulls(rows, pa.float64()),
        }
    )
    path = tmp_path / "chosen.parquet"
    adapter = ParquetOutputAdapter(path, row_group_rows=300, data_page_version="2.0")
    write_batches(adapter, table.to_batches(max_chunksize=80))
    assert pq.read_table(path).equals(table)
    for number in range(4):
        group = pq.read_metadata(path).row_group(number)
        columns = [group.column(place) for place in range(group.num_columns)]
        assert {each.path_in_schema for each in columns if each.has_dictionary_page} == {
            "a.b",
            "half",
            "nested.id",
            "nested.tags.list.element",
            "nothing",
        }
    write_batches(ParquetOutputAdapter(path, dictionary=["id"]), table.to_batches())
    group = pq.read_metadata(path).row_group(0)
    assert [group.column(place).has_dictionary_page for place in range(3)] == [True, False, False]


@pytest.mark.parametrize("output", [ParquetOutputAdapter, ArrowOutputAdapter])
def test_a_failure_while_writing_leaves_the_previous_object(output: Any, tmp_path: Path):
    (tmp_path / "out").write_bytes(b"previous")
    stream = output(tmp_path / "out").open(pa.schema([("a", pa.int64())]), lambda store: store)
    stream.write(pa.record_batch({"a": [1, 2, 3]}))
    stream.abort()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"previous"


def test_a_stream_that_is_closed_early_leaves_no_thread_behind(large: tuple[str, dict[str, Any], bytes]):
    uri, options, _ = large
    with ParquetInputAdapter(uri, **options).open(lambda store: store) as stream:
        next(iter(stream.batches()))
        names = [thread for thread in threading.enumerate() if "planned" in thread.name]
        assert names
    for thread in names:
        thread.join(timeout=30)
    assert not any(thread.is_alive() for thread in names)
