"""DuckDB, read through its own Arrow streams."""

# DuckDB is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyhold.errors import BucketNotFoundError
from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql.address import MEMORY, DatabaseAddress, quote_name
from skyhold.records.formats.sql.asked import ReadRequest, Rows, SqlInput, Wrong, check_names, load_driver, rows_of
from skyhold.records.formats.sql.faults import translated
from skyhold.records.formats.sql.instants import read_instants

__all__ = ["connect_for_reading", "duckdb_faults", "open_input"]

_WORDS: tuple[tuple[str, str], ...] = (
    (r"U?HUGEINT", "DECIMAL(38,0)"),
    (r"TIMESTAMP_M?S", "TIMESTAMP"),
    (r"INTERVAL|BIT|BIGNUM|VARINT|TIME WITH TIME ZONE|TIME_NS|UUID|\"NULL\"|VARIANT|GEOMETRY", "VARCHAR"),
    (r"(ENUM|UNION)\(.*\)", "VARCHAR"),
)
"""Types that Arrow, or what reads it, has no exact counterpart for, and what is asked for instead."""

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
        schema = pa.schema([pa.field(field.name, _in_utc(field.type)) for field in reader.schema])
    except BaseException:
        connection.close()
        raise
    return SqlInput(request, schema, _rows(request, reader, schema), connection.close)


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
    return f"SELECT {cells} FROM {request.as_relation()}{request.sql_limit()}"  # noqa: S608 - names are quoted


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
