"""Databases that this package does not speak itself, written through SQLAlchemy.

Rows wait in a temporary table of the connection's own until all of them are there, so the target is touched, and
locked, only at the end. PostgreSQL, SQLite and SQL Server then do everything in one transaction. MySQL and Oracle end a
transaction at every CREATE and RENAME: there a table that is made or replaced is filled under a name of its own
(``skyhold_new_…``) and renamed. In MySQL one statement swaps both names; in Oracle there is a moment between the two
renames in which the table is missing. A process that is killed while it fills leaves the old table, and the new one
under its own name.
"""

# SQLAlchemy is loaded on use, and pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import pyarrow as pa

from skyhold.errors import BadOptionError, SchemaError, SkyholdError, UnsupportedError
from skyhold.records.formats.adapter import OutputStream
from skyhold.records.formats.sql import sqlite_columns
from skyhold.records.formats.sql.address import TableName, quote_name
from skyhold.records.formats.sql.alchemy_columns import column_into, new_column
from skyhold.records.formats.sql.alchemy_session import Session
from skyhold.records.formats.sql.asked import SqlOutput, WriteRequest, check_columns, refuse_existing
from skyhold.records.formats.sql.sqlite_types import declared_type

__all__ = ["insertion", "open_output", "stage_table"]

_CHUNK_ROWS = 4096
_UNDOES_TABLES = {"postgresql", "sqlite", "mssql"}
_UPSERTS = {"postgresql", "sqlite", "mysql"}
_ORDER = "n"


class Sent(Protocol):
    """How one column travels."""

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def cast_to(self) -> Any: ...
    def encode(self, values: pa.Array) -> list[Any]:
        """Return cells as the driver takes them."""
        ...


class _SqliteColumn(NamedTuple):
    name: str
    kind: Any
    cast_to: Any = None

    def encode(self, values: pa.Array) -> list[Any]:
        return sqlite_columns.encode(self.name, values)


def open_output(request: WriteRequest, schema: pa.Schema) -> OutputStream:
    """Begin to write a table through SQLAlchemy; what can be refused is refused now."""
    session = Session(request.address, "write", request.uri)
    try:
        return _begin(session, request, schema)
    except BaseException:
        session.close()
        raise


def _begin(session: Session, request: WriteRequest, schema: pa.Schema) -> OutputStream:
    if request.mode == "upsert" and session.dialect not in _UPSERTS:
        raise UnsupportedError(
            f"mode='upsert' is not known for {session.dialect}",
            operation="write",
            uri=request.uri,
            remedy="Use mode='append' or 'replace'",
        )
    for name in (request.table.name, *schema.names):
        quote_name(name)
        if len(name.encode()) > session.longest_name:
            raise BadOptionError(
                f"{name!r} is longer than {session.longest_name} bytes, which {session.dialect} refuses or cuts",
                remedy="Choose a shorter name",
            )
    found = session.reflect(request.table)
    if found is not None and request.mode == "create":
        refuse_existing(request)
    kept = found if request.mode in {"append", "upsert"} else None
    if kept is not None:
        check_columns(request, schema, [column.name for column in kept.columns])
        if request.mode == "upsert":
            _check_unique(session, request)
    return _AlchemyOutput(session, request, _columns(session, request, schema, kept), found)


class _AlchemyOutput(SqlOutput):
    def __init__(self, session: Session, request: WriteRequest, columns: Sequence[Sent], found: Any) -> None:
        super().__init__(request)
        self._session = session
        self._columns = columns
        self._found = found
        self._sent_rows = 0
        self._stage = stage_table(session.sa, session.dialect, columns)
        if session.dialect == "sqlite":
            session.run("BEGIN")
        session.execute(session.sa.schema.CreateTable(self._stage))

    def abort(self) -> None:
        self._session.close()

    def _send(self, table: pa.Table) -> None:
        for start in range(0, table.num_rows, _CHUNK_ROWS):
            piece = table.slice(start, _CHUNK_ROWS)
            cells = [
                column.encode(values.combine_chunks())
                for column, values in zip(self._columns, piece.columns, strict=True)
            ]
            names = [column.name for column in self._stage.columns]
            order = range(self._sent_rows, self._sent_rows + piece.num_rows)
            rows = [dict(zip(names, row, strict=True)) for row in zip(order, *cells, strict=True)]
            self._session.execute(self._session.sa.insert(self._stage), rows)
            self._sent_rows += piece.num_rows

    def _publish(self) -> None:
        session, request = self._session, self._request
        if session.dialect == "sqlite":
            session.commit()
            session.begin_writing()
        if self._found is not None and request.mode in {"append", "upsert"}:
            self._fill(self._found)
        elif session.dialect in _UNDOES_TABLES:
            if self._found is not None:
                session.execute(session.sa.schema.DropTable(self._found))
            self._fill(self._make(request.table))
        else:
            self._swap()
        session.commit()
        session.close()

    def _fill(self, target: Any) -> None:
        session = self._session
        key = self._request.key
        self._session.execute(insertion(session.sa, session.dialect, self._stage, target, self._columns, key))

    def _make(self, name: TableName) -> Any:
        session, sa, key = self._session, self._session.sa, self._request.key
        columns = [
            sa.Column(
                sa.sql.quoted_name(column.name, quote=True),
                column.kind if column.cast_to is None else column.cast_to,
                primary_key=column.name in key,
                autoincrement=False,
            )
            for column in self._columns
        ]
        table = sa.Table(*session.name_of(name), *columns, schema=session.schema_of(name))
        session.execute(sa.schema.CreateTable(table))
        return table

    def _swap(self) -> None:
        session, table = self._session, self._request.table
        mark = uuid4().hex[:12]
        new, old = TableName(f"skyhold_new_{mark}", table.schema), TableName(f"skyhold_old_{mark}", table.schema)
        made = self._make(new)
        try:
            self._fill(made)
            session.commit()
            swap_names(session.dialect, session.quoted, session.run, (table, new), None if self._found is None else old)
        except BaseException:
            with suppress(SkyholdError):
                session.connection.rollback()
                session.run(f"DROP TABLE {session.quoted(new)}")
            raise
        if self._found is not None:
            session.run(f"DROP TABLE {session.quoted(old)}")


def swap_names(
    dialect: str,
    quoted: Callable[[TableName], str],
    run: Callable[[str], None],
    names: tuple[TableName, TableName],
    old: TableName | None,
) -> None:
    """Give the new table the name, and the old one, where there is one, another.

    Args:
        dialect: Whose words.
        quoted: What a name is in SQL.
        run: Runs a statement.
        names: The one that is wanted, and the one that the new table has.
        old: What the old table is called afterwards.
    """
    table, new = names
    if dialect == "mysql":
        first = "" if old is None else f"{quoted(table)} TO {quoted(old)}, "
        run(f"RENAME TABLE {first}{quoted(new)} TO {quoted(table)}")
        return
    if old is not None:
        run(f"ALTER TABLE {quoted(table)} RENAME TO {quoted(TableName(old.name))}")
    try:
        run(f"ALTER TABLE {quoted(new)} RENAME TO {quoted(TableName(table.name))}")
    except BaseException:
        if old is not None:
            run(f"ALTER TABLE {quoted(old)} RENAME TO {quoted(TableName(table.name))}")
        raise


def stage_table(sa: Any, dialect: str, columns: Sequence[Sent]) -> Any:
    """Return the table in which rows wait: nobody else sees it, and it goes with the connection."""
    mark = uuid4().hex[:12]
    parts = [sa.Column(_ORDER, sa.BigInteger())]
    parts += [sa.Column(f"c{place}", column.kind) for place, column in enumerate(columns)]
    if dialect == "mssql":
        return sa.Table(f"#skyhold_{mark}", sa.MetaData(), *parts)
    if dialect == "oracle":
        options = {"prefixes": ["PRIVATE TEMPORARY"], "oracle_on_commit": "PRESERVE DEFINITION"}
        return sa.Table(f"ORA$PTT_SKYHOLD_{mark.upper()}", sa.MetaData(), *parts, **options)
    return sa.Table(f"skyhold_stage_{mark}", sa.MetaData(), *parts, prefixes=["TEMPORARY"])


def insertion(sa: Any, dialect: str, stage: Any, target: Any, columns: Sequence[Sent], key: Sequence[str]) -> Any:
    """Return the statement that takes the rows from where they wait, in their order; of equal keys the last."""
    source = stage
    if key:
        keys = [stage.columns[f"c{place}"] for place, column in enumerate(columns) if column.name in key]
        nth = sa.func.row_number().over(partition_by=keys, order_by=stage.columns[_ORDER].desc())
        source = sa.select(*stage.columns, nth.label("nth")).subquery("ranked")
    cells = [
        source.columns[f"c{place}"] if column.cast_to is None else sa.cast(source.columns[f"c{place}"], column.cast_to)
        for place, column in enumerate(columns)
    ]
    rows = sa.select(*cells).order_by(source.columns[_ORDER])
    names = [column.name for column in columns]
    if not key:
        return sa.insert(target).from_select(names, rows, include_defaults=False)
    insert = import_module(f"sqlalchemy.dialects.{dialect}").insert(target)
    insert = insert.from_select(names, rows.where(source.columns.nth == 1), include_defaults=False)
    others = [name for name in names if name not in key]
    if dialect == "mysql":
        # A key set to itself changes nothing.
        return insert.on_duplicate_key_update({name: insert.inserted[name] for name in others or key})
    if not others:
        return insert.on_conflict_do_nothing(index_elements=list(key))
    return insert.on_conflict_do_update(index_elements=list(key), set_={name: insert.excluded[name] for name in others})


def _columns(session: Session, request: WriteRequest, schema: pa.Schema, kept: Any) -> list[Sent]:
    if session.dialect == "sqlite":
        return _sqlite_columns(session, request, schema, kept)
    sa, dialect = session.sa, session.dialect
    if kept is None:
        return [new_column(field, dialect, sa, in_key=field.name in request.key) for field in schema]
    return [column_into(field, kept.columns[field.name].type, dialect, sa, request.uri) for field in schema]


def _sqlite_columns(session: Session, request: WriteRequest, schema: pa.Schema, kept: Any) -> list[Sent]:
    """Return columns that declare what SQLite's own types cannot say."""
    if kept is not None:
        table = quote_name(request.table.name)
        info = session.connection.exec_driver_sql(f"PRAGMA main.table_info({table})").fetchall()
        declared = {row[1]: row[2] for row in info}
        for field in schema:
            text = declared[field.name]
            sqlite_columns.check_fits(field, text, declared_type(text), request.uri)

    class Declared(session.sa.types.UserDefinedType):
        cache_ok = True

        def __init__(self, text: str) -> None:
            self.text = text

        def get_col_spec(self, **_options: Any) -> str:
            return self.text

    return [_SqliteColumn(field.name, Declared(sqlite_columns.sql_type(field))) for field in schema]


def _check_unique(session: Session, request: WriteRequest) -> None:
    name, home = request.table.name, session.schema_of(request.table)
    with session.faults():
        inspector = session.sa.inspect(session.connection)
        found = [inspector.get_pk_constraint(name, schema=home)["constrained_columns"]]
        found += [each["column_names"] for each in inspector.get_unique_constraints(name, schema=home)]
        found += [each["column_names"] for each in inspector.get_indexes(name, schema=home) if each["unique"]]
    unique = {frozenset(columns) for columns in found if columns}
    if frozenset(request.key) not in unique:
        raise SchemaError(
            f"{request.uri!r} has no unique constraint over exactly {list(request.key)}, which key= names",
            remedy="Add one: ALTER TABLE … ADD UNIQUE (…)",
        )
    if session.dialect == "mysql" and len(unique) > 1:
        raise SchemaError(
            f"{request.uri!r} has further unique constraints, and MySQL would update rows that equal in any of them",
            remedy="Use mode='replace', or drop the other constraints",
        )
