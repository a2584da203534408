"""A wrapper that changes nothing: the others change one thing each."""

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Literal, Self

from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo, Observer

__all__ = ["DelegatingStore"]


class DelegatingStore(Store):
    """Hands everything to an inner store.

    Args:
        inner: The store that does the work.
    """

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.uri = inner.uri
        self.identity = inner.identity
        self.concurrency = inner.concurrency
        self.is_shared = inner.is_shared
        self.has_cheap_ranges = inner.has_cheap_ranges
        self.lists_from_anywhere = inner.lists_from_anywhere

    @property
    def root(self) -> Store:
        return self._inner.root

    def observed(self, observer: Observer) -> Self:
        view = copy(self)
        view._inner = self._inner.observed(observer)  # noqa: SLF001 - a copy of this very object
        return view

    def info(self, key: str) -> ObjectInfo:
        return self._inner.info(key)

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        return self._inner.read_with_info(key, byte_range, if_match=if_match)

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        return self._inner.write(key, data, if_absent=if_absent, if_match=if_match, attributes=attributes)

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        return self._inner.open_writer(key, attributes=attributes, size_bytes=size_bytes)

    def list_pages(
        self, prefix: str = "", *, start_after: str | None = None, delimiter: Literal["/"] | None = None
    ) -> Iterator[ListPage]:
        return self._inner.list_pages(prefix, start_after=start_after, delimiter=delimiter)

    def delete(self, keys: str | Iterable[str]) -> None:
        self._inner.delete(keys)

    def copy(self, source: str, target: str) -> None:
        self._inner.copy(source, target)

    def rename(self, source: str, target: str) -> None:
        self._inner.rename(source, target)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:
        return self._inner.presign(key, method=method, expires_s=expires_s)

    def uri_of(self, key: str) -> str:
        return self._inner.uri_of(key)

    def place_of(self, key: str) -> str:
        return self._inner.place_of(key)
