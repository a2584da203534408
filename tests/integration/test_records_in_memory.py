"""Arrow data and Python objects in this process are read and written as files are: exactly, and whole or not at all."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pytest
from pydantic import BaseModel, Field

from conftest import make_bucket
from skyhold import (
    ArrowStreamInputAdapter,
    ArrowTableOutputAdapter,
    CSVInputAdapter,
    ParquetOutputAdapter,
    Pipe,
)
from skyhold.errors import BadOptionError, MalformedInputError, PipeStateError, RejectLimitError
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
    assert pl.DataFrame(errors).select("source", "row", "field").rows() == [("people", 2, "$.age")]
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


def test_a_frame_is_written_to_a_bucket_and_what_lies_there_becomes_a_frame(moto: LocalServer):
    base, options = f"s3://{make_bucket(moto)}", dict[str, Any](moto.options)
    frame = pl.DataFrame({"name": ["Ada"], "age": [36]})
    Pipe(
        input_adapter=ArrowStreamInputAdapter(frame),
        output_adapter=ParquetOutputAdapter(f"{base}/people.parquet", **options),
        schema_model=Person,
    ).run()
    assert pl.read_parquet(open_store(base, **options).read("people.parquet")).rows() == [("Ada", 36)]
