"""Where rows begin, found from any line ends on, is where a reader that begins at the beginning sees them begin."""

import io
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from skyhold.records.formats import csv_scan
from skyhold.records.formats.csv_dialect import CSVDialect
from skyhold.records.formats.csv_scan import line_end_pattern, scan_part
from skyhold.records.formats.csv_shards import row_begins
from skyhold.records.formats.text_units import TextUnits

pytestmark = pytest.mark.timeout(1800)  # for the nightly profile

TOKENS = st.sampled_from(
    ['"', '"', '""', ",", '",', ',"', "\n", "\n", "\r", "\r\n", "\\", '\\"', "\\\n", "\\,", "a", "b"]
)
DIALECTS = st.builds(
    CSVDialect,
    quotechar=st.just('"'),
    escapechar=st.sampled_from([None, "\\"]),
    doublequote=st.booleans(),
)


@pytest.fixture(autouse=True, scope="module")
def small_blocks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_scan, "_BLOCK_BYTES", 8)  # whole units of any encoding
        yield


def slow_row_begins(text: bytes, dialect: CSVDialect) -> list[int] | None:
    """Return where rows begin, found byte by byte; None if the text ends within quotes or behind an escape."""
    begins = [0]
    is_quoted = is_closing = is_escaped = False
    is_cell_begin = True
    for place, letter in enumerate(text + b"\n"):
        char = chr(letter)
        if is_escaped:
            is_escaped = False
            continue
        if is_closing and char != '"':
            is_quoted = is_closing = False
        if char == dialect.escapechar:
            is_escaped, is_cell_begin = True, False
        elif is_closing:
            is_closing = False
        elif is_quoted and char == '"':
            is_quoted = is_closing = dialect.doublequote
        elif is_quoted:
            continue
        elif char == '"' and is_cell_begin:
            is_quoted, is_cell_begin = True, False
        elif char in "\r\n":
            begins.append(place + 1)
            is_cell_begin = True
        else:
            is_cell_begin = char == ","
    return None if is_quoted or is_escaped else begins


def rows_at(text: bytes, places: Iterable[int | None]) -> list[int]:
    """Return places where rows begin; between the halves of a line's end there begins the row behind it."""
    behind = [place + (text[place - 1 : place + 1] == b"\r\n") for place in places if place is not None]
    return [place for place in dict.fromkeys(behind) if place < len(text)]


# Who divides a text looks at an escape at its very end before.
TEXTS = st.lists(TOKENS, max_size=40).map(lambda tokens: "".join(tokens).rstrip("\\"))


@given(TEXTS, DIALECTS, st.data())
def test_parts_that_begin_at_any_line_ends_know_where_rows_begin(text: str, dialect: CSVDialect, data: st.DataObject):
    content = text.encode()
    ends = [found.end() for found in line_end_pattern(dialect).finditer(content) if found.end() < len(content)]
    chosen = sorted(data.draw(st.sets(st.sampled_from(ends), max_size=4))) if ends else []
    parts = list(pairwise([0, *chosen, len(content)]))
    scanned = [
        scan_part(io.BytesIO(content[start:end]), dialect, TextUnits("utf-8"), is_last=end == len(content))
        for start, end in parts
    ]
    found = row_begins([start for start, _ in parts], scanned, len(content))
    slow = slow_row_begins(content, dialect)
    if slow is None:
        event("never closed")
        assert found == [0]
        return
    expected = [next((place for place in slow if start <= place < end), None) for start, end in parts]
    assert rows_at(content, found) == rows_at(content, expected)


@given(TEXTS, DIALECTS, st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le"]))
def test_units_of_several_bytes_change_places_alone(text: str, dialect: CSVDialect, codec: str):
    units = TextUnits(codec, len("a".encode(codec)))
    plain = scan_part(io.BytesIO(text.encode()), dialect, TextUnits("utf-8"), is_last=True)
    wide = scan_part(io.BytesIO(text.encode(codec)), dialect, units, is_last=True)
    if plain is None or wide is None:
        assert plain == wide
        return
    assert (wide.is_row_end, wide.is_row_end_within) == (plain.is_row_end, plain.is_row_end_within)
    places = [wide.first_row and wide.first_row // units.size_bytes]
    assert rows_at(text.encode(), places) == rows_at(text.encode(), [plain.first_row])
