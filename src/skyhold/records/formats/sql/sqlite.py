"""SQLite, read through Python's own library.

Not through ADBC, which infers types from the first rows and fails at a later value that differs, and which brings a
second copy of SQLite into the process: two copies lose each other's file locks.
"""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyhold.errors import BucketNotFoundError
from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql.address import MEMORY, DatabaseAddress
from skyhold.records.formats.sql.asked import ReadRequest, Rows, SqlInput, Wrong, rows_of
from skyhold.records.formats.sql.faults import translated
from skyhold.records.formats.sql.sqlite_types import TEXT, declared_type, read_column, type_of_values

__all__ = ["FAILURES", "connect_for_reading", "declarations", "open_input"]

FAILURES = (sqlite3.Error, sqlite3.Warning)
_FETCHED_ROWS = 16_384


def open_input(request: ReadRequest) -> InputStream:
    """Begin to read a table or query of SQLite."""
    connection = connect_for_reading(request.address, request.uri)
    try:
        with _translated(request):
            cursor, schema, first = _begin(connection, request)
    except BaseException:
        connection.close()
        raise
    return SqlInput(request, schema, _rows(request, cursor, schema, first), connection.close)


def connect_for_reading(address: DatabaseAddress, uri: str) -> sqlite3.Connection:
    """Open a database that exists, so that nothing in it can change.

    Raises:
        BucketNotFoundError: There is no such file.
    """
    if address.path != MEMORY and not Path(address.path).exists():
        raise BucketNotFoundError(
            "there is no such file", operation="read", uri=uri, remedy="Correct the path: sqlite:////absolute/path"
        )
    place = f"{Path(address.path).resolve().as_uri()}?mode=ro" if address.path != MEMORY else MEMORY
    with translated(address, "read", uri, *FAILURES):
        connection = sqlite3.connect(place, uri=address.path != MEMORY, isolation_level=None, check_same_thread=False)
    connection.text_factory = TEXT
    return connection


def _translated(request: ReadRequest) -> Any:
    return translated(request.address, "read", request.uri, *FAILURES)


def _begin(connection: sqlite3.Connection, request: ReadRequest) -> tuple[sqlite3.Cursor, pa.Schema, list[Any]]:
    connection.execute("BEGIN")
    statement = request.as_select()
    cursor = connection.execute(statement)
    names = [column[0] for column in cursor.description or ()]
    first = cursor.fetchmany(_FETCHED_ROWS)
    cells = list(zip(*first, strict=True)) or [()] * len(names)
    declared = declarations(connection, statement)
    kinds = [declared_type(text) or type_of_values(values) for text, values in zip(declared, cells, strict=True)]
    return cursor, pa.schema(list(zip(names, kinds, strict=True))), first


def declarations(connection: sqlite3.Connection, statement: str) -> list[str]:
    """Return what the columns of a query are declared as, where they are a table's own; a view of it knows."""
    connection.execute(f'CREATE TEMPORARY VIEW "skyhold asked" AS {statement}')
    try:
        return [bytes(row[2]).decode() for row in connection.execute('PRAGMA temp.table_info("skyhold asked")')]
    finally:
        connection.execute('DROP VIEW temp."skyhold asked"')


def _rows(request: ReadRequest, cursor: sqlite3.Cursor, schema: pa.Schema, fetched: list[Any]) -> Iterator[Rows]:
    while fetched:
        yield _converted(fetched, schema)
        with _translated(request):
            fetched = cursor.fetchmany(_FETCHED_ROWS)


def _converted(fetched: list[Any], schema: pa.Schema) -> Rows:
    arrays: list[pa.Array] = []
    wrongs: dict[str, Wrong] = {}
    for field, values in zip(schema, zip(*fetched, strict=True), strict=True):
        array, wrongs[field.name] = read_column(values, field.type)
        arrays.append(array)
    return rows_of(pa.RecordBatch.from_arrays(arrays, schema=schema), wrongs)
