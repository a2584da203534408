"""A connection to PostgreSQL through ADBC, whose errors are this package's."""

# ADBC is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any

import pyarrow as pa

from skyhold.records.formats.sql.address import DatabaseAddress, TableName
from skyhold.records.formats.sql.asked import literal, load_driver
from skyhold.records.formats.sql.faults import translated

__all__ = ["Session"]

_CONNECT_TIMEOUT_S = 10
_BATCH_BYTES = 4 * 1024 * 1024


class Session:
    """One connection, always inside a transaction.

    Args:
        address: Which database.
        operation: The verb for errors.
        uri: What is worked on, for errors.
    """

    def __init__(self, address: DatabaseAddress, operation: str, uri: str) -> None:
        self._address = address
        self._operation = operation
        self._uri = uri
        self._driver: Any = load_driver("adbc_driver_postgresql.dbapi", "PostgreSQL")
        with self.faults():
            self._connection: Any = self._driver.connect(_with_timeout(address.uri.reveal()))
        self.run("SET standard_conforming_strings = on")

    def faults(self) -> AbstractContextManager[None]:
        """Translate what the driver raises inside."""
        return translated(self._address, self._operation, self._uri, self._driver.Error, OSError, pa.ArrowException)

    def only_read(self, snapshot: str | None = None) -> None:
        """Make the transaction see one moment, or that of ``snapshot``, and refuse changes; call it first."""
        self.rollback()
        self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if snapshot is not None:
            self.run(f"SET TRANSACTION SNAPSHOT {literal(snapshot)}")
        self.run("SET LOCAL intervalstyle = iso_8601")

    def run(self, sql: str) -> None:
        """Run a statement that gives no rows."""
        with self.faults(), self._connection.cursor() as cursor:
            cursor.execute(sql)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return a small result whole."""
        with self.faults(), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table().to_pylist()

    def describe(self, sql: str) -> pa.Schema:
        """Return what a query's rows look like, without running it."""
        with self.faults(), self._connection.cursor() as cursor:
            return cursor.adbc_execute_schema(sql)

    def stream(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Yield a result as it comes; closing the generator ends the query."""
        options = {"adbc.postgresql.batch_size_hint_bytes": str(_BATCH_BYTES)}
        with self.faults(), self._connection.cursor(adbc_stmt_kwargs=options) as cursor:
            cursor.execute(sql)
            yield from cursor.fetch_record_batch()

    def ingest(self, table: TableName, rows: pa.Table, *, temporary: bool) -> None:
        """Copy rows into a table that has columns of exactly their names and types."""
        with self.faults(), self._connection.cursor() as cursor:
            cursor.adbc_ingest(
                table.name,
                rows,
                mode="append",
                db_schema_name=None if temporary else table.schema,
                temporary=temporary,
            )

    def commit(self) -> None:
        """End the transaction; another begins."""
        with self.faults():
            self._connection.commit()

    def rollback(self) -> None:
        """End the transaction with nothing changed; another begins."""
        with self.faults():
            self._connection.rollback()

    def close(self) -> None:
        """Drop the connection, and with it whatever was not committed."""
        with suppress(self._driver.Error):
            self._connection.close()


def _with_timeout(uri: str) -> str:
    if "connect_timeout=" in uri:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}connect_timeout={_CONNECT_TIMEOUT_S}"
