"""SQL databases as inputs and outputs: PostgreSQL, SQLite, DuckDB, and what SQLAlchemy speaks."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Literal, NamedTuple

import pyarrow as pa

from skyhold.errors import BadOptionError
from skyhold.records.formats.adapter import (
    LEAST_SHARD_BYTES,
    InputAdapter,
    InputStream,
    OpenStore,
    OutputAdapter,
    OutputStream,
    Shards,
)
from skyhold.records.formats.sql import (
    alchemy,
    alchemy_write,
    duckdb,
    duckdb_write,
    postgres,
    postgres_write,
    sqlite,
    sqlite_write,
)
from skyhold.records.formats.sql.address import Dialect, parse_database, parse_table
from skyhold.records.formats.sql.asked import KeyRange, ReadRequest, WriteMode, WriteRequest, check_key, check_names
from skyhold.records.formats.sql.key_ranges import KeyRanges

__all__ = ["SQLInputAdapter", "SQLOutputAdapter"]

_LEAST_SHARDS = 2
_ROW_BYTES = 64
"""What a row is taken to have, where a database does not tell how large a table is."""

_MODES: dict[str, WriteMode] = {
    "append": "append",
    "replace": "replace",
    "create": "create",
    "fail": "create",
    "upsert": "upsert",
}


class _Engine(NamedTuple):
    read: Callable[[ReadRequest], InputStream]
    write: Callable[[WriteRequest, pa.Schema], OutputStream]
    divide: Callable[[ReadRequest, int, int], KeyRanges | None]


def _divide_rows(
    divide: Callable[[ReadRequest, int, int], KeyRanges | None], request: ReadRequest, count: int, least_bytes: int
) -> KeyRanges | None:
    return divide(request, count, max(1, least_bytes // _ROW_BYTES))


def _keep_whole(request: ReadRequest, count: int, least_bytes: int) -> None:
    del request, count, least_bytes


_ENGINES: dict[Dialect, _Engine] = {
    "postgresql": _Engine(postgres.open_input, postgres_write.open_output, postgres.divide_input),
    "sqlite": _Engine(sqlite.open_input, sqlite_write.open_output, partial(_divide_rows, sqlite.divide_input)),
    "duckdb": _Engine(duckdb.open_input, duckdb_write.open_output, partial(_divide_rows, duckdb.divide_input)),
    "sqlalchemy": _Engine(alchemy.open_input, alchemy_write.open_output, _keep_whole),
}


class SQLInputAdapter(InputAdapter):
    """Read a table or the result of a query, in the database's own types.

    Memory stays bounded, whatever the size. All rows are of one moment: the read is one transaction, which changes
    nothing. A value that its column's type cannot hold (infinite dates, a word in an integer column of SQLite) makes
    its row a rejected one.

    Args:
        uri: ``postgresql://user:password@host/database``, ``sqlite:///path`` or ``duckdb:///path`` (four slashes
            begin an absolute path); or through SQLAlchemy a URI that names a driver, ``mysql+pymysql://…``, or
            ``mysql://``, ``mariadb://``, ``mssql://``, ``oracle://``. Percent-encode the password.
        table_name: ``table`` or ``schema.table``, its letters exactly as the database has them.
        query: Or a query; its text is not changed.
        partition_on: A column by whose ranges PostgreSQL is read over several connections, all of one moment. Rows
            come range by range. Elsewhere it changes nothing, except that `shards` are its ranges.
        partitions: How many ranges.
        batch_size: Most rows of a batch.
        limit: Most rows to read.

    Raises:
        BadOptionError: Neither or both of ``table_name`` and ``query`` are given, or a number is not positive.
        BadUriError: ``uri`` is no URI of a database.

    Example:
        >>> SQLInputAdapter("postgresql://me:secret@host/sales", table_name="orders")
        SQLInputAdapter('postgresql://host/sales?table=orders')
    """

    def __init__(
        self,
        uri: str,
        table_name: str | None = None,
        *,
        query: str | None = None,
        partition_on: str | None = None,
        partitions: int = 4,
        batch_size: int = 65_536,
        limit: int | None = None,
    ) -> None:
        if (table_name is None) == (query is None):
            raise BadOptionError("exactly one of table_name and query is needed", remedy="Give one of them")
        if min(partitions, batch_size) < 1 or (limit is not None and limit < 0):
            raise BadOptionError("partitions and batch_size are 1 or more, limit is 0 or more")
        self._request = ReadRequest(
            parse_database(uri),
            None if table_name is None else parse_table(table_name),
            query or "",
            partition_on,
            partitions,
            batch_size,
            limit,
        )

    @property
    def uri(self) -> str:
        return self._request.uri

    def open(self, wrap: OpenStore) -> InputStream:
        del wrap
        return _ENGINES[self._request.address.dialect].read(self._request)

    def shards(
        self, count: int, wrap: OpenStore, executor: Executor, *, least_bytes: int = LEAST_SHARD_BYTES
    ) -> Shards:
        del wrap, executor
        request = self._request
        if count < _LEAST_SHARDS or request.limit is not None:
            return Shards([self])
        found = _ENGINES[request.address.dialect].divide(request, count, max(1, least_bytes))
        if found is None or len(found.parts) < _LEAST_SHARDS:
            if found is not None:
                found.release()
            return Shards([self])
        return Shards([self._reading(part) for part in found.parts], found.release)

    def _reading(self, part: KeyRange) -> "SQLInputAdapter":
        shard = copy(self)
        shard._request = replace(self._request, part=part)  # noqa: SLF001 - a copy of this very object
        return shard


class SQLOutputAdapter(OutputAdapter):
    """Write a table, all of it in one transaction: others see every row at the end, or none.

    MySQL, Oracle and other databases that cannot undo CREATE and DROP: a table that is made or replaced is filled under
    another name and renamed at the end, in MySQL by one statement; Oracle has a moment without the table.

    Args:
        uri: As for `SQLInputAdapter`.
        table_name: ``table`` or ``schema.table``, its letters exactly as the database has them.
        mode: ``append`` adds to the table, which is made when it is missing; its columns and types are checked first.
            ``replace`` builds a new table and swaps it for the old one at the end. ``create`` (or ``fail``) refuses a
            table that exists. ``upsert`` updates rows whose ``key`` exists and adds the others; of rows with one key,
            the last counts. Through SQLAlchemy only PostgreSQL, SQLite, MySQL and MariaDB know it.
        key: Columns that tell rows apart, for ``upsert``: the table has a unique constraint over exactly these, or is
            made with them as its primary key.
        batch_size: Rows that are sent at a time.

    Raises:
        BadOptionError: An unknown mode, or ``key`` without ``upsert`` or the other way round.
        BadUriError: ``uri`` is no URI of a database.

    Example:
        >>> SQLOutputAdapter("postgresql://me:secret@host/sales", "orders", mode="replace")
        SQLOutputAdapter('postgresql://host/sales?table=orders')
    """

    def __init__(
        self,
        uri: str,
        table_name: str,
        *,
        mode: Literal["append", "replace", "create", "fail", "upsert"] = "append",
        key: str | Sequence[str] = (),
        batch_size: int = 65_536,
    ) -> None:
        if mode not in _MODES:
            raise BadOptionError(f"mode={mode!r} is unknown", remedy=f"Use one of {', '.join(_MODES)}")
        columns = (key,) if isinstance(key, str) else tuple(key)
        if bool(columns) != (mode == "upsert"):
            raise BadOptionError("mode='upsert' and key= belong together", remedy="Give both or neither")
        if batch_size < 1:
            raise BadOptionError("batch_size is 1 or more")
        self._request = WriteRequest(parse_database(uri), parse_table(table_name), _MODES[mode], columns, batch_size)

    @property
    def uri(self) -> str:
        return self._request.uri

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        del wrap
        check_names(schema.names, self._request.uri)
        check_key(self._request, schema)
        return _ENGINES[self._request.address.dialect].write(self._request, schema)
