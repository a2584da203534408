"""Many objects of one format, read one after the other as if they were one."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import pyarrow as pa

from skyhold.errors import BadOptionError, MalformedInputError
from skyhold.records.formats.adapter import Batch, InputStream, Passed
from skyhold.records.validation.outcome import RowKind

__all__ = ["ManyStream", "Shape"]

_OPENED_EARLY = 4  # each may hold some blocks of its object already


@dataclass(frozen=True, slots=True)
class Shape:
    """What the rows of many objects look like, whichever object they are from.

    Attributes:
        kind: What cells are.
        inner: The columns of each object.
        source_column: A column that is added to them, with each row's object.
        model_uri: The object whose columns all others must have.
    """

    kind: RowKind
    inner: pa.Schema
    source_column: str | None
    model_uri: str

    @classmethod
    def of(cls, stream: InputStream, source_column: str | None) -> "Shape":
        """Return the shape that one object gives to all others.

        Raises:
            BadOptionError: The column to be added cannot be.
        """
        uri = stream.sources[0].uri
        # Another object may have nulls where the first promises that there are none.
        inner = pa.schema([field.with_nullable(True) for field in stream.schema], stream.schema.metadata)
        if source_column is not None and stream.kind == "json":
            raise BadOptionError(
                f"source_column={source_column!r} needs columns, and JSON rows have none until the model reads them",
                remedy="Leave source_column out; rejected rows and the receipt name their source",
            )
        if source_column in inner.names:
            raise BadOptionError(
                f"{uri!r} has a column {source_column!r} of its own", remedy="Choose another source_column"
            )
        return cls(stream.kind, inner, source_column, uri)

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        if self.source_column is None:
            return self.inner
        return self.inner.append(pa.field(self.source_column, pa.string(), nullable=False))

    def order_of(self, stream: InputStream) -> list[int] | None:
        """Return where an object has each column, None where it has them in order already.

        Raises:
            MalformedInputError: It has other columns.
        """
        if stream.kind == "json":
            return None
        uri = stream.sources[0].uri
        names = list(stream.columns)
        for field in self.inner:
            if field.name not in names:
                raise _differs(f"{uri!r} has no column {field.name!r}, which {self.model_uri!r} has")
            found = stream.schema.field(field.name).type
            if found != field.type:
                raise _differs(
                    f"the column {field.name!r} of {uri!r} is {found}, and {field.type} in {self.model_uri!r}"
                )
        extra = next((name for name in names if name not in self.inner.names), None)
        if extra is not None:
            raise _differs(f"{uri!r} has a column {extra!r}, which {self.model_uri!r} has not")
        return None if names == self.inner.names else [names.index(name) for name in self.inner.names]

    def give(self, batch: Batch, order: list[int] | None) -> Batch:
        """Return the rows with all columns, in order."""
        if self.kind == "json" or (order is None and batch.data.schema.equals(self.schema)):
            return batch
        columns = batch.data.columns if order is None else [batch.data.column(index) for index in order]
        if self.source_column is not None:
            columns = [*columns, pa.repeat(pa.scalar(batch.source, pa.string()), batch.data.num_rows)]
        return replace(batch, data=pa.RecordBatch.from_arrays(columns, schema=self.schema))


class ManyStream(InputStream):
    """Rows of many objects: the first says what the columns are, and every other must have the same ones.

    Rows of JSON have the columns of the first object that has any, as far as no model says otherwise; whether a row
    fits them is seen row by row.

    Args:
        openers: Each opens one object; called in order, a few early, each at most once.
        source_column: Name of a column of text to add, with each row's object.
        shape: What rows look like, where that is known before.
    """

    def __init__(
        self,
        openers: Iterator[Callable[[], InputStream]],
        *,
        source_column: str | None = None,
        shape: Shape | None = None,
    ) -> None:
        self._openers = openers
        self._pool = ThreadPoolExecutor(_OPENED_EARLY, thread_name_prefix="skyhold-open-early")
        self._early: deque[Future[InputStream]] = deque()
        self._begun: deque[InputStream] = deque()
        self._all_opened = False
        self._passed = Passed()
        self.sources = []
        try:
            first = self._begin_until_columns(shape)
            self.shape = shape or Shape.of(first, source_column)
            self.kind = self.shape.kind
            self.schema = self.shape.schema
        except BaseException:
            self.close()
            raise

    @property
    def size_bytes(self) -> int | None:
        return super().size_bytes if self._all_opened and not self._early else None

    def batches(self) -> Iterator[Batch]:
        while self._begun or self._begin():
            stream = self._begun[0]
            order = self.shape.order_of(stream)
            for batch in stream.batches():
                yield self.shape.give(batch, order)
            self._passed = stream.passed()
            self._begun.popleft().close()

    def passed(self) -> Passed:
        return self._passed

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future in self._early:
            if not future.cancelled() and future.exception() is None:
                future.result().close()
        self._early.clear()
        while self._begun:
            self._begun.popleft().close()

    def _begin_until_columns(self, shape: Shape | None) -> InputStream:
        """Begin objects until one tells columns: JSON without any rows tells none."""
        while self._begin():
            stream = self._begun[-1]
            if shape is not None or stream.kind != "json" or len(stream.schema):
                return stream
        return self._begun[0]

    def _begin(self) -> bool:
        """Go on to the next object, and have those after it opened meanwhile; False when there is none."""
        self._open_early()
        if not self._early:
            return False
        stream = self._early.popleft().result()
        self._begun.append(stream)
        self.sources += stream.sources
        self._open_early()
        return True

    def _open_early(self) -> None:
        while len(self._early) < _OPENED_EARLY and not self._all_opened:
            opener = next(self._openers, None)
            if opener is None:
                self._all_opened = True
            else:
                self._early.append(self._pool.submit(opener))


def _differs(message: str) -> MalformedInputError:
    return MalformedInputError(message, remedy="Read objects of different columns by pipes of their own")
