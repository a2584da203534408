"""The plain values that stores take and give."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

__all__ = [
    "Attributes",
    "Buffer",
    "ByteRange",
    "ListPage",
    "ObjectInfo",
    "Observer",
    "Operation",
    "RequestClass",
]

Buffer = bytes | bytearray | memoryview

RequestClass = Literal["read", "write", "list", "delete"]
"""How stores charge: GET and HEAD are ``read``; PUT, COPY and multipart calls ``write``; LIST; DELETE (mostly free)."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is stored with an object beside its bytes.

    Attributes:
        metadata: The user's own entries. Names are lower-case ASCII letters, digits, ``_`` and (not on Azure) ``-``;
            values may be any text.
        content_type: MIME type.
        storage_class: The store's own name of it, such as ``"STANDARD_IA"`` or ``"Cool"``; empty is the default class.
            A store that has no such class refuses the write.
        tags: Labels by which services select objects, for lifetimes, rights and bills: at most 10, of ASCII letters,
            digits, spaces and ``+-./:=_``. Google has none, and refuses them by name.

    Class and tags are asked for by a write. Services do not tell them with an object's info, so there they are empty,
    and what is read there and written elsewhere is without them; Azure's own copies have no tags either.
    """

    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    content_type: str = ""
    storage_class: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def say_something(self) -> bool:
        """Whether there is anything that a store must be told of."""
        return bool(self.metadata or self.content_type or self.storage_class or self.tags)


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What is known of an object without reading it.

    Attributes:
        key: Its name in the store that was asked.
        size_bytes: Its length.
        modified: When the store last wrote it, by the store's clock, with time zone.
        e_tag: Changes whenever the bytes change; compare for equality only. None where a store gives none.
        attributes: None in listings, which do not carry them.
    """

    key: str
    size_bytes: int
    modified: datetime
    e_tag: str | None = None
    attributes: Attributes | None = None


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Part of an object: ``[start, end)``, from ``start`` to its end, or its last ``suffix`` bytes.

    Example:
        >>> ByteRange(0, 4).resolve(10)
        (0, 4)
        >>> ByteRange(suffix=3).resolve(10)
        (7, 10)
    """

    start: int = 0
    end: int | None = None
    suffix: int | None = None

    def __post_init__(self) -> None:
        if self.suffix is not None:
            if self.start or self.end is not None or self.suffix <= 0:
                raise ValueError("a suffix range has a positive suffix and neither start nor end")
        elif self.start < 0 or (self.end is not None and self.end <= self.start):
            raise ValueError(f"a range needs 0 <= start < end, found start={self.start}, end={self.end}")

    def resolve(self, size_bytes: int) -> tuple[int, int]:
        """Return ``(start, end)`` within an object of ``size_bytes``; ``start >= size_bytes`` means out of range."""
        if self.suffix is not None:
            return max(0, size_bytes - self.suffix), size_bytes
        return self.start, size_bytes if self.end is None else min(self.end, size_bytes)


@dataclass(frozen=True, slots=True)
class ListPage:
    """One answer to a list request: objects, and with a delimiter the prefixes one level down (ending in ``/``)."""

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One attempt at one storage operation, as observers see it.

    Attributes:
        verb: The storage verb, such as ``"read"``.
        uri: What it worked on.
        request_class: How the store charges it.
        requests: Requests sent by this attempt (more than one for a multipart write or a bulk delete).
        bytes_in: Bytes of content received.
        bytes_out: Bytes of content sent.
        duration_ms: Wall time of the attempt.
        attempt: 1 for the first.
        error: Class name of what it raised, or empty.
        charged: Whether a service counts such requests; files and memory do not.
    """

    verb: str
    uri: str
    request_class: RequestClass
    requests: int = 1
    bytes_in: int = 0
    bytes_out: int = 0
    duration_ms: float = 0.0
    attempt: int = 1
    error: str = ""
    charged: bool = True


Observer = Callable[[Operation], None]
