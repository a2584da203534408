"""What the rows of an input are: by their texts, by their JSON values or by their Arrow types."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
from pydantic_core import from_json

from skyhold.records.formats.adapter import InputStream
from skyhold.records.modelling.kind import ANYTHING, INT_DIGITS, MOST_DIGITS, NOTHING, Kind, Name, join, join_all
from skyhold.records.modelling.texts import kind_of_cells, kind_of_words

__all__ = ["Findings", "find_kinds", "kind_of_values"]

_LIMIT = 1 << 63
_PYTHON: dict[type, Name] = {bool: "bool", float: "float"}


class Findings(NamedTuple):
    """What was found: the columns' kinds, over how many rows, and whether these were all."""

    members: dict[str, Kind]
    rows: int
    is_whole: bool


def find_kinds(stream: InputStream, rows: int | None) -> Findings:
    """Look at the first rows of an input, or at all of them.

    A typed input that has more rows may have nulls wherever its schema allows them.

    Args:
        stream: What to read.
        rows: How many at least; None for all.
    """
    start: dict[str, Kind] = {} if stream.kind == "json" else dict.fromkeys(stream.columns, NOTHING)
    found = Kind("object", members=start)
    seen, is_whole = 0, True
    for batch in stream.batches():
        if rows is not None and seen >= rows:
            is_whole = False
            break
        if batch.data.num_rows:
            kind = _kind_of_batch(batch.data, stream.kind)
            found = join(found, kind) if seen or stream.kind != "json" else kind
            seen += batch.data.num_rows
    members = found.members
    if stream.kind == "typed":
        by_schema = {field.name: _kind_of_type(field.type, optional=field.nullable) for field in stream.schema}
        members = {
            name: join(kind, by_schema[name] if not is_whole else _without_nulls(by_schema[name]))
            for name, kind in members.items()
        }
    elif stream.kind == "text":
        members = {
            name: Kind("str", kind.optional) if kind.name == "nothing" else kind for name, kind in members.items()
        }
    return Findings(members, seen, is_whole)


def _kind_of_batch(data: pa.RecordBatch, kind: str) -> Kind:
    if kind == "json":
        rows = [row for line in data.column(0).to_pylist() if isinstance(row := _parsed(line), dict)]
        return kind_of_values(rows) if rows else Kind("object")
    if kind == "text":
        members = {
            name: kind_of_cells(pc.unique(pc.fill_null(column, "")).to_pylist())
            for name, column in zip(data.schema.names, data.columns, strict=True)
        }
        return Kind("object", members=members)
    members = {name: _kind_of_array(column) for name, column in zip(data.schema.names, data.columns, strict=True)}
    return Kind("object", members=members)


def _parsed(line: bytes) -> object:
    try:
        return from_json(line, allow_inf_nan=False)
    except ValueError:
        return None


def kind_of_values(values: Sequence[object]) -> Kind:
    """Return what values of JSON have in common.

    Example:
        >>> kind_of_values([{"a": 1}, {"a": 2, "b": None}]).members["b"].optional
        True
    """
    present = [value for value in values if value is not None]
    found: list[Kind] = [Kind("nothing", optional=len(present) < len(values))]
    found += [Kind(name) for kind, name in _PYTHON.items() if any(type(value) is kind for value in present)]
    found += [_kind_of_int(size) for size in {_int_size(value) for value in present if type(value) is int}]
    if texts := [value for value in present if isinstance(value, str)]:
        found.append(kind_of_words(texts))
    if lists := [cast("list[object]", value) for value in present if isinstance(value, list)]:
        found.append(Kind("list", item=kind_of_values([each for value in lists for each in value])))
    if objects := [cast("dict[str, object]", value) for value in present if isinstance(value, dict)]:
        found.append(_kind_of_objects(objects))
    return join_all(found)


def _kind_of_objects(objects: Sequence[dict[str, object]]) -> Kind:
    held: dict[str, list[object]] = {}
    for each in objects:
        for name, value in each.items():
            held.setdefault(name, []).append(value)
    members = {
        name: join(kind_of_values(values), Kind("nothing", optional=len(values) < len(objects)))
        for name, values in held.items()
    }
    return Kind("object", members=members)


def _int_size(value: int) -> int:
    return len(str(abs(value))) if -_LIMIT <= value < _LIMIT else max(len(str(abs(value))), INT_DIGITS) + _PAST


_PAST = 1000


def _kind_of_int(size: int) -> Kind:
    if size < _PAST:
        return Kind("int", digits=size)
    return Kind("decimal", digits=size - _PAST) if size - _PAST <= MOST_DIGITS else ANYTHING


def _kind_of_array(array: pa.Array) -> Kind:
    """Return what an array holds, with nulls where it has them, at every depth."""
    types = pa.types
    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    optional = array.null_count > 0
    present = array.drop_null() if optional else array
    kind = array.type
    if types.is_null(kind):
        return Kind("nothing", optional=len(array) > 0)
    if types.is_struct(kind):
        members = dict(zip((field.name for field in kind), map(_kind_of_array, present.flatten()), strict=True))
        return Kind("object", optional, members=members)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return Kind("list", optional, item=_kind_of_array(present.flatten()))
    if types.is_uint64(kind) and len(present) and pc.max(present).as_py() >= _LIMIT:
        return Kind("decimal", optional, digits=INT_DIGITS + 1)
    return _kind_of_type(kind, optional=optional)


def _kind_of_type(kind: pa.DataType, *, optional: bool) -> Kind:  # noqa: PLR0911 - one return a kind
    types = pa.types
    if types.is_dictionary(kind):
        return _kind_of_type(kind.value_type, optional=optional)
    if types.is_struct(kind):
        members = {field.name: _kind_of_type(field.type, optional=field.nullable) for field in kind}
        return Kind("object", optional, members=members)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return Kind("list", optional, item=_kind_of_type(kind.value_type, optional=kind.value_field.nullable))
    if types.is_map(kind):
        if not (types.is_string(kind.key_type) or types.is_large_string(kind.key_type)):
            return Kind("anything", optional)
        return Kind("dict", optional, item=_kind_of_type(kind.item_type, optional=kind.item_field.nullable))
    if types.is_decimal(kind):
        places = max(kind.scale, 0)
        digits = kind.precision - kind.scale
        return (
            Kind("decimal", optional, digits, places) if digits + places <= MOST_DIGITS else Kind("anything", optional)
        )
    if types.is_timestamp(kind):
        return Kind("naive" if kind.tz is None else "aware", optional)
    names: list[Name] = [name for name, tests in _SIMPLE.items() if any(test(kind) for test in tests)]
    return Kind(names[0] if names else "anything", optional)


_SIMPLE: dict[Name, tuple[Any, ...]] = {
    "nothing": (pa.types.is_null,),
    "bool": (pa.types.is_boolean,),
    "int": (pa.types.is_integer,),
    "float": (pa.types.is_floating,),
    "str": (pa.types.is_string, pa.types.is_large_string),
    "bytes": (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary),
    "date": (pa.types.is_date,),
    "time": (pa.types.is_time,),
    "duration": (pa.types.is_duration,),
}


def _without_nulls(kind: Kind) -> Kind:
    """Return only what the type says: all values were seen, and with them every null that there is."""
    item = None if kind.item is None else (kind.item if kind.name == "dict" else _without_nulls(kind.item))
    members = {name: _without_nulls(each) for name, each in kind.members.items()}
    return Kind(kind.name, optional=False, digits=kind.digits, places=kind.places, item=item, members=members)
