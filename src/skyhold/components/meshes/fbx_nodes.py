"""The records of a binary FBX file: a tree of named nodes with values, each within its bounds.

A record is where it ends, how many values it has, how long these are, its name, the values, and the records in it. The
first three have 64 bits since version 7500. Large arrays are packed by zlib, and are unpacked when they are asked for.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyhold.components.meshes.source import MOST_TRIANGLES, Source

__all__ = ["FbxArray", "FbxNode", "is_fbx", "read_nodes"]

_MAGIC = b"Kaydara FBX Binary  \x00"
_HEAD_BYTES = 27
_WIDE = 7500
_OLDEST = 7000
_MOST_NODES = 1_000_000
_MOST_ITEMS = 12 * MOST_TRIANGLES  # four numbers for each corner
_SCALARS: Mapping[int, struct.Struct] = {
    code: struct.Struct(f"<{form}") for code, form in zip(b"YCIFDL", "h?ifdq", strict=True)
}
_ARRAYS: Mapping[int, np.dtype[Any]] = {
    code: np.dtype(form) for code, form in zip(b"fdlib", ("<f4", "<f8", "<i8", "<i4", "?"), strict=True)
}
_TEXT, _RAW = b"SR"


@dataclass(frozen=True, slots=True)
class FbxArray:
    """An array in the file, still packed."""

    source: Source
    start: int
    length: int
    packed: bool
    count: int
    kind: np.dtype[Any]

    def read(self) -> NDArray[Any]:
        """Return it.

        Raises:
            PreviewError: It is damaged, or larger than what is read.
        """
        if self.count > _MOST_ITEMS:
            raise self.source.unsupported(f"an array has {self.count:,} numbers, and at most {_MOST_ITEMS:,} are read")
        data = self.source.data[self.start : self.start + self.length]
        wanted = self.count * self.kind.itemsize
        if self.packed:
            try:
                data = zlib.decompressobj().decompress(data, wanted + 1)  # a bomb is not unpacked further
            except zlib.error as error:
                raise self.source.damaged(f"an array cannot be unpacked: {error}") from error
        if len(data) != wanted:
            raise self.source.damaged(f"an array should have {wanted:,} bytes, found {len(data):,}")
        return np.frombuffer(data, self.kind)


@dataclass(frozen=True, slots=True)
class FbxNode:
    """A record: its name, its values, and where the records in it lie."""

    file: "_File"
    name: str
    values: tuple[Any, ...]
    start: int
    end: int

    def children(self) -> "Iterator[FbxNode]":
        """Yield the records in it; each is read when it is asked for.

        Raises:
            PreviewError: They are damaged, or too many.
        """
        return self.file.nodes(self.start, self.end)

    def child(self, name: str) -> "FbxNode | None":
        """Return the first record in it of a name."""
        return next((node for node in self.children() if node.name == name), None)

    def value(self, place: int, kind: type | tuple[type, ...]) -> Any:
        """Return one of its values.

        Raises:
            PreviewError: There is none of this type.
        """
        if place >= len(self.values) or not isinstance(self.values[place], kind):
            raise self.file.source.damaged(f"a record {self.name!r} has not the values that it should have")
        return self.values[place]

    def array(self) -> NDArray[Any]:
        """Return the array that is its only value.

        Raises:
            PreviewError: It is none.
        """
        return self.value(0, FbxArray).read()


class _File:
    def __init__(self, source: Source) -> None:
        self.source = source
        self._data = source.data
        wide = int.from_bytes(source.data[23:_HEAD_BYTES], "little") >= _WIDE
        self._head = struct.Struct("<QQQB" if wide else "<IIIB")
        self._left = _MOST_NODES

    def nodes(self, start: int, end: int) -> Iterator[FbxNode]:
        while start + self._head.size <= end:
            node_end, count, length, name_length = self._head.unpack_from(self._data, start)
            if not node_end:  # an empty record ends a list
                return
            self._left -= 1
            if self._left < 0:
                raise self.source.unsupported(f"it has more than {_MOST_NODES:,} records")
            values_start = start + self._head.size + name_length
            inner = values_start + length
            if not (inner <= node_end <= end):
                raise self.source.damaged(f"a record at byte {start:,} leaves its place")
            name = self._data[start + self._head.size : values_start].decode("ascii", "replace")
            yield FbxNode(self, name, tuple(self._values(values_start, inner, count)), inner, node_end)
            start = node_end

    def _values(self, start: int, end: int, count: int) -> Iterator[Any]:
        try:
            for _ in range(count):
                if start >= end:
                    raise self.source.damaged(f"values at byte {start:,} leave their place")
                value, start = self._value(self._data[start], start + 1)
                yield value
        except struct.error as error:
            raise self.source.damaged(f"values at byte {start:,} leave the file") from error

    def _value(self, code: int, start: int) -> tuple[Any, int]:
        if code in _SCALARS:
            form = _SCALARS[code]
            return form.unpack_from(self._data, start)[0], start + form.size
        if code in (_TEXT, _RAW):
            length = int.from_bytes(self._data[start : start + 4], "little")
            raw = self._data[start + 4 : start + 4 + length]
            return raw.decode("utf-8", "replace") if code == _TEXT else raw, start + 4 + length
        if code not in _ARRAYS:
            raise self.source.damaged(f"a value at byte {start:,} is of no known type")
        count, packing, length = struct.unpack_from("<III", self._data, start)
        kind = _ARRAYS[code]
        size = length if packing else count * kind.itemsize
        return FbxArray(self.source, start + 12, size, packing != 0, count, kind), start + 12 + size


def is_fbx(data: bytes) -> bool:
    """Return whether content is binary FBX."""
    return data.startswith(_MAGIC)


def read_nodes(source: Source) -> dict[str, FbxNode]:
    """Return the outermost records by name.

    Raises:
        PreviewError: It is damaged, or of a form that is not read.
    """
    if not is_fbx(source.data):
        words = "FBX as text" if source.data[:256].lstrip().startswith(b";") else "no binary FBX"
        raise source.unsupported(f"it is {words}", remedy="Export it as binary FBX, or as glTF")
    if len(source.data) < _HEAD_BYTES:
        raise source.damaged("it ends in its head")
    version = int.from_bytes(source.data[23:_HEAD_BYTES], "little")
    if version < _OLDEST:
        raise source.unsupported(f"it is FBX {version}, and {_OLDEST} or newer is read")
    root = FbxNode(_File(source), "", (), _HEAD_BYTES, len(source.data))
    return {node.name: node for node in root.children()}
