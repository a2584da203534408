"""Many objects of one format, read one after the other as if they were one."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa

from skyhold.errors import BadOptionError, MalformedInputError
from skyhold.records.formats.adapter import Batch, InputStream

__all__ = ["ManyStream"]

_OPENED_EARLY = 4  # each may hold some blocks of its object already


class ManyStream(InputStream):
    """Rows of many objects: the first says what the columns are, and every other must have the same ones.

    Rows of JSON have the columns of the first object that has any, as far as no model says otherwise; whether a row
    fits them is seen row by row.

    Args:
        openers: Each opens one object; called in order, a few early, each at most once.
        source_column: Name of a column of text to add, with each row's object.
    """

    def __init__(self, openers: Iterator[Callable[[], InputStream]], *, source_column: str | None = None) -> None:
        self._openers = openers
        self._source_column = source_column
        self._pool = ThreadPoolExecutor(_OPENED_EARLY, thread_name_prefix="skyhold-open-early")
        self._early: deque[Future[InputStream]] = deque()
        self._begun: deque[InputStream] = deque()
        self._all_opened = False
        self.sources = []
        try:
            first = self._begin_until_columns()
            self.kind = first.kind
            self._first_uri = first.sources[0].uri
            # Another object may have nulls where the first promises that there are none.
            self._inner = pa.schema([field.with_nullable(True) for field in first.schema], first.schema.metadata)
            self.schema = self._with_source_column()
        except BaseException:
            self.close()
            raise

    @property
    def size_bytes(self) -> int | None:
        return super().size_bytes if self._all_opened and not self._early else None

    def batches(self) -> Iterator[Batch]:
        while self._begun or self._begin():
            stream = self._begun[0]
            order = self._order_of(stream)
            for batch in stream.batches():
                yield self._shaped(batch, order)
            self._begun.popleft().close()

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        for future in self._early:
            if not future.cancelled() and future.exception() is None:
                future.result().close()
        self._early.clear()
        while self._begun:
            self._begun.popleft().close()

    def _begin_until_columns(self) -> InputStream:
        """Begin objects until one tells columns: JSON without any rows tells none."""
        while self._begin():
            stream = self._begun[-1]
            if stream.kind != "json" or len(stream.schema):
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

    def _with_source_column(self) -> pa.Schema:
        name = self._source_column
        if name is None:
            return self._inner
        if self.kind == "json":
            raise BadOptionError(
                f"source_column={name!r} needs columns, and JSON rows have none until the model reads them",
                remedy="Leave source_column out; rejected rows and the receipt name their source",
            )
        if name in self._inner.names:
            raise BadOptionError(
                f"{self._first_uri!r} has a column {name!r} of its own", remedy="Choose another source_column"
            )
        return self._inner.append(pa.field(name, pa.string(), nullable=False))

    def _order_of(self, stream: InputStream) -> list[int] | None:
        """Return where this object has each column, None where it has them in order already."""
        if stream.kind == "json":
            return None
        uri = stream.sources[0].uri
        names = list(stream.columns)
        for field in self._inner:
            if field.name not in names:
                raise self._differs(f"{uri!r} has no column {field.name!r}, which {self._first_uri!r} has")
            found = stream.schema.field(field.name).type
            if found != field.type:
                raise self._differs(
                    f"the column {field.name!r} of {uri!r} is {found}, and {field.type} in {self._first_uri!r}"
                )
        extra = next((name for name in names if name not in self._inner.names), None)
        if extra is not None:
            raise self._differs(f"{uri!r} has a column {extra!r}, which {self._first_uri!r} has not")
        return None if names == self._inner.names else [names.index(name) for name in self._inner.names]

    @staticmethod
    def _differs(message: str) -> MalformedInputError:
        return MalformedInputError(message, remedy="Read objects of different columns by pipes of their own")

    def _shaped(self, batch: Batch, order: list[int] | None) -> Batch:
        if self.kind == "json" or (order is None and batch.data.schema.equals(self.schema)):
            return batch
        columns = batch.data.columns if order is None else [batch.data.column(index) for index in order]
        if self._source_column is not None:
            columns = [*columns, pa.repeat(pa.scalar(batch.source, pa.string()), batch.data.num_rows)]
        return replace(batch, data=pa.RecordBatch.from_arrays(columns, schema=self.schema))
