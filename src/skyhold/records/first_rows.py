"""The first rows of anything, as they are: for people who look before they work."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson
from pydantic_core import from_json

from skyhold.records.formats.adapter import Batch, InputAdapter, MalformedRow, OpenStore
from skyhold.records.formats.limited import LimitedInputAdapter
from skyhold.records.validation.outcome import RowKind
from skyhold.records.validation.python_values import Unreadable, python_values

__all__ = ["FirstRow", "FirstRows", "cell_text", "read_first_rows"]


class FirstRow(NamedTuple):
    """A row: its number in the input, and its values, or what keeps it from being read."""

    number: int
    values: dict[str, Any] | None
    malformed: MalformedRow | None = None


@dataclass(frozen=True, slots=True)
class FirstRows:
    """The beginning of an input.

    Attributes:
        columns: Names and types; the type is empty where the format has none.
        rows: In the order of the input.
    """

    columns: dict[str, str]
    rows: list[FirstRow]

    @property
    def names(self) -> list[str]:
        """The columns, and what rows have beside them."""
        return list(dict.fromkeys([*self.columns, *(name for row in self.rows for name in row.values or {})]))


def read_first_rows(adapter: InputAdapter, rows: int, wrap: OpenStore = lambda store: store) -> FirstRows:
    """Return the first rows of an input; no more is read than is needed for them.

    Args:
        adapter: What to read.
        rows: How many.
        wrap: Sees every store that is read from.

    Example:
        >>> from skyhold.records.formats.python import PythonInputAdapter
        >>> read_first_rows(PythonInputAdapter([{"a": 1}, {"a": 2}]), 1).rows
        [FirstRow(number=1, values={'a': 1}, malformed=None)]
    """
    with LimitedInputAdapter(adapter, rows).open(wrap) as stream:
        found = [row for batch in stream.batches() for row in _rows_of(batch, stream.kind)]
        types = {field.name: str(field.type) for field in stream.schema or ()} if stream.kind == "typed" else {}
        columns = {name: types.get(name, "") for name in stream.columns}
    return FirstRows(columns, found)


def cell_text(row: FirstRow, name: str) -> str | None:
    """Return a cell as text for people; None where it holds nothing, and empty where the row has no such cell."""
    values = row.values or {}
    if name not in values:
        return ""
    value = values[name]
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Unreadable):
        return f"({value.why})"
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return str(value)


def _rows_of(batch: Batch, kind: RowKind) -> Iterator[FirstRow]:
    """Yield a batch's rows in the order of the file."""
    data = batch.data
    columns = [python_values(column) for column in data.columns]
    names: list[str] = data.schema.names
    good = (
        _json_row(batch.row_number(place), cells[0])
        if kind == "json"
        else FirstRow(batch.row_number(place), dict(zip(names, cells, strict=True)))
        for place, cells in enumerate(zip(*columns, strict=True))
    )
    bad = (FirstRow(row.row, None, row) for row in batch.malformed)
    yield from sorted(itertools.chain(good, bad), key=lambda row: row.number)


def _json_row(number: int, line: bytes) -> FirstRow:
    shown = line.decode(errors="backslashreplace")
    try:
        values = from_json(line)
    except ValueError as error:
        return FirstRow(number, None, MalformedRow(number, "json_invalid", f"Invalid JSON: {error}", shown))
    if not isinstance(values, dict):
        return FirstRow(number, None, MalformedRow(number, "object_type", "the line is no JSON object", shown))
    return FirstRow(number, cast("dict[str, Any]", values))
