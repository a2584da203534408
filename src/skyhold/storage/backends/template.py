"""What all backends share: keys are checked, attempts repeated and measured, lost answers classified.

A backend implements the methods that begin with an underscore; each is one attempt, and raises the errors of
`skyhold.errors`. Conditional writes carry a **write-id** in the object's metadata. When such a write fails with a
conflict, or its answer was lost, the object is read back: the same id means that this very write won.
"""

import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import ClassVar, Literal, Self, TypeVar

from skyhold.errors import ConflictError, NetworkError, StorageError, TransferError
from skyhold.storage.attempts import Attempts, Result, RetryPolicy
from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.keys import check_key, check_metadata_names, check_prefix, check_tags
from skyhold.storage.location import is_same_place
from skyhold.storage.objects import (
    Attributes,
    Buffer,
    ByteRange,
    ListPage,
    ObjectInfo,
    Observer,
    RequestClass,
)

__all__ = ["WRITE_ID", "Backend", "without_write_id"]

WRITE_ID = "skyholdwriteid"
"""Metadata name of the write-id; without '_' and '-' because some servers drop the one or refuse the other."""

T = TypeVar("T")


class Backend(Store):
    """A store that really stores; see the module's docstring.

    Args:
        uri: Its root.
        policy: How patient it is.
    """

    answers_can_be_lost: ClassVar[bool] = True
    """Whether a network lies between: then answers get lost, and requests are counted and charged."""

    def __init__(self, uri: str, policy: RetryPolicy | None = None) -> None:
        self.uri = uri
        self._attempts = Attempts(policy or RetryPolicy(), charged=self.answers_can_be_lost)
        self._observers: tuple[Observer, ...] = ()

    def observed(self, observer: Observer) -> Self:
        view = object.__new__(type(self))  # not copy(): it would go by way of pickling
        vars(view).update(vars(self))
        view._observers = (*self._observers, observer)
        return view

    def info(self, key: str) -> ObjectInfo:
        return without_write_id(self._stamped_info(key))

    def _stamped_info(self, key: str) -> ObjectInfo:
        self._check_key(key, "info")
        return self._run("info", key, lambda _: self._info(key), "read")

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        self._check_key(key, "read")

        def attempt(result: Result) -> tuple[ObjectInfo, bytes]:
            info, data = self._read(key, byte_range, if_match)
            result.bytes_in = len(data)
            return without_write_id(info), data

        return self._run("read", key, attempt, "read")

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        self._check_write(key, attributes)
        data = memoryview(data).cast("B")
        if if_absent and if_match is not None:
            raise ValueError("a write is create-only or if-match, not both")
        attributes = attributes or Attributes()
        if not self.answers_can_be_lost or not (if_absent or if_match is not None):
            return self._put_again(key, data, attributes, if_absent=if_absent, if_match=if_match)
        write_id = uuid.uuid4().hex
        stamped = replace(attributes, metadata={**attributes.metadata, WRITE_ID: write_id})
        try:
            return self._put_again(key, data, stamped, if_absent=if_absent, if_match=if_match)
        except (ConflictError, NetworkError):
            won = self._info_if_ours(key, write_id)
            if won is None:
                raise
            return won

    def _put_again(
        self, key: str, data: memoryview, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        def attempt(result: Result) -> ObjectInfo:
            result.bytes_out = data.nbytes
            return without_write_id(self._put(key, data, attributes, if_absent=if_absent, if_match=if_match))

        return self._run("write", key, attempt, "write")

    def _info_if_ours(self, key: str, write_id: str) -> ObjectInfo | None:
        try:
            info = self._stamped_info(key)
        except StorageError:
            return None
        ours = info.attributes is not None and info.attributes.metadata.get(WRITE_ID) == write_id
        return without_write_id(info) if ours else None

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        self._check_write(key, attributes)
        return self._open_upload(key, attributes or Attributes(), size_bytes)

    def list_pages(
        self, prefix: str = "", *, start_after: str | None = None, delimiter: Literal["/"] | None = None
    ) -> Iterator[ListPage]:
        check_prefix(prefix, operation="list", uri=self.uri)
        pages = self._list(prefix, start_after, delimiter)
        after, failures, begun, is_first = start_after, 0, time.monotonic(), True
        while True:
            try:
                page = self._attempts.once(
                    "list",
                    self.uri_of(prefix),
                    lambda result, pages=pages, first=is_first: _next_page(pages, result, first=first),
                    request_class="list",
                    observers=self._observers,
                    attempt=failures + 1,
                )
            except NetworkError:
                failures += 1
                self._attempts.pause(failures, begun)
                pages, is_first = self._list(prefix, after, delimiter), True
                continue
            if page is None:
                return
            failures, begun, is_first = 0, time.monotonic(), False
            last = max((*(info.key for info in page.objects[-1:]), *page.prefixes[-1:]), default=after)
            after = last if last is None or not last.endswith("/") else last + "\U0010ffff"
            yield page

    def delete(self, keys: str | Iterable[str]) -> None:
        wanted = [keys] if isinstance(keys, str) else list(dict.fromkeys(keys))
        for key in wanted:
            self._check_key(key, "delete")
        failures = self._delete(wanted) if wanted else {}
        if len(wanted) == 1 and failures:
            raise next(iter(failures.values()))
        if failures:
            raise TransferError(
                f"{len(failures)} of {len(wanted)} objects could not be deleted, the first: "
                f"{next(iter(failures.values()))}",
                failures=dict(failures),
                operation="delete",
                uri=self.uri,
                remedy="Correct the cause of the first failure and delete again; what is gone stays gone",
            )

    def copy(self, source: str, target: str) -> None:
        self._check_key(source, "copy")
        self._check_key(target, "copy")
        self._run("copy", source, lambda _: self._copy(source, target), "write")

    def rename(self, source: str, target: str) -> None:
        if is_same_place(self.place_of(source), self.place_of(target)):
            self.info(source)
            return
        self.copy(source, target)
        self.delete(source)

    def _run(self, verb: str, key: str, work: Callable[[Result], T], request_class: RequestClass) -> T:
        return self._attempts.run(verb, self.uri_of(key), work, request_class=request_class, observers=self._observers)

    def _check_key(self, key: str, verb: str) -> None:
        """Refuse keys that cannot be held; a backend adds what its own service cannot hold."""
        check_key(key, operation=verb, uri=self.uri)

    def _check_write(self, key: str, attributes: Attributes | None) -> None:
        self._check_key(key, "write")
        if attributes is not None and attributes.metadata:
            check_metadata_names(list(attributes.metadata), operation="write", uri=self.uri)
        if attributes is not None and attributes.tags:
            check_tags(attributes.tags, operation="write", uri=self.uri_of(key))

    @abstractmethod
    def _info(self, key: str) -> ObjectInfo: ...

    @abstractmethod
    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]: ...

    @abstractmethod
    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo: ...

    @abstractmethod
    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter: ...

    @abstractmethod
    def _list(self, prefix: str, start_after: str | None, delimiter: Literal["/"] | None) -> Iterator[ListPage]: ...

    @abstractmethod
    def _delete(self, keys: list[str]) -> dict[str, StorageError]: ...

    @abstractmethod
    def _copy(self, source: str, target: str) -> None: ...


def _next_page(pages: Iterator[ListPage], result: Result, *, first: bool) -> ListPage | None:
    page = next(pages, None)
    if page is None and not first:
        result.requests = 0  # the page before said that it was the last
    return page


def without_write_id(info: ObjectInfo) -> ObjectInfo:
    """Return the info without skyhold's own metadata entry."""
    attributes = info.attributes
    if attributes is None or WRITE_ID not in attributes.metadata:
        return info
    metadata = {name: value for name, value in attributes.metadata.items() if name != WRITE_ID}
    return replace(info, attributes=replace(attributes, metadata=metadata))
