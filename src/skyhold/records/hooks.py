"""Hooks: a user's own steps before and after validation, on rows or on Arrow batches."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Union

import pyarrow as pa

from skyhold.errors import BadOptionError

__all__ = ["BatchHook", "Hook", "RowHook", "as_hooks", "code_places"]

Row = dict[str, Any]
RowFunction = Callable[[Row], Row | Sequence[Row] | None]


class RowHook(ABC):
    """A step for each row, called one at a time and in input order, so that it may remember what it saw.

    Before validation it gets the cells as they were read: texts for text formats. After it, the values of the output's
    columns. An exception rejects its row as ``"hook_error"``.

    Attributes:
        columns: The columns that the rows have afterwards; None if they stay the same. Only needed where no model
            comes after it.
        any_order: Whether it needs to remember nothing of other rows, so that copies of it may each have a part of
            them: a pipe in shards asks for that. Plain functions are taken for such.

    Example:
        >>> class OnlyNew(RowHook):
        ...     def setup(self):
        ...         self.seen = set()
        ...
        ...     def process(self, row):
        ...         if row["id"] in self.seen:
        ...             return None
        ...         self.seen.add(row["id"])
        ...         return row
    """

    columns: pa.Schema | None = None
    any_order: bool = False

    def setup(self) -> None:  # noqa: B027 - may stay empty
        """Prepare, before the first row."""

    @abstractmethod
    def process(self, row: Row) -> Row | Sequence[Row] | None:
        """Return what becomes of a row: it or another, several, or None to drop it."""

    def teardown(self) -> None:  # noqa: B027 - may stay empty
        """Clean up, after the last row; after a failure too."""


class BatchHook(ABC):
    """A step for each Arrow batch, called one at a time and in input order. An exception ends the run.

    It is called with an empty batch first, to see the columns that it makes.

    Attributes:
        any_order: As of `RowHook`.

    Example:
        >>> import pyarrow.compute as pc
        >>> class Shout(BatchHook):
        ...     def process(self, batch):
        ...         place = batch.schema.get_field_index("name")
        ...         return batch.set_column(place, "name", pc.utf8_upper(batch["name"]))
        >>> Shout().process(pa.record_batch({"name": ["ann"]})).to_pylist()
        [{'name': 'ANN'}]
    """

    any_order: bool = False

    def setup(self) -> None:  # noqa: B027 - may stay empty
        """Prepare, before the first batch."""

    @abstractmethod
    def process(self, batch: pa.RecordBatch) -> "pa.RecordBatch | pa.BooleanArray | tuple[pa.RecordBatch, pa.Array]":
        """Return what becomes of a batch.

        Returns: A batch of as many rows; or a boolean array that says which rows to keep; or any batch, with the index
            of the row that each of its rows is from.
        """

    def teardown(self) -> None:  # noqa: B027 - may stay empty
        """Clean up, after the last batch; after a failure too."""


Hook = Union[RowHook, BatchHook, RowFunction]  # noqa: UP007 - of a class and a callable
"""A hook; a plain function is a row hook."""


class _FunctionHook(RowHook):
    any_order = True

    def __init__(self, function: RowFunction) -> None:
        self.function = function

    def process(self, row: Row) -> Row | Sequence[Row] | None:
        return self.function(row)


def code_places(hooks: Sequence[RowHook | BatchHook]) -> list[object]:
    """Return the classes and functions that say what hooks do."""
    return [hook.function if isinstance(hook, _FunctionHook) else type(hook) for hook in hooks]


def as_hooks(hooks: Hook | Sequence[Hook], option: str) -> tuple[RowHook | BatchHook, ...]:
    """Return hooks as objects.

    Raises:
        BadOptionError: One is none.
    """
    given = [hooks] if isinstance(hooks, RowHook | BatchHook) or callable(hooks) else list(hooks)
    found: list[RowHook | BatchHook] = []
    for hook in given:
        if isinstance(hook, RowHook | BatchHook):
            found.append(hook)
        elif callable(hook):
            found.append(_FunctionHook(hook))
        else:
            raise BadOptionError(
                f"{option}: {hook!r} is no hook", remedy="Pass a RowHook, a BatchHook or a function of a row"
            )
    return tuple(found)
