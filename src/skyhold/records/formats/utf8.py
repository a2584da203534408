"""Bytes of any encoding, made UTF-8: what cannot be decoded travels as private-use characters."""

import codecs
import io
from typing import Protocol

from skyhold.errors import BadOptionError, MalformedInputError

__all__ = ["NUL_STAND_IN", "UNDECODABLE", "Readable", "Utf8Source", "check_encoding", "read_fully", "show_undecodable"]

_BASE = 0x10FE00
UNDECODABLE = "[\U0010fe00-\U0010feff]"
"""Pattern of the characters that stand for undecodable bytes: the last private-use block that Unicode leaves to us."""

NUL_STAND_IN = "\U0010fd00"
"""What stands for NUL, where `Utf8Source` hides it."""

_STAND_IN = NUL_STAND_IN.encode()
_ESCAPE = "skyhold-escape"


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
        hide_nul: Whether NUL becomes `NUL_STAND_IN`.

    Attributes:
        hides_nul: Whether any NUL has been hidden so far.
        escaped: Whether anything undecodable has come so far.
        tail: Comes after the last byte of the source.
        unparted: Bytes after which no read ends: it goes on to the first other one.

    Example:
        >>> source = Utf8Source(io.BytesIO(b"a\xffb"))
        >>> show_undecodable(source.read(100).decode()), source.escaped
        ('a\\xffb', True)
        >>> Utf8Source(io.BytesIO("ü".encode("utf-16")), encoding="utf-16").read(100).decode()
        'ü'
    """

    def __init__(self, source: Readable, *, encoding: str = "utf-8", hide_nul: bool = False) -> None:
        super().__init__()
        self._source = source
        self._is_utf8 = codecs.lookup(encoding).name == "utf-8"
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._hide_nul = hide_nul
        self._has_stand_in = False
        self._pending = b""
        self._ready = b""
        self._ended = False
        self.escaped = False
        self.hides_nul = False
        self.tail = b""
        self.unparted = b""

    def readable(self) -> bool:
        """Return True."""
        return True

    def unread(self, data: bytes) -> None:
        """Let ``data`` come next."""
        self._ready = data + self._ready

    def read(self, size: int = -1, /) -> bytes:
        """Return ``size`` bytes, fewer at the end only: Arrow expects each read to hold the end of a row."""
        data = self._read(size)
        while data and data[-1] in self.unparted and (more := self._read(1)):
            data += more
        return data

    def _read(self, size: int) -> bytes:
        while not self._ended and (size < 0 or len(self._ready) < size):
            raw = self._source.read(size)
            self._ended = not raw
            self._ready += self._without_nul(self._to_utf8(raw))
        if self._ended:
            self._ready, self.tail = self._ready + self.tail, b""
        if size < 0 or len(self._ready) <= size:
            data, self._ready = self._ready, b""
        else:
            data, self._ready = self._ready[:size], self._ready[size:]
        return data

    def _without_nul(self, data: bytes) -> bytes:
        if not self._hide_nul:
            return data
        # One byte is found ten times faster than four.
        self._has_stand_in |= _STAND_IN[:1] in data and _STAND_IN in data
        self.hides_nul |= b"\0" in data
        if self.hides_nul and self._has_stand_in:
            raise MalformedInputError(
                f"the input holds both NUL and {NUL_STAND_IN!a}, which stands for it while it is read",
                remedy="Take one of them out of the file",
            )
        return data.replace(b"\0", _STAND_IN) if self.hides_nul else data

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
