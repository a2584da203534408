"""Rows that were refused: counted by reason, and written whole to the error output."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson
import pyarrow as pa

from skyhold.records.formats.adapter import Batch
from skyhold.records.validation.outcome import FieldError, Reject, RowKind
from skyhold.records.validation.python_values import Unreadable, python_values
from skyhold.runs.receipt import RejectGroup

__all__ = ["REJECT_SCHEMA", "RejectCounts", "RejectedRow", "collect_rejects", "rejects_to_batch"]

REJECT_SCHEMA = pa.schema(
    [
        pa.field("source", pa.string()),
        pa.field("row", pa.int64()),
        pa.field("field", pa.string()),
        pa.field("error_type", pa.string()),
        pa.field("message", pa.string()),
        pa.field("errors", pa.string()),
        pa.field("original", pa.string()),
    ]
)
"""One line for each rejected row: where it came from, its number (1 is the first row of data), the first fault, all
faults as JSON, and the whole row: a JSON object of its cells, or its raw text where it could not be split."""

_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was refused, and why."""

    row: int
    errors: tuple[FieldError, ...]
    original: str


def collect_rejects(batch: Batch, rejects: Sequence[Reject], kind: RowKind) -> list[RejectedRow]:
    """Return the refused rows of a batch with their numbers and whole originals, in input order."""
    found = [
        RejectedRow(row.row, (FieldError("$", row.error_type, row.message),), row.original) for row in batch.malformed
    ]
    if rejects:
        kept = batch.data.take(pa.array([reject.row for reject in rejects], pa.int64()))
        for reject, original in zip(rejects, _originals(kept, kind), strict=True):
            found.append(RejectedRow(batch.row_number(reject.row), reject.errors, original))
    return sorted(found, key=lambda row: row.row)


def _originals(rows: pa.RecordBatch, kind: RowKind) -> list[str]:
    if kind == "json":
        return [line.decode(errors="backslashreplace") for line in rows.column(0).to_pylist()]
    names = rows.schema.names
    columns = [[_readable(value) for value in python_values(column)] for column in rows.columns]
    return [_as_json(dict(zip(names, row, strict=True))) for row in zip(*columns, strict=True)]


def _readable(value: object) -> object:
    if type(value) is float and not math.isfinite(value):
        return str(value)
    return value.why if type(value) is Unreadable else value


def rejects_to_batch(source: str, rows: Iterable[RejectedRow]) -> pa.RecordBatch:
    """Return refused rows as the error output's columns."""
    lines = [
        {
            "source": source,
            "row": row.row,
            "field": row.errors[0].path,
            "error_type": row.errors[0].type,
            "message": row.errors[0].message,
            "errors": _as_json(
                [{"field": each.path, "type": each.type, "message": each.message} for each in row.errors]
            ),
            "original": row.original,
        }
        for row in rows
    ]
    return pa.RecordBatch.from_pylist(lines, REJECT_SCHEMA)


def _as_json(value: object) -> str:
    return orjson.dumps(value, default=str).decode()


class RejectCounts:
    """Refused rows by field and type, with a message and the first few row numbers of each."""

    def __init__(self) -> None:
        self.total = 0
        self._groups: dict[tuple[str, str], tuple[int, str, list[int]]] = {}

    def add(self, rows: Iterable[RejectedRow]) -> None:
        """Count some rows, each once, by its first fault."""
        for row in rows:
            first = row.errors[0]
            count, message, samples = self._groups.get((first.path, first.type), (0, first.message, []))
            if len(samples) < _SAMPLES:
                samples.append(row.row)
            self._groups[first.path, first.type] = (count + 1, message, samples)
            self.total += 1

    def groups(self) -> tuple[RejectGroup, ...]:
        """Return the reasons, the most frequent first."""
        found = [
            RejectGroup(path, kind, count, message, tuple(samples))
            for (path, kind), (count, message, samples) in dict(self._groups).items()
        ]
        return tuple(sorted(found, key=lambda group: (-group.count, group.field, group.type)))
