"""SQLite's own: any cell may hold anything, files that are not there, and locks held no longer than needed."""

import datetime as dt
import sqlite3
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from skyhold import SQLInputAdapter, SQLOutputAdapter
from skyhold.errors import (
    AccessDeniedError,
    BadOptionError,
    BucketNotFoundError,
    ConflictError,
    MalformedInputError,
    SchemaError,
)
from skyhold.records.formats.sql import sqlite_write
from sql_tables import batches, fresh, rows, write


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some data #1.db"


@pytest.fixture
def other(file: Path) -> Generator[sqlite3.Connection]:
    """Somebody else's connection."""
    connection = sqlite3.connect(file, isolation_level=None)
    yield connection
    connection.close()


@pytest.mark.parametrize(
    ("declared", "good", "value", "bad", "shown"),
    [
        ("INTEGER", 5, 5, "word", "word"),
        ("BIGINT", 5, 5, b"\xff", "x'ff'"),
        ("REAL", 1, 1.0, "w", "w"),
        ("VARCHAR(5)", "x", "x", b"blob", "x'626c6f62'"),
        ("BOOLEAN", 1, True, 2, "2"),
        ("DATE", "2020-02-29", dt.date(2020, 2, 29), "2020-02-30", "2020-02-30"),
        ("DATE", "2020-02-29", dt.date(2020, 2, 29), 18_000, "18000"),
        ("DATETIME", "2020-01-01 10:00:00.5", dt.datetime(2020, 1, 1, 10, 0, 0, 500_000), "soon", "soon"),  # noqa: DTZ001
        ("TIMESTAMPTZ", "2020-01-01T10:00:00+01:00", dt.datetime(2020, 1, 1, 9, tzinfo=dt.UTC), "2020-01-01", "2020"),
        ("TIME", "10:00:00", dt.time(10), "25:00", "25:00"),
        ("DECIMAL(6,2)", 10.25, Decimal("10.25"), 1.125, "1.125"),
        ("NUMERIC", "1e20", Decimal(10**20), "inf", "inf"),
        ("BLOB", b"x", b"x", "x", "x"),
        ("", 5, 5, "word", "word"),
        ("TEXT", "ü", "ü", "\udcff", "\\xff"),
    ],
)
def test_a_value_of_another_type_rejects_its_row(
    file: Path, other: sqlite3.Connection, declared: str, good: Any, value: Any, bad: Any, shown: str
):
    other.execute(f"CREATE TABLE t (n INTEGER PRIMARY KEY, v {declared})")
    blob = bad.encode(errors="surrogateescape") if isinstance(bad, str) else b""
    other.executemany("INSERT INTO t (v) VALUES (?)", [(good,), (None,)])
    other.execute(
        "INSERT INTO t (v) VALUES (CAST(? AS TEXT))" if blob else "INSERT INTO t (v) VALUES (?)", (blob or bad,)
    )
    other.execute("INSERT INTO t (v) VALUES (?)", (good,))
    (batch,) = batches(f"sqlite:///{file}", "t")
    assert batch.data.to_pylist() == [{"n": 1, "v": value}, {"n": 2, "v": None}, {"n": 4, "v": value}]
    (fault,) = batch.malformed
    assert (fault.row, batch.skipped) == (3, (3,))
    assert "'v'" in fault.message
    assert shown in fault.message
    assert shown in fault.original.replace("\\\\", "\\")


def test_late_surprises_reject_their_rows_and_no_others(file: Path, other: sqlite3.Connection):
    other.execute("CREATE TABLE t (n INTEGER, untyped)")
    other.execute("BEGIN")
    other.executemany("INSERT INTO t VALUES (?, ?)", ((n, n) for n in range(1, 100_001)))
    other.executemany("UPDATE t SET n = ? WHERE rowid = ?", [("x", 17), (b"y", 99_999)])
    other.execute("UPDATE t SET untyped = 'text' WHERE rowid = 50000")
    other.execute("COMMIT")
    found = batches(f"sqlite:///{file}", "t", batch_size=10_000)
    assert [fault.row for batch in found for fault in batch.malformed] == [17, 50_000, 99_999]
    kept = [row["untyped"] for batch in found for row in batch.data.to_pylist()]
    assert kept == [n for n in range(1, 100_001) if n not in {17, 50_000, 99_999}]
    for batch in found:
        assert [batch.row_number(i) for i in range(batch.data.num_rows)] == batch.data["untyped"].to_pylist()


def test_a_file_that_is_missing_is_not_made_by_a_reader(file: Path):
    with pytest.raises(BucketNotFoundError, match="no such file"):
        rows(f"sqlite:///{file}", "t")
    assert not file.exists()
    with pytest.raises(BucketNotFoundError, match="no folder"):
        write(f"sqlite:///{file.parent}/none/x.db", "t", [{"a": 1}])


def test_an_output_that_fails_leaves_no_file(file: Path):
    stream = SQLOutputAdapter(f"sqlite:///{file}", "t").open(pa.schema([("a", pa.int64())]), lambda store: store)
    stream.write(pa.RecordBatch.from_pydict({"a": [1]}))
    stream.abort()
    assert list(file.parent.iterdir()) == []


def test_an_output_locks_the_database_only_at_its_end(
    file: Path, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sqlite_write, "_PATIENCE_S", 0.2)
    uri = f"sqlite:///{file}"
    write(uri, "t", [{"a": 1}])
    stream = SQLOutputAdapter(uri, "t", batch_size=1).open(pa.schema([("a", pa.int64())]), lambda store: store)
    stream.write(pa.RecordBatch.from_pydict({"a": [3, 4]}))
    other.execute("INSERT INTO t VALUES (2)")
    stream.close()
    assert [row["a"] for row in rows(uri, "t")] == [1, 2, 3, 4]
    stream = SQLOutputAdapter(uri, "t", mode="replace").open(pa.schema([("b", pa.int64())]), lambda store: store)
    stream.write(pa.RecordBatch.from_pydict({"b": [5]}))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConflictError, match="locked"):
        stream.close()
    stream.abort()
    other.execute("ROLLBACK")
    assert [row["a"] for row in rows(uri, "t")] == [1, 2, 3, 4]


def test_a_nan_is_refused_and_not_made_a_null(file: Path):
    with pytest.raises(MalformedInputError, match="NaN"):
        write(f"sqlite:///{file}", "t", [{"a": 1.5}, {"a": float("nan")}])
    with pytest.raises(MalformedInputError, match="'a' has a value"):
        write(f"sqlite:///{file}", "t", pa.table({"a": pa.array([2**63], pa.uint64())}))
    assert not file.exists()


def test_nested_cells_and_spans_become_text(file: Path):
    table = pa.table(
        {
            "nested": [{"a": [1, None]}, None],
            "wait": pa.array([dt.timedelta(days=-1, microseconds=1), None], pa.duration("us")),
            "word": pa.array(["x", None]).dictionary_encode(),
        }
    )
    write(f"sqlite:///{file}", "t", table)
    assert rows(f"sqlite:///{file}", "t")[0] == {"nested": '{"a":[1,null]}', "wait": "-P0DT86399.999999S", "word": "x"}


def test_a_query_has_the_types_of_its_columns_and_changes_nothing(file: Path, other: sqlite3.Connection):
    other.execute("CREATE TABLE t (d DATE, p DECIMAL(5,2))")
    other.execute("INSERT INTO t VALUES ('2020-01-01', '1.50')")
    uri = f"sqlite:///{file}"
    with SQLInputAdapter(uri, query="SELECT p AS price, d, count(*) AS n FROM t -- all").open(lambda s: s) as stream:
        assert [str(field.type) for field in stream.schema] == ["decimal128(5, 2)", "date32[day]", "int64"]
        assert next(iter(stream.batches())).data.num_rows == 1
    with pytest.raises(AccessDeniedError, match="readonly"):
        rows(uri, query="DELETE FROM t")
    for query in ("SELECT ?", "PRAGMA user_version", "SELECT 1; SELECT 2"):
        with pytest.raises(BadOptionError):
            rows(uri, query=query)
    with pytest.raises(BadOptionError, match="'main'"):
        write(uri, f"home.{fresh()}", [{"a": 1}])


def test_what_cannot_be_opened_leaves_no_connection_open(file: Path, monkeypatch: pytest.MonkeyPatch):
    write(f"sqlite:///{file}", "t", [{"a": 1}])
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def noted(*given: Any, **options: Any) -> sqlite3.Connection:
        opened.append(connect(*given, **options))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", noted)
    with pytest.raises(SchemaError, match="several columns named 'a'"):
        rows(f"sqlite:///{file}", query="SELECT a, a FROM t")
    with pytest.raises(sqlite3.OperationalError, match="duplicate column name"):
        write(f"sqlite:///{file}", "other", [{"b": 1, "B": 2}])
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")
