"""Rejected rows to look at: a few of each reason, out of an error output."""

from collections.abc import Mapping
from typing import NamedTuple

from skyhold.records.first_rows import cell_text, read_first_rows
from skyhold.records.formats.adapter import InputAdapter

__all__ = ["RejectSample", "sample_rejects"]


class RejectSample(NamedTuple):
    """A rejected row, as text.

    Attributes:
        source: Where it is from.
        row_number: Its number there; 1 is the first row of data.
        input: What the field held; None for nothing.
        original: The whole row.
    """

    source: str
    row_number: str
    input: str | None
    original: str


def sample_rejects(
    adapter: InputAdapter, *, each: int = 3, rows: int = 1000
) -> Mapping[tuple[str, str], list[RejectSample]]:
    """Return the first rejected rows of each field and reason.

    Args:
        adapter: The error output, to be read.
        each: How many of each.
        rows: How many rows of it are looked through; reasons that come later have none.

    Example:
        >>> from skyhold.records.formats.python import PythonInputAdapter
        >>> line = {"source": "a.csv", "row_number": 7, "field": "$.age", "error_type": "int_parsing"}
        >>> found = sample_rejects(PythonInputAdapter([{**line, "input": "x", "original": '{"age": "x"}'}]))
        >>> found["$.age", "int_parsing"]
        [RejectSample(source='a.csv', row_number='7', input='x', original='{"age": "x"}')]
    """
    found: dict[tuple[str, str], list[RejectSample]] = {}
    for row in read_first_rows(adapter, rows).rows:
        if row.values is None:
            continue
        group = found.setdefault((cell_text(row, "field") or "", cell_text(row, "error_type") or ""), [])
        if len(group) < each:
            source, number, original = (cell_text(row, name) or "" for name in ("source", "row_number", "original"))
            group.append(RejectSample(source, number, cell_text(row, "input"), original))
    return found
