"""What the tests of shards share: all that a reader tells of its rows, by one reader and by shards."""

import pickle
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from typing import Any

from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.formats.adapter import InputAdapter, InputStream, Shards

Told = tuple[Any, ...]
"""Source, row, line, and the cells or what is wrong with them."""


def no_wrap(store: Any) -> Any:
    return store


def tell(stream: InputStream, rows: Counter[str], lines: Counter[str]) -> tuple[list[Told], list[Told]]:
    """Return all rows and all malformed rows, numbered on from what was read before."""
    good: list[Told] = []
    bad: list[Told] = []
    read: Counter[str] = Counter()
    for batch in stream.batches():
        source = batch.source
        for index, cells in enumerate(batch.data.to_pylist()):
            line = batch.line_number(index)
            good.append((source, batch.row_number(index) + rows[source], line and line + lines[source], cells))
        bad += [
            (source, row.row + rows[source], row.line, row.error_type, row.message, row.original)
            for row in batch.malformed
        ]
        read[source] += batch.data.num_rows + len(batch.malformed)
    passed = stream.passed()
    if passed.rows is not None:
        assert len(read) < 2, "only one source can be gone on with"
    for source in read or [stream.sources[-1].uri]:
        rows[source] += read[source] if passed.rows is None else passed.rows
        lines[source] += passed.lines or 0
    return good, bad


def read_whole(adapter: InputAdapter) -> tuple[list[Told], list[Told]]:
    with adapter.open(no_wrap) as stream:
        good, bad = tell(stream, Counter(), Counter())
    return good, sorted(bad, key=lambda row: [source.uri for source in stream.sources].index(row[0]))


def read_shards(shards: Iterable[InputAdapter], like: InputStream) -> tuple[list[Told], list[Told]]:
    """Read shards that have travelled, and see that each looks like the whole."""
    rows: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    good: list[Told] = []
    bad: list[Told] = []
    for shard in shards:
        travelled: InputAdapter = pickle.loads(pickle.dumps(shard))
        with travelled.open(no_wrap) as stream:
            assert stream.kind == like.kind
            assert stream.schema.equals(like.schema, check_metadata=True)
            more, worse = tell(stream, rows, lines)
        good += more
        bad += worse
    return good, bad


def divide(adapter: InputAdapter, count: int, *, least_bytes: int = 1, executor: Executor | None = None) -> Shards:
    return adapter.shards(count, no_wrap, executor or SingleThreadExecutor(), least_bytes=least_bytes)


def is_whole(adapter: InputAdapter, count: int = 5) -> bool:
    """Whether it cannot be divided."""
    with divide(adapter, count) as shards:
        return list(shards) == [adapter]


def check_shards(adapter: InputAdapter, count: int) -> int:
    """See that shards give what one reader gives, and return how many there are."""
    with divide(adapter, count) as shards, adapter.open(no_wrap) as like:
        assert read_shards(shards, like) == read_whole(adapter)
        return len(shards)
