"""Any number of shards gives the rows of one reader: the same ones, in order, with the same numbers and faults."""

import io
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from shard_reading import check_shards, divide, no_wrap, read_shards, read_whole
from skyhold.errors import SkyholdError
from skyhold.records.formats import csv_scan, csv_stream, line_ends
from skyhold.records.formats.adapter import InputAdapter
from skyhold.records.formats.csv import CSVInputAdapter
from skyhold.records.formats.detection import open_input
from skyhold.records.formats.json import JSONInputAdapter
from skyhold.storage.opening import open_store

pytestmark = pytest.mark.timeout(1800)  # for the nightly profile

CSV = "memory://shards-property/x.csv"


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Rows that straddle blocks, and rows that are longer than one, are then everyday."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_stream, "_BLOCKS_BYTES", (32, 128, 1 << 20))
        patch.setattr(csv_scan, "_BLOCK_BYTES", 16)
        patch.setattr(line_ends, "LOOK_BYTES", 8)
        yield


# How often a token stands here decides how often it comes: quotes and line ends are most of what goes wrong.
TOKENS = st.sampled_from(
    [
        *(
            '"',
            '"',
            '"',
            '""',
            ",",
            ",",
            ',"',
            '",',
            '"\n',
            '\n"',
            "\n",
            "\n",
            "\r\n",
            "\r",
            "a",
            "b,c\n",
            '"d\ne",f\n',
        ),
        *("\\", "\\\n", '\\"', "é", "日本", "𝄞", "\ufeff", "\0", " ", "'", ";", "12"),
    ]
)
TEXTS = st.lists(TOKENS, max_size=60).map("".join)
UNDECODABLE = st.sampled_from([b"\xff", b"\x81", b"\xe2\x82", b"\xd8", b"\x80\n", b"\x00\xd8\n", b"\xdc\x00"])
DIALECTS = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ",", ",", ";", "\t", "|"]),
        "quotechar": st.sampled_from(['"', '"', '"', "'", None]),
        "escapechar": st.sampled_from([None, None, "\\"]),
        "doublequote": st.sampled_from([True, True, False]),
    }
)
ENCODINGS = st.sampled_from(
    [
        *("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"),
        *("shift_jis", "gb18030", "euc_jp", "big5", "cp037", "utf-7"),
    ]
)


@st.composite
def csv_files(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    encoding = draw(ENCODINGS)
    data = draw(TEXTS).encode(encoding, "ignore")
    options: dict[str, Any] = {**draw(DIALECTS), "encoding": encoding}
    if draw(st.booleans()):
        options["fieldnames"] = ["x", "y", "z"][: draw(st.integers(1, 3))]
    else:
        data = draw(st.sampled_from(["x\n", "x,y\n", "\n\rx,y\r\n", "x,y\r", '"x\ny",z\n'])).encode(encoding) + data
    if draw(st.booleans()):
        options["skip_rows"] = draw(st.integers(1, 2))
        data = draw(st.sampled_from(['a "\n\n', "\r\n,\n", "é\r\r"])).encode(encoding, "ignore") + data
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        place = draw(st.integers(0, len(data)))
        data = data[:place] + draw(UNDECODABLE) + data[place:]
    return data, options


@given(csv_files(), st.integers(2, 9))
def test_shards_of_any_csv_give_what_one_reader_gives(file: tuple[bytes, dict[str, Any]], count: int):
    data, options = file
    open_store(CSV.rpartition("/")[0]).write("x.csv", data)
    adapter = CSVInputAdapter(CSV, **options)
    found = compare(adapter, count)
    event(f"{options['encoding']}: {'divided' if found > 1 else 'whole'}")


def compare(adapter: InputAdapter, count: int) -> int:
    """See that shards give what one reader gives, be it an error; return how many they are."""
    shards: list[InputAdapter] = []

    def read() -> Any:
        shards.extend(divide(adapter, count))
        with adapter.open(no_wrap) as like:
            return read_shards(shards, like)

    assert outcome(read) == outcome(lambda: read_whole(adapter))
    return len(shards)


def outcome(read: Callable[[], Any]) -> Any:
    """Return what is read, or what is said when it cannot be."""
    try:
        return read()
    except SkyholdError as error:
        return type(error), str(error)


@given(TEXTS, st.integers(2, 9), st.sampled_from([1, 2, 100]))
def test_shards_of_a_csv_with_inferred_types_have_those_of_the_whole(text: str, count: int, sample: int):
    open_store(CSV.rpartition("/")[0]).write("x.csv", text.replace('"', "").encode())
    check_shards(CSVInputAdapter(CSV, fieldnames=["x"], infer_types=True, sample_rows=sample), count)


JSON_TOKENS = st.sampled_from(
    [
        "\n",
        "\n",
        "\n",
        "\r\n",
        "\r",
        " ",
        "{",
        "}",
        '{"a": 1}',
        '{"a": 1}\n',
        '{"b": [2]}\n',
        '"\\n"',
        "é",
        "\ufeff",
        "x",
        "[",
    ]
)


@given(st.lists(JSON_TOKENS, max_size=40).map("".join), st.sampled_from(["auto", "jsonl"]), st.integers(2, 9))
def test_shards_of_any_json_lines_give_what_one_reader_gives(text: str, kind: Any, count: int):
    open_store(CSV.rpartition("/")[0]).write("x.jsonl", text.encode())
    adapter = JSONInputAdapter(CSV.replace("csv", "jsonl"), format=kind)
    compare(adapter, count)


@given(
    st.lists(st.integers(0, 5), max_size=12),
    st.integers(2, 9),
    st.sampled_from(["parquet", "arrow"]),
    st.sampled_from([None, ["w"], ["n", "w"]]),
    st.sampled_from([None, 1, 3]),
)
def test_shards_of_columnar_files_give_what_one_reader_gives(
    sizes: list[int], count: int, suffix: str, columns: list[str] | None, batch_size: int | None
):
    """Batches of few rows or none, with dictionaries that grow."""
    store, place = open_store(CSV.rpartition("/")[0]), f"x.{suffix}"
    schema = pa.schema({"n": pa.int64(), "w": pa.dictionary(pa.int32(), pa.string())})
    file = io.BytesIO()
    writer: Any = (
        pq.ParquetWriter(file, schema)
        if suffix == "parquet"
        else pa.ipc.new_file(file, schema, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True))
    )
    words: list[str] = []
    with writer:
        for number, size in enumerate(sizes):
            words += [f"word {number}"] * (number % 3 > 0 or not words)
            column = pa.DictionaryArray.from_arrays(pa.array([len(words) - 1] * size, pa.int32()), pa.array(words))
            writer.write_batch(pa.record_batch([pa.array(range(size), pa.int64()), column], schema=schema))
    store.write(place, file.getvalue())
    compare(open_input(f"{CSV.rpartition('/')[0]}/{place}", columns=columns, batch_size=batch_size), count)


@given(st.lists(TEXTS, min_size=1, max_size=5), st.integers(2, 9))
def test_shards_of_many_csv_files_give_what_one_reader_gives(texts: list[str], count: int):
    base = "memory://shards-property-many"
    for number, text in enumerate(texts):
        open_store(base).write(f"{number}.csv", b"x,y\n" + text.encode())
    compare(CSVInputAdapter([f"{base}/{number}.csv" for number in range(len(texts))], source_column="from"), count)
