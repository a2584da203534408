"""Databases that this package does not speak itself, read through SQLAlchemy and whatever driver the URI names."""

# SQLAlchemy is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from skyhold.errors import KeyNotFoundError
from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql import sqlite_types
from skyhold.records.formats.sql.alchemy_session import Session
from skyhold.records.formats.sql.alchemy_types import arrow_type, is_interval, read_column, type_of_values
from skyhold.records.formats.sql.asked import ReadRequest, Rows, SqlInput, Wrong, check_names, rows_of
from skyhold.records.formats.sql.sqlite import declarations

__all__ = ["open_input"]

_FETCHED_ROWS = 16_384


class _Result(NamedTuple):
    """Rows that begin to come, and how their columns are read."""

    pieces: Iterator[Sequence[Any]]
    first: Sequence[Any]
    schema: pa.Schema
    read: Callable[[Sequence[Any], pa.DataType], tuple[pa.Array, Wrong]]


def open_input(request: ReadRequest) -> InputStream:
    """Begin to read a table or query through SQLAlchemy."""
    session = Session(request.address, "read", request.uri)
    try:
        session.begin_reading()
        result = _ask(session, request)
    except BaseException:
        session.close()
        raise
    return SqlInput(request, result.schema, _rows(session, result), session.close)


def _ask(session: Session, request: ReadRequest) -> _Result:
    if session.dialect == "sqlite":
        return _ask_sqlite(session, request)
    statement, kinds = _table_select(session, request) if request.table else (request.as_select(), [])
    names, pieces = session.stream(statement, min(_FETCHED_ROWS, request.batch_rows))
    check_names(names, request.uri)
    with session.faults():
        first = next(pieces, [])
    cells = list(zip(*first, strict=True)) or [()] * len(names)
    kinds = kinds or [None] * len(names)
    found = [kind or type_of_values(values) for kind, values in zip(kinds, cells, strict=True)]
    return _Result(pieces, first, pa.schema(list(zip(names, found, strict=True))), read_column)


def _table_select(session: Session, request: ReadRequest) -> tuple[Any, list[pa.DataType | None]]:
    assert request.table is not None
    sa, table = session.sa, session.reflect(request.table)
    if table is None:
        raise KeyNotFoundError(
            f"there is no table {str(request.table)!r}",
            operation="read",
            uri=request.uri,
            identity=request.address.identity,
            remedy="Correct table_name; letters count exactly as written",
        )
    cells = [_selected(sa, column, session.dialect) for column in table.columns]
    kinds = [arrow_type(column.type, session.dialect, sa) for column in table.columns]
    return sa.select(*cells).select_from(table).limit(request.limit), kinds


def _selected(sa: Any, column: Any, dialect: str) -> Any:
    if dialect == "postgresql" and (isinstance(column.type, sa.JSON) or is_interval(column.type)):
        # Drivers would make floating numbers of JSON's, and thirty days of a month.
        return sa.cast(column, sa.Text).label(column.name)
    # Without a type, SQLAlchemy hands the driver's values over as they are.
    return sa.type_coerce(column, sa.types.NullType()).label(column.name)


def _ask_sqlite(session: Session, request: ReadRequest) -> _Result:
    """Read SQLite by what its columns are declared as: its cells may be anything, whatever a driver calls them."""
    statement = request.as_select()
    with session.faults():
        session.driver_connection.text_factory = sqlite_types.TEXT
        declared = declarations(session.driver_connection, statement)
        session.run("PRAGMA query_only = ON")
        size = min(_FETCHED_ROWS, request.batch_rows)
        names, pieces = session.stream(statement, size, sqlite_raw_colnames=True)
        check_names(names, request.uri)
        first = next(pieces, [])
    cells = list(zip(*first, strict=True)) or [()] * len(names)
    kinds = [
        sqlite_types.declared_type(text) or sqlite_types.type_of_values(values)
        for text, values in zip(declared, cells, strict=True)
    ]
    return _Result(pieces, first, pa.schema(list(zip(names, kinds, strict=True))), sqlite_types.read_column)


def _rows(session: Session, result: _Result) -> Iterator[Rows]:
    fetched = result.first
    while fetched:
        arrays: list[pa.Array] = []
        wrongs: dict[str, Wrong] = {}
        for field, values in zip(result.schema, zip(*fetched, strict=True), strict=True):
            array, wrongs[field.name] = result.read(values, field.type)
            arrays.append(array)
        yield rows_of(pa.RecordBatch.from_arrays(arrays, schema=result.schema), wrongs)
        with session.faults():
            fetched = next(result.pieces, [])
