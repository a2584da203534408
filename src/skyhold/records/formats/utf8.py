"""Bytes that may not be UTF-8, made readable: what cannot be decoded travels as private-use characters."""

import codecs
import io
from typing import Protocol

__all__ = ["UNDECODABLE", "Readable", "Utf8Source", "read_fully", "show_undecodable"]

_BASE = 0x10FE00
UNDECODABLE = "[\U0010fe00-\U0010feff]"
"""Pattern of the characters that stand for undecodable bytes: the last private-use block that Unicode leaves to us."""


class Readable(Protocol):
    """Anything that gives bytes, and none at its end only."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...


def read_fully(source: Readable, size: int) -> bytes:
    """Return ``size`` bytes, fewer at the end only."""
    parts: list[bytes] = []
    while size > 0 and (part := source.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(chr(_BASE + byte) for byte in bad), error.end


codecs.register_error("skyhold-escape", _escape)


class Utf8Source(io.RawIOBase):
    r"""A binary file that always is UTF-8, whatever is read.

    Args:
        source: What is read.
        head: What was read of it before, and comes first.

    Attributes:
        escaped: Whether anything undecodable has come so far.

    Example:
        >>> source = Utf8Source(io.BytesIO(b"a\xffb"))
        >>> show_undecodable(source.read(100).decode()), source.escaped
        ('a\\xffb', True)
    """

    def __init__(self, source: Readable, *, head: bytes = b"") -> None:
        super().__init__()
        self._source = source
        self._head = head
        self._pending = b""
        self._ready = b""
        self._ended = False
        self.escaped = False

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return ``size`` bytes, fewer at the end only: Arrow takes each read for a block that ends between rows."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            raw, self._head = self._head or self._source.read(size), b""
            self._ended = not raw
            self._ready += self._decoded(self._pending + raw, is_last=self._ended)
        if size < 0 or len(self._ready) <= size:
            data, self._ready = self._ready, b""
        else:
            data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _decoded(self, raw: bytes, *, is_last: bool) -> bytes:
        try:
            _, used = codecs.utf_8_decode(raw, "strict", is_last)
        except UnicodeDecodeError:
            self.escaped = True
            text, used = codecs.utf_8_decode(raw, "skyhold-escape", is_last)
            self._pending = raw[used:]
            return text.encode()
        self._pending = raw[used:]
        return raw[:used] if self._pending else raw


def show_undecodable(text: str) -> str:
    r"""Return text with its undecodable bytes as ``\xff``."""
    return "".join(f"\\x{ord(char) - _BASE:02x}" if ord(char) >> 8 == _BASE >> 8 else char for char in text)
