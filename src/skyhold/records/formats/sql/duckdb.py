"""DuckDB, read through its own Arrow streams."""

# DuckDB is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyhold.errors import BucketNotFoundError
from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql.address import MEMORY, DatabaseAddress, quote_name
from skyhold.records.formats.sql.asked import (
    KeyRange,
    ReadRequest,
    Rows,
    SqlInput,
    Wrong,
    check_names,
    literal,
    load_driver,
    rows_of,
)
from skyhold.records.formats.sql.faults import translated
from skyhold.records.formats.sql.instants import read_instants
from skyhold.records.formats.sql.key_ranges import (
    KeyRanges,
    check_moment,
    even_bounds,
    key_of,
    moment_of_file,
    range_conditions,
)

__all__ = ["connect_for_reading", "divide_input", "duckdb_faults", "open_input"]

_WORDS: tuple[tuple[str, str], ...] = (
    (r"U?HUGEINT", "DECIMAL(38,0)"),
    (r"TIMESTAMP_M?S", "TIMESTAMP"),
    (r"INTERVAL|BIT|BIGNUM|VARINT|TIME WITH TIME ZONE|TIME_NS|UUID|\"NULL\"|VARIANT|GEOMETRY", "VARCHAR"),
    (r"(ENUM|UNION)\(.*\)", "VARCHAR"),
)
"""Types that Arrow, or what reads it, has no exact counterpart for, and what is asked for instead."""

_WHOLE_NUMBERS = {f"{sign}{size}INT" for sign in ("", "U") for size in ("TINY", "SMALL", "BIG")} | {
    "INTEGER",
    "UINTEGER",
}

_INFINITE = {2**63 - 1: "infinity", -(2**63) + 1: "-infinity", 2**31 - 1: "infinity", -(2**31) + 1: "-infinity"}


def duckdb_faults(address: DatabaseAddress, operation: str, uri: str) -> AbstractContextManager[None]:
    """Translate what DuckDB raises inside."""
    driver = load_driver("duckdb", "DuckDB")
    return translated(address, operation, uri, driver.Error, pa.ArrowException, OSError)


def connect_for_reading(address: DatabaseAddress, uri: str) -> Any:
    """Open a database that exists, so that nothing in it can change.

    Raises:
        BucketNotFoundError: There is no such file.
    """
    driver = load_driver("duckdb", "DuckDB")
    if address.path != MEMORY and not Path(address.path).exists():
        raise BucketNotFoundError(
            "there is no such file", operation="read", uri=uri, remedy="Correct the path: duckdb:////absolute/path"
        )
    with duckdb_faults(address, "read", uri):
        return driver.connect(address.path, read_only=address.path != MEMORY)


def open_input(request: ReadRequest) -> InputStream:
    """Begin to read a table or query of DuckDB."""
    connection = connect_for_reading(request.address, request.uri)
    try:
        with duckdb_faults(request.address, "read", request.uri):
            described = connection.execute(f"DESCRIBE {request.as_select()}").fetchall()
            check_names([row[0] for row in described], request.uri)
            reader = connection.sql(_statement(request, described)).to_arrow_reader(request.batch_rows)
        check_moment(request)
        schema = pa.schema([pa.field(field.name, _in_utc(field.type)) for field in reader.schema])
    except BaseException:
        connection.close()
        raise
    return SqlInput(request, schema, _rows(request, reader, schema), connection.close)


def divide_input(request: ReadRequest, count: int, least_rows: int) -> KeyRanges | None:
    """Divide by the key that was named, or by the row ids, which are the order in which a table is read.

    None where there are neither. Every part is read by a connection of its own, and refuses another moment.
    """
    if request.address.path == MEMORY:
        return None
    with closing(open_input(request)) as stream:
        schema, name = stream.schema, key_of(request, stream.schema)
    with (
        closing(connect_for_reading(request.address, request.uri)) as connection,
        duckdb_faults(request.address, "read", request.uri),
    ):
        if name is None and not _has_row_ids(connection, request, schema):
            return None
        key = "rowid" if name is None else quote_name(name)
        bounds = _bounds(connection, request, key, count, least_rows)
        moment = moment_of_file(request.address.path)
    return KeyRanges([KeyRange(condition, schema, moment) for condition in range_conditions(key, bounds)])


def _has_row_ids(connection: Any, request: ReadRequest, schema: pa.Schema) -> bool:
    if request.table is None or "rowid" in (name.lower() for name in schema.names):
        return False
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE lower(table_name) = lower(?)"
        " AND lower(schema_name) = lower(coalesce(?, current_schema())) AND database_name = current_database()",
        [request.table.name, request.table.schema],
    ).fetchone()
    return found == (1,)


def _bounds(connection: Any, request: ReadRequest, key: str, count: int, least_rows: int) -> list[str]:
    relation = request.as_relation()
    rows, kind = connection.execute(f"SELECT count({key}), any_value(typeof({key})) FROM {relation}").fetchone()  # noqa: S608
    parts = min(count, rows // least_rows)
    if parts < 1:
        return []
    if kind in _WHOLE_NUMBERS:
        least, most = connection.execute(f"SELECT min({key})::HUGEINT, max({key})::HUGEINT FROM {relation}").fetchone()  # noqa: S608
        return [str(bound) for bound in even_bounds(least, most, parts)]
    shares = ", ".join(str(part / parts) for part in range(1, parts))
    found = connection.execute(f"SELECT unnest(quantile_disc({key}, [{shares}]))::VARCHAR FROM {relation}").fetchall()  # noqa: S608
    return [f"CAST({literal(bound)} AS {kind})" for bound in dict.fromkeys(each for (each,) in found)]


def _statement(request: ReadRequest, described: list[Any]) -> str:
    words = {
        name: next((target for pattern, target in _WORDS if re.fullmatch(pattern, kind)), None)
        for name, kind, *_ in described
    }
    if not any(words.values()):
        return request.as_select()
    cells = ", ".join(
        f"{quote_name(name)}::{target} AS {quote_name(name)}" if target else quote_name(name)
        for name, target in words.items()
    )
    return f"SELECT {cells} FROM {request.as_relation()}{request.sql_where()}{request.sql_limit()}"  # noqa: S608 - names are quoted


def _in_utc(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit, "UTC") if pa.types.is_timestamp(kind) and kind.tz is not None else kind


def _rows(request: ReadRequest, reader: Any, schema: pa.Schema) -> Iterator[Rows]:
    with duckdb_faults(request.address, "read", request.uri):
        for batch in reader:
            arrays: list[pa.Array] = []
            wrongs: dict[str, Wrong] = {}
            for field, values in zip(schema, batch.columns, strict=True):
                array, wrongs[field.name] = read_instants(values.cast(field.type), _INFINITE)
                arrays.append(array)
            yield rows_of(pa.RecordBatch.from_arrays(arrays, schema=schema), wrongs)
