"""In which order a worker goes through the blocks of a large campaign: others begin elsewhere."""

import random
from collections.abc import Sequence

__all__ = ["Route"]

_VISITS = 8
"""Who has found nothing in so many blocks waits before it looks at others."""


class Route:
    """Stays in a block as long as there is something to do, and goes on to the next that has not ended.

    Args:
        turn: Which worker this is, and how many were started together; alone, it begins anywhere.

    Example:
        >>> route = Route((1, 2))
        >>> route.choose(["a", "b", "c", "d"]), route.choose(["a", "b", "c", "d"])
        (['c'], ['c'])
        >>> route.leave(), route.choose(["a", "b", "c", "d"])
        (True, ['d'])
    """

    def __init__(self, turn: tuple[int, int] = (0, 1)) -> None:
        number, among = turn
        self._start = (number % among) / among if among > 1 else random.random()  # noqa: S311 - only spreads the work
        self._block = ""
        self._left: set[str] = set()
        self._open: Sequence[str] = ()
        self._visits = 0

    def choose(self, blocks: Sequence[str]) -> list[str]:
        """Return the block to be in, of those that have not ended; none where there is none left."""
        self._open = blocks
        if self._block not in blocks or self._block in self._left:
            ahead = [block for block in self._in_order(blocks) if block not in self._left]
            self._block = ahead[0] if ahead else ""
        return [self._block] if self._block else []

    def leave(self) -> bool:
        """Go on from a block where there is nothing to do for us; return whether there is another to go to."""
        if self._block:
            self._left.add(self._block)
        self._visits += 1
        return any(block not in self._left for block in self._open)

    @property
    def is_tired(self) -> bool:
        """Whether it is time to wait, since nothing was found in many blocks."""
        return self._visits >= _VISITS

    def rest(self) -> None:
        """Wait, after which blocks that were left may have changed."""
        self._visits = 0
        if all(block in self._left for block in self._open):
            self._left.clear()

    def _in_order(self, blocks: Sequence[str]) -> list[str]:
        """Return blocks from our beginning on, and round; small chunks are in the last, with which all end."""
        start = sum(block <= self._block for block in blocks) if self._block else int(self._start * len(blocks))
        return [*blocks[start:], *blocks[:start]]
