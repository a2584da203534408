"""What the columns of a Parquet footer are called, and how the values in its statistics are spelt.

Numbers of fields and kinds are those of parquet.thrift in the format's specification.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["Leaf", "list_leaves"]

_BOOLEAN, _INT32, _INT64, _INT96, _FLOAT, _DOUBLE, _BYTES, _FIXED = range(8)
_PLAIN = {_INT32: "int32", _INT64: "int64", _INT96: "int96", _BYTES: "bytes", _FIXED: "fixed bytes"}
_FLOATS = {_FLOAT: ("float", "<f"), _DOUBLE: ("double", "<d")}
_TYPE, _WIDTH, _NAME, _CHILDREN, _CONVERTED, _SCALE, _PRECISION, _LOGICAL = 1, 2, 4, 5, 6, 7, 8, 10
_TEXTS = {1: "string", 4: "enum", 12: "json"}
_DECIMAL, _DATE, _TIME, _TIMESTAMP, _INTEGER, _UUID, _FLOAT16 = 5, 6, 7, 8, 10, 14, 15
_UNITS = {1: ("ms", 1000), 2: ("us", 1), 3: ("ns", 0)}
_OLD: Mapping[int, dict[int, Any]] = {  # what older writers say, in the words of newer ones
    0: {1: {}},
    4: {4: {}},
    6: {_DATE: {}},
    7: {_TIME: {1: True, 2: {1: {}}}},
    8: {_TIME: {1: True, 2: {2: {}}}},
    9: {_TIMESTAMP: {1: True, 2: {1: {}}}},
    10: {_TIMESTAMP: {1: True, 2: {2: {}}}},
    **{11 + place: {_INTEGER: {1: 8 << place, 2: False}} for place in range(4)},
    **{15 + place: {_INTEGER: {1: 8 << place, 2: True}} for place in range(4)},
    19: {12: {}},
}
_DEEPEST = 64
_DAY_US = 86_400_000_000
_EPOCH = datetime.fromisoformat("1970-01-01")

Value = int | float | bytes
"""As it is compared: numbers as such, and bytes by their order."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column as a file stores it; a nested one has a leaf for each of its ends.

    Attributes:
        name: Its path, with dots.
        kind: Its type, in words.
        read: Makes a value that can be compared of the bytes of a statistic; None where it has no order that is known.
        show: Spells such a value.
        is_signed: Whether statistics of old writers can be trusted.
    """

    name: str
    kind: str
    read: Callable[[bytes], Value] | None
    show: Callable[[Any], str]
    is_signed: bool


def list_leaves(schema: Sequence[Mapping[int, Any]]) -> list[Leaf]:
    """Return the columns that a footer's schema describes, in the order in which row groups have them.

    Raises:
        ValueError: It is damaged.
    """
    elements = iter(schema)
    try:
        root = next(elements)
        leaves = [leaf for _ in range(root.get(_CHILDREN, 0)) for leaf in _below(elements, "", 0)]
        is_whole = next(elements, None) is None
    except (StopIteration, RuntimeError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise ValueError(f"its schema is damaged ({error!r})") from error
    if not is_whole:
        raise ValueError("its schema is damaged (columns that belong to none)")
    return leaves


def _below(elements: Iterator[Mapping[int, Any]], above: str, depth: int) -> Iterator[Leaf]:
    if depth > _DEEPEST:
        raise KeyError("columns within columns without end")
    element = next(elements)
    name = f"{above}.{element[_NAME].decode()}" if above else element[_NAME].decode()
    if _TYPE in element:
        yield _leaf(name, element)
        return
    for _ in range(element[_CHILDREN]):
        yield from _below(elements, name, depth + 1)


def _leaf(name: str, element: Mapping[int, Any]) -> Leaf:
    physical = element[_TYPE]
    logical: dict[int, dict[int, Any]] = element.get(_LOGICAL) or _of_old_writers(element) or {0: {}}
    kind, detail = next(iter(logical.items()))
    if kind == _DECIMAL:
        return _decimal_leaf(name, physical, detail)
    if physical in (_INT32, _INT64):
        return _integer_leaf(name, physical, kind, detail)
    if physical in _FLOATS or kind == _FLOAT16:
        words, layout = _FLOATS.get(physical, ("float16", "<e"))
        return Leaf(name, words, _unpacked(layout), _show_float, is_signed=physical in _FLOATS)
    if physical == _BYTES and kind in _TEXTS:
        return Leaf(name, _TEXTS[kind], bytes, _show_text, is_signed=False)
    if physical == _BOOLEAN:
        return Leaf(name, "boolean", _read_little, lambda value: "true" if value else "false", is_signed=True)
    words = "uuid" if kind == _UUID else _PLAIN[physical]
    return Leaf(name, words, None if physical == _INT96 else bytes, _show_bytes, is_signed=False)


def _decimal_leaf(name: str, physical: int, detail: Mapping[int, Any]) -> Leaf:
    precision, scale = int(detail.get(2, 0)), int(detail.get(1, 0))

    def show(value: int) -> str:
        return format(Decimal(f"{value}e{-scale}"), "f")

    read = _read_little if physical in (_INT32, _INT64) else _read_big
    return Leaf(name, f"decimal({precision}, {scale})", read, show, is_signed=True)


def _integer_leaf(name: str, physical: int, kind: int, detail: Mapping[int, Any]) -> Leaf:
    if kind == _DATE:
        return Leaf(name, "date", _read_little, _show_date, is_signed=True)
    if kind == _INTEGER:
        is_signed = bool(detail.get(2, True))
        words = f"{'' if is_signed else 'u'}int{detail.get(1, 64)}"
        return Leaf(name, words, _read_little if is_signed else _read_unsigned, str, is_signed=is_signed)
    if kind in (_TIME, _TIMESTAMP):
        unit, factor = _UNITS[next(iter(detail[2]))]
        if kind == _TIME:
            return Leaf(name, f"time[{unit}]", _read_little, lambda value: _show_time(value, factor), is_signed=True)
        zone = ", UTC" if detail.get(1) else ""
        return Leaf(
            name, f"timestamp[{unit}{zone}]", _read_little, lambda value: _show_moment(value, factor), is_signed=True
        )
    return Leaf(name, _PLAIN[physical], _read_little, str, is_signed=True)


def _of_old_writers(element: Mapping[int, Any]) -> dict[int, Any]:
    if element.get(_CONVERTED) == _DECIMAL:
        return {_DECIMAL: {1: element.get(_SCALE, 0), 2: element.get(_PRECISION, 0)}}
    return _OLD.get(element.get(_CONVERTED, -1), {})


def _read_little(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=len(data) > 1)  # one byte is a truth value


def _read_unsigned(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _read_big(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _unpacked(layout: str) -> Callable[[bytes], float]:
    def read(data: bytes) -> float:
        if len(data) != struct.calcsize(layout):
            raise ValueError(f"a statistic of {len(data)} bytes, where a number has {struct.calcsize(layout)}")
        return float(struct.unpack(layout, data)[0])

    return read


def _show_text(data: bytes) -> str:
    return data.decode(errors="backslashreplace")


def _show_bytes(data: bytes) -> str:
    return data.hex()


def _show_float(value: float) -> str:
    return f"{value:.9g}"


def _show_date(days: int) -> str:
    try:
        return (_EPOCH.date() + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"{days} days after 1970-01-01"


def _show_time(value: int, factor: int) -> str:
    micros = value * factor if factor else value // 1000
    return (_EPOCH + timedelta(microseconds=micros % _DAY_US)).time().isoformat()


def _show_moment(value: int, factor: int) -> str:
    micros = value * factor if factor else value // 1000
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat(" ")
    except OverflowError:
        return f"{micros} microseconds after 1970"
