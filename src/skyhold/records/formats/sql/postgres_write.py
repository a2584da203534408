"""PostgreSQL, written through ADBC: binary COPY, and one transaction from the first row to the last."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Sequence
from uuid import uuid4

import pyarrow as pa

from skyhold.errors import BadOptionError, SchemaError
from skyhold.records.formats.adapter import OutputStream
from skyhold.records.formats.sql.address import TableName, quote_name
from skyhold.records.formats.sql.asked import SqlOutput, WriteRequest, check_columns, literal, refuse_existing
from skyhold.records.formats.sql.postgres_columns import Target, Wire, new_wire, wire_into
from skyhold.records.formats.sql.postgres_session import Session

__all__ = ["open_output"]

_LONGEST_NAME_BYTES = 63
_ORDER = "skyhold row"


def open_output(request: WriteRequest, schema: pa.Schema) -> OutputStream:
    """Begin to write a table of PostgreSQL; what can be refused is refused now."""
    _check_lengths([request.table.name, *schema.names])
    session = Session(request.address, "write", request.uri)
    try:
        table = _resolved(session, request.table)
        targets = _targets(session, table)
        if targets is not None and request.mode == "create":
            refuse_existing(request)
        if targets is None or request.mode == "replace":
            return _into_new_table(session, request, table, schema, exists=targets is not None)
        return _into_existing_table(session, request, table, schema, targets)
    except BaseException:
        session.close()
        raise


def _into_new_table(
    session: Session, request: WriteRequest, target: TableName, schema: pa.Schema, *, exists: bool
) -> OutputStream:
    wires = [new_wire(field) for field in schema]
    if request.mode == "upsert":
        _create(session, "TABLE", target, wires, request.key)
        return _staged(session, request, target, wires)
    if not exists:
        _create(session, "TABLE", target, wires)
        return _PostgresOutput(session, request, wires, target, [])
    building = TableName(f"skyhold_new_{uuid4().hex}", target.schema)
    _create(session, "TABLE", building, wires)
    swap = [
        f"DROP TABLE {target.quoted()}",
        f"ALTER TABLE {building.quoted()} RENAME TO {quote_name(target.name)}",
    ]
    return _PostgresOutput(session, request, wires, building, swap)


def _into_existing_table(
    session: Session, request: WriteRequest, table: TableName, schema: pa.Schema, targets: dict[str, Target]
) -> OutputStream:
    check_columns(request, schema, list(targets))
    wires = [wire_into(field, targets[field.name], request.uri) for field in schema]
    if request.mode == "upsert":
        _check_unique(session, request, table)
    if request.mode == "upsert" or any(wire.cast_to for wire in wires):
        return _staged(session, request, table, wires)
    return _PostgresOutput(session, request, wires, table, [])


def _staged(session: Session, request: WriteRequest, table: TableName, wires: Sequence[Wire]) -> OutputStream:
    """Collect rows in a table of this connection, and move them to the target at the end."""
    stage = TableName(f"skyhold_stage_{uuid4().hex}")
    _create(session, "TEMPORARY TABLE", stage, wires, serial=True)
    names = ", ".join(quote_name(wire.name) for wire in wires)
    cells = ", ".join(
        f"{quote_name(wire.name)}::{wire.cast_to}" if wire.cast_to else quote_name(wire.name) for wire in wires
    )
    source, order = stage.quoted(), quote_name(_ORDER)
    insert = f"INSERT INTO {table.quoted()} ({names}) SELECT"
    if request.mode != "upsert":
        return _PostgresOutput(session, request, wires, stage, [f"{insert} {cells} FROM {source} ORDER BY {order}"])
    key = ", ".join(quote_name(name) for name in request.key)
    others = [quote_name(wire.name) for wire in wires if wire.name not in request.key]
    action = f"UPDATE SET {', '.join(f'{name} = EXCLUDED.{name}' for name in others)}" if others else "NOTHING"
    last = f"{insert} DISTINCT ON ({key}) {cells} FROM {source} ORDER BY {key}, {order} DESC"
    return _PostgresOutput(session, request, wires, stage, [f"{last} ON CONFLICT ({key}) DO {action}"])


class _PostgresOutput(SqlOutput):
    def __init__(
        self, session: Session, request: WriteRequest, wires: Sequence[Wire], into: TableName, at_end: Sequence[str]
    ) -> None:
        super().__init__(request)
        self._session = session
        self._wires = wires
        self._into = into
        self._at_end = at_end

    def abort(self) -> None:
        self._session.close()

    def _send(self, table: pa.Table) -> None:
        columns = [
            wire.encode(column.combine_chunks()) for wire, column in zip(self._wires, table.columns, strict=True)
        ]
        ready = pa.Table.from_arrays(columns, names=[wire.name for wire in self._wires])
        self._session.ingest(self._into, ready, temporary=self._into.name.startswith("skyhold_stage_"))

    def _publish(self) -> None:
        for statement in self._at_end:
            self._session.run(statement)
        self._session.commit()
        self._session.close()


def _create(
    session: Session,
    what: str,
    table: TableName,
    wires: Sequence[Wire],
    key: Sequence[str] = (),
    *,
    serial: bool = False,
) -> None:
    parts = [f"{quote_name(wire.name)} {wire.sql_type}" for wire in wires]
    if key:
        parts.append(f"PRIMARY KEY ({', '.join(quote_name(name) for name in key)})")
    if serial:
        parts.append(f"{quote_name(_ORDER)} bigserial")
    session.run(f"CREATE {what} {table.quoted()} ({', '.join(parts)})")


def _oid(table: TableName) -> str:
    return f"to_regclass({literal(table.quoted())})"


def _resolved(session: Session, table: TableName) -> TableName:
    """Return the table with the schema it is in, or will be made in."""
    if table.schema is not None:
        return table
    rows = session.rows(
        "SELECT coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"  # noqa: S608
        f" WHERE c.oid = {_oid(table)}), current_schema())::text AS home"
    )
    return TableName(table.name, rows[0]["home"])


def _targets(session: Session, table: TableName) -> dict[str, Target] | None:
    rows = session.rows(
        "SELECT a.attname::text AS name, t.typname::text AS kind, a.atttypmod AS typmod,"  # noqa: S608 - quoted
        " format_type(a.atttypid, a.atttypmod) AS sql_type"
        " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
        f" WHERE a.attrelid = {_oid(table)} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    )
    exists = session.rows(f"SELECT {_oid(table)} IS NOT NULL AS found")[0]["found"]
    return {row["name"]: Target(**row) for row in rows} if exists else None


def _check_unique(session: Session, request: WriteRequest, table: TableName) -> None:
    rows = session.rows(
        "SELECT array_agg(a.attname::text) AS names FROM pg_index i"  # noqa: S608 - quoted
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])"
        f" WHERE i.indrelid = {_oid(table)} AND i.indisunique AND i.indpred IS NULL GROUP BY i.indexrelid"
    )
    if not any(set(row["names"]) == set(request.key) for row in rows):
        raise SchemaError(
            f"{request.uri!r} has no unique constraint over exactly {list(request.key)}, which key= names",
            remedy="Add one: ALTER TABLE … ADD UNIQUE (…)",
        )


def _check_lengths(names: Sequence[str]) -> None:
    for name in names:
        if len(name.encode()) > _LONGEST_NAME_BYTES:
            raise BadOptionError(
                f"{name!r} is longer than {_LONGEST_NAME_BYTES} bytes, which PostgreSQL would cut",
                remedy="Choose a shorter name",
            )
