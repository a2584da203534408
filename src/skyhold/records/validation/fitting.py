"""Whether a Python value is exactly one of a column's type, for values that no model has seen."""

from collections.abc import Mapping
from typing import Any, cast

from skyhold.records.validation.arrow import DataType, pa
from skyhold.records.validation.values import Convert, OverflowedError, to_float, to_number, to_plain, to_text

__all__ = ["convert_exactly"]


def convert_exactly(kind: DataType) -> Convert:
    """Return the check that a value, None excepted, is one of an Arrow type, which Arrow then takes as it is.

    Example:
        >>> convert_exactly(pa.list_(pa.int64()))([1, None])
        [1, None]
        >>> convert_exactly(pa.int64())("1")
        Traceback (most recent call last):
        ...
        skyhold.records.validation.values.OverflowedError: str value '1' is not an int
    """
    types = pa.types
    if types.is_struct(kind):
        return _to_struct({field.name: convert_exactly(field.type) for field in kind})
    if types.is_list(kind) or types.is_large_list(kind):
        return _to_list(convert_exactly(kind.value_type))
    if types.is_null(kind):
        return _to_null
    simple: Mapping[Any, Convert] = {
        pa.int64(): to_number,
        pa.float64(): to_float,
        pa.bool_(): to_plain(bool),
        pa.string(): to_text,
        pa.large_string(): to_text,
    }
    return simple[kind] if kind in simple else _by_arrow(kind)


def _to_null(value: object) -> None:
    raise OverflowedError(f"{type(value).__name__} value {value!r:.80} in a column that only had nulls")


def _to_struct(members: Mapping[str, Convert]) -> Convert:
    def convert(value: object) -> object:
        if not isinstance(value, Mapping):
            raise OverflowedError(f"{type(value).__name__} value {value!r:.80} is not an object")
        held = cast("Mapping[str, object]", value)
        unknown = sorted(held.keys() - members.keys())
        if unknown:
            raise OverflowedError(f"the object has a key {unknown[0]!r} that the column has not")
        return {name: None if held.get(name) is None else each(held[name]) for name, each in members.items()}

    return convert


def _to_list(element: Convert) -> Convert:
    def convert(value: object) -> object:
        if not isinstance(value, (list, tuple)):
            raise OverflowedError(f"{type(value).__name__} value {value!r:.80} is not a list")
        return [None if each is None else element(each) for each in cast("list[object]", value)]

    return convert


def _by_arrow(kind: DataType) -> Convert:
    def convert(value: object) -> object:
        try:
            held = pa.scalar(value, kind).as_py()
        except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            raise OverflowedError(f"{type(value).__name__} value {value!r:.80} does not fit in {kind}") from error
        if held != value:
            raise OverflowedError(f"{type(value).__name__} value {value!r:.80} does not fit in {kind} exactly")
        return value

    return convert
