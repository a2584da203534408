"""SQLite, written through Python's own library: rows wait in a file of their own until all of them are there."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, suppress
from pathlib import Path

import pyarrow as pa

from skyhold.errors import BadOptionError, BucketNotFoundError
from skyhold.records.formats.adapter import OutputStream
from skyhold.records.formats.sql.address import MEMORY, quote_name
from skyhold.records.formats.sql.asked import SqlOutput, WriteRequest, check_columns, refuse_existing
from skyhold.records.formats.sql.faults import translated
from skyhold.records.formats.sql.sqlite import FAILURES, connect_for_reading
from skyhold.records.formats.sql.sqlite_columns import check_fits, encode, sql_type
from skyhold.records.formats.sql.sqlite_types import declared_type

__all__ = ["open_output"]

_PATIENCE_S = 60.0
_TARGET = "skyhold_target"


def open_output(request: WriteRequest, schema: pa.Schema) -> OutputStream:
    """Begin to write a table of SQLite; what can be refused is refused now."""
    if request.table.schema not in {None, "main"}:
        raise BadOptionError(f"{str(request.table)!r}: SQLite has no schema but 'main'")
    declared = [sql_type(field) for field in schema]
    columns = _existing_columns(request)
    if columns is not None and request.mode == "create":
        refuse_existing(request)
    if columns is not None and request.mode in {"append", "upsert"}:
        check_columns(request, schema, list(columns))
        for field in schema:
            check_fits(field, columns[field.name], declared_type(columns[field.name]), request.uri)
    return _SqliteOutput(request, schema.names, declared)


class _SqliteOutput(SqlOutput):
    def __init__(self, request: WriteRequest, names: Sequence[str], declared: Sequence[str]) -> None:
        super().__init__(request)
        self._names = list(names)
        self._declared = list(declared)
        # An empty path is a file of SQLite's own, deleted with the connection: the target is locked only at the end.
        with self._faults():
            self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False, timeout=_PATIENCE_S)
            try:
                self._connection.execute(f"CREATE TABLE stage ({self._column_list()})")
                self._connection.execute("BEGIN")
            except BaseException:
                self._connection.close()
                raise
        self._insert = f"INSERT INTO main.stage VALUES ({', '.join('?' * len(self._names))})"  # noqa: S608

    def abort(self) -> None:
        with suppress(sqlite3.Error):
            self._connection.close()

    def _send(self, table: pa.Table) -> None:
        cells = [encode(name, column.combine_chunks()) for name, column in zip(self._names, table.columns, strict=True)]
        with self._faults():
            self._connection.executemany(self._insert, zip(*cells, strict=True))

    def _publish(self) -> None:
        with self._faults():
            self._connection.execute("COMMIT")
            self._connection.execute(f"ATTACH ? AS {_TARGET}", (self._request.address.path,))
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in self._statements():
                self._connection.execute(statement)
            self._connection.execute("COMMIT")
            self._connection.close()

    def _statements(self) -> list[str]:
        request = self._request
        target = f"{_TARGET}.{quote_name(request.table.name)}"
        names = ", ".join(quote_name(name) for name in self._names)
        key = ", ".join(quote_name(name) for name in request.key)
        found = []
        if request.mode == "replace":
            found.append(f"DROP TABLE IF EXISTS {target}")
        maybe = "IF NOT EXISTS " if request.mode in {"append", "upsert"} else ""
        primary = f", PRIMARY KEY ({key})" if key else ""
        found.append(f"CREATE TABLE {maybe}{target} ({self._column_list()}{primary})")
        insert = f"INSERT INTO {target} ({names}) SELECT {names} FROM main.stage WHERE true ORDER BY rowid"  # noqa: S608
        if key:
            others = [quote_name(name) for name in self._names if name not in request.key]
            action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
            insert += f" ON CONFLICT ({key}) DO {action}"
        return [*found, insert]

    def _column_list(self) -> str:
        return ", ".join(
            f"{quote_name(name)} {declared}" for name, declared in zip(self._names, self._declared, strict=True)
        )

    def _faults(self) -> AbstractContextManager[None]:
        return translated(self._request.address, "write", self._request.uri, *FAILURES)


def _existing_columns(request: WriteRequest) -> dict[str, str] | None:
    """Return how the table's columns are declared; None if there is no table yet."""
    path = request.address.path
    if path == MEMORY or not Path(path).exists():
        if not Path(path).parent.is_dir():
            raise BucketNotFoundError(
                f"there is no folder {str(Path(path).parent)!r}",
                operation="write",
                uri=request.uri,
                remedy="Make it, or correct the path: sqlite:////absolute/path",
            )
        return None
    with (
        closing(connect_for_reading(request.address, request.uri)) as connection,
        translated(request.address, "write", request.uri, *FAILURES),
    ):
        rows = connection.execute(f"PRAGMA main.table_info({quote_name(request.table.name)})").fetchall()
    return {bytes(row[1]).decode(): bytes(row[2]).decode() for row in rows} or None
