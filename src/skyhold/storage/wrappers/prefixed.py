"""A folder of a store as a store of its own."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from skyhold.errors import InvalidKeyError, TransferError
from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.keys import check_key, check_prefix
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo
from skyhold.storage.wrappers.delegating import DelegatingStore

__all__ = ["PrefixedStore"]


class PrefixedStore(DelegatingStore):
    """Puts a prefix before every key, and takes it off again.

    Args:
        inner: The whole store.
        prefix: Ends in ``/``.
    """

    def __init__(self, inner: Store, prefix: str) -> None:
        super().__init__(inner)
        if not prefix.endswith("/"):
            raise InvalidKeyError(f"the prefix {prefix!r} does not end in '/'", uri=inner.uri)
        check_prefix(prefix, operation="open", uri=inner.uri)
        self._prefix = prefix
        self.uri = inner.uri_of(prefix).rstrip("/")

    def info(self, key: str) -> ObjectInfo:
        return self._inside(self._inner.info(self._full(key)))

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        info, data = self._inner.read_with_info(self._full(key), byte_range, if_match=if_match)
        return self._inside(info), data

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        return self._inside(
            self._inner.write(self._full(key), data, if_absent=if_absent, if_match=if_match, attributes=attributes)
        )

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        inner = self._inner.open_writer(self._full(key), attributes=attributes, size_bytes=size_bytes)
        return _InsideWriter(key, inner)

    def list_pages(
        self, prefix: str = "", *, start_after: str | None = None, delimiter: Literal["/"] | None = None
    ) -> Iterator[ListPage]:
        check_prefix(prefix, operation="list", uri=self.uri)
        after = None if start_after is None else self._prefix + start_after
        begin = len(self._prefix)
        for page in self._inner.list_pages(self._prefix + prefix, start_after=after, delimiter=delimiter):
            objects = [
                ObjectInfo(info.key[begin:], info.size_bytes, info.modified, info.e_tag, info.attributes)
                for info in page.objects
            ]
            yield ListPage(tuple(objects), tuple([name[begin:] for name in page.prefixes]))

    def delete(self, keys: str | Iterable[str]) -> None:
        try:
            self._inner.delete(self._full(keys) if isinstance(keys, str) else [self._full(key) for key in keys])
        except TransferError as error:
            error.failures = {key.removeprefix(self._prefix): failure for key, failure in error.failures.items()}
            raise

    def copy(self, source: str, target: str) -> None:
        self._inner.copy(self._full(source), self._full(target))

    def rename(self, source: str, target: str) -> None:
        self._inner.rename(self._full(source), self._full(target))

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:
        return self._inner.presign(self._full(key), method=method, expires_s=expires_s)

    def uri_of(self, key: str) -> str:
        return self._inner.uri_of(self._prefix + key)

    def place_of(self, key: str) -> str:
        return self._inner.place_of(self._prefix + key)

    def _full(self, key: str) -> str:
        check_key(key, operation="use", uri=self.uri)
        return self._prefix + key

    def _inside(self, info: ObjectInfo) -> ObjectInfo:
        # `replace` takes three times as long.
        key = info.key.removeprefix(self._prefix)
        return ObjectInfo(key, info.size_bytes, info.modified, info.e_tag, info.attributes)


class _InsideWriter(ObjectWriter):
    """The inner writer, under the key as it is called here."""

    def __init__(self, key: str, inner: ObjectWriter) -> None:
        super().__init__(key)
        self._inner_writer = inner

    def _write(self, data: Buffer) -> None:
        self._inner_writer.write(data)

    def _publish(self) -> ObjectInfo:
        self._inner_writer.close()
        assert self._inner_writer.info is not None
        return replace(self._inner_writer.info, key=self.key)

    def _discard(self) -> None:
        self._inner_writer.abort()
