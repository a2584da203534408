"""SQLite, read through Python's own library.

Not through ADBC, which infers types from the first rows and fails at a later value that differs, and which brings a
second copy of SQLite into the process: two copies lose each other's file locks.
"""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyhold.errors import BucketNotFoundError
from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql.address import MEMORY, DatabaseAddress, quote_name
from skyhold.records.formats.sql.asked import KeyRange, ReadRequest, Rows, SqlInput, Wrong, rows_of
from skyhold.records.formats.sql.faults import translated
from skyhold.records.formats.sql.key_ranges import (
    KeyRanges,
    check_moment,
    even_bounds,
    key_of,
    moment_of_file,
    range_conditions,
)
from skyhold.records.formats.sql.sqlite_types import TEXT, declared_type, read_column, type_of_values

__all__ = ["FAILURES", "connect_for_reading", "declarations", "divide_input", "open_input"]

FAILURES = (sqlite3.Error, sqlite3.Warning)
_FETCHED_ROWS = 16_384
_ROW_IDS = ("rowid", "_rowid_", "oid")


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


def divide_input(request: ReadRequest, count: int, least_rows: int) -> KeyRanges | None:
    """Divide by the key that was named, or by the row ids, which are the order in which a table is read.

    None where there are neither. Every part is read by a connection of its own, and refuses another moment.
    """
    if request.address.path == MEMORY:
        return None
    with closing(open_input(request)) as stream:
        schema, name = stream.schema, key_of(request, stream.schema)
    with closing(connect_for_reading(request.address, request.uri)) as connection, _translated(request):
        connection.text_factory = str
        connection.execute("BEGIN")
        key = _row_id(connection, request) if name is None else quote_name(name)
        if key is None:
            return None
        bounds = _bounds(connection, request, key, count, least_rows)
        moment = moment_of_file(request.address.path)
    return KeyRanges([KeyRange(condition, schema, moment) for condition in range_conditions(key, bounds)])


def _row_id(connection: sqlite3.Connection, request: ReadRequest) -> str | None:
    """Return what a table's row ids are called; None if it has none, or is not read in their order."""
    if request.table is None:
        return None
    found = connection.execute(
        "SELECT type, wr FROM pragma_table_list WHERE lower(name) = lower(?) AND schema = lower(?)",
        (request.table.name, request.table.schema or "main"),
    ).fetchall()
    if found != [("table", 0)]:
        return None
    cursor = connection.execute(f"SELECT * FROM {request.as_relation()} LIMIT 0")  # noqa: S608 - names are quoted
    taken = {column[0].lower() for column in cursor.description}
    return next((name for name in _ROW_IDS if name not in taken), None)


def _bounds(connection: sqlite3.Connection, request: ReadRequest, key: str, count: int, least_rows: int) -> list[str]:
    relation = request.as_relation()
    ask = "SELECT (SELECT min({0}) FROM {1}), (SELECT max({0}) FROM {1})"
    least, most = connection.execute(ask.format(key, relation)).fetchone()
    # NULL is less than any number in SQLite, and any number less than any text.
    if isinstance(least, int | None) and isinstance(most, int | None):
        parts = min(count, (most + 1 - least) // least_rows) if least is not None and most is not None else 1
        return [str(bound) for bound in even_bounds(least, most, parts)]
    rows = connection.execute(f"SELECT count({key}) FROM {relation}").fetchone()[0]  # noqa: S608 - names are quoted
    parts = max(1, min(count, rows // least_rows))
    found = connection.execute(
        f"SELECT quote(min(bound)) FROM (SELECT {key} AS bound, ntile({parts}) OVER (ORDER BY {key}) AS part"  # noqa: S608
        f" FROM {relation} WHERE {key} IS NOT NULL) GROUP BY part ORDER BY part"
    )
    return list(dict.fromkeys(bound for (bound,) in found.fetchall()[1:]))


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
    check_moment(request)
    return cursor, request.part.schema if request.part else pa.schema(list(zip(names, kinds, strict=True))), first


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
