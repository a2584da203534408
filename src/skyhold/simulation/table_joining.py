"""Tables of some blocks as one: as if all rows had been gathered at once."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportAttributeAccessIssue=false

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from skyhold.simulation.table import TableBuilder

__all__ = ["join_tables"]

_ROLES = ("label", "parameter", "value", "end", "provenance")


def join_tables(tables: Sequence[Any]) -> Any:
    """Return the rows of some tables, one after the other, in the columns that any of them has.

    Each has chosen the types and names of its columns by its own rows: what is an integer here may be a float there.

    Example:
        >>> from skyhold.simulation.table import make_table
        >>> one = make_table([{"label": "a", "parameters": {"x": 1}}])
        >>> other = make_table([{"label": "b", "parameters": {"x": 0.5, "y": "wool"}}])
        >>> join_tables([one, other]).select(["x", "y"]).to_pylist()
        [{'x': 1.0, 'y': None}, {'x': 0.5, 'y': 'wool'}]
    """
    found: dict[tuple[int, str], dict[int, Any]] = {}
    for place, table in enumerate(tables):
        for number, each in enumerate(table.schema):
            role, name = _text(each, b"role"), _text(each, b"name") or each.name
            key = (_ROLES.index(role) if role in _ROLES else len(_ROLES), name)
            found.setdefault(key, {})[place] = (each, table.column(number))
    built = TableBuilder()
    for key in sorted(found, key=lambda key: key[0]):  # sorting keeps the order in which they came
        there = found[key]
        fields = [each for each, _ in there.values()]
        units = {unit for each in fields for unit in _text(each, b"unit").split("; ")}
        array, is_json = _join([there.get(place) or len(table) for place, table in enumerate(tables)])
        built.add_array(key[1], array, _text(fields[0], b"role"), "; ".join(sorted(units)), is_json=is_json)
    return built.table()


def _join(columns: list[Any]) -> tuple[Any, bool]:
    """Return a column, given as fields and arrays, or as a number of rows that have none; and whether it is of JSON."""
    full = [each for each in columns if not isinstance(each, int) and each[1].null_count < len(each[1])]
    kinds = {array.type for _, array in full}
    is_json = any(_text(field, b"json") for field, _ in full)
    if (
        len(kinds) > 1
        and not is_json
        and all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in kinds)
    ):
        kinds = {pa.float64()}
    if is_json or len(kinds) > 1:
        return TableBuilder.array([value for each in columns for value in _values(each)])
    kind = kinds.pop() if kinds else pa.string()
    return pa.chunked_array([chunk for each in columns for chunk in _chunks(each, kind)], kind), False


def _chunks(column: Any, kind: Any) -> list[Any]:
    if isinstance(column, int):
        return [pa.nulls(column, kind)]
    array = column[1]
    return array.cast(kind).chunks if array.null_count < len(array) else [pa.nulls(len(array), kind)]


def _values(column: Any) -> list[Any]:
    if isinstance(column, int):
        return [None] * column
    field, array = column
    values = array.to_pylist()
    return [None if each is None else json.loads(each) for each in values] if _text(field, b"json") else values


def _text(field: Any, name: bytes) -> str:
    return (field.metadata or {}).get(name, b"").decode()
