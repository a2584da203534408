"""Chunks that were divided while somebody was at them, so that nobody is idle at the end of a campaign.

Who has nothing left to do takes cases from the end of another's chunk. They are then a piece with a claim and an end of
its own, named by the places of its cases in the planned chunk. As with all claims, nothing but time is lost where two
work on the same case.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise

from skyhold.simulation.layout import parse_piece
from skyhold.simulation.tasks import Chunk

__all__ = ["NEWS_S", "Division", "cases_to_take"]

NEWS_S = 5.0
"""How old what a worker knows of its claim may be when a case begins: others may have taken cases from its end."""


class Division:
    """Which parts of chunks are finished and claimed.

    Args:
        finished: Names of chunks and pieces.
        claimed: Names of chunks and pieces.

    Example:
        >>> from skyhold.simulation.tasks import Task
        >>> tasks = tuple(Task(str(number), "", [], None, {}, {}) for number in range(6))
        >>> parts = Division(["0000-00000.0-2"], ["0000-00000", "0000-00000.4-6"])
        >>> [(part.chunk, part.claim) for part in parts.left_of(Chunk("0000-00000", tasks))]
        [('0000-00000.2-4', ''), ('0000-00000.4-6', '0000-00000.4-6')]
    """

    def __init__(self, finished: Iterable[str], claimed: Iterable[str]) -> None:
        self._whole: set[str] = set()
        self._ranges: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._claims: dict[str, dict[int, str]] = defaultdict(dict)
        for name in finished:
            if (piece := parse_piece(name)) is None:
                self._whole.add(name)
            else:
                self._ranges[piece.chunk].append((piece.start, piece.end))
        for name in claimed:
            piece = parse_piece(name)
            self._claims[piece.chunk if piece else name][piece.start if piece else 0] = name

    def left_of(self, chunk: Chunk) -> list[Chunk]:
        """Return what is left of a planned chunk: all of it, some pieces, or nothing."""
        if chunk.chunk in self._whole:
            return []
        claims: Mapping[int, str] = self._claims.get(chunk.chunk, {})
        ranges = self._ranges.get(chunk.chunk, ())
        cuts = sorted({0, len(chunk.tasks), *claims, *(place for each in ranges for place in each)})
        return [
            chunk.piece(start, end, claim=claims.get(start, ""))
            for start, end in pairwise(cuts)
            if not any(first <= start and end <= last for first, last in ranges)
        ]


def cases_to_take(cases: int, finished: int) -> int:
    """Return how many cases to take from the end of a chunk that somebody is at: half of those not begun.

    Args:
        cases: How many it has.
        finished: How many its owner had finished when last heard of.

    Example:
        >>> cases_to_take(6, 1), cases_to_take(2, 0), cases_to_take(2, 1)
        (2, 1, 0)
    """
    return (cases - finished) // 2
