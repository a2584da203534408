"""Any number of shards gives the rows of one reader: the same ones, in order, with the same numbers and faults."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from shard_reading import check_shards, divide, no_wrap, read_shards, read_whole
from skyhold.errors import SkyholdError
from skyhold.records.formats import csv_scan, csv_stream, line_ends
from skyhold.records.formats.adapter import InputAdapter
from skyhold.records.formats.csv import CSVInputAdapter
from skyhold.storage.opening import open_store

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
    expected = outcome(lambda: read_whole(adapter))
    shards: list[InputAdapter] = []

    def read() -> Any:
        shards.extend(divide(adapter, count))
        with adapter.open(no_wrap) as like:
            return read_shards(shards, like)

    assert outcome(read) == expected
    event(f"{options['encoding']}: {'divided' if len(shards) > 1 else 'whole'}")


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
