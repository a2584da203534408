"""Rows that were refused: counted by reason, and written whole to the error output."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson
import pyarrow as pa

from skyhold.records.formats.adapter import Batch
from skyhold.records.validation.outcome import FieldError, Reject, RowKind
from skyhold.records.validation.python_values import Unreadable, python_values
from skyhold.runs.receipt import RejectGroup

__all__ = ["RejectCounts", "RejectedRow", "RejectedRows", "collect_rejects", "reject_schema", "rejects_to_batch"]

_FIXED = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("row_number", pa.int64()),
        pa.field("line", pa.int64()),
        pa.field("field", pa.string()),
        pa.field("error_type", pa.string()),
        pa.field("message", pa.string()),
        pa.field("input", pa.string()),
        pa.field("errors", pa.string()),
        pa.field("original", pa.string()),
    ]
)
_SAMPLES = 5


class RejectedRow(NamedTuple):
    """A row that was refused, and why; its line in the file, where that is known."""

    row: int
    line: int | None
    errors: tuple[FieldError, ...]
    original: str


@dataclass(frozen=True, slots=True)
class RejectedRows:
    """Refused rows of one batch, in input order.

    Attributes:
        rows: What is said of each.
        cells: Their cells in the input's columns, null where a row could not be split into any; None for JSON lines.
    """

    rows: list[RejectedRow]
    cells: pa.RecordBatch | None


def reject_schema(schema: pa.Schema, kind: RowKind) -> pa.Schema:
    """Return the error output's columns: a line for each rejected row.

    They are where it came from, its number (1 is the first row of data), its line, the first fault with the input that
    caused it, all faults as JSON, and the whole row as text: a JSON object of its cells, or what the file has. Then
    the input's own columns, as they were; one whose name is taken is called ``original_<name>``.

    Args:
        schema: The input's columns.
        kind: What its cells are; lines of JSON have no columns of their own.
    """
    if kind == "json":
        return _FIXED
    taken = set(_FIXED.names)
    own: list[pa.Field] = []
    for field in schema:
        name = field.name
        while name in taken:
            name = f"original_{name}"
        taken.add(name)
        own.append(field.with_name(name).with_nullable(True))
    return pa.schema([*_FIXED, *own])


def collect_rejects(batch: Batch, rejects: Sequence[Reject], kind: RowKind) -> RejectedRows:
    """Return the refused rows of a batch with their numbers and whole originals, in input order."""
    kept = (
        batch.data.take(pa.array([reject.row for reject in rejects], pa.int64())) if rejects else batch.data.slice(0, 0)
    )
    found = [
        (
            RejectedRow(batch.row_number(reject.row), batch.line_number(reject.row), reject.errors, original),
            place,
        )
        for place, (reject, original) in enumerate(zip(rejects, _originals(kept, kind), strict=True))
    ]
    malformed = [
        (RejectedRow(row.row, row.line, (FieldError("$", row.error_type, row.message),), row.original), None)
        for row in batch.malformed
    ]
    if malformed:
        found = sorted([*found, *malformed], key=lambda pair: pair[0].row)
        kept = kept.take(pa.array([place for _, place in found], pa.int64()))
    return RejectedRows([row for row, _ in found], None if kind == "json" else kept)


def _originals(rows: pa.RecordBatch, kind: RowKind) -> list[str]:
    if kind == "json":
        return [line.decode(errors="backslashreplace") for line in rows.column(0).to_pylist()]
    names = rows.schema.names
    columns = [
        column.to_pylist() if pa.types.is_string(column.type) else [_readable(each) for each in python_values(column)]
        for column in rows.columns
    ]
    return [_as_json(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _readable(value: object) -> object:
    if type(value) is float and not math.isfinite(value):
        return str(value)
    return value.why if type(value) is Unreadable else value


def rejects_to_batch(source: str, rejected: RejectedRows, schema: pa.Schema) -> pa.RecordBatch:
    """Return refused rows as the error output's columns, those of `reject_schema`."""
    rows = rejected.rows
    first = [row.errors[0] for row in rows]
    fixed = [
        [source] * len(rows),
        [row.row for row in rows],
        [row.line for row in rows],
        [error.path for error in first],
        [error.type for error in first],
        [error.message for error in first],
        [error.input for error in first],
        [_errors_as_json(row.errors) for row in rows],
        [row.original for row in rows],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(fixed, _FIXED, strict=True)]
    own = [] if rejected.cells is None else rejected.cells.columns
    return pa.RecordBatch.from_arrays([*arrays, *own], schema=schema)


def _errors_as_json(errors: Iterable[FieldError]) -> str:
    return _as_json(
        [{"field": each.path, "type": each.type, "message": each.message, "input": each.input} for each in errors]
    )


def _as_json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


@dataclass(slots=True)
class _Group:
    message: str
    count: int
    samples: list[int]


class RejectCounts:
    """Refused rows by field and type, with a message and the first few row numbers of each."""

    def __init__(self) -> None:
        self.total = 0
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, rows: Sequence[RejectedRow]) -> None:
        """Count some rows, each once, by its first fault."""
        for row in rows:
            first = row.errors[0]
            group = self._groups.get((first.path, first.type))
            if group is None:
                group = self._groups[first.path, first.type] = _Group(first.message, 0, [])
            group.count += 1
            if len(group.samples) < _SAMPLES:
                group.samples.append(row.row)
        self.total += len(rows)

    def restore(self, groups: Iterable[RejectGroup]) -> None:
        """Take over what an earlier run has counted."""
        for group in groups:
            self._groups[group.field, group.type] = _Group(group.message, group.count, list(group.sample_rows))
            self.total += group.count

    def merge(self, groups: Iterable[RejectGroup], rows_before: int | None = 0) -> None:
        """Count what was counted elsewhere, of rows that come after those that are counted here.

        Args:
            groups: The reasons.
            rows_before: What their row numbers are to be raised by; None where that is not known, and none is told.
        """
        for each in groups:
            group = self._groups.setdefault((each.field, each.type), _Group(each.message, 0, []))
            group.count += each.count
            if rows_before is not None:
                room = _SAMPLES - len(group.samples)
                group.samples.extend(row + rows_before for row in each.sample_rows[:room])
            self.total += each.count

    def groups(self) -> tuple[RejectGroup, ...]:
        """Return the reasons, the most frequent first."""
        found = [
            RejectGroup(path, kind, group.count, group.message, tuple(group.samples))
            for (path, kind), group in dict(self._groups).items()
        ]
        return tuple(sorted(found, key=lambda group: (-group.count, group.field, group.type)))
