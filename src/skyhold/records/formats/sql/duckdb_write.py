"""DuckDB, written from Arrow: rows wait in a file of their own until all of them are there."""

# DuckDB is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import tempfile
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyhold.errors import BadOptionError, BucketNotFoundError, SchemaError
from skyhold.records.formats.adapter import OutputStream
from skyhold.records.formats.sql.address import MEMORY, TableName, quote_name
from skyhold.records.formats.sql.asked import SqlOutput, WriteRequest, check_columns, load_driver, refuse_existing
from skyhold.records.formats.sql.cells import fits, is_nested, plain_type, to_type
from skyhold.records.formats.sql.duckdb import connect_for_reading, duckdb_faults

__all__ = ["open_output"]

_TARGET = "skyhold_target"
_MOST_DIGITS = 38


def open_output(request: WriteRequest, schema: pa.Schema) -> OutputStream:
    """Begin to write a table of DuckDB; what can be refused is refused now."""
    found = _existing_schema(request)
    if found is not None and request.mode == "create":
        refuse_existing(request)
    if found is None or request.mode == "replace":
        kept = pa.schema([pa.field(field.name, _kept_type(field)) for field in schema])
    else:
        check_columns(request, schema, found.names)
        kept = pa.schema([_target_field(field, found.field(field.name), request.uri) for field in schema])
    return _DuckdbOutput(request, kept)


class _DuckdbOutput(SqlOutput):
    def __init__(self, request: WriteRequest, kept: pa.Schema) -> None:
        super().__init__(request)
        self._kept = kept
        self._folder = tempfile.TemporaryDirectory(prefix="skyhold-duckdb-")
        with self._faults():
            stage = Path(self._folder.name) / "stage.duckdb"
            self._connection: Any = load_driver("duckdb", "DuckDB").connect(str(stage))
            self._connection.register("arriving", kept.empty_table())
            self._run("CREATE TABLE stage AS SELECT * FROM arriving")

    def abort(self) -> None:
        self._connection.close()
        self._folder.cleanup()

    def _send(self, table: pa.Table) -> None:
        columns = [
            to_type(field.name, column.combine_chunks(), field.type)
            for field, column in zip(self._kept, table.columns, strict=True)
        ]
        with self._faults():
            self._connection.register("arriving", pa.Table.from_arrays(columns, schema=self._kept))
            self._run("INSERT INTO stage SELECT * FROM arriving")

    def _publish(self) -> None:
        path = self._request.address.path.replace("'", "''")
        with self._faults():
            self._run(f"ATTACH '{path}' AS {_TARGET}")
            self._run("BEGIN")
            for statement in self._statements():
                self._run(statement)
            self._run("COMMIT")
            self._run(f"DETACH {_TARGET}")
        self.abort()

    def _statements(self) -> list[str]:
        request = self._request
        target = f"{_TARGET}.{TableName(request.table.name, request.table.schema or 'main').quoted()}"
        names = ", ".join(quote_name(name) for name in self._kept.names)
        key = ", ".join(quote_name(name) for name in request.key)
        described = self._connection.execute("DESCRIBE stage").fetchall()
        columns = ", ".join(f"{quote_name(name)} {kind}" for name, kind, *_ in described)
        create = f"{target} ({columns}{f', PRIMARY KEY ({key})' if key else ''})"
        insert = f"INSERT INTO {target} ({names}) SELECT {names} FROM stage"  # noqa: S608 - names are quoted
        if request.mode == "replace":
            return [f"DROP TABLE IF EXISTS {target}", f"CREATE TABLE {create}", f"{insert} ORDER BY rowid"]
        if request.mode == "create":
            return [f"CREATE TABLE {create}", f"{insert} ORDER BY rowid"]
        if request.mode == "append":
            return [f"CREATE TABLE IF NOT EXISTS {create}", f"{insert} ORDER BY rowid"]
        others = [quote_name(name) for name in self._kept.names if name not in request.key]
        action = f"UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}" if others else "NOTHING"
        last = f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY rowid DESC) = 1"
        return [f"CREATE TABLE IF NOT EXISTS {create}", f"{insert} {last} ON CONFLICT ({key}) DO {action}"]

    def _run(self, statement: str) -> None:
        self._connection.execute(statement).fetchall()

    def _faults(self) -> AbstractContextManager[None]:
        return duckdb_faults(self._request.address, "write", self._request.uri)


def _existing_schema(request: WriteRequest) -> pa.Schema | None:
    path, home = Path(request.address.path), request.table.schema or "main"
    if not path.parent.is_dir():
        raise BucketNotFoundError(
            f"there is no folder {str(path.parent)!r}",
            operation="write",
            uri=request.uri,
            remedy="Make it, or correct the path: duckdb:////absolute/path",
        )
    if request.address.path == MEMORY or not path.exists():
        if home != "main":
            raise BadOptionError(f"{str(request.table)!r}: a new database has no schema but 'main'")
        return None
    with (
        closing(connect_for_reading(request.address, request.uri)) as connection,
        duckdb_faults(request.address, "write", request.uri),
    ):
        found = connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?",
            [home, request.table.name],
        ).fetchall()
        table = TableName(request.table.name, home).quoted()
        return connection.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema if found else None  # noqa: S608


def _kept_type(field: pa.Field) -> pa.DataType:
    kind = plain_type(field.type)
    if pa.types.is_decimal256(kind):
        if kind.precision > _MOST_DIGITS:
            raise SchemaError(
                f"column {field.name!r} is {kind}, and DuckDB's decimals have at most {_MOST_DIGITS} digits",
                remedy="Give the model fewer digits: Field(max_digits=38, decimal_places=…)",
            )
        return pa.decimal128(kind.precision, kind.scale)
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp("us", "UTC")
    return pa.string() if pa.types.is_null(kind) else kind


def _target_field(field: pa.Field, target: pa.Field, uri: str) -> pa.Field:
    wanted = plain_type(target.type)
    kind = plain_type(field.type)
    if is_nested(kind) and kind == wanted:
        return pa.field(field.name, wanted)
    zoned = pa.types.is_timestamp(wanted) and wanted.tz is not None
    wanted = pa.timestamp("us", "UTC") if zoned else wanted
    if not fits(kind, wanted):
        raise SchemaError(
            f"column {field.name!r} is {field.type}, and {target.type} in {uri!r}",
            remedy="Give the model the column's type, or write another table",
        )
    return pa.field(field.name, wanted)
