"""Many objects are read as one, in order, or the run says which of them does not belong."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ConfigDict

from conftest import make_bucket
from skyhold import (
    CSVInputAdapter,
    CSVOutputAdapter,
    JSONInputAdapter,
    JSONOutputAdapter,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    Pipe,
)
from skyhold.errors import (
    BadOptionError,
    BadUriError,
    BucketNotFoundError,
    KeyNotFoundError,
    MalformedInputError,
    NotFoundError,
)
from skyhold.records.formats.adapter import Batch, InputStream, RowKind, Source
from skyhold.records.formats.detection import open_input, open_output
from skyhold.records.formats.many import ManyStream
from skyhold.records.formats.objects import ObjectInputAdapter, ObjectPlace
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import Meter, MeteredStore
from skyhold.testing.servers import LocalServer


def _store(**objects: bytes) -> tuple[str, Store]:
    base = f"memory://many-{uuid4().hex}"
    store = open_store(base)
    for key, data in objects.items():
        store.write(key.replace("__", "/"), data)
    return base, store


def _rows(adapter: CSVInputAdapter) -> list[dict[str, Any]]:
    with adapter.open(lambda store: store) as stream:
        return [row for batch in stream.batches() for row in batch.data.to_pylist()]


class Event(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int
    source: str


class Number(BaseModel):
    n: int


def test_a_pattern_over_a_bucket_reads_all_in_order_with_their_sources(moto: LocalServer):
    base, options = f"s3://{make_bucket(moto)}", dict[str, Any](moto.options)
    store = open_store(base, **options)
    for day in ("2024-01/b", "2024-01/a/deep", "2024-02/c", "2023-12/d"):
        store.write(f"logs/{day}.csv.gz", gzip.compress(f"n\n1\n{day}\n3\n".encode()))
    store.write("logs/2024-01/notes.txt", b"not for us")
    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{base}/logs/2024-*/**/*.csv.gz", source_column="source", **options),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **options),
        error_output_adapter=CSVOutputAdapter(f"{base}/errors.csv", **options),
        schema_model=Event,
    )
    report = pipe.run()
    uris = [f"{base}/logs/{day}.csv.gz" for day in ("2024-01/a/deep", "2024-01/b", "2024-02/c")]
    table = pq.read_table(io.BytesIO(store.read("out.parquet")))
    assert table.to_pylist() == [{"n": n, "source": uri} for uri in uris for n in (1, 3)]
    errors = csv.DictReader(io.StringIO(store.read("errors.csv").decode(), newline=""))
    assert [(error["source"], error["row_number"]) for error in errors] == [(uri, "2") for uri in uris]
    assert report.receipt is not None
    assert [(each.uri, each.rows) for each in report.receipt.inputs] == [(uri, 3) for uri in uris]


def test_only_the_literal_beginning_is_listed(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    store = open_store(base, **moto.options)
    for number in range(1005):
        store.write(f"logs/2023-{number}", b"")
    store.write("logs/2024-1.csv", b"a\n1\n")
    meter = Meter()
    with CSVInputAdapter(f"{base}/logs/2024-*", **dict[str, Any](moto.options)).open(
        lambda inner: MeteredStore(inner, meter)
    ) as stream:
        assert [batch.data.num_rows for batch in stream.batches()] == [1]
    assert meter.usage.requests == {"read": 1, "list": 1, "write": 0, "delete": 0}


def test_a_folder_means_all_below_it_but_notes_and_receipts(tmp_path):
    for name in ("b.csv", "sub/a.csv", "_skyhold/r.json", "_SUCCESS", ".hidden", "b.csv.receipt.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"a\n{name}\n")
    assert _rows(CSVInputAdapter(f"{tmp_path}/")) == [{"a": "b.csv"}, {"a": "sub/a.csv"}]


def test_nothing_found_is_never_nothing_to_do(tmp_path):
    base, _ = _store(x=b"a\n1\n")
    with pytest.raises(KeyNotFoundError, match=r"nothing-\*\.csv"):
        CSVInputAdapter(f"{base}/nothing-*.csv").open(lambda store: store)
    with pytest.raises(KeyNotFoundError, match="no object matches"):
        CSVInputAdapter(f"{tmp_path}/*.csv").open(lambda store: store)
    with pytest.raises(BucketNotFoundError):
        CSVInputAdapter(f"{tmp_path}/missing/*.csv").open(lambda store: store)
    with pytest.raises(BadUriError, match="names nothing"):
        CSVInputAdapter([])


def test_a_key_that_holds_wildcards_is_read_as_it_is():
    base, store = _store()
    store.write("a[1]*?.csv", b"a\nthis\n")
    store.write("a1x.csv", b"a\nthat\n")
    assert _rows(CSVInputAdapter(f"{base}/a[1]*?.csv", glob=False)) == [{"a": "this"}]
    assert _rows(CSVInputAdapter(f"{base}/a[1]?.csv")) == [{"a": "that"}]
    with pytest.raises(BadUriError, match="names no object"):
        CSVInputAdapter(f"{base}/", glob=False).open(lambda store: store)


def test_a_bracket_in_the_working_folders_name_is_no_wildcard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "my [old] data"
    folder.mkdir()
    (folder / "a b.csv").write_text("n\n1\n")
    monkeypatch.chdir(folder)
    for uri in ("a b.csv", "*.csv", "./", "./a?b.csv", folder.as_uri() + "/a%20*.csv", (folder / "a b.csv").as_uri()):
        assert _rows(CSVInputAdapter(uri)) == [{"n": "1"}], uri


def test_a_sequence_is_read_in_its_own_order_and_each_object_once():
    base, _ = _store(a=b"n\na\n", b=b"n\nb\n", c__1=b"n\n1\n", c__2=b"n\n2\n")
    adapter = CSVInputAdapter([f"{base}/b", f"{base}/c/*", f"{base}/a"], source_column="from")
    assert _rows(adapter) == [{"n": each[-1], "from": f"{base}/{each}"} for each in ("b", "c/1", "c/2", "a")]
    with pytest.raises(BadUriError, match=r"c/1.*twice"):
        CSVInputAdapter([f"{base}/c/1", f"{base}/c/*"]).open(lambda store: store)
    assert CSVInputAdapter([f"{base}/{name}" for name in "abcde"]).uri == f"{base}/a, {base}/b, {base}/c, and 2 more"


def test_an_object_that_is_missing_from_a_sequence_ends_the_run():
    base, store = _store(a=b"n\n1\n", c=b"n\n3\n")
    pipe = Pipe(
        input_adapter=CSVInputAdapter([f"{base}/a", f"{base}/b", f"{base}/c"]),
        output_adapter=CSVOutputAdapter(f"{base}/out"),
    )
    with pytest.raises(KeyNotFoundError, match="/b"):
        pipe.run()
    assert not store.exists("out")


def test_columns_in_another_order_are_put_into_that_of_the_first():
    base, _ = _store(a=b"x,y,z\n1,2,3\n", b=b"z,x,y\n6,4,5\n")
    assert _rows(CSVInputAdapter(f"{base}/*")) == [{"x": "1", "y": "2", "z": "3"}, {"x": "4", "y": "5", "z": "6"}]


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (b"x\n4\n", r"/b' has no column 'y', which '.*/a' has"),
        (b"x,z,y\n4,5,6\n", r"/b' has a column 'z'.*/a' has not"),
    ],
)
def test_other_columns_are_an_error_that_names_object_and_column(second: bytes, message: str):
    base, _ = _store(a=b"x,y\n1,2\n", b=second)
    with pytest.raises(MalformedInputError, match=message):
        _rows(CSVInputAdapter(f"{base}/*"))


def test_a_source_column_must_be_a_new_one():
    base, _ = _store(a=b"x,y\n1,2\n")
    with pytest.raises(BadOptionError, match=r"/a' has a column 'y' of its own"):
        CSVInputAdapter(f"{base}/a", source_column="y").open(lambda store: store)
    assert _rows(CSVInputAdapter(f"{base}/a", source_column="s")) == [{"x": "1", "y": "2", "s": f"{base}/a"}]


def test_each_source_counts_its_rows_from_one():
    base, _ = _store(a=b"x,y\n1,2\n1\n1,2\n", b=b"x,y\n1\n1,2\n", c=b"x,y\n", d=b"x,y\n1\n")
    with CSVInputAdapter(f"{base}/*").open(lambda store: store) as stream:
        assert [source.uri[-1] for source in stream.sources] == ["a"]
        malformed = [(batch.source[-1], row.row) for batch in stream.batches() for row in batch.malformed]
        assert [source.uri[-1] for source in stream.sources] == ["a", "b", "c", "d"]
    assert malformed == [("a", 2), ("b", 1), ("d", 1)]


class _Fake(InputStream):
    """One batch of a given kind, that knows whether it was closed."""

    def __init__(self, name: str, data: pa.RecordBatch, kind: RowKind = "typed") -> None:
        self.kind = kind
        self.schema = data.schema
        self.sources = [Source(name)]
        self.data = data
        self.is_closed = False

    def batches(self):
        yield Batch(self.data, self.sources[0].uri)

    def close(self) -> None:
        self.is_closed = True


def _many(streams: Sequence[_Fake], **options: Any) -> ManyStream:
    return ManyStream(iter([lambda stream=stream: stream for stream in streams]), **options)


def _batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(columns)


def test_other_types_are_an_error_that_names_object_column_and_both_types():
    streams = [_Fake("one", _batch(a=pa.array([1], pa.int64()))), _Fake("two", _batch(a=pa.array([2.5])))]
    with pytest.raises(MalformedInputError, match="'a' of 'two' is double, and int64 in 'one'"):
        list(_many(streams).batches())


def test_a_first_object_that_has_no_nulls_does_not_promise_that_for_the_others():
    strict = pa.schema([pa.field("a", pa.int64(), nullable=False)])
    streams = [
        _Fake("one", pa.RecordBatch.from_arrays([pa.array([1])], schema=strict)),
        _Fake("two", _batch(a=pa.array([None], pa.int64()))),
    ]
    many = _many(streams)
    assert many.schema.field("a").nullable
    assert pa.Table.from_batches([batch.data for batch in many.batches()], many.schema)["a"].to_pylist() == [1, None]


def test_rows_of_json_have_no_columns_to_add_to():
    stream = _Fake("one", _batch(json=pa.array(['{"a":1}'])), kind="json")
    with pytest.raises(BadOptionError, match="source_column"):
        _many([stream], source_column="source")
    assert stream.is_closed


def test_many_objects_of_parquet_are_read_with_their_types_and_sources():
    base, store = _store()
    for name, table in (
        ("a", pa.table({"x": pa.array([1, 2], pa.int16()), "y": [[1.5], None]})),
        ("b", pa.table({"y": [[2.5, 3.5]], "x": pa.array([None], pa.int16())})),
    ):
        with store.open_writer(f"in/{name}.parquet") as writer:
            pq.write_table(table, writer)
    Pipe(
        input_adapter=ParquetInputAdapter([f"{base}/in/b.parquet", f"{base}/in/a*"], source_column="from"),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
    ).run()
    table = pq.read_table(io.BytesIO(store.read("out.parquet")))
    assert table.to_pylist() == [
        {"y": [2.5, 3.5], "x": None, "from": f"{base}/in/b.parquet"},
        {"y": [1.5], "x": 1, "from": f"{base}/in/a.parquet"},
        {"y": None, "x": 2, "from": f"{base}/in/a.parquet"},
    ]
    assert table.schema.field("x").type == pa.int16()


def test_many_objects_of_json_are_read_row_by_row():
    base, store = _store(a__1=b"", a__2=b'{"n": 1}\n\n{"n": "x"}\n', a__3=b'[{"n": 3}, {"n": 4, "m": 5}]', a__4=b"[]")
    pipe = Pipe(
        input_adapter=JSONInputAdapter(f"{base}/a/*"),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
        error_output_adapter=JSONOutputAdapter(f"{base}/errors.jsonl"),
        schema_model=Number,
    )
    report = pipe.run()
    assert pq.read_table(io.BytesIO(store.read("out.parquet")))["n"].to_pylist() == [1, 3, 4]
    errors = [json.loads(line) for line in store.read("errors.jsonl").splitlines()]
    assert [(error["source"], error["row_number"], error["line"]) for error in errors] == [(f"{base}/a/2", 2, 3)]
    assert report.receipt is not None
    assert [(each.uri[-1], each.rows) for each in report.receipt.inputs] == [("1", 0), ("2", 2), ("3", 2), ("4", 0)]


def test_without_a_model_the_columns_are_those_of_the_first_json_that_has_any():
    base, store = _store(a__1=b"", a__2=b"[]", a__3=b'{"n": 1}\n', a__4=b'{"n": 2}\n{"n": "no"}')
    report = Pipe(
        input_adapter=JSONInputAdapter(f"{base}/a/*"), output_adapter=ParquetOutputAdapter(f"{base}/out.parquet")
    ).run()
    assert pq.read_table(io.BytesIO(store.read("out.parquet"))).to_pylist() == [{"n": 1}, {"n": 2}]
    assert (report.total_processed, report.total_errors) == (3, 1)


def test_nothing_but_empty_json_is_no_rows():
    base, _ = _store(a__1=b"", a__2=b"[]")
    with JSONInputAdapter(f"{base}/a/*").open(lambda store: store) as stream:
        assert sum(batch.data.num_rows for batch in stream.batches()) == 0
        assert [source.uri[-1] for source in stream.sources] == ["1", "2"]


def test_all_that_was_opened_is_closed_however_far_reading_got():
    streams = [_Fake(str(number), _batch(a=pa.array([number]))) for number in range(12)]
    opened: list[_Fake] = []

    def opener(stream: _Fake):
        return lambda: opened.append(stream) or stream

    many = ManyStream(iter([opener(stream) for stream in streams]))
    with many:
        next(many.batches())
    assert opened
    assert len(opened) < 6, "only a few are opened early"
    assert all(stream.is_closed for stream in opened)


def test_an_error_of_an_object_opened_early_waits_for_its_turn():
    def fail() -> InputStream:
        raise KeyNotFoundError("gone", operation="read", uri="two")

    stream = _Fake("one", _batch(a=pa.array([1])))
    many = ManyStream(iter([lambda: stream, fail]))
    batches = many.batches()
    assert next(batches).source == "one"
    with pytest.raises(NotFoundError, match="gone"):
        next(batches)
    many.close()


class _Raw(ObjectInputAdapter):
    """Reads one cell an object."""

    def _open_one(self, place: ObjectPlace) -> InputStream:
        return _Fake(place.uri, _batch(a=pa.array([place.store.read(place.key)])))


def test_thousands_of_objects_are_read():
    base, store = _store()
    for number in range(3000):
        store.write(f"part-{number:05}", b"%d" % number)
    with _Raw(f"{base}/part-*").open(lambda inner: inner) as stream:
        cells = [batch.data.column("a")[0].as_py() for batch in stream.batches()]
    assert cells == [b"%d" % number for number in range(3000)]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_a_limit_counts_over_all_objects(suffix: str) -> None:
    base = f"memory://many-limit-{suffix}"
    for name in ("a", "b", "c"):
        sink = open_output(f"{base}/{name}.{suffix}").open(pa.schema([("n", pa.int64())]), lambda store: store)
        sink.write(pa.record_batch({"n": [1, 2, 3]}))
        sink.close()
    for limit, rows in ((0, 0), (2, 2), (3, 3), (4, 4), (7, 7), (9, 9), (20, 9)):
        with open_input(f"{base}/*.{suffix}", limit=limit).open(lambda store: store) as stream:
            assert sum(batch.data.num_rows for batch in stream.batches()) == rows
