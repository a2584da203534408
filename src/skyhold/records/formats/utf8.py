"""Bytes of any encoding, made UTF-8: what cannot be decoded travels as private-use characters."""

import codecs
import io
from typing import Protocol

from skyhold.errors import BadOptionError

__all__ = ["UNDECODABLE", "Readable", "Utf8Source", "check_encoding", "show_undecodable"]

_BASE = 0x10FE00
UNDECODABLE = "[\U0010fe00-\U0010feff]"
"""Pattern of the characters that stand for undecodable bytes: the last private-use block that Unicode leaves to us."""

_ESCAPE = "skyhold-escape"


class Readable(Protocol):
    """Anything that gives bytes, and none at its end only."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes."""
        ...


def check_encoding(name: str) -> str:
    """Return the codec's own name for an encoding.

    Raises:
        BadOptionError: There is no such encoding of text.

    Example:
        >>> check_encoding("Latin1")
        'iso8859-1'
    """
    try:
        "".encode(name)
        return codecs.lookup(name).name
    except (LookupError, UnicodeError, ValueError) as error:
        raise BadOptionError(
            f"encoding={name!r} is no encoding of text that is known here",
            remedy="Give a name that Python knows, such as 'utf-8', 'utf-16', 'latin-1' or 'cp1252'",
        ) from error


def _escape(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    bad = error.object[error.start : error.end]
    return "".join(chr(_BASE + byte) for byte in bad), error.end


codecs.register_error(_ESCAPE, _escape)


class Utf8Source(io.RawIOBase):
    r"""A binary file that always is UTF-8, whatever is read.

    Args:
        source: What is read.
        encoding: Its encoding.

    Attributes:
        escaped: Whether anything undecodable has come so far.
        tail: Comes after the last byte of the source.

    Example:
        >>> source = Utf8Source(io.BytesIO(b"a\xffb"))
        >>> show_undecodable(source.read(100).decode()), source.escaped
        ('a\\xffb', True)
        >>> Utf8Source(io.BytesIO("ü".encode("utf-16")), encoding="utf-16").read(100).decode()
        'ü'
    """

    def __init__(self, source: Readable, *, encoding: str = "utf-8") -> None:
        super().__init__()
        self._source = source
        self._is_utf8 = codecs.lookup(encoding).name == "utf-8"
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._pending = b""
        self._ready = b""
        self._ended = False
        self.escaped = False
        self.tail = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def unread(self, data: bytes) -> None:
        """Let ``data`` come next."""
        self._ready = data + self._ready

    def read(self, size: int = -1, /) -> bytes:
        """Return ``size`` bytes, fewer at the end only: Arrow expects each read to hold the end of a row."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            raw = self._source.read(size)
            self._ended = not raw
            self._ready += self._to_utf8(raw)
        if self._ended:
            self._ready, self.tail = self._ready + self.tail, b""
        if size < 0 or len(self._ready) <= size:
            data, self._ready = self._ready, b""
        else:
            data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _to_utf8(self, raw: bytes) -> bytes:
        if self._is_utf8:
            return self._checked(self._pending + raw)
        state = self._decoder.getstate()
        try:
            text = self._decoder.decode(raw, self._ended)
        except UnicodeDecodeError:
            self.escaped = True
            self._decoder.errors = _ESCAPE
            self._decoder.setstate(state)
            text = self._decoder.decode(raw, self._ended)
        return text.encode()

    def _checked(self, raw: bytes) -> bytes:
        """Return what is whole of some UTF-8: without a copy where nothing has to be escaped."""
        try:
            _, used = codecs.utf_8_decode(raw, "strict", self._ended)
        except UnicodeDecodeError:
            self.escaped = True
            text, used = codecs.utf_8_decode(raw, _ESCAPE, self._ended)
            self._pending = raw[used:]
            return text.encode()
        self._pending = raw[used:]
        return raw[:used] if self._pending else raw


def show_undecodable(text: str) -> str:
    r"""Return text with its undecodable bytes as ``\xff``."""
    return "".join(f"\\x{ord(char) - _BASE:02x}" if ord(char) >> 8 == _BASE >> 8 else char for char in text)
