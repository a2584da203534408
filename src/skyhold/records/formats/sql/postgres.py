"""PostgreSQL, read through ADBC: binary COPY into Arrow, in one read-only transaction."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from skyhold.records.formats.adapter import InputStream
from skyhold.records.formats.sql.address import quote_name
from skyhold.records.formats.sql.asked import KeyRange, ReadRequest, Rows, SqlInput, check_names, literal
from skyhold.records.formats.sql.key_ranges import KeyRanges, even_bounds, key_of, range_conditions
from skyhold.records.formats.sql.parallel import in_order
from skyhold.records.formats.sql.postgres_session import Session
from skyhold.records.formats.sql.postgres_types import Layout

__all__ = ["divide_input", "open_input"]

_WHOLE_NUMBERS = {"smallint", "integer", "bigint"}


def open_input(request: ReadRequest) -> InputStream:
    """Begin to read a table or query of PostgreSQL."""
    session = Session(request.address, "read", request.uri)
    try:
        session.only_read(request.part.moment if request.part else None)
        described = session.describe(request.as_select())
        check_names(described.names, request.uri)
        layout = Layout.of(described)
        if request.partition_on is None or request.part:
            rows = _rows(session, layout, _statement(request, layout))
        else:
            rows = _partitioned(session, layout, request, _conditions(session, request, layout))
    except BaseException:
        session.close()
        raise
    return SqlInput(request, layout.schema, rows, session.close)


def divide_input(request: ReadRequest, count: int, least_bytes: int) -> KeyRanges | None:
    """Divide by the key that was named, or by the pages of a table, which are the order in which it is read.

    None where there are neither. All parts are read as of one moment, as long as the session lives that keeps it.
    """
    session = Session(request.address, "read", request.uri)
    try:
        session.only_read()
        layout = Layout.of(session.describe(request.as_select()))
        if request.partition_on is not None:
            conditions = _conditions(session, replace(request, partitions=count), layout)
        else:
            pages, page_bytes = _pages(session, request)
            bounds = even_bounds(0, pages - 1, min(count, pages * page_bytes // least_bytes)) if pages else []
            conditions = range_conditions("ctid", [f"'({page},0)'::tid" for page in bounds])
        moment = _export_snapshot(session)
    except BaseException:
        session.close()
        raise
    return KeyRanges([KeyRange(condition, layout.schema, moment) for condition in conditions], session.close)


def _pages(session: Session, request: ReadRequest) -> tuple[int, int]:
    """Return how many pages a table has, and their size; none of what is not one table of its own."""
    if request.table is None:
        return 0, 0
    found = session.rows(
        "SELECT CASE WHEN relkind = 'r' AND NOT relhassubclass THEN pg_relation_size(oid) ELSE 0 END AS bytes,"  # noqa: S608
        " current_setting('block_size')::bigint AS page_bytes"
        f" FROM pg_class WHERE oid = {literal(request.table.quoted())}::regclass"
    )[0]
    return found["bytes"] // found["page_bytes"], found["page_bytes"]


def _export_snapshot(session: Session) -> str:
    return str(session.rows("SELECT pg_export_snapshot() AS id")[0]["id"])


def _statement(request: ReadRequest, layout: Layout, condition: str = "") -> str:
    if not condition and not layout.needs_words:
        return request.as_select()
    where = f" WHERE {condition}" if condition else request.sql_where()
    limit = request.sql_limit()
    return f"SELECT {layout.selection()} FROM {request.as_relation()}{where}{limit}"  # noqa: S608 - names are quoted


def _rows(session: Session, layout: Layout, sql: str) -> Iterator[Rows]:
    with closing(session.stream(sql)) as batches:  # type: ignore[type-var]
        for batch in batches:
            yield layout.read(batch)


def _partitioned(session: Session, layout: Layout, request: ReadRequest, conditions: list[str]) -> Iterator[Rows]:
    snapshot = _export_snapshot(session)

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
    key, relation = quote_name(key_of(request, layout.schema) or ""), request.as_relation()
    kind = session.rows(f"SELECT pg_typeof((SELECT {key} FROM {relation} LIMIT 1))::text AS kind")[0]["kind"]  # noqa: S608
    if kind in _WHOLE_NUMBERS:
        ends = session.rows(f"SELECT min({key})::bigint AS least, max({key})::bigint AS most FROM {relation}")[0]  # noqa: S608
        bounds = [str(bound) for bound in even_bounds(ends["least"], ends["most"], request.partitions)]
    else:
        shares = ",".join(str(part / request.partitions) for part in range(1, request.partitions))
        found = session.rows(
            f"SELECT (percentile_disc(ARRAY[{shares}]::float8[]) WITHIN GROUP (ORDER BY {key}))::text[] AS bounds"  # noqa: S608
            f" FROM {relation}"
        )[0]["bounds"]
        bounds = [bound for bound in dict.fromkeys(found or ()) if bound is not None]
    return range_conditions(key, [f"{literal(bound)}::{kind}" for bound in bounds])
