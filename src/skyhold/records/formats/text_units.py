"""Which bytes of an encoded text are its line ends and other ASCII characters, without decoding it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import codecs
import sys
from dataclasses import dataclass
from importlib import import_module

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["TextUnits", "blank_lines", "find_units"]

_BOM = "\ufeff"
_WIDE = {2: pa.uint16(), 4: pa.uint32()}
_OTHER = 128

_SELF_TAUGHT = {"utf-16", "utf-32"}
"""Codecs that a byte-order mark tells which of two they are."""

_IN_ORDER = {"utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_ASCII_FIRST = {"utf-8", "ascii", "iso8859-1"}
_DOUBLE_BYTES = {
    "big5",
    "big5hkscs",
    "cp932",
    "cp949",
    "cp950",
    "euc_jp",
    "euc_kr",
    "gb18030",
    "gb2312",
    "gbk",
    "shift_jis",
}
"""Codecs whose characters of several bytes never end with a byte below 0x40 other than a digit."""

_LEAST_LAST_BYTE = 0x40
_LONGEST_CHARACTER = 4


@dataclass(frozen=True, slots=True)
class TextUnits:
    """How to look at encoded text as units, of which those below 128 are ASCII characters and nothing else.

    Attributes:
        codec: What decodes text that begins with any unit: it takes no byte-order mark for one.
        size_bytes: Of a unit.
        head_bytes: Of the byte-order marks that a reader drops at the text's beginning.
    """

    codec: str
    size_bytes: int = 1
    head_bytes: int = 0

    def as_bytes(self, data: bytes) -> bytes:
        r"""Return one byte for each unit; those that are not ASCII become any other byte.

        Example:
            >>> TextUnits("utf-16-be", 2).as_bytes("a\n日".encode("utf-16-be"))
            b'a\n\x80'
        """
        if self.size_bytes == 1:
            return data
        data = data[: len(data) // self.size_bytes * self.size_bytes]
        if self.codec.endswith("be") == (sys.byteorder == "little"):
            data = self._swapped(data)
        kind = _WIDE[self.size_bytes]
        units = pa.Array.from_buffers(kind, len(data) // self.size_bytes, [None, pa.py_buffer(data)])
        other = pa.scalar(_OTHER, kind)
        # An array of nothing has no buffer.
        return (
            pc.min_element_wise(units, other).cast(pa.uint8()).buffers()[1].to_pybytes()[: len(units)] if data else b""
        )

    def _swapped(self, data: bytes) -> bytes:
        swapped = bytearray(len(data))
        for place in range(self.size_bytes):
            swapped[place :: self.size_bytes] = data[self.size_bytes - 1 - place :: self.size_bytes]
        return bytes(swapped)


def find_units(encoding: str, head: bytes, special: str) -> TextUnits | None:
    r"""Return how a text can be looked at without decoding it; None where that is not certain.

    Args:
        encoding: The codec's own name.
        head: The text's first bytes.
        special: ASCII characters that must be told from parts of other characters; line ends always are.

    Example:
        >>> find_units("utf-16", b"\xfe\xff\x00a", ",")
        TextUnits(codec='utf-16-be', size_bytes=2, head_bytes=2)
        >>> find_units("cp932", b"", ","), find_units("cp932", b"", "|")
        (TextUnits(codec='cp932', size_bytes=1, head_bytes=0), None)
    """
    name = encoding
    told = 0
    if encoding in _SELF_TAUGHT:
        for order in ("le", "be"):
            mark = _BOM.encode(f"{encoding}-{order}")
            if head.startswith(mark):
                name, told = f"{encoding}-{order}", len(mark)
    elif encoding == "utf-8-sig":
        name = "utf-8"
        told = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    if not _is_certain(name, {*special, "\r", "\n"}):
        return None
    mark = _BOM.encode(name, "ignore")
    dropped = len(mark) if mark and head[told:].startswith(mark) else 0
    return TextUnits(name, _IN_ORDER.get(name, 1), told + dropped)


def blank_lines(codec: str) -> bytes:
    """Return encoded line feeds, so many that before the last no decoder waits for the rest of a character."""
    return ("\n" * _LONGEST_CHARACTER).encode(codec)


def _is_certain(name: str, special: set[str]) -> bool:
    if name in _IN_ORDER or name in _ASCII_FIRST:
        return True
    if name in _DOUBLE_BYTES:
        return all(ord(char) < _LEAST_LAST_BYTE and not char.isdigit() for char in special)
    try:
        table: str = getattr(import_module(f"encodings.{name.replace('-', '_')}"), "decoding_table", "")
    except ImportError:
        return False
    return all(table.count(char) == 1 and table.index(char) == ord(char) for char in special)
