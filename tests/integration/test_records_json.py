"""JSON lines and arrays through pipes."""

import base64
import gzip
import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from skyhold import JSONInputAdapter, JSONOutputAdapter, MultiThreadExecutor, ParquetOutputAdapter, Pipe, open_store
from skyhold.errors import BadOptionError, KeyNotFoundError, MalformedInputError, UnwritableValueError
from skyhold.records.formats.json_array import elements
from skyhold.records.formats.json_text import JsonEncoder
from skyhold.records.report import Report

NEW_YEAR = datetime.fromisoformat("2024-01-01")


class Event(BaseModel):
    user: Annotated[int, Field(ge=1)]
    kind: str
    at: datetime | None = None
    score: float = 0.0
    tags: list[str] = []


def run(
    content: bytes, *, name: str = "in.jsonl", model: Any = None, **options: Any
) -> tuple[Report, pa.Table, list[dict[str, Any]]]:
    store = open_store("memory://json-tests")
    store.write(name, content)
    pipe = Pipe(
        input_adapter=JSONInputAdapter(f"memory://json-tests/{name}", **options),
        output_adapter=ParquetOutputAdapter("memory://json-tests/out.parquet"),
        error_output_adapter=JSONOutputAdapter("memory://json-tests/errors.jsonl"),
        schema_model=model,
        executor=MultiThreadExecutor(max_workers=2),
    )
    report = pipe.run()
    table = pq.read_table(pa.BufferReader(bytes(store.read("out.parquet"))))
    errors = [json.loads(line) for line in bytes(store.read("errors.jsonl")).splitlines()]
    assert report.total_processed == table.num_rows + len(errors)
    return report, table, errors


def test_lines_are_judged_by_the_model_and_bad_ones_kept_as_they_are() -> None:
    lines = [
        b'{"user": 1, "kind": "login", "at": "2024-01-01T00:00:00", "tags": ["a", "b"]}',
        b'{"user": 0, "kind": "login"}',
        b"not JSON",
        b'{"user": 2, "kind": "\xff"}',
        b'{"user": "3", "kind": "logout", "score": 1}',
    ]
    report, table, errors = run(b"\n".join(lines), model=Event)
    assert table.to_pylist() == [
        {"user": 1, "kind": "login", "at": NEW_YEAR, "score": 0.0, "tags": ["a", "b"]},
        {"user": 3, "kind": "logout", "at": None, "score": 1.0, "tags": []},
    ]
    assert [(each["row_number"], each["error_type"]) for each in errors] == [
        (2, "greater_than_equal"),
        (3, "json_invalid"),
        (4, "json_invalid"),
    ]
    assert [each["original"] for each in errors][:2] == [lines[1].decode(), "not JSON"]
    assert errors[2]["original"] == r'{"user": 2, "kind": "\xff"}'
    assert report.error_count == 3


def test_rejected_lines_have_their_place_and_what_was_found_there() -> None:
    _, _, errors = run(b'\n{"user": 1, "kind": "a"}\n \n{"user": 0, "kind": "a"}\n{"kind": 1}\n', model=Event)
    assert [(each["row_number"], each["line"], each["field"], each["input"]) for each in errors] == [
        (2, 4, "$.user", "0"),
        (3, 5, "$.user", None),
    ]
    assert [(each["type"], each["input"]) for each in json.loads(errors[1]["errors"])] == [
        ("missing", None),
        ("string_type", "1"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '[{"user":1,"kind":"a"},{"user":2,"kind":"]},{\\""}]',
        ' \n[ {"user" : 1,\n"kind":"a"} ,\n{"user":2, "kind":"]},{\\""}\n]\n',
    ],
)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_an_array_is_told_by_its_bracket(text: str, bom: bytes) -> None:
    _, table, errors = run(bom + text.encode(), name="in.json", model=Event)
    assert table.column("kind").to_pylist() == ["a", ']},{"']
    assert errors == []


@pytest.mark.parametrize("rest", ["", ",", ']{"user":3}', '{"user":', ',{"user":3,"kind":"', ",]", ",,{}]"])
def test_an_array_that_is_not_whole_fails_the_run(rest: str) -> None:
    with pytest.raises(MalformedInputError, match=r"in\.json"):
        run(b'[{"user":1,"kind":"a"}' + rest.encode(), name="in.json", model=Event)


def test_an_empty_array_and_an_empty_file_have_no_rows() -> None:
    for content in (b"[]", b" [ ] ", b"", b"\n\n"):
        report, table, _ = run(content, model=Event)
        assert (report.total_processed, table.num_rows) == (0, 0)
        assert table.schema.names == list(Event.model_fields)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        ),
        max_size=6,
    ),
    indent=st.sampled_from([None, 0, 2]),
    block=st.integers(1, 40),
    ascii_only=st.booleans(),
)
def test_any_array_is_cut_into_its_elements(
    values: list[Any], indent: int | None, block: int, *, ascii_only: bool
) -> None:
    data = json.dumps(values, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    source = iter([data[i : i + block] for i in range(0, len(data), block)])

    class Source:
        def read(self, size: int = -1, /) -> bytes:
            del size
            return next(source, b"")

    found = [each for part in elements(Source(), "x", head=b"", block_bytes=block, longest=10_000) for each in part]
    assert [json.loads(each.decode("utf-8", "surrogatepass")) for each in found] == values


def test_without_a_model_types_are_kept_and_what_does_not_fit_is_rejected() -> None:
    rows: list[dict[str, Any]] = [
        {"i": 1, "big": 2**70, "f": 1.5, "t": "2024-01-01", "b": True, "n": {"x": [1, 2]}, "m": 1},
        {"i": 2, "big": 1, "f": 2, "t": "", "b": None, "n": {"x": [], "y": "z"}, "m": "one"},
    ]
    late: list[dict[str, Any]] = [{"i": "3"}, {"i": 1.5}, {"new": 1}, {"n": {"x": ["a"]}}, {"i": 3, "f": 7}]
    text = "\n".join(json.dumps(each) for each in [*rows, *late])
    _, table, errors = run(text.encode(), sample_rows=2)
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "i": pa.int64(),
        "big": pa.decimal128(38, 0),
        "f": pa.float64(),
        "t": pa.string(),
        "b": pa.bool_(),
        "n": pa.struct([("x", pa.list_(pa.field("element", pa.int64()))), ("y", pa.string())]),
        "m": pa.string(),
    }
    assert table.column("big").to_pylist() == [Decimal(2**70), Decimal(1), None]
    assert table.column("m").to_pylist() == ["1", '"one"', None]
    assert table.column("f").to_pylist() == [1.5, 2.0, 7.0]
    assert [(each["row_number"], each["field"], each["error_type"]) for each in errors] == [
        (3, "$.i", "output_overflow"),
        (4, "$.i", "output_overflow"),
        (5, "$.new", "unexpected_key"),
        (6, "$.n", "output_overflow"),
    ]


NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SMALL = st.integers(-5, 5)
CELLS = (
    (st.none() | st.booleans() | NUMBERS | st.text('xyé"\\\n'))
    | st.lists(SMALL, max_size=2)
    | st.dictionaries(st.sampled_from("de"), SMALL)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abc"), CELLS), min_size=1, max_size=5).filter(any))
def test_without_a_model_the_sample_itself_always_fits_and_is_kept(rows: list[dict[str, Any]]) -> None:
    _, table, errors = run("\n".join(json.dumps(each) for each in rows).encode())
    assert errors == []
    for ours, theirs in zip(table.to_pylist(), rows, strict=True):
        for name, value in theirs.items():
            is_mixed = isinstance(ours[name], str) and not (isinstance(value, str) and ours[name] == value)
            assert_same(json.loads(ours[name]) if is_mixed else ours[name], value)


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(theirs, dict):
        assert {name for name, each in ours.items() if each is not None} <= set(theirs)
        assert all(ours[name] == each for name, each in theirs.items())
    else:
        assert ours == theirs


def test_rows_are_numbered_across_blocks_and_limited() -> None:
    line = b'{"user": %d, "kind": "' + b"x" * 1000 + b'"}\n'
    content = b"".join(line % (number if number % 1000 else 0) for number in range(1, 5001))
    _, table, errors = run(content, model=Event)
    assert [each["row_number"] for each in errors] == [1000, 2000, 3000, 4000, 5000]
    assert table.num_rows == 4995
    report, table, _ = run(content, model=Event, limit=1500)
    assert (report.total_processed, table.num_rows) == (1500, 1499)


def test_a_line_may_be_longer_than_a_block() -> None:
    long = json.dumps({"user": 1, "kind": "y" * 5_000_000})
    _, table, _ = run(f'{long}\n{{"user":2,"kind":"a"}}'.encode(), model=Event)
    assert [len(kind) for kind in table.column("kind").to_pylist()] == [5_000_000, 1]


def test_what_is_missing_or_utf_16_is_an_error_and_no_empty_file() -> None:
    with pytest.raises(KeyNotFoundError):
        Pipe(
            input_adapter=JSONInputAdapter("memory://json-tests/nowhere.jsonl"),
            output_adapter=ParquetOutputAdapter("memory://json-tests/x.parquet"),
        ).run()
    with pytest.raises(MalformedInputError, match="UTF-16"):
        run('{"user": 1}'.encode("utf-16"), model=Event)


TYPED = pa.table(
    {
        "i": pa.array([1, None]),
        "f": [1.5, -0.0],
        "d": pa.array([Decimal("1.50"), None]),
        "n": pa.array([Decimal(2**80), None], pa.decimal128(38, 0)),
        "t": pa.array([NEW_YEAR + timedelta(hours=12, microseconds=5), None]),
        "z": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
        "ns": pa.array([1, None], pa.timestamp("ns")),
        "day": pa.array([date(2024, 2, 29), None]),
        "took": pa.array([timedelta(hours=1), None]),
        "raw": pa.array([b"\xff", None]),
        "l": pa.array([[1, None], None]),
        "s": pa.array([{"x": "ü"}, None]),
        "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    }
)


@pytest.mark.parametrize("name", ["out.jsonl", "out.json", "out.jsonl.gz"])
def test_every_type_is_written(name: str) -> None:
    sink = JSONOutputAdapter(f"memory://json-tests/{name}").open(TYPED.schema, lambda store: store)
    for batch in TYPED.to_batches():
        sink.write(batch)
    sink.close()
    rows = read_objects(name)
    assert rows[0] == {
        "i": 1, "f": 1.5, "d": "1.50", "n": 2**80, "t": "2024-01-01T12:00:00.000005", "z": "2024-01-01T00:00:00+00:00",
        "ns": "1970-01-01T00:00:00.000000001", "day": "2024-02-29", "took": "PT1H",
        "raw": base64.b64encode(b"\xff").decode(), "l": [1, None], "s": {"x": "ü"}, "m": {"k": 1},
    }  # fmt: skip
    assert rows[1]["i"] is None
    assert math.copysign(1, rows[1]["f"]) == -1


def read_objects(name: str) -> list[Any]:
    data = bytes(open_store("memory://json-tests").read(name))
    data = gzip.decompress(data) if name.endswith(".gz") else data
    return json.loads(data) if name.endswith(".json") else [json.loads(line) for line in data.splitlines()]


def test_nan_is_refused_or_null_but_never_silently_either() -> None:
    batch = pa.record_batch({"x": [1.0, math.nan], "l": [[1.0], [math.inf]]})
    for column in ("x", "l"):
        with pytest.raises(UnwritableValueError, match=column):
            JsonEncoder(batch.select([column]).schema, "refuse").encode(batch.select([column]))
    assert JsonEncoder(batch.schema, "null").encode(batch)[1] == b'{"x":null,"l":[null]}'


def test_indented_lines_are_refused_before_anything_is_written() -> None:
    with pytest.raises(BadOptionError, match="array"):
        JSONOutputAdapter("memory://json-tests/x.jsonl", indent=2).open(pa.schema([]), lambda store: store)
    sink = JSONOutputAdapter("memory://json-tests/i.json", indent=2).open(
        pa.schema([("a", pa.int64())]), lambda store: store
    )
    sink.write(pa.record_batch({"a": [1, 2]}))
    sink.close()
    assert read_objects("i.json") == [{"a": 1}, {"a": 2}]
    assert b'\n  "a": 1\n' in bytes(open_store("memory://json-tests").read("i.json"))
