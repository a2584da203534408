"""Every database keeps the same promises: values exactly, all rows or none, names as they are."""

import datetime as dt
import io
import signal
import subprocess
import sys
import textwrap
import weakref
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, Field

from conftest import make_bucket
from skyhold import ParquetOutputAdapter, Pipe, SQLInputAdapter, SQLOutputAdapter
from skyhold.errors import AlreadyExistsError, BadOptionError, BadUriError, KeyNotFoundError, SchemaError
from skyhold.records.formats.sql.address import parse_table
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer
from sql_tables import batches, count, fresh, rows, write

COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "small": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "real": (pa.float64(), st.floats(allow_nan=False)),
    "truth": (pa.bool_(), st.booleans()),
    'text "of" é': (pa.string(), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    "money": (pa.decimal128(24, 4), st.decimals(min_value=-(10**19), max_value=10**19, places=4)),
    "select": (pa.date32(), st.dates()),
    "moment": (pa.timestamp("us"), st.datetimes()),
    "instant": (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(dt.UTC))),
    "clock": (pa.time64("us"), st.times()),
    "raw": (pa.binary(), st.binary()),
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in COLUMNS.items()])
ROWS = st.lists(st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()}), max_size=9)


@pytest.fixture(scope="session", params=["postgresql", "sqlite", "duckdb", "postgresql+psycopg", "sqlite+pysqlite"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    if request.param.startswith("postgresql"):
        return request.getfixturevalue("postgres").endpoint.replace("postgresql:", f"{request.param}:")
    return f"{request.param}:///{tmp_path_factory.mktemp('databases') / 'data.db'}"


@given(data=ROWS)
def test_values_come_back_as_they_were(database: str, data: list[dict[str, Any]]):
    table = pa.Table.from_pylist(data, SCHEMA)
    assert write(database, 'round "trip"', table, mode="replace")[0].rows == len(data)
    with SQLInputAdapter(database, 'round "trip"').open(lambda store: store) as stream:
        found = [batch.data for batch in stream.batches()]
        kinds = {field.name: field.type for field in stream.schema}
    assert pa.Table.from_batches(found, stream.schema).cast(SCHEMA).equals(table)
    kinds["small"] = pa.int16() if kinds["small"] == pa.int64() else kinds["small"]  # SQLite knows one size
    assert pa.schema(list(kinds.items())) == SCHEMA


def test_a_closed_input_lets_go_of_what_gives_its_rows(database: str):
    name = fresh()
    write(database, name, [{"id": 1}])
    stream = SQLInputAdapter(database, name).open(lambda store: store)
    given = weakref.ref(stream._rows)
    stream.close()
    assert given() is None
    assert list(stream.batches()) == []


def test_each_mode_does_what_it_says(database: str):
    name = fresh()
    first, second = [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}], [{"id": 3, "v": "c"}]
    written = write(database, name, first)
    assert (written[0].rows, written[0].info) == (2, None)
    write(database, name, second)
    assert rows(database, name) == first + second
    for mode in ("create", "fail"):
        with pytest.raises(AlreadyExistsError, match=name) as caught:
            write(database, name, second, mode=mode)
        assert "mode='append'" in caught.value.remedy
    write(database, name, [{"other": True}], mode="replace")
    assert rows(database, name) == [{"other": True}]
    write(database, name + "x", second, mode="create")
    assert rows(database, name + "x") == second


def test_upsert_updates_what_is_there_and_the_last_of_equal_keys_counts(database: str):
    name = fresh()
    write(database, name, [{"k": 1, "p": "x", "v": 1}, {"k": 2, "p": "x", "v": 2}], mode="upsert", key=("k", "p"))
    more = [{"k": 2, "p": "x", "v": 20}, {"k": 2, "p": "y", "v": 3}, {"k": 2, "p": "x", "v": 21}]
    assert write(database, name, more, mode="upsert", key=["p", "k"])[0].rows == 3
    assert sorted((row["k"], row["p"], row["v"]) for row in rows(database, name)) == [
        (1, "x", 1),
        (2, "x", 21),
        (2, "y", 3),
    ]
    write(database, name, [{"k": 1, "p": "x"}, {"k": 9, "p": "z"}], mode="upsert", key=("k", "p"))
    assert count(database, name) == 4, "a row that is only key changes nothing, or is new"
    with pytest.raises(SchemaError, match=r"'v'|constraint|CONSTRAINT") as caught:
        write(database, name, more, mode="upsert", key="v")
    assert "unique" in caught.value.remedy.lower() or "UNIQUE" in caught.value.remedy


def test_append_looks_at_columns_and_types_before_the_first_row(database: str):
    name = fresh()
    write(database, name, [{"id": 1, "word": "a"}])
    for wrong, said in (({"id": "one"}, "'id' is string"), ({"nope": 1}, "no column 'nope'"), ({"id": 1.5}, "'id'")):
        with pytest.raises(SchemaError, match=said):
            SQLOutputAdapter(database, name).open(pa.Table.from_pylist([wrong]).schema, lambda store: store)
    write(database, name, [{"word": "b"}, {"word": None}])
    assert rows(database, name) == [{"id": 1, "word": "a"}, {"id": None, "word": "b"}, {"id": None, "word": None}]


@pytest.mark.parametrize("mode", ["append", "replace", "upsert"])
def test_a_failure_in_the_middle_leaves_the_table_as_it_was(database: str, mode: str):
    name, options = fresh(), {"key": "id"} if mode == "upsert" else {}
    write(database, name, [{"id": 1}], **({"mode": "upsert", "key": "id"} if options else {}))
    stream = SQLOutputAdapter(database, name, mode=mode, batch_size=10, **options).open(  # type: ignore[arg-type]
        pa.schema([("id", pa.int64())]), lambda store: store
    )
    for start in range(2, 102, 20):
        stream.write(pa.RecordBatch.from_pydict({"id": list(range(start, start + 20))}))
        assert rows(database, name) == [{"id": 1}], "nobody sees rows before the end"
    stream.abort()
    assert rows(database, name) == [{"id": 1}]


_KILLED = """
import itertools, os, pyarrow as pa
from skyhold import SQLOutputAdapter
stream = SQLOutputAdapter({uri!r}, {name!r}, mode="replace", batch_size=100).open(pa.schema([("id", pa.int64())]), None)
for start in itertools.count():
    stream.write(pa.RecordBatch.from_pydict({{"id": list(range(100))}}))
    if start == 20:
        print("halfway", flush=True)
"""


def test_a_killed_process_leaves_the_old_table(database: str):
    name = fresh()
    write(database, name, [{"id": 1}, {"id": 2}])
    code = textwrap.dedent(_KILLED.format(uri=database, name=name))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "halfway\n"
        process.send_signal(signal.SIGKILL)
    assert rows(database, name) == [{"id": 1}, {"id": 2}]
    write(database, name, [{"id": 3}], mode="replace")
    assert rows(database, name) == [{"id": 3}], "and nothing bars the next run"


def test_rows_are_numbered_cut_and_limited(database: str):
    name = fresh()
    write(database, name, [{"n": n} for n in range(2500)])
    found = batches(database, name, batch_size=1000)
    assert [(batch.first_row, batch.data.num_rows) for batch in found] == [(1, 1000), (1001, 1000), (2001, 500)]
    for asked in ({"table": name}, {"query": f'SELECT n FROM "{name}" ORDER BY n; '.replace("; ", "")}):
        found = batches(database, batch_size=1000, limit=1700, **asked)
        assert [row["n"] for batch in found for row in batch.data.to_pylist()] == list(range(1700))
    assert rows(database, name, limit=0) == []
    assert sorted(row["n"] for row in rows(database, name, partition_on="n", partitions=3)) == list(range(2500))


def test_a_pipe_may_replace_the_table_it_reads(database: str):
    name = fresh()
    write(database, name, [{"n": n} for n in range(5000)])
    for limit in (None, 100):
        Pipe(
            input_adapter=SQLInputAdapter(database, name, limit=limit),
            output_adapter=SQLOutputAdapter(database, name, mode="replace"),
        ).run()
        assert count(database, name) == (limit or 5000)


def test_what_is_missing_is_an_error_and_never_empty(database: str):
    with pytest.raises(KeyNotFoundError, match="no_such_table") as caught:
        rows(database, "no_such_table")
    assert "table_name" in caught.value.remedy
    with pytest.raises(BadOptionError, match="syntax"):
        rows(database, query="SELEC 1")
    with pytest.raises(SchemaError, match="several columns named 'a'"):
        rows(database, query="SELECT 1 AS a, 2 AS a")
    write(database, name := fresh(), pa.table({"n": pa.array([], pa.int64())}))
    assert rows(database, name) == []


class Sale(BaseModel):
    order_id: int
    revenue: Decimal = Field(gt=0, max_digits=12, decimal_places=2)
    at: AwareDatetime
    note: str | None


def test_a_pipe_goes_through_a_model_to_parquet_and_back(database: str, moto: LocalServer):
    name, base = fresh("sales"), f"s3://{make_bucket(moto)}"
    day = dt.datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=dt.UTC)
    sales = [{"order_id": n, "revenue": Decimal(n), "at": day, "note": None if n % 2 else f"n{n}"} for n in range(1000)]
    write(database, name, pa.Table.from_pylist(sales))
    report = Pipe(
        input_adapter=SQLInputAdapter(database, table_name=name),
        output_adapter=ParquetOutputAdapter(f"{base}/sales.parquet", **dict[str, Any](moto.options)),
        error_output_adapter=SQLOutputAdapter(database, f"{name}_rejected"),
        schema_model=Sale,
    ).run()
    assert (report.total_processed, report.success_count, report.total_errors) == (1000, 999, 1)
    rejected = rows(database, f"{name}_rejected")
    assert [(row["row_number"], row["field"]) for row in rejected] == [(1, "$.revenue")]
    kept = pq.read_table(io.BytesIO(open_store(base, **moto.options).read("sales.parquet")))
    assert kept.to_pylist() == sales[1:]
    write(database, name, kept, mode="replace")
    assert rows(database, name) == sales[1:]
    assert report.receipt is not None
    assert report.receipt.inputs[0].uri == SQLInputAdapter(database, table_name=name).uri


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"table_name": "t", "query": "SELECT 1"},
        {"table_name": ""},
        {"table_name": "a.b.c"},
        {"table_name": "a\0"},
        {"table_name": "t", "limit": -1},
        {"table_name": "t", "batch_size": 0},
    ],
)
def test_an_input_says_which_option_is_wrong(options: dict[str, Any]):
    with pytest.raises(BadOptionError):
        SQLInputAdapter("sqlite:///x.db", **options)


def test_an_output_says_which_option_is_wrong():
    wrong: list[dict[str, Any]] = [{"mode": "overwrite"}, {"mode": "upsert"}, {"key": "id"}, {"batch_size": 0}]
    for options in wrong:
        with pytest.raises(BadOptionError):
            SQLOutputAdapter("sqlite:///x.db", "t", **options)
    with pytest.raises(BadOptionError, match="'nope'"):
        write("sqlite:///:memory:", "t", [{"id": 1}], mode="upsert", key="nope")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "host=h password=hush",
        "postgresql://u:hu/sh@h/d",
        "postgresql://u:12/hush@h/d",
        "postgresql://u:12?hush@h/d",
        "postgresql://u:hush#1@h/d",
        "postgresql://u:hush?@h/d",
        "postgresql://u:hush@h:port/d",
        "redis://u:hush@h/d",
        "mysql+pymysql://u:hu/sh@h/d",
        "sqlite://x.db",
        "sqlite:///x.db?mode=hush",
    ],
)
def test_a_uri_that_cannot_be_read_is_not_repeated(uri: str):
    with pytest.raises(BadUriError) as caught:
        SQLInputAdapter(uri, "t")
    assert uri.startswith("sqlite") or "hu" not in str(caught.value)


@given(name=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_a_table_in_quotes_is_that_name(name: str):
    assert parse_table('"' + name.replace('"', '""') + '"').name == name


def test_a_database_file_that_is_none_is_told(tmp_path: Path):
    (tmp_path / "x.db").write_text("not a database, but a text that is long enough to look at")
    with pytest.raises(ValueError, match="not a database"):
        rows(f"sqlite:///{tmp_path}/x.db", "t")
