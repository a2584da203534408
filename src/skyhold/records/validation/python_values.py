"""From Arrow to Python, value by value: exactly, or not at all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from skyhold.records.validation.arrow import Array, DataType, pa, pc, walk_types, with_inner_types
from skyhold.records.validation.outcome import FieldError, format_path

__all__ = ["Unreadable", "as_dicts", "python_rows", "python_values"]


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


def python_rows(
    columns: Mapping[str, Array], rows: int
) -> tuple[list[dict[str, Any]], dict[int, tuple[FieldError, ...]]]:
    """Return rows as dicts of Python objects, and by its place what is wrong with each that has an unreadable value.

    Args:
        columns: The columns by name; there may be none.
        rows: How many rows they have.
    """
    lists = {name: python_values(column) for name, column in columns.items()}
    bad: dict[int, tuple[FieldError, ...]] = {}
    for name, values in lists.items():
        for place, value in enumerate(values):
            if type(value) is Unreadable:
                error = FieldError(format_path((name,)), "unreadable_value", value.why)
                bad[place] = (*bad.get(place, ()), error)
    return as_dicts(lists, rows), bad


def as_dicts(lists: Mapping[str, list[Any]], rows: int) -> list[dict[str, Any]]:
    """Return columns of Python objects as rows."""
    if not lists:
        return [{} for _ in range(rows)]
    names = tuple(lists)
    return [dict(zip(names, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _convert(column: Array, target: DataType) -> list[Any]:
    exact = column if column.type == target else pc.cast(column, target)
    has_maps = any(pa.types.is_map(each) for each in walk_types(target))
    # Asked for maps as dicts, Arrow takes twenty times as long, whatever it holds.
    return cast("list[Any]", exact.to_pylist(maps_as_pydicts="strict") if has_maps else exact.to_pylist())


def _convert_one(column: Array, place: int, target: DataType) -> Any:
    one = column.take(pa.array([place]))  # a slice would still carry the items of other lists
    try:
        (value,) = _convert(one, target)
    except pa.ArrowInvalid as error:
        return Unreadable("has nanoseconds, which Python cannot hold" if "lose data" in str(error) else str(error))
    except Exception as error:  # noqa: BLE001 - see above
        return Unreadable(f"{column.type} value cannot be read: {error}")
    return value


def _python_type(kind: DataType) -> DataType:
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
    return with_inner_types(kind, _python_type)


def _known_zone(zone: str | None) -> str | None:
    """Return a zone, or UTC for one that this machine does not know: the instant is the same."""
    if zone is None:
        return None
    try:
        pa.lib.string_to_tzinfo(zone)
    except Exception:  # noqa: BLE001 - what is raised depends on the time zone package that is there
        return "UTC"
    return zone
