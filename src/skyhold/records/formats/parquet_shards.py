"""A Parquet file divided by row groups, each part with what it needs of the footer."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from skyhold.records.formats.object_shards import Division, group_objects
from skyhold.records.formats.parquet_footer import GroupLayout, parse_footer
from skyhold.records.formats.planned import ALIGNMENT, PlannedReader

__all__ = ["ParquetCut", "cut_row_groups", "read_layouts", "read_tail"]

_LENGTH_AND_MAGIC = 8


class ParquetCut(NamedTuple):
    """Some row groups of a file, and what is needed to read them without asking for its footer again.

    Attributes:
        row_groups: Their numbers.
        rows_before: How many rows of the file lie before what the cut stands for.
        rows: How many rows it stands for, with those of row groups that are not read.
        tail: The object's last bytes, from the footer on.
    """

    row_groups: tuple[int, ...]
    rows_before: int
    rows: int
    tail: bytes


def read_layouts(reader: PlannedReader) -> list[GroupLayout]:
    """Return what the footer says of each row group.

    Raises:
        ValueError: It is damaged, or its columns are encrypted.
    """
    return parse_footer(reader.peek(*_footer(reader)))


def read_tail(reader: PlannedReader) -> bytes:
    """Return the file's last bytes, from the footer on or from a little before it: readers keep them aligned."""
    start = _footer(reader)[0] // ALIGNMENT * ALIGNMENT
    return reader.peek(start, reader.info.size_bytes - start)


def _footer(reader: PlannedReader) -> tuple[int, int]:
    """Return where the footer begins, and its size."""
    end = reader.info.size_bytes - _LENGTH_AND_MAGIC
    size = int.from_bytes(reader.peek(end, 4), "little")
    return end - size, size


def cut_row_groups(
    layouts: Sequence[GroupLayout], leaves: Sequence[int], numbers: Sequence[int], tail: bytes, division: Division
) -> list[ParquetCut]:
    """Return cuts of whole row groups, of about one size each; none where they are not read in the file's order.

    Args:
        layouts: All row groups.
        leaves: The columns that are read.
        numbers: The row groups that are read.
        tail: The object's last bytes.
        division: What is wished for.
    """
    if list(numbers) != sorted(numbers):
        return []
    sizes = [sum(layouts[number].chunks[leaf].size_bytes for leaf in leaves) for number in numbers]
    groups = group_objects(sizes, division.count, division.least_bytes)
    if not groups:
        return []
    chosen = [tuple(numbers[index] for index in group.numbers) for group in groups]
    rows = [layout.rows for layout in layouts]
    begins = [0, *(sum(rows[: each[0]]) for each in chosen[1:]), sum(rows)]
    return [
        ParquetCut(each, begin, end - begin, tail) for each, (begin, end) in zip(chosen, pairwise(begins), strict=True)
    ]
