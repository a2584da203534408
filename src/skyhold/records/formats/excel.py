"""Excel: one sheet in, one sheet out."""

# pyarrow and xlsxwriter are untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import io
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from importlib import import_module
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa

from skyhold.errors import (
    BadOptionError,
    BadUriError,
    MalformedInputError,
    MissingExtraError,
    SchemaError,
    UnwritableValueError,
)
from skyhold.records.formats.adapter import Batch, InputStream, MalformedRow, OutputStream, Source
from skyhold.records.formats.excel_cells import CellWriter, ColumnKinds, cell_writer
from skyhold.records.formats.excel_faults import cell_name, find_faults
from skyhold.records.formats.objects import (
    ObjectInputAdapter,
    ObjectOutputAdapter,
    ObjectPlace,
    ObjectSink,
    ObjectUris,
)
from skyhold.storage.objects import ObjectInfo

__all__ = ["ExcelInputAdapter", "ExcelOutputAdapter"]

_FETCH_BYTES = 8 * 1024 * 1024
_BATCH_ROWS = 16 * 1024
_MOST_ROWS, _MOST_COLUMNS = 1_048_576, 16_384
_MADE = datetime(1980, 1, 1)  # noqa: DTZ001 - written into the file, which should depend on its rows alone
_OTHERS = (".xlsm", ".xlsb", ".xls", ".ods")
_LOCKED = "EncryptedPackage".encode("utf-16-le")
"""The part of a protected xlsx that holds the true one."""
_FORMATS: dict[type, str] = {
    date: "yyyy-mm-dd",
    datetime: "yyyy-mm-dd hh:mm:ss.000",
    time: "hh:mm:ss.000",
    timedelta: "[h]:mm:ss.000",
}


class ExcelInputAdapter(ObjectInputAdapter):
    """Read one sheet of an ``xlsx``, ``xlsm``, ``xlsb``, ``xls`` or ``ods`` file. Needs the extra ``excel``.

    The first row that is not blank names the columns. A column's type is decided over the whole sheet
    (`skyhold.records.formats.excel_cells.ColumnKinds`); one of mixed kinds is text. Empty cells and empty text are
    None, also those that a merged cell covers. Blank rows are passed over. In xlsx and xlsm files a row with an error
    such as ``#N/A``, or with a formula that was never calculated, is rejected; in other formats such a cell is None,
    since their reader does not tell.

    The sheet is in memory as a whole, 24 bytes and its text for each cell.

    Args:
        uri: Where it is; a pattern, a folder or a sequence of URIs reads many.
        sheet: A sheet's name, or its number from 0; the first one is read otherwise.
        skip_rows: How many rows at the top are no part of the table.
        fieldnames: The columns' names, from column A on, of a sheet that has no header.
        limit: Read at most so many rows.
        **options: ``glob`` and ``source_column`` as for `skyhold.records.formats.objects.ObjectInputAdapter`, and
            storage options.
    """

    def __init__(
        self,
        uri: ObjectUris,
        *,
        sheet: str | int | None = None,
        skip_rows: int = 0,
        fieldnames: Sequence[str] | None = None,
        limit: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(uri, **options)
        for name, value in (("skip_rows", skip_rows), ("limit", limit)):
            if value is not None and value < 0:
                raise BadOptionError(f"{name}={value!r} is less than 0")
        self._sheet = sheet
        self._skip_rows = skip_rows
        self._fieldnames = None if fieldnames is None else tuple(fieldnames)
        self._limit = limit

    def _open_one(self, place: ObjectPlace) -> InputStream:
        reader = place.open_reader(_FETCH_BYTES)
        try:
            data, info = reader.read(), reader.info
        finally:
            reader.close()
        sheet = _Sheet(data, place.uri, self._sheet)
        return _ExcelStream(sheet, info, self._skip_rows, self._fieldnames, self._limit)


class _Sheet:
    """One sheet, loaded: its rows from the first row and column of the sheet on, and its faulty cells."""

    def __init__(self, data: bytes, uri: str, wanted: str | int | None) -> None:
        calamine = _load("python_calamine", "reading Excel files")
        self.uri = uri
        try:
            with calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
                self._name = _choose(book.sheets_metadata, wanted, uri)
                self._sheet = book.get_sheet_by_name(self._name)
            self.faults = find_faults(data, self._name, uri)
        except (calamine.CalamineError, zipfile.BadZipFile) as error:
            if _LOCKED in data:  # the reader only tells that it knows no such format
                message = f"{uri!r} is protected by a password"
            else:
                message = f"{uri!r} cannot be read as a workbook: {error}"
            raise MalformedInputError(
                message, remedy="Open it in Excel and save it again, without a password"
            ) from error

    def rows(self) -> Iterator[tuple[int, list[Any]]]:
        """Yield the rows that have cells, with their numbers from 0."""
        left = (self._sheet.start or (0, 0))[1]  # blank rows at the top are given, blank columns at the left are not
        faulty = {row for row, _ in self.faults}
        last = -1
        for last, cells in enumerate(self._sheet.iter_rows()):
            if last in faulty or any(cell != "" for cell in cells):
                yield last, [""] * left + cells
        yield from ((row, []) for row in sorted(faulty) if row > last)  # below the last cell that has a value


def _choose(sheets: Sequence[Any], wanted: str | int | None, uri: str) -> str:
    names = [each.name for each in sheets if str(each.typ).endswith("WorkSheet")]
    if isinstance(wanted, str) and wanted in names:
        return wanted
    number = wanted or 0
    if isinstance(number, int) and 0 <= number < len(names):
        return names[number]
    shown = ", ".join(map(repr, names)) or "no sheet at all"
    raise BadOptionError(f"{uri!r} has no sheet {number!r}", remedy=f"It has {shown}")


def _load(name: str, feature: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError.of("excel", feature) from error


class _ExcelStream(InputStream):
    def __init__(
        self, sheet: _Sheet, info: ObjectInfo, skip_rows: int, fieldnames: tuple[str, ...] | None, limit: int | None
    ) -> None:
        self.kind = "typed"
        self.sources = [Source(sheet.uri, info)]
        self._sheet = sheet
        self._limit = limit
        self._first = skip_rows
        names = dict(enumerate(fieldnames)) if fieldnames else self._read_header()
        repeated = sorted(name for name in set(names.values()) if list(names.values()).count(name) > 1)
        if repeated:
            raise MalformedInputError(
                f"{sheet.uri!r} has more than one column called {repeated[0]!r}",
                remedy="Rename it in the file, or give fieldnames=, and skip_rows= to pass over the header",
            )
        self._names = names
        self._kinds = {place: ColumnKinds() for place in names}
        for rows in self._chunks():
            for place, cells in self._columns(rows).items():
                self._kinds[place].see(cells)
        self.schema = pa.schema([(name, self._kinds[place].type) for place, name in names.items()])

    def _read_header(self) -> dict[int, str]:
        """Return the names by column, and begin below them."""
        row, cells = next(self._rows(), (None, []))
        if row is None:
            raise MalformedInputError(
                f"{self._sheet.uri!r} is empty: its sheet has no header", remedy="Give fieldnames= if that is meant"
            )
        for (faulty, column), what in self._sheet.faults.items():
            if faulty == row:
                raise MalformedInputError(f"the header cell {cell_name(row, column)} of {self._sheet.uri!r} {what}")
        self._first = row + 1
        header = ColumnKinds()
        header.see(["", "text", True, *cells])  # of mixed kinds, so that every name is written out
        return {place: name for place, name in enumerate(header.values(cells)) if name is not None}

    def _rows(self) -> Iterator[tuple[int, list[Any]]]:
        rows = ((row, cells) for row, cells in self._sheet.rows() if row >= self._first)
        return islice(rows, self._limit)

    def _chunks(self) -> Iterator[list[tuple[int, list[Any]]]]:
        rows = self._rows()
        while chunk := list(islice(rows, _BATCH_ROWS)):
            yield chunk

    def _columns(self, rows: list[tuple[int, list[Any]]]) -> dict[int, list[Any]]:
        return {place: [cells[place] if place < len(cells) else "" for _, cells in rows] for place in self._names}

    def batches(self) -> Iterator[Batch]:
        next_row = 1
        faults: dict[int, str] = {}
        for (row, column), what in sorted(self._sheet.faults.items(), reverse=True):
            faults[row] = f"cell {cell_name(row, column)} {what}"
        for rows in self._chunks():
            malformed: list[MalformedRow] = []
            good: list[tuple[int, list[Any]]] = []
            for row, cells in rows:
                fault = self._fault(row, cells, faults)
                if fault is None:
                    good.append((row, cells))
                else:
                    number = row - self._first + 1
                    malformed.append(MalformedRow(number, *fault, original=self._shown(cells), line=row + 1))
            numbers = {row - self._first + 1 for row, _ in good}
            end = rows[-1][0] - self._first + 2
            skipped = tuple(number for number in range(next_row, end) if number not in numbers)
            lines = pa.array([row + 1 for row, _ in good], pa.int64())
            yield Batch(self._data(good), self._sheet.uri, next_row, skipped, tuple(malformed), lines)
            next_row = end

    def _data(self, rows: list[tuple[int, list[Any]]]) -> pa.RecordBatch:
        arrays = [
            pa.array(self._kinds[place].values(cells), kind)
            for (place, cells), kind in zip(self._columns(rows).items(), self.schema.types, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _fault(self, row: int, cells: list[Any], faults: dict[int, str]) -> tuple[str, str] | None:
        if row in faults:
            return "error_cell", faults[row]
        for place, cell in enumerate(cells):
            if cell != "" and place not in self._names:
                return "ragged_row", f"cell {cell_name(row, place)} has a value, and its column has no name"
        return None

    def _shown(self, cells: list[Any]) -> str:
        named = {self._names.get(place, cell_name(0, place)[:-1]): cell for place, cell in enumerate(cells)}
        return orjson.dumps(named, default=str).decode()


class ExcelOutputAdapter(ObjectOutputAdapter):
    """Write one xlsx file with one sheet. Needs the extra ``excel``.

    A sheet holds numbers of 64-bit floats, and moments without a zone to the millisecond from 1 March 1900 on. A column
    of another type (lists, bytes, moments with a zone) is refused before anything is written; a value that no cell
    holds exactly (a longer int, a microsecond, NaN, text of more than 32,767 characters) fails the run, and so does a
    row too many; what was there before stays. Empty text is an empty cell, as None is. Text is never taken for a
    formula.

    Rows wait in a temporary folder of this machine until the file is complete.

    Args:
        uri: Where to; not a name that says ``.xls`` or ``.ods``.
        sheet: The sheet's name.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(self, uri: str | os.PathLike[str], *, sheet: str = "Sheet1", **storage_options: Any) -> None:
        super().__init__(uri, **storage_options)
        if self.uri.lower().endswith(_OTHERS):
            raise BadUriError(f"{self.uri!r} names a format that is only read", remedy="Give it a name in .xlsx")
        self._sheet = sheet

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        if len(schema) > _MOST_COLUMNS:
            raise SchemaError(f"{len(schema):,} columns are more than a sheet's {_MOST_COLUMNS:,}")
        writers = [cell_writer(field) for field in schema]
        book = _Book(self._sheet)
        try:
            return _ExcelSink(place, schema, writers, book)
        except BaseException:
            book.discard()
            raise


class _Book:
    """A workbook that is being written to a file in a folder of its own."""

    def __init__(self, sheet: str) -> None:
        xlsxwriter = _load("xlsxwriter", "writing Excel files")
        self._folder = tempfile.TemporaryDirectory(prefix="skyhold-excel-")
        self.path = os.path.join(self._folder.name, "book.xlsx")  # noqa: PTH118 - xlsxwriter takes text
        self._book = xlsxwriter.Workbook(self.path, {"constant_memory": True, "tmpdir": self._folder.name})
        self._book.set_properties({"created": _MADE})
        self.formats = {kind: self._book.add_format({"num_format": shown}) for kind, shown in _FORMATS.items()}
        exact = type(
            "ExactSheet",
            (xlsxwriter.worksheet.Worksheet,),
            {"_xml_number_element": _write_number, "_xml_rich_inline_string": _write_plain},
        )
        try:
            self.sheet = self._book.add_worksheet(sheet, worksheet_class=exact)
        except xlsxwriter.exceptions.XlsxWriterException as error:
            self._folder.cleanup()
            raise BadOptionError(f"sheet={sheet!r} cannot be a sheet's name: {error}") from error

    def save(self) -> None:
        self._book.close()

    def discard(self) -> None:
        self.sheet._opt_close()  # noqa: SLF001 - the only way to let go of its file without writing the rest
        self._folder.cleanup()


def _write_number(sheet: Any, number: float, attributes: Sequence[tuple[str, object]] = ()) -> None:
    """Write all digits: xlsxwriter writes 16, and a float may need 17."""
    shown = "".join(f' {name}="{value}"' for name, value in attributes)
    sheet.fh.write(f"<c{shown}><v>{number!r}</v></c>")


def _write_plain(sheet: Any, text: str, attributes: Sequence[tuple[str, object]] = ()) -> None:
    """Write text that looks like formatted text as the text that it is: xlsxwriter would take it for XML."""
    sheet._xml_inline_string(text, preserve=False, attributes=attributes)  # noqa: SLF001 - see `_Book`


class _ExcelSink(ObjectSink):
    def __init__(self, place: ObjectPlace, schema: pa.Schema, writers: list[CellWriter], book: _Book) -> None:
        super().__init__(place)
        self._writers = writers
        self._book = book
        self._next = 1
        sheet = book.sheet
        for column, name in enumerate(schema.names):
            sheet.write_string(0, column, name)

    def _encode(self, batch: pa.RecordBatch) -> None:
        if self._next + batch.num_rows > _MOST_ROWS:
            raise UnwritableValueError(
                f"more than {_MOST_ROWS - 1:,} rows and a header do not fit in a sheet of {self._uri!r}",
                remedy="Write Parquet or CSV, or write the rows to several files",
            )
        columns = [write(column) for write, column in zip(self._writers, batch.columns, strict=True)]
        for row, cells in enumerate(zip(*columns, strict=True), self._next):
            for column, cell in enumerate(cells):
                if cell is not None:
                    self._write_cell(row, column, cell)
        self._next += batch.num_rows

    def _write_cell(self, row: int, column: int, cell: Any) -> None:
        sheet = self._book.sheet
        if isinstance(cell, str):
            sheet.write_string(row, column, cell)
        elif isinstance(cell, bool):
            sheet.write_boolean(row, column, cell)
        elif isinstance(cell, int | float):
            sheet.write_number(row, column, cell)
        else:
            sheet.write_datetime(row, column, cell, self._book.formats[type(cell)])

    def _finish(self) -> None:
        self._book.save()
        with open(self._book.path, "rb") as file:  # noqa: PTH123 - see `_Book`
            while chunk := file.read(_FETCH_BYTES):
                self._writer.write(chunk)
        self._book.discard()

    def _let_go(self) -> None:
        self._book.discard()
