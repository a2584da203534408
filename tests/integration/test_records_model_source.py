"""Models written from files: they compile, please a linter, and accept every row of their file."""

import csv
import json
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyhold import CSVOutputAdapter, Pipe, open_input, open_store
from skyhold.cli.application import run
from skyhold.errors import BadOptionError
from skyhold.records.modelling.finding import find_kinds
from skyhold.records.modelling.source import model_source

NESTED = pa.table(
    {
        "a b": pa.array([{"x": 1, "class": "q"}, None]),
        "items": pa.array([[{"y": 1.5, "deep": {"z": [True]}}], [{"y": None, "deep": {"z": []}}]]),
        "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        "price": pa.array([Decimal("1.50"), None], pa.decimal128(10, 2)),
        "naive": pa.array([datetime(2026, 1, 1), None], pa.timestamp("us")),  # noqa: DTZ001 - without zone on purpose
        "aware": pa.array([datetime(2026, 1, 1, tzinfo=UTC)] * 2, pa.timestamp("us", tz="Europe/Berlin")),
        "big": pa.array([2**63 + 1, 1], pa.uint64()),
        "bytes": pa.array([b"ab", b""]),
        "time": pa.array([time(1, 2)] * 2),
        "length": pa.array([timedelta(1)] * 2),
        "kind": pa.array(["a", "b"]).dictionary_encode(),
        "never": pa.nulls(2),
        "schema": pa.array([1, 2], pa.int8()),
        "pair": pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)),
        "model_x": pa.array([date(2026, 1, 2)] * 2),
        "date": pa.array([date(2026, 1, 2), None]),
        "l": pa.array([1.5, float("nan")]),
        "ﬁ": pa.array(["x", "y"]),
        "_": pa.array(["x", "y"]),
        '"quoted\\"': pa.array(["x", "y"]),
        "9": pa.array(["x", "y"]),
        "a-b": pa.array(["x", "y"]),
    }
)
CSV = """id,first name,class,date,amount,when,zip,flag,ts,int,exact,empty,mixed,uuid
1,Ada,x,2026-01-02,1.5,2026-01-02 03:04:05,007,true,2026-01-02T03:04:05Z,5,1.2345678901234567,,1,\
6f1c1b9e-0000-4000-8000-000000000001
2,,y,2026-01-03,2,2026-01-02 03:04:06,123,false,2026-01-02T03:04:05+02:00,,2.5,,x,6f1c1b9e-0000-4000-8000-000000000002
"""
JSONL = [
    {"a": 1, "b": {"x": [1, 2.5]}, "on": "2026-01-01", "mixed": 1, "none": None, "free": {}},
    {"a": 12345678901234567890, "b": {"x": [], "y y": True}, "mixed": "x", "none": None, "free": {}},
    {"a": 3, "b": None, "on": None, "mixed": [1], "none": None, "free": {}, "at": "2026-01-01T00:00:00Z"},
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    pq.write_table(NESTED, "in.parquet")
    (tmp_path / "in.csv").write_text(CSV)
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in JSONL))
    return tmp_path


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_file_satisfies_the_model_that_was_written_from_it(
    folder: Path, capsys: pytest.CaptureFixture[str], suffix: str
):
    assert run(["schema", f"in.{suffix}", "--name", "Made"]) == 0
    (folder / "made.py").write_text(capsys.readouterr().out)
    ruff = [sys.executable, "-m", "ruff"]
    for check in (["check", "--isolated", "--select", "E,F,I,UP,W,B"], ["format", "--isolated", "--check"]):
        done = subprocess.run([*ruff, *check, "made.py"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert run(["convert", f"in.{suffix}", "out.parquet", "--schema", "made.py:Made", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert (summary["rows_rejected"], summary["rejects"]) == (0, [])


def made_from(uri: str, **options: Any) -> str:
    with open_input(uri, **options).open(lambda store: store) as stream:
        return model_source(find_kinds(stream, None).members, name="Row", about="Rows.")


def lines_of(source: str) -> set[str]:
    return {line.strip() for line in source.splitlines()}


def test_text_becomes_a_type_only_where_nothing_of_it_is_lost(folder: Path):
    assert lines_of(made_from("in.csv")) >= {
        "id: int",
        'first_name: str | None = Field(None, alias="first name")',
        'class_: str = Field(alias="class")',
        "date: dt.date",
        "amount: float",
        "when: NaiveDatetime",
        "zip: str",
        "flag: bool",
        "ts: AwareDatetime",
        'int_: int | None = Field(None, alias="int")',
        "exact: Annotated[Decimal, Field(max_digits=17, decimal_places=16)]",
        "empty: str | None = None",
        "mixed: str",
        "uuid: UUID",
    }


def test_typed_columns_keep_their_types_and_nulls_make_fields_optional(folder: Path):
    assert lines_of(made_from("in.parquet")) >= {
        'a_b: AB | None = Field(None, alias="a b")',
        "items: list[Items]",
        "y: float | None = None",
        "z: list[bool]",
        "map: dict[str, int | None]",
        "price: Annotated[Decimal, Field(max_digits=10, decimal_places=2)] | None = None",
        "naive: NaiveDatetime | None = None",
        "aware: AwareDatetime",
        "big: Annotated[Decimal, Field(max_digits=20, decimal_places=0)]",
        "length: dt.timedelta",
        "never: Any = None",
        'the_model_x: dt.date = Field(alias="model_x")',
        'a_b_2: str = Field(alias="a-b")',
        'column_9: str = Field(alias="9")',
    }


def test_values_of_json_that_have_nothing_in_common_may_be_anything(folder: Path):
    assert lines_of(made_from("in.jsonl")) >= {
        "a: Annotated[Decimal, Field(max_digits=20, decimal_places=0)]",
        "x: list[float]",
        'y_y: bool | None = Field(None, alias="y y")',
        "b: B | None = None",
        "on: dt.date | None = None",
        "at: AwareDatetime | None = None",
        "mixed: Any",
        "free: dict[str, Any]",
    }


def test_rows_that_were_not_seen_may_have_the_nulls_that_the_schema_allows(folder: Path):
    pq.write_table(pa.table({"n": pa.array([1] * 300_000)}), "n.parquet")
    with open_input("n.parquet").open(lambda store: store) as stream:
        found = find_kinds(stream, 10)
    assert (found.is_whole, found.members["n"].optional) == (False, True)
    with open_input("n.parquet").open(lambda store: store) as stream:
        found = find_kinds(stream, None)
    assert (found.is_whole, found.rows, found.members["n"].optional) == (True, 300_000, False)


@pytest.mark.parametrize("name", ["class", "two words", "Any", "list", ""])
def test_a_model_has_a_name_that_python_takes(name: str):
    with pytest.raises(BadOptionError):
        model_source({}, name=name, about="x")


CELLS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
    st.from_regex(
        r"-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True, alphabet=st.characters(codec="ascii")
    ),
    st.from_regex(
        r"(0000|2026|9999)-(0[0-9]|1[0-3])-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9](Z|[+-][0-9]{2}:[0-9]{2})?)?",
        fullmatch=True,
    ),
    st.sampled_from(
        ["", "true", "False", "nan", "inf", "-0", "+1", "007", "1e5", " 1", "1_000", "24:00", "12:30", "0.1"]
    ),
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=100)
@given(columns=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=3))
def test_any_text_satisfies_the_model_that_was_written_from_it(columns: list[list[str]], tmp_path: Path):
    names = [f"c{number}" for number in range(len(columns))]
    with (tmp_path / "any.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([names, *zip(*columns, strict=True)])
    source = made_from(str(tmp_path / "any.csv"))
    space: dict[str, Any] = {"__name__": "made"}
    exec(compile(source, "made", "exec"), space)
    space["Row"].model_rebuild(_types_namespace=space)
    open_store("memory://any-text")
    report = Pipe(
        input_adapter=open_input(str(tmp_path / "any.csv")),
        output_adapter=CSVOutputAdapter("memory://any-text/out.csv"),
        schema_model=space["Row"],
    ).run()
    assert report.rejects == (), source
