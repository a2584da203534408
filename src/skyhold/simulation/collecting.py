"""The table of a campaign, block by block: what was gathered of cases that have all ended is not gathered again."""

from collections.abc import Iterator
from dataclasses import replace

from skyhold.simulation.board import Board, Standing
from skyhold.simulation.campaign_record import TABLE_ROWS
from skyhold.simulation.campaign_table import write_rows
from skyhold.simulation.ending import end_blocks
from skyhold.simulation.table_head import TableHead, TablePart, put_head, read_head

__all__ = ["collect_table"]


def collect_table(board: Board, standing: Standing) -> int:
    """Gather what is finished into the newest table, and return how many rows have results."""
    is_complete = next(board.left(standing), None) is None
    standing = replace(standing, ended=standing.ended | set(end_blocks(board, standing)))
    ended = board.read_sums(standing).ended
    before = None if board.is_small else read_head(board.store)
    known = {(part.blocks, part.sources): part for part in (before.tables if before else ()) if part.sources}
    for block in standing.ended:
        if (part := board.end_of(block).table) is not None:
            known.setdefault((part.blocks, part.sources), part)
    tables: list[TablePart] = []
    for blocks in _groups(board):
        sources = _sources(board, blocks)
        final = sources if standing.ended.issuperset(sources) else ()
        if (part := known.get((blocks, final))) is None:
            labels = [label for name in blocks for label in board.plan(name).labels]
            outcomes = (each for name in sources for each in board.outcomes_of(name, standing))
            part = write_rows(board.store, labels, outcomes, blocks, final)
        tables.append(part)
    put_head(board.store, TableHead(tuple(tables), ended, standing.parts, is_complete))
    return sum(part.ended for part in tables)


def _groups(board: Board) -> Iterator[tuple[str, ...]]:
    """Return the blocks that have a file of the table each: a large one for itself, small ones that follow together."""
    group: list[str] = []
    rows = 0
    for name, block in board.blocks.items():
        if group and (block.record.fills_a_file or rows + block.record.labels > TABLE_ROWS):
            yield tuple(group)
            group, rows = [], 0
        if block.record.fills_a_file:
            yield (name,)
        elif block.record.labels:
            group.append(name)
            rows += block.record.labels
    if group:
        yield tuple(group)


def _sources(board: Board, blocks: tuple[str, ...]) -> tuple[str, ...]:
    """Return the blocks in which the cases of some blocks' labels are run, and those in which they are tried again."""
    own = {*blocks, *(need for name in blocks for need in board.blocks[name].record.needs)}
    again = {name for name, block in board.blocks.items() if block.is_retry and own.intersection(block.record.needs)}
    return tuple(name for name in board.blocks if name in own or name in again)
