"""What a validation gives: typed rows, and rejected rows with every error."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from skyhold.records.validation.arrow import Array, DataType, RecordBatch

__all__ = ["FieldError", "FieldRoute", "Outcome", "Reject", "RowKind", "format_path", "read_errors", "show_input"]

_SHOWN = 1_000

RowKind = Literal["text", "typed", "json"]
"""What a cell is: ``text``, whose meaning is the model's affair; ``typed``, a value of its column's type; ``json``, one
column of raw JSON objects, a row each, which pydantic reads itself."""


class FieldError(NamedTuple):
    """One reason why a row was rejected.

    Attributes:
        path: Where, such as ``"$.user.age"`` or ``"$.tags[2]"``; ``"$"`` is the row as a whole.
        type: A stable name: pydantic's error type, ``"output_overflow"`` or ``"validator_error"``.
        message: What was wrong, in words.
        input: What was found there, as text; JSON if it was none. None where nothing was.
    """

    path: str
    type: str
    message: str
    input: str | None = None


class Reject(NamedTuple):
    """A row that was not accepted.

    Attributes:
        row: The row's index in the batch, from 0.
        errors: Every error that pydantic found in the row, in its order; never empty.
    """

    row: int
    errors: tuple[FieldError, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The two halves of a batch: ``accepted.num_rows + len(rejects)`` is its number of rows.

    Attributes:
        accepted: The accepted rows in input order, typed as the plan's ``output_schema``.
        accepted_rows: Their indices in the batch, from 0: int64, ascending, as long as ``accepted``.
        rejects: The other rows, by ascending row.
    """

    accepted: RecordBatch
    accepted_rows: Array
    rejects: list[Reject]


@dataclass(frozen=True, slots=True)
class FieldRoute:
    """How a field is validated, and why.

    Attributes:
        field: Its name in the model; that of the output column too.
        column: The input column that feeds it, or None if there is none.
        route: ``"kernel"`` (columnar check and cast), ``"column"`` (pydantic, one call a batch)
            or ``"row"`` (pydantic, row by row).
        reason: Why this route.
        arrow_type: The output column's type; None for a field that the model excludes.
    """

    field: str
    column: str | None
    route: Literal["kernel", "column", "row"]
    reason: str
    arrow_type: DataType | None


def format_path(location: Sequence[int | str]) -> str:
    """Return a pydantic error location as one path.

    Example:
        >>> format_path(("user", "tags", 2))
        '$.user.tags[2]'
        >>> format_path(("first name",))
        '$["first name"]'
    """
    steps = ["$"]
    for step in location:
        if isinstance(step, str) and step.isidentifier():
            steps.append(f".{step}")
        else:
            steps.append(f"[{json.dumps(step, ensure_ascii=False)}]")
    return "".join(steps)


# The same few fields are at fault again and again.
_format_known = functools.lru_cache(maxsize=1024)(format_path)


def read_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Return pydantic's errors as ours, in its order."""
    found: list[FieldError] = []
    for each in error.errors(include_url=False, include_context=False):
        place, kind, value = each["loc"], each["type"], each["input"]
        if not place or kind == "missing":
            shown = None  # the input is the whole row
        elif type(value) is str and len(value) <= _SHOWN and value.isascii():
            shown = value
        else:
            shown = show_input(value)
        found.append(FieldError(_format_known(place), kind, each["msg"], shown))
    return tuple(found)


def show_input(value: object) -> str | None:
    """Return a value as text, cut at 1,000 characters.

    Example:
        >>> show_input("x"), show_input([1, None]), show_input(None)
        ('x', '[1,null]', None)
    """
    if value is None:
        return None
    if isinstance(value, str):
        text = value[:_SHOWN]
        if text.isascii():
            return text
    else:
        try:
            text = to_json(value, inf_nan_mode="strings", bytes_mode="base64", fallback=repr).decode()
        except Exception:  # noqa: BLE001 - a value may refuse to be shown in any way it likes
            text = f"({type(value).__name__})"
    return text[:_SHOWN].encode("utf-8", "backslashreplace").decode()
