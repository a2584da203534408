"""Of which deltas content is made, found from the names in the bucket alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from skyhold.components.layout import BLOBS, DELTAS, blob_key, delta_key
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Chain", "Held", "deltas_of", "find_chain", "list_held"]


@dataclass(frozen=True, slots=True)
class Held:
    """One object of the history, as a listing tells it.

    Attributes:
        sha256: Of the content that it stands for.
        kind: Whether it is the content itself.
        base: Of which content it is made, where it is a delta.
        key: Its key.
        stored_bytes: How much room it takes.
        modified: When it was written, by the store's clock.
    """

    sha256: str
    kind: Literal["blob", "delta"]
    base: str | None
    key: str
    stored_bytes: int
    modified: datetime


@dataclass(frozen=True, slots=True)
class Chain:
    """How content is put together.

    Attributes:
        root: The hash of the content that it begins with, which lies there whole.
        deltas: What is applied to it, one after the other.
    """

    root: str
    deltas: tuple[Held, ...]

    @property
    def root_key(self) -> str:
        """Where the content lies that it begins with."""
        return blob_key(self.root)

    @property
    def stored_bytes(self) -> int:
        """How much room its deltas take together."""
        return sum(delta.stored_bytes for delta in self.deltas)


def deltas_of(store: Store, sha256: str) -> list[Held]:
    """Return the deltas that make some content, the smallest first; one LIST request."""
    prefix = delta_key(sha256, "")
    return sorted((_held(info) for info in store.list(prefix)), key=lambda held: (held.stored_bytes, held.key))


def find_chain(store: Store, sha256: str) -> Chain:
    """Return how content is put together; one LIST request a delta, and one more.

    Content is taken to lie whole where it has no delta, or only such as lead back to itself: two publishers at once
    can make deltas of each other's content, and then one of the two lies whole as well.
    """
    seen = [sha256]
    deltas: list[Held] = []
    while found := [held for held in deltas_of(store, seen[-1]) if held.base and held.base not in seen]:
        deltas.append(found[0])
        seen.append(found[0].base or "")
    return Chain(seen[-1], tuple(reversed(deltas)))


def list_held(store: Store) -> Iterator[Held]:
    """Yield every object of the history, whole contents first, by listing alone."""
    for prefix in (BLOBS, DELTAS):
        for info in store.list(prefix):
            yield _held(info)


def _held(info: ObjectInfo) -> Held:
    sha256, _, base = info.key.rpartition("/")[2].partition(".")
    kind = "delta" if base else "blob"
    return Held(sha256, kind, base or None, info.key, info.size_bytes, info.modified)
