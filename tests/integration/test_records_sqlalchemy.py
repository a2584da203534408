"""Through SQLAlchemy: values as they are, statements that each dialect knows, and errors that say what to do.

What holds for every database is in test_records_sql.py, which runs through SQLAlchemy too.
"""

import datetime as dt
import logging
import sys
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import mssql, mysql, oracle

from skyhold import ParquetOutputAdapter, Pipe, SQLInputAdapter, SQLOutputAdapter, open_input, open_output
from skyhold.errors import (
    BadCredentialsError,
    BadOptionError,
    BadUriError,
    BucketNotFoundError,
    ConflictError,
    KeyNotFoundError,
    MalformedInputError,
    MissingExtraError,
    SchemaError,
    SkyholdError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.records.formats.sql import alchemy_write
from skyhold.records.formats.sql.address import TableName, parse_database
from skyhold.records.formats.sql.alchemy_columns import column_into, new_column
from skyhold.records.formats.sql.alchemy_types import arrow_type, read_column
from skyhold.records.formats.sql.faults import BY_STATE, meaning_of, state_of
from skyhold.testing.servers import LocalServer
from sql_tables import administer, batches, fresh, rows, write

HUSH = "sesame open/wide"
INSTANT = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
CLOCK = dt.time(1, tzinfo=dt.UTC)
DIALECTS: dict[str, Any] = {"mysql": mysql.dialect(), "mssql": mssql.dialect(), "oracle": oracle.dialect()}


@pytest.fixture(scope="session")
def plain(postgres: LocalServer) -> str:
    return postgres.endpoint


@pytest.fixture(scope="session")
def uri(plain: str) -> str:
    return plain.replace("postgresql:", "postgresql+psycopg:")


@pytest.mark.parametrize(
    ("declared", "text", "kind", "value"),
    [
        ("smallint", "1", pa.int16(), 1),
        ("bigint", "-9223372036854775808", pa.int64(), -(2**63)),
        ("real", "1.1", pa.float32(), pa.scalar(1.1, pa.float32()).as_py()),
        ("double precision", "NaN", pa.float64(), "nan"),
        ("numeric(10,2)", "1.1", pa.decimal128(10, 2), Decimal("1.10")),
        ("numeric(50,2)", "1.1", pa.decimal256(50, 2), Decimal("1.10")),
        ("numeric(3,-1)", "120", pa.decimal128(4, 0), Decimal(120)),
        ("numeric", "1.25", pa.decimal256(76, 38), Decimal("1.25")),
        ("char(3)", "z", pa.string(), "z  "),
        ("bytea", "x", pa.binary(), b"x"),
        ("boolean", "true", pa.bool_(), True),
        ("date", "9999-12-31", pa.date32(), dt.date(9999, 12, 31)),
        ("time", "23:59:59.999999", pa.time64("us"), dt.time(23, 59, 59, 999_999)),
        ("timestamp", "0001-01-01", pa.timestamp("us"), dt.datetime(1, 1, 1)),  # noqa: DTZ001
        ("timestamptz", "2020-01-01+01", pa.timestamp("us", "UTC"), dt.datetime(2019, 12, 31, 23, tzinfo=dt.UTC)),
        ("interval", "1 mon 2 days", pa.string(), "P1M2D"),
        ("timetz", "12:00+02", pa.string(), "12:00:00+02:00"),
        (
            "jsonb",
            '{"a": 1.10, "b": 12345678901234567890123}',
            pa.string(),
            '{"a": 1.10, "b": 12345678901234567890123}',
        ),
        ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", pa.string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("inet", "10.0.0.1", pa.string(), "10.0.0.1"),
        ("humour", "sad", pa.string(), "sad"),
        ("int[]", "{1,NULL}", pa.list_(pa.int64()), [1, None]),
        ("date[]", "{2020-01-01}", pa.list_(pa.date32()), [dt.date(2020, 1, 1)]),
    ],
)
def test_a_table_is_read_in_its_own_types(
    uri: str, plain: str, declared: str, text: str, kind: pa.DataType, value: Any
):
    if declared == "humour" and not rows(plain, query="SELECT 1 AS a FROM pg_type WHERE typname = 'humour'"):
        administer(plain, ["CREATE TYPE humour AS ENUM ('sad', 'ok')"])
    name = fresh()
    administer(
        plain,
        [f'CREATE TABLE {name} ("a %s" int, v {declared})', f"INSERT INTO {name} VALUES (7, '{text}'), (8, NULL)"],
    )
    with SQLInputAdapter(uri, name).open(lambda store: store) as stream:
        assert stream.schema.field("v").type == kind
        found = [row for batch in stream.batches() for row in batch.data.to_pylist()]
    assert [row["a %s"] for row in found] == [7, 8]
    assert str(found[0]["v"]) == value if value == "nan" else found[0]["v"] == value
    assert found[1]["v"] is None
    queried = rows(uri, query=f"SELECT v FROM {name} WHERE 'a%s' LIKE 'a%'; -- 100 %d")[0]["v"]
    assert queried == value or declared in {"real", "double precision"}


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("timestamp", "2020-01-01", "infinity"),
        ("timestamptz", "0001-01-01Z", "-infinity"),
        ("timestamp", "0001-01-01", "0044-03-15 BC"),
        ("date", "9999-12-31", "10000-01-01"),
        ("time", "23:59:59.999999", "24:00:00"),
        ("numeric", "1e-38", "NaN"),
        ("numeric", "1", "1e38"),
        ("int[]", "{1,2}", "{{1,2},{3,4}}"),
        ("date[]", "{2020-01-01}", "{2020-01-01,infinity}"),
    ],
)
def test_a_value_that_does_not_fit_rejects_its_row(uri: str, kind: str, good: str, bad: str):
    query = f"SELECT * FROM (VALUES (1, '{good}'::{kind}), (2, '{bad}'), (3, NULL), (4, '{good}')) AS t(n, v)"
    (batch,) = batches(uri, query=query)
    assert [row["n"] for row in batch.data.to_pylist()] == [1, 3, 4]
    assert [row["v"] is None for row in batch.data.to_pylist()] == [False, True, False]
    (fault,) = batch.malformed
    assert (fault.row, batch.skipped, fault.error_type) == (2, (2,), "value_out_of_type")
    assert "'v'" in fault.message


def test_values_of_a_query_that_differ_from_its_first_ones_reject_their_rows(uri: str):
    query = "SELECT CASE WHEN n > 20000 THEN 1.5 ELSE NULL END AS v, n FROM generate_series(1, 20002) AS n"
    found = batches(uri, query=query)
    assert sum(batch.data.num_rows for batch in found) == 20_000
    assert [fault.row for batch in found for fault in batch.malformed] == [20_001, 20_002]


def test_an_input_changes_nothing(uri: str, plain: str):
    name = fresh()
    write(uri, name, [{"n": 1}])
    administer(plain, [f"CREATE SEQUENCE {name}_s"])
    with pytest.raises(BadOptionError, match="read-only") as caught:
        rows(uri, query=f"SELECT nextval('{name}_s')")
    assert "only reads" in caught.value.remedy
    for query in (f"DELETE FROM {name}", f"WITH d AS (DELETE FROM {name} RETURNING n) SELECT n FROM d", "COMMIT"):
        with pytest.raises(BadOptionError):
            rows(uri, query=query)
    assert rows(uri, name) == [{"n": 1}]


def test_closing_early_ends_the_query(uri: str, plain: str):
    stream = SQLInputAdapter(uri, query="SELECT generate_series(1, 90000000) AS n").open(lambda store: store)
    assert next(iter(stream.batches())).data.num_rows == 16_384
    stream.close()
    busy = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%90000000%' AND pid <> pg_backend_pid()"
    assert any(rows(plain, query=busy)[0]["n"] == 0 for _ in range(100))


def test_a_table_of_others_is_given_what_its_columns_hold_exactly(uri: str, plain: str):
    name = fresh()
    declared = "n int, j jsonb, u uuid, p numeric(5,2), w varchar(3), a int[], s timestamp(0), i interval, o inet"
    administer(plain, [f"CREATE TABLE {name} ({declared})"])
    good = {
        "n": 1,
        "j": {"a": [1, None]},
        "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "p": Decimal("1.500"),
        "w": "abc",
        "a": [1, None],
        "s": dt.datetime(2020, 1, 1, 1, 1, 1),  # noqa: DTZ001
        "i": "P1M",
        "o": "10.0.0.1",
    }
    write(uri, name, [good])
    assert rows(uri, name)[0] == good | {"j": '{"a": [1, null]}'}
    wrong: list[tuple[str, Any]] = [
        ("n", 2**31),
        ("p", Decimal("1.125")),
        ("w", "abcd"),
        ("s", dt.datetime(2020, 1, 1, 1, 1, 1, 5)),  # noqa: DTZ001
        ("u", "no uuid"),
    ]
    for column, value in wrong:
        with pytest.raises(MalformedInputError):
            write(uri, name, [{column: value}])
    for column, value in (("n", 1.5), ("w", 5), ("s", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)), ("a", ["x"])):
        with pytest.raises(SchemaError, match=f"'{column}'"):
            write(uri, name, [{column: value}])
    assert len(rows(uri, name)) == 1


def test_new_tables_hold_what_comes_back_the_same(uri: str):
    name = fresh()
    table = pa.table(
        {
            "huge": pa.array([2**64 - 1], pa.uint64()),
            "nested": [{"a": [1, None]}],
            "lists": pa.array([["a", None]]),
            "span": pa.array([dt.timedelta(days=-1, microseconds=1)], pa.duration("us")),
            "word": pa.array(["x"]).dictionary_encode(),
            "nothing": pa.nulls(1),
            "single": pa.array([1.1], pa.float32()),
        }
    )
    write(uri, name, table)
    (found,) = rows(uri, name)
    assert found.pop("span") == "P-1DT0.000001S"
    assert found == table.drop_columns("span").to_pylist()[0] | {"nested": '{"a": [1, null]}'}


def test_names_are_taken_as_they_are(uri: str, plain: str):
    home = fresh("Home.of x")
    administer(plain, [f'CREATE SCHEMA "{home}"'])
    table = f'"{home}".Order "x" %s'
    row = {'a "b"': 1, "select": 2, "%s": 3, ":x": 4, "c0": 5, "n": 6}
    write(uri, table, [row])
    write(uri, table, [row], mode="replace")
    write(uri, table, [row])
    assert rows(uri, table) == [row, row]
    write(uri, f"{table}u", [row, row | {"n": 7}], mode="upsert", key=("%s", 'a "b"'))
    assert rows(uri, f"{table}u") == [row | {"n": 7}]
    with pytest.raises(KeyNotFoundError):
        rows(uri, f'"{home}".order "x" %s')
    with pytest.raises(BadOptionError, match="63 bytes"):
        write(uri, "n" * 64, [{"a": 1}])


def test_what_depends_on_a_table_stays_when_it_cannot_be_replaced(uri: str, plain: str):
    name = fresh()
    write(uri, name, [{"n": 1}])
    administer(plain, [f"CREATE VIEW {name}_view AS SELECT * FROM {name}"])
    with pytest.raises(ConflictError, match="depend"):
        write(uri, name, [{"n": 2}], mode="replace")
    assert rows(uri, f"{name}_view") == [{"n": 1}]


def test_where_tables_are_not_transactional_names_are_swapped(uri: str, plain: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alchemy_write, "_UNDOES_TABLES", set[str]())
    name = fresh()
    write(uri, name, [{"n": 1}], mode="create")
    write(uri, name, [{"m": "x"}, {"m": "y"}], mode="replace")
    assert rows(uri, name) == [{"m": "x"}, {"m": "y"}]
    write(uri, f"{name}u", [{"k": 1, "v": 1}, {"k": 1, "v": 2}], mode="upsert", key="k")
    assert rows(uri, f"{name}u") == [{"k": 1, "v": 2}]
    administer(plain, [f"CREATE OR REPLACE VIEW {name}_view AS SELECT * FROM {name}"])
    with pytest.raises(ConflictError):
        write(uri, f"{name}_view", [{"m": "z"}], mode="create")
    left = rows(plain, query="SELECT relname AS n FROM pg_class WHERE relkind = 'r' AND relname LIKE 'skyhold\\_%'")
    assert left == [], "what was made on the way is gone"


def test_names_are_given_back_when_the_second_rename_fails():
    said: list[str] = []

    def run(statement: str) -> None:
        said.append(statement)
        if statement.startswith("ALTER TABLE new"):
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        alchemy_write.swap_names("oracle", str, run, (TableName("t"), TableName("new")), TableName("old"))
    assert said == ["ALTER TABLE t RENAME TO old", "ALTER TABLE new RENAME TO t", "ALTER TABLE old RENAME TO t"]
    said.clear()
    alchemy_write.swap_names("mysql", str, run, (TableName("t"), TableName("new")), TableName("old"))
    assert said == ["RENAME TABLE t TO old, new TO t"], "both names in one statement"


def _sent(statement: Any, dialect: str) -> str:
    return " ".join(str(statement.compile(dialect=DIALECTS[dialect])).split())


def test_mysql_is_sent_what_it_understands():
    schema = pa.schema(
        [
            ("id", pa.int64()),
            ("p", pa.decimal128(10, 2)),
            ("w", pa.string()),
            ("at", pa.timestamp("ns")),
            ("x", pa.list_(pa.int8())),
            ("raw", pa.binary()),
        ]
    )
    columns = [new_column(field, "mysql", sa, in_key=field.name == "w") for field in schema]
    stage = alchemy_write.stage_table(sa, "mysql", columns)
    made = _sent(sa.schema.CreateTable(stage), "mysql")
    assert made.startswith("CREATE TEMPORARY TABLE skyhold_stage_")
    types = "c0 BIGINT, c1 NUMERIC(10, 2), c2 VARCHAR(255), c3 DATETIME(6), c4 LONGTEXT, c5 LONGBLOB"
    assert made.endswith(f"( n BIGINT, {types} )")
    target = sa.Table("t`x", sa.MetaData(), *(sa.Column(column.name, column.kind) for column in columns))
    insert = alchemy_write.insertion(sa, "mysql", stage, target, columns, ("w",))
    said = _sent(insert, "mysql").replace(stage.name, "stage")
    assert said.startswith(
        "INSERT INTO `t``x` (id, p, w, at, x, raw) SELECT ranked.c0, ranked.c1, ranked.c2, ranked.c3,"
    )
    assert "CAST(ranked.c4 AS JSON)" in said
    assert "row_number() OVER (PARTITION BY stage.c2 ORDER BY stage.n DESC) AS nth FROM stage) AS ranked" in said
    assert said.count("FROM stage") == 1, "MySQL opens a temporary table once in a statement"
    assert said.endswith(
        "ORDER BY ranked.n ON DUPLICATE KEY UPDATE id = VALUES(id), p = VALUES(p), at = VALUES(at),"
        " x = VALUES(x), raw = VALUES(raw)"
    )
    only_key = alchemy_write.insertion(sa, "mysql", stage, target, columns[:1], ("id",))
    assert _sent(only_key, "mysql").endswith("ON DUPLICATE KEY UPDATE id = VALUES(id)")


@pytest.mark.parametrize(
    ("dialect", "begins", "types"),
    [
        ("mssql", "CREATE TABLE [#skyhold_", "DOUBLE PRECISION NULL, c1 NVARCHAR(max) NULL, c2 DATETIME2(6) NULL"),
        ("oracle", 'CREATE PRIVATE TEMPORARY TABLE "ORA$PTT_SKYHOLD_', "BINARY_DOUBLE, c1 CLOB, c2 TIMESTAMP"),
    ],
)
def test_others_are_sent_what_they_understand(dialect: str, begins: str, types: str):
    schema = pa.schema([("d", pa.float64()), ("w", pa.string()), ("at", pa.timestamp("us"))])
    columns = [new_column(field, dialect, sa) for field in schema]
    stage = alchemy_write.stage_table(sa, dialect, columns)
    made = _sent(sa.schema.CreateTable(stage), dialect)
    assert made.startswith(begins)
    assert f"c0 {types}" in made
    target = sa.Table("t", sa.MetaData(), *(sa.Column(column.name, column.kind) for column in columns))
    said = _sent(alchemy_write.insertion(sa, dialect, stage, target, columns, ()), dialect)
    assert said.startswith("INSERT INTO t (d, w,")
    assert said.endswith(".n") or dialect == "mssql", "where order without a TOP is not taken"


def test_what_a_dialect_cannot_hold_is_refused_and_not_changed():
    instant, empty = pa.field("at", pa.timestamp("us", "UTC")), pa.array(["a", ""])
    for dialect in ("mysql", "oracle"):
        with pytest.raises(SchemaError, match="'at'"):
            new_column(instant, dialect, sa)
    with pytest.raises(MalformedInputError, match="empty text"):
        new_column(pa.field("w", pa.string()), "oracle", sa).encode(empty)
    assert new_column(pa.field("w", pa.string()), "mysql", sa).encode(empty) == ["a", ""]
    with pytest.raises(MalformedInputError, match="NaN"):
        new_column(pa.field("d", pa.float64()), "mysql", sa).encode(pa.array([float("nan")]))
    seconds = column_into(pa.field("at", pa.timestamp("us")), mysql.DATETIME(), "mysql", sa, "t")
    fine = pa.array([dt.datetime(2020, 1, 1, 0, 0, 0, 5)])  # noqa: DTZ001
    with pytest.raises(MalformedInputError, match="'at'"):
        seconds.encode(fine)
    micros = column_into(pa.field("at", pa.timestamp("us")), mysql.DATETIME(fsp=6), "mysql", sa, "t")
    assert micros.encode(fine) == fine.to_pylist()


@pytest.mark.parametrize(
    ("kind", "dialect", "expected"),
    [
        (mysql.BIGINT(unsigned=True), "mysql", pa.uint64()),
        (mysql.LONGBLOB(), "mysql", pa.binary()),
        (mysql.ENUM("a"), "mysql", pa.string()),
        (mysql.FLOAT(), "mysql", pa.float32()),
        (mysql.DOUBLE(), "mysql", pa.float64()),
        (mysql.DECIMAL(65, 30), "mysql", pa.decimal256(65, 30)),
        (mysql.TIMESTAMP(fsp=6), "mysql", pa.timestamp("us")),
        (mysql.JSON(), "mysql", pa.string()),
        (mssql.DATETIMEOFFSET(7), "mssql", pa.timestamp("us", "UTC")),
        (mssql.REAL(), "mssql", pa.float32()),
        (mssql.UNIQUEIDENTIFIER(), "mssql", pa.string()),
        (mssql.MONEY(), "mssql", None),
        (oracle.NUMBER(10, 2), "oracle", pa.decimal128(10, 2)),
        (oracle.FLOAT(126), "oracle", pa.decimal256(76, 38)),
        (oracle.BINARY_DOUBLE(), "oracle", pa.float64()),
        (oracle.DATE(), "oracle", pa.timestamp("us")),
        (oracle.INTERVAL(), "oracle", pa.duration("us")),
        (sa.types.NullType(), "oracle", None),
    ],
)
def test_each_dialect_s_types_are_known(kind: Any, dialect: str, expected: pa.DataType | None):
    assert arrow_type(kind, dialect, sa) == expected


@pytest.mark.parametrize(
    ("kind", "good", "read", "bad"),
    [
        (pa.int64(), Decimal(5), 5, [True, 1.0, "1", Decimal("1.5"), 2**63, Decimal("NaN")]),
        (pa.float64(), 5, 5.0, [2**53 + 1, "1", Decimal(1)]),
        (pa.bool_(), 1, True, [2, "1", 1.0, b"\x01"]),
        (pa.decimal128(4, 2), 1.25, Decimal("1.25"), [Decimal("1.125"), 100, True, "1", float("inf")]),
        (pa.string(), UUID(int=1), str(UUID(int=1)), [1, 1.5, b"x", dt.date(1, 1, 1), Decimal(1), "\udcff"]),
        (pa.binary(), memoryview(b"x"), b"x", ["x", 1, [1]]),
        (pa.date32(), dt.date(1, 1, 1), dt.date(1, 1, 1), ["0000-00-00", dt.datetime(1, 1, 1), 1]),  # noqa: DTZ001
        (pa.time64("us"), dt.timedelta(hours=1), dt.time(1), [dt.timedelta(1), -dt.timedelta(1), CLOCK]),
        (pa.timestamp("us"), dt.datetime(1, 1, 1), dt.datetime(1, 1, 1), [INSTANT, "x", 5]),  # noqa: DTZ001
        (pa.timestamp("us", "UTC"), INSTANT, INSTANT, [dt.datetime(1, 1, 1)]),  # noqa: DTZ001
        (pa.duration("us"), dt.timedelta(1), dt.timedelta(1), [1, dt.time(1)]),
        (pa.list_(pa.int64()), [1, None], [1, None], [[1.5], [[1]], 1, (1,), [2**63]]),
    ],
)  # fmt: skip
def test_a_driver_s_value_is_taken_exactly_or_not_at_all(kind: pa.DataType, good: Any, read: Any, bad: list[Any]):
    array, wrong = read_column([good, None, *bad, good], kind)
    assert array.type == kind
    assert array.to_pylist() == [read, None, *[None] * len(bad), read]
    assert list(wrong) == list(range(2, 2 + len(bad)))


@given(
    st.lists(
        st.none() | st.integers() | st.decimals().filter(lambda value: not value.is_snan()) | st.floats() | st.text(),
        max_size=6,
    )
)
def test_no_value_becomes_another_or_a_null_in_silence(values: list[Any]):
    for kind in (pa.int64(), pa.float64(), pa.string(), pa.decimal128(10, 2), pa.decimal256(76, 38)):
        array, wrong = read_column(values, kind)
        for place, (value, cell) in enumerate(zip(values, array.to_pylist(), strict=True)):
            same = cell == value or (value != value and cell != cell)  # noqa: PLR0124 - NaN
            shortest = isinstance(value, float) and isinstance(cell, Decimal) and float(cell) == value
            assert (cell is None) if place in wrong else same or shortest


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ((1045, "Access denied"), "28"),
        ((1049, "Unknown database"), "3D000"),
        ((1146, "no table"), "42P01"),
        ((1062, "Duplicate entry"), "23505"),
        ((2003, "Can't connect"), "08"),
        (("28000", "[28000] Login failed"), "28"),
        (("42S02", "Invalid object name"), "42S02"),
        (("ORA-00942: table or view does not exist",), "42P01"),
        (("ORA-01017: invalid username/password",), "28"),
    ],
)
def test_errors_of_each_driver_have_a_meaning(arguments: tuple[Any, ...], state: str):
    error = RuntimeError(*arguments)
    assert meaning_of(state_of(error), str(error)) is BY_STATE[state]


def test_a_database_that_cannot_be_reached_is_told_apart(uri: str):
    with pytest.raises(BucketNotFoundError, match="nowhere") as caught:
        rows(uri.replace("/postgres", "/nowhere"), "t")
    assert "name in the URI" in caught.value.remedy
    for nobody in ("me@127.0.0.1:9", "no.such.host.invalid"):
        with pytest.raises(UnreachableError):
            rows(f"postgresql+psycopg://{nobody}/db", "t")
        with pytest.raises(UnreachableError):
            write(f"postgresql+psycopg://{nobody}/db", "t", [{"a": 1}])


def test_a_wrong_password_is_shown_nowhere(postgres: LocalServer, caplog: pytest.LogCaptureFixture, private_home: Path):
    encoded = HUSH.replace(" ", "%20").replace("/", "%2F")
    address = postgres.options["address"]
    said: list[str] = []
    kinds: list[type[SkyholdError]] = []
    caplog.set_level(logging.DEBUG)
    for uri in (
        f"postgresql+psycopg://tester:{encoded}@{address}",
        f"postgresql+psycopg://{address}?user=tester&password={encoded}",
        f"postgresql+psycopg://tester:{encoded}@127.0.0.1:9/x",
        f"strange+thing://tester:{encoded}@{address}",
    ):
        try:
            adapters = SQLInputAdapter(uri, "t"), SQLOutputAdapter(uri, "t")
            said += [repr(each) + each.uri for each in adapters]
            Pipe(input_adapter=adapters[0], output_adapter=ParquetOutputAdapter("memory://none/x.parquet")).run()
        except SkyholdError as error:
            said.append("".join(traceback.format_exception(error)))
            kinds.append(type(error))
    assert kinds == [BadCredentialsError, BadCredentialsError, UnreachableError, BadUriError]
    said += [record.getMessage() for record in caplog.records]
    said += [path.read_text(errors="replace") for path in private_home.rglob("*") if path.is_file()]
    assert any("password authentication failed" in text for text in said), "and yet the reason is told"
    for text in said:
        assert "sesame" not in text
        assert "wide" not in text


def test_a_password_in_an_odbc_string_is_a_secret():
    address = parse_database("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BUID%3Dme%3BPWD%3Dopen+sesame%3BE%3Dyes")
    assert address.scrub("PWD=open sesame;") == "PWD=**redacted**;"
    assert "sesame" not in address.safe_uri


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    monkeypatch.setitem(sys.modules, "MySQLdb", None)
    for uri, package in (("mysql+pymysql://h/d", "pymysql"), ("mysql://h/d", "mysqlclient")):
        with pytest.raises(MissingExtraError, match=f"'{package}'") as caught:
            rows(uri, "t")
        assert f"pip install '{package}'" in caught.value.remedy
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    with pytest.raises(MissingExtraError, match="sqlalchemy") as caught:
        rows("mysql+pymysql://h/d", "t")
    assert "skyhold[sqlalchemy]" in caught.value.remedy


def test_a_uri_with_a_driver_tells_its_adapter():
    for uri in ("mysql+pymysql://me:x@h/d", "oracle://h/d", "snowflake+snowflake://h/d"):
        assert open_input(uri, table_name="t").uri == f"{uri.replace('me:x@', '')}?table=t"
        assert isinstance(open_output(uri, table_name="t"), SQLOutputAdapter)


def test_a_dialect_without_upserts_says_so(uri: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alchemy_write, "_UPSERTS", set[str]())
    with pytest.raises(UnsupportedError, match="upsert"):
        write(uri, fresh(), [{"k": 1}], mode="upsert", key="k")


def test_sqlite_s_cells_may_be_anything_here_too(tmp_path: Path):
    uri = f"sqlite+pysqlite:///{tmp_path}/some data.db"
    with pytest.raises(BucketNotFoundError, match="no such file"):
        rows(uri, "t")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(BucketNotFoundError, match="no folder"):
        write(f"sqlite+pysqlite:///{tmp_path}/none/x.db", "t", [{"a": 1}])
    write(uri, "t", [{"d": dt.date(2020, 1, 1), "p": Decimal("1.10")}])
    engine = sa.create_engine(uri)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO t VALUES ('soon', '1.2'), ('2020-01-02', CAST(x'ff' AS TEXT))")
    engine.dispose()
    (batch,) = batches(uri, "t")
    assert batch.data.to_pylist() == [{"d": dt.date(2020, 1, 1), "p": Decimal("1.10")}]
    assert [fault.row for fault in batch.malformed] == [2, 3]
    with pytest.raises(SkyholdError):
        rows(uri, query="DELETE FROM t RETURNING d")
