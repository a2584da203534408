"""PostgreSQL's own: exact types, one moment for many connections, secrets, and errors that say what to do."""

import datetime as dt
import logging
import pickle
import threading
import traceback
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from skyhold import ParquetOutputAdapter, Pipe, SQLInputAdapter, SQLOutputAdapter
from skyhold.errors import (
    AccessDeniedError,
    BadCredentialsError,
    BadOptionError,
    BadUriError,
    BucketNotFoundError,
    ConfigError,
    ConflictError,
    KeyNotFoundError,
    MalformedInputError,
    MissingExtraError,
    SchemaError,
    SkyholdError,
    StorageError,
    UnreachableError,
)
from skyhold.records.formats.sql.address import parse_database
from skyhold.records.formats.sql.faults import BY_STATE, BY_TEXT, meaning_of, translated
from skyhold.records.formats.sql.postgres_session import Session
from skyhold.testing.servers import LocalServer
from sql_tables import administer, batches, count, fresh, rows, write

HUSH = "sesame open/wide"


@pytest.fixture(scope="session")
def uri(postgres: LocalServer) -> str:
    return postgres.endpoint


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("1::int2", pa.int16(), 1),
        ("1.5::float4", pa.float32(), 1.5),
        ("'z'::char(3)", pa.string(), "z  "),
        ("1.10::numeric(10,2)", pa.decimal128(10, 2), Decimal("1.10")),
        ("1.1::numeric(50,2)", pa.decimal256(50, 2), Decimal("1.10")),
        ("120::numeric(3,-1)", pa.decimal128(4, 0), Decimal(120)),
        ("0.001::numeric(2,3)", pa.decimal128(3, 3), Decimal("0.001")),
        ("1.25::numeric", pa.decimal256(76, 38), Decimal("1.25")),
        ("'$12.30'::money", pa.decimal128(19, 2), Decimal("12.30")),
        ("4000000000::oid", pa.int64(), 4_000_000_000),
        ("'{\"a\": 1}'::jsonb", pa.string(), '{"a": 1}'),
        ("'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid", pa.string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        ("interval '1 mon 2 days 3.5 s'", pa.string(), "P1M2DT3.5S"),
        ("'12:00+02'::timetz", pa.string(), "12:00:00+02"),
        ("'10.0.0.1'::inet", pa.string(), "10.0.0.1/32"),
        ("int4range(1, 3)", pa.string(), "[1,3)"),
        ("ROW(1, 'a')", pa.string(), "(1,a)"),
        ("b'101'", pa.string(), "101"),
        ("'sad'::mood", pa.string(), "sad"),
        ("ARRAY['sad']::mood[]", pa.list_(pa.string()), ["sad"]),
        ("ARRAY[1, NULL]::int8[]", pa.list_(pa.int64()), [1, None]),
        ("ARRAY[1.5, NULL]::numeric[]", pa.list_(pa.decimal256(76, 38)), [Decimal("1.5"), None]),
        (
            "ARRAY[timestamptz '2020-01-01Z']",
            pa.list_(pa.timestamp("us", "UTC")),
            [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
        ),
        ("'{}'::text[]", pa.list_(pa.string()), []),
        ("NULL::int4[]", pa.list_(pa.int32()), None),
    ],
)
def test_every_type_has_its_own(uri: str, expression: str, kind: pa.DataType, value: Any):
    if "mood" in expression and not rows(uri, query="SELECT 1 AS a FROM pg_type WHERE typname = 'mood'"):
        administer(uri, ["CREATE TYPE mood AS ENUM ('sad', 'ok')"])
    with SQLInputAdapter(uri, query=f"SELECT 7 AS before, {expression} AS v -- said").open(
        lambda store: store
    ) as stream:
        assert stream.schema.field("v").type == kind
        assert [row for batch in stream.batches() for row in batch.data.to_pylist()] == [{"before": 7, "v": value}]


@pytest.mark.parametrize(
    ("kind", "good", "bad", "shown"),
    [
        ("timestamp", "2020-01-01", "infinity", "infinity"),
        ("timestamptz", "0001-01-01Z", "-infinity", "-infinity"),
        ("timestamp", "9999-12-31 23:59:59.999999", "294276-12-31", "a time outside"),
        ("timestamp", "0001-01-01", "0044-03-15 BC", "a time outside"),
        ("date", "9999-12-31", "infinity", "infinity"),
        ("date", "0001-01-01", "-infinity", "-infinity"),
        ("date", "0001-01-01", "10000-01-01", "a time outside"),
        ("time", "23:59:59.999999", "24:00", "24:00:00"),
        ("numeric", "-1e37", "NaN", "nan"),
        ("numeric", "1e-38", "1e-39", "0.000000000000000000000000000000000000001"),
        ("numeric", "1", "1e38", "1" + "0" * 38),
        ("int4[]", "{1,2}", "{{1,2},{3,4}}", "{{1,2},{3,4}}"),
        ("date[]", "{2020-01-01}", "{2020-01-01,infinity}", "infinity"),
    ],
)
def test_a_value_that_arrow_or_python_cannot_hold_rejects_its_row(uri: str, kind: str, good: str, bad: str, shown: str):
    query = f"SELECT * FROM (VALUES (1, '{good}'::{kind}), (2, '{bad}'), (3, NULL), (4, '{good}')) AS t(n, v)"
    (batch,) = batches(uri, query=query)
    assert [row["n"] for row in batch.data.to_pylist()] == [1, 3, 4]
    (fault,) = batch.malformed
    assert (fault.row, batch.skipped, fault.error_type) == (2, (2,), "value_out_of_type")
    assert "'v'" in fault.message
    assert shown in fault.message
    assert fault.original.startswith('{"n":2,"v":"')


def test_what_a_table_of_ours_and_of_others_is_given(uri: str):
    name = fresh()
    table = pa.table(
        {
            "big": pa.array([2**64 - 1, None], pa.uint64()),
            "word": pa.array(["a", None]).dictionary_encode(),
            "nested": [{"a": [1, None], "b": Decimal("1.50")}, None],
            "list": [[1, None], None],
            "deep": [[[1]], None],
            "wait": pa.array([dt.timedelta(days=-1, microseconds=1), None], pa.duration("us")),
            "nothing": pa.nulls(2),
        }
    )
    write(uri, name, table)
    attributes = "SELECT attname::text AS n, format_type(atttypid, atttypmod) AS k FROM pg_attribute"
    kinds = rows(uri, query=f"{attributes} WHERE attrelid = '{name}'::regclass AND attnum > 0")
    assert {row["n"]: row["k"] for row in kinds} == {
        "big": "numeric(20,0)",
        "word": "text",
        "nested": "jsonb",
        "list": "bigint[]",
        "deep": "jsonb",
        "wait": "interval",
        "nothing": "text",
    }
    first, second = rows(uri, name)
    assert (first["big"], first["word"], first["list"]) == (2**64 - 1, "a", [1, None])
    assert (first["nested"], first["deep"]) == ('{"a": [1, null], "b": "1.50"}', "[[1]]")
    assert first["wait"].startswith("PT-23H-59M-59.99")
    assert set(second.values()) == {None}


def test_append_casts_exactly_or_not_at_all(uri: str):
    name = fresh()
    columns = "id int2 PRIMARY KEY, u uuid, j jsonb, n numeric(5,1), v varchar(3), ip inet, l int2[]"
    administer(uri, [f"CREATE TABLE {name} ({columns}, x int DEFAULT 7 NOT NULL)"])
    good = {"id": 1, "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "j": '{"a": 1}', "n": 5, "v": "abc", "ip": "::1/128"}
    write(uri, name, [good | {"l": [1, 2]}])
    assert rows(uri, name) == [good | {"n": Decimal("5.0"), "l": [1, 2], "x": 7}]
    for wrong, kind, said in (
        ({"id": 2**40}, MalformedInputError, "'id' has a value that int16"),
        ({"id": 2, "n": Decimal("1.25")}, MalformedInputError, "'n' has a value"),
        ({"id": 2, "v": "long"}, MalformedInputError, "too long"),
        ({"id": 2, "j": "{"}, MalformedInputError, "json"),
        ({"id": 2, "u": "no uuid"}, MalformedInputError, "uuid"),
        ({"id": 2, "l": [2**20]}, MalformedInputError, "'l' has a value"),
        ({"id": 1}, ConflictError, "duplicate key"),
        ({"id": None}, SchemaError, "not-null"),
        ({"id": 2, "n": 1.5}, SchemaError, "'n' is double"),
        ({"id": 2, "v": "a\0"}, MalformedInputError, "invalid byte"),
    ):
        with pytest.raises(kind, match=said):
            write(uri, name, [wrong])
    assert count(uri, name) == 1
    moment = pa.table({"t": pa.array([1], pa.timestamp("ns"))})
    with pytest.raises(MalformedInputError, match="'t' has a value"):
        write(uri, fresh(), moment)


@pytest.mark.parametrize("key", ["n", "w", "d", "same", "holes"])
def test_partitions_give_every_row_once_and_of_one_moment(uri: str, key: str):
    name = fresh()
    columns = "n::int4, md5(n::text) AS w, date '2020-01-01' + n AS d, 5 AS same, nullif(n % 100, 3) * 10 AS holes"
    administer(uri, [f"CREATE TABLE {name} AS SELECT {columns} FROM generate_series(1, 20000) AS n"])
    adapter = SQLInputAdapter(uri, name, partition_on=key, partitions=5, batch_size=1000)
    with adapter.open(lambda store: store) as stream:
        administer(
            uri, [f"INSERT INTO {name} SELECT -1, 'late', date '1999-01-01', 5, 1", f"DELETE FROM {name} WHERE n = 7"]
        )
        found = list(stream.batches())
    assert sorted(row["n"] for batch in found for row in batch.data.to_pylist()) == list(range(1, 20_001))
    assert [batch.first_row for batch in found] == [
        1 + sum(batch.data.num_rows for batch in found[:place]) for place in range(len(found))
    ]
    if key == "n":
        ends = [batch.data["n"].to_pylist()[0] for batch in found]
        assert all(a < b for a, b in pairwise(ends)), "ranges come in order"
    with adapter.open(lambda store: store) as stream:
        next(iter(stream.batches()))
    with pytest.raises(BadOptionError, match="'nope'"):
        rows(uri, name, partition_on="nope")


def test_an_error_in_a_partition_is_told(uri: str):
    query = "SELECT n, 1 / (n - 900) AS v FROM generate_series(1, 1000) AS n"
    with pytest.raises(MalformedInputError, match="division by zero"):
        rows(uri, query=query, partition_on="n")
    with pytest.raises(MalformedInputError, match="division by zero"):
        rows(uri, query=query)


def test_a_reader_keeps_its_moment_and_a_replacement_waits_for_it(uri: str):
    name = fresh()
    write(uri, name, [{"n": n} for n in range(1000)])
    stream = SQLInputAdapter(uri, name, batch_size=100).open(lambda store: store)
    found = stream.batches()
    seen = [next(found)]
    writer = threading.Thread(target=write, args=(uri, name, [{"n": -1}]), kwargs={"mode": "replace"})
    writer.start()
    seen += list(found)
    writer.join(60)
    assert [row["n"] for batch in seen for row in batch.data.to_pylist()] == list(range(1000))
    assert rows(uri, name) == [{"n": -1}]


def test_names_are_taken_as_they_are(uri: str):
    home = fresh("Home.of x")
    administer(uri, [f'CREATE SCHEMA "{home}"'])
    table = f'"{home}".Order "x"'
    write(uri, table, [{'a "b"': 1, "select": 2, "%s": 3, "$1": 4}])
    write(uri, table, [{'a "b"': 5, "select": 6, "%s": 7, "$1": 8}], mode="replace")
    assert rows(uri, table) == [{'a "b"': 5, "select": 6, "%s": 7, "$1": 8}]
    with pytest.raises(KeyNotFoundError):
        rows(uri, f'"{home}".order "x"')
    with pytest.raises(BadOptionError, match="63 bytes"):
        write(uri, "n" * 64, [{"a": 1}])


def test_an_input_changes_nothing(uri: str):
    name = fresh()
    write(uri, name, [{"n": 1}])
    with pytest.raises(BadOptionError, match="read-only") as caught:
        rows(uri, query=f"DELETE FROM {name} RETURNING n")
    assert "only reads" in caught.value.remedy
    assert count(uri, name) == 1


def test_what_depends_on_a_table_stays_when_it_cannot_be_replaced(uri: str):
    name = fresh()
    write(uri, name, [{"n": 1}])
    administer(uri, [f"CREATE VIEW {name}_view AS SELECT * FROM {name}"])
    with pytest.raises(ConflictError, match="depend") as caught:
        write(uri, name, [{"n": 2}], mode="replace")
    assert "Drop what depends" in caught.value.remedy
    assert rows(uri, f"{name}_view") == [{"n": 1}]
    with pytest.raises(BadOptionError, match="view"):
        write(uri, f"{name}_view", [{"n": 2}], mode="replace")


def test_who_may_not_is_told_so(uri: str, postgres: LocalServer):
    name, other = fresh(), fresh("user")
    write(uri, name, [{"n": 1}])
    administer(uri, [f"CREATE ROLE {other} LOGIN PASSWORD 'p'"])
    theirs = f"postgresql://{other}:p@{postgres.options['address']}"
    with pytest.raises(AccessDeniedError, match="permission denied"):
        rows(theirs, name)
    with pytest.raises(AccessDeniedError, match="permission denied"):
        write(theirs, fresh(), [{"n": 1}])


def test_a_database_that_cannot_be_reached_is_told_apart(uri: str):
    with pytest.raises(BucketNotFoundError, match="nowhere") as caught:
        rows(uri.replace("/postgres", "/nowhere"), "t")
    assert "name in the URI" in caught.value.remedy
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
        rows("postgresql://me@127.0.0.1:9/db", "t")
    with pytest.raises(UnreachableError, match=r"no\.such\.host"):
        rows("postgresql://no.such.host.invalid/db", "t")
    with pytest.raises(BadUriError, match="option"):
        rows(f"{uri}?nooption=1", "t")


def test_a_wrong_password_is_shown_nowhere(postgres: LocalServer, caplog: pytest.LogCaptureFixture, private_home: Any):
    encoded = HUSH.replace(" ", "%20").replace("/", "%2F")
    address = postgres.options["address"]
    said: list[str] = []
    kinds: list[type[SkyholdError]] = []
    caplog.set_level(logging.DEBUG)
    for uri in (
        f"postgresql://tester:{encoded}@{address}",
        f"postgresql://{address}?user=tester&password={encoded}",
        f"postgresql://tester:{encoded}@127.0.0.1:9/x",
        f"postgresql://tester:{encoded}@{address}?strange={encoded}",
        f"postgresql://tester:{HUSH.replace(' ', '')}@{address}",
    ):
        try:
            adapters = SQLInputAdapter(uri, "t"), SQLOutputAdapter(uri, "t")
            said += [repr(each) + each.uri for each in adapters]
            pipe = Pipe(input_adapter=adapters[0], output_adapter=ParquetOutputAdapter("memory://none/x.parquet"))
            pipe.run()
        except SkyholdError as error:
            said.append("".join(traceback.format_exception(error)))
            kinds.append(type(error))
    assert kinds == [BadCredentialsError, BadCredentialsError, UnreachableError, BadUriError, BadUriError]
    said += [record.getMessage() for record in caplog.records]
    said += [path.read_text(errors="replace") for path in private_home.rglob("*") if path.is_file()]
    assert any("password authentication failed" in text for text in said), "and yet the reason is told"
    for text in said:
        assert "sesame" not in text
        assert "wide" not in text
    with pytest.raises(ConfigError, match="not pickled"):
        pickle.dumps(SQLInputAdapter(f"postgresql://u:{encoded}@h/d", "t"))
    copy = pickle.loads(pickle.dumps(SQLInputAdapter("postgresql://u@h/d", "t")))
    assert copy.uri == "postgresql://h/d?table=t"


@pytest.mark.parametrize("said", ["known: password authentication failed", "never heard of"])
def test_a_driver_that_repeats_a_secret_is_not_quoted(said: str):
    address = parse_database("postgresql://u:open%20sesame@h/d?sslpassword=wide+open")
    for secret in ("open%20sesame", "open sesame", "wide open", address.uri.reveal()):
        with pytest.raises(StorageError) as caught, translated(address, "read", "x", RuntimeError):
            raise RuntimeError(f"{said} {secret!r}")
        text = "".join(traceback.format_exception(caught.value))
        assert said in text
        assert "**redacted**" in text
        assert secret not in text
    with pytest.raises(RuntimeError, match="harmless"), translated(address, "read", "x", RuntimeError):
        raise RuntimeError("harmless")


def test_a_receipt_names_the_tables_and_no_secret(uri: str, private_home: Any):
    name = fresh()
    write(uri, name, [{"n": 1}])
    report = Pipe(
        input_adapter=SQLInputAdapter(uri, query=f"SELECT n FROM {name}"),
        output_adapter=SQLOutputAdapter(uri, f"{name}_out"),
    ).run()
    assert report.receipt is not None
    text = report.receipt.to_json()
    text = text.decode() if isinstance(text, bytes) else text
    assert f"/postgres?table={name}_out" in text
    assert "correct" not in text
    assert "tester" not in text


def test_every_state_and_text_has_a_meaning_of_its_own():
    for state, meaning in BY_STATE.items():
        assert meaning_of(state.ljust(5, "0") if state != "57P" else "57P01", "") in {meaning, *BY_STATE.values()}
        assert issubclass(meaning.kind, SkyholdError)
        assert meaning.remedy
    assert meaning_of("42P01", "") is BY_STATE["42P01"]
    assert meaning_of("42999", "") is BY_STATE["42"]
    assert meaning_of("99999", "anything") is None
    assert all(meaning.remedy for _, meaning in BY_TEXT)


def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(__import__("sys").modules, "adbc_driver_postgresql.dbapi", None)
    with pytest.raises(MissingExtraError, match="PostgreSQL") as caught:
        rows("postgresql://h/d", "t")
    assert "skyhold[sql]" in caught.value.remedy


def test_closing_early_ends_the_query_at_once(uri: str):
    stream = SQLInputAdapter(uri, query="SELECT generate_series(1, 100000000) AS n").open(lambda store: store)
    assert next(iter(stream.batches())).data.num_rows == 65_536
    stream.close()
    session = Session(parse_database(uri), "test", "test")
    busy = "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%100000000%' AND pid <> pg_backend_pid()"
    for _ in range(1000):
        session.rollback()
        if session.rows(busy)[0]["n"] == 0:
            break
    else:
        pytest.fail("the query goes on")
    session.close()
