"""The format of an input is told by its name or its content, and of an output by its name, or not guessed at all."""

import gzip
import io
import json
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_bucket
from skyhold import (
    ArrowInputAdapter,
    ArrowOutputAdapter,
    CSVInputAdapter,
    CSVOutputAdapter,
    JSONInputAdapter,
    JSONOutputAdapter,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    Pipe,
    open_input,
    open_output,
)
from skyhold.errors import BadOptionError, BadUriError, KeyNotFoundError, MalformedInputError
from skyhold.records.formats import detection
from skyhold.records.formats.detection import FORMATS, Format
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


class Opened:
    """Stands for an adapter: which one it is, and what it was given."""

    def __init__(self, name: str, uri: Any, options: dict[str, Any]) -> None:
        self.name = name
        self.uri = uri
        self.options = options


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have rows of the table say what they would open: some formats are extras."""

    def load(self: Format, direction: str):
        name = f"{self.home.partition(':')[2]}{direction}Adapter"
        return lambda uri, **options: Opened(name, uri, options)

    monkeypatch.setattr(Format, "load", load)


def _key(data: bytes, key: str = "told-by-nothing") -> str:
    base = f"memory://detection-{uuid4().hex}"
    open_store(base).write(key, data)
    return f"{base}/{key}"


@pytest.mark.parametrize(
    ("uri", "prefix", "options"),
    [
        ("s3://b/a.csv", "CSV", {}),
        ("s3://b/a.CSV.GZ", "CSV", {}),
        ("data/a.tsv.zst", "CSV", {"delimiter": "\t"}),
        ("s3://b/2024-*/**/*.csv.bz2", "CSV", {}),
        ("https://host/a.csv?X-Amz-Signature=abc.json", "CSV", {}),
        ("mock:///data/a.csv?latency_ms=1", "CSV", {}),
        ("az://c/a.json", "JSON", {}),
        ("a.ndjson.xz", "JSON", {}),
        ("a.jsonl", "JSON", {}),
        ("a.parquet", "Parquet", {}),
        ("a.feather", "Arrow", {}),
        ("a.arrows", "Arrow", {}),
        ("a.xlsx", "Excel", {}),
        ("postgresql://user:secret@host/db", "SQL", {}),
        ("postgresql+psycopg://host/db", "SQL", {}),
        ("sqlite:///a.csv", "SQL", {}),
        (["a.csv", "b.csv.gz", "c/"], "CSV", {}),
        (["a.json", "b.jsonl"], "JSON", {}),
    ],
)
def test_names_tell_the_input(told: None, uri: Any, prefix: str, options: dict[str, Any]):
    opened = open_input(uri, limit=3)
    assert isinstance(opened, Opened)
    assert (opened.name, opened.uri) == (f"{prefix}InputAdapter", uri)
    assert opened.options == {**options, "limit": 3}


@pytest.mark.parametrize(
    ("uri", "prefix", "options"),
    [
        ("a.csv.lz4", "CSV", {}),
        ("a.tab", "CSV", {"delimiter": "\t"}),
        ("a.json", "JSON", {"format": "array"}),
        ("a.jsonl.gz", "JSON", {"format": "jsonl"}),
        ("a.pq", "Parquet", {}),
        ("a.arrow", "Arrow", {}),
        ("a.arrows", "Arrow", {"format": "stream"}),
        ("duckdb:///a.db", "SQL", {}),
    ],
)
def test_names_tell_the_output(told: None, uri: str, prefix: str, options: dict[str, Any]):
    opened = open_output(uri)
    assert isinstance(opened, Opened)
    assert (opened.name, opened.options) == (f"{prefix}OutputAdapter", options)


def test_what_the_caller_says_goes_before_what_the_name_says(told: None):
    opened: Any = open_output("a.tsv", delimiter=";")
    assert opened.options == {"delimiter": ";"}


def _arrow(opener: Any) -> bytes:
    table = pa.table({"a": [1]})
    sink = io.BytesIO()
    with opener(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": [1]}), sink)
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "prefix", "options"),
    [
        (_parquet(), "Parquet", {}),
        (_arrow(pa.ipc.new_file), "Arrow", {}),
        (_arrow(pa.ipc.new_stream), "Arrow", {}),
        (b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml", "Excel", {}),
        (b'{"a": 1}\n{"a": 2}\n', "JSON", {}),
        (b'\xef\xbb\xbf \n[ {"a": 1}]', "JSON", {}),
        (gzip.compress(b'{"a": 1}\n', mtime=0), "JSON", {}),
        (b"a,b\n1,2\n", "CSV", {"delimiter": ","}),
        (b'"a";b\n"1;\n1";2,2\n', "CSV", {"delimiter": ";"}),
        (b"a\tb\r\n1\t2", "CSV", {"delimiter": "\t"}),
        (gzip.compress(b"a|b\n1|2\n", mtime=0), "CSV", {"delimiter": "|"}),
        (b"a,b,c\n" + b"1,22,333\n" * 20_000, "CSV", {"delimiter": ","}),
        (b"a,b\n" + b'"x\ny",' + b"z" * 100 + b"\n" + b"v" * 100_000 + b",1", "CSV", {"delimiter": ","}),
    ],
)
def test_content_tells_the_input(told: None, data: bytes, prefix: str, options: dict[str, Any]):
    opened: Any = open_input(_key(data))
    assert (opened.name, opened.options) == (f"{prefix}InputAdapter", options)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"one column\nof text\n",
        b"Only one line, with a comma",
        b"a,b\n1\n",
        b"a,b\n\xff,2\n",
        b"a,b\n\0,2\n",
        b"PK\x03\x04 some other archive",
        bytes(range(256)),
        b"{not json",
    ],
)
def test_what_tells_nothing_is_an_error_that_lists_what_is_known(data: bytes):
    uri = _key(data)
    with pytest.raises(MalformedInputError, match=r"told-by-nothing.*(is empty|begins with)") as caught:
        open_input(uri)
    for word in ("CSVInputAdapter", ".parquet", ".jsonl", "sqlite://"):
        assert word in caught.value.remedy


def test_an_output_whose_name_tells_nothing_is_an_error_that_lists_what_is_known():
    with pytest.raises(BadUriError, match=r"x\.dat") as caught:
        open_output("s3://b/x.dat")
    assert ".parquet" in caught.value.remedy


def test_a_compressed_name_of_a_format_that_compresses_itself_is_an_error():
    for open_ in (open_input, open_output):
        with pytest.raises(BadUriError, match=r"x\.parquet\.gz' is Parquet") as caught:
            open_("s3://b/x.parquet.gz")
        assert "'.gz'" in caught.value.remedy


def test_names_of_several_formats_in_a_sequence_are_an_error():
    with pytest.raises(BadUriError, match=r"b\.tsv' is tab-separated"):
        open_input(["a.csv", "b.tsv"])


def test_missing_objects_and_unknown_options_are_the_stores_errors():
    with pytest.raises(KeyNotFoundError, match="nothing-here"):
        open_input("memory://detection-missing/nothing-here")
    with pytest.raises(KeyNotFoundError, match="no object matches"):
        open_input("memory://detection-missing/")
    with pytest.raises(BadOptionError, match="brotli"):
        open_input(_key(b"a,b\n"), compression="brotli")
    with pytest.raises(BadOptionError, match="delimeter"):
        open_input(_key(b"a,b\n1,2\n"), delimeter=",").open(lambda store: store)


def test_a_folder_is_what_its_first_object_is(told: None):
    base = f"memory://detection-{uuid4().hex}"
    for key in ("x/_SUCCESS", "x/a.jsonl.gz", "x/b.jsonl.gz"):
        open_store(base).write(key, b"")
    opened: Any = open_input(f"{base}/x/")
    assert opened.name == "JSONInputAdapter"


def test_suffixes_belong_to_one_format_each():
    suffixes = [suffix for each in FORMATS for suffix in (*each.suffixes, *each.databases)]
    assert len(suffixes) == len(set(suffixes))
    assert all(suffix == suffix.lower() for suffix in suffixes)


@pytest.mark.parametrize(
    ("opened", "kind"),
    [
        (lambda: open_input("a.csv"), CSVInputAdapter),
        (lambda: open_output("a.csv"), CSVOutputAdapter),
        (lambda: open_input("a.ndjson.gz"), JSONInputAdapter),
        (lambda: open_output("a.json"), JSONOutputAdapter),
        (lambda: open_input("a.parquet"), ParquetInputAdapter),
        (lambda: open_output("a.parquet"), ParquetOutputAdapter),
        (lambda: open_input("a.arrows"), ArrowInputAdapter),
        (lambda: open_output("a.arrows"), ArrowOutputAdapter),
    ],
)
def test_rows_of_the_table_load_their_adapters(opened: Any, kind: type):
    assert type(opened()) is kind


def test_a_pipe_between_names_alone_on_a_real_server(moto: LocalServer):
    base, options = f"s3://{make_bucket(moto)}", dict[str, Any](moto.options)
    store = open_store(base, **options)
    store.write("in/part-1", gzip.compress(b"a;b\n1;x\n"))
    store.write("in/part-2", b"b;a\ny;2\n")
    Pipe(
        input_adapter=open_input(f"{base}/in/", source_column="from", **options),
        output_adapter=open_output(f"{base}/out.tsv.gz", **options),
    ).run()
    rows = gzip.decompress(store.read("out.tsv.gz")).decode().replace('"', "").splitlines()
    assert [row.split("\t") for row in rows] == [
        ["a", "b", "from"],
        ["1", "x", f"{base}/in/part-1"],
        ["2", "y", f"{base}/in/part-2"],
    ]
    assert json.loads(store.read("out.tsv.gz.receipt.json"))


def test_looking_inside_asks_for_one_block(monkeypatch: pytest.MonkeyPatch):
    uri = _key(b"a,b\n" + b"1,2\n" * 1_000_000)
    asked: list[Any] = []
    store = type(open_store(uri.rpartition("/")[0]))
    read = store.read_with_info

    def counted(self: Any, key: str, byte_range: Any = None, **options: Any):
        asked.append(byte_range)
        return read(self, key, byte_range, **options)

    monkeypatch.setattr(store, "read_with_info", counted)
    open_input(uri)
    assert [(each.start, each.end) for each in asked] == [(0, detection._FETCH_BYTES)]
