"""Parquet made of pieces: row groups are copied, and every reader finds them where the new footer says."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyhold import ParquetInputAdapter, ParquetOutputAdapter, open_store
from skyhold.errors import MalformedInputError
from skyhold.records.formats.adapter import Piece
from skyhold.records.formats.parquet_joining import join_footers
from skyhold.storage.contract import Store

SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "name": pa.dictionary(pa.int32(), pa.string()),
        "parts": pa.list_(pa.struct({"x": pa.float64(), "ok": pa.bool_()})),
        "price": pa.decimal128(12, 2),
    },
    metadata={"from": "here"},
)


def rows(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "id": n,
            "name": None if n % 5 == 0 else f"name {n % 3}",
            "parts": [{"x": n / 2, "ok": n % 2 == 0}] * (n % 4),
            "price": Decimal(n) / 4,
        }
        for n in range(start, start + count)
    ]


def join(store: Store, key: str, sizes: list[int], **options: Any) -> list[dict[str, Any]]:
    """Write pieces of some sizes, and an object of them; return all rows."""
    adapter = ParquetOutputAdapter(store.uri_of(key), **options)
    form = adapter.piece_form(beside=True)
    assert form is not None
    output = adapter.open(SCHEMA, lambda inner: inner)
    given: list[dict[str, Any]] = []
    for number, size in enumerate(sizes):
        content = rows(len(given), size)
        piece = form(store, f"piece-{number}", SCHEMA)
        piece.write(pa.RecordBatch.from_pylist(content, SCHEMA))
        (written,) = piece.close()
        data = store.read(f"piece-{number}")
        blocks = iter([data[at : at + 1000] for at in range(0, len(data), 1000)])
        output.append(Piece(store, f"piece-{number}", size, written.sha256 or "", blocks))
        given += content
    (written,) = output.close()
    assert written.rows == len(given)
    return given


@settings(max_examples=30)
@given(
    sizes=st.lists(st.integers(0, 60), min_size=1, max_size=6),
    group=st.sampled_from([3, 17, 1000]),
    compression=st.sampled_from(["zstd", "none"]),
)
def test_pieces_joined_are_read_as_if_written_at_once(sizes: list[int], group: int, compression: str):
    store = open_store(f"memory://joined-{uuid4().hex}")
    given = join(store, "whole.parquet", sizes, row_group_rows=group, compression=compression)
    data = store.read("whole.parquet")
    found = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
    assert found.to_pylist() == given
    assert (found.schema.metadata or {})[b"from"] == b"here"
    told = pq.read_metadata(pa.BufferReader(data))
    assert told.num_row_groups == sum(-(-size // group) for size in sizes)
    assert ParquetInputAdapter(store.uri_of("whole.parquet")).to_reader().read_all().to_pylist() == given


def test_other_readers_find_the_same(tmp_path: Any):
    store = open_store(tmp_path)
    given = join(store, "whole.parquet", [40, 0, 33], row_group_rows=7)
    path = tmp_path / "whole.parquet"
    assert pl.read_parquet(path)["id"].to_list() == [row["id"] for row in given]
    with duckdb.connect() as database:
        found = database.execute(f"SELECT id, len(parts) FROM '{path}' WHERE id > 30").fetchall()
    assert found == [(row["id"], len(row["parts"])) for row in given if row["id"] > 30]


def test_damaged_footers_are_refused_by_name():
    with pytest.raises(MalformedInputError, match="damaged"):
        join_footers([(b"\x15\x02\x19\xfc\xff", 0)])
