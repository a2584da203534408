"""The model's types in every format, with the model's own description beside them."""

import csv
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, Json, RootModel, computed_field

from skyhold import (
    ArrowInputAdapter,
    ArrowOutputAdapter,
    ColumnType,
    CSVInputAdapter,
    CSVOutputAdapter,
    JSONInputAdapter,
    JSONOutputAdapter,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    Pipe,
)
from skyhold.records.report import Report


class State(Enum):
    NEW = "new"
    SOLD = "sold"


class Size(BaseModel):
    width: int
    unit: Literal["mm", "in"] = "mm"


class Thing(BaseModel):
    state: State | None
    grade: Literal["a", "b"]
    number: Annotated[int, ColumnType(pa.decimal128(38, 0))]
    weight: Annotated[float, ColumnType(pa.float32())]
    price: Annotated[Decimal, Field(max_digits=9, decimal_places=2)]
    at: AwareDatetime
    day: date
    clock: time
    lasts: timedelta
    raw: bytes
    size: Json[Size]
    tags: Json[list[str]]
    stock: Json[dict[str, int]]
    note: str | None

    @computed_field
    @property
    def label(self) -> Literal["cheap", "dear"]:
        return "dear" if self.price > 10 else "cheap"


TEXTS = pa.dictionary(pa.int32(), pa.string())
ROWS = r"""state|grade|number|weight|price|at|day|clock|lasts|raw|size|tags|stock|note
new|a|12345678901234567890|0.5|1.10|2024-05-01T10:00:00+02:00|2024-05-01|10:30:00.5|P1DT1S|abc|{"width": 3}|["x", "y"]|{"a": 1, "b": 2}|
|b|-1|-2|999.99|2024-05-01T10:00:00Z|0001-01-01|23:59:59|-PT1S||{"width": 1, "unit": "in"}|[]|{}|x
sold|b|+7|0|1e1|2024-05-01T10:00:00Z|2024-02-29|00:00|PT0.000001S|ż|{"width": 1}|[]|{"": 0}|x
"""  # noqa: E501
EXPECTED = [
    {"state": "new", "grade": "a", "number": Decimal(12345678901234567890), "weight": 0.5, "price": Decimal("1.10"),
     "at": datetime(2024, 5, 1, 8, tzinfo=UTC), "day": date(2024, 5, 1), "clock": time(10, 30, 0, 500_000),
     "lasts": timedelta(days=1, seconds=1), "raw": b"abc", "size": {"width": 3, "unit": "mm"}, "tags": ["x", "y"],
     "stock": {"a": 1, "b": 2}, "note": None, "label": "cheap"},
    {"state": None, "grade": "b", "number": Decimal(-1), "weight": -2.0, "price": Decimal("999.99"),
     "at": datetime(2024, 5, 1, 10, tzinfo=UTC), "day": date(1, 1, 1), "clock": time(23, 59, 59),
     "lasts": timedelta(seconds=-1), "raw": b"", "size": {"width": 1, "unit": "in"}, "tags": [],
     "stock": {}, "note": "x", "label": "dear"},
    {"state": "sold", "grade": "b", "number": Decimal(7), "weight": 0.0, "price": Decimal("10.00"),
     "at": datetime(2024, 5, 1, 10, tzinfo=UTC), "day": date(2024, 2, 29), "clock": time(0),
     "lasts": timedelta(microseconds=1), "raw": "ż".encode(), "size": {"width": 1, "unit": "mm"}, "tags": [],
     "stock": {"": 0}, "note": "x", "label": "cheap"},
]  # fmt: skip


def convert(source: Path, output: Any, model: Any = Thing, **more: Any) -> Report:
    return Pipe(input_adapter=CSVInputAdapter(source), output_adapter=output, schema_model=model, **more).run()


@pytest.fixture
def things(tmp_path: Path) -> Path:
    path = tmp_path / "things.csv"
    with path.open("w") as file:
        csv.writer(file).writerows(line.split("|") for line in ROWS.splitlines())
    return path


def read_parquet(path: Path) -> pa.Table:
    return pq.read_table(path)


def read_arrow(path: Path) -> pa.Table:
    with pa.ipc.open_file(path) as reader:
        return reader.read_all()


COLUMNAR: dict[str, tuple[Any, Any, Callable[[Path], pa.Table]]] = {
    "parquet": (ParquetOutputAdapter, ParquetInputAdapter, read_parquet),
    "arrow": (ArrowOutputAdapter, ArrowInputAdapter, read_arrow),
}


@pytest.mark.parametrize("form", COLUMNAR)
def test_columnar_files_keep_every_type_of_a_model_and_its_description(form: str, things: Path, tmp_path: Path) -> None:
    write, _, read = COLUMNAR[form]
    path = tmp_path / f"things.{form}"
    report = convert(things, write(path))
    assert (report.success_count, report.total_errors) == (3, 0)
    table = read(path)
    assert table.to_pylist(maps_as_pydicts="strict") == EXPECTED
    assert table.column_names == [*Thing.model_fields, "label"]
    types = {field.name: field.type for field in table.schema}
    assert types["state"] == types["grade"] == types["label"] == TEXTS
    assert types["number"] == pa.decimal128(38, 0)
    assert types["weight"] == pa.float32()
    assert types["price"] == pa.decimal128(9, 2)
    assert types["at"] == pa.timestamp("us", "UTC")
    assert pa.types.is_map(types["stock"])
    assert pa.types.is_struct(types["size"])
    assert [field.name for field in table.schema if field.nullable] == ["state", "note"]
    assert table.schema.metadata[b"skyhold.model"].endswith(b":Thing")
    described = json.loads(table.schema.metadata[b"skyhold.json_schema"])
    assert [*described["properties"]] == table.column_names
    assert described["properties"]["label"]["enum"] == ["cheap", "dear"]


@pytest.mark.parametrize("form", COLUMNAR)
def test_a_columnar_file_goes_on_as_it_is(form: str, things: Path, tmp_path: Path) -> None:
    write, read, load = COLUMNAR[form]
    first, second, third = (tmp_path / f"{name}.{form}" for name in ("first", "second", "third"))
    convert(things, write(first))

    def keep(row: dict[str, Any]) -> dict[str, Any]:
        return row

    Pipe(input_adapter=read(first), output_adapter=write(second), after_validation=keep).run()
    assert load(second).equals(load(first), check_metadata=True)

    class Again(Thing):
        size: Size
        tags: list[str]
        stock: dict[str, int]

    report = Pipe(
        input_adapter=read(first), output_adapter=write(third), schema_model=Again, after_validation=keep
    ).run()
    assert report.total_errors == 0
    assert load(third).equals(load(first))
    assert load(third).schema.metadata[b"skyhold.model"].endswith(b".Again")


def test_json_has_the_types_that_it_knows_and_reads_back_the_same(things: Path, tmp_path: Path) -> None:
    lines, again = tmp_path / "things.jsonl", tmp_path / "again.jsonl"
    convert(things, JSONOutputAdapter(lines))
    row = json.loads(lines.read_text().splitlines()[0])
    assert (row["state"], row["grade"], row["label"]) == ("new", "a", "cheap")
    assert (row["number"], row["weight"], row["price"]) == (12345678901234567890, 0.5, "1.10")
    assert (row["size"], row["tags"], row["stock"]) == ({"width": 3, "unit": "mm"}, ["x", "y"], {"a": 1, "b": 2})

    class Again(Thing):
        size: Size
        tags: list[str]
        stock: dict[str, int]
        raw: bytes
        model_config = ConfigDict(val_json_bytes="base64")

    report = Pipe(
        input_adapter=JSONInputAdapter(lines), output_adapter=JSONOutputAdapter(again), schema_model=Again
    ).run()
    assert report.total_errors == 0
    assert again.read_bytes() == lines.read_bytes()


def test_csv_has_the_texts_of_members_and_exact_numbers(things: Path, tmp_path: Path) -> None:
    class Flat(BaseModel):
        state: State | None
        number: Annotated[int, ColumnType(pa.decimal128(38, 0))]
        price: Annotated[Decimal, Field(max_digits=9, decimal_places=2)]
        stock: Annotated[Json[dict[str, int]], ColumnType(pa.string())]

    path = tmp_path / "flat.csv"
    convert(things, CSVOutputAdapter(path), Flat)
    with path.open() as file:
        rows = [*csv.reader(file)]
    assert rows[1:] == [
        ["new", "12345678901234567890", "1.10", '{"a":1,"b":2}'],
        ["", "-1", "999.99", "{}"],
        ["sold", "7", "10.00", '{"":0}'],
    ]


def test_what_a_column_cannot_hold_is_rejected_and_the_rest_is_written(tmp_path: Path) -> None:
    class Account(BaseModel):
        number: int
        share: Annotated[float, ColumnType(pa.float32())]
        price: Decimal

    source, output, errors = (tmp_path / name for name in ("in.csv", "out.parquet", "errors.jsonl"))
    source.write_text("number,share,price\n1,0.5,1\n9223372036854775808,0.5,1\n1,0.1,1\n1,0.5,0.1234567890123456789\n")
    report = convert(source, ParquetOutputAdapter(output), Account, error_output_adapter=JSONOutputAdapter(errors))
    assert (report.success_count, report.total_errors) == (1, 3)
    found = [json.loads(line) for line in errors.read_text().splitlines()]
    assert [(row["row_number"], row["field"], row["error_type"]) for row in found] == [
        (2, "$.number", "output_overflow"),
        (3, "$.share", "output_overflow"),
        (4, "$.price", "output_overflow"),
    ]
    assert "does not fit in int64" in found[0]["message"]


def test_a_root_model_of_a_record_is_that_record(tmp_path: Path) -> None:
    class Sized(RootModel[Size]):
        pass

    class Checked(RootModel[Annotated[Size, AfterValidator(refuse_wide)]]):
        pass

    source, output = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("width,unit\n1,mm\n200,in\nx,in\n")
    for model, written in ((Sized, [1, 200]), (Checked, [1])):
        pipe = Pipe(
            input_adapter=CSVInputAdapter(source), output_adapter=ParquetOutputAdapter(output), schema_model=model
        )
        routes = {route.route for route in pipe.explain()}
        assert routes == ({"kernel"} if model is Sized else {"row"})
        assert pipe.run().success_count == len(written)
        assert pq.read_table(output).column("width").to_pylist() == written


def refuse_wide(size: Size) -> Size:
    if size.width > 100:
        raise ValueError("too wide")
    return size


def test_a_strict_model_takes_text_for_text_alone(tmp_path: Path) -> None:
    class Strict(BaseModel):
        model_config = ConfigDict(strict=True)
        name: str
        count: int | None

    texts, lines, output = tmp_path / "in.csv", tmp_path / "in.jsonl", tmp_path / "out.parquet"
    texts.write_text("name,count\na,1\nb,\n")
    lines.write_text('{"name": "a", "count": 1}\n{"name": "b", "count": "1"}\n')
    pipe = Pipe(input_adapter=CSVInputAdapter(texts), output_adapter=ParquetOutputAdapter(output), schema_model=Strict)
    assert {route.reason for route in pipe.explain()} == {"config 'strict'"}
    report = pipe.run()
    assert [(group.field, group.type, group.count) for group in report.rejects] == [("$.count", "int_type", 1)]
    assert pq.read_table(output).to_pylist() == [{"name": "b", "count": None}]
    Pipe(input_adapter=JSONInputAdapter(lines), output_adapter=ParquetOutputAdapter(output), schema_model=Strict).run()
    assert pq.read_table(output).to_pylist() == [{"name": "a", "count": 1}]


def test_a_model_without_a_json_schema_is_described_by_its_name(tmp_path: Path) -> None:
    class Own:
        pass

    class Odd(BaseModel):
        model_config = ConfigDict(arbitrary_types_allowed=True)
        width: int
        own: Own | None = None

    source, output = tmp_path / "in.csv", tmp_path / "out.parquet"
    source.write_text("width\n1\n")
    convert(source, ParquetOutputAdapter(output), Odd)
    metadata = pq.read_schema(output).metadata
    assert metadata[b"skyhold.model"].endswith(b"Odd")
    assert b"skyhold.json_schema" not in metadata
