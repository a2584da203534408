"""CSV is what Python's csv module reads and writes: any table, any dialect, any place where a block may end."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skyhold.errors import MalformedInputError
from skyhold.records.formats import csv_stream
from skyhold.records.formats.csv import CSVInputAdapter, CSVOutputAdapter
from skyhold.storage.opening import open_store

NASTY = st.sampled_from(
    ["", '"', '""', ",", ";", "\n", "\r", "\r\n", "\ufeff", " ", "\t", "\\", "'", "é", "日本", "\0", "NA", "#"]
)
# One private-use character stands for NUL while it is read; a file with both is refused by name.
ANY = st.characters(codec="utf-8", exclude_characters="\U0010fd00")
TEXT = st.lists(NASTY | st.text(ANY, max_size=5), max_size=4).map("".join)


@st.composite
def dialects(draw: st.DrawFn) -> dict[str, Any]:
    delimiter = draw(st.sampled_from([",", ";", "\t", "|", " ", "a"]))
    quotechar = draw(st.sampled_from(['"', "'", "%"]))
    escapechar = draw(st.sampled_from([None, "\\", "!"]))
    return {
        "delimiter": delimiter,
        "quotechar": quotechar,
        "escapechar": escapechar,
        "doublequote": escapechar is None or draw(st.booleans()),
    }


@st.composite
def tables(draw: st.DrawFn, cells: st.SearchStrategy[Any] = TEXT) -> list[list[Any]]:
    width = draw(st.integers(1, 4))
    return draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=1, max_size=12))


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    """Rows that straddle blocks, and rows that are longer than one, are then everyday."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_stream, "_BLOCKS_BYTES", (16, 64, 1 << 20))
        yield


def read_back(data: bytes, **options: Any) -> tuple[list[tuple[Any, ...]], list[tuple[int, str]]]:
    open_store("memory://csv-property").write("x.csv", data)
    rows: list[tuple[Any, ...]] = []
    rejects: list[tuple[int, str]] = []
    numbers: list[int] = []
    with CSVInputAdapter("memory://csv-property/x.csv", **options).open(lambda store: store) as stream:
        for batch in stream.batches():
            rows += zip(*(column.to_pylist() for column in batch.data.columns), strict=True)
            rejects += [(row.row, row.original) for row in batch.malformed]
            numbers += [batch.row_number(index) for index in range(batch.data.num_rows)]
            numbers += [row.row for row in batch.malformed]
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), "every row has a number of its own"
    return rows, rejects


def python_text(rows: list[list[str]], options: dict[str, Any], line_end: str, quoting: Any) -> str:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator=line_end, quoting=quoting, **options).writerows(rows)
    return file.getvalue()


@given(
    table=tables(),
    options=dialects(),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    has_end=st.booleans(),
    bom=st.booleans(),
)
def test_what_python_writes_is_read_back_exactly(
    table: list[list[str]], options: dict[str, Any], line_end: str, quoting: Any, has_end: bool, bom: bool
):
    text = python_text(table, options, line_end, quoting)
    # Python leaves some of its own texts ambiguous: it is the judge of what it can read.
    assume(list(csv.reader(io.StringIO(text, newline=""), **options)) == table)
    assume(bom or not text.startswith("\ufeff"))
    names = [f"c{number}" for number in range(len(table[0]))]
    if not has_end:
        text = text.removesuffix(line_end)
        assume(list(csv.reader(io.StringIO(text, newline=""), **options)) == table)
    data = (("\ufeff" if bom else "") + text).encode()
    assert read_back(data, fieldnames=names, **options) == ([tuple(row) for row in table], [])


@given(st.lists(TEXT, min_size=1, max_size=4, unique=True), dialects(), tables())
def test_any_header_names_its_columns(names: list[str], options: dict[str, Any], table: list[list[str]]):
    text = python_text([names], options, "\n", csv.QUOTE_ALL)
    assume(list(csv.reader(io.StringIO(text, newline=""), **options)) == [names])
    open_store("memory://csv-property").write("h.csv", text.encode())
    with CSVInputAdapter("memory://csv-property/h.csv", **options).open(lambda store: store) as stream:
        assert stream.columns == tuple(names)
        assert stream.schema.types == [pa.string()] * len(names)
        assert list(stream.batches()) == []


@given(st.lists(st.lists(TEXT, min_size=1, max_size=4), min_size=1, max_size=12), dialects())
def test_ragged_rows_are_rejected_and_nothing_else(table: list[list[str]], options: dict[str, Any]):
    text = python_text(table, options, "\n", csv.QUOTE_MINIMAL)
    assume(list(csv.reader(io.StringIO(text, newline=""), **options)) == table)
    assume(not text.startswith("\ufeff"))
    rows, rejects = read_back(text.encode(), fieldnames=["a", "b"], **options)
    assert rows == [tuple(row) for row in table if len(row) == 2]
    assert [number for number, _ in rejects] == [n for n, row in enumerate(table, 1) if len(row) != 2]
    for number, original in rejects:
        assert next(csv.reader(io.StringIO(original, newline=""), **options)) == table[number - 1]


@given(st.lists(st.sampled_from(['"', ",", "\n", "\r", "a", " ", "\\", "é"]), max_size=30).map("".join), st.data())
def test_any_text_is_read_as_python_reads_it_or_fails(text: str, data: st.DataObject):
    options = data.draw(dialects())
    marked = text + "\nend-of-file\n"
    expected = [row for row in csv.reader(io.StringIO(marked, newline=""), **options) if row]
    is_closed = expected[-1] == ["end-of-file"]
    if not is_closed:
        with pytest.raises(MalformedInputError, match="never closed"):
            read_back(text.encode(), fieldnames=["a", "b"], **options)
        return
    rows, rejects = read_back(text.encode(), fieldnames=["a", "b"], **options)
    expected.pop()
    assert rows == [tuple(row) for row in expected if len(row) == 2]
    assert [number for number, _ in rejects] == [n for n, row in enumerate(expected, 1) if len(row) != 2]


@given(tables(), st.sampled_from(["utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "shift_jis", "gb18030"]))
def test_any_encoding_that_holds_a_table_gives_it_back(table: list[list[str]], encoding: str):
    text = python_text(table, {}, "\n", csv.QUOTE_ALL)
    try:
        data = text.encode(encoding)
        assume(data.decode(encoding) == text)
    except UnicodeEncodeError:
        assume(False)
        raise
    names = [f"c{number}" for number in range(len(table[0]))]
    assert read_back(data, fieldnames=names, encoding=encoding) == ([tuple(row) for row in table], [])


@given(tables(), st.integers(0, 15), st.none() | st.integers(0, 15), st.none() | st.integers(1, 5))
def test_offset_limit_and_batch_size_only_choose(
    table: list[list[str]], offset: int, limit: int | None, size: int | None
):
    table = [[*row, "x"] if index % 3 == 0 else row for index, row in enumerate(table)]
    open_store("memory://csv-property").write("w.csv", python_text(table, {}, "\n", csv.QUOTE_ALL).encode())
    names = [f"c{number}" for number in range(len(table[-1]))]
    adapter = CSVInputAdapter(
        "memory://csv-property/w.csv", fieldnames=names, offset=offset, limit=limit, batch_size=size
    )
    found: dict[int, list[str] | None] = {}
    with adapter.open(lambda store: store) as stream:
        for batch in stream.batches():
            assert size is None or batch.data.num_rows + len(batch.malformed) <= size
            for index, row in enumerate(batch.data.to_pylist()):
                found[batch.row_number(index)] = list(row.values())
            found |= {row.row: None for row in batch.malformed}
    end = len(table) if limit is None else min(offset + limit, len(table))
    width = len(names)
    expected = {n + 1: table[n] if len(table[n]) == width else None for n in range(offset, end)}
    assert found == expected


@st.composite
def styles(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|", "a", "1", "-"])),
        "quotechar": draw(st.sampled_from(['"', "'", "%"])),
        "quoting": draw(st.sampled_from(["needed", "all"])),
        "header": draw(st.booleans()),
        "line_end": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "null_text": draw(st.sampled_from(["", "NULL", "\\N"])),
        "bom": draw(st.booleans()),
    }


def write_out(data: pa.RecordBatch, **style: Any) -> bytes:
    stream = CSVOutputAdapter("memory://csv-property/out.csv", **style).open(data.schema, lambda store: store)
    stream.write(data)
    stream.close()
    return open_store("memory://csv-property").read("out.csv")


@given(tables(), styles())
def test_what_we_write_python_and_we_read_back_exactly(table: list[list[str]], style: dict[str, Any]):
    names = [f"name {number}" for number in range(len(table[0]))]
    data = pa.RecordBatch.from_pylist([dict(zip(names, row, strict=True)) for row in table])
    written = write_out(data, **style)
    assert written.startswith(b"\xef\xbb\xbf") or not style["bom"]
    dialect = {"delimiter": style["delimiter"], "quotechar": style["quotechar"]}
    text = written.decode("utf-8-sig" if style["bom"] else "utf-8")
    found = list(csv.reader(io.StringIO(text, newline=""), **dialect))
    assert found == ([names] if style["header"] else []) + table
    fieldnames = None if style["header"] else names
    assert read_back(written, fieldnames=fieldnames, **dialect) == ([tuple(row) for row in table], [])


@given(tables(TEXT | st.none()), styles())
def test_none_and_empty_text_stay_apart(table: list[list[Any]], style: dict[str, Any]):
    names = [f"c{number}" for number in range(len(table[0]))]
    schema = pa.schema([(name, pa.string()) for name in names])
    data = pa.RecordBatch.from_pylist([dict(zip(names, row, strict=True)) for row in table], schema)
    null = style["null_text"]
    is_lone = len(names) == 1 and not null
    expected = [tuple("" if cell is None and is_lone else cell for cell in row) for row in table]
    rows, rejects = read_back(
        write_out(data, **style),
        delimiter=style["delimiter"],
        quotechar=style["quotechar"],
        fieldnames=None if style["header"] else names,
        null_values=[null],
        quoted_nulls=False,
    )
    assert (rows, rejects) == (expected, [])


TYPED = st.one_of(
    st.tuples(st.just(pa.int64()), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just(pa.float64()), st.floats(-1e15, 1e15).map(lambda value: float(f"{value:.15g}"))),
    st.tuples(st.just(pa.bool_()), st.booleans()),
    st.tuples(st.just(pa.date32()), st.dates()),
    st.tuples(st.just(pa.timestamp("us")), st.datetimes()),
    st.tuples(st.just(pa.timestamp("us", "UTC")), st.datetimes(timezones=st.just(UTC), max_value=datetime(9998, 1, 1))),  # noqa: DTZ001
)


@given(TYPED, st.lists(st.booleans(), max_size=5), styles())
def test_typed_columns_come_back_with_type_and_value(typed: tuple[Any, Any], nulls: list[bool], style: dict[str, Any]):
    kind, value = typed
    assume(kind != pa.float64() or "e" not in repr(value))
    values = [value, *(None if is_null else value for is_null in nulls)]
    data = pa.RecordBatch.from_arrays([pa.array(values, kind), pa.array(["x"] * len(values))], ["v", "text"])
    adapter_options: dict[str, Any] = {
        "delimiter": style["delimiter"],
        "quotechar": style["quotechar"],
        "null_values": [style["null_text"]],
    }
    open_store("memory://csv-property").write("t.csv", write_out(data, **style))
    adapter = CSVInputAdapter(
        "memory://csv-property/t.csv",
        infer_types=True,
        fieldnames=None if style["header"] else ["v", "text"],
        **adapter_options,
    )
    with adapter.open(lambda store: store) as stream:
        table = pa.Table.from_batches([batch.data for batch in stream.batches()], stream.schema)
    assert table.schema.field("v").type == kind
    assert table["v"].to_pylist() == values


@given(st.lists(st.text("0123456789-+.eE:TZ truefalsinf", max_size=12) | st.integers().map(str) | st.floats().map(str)))
def test_an_inferred_value_is_the_text_or_its_row_is_rejected(texts: list[str]):
    sample, readers = 2, {"int64": int, "double": float, "bool": lambda text: text.lower() == "true"}
    data = pa.RecordBatch.from_arrays(
        [pa.array(texts, pa.string()), pa.array(["x"] * len(texts), pa.string())], ["v", "w"]
    )
    open_store("memory://csv-property").write("i.csv", write_out(data))
    adapter = CSVInputAdapter("memory://csv-property/i.csv", infer_types=True, sample_rows=sample)
    found: dict[int, Any] = {}
    with adapter.open(lambda store: store) as stream:
        kind = str(stream.schema.field("v").type)
        for batch in stream.batches():
            found |= {batch.row_number(index): cell.as_py() for index, cell in enumerate(batch.data["v"])}
            for row in batch.malformed:
                assert row.error_type == "type_mismatch"
                assert row.row > sample
                found[row.row] = row
    assert sorted(found) == list(range(1, len(texts) + 1))
    for number, text in enumerate(texts, 1):
        value = found[number]
        if kind in readers and text and not hasattr(value, "message"):
            assert value == readers[kind](text)
        elif kind == "string":
            assert value == text
