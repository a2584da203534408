"""How inputs that lie in objects are divided: small ones together, a large one into parts as its format allows."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from skyhold.records.formats.adapter import InputAdapter, InputStream, OpenStore
from skyhold.records.formats.many import Shape
from skyhold.storage.objects import ObjectInfo

__all__ = ["Division", "Likeness", "ObjectGroup", "ObjectPart", "ObjectShard", "group_objects"]


class ObjectPart(NamedTuple):
    """An object that a shard reads, or a part of it.

    Attributes:
        uri_number: Which of the input's URIs names it.
        key: Its key in that URI's store.
        info: The object as it was when the shards were planned.
        cut: Which part, in the format's own terms; None for the whole object.
    """

    uri_number: int
    key: str
    info: ObjectInfo
    cut: Any = None


@dataclass(frozen=True, slots=True)
class Likeness:
    """What every shard has in common with the whole.

    Attributes:
        schema: The columns.
        shape: How the rows of an object become those of all, where there are many objects or a column is added.
    """

    schema: pa.Schema
    shape: Shape | None


@dataclass(frozen=True, slots=True)
class Division:
    """How one object is wished to be divided.

    Attributes:
        count: Into how many parts.
        least_bytes: The smallest part, as stored.
        info: The object.
        executor: Looks through it.
    """

    count: int
    least_bytes: int
    info: ObjectInfo
    executor: Executor

    def places(self, start: int = 0) -> list[int]:
        """Return about where parts after the first would begin, dividing evenly what comes after ``start``.

        Example:
            >>> from concurrent.futures import Executor
            >>> from datetime import datetime, UTC
            >>> info = ObjectInfo("a", 1000, datetime.now(UTC))
            >>> Division(3, 100, info, Executor()).places(start=100)
            [400, 700]
        """
        size = self.info.size_bytes - start
        count = min(self.count, size // max(1, self.least_bytes))
        return [start + size * number // count for number in range(1, count)]


class ObjectGroup(NamedTuple):
    """Objects of one shard, by number; or one object that is to be divided into several."""

    numbers: tuple[int, ...]
    parts: int = 1


def group_objects(sizes: Sequence[int], count: int, least_bytes: int) -> list[ObjectGroup]:
    """Return how objects are spread over about ``count`` shards of about one size, in order.

    Args:
        sizes: Of each object, in bytes.
        count: How many shards are wished for.
        least_bytes: The size that a shard has at least.

    Example:
        >>> group_objects([10, 10, 90, 30], 5, least_bytes=1)
        [ObjectGroup(numbers=(0, 1), parts=1), ObjectGroup(numbers=(2,), parts=3), ObjectGroup(numbers=(3,), parts=1)]
    """
    return list(_group(sizes, max(1, least_bytes, -(-sum(sizes) // count))))


def _group(sizes: Sequence[int], wished_bytes: int) -> Iterator[ObjectGroup]:
    held: list[int] = []
    held_bytes = 0
    for number, size in enumerate(sizes):
        parts = round(size / wished_bytes)
        if held and (parts > 1 or held_bytes + size // 2 > wished_bytes):
            yield ObjectGroup(tuple(held))
            held, held_bytes = [], 0
        if parts > 1:
            yield ObjectGroup((number,), parts)
        else:
            held.append(number)
            held_bytes += size
    if held:
        yield ObjectGroup(tuple(held))


class _Whole(Protocol):
    @property
    def uri(self) -> str: ...

    def open_parts(self, parts: Sequence[ObjectPart], like: Likeness, wrap: OpenStore) -> InputStream: ...


class ObjectShard(InputAdapter):
    """Reads some of the objects of an input, or a part of one.

    Args:
        whole: The input.
        parts: What to read.
        like: What the whole looks like.
    """

    def __init__(self, whole: _Whole, parts: Sequence[ObjectPart], like: Likeness) -> None:
        self._whole = whole
        self._parts = tuple(parts)
        self._like = like

    @property
    def uri(self) -> str:
        return self._whole.uri

    def open(self, wrap: OpenStore) -> InputStream:
        return self._whole.open_parts(self._parts, self._like, wrap)
