"""Dates and times that Python can hold too; the others, infinite ones among them, cost their rows."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["read_instants"]

_US_PER_DAY = 86_400_000_000
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896


def read_instants(values: pa.Array, infinite: Mapping[int, str]) -> tuple[pa.Array, dict[int, str]]:
    """Return dates, times or timestamps, null outside the years 1 to 9999, and what those were by their place.

    Other types pass as they are.

    Args:
        values: Days, or microseconds.
        infinite: What the numbers mean that stand for infinity.

    Example:
        >>> read_instants(pa.array([0, 2**31 - 1], pa.int32()).view(pa.date32()), {2**31 - 1: "infinity"})[1]
        {1: 'infinity'}
    """
    kind = values.type
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        return _bounded(values, pa.int64(), _FIRST_DAY * _US_PER_DAY, (_LAST_DAY + 1) * _US_PER_DAY - 1, infinite)
    if pa.types.is_date32(kind):
        return _bounded(values, pa.int32(), _FIRST_DAY, _LAST_DAY, infinite)
    if pa.types.is_time64(kind) and kind.unit == "us":
        return _bounded(values, pa.int64(), 0, _US_PER_DAY - 1, {_US_PER_DAY: "24:00:00"})
    return values, {}


def _bounded(
    values: pa.Array, number: pa.DataType, least: int, most: int, named: Mapping[int, str]
) -> tuple[pa.Array, dict[int, str]]:
    numbers = values.view(number)
    ends: dict[str, Any] = pc.min_max(numbers).as_py()
    if ends["min"] is None or (ends["min"] >= least and ends["max"] <= most):
        return values, {}
    outside = pc.or_(pc.less(numbers, least), pc.greater(numbers, most))
    wrong = {
        place: named.get(numbers[place].as_py(), "a time outside the years 1 to 9999")
        for place in pc.indices_nonzero(outside).to_pylist()
    }
    return pc.if_else(outside, pa.scalar(None, number), numbers).view(values.type), wrong
