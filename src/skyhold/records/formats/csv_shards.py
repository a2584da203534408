"""A CSV divided into ranges of bytes, each of which begins where a row begins."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from skyhold.execution.elsewhere import cancel, is_here, result_of
from skyhold.records.formats.adapter import OpenStore
from skyhold.records.formats.csv_dialect import CSVCut, CSVDialect, CSVHead
from skyhold.records.formats.csv_scan import Scanned, line_end_pattern, scan_part
from skyhold.records.formats.line_ends import LOOK_BYTES, StoredText, find_line_ends
from skyhold.records.formats.object_shards import Division, ObjectPart
from skyhold.records.formats.part_reader import PartReader, read_part
from skyhold.records.formats.text_units import TextUnits, find_units
from skyhold.records.stopping import check_stop
from skyhold.storage.contract import Store
from skyhold.storage.wrappers.metered import Meter, MeteredStore, Usage

__all__ = ["PartOpener", "divide_csv", "row_begins"]

_SCAN_FETCH_BYTES = 4 * 1024 * 1024
_HEAD_BYTES = 64
_LOOK_S = 0.5

T = TypeVar("T")

PartOpener = Callable[[ObjectPart, OpenStore], Store]
"""Opens the store of a part anew, in whatever process; can be pickled if the adapter can."""


@dataclass(frozen=True, slots=True)
class _Task:
    """Looks through one part of a text."""

    part: ObjectPart
    start: int
    end: int
    dialect: CSVDialect
    units: TextUnits

    def run(self, store: Store) -> Scanned | None:
        source = PartReader(store, self.part.key, self.part.info, self.start, self.end, _SCAN_FETCH_BYTES)
        try:
            is_last = self.end == self.part.info.size_bytes
            return scan_part(source, self.dialect, self.units, is_last=is_last)
        finally:
            source.close()

    def run_elsewhere(self, reopen: PartOpener) -> tuple[Scanned | None, Usage]:
        """Do it in another process, and return what it took, too."""
        meter = Meter()
        return self.run(reopen(self.part, lambda store: MeteredStore(store, meter))), meter.usage


def divide_csv(
    head: CSVHead,
    encoding: str,
    dialect: CSVDialect,
    store: Store,
    part: ObjectPart,
    division: Division,
    reopen: PartOpener,
) -> list[CSVCut]:
    """Return parts that each begin where a row begins; none where that cannot be told, or a quote is never closed.

    Args:
        head: What the beginning told.
        encoding: The codec's own name.
        dialect: How cells are told from each other.
        store: Where it is.
        part: The object.
        division: What is wished for.
        reopen: Opens its store in another process.
    """
    size = part.info.size_bytes
    first_bytes = read_part(store, part.key, part.info, 0, min(size, _HEAD_BYTES))
    special = "".join(filter(None, (dialect.delimiter, dialect.quotechar, dialect.escapechar)))
    units = find_units(encoding, first_bytes, special)
    if units is None:
        return []
    text = StoredText(store, part, units)
    start = _first_row(text, head)
    if start is None or (dialect.escapechar is not None and _ends_with(dialect.escapechar, text, start)):
        return []
    places = [start + (place - start) // units.size_bytes * units.size_bytes for place in division.places(start)]
    places = [place for place in places if place >= start + 2 * units.size_bytes]
    begins = [start, *find_line_ends(store, part, places, line_end_pattern(dialect), units)]
    if dialect.quotechar is not None and len(begins) > 1:
        tasks = [_Task(part, *span, dialect, units) for span in pairwise([*begins, size])]
        begins = row_begins(begins, _run(tasks, store, division.executor, reopen), size)
    return [CSVCut(*span, head.names, units.codec) for span in pairwise([*begins, size])]


def _first_row(text: StoredText, head: CSVHead) -> int | None:
    """Return where what was read before the first row ends: byte-order marks, and lines."""
    if head.ends_within_line:
        return None
    start, size = text.units.head_bytes, LOOK_BYTES
    while head.lines:
        stop = min(start + size, text.size_bytes)
        ends = [found.end() for found in re.finditer(rb"\r\n?|\n", text.read(start, stop))]
        if len(ends) > head.lines or (len(ends) == head.lines and stop == text.size_bytes):
            start += ends[head.lines - 1] * text.units.size_bytes
            break
        if stop == text.size_bytes:
            return None
        size *= 4
    return start if start < text.size_bytes else None


def _ends_with(escape: str, text: StoredText, start: int) -> bool:
    """Return whether a text ends with an escape, which takes the meaning from what a reader puts behind the text."""
    width = text.units.size_bytes
    last = start + ((text.size_bytes - start) // width - 1) * width
    return last < start or text.read(last, text.size_bytes).endswith(escape.encode())


def _run(tasks: Sequence[_Task], store: Store, executor: Executor, reopen: PartOpener) -> list[Scanned | None]:
    """Look through all parts; requests made in other processes are counted as if they had been made here."""
    if is_here(executor):
        # Each in a context of its own, in which it finds out that the run is to stop.
        here = [executor.submit(copy_context().run, task.run, store) for task in tasks]
        return _results(here)
    elsewhere = [executor.submit(task.run_elsewhere, reopen) for task in tasks]
    found = _results(elsewhere)
    if isinstance(store, MeteredStore):
        for _, usage in found:
            store.meter.add(usage)
    return [scanned for scanned, _ in found]


def _results(futures: Sequence[Future[T]]) -> list[T]:
    left = set(futures)
    try:
        while left:
            done, left = wait(left, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            for future in done:
                result_of(future)
            check_stop()
        return [result_of(future) for future in futures]
    finally:
        for future in left:
            cancel(future)


def row_begins(begins: Sequence[int], scanned: Sequence[Scanned | None], size_bytes: int) -> list[int]:
    """Return where rows begin, given where lines do; only the first if that cannot be told, or a quote stays open."""
    found: dict[int, None] = {}
    at_row = True
    for start, part in zip(begins, scanned, strict=True):
        if part is None:
            return [begins[0]]
        if at_row:
            found[start] = None
            at_row = part.is_row_end
        else:
            if part.first_row is not None and start + part.first_row < size_bytes:
                found[start + part.first_row] = None
            at_row = part.is_row_end_within
    return [*found] if at_row else [*found][:1]
