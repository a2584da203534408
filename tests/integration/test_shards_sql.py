"""Tables and queries read in ranges: every row once, of one moment where the database has one, in the order it has."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from shard_reading import check_shards, divide, is_whole, no_wrap, read_shards, read_whole
from skyhold import SQLInputAdapter
from skyhold.errors import BadOptionError, ConflictError, SkyholdError
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.testing.servers import LocalServer
from sql_tables import administer, fresh, write

ROWS = pa.table(
    {
        "id": pa.array([n * 7 % 1009 for n in range(1000)]),
        "name": pa.array([None if n % 10 == 0 else f"it's {n % 13}" for n in range(1000)]),
        "share": pa.array([n / 3 for n in range(1000)]),
        "maybe": pa.array([None if n % 4 == 0 else n // 9 for n in range(1000)]),
    }
)


@pytest.fixture
def server(postgres: LocalServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """PostgreSQL's URI without the password: that is no part of what travels."""
    monkeypatch.setenv("PGPASSWORD", postgres.options["password"])
    return f"postgresql://tester@{postgres.options['address']}"


@pytest.fixture(params=["sqlite", "duckdb", "postgresql"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return request.getfixturevalue("server")
    return f"{request.param}:///{tmp_path / 'a.db'}"


def cells(rows: list[Any]) -> list[str]:
    return sorted(repr(row[-1]) for row in rows)


@pytest.mark.parametrize("count", [2, 9])
def test_a_table_is_divided_in_the_order_it_is_read_in(uri: str, count: int):
    table = fresh()
    write(uri, table, pa.concat_tables([ROWS] * 20))
    found = check_shards(SQLInputAdapter(uri, table), count)
    assert found == count


@pytest.mark.parametrize(
    ("key", "by_query"), [("id", False), ("share", False), ("maybe", False), ("name", True)], ids=str
)
def test_a_key_divides_tables_and_queries_and_every_row_comes_once(uri: str, key: str, by_query: bool):
    table = fresh()
    write(uri, table, ROWS)
    query = f'SELECT *, 1 AS more FROM "{table}" -- all of it'
    asked: dict[str, Any] = {"query": query} if by_query else {"table_name": table}
    adapter = SQLInputAdapter(uri, partition_on=key, **asked)
    with divide(adapter, 4) as shards, adapter.open(no_wrap) as like:
        assert len(shards) == 4
        good, bad = read_shards(shards, like)
    assert bad == []
    assert [row[:2] for row in good] == [(adapter.uri, number) for number in range(1, 1001)]
    assert cells(good) == cells(read_whole(adapter)[0])


def test_a_key_that_lies_in_order_gives_one_readers_order(uri: str):
    table = fresh()
    write(uri, table, ROWS.sort_by("id"))
    assert check_shards(SQLInputAdapter(uri, table, partition_on="id", partitions=1), 5) == 5


def test_a_key_that_is_no_column_is_refused_by_name(uri: str):
    table = fresh()
    write(uri, table, ROWS)
    with pytest.raises(BadOptionError, match="'nope' is not a column"):
        divide(SQLInputAdapter(uri, table, partition_on="nope"), 3)


def test_a_column_of_nothing_and_a_table_of_nothing_are_read_whole(uri: str):
    table, empty = fresh(), fresh("e")
    write(uri, table, ROWS.append_column("none", pa.nulls(1000, pa.int64())))
    write(uri, empty, ROWS.slice(0, 0))
    for adapter in (
        SQLInputAdapter(uri, table, partition_on="none"),
        SQLInputAdapter(uri, empty),
        SQLInputAdapter(uri, empty, partition_on="name"),
        SQLInputAdapter(uri, table, limit=7),
        SQLInputAdapter(uri, query=f'SELECT * FROM "{table}"'),
    ):
        assert is_whole(adapter)


def test_small_tables_are_not_divided(uri: str):
    table = fresh()
    write(uri, table, ROWS)
    adapter = SQLInputAdapter(uri, table)
    assert list(adapter.shards(9, no_wrap, SingleThreadExecutor())) == [adapter]


def test_shards_of_postgres_see_one_moment_until_they_are_closed(server: str):
    table = fresh()
    write(server, table, pa.concat_tables([ROWS] * 20))
    adapter = SQLInputAdapter(server, table)
    expected = read_whole(adapter)
    with adapter.shards(4, no_wrap, SingleThreadExecutor(), least_bytes=1) as shards, adapter.open(no_wrap) as like:
        administer(server, [f'UPDATE "{table}" SET share = 0', f'DELETE FROM "{table}" WHERE id > 500'])
        assert read_shards(shards, like) == expected
    with pytest.raises(SkyholdError, match="snapshot"):
        shards[0].open(no_wrap)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW {0} AS SELECT * FROM generate_series(1, 10000) AS t(n)",
        "CREATE TABLE {0} (n int) PARTITION BY RANGE (n)",
        "CREATE TABLE {0} AS SELECT * FROM generate_series(1, 10000) AS t(n); CREATE TABLE {0}_c () INHERITS ({0})",
    ],
    ids=["view", "partitioned", "inherited"],
)
def test_what_is_not_one_table_of_postgres_is_read_whole(server: str, statement: str):
    table = fresh()
    administer(server, statement.format(table).split("; "))
    adapter = SQLInputAdapter(server, table)
    assert is_whole(adapter)


def _sqlite(path: Path, *statements: str) -> str:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    return f"sqlite:///{path}"


def _duckdb(path: Path, *statements: str) -> str:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    return f"duckdb:///{path}"


@pytest.mark.parametrize("make", [_sqlite, _duckdb], ids=["sqlite", "duckdb"])
def test_a_file_that_changes_after_dividing_is_noticed(make: Callable[..., str], tmp_path: Path):
    path = tmp_path / "a.db"
    uri = make(path, "CREATE TABLE t (n integer, x text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    shards = divide(SQLInputAdapter(uri, "t"), 3)
    assert [shard.to_reader().read_all().num_rows for shard in shards] == [1, 1, 1]
    make(path, "UPDATE t SET x = 'd' WHERE n = 2")
    with pytest.raises(ConflictError, match="has changed since it was divided"):
        shards[0].open(no_wrap)


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (("CREATE TABLE t (rowid text, n integer)", "INSERT INTO t SELECT 'x', value FROM numbers"), 4),
        (("CREATE TABLE t (rowid, _ROWID_, oid)", "INSERT INTO t SELECT 'x', value, 1 FROM numbers"), 1),
        (("CREATE TABLE t (n integer primary key) WITHOUT ROWID", "INSERT INTO t SELECT value FROM numbers"), 1),
        (("CREATE VIEW t AS SELECT value FROM numbers",), 1),
        (("CREATE TABLE t (n)", "CREATE INDEX i ON t (n DESC)", "INSERT INTO t SELECT value FROM numbers"), 4),
        (
            (
                "CREATE TABLE t (n)",
                "INSERT INTO t SELECT value || '' FROM numbers",
                "DELETE FROM t WHERE rowid % 3 = 1",
            ),
            4,
        ),
    ],
    ids=["a column called rowid", "all names taken", "no row ids", "view", "covering index", "holes"],
)
def test_sqlite_is_divided_where_row_ids_are_the_order(tmp_path: Path, statements: tuple[str, ...], found: int):
    numbers = (
        "CREATE TABLE numbers AS SELECT (row_number() OVER ()) * 37 % 1000 AS value FROM pragma_function_list LIMIT 200"
    )
    uri = _sqlite(tmp_path / "a.db", numbers, *statements)
    assert check_shards(SQLInputAdapter(uri, "t"), 4) == found


def test_sqlite_keeps_the_types_that_the_first_rows_show(tmp_path: Path):
    uri = _sqlite(
        tmp_path / "a.db", "CREATE TABLE t (n)", "INSERT INTO t VALUES (1), (2), (3), ('four'), (5.5), (x'06')"
    )
    adapter = SQLInputAdapter(uri, "t")
    assert check_shards(adapter, 6) == 6
    assert len(read_whole(adapter)[1]) == 2


def test_sqlite_divides_any_values_by_a_key(tmp_path: Path):
    values = "(NULL), (1), (2.5), ('a''b'), ('A'), (x'00ff'), (''), (-1e300), (NULL), ('日本')"
    uri = _sqlite(tmp_path / "a.db", "CREATE TABLE t (k COLLATE NOCASE)", f"INSERT INTO t VALUES {values}")
    adapter = SQLInputAdapter(uri, query="SELECT k, typeof(k) AS kind, quote(k) AS shown FROM t", partition_on="k")
    shards = divide(adapter, 5)
    assert len(shards) >= 4
    with adapter.open(no_wrap) as like:
        good, bad = read_shards(shards, like)
    whole, wrong = read_whole(adapter)
    assert cells(good) == cells(whole)
    assert len(bad) == len(wrong) > 0


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (("CREATE TABLE t AS SELECT range AS n FROM range(100)", "DELETE FROM t WHERE n % 3 = 1"), 4),
        (("CREATE TABLE t AS SELECT range AS rowid FROM range(100)",), 1),
        (("CREATE VIEW t AS SELECT range AS n FROM range(100)",), 1),
    ],
    ids=["holes", "a column called rowid", "view"],
)
def test_duckdb_is_divided_where_it_has_row_ids(tmp_path: Path, statements: tuple[str, ...], found: int):
    assert check_shards(SQLInputAdapter(_duckdb(tmp_path / "a.db", *statements), "t"), 4) == found


@pytest.mark.parametrize(
    "kind", ["TINYINT", "UBIGINT", "HUGEINT", "DECIMAL(9,2)", "DOUBLE", "DATE", "TIMESTAMP", "VARCHAR", "TIMESTAMPTZ"]
)
def test_duckdb_divides_by_keys_of_any_type_that_has_an_order(tmp_path: Path, kind: str):
    value = {"DATE": "DATE '2020-01-01' + range::INT", "TIMESTAMPTZ": "make_timestamptz(range * 1000000001)"}.get(kind)
    value = value or ("make_timestamp(range * 1000000001)" if kind == "TIMESTAMP" else "range")
    uri = _duckdb(tmp_path / "a.db", f"CREATE TABLE t AS SELECT ({value})::{kind} AS k FROM range(100)")
    adapter = SQLInputAdapter(uri, "t", partition_on="k")
    shards = divide(adapter, 4)
    assert len(shards) == 4
    with adapter.open(no_wrap) as like:
        assert cells(read_shards(shards, like)[0]) == cells(read_whole(adapter)[0])
