"""PostgreSQL, read through ADBC: binary COPY into Arrow, in one read-only transaction."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

from skyhold.errors import BadOptionError
from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql.address import quote_name
from skyhold.records.formats.sql.asked import ReadRequest, Rows, SqlInput, check_names
from skyhold.records.formats.sql.parallel import in_order
from skyhold.records.formats.sql.postgres_session import Session, literal
from skyhold.records.formats.sql.postgres_types import Layout

__all__ = ["open_input"]

_WHOLE_NUMBERS = {"smallint", "integer", "bigint"}


def open_input(request: ReadRequest) -> InputStream:
    """Begin to read a table or query of PostgreSQL."""
    session = Session(request.address, "read", request.uri)
    try:
        session.only_read()
        described = session.describe(request.as_select())
        check_names(described.names, request.uri)
        layout = Layout.of(described)
        if request.partition_on is None:
            rows = _rows(session, layout, _statement(request, layout))
        else:
            rows = _partitioned(session, layout, request, _conditions(session, request, layout))
    except BaseException:
        session.close()
        raise
    return SqlInput(request, layout.schema, rows, session.close)


def _statement(request: ReadRequest, layout: Layout, condition: str = "") -> str:
    if not condition and not layout.needs_words:
        return request.as_select()
    where = f" WHERE {condition}" if condition else ""
    limit = request.sql_limit()
    return f"SELECT {layout.selection()} FROM {request.as_relation()}{where}{limit}"  # noqa: S608 - names are quoted


def _rows(session: Session, layout: Layout, sql: str) -> Iterator[Rows]:
    with closing(session.stream(sql)) as batches:  # type: ignore[type-var]
        for batch in batches:
            yield layout.read(batch)


def _partitioned(session: Session, layout: Layout, request: ReadRequest, conditions: list[str]) -> Iterator[Rows]:
    snapshot = str(session.rows("SELECT pg_export_snapshot() AS id")[0]["id"])

    def read(condition: str) -> Iterator[Rows]:
        part = Session(request.address, "read", request.uri)
        try:
            part.only_read(snapshot)
            yield from _rows(part, layout, _statement(request, layout, condition))
        finally:
            part.close()

    return in_order([lambda condition=condition: read(condition) for condition in conditions])


def _conditions(session: Session, request: ReadRequest, layout: Layout) -> list[str]:
    """Return one condition for each range of the key: together they hold for every row exactly once."""
    name = request.partition_on or ""
    if name not in layout.schema.names:
        raise BadOptionError(f"partition_on={name!r} is not a column of {request.uri!r}: {layout.schema.names}")
    key, relation = quote_name(name), request.as_relation()
    kind = session.rows(f"SELECT pg_typeof((SELECT {key} FROM {relation} LIMIT 1))::text AS kind")[0]["kind"]  # noqa: S608
    if kind in _WHOLE_NUMBERS:
        ends = session.rows(f"SELECT min({key})::bigint AS least, max({key})::bigint AS most FROM {relation}")[0]  # noqa: S608
        bounds = _even_bounds(ends["least"], ends["most"], request.partitions)
    else:
        shares = ",".join(str(part / request.partitions) for part in range(1, request.partitions))
        found = session.rows(
            f"SELECT (percentile_disc(ARRAY[{shares}]::float8[]) WITHIN GROUP (ORDER BY {key}))::text[] AS bounds"  # noqa: S608
            f" FROM {relation}"
        )[0]["bounds"]
        bounds = [bound for bound in dict.fromkeys(found or ()) if bound is not None]
    values = [f"{literal(bound)}::{kind}" for bound in bounds]
    if not values:
        return ["TRUE"]
    between = [f"{key} >= {low} AND {key} < {high}" for low, high in pairwise(values)]
    return [f"({key} < {values[0]} OR {key} IS NULL)", *between, f"{key} >= {values[-1]}"]


def _even_bounds(least: int | None, most: int | None, parts: int) -> list[str]:
    if least is None or most is None:
        return []
    width = most + 1 - least
    return [str(bound) for bound in sorted({least + width * part // parts for part in range(1, parts)} - {least})]
