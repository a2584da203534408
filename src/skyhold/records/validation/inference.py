"""Lines of JSON without a model: types from a sample, and every value exactly as it is or its row rejected."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from skyhold.records.validation.arrow import DataType, RecordBatch, Schema, pa, pc
from skyhold.records.validation.fitting import RowFitter, convert_exactly
from skyhold.records.validation.json_cells import lines_of
from skyhold.records.validation.json_lines import LineParser, read_object
from skyhold.records.validation.outcome import FieldError, Outcome, Reject
from skyhold.records.validation.values import to_json_text

__all__ = ["InferredPlan", "infer_schema"]

_LIMIT = 1 << 63
_BIG = pa.decimal128(38, 0)


def infer_schema(lines: Iterable[bytes]) -> Schema:
    """Return the columns of some lines, in the order in which their keys first occur.

    A key whose values are all ints becomes int64, or decimal128(38, 0) if one is past that; ints and floats mixed
    become float64 if all of the ints are exact there; texts, booleans, lists and objects become string, bool, list and
    struct. Where kinds are mixed, or objects have no keys, the column holds each value's JSON text. Lines that are no
    JSON object count for nothing.

    Example:
        >>> infer_schema([b'{"a": 1, "b": [1.5]}', b'{"a": 2, "b": null}']).types
        [DataType(int64), ListType(list<item: double>)]
    """
    values: dict[str, list[object]] = {}
    for line in lines:
        row = read_object(line, allow_inf_nan=False)
        for name, value in ({} if isinstance(row, FieldError) else row).items():
            values.setdefault(name, []).append(value)
    return pa.schema([(name, _type_of(found)) for name, found in values.items()])


def _type_of(values: Sequence[object]) -> DataType:  # noqa: PLR0911 - one return a kind
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.null()
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {str}:
        return pa.string()
    if kinds <= {int, float}:
        return _number_type(cast("list[int | float]", [value for value in values if value is not None]), kinds)
    if kinds == {list}:
        return pa.list_(_type_of([each for value in values for each in cast("list[object]", value or [])]))
    if kinds == {dict}:
        return _struct_type([cast("dict[str, object]", value) for value in values if value is not None])
    return _MIXED


def _number_type(values: Sequence[float], kinds: set[type]) -> DataType:
    ints = [value for value in values if isinstance(value, int)]
    if kinds == {int}:
        if all(-_LIMIT <= value < _LIMIT for value in ints):
            return pa.int64()
        return _BIG if all(abs(value) < 10**38 for value in ints) else _MIXED
    return pa.float64() if all(abs(value) <= 1 << 53 for value in ints) else _MIXED


def _struct_type(values: Sequence[Mapping[str, object]]) -> DataType:
    members: dict[str, list[object]] = {}
    for value in values:
        for name, each in value.items():
            members.setdefault(name, []).append(each)
    # No format holds a struct without members.
    return pa.struct([(name, _type_of(found)) for name, found in members.items()]) if members else _MIXED


_MIXED = pa.large_string()
"""Marks a column of JSON texts."""


class InferredPlan:
    """Reads lines of JSON into the columns that a sample had.

    Later lines with a key that the sample had not, or a value that its column cannot hold exactly, are rejected as
    ``"output_overflow"``.

    Args:
        schema: As `infer_schema` gave it.

    Example:
        >>> plan = InferredPlan(infer_schema([b'{"a": 1}']))
        >>> outcome = plan.validate(pa.record_batch({"line": pa.array([b'{"a": 2}', b'{"a": "x"}'])}))
        >>> outcome.accepted.to_pylist(), outcome.rejects[0].errors[0].message
        ([{'a': 2}], "str value 'x' is not an int")
    """

    def __init__(self, schema: Schema) -> None:
        self.output_schema = pa.schema([field.with_type(_shown(field.type)) for field in schema])
        self._mixed = frozenset(field.name for field in schema if _has_mixed(field.type))
        converters = {field.name: _converter(field.type) for field in schema}
        self._fitter = RowFitter(self.output_schema, "output_overflow", converters)
        self._parser = None if self._mixed or not len(schema) else LineParser(self.output_schema, forbid=True)

    def validate(self, batch: RecordBatch) -> Outcome:
        """Judge all lines of a batch: one column of bytes."""
        lines = lines_of(batch)
        if self._parser is None:
            return self._judge(lines.to_pylist())
        columns, readable = self._parser.parse(lines)
        kept = {name: column.filter(readable) for name, column in columns.items()}
        fast = pa.RecordBatch.from_arrays(list(kept.values()), schema=self.output_schema)
        places = pc.cast(pc.indices_nonzero(readable), pa.int64())
        if len(places) == len(lines):
            return Outcome(fast, places, [])
        slow = pc.cast(pc.indices_nonzero(pc.invert(readable)), pa.int64())
        rest = self._judge(lines.take(slow).to_pylist())
        rejects = [Reject(slow[reject.row].as_py(), reject.errors) for reject in rest.rejects]
        together = pa.concat_arrays([places, slow.take(rest.accepted_rows)])
        order = pc.sort_indices(together)
        merged = pa.Table.from_batches([fast, rest.accepted]).combine_chunks().take(order)
        (accepted,) = merged.combine_chunks().to_batches() or [fast.slice(0, 0)]
        return Outcome(accepted, together.take(order), rejects)

    def validate_rows(self, rows: Sequence[dict[str, object]]) -> Outcome:
        """Judge rows that are Python dicts already."""
        return self._fitter.judge(rows)

    def _judge(self, lines: Sequence[bytes]) -> Outcome:
        return self._fitter.judge(read_object(line, allow_inf_nan=False) for line in lines)


def _converter(kind: DataType) -> Any:
    return to_json_text if _has_mixed(kind) else convert_exactly(kind)


def _has_mixed(kind: DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(_has_mixed(field.type) for field in kind)
    return kind == _MIXED or (pa.types.is_list(kind) and _has_mixed(kind.value_type))


def _shown(kind: DataType) -> DataType:
    return pa.string() if _has_mixed(kind) else kind
