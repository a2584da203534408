"""What a CSV file looks like, and its first row: where the names stand and the data begin."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from skyhold.errors import BadOptionError, MalformedInputError
from skyhold.records.formats.utf8 import NUL_STAND_IN, UNDECODABLE, Utf8Source

__all__ = ["CSVCut", "CSVDialect", "CSVHead", "CSVLayout", "check_character", "find_repeated", "read_head"]

_HEADS_BYTES = (64 * 1024, 16 * 1024 * 1024)
_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class CSVDialect:
    """How cells are told from each other; as in Python's ``csv`` module, in ASCII."""

    delimiter: str = ","
    quotechar: str | None = '"'
    escapechar: str | None = None
    doublequote: bool = True

    def __post_init__(self) -> None:
        given = {"delimiter": self.delimiter, "quotechar": self.quotechar, "escapechar": self.escapechar}
        used = {name: check_character(name, char) for name, char in given.items() if char is not None}
        if len(set(used.values())) < len(used):
            shown = ", ".join(f"{name}={char!r}" for name, char in used.items())
            raise BadOptionError(f"{shown}: one character has two meanings", remedy="Choose different characters")

    def python_options(self) -> dict[str, Any]:
        """Return what ``csv.reader`` calls them."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quotechar,
            "escapechar": self.escapechar,
            "doublequote": self.doublequote,
            "quoting": csv.QUOTE_NONE if self.quotechar is None else csv.QUOTE_MINIMAL,
        }

    def arrow_options(self) -> dict[str, Any]:
        """Return what ``pyarrow.csv.ParseOptions`` calls them."""
        return {
            "delimiter": self.delimiter,
            "quote_char": self.quotechar or False,
            "escape_char": self.escapechar or False,
            "double_quote": self.doublequote,
            "newlines_in_values": True,
        }


@dataclass(frozen=True, slots=True)
class CSVLayout:
    """What a file looks like, besides its dialect.

    Attributes:
        encoding: Name of a codec.
        fieldnames: The columns' names of a file that has no header.
        skip_rows: Lines before the header.
        null_values: Cells that are null.
        quoted_nulls: Whether they are when they stand in quotes, too.
    """

    encoding: str = "utf-8"
    fieldnames: tuple[str, ...] | None = None
    skip_rows: int = 0
    null_values: tuple[str, ...] = ()
    quoted_nulls: bool = True

    def __post_init__(self) -> None:
        if self.skip_rows < 0:
            raise BadOptionError(f"skip_rows={self.skip_rows!r} is below 0", remedy="Give 0 or more")
        if self.fieldnames is not None and (not self.fieldnames or find_repeated(self.fieldnames)):
            raise BadOptionError(
                f"fieldnames={list(self.fieldnames)!r} is empty, or has a name twice",
                remedy="Give each column a name of its own",
            )


@dataclass(frozen=True, slots=True)
class CSVCut:
    """A part of a file that begins where a row begins, and ends where one ends.

    Attributes:
        start: Its first byte.
        end: The byte after its last.
        names: The columns.
        encoding: What decodes it; unlike the file's own, it takes nothing for a byte-order mark.
    """

    start: int
    end: int
    names: tuple[str, ...]
    encoding: str


class CSVHead(NamedTuple):
    """What comes before the first row of data.

    Attributes:
        names: The columns.
        rest: What was read after it.
        lines: How many lines it has.
        ends_within_line: Whether the file ends with it, and without a line end.
    """

    names: tuple[str, ...]
    rest: bytes
    lines: int
    ends_within_line: bool


def find_repeated(names: Sequence[str]) -> str | None:
    """Return the first name, by the alphabet, that occurs more than once."""
    return min((name for name, count in Counter(names).items() if count > 1), default=None)


def check_character(name: str, char: str) -> str:
    """Return the value of an option that is one character.

    Raises:
        BadOptionError: It is not one ASCII character, or it ends lines.
    """
    if len(char) != 1 or not char.isascii() or char in "\r\n\0":
        raise BadOptionError(f"{name}={char!r} is not one ASCII character", remedy=f"Give one character as {name}=")
    return char


class _CutError(Exception):
    """The text ends before the header does."""


class _Lines:
    """Lines of a text, ended by any of CR, LF and both; after the last one comes ``end``.

    Args:
        text: The lines.
        end: A line that no file has; None where the text goes on, and its last line may be cut.
    """

    def __init__(self, text: str, end: str | None) -> None:
        self._size = len(text)
        self._text = io.StringIO(text, newline="")
        self._ends = [] if end is None else [end]
        self._goes_on = end is None
        self.used_bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline()
        if self._goes_on and self._text.tell() == self._size:
            raise _CutError
        if not line:
            if not self._ends:
                raise StopIteration
            return self._ends.pop()
        self.used_bytes += len(line.encode())
        return line


def read_head(source: Utf8Source, uri: str, dialect: CSVDialect, layout: CSVLayout, end: str) -> CSVHead:
    """Read as far as the first row of data.

    Args:
        source: The file.
        uri: What errors call it.
        dialect: How cells are told from each other.
        layout: What else the file looks like.
        end: A text that is not in the file.

    Raises:
        MalformedInputError: There is no header, it cannot be read, or a name occurs twice.
    """
    data = b""
    for size in _HEADS_BYTES:
        try:
            data += source.read(size - len(data))
        except UnicodeError as error:  # of codecs that nothing can be read with, not of bytes that they do not know
            raise MalformedInputError(
                f"{uri!r} cannot be read as {layout.encoding}: {error}",
                remedy="Give encoding= as the file has it, such as 'utf-16-le' where it has no byte-order mark",
            ) from error
        is_all = len(data) < size
        head = data.removeprefix(_BOM)
        lines = _Lines(head.decode(errors="strict" if is_all else "ignore"), end if is_all else None)
        try:
            names = _parse_names(lines, uri, dialect, layout, end)
        except _CutError:
            continue
        if source.escaped and re.search(UNDECODABLE, "".join(names)):
            raise MalformedInputError(
                f"the header of {uri!r} is not {layout.encoding}", remedy="Give encoding= as the file has it"
            )
        if source.hides_nul:
            names = tuple(name.replace(NUL_STAND_IN, "\0") for name in names)
        used = head[: lines.used_bytes]
        return CSVHead(
            names,
            head[lines.used_bytes :],
            len(_LINE_END.findall(used)),
            bool(used) and not used.endswith((b"\r", b"\n")),
        )
    raise MalformedInputError(
        f"the header of {uri!r} has not ended after {_HEADS_BYTES[-1]:,} bytes",
        remedy="Check delimiter, quotechar and skip_rows, or give fieldnames= if it has none",
    )


def _parse_names(lines: _Lines, uri: str, dialect: CSVDialect, layout: CSVLayout, end: str) -> tuple[str, ...]:
    if layout.skip_rows and end in [next(lines, end) for _ in range(layout.skip_rows)]:
        raise MalformedInputError(
            f"{uri!r} has fewer than {layout.skip_rows:,} lines", remedy="Give a smaller skip_rows="
        )
    if layout.fieldnames is not None:
        return layout.fieldnames
    try:
        names = tuple(next(row for row in csv.reader(lines, **dialect.python_options()) if row))
    except csv.Error as error:
        raise MalformedInputError(f"the header of {uri!r} cannot be read: {error}") from error
    if names == (end,):
        raise MalformedInputError(
            f"{uri!r} is empty: it has no header", remedy="Give fieldnames= if an empty file is meant"
        )
    if names[-1].endswith(end):
        raise MalformedInputError(
            f"a quote in the header of {uri!r} is never closed", remedy="Correct the file, or give another quotechar="
        )
    repeated = find_repeated(names)
    if repeated is not None:
        raise MalformedInputError(
            f"{uri!r} has more than one column called {repeated!r}",
            remedy="Rename it in the file, or skip its header with skip_rows= and give fieldnames=",
        )
    return names
