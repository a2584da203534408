"""One Parquet object made of several: row groups are copied as they are, and the footer says where they lie now.

A footer is a struct in Thrift's compact protocol. Only some of its numbers change, so it is copied value by value;
field numbers are those of parquet.thrift in the format's specification.
"""

from collections.abc import Callable

from skyhold.errors import MalformedInputError
from skyhold.records.formats.adapter import Piece
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import ByteRange

__all__ = ["ParquetJoiner", "join_footers"]

_MAGIC = b"PAR1"
_END_BYTES = 8
_TAIL_BYTES = 64 * 1024
_ROWS, _ROW_GROUPS = 3, 4
_STRUCT = 12
_LONG_LIST = 15
_IN_GROUP = (_ROW_GROUPS, 0)
_IN_COLUMN = (*_IN_GROUP, 1, 0)
_OFFSETS = {(*_IN_GROUP, 5), (*_IN_COLUMN, 2), *((*_IN_COLUMN, 3, field) for field in (9, 10, 11))}
"""Where bytes of the object are counted: 0 stands for any item of a list."""
_ORDINAL = (*_IN_GROUP, 7)
_OUTSIDE = {(*_IN_COLUMN, 4), (*_IN_COLUMN, 6), (*_IN_COLUMN, 3, 14)}
"""Indexes and filters have places of their own, and the first of them places within."""


class ParquetJoiner:
    """Appends the row groups of pieces.

    Args:
        writer: Of the object; nothing has been written to it.
    """

    def __init__(self, writer: ObjectWriter) -> None:
        self._writer = writer
        self._footers: list[tuple[bytes, int]] = []

    def append(self, piece: Piece) -> None:
        """Copy a piece's row groups.

        Raises:
            MalformedInputError: It is no Parquet object that can be joined.
        """
        size_bytes, footer = _read_footer(piece)
        if not self._footers:
            self._writer.write(_MAGIC)
        self._footers.append((footer, self._writer.size_bytes - len(_MAGIC)))
        end = size_bytes - _END_BYTES - len(footer)
        at = 0
        for block in piece.blocks:
            self._writer.write(block[max(0, len(_MAGIC) - at) : max(0, end - at)])
            at += len(block)

    def finish(self) -> None:
        """Write the footer."""
        footer = join_footers(self._footers)
        self._writer.write(footer + len(footer).to_bytes(4, "little") + _MAGIC)


def _read_footer(piece: Piece) -> tuple[int, bytes]:
    """Return a piece's size, and its footer."""
    info, tail = piece.store.read_with_info(piece.key, ByteRange(suffix=_TAIL_BYTES))
    length = int.from_bytes(tail[-_END_BYTES : -len(_MAGIC)], "little") + _END_BYTES
    if tail[-len(_MAGIC) :] != _MAGIC or length > info.size_bytes:
        raise MalformedInputError(f"the piece {piece.key!r} is no Parquet object", remedy="Run the pipe again")
    if length > len(tail):
        tail = piece.store.read(piece.key, ByteRange(suffix=length), if_match=info.e_tag)
    return info.size_bytes, tail[-length:-_END_BYTES]


def join_footers(footers: list[tuple[bytes, int]]) -> bytes:
    """Return the footer of what was put together; what is not about row groups is the first one's.

    Args:
        footers: Each, and by how many bytes its row groups have moved.

    Raises:
        MalformedInputError: One is damaged, or has indexes or filters, which are not joined.
    """
    rows = groups = 0
    bodies = bytearray()
    kept: list[tuple[int, int, bytes]] = []
    for footer, moved in footers:
        copied = _Copier(footer, moved, groups)
        try:
            fields = copied.copy_top()
        except (IndexError, KeyError) as error:
            raise MalformedInputError(f"the footer of a piece is damaged ({error!r})") from error
        rows += copied.rows
        groups += copied.groups
        bodies += copied.bodies
        kept = kept or fields
    joined = {_ROWS: _zigzag(rows), _ROW_GROUPS: _list_head(groups, _STRUCT) + bytes(bodies)}
    found = bytearray()
    last = 0
    for number, kind, value in kept:
        found += _field_head(number - last, number, kind) + joined.get(number, value)
        last = number
    return bytes(found) + b"\0"


class _Copier:
    """Reads one footer, and keeps it with other numbers where they must be others."""

    def __init__(self, data: bytes, moved: int, groups_before: int) -> None:
        self._data = data
        self._at = 0
        self._moved = moved
        self._groups_before = groups_before
        self.rows = 0
        self.groups = 0
        self.bodies = b""
        self._copy_kind: dict[int, Callable[[tuple[int, ...]], bytes]] = {
            1: lambda _: b"",
            2: lambda _: b"",
            3: self._copy_byte,
            4: self._copy_integer,
            5: self._copy_integer,
            6: self._copy_integer,
            7: lambda _: self._take(8),
            8: lambda _: self._copy_text(),
            9: self._copy_list,
            10: self._copy_list,
            12: self._copy_struct,
            13: lambda _: self._take(16),
        }

    def copy_top(self) -> list[tuple[int, int, bytes]]:
        """Return the fields of the footer itself: number, kind and value."""
        fields: list[tuple[int, int, bytes]] = []
        number = 0
        while header := self._take(1)[0]:
            number = number + (header >> 4) if header >> 4 else _unzigzag(self._varint())
            kind = header & 15
            if number == _ROW_GROUPS:
                self.groups = self._list_size()[0]
                self.bodies = b"".join(self._copy_struct(_IN_GROUP) for _ in range(self.groups))
                fields.append((number, kind, b""))
                continue
            begun = self._at
            value = self._copy_kind[kind]((number,))
            if number == _ROWS:
                self.rows = _unzigzag(_parse_varint(self._data, begun)[0])
            fields.append((number, kind, value))
        return fields

    def _copy_struct(self, path: tuple[int, ...]) -> bytes:
        found = bytearray()
        number = 0
        while header := self._take(1)[0]:
            begun = self._at - 1
            number = number + (header >> 4) if header >> 4 else _unzigzag(self._varint())
            found += self._data[begun : self._at]
            found += self._copy_kind[header & 15]((*path, number))
        return bytes(found) + b"\0"

    def _copy_integer(self, path: tuple[int, ...]) -> bytes:
        value = _unzigzag(self._varint())
        if path in _OUTSIDE:
            raise MalformedInputError("the piece has indexes or filters, which are not joined")
        if path in _OFFSETS and value > 0:  # some writers say 0 where there is none
            value += self._moved
        elif path == _ORDINAL:
            value += self._groups_before
        return _zigzag(value)

    def _copy_byte(self, path: tuple[int, ...]) -> bytes:
        del path
        return self._take(1)

    def _copy_text(self) -> bytes:
        begun = self._at
        self._take(self._varint())
        return self._data[begun : self._at]

    def _copy_list(self, path: tuple[int, ...]) -> bytes:
        size, kind = self._list_size()
        copy = self._copy_byte if kind in (1, 2) else self._copy_kind[kind]  # in lists a truth value is a byte
        return _list_head(size, kind) + b"".join(copy((*path, 0)) for _ in range(size))

    def _list_size(self) -> tuple[int, int]:
        header = self._take(1)[0]
        return header >> 4 if header >> 4 != _LONG_LIST else self._varint(), header & 15

    def _varint(self) -> int:
        value, self._at = _parse_varint(self._data, self._at)
        return value

    def _take(self, size: int) -> bytes:
        self._at += size
        if self._at > len(self._data):
            raise IndexError(self._at)
        return self._data[self._at - size : self._at]


def _parse_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while (byte := data[at]) & 0x80:
        value |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    return value | byte << shift, at + 1


def _varint_of(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _zigzag(value: int) -> bytes:
    return _varint_of(value << 1 if value >= 0 else (-value << 1) - 1)


def _unzigzag(value: int) -> int:
    return value >> 1 ^ -(value & 1)


def _list_head(size: int, kind: int) -> bytes:
    if size < _LONG_LIST:
        return bytes([size << 4 | kind])
    return bytes([_LONG_LIST << 4 | kind]) + _varint_of(size)


def _field_head(step: int, number: int, kind: int) -> bytes:
    if 0 < step < _LONG_LIST + 1:
        return bytes([step << 4 | kind])
    return bytes([kind]) + _zigzag(number)
