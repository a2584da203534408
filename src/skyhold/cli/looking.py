"""``head``, ``explain``, ``schema``: what lies in a file, and what a model makes of it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import shutil
from dataclasses import replace
from typing import Annotated, Any

import orjson
from cyclopts import Parameter

from skyhold.cli.adapters import Reading, open_inputs
from skyhold.cli.models import load_model
from skyhold.cli.options import Common
from skyhold.cli.output import Printer, format_table
from skyhold.errors import BadUriError
from skyhold.records.first_rows import FirstRow, FirstRows, cell_text, read_first_rows
from skyhold.records.flow import plan_for
from skyhold.records.formats.adapter import MalformedRow
from skyhold.records.modelling.finding import find_kinds
from skyhold.records.modelling.source import model_source
from skyhold.records.validation.plan import ValidationPlan
from skyhold.runs.wording import human_size, visible
from skyhold.storage.location import redact_uri
from skyhold.storage.wrappers.metered import Meter, MeteredStore

__all__ = ["explain", "head", "schema"]

_DEFAULT = Common()
_READING = Reading()
_WIDTH = 120


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
    first = read_first_rows(adapter, wanted, lambda store: MeteredStore(store, meter))
    found, names = first.rows, list(first.columns)
    for row in found if common.json else ():
        fields = {"values": row.values} if row.malformed is None else _as_fields(row.malformed)
        print(orjson.dumps({"row": row.number, **fields}, default=str, option=orjson.OPT_NON_STR_KEYS).decode())
    if not common.json:
        _print_rows(first)
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


def _as_fields(row: MalformedRow) -> dict[str, Any]:
    return {"malformed": row.error_type, "message": row.message, "line": row.line, "original": row.original}


def _print_rows(first: FirstRows) -> None:
    """Print a table of the rows, and under it what could not be read."""
    rows, names = first.rows, first.names
    cells = [[str(row.number), *(_cell(row, name) for name in names)] for row in rows if row.values is not None]
    print("\n".join(format_table(["row", *names], cells, width=_width())))
    for row in rows:
        if row.malformed is not None:
            words = f"row {row.number} is malformed: {row.malformed.message}: {row.malformed.original}"
            print(visible(words, _width()))


def _cell(row: FirstRow, name: str) -> str:
    text = cell_text(row, name)
    return "null" if text is None else text


def _width() -> int:
    return shutil.get_terminal_size((_WIDTH, 24)).columns
