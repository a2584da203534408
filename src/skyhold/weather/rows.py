"""The rows of an EPW file as an Arrow table."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from skyhold.errors import WeatherError
from skyhold.weather.cells import Cells, is_number
from skyhold.weather.fields import FIELDS, LEAST_FIELDS, Field
from skyhold.weather.header import EpwHeader, decode

__all__ = ["TIME_FIELDS", "read_rows", "with_times"]

TIME_FIELDS = 5
_END_OF_TEXT = b"\x1a"
_TYPES = {"number": pa.float64(), "whole": pa.int16(), "text": pa.string()}
_WHOLE_MAX = 9999


def read_rows(data: bytes, header: EpwHeader, source: str) -> pa.Table:
    """Return the 35 columns of the rows below a header, "not measured" as null.

    Columns that a file ends before (those after the wind speed may be left out) are null as a whole.

    Args:
        data: What follows the header.
        header: The header.
        source: The file.

    Raises:
        WeatherError: A line has too few or too many cells, or one that is no number; with line and column.
    """
    data = data.rstrip(_END_OF_TEXT + b" \t\r\n")
    width = _width(data, header, source)
    if not data:
        return pa.table([pa.nulls(0, _TYPES[field.kind]) for field in FIELDS], schema=_schema())
    try:
        found = _parse(data, width)
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        raise _first_fault(data, header, source, width, str(error)) from error
    if any(_is_wrong(found.column(index), field) for index, field in enumerate(FIELDS[:width])):
        raise _first_fault(data, header, source, width, "a number is missing, or is none")
    columns = [_measured(found.column(index), field) for index, field in enumerate(FIELDS[:width])]
    columns += [pa.nulls(found.num_rows, _TYPES[field.kind]) for field in FIELDS[width:]]
    return pa.table(columns, schema=_schema())


def with_times(rows: pa.Table, times: Sequence[datetime], header: EpwHeader) -> pa.Table:
    """Return the table with the column ``time`` first, and with the place and the convention in its metadata."""
    zone = header.location.time_zone_h
    told = {"unit": "", "convention": "beginning of the interval, local standard time", "utc_offset_h": f"{zone:g}"}
    field = pa.field("time", pa.timestamp("s"), nullable=False, metadata=told)
    place = header.location
    about = {"city": place.city, "country": place.country, "wmo": place.wmo, "latitude": str(place.latitude)}
    about |= {"longitude": str(place.longitude), "records_per_hour": str(header.records_per_hour)}
    schema = pa.schema([field, *rows.schema], metadata=about)
    return pa.table([pa.array(times, pa.timestamp("s")), *rows.columns], schema=schema)


def _schema() -> pa.Schema:
    return pa.schema(
        [
            pa.field(field.name, _TYPES[field.kind], metadata={"unit": field.unit, "title": field.title})
            for field in FIELDS
        ]
    )


def _width(data: bytes, header: EpwHeader, source: str) -> int:
    """Return how many cells the first row has, within what the format allows."""
    first = data.partition(b"\n")[0]
    width = first.count(b",") + 1 if first.strip() else len(FIELDS)
    if not LEAST_FIELDS <= width <= len(FIELDS):
        line = Cells.cut(source, header.lines + 1, decode(first))
        raise _wrong_width(line, LEAST_FIELDS, len(FIELDS))
    return width


def _parse(data: bytes, width: int) -> pa.Table:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = decode(data).encode()  # only the flags can hold such letters
    names = [field.name for field in FIELDS[:width]]
    return csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(column_names=names, use_threads=False, block_size=max(len(data), 1)),
        csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types={field.name: _read_type(field) for field in FIELDS[:width]},
            null_values=[""],
            strings_can_be_null=False,
        ),
    )


def _read_type(field: Field) -> Any:
    return pa.string() if field.kind == "text" else pa.float64()


def _is_wrong(column: Any, field: Field) -> bool:
    """Return whether a column has what its kind does not allow; which cell it is, is found by reading slowly."""
    if field.kind == "text":
        return False
    if field.kind == "number":
        return not pc.all(pc.is_finite(pc.drop_null(column))).as_py()
    if column.null_count:
        return True
    whole = pc.and_(pc.equal(pc.trunc(column), column), pc.less_equal(pc.abs(column), _WHOLE_MAX))
    return not pc.all(whole).as_py()


def _measured(column: Any, field: Field) -> Any:
    """Return a column of its type, with null for what was not measured."""
    if field.kind == "text":
        column = pc.utf8_trim_whitespace(column)
        absent = pc.or_(pc.equal(column, ""), pc.equal(column, field.missing))
    elif field.missing:
        absent = pc.equal(column, float(field.missing))
    else:
        return pc.cast(column, _TYPES[field.kind])
    return pc.if_else(pc.fill_null(absent, True), pa.scalar(None, column.type), column)


def _first_fault(data: bytes, header: EpwHeader, source: str, width: int, otherwise: str) -> WeatherError:
    """Return what is wrong with the first line that is wrong."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), header.lines + 1):
        fault = _fault_of(Cells.cut(source, number, line), width)
        if fault is not None:
            return fault
    return WeatherError(f"{source!r}: its rows cannot be read: {otherwise}")


def _fault_of(line: Cells, width: int) -> WeatherError | None:
    if len(line.texts) != width:
        return _wrong_width(line, width, width)
    for column, (cell, field) in enumerate(zip(line.texts, FIELDS, strict=False), 1):
        if field.kind == "text" or (field.kind == "number" and not cell):
            continue
        if not is_number(cell):
            return line.fault(column, field.title, f"{cell[:60]!r} is not a number" if cell else "it is missing")
        if field.kind == "whole" and (not float(cell).is_integer() or abs(float(cell)) > _WHOLE_MAX):
            return line.fault(column, field.title, f"{cell[:60]!r} is no whole number of up to four digits")
    return None


def _wrong_width(line: Cells, least: int, most: int) -> WeatherError:
    wanted = str(least) if least == most else f"{least} to {most}"
    found = f"the line has {len(line.texts)} cells, and a row of this file has {wanted}"
    return line.fault(min(len(line.texts), most + 1), "cells", found)
