"""``head``, ``explain``, ``schema``: what lies in a file, and what a model makes of it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any, NamedTuple, cast

import orjson
from cyclopts import Parameter
from pydantic_core import from_json

from skyhold.cli.adapters import Reading, open_inputs
from skyhold.cli.models import load_model
from skyhold.cli.options import Common
from skyhold.cli.output import Printer, format_table, visible
from skyhold.errors import BadUriError
from skyhold.records.flow import plan_for
from skyhold.records.formats.adapter import Batch, MalformedRow
from skyhold.records.modelling.finding import find_kinds
from skyhold.records.modelling.source import model_source
from skyhold.records.validation.outcome import RowKind
from skyhold.records.validation.plan import ValidationPlan
from skyhold.records.validation.python_values import Unreadable, python_values
from skyhold.runs.wording import human_size
from skyhold.storage.location import redact_uri
from skyhold.storage.wrappers.metered import Meter, MeteredStore

__all__ = ["explain", "head", "schema"]

_DEFAULT = Common()
_READING = Reading()
_WIDTH = 120


class _Row(NamedTuple):
    number: int
    values: dict[str, Any] | None
    malformed: MalformedRow | None = None


def head(
    *uris: str,
    rows: Annotated[int, Parameter(name=["--rows", "-n"])] = 10,
    reading: Reading = _READING,
    common: Common = _DEFAULT,
) -> int:
    """Show the first rows of anything, as they are: a file, a pattern, a folder or a database.

    No more is read than is needed for them. Rows that the format itself cannot read are shown as such.

    Args:
        uris: What to read.
        rows: How many.
        reading: How to read.
        common: Options of every command.
    """
    _need(uris, "head")
    printer = Printer(as_json=common.json)
    wanted = rows if reading.limit is None else min(rows, reading.limit)
    adapter = open_inputs(list(uris), replace(reading, limit=wanted), common)
    meter = Meter()
    with adapter.open(lambda store: MeteredStore(store, meter)) as stream:
        found = [row for batch in stream.batches() for row in _rows_of(batch, stream.kind)]
        names = list(stream.columns)
    for row in found if common.json else ():
        fields = {"values": row.values} if row.malformed is None else _as_fields(row.malformed)
        print(orjson.dumps({"row": row.number, **fields}, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    if not common.json:
        _print_rows(found, names)
    bad = sum(row.malformed is not None for row in found)
    requests, size_bytes = sum(meter.usage.requests.values()), meter.usage.bytes_in
    spent = f"; {requests:,} requests, {human_size(size_bytes)}" if requests else ""
    words = f"{len(found):,} rows{f', {bad:,} malformed' if bad else ''}{spent}"
    printer.summary(words, rows=len(found), malformed=bad, columns=names, requests=requests, bytes_in=size_bytes)
    return 0


def explain(*uris: str, schema: str, reading: Reading = _READING, common: Common = _DEFAULT) -> int:
    """Tell how each field of a model is validated against an input, and why.

    A kernel checks and casts a whole column; pydantic validates a column in one call; or it is given whole rows.

    Args:
        uris: What would be read; only its columns are looked at.
        schema: The model, as module:Model or file.py:Model.
        reading: How to read.
        common: Options of every command.
    """
    _need(uris, "explain")
    printer = Printer(as_json=common.json)
    model = load_model(schema)
    with open_inputs(list(uris), reading, common).open(lambda store: store) as stream:
        plan = plan_for(model, stream)
    assert isinstance(plan, ValidationPlan)
    routes = plan.explain()
    lines = [
        {
            "field": each.field,
            "column": each.column,
            "route": each.route,
            "type": None if each.arrow_type is None else str(each.arrow_type),
            "reason": each.reason,
        }
        for each in routes
    ]
    if common.json:
        for line in lines:
            printer.item("", **line)
    else:
        cells = [[value or "-" for value in line.values()] for line in lines]
        print("\n".join(format_table(["field", "column", "route", "type", "reason"], cells, width=_width(), widest=80)))
    counts = {route: sum(each.route == route for each in routes) for route in ("kernel", "column", "row")}
    printer.summary(", ".join(f"{count} by {route}" for route, count in counts.items() if count), **counts)
    return 0


def schema(
    *uris: str,
    name: str = "Row",
    rows: int = 100_000,
    whole: Annotated[bool, Parameter(name="--all", negative="")] = False,
    reading: Reading = _READING,
    common: Common = _DEFAULT,
) -> int:
    """Write the pydantic model that a file satisfies, as a module of Python.

    In text, what looks like a number, a date or a moment becomes one where nothing of the text is lost. A null among
    the rows makes a field optional.

    Args:
        uris: What to look at.
        name: Of the model.
        rows: How many rows to look at, at least.
        whole: Look at all rows, so that all of them satisfy the model.
        reading: How to read.
        common: Options of every command.
    """
    _need(uris, "schema")
    with open_inputs(list(uris), reading, common).open(lambda store: store) as stream:
        found = find_kinds(stream, None if whole else rows)
        shown = redact_uri(stream.sources[0].uri)
    many = "All" if found.is_whole else "The first"
    about = f"{many} {found.rows:,} rows of {shown.rpartition('/')[2]} are so."
    source = model_source(found.members, name=name, about=about)
    if not common.json:
        print(source, end="")
    else:
        print(orjson.dumps({"name": name, "source": source}).decode())
    words = f"{len(found.members)} fields, from {many.lower()} {found.rows:,} rows"
    Printer(as_json=common.json).summary(words, fields=len(found.members), rows=found.rows, all=found.is_whole)
    return 0


def _need(uris: tuple[str, ...], verb: str) -> None:
    if not uris:
        raise BadUriError(f"{verb} needs something to read", remedy=f"Write: skyhold {verb} URI")


def _rows_of(batch: Batch, kind: RowKind) -> Iterator[_Row]:
    """Yield a batch's rows in the order of the file."""
    data = batch.data
    columns = [python_values(column) for column in data.columns]
    names: list[str] = data.schema.names
    good = (
        _json_row(batch.row_number(place), cells[0])
        if kind == "json"
        else _Row(batch.row_number(place), dict(zip(names, cells, strict=True)))
        for place, cells in enumerate(zip(*columns, strict=True))
    )
    bad = (_Row(row.row, None, row) for row in batch.malformed)
    yield from sorted(itertools.chain(good, bad), key=lambda row: row.number)


def _json_row(number: int, line: bytes) -> _Row:
    shown = line.decode(errors="backslashreplace")
    try:
        values = from_json(line)
    except ValueError as error:
        return _Row(number, None, MalformedRow(number, "json_invalid", f"Invalid JSON: {error}", shown))
    if not isinstance(values, dict):
        return _Row(number, None, MalformedRow(number, "object_type", "the line is no JSON object", shown))
    return _Row(number, cast("dict[str, Any]", values))


def _as_fields(row: MalformedRow) -> dict[str, Any]:
    return {"malformed": row.error_type, "message": row.message, "line": row.line, "original": row.original}


def _print_rows(rows: list[_Row], columns: list[str]) -> None:
    """Print a table of the rows, and under it what could not be read."""
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row.values or {})]))
    cells = [[str(row.number), *(_cell(row, name) for name in names)] for row in rows if row.values is not None]
    print("\n".join(format_table(["row", *names], cells, width=_width())))
    for row in rows:
        if row.malformed is not None:
            words = f"row {row.number} is malformed: {row.malformed.message}: {row.malformed.original}"
            print(visible(words, _width()))


def _cell(row: _Row, name: str) -> str:
    if name not in (row.values or {}):
        return ""
    value = (row.values or {})[name]
    if value is None:
        return "null"
    if isinstance(value, str):
        return value
    if isinstance(value, Unreadable):
        return f"({value.why})"
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)


def _width() -> int:
    return shutil.get_terminal_size((_WIDTH, 24)).columns
