"""What every format gives a pipe: a description of what to read or write, and the running state behind it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, overload

import pyarrow as pa

from skyhold.errors import MalformedInputError, UnsupportedError
from skyhold.records.formats.batch import Batch, MalformedRow
from skyhold.records.validation.inference import InferredPlan
from skyhold.records.validation.outcome import RowKind
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = [
    "LEAST_SHARD_BYTES",
    "Batch",
    "Checkpoint",
    "InputAdapter",
    "InputStream",
    "MalformedRow",
    "OpenStore",
    "OutputAdapter",
    "OutputStream",
    "Passed",
    "Piece",
    "PieceForm",
    "RowKind",
    "Shards",
    "Source",
    "Written",
]

LEAST_SHARD_BYTES = 8 * 1024 * 1024
"""Less than this of an object, as it is stored, is not worth a shard of its own."""

OpenStore = Callable[[Store], Store]
"""What a pipe puts around each store it opens, to count requests."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that is read: its URI, and the object as it was when reading began, if it is one."""

    uri: str
    info: ObjectInfo | None = None


class Passed(NamedTuple):
    """How much of its last source lies behind a shard that was read to its end.

    Attributes:
        rows: Row numbers; None where they are as many as the rows that were read, malformed ones counted.
        lines: Lines; None where rows have no line numbers.
    """

    rows: int | None = None
    lines: int | None = None


class InputStream(AbstractContextManager["InputStream"]):
    """An input that is being read.

    Attributes:
        kind: What its cells are.
        schema: Its columns, with the types that they have when no model says otherwise.
        sources: What has been opened so far.
    """

    kind: RowKind
    schema: pa.Schema
    sources: list[Source]

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns."""
        return tuple(self.schema.names)

    @property
    def size_bytes(self) -> int | None:
        """How long all that it reads is, as stored; None where that is not known, or not yet."""
        sizes = [source.info.size_bytes for source in self.sources if source.info is not None]
        return sum(sizes) if len(sizes) == len(self.sources) else None

    @abstractmethod
    def batches(self) -> Iterator[Batch]:
        """Yield the rows, once."""

    def passed(self) -> Passed:
        """Return how far it has come after its last batch: by that the next shard's numbers are to be shifted."""
        return Passed()

    def close(self) -> None:
        """Let go of what is held; further batches are not read."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class InputAdapter(ABC):
    """Describes what to read; nothing is opened before `open`. May be opened more than once."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """What it reads, without secrets."""

    @abstractmethod
    def open(self, wrap: OpenStore) -> InputStream:
        """Begin to read.

        Args:
            wrap: Put around every store that is opened.

        Raises:
            KeyNotFoundError: There is no such object; it is never read as empty.
            MalformedInputError: It cannot be read at all.
        """

    def shards(
        self, count: int, wrap: OpenStore, executor: Executor, *, least_bytes: int = LEAST_SHARD_BYTES
    ) -> "Shards":
        """Return inputs that together, one after the other, give exactly its rows.

        Every shard has its kind and schema. Rows and lines are numbered from 1 within each shard and source;
        `InputStream.passed` tells how far. A shard can be pickled if the adapter can. When what it reads has changed
        since, reading fails with an error that names it.

        Args:
            count: How many are wished for; there may be fewer, and some more.
            wrap: Put around every store that is opened for planning.
            executor: Looks through what must be looked through before it can be divided.
            least_bytes: No smaller part of an object, as stored, becomes a shard of its own.

        Returns: Itself alone where it cannot be divided.

        Raises:
            KeyNotFoundError: There is nothing to read.
            MalformedInputError: It cannot be read at all.
        """
        del count, wrap, executor, least_bytes
        return Shards([self])

    def to_reader(self) -> pa.RecordBatchReader:
        """Return the rows as an Arrow reader, with the columns that a pipe without a model writes.

        Nothing sets bad rows aside here, so one that such a pipe would reject ends the reading.

        Raises:
            MalformedInputError: While reading: a row cannot be read. (A library that reads through
                ``__arrow_c_stream__`` raises an error of its own with this text.)
        """
        stream = self.open(lambda store: store)
        plan = InferredPlan(stream.schema) if stream.kind == "json" else None
        schema = plan.output_schema if plan else stream.schema
        return pa.RecordBatchReader.from_batches(schema, _read_strictly(stream, plan))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the rows over as an Arrow stream, so that polars, duckdb and others take the adapter as it is."""
        return self.to_reader().__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        """Show what it is, without secrets."""
        return f"{type(self).__name__}({self.uri!r})"


class Shards(Sequence[InputAdapter], AbstractContextManager["Shards"]):
    """The parts of an input, in order; to be closed when all have been read.

    Args:
        adapters: What reads each.
        release: Lets go of what they need while they are read, such as a database's view of one moment.
    """

    def __init__(self, adapters: Iterable[InputAdapter], release: Callable[[], None] = lambda: None) -> None:
        self._adapters = tuple(adapters)
        self._release = release

    @overload
    def __getitem__(self, index: int) -> InputAdapter: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[InputAdapter]: ...
    def __getitem__(self, index: int | slice) -> InputAdapter | Sequence[InputAdapter]:
        """Return one, or some."""
        return self._adapters[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._adapters)

    def close(self) -> None:
        """Let go of what they need; those that have not been read may now fail."""
        self._release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a run has come, and what it needs to go on from there.

    Attributes:
        counts: Counts of the whole run up to here, by name.
        rows_by_source: Rows read so far of each source.
        sources: What was read so far: URI, size and e-tag, where they have them.
        rejects: Why rows were refused so far: field, type, count, message and sample rows.
        rejected: The lines of the error output since the checkpoint before.
    """

    counts: dict[str, int]
    rows_by_source: dict[str, int]
    sources: tuple[tuple[str, int | None, str | None], ...]
    rejects: tuple[tuple[str, str, int, str, tuple[int, ...]], ...]
    rejected: pa.Table | None = None


def _read_strictly(stream: InputStream, plan: InferredPlan | None) -> Iterator[pa.RecordBatch]:
    with stream:
        for batch in stream.batches():
            if batch.malformed:
                row = batch.malformed[0]
                raise _unreadable(batch, row.row, f"{row.message}: {row.original!r:.200}")
            if plan is None:
                yield batch.data
                continue
            outcome = plan.validate(batch.data)
            if outcome.rejects:
                reject = outcome.rejects[0]
                raise _unreadable(batch, batch.row_number(reject.row), reject.errors[0].message)
            yield outcome.accepted


def _unreadable(batch: Batch, row: int, why: str) -> MalformedInputError:
    return MalformedInputError(
        f"row {row:,} of {batch.source!r} cannot be read: {why}",
        remedy="Read it by a Pipe, whose error output sets such rows aside",
    )


class OutputStream(ABC):
    """An output that is being written; it becomes visible when `close` returns, never before.

    Attributes:
        checkpoint_rows: After so many rows of input, `checkpoint` is called; None if the output can only be made whole.
    """

    checkpoint_rows: int | None = None

    def resume(self, fingerprint: str) -> list[Checkpoint]:
        """Return the checkpoints of an earlier run that this one goes on from; called before anything is written.

        Args:
            fingerprint: Same for runs that would write the same.

        Raises:
            ConflictError: What is there is of another run.
        """
        del fingerprint
        return []

    def checkpoint(self, reached: Checkpoint) -> None:
        """Make what was written so far last, whatever happens afterwards."""
        del reached

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""

    def append(self, piece: "Piece") -> None:
        """Add rows that are written already, in the form of `OutputAdapter.piece_form`.

        Raises:
            UnsupportedError: The output has no such form.
        """
        raise UnsupportedError("this output takes rows that are not written yet", operation="append", uri=piece.key)

    @abstractmethod
    def close(self) -> "list[Written]":
        """Publish, and return what was written."""

    @abstractmethod
    def abort(self) -> None:
        """Throw away what was written; what was there before stays."""


@dataclass(frozen=True, slots=True)
class Written:
    """One published thing: its URI and rows; for an object, its info and the SHA-256 of its bytes too."""

    uri: str
    rows: int
    info: ObjectInfo | None = None
    sha256: str | None = None


class OutputAdapter(ABC):
    """Describes what to write; nothing is opened before `open`."""

    @property
    @abstractmethod
    def uri(self) -> str:
        """Where to, without secrets."""

    @abstractmethod
    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        """Begin to write rows of ``schema``; bad names and rights that can be told now are told now.

        Args:
            schema: What every batch will look like.
            wrap: Put around every store that is opened.
        """

    def receipt_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        """Return where the run's receipt goes; None where nothing can lie beside the output."""
        del wrap

    def pieces_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        """Return the store and the prefix of what is kept while the output is made of pieces; None as above."""
        del wrap

    def piece_form(self, *, beside: bool) -> "PieceForm | None":
        """Return what writes rows in a form that `OutputStream.append` takes as it is.

        It can be pickled, and holds no secrets. None where rows must come as rows.

        Args:
            beside: Whether pieces lie in the store of the output.
        """
        del beside

    def __repr__(self) -> str:
        """Show what it is, without secrets."""
        return f"{type(self).__name__}({self.uri!r})"


PieceForm = Callable[[Store, str, pa.Schema], OutputStream]
"""Begins to write an object of a store with rows of a schema."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows in an object, in the form of an output.

    Attributes:
        store: Where it is.
        key: The object.
        rows: How many they are.
        sha256: Of its bytes.
        blocks: Reads them, once.
    """

    store: Store
    key: str
    rows: int
    sha256: str
    blocks: Iterator[bytes]
