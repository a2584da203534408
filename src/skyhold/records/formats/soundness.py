"""Checking decoded batches: bytes that claim to be a batch are not yet one."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator

import pyarrow as pa

from skyhold.records.formats.adapter import Batch, MalformedRow

__all__ = ["check_batch"]

_VALUE_FAULTS = ("UTF8", "precision", "whole number of days", "acceptable range")
"""What Arrow says of a value that is wrong in buffers that are right."""


def check_batch(data: pa.RecordBatch, source: str, first_row: int) -> Batch:
    r"""Return a batch whose every value is what its type says; rows that hold another are malformed.

    Text that is not UTF-8, a decimal past its precision, an index past its dictionary: decoders hand these over as they
    are, and whoever touches them fails later, or crashes.

    Args:
        data: As it was decoded.
        source: What it is from.
        first_row: The number of its first row.

    Raises:
        pa.ArrowInvalid: Its buffers do not fit together: no row of it can be trusted.

    Example:
        >>> text = pa.array([b"a", b"\xff"]).view(pa.string())
        >>> batch = check_batch(pa.RecordBatch.from_arrays([text], ["name"]), "x.parquet", 1)
        >>> batch.data.to_pylist(), batch.malformed[0].row
        ([{'name': 'a'}], 2)
    """
    data.validate()
    bad = dict(_find_bad(data, 0))
    if not bad:
        return Batch(data, source, first_row)
    good = pa.array([index not in bad for index in range(data.num_rows)])
    malformed = tuple(
        MalformedRow(first_row + index, "bad_value", message, _show(data.slice(index, 1)))
        for index, message in bad.items()
    )
    return Batch(data.filter(good), source, first_row, tuple(row.row for row in malformed), malformed)


def _find_bad(data: pa.RecordBatch, first: int) -> Iterator[tuple[int, str]]:
    """Halve until the rows are found: nearly every batch is sound, and then this is one look."""
    fault = _fault(data)
    if fault is None:
        return
    if data.num_rows <= 1:
        if not any(mark in fault for mark in _VALUE_FAULTS):
            raise pa.ArrowInvalid(fault)
        yield first, fault
        return
    half = data.num_rows // 2
    yield from _find_bad(data.slice(0, half), first)
    yield from _find_bad(data.slice(half), first + half)


def _fault(data: pa.RecordBatch) -> str | None:
    for name, column in zip(data.schema.names, data.columns, strict=True):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            return f"column {name!r}: {error}"
    return None


def _show(row: pa.RecordBatch) -> str:
    """Return what can be told of a row: its sound cells, and the bytes of text that is none."""
    cells = {name: _show_cell(column) for name, column in zip(row.schema.names, row.columns, strict=True)}
    return repr(cells)


def _show_cell(column: pa.Array) -> object:
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        is_large = pa.types.is_large_string(column.type)
        raw = column.view(pa.large_binary() if is_large else pa.binary())[0].as_py()
        return None if raw is None else raw.decode(errors="backslashreplace")
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return "(cannot be shown)"
    return str(column[0])
