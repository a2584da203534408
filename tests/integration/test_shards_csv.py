"""CSV in shards: encodings, layouts, and what the parts of a file are told about its beginning and end."""

import codecs
import io
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

import pytest

from shard_reading import check_shards, divide, is_whole, no_wrap, read_shards, read_whole
from skyhold import CSVInputAdapter
from skyhold.errors import MalformedInputError, StoppedError
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.formats import csv_scan
from skyhold.records.formats.text_units import find_units
from skyhold.records.formats.utf8 import Utf8Source
from skyhold.records.stopping import stoppable
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store

BASE = "memory://shards-csv"
ASIAN = ["big5", "big5hkscs", "cp932", "cp949", "cp950", "euc_jp", "euc_kr", "gb18030", "gb2312", "gbk", "shift_jis"]


def adapter_of(data: bytes, **options: Any) -> CSVInputAdapter:
    open_store(BASE).write("a.csv", data)
    return CSVInputAdapter(f"{BASE}/a.csv", **options)


ROWS = 'a,"b\n""c"""\r\n,é日\rd,""\n\n' * 20


@pytest.mark.parametrize("mark", ["", "\ufeff", "\ufeff\ufeff"])
@pytest.mark.parametrize("head", ["", "x,y\n", '"x\n1",y\r\n', "x,y\r"])
@pytest.mark.parametrize("skipped", ["", 'a "\n', 'one\r\n"two\r'])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-be", "gb18030"])
def test_marks_lines_and_headers_come_before_the_first_shard_alone(mark: str, head: str, skipped: str, encoding: str):
    data = (mark + skipped + head + ROWS + ROWS.replace("a", "\ufeffa")).encode(encoding)
    lines = skipped.replace("\r\n", "\n").replace("\r", "\n").count("\n")
    names = None if head else ["x", "y"]
    adapter = adapter_of(data, encoding=encoding, skip_rows=lines, fieldnames=names)
    for count in (2, 5):
        assert check_shards(adapter, count) == count


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_a_mark_tells_all_shards_the_order_of_bytes(encoding: str, order: str):
    adapter = adapter_of(f"\ufeffx,y\n{ROWS}".encode(f"{encoding}-{order}"), encoding=encoding)
    assert check_shards(adapter, 5) == 5


def test_text_without_the_mark_that_its_encoding_needs_is_named():
    adapter = adapter_of(ROWS.encode("utf-16-le"), encoding="utf-16")
    with pytest.raises(MalformedInputError, match="cannot be read as utf-16"):
        adapter.open(no_wrap)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "koi8-r", "iso8859-15", "ascii", "mac-roman", *ASIAN])
def test_encodings_whose_ascii_is_ascii_are_divided(encoding: str):
    adapter = adapter_of(("x,y\n" + ROWS).encode(encoding, "ignore"), encoding=encoding)
    assert check_shards(adapter, 5) == 5


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "iso2022_jp", "hz", "johab", "shift_jis_2004", "cp500"])
def test_other_encodings_are_read_whole(encoding: str):
    adapter = adapter_of(("x,y\n" + ROWS).encode(encoding, "ignore"), encoding=encoding)
    assert is_whole(adapter)
    assert read_whole(adapter)[0]


def test_characters_that_end_like_the_delimiter_keep_a_file_whole():
    data = ("x\n" + 'ポ"a\n' * 50).encode("shift_jis")
    assert is_whole(adapter_of(data, encoding="shift_jis", delimiter="|"))
    assert check_shards(adapter_of(data, encoding="shift_jis", delimiter=";"), 4) == 4


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", *ASIAN])
def test_half_a_character_before_a_line_end_stays_in_its_line(encoding: str):
    wide = len("a".encode(encoding))
    halves = {1: [b"\x81", b"\x81\x30", b"\xe2\x82", b"\x8f\xa1"], 2: [b"\x00\xd8", b"\xd8\x00"], 4: [b"\xff" * 4]}
    for half in halves[wide]:
        rows = b"".join("é,".encode(encoding, "ignore") + half + "\n".encode(encoding) for _ in range(40))
        adapter = adapter_of(rows, encoding=encoding, fieldnames=["x", "y"])
        assert check_shards(adapter, 5) == 5


@pytest.mark.parametrize("encoding", sorted({*ASIAN, "utf-8", "cp1252", "latin-1"}))
def test_what_counts_as_certain_is_what_decoders_do(encoding: str):
    """After any two bytes that are no line end, a line end, a quote and a comma are themselves."""
    assert find_units(codecs.lookup(encoding).name, b"", '",;\t') is not None
    ends = b'\n",;\t\n'
    seconds = [b"", b"0", b"A", b"~", b"\x80", b"\x81", b"\xa1", b"\xff"]
    for first in range(0x80, 0x100):
        for second in seconds:
            text = Utf8Source(io.BytesIO(bytes([first]) + second + ends), encoding=encoding).read().decode()
            assert text.endswith(ends.decode()), (first, second)
            assert text.count("\n") == 2, (first, second)


@pytest.mark.parametrize("data", ["x\n", "x", "x,y\n1,2", "\n\n\n", "x\n\n\n\n\n", "x,y\n" + "," * 500])
def test_files_of_next_to_nothing(data: str):
    check_shards(adapter_of(data.encode(), fieldnames=["x"]), 3)


def test_one_row_that_is_longer_than_all_others_is_in_one_shard():
    data = b'x\n"' + b"a\n" * 1000 + b'"\n' + b"b\n" * 50
    adapter = adapter_of(data)
    assert 1 < check_shards(adapter, 8) < 8


@pytest.mark.parametrize("data", [b'x\n1\n2\n"3\n' + b"4\n" * 100, b'x\n"' + b'"a\n"b' * 51 + b"\n"])
def test_a_quote_that_is_never_closed_is_the_error_of_one_reader(data: bytes):
    adapter = adapter_of(data)
    with pytest.raises(MalformedInputError) as expected:
        read_whole(adapter)
    with pytest.raises(MalformedInputError) as found:
        read_shards(divide(adapter, 6), adapter.open(no_wrap))
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize("quotechar", ['"', None])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_an_escape_at_the_very_end_is_the_error_of_one_reader(quotechar: str | None, encoding: str):
    options: dict[str, Any] = {"escapechar": "\\", "quotechar": quotechar, "encoding": encoding}
    adapter = adapter_of(("x\n" + "a\\\nb\n" * 100 + "c\\").encode(encoding), **options)
    assert is_whole(adapter)
    with pytest.raises(MalformedInputError, match="in row 101 "):
        read_whole(adapter)
    assert check_shards(adapter_of(("x\n" + "a\\\nb\n" * 100 + "c\\\\d").encode(encoding), **options), 4) == 4


def test_a_shard_counts_rows_in_its_errors_from_where_it_begins(monkeypatch: pytest.MonkeyPatch):
    from skyhold.records.formats import csv_stream  # noqa: PLC0415 - one limit of it

    adapter = adapter_of(b"x\n" + b"1\n" * 600 + b"2" * 1000 + b"\n")
    first, last = divide(adapter, 2)
    monkeypatch.setattr(csv_stream, "_BLOCKS_BYTES", (16, 64))
    assert first.to_reader().read_all().num_rows > 500
    with pytest.raises(MalformedInputError, match=r"after row -?\d+, counted from byte [\d,]+ on, is longer"):
        last.to_reader().read_all()


@pytest.mark.parametrize("options", [{}, {"null_values": ["", "a"], "quoted_nulls": False}, {"batch_size": 3}])
def test_options_hold_in_every_shard(options: dict[str, Any]):
    assert check_shards(adapter_of(("x,y\n" + ROWS).encode(), **options), 4) == 4


def test_a_line_that_is_too_long_to_look_through_keeps_a_file_whole(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_scan, "_BLOCK_BYTES", 64)
    adapter = adapter_of(b"x\n" + b'"1"\n' * 300 + b'"' + b"2" * 1000 + b'"\n' + b'"1"\n' * 300)
    assert check_shards(adapter, 3) == 3
    monkeypatch.setattr(csv_scan, "_LONGEST_LINE_BYTES", 500)
    assert is_whole(adapter, 3)


@pytest.mark.parametrize("make", [SingleThreadExecutor, lambda: ThreadPoolExecutor(2)], ids=["here", "threads"])
def test_looking_through_ends_when_the_run_is_to_stop(make: Callable[[], Executor], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_scan, "_BLOCK_BYTES", 64)
    adapter = adapter_of(b"x\n" + b'"1"\n' * 30_000)
    stop = threading.Event()
    reads: list[Any] = []

    def watch(store: Store) -> Store:
        def see(operation: Any) -> None:
            reads.append(operation)
            if len(reads) > 8:  # by then it looks through the first parts
                stop.set()

        return store.observed(see)

    with make() as executor, stoppable(stop), pytest.raises(StoppedError):
        adapter.shards(50, watch, executor, least_bytes=1)
