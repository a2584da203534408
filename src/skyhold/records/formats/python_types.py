"""Column types of Python values, and the way into such a column: exactly, or not at all."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import dataclasses
import ipaddress
import numbers
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

import pyarrow as pa
from pydantic import AnyUrl, BaseModel

from skyhold.errors import MalformedInputError
from skyhold.records.validation.fitting import convert_exactly
from skyhold.records.validation.values import (
    Convert,
    OverflowedError,
    to_aware_datetime,
    to_decimal,
    to_duration,
    to_printed,
    to_text,
)

__all__ = ["PythonColumn", "as_mapping", "infer_type"]

_PRINTED = (
    UUID,
    PurePath,
    AnyUrl,
    ipaddress.IPv4Address,
    ipaddress.IPv6Address,
    ipaddress.IPv4Network,
    ipaddress.IPv6Network,
)
_LISTS = (list, tuple, set, frozenset)
_MAX_MEMBERS = 1_000
_DIGITS, _MOST_DIGITS = 38, 76
_INT64, _UINT64 = 1 << 63, 1 << 64
_PLAIN: tuple[tuple[type, pa.DataType], ...] = (
    (bool, pa.bool_()),
    (float, pa.float64()),
    (str, pa.string()),
    (bytes, pa.binary()),
    (date, pa.date32()),
    (time, pa.time64("us")),
    (timedelta, pa.duration("us")),
)
_DIRECT: dict[pa.DataType, type] = {
    pa.int64(): int,
    pa.float64(): float,
    pa.bool_(): bool,
    pa.string(): str,
    pa.binary(): bytes,
    pa.date32(): date,
    pa.timestamp("us"): datetime,
}
"""Columns whose values of exactly this class Arrow takes as they are, or refuses."""


def as_mapping(value: object) -> Mapping[Any, Any] | None:
    """Return what a row holds by name: a mapping, a pydantic model, a dataclass or a named tuple; None if none.

    Example:
        >>> from collections import namedtuple
        >>> as_mapping(namedtuple("Point", "x y")(1, 2)), as_mapping([1, 2])
        ({'x': 1, 'y': 2}, None)
    """
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value)
    if isinstance(value, BaseModel):
        return dict(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return cast("Mapping[Any, Any]", cast("Any", value)._asdict())
    return None


def infer_type(values: Iterable[object], name: str) -> pa.DataType:  # noqa: PLR0911 - one return a kind
    """Return the column type of some values: that of most of them, where kinds are mixed, and null if all are None.

    Ints beside floats count as floats, and beside more Decimals as Decimals. Ints past 64 bits become decimals of 38
    digits; Decimals get 38 digits, with the most decimal places of any; date-times with a zone are instants, in UTC.

    Args:
        values: A sample.
        name: The column's.

    Raises:
        MalformedInputError: The values are objects of so many keys that they are no struct.

    Example:
        >>> infer_type([1, None, 2.5], "a"), infer_type([{"x": [1]}, {"y": "z"}], "b")
        (DataType(double), StructType(struct<x: list<item: int64>, y: string>))
    """
    found = [value for value in map(_plain_value, values) if value is not None]
    kinds = Counter(map(_kind_of, found))
    wider = Decimal if kinds[Decimal] > kinds[float] else float
    if kinds[wider]:
        kinds[wider] += kinds.pop(int, 0)
    del kinds[None]
    if not kinds:
        return pa.null()
    kind = kinds.most_common(1)[0][0]
    if kind is datetime:
        return _datetime_type([value for value in found if isinstance(value, datetime)])
    if kind is int:
        return _int_type([value for value in found if isinstance(value, int)])
    if kind is Decimal:
        return _decimal_type([value for value in found if isinstance(value, (Decimal, int))])
    if kind is list:
        items = [each for value in found if _kind_of(value) is list for each in cast("list[object]", value)]
        return pa.list_(infer_type(items, name))
    if kind is dict:
        return _struct_type([members for value in found if (members := as_mapping(value)) is not None], name)
    return dict(_PLAIN)[cast("type", kind)]


def _plain_value(value: object) -> object:
    """Return what an Enum member or a number of numpy stands for."""
    if isinstance(value, Enum):
        return value.value
    module = type(value).__module__
    if module == "numpy" and (isinstance(value, numbers.Real) or type(value).__name__.startswith("bool")):
        return cast("Any", value).item()
    return value


def _kind_of(value: object) -> type | None:
    if as_mapping(value) is not None:
        return dict
    if isinstance(value, _LISTS):
        return list
    if isinstance(value, _PRINTED):
        return str
    kinds = (bool, int, float, Decimal, str, bytes, datetime, date, time, timedelta)
    return next((kind for kind in kinds if isinstance(value, kind)), None)


def _datetime_type(values: Sequence[datetime]) -> pa.DataType:
    aware = sum(value.tzinfo is not None for value in values)
    return pa.timestamp("us", tz="UTC" if aware * 2 > len(values) else None)


def _int_type(values: Sequence[int]) -> pa.DataType:
    least, most = min(values), max(values)
    if least >= -_INT64 and most < _INT64:
        return pa.int64()
    if least >= 0 and most < _UINT64:
        return pa.uint64()
    return pa.decimal128(_DIGITS, 0) if max(most, -least) < 10**_DIGITS else pa.int64()


def _decimal_type(values: Sequence[Decimal | int]) -> pa.DataType:
    parts = [value.as_tuple() for value in map(Decimal, values) if value.is_finite()]
    exponents = [cast("int", each.exponent) for each in parts]
    scale = min(_MOST_DIGITS, max([0, *(-each for each in exponents)]))
    whole = max([0, *(len(each.digits) + exponent for each, exponent in zip(parts, exponents, strict=True))])
    if whole + scale <= _DIGITS:
        return pa.decimal128(_DIGITS, scale)
    return pa.decimal256(_MOST_DIGITS, scale)


def _struct_type(values: Sequence[Mapping[Any, Any]], name: str) -> pa.DataType:
    members: dict[str, list[object]] = {}
    for value in values:
        for key, each in value.items():
            if isinstance(key, str):
                members.setdefault(key, []).append(each)
    if len(members) > _MAX_MEMBERS:
        raise MalformedInputError(
            f"the objects of column {name!r} have {len(members):,} different keys, too many for a struct",
            remedy="Give schema=, with a pyarrow.map_ type for this column",
        )
    # No format holds a struct without members.
    return pa.struct([(key, infer_type(each, name)) for key, each in members.items()]) if members else pa.null()


class PythonColumn:
    """Puts Python values into a column of one type.

    Args:
        field: The column.

    Example:
        >>> array, faults = PythonColumn(pa.field("a", pa.int64())).fit([1, "2", None])
        >>> array.to_pylist(), faults
        ([1, None, None], {1: "str value '2' is not an int"})
    """

    def __init__(self, field: pa.Field) -> None:
        self.name: str = field.name
        self._type = field.type
        self._is_nullable = field.nullable
        self._convert = _converter(field.type)
        self._direct = _DIRECT.get(field.type)

    def fit(self, values: Sequence[object]) -> tuple[pa.Array, dict[int, str]]:
        """Return the column, with nulls for values that do not fit, and why each of those does not, by its place."""
        if self._are_plain(values):
            try:
                return pa.array(values, self._type), {}
            except (pa.ArrowException, OverflowError, ValueError):
                pass  # one of them does not fit; which one, is seen below
        held: list[object] = []
        faults: dict[int, str] = {}
        for place, value in enumerate(values):
            try:
                held.append(self._fit_one(value))
            except OverflowedError as error:
                held.append(None)
                faults[place] = str(error)
        return pa.array(held, self._type), faults

    def _are_plain(self, values: Sequence[object]) -> bool:
        if self._direct is None or not self._is_nullable or not set(map(type, values)) <= {self._direct, type(None)}:
            return False
        return self._direct is not datetime or not any(getattr(value, "tzinfo", None) for value in values)

    def _fit_one(self, value: object) -> object:
        if value is None:
            if not self._is_nullable:
                raise OverflowedError("None in a column that has no nulls")
            return None
        return self._convert(value)


def _converter(kind: pa.DataType) -> Convert:
    types = pa.types
    convert: Convert
    if types.is_struct(kind):
        convert = _to_struct({field.name: _or_none(_converter(field.type)) for field in kind})
    elif types.is_map(kind):
        convert = _to_pairs(_converter(kind.key_type), _or_none(_converter(kind.item_type)))
    elif types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        convert = _to_list(_or_none(_converter(kind.value_type)), kind)
    elif types.is_string(kind) or types.is_large_string(kind):
        convert = _to_words
    elif types.is_decimal(kind):
        convert = _to_decimal(to_decimal(kind.precision, kind.scale))
    elif types.is_timestamp(kind) and kind.tz is not None:
        convert = _to_instant(convert_exactly(pa.timestamp(kind.unit, tz="UTC")))
    elif kind == pa.duration("us"):
        convert = to_duration
    else:
        convert = convert_exactly(kind)
    return lambda value: convert(_plain_value(value))


def _or_none(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _to_words(value: object) -> str:
    return to_printed(value) if isinstance(value, _PRINTED) else to_text(value)


def _to_decimal(convert: Convert) -> Convert:
    return lambda value: convert(Decimal(value) if type(value) is int else value)


def _to_instant(check: Convert) -> Convert:
    return lambda value: check(to_aware_datetime(value))


def _to_struct(members: Mapping[str, Convert]) -> Convert:
    def convert(value: object) -> object:
        held = _members_of(value)
        unknown = next((key for key in held if key not in members), None)
        if unknown is not None:
            raise OverflowedError(f"the object has a key {unknown!r} that the column has not")
        return {name: each(held.get(name)) for name, each in members.items()}

    return convert


def _to_pairs(convert_key: Convert, convert_item: Convert) -> Convert:
    def convert(value: object) -> object:
        return [(convert_key(key), convert_item(each)) for key, each in _members_of(value).items()]

    return convert


def _members_of(value: object) -> Mapping[Any, Any]:
    held = as_mapping(value)
    if held is None:
        raise OverflowedError(f"{type(value).__name__} value {value!r:.80} is not an object")
    return held


def _to_list(convert_item: Callable[[Any], Any], kind: pa.DataType) -> Convert:
    size = kind.list_size if pa.types.is_fixed_size_list(kind) else None

    def convert(value: object) -> object:
        if not isinstance(value, _LISTS) or as_mapping(value) is not None:
            raise OverflowedError(f"{type(value).__name__} value {value!r:.80} is not a list")
        found = [convert_item(each) for each in cast("Sequence[object]", value)]
        if size is not None and len(found) != size:
            raise OverflowedError(f"the list has {len(found)} items, and the column {size}")
        # A set has no order of its own, and the column should be the same in every run.
        return sorted(found, key=repr) if isinstance(value, (set, frozenset)) else found

    return convert
