"""Chunks that were divided while somebody was at them, so that nobody is idle at the end of a campaign.

Who has nothing left to do takes cases from the end of another's chunk. They are then a piece with a claim and an end of
its own, named by the places of its cases in the planned chunk. As with all claims, nothing but time is lost where two
work on the same case.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from skyhold.simulation.layout import Piece, parse_piece, piece_id

__all__ = ["NEWS_S", "Division", "Left", "cases_to_take", "counting"]

NEWS_S = 5.0
"""How old what a worker knows of its claim may be when a case begins: others may have taken cases from its end."""


@dataclass(frozen=True, slots=True)
class Left:
    """Cases of a planned chunk that have not come to an end.

    Attributes:
        chunk: The planned chunk.
        start: Where in it they begin.
        end: Where they end.
        claim: Name of the claim on them; empty where nobody has claimed them.
    """

    chunk: str
    start: int
    end: int
    claim: str = ""


class Division:
    """Which parts of chunks are finished and claimed.

    Args:
        finished: Names of chunks and pieces.
        claimed: Names of chunks and pieces.

    Example:
        >>> parts = Division(["0000-00000-000.0-2"], ["0000-00000-000", "0000-00000-000.4-6"])
        >>> [(part.start, part.end, part.claim) for part in parts.left_of("0000-00000-000", 6)]
        [(2, 4, ''), (4, 6, '0000-00000-000.4-6')]
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

    def left_of(self, chunk: str, cases: int) -> list[Left]:
        """Return what is left of a planned chunk of so many cases: all of it, some pieces, or nothing."""
        if chunk in self._whole:
            return []
        claims: Mapping[int, str] = self._claims.get(chunk, {})
        ranges = self._ranges.get(chunk, ())
        cuts = sorted({0, cases, *claims, *(place for each in ranges for place in each)})
        return [
            Left(chunk, start, end, claims.get(start, ""))
            for start, end in pairwise(cuts)
            if not any(first <= start and end <= last for first, last in ranges)
        ]


def counting(finished: Iterable[str]) -> list[str]:
    """Return the finished chunks and pieces that count, sorted: none whose cases another one has too.

    An owner that did not hear in time what was taken from it ends more than it should. What is taken is always the end
    of something, so that of two that overlap, one has all of the other.

    Example:
        >>> counting(["a-1.4-6", "a-1.5-6", "a-1.0-4", "a-2.1-2", "a-2"])
        ['a-1.0-4', 'a-1.4-6', 'a-2']
    """
    whole: set[str] = set()
    pieces: dict[str, list[Piece]] = defaultdict(list)
    for name in finished:
        if (piece := parse_piece(name)) is None:
            whole.add(name)
        else:
            pieces[piece.chunk].append(piece)
    found = list(whole)
    for chunk, some in pieces.items():
        reached = 0
        for piece in sorted(some, key=lambda each: (each.start, -each.end)):
            if chunk not in whole and piece.end > reached:
                found.append(piece_id(chunk, piece.start, piece.end))
                reached = piece.end
    return sorted(found)


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
