"""Some columns out of all, and some rows: those after an offset, up to a limit."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import pyarrow as pa

from skyhold.errors import BadOptionError, MalformedInputError, SchemaError
from skyhold.records.formats.adapter import Batch

__all__ = ["Window", "check_names", "check_numbers", "pick_columns"]


class Window:
    """What is left to pass over and to take, while rows go by.

    Args:
        offset: Rows to pass over first.
        limit: Rows to take then; None takes all.

    Example:
        >>> window = Window(offset=3, limit=4)
        >>> window.take(5), window.take(5), window.is_full
        ((3, 2), (0, 2), True)
    """

    def __init__(self, offset: int, limit: int | None) -> None:
        self._offset = offset
        self._limit = limit

    @property
    def is_full(self) -> bool:
        """Whether no further row is wanted."""
        return self._limit == 0

    @property
    def reach(self) -> int | None:
        """How many rows must go by until it is full; None for all."""
        return None if self._limit is None else self._offset + self._limit

    def take(self, rows: int) -> tuple[int, int]:
        """Return which of the next ``rows`` are wanted: the first, and how many."""
        start = min(self._offset, rows)
        count = rows - start if self._limit is None else min(self._limit, rows - start)
        self._offset -= start
        if self._limit is not None:
            self._limit -= count
        return start, count

    def cut(self, batch: Batch) -> Batch:
        """Return the wanted rows of the next batch; its malformed rows stay, since nobody can say what they were."""
        start, count = self.take(batch.data.num_rows)
        if count == batch.data.num_rows:
            return batch
        dropped = {batch.row_number(index) for index in range(start)}
        skipped = tuple(sorted({*batch.skipped, *dropped}))
        return replace(batch, data=batch.data.slice(start, count), skipped=skipped)


def check_numbers(batch_size: int | None, limit: int | None, offset: int) -> None:
    """Refuse numbers that mean nothing.

    Raises:
        BadOptionError: One is too small.
    """
    for name, value, least in (("batch_size", batch_size, 1), ("limit", limit, 0), ("offset", offset, 0)):
        if value is not None and value < least:
            raise BadOptionError(f"{name}={value!r} is less than {least}")


def check_names(schema: pa.Schema, uri: str) -> None:
    """Refuse a file whose columns cannot be told apart.

    Raises:
        MalformedInputError: Two have one name.
    """
    repeated = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if repeated:
        raise MalformedInputError(
            f"{uri!r} has more than one column called {repeated[0]!r}", remedy="Rename it where the file is written"
        )


def pick_columns(whole: pa.Schema, columns: Sequence[str] | None, uri: str) -> pa.Schema:
    """Return the schema of some columns, in the order wanted.

    Raises:
        SchemaError: There is no such column; the remedy suggests one.

    Example:
        >>> pick_columns(pa.schema({"a": pa.int8(), "b": pa.int8()}), ["b"], "x.parquet").names
        ['b']
    """
    if columns is None:
        return whole
    for name in columns:
        if name not in whole.names:
            close = get_close_matches(name, whole.names, 1)
            raise SchemaError(
                f"{uri!r} has no column {name!r}",
                remedy=f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(map(repr, whole.names))}",
            )
    if len(set(columns)) != len(columns):
        raise SchemaError(f"columns={list(columns)!r} names one twice", remedy="Name each once")
    return pa.schema([whole.field(name) for name in columns], whole.metadata)
