"""One JSON array, cut into its elements as it comes: without parsing them, in memory for the longest of them."""

import re
from collections.abc import Iterator

from skyhold.errors import MalformedInputError
from skyhold.records.formats.utf8 import Readable

__all__ = ["elements"]

_BLANK = rb"[ \t\r\n]*+"
_TEXT = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_START = re.compile(_BLANK + rb"\[" + _BLANK)
# Most elements are objects with nothing nested: found in one step, with what follows them.
_FLAT = re.compile(rb"(\{[^{}\[\]\"]*+(?:" + _TEXT + rb"[^{}\[\]\"]*+)*+\})" + _BLANK + rb"([,\]])" + _BLANK, re.DOTALL)
_TOKEN = re.compile(_TEXT + rb"|[\"{}\[\],]", re.DOTALL)
_BLANKS = re.compile(_BLANK)


def elements(source: Readable, uri: str, *, head: bytes, block_bytes: int, longest: int) -> Iterator[list[bytes]]:
    r"""Yield the elements of an array, as many at a time as one block holds.

    Elements are not looked into: brackets are counted, no more.

    Args:
        source: What is read.
        uri: Its name, for errors.
        head: What was read of it before, without a byte-order mark.
        block_bytes: How much is read at once.
        longest: The most bytes that one element may have.

    Raises:
        MalformedInputError: It is no array, does not end, goes on after its end, or one element is too long.

    Example:
        >>> import io
        >>> source = io.BytesIO(b'{"a": [1]}, 2]\n')
        >>> list(elements(source, "x.json", head=b"[", block_bytes=4, longest=100))
        [[b'{"a": [1]}'], [b'2']]
    """
    cutter = _Cutter(uri, longest)
    block = head
    while True:
        found = cutter.cut(block)
        if found:
            yield found
        block = source.read(block_bytes)
        if not block:
            break
    cutter.check_end()


class _Cutter:
    def __init__(self, uri: str, longest: int) -> None:
        self._uri = uri
        self._longest = longest
        self._count = 0
        self._held = b""
        self._state = "before"
        # How far the element at the start of what is held has been looked through already.
        self._seen = 0
        self._depth = 0

    def cut(self, block: bytes) -> list[bytes]:
        data = self._held + block
        place = 0
        if self._state == "before":
            start = _START.match(data)
            if start is None:
                if _BLANKS.fullmatch(data) is None:
                    raise MalformedInputError(
                        f"{self._uri!r} is no JSON array: it begins with {data.lstrip()[:20]!r}",
                        remedy="Lines of JSON are read with format='jsonl'",
                    )
                self._held = data
                return []
            place = start.end()
            self._state = "first"
        found: list[bytes] = []
        while self._state != "after":
            end = self._next(data, place, found)
            if end is None:
                break
            place = end
        self._held = data[place:]
        if self._state == "after":
            self._check_rest()
        elif len(self._held) > self._longest:
            raise MalformedInputError(
                f"element {self._count + 1:,} of {self._uri!r} is longer than {self._longest:,} bytes"
            )
        return found

    def check_end(self) -> None:
        if self._state != "after":
            raise MalformedInputError(
                f"{self._uri!r} ends after element {self._count:,}, without the ']' of its array",
                remedy="The file is not complete: write or fetch it again",
            )

    def _next(self, data: bytes, place: int, found: list[bytes]) -> int | None:
        """Take the element at ``place``; return where the next begins, None where more must be read."""
        begin = place
        if self._seen == 0:
            place = _BLANKS.match(data, place).end()  # pyright: ignore[reportOptionalMemberAccess] - blanks may be none
            flat = _FLAT.match(data, place)
            if flat is not None:
                return self._take(flat.group(1), flat.group(2), flat.end(), found)
            if self._state == "first" and data[place : place + 1] == b"]":
                self._state = "after"
                return place + 1
        for token in _TOKEN.finditer(data, max(place, begin + self._seen)):
            text = token.group()
            if text == b'"':
                break  # the rest of this text is still to come
            if text in (b",", b"]") and self._depth == 0:
                element = data[place : token.start()].strip(b" \t\r\n")
                return self._take(element, text, token.end(), found)
            self._depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(text, 0)
            self._seen = token.end() - begin
        return None

    def _take(self, element: bytes, after: bytes, end: int, found: list[bytes]) -> int:
        if not element:
            raise MalformedInputError(f"{self._uri!r} has no value where element {self._count + 1:,} should be")
        found.append(element)
        self._count += 1
        self._seen = self._depth = 0
        self._state = "after" if after == b"]" else "within"
        return end

    def _check_rest(self) -> None:
        if _BLANKS.fullmatch(self._held) is None:
            raise MalformedInputError(
                f"{self._uri!r} goes on after the end of its array: {self._held.lstrip()[:20]!r}",
                remedy="One array is one file; lines of JSON are read with format='jsonl'",
            )
        self._held = b""
