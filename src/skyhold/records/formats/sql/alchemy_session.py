"""A connection through SQLAlchemy, whose errors are this package's, and whose driver gives values as they are."""

# SQLAlchemy is loaded on use:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from skyhold.errors import BadOptionError, BadUriError, BucketNotFoundError, MissingExtraError
from skyhold.records.formats.sql.address import MEMORY, DatabaseAddress, TableName
from skyhold.records.formats.sql.asked import load_driver
from skyhold.records.formats.sql.faults import translated

__all__ = ["Session", "Unreadable"]

_AS_IT_IS = {"no_parameters": True}
"""Percent signs of a statement's text mean nothing."""

_CONNECT_S = 10
_PATIENCE_S = 60.0
_CONNECTING: dict[str, dict[str, Any]] = {
    "psycopg": {"connect_timeout": _CONNECT_S},
    "psycopg2": {"connect_timeout": _CONNECT_S},
    "pymysql": {"connect_timeout": _CONNECT_S},
    "mysqldb": {"connect_timeout": _CONNECT_S},
    "pyodbc": {"timeout": _CONNECT_S},
    "pysqlite": {"timeout": _PATIENCE_S, "check_same_thread": False},
}
"""What drivers are told, unless the URI says otherwise; of themselves some wait for ever."""

_PACKAGES = {"MySQLdb": "mysqlclient", "psycopg2": "psycopg2-binary", "psycopg": "psycopg[binary]"}
_CAREFULLY_READ = ("date", "time", "timestamp", "timestamptz", "numeric", "timetz")
_READ_AS_TEXT = ("interval", "json", "jsonb")


class Unreadable(str):
    """A value that the driver has no Python object for, as text."""

    __slots__ = ()


class Session:
    """One connection, whose transactions its user ends.

    Args:
        address: Which database.
        operation: The verb for errors.
        uri: What is worked on, for errors.

    Raises:
        MissingExtraError: SQLAlchemy, or the driver that the URI names, is not installed.
        BadUriError: SQLAlchemy does not know the dialect.
    """

    def __init__(self, address: DatabaseAddress, operation: str, uri: str) -> None:
        self.sa: Any = load_driver("sqlalchemy", f"{address.safe_uri.partition(':')[0]}://", extra="sqlalchemy")
        self._address = address
        self._operation = operation
        self._uri = uri
        self._engine = self._make_engine()
        self._check_file()
        self._result: Any = None
        with self.faults():
            self.connection: Any = self._engine.connect()
            try:
                self._tame()
            except BaseException:
                self.close()
                raise

    @property
    def dialect(self) -> str:
        """Which dialect of SQL it speaks: ``mariadb`` is ``mysql`` here."""
        name = str(self._engine.dialect.name)
        return "mysql" if name == "mariadb" else name

    @property
    def driver_connection(self) -> Any:
        """The driver's own connection."""
        return self.connection.connection.driver_connection

    @property
    def longest_name(self) -> int:
        """How many letters a name may have."""
        return int(self._engine.dialect.max_identifier_length)

    def quoted(self, table: TableName) -> str:
        """Return a table's name for SQL of this dialect."""
        made = self.sa.Table(*self.name_of(table), schema=self.schema_of(table))
        return str(self._engine.dialect.identifier_preparer.format_table(made))

    @contextmanager
    def faults(self) -> Generator[None]:
        """Translate what the driver and SQLAlchemy raise inside."""
        errors = self._engine.dialect.loaded_dbapi.Error, self.sa.exc.SQLAlchemyError
        with translated(self._address, self._operation, self._uri, *errors):
            try:
                yield
            except self.sa.exc.ResourceClosedError:
                raise BadOptionError(f"{self._uri!r} gives no rows", remedy="Give a query: SELECT …") from None
            except self.sa.exc.DBAPIError as error:
                # The driver's own words, without the statement and the notes that SQLAlchemy puts behind them.
                raise error.orig or error from None

    def begin_reading(self) -> None:
        """Begin a transaction that sees one moment and refuses changes, as far as the database has such."""
        if self.dialect == "postgresql":
            self.connection.rollback()
            self.connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            self.run("SET LOCAL intervalstyle = iso_8601")
        elif self.dialect == "mysql":
            self.run("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            self.connection.rollback()
        elif self.dialect == "oracle":
            self.connection.rollback()
            self.run("SET TRANSACTION READ ONLY")
        elif self.dialect == "sqlite":
            self.run("BEGIN")

    def begin_writing(self) -> None:
        """Begin a transaction, which in SQLite locks the file."""
        if self.dialect == "sqlite":
            self.run("BEGIN IMMEDIATE")

    def run(self, sql: str) -> None:
        """Run a statement as it is."""
        with self.faults():
            self.connection.exec_driver_sql(sql, execution_options=_AS_IT_IS)

    def execute(self, statement: Any, rows: Any = None) -> Any:
        """Run a statement of SQLAlchemy's."""
        with self.faults():
            return self.connection.execute(statement, rows)

    def stream(self, statement: Any, batch_rows: int, **options: Any) -> tuple[list[str], Iterator[Any]]:
        """Run a query, text or SQLAlchemy's, and return its columns' names and its rows, some at a time."""
        options["stream_results"] = True
        with self.faults():
            if isinstance(statement, str):
                self._result = self.connection.exec_driver_sql(statement, execution_options={**options, **_AS_IT_IS})
            else:
                self._result = self.connection.execute(statement, execution_options=options)
            return list(self._result.keys()), self._result.yield_per(batch_rows).partitions()

    def reflect(self, table: TableName) -> Any:
        """Return what the database says of a table or view; None where there is none."""
        with self.faults(), warnings.catch_warnings():
            # It warns of types that it does not know; they are found out from values.
            warnings.simplefilter("ignore", self.sa.exc.SAWarning)
            try:
                return self.sa.Table(
                    *self.name_of(table), autoload_with=self.connection, resolve_fks=False, schema=self.schema_of(table)
                )
            except self.sa.exc.NoSuchTableError:
                return None

    def name_of(self, table: TableName) -> tuple[Any, Any]:
        """Return the first two arguments of SQLAlchemy's Table; the letters count as they are written."""
        return self.sa.sql.quoted_name(table.name, quote=True), self.sa.MetaData()

    def schema_of(self, table: TableName) -> Any:
        """Return the schema as SQLAlchemy takes it."""
        return None if table.schema is None else self.sa.sql.quoted_name(table.schema, quote=True)

    def commit(self) -> None:
        """End the transaction."""
        with self.faults():
            self.connection.commit()

    def close(self) -> None:
        """Drop the connection, and with it whatever was not committed; may be called again."""
        with suppress(self._engine.dialect.loaded_dbapi.Error, self.sa.exc.SQLAlchemyError):
            # No polite end elsewhere: drivers fetch what is left of a result before they end a query.
            if self._result is not None and self.dialect == "postgresql":
                self._result.close()
        with suppress(self._engine.dialect.loaded_dbapi.Error, self.sa.exc.SQLAlchemyError):
            self.connection.invalidate()
            self.connection.close()
        self._engine.dispose()

    def _make_engine(self) -> Any:
        try:
            url = self.sa.make_url(self._address.uri.reveal())
            given = _CONNECTING.get(url.get_driver_name(), {})
            options = {name: value for name, value in given.items() if name not in url.query}
            return self.sa.create_engine(
                url, poolclass=self.sa.pool.NullPool, hide_parameters=True, connect_args=options
            )
        except ImportError as error:
            package = _PACKAGES.get(error.name or "", error.name)
            raise MissingExtraError(
                f"{self._address.safe_uri!r} needs the package {package!r}",
                remedy=f"Run: pip install '{package}', or name another driver in the URI: dialect+driver://",
            ) from error
        except (self.sa.exc.ArgumentError, ValueError):
            # The message would repeat the URI.
            raise BadUriError(
                f"SQLAlchemy knows no such URI as {self._address.safe_uri!r}",
                remedy="Write dialect+driver://user@host/database, and install the package that brings the dialect",
            ) from None

    def _check_file(self) -> None:
        path = self._engine.url.database
        if self.dialect != "sqlite" or not path or path == MEMORY or path.startswith("file:"):
            return
        file = Path(path)
        missing = file if self._operation == "read" else file.parent
        if not missing.exists():
            raise BucketNotFoundError(
                "there is no such file" if missing is file else f"there is no folder {str(missing)!r}",
                operation=self._operation,
                uri=self._uri,
                remedy="Correct the path: four slashes begin an absolute one",
            )

    def _tame(self) -> None:
        """Keep the driver and the session from changing values on their way."""
        driver = self._engine.dialect.driver
        if self.dialect == "sqlite":
            # Python's driver would end transactions of its own accord.
            self.driver_connection.isolation_level = None
        if self.dialect == "postgresql":
            self.run("SET TimeZone = 'UTC'")
            self.connection.commit()
        if self.dialect == "mysql":
            # Otherwise values that are too long are cut.
            self.run("SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), time_zone = '+00:00'")
        if driver == "psycopg":
            _tame_psycopg(self.driver_connection.adapters)


def _tame_psycopg(adapters: Any) -> None:
    """Let a date that Python has no object for cost its row and not the run, and keep months and JSON as they are."""
    text = import_module("psycopg.types.string").TextLoader
    for name in _READ_AS_TEXT:
        adapters.register_loader(name, text)
    for name in _CAREFULLY_READ:
        inner = adapters.get_loader(adapters.types[name].oid, import_module("psycopg.pq").Format.TEXT)
        adapters.register_loader(name, _careful(inner))


def _careful(inner: Callable[..., Any]) -> Any:
    base = import_module("psycopg.adapt").Loader
    failure = import_module("psycopg").DataError

    class Careful(base):
        def __init__(self, oid: int, context: Any = None) -> None:
            super().__init__(oid, context)
            self._inner = inner(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._inner.load(data)
            except (failure, ValueError, ArithmeticError):
                return Unreadable(bytes(data).decode())

    return Careful
