"""Lines of JSON objects into typed columns: by Arrow's parser where a line is plain, and not at all where it is not."""

import re
from collections.abc import Callable
from typing import Any, cast

import orjson
from pydantic_core import from_json

from skyhold.records.validation.arrow import Array, DataType, Schema, pa, pc, pj
from skyhold.records.validation.outcome import FieldError

__all__ = ["LineParser", "read_object"]

# Arrow's parser calls itself for every level of nesting.
_LONGEST = 8 * 1024
_LIMIT = 1 << 63


class LineParser:
    """Reads lines, a JSON object each, into columns.

    It leaves out every line of which Arrow's reading might differ from pydantic's: with two objects or half of
    one, a key twice, a value of another type, or bytes that are not UTF-8.

    Args:
        schema: Keys and their types: int64, float64, bool and string at the top, anything inside lists and structs.
        forbid: Leave out lines that have other keys too.

    Example:
        >>> lines = pa.array([b'{"a": 1}', b'{"a": "1"}', b'{"b": 2}'])
        >>> columns, readable = LineParser(pa.schema([("a", pa.int64())])).parse(lines)
        >>> columns["a"].to_pylist(), readable.to_pylist()
        ([1, None, None], [True, False, True])
    """

    def __init__(self, schema: Schema, *, forbid: bool = False) -> None:
        self._schema = schema
        self._forbid = forbid
        self._suspicious = _wrong_types(schema)
        self._takes = {field.name: _python_types(field.type) for field in schema}

    def parse(self, lines: Array) -> tuple[dict[str, Array], Array]:
        """Read lines (binary, without nulls).

        Returns: The columns, with null where a line has no such key, a null, or is left out; and which were read.
        """
        readable = _may_be_plain(lines)
        kept = _only(lines, readable)
        columns = self._parse_all(kept)
        # Arrow does not say which line it stumbles over. Most often a pattern can tell, else Python looks at each.
        for look in (self._look_for_types, self._look_at_each):
            if columns is None:
                plain = look(kept)
                readable, kept = pc.replace_with_mask(readable, readable, plain), _only(kept, plain)
                columns = self._parse_all(kept)
        if columns is None:
            return self._nothing(len(lines)), pa.repeat(False, len(lines))
        columns, readable = _without_negative_zeros(columns, readable)
        if readable.true_count < len(readable):
            places = pc.subtract(pc.cumulative_sum(pc.cast(readable, pa.int64())), 1)
            places = pc.if_else(readable, places, None)
            columns = {name: column.take(places) for name, column in columns.items()}
        return columns, readable

    def _parse_all(self, lines: Array) -> dict[str, Array] | None:
        if not len(lines):
            return self._nothing(0)
        offsets: Any = memoryview(lines.buffers()[1]).cast("i")
        start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
        try:
            pc.cast(lines, pa.string())  # which finds bytes that are not UTF-8
            table = pj.read_json(
                pa.BufferReader(lines.buffers()[2].slice(start, end - start)),
                read_options=pj.ReadOptions(use_threads=False, block_size=end - start + 1),
                parse_options=pj.ParseOptions(
                    explicit_schema=self._schema, unexpected_field_behavior="error" if self._forbid else "ignore"
                ),
            )
        except pa.ArrowInvalid:
            return None
        if table.num_rows != len(lines):
            return None
        return {name: _one_chunk(table.column(name)) for name in self._schema.names}

    def _look_for_types(self, lines: Array) -> Array:
        return pc.invert(pc.match_substring_regex(lines, self._suspicious))

    def _look_at_each(self, lines: Array) -> Array:
        return pa.array([self._is_plain(line) for line in lines.to_pylist()], pa.bool_())

    def _is_plain(self, line: bytes) -> bool:
        try:
            row: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            return False
        if not isinstance(row, dict):
            return False
        held = cast("dict[str, object]", row)
        if self._forbid and not held.keys() <= self._takes.keys():
            return False
        return all(_fits(held.get(name), kinds) for name, kinds in self._takes.items())

    def _nothing(self, rows: int) -> dict[str, Array]:
        return {field.name: pa.nulls(rows, field.type) for field in self._schema}


def read_object(line: bytes, *, allow_inf_nan: bool) -> dict[str, object] | FieldError:
    """Return the object that a line holds, or why it holds none.

    Example:
        >>> read_object(b'{"a": 1}', allow_inf_nan=False), read_object(b"[1]", allow_inf_nan=False).type
        ({'a': 1}, 'object_type')
    """
    try:
        row = from_json(line, allow_inf_nan=allow_inf_nan)
    except ValueError as error:
        return FieldError("$", "json_invalid", f"Invalid JSON: {error}")
    if not isinstance(row, dict):
        return FieldError("$", "object_type", "the line is no JSON object")
    return cast("dict[str, object]", row)


def _may_be_plain(lines: Array) -> Array:
    """Return which lines could be one object and no more, or less: between lines, ``}`` never precedes ``{`` in one."""
    plain = pc.and_(pc.starts_with(lines, b"{"), pc.ends_with(lines, b"}"))
    if plain.true_count < len(plain):
        plain = pc.or_(plain, pc.match_substring_regex(lines, rb"(?s)\A[ \t\r\n]*\{.*\}[ \t\r\n]*\z"))
    return pc.and_(plain, pc.less_equal(pc.binary_length(lines), _LONGEST))


def _without_negative_zeros(columns: dict[str, Array], readable: Array) -> tuple[dict[str, Array], Array]:
    """Leave out lines with -0 for a float: an int to pydantic, and so 0.0, where Arrow keeps the sign."""
    negative: Array = None
    for column in columns.values():
        if pa.types.is_floating(column.type):
            found = pc.and_(pc.equal(column, 0.0), pc.less(pc.divide(1.0, column), 0.0))
            negative = found if negative is None else pc.or_kleene(negative, found)
    if negative is None or not negative.true_count:
        return columns, readable
    kept = pc.invert(pc.fill_null(negative, fill_value=False))
    return {name: column.filter(kept) for name, column in columns.items()}, pc.replace_with_mask(
        readable, readable, kept
    )


def _only(lines: Array, mask: Array) -> Array:
    return lines if mask.true_count == len(mask) else lines.filter(mask)


def _one_chunk(column: Any) -> Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _wrong_types(schema: Schema) -> bytes:
    """Return a pattern of keys that are followed by a value of another type, wherever in a line that is."""
    by_form: dict[bytes, list[bytes]] = {}
    for field in schema:
        form = next((form for is_type, form in _WRONG if is_type(field.type)), None)
        if form is not None:
            by_form.setdefault(form, []).append(re.escape(orjson.dumps(field.name)))
    found = [rb"(?:" + b"|".join(names) + rb")[ \t\r\n]*:[ \t\r\n]*" + form for form, names in by_form.items()]
    return b"|".join(found) or rb"[^\x00-\xff]"


_WRONG: tuple[tuple[Callable[[DataType], bool], bytes], ...] = (
    (pa.types.is_int64, rb"(?:[^-0-9n \t\r\n]|-?[0-9]*[.eE]|-?[0-9]{19})"),
    (pa.types.is_float64, rb"[^-0-9n \t\r\n]"),
    (pa.types.is_boolean, rb"[^tfn \t\r\n]"),
    (pa.types.is_string, rb"[^\"n \t\r\n]"),
)


def _python_types(kind: DataType) -> frozenset[type] | None:
    """Return which types orjson gives for such a column; None where only Arrow can tell."""
    types = pa.types
    if types.is_int64(kind):
        return frozenset({int})
    if types.is_float64(kind):
        return frozenset({int, float})
    if types.is_boolean(kind):
        return frozenset({bool})
    return frozenset({str}) if types.is_string(kind) else None


def _fits(value: object, kinds: frozenset[type] | None) -> bool:
    if value is None or kinds is None:
        return True
    if type(value) is int and float not in kinds:
        return int in kinds and -_LIMIT <= value < _LIMIT
    return type(value) in kinds
