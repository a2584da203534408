"""Arrays of many values at once, where Arrow takes all of them as they are; else `NotPlainError`.

Looking at one value after the other in Python costs several times what Arrow needs for all of them. So the values'
types are looked at together, and only where one is of another type, or Arrow stumbles, each is asked by itself.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import accumulate, chain
from types import NoneType
from typing import Any, cast

from skyhold.records.validation.arrow import Array, DataType, pa, pc

__all__ = ["BuildPlain", "NotPlainError", "lists_of", "members_of", "naive_moments", "structs_of", "values_of"]

BuildPlain = Callable[[Sequence[Any], bool], Array]
"""Builds an array of values, of which some may be None where the second argument says so."""


class NotPlainError(ValueError):
    """Some value is not one that Arrow takes as it is."""


def _check(values: Sequence[Any], kinds: frozenset[type], *, nullable: bool) -> None:
    found = set(map(type, values)) - kinds
    if found and not (nullable and found == {NoneType}):
        raise NotPlainError


def values_of(arrow_type: DataType, kind: type) -> BuildPlain:
    """Return the builder of values of exactly one Python type, of which Arrow refuses those that it cannot hold."""
    kinds = frozenset({kind})

    def build(values: Sequence[Any], nullable: bool) -> Array:
        _check(values, kinds, nullable=nullable)
        return pa.array(values, arrow_type)

    return build


def naive_moments(values: Sequence[Any], nullable: bool) -> Array:
    """Return an array of date-times without a zone; Arrow would drop one without a word."""
    _check(values, frozenset({datetime}), nullable=nullable)
    if any(value is not None and value.tzinfo is not None for value in values):
        raise NotPlainError
    return pa.array(values, pa.timestamp("us"))


def members_of(members: Sequence[str], arrow_type: DataType) -> BuildPlain:
    """Return the builder of texts by dictionary."""
    known = pa.array(members, arrow_type.value_type)
    texts_of = values_of(arrow_type.value_type, str)

    def build(values: Sequence[Any], nullable: bool) -> Array:
        texts = texts_of(values, nullable)
        places = pc.cast(pc.index_in(texts, value_set=known), arrow_type.index_type)
        if places.null_count != texts.null_count:
            raise NotPlainError
        return pa.DictionaryArray.from_arrays(places, known)

    return build


def lists_of(kind: type, element: BuildPlain, *, nullable_items: bool) -> BuildPlain:
    """Return the builder of lists, or of tuples as lists."""
    kinds = frozenset({kind})

    def build(values: Sequence[Any], nullable: bool) -> Array:
        _check(values, kinds, nullable=nullable)
        lists = cast("Sequence[Sequence[Any] | None]", values)
        items = element(list(chain.from_iterable(each or () for each in lists)), nullable_items)
        ends = list(accumulate((len(each or ()) for each in lists), initial=0))
        offsets = [None if each is None else start for each, start in zip(lists, ends, strict=False)]
        return pa.ListArray.from_arrays(pa.array([*offsets, ends[-1]], pa.int32()), items)

    return build


def structs_of(cls: type, members: Mapping[str, BuildPlain]) -> BuildPlain:
    """Return the builder of instances of exactly one class, as structs of what their ``__dict__`` holds."""
    kinds, names, absent = frozenset({cls}), members.keys(), dict.fromkeys(members)

    def build(values: Sequence[Any], nullable: bool) -> Array:
        _check(values, kinds, nullable=nullable)
        held: list[dict[str, Any]] = [absent if value is None else vars(value) for value in values]
        # Where a field is missing, Python finds something else under its name, or nothing.
        if not all(names <= each.keys() for each in held):
            raise NotPlainError
        arrays = [each([row[name] for row in held], True) for name, each in members.items()]
        is_none = pa.array([value is None for value in values], pa.bool_())
        return pa.StructArray.from_arrays(arrays, names=[*members], mask=is_none)

    return build
