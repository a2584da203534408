"""The results of a campaign as one table: parameters and values, with units, and where they come from."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from skyhold.errors import BadOptionError
from skyhold.simulation.layout import table_part_key
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.spending import price_of, requests_in
from skyhold.simulation.table import QualityGate, TableBuilder, add_deltas, add_quality, add_values, names_of
from skyhold.simulation.table_head import TableHead, TablePart
from skyhold.simulation.table_joining import join_tables
from skyhold.simulation.tasks import Label
from skyhold.storage.contract import Store
from skyhold.storage.pricing import AWS_2024

__all__ = ["build_table", "compare", "read_table", "select", "write_rows"]

_READS = 16

_SEVERITIES = ("warning", "severe", "fatal")


def build_table(labels: Iterable[Label], results: Mapping[str, Outcome]) -> Any:
    """Return a row for each label, in the order of the plan.

    Columns: ``label``, the parameters, the values (their units are in the fields' metadata), then how the case ended
    and where it comes from. A value of the name of a parameter is called ``"name (result)"``.
    """
    rows = list(labels)
    ends = [results.get(row.case) for row in rows]
    built = TableBuilder()
    add = built.add
    add("label", [row.label for row in rows], "label")
    for name in names_of(row.parameters for row in rows):
        add(name, [row.parameters.get(name) for row in rows], "parameter")
    for name in names_of(end.values for end in ends if end):
        found = [end.values.get(name) if end else None for end in ends]
        units = {each.unit for each in found if each is not None}
        add(name, [None if each is None else each.value for each in found], "value", "; ".join(sorted(units)))
    for name, read in _ENDS.items():
        add(name, [None if end is None else read(end) for end in ends], "end")
    add("case", [row.case for row in rows], "provenance")
    add("baseline", [row.baseline for row in rows], "provenance")
    for name, read in _PROVENANCE.items():
        add(name, [None if end is None else read(end) for end in ends], "provenance")
    for name, (unit, read) in _USAGE.items():
        add(name, [None if end is None else read(end) for end in ends], "provenance", unit)
    return built.table()


_ENDS: dict[str, Callable[[Outcome], Any]] = {
    "state": lambda end: "failed" if end.failure else "done",
    "failure": lambda end: end.failure,
    "detail": lambda end: end.detail or None,
    **{f"{each}_messages": lambda end, each=each: end.messages.get(each, 0) for each in _SEVERITIES},
}
_PROVENANCE: dict[str, Callable[[Outcome], Any]] = {
    "build": lambda end: end.build,
    "attempt": lambda end: end.attempt,
    "worker": lambda end: end.worker,
    "reused_from": lambda end: end.reused_from or None,
    "seconds": lambda end: end.seconds,
    "kept_bytes": lambda end: sum(file.size_bytes for file in end.files),
}
_USAGE: dict[str, tuple[str, Callable[[Outcome], float | None]]] = {
    "requests": ("", lambda end: requests_in(end.usage) if end.usage else None),
    "read_bytes": ("", lambda end: end.usage.get("bytes_in", 0.0) if end.usage else None),
    "sent_bytes": ("", lambda end: end.usage.get("bytes_out", 0.0) if end.usage else None),
    "requests_cost": (AWS_2024.currency, lambda end: price_of(end.usage)),
}
"""A chunk's, shared evenly among its cases. What workers ask after their last chunk is in their receipts alone."""


def write_rows(
    store: Store, labels: Sequence[Label], outcomes: Iterable[Outcome], blocks: tuple[str, ...], final: tuple[str, ...]
) -> TablePart:
    """Write the rows of some labels.

    Args:
        store: The campaign's.
        labels: They.
        outcomes: What came of cases, of theirs and others; of several of a case the last counts.
        blocks: Whose labels they are.
        final: The blocks that the outcomes are of, where no more can come of them.
    """
    wanted = {label.case for label in labels}
    results = {each.case: each for each in outcomes if each.case in wanted}
    table = build_table(labels, results)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    sha256 = hashlib.sha256(data).hexdigest()
    key = table_part_key(sha256)
    store.write(key, data)
    return TablePart(key, sha256, table.num_rows, sum(label.case in results for label in labels), blocks, final)


def read_table(store: Store, head: TableHead, columns: Sequence[str] | None = None) -> Any:
    """Return the rows that were written, many files at a time.

    Args:
        store: The campaign's.
        head: Which they are.
        columns: What is needed, so that no more is held in memory; all if not given.
    """

    def read(part: TablePart) -> Any:
        # What lies in memory needs no threads of Arrow's, which now and then abort a process that ends at once.
        file = pq.ParquetFile(pa.BufferReader(store.read(part.key)), pre_buffer=False)
        wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
        return file.read(columns=wanted, use_threads=False)

    if len(head.tables) == 1:
        return read(head.tables[0])
    with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-table") as pool:
        return join_tables(list(pool.map(read, head.tables)))


def compare(
    table: Any,
    values: Mapping[str, Callable[[Mapping[str, Any]], Any]],
    deltas: bool | Sequence[str],
    changes: bool | Sequence[str],
    baseline: str | None,
    gate: QualityGate | bool,
) -> Any:
    """Return a table with what `Campaign.table` was asked for beside the results.

    Raises:
        BadOptionError: There is no such label or value.
    """
    if values:
        table = add_values(table, {name: _where_done(function) for name, function in values.items()})
    for asked, is_percent in ((deltas, False), (changes, True)):
        if asked:
            names = None if asked is True else [asked] if isinstance(asked, str) else asked
            table = add_deltas(table, baseline, names=names, percent=is_percent)
    if baseline is not None and not (deltas or changes):
        raise BadOptionError(f"baseline={baseline!r} compares nothing", remedy="Say deltas=True or changes=True too")
    return add_quality(table, None if gate is True else gate) if gate else table


def _where_done(function: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda row: function(row) if row["state"] == "done" else None


def select(table: Any, columns: Sequence[str] | None, cases: Sequence[str] | None) -> Any:
    """Return some columns of some labels, in the order in which they were asked for.

    Raises:
        BadOptionError: There is no such column or label.
    """
    if cases is not None:
        known = {label: row for row, label in enumerate(table.column("label").to_pylist())}
        table = table.take([_find(known, label, "case") for label in cases])
    if columns is not None:
        for name in columns:
            _find(dict.fromkeys(table.column_names, 0), name, "column")
        table = table.select(list(columns))
    return table


def _find(known: Mapping[str, int], name: str, what: str) -> int:
    if name not in known:
        from difflib import get_close_matches  # noqa: PLC0415 - only for an error

        near = get_close_matches(name, known, 1)
        raise BadOptionError(
            f"the campaign has no {what} {name!r}",
            remedy=f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(list(known)[:20])}",
        )
    return known[name]
