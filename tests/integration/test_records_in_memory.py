"""Arrow data and Python objects in this process are read and written as files are: exactly, and whole or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from conftest import make_bucket
from skyhold import (
    ArrowStreamInputAdapter,
    ArrowTableOutputAdapter,
    CSVInputAdapter,
    JSONInputAdapter,
    ParquetOutputAdapter,
    Pipe,
    PythonInputAdapter,
    PythonOutputAdapter,
)
from skyhold.errors import BadOptionError, MalformedInputError, PipeStateError, RejectLimitError, UnwritableValueError
from skyhold.records.formats.adapter import InputAdapter
from skyhold.records.report import Report
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


class Person(BaseModel):
    name: str
    age: int = Field(ge=0)


def _run(source: InputAdapter, **options: Any) -> tuple[Report, ArrowTableOutputAdapter, ArrowTableOutputAdapter]:
    output, errors = ArrowTableOutputAdapter(), ArrowTableOutputAdapter(name="errors")
    report = Pipe(input_adapter=source, output_adapter=output, error_output_adapter=errors, **options).run()
    return report, output, errors


def _csv(text: str) -> CSVInputAdapter:
    uri = f"memory://in-memory-{uuid4().hex}/in.csv"
    open_store(uri.rpartition("/")[0]).write("in.csv", text.encode())
    return CSVInputAdapter(uri)


def _broken_reader() -> pa.RecordBatchReader:
    def batches() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"a": [1]})
        raise LookupError("the sensor is gone")

    return pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())


def test_an_arrow_table_passes_through_a_pipe_without_being_copied():
    table = pa.table({"n": pa.array(range(200_000), pa.int32()), "s": ["x"] * 200_000})
    _, output, _ = _run(ArrowStreamInputAdapter(table))
    assert output.table.equals(table)
    assert output.table["n"].num_chunks == 4
    assert output.table["n"].chunk(0).buffers()[1].address == table["n"].chunk(0).buffers()[1].address


def test_a_polars_frame_is_validated_and_what_is_left_becomes_a_frame_again():
    frame = pl.DataFrame({"name": ["Ada", "Bob", "Eve"], "age": [36, -1, 7]})
    report, output, errors = _run(ArrowStreamInputAdapter(frame, name="people"), schema_model=Person)
    assert pl.DataFrame(output).rows() == [("Ada", 36), ("Eve", 7)]
    assert pl.DataFrame(errors).select("source", "row_number", "field").rows() == [("people", 2, "$.age")]
    assert report.receipt is not None
    assert [(each.uri, each.rows) for each in report.receipt.inputs] == [("people", 3)]
    assert [(each.uri, each.rows) for each in report.receipt.outputs] == [("errors", 1), ("arrow table", 2)]


def test_layouts_that_arrow_cannot_work_on_become_plain_and_keep_their_values():
    views = pa.array(["a", None, "b" * 50, "c"], pa.string_view())
    table = pa.table(
        {
            "runs": pa.RunEndEncodedArray.from_arrays([3, 4], views.slice(1, 2)),
            "bytes": pa.array([b"1", None, b"2" * 50, b""], pa.binary_view()),
            "lists": pa.ListArray.from_arrays([0, 1, 1, 3, 4], views),
            "structs": pa.StructArray.from_arrays([views], ["x"], mask=pa.array([False, True, False, False])),
            "words": pa.DictionaryArray.from_arrays(pa.array([3, None, 0, 2], pa.int32()), views),
            "maps": pa.MapArray.from_arrays([0, 1, 1, 2, 3], pa.array(["k", "l", "m"], pa.string_view()), [1, 2, 3]),
        }
    )
    _, output, _ = _run(ArrowStreamInputAdapter(table.slice(1)))
    assert output.table.to_pylist() == table.to_pylist()[1:]
    assert "view" not in str(output.table.schema)
    assert "run_end" not in str(output.table.schema)
    assert output.table.combine_chunks().validate(full=True) is None
    assert output.table.take(pa.array([2, 0])).num_rows == 2


def test_rows_of_a_large_table_are_counted_through_all_its_pieces():
    rows = 150_000
    table = pa.table({"name": ["x"] * rows, "age": [*range(rows - 1), -1]})
    _, output, errors = _run(ArrowStreamInputAdapter(table), schema_model=Person)
    assert output.table.num_rows == rows - 1
    assert errors.table["row_number"].to_pylist() == [rows]


def test_one_batch_is_read_and_a_column_is_not_mistaken_for_rows():
    _, output, _ = _run(ArrowStreamInputAdapter(pa.record_batch({"a": [1, None]})))
    assert output.table.to_pydict() == {"a": [1, None]}
    with pytest.raises(BadOptionError, match="'arrow' cannot be read as rows"):
        _run(ArrowStreamInputAdapter(pa.chunked_array([[1]])))
    with pytest.raises(BadOptionError, match="a list hands over no Arrow data"):
        ArrowStreamInputAdapter([{"a": 1}])


def test_a_reader_is_read_once_and_never_taken_for_an_empty_one():
    reader = pa.table({"name": ["Ada"], "age": [1]}).to_reader()
    source = ArrowStreamInputAdapter(reader)
    pipe = Pipe(input_adapter=source, output_adapter=ArrowTableOutputAdapter(), schema_model=Person)
    assert [route.field for route in pipe.explain()] == ["name", "age"]
    assert pipe.run().total_processed == 1
    with pytest.raises(PipeStateError, match="gives its rows once"):
        _run(source)


def test_an_error_of_the_reader_fails_the_pipe_as_it_is():
    with pytest.raises(LookupError, match="the sensor is gone"):
        _run(ArrowStreamInputAdapter(_broken_reader()))


def test_an_arrow_stream_without_rows_keeps_its_columns():
    _, output, _ = _run(ArrowStreamInputAdapter(pl.DataFrame(schema={"a": pl.Int8, "b": pl.Datetime("ns", "UTC")})))
    assert output.table.num_rows == 0
    assert output.table.schema.types == [pa.int8(), pa.timestamp("ns", "UTC")]


def test_a_table_appears_when_the_pipe_is_complete_and_stays_when_one_fails():
    output = ArrowTableOutputAdapter(name="people")
    with pytest.raises(PipeStateError, match="'people' holds no table yet"):
        output.table  # noqa: B018 - asking is the test
    good = Pipe(input_adapter=_csv("name,age\nAda,1\n"), output_adapter=output, schema_model=Person)
    good.run()
    bad = Pipe(input_adapter=_csv("name,age\nAda,-1\n"), output_adapter=output, schema_model=Person, max_errors=0)
    with pytest.raises(RejectLimitError):
        bad.run()
    assert output.table.to_pylist() == [{"name": "Ada", "age": 1}]


def test_any_input_is_an_arrow_stream_and_says_which_row_it_cannot_read():
    assert pl.DataFrame(_csv("a,b\n1,x\n2,y\n")).rows() == [("1", "x"), ("2", "y")]
    with pytest.raises(MalformedInputError, match=r"row 2 of .*in\.csv.* expected 2 columns, found 1: 'oops'"):
        _csv("a,b\n1,x\noops\n").to_reader().read_all()
    with pytest.raises(pl.exceptions.ComputeError, match="row 1 of"):
        pl.DataFrame(_csv("a,b\noops\n"))


def test_lines_of_json_are_a_stream_with_the_columns_of_their_first_lines():
    base = f"memory://in-memory-{uuid4().hex}"
    open_store(base).write("good.jsonl", b'{"a": 1}\n{"a": null}\n')
    open_store(base).write("bad.jsonl", b'{"a": 1}\n\n{"a": "x"}\n')
    assert pl.DataFrame(JSONInputAdapter(f"{base}/good.jsonl")).rows() == [(1,), (None,)]
    reader = JSONInputAdapter(f"{base}/bad.jsonl", sample_rows=1).to_reader()
    with pytest.raises(MalformedInputError, match=r"row 2 of .*bad\.jsonl.* str value 'x' is not an int"):
        reader.read_all()


def test_a_frame_is_written_to_a_bucket_and_what_lies_there_becomes_a_frame(moto: LocalServer):
    base, options = f"s3://{make_bucket(moto)}", dict[str, Any](moto.options)
    frame = pl.DataFrame({"name": ["Ada"], "age": [36]})
    Pipe(
        input_adapter=ArrowStreamInputAdapter(frame),
        output_adapter=ParquetOutputAdapter(f"{base}/people.parquet", **options),
        schema_model=Person,
    ).run()
    assert pl.read_parquet(open_store(base, **options).read("people.parquet")).rows() == [("Ada", 36)]


DAY = timedelta(1)


@dataclass
class Reading:
    at: datetime
    value: float | None
    tags: list[str] = field(default_factory=list[str])


class Point(NamedTuple):
    x: int
    y: int


class Colour(Enum):
    RED = "red"


def test_a_generator_is_read_a_batch_at_a_time_and_keeps_its_types():
    taken = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for taken in range(1, 101):
            yield {"n": taken, "even": taken % 2 == 0, "half": taken / 2}

    with PythonInputAdapter(rows(), batch_size=10).open(lambda store: store) as stream:
        batches = stream.batches()
        assert taken == 10
        assert next(batches).data.num_rows == 10
        assert next(batches).first_row == 11
        assert taken == 20
    _, output, _ = _run(PythonInputAdapter(rows(), batch_size=10))
    assert output.table.schema.types == [pa.int64(), pa.bool_(), pa.float64()]
    assert output.table["n"].to_pylist() == list(range(1, 101))


def test_models_dataclasses_and_named_tuples_are_rows_and_their_values_stay_what_they_are():
    moment = datetime(2024, 3, 31, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    numbers = UUID(int=7)
    rows = [
        Reading(datetime(2024, 1, 1), 1.5, ["a"]),  # noqa: DTZ001 - without a zone
        {"at": None, "value": 2, "more": [Person(name="Ada", age=3)], "when": moment, "id": numbers},
        {
            "price": Decimal("1.10"),
            "big": 1 << 63,
            "day": date.max,
            "colour": Colour.RED,
            "raw": b"\0",
            "for": DAY,
        },
    ]
    output = PythonOutputAdapter()
    report = Pipe(input_adapter=PythonInputAdapter(rows), output_adapter=output).run()
    found = [{name: value for name, value in row.items() if value is not None} for row in output.rows]
    assert found == [
        {"at": datetime(2024, 1, 1), "value": 1.5, "tags": ["a"]},  # noqa: DTZ001
        {"value": 2, "more": [{"name": "Ada", "age": 3}], "when": moment.astimezone(UTC), "id": str(numbers)},
        {"price": Decimal("1.10"), "big": 1 << 63, "day": date.max, "colour": "red", "raw": b"\0", "for": DAY},
    ]
    assert report.total_processed == 3
    assert PythonInputAdapter([Point(1, 2)]).to_reader().read_all().to_pylist() == [{"x": 1, "y": 2}]


def test_a_value_that_does_not_fit_the_first_rows_is_a_rejected_row_and_never_null():
    late = [
        {"n": "3", "s": "c"},
        {"n": 4.0, "s": "d"},
        {"n": True, "s": "e"},
        {"n": 1 << 63, "s": "f"},
        {"n": 8, "s": "\ud800"},
        {"n": 9, "s": object()},
        {"n": 10, "extra": 1},
        ["n", 11],
        {"n": 12},
    ]
    rows = [{"n": 1, "s": "a"}, {"n": 2, "s": None}, *late]
    report, output, errors = _run(PythonInputAdapter(rows, batch_size=2))
    assert output.table.to_pylist() == [{"n": 1, "s": "a"}, {"n": 2, "s": None}, {"n": 12, "s": None}]
    table = errors.table.to_pydict()
    assert table["row_number"] == [3, 4, 5, 6, 7, 8, 9, 10]
    assert table["error_type"] == [*["unfit_value"] * 6, "unexpected_key", "not_a_row"]
    assert table["message"][0] == "column 'n': str value '3' is not an int"
    assert table["original"][0] == '{"n":"3","s":"c"}'
    assert report.total_processed == 11


def test_a_zone_is_neither_forgotten_nor_made_up():
    naive, aware = datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)  # noqa: DTZ001
    for first, other in ((naive, aware), (aware, naive)):
        _, output, errors = _run(PythonInputAdapter([{"t": first}, {"t": other}], batch_size=1))
        assert output.table.to_pylist() == [{"t": first}]
        assert errors.table["row_number"].to_pylist() == [2]


def test_what_mixed_first_rows_are_is_decided_by_most_of_them():
    rows = [{"a": each} for each in (1, 2.5, "x", None, 1 << 60, Decimal(1))]
    _, output, errors = _run(PythonInputAdapter(rows))
    assert output.table.schema.types == [pa.float64()]
    assert output.table["a"].to_pylist() == [1.0, 2.5, None]
    assert errors.table["row_number"].to_pylist() == [3, 5, 6]


def test_a_schema_says_what_the_first_rows_do_not_show():
    schema = pa.schema(
        [
            pa.field("id", pa.int8(), nullable=False),
            ("at", pa.timestamp("ns", "Europe/Berlin")),
            ("price", pa.decimal128(5, 2)),
            ("by_key", pa.map_(pa.string(), pa.float64())),
            ("pair", pa.list_(pa.int32(), 2)),
        ]
    )
    moment = datetime(2024, 10, 27, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"), fold=1)
    good = {"id": 1, "at": moment, "price": 3, "by_key": {"a": 1, "b": None}, "pair": (1, 2)}
    bad = [{"id": 1, "price": Decimal("0.001")}, {"id": None}, {"id": 128}, {"id": 1, "pair": [1]}, {"id": 1, "at": 5}]
    _, output, errors = _run(PythonInputAdapter([{"id": 0}, good, *bad], schema=schema))
    assert output.table.schema == schema
    (row,) = output.table.slice(1).to_pylist()
    assert row["at"].astimezone(UTC) == moment.astimezone(UTC)
    assert row["by_key"] == [("a", 1.0), ("b", None)]
    assert (row["price"], row["pair"]) == (Decimal(3), [1, 2])
    assert errors.table["row_number"].to_pylist() == [3, 4, 5, 6, 7]


def test_numbers_of_numpy_and_moments_of_pandas_are_taken_exactly_or_refused():
    nanosecond = pd.Timestamp("2024-01-01T00:00:00.000000001")
    rows = [
        {"n": np.int32(3), "x": np.float32(0.5), "b": np.bool_(1), "t": pd.Timestamp("2024-01-01")},
        {"n": np.int64(4), "x": None, "b": False, "t": nanosecond},
        {"n": 5, "x": float("nan"), "b": None, "t": pd.NaT},
    ]
    _, output, errors = _run(PythonInputAdapter(rows))
    assert output.table.to_pylist() == [{"n": 3, "x": 0.5, "b": True, "t": datetime(2024, 1, 1)}]  # noqa: DTZ001
    assert errors.table["row_number"].to_pylist() == [2, 3]


def test_an_error_of_the_generator_fails_the_pipe_as_it_is_and_leaves_the_output():
    def rows() -> Iterator[dict[str, int]]:
        yield from ({"a": number} for number in range(30))
        raise LookupError("the sensor is gone")

    output = PythonOutputAdapter()
    for batch_size in (10, 100):
        with pytest.raises(LookupError, match="the sensor is gone"):
            Pipe(input_adapter=PythonInputAdapter(rows(), batch_size=batch_size), output_adapter=output).run()
    with pytest.raises(PipeStateError, match="holds no rows yet"):
        output.rows  # noqa: B018 - asking is the test


def test_a_generator_is_read_once_and_a_list_as_often_as_asked():
    source = PythonInputAdapter({"name": "Ada", "age": age} for age in (1, -1))
    output = PythonOutputAdapter(name="people")
    pipe = Pipe(input_adapter=source, output_adapter=output, schema_model=Person)
    assert [route.field for route in pipe.explain()] == ["name", "age"]
    assert pipe.run().total_errors == 1
    assert output.rows == [{"name": "Ada", "age": 1}]
    with pytest.raises(PipeStateError, match="a generator gives its rows once"):
        _run(source)
    again = PythonInputAdapter([{"a": 1}])
    assert [_run(again)[1].table.num_rows for _ in range(2)] == [1, 1]


def test_no_rows_are_no_error_and_what_is_no_iterable_is():
    report, output, _ = _run(PythonInputAdapter([]), schema_model=Person)
    assert (report.total_processed, output.table.column_names) == (0, ["name", "age"])
    report, _, errors = _run(PythonInputAdapter([{}, 3]))
    assert (report.total_processed, errors.table.num_rows) == (2, 2)
    for wrong in (5, "rows", {"a": 1}):
        with pytest.raises(BadOptionError, match="no iterable of rows"):
            PythonInputAdapter(wrong)  # pyright: ignore[reportArgumentType]


def test_a_list_of_dicts_never_rounds_what_python_cannot_hold():
    source = ArrowStreamInputAdapter(pa.table({"t": pa.array([1_001], pa.timestamp("ns"))}))
    with pytest.raises(UnwritableValueError, match="a value of column 't' has nanoseconds"):
        Pipe(input_adapter=source, output_adapter=PythonOutputAdapter()).run()
