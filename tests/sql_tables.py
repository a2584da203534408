"""What the tests of SQL share: writing and reading a table in one call."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

import pyarrow as pa

from skyhold import SQLInputAdapter, SQLOutputAdapter
from skyhold.records.formats.adapter import Batch, Written
from skyhold.records.formats.sql.address import parse_database
from skyhold.records.formats.sql.postgres_session import Session


def fresh(word: str = "t") -> str:
    """A name that no other test uses."""
    return f"{word}_{uuid4().hex[:12]}"


def write(uri: str, table: str, rows: pa.Table | Sequence[dict[str, Any]], **options: Any) -> list[Written]:
    data = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows))
    stream = SQLOutputAdapter(uri, table, **options).open(data.schema, lambda store: store)
    try:
        for batch in data.to_batches(max_chunksize=1000):
            stream.write(batch)
        return stream.close()
    except BaseException:
        stream.abort()
        raise


def batches(uri: str, table: str | None = None, **options: Any) -> list[Batch]:
    with SQLInputAdapter(uri, table, **options).open(lambda store: store) as stream:
        return list(stream.batches())


def rows(uri: str, table: str | None = None, **options: Any) -> list[dict[str, Any]]:
    return [row for batch in batches(uri, table, **options) for row in batch.data.to_pylist()]


def count(uri: str, table: str) -> int:
    return int(rows(uri, query=f'SELECT count(*) AS n FROM "{table}"')[0]["n"])


def administer(uri: str, statements: Iterable[str]) -> None:
    """Run statements of PostgreSQL."""
    session = Session(parse_database(uri), "test", "test")
    for statement in statements:
        session.run(statement)
    session.commit()
    session.close()
