"""Ending a block: what its many notes say is told by one, so that whoever looks later reads that alone."""

import threading
from contextlib import suppress

from skyhold.errors import AlreadyExistsError
from skyhold.simulation.block import BlockEnd, Sum, pack_outcomes
from skyhold.simulation.board import Board, Standing
from skyhold.simulation.layout import blob_key, block_of, ended_key
from skyhold.simulation.outcome import Outcome
from skyhold.simulation.table_head import TablePart

__all__ = ["end_blocks"]

_ENDING = threading.Lock()
"""Workers of one process see in the same moment that nothing is left; one of them does this."""


def end_blocks(board: Board, standing: Standing) -> list[str]:
    """Tell what came of the blocks that were looked at and of which nothing is left; return which.

    A small campaign has none of it: one listing and some hundred notes are all that there is to be read. Where two
    machines do this at a time, they tell the same.
    """
    if board.is_small:
        return []
    left = {block_of(each.chunk) for each in board.left(standing)}
    over = [block for block in standing.looked_at if block not in left]
    for block in over:
        with _ENDING:
            if not board.store.exists(ended_key(block)):
                _end_block(board, standing, block)
        board.forget(block)
    return over


def _end_block(board: Board, standing: Standing, block: str) -> None:
    outcomes = board.outcomes_of(block, standing)
    sha256, data = pack_outcomes(outcomes)
    board.store.write(blob_key(sha256), data)
    end = BlockEnd(block, sha256, Sum.of(outcomes), _write_table(board, block, outcomes))
    with suppress(AlreadyExistsError):
        board.store.write(ended_key(block), end.to_json(), if_absent=True)


def _write_table(board: Board, block: str, outcomes: list[Outcome]) -> TablePart | None:
    """Write the rows of a block that needs no other: so whoever collects does not have to."""
    record = board.blocks[block].record
    if record.needs or not record.fills_a_file:
        return None
    from skyhold.simulation.campaign_table import write_rows  # noqa: PLC0415 - pyarrow

    return write_rows(board.store, board.plan(block).labels, outcomes, (block,), (block,))
