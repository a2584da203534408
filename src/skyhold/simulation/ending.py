"""Ending a block: what its many notes say is told by one, so that whoever looks later reads that alone."""

from contextlib import suppress

from skyhold.errors import AlreadyExistsError
from skyhold.simulation.block import BlockEnd, Sum, pack_outcomes
from skyhold.simulation.board import Board, Standing
from skyhold.simulation.layout import blob_key, block_of, ended_key

__all__ = ["end_blocks"]


def end_blocks(board: Board, standing: Standing) -> list[str]:
    """Tell what came of the blocks that were looked at and of which nothing is left; return which.

    A small campaign has none of it: one listing and some hundred notes are all that there is to be read. Where two do
    this at a time, they tell the same.
    """
    if board.is_small:
        return []
    left = {block_of(each.chunk) for each in board.left(standing)}
    over = [block for block in standing.looked_at if block not in left]
    for block in over:
        _end_block(board, standing, block)
    return over


def _end_block(board: Board, standing: Standing, block: str) -> None:
    outcomes = board.outcomes_of(block, standing)
    sha256, data = pack_outcomes(outcomes)
    board.store.write(blob_key(sha256), data)
    with suppress(AlreadyExistsError):
        board.store.write(ended_key(block), BlockEnd(block, sha256, Sum.of(outcomes)).to_json(), if_absent=True)
    board.forget(block)
