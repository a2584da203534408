"""Parquet and Arrow at their edges: damage is told, and what a format cannot hold is named."""

import io
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from columnar_samples import (
    KEPT,
    MEMORY,
    arrow_bytes,
    parquet_bytes,
    put_object,
    read_batches,
    read_table,
)
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
    MalformedInputError,
    PreconditionFailedError,
    SchemaError,
    SkyholdError,
)
from skyhold.records.formats.adapter import InputAdapter
from skyhold.records.formats.parquet_footer import parse_footer
from skyhold.storage.opening import open_store


def test_an_object_that_changes_while_it_is_read_is_not_mixed():
    for name, data, adapter in (
        ("changing.parquet", parquet_bytes(pa.table({"a": pa.array([os.urandom(300_000)])})), ParquetInputAdapter),
        (
            "changing.arrow",
            arrow_bytes(pa.ipc.new_file, pa.record_batch({"a": [os.urandom(9_000_000)]})),
            ArrowInputAdapter,
        ),
    ):
        uri = put_object(name, data)
        with adapter(uri).open(lambda store: store) as stream:
            put_object(name, data + b" ")
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
        found = read_table(adapter)
    except SkyholdError as error:
        return "told" if adapter.uri in str(error) else "told, without a name"
    return "same" if found.equals(DAMAGED) else "different"


def test_a_file_that_is_cut_short_is_never_read_as_a_shorter_one():
    parquet = parquet_bytes(DAMAGED, row_group_size=1000)
    batches = DAMAGED.to_batches(max_chunksize=1000)
    for adapter, data in (
        (ParquetInputAdapter, parquet),
        (ArrowInputAdapter, arrow_bytes(pa.ipc.new_file, *batches)),
        (ArrowInputAdapter, arrow_bytes(pa.ipc.new_stream, *batches)),
        (ArrowInputAdapter, arrow_bytes(pa.ipc.new_stream, *batches, compression="zstd")),
    ):
        assert _outcome(adapter(put_object("cut", data))) == "same"
        for length in {*range(0, len(data), 97), *range(40), *range(len(data) - 40, len(data))}:
            assert _outcome(adapter(put_object("cut", data[:length]))) == "told", length


def test_a_damaged_footer_never_loses_a_row_nor_ends_the_process():
    rows = pa.table({"a": list(range(300)), "b": [[f"t{n}"] for n in range(300)]})
    data = parquet_bytes(rows, row_group_size=100)
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")

    @given(st.integers(footer, len(data) - 1), st.integers(0, 7))
    def check(place: int, bit: int) -> None:
        uri = put_object("footer", data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :])
        try:
            found = read_table(ParquetInputAdapter(uri))
        except (MalformedInputError, SchemaError):
            return
        assert found.num_rows == 300  # a damaged name, or a note, looks like another one

    check()


def test_the_footer_says_where_columns_are_as_pyarrow_reads_it():
    data = parquet_bytes(KEPT, row_group_size=1)
    size = int.from_bytes(data[-8:-4], "little")
    metadata = pq.read_metadata(io.BytesIO(data))
    groups = parse_footer(data[-8 - size : -8])
    assert len(groups) == metadata.num_row_groups == 2
    for number, group in enumerate(groups):
        expected = metadata.row_group(number)
        assert group.rows == expected.num_rows
        for leaf, chunk in enumerate(group.chunks):
            column = expected.column(leaf)
            assert chunk.start in (column.dictionary_page_offset, column.data_page_offset)
            assert (chunk.size_bytes, chunk.plain_bytes) == (
                column.total_compressed_size,
                column.total_uncompressed_size,
            )


def test_a_stream_cut_between_two_batches_is_told_by_its_missing_end_mark():
    whole = arrow_bytes(pa.ipc.new_stream, *DAMAGED.to_batches(max_chunksize=1000))
    uri = put_object("unmarked.arrows", whole[:-8])
    with pytest.raises(MalformedInputError, match="no end mark"):
        read_batches(ArrowInputAdapter(uri))
    assert read_table(ArrowInputAdapter(uri, require_end=False)).equals(DAMAGED)
    with pytest.raises(MalformedInputError, match="after the end of its stream"):
        read_batches(ArrowInputAdapter(put_object("two.arrows", whole + whole)))


def test_a_file_must_have_the_batches_that_its_index_names():
    data = arrow_bytes(pa.ipc.new_file, *DAMAGED.select(["a"]).to_batches(max_chunksize=1000))
    last = data.rindex(b"\xff\xff\xff\xff", 0, data.rindex(b"\xff\xff\xff\xff\x00\x00\x00\x00"))
    ended = data[: last + 4] + bytes(4) + data[last + 8 :]
    with pytest.raises(MalformedInputError, match="has 2 batches, and its index names 3"):
        read_batches(ArrowInputAdapter(put_object("ended.arrow", ended)))


def test_damaged_pages_are_never_read_as_other_values(tmp_path: Path):
    (tmp_path / "in.csv").write_text("a,b\n" + "".join(f"{n},text {n * n}\n" for n in range(2000)))
    for version in ("1.0", "2.0"):
        output = ParquetOutputAdapter(tmp_path / "out.parquet", compression="none", data_page_version=version)
        Pipe(input_adapter=CSVInputAdapter(tmp_path / "in.csv"), output_adapter=output).run()
        data = (tmp_path / "out.parquet").read_bytes()
        expected = read_table(ParquetInputAdapter(tmp_path / "out.parquet"))
        footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
        told = 0
        for place in range(4, footer, 331):
            uri = put_object("flipped", data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
            try:
                found = read_table(ParquetInputAdapter(uri))
            except MalformedInputError:
                told += 1
            else:
                assert found.equals(expected), place
        assert told > 50


def test_a_value_that_is_none_is_a_rejected_row_and_not_the_end():
    words = pa.array([b"good", b"b\xe4d", b"fine", None]).view(pa.string())
    table = pa.table({"word": words, "n": [1, 2, 3, 4]})
    parquet = ParquetInputAdapter(put_object("words.parquet", parquet_bytes(table)))
    arrow = ArrowInputAdapter(put_object("words.arrow", arrow_bytes(pa.ipc.new_file, *table.to_batches())))
    for source in (parquet, arrow):
        report = Pipe(
            input_adapter=source,
            output_adapter=ParquetOutputAdapter(f"{MEMORY}/words-out.parquet"),
            error_output_adapter=CSVOutputAdapter(f"{MEMORY}/words-errors.csv"),
        ).run()
        assert (report.total_processed, report.success_count, report.total_errors) == (4, 3, 1)
        assert [batch.row_number(1) for batch in read_batches(source)] == [3]
        errors = open_store(MEMORY).read("words-errors.csv").decode()
        assert "bad_value" in errors
        assert r"b\\xe4d" in errors
        assert read_table(ParquetInputAdapter(f"{MEMORY}/words-out.parquet"))["n"].to_pylist() == [1, 3, 4]


def test_old_time_stamps_ask_which_unit_they_are():
    instants = [datetime(9999, 12, 31, 23, 59, 59), datetime(1, 1, 1)]  # noqa: DTZ001 - INT96 has no zone
    old = parquet_bytes(pa.table({"t": pa.array(instants, pa.timestamp("us"))}), use_deprecated_int96_timestamps=True)
    uri = put_object("old.parquet", old)
    with pytest.raises(SchemaError, match=r"'t'.*INT96"):
        read_batches(ParquetInputAdapter(uri))
    assert read_table(ParquetInputAdapter(uri, int96_unit="us"))["t"].to_pylist() == instants


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
    source = ArrowInputAdapter(put_object("odd.arrow", arrow_bytes(pa.ipc.new_stream, rows)))
    Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/odd-out.arrow")).run()
    assert read_table(ArrowInputAdapter(f"{MEMORY}/odd-out.arrow")).equals(pa.Table.from_batches([rows]))


class _Unknown(pa.ExtensionType):  # pyright: ignore[reportUntypedBaseClass]
    def __init__(self) -> None:
        super().__init__(pa.int32(), "example.unknown")

    def __arrow_ext_serialize__(self) -> bytes:
        return b"kept"

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> "_Unknown":
        return cls()


def test_an_extension_type_that_nobody_here_knows_keeps_its_name(tmp_path: Path):
    rows = pa.record_batch({"e": pa.ExtensionArray.from_storage(_Unknown(), pa.array([1, None], pa.int32()))})
    source: InputAdapter = ArrowInputAdapter(put_object("unknown.arrow", arrow_bytes(pa.ipc.new_file, rows)))
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
        data = arrow_bytes(pa.ipc.new_stream, *batches, emit_dictionary_deltas=True)
        source = ArrowInputAdapter(put_object("dictionaries", data))
        for form in ("file", "stream"):
            Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/grown", format=form)).run()
            assert read_table(ArrowInputAdapter(f"{MEMORY}/grown"))["w"].to_pylist() == expected[name]
    many = [_words(list(range(100)), [f"{part}-{n}" for n in range(100)], pa.int8()) for part in range(3)]
    source = ArrowInputAdapter(put_object("many", arrow_bytes(pa.ipc.new_stream, *many)))
    words = [word for batch in many for word in batch["w"].to_pylist()]
    with pytest.raises(SchemaError, match="dictionary") as caught:
        Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/over")).run()
    assert "format='stream'" in caught.value.remedy
    Pipe(input_adapter=source, output_adapter=ArrowOutputAdapter(f"{MEMORY}/over", format="stream")).run()
    assert read_table(ArrowInputAdapter(f"{MEMORY}/over"))["w"].to_pylist() == words
    Pipe(input_adapter=source, output_adapter=ParquetOutputAdapter(f"{MEMORY}/over")).run()
    assert read_table(ParquetInputAdapter(f"{MEMORY}/over"))["w"].to_pylist() == words


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
    wrong: Any = "zip"
    with pytest.raises(BadOptionError):
        ArrowOutputAdapter(tmp_path / "x", format=wrong)
    with pytest.raises(BadOptionError):
        ArrowOutputAdapter(tmp_path / "x", compression=wrong)
    with pytest.raises(BadOptionError):
        ParquetOutputAdapter(tmp_path / "x", row_group_rows=0)
