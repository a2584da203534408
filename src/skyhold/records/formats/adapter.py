"""What every format gives a pipe: a description of what to read or write, and the running state behind it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pyarrow as pa

from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_object

__all__ = [
    "Batch",
    "InputAdapter",
    "InputStream",
    "MalformedRow",
    "OpenStore",
    "OutputAdapter",
    "OutputStream",
    "Written",
]

OpenStore = Callable[[Store], Store]
"""What a pipe puts around each store it opens, to count requests."""


@dataclass(frozen=True, slots=True)
class MalformedRow:
    """A row that the format itself cannot read.

    Attributes:
        row: 1 for the first row of data.
        error_type: Stable name of the fault.
        message: What was expected and found.
        original: The row's text, as far as it can be told.
    """

    row: int
    error_type: str
    message: str
    original: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows in input order.

    Attributes:
        data: The rows that could be read.
        first_row: The number of the first, counting from 1 and counting malformed rows too.
        skipped: Numbers, ascending and from ``first_row`` on, that are not in ``data``.
        malformed: The rows that could not be read, as far as they are known by now.
    """

    data: pa.RecordBatch
    first_row: int = 1
    skipped: tuple[int, ...] = ()
    malformed: tuple[MalformedRow, ...] = ()

    def row_number(self, index: int) -> int:
        """Return the number in the input of the row at ``index`` of ``data``.

        Example:
            >>> batch = Batch(pa.RecordBatch.from_pylist([{"a": 1}] * 3), first_row=5, skipped=(6,))
            >>> [batch.row_number(index) for index in range(3)]
            [5, 7, 8]
        """
        number = self.first_row + index
        for skipped in self.skipped:
            if skipped > number:
                break
            number += 1
        return number


class InputStream(AbstractContextManager["InputStream"]):
    """An input that is being read.

    Attributes:
        columns: The names of its columns.
        text: Whether every column is text, to be read by the schema.
        info: The object that is read, as it was when reading began; None where there is no such thing.
    """

    columns: tuple[str, ...]
    text: bool
    info: ObjectInfo | None = None

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """Yield the rows, once."""

    @property
    def schema(self) -> pa.Schema:
        """The types of the rows when no model says otherwise."""
        return pa.schema([(name, pa.string()) for name in self.columns])

    def close(self) -> None:
        """Let go of what is held; further batches are not read."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class InputAdapter(ABC):
    """Describes what to read; nothing is opened before `open`.

    Args:
        uri: Where it is.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(self, uri: str | os.PathLike[str], **storage_options: Any) -> None:
        self._uri = os.fspath(uri)
        self._storage_options = storage_options

    @property
    def uri(self) -> str:
        """Where it is, without secrets."""
        return redact_uri(self._uri)

    @abstractmethod
    def open(self, wrap: OpenStore) -> InputStream:
        """Begin to read.

        Raises:
            KeyNotFoundError: There is no such object; it is never read as empty.
            MalformedInputError: It cannot be read at all.
        """

    def _open_object(self, wrap: OpenStore) -> tuple[Store, str]:
        store, key = open_object(self._uri, **self._storage_options)
        return wrap(store), key

    def __repr__(self) -> str:
        """Show what it is, without secrets."""
        return f"{type(self).__name__}({self.uri!r})"


class OutputStream(ABC):
    """An output that is being written; it becomes visible when `close` returns, never before."""

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""

    @abstractmethod
    def close(self) -> "list[Written]":
        """Publish, and return what was written."""

    @abstractmethod
    def abort(self) -> None:
        """Throw away what was written; what was there before stays."""


@dataclass(frozen=True, slots=True)
class Written:
    """One published object: its URI, info and SHA-256."""

    uri: str
    info: ObjectInfo
    sha256: str
    rows: int


class OutputAdapter(ABC):
    """Describes what to write; nothing is opened before `open`.

    Args:
        uri: Where to.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(self, uri: str | os.PathLike[str], **storage_options: Any) -> None:
        self._uri = os.fspath(uri)
        self._storage_options = storage_options

    @property
    def uri(self) -> str:
        """Where to, without secrets."""
        return redact_uri(self._uri)

    @abstractmethod
    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        """Begin to write rows of ``schema``; bad names and rights that can be told now are told now."""

    def open_beside(self, suffix: str, wrap: OpenStore) -> tuple[Store, str]:
        """Return where an object beside this output goes, such as its receipt."""
        store, key = open_object(self._uri, **self._storage_options)
        return wrap(store), key + suffix

    def __repr__(self) -> str:
        """Show what it is, without secrets."""
        return f"{type(self).__name__}({self.uri!r})"
