"""CSV from real servers, through pipes: what peers lose in silence is kept, rejected or raised here."""

import csv
import gzip
import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel

from conftest import make_bucket
from skyhold import CSVInputAdapter, CSVOutputAdapter, ParquetOutputAdapter, Pipe
from skyhold.errors import BadOptionError, BrokenBodyError, KeyNotFoundError, MalformedInputError, SchemaError
from skyhold.records.formats import csv_stream
from skyhold.records.formats.utf8 import NUL_STAND_IN
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


def read(data: bytes, **options: Any) -> tuple[list[tuple[Any, ...]], list[tuple[int, str, str]]]:
    """Return the cells of the rows, and number, fault and original of the malformed ones."""
    uri = f"memory://csv-{uuid4().hex}"
    open_store(uri).write("in.csv", data)
    rows: list[tuple[Any, ...]] = []
    bad: list[tuple[int, str, str]] = []
    with CSVInputAdapter(f"{uri}/in.csv", **options).open(lambda store: store) as stream:
        for batch in stream.batches():
            rows += [tuple(row.values()) for row in batch.data.to_pylist()]
            bad += [(row.row, row.error_type, row.original) for row in batch.malformed]
    return rows, bad


def write(data: pa.RecordBatch, **style: Any) -> bytes:
    uri = f"memory://csv-{uuid4().hex}"
    stream = CSVOutputAdapter(f"{uri}/out.csv", **style).open(data.schema, lambda store: store)
    stream.write(data)
    stream.close()
    return open_store(uri).read("out.csv")


def cells(values: list[Any], kind: Any = None) -> list[str]:
    """Return the texts that a column is written as, read by Python."""
    data = pa.record_batch({"v": pa.array(values, kind), "w": ["x"] * len(values)})
    return [row[0] for row in csv.reader(io.StringIO(write(data).decode(), newline=""))][1:]


class Reading(BaseModel):
    station: str
    degrees: float | None


def test_a_strange_file_in_a_bucket_is_read_typed_written_and_read_again(moto: LocalServer):
    base, options = f"s3://{make_bucket(moto)}/a folder", dict[str, Any](moto.options)
    store = open_store(base, **options)
    text = "exported by hand\r\nstation;degrees\r\n'K;ö''ln';1.5\r\nUlm;NA\r\nBonn\r\nHof;warm\r\n\r\nJena;-2\r\n"
    store.write("my file.csv.gz", gzip.compress(text.encode("cp1252")))
    report = Pipe(
        input_adapter=CSVInputAdapter(
            f"{base}/my file.csv.gz",
            delimiter=";",
            quotechar="'",
            encoding="cp1252",
            skip_rows=1,
            null_values=["NA"],
            **options,
        ),
        output_adapter=CSVOutputAdapter(f"{base}/my output.csv", bom=True, line_end="\r\n", **options),
        error_output_adapter=CSVOutputAdapter(f"{base}/errors.csv", **options),
        schema_model=Reading,
    ).run()
    assert (report.total_processed, report.success_count, report.total_errors) == (5, 3, 2)
    written = store.read("my output.csv")
    assert written == "\ufeffstation,degrees\r\nK;ö'ln,1.5\r\nUlm,\r\nJena,-2.0\r\n".encode()
    errors = list(csv.DictReader(io.StringIO(store.read("errors.csv").decode(), newline="")))
    assert [(each["row_number"], each["error_type"], each["original"]) for each in errors] == [
        ("3", "ragged_row", "Bonn"),
        ("4", "float_parsing", '{"station":"Hof","degrees":"warm"}'),
    ]
    Pipe(
        input_adapter=CSVInputAdapter(f"{base}/my output.csv", infer_types=True, **options),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **options),
    ).run()
    table = pq.read_table(io.BytesIO(store.read("out.parquet")))
    assert table.to_pydict() == {"station": ["K;ö'ln", "Ulm", "Jena"], "degrees": [1.5, None, -2.0]}


def test_the_first_row_of_a_file_without_header_is_data(tmp_path: Path):
    (tmp_path / "in.csv").write_bytes(b"1,a\n2,b\n")
    report = Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in.csv", fieldnames=["n", "t"]),
        output_adapter=CSVOutputAdapter(tmp_path / "out.csv", header=False),
    ).run()
    assert report.total_processed == 2
    assert (tmp_path / "out.csv").read_bytes() == b"1,a\n2,b\n"


def test_none_is_never_written_as_a_word():
    data = pa.record_batch({"a": ["x", None, "None", ""], "n": pa.array([1, None, 2, 3])})
    assert write(data) == b'a,n\nx,1\n,\nNone,2\n"",3\n'


def test_an_input_without_rows_leaves_an_output_with_its_header(tmp_path: Path):
    for content in (b"a,b\n", b"a,b", b"\xef\xbb\xbfa,b\r\n\r\n"):
        (tmp_path / "in.csv").write_bytes(content)
        Pipe(
            input_adapter=CSVInputAdapter(tmp_path / "in.csv"), output_adapter=CSVOutputAdapter(tmp_path / "out.csv")
        ).run()
        assert (tmp_path / "out.csv").read_bytes() == b"a,b\n"


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n\r\n", b"\n" * 10])
def test_a_file_without_a_header_is_an_error_and_with_fieldnames_it_is_empty(content: bytes):
    with pytest.raises(MalformedInputError, match="no header"):
        read(content)
    assert read(content, fieldnames=["a"]) == ([], [])


def test_one_row_that_cannot_be_split_or_decoded_does_not_end_the_run():
    rows, bad = read(b'a,b\n1,2\nx\n3,\xff\n"p\nq",1,2\n5,6\n')
    assert rows == [("1", "2"), ("5", "6")]
    assert bad == [
        (2, "ragged_row", "x"),
        (3, "bad_encoding", r'{"a":"3","b":"\\xff"}'),
        (4, "ragged_row", '"p\nq",1,2'),
    ]
    lone_surrogate = b"\x00\xd8,\x002\x00\n\x00"
    data = "a,b\n1,ü\n".encode("utf-16-le") + lone_surrogate + "3,4\n".encode("utf-16-le")
    rows, bad = read(data, encoding="utf-16-le")
    assert rows == [("1", "ü"), ("3", "4")]
    assert bad == [(2, "bad_encoding", r'{"a":"\\x00\\xd8","b":"2"}')]


@pytest.mark.parametrize(
    "content", [b'a,b\n1,"2\n3,4\n5,6\n', b'a,b\n1,"2', b'a,b\n1,2\n"', b'a,b\n1,"2\n' + b"3,4\n" * 300_000]
)
def test_a_quote_that_is_never_closed_fails_instead_of_swallowing_rows(content: bytes):
    with pytest.raises(MalformedInputError, match="never closed"):
        read(content)


def test_a_quote_in_the_header_that_is_never_closed_fails():
    with pytest.raises(MalformedInputError, match="header"):
        read(b'a,"b\n1,2\n')
    with pytest.raises(MalformedInputError, match="header"):
        read(b'a,"b\n' + b"1,2\n" * 5_000_000)


def test_without_quotes_a_quote_is_a_character_like_others():
    assert read(b'a,b\n"1,2\n', quotechar=None) == ([('"1', "2")], [])


def test_rows_longer_than_a_block_are_read_and_numbers_stay():
    long = "x" * 5_000_000
    lines = [f"{n},{'y' * 50}" for n in range(1, 30_001)]
    lines[11] = "ragged"
    lines[20_000] = f'20001,"{long}\n"'
    lines[20_001] = "ragged too"
    rows, bad = read(("n,t\n" + "\n".join(lines)).encode())
    assert [(number, original) for number, _, original in bad] == [(12, "ragged"), (20_002, "ragged too")]
    assert [int(n) for n, _ in rows] == [n for n in range(1, 30_001) if n not in (12, 20_002)]
    assert rows[19_999] == ("20001", long + "\n")


def test_a_row_that_is_too_long_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_stream, "_BLOCKS_BYTES", (64, 1 << 20))
    with pytest.raises(MalformedInputError, match="after row 2 is longer than 1 MiB") as caught:
        read(b"a,b\n1,2\n3,4\n5," + b"6" * 3_000_000 + b"\n7,8\n")
    assert "quotechar" in caught.value.remedy


def test_an_object_that_is_replaced_while_it_is_read_anew_is_never_mixed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_stream, "_BLOCKS_BYTES", (64, 1 << 20))
    store = open_store("memory://csv-replaced")
    store.write("in.csv", b"a,b\n1,2\n" * 10 + b"3," + b"4" * 500 + b"\n")
    with CSVInputAdapter("memory://csv-replaced/in.csv").open(lambda store: store) as stream:
        batches = stream.batches()
        next(batches)
        store.write("in.csv", b"a,b\n9,9\n")
        with pytest.raises(MalformedInputError, match="replaced"):
            list(batches)


@pytest.mark.parametrize("block_bytes", range(20, 40))
def test_no_end_of_a_block_changes_a_cell(block_bytes: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_stream, "_BLOCKS_BYTES", (block_bytes, 1 << 20))
    expected = [("1", "a\r\nb"), ('""', "\r\n"), ("\0", '"\n,'), ("4", "\r")]
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *expected])
    assert read(file.getvalue().encode()) == (expected, [])


@pytest.mark.parametrize("block_bytes", range(50, 76))
def test_a_nul_before_a_quoted_line_end_never_parts_a_row(block_bytes: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(csv_stream, "_BLOCKS_BYTES", (block_bytes, 1 << 20))
    expected = [("", "", "", ""), ("", "", "", '""'), ("", "", "", '"""'), ("", "\0", '"', "\n")] * 3
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(expected)
    assert read(file.getvalue().encode(), fieldnames=["a", "b", "c", "d"]) == (expected, [])


def test_nul_is_kept_and_what_stands_for_it_meanwhile_too_but_not_both():
    assert read(b"a\0,b\n\0,1\nx\0\n", null_values=["\0"]) == ([(None, "1")], [(2, "ragged_row", "x\0")])
    assert read(f"a\n{NUL_STAND_IN}\n".encode()) == ([(NUL_STAND_IN,)], [])
    with pytest.raises(MalformedInputError, match="NUL"):
        read(f"a\n\0\n{NUL_STAND_IN}\n".encode())


def test_null_values_are_exact_and_quotes_may_shield_them():
    data = b'a,b\nNA,"NA"\nna,\nNA ,-\n'
    assert read(data, null_values=["NA", "-"])[0] == [(None, None), ("na", ""), ("NA ", None)]
    assert read(data, null_values=["NA", ""], quoted_nulls=False)[0] == [(None, "NA"), ("na", None), ("NA ", "-")]


def test_offset_and_limit_count_over_all_objects():
    store = open_store("memory://csv-parts")
    for part in range(3):
        store.write(f"{part}.csv", b"n\n" + b"".join(b"%d\n" % (part * 10 + n) for n in range(4)))
    adapter = CSVInputAdapter("memory://csv-parts/*.csv", offset=3, limit=6)
    with adapter.open(lambda store: store) as stream:
        found = [
            (batch.source[-5:], batch.row_number(i), n)
            for batch in stream.batches()
            for i, n in enumerate(batch.data["n"].to_pylist())
        ]
    assert found == [
        ("0.csv", 4, "3"),
        ("1.csv", 1, "10"),
        ("1.csv", 2, "11"),
        ("1.csv", 3, "12"),
        ("1.csv", 4, "13"),
        ("2.csv", 1, "20"),
    ]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": "ü"}, "delimiter"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"quotechar": ""}, "quotechar"),
        ({"quotechar": ","}, "two meanings"),
        ({"encoding": "utf-9"}, "utf-9"),
        ({"encoding": "base64"}, "base64"),
        ({"fieldnames": []}, "fieldnames"),
        ({"fieldnames": ["a", "a"]}, "fieldnames"),
        ({"skip_rows": -1}, "skip_rows"),
        ({"limit": -1}, "limit"),
        ({"offset": -1}, "offset"),
        ({"batch_size": 0}, "batch_size"),
        ({"infer_types": True, "sample_rows": 0}, "sample_rows"),
    ],
)
def test_an_option_that_cannot_be_is_named_before_anything_is_opened(options: dict[str, Any], named: str):
    with pytest.raises(BadOptionError, match=named):
        CSVInputAdapter("memory://nowhere/in.csv", **options)


@pytest.mark.parametrize(
    "style", [{"delimiter": ""}, {"quotechar": ","}, {"line_end": "x"}, {"quoting": "some"}, {"null_text": "a,b"}]
)
def test_a_style_that_cannot_be_is_named(style: dict[str, Any]):
    with pytest.raises(BadOptionError, match=next(iter(style))):
        CSVOutputAdapter("memory://nowhere/out.csv", **style)


def test_a_header_that_cannot_be_used_is_an_error():
    with pytest.raises(MalformedInputError, match="more than one column called 'a'"):
        read(b"a,b,a\n")
    with pytest.raises(MalformedInputError, match="not utf-8"):
        read(b"a,\xff\n1,2\n")
    with pytest.raises(MalformedInputError, match="fewer than 3 lines"):
        read(b"a,b\n1,2\n", skip_rows=3)


def test_a_missing_object_and_a_broken_answer_are_raised_as_they_are():
    with pytest.raises(KeyNotFoundError):
        CSVInputAdapter("memory://csv-nothing/in.csv").open(lambda store: store)

    class Broken(io.BytesIO):
        info = None

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(min(size or 0, 100_000))
            if not data:
                raise BrokenBodyError("the answer ended", operation="read")
            return data

    source = Broken(b"a,b\n" + b"1,2\n" * 300_000)
    stream = csv_stream.CSVStream(lambda: source, "x.csv", csv_stream.CSVDialect(), csv_stream.CSVLayout())  # pyright: ignore[reportArgumentType] - a file that breaks
    with pytest.raises(BrokenBodyError):
        list(stream.batches())


def test_every_type_is_written_as_text_that_gives_it_back():
    berlin = pa.timestamp("us", "Europe/Berlin")
    assert cells([datetime(2026, 7, 1, 12, tzinfo=UTC)], berlin) == ["2026-07-01T12:00:00Z"]
    assert cells([datetime(1, 1, 1, 1, 2, 3, 400_000)]) == ["0001-01-01T01:02:03.400000"]  # noqa: DTZ001 - without zone
    assert cells([date(9999, 12, 31)]) == ["9999-12-31"]
    assert cells([time(1, 2, 3, 4)]) == ["01:02:03.000004"]
    assert cells([timedelta(days=-1, microseconds=1), None]) == ["-PT86399.999999S", ""]
    assert cells([Decimal("-0.00"), Decimal("1E-8").quantize(Decimal("1E-10"))], pa.decimal128(20, 10)) == [
        "0.0000000000",
        "0.0000000100",
    ]
    assert cells([Decimal("1E+2")], pa.decimal128(5, -2)) == ["100"]
    assert cells([1.0, 0.1, 1e22, float("nan"), -0.0]) == ["1.0", "0.1", "1e+22", "nan", "-0.0"]
    assert cells([0.1], pa.float32()) == ["0.1"]
    assert cells([True, None, False]) == ["true", "", "false"]
    assert cells([2**64 - 1], pa.uint64()) == [str(2**64 - 1)]
    assert cells(["a", None], pa.dictionary(pa.int32(), pa.string())) == ["a", ""]
    assert cells([UUID(int=5).bytes], pa.uuid()) == [str(UUID(int=5))]
    assert cells([[{"x": "ü", "y": Decimal("1.10")}], None]) == ['[{"x":"ü","y":"1.10"}]', ""]
    assert cells([[date(2026, 1, 2)]]) == ['["2026-01-02"]']


@pytest.mark.parametrize(
    "kind", [pa.binary(), pa.list_(pa.binary()), pa.list_(pa.timestamp("ns")), pa.month_day_nano_interval()]
)
def test_a_type_that_csv_cannot_hold_is_refused_before_anything_is_written(kind: pa.DataType):
    store = open_store("memory://csv-refused")
    store.write("out.csv", b"previous")
    with pytest.raises(SchemaError, match="'secret'"):
        CSVOutputAdapter("memory://csv-refused/out.csv").open(pa.schema([("secret", kind)]), lambda store: store)
    assert store.read("out.csv") == b"previous"


@pytest.mark.parametrize("mark", ["a", "e", "1", "-", ".", ":", "T"])
@pytest.mark.parametrize("option", ["delimiter", "quotechar"])
def test_a_mark_that_occurs_in_numbers_and_words_never_parts_them(mark: str, option: str):
    data = pa.record_batch({"v": [False, True], "n": [-1.5e22, 1.0], "d": [datetime(2026, 1, 1, 1, 1, tzinfo=UTC)] * 2})
    expected = [("false", "-1.5e+22", "2026-01-01T01:01:00Z"), ("true", "1.0", "2026-01-01T01:01:00Z")]
    assert read(write(data, **{option: mark}), **{option: mark}) == (expected, [])


def test_a_text_that_begins_like_a_byte_order_mark_is_kept_where_it_comes_first():
    data = pa.record_batch({"a": ["\ufeffx"], "b": ["y"]})
    assert read(write(data, header=False), fieldnames=["a", "b"]) == ([("\ufeffx", "y")], [])


def test_rows_of_one_empty_cell_are_not_lost():
    data = pa.record_batch({"a": pa.array(["x", None, ""])})
    assert read(write(data)) == ([("x",), ("",), ("",)], [])


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "-2", ""], pa.int64()),
        (["9223372036854775807", "-9223372036854775808"], pa.int64()),
        (["9223372036854775808"], pa.string()),
        (["-9223372036854775809"], pa.string()),
        (["007", "1"], pa.string()),
        (["+1"], pa.string()),
        ([" 1"], pa.string()),
        (["1", "2.5", "-1e3"], pa.float64()),
        (["1.5", "12345678901234567"], pa.string()),
        (["true", "False"], pa.bool_()),
        (["2026-01-02"], pa.date32()),
        (["2026-02-30"], pa.string()),
        (["2026-01-02T03:04:05", "2026-01-02 03:04"], pa.timestamp("us")),
        (["2026-01-02", "2026-01-02T03:04:05"], pa.string()),
        (["2026-01-02T03:04:05+02:00", "2026-01-02T03:04:05Z"], pa.timestamp("us", "UTC")),
        (["", ""], pa.string()),
        (["nan"], pa.string()),
    ],
)
def test_types_are_inferred_by_the_written_rule(texts: list[str], kind: pa.DataType):
    open_store("memory://csv-types").write("in.csv", ("a,b\n" + "".join(f"{text},x\n" for text in texts)).encode())
    with CSVInputAdapter("memory://csv-types/in.csv", infer_types=True).open(lambda store: store) as stream:
        assert stream.kind == "typed"
        assert stream.schema.types == [kind, pa.string()]
        assert sum(batch.data.num_rows for batch in stream.batches()) == len(texts)


def test_a_later_value_of_another_type_is_a_rejected_row_and_never_null():
    rows, bad = read(b"a,b\n1,2026-01-02\n,\n1.5,2026-01-03\n007,\n2,soon\nx\n3,\n", infer_types=True, sample_rows=2)
    assert rows == [(1, date(2026, 1, 2)), (None, None), (3, None)]
    assert bad == [
        (3, "type_mismatch", '{"a":"1.5","b":"2026-01-03"}'),
        (4, "type_mismatch", '{"a":"007","b":""}'),
        (5, "type_mismatch", '{"a":"2","b":"soon"}'),
        (6, "ragged_row", "x"),
    ]
