"""Where a database is: taken apart once, and shown without its password."""

import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from skyhold.config import Secret
from skyhold.errors import BadOptionError, BadUriError

__all__ = ["MEMORY", "DatabaseAddress", "Dialect", "TableName", "parse_database", "parse_table", "quote_name"]

Dialect = Literal["postgresql", "sqlite", "duckdb", "sqlalchemy"]

MEMORY = ":memory:"

_EMBEDDED: dict[str, Dialect] = {"sqlite": "sqlite", "duckdb": "duckdb"}
_FOREIGN = {"mysql", "mariadb", "mssql", "oracle"}
_SCHEME = re.compile(r"[a-z][a-z0-9_+.-]*")
_SECRET_OPTION = re.compile(r"pass|pwd|token|secret|odbc_connect", re.IGNORECASE)
_ODBC_PASSWORD = re.compile(r"(?:pwd|password)\s*=\s*\{?([^;}]*)", re.IGNORECASE)
_SEGMENT = re.compile(r'"((?:[^"]|"")+)"(?=\.|$)|([^.]+)')
_SHOWN_QUERY = 200
_SHORT_SECRET = 3
_REMEDY = (
    "Write postgresql://user@host/database, sqlite:///path, duckdb:///path, or for others dialect+driver://…,"
    " and percent-encode the password"
)


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """A database's URI, taken apart.

    Attributes:
        dialect: Who speaks to it; ``sqlalchemy`` for what this package does not speak itself.
        uri: As it was given.
        safe_uri: For messages, receipts and logs: neither user, password nor options.
        user: Who connects, where the URI says so.
        path: Of an embedded database: its file, or ``:memory:``.
        secrets: Texts that no message may show.
    """

    dialect: Dialect
    uri: Secret
    safe_uri: str
    user: str = ""
    path: str = ""
    secrets: tuple[Secret, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle what holds no secret; what holds one goes to no other process."""
        uri = self.uri if self.secrets else self.uri.reveal()
        return parse_database, (uri,)

    @property
    def identity(self) -> str:
        """Who connects, for errors."""
        return f"user {self.user!r} of the URI" if self.user else ""

    def uri_of_table(self, table: "TableName") -> str:
        """Return what names the table, without secrets."""
        return f"{self.safe_uri}?table={quote(str(table), safe='.')}"

    def uri_of_query(self, query: str) -> str:
        """Return what names the query's result: its text, shortened, without the database's secrets."""
        shown = " ".join(query.split())
        shown = shown if len(shown) <= _SHOWN_QUERY else shown[:_SHOWN_QUERY] + "…"
        return f"{self.safe_uri}?query={quote(self.scrub(shown), safe=' *,()=<>.')}"

    def scrub(self, text: str) -> str:
        """Return the text with every secret of this address taken out."""
        for secret in self.secrets:
            text = text.replace(secret.reveal(), "**redacted**")
        return text


@dataclass(frozen=True, slots=True)
class TableName:
    """A table, and the schema it is in if that was said; both exactly as the database spells them."""

    name: str
    schema: str | None = None

    def quoted(self) -> str:
        """Return it for SQL, whatever its letters.

        Example:
            >>> print(TableName('Order "of" x', "sales").quoted())
            "sales"."Order ""of"" x"
        """
        return ".".join(quote_name(part) for part in (self.schema, self.name) if part is not None)

    def __str__(self) -> str:
        return self.name if self.schema is None else f"{self.schema}.{self.name}"


def quote_name(name: str) -> str:
    """Return a name for SQL, whatever its letters.

    Raises:
        BadOptionError: It is empty or holds a NUL, which no database takes.
    """
    if not name or "\0" in name:
        raise BadOptionError(f"{name!r} cannot be a name in a database")
    return '"' + name.replace('"', '""') + '"'


def parse_table(text: str) -> TableName:
    """Take ``table`` or ``schema.table`` apart; letters count as written, and quotes protect a dot.

    Raises:
        BadOptionError: It is empty, or has more than two parts.

    Example:
        >>> parse_table("sales.Orders")
        TableName(name='Orders', schema='sales')
        >>> parse_table('"a.b"')
        TableName(name='a.b', schema=None)
    """
    parts: list[str] = []
    position = 0
    while match := _SEGMENT.match(text, position):
        inner, plain = match.groups()
        parts.append(plain if inner is None else inner.replace('""', '"'))
        position = match.end()
        if position == len(text):
            break
        position += 1
    if position != len(text) or not 1 <= len(parts) <= 2 or "\0" in text:  # noqa: PLR2004 - schema and table
        raise BadOptionError(
            f"table_name={text!r} is not a table", remedy="Write 'table' or 'schema.table', and \"…\" around a dot"
        )
    return TableName(parts[-1], parts[0] if len(parts) > 1 else None)


def parse_database(uri: str) -> DatabaseAddress:
    """Take a database's URI apart; messages never repeat it, since any part may be a password.

    Raises:
        BadUriError: It is no URI of a database.

    Example:
        >>> parse_database("postgresql://me:secret@host/sales?password=x").safe_uri
        'postgresql://host/sales'
        >>> parse_database("sqlite:///data/sales.db").path
        'data/sales.db'
        >>> parse_database("mysql+pymysql://me:secret@host/sales?charset=utf8mb4").safe_uri
        'mysql+pymysql://host/sales'
    """
    scheme, found, rest = uri.partition("://")
    scheme = scheme.lower()
    if not found or not _SCHEME.fullmatch(scheme):
        raise BadUriError("the database's URI has no scheme", remedy=_REMEDY)
    if scheme in _EMBEDDED:
        return _embedded(_EMBEDDED[scheme], uri, rest)
    own = scheme in {"postgresql", "postgres"}
    if not own and scheme not in _FOREIGN and "+" not in scheme:
        raise BadUriError(f"{scheme}:// is no database that can be read or written", remedy=_REMEDY)
    try:
        parts = urlsplit(uri)
        host, port, query = parts.hostname or "", parts.port, parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        raise BadUriError(f"the {scheme}:// URI cannot be split", remedy=_REMEDY) from None
    # An unencoded '/', '?' or '#' in the password shifts the rest of it to here.
    if "@" in parts.path + parts.query or "#" in uri:
        raise BadUriError(f"the {scheme}:// URI cannot be split", remedy=_REMEDY)
    if not own:
        # What precedes a path differs between dialects, so it stays as it is: relative paths have no slash of theirs.
        shown = f"{quote(unquote(host), safe='.-:')}{f':{port}' if port is not None else ''}{parts.path}"
        user = unquote(parts.username or "")
        secrets = _secrets(uri, parts.password, query)
        return DatabaseAddress("sqlalchemy", Secret(uri), f"{scheme}://{shown}", user=user, secrets=secrets)
    values = dict(query)
    host = unquote(host) or ("" if values.get("host", "").startswith("/") else values.get("host", ""))
    shown = f"[{host}]" if ":" in host else host
    shown += f":{port}" if port is not None else ""
    return DatabaseAddress(
        "postgresql",
        Secret(uri),
        f"{scheme}://{shown}/{quote(unquote(parts.path.lstrip('/')) or values.get('dbname', ''))}",
        user=unquote(parts.username or "") or values.get("user", ""),
        secrets=_secrets(uri, parts.password, query),
    )


def _embedded(dialect: Dialect, uri: str, rest: str) -> DatabaseAddress:
    host, slash, path = rest.partition("/")
    if host or not slash or "?" in path or path.endswith("/"):
        raise BadUriError(
            f"{uri!r} names no file",
            remedy=f"Write {dialect}:///relative/path, {dialect}:////absolute/path or {dialect}:///{MEMORY}",
        )
    path = path or MEMORY
    return DatabaseAddress(dialect, Secret(uri), f"{dialect}:///{path}", path=path)


def _secrets(uri: str, password: str | None, query: list[tuple[str, str]]) -> tuple[Secret, ...]:
    texts = {value for name, value in query if _SECRET_OPTION.search(name)}
    texts |= {found for value in tuple(texts) for found in _ODBC_PASSWORD.findall(value)}
    if password:
        texts |= {password, unquote(password)}
    if texts:
        texts.add(uri)
    kept = sorted((text for text in texts if len(text) > _SHORT_SECRET), key=len, reverse=True)
    return tuple(Secret(text) for text in kept)
