"""Sheets are read with what their cells are, faults are rejected rows, and a file appears whole or not at all."""

import io
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pytest
import xlsxwriter
import xlwt
from pydantic import BaseModel
from xlwt.CompoundDoc import XlsDoc

from conftest import make_bucket
from skyhold import (
    ArrowStreamInputAdapter,
    ArrowTableOutputAdapter,
    ExcelInputAdapter,
    ExcelOutputAdapter,
    MultiThreadExecutor,
    Pipe,
    open_input,
    open_output,
)
from skyhold.errors import (
    BadOptionError,
    BadUriError,
    BucketNotFoundError,
    KeyNotFoundError,
    MalformedInputError,
    MissingExtraError,
    SchemaError,
    UnwritableValueError,
)
from skyhold.records.formats import excel
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


class Sale(BaseModel):
    day: date
    amount: int


def _stored(data: bytes, name: str = "book.xlsx") -> str:
    base = f"memory://excel-{uuid4().hex}"
    open_store(base).write(name, data)
    return f"{base}/{name}"


def _book(*rows: list[Any], top: int = 0, left: int = 0, sheet: str = "Data") -> str:
    """Store a workbook; a cell that is a callable writes itself."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
    page = book.add_worksheet(sheet)
    for row, cells in enumerate(rows, top):
        for column, cell in enumerate(cells, left):
            if callable(cell):
                cell(page, row, column)
            elif cell is not None:
                page.write(row, column, cell)
    book.add_worksheet("Other").write(0, 0, "only a header")
    book.close()
    return _stored(file.getvalue())


def _formula(text: str, value: Any) -> Any:
    return lambda page, row, column: page.write_formula(row, column, text, None, value)


def _run(uri: str, *, model: Any = None, **options: Any) -> tuple[pa.Table, list[dict[str, Any]]]:
    output, errors = ArrowTableOutputAdapter(), ArrowTableOutputAdapter()
    pipe = Pipe(
        input_adapter=ExcelInputAdapter(uri, **options),
        output_adapter=output,
        error_output_adapter=errors,
        schema_model=model,
    )
    pipe.run()
    return output.table, errors.table.to_pylist()


def test_cells_keep_their_types():
    moment = datetime(2024, 1, 31, 12, 30)  # noqa: DTZ001 - sheets have no zones
    uri = _book(
        ["int", "float", "bool", "text", "moment", "none"],
        [1, 1.5, True, "a", moment],
        [2, 2, False, "#N/A", date(2024, 2, 1)],
        [None, None, None, lambda page, row, column: page.write_string(row, column, "=1"), None, ""],
    )
    table, errors = _run(uri)
    assert not errors
    types = [pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.timestamp("us"), pa.null()]
    assert table.schema.types == types
    assert table.to_pydict() == {
        "int": [1, 2, None],
        "float": [1.5, 2.0, None],
        "bool": [True, False, None],
        "text": ["a", "#N/A", "=1"],
        "moment": [moment, datetime(2024, 2, 1), None],  # noqa: DTZ001
        "none": [None, None, None],
    }


def test_a_column_of_mixed_kinds_is_text_and_the_model_reads_it():
    uri = _book(["day", "amount"], ["2024-01-31", 1], [date(2024, 2, 1), "2"], [True, 2.5], [timedelta(1, 3), 1e300])
    table, _ = _run(uri)
    assert table["amount"].to_pylist() == ["1", "2", "2.5", "1e+300"]
    assert table["day"].to_pylist()[:3] == ["2024-01-31", "2024-02-01", "TRUE"]
    table, errors = _run(uri, model=Sale)
    assert table.to_pylist() == [{"day": date(2024, 1, 31), "amount": 1}, {"day": date(2024, 2, 1), "amount": 2}]
    assert [(each["row_number"], each["line"]) for each in errors] == [(3, 4), (4, 5)]


def test_errors_and_formulas_that_were_never_calculated_are_rejected_rows_and_never_none():
    uri = _book(
        ["a", "b"],
        [1, _formula("=1/0", "#DIV/0!")],
        [_formula("=1+1", 2), _formula('=""', "")],
        [_formula("=NA()", "#N/A"), 4],
        [5, 5],
        [_formula("=1/0", "#DIV/0!")],
    )
    data = open_store(uri.rpartition("/")[0]).read("book.xlsx")
    table, errors = _run(_stored(_edited(data, b"<v></v>", b"", b'<c r="B3">', b'<c r="B3" t="str">')))
    assert table.to_pydict() == {"a": [2, 5], "b": [None, 5]}
    found = [(each["row_number"], each["error_type"], each["message"]) for each in errors]
    assert found == [
        (1, "error_cell", "cell B2 holds #DIV/0!"),
        (3, "error_cell", "cell A4 holds #N/A"),
        (5, "error_cell", "cell A6 holds #DIV/0!"),
    ]
    assert errors[1]["original"] == '{"a":"","b":4.0}'
    _, errors = _run(_stored(_edited(data, b"<v>2</v>", b"")))
    assert (2, "cell A3 holds a formula without its value: save it in Excel") in [
        (each["row_number"], each["message"]) for each in errors
    ]


def _edited(data: bytes, *replacements: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                for old_part, new_part in zip(replacements[::2], replacements[1::2], strict=True):
                    content = content.replace(old_part, new_part)
            new.writestr(name, content)
    return file.getvalue()


def test_rows_are_counted_below_the_header_and_blank_ones_are_passed_over():
    uri = _book(["", "a", "b"], ["", 1, "x"], [], ["", 2, "y", "stray"], ["", 3], top=4, left=2)
    table, errors = _run(uri)
    assert table.to_pydict() == {"a": [1, 3], "b": ["x", None]}
    (error,) = errors
    assert (error["row_number"], error["line"], error["error_type"]) == (3, 8, "ragged_row")
    assert error["message"] == "cell F8 has a value, and its column has no name"
    table, _ = _run(uri, skip_rows=5, fieldnames=["1", "2", "3", "a", "b", "c"], limit=2)
    assert table.to_pylist()[1] == {"1": None, "2": None, "3": None, "a": 2, "b": "y", "c": "stray"}


def test_a_sheet_is_chosen_by_name_or_number_and_a_wrong_one_is_told():
    uri = _book(["a"], [1])
    assert _run(uri, sheet="Data")[0].num_rows == 1
    table, _ = _run(uri, sheet=1)
    assert (table.num_rows, table.column_names) == (0, ["only a header"])
    for wrong in ("data", 2, -1):
        with pytest.raises(BadOptionError, match="has no sheet") as caught:
            _run(uri, sheet=wrong)
        assert "'Data', 'Other'" in caught.value.remedy


def test_merged_cells_have_their_value_once():
    def merged(page: Any, row: int, column: int) -> None:
        page.merge_range(row, column, row + 1, column, "both")

    table, _ = _run(_book(["a", "b"], [merged, 1], [None, 2]))
    assert table.to_pylist() == [{"a": "both", "b": 1}, {"a": None, "b": 2}]


def test_files_that_are_no_workbook_and_headers_that_name_nothing_are_errors():
    whole = open_store(_book(["a"]).rpartition("/")[0]).read("book.xlsx")
    for data in (b"", b"hello", whole[: len(whole) // 2], whole[:-30]):
        with pytest.raises(MalformedInputError, match=r"book\.xlsx' cannot be read as a workbook"):
            _run(_stored(data))
    with pytest.raises(MalformedInputError, match="is empty: its sheet has no header"):
        _run(_book())
    with pytest.raises(MalformedInputError, match="more than one column called 'a'"):
        _run(_book(["a", "b", "a"]))
    with pytest.raises(MalformedInputError, match=r"the header cell B1 of .* holds #N/A"):
        _run(_book(["a", _formula("=NA()", "#N/A")], [1, 2]))
    with pytest.raises(KeyNotFoundError):
        _run(f"memory://excel-{uuid4().hex}/missing.xlsx")


def test_a_file_with_a_password_says_so():
    file = io.BytesIO()
    XlsDoc().save(file, b"\x09\x08\x10\x00" + b"\0" * 5000)
    data = file.getvalue().replace("Workbook".encode("utf-16-le"), "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(MalformedInputError, match="is protected by a password"):
        _run(_stored(data))


def test_the_older_and_the_open_format_are_read_too():
    book = xlwt.Workbook()
    sheet = book.add_sheet("Old")
    dates = xlwt.easyxf(num_format_str="yyyy-mm-dd")
    for row, cells in enumerate([("n", "s", "d"), (1, "x", date(2024, 1, 31)), (2.5, "y", date(2024, 2, 1))]):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell, dates) if isinstance(cell, date) else sheet.write(row, column, cell)
    file = io.BytesIO()
    book.save(file)
    table, _ = _run(_stored(file.getvalue(), "book.xls"))
    assert table.to_pydict() == {"n": [1.0, 2.5], "s": ["x", "y"], "d": [date(2024, 1, 31), date(2024, 2, 1)]}
    table, _ = _run(_stored(_open_document(), "book.ods"))
    assert table.to_pydict() == {"n": [1, 2], "s": ["x", None], "d": [date(2024, 1, 31), None], "t": [time(1, 2), None]}


def _open_document() -> bytes:
    names = "".join(
        f'xmlns:{short}="urn:oasis:names:tc:opendocument:xmlns:{long}:1.0" '
        for short, long in (("office", "office"), ("table", "table"), ("text", "text"))
    )
    texts = [
        f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>' for text in "nsdtx"
    ]
    number = '<table:table-cell office:value-type="float" office:value="{}"/>'
    day = '<table:table-cell office:value-type="date" office:date-value="2024-01-31"/>'
    clock = '<table:table-cell office:value-type="time" office:time-value="PT01H02M00S"/>'
    rows = ["".join(texts[:4]), number.format(1) + texts[4] + day + clock, number.format(2)]
    body = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "META-INF/manifest.xml", '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
        )
        archive.writestr(
            "content.xml",
            f"<office:document-content {names}><office:body><office:spreadsheet>"
            f'<table:table table:name="S">{body}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return file.getvalue()


def test_a_frame_goes_to_a_bucket_as_a_workbook_and_comes_back(moto: LocalServer):
    base, options = f"s3://{make_bucket(moto)}", dict[str, Any](moto.options)
    frame = pl.DataFrame(
        {"n": range(20_000), "s": [f"s{n}" for n in range(20_000)], "d": [date(2024, 1, 31)] * 20_000},
    )
    report = Pipe(
        input_adapter=ArrowStreamInputAdapter(frame),
        output_adapter=ExcelOutputAdapter(f"{base}/book.xlsx", sheet="Rows", **options),
        executor=MultiThreadExecutor(max_workers=2),
    ).run()
    assert report.receipt is not None
    assert report.receipt.outputs[0].size_bytes == len(open_store(base, **options).read("book.xlsx"))
    output = ArrowTableOutputAdapter()
    again = ExcelInputAdapter(f"{base}/*.xlsx", sheet="Rows", source_column="file", **options)
    Pipe(input_adapter=again, output_adapter=output).run()
    found = pl.DataFrame(output)
    assert found.drop("file").equals(frame)
    assert found["file"].unique().to_list() == [f"{base}/book.xlsx"]


def test_the_same_rows_give_the_same_bytes(tmp_path: Path):
    data = pa.table({"a": [1, None], "b": ["x", "y"]})
    for name in ("one", "two"):
        Pipe(
            input_adapter=ArrowStreamInputAdapter(data), output_adapter=ExcelOutputAdapter(tmp_path / f"{name}.xlsx")
        ).run()
    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int64()), pa.struct({"a": pa.int64()}), pa.binary(), pa.timestamp("us", "UTC")]
)
def test_a_type_that_no_cell_holds_is_refused_before_anything_is_written(kind: pa.DataType):
    table = pa.table({"a": [1], "odd": pa.nulls(1, kind)})
    with pytest.raises(SchemaError, match=r"column 'odd' is .*, which no cell of a sheet can hold"):
        Pipe(
            input_adapter=ArrowStreamInputAdapter(table),
            output_adapter=ExcelOutputAdapter(f"memory://excel-{uuid4().hex}/a.xlsx"),
        ).run()


def test_too_many_rows_fail_and_leave_what_was_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(excel, "_MOST_ROWS", 4)
    uri = _stored(b"the previous one")

    def write(rows: int) -> None:
        table = ArrowStreamInputAdapter(pa.table({"a": range(rows)}))
        Pipe(input_adapter=table, output_adapter=ExcelOutputAdapter(uri)).run()

    with pytest.raises(UnwritableValueError, match="more than 3 rows and a header"):
        write(4)
    assert open_store(uri.rpartition("/")[0]).read("book.xlsx") == b"the previous one"
    write(3)
    assert _run(uri)[0].num_rows == 3


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moto: LocalServer):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    good, bad = pa.table({"a": [1]}), pa.table({"a": [1 << 60]})
    here = f"memory://excel-{uuid4().hex}/a.xlsx"
    missing = ExcelOutputAdapter(f"s3://no-such-{uuid4().hex}/a.xlsx", **moto.options)
    Pipe(input_adapter=ArrowStreamInputAdapter(good), output_adapter=ExcelOutputAdapter(here)).run()
    for table, output, error in (
        (bad, ExcelOutputAdapter(here), UnwritableValueError),
        (good, ExcelOutputAdapter(here, sheet="a/b"), BadOptionError),
        (good, missing, BucketNotFoundError),
    ):
        with pytest.raises(error):
            Pipe(input_adapter=ArrowStreamInputAdapter(table), output_adapter=output).run()
    assert not list(tmp_path.iterdir())


def test_the_suffix_tells_a_workbook_and_only_xlsx_is_written():
    assert isinstance(open_input("s3://sales/2024.XLS"), ExcelInputAdapter)
    assert isinstance(open_output("sales.xlsx", sheet="Sales"), ExcelOutputAdapter)
    for name in ("sales.xls", "sales.ods"):
        with pytest.raises(BadUriError, match="names a format that is only read"):
            open_output(name)


def test_a_missing_extra_says_which_install_brings_it(monkeypatch: pytest.MonkeyPatch):
    uri = _book(["a"])
    for name in ("python_calamine", "xlsxwriter"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match="reading Excel files needs the extra 'excel'"):
        _run(uri)
    with pytest.raises(MissingExtraError, match="writing Excel files"):
        ExcelOutputAdapter(uri).open(pa.schema({"a": pa.int64()}), lambda store: store)
