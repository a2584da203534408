"""Where the columns of a Parquet object lie, read from its footer.

pyarrow can tell too, and ends the whole process when it is asked of a damaged footer. The footer is a struct in
Thrift's compact protocol; field numbers are those of parquet.thrift in the format's specification.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["ChunkLayout", "GroupLayout", "parse_footer", "parse_struct"]

_DEEPEST = 64
_MOST_BITS = 63
_ROW_GROUPS, _COLUMNS, _ROWS, _COLUMN_METADATA = 4, 1, 3, 3
_UNCOMPRESSED_BYTES, _COMPRESSED_BYTES, _DATA_PAGE, _DICTIONARY_PAGE = 6, 7, 9, 11


@dataclass(frozen=True, slots=True)
class ChunkLayout:
    """The bytes of one column in one row group."""

    start: int
    size_bytes: int
    plain_bytes: int


@dataclass(frozen=True, slots=True)
class GroupLayout:
    """One row group: its rows, and its columns in the file's order."""

    rows: int
    chunks: tuple[ChunkLayout, ...]


def parse_footer(data: bytes) -> list[GroupLayout]:
    """Return the row groups.

    Args:
        data: The footer, without its length and the magic word behind it.

    Raises:
        ValueError: It is damaged, or its columns are encrypted.
    """
    try:
        footer = _Compact(data).read_struct()
        groups = [_read_group(group) for group in footer[_ROW_GROUPS]]
        is_sound = sum(group.rows for group in groups) == footer[_ROWS]
    except (IndexError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its footer is damaged ({error!r})") from error
    if not is_sound:
        raise ValueError("its footer is damaged (the row groups have not as many rows as the whole)")
    return groups


def parse_struct(data: bytes) -> dict[int, Any]:
    """Return the fields of a footer by their numbers: structs as dicts, lists, and texts as bytes.

    Raises:
        ValueError: It is damaged.

    Example:
        >>> parse_struct(bytes([0x15, 0x02, 0x15, 0x06, 0x00]))
        {1: 1, 2: 3}
    """
    try:
        return _Compact(data).read_struct()
    except (IndexError, KeyError) as error:
        raise ValueError(f"its footer is damaged ({error!r})") from error


def _read_group(group: dict[int, Any]) -> GroupLayout:
    found = GroupLayout(group[_ROWS], tuple(_read_chunk(column) for column in group[_COLUMNS]))
    if found.rows < 0:
        raise ValueError("its footer is damaged (a row group of fewer than no rows)")
    return found


def _read_chunk(column: dict[int, Any]) -> ChunkLayout:
    if _COLUMN_METADATA not in column:
        raise ValueError("its columns are encrypted")
    metadata = column[_COLUMN_METADATA]
    start = metadata[_DATA_PAGE]
    dictionary = metadata.get(_DICTIONARY_PAGE, 0)
    if 0 < dictionary < start:  # some writers say 0 where there is none
        start = dictionary
    chunk = ChunkLayout(start, metadata[_COMPRESSED_BYTES], metadata[_UNCOMPRESSED_BYTES])
    if min(chunk.start, chunk.size_bytes, chunk.plain_bytes) < 0:
        raise ValueError("its footer is damaged (a column at a negative place)")
    return chunk


class _Compact:
    """A reader of values in Thrift's compact protocol; structs are dicts by field number."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._depth = 0
        self._readers: dict[int, Callable[[], Any]] = {
            1: lambda: True,
            2: lambda: False,
            3: self._read_byte,
            4: self._read_integer,
            5: self._read_integer,
            6: self._read_integer,
            7: lambda: self._read_bytes(8),
            8: lambda: self._read_bytes(self._read_varint()),
            9: self._read_list,
            10: self._read_list,
            11: self._read_map,
            12: self.read_struct,
            13: lambda: self._read_bytes(16),
        }

    def read_struct(self) -> dict[int, Any]:
        self._go_deeper()
        fields: dict[int, Any] = {}
        number = 0
        while header := self._read_byte():
            number = number + (header >> 4) if header >> 4 else self._read_integer()
            fields[number] = self._readers[header & 15]()
        self._depth -= 1
        return fields

    def _go_deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ValueError("its footer is damaged (values within values without end)")

    def _read_byte(self) -> int:
        value = self._data[self._at]
        self._at += 1
        return value

    def _read_varint(self) -> int:
        value = shift = 0
        while (byte := self._read_byte()) & 0x80:
            value |= (byte & 0x7F) << shift
            shift += 7
            if shift > _MOST_BITS:
                raise ValueError("its footer is damaged (a number without end)")
        return value | byte << shift

    def _read_integer(self) -> int:
        value = self._read_varint()
        return value >> 1 ^ -(value & 1)

    def _read_bytes(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._data):
            raise IndexError(self._at)
        return self._data[self._at - size : self._at]

    def _read_list(self) -> list[Any]:
        header = self._read_byte()
        size = header >> 4 if header >> 4 != 15 else self._read_varint()  # noqa: PLR2004 - 15: the size follows
        read = self._element_reader(header & 15)
        self._go_deeper()
        found = [read() for _ in range(self._checked(size))]
        self._depth -= 1
        return found

    def _read_map(self) -> list[Any]:
        size = self._checked(self._read_varint())
        kinds = self._read_byte() if size else 0
        keys, values = self._element_reader(kinds >> 4), self._element_reader(kinds & 15)
        self._go_deeper()
        found = [(keys(), values()) for _ in range(size)]
        self._depth -= 1
        return found

    def _element_reader(self, kind: int) -> Callable[[], Any]:
        """Return what reads an item: in lists a truth value is a byte of its own."""
        return self._read_byte if kind in (1, 2) else self._readers.get(kind, self._read_byte)

    def _checked(self, size: int) -> int:
        if size > len(self._data) - self._at:
            raise IndexError(size)
        return size
