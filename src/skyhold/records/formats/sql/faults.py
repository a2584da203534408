"""Errors of databases, translated once: by SQLSTATE, and where a driver gives none, by what it says."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from skyhold.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BadCredentialsError,
    BadOptionError,
    BadUriError,
    BucketNotFoundError,
    ConflictError,
    KeyNotFoundError,
    MalformedInputError,
    SchemaError,
    ServerFaultError,
    SkyholdError,
    StorageError,
    StoreTimeoutError,
    UnreachableError,
)
from skyhold.records.formats.sql.address import DatabaseAddress

__all__ = ["BY_STATE", "BY_TEXT", "Meaning", "meaning_of", "state_of", "translated"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a failure is here, and what to do about it."""

    kind: type[SkyholdError]
    remedy: str = ""


_MISSING_TABLE = Meaning(KeyNotFoundError, "Correct table_name or the query; letters count exactly as written")
_MISSING_DATABASE = Meaning(BucketNotFoundError, "Correct the database's name in the URI, or create it")
_CREDENTIALS = Meaning(BadCredentialsError, "Correct the user and password in the URI; percent-encode signs in them")
_UNREACHABLE = Meaning(UnreachableError, "Check host and port, and that the server runs and accepts TCP connections")
_SLOW = Meaning(StoreTimeoutError, "Try again later, or raise the server's time limits")
_RIGHTS = Meaning(AccessDeniedError, "Grant the user the right, or connect as another")
_EXISTS = Meaning(AlreadyExistsError, "Use mode='append', 'replace' or 'upsert', or another table_name")
_QUERY = Meaning(BadOptionError, "Correct the query or the names given")
_ROWS = Meaning(SchemaError, "Correct the rows or the table's constraints")
_VALUES = Meaning(MalformedInputError, "Correct the value, or the column's type")
_SERVER = Meaning(ServerFaultError, "Look at the server's log")
_BUSY = Meaning(ConflictError, "Try again when the other transaction has ended")

BY_STATE: dict[str, Meaning] = {
    "08": _UNREACHABLE,
    "08P01": _VALUES,
    "0A": _QUERY,
    "22": _VALUES,
    "23": _ROWS,
    "23505": Meaning(ConflictError, "Use mode='upsert' with key=, or remove the repeated rows"),
    "25006": Meaning(BadOptionError, "Give an input a query that only reads"),
    "28": _CREDENTIALS,
    "2BP01": Meaning(ConflictError, "Drop what depends on the old table first, or use mode='append' or 'upsert'"),
    "3D000": _MISSING_DATABASE,
    "3F000": Meaning(KeyNotFoundError, "Correct the schema in table_name, or create it"),
    "40": _BUSY,
    "42": _QUERY,
    "42501": _RIGHTS,
    "42809": Meaning(BadOptionError, "Name a table; views and the like cannot be written or replaced"),
    "42P01": _MISSING_TABLE,
    "42P07": _EXISTS,
    "42S01": _EXISTS,
    "42S02": _MISSING_TABLE,
    "42P10": Meaning(SchemaError, "Add a unique constraint over exactly the columns of key="),
    "53": _SERVER,
    "55P03": _BUSY,
    "57014": _SLOW,
    "57P": _UNREACHABLE,
    "58": _SERVER,
    "HYT": _SLOW,
    "IM": Meaning(BadUriError, "Correct the name of the driver or data source in the URI"),
    "XX": _SERVER,
}
"""By SQLSTATE, or the beginning of one; the longest beginning counts."""

_MYSQL_STATES: dict[str, tuple[int, ...]] = {
    "08000": (2002, 2003, 2005, 2006, 2013),
    "22000": (1264, 1265, 1292, 1366, 1406),
    "23000": (1048, 1364, 1451, 1452, 3819),
    "23505": (1062,),
    "25006": (1290, 1792),
    "28000": (1045, 1698),
    "3D000": (1049,),
    "40000": (1205, 1213),
    "42000": (1054, 1064),
    "42501": (1044, 1142, 1143, 1227),
    "42P01": (1146,),
    "42P07": (1050,),
    "57014": (1317, 3024),
}
"""What MySQL's numbers of errors would be as SQLSTATEs; of its own SQLSTATEs most are ``42000`` or ``HY000``."""

BY_TEXT: tuple[tuple[str, Meaning], ...] = (
    (r"password authentication failed|no password supplied|role .* does not exist", _CREDENTIALS),
    (r"no pg_hba\.conf entry|permission denied", _RIGHTS),
    (r"database .* does not exist", _MISSING_DATABASE),
    (r"timeout expired|timed out", _SLOW),
    (r"invalid URI|invalid .*option|missing key/value|invalid .*value", Meaning(BadUriError, "Correct the URI")),
    (r"canceling statement", _SLOW),
    (r"terminating connection|Failed to connect|server closed the connection|connection to server", _UNREACHABLE),
    (r"failed to resolve host|Connection refused", _UNREACHABLE),
    (r"no such table|Table with name .* does not exist", _MISSING_TABLE),
    (r"unable to open database file|Cannot open (file|database)", _MISSING_DATABASE),
    (r"file is not a database|not a valid DuckDB database", Meaning(MalformedInputError, "Name a database's file")),
    (r"database (table )?is locked|Could not set lock|[Tt]ransaction conflict", _BUSY),
    (r"file handle conflict|different configuration", _BUSY),
    (r"readonly database|read-only mode", _RIGHTS),
    (r"already exists", _EXISTS),
    (r"ON CONFLICT clause does not match|no unique index|not referenced by a UNIQUE", BY_STATE["42P10"]),
    (r"UNIQUE constraint|Duplicate key", BY_STATE["23505"]),
    (r"constraint failed|Constraint Error", _ROWS),
    (r"Conversion Error|Out of Range", _VALUES),
    (r"disk image is malformed|disk I/O error|disk is full", _SERVER),
    (r"syntax error|incomplete input|one statement|bindings supplied|Parser Error", _QUERY),
    (r"no such column|use DROP VIEW|cannot modify|Binder Error|Catalog Error", _QUERY),
    (r"ORA-01017", _CREDENTIALS),
    (r"ORA-(00942|04043)", _MISSING_TABLE),
    (r"ORA-00955", _EXISTS),
    (r"ORA-00001", BY_STATE["23505"]),
    (r"ORA-(01400|0229[0-2])", _ROWS),
    (r"ORA-(01438|01722|12899)", _VALUES),
    (r"ORA-01031", _RIGHTS),
    (r"ORA-12514|DPY-600[13]", _MISSING_DATABASE),
    (r"ORA-(12170|12541|12545)|DPY-(4011|6005)", _UNREACHABLE),
    (r"ORA-009\d\d", _QUERY),
    # Once PostgreSQL's rows flow, the driver gives no SQLSTATE; what fails then is mostly a value.
    (r"PGRES_FATAL_ERROR", _VALUES),
)
"""By what the driver says, the first that is found, where there is no SQLSTATE."""

_SERVER_SAYS = re.compile(r"(?:ERROR|FATAL):\s+(?P<error>[^\n]*)(?:.*?\nDETAIL:\s+(?P<detail>[^\n]*))?", re.DOTALL)
_STATE = re.compile(r"[0-9A-Z]{5}")
_ECHO = re.compile(r"\s*(?:\n|\. )?(?:Query was|SQLSTATE).*", re.DOTALL)


def meaning_of(state: str | None, text: str) -> Meaning | None:
    """Return what a failure means; None where the tables do not know it."""
    for length in range(len(state or ""), 1, -1):
        found = BY_STATE.get((state or "")[:length])
        if found is not None:
            return found
    return next((meaning for pattern, meaning in BY_TEXT if re.search(pattern, text)), None)


def state_of(error: Exception) -> str | None:
    """Return the SQLSTATE of what a driver raised, wherever it keeps it; None where it has none.

    Example:
        >>> state_of(Exception(1146, "Table 'sales.t' doesn't exist")), state_of(Exception("42S02", "[HY000] no table"))
        ('42P01', '42S02')
    """
    said = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if said or not error.args:
        return said
    first = error.args[0]
    if isinstance(first, int):
        return next((state for state, numbers in _MYSQL_STATES.items() if first in numbers), None)
    return first if isinstance(first, str) and len(error.args) > 1 and _STATE.fullmatch(first) else None


@contextmanager
def translated(address: DatabaseAddress, operation: str, uri: str, *errors: type[Exception]) -> Generator[None]:
    """Raise this package's errors in place of the driver's ``errors``; unknown ones pass.

    Args:
        address: Whose secrets no message may show.
        operation: The verb for messages.
        uri: What is worked on, without secrets.
        *errors: What the driver raises.
    """
    try:
        yield
    except SkyholdError:
        raise
    except errors as error:
        text = str(error)
        meaning = meaning_of(state_of(error), text)
        clean = address.scrub(text) == text
        if meaning is None and clean:
            raise
        ours = _ours(meaning or _SERVER, address.scrub(_reason(text)), operation, uri, address.identity)
        raise ours from (error if clean else None)


def _ours(meaning: Meaning, reason: str, operation: str, uri: str, identity: str) -> SkyholdError:
    if issubclass(meaning.kind, StorageError):
        return meaning.kind(reason, operation=operation, uri=uri, identity=identity, remedy=meaning.remedy)
    return meaning.kind(f"{operation} {uri!r}: {reason}", remedy=meaning.remedy)


def _reason(text: str) -> str:
    said = _SERVER_SAYS.search(text)
    if said:
        detail = said["detail"]
        return said["error"].strip() + (f" ({detail.strip()})" if detail else "")
    return " ".join(_ECHO.sub("", text).split())
