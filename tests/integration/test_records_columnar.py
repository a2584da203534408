"""Parquet and Arrow on a real S3 server: few requests, nothing lost, damage told."""

import io
import os
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from conftest import make_bucket
from skyhold import (
    ArrowInputAdapter,
    ArrowOutputAdapter,
    CSVInputAdapter,
    CSVOutputAdapter,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    Pipe,
)
from skyhold.errors import (
    BadOptionError,
    KeyNotFoundError,
    MalformedInputError,
    PreconditionFailedError,
    SchemaError,
    SkyholdError,
)
from skyhold.records.formats.adapter import Batch, InputAdapter
from skyhold.records.formats.objects import ObjectPlace
from skyhold.records.formats.planned import PlannedReader, Span
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import Meter, MeteredStore, Usage
from skyhold.testing.servers import LocalServer

MEMORY = "memory://columnar-tests"


def _put(name: str, data: bytes) -> str:
    open_store(MEMORY).write(name, data)
    return f"{MEMORY}/{name}"


def _parquet(table: pa.Table, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def _arrow(make: Callable[..., Any], *batches: pa.RecordBatch, **options: Any) -> bytes:
    sink = io.BytesIO()
    with make(sink, batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def _batches(source: InputAdapter, wrap: Callable[[Store], Store] = lambda store: store) -> list[Batch]:
    with source.open(wrap) as stream:
        return list(stream.batches())


def _table(source: InputAdapter) -> pa.Table:
    with source.open(lambda store: store) as stream:
        return pa.Table.from_batches([batch.data for batch in stream.batches()], stream.schema)


def _numbers(batches: list[Batch]) -> list[int]:
    return [batch.row_number(index) for batch in batches for index in range(batch.data.num_rows)]


def _usage(source: InputAdapter) -> Usage:
    meter = Meter()
    _batches(source, lambda store: MeteredStore(store, meter))
    return meter.usage


@pytest.fixture(scope="module")
def large(moto: LocalServer) -> tuple[str, dict[str, Any], bytes]:
    """An object of 12 MB: three columns, of which the middle one is nearly all of it."""
    rows = 120_000
    noise = os.urandom(rows * 96)
    table = pa.table(
        {
            "number": pa.array(range(rows), pa.int64()),
            "noise": pa.array([noise[n * 96 : n * 96 + 96] for n in range(rows)]),
            "part": pa.array([n // 20_000 for n in range(rows)], pa.int32()),
        }
    )
    data = _parquet(table, row_group_size=20_000, compression="zstd")
    uri = f"s3://{make_bucket(moto)}/a folder/large.parquet"
    store = open_store(uri.rpartition("/")[0], **moto.options)
    store.write("large.parquet", data)
    return uri, dict(moto.options), data


def test_twelve_megabytes_are_read_in_six_requests_and_once(large: tuple[str, dict[str, Any], bytes]):
    uri, options, data = large
    assert len(data) > 11_500_000
    usage = _usage(ParquetInputAdapter(uri, **options))
    assert usage.requests["read"] <= 6
    assert len(data) <= usage.bytes_in <= len(data) + 1024


def test_only_the_bytes_of_wanted_columns_and_rows_are_fetched(large: tuple[str, dict[str, Any], bytes]):
    uri, options, data = large
    assert _usage(ParquetInputAdapter(uri, columns=["number", "part"], **options)).bytes_in < 1_300_000
    assert _usage(ParquetInputAdapter(uri, row_groups=[4], **options)).bytes_in < len(data) / 5
    assert _usage(ParquetInputAdapter(uri, filter=pc.field("part") == 3, **options)).bytes_in < len(data) / 5
    assert _usage(ParquetInputAdapter(uri, offset=119_990, **options)).bytes_in < len(data) / 5
    assert _usage(ParquetInputAdapter(uri, limit=10, **options)).bytes_in < len(data) / 4
    assert _usage(ParquetInputAdapter(uri, limit=0, **options)).requests["read"] == 1
    impossible = ParquetInputAdapter(uri, filter=pc.field("part") > 99, **options)
    assert _usage(impossible).requests["read"] == 1, "the footer says that there is none"


def test_selected_rows_keep_their_numbers_in_the_file(large: tuple[str, dict[str, Any], bytes]):
    uri, options, _ = large

    def read(**selection: Any) -> list[int]:
        batches = _batches(ParquetInputAdapter(uri, columns=["number"], **selection, **options))
        numbers = [number for batch in batches for number in batch.data["number"].to_pylist()]
        assert [row - 1 for row in _numbers(batches)] == numbers, "row 1 holds the number 0"
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
    uri = _put("huge.parquet", _parquet(table, row_group_size=rows, compression="none", use_dictionary=False))
    with ParquetInputAdapter(uri).open(lambda store: store) as stream:
        held = most = 0
        found: list[pa.RecordBatch] = []
        for batch in stream.batches():
            held = stream._reader._held_bytes  # type: ignore[attr-defined]
            most = max(most, held)
            found.append(batch.data)
    assert pa.Table.from_batches(found).equals(table)
    assert len(found) > 3
    assert 0 < most <= 32 * 2**20
    assert held < 8 * 2**20, "what was read is let go"


def test_a_plan_is_kept_whatever_the_order_of_reading():
    data = os.urandom(300_000)
    _put("planned", data)
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


def test_what_others_lose_comes_through_a_bucket(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    open_store(base, **moto.options).write("in.parquet", _parquet(KEPT))
    steps = [
        (ParquetInputAdapter(f"{base}/in.parquet", **moto.options), ArrowOutputAdapter, "a b/1.arrow", {}),
        (ArrowInputAdapter(f"{base}/a b/1.arrow", **moto.options), ParquetOutputAdapter, "2.parquet", {}),
        (ParquetInputAdapter(f"{base}/2.parquet", **moto.options), ArrowOutputAdapter, "3", {"format": "stream"}),
    ]
    for source, output, name, more in steps:
        report = Pipe(input_adapter=source, output_adapter=output(f"{base}/{name}", **more, **moto.options)).run()
        assert (report.total_processed, report.success_count) == (2, 2)
    for source in (*(step[0] for step in steps), ArrowInputAdapter(f"{base}/3", **moto.options)):
        found = _table(source)
        assert found.schema.equals(KEPT.schema, check_metadata=True)
        assert found.equals(KEPT)


class Sale(BaseModel):
    order_id: str
    revenue: float = Field(gt=0)


def test_typed_rows_are_validated_and_rejected_with_their_numbers(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    table = pa.table({"order_id": [f"o{n}" for n in range(10)], "revenue": [float(n - 2) for n in range(10)]})
    store = open_store(base, **moto.options)
    store.write("in.parquet", _parquet(table, row_group_size=3))
    pipe = Pipe(
        input_adapter=ParquetInputAdapter(f"{base}/in.parquet", offset=1, **moto.options),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **moto.options),
        error_output_adapter=ArrowOutputAdapter(f"{base}/errors.arrow", **moto.options),
        schema_model=Sale,
    )
    report = pipe.run()
    assert (report.total_processed, report.success_count, report.total_errors) == (9, 7, 2)
    errors = _table(ArrowInputAdapter(f"{base}/errors.arrow", **moto.options)).to_pylist()
    assert [(error["row"], error["field"], error["error_type"]) for error in errors] == [
        (2, "$.revenue", "greater_than"),
        (3, "$.revenue", "greater_than"),
    ]


@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_an_empty_input_gives_its_columns_and_no_rows(kind: str, tmp_path: Path):
    empty = KEPT.slice(0, 0)
    if kind == "parquet":
        source: InputAdapter = ParquetInputAdapter(_put("empty", _parquet(empty)))
    else:
        make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
        nothing = pa.RecordBatch.from_arrays([column.combine_chunks() for column in empty.columns], schema=empty.schema)
        source = ArrowInputAdapter(_put("empty", _arrow(make, nothing)))
    for output, again in (
        (ParquetOutputAdapter(tmp_path / "out.parquet"), ParquetInputAdapter(tmp_path / "out.parquet")),
        (ArrowOutputAdapter(tmp_path / "out.arrow"), ArrowInputAdapter(tmp_path / "out.arrow")),
    ):
        assert Pipe(input_adapter=source, output_adapter=output).run().total_processed == 0
        found = _table(again)
        assert found.num_rows == 0
        assert found.schema.equals(KEPT.schema, check_metadata=True)


def test_what_is_not_there_or_cannot_be_meant_is_told(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    for adapter in (ParquetInputAdapter, ArrowInputAdapter):
        with pytest.raises(KeyNotFoundError, match=r"nothing\.here"):
            _batches(adapter(f"{base}/nothing.here", **moto.options))
        with pytest.raises(BadOptionError, match="limit=-1"):
            adapter("memory://x/y", limit=-1)
    parquet = _put("told.parquet", _parquet(pa.table({"price": [1], "name": ["x"]})))
    arrow = _put("told.arrow", _arrow(pa.ipc.new_file, pa.record_batch({"price": [1]})))
    for adapter in (ParquetInputAdapter(parquet, columns=["prise"]), ArrowInputAdapter(arrow, columns=["prise"])):
        with pytest.raises(SchemaError, match="no column 'prise'") as caught:
            _batches(adapter)
        assert caught.value.remedy == "Did you mean 'price'?"
    with pytest.raises(SchemaError, match="twice"):
        _batches(ParquetInputAdapter(parquet, columns=["name", "name"]))
    with pytest.raises(BadOptionError, match="has 1"):
        _batches(ParquetInputAdapter(parquet, row_groups=[1]))
    for wrong in (pc.field("nope") > 1, pc.field("name") > 1, pc.field("price") + 1):
        with pytest.raises(SchemaError, match="filter"):
            _batches(ParquetInputAdapter(parquet, filter=wrong))
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(MalformedInputError, match="more than one column called 'a'"):
        _batches(ParquetInputAdapter(_put("twice.parquet", _parquet(twice))))


def test_columns_come_in_the_order_asked_for_and_a_filter_may_look_at_others():
    table = pa.table({"a": [1, 2, 3], "a.b": ["x", "y", "z"], "c": [{"d": 1, "e": [2]}] * 3})
    uri = _put("order.parquet", _parquet(table))
    assert _table(ParquetInputAdapter(uri, columns=["c", "a.b"], filter=pc.field("a") > 2)).to_pylist() == [
        {"c": {"d": 1, "e": [2]}, "a.b": "z"}
    ]
    arrow = _put("order.arrow", _arrow(pa.ipc.new_file, *table.to_batches(), *table.to_batches(), compression="lz4"))
    assert _table(ArrowInputAdapter(arrow, columns=["a.b", "a"], offset=2, limit=2)).to_pylist() == [
        {"a.b": "z", "a": 3},
        {"a.b": "x", "a": 1},
    ]


def test_an_object_that_changes_while_it_is_read_is_not_mixed():
    for name, data, adapter in (
        ("changing.parquet", _parquet(pa.table({"a": pa.array([os.urandom(300_000)])})), ParquetInputAdapter),
        ("changing.arrow", _arrow(pa.ipc.new_file, pa.record_batch({"a": [os.urandom(9_000_000)]})), ArrowInputAdapter),
    ):
        uri = _put(name, data)
        with adapter(uri).open(lambda store: store) as stream:
            _put(name, data + b" ")
            with pytest.raises(PreconditionFailedError):
                list(stream.batches())


DAMAGED = pa.table(
    {
        "a": pa.array(range(3000), pa.int64()),
        "b": pa.array([f"text {n}" for n in range(3000)]),
        "c": pa.array([f"{n % 7}" for n in range(3000)]).dictionary_encode(),
    }
)


def _outcome(adapter: InputAdapter) -> str:
    """Read; the only other ways out are the right rows and an error that names the object."""
    try:
        found = _table(adapter)
    except SkyholdError as error:
        return "told" if adapter.uri in str(error) else "told, without a name"
    return "same" if found.equals(DAMAGED) else "different"


def test_a_file_that_is_cut_short_is_never_read_as_a_shorter_one():
    parquet = _parquet(DAMAGED, row_group_size=1000)
    batches = DAMAGED.to_batches(max_chunksize=1000)
    for adapter, data in (
        (ParquetInputAdapter, parquet),
        (ArrowInputAdapter, _arrow(pa.ipc.new_file, *batches)),
        (ArrowInputAdapter, _arrow(pa.ipc.new_stream, *batches)),
        (ArrowInputAdapter, _arrow(pa.ipc.new_stream, *batches, compression="zstd")),
    ):
        assert _outcome(adapter(_put("cut", data))) == "same"
        for length in {*range(0, len(data), 97), *range(40), *range(len(data) - 40, len(data))}:
            assert _outcome(adapter(_put("cut", data[:length]))) == "told", length


def test_a_stream_cut_between_two_batches_is_told_by_its_missing_end_mark():
    whole = _arrow(pa.ipc.new_stream, *DAMAGED.to_batches(max_chunksize=1000))
    uri = _put("unmarked.arrows", whole[:-8])
    with pytest.raises(MalformedInputError, match="no end mark"):
        _batches(ArrowInputAdapter(uri))
    assert _table(ArrowInputAdapter(uri, require_end=False)).equals(DAMAGED)
    with pytest.raises(MalformedInputError, match="after the end of its stream"):
        _batches(ArrowInputAdapter(_put("two.arrows", whole + whole)))


def test_damaged_pages_are_never_read_as_other_values(tmp_path: Path):
    (tmp_path / "in.csv").write_text("a,b\n" + "".join(f"{n},text {n * n}\n" for n in range(2000)))
    for version in ("1.0", "2.0"):
        output = ParquetOutputAdapter(tmp_path / "out.parquet", compression="none", data_page_version=version)
        Pipe(input_adapter=CSVInputAdapter(tmp_path / "in.csv"), output_adapter=output).run()
        data = (tmp_path / "out.parquet").read_bytes()
        expected = _table(ParquetInputAdapter(tmp_path / "out.parquet"))
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        told = 0
        for place in range(4, footer, 331):
            uri = _put("flipped", data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
            try:
                found = _table(ParquetInputAdapter(uri))
            except MalformedInputError:
                told += 1
            else:
                assert found.equals(expected), place
        assert told > 50


def test_a_value_that_is_none_is_a_rejected_row_and_not_the_end():
    words = pa.array([b"good", b"b\xe4d", b"fine", None]).view(pa.string())
    table = pa.table({"word": words, "n": [1, 2, 3, 4]})
    parquet = ParquetInputAdapter(_put("words.parquet", _parquet(table)))
    arrow = ArrowInputAdapter(_put("words.arrow", _arrow(pa.ipc.new_file, *table.to_batches())))
    for source in (parquet, arrow):
        report = Pipe(
            input_adapter=source,
            output_adapter=ParquetOutputAdapter(f"{MEMORY}/words-out.parquet"),
            error_output_adapter=CSVOutputAdapter(f"{MEMORY}/words-errors.csv"),
        ).run()
        assert (report.total_processed, report.success_count, report.total_errors) == (4, 3, 1)
        assert [batch.row_number(1) for batch in _batches(source)] == [3]
        errors = open_store(MEMORY).read("words-errors.csv").decode()
        assert "bad_value" in errors
        assert r"b\\xe4d" in errors
        assert _table(ParquetInputAdapter(f"{MEMORY}/words-out.parquet"))["n"].to_pylist() == [1, 3, 4]


def test_old_time_stamps_ask_which_unit_they_are():
    instants = [datetime(9999, 12, 31, 23, 59, 59), datetime(1, 1, 1)]  # noqa: DTZ001 - INT96 has no zone
    old = _parquet(pa.table({"t": pa.array(instants, pa.timestamp("us"))}), use_deprecated_int96_timestamps=True)
    uri = _put("old.parquet", old)
    with pytest.raises(SchemaError, match=r"'t'.*INT96"):
        _batches(ParquetInputAdapter(uri))
    assert _table(ParquetInputAdapter(uri, int96_unit="us"))["t"].to_pylist() == instants


@pytest.mark.parametrize(
    "kind",
    [
        pa.dense_union([pa.field("a", pa.int8())]),
        pa.run_end_encoded(pa.int32(), pa.int8()),
        pa.month_day_nano_interval(),
        pa.struct([]),
        pa.decimal128(5, -2),
        pa.map_(pa.string(), pa.timestamp("s")),
        pa.list_(pa.list_(pa.int8(), 0)),
        pa.dictionary(pa.int8(), pa.int64(), ordered=True),
    ],
)
def test_parquet_names_the_column_that_it_cannot_hold_before_a_byte_is_written(kind: pa.DataType):
    uri = f"{MEMORY}/refused.parquet"
    with pytest.raises(SchemaError, match="column 'odd'") as caught:
        ParquetOutputAdapter(uri).open(pa.schema([("fine", pa.int8()), ("odd", kind)]), lambda store: store)
    assert "ArrowOutputAdapter" in caught.value.remedy
    assert not open_store(MEMORY).exists("refused.parquet")
    with pytest.raises(SchemaError, match="no columns"):
        ParquetOutputAdapter(uri).open(pa.schema([]), lambda store: store)


def test_what_parquet_cannot_hold_arrow_can():
    union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])])
    runs = pa.RunEndEncodedArray.from_arrays([1, 2], [1, 2])
    rows = pa.record_batch({"union": union, "runs": runs, "interval": pa.array([(1, 2, 3), None])})
    source = ArrowInputAdapter(_put("odd.arrow", _arrow(pa.ipc.new_stream, rows)))
    Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/odd-out.arrow")).run()
    assert _table(ArrowInputAdapter(f"{MEMORY}/odd-out.arrow")).equals(pa.Table.from_batches([rows]))


class _Unknown(pa.ExtensionType):
    def __init__(self) -> None:
        super().__init__(pa.int32(), "example.unknown")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"kept"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> "_Unknown":
        return cls()


def test_an_extension_type_that_nobody_here_knows_keeps_its_name(tmp_path: Path):
    rows = pa.record_batch({"e": pa.ExtensionArray.from_storage(_Unknown(), pa.array([1, None], pa.int32()))})
    source: InputAdapter = ArrowInputAdapter(_put("unknown.arrow", _arrow(pa.ipc.new_file, rows)))
    for output, again in (
        (ArrowOutputAdapter(tmp_path / "1.arrow"), ArrowInputAdapter(tmp_path / "1.arrow")),
        (ParquetOutputAdapter(tmp_path / "2.parquet"), ParquetInputAdapter(tmp_path / "2.parquet")),
        (ArrowOutputAdapter(tmp_path / "3.arrow"), ArrowInputAdapter(tmp_path / "3.arrow")),
    ):
        Pipe(input_adapter=source, output_adapter=output).run()
        source = again
    pa.register_extension_type(_Unknown())
    try:
        found = pa.ipc.open_file((tmp_path / "3.arrow").read_bytes()).read_all()
    finally:
        pa.unregister_extension_type("example.unknown")
    assert found.schema.field("e").type == _Unknown()
    assert found["e"].combine_chunks().storage.to_pylist() == [1, None]


def _words(numbers: list[int | None], words: list[str], index: pa.DataType) -> pa.RecordBatch:
    return pa.record_batch({"w": pa.DictionaryArray.from_arrays(pa.array(numbers, index), pa.array(words))})


def test_dictionaries_grow_change_and_overflow_without_changing_a_value():
    grow = [_words([0, 1], ["a", "b"], pa.int32()), _words([2, None], ["a", "b", "c"], pa.int32())]
    change = [_words([0, 1], ["a", "b"], pa.int32()), _words([0, 1], ["b", "z"], pa.int32())]
    expected = {"grow": ["a", "b", "c", None], "change": ["a", "b", "b", "z"]}
    for name, batches in (("grow", grow), ("change", change)):
        data = _arrow(pa.ipc.new_stream, *batches, emit_dictionary_deltas=True)
        source = ArrowInputAdapter(_put("dictionaries", data))
        for form in ("file", "stream"):
            Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/grown", format=form)).run()
            assert _table(ArrowInputAdapter(f"{MEMORY}/grown"))["w"].to_pylist() == expected[name]
    many = [_words(list(range(100)), [f"{part}-{n}" for n in range(100)], pa.int8()) for part in range(3)]
    source = ArrowInputAdapter(_put("many", _arrow(pa.ipc.new_stream, *many)))
    words = [word for batch in many for word in batch["w"].to_pylist()]
    with pytest.raises(SchemaError, match="dictionary") as caught:
        Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/over")).run()
    assert "format='stream'" in caught.value.remedy
    Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/over", format="stream")).run()
    assert _table(ArrowInputAdapter(f"{MEMORY}/over"))["w"].to_pylist() == words
    Pipe(input_adapter=source, output_adapter=ParquetOutputAdapter(f"{MEMORY}/over")).run()
    assert _table(ParquetInputAdapter(f"{MEMORY}/over"))["w"].to_pylist() == words


def test_the_writers_options_are_in_the_file(tmp_path: Path):
    (tmp_path / "in.csv").write_text("a,b\n" + "".join(f"{n},x\n" for n in range(2500)))
    Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in.csv"),
        output_adapter=ParquetOutputAdapter(
            tmp_path / "out.parquet",
            compression="gzip",
            compression_level=9,
            row_group_rows=1000,
            statistics=["a"],
            dictionary=["b"],
            data_page_version="2.0",
        ),
    ).run()
    metadata = pq.read_metadata(tmp_path / "out.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [1000, 1000, 500]
    first, second = metadata.row_group(0).column(0), metadata.row_group(0).column(1)
    assert first.compression == "GZIP"
    assert (first.is_stats_set, second.is_stats_set) == (True, False)
    assert (first.dictionary_page_offset is None, second.dictionary_page_offset is None) == (True, False)
    Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in.csv"),
        output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
    ).run()
    column = pq.read_metadata(tmp_path / "out.parquet").row_group(0).column(0)
    assert (column.compression, column.is_stats_set) == ("ZSTD", True)
    for bad in ({"format": "files"}, {"compression": "zip"}):
        with pytest.raises(BadOptionError):
            ArrowOutputAdapter(tmp_path / "x", **bad)
    with pytest.raises(BadOptionError):
        ParquetOutputAdapter(tmp_path / "x", row_group_rows=0)


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
