"""What a store is. Every backend and every wrapper keeps these rules; ``skyhold.testing.StoreContract`` checks them.

1.  A store maps **keys** to **objects**. A key is text, at most 1,024 bytes of UTF-8, made of parts joined by ``/``.
    `check_key` says which keys are refused; a refused key is refused by name before anything is sent. Every other key
    comes back exactly as it was written.
2.  An object **appears whole or not at all**. Readers see the previous object until a write is complete; an exception,
    a time-out or a kill in the middle of a write leaves the previous object.
3.  A **missing** object raises `KeyNotFoundError`, a missing bucket `BucketNotFoundError`; nothing is ever read as
    empty because it could not be read. Deleting a missing object is not an error.
4.  ``if_absent`` and ``if_match`` writes are **exact**: of many writers one wins, and the winner is told so even when
    the store's answer was lost. A store that ignores conditions is found by the checkup.
5.  `read` of a range that starts inside the object returns what there is of it; a range that starts at or past the end
    raises `InvalidRangeError`, except that ``start=0`` of an empty object is empty.
6.  Listing is in key order (by code point), complete, and without duplicates. Placeholder objects that consoles create
    for folders (``name/``, empty) are not listed.
7.  The store **retries** what may be retried (see `skyhold.storage.attempts`); callers do not. An error that arrives is
    final. A callback that the store calls may run in any thread.
8.  A store may be used from many threads at once, and can be pickled unless it was opened with secrets as options.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Self

from skyhold.errors import DeleteGuardError, InvalidKeyError, KeyNotFoundError
from skyhold.storage.keys import check_prefix
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo, Observer
from skyhold.storage.reader import ObjectReader

__all__ = ["ObjectWriter", "Store"]


class ObjectWriter(AbstractContextManager["ObjectWriter"]):
    """A file-like object to write one object; it becomes visible when `close` returns, never before.

    As a context manager it closes at the end of the block, and aborts when the block raises.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.size_bytes = 0
        self.info: ObjectInfo | None = None
        self.closed = False

    def write(self, data: Buffer, /) -> int:
        """Add bytes; return how many. They are not visible yet."""
        if self.closed:
            raise ValueError(f"write to the closed writer of {self.key!r}")
        view = memoryview(data).cast("B")  # some buffers, such as Arrow's, call their bytes signed
        self._write(view)
        self.size_bytes += view.nbytes
        return view.nbytes

    def close(self) -> None:
        """Make the object visible. Does nothing the second time."""
        if not self.closed:
            self.closed = True
            self.info = self._publish()

    def abort(self) -> None:
        """Throw away what was written; the previous object stays."""
        if not self.closed:
            self.closed = True
            self._discard()

    def writable(self) -> bool:
        """Return True: file-like users ask."""
        return True

    def readable(self) -> bool:
        """Return False: file-like users ask."""
        return False

    def seekable(self) -> bool:
        """Return False: file-like users ask."""
        return False

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self.size_bytes

    def flush(self) -> None:
        """Do nothing: bytes become visible at `close` only."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def _write(self, data: Buffer) -> None:
        raise NotImplementedError

    def _publish(self) -> ObjectInfo:
        raise NotImplementedError

    def _discard(self) -> None:
        raise NotImplementedError


class Store(ABC):
    """Named bytes. The module's docstring has the rules.

    Attributes:
        uri: Where the store's root is, without credentials.
        identity: Where its credentials came from, in words; empty where there are none.
        concurrency: How many requests may usefully be in flight for small objects.
        is_shared: Whether other processes see the same objects under the same URI.
        has_cheap_ranges: Whether reading a part of an object costs no more than that part; some web servers send all.
        lists_from_anywhere: Whether a listing may begin behind any key without passing over what is before it.
    """

    uri: str
    identity: str = ""
    concurrency: int = 128
    is_shared: bool = True
    has_cheap_ranges: bool = True
    lists_from_anywhere: bool = False

    @abstractmethod
    def info(self, key: str) -> ObjectInfo:
        """Return size, time, e-tag and attributes of an object.

        Raises:
            KeyNotFoundError: No such object.
            BucketNotFoundError: No such bucket (only where the store tells).
            NotFoundOrDeniedError: 403 without the right to list.
        """

    @abstractmethod
    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        """Return an object's info (of the whole object) and the bytes asked for, in one request.

        Raises:
            KeyNotFoundError: No such object.
            PreconditionFailedError: Its e-tag is not ``if_match``.
            InvalidRangeError: The range starts at or past its end.
            ArchivedError: It must be restored first.
        """

    @abstractmethod
    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        """Write an object of modest size in one request, and return its info.

        Raises:
            AlreadyExistsError: ``if_absent``, and it exists (and this call did not write it).
            PreconditionFailedError: ``if_match``, and its e-tag differs or it is gone.
            InvalidKeyError: The key cannot be stored exactly.
        """

    @abstractmethod
    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        """Return a writer for an object of any size, in bounded memory.

        Args:
            key: The object.
            attributes: What is stored with it.
            size_bytes: How large it will be, about, where that is known: its parts are made to fit. Without it, an
                upload to S3 ends at 160 GB, which are 10,000 parts.
        """

    @abstractmethod
    def list_pages(
        self, prefix: str = "", *, start_after: str | None = None, delimiter: Literal["/"] | None = None
    ) -> Iterator[ListPage]:
        """Yield the objects whose key starts with ``prefix``, a page a request, in key order.

        Args:
            prefix: Any text, not only whole folders.
            start_after: Only keys greater than this one.
            delimiter: With ``"/"``, keys that go on past the next ``/`` are folded into their prefixes.
        """

    @abstractmethod
    def delete(self, keys: str | Iterable[str]) -> None:
        """Delete one object or many; those that do not exist are passed over.

        Raises:
            TransferError: Some could not be deleted; ``failures`` names each.
        """

    @abstractmethod
    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store, with its attributes, without moving its bytes through here."""

    @abstractmethod
    def rename(self, source: str, target: str) -> None:
        """Move an object within the store. On object stores: copy, then delete; a failure leaves both, never none."""

    @abstractmethod
    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:
        """Return a URL that lets its holder read or write one object for a while.

        Raises:
            UnsupportedError: The store has no such links.
        """

    @abstractmethod
    def observed(self, observer: Observer) -> Self:
        """Return the same store (sharing its connections) that also tells ``observer`` of every attempt."""

    def read(self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None) -> bytes:
        """Return an object's bytes, or a range of them; errors as `read_with_info`."""
        return self.read_with_info(key, byte_range, if_match=if_match)[1]

    def open_reader(self, key: str, *, block_bytes: int = 8 * 1024 * 1024, read_ahead: int = 2) -> ObjectReader:
        """Return a seekable file-like object over one version of an object.

        Args:
            key: The object.
            block_bytes: How much one request asks for.
            read_ahead: How many blocks are fetched before they are asked for, once reading is sequential.

        Raises:
            KeyNotFoundError: No such object (now, not at the first read).
            PreconditionFailedError: While reading: the object was replaced under the reader.
        """
        return ObjectReader(self, key, block_bytes=block_bytes, read_ahead=read_ahead)

    def list(self, prefix: str = "", *, start_after: str | None = None) -> Iterator[ObjectInfo]:
        """Yield every object whose key starts with ``prefix``, in key order, a page at a time."""
        for page in self.list_pages(prefix, start_after=start_after):
            yield from page.objects

    def list_folder(self, prefix: str = "") -> ListPage:
        """Return what lies one level under ``prefix`` (a folder's name ending in ``/``, or empty for the root)."""
        objects: list[ObjectInfo] = []
        prefixes: list[str] = []
        for page in self.list_pages(prefix, delimiter="/"):
            objects += page.objects
            prefixes += page.prefixes
        return ListPage(tuple(objects), tuple(prefixes))

    def exists(self, key: str) -> bool:
        """Return whether the object exists; whatever keeps from knowing is raised, never read as "no"."""
        try:
            self.info(key)
        except KeyNotFoundError:
            return False
        return True

    def delete_prefix(self, prefix: str) -> int:
        """Delete every object whose key starts with ``prefix``; return how many.

        Raises:
            DeleteGuardError: The prefix is empty, which would mean the whole store.
            InvalidKeyError: As `delete_listed`.
        """
        if not prefix.strip("/"):
            raise DeleteGuardError(
                "an empty prefix would delete everything in the store",
                operation="delete",
                uri=self.uri,
                remedy="Name a prefix; to empty a bucket on purpose, list it and delete the keys",
            )
        check_prefix(prefix, operation="delete", uri=self.uri)
        found = list(self.list(prefix))
        self.delete_listed(prefix, found)
        return len(found)

    def delete_listed(self, prefix: str, found: Sequence[ObjectInfo]) -> None:
        """Delete what a listing of ``prefix`` found, and list again: a deletion that missed its object says nothing.

        Raises:
            InvalidKeyError: An object is still listed, because its true key is another.
            TransferError: Some could not be deleted.
        """
        self.delete([info.key for info in found])
        gone = {(info.key, info.e_tag) for info in found}
        left = [info.key for info in self.list(prefix) if (info.key, info.e_tag) in gone]
        if left:
            raise InvalidKeyError(
                f"{len(left)} of {len(found)} objects are still listed, the first as {left[0]!r}: another program "
                "wrote it under a key that begins or ends with '/', which cannot be named here",
                operation="delete",
                uri=self.uri_of(prefix),
                identity=self.identity,
                remedy="Delete that object with the program that wrote it; the others are gone",
            )

    @property
    def root(self) -> "Store":
        """The store of the whole bucket of which this one is a view; itself where it is none."""
        return self

    def uri_of(self, key: str) -> str:
        """Return the full URI of a key."""
        return f"{self.uri.rstrip('/')}/{key}" if key else self.uri

    def place_of(self, key: str) -> str:
        """Return what is equal for one and the same object, whatever store or URI it was reached by.

        It ends in the last part of the key, and what is before that is the same for all that lies in one folder.

        Raises:
            InvalidKeyError: No object can have this key.
        """
        return self.uri_of(key)

    def __repr__(self) -> str:
        """Show where and who, never secrets."""
        return f"<{type(self).__name__} {self.uri!r}{f' as {self.identity}' if self.identity else ''}>"
