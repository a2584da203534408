"""What Parquet footers say: the same as Arrow reads in them, without a byte of the rows, and whatever is damaged."""

import io
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyhold.errors import MalformedInputError
from skyhold.records.parquet_facts import ParquetFacts, read_parquet_facts
from skyhold.storage.contract import Store
from skyhold.storage.objects import Operation
from skyhold.storage.opening import open_store

_COLUMNS: dict[str, tuple[Any, list[Any], str, str, str]] = {
    "int8": (pa.int8(), [-3, None, 5], "int8", "-3", "5"),
    "uint32": (pa.uint32(), [7, 4_000_000_000, None], "uint32", "7", "4000000000"),
    "uint64": (pa.uint64(), [2**63, 1, 2], "uint64", "1", str(2**63)),
    "int64": (pa.int64(), [-(2**60), 1, None], "int64", str(-(2**60)), "1"),
    "float": (pa.float32(), [1.5, -2.5, None], "float", "-2.5", "1.5"),
    "double": (pa.float64(), [0.1, 1e300, None], "double", "0.1", "1e+300"),
    "bool": (pa.bool_(), [True, False, None], "boolean", "false", "true"),
    "text": (pa.string(), ["é", "z", "a"], "string", "a", "é"),
    "bytes": (pa.binary(), [b"\x00\xff", b"\x01", None], "bytes", "00ff", "01"),
    "fixed": (pa.binary(2), [b"ab", b"aa", None], "fixed bytes", "6161", "6162"),
    "date": (pa.date32(), [date(1969, 12, 31), date(2026, 1, 2), None], "date", "1969-12-31", "2026-01-02"),
    "time": (pa.time64("us"), [time(1, 2, 3), time(0, 0), None], "time[us]", "00:00:00", "01:02:03"),
    "moment": (
        pa.timestamp("ms", "UTC"),
        [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(1960, 1, 1, tzinfo=UTC), None],
        "timestamp[ms, UTC]",
        "1960-01-01 00:00:00",
        "2026-01-02 03:04:05",
    ),
    "local": (pa.timestamp("ns"), [10**18], "timestamp[ns]", "2001-09-09 01:46:40", "2001-09-09 01:46:40"),
    "price": (pa.decimal128(10, 2), [Decimal("-1.50"), Decimal("99.99"), None], "decimal(10, 2)", "-1.50", "99.99"),
    "big": (
        pa.decimal128(38, 10),
        [Decimal("12345678901234567890.0123456789")],
        "decimal(38, 10)",
        "12345678901234567890.0123456789",
        "12345678901234567890.0123456789",
    ),
}


@pytest.fixture
def store() -> Store:
    return open_store("memory://parquet-facts-tests")


def _facts(store: Store, table: pa.Table, **options: Any) -> ParquetFacts:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    store.write("a.parquet", file.getvalue())
    return read_parquet_facts(store, "a.parquet")


@pytest.mark.parametrize("name", list(_COLUMNS))
def test_types_and_extremes_are_told_in_words(store: Store, name: str):
    kind, values, words, least, greatest = _COLUMNS[name]
    column = _facts(store, pa.table({name: pa.array(values, kind)})).columns[0]
    assert (column.type, column.least, column.greatest) == (words, least, greatest)
    assert column.nulls == values.count(None)
    assert column.is_exact


def test_row_groups_are_put_together(store: Store):
    table = pa.table({"n": [5, 6, None, None, 1, 2], "t": ["a"] * 6})
    facts = _facts(store, table, row_group_size=2)
    assert (facts.rows, facts.row_groups) == (6, 3)
    number, text = facts.columns
    assert (number.nulls, number.least, number.greatest) == (2, "1", "6"), "a group of nulls has no extremes"
    assert (text.nulls, text.least) == (0, "a")
    metadata = pq.read_metadata(io.BytesIO(store.read("a.parquet")))
    sizes = [[metadata.row_group(group).column(leaf).total_compressed_size for group in range(3)] for leaf in range(2)]
    assert [number.size_bytes, text.size_bytes] == [sum(each) for each in sizes]
    assert facts.made_by == metadata.created_by


def test_what_was_not_noted_is_not_told(store: Store):
    column = _facts(store, pa.table({"n": [1, 2]}), write_statistics=False).columns[0]
    assert (column.nulls, column.least, column.greatest) == (None, None, None)
    nothing = _facts(store, pa.table({"n": pa.array([], pa.int64())}))
    assert (nothing.rows, nothing.columns[0].least) == (0, None)
    assert _facts(store, pa.table({"n": pa.nulls(3, pa.int64())})).columns[0].nulls == 3


def test_nested_columns_are_told_by_their_ends(store: Store):
    table = pa.table({"s": [{"a": 1, "b": ["x", "y"]}], "l": [[1.5, 2.5]]})
    facts = _facts(store, table)
    assert [column.name for column in facts.columns] == ["s.a", "s.b.list.element", "l.list.element"]
    assert [column.greatest for column in facts.columns] == ["1", "y", "2.5"]


def test_old_time_stamps_are_named_and_have_no_order(store: Store):
    table = pa.table({"t": pa.array([10**18], pa.timestamp("ns"))})
    column = _facts(store, table, use_deprecated_int96_timestamps=True).columns[0]
    assert (column.type, column.least) == ("int96", None)


def test_nothing_but_the_footer_is_read(store: Store):
    file = io.BytesIO()
    pq.write_table(pa.table({f"column {n}": range(2000) for n in range(600)}), file)
    store.write("wide.parquet", file.getvalue())
    seen: list[Operation] = []
    facts = read_parquet_facts(store.observed(seen.append), "wide.parquet")
    assert len(facts.columns) == 600
    assert facts.footer_bytes > 64 * 1024, "it takes a second request"
    assert len(seen) == 2
    assert sum(each.bytes_in for each in seen) < facts.footer_bytes + 64 * 1024 + 100


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1PAR1", b"x" * 100, b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1"])
def test_what_is_no_parquet_is_refused(store: Store, content: bytes):
    store.write("bad.parquet", b"" + content or b"x")
    with pytest.raises(MalformedInputError, match="is no Parquet"):
        read_parquet_facts(store, "bad.parquet")


_SAMPLE = io.BytesIO()
pq.write_table(
    pa.table({name: pa.array((values * 3)[:3], kind) for name, (kind, values, *_) in _COLUMNS.items()}), _SAMPLE
)


@given(st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=8))
def test_a_damaged_footer_is_told_or_refused(changes: list[tuple[int, int]]):
    store = open_store("memory://parquet-facts-damage")
    content = bytearray(_SAMPLE.getvalue())
    length = int.from_bytes(content[-8:-4], "little")
    start = len(content) - 8 - length
    for place, byte in changes:
        content[start + place % length] = byte
    store.write("a.parquet", bytes(content))
    try:
        facts = read_parquet_facts(store, "a.parquet")
    except MalformedInputError:
        return
    assert all(isinstance(column.least, str | None) for column in facts.columns)


def test_moments_beyond_the_calendar_are_told_in_numbers(store: Store):
    far = pa.array([2**62], pa.timestamp("us"))
    column = _facts(store, pa.table({"t": far})).columns[0]
    assert column.least == f"{2**62} microseconds after 1970"
    days = pa.array([2**30], pa.int32()).cast(pa.date32())
    assert _facts(store, pa.table({"d": days})).columns[0].least == f"{2**30} days after 1970-01-01"
