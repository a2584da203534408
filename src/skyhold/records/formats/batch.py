"""Some rows on their way from a format to a pipe, and those among them that the format itself cannot read."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from bisect import bisect_right
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["Batch", "MalformedRow"]


@dataclass(frozen=True, slots=True)
class MalformedRow:
    """A row that the format itself cannot read.

    Attributes:
        row: 1 for the first row of data.
        error_type: Stable name of the fault.
        message: What was expected and found.
        original: The row's text, as far as it can be told.
        line: Where it begins in the file, 1 being the first line; None where that is not known.
    """

    row: int
    error_type: str
    message: str
    original: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows in input order.

    Attributes:
        data: The rows that could be read, in the stream's schema.
        source: Which object or table they are from; every source counts its rows from 1.
        first_row: The number of the first, counting from 1 and counting malformed rows too.
        skipped: Numbers, ascending and from ``first_row`` on, that are not in ``data``.
        malformed: The rows that could not be read, as far as they are known by now.
        lines: The line in the file where each row of ``data`` begins, 1 being the first: an int64 array, or the first
            number where they follow each other; None where that is not known.
    """

    data: pa.RecordBatch
    source: str = ""
    first_row: int = 1
    skipped: tuple[int, ...] = ()
    malformed: tuple[MalformedRow, ...] = ()
    lines: int | pa.Array | None = None

    def slice(self, start: int, rows: int, *, with_malformed: bool) -> "Batch":
        """Return some of its rows, with all of its malformed ones or none."""
        first = self.row_number(start)
        lines = self.lines
        return Batch(
            self.data.slice(start, rows),
            self.source,
            first,
            tuple(number for number in self.skipped if number > first),
            self.malformed if with_malformed else (),
            lines + start if isinstance(lines, int) else lines if lines is None else lines.slice(start, rows),
        )

    def line_number(self, index: int) -> int | None:
        """Return the line where the row at ``index`` of ``data`` begins, if it is known."""
        if self.lines is None:
            return None
        return self.lines + index if isinstance(self.lines, int) else self.lines[index].as_py()

    def row_number(self, index: int) -> int:
        """Return the number in the input of the row at ``index`` of ``data``.

        Example:
            >>> batch = Batch(pa.RecordBatch.from_pylist([{"a": 1}] * 3), "x.csv", first_row=5, skipped=(6,))
            >>> [batch.row_number(index) for index in range(3)]
            [5, 7, 8]
        """
        if not self.skipped:
            return self.first_row + index
        before = bisect_right(
            range(len(self.skipped)), index, key=lambda place: self.skipped[place] - self.first_row - place
        )
        return self.first_row + index + before
