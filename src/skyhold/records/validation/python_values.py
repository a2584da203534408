"""From Arrow to Python, value by value: exactly, or not at all."""

from dataclasses import dataclass
from typing import Any, cast

from skyhold.records.validation.arrow import Array, DataType, pa, pc

__all__ = ["Unreadable", "python_values"]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What stands in a list for a value that Python cannot hold, such as a nanosecond or the year 12000."""

    why: str


def python_values(column: Array) -> list[Any]:
    """Return a column as Python objects, maps as dicts; `Unreadable` where none holds the value exactly.

    Example:
        >>> python_values(pa.array([1_000, 1_001], pa.timestamp("ns")))
        [datetime.datetime(1970, 1, 1, 0, 0, 0, 1), Unreadable(why='has nanoseconds, which Python cannot hold')]
    """
    target = _python_type(column.type)
    try:
        return _convert(column, target)
    except Exception:  # noqa: BLE001 - one value in a million may be at fault, and Arrow names neither it nor one error
        return [_convert_one(column, place, target) for place in range(len(column))]


def _convert(column: Array, target: DataType) -> list[Any]:
    exact = column if column.type == target else pc.cast(column, target)
    return cast("list[Any]", exact.to_pylist(maps_as_pydicts="strict"))


def _convert_one(column: Array, place: int, target: DataType) -> Any:
    one = column.take(pa.array([place]))  # a slice would still carry the items of other lists
    try:
        (value,) = _convert(one, target)
    except pa.ArrowInvalid as error:
        return Unreadable("has nanoseconds, which Python cannot hold" if "lose data" in str(error) else str(error))
    except Exception as error:  # noqa: BLE001 - see above
        return Unreadable(f"{column.type} value cannot be read: {error}")
    return value


def _python_type(kind: DataType) -> DataType:  # noqa: PLR0911 - one return a kind
    """Return the type that converts to Python exactly: without nanoseconds and unknown zones, at any depth."""
    types = pa.types
    if types.is_timestamp(kind):
        return pa.timestamp("us" if kind.unit == "ns" else kind.unit, tz=_known_zone(kind.tz))
    if types.is_duration(kind) and kind.unit == "ns":
        return pa.duration("us")
    if types.is_time64(kind) and kind.unit == "ns":
        return pa.time64("us")
    if types.is_dictionary(kind):
        return _python_type(kind.value_type)
    if types.is_struct(kind):
        return pa.struct([field.with_type(_python_type(field.type)) for field in kind])
    if types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_python_type(kind.value_type)), kind.list_size)
    if types.is_list(kind) or types.is_large_list(kind):
        make = pa.list_ if types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_python_type(kind.value_type)))
    if types.is_map(kind):
        return pa.map_(_python_type(kind.key_type), kind.item_field.with_type(_python_type(kind.item_type)))
    return kind


def _known_zone(zone: str | None) -> str | None:
    """Return a zone, or UTC for one that this machine does not know: the instant is the same."""
    if zone is None:
        return None
    try:
        pa.lib.string_to_tzinfo(zone)
    except Exception:  # noqa: BLE001 - what is raised depends on the time zone package that is there
        return "UTC"
    return zone
