"""DuckDB's own: its many types, and what Arrow, Python or itself cannot hold."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from skyhold import SQLInputAdapter, SQLOutputAdapter
from skyhold.errors import BucketNotFoundError, ConflictError, KeyNotFoundError, MalformedInputError, SchemaError
from sql_tables import batches, rows, write


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"duckdb:///{tmp_path / 'it is.duckdb'}"


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("1::hugeint", pa.decimal128(38, 0), Decimal(1)),
        ("sum(1)", pa.decimal128(38, 0), Decimal(1)),
        ("1.10::decimal(10,2)", pa.decimal128(10, 2), Decimal("1.10")),
        ("interval 1 month", pa.string(), "1 month"),
        ("'a'::enum('a', 'b')", pa.string(), "a"),
        ("'101'::bit", pa.string(), "101"),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", pa.string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("timestamptz '2020-01-01 00:00:00+00'", pa.timestamp("us", "UTC"), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)),
        ("timestamp_s '2020-01-01'", pa.timestamp("us"), dt.datetime(2020, 1, 1)),  # noqa: DTZ001
        ("[1, NULL]::int[]", pa.list_(pa.field("l", pa.int32())), [1, None]),
        ("{'x': 'y'}", pa.struct([("x", pa.string())]), {"x": "y"}),
        ("NULL", pa.string(), None),
    ],
)
def test_every_type_has_its_own(expression: str, kind: pa.DataType, value: Any):
    query = f"SELECT {expression} AS v -- said"
    with SQLInputAdapter("duckdb:///:memory:", query=query).open(lambda store: store) as stream:
        assert stream.schema.field("v").type == kind
        assert [row["v"] for batch in stream.batches() for row in batch.data.to_pylist()] == [value]


@pytest.mark.parametrize(
    ("kind", "good", "bad", "shown"),
    [
        ("timestamp", "2020-01-01", "infinity", "infinity"),
        ("timestamptz", "2020-01-01", "-infinity", "-infinity"),
        ("date", "0001-01-01", "-infinity", "-infinity"),
        ("date", "9999-12-31", "10000-01-01", "a time outside"),
        ("time", "23:59:59", "24:00:00", "24:00:00"),
    ],
)
def test_a_value_that_python_cannot_hold_rejects_its_row(kind: str, good: str, bad: str, shown: str):
    query = f"SELECT * FROM (VALUES (1, '{good}'::{kind}), (2, '{bad}'::{kind}), (3, NULL)) AS t(n, v)"
    (batch,) = batches("duckdb:///:memory:", query=query)
    assert [row["n"] for row in batch.data.to_pylist()] == [1, 3]
    assert [fault.row for fault in batch.malformed] == [2]
    assert shown in batch.malformed[0].original or shown in batch.malformed[0].message


def test_append_casts_exactly_or_not_at_all(uri: str):
    write(uri, "t", pa.table({"id": pa.array([1], pa.int32()), "n": pa.array([Decimal("1.5")], pa.decimal128(5, 1))}))
    write(uri, "t", [{"id": 2, "n": None}])
    for wrong, kind in (
        ({"id": 2**40}, MalformedInputError),
        ({"n": Decimal("1.25")}, MalformedInputError),
        ({"n": 1.5}, SchemaError),
    ):
        with pytest.raises(kind, match="'id'|'n'"):  # noqa: RUF043
            write(uri, "t", [wrong])
    assert rows(uri, "t") == [{"id": 1, "n": Decimal("1.5")}, {"id": 2, "n": None}]
    with pytest.raises(SchemaError, match="38 digits"):
        write(uri, "u", pa.table({"d": pa.array([Decimal(1)], pa.decimal256(60, 2))}))


def test_nested_columns_stay_nested(uri: str):
    table = pa.table(
        {"s": [{"a": [1, None]}, None], "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64()))}
    )
    write(uri, "t", table)
    write(uri, "t", table)
    assert rows(uri, "t") == table.to_pylist() * 2


def test_a_database_that_is_missing_or_in_use_is_told(uri: str):
    with pytest.raises(BucketNotFoundError, match="no such file"):
        rows(uri, "t")
    with pytest.raises(BucketNotFoundError, match="no folder"):
        write("duckdb:////no/such/folder/x.duckdb", "t", [{"a": 1}])
    write(uri, "t", [{"a": 1}])
    with pytest.raises(KeyNotFoundError):
        rows(uri, "no_such")
    with duckdb.connect(uri.removeprefix("duckdb:///")), pytest.raises(ConflictError, match="different configuration"):
        SQLOutputAdapter(uri, "t").open(pa.schema([("a", pa.int64())]), lambda store: store)
    assert rows(uri, "t") == [{"a": 1}]
