"""The table of a campaign, block by block: what was gathered of cases that have all ended is not gathered again."""

from collections.abc import Iterator
from dataclasses import replace

from skyhold.simulation.board import Board, Standing
from skyhold.simulation.campaign_table import build_table, write_rows
from skyhold.simulation.ending import end_blocks
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.table_head import TableHead, TablePart, put_head, read_head

__all__ = ["collect_table"]

_ROWS = 5000
"""Small blocks share a file of so many rows."""


def collect_table(board: Board, standing: Standing) -> int:
    """Gather what is finished into the newest table, and return how many rows have results."""
    is_complete = next(board.left(standing), None) is None
    standing = replace(standing, ended=standing.ended | set(end_blocks(board, standing)))
    ended = board.read_sums(standing).ended
    before = None if board.is_small else read_head(board.store)
    known = {(part.blocks, part.sources): part for part in (before.tables if before else ()) if part.sources}
    tables: list[TablePart] = []
    for blocks in _groups(board):
        sources = _sources(board, blocks)
        final = sources if standing.ended.issuperset(sources) else ()
        tables.append(known.get((blocks, final)) or _gather(board, standing, blocks, sources, final))
    put_head(board.store, TableHead(tuple(tables), ended, standing.parts, is_complete))
    return sum(part.ended for part in tables)


def _groups(board: Board) -> Iterator[tuple[str, ...]]:
    """Return the blocks whose labels fill a file each."""
    group: list[str] = []
    rows = 0
    for name, block in board.blocks.items():
        if group and block.record.labels and rows + block.record.labels > _ROWS:
            yield tuple(group)
            group, rows = [], 0
        if block.record.labels:
            group.append(name)
            rows += block.record.labels
    if group:
        yield tuple(group)


def _sources(board: Board, blocks: tuple[str, ...]) -> tuple[str, ...]:
    """Return the blocks in which the cases of some blocks' labels are run, and those in which they are tried again."""
    own = {*blocks, *(need for name in blocks for need in board.blocks[name].record.needs)}
    again = {name for name, block in board.blocks.items() if block.is_retry and own.intersection(block.record.needs)}
    return tuple(name for name in board.blocks if name in own or name in again)


def _gather(
    board: Board, standing: Standing, blocks: tuple[str, ...], sources: tuple[str, ...], final: tuple[str, ...]
) -> TablePart:
    labels = [label for name in blocks for label in board.plan(name).labels]
    wanted = {label.case for label in labels}
    results: dict[str, Outcome] = {}
    for source in sources:
        results.update({each.case: each for each in board.outcomes_of(source, standing) if each.case in wanted})
    table = build_table(labels, results)
    key, sha256 = write_rows(board.store, table)
    return TablePart(key, sha256, table.num_rows, sum(label.case in results for label in labels), blocks, final)
