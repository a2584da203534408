"""What is asked of a database, and the streams that answer."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, NoReturn

import orjson
import pyarrow as pa

from skyhold.errors import AlreadyExistsError, BadOptionError, MissingExtraError, SchemaError
from skyhold.records.formats.adapter import Batch, InputStream, MalformedRow, OutputStream, Source, Written
from skyhold.records.formats.sql.address import DatabaseAddress, TableName

__all__ = [
    "Fault",
    "KeyRange",
    "ReadRequest",
    "Rows",
    "SqlInput",
    "SqlOutput",
    "WriteMode",
    "WriteRequest",
    "Wrong",
    "check_columns",
    "check_key",
    "check_names",
    "literal",
    "load_driver",
    "refuse_existing",
    "rows_of",
]

Wrong = dict[int, str]
"""Values of a column that its type cannot hold: the row's place, and the value as text."""

WriteMode = Literal["append", "replace", "create", "upsert"]


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Some rows of a table or query.

    Attributes:
        condition: What holds for these rows alone, as SQL.
        schema: What all rows look like.
        moment: What names the database's state that all parts are read from.
    """

    condition: str
    schema: pa.Schema
    moment: str


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read: a table or a query, all of it or a part, and how."""

    address: DatabaseAddress
    table: TableName | None
    query: str
    partition_on: str | None
    partitions: int
    batch_rows: int
    limit: int | None
    part: KeyRange | None = None

    @property
    def uri(self) -> str:
        """What is read, without secrets."""
        return self.address.uri_of_table(self.table) if self.table else self.address.uri_of_query(self.query)

    def as_relation(self) -> str:
        """Return what can stand after FROM."""
        return self.table.quoted() if self.table else f"({self._open_ended()}) AS asked"

    def as_select(self) -> str:
        """Return the query as it was given, or one for the whole table; more may be put behind it."""
        if self.table or self.part:
            return f"SELECT * FROM {self.as_relation()}{self.sql_where()}{self.sql_limit()}"  # noqa: S608 - names are quoted
        return self._open_ended()

    def _open_ended(self) -> str:
        # The line break ends a comment that the query may end with.
        return self.query.strip().removesuffix(";") + "\n"

    def sql_where(self) -> str:
        """Return what limits a statement to the part, if it is one."""
        return f" WHERE {self.part.condition}" if self.part else ""

    def sql_limit(self) -> str:
        """Return the end of a statement that says how many rows are wanted."""
        return "" if self.limit is None else f" LIMIT {self.limit}"


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Which table to write, and how."""

    address: DatabaseAddress
    table: TableName
    mode: WriteMode
    key: tuple[str, ...]
    batch_rows: int

    @property
    def uri(self) -> str:
        """What is written, without secrets."""
        return self.address.uri_of_table(self.table)


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that came, and whose value its column's type cannot hold."""

    index: int
    message: str
    original: str
    error_type: str = "value_out_of_type"


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows as a database gave them: ``data`` has a place for the faulty ones too."""

    data: pa.RecordBatch
    faults: Sequence[Fault] = field(default_factory=tuple[Fault, ...])


class SqlInput(InputStream):
    """Rows of a database, numbered, cut to size, the faulty ones set aside.

    Args:
        request: What was asked.
        schema: What the rows will look like.
        rows: Gives them; run to its end or closed, it lets go of the database.
        release: Lets go of what ``rows`` does not hold; may be called again.
    """

    kind = "typed"

    def __init__(
        self, request: ReadRequest, schema: pa.Schema, rows: Iterator[Rows], release: Callable[[], None]
    ) -> None:
        self.schema = schema
        self.sources = [Source(request.uri)]
        self._request = request
        self._rows = rows
        self._release = release
        try:
            check_names(schema.names, request.uri)
        except BaseException:
            self.close()
            raise

    def batches(self) -> Iterator[Batch]:
        first, left = 1, self._request.limit
        for rows in self._rows:
            for piece in _cut(rows, self._request.batch_rows):
                kept = piece if left is None or left >= piece.data.num_rows else _part(piece, 0, left)
                if kept.data.num_rows:
                    yield self._numbered(kept, first)
                first += kept.data.num_rows
                left = None if left is None else left - kept.data.num_rows
            if left is not None and left <= 0:
                break
        # An output may be about to replace this very table, and must not wait for this transaction.
        self.close()

    def close(self) -> None:
        close = getattr(self._rows, "close", None)
        if close is not None:
            close()
        # Since Python 3.12 a generator closed before it began keeps what it was given, here a reader of DuckDB: and
        # whoever opens that file again waits for it to go.
        self._rows = iter(())
        self._release()

    def _numbered(self, rows: Rows, first: int) -> Batch:
        data, source = rows.data, self.sources[0].uri
        if not rows.faults:
            return Batch(data, source, first)
        bad = {fault.index for fault in rows.faults}
        data = data.filter(pa.array([index not in bad for index in range(data.num_rows)]))
        malformed = tuple(
            MalformedRow(first + fault.index, fault.error_type, fault.message, fault.original) for fault in rows.faults
        )
        return Batch(data, source, first, tuple(first + index for index in sorted(bad)), malformed)


class SqlOutput(OutputStream):
    """A table that is being written, in one transaction."""

    def __init__(self, request: WriteRequest) -> None:
        self._request = request
        self._written_rows = 0
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._waiting.append(batch)
        self._waiting_rows += batch.num_rows
        self._written_rows += batch.num_rows
        if self._waiting_rows >= self._request.batch_rows:
            self._flush()

    def close(self) -> list[Written]:
        if self._waiting_rows:
            self._flush()
        self._publish()
        return [Written(self._request.uri, self._written_rows)]

    def _flush(self) -> None:
        batches, self._waiting, self._waiting_rows = self._waiting, [], 0
        self._send(pa.Table.from_batches(batches).combine_chunks())

    @abstractmethod
    def _send(self, table: pa.Table) -> None:
        """Hand rows to the database; others do not see them yet."""

    @abstractmethod
    def _publish(self) -> None:
        """Make all of it visible at once, and let go."""


def check_names(names: Sequence[str], uri: str) -> None:
    """Refuse columns that cannot be told apart.

    Raises:
        SchemaError: Two have one name.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SchemaError(f"{uri!r} has several columns named {repeated[0]!r}", remedy="Rename them: SELECT a AS b")


def rows_of(data: pa.RecordBatch, wrongs: Mapping[str, Wrong]) -> Rows:
    """Return rows of which those with a cell in ``wrongs``, by column, are faults."""
    cells: dict[int, dict[str, str]] = {}
    for name, wrong in wrongs.items():
        for index, shown in wrong.items():
            cells.setdefault(index, {})[name] = shown
    return Rows(data, [_fault(data, index, found) for index, found in sorted(cells.items())])


def _fault(data: pa.RecordBatch, index: int, wrong: dict[str, str]) -> Fault:
    column, shown = next(iter(wrong.items()))
    original = {
        name: wrong[name] if name in wrong else data.column(place)[index].as_py()
        for place, name in enumerate(data.schema.names)
    }
    message = f"column {column!r}: {shown!r} does not fit {data.schema.field(column).type}"
    return Fault(index, message, orjson.dumps(original, default=str).decode())


def literal(text: str) -> str:
    """Return a text for SQL, whatever its letters; PostgreSQL's ``standard_conforming_strings`` is to be on.

    Example:
        >>> print(literal("it's"))
        'it''s'
    """
    return "'" + text.replace("'", "''") + "'"


def load_driver(module: str, feature: str, *, extra: str = "sql") -> Any:
    """Return a database's library.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError.of(extra, feature) from error


def check_key(request: WriteRequest, schema: pa.Schema) -> None:
    """Refuse a key whose columns are not written.

    Raises:
        BadOptionError: One is not in ``schema``.
    """
    unknown = [name for name in request.key if name not in schema.names]
    if unknown:
        raise BadOptionError(f"key={unknown[0]!r} is not a column that is written; there are {schema.names}")


def check_columns(request: WriteRequest, schema: pa.Schema, columns: Sequence[str]) -> None:
    """Refuse columns that the table does not have.

    Raises:
        SchemaError: One of ``schema`` is not in ``columns``.
    """
    missing = [name for name in schema.names if name not in columns]
    if missing:
        raise SchemaError(
            f"{request.uri!r} has no column {missing[0]!r}; it has {list(columns)}",
            remedy="Add the column to the table, leave it out of the model, or use mode='replace'",
        )


def refuse_existing(request: WriteRequest) -> NoReturn:
    """Say that the table exists, and that it was to be made.

    Raises:
        AlreadyExistsError: Always.
    """
    raise AlreadyExistsError(
        "the table exists",
        operation="create",
        uri=request.uri,
        identity=request.address.identity,
        remedy="Use mode='append', 'replace' or 'upsert', or another table_name",
    )


def _cut(rows: Rows, most: int) -> Iterator[Rows]:
    for start in range(0, rows.data.num_rows, most):
        yield _part(rows, start, most)


def _part(rows: Rows, start: int, most: int) -> Rows:
    if start == 0 and rows.data.num_rows <= most:
        return rows
    faults = [
        Fault(fault.index - start, fault.message, fault.original, fault.error_type)
        for fault in rows.faults
        if start <= fault.index < start + most
    ]
    return Rows(rows.data.slice(start, most), faults)
