"""Pieces of outputs that were never put together: their runs were killed, and nobody has run them again."""

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["LeftPieces", "delete_left_pieces", "list_left_pieces"]

# Exactly what `piece_folder` and `shard_work` write: nothing else that lies there is touched.
_PIECE = re.compile(
    r"(?P<place>.*\.pieces/)[0-9a-f]{16}/"
    r"(?:plan\.json|stop-[0-9a-f]{12}|shard-\d{5,}(?:\.json|-[0-9a-f]{12}\.(?:rows|rejects)))"
)


@dataclass(frozen=True, slots=True)
class LeftPieces:
    """What runs to one output have left.

    Attributes:
        uri: What the URIs of all of them begin with, ending in ``.pieces/``.
        keys: The objects.
        size_bytes: Of all of them.
        modified: When the last of them was written.
    """

    uri: str
    keys: tuple[str, ...]
    size_bytes: int
    modified: datetime


def list_left_pieces(store: Store, *, older_than: timedelta = timedelta(0)) -> list[LeftPieces]:
    """Return what runs in shards have left, by output; the whole store is listed for it.

    Args:
        store: Where.
        older_than: Leave out outputs for which something younger lies there: they may be under way.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://left-pieces-example")
        >>> _ = store.write("out.csv.pieces/0123456789abcdef/plan.json", b"{}")
        >>> _ = store.write("out.csv.pieces/notes.txt", b"mine")
        >>> [(left.uri, left.keys) for left in list_left_pieces(store)]
        [('memory://left-pieces-example/out.csv.pieces/', ('out.csv.pieces/0123456789abcdef/plan.json',))]
        >>> list_left_pieces(store, older_than=timedelta(hours=1))
        []
    """
    found: defaultdict[str, list[ObjectInfo]] = defaultdict(list)
    for info in store.list(""):
        if match := _PIECE.fullmatch(store.uri_of(info.key)):
            found[match["place"]].append(info)
    latest = datetime.now(UTC) - older_than
    left = [
        LeftPieces(
            uri,
            tuple(info.key for info in infos),
            sum(info.size_bytes for info in infos),
            max(info.modified for info in infos),
        )
        for uri, infos in found.items()
    ]
    return [each for each in left if each.modified <= latest]


def delete_left_pieces(store: Store, pieces: list[LeftPieces]) -> None:
    """Delete what `list_left_pieces` found; a run to the same output then begins anew."""
    for left in pieces:
        store.delete(left.keys)
