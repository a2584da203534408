"""What formats share whose rows lie in an object: opening it, and publishing it whole with its hash."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import os
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from skyhold.errors import BadOptionError, BadUriError
from skyhold.records.formats.adapter import InputAdapter, InputStream, OpenStore, OutputAdapter, OutputStream, Written
from skyhold.records.formats.compression import (
    ByteStream,
    Codec,
    CompressingWriter,
    Compression,
    check_compression,
    open_decompressed,
)
from skyhold.records.formats.finding import find_keys
from skyhold.records.formats.many import ManyStream
from skyhold.records.formats.window import SelectedStream, Selection
from skyhold.runs.hashing import HashingWriter
from skyhold.runs.receipt import RECEIPT_SUFFIX
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import open_object, open_pattern
from skyhold.storage.reader import ObjectReader

__all__ = [
    "ObjectInputAdapter",
    "ObjectOutputAdapter",
    "ObjectPlace",
    "ObjectSink",
    "ObjectUris",
    "TextInputAdapter",
    "find_objects",
    "list_uris",
]


_SHOWN_URIS = 3


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object that is or will be.

    Attributes:
        store: Where it is.
        key: Its name there.
        compression: How `open_bytes` reads it.
    """

    store: Store
    key: str
    compression: Compression = "auto"

    @property
    def uri(self) -> str:
        """Its full URI."""
        return self.store.uri_of(self.key)

    def open_reader(self, block_bytes: int) -> ObjectReader:
        """Return a seekable file over it; errors as `skyhold.storage.contract.Store.open_reader`."""
        return self.store.open_reader(self.key, block_bytes=block_bytes)

    def open_bytes(self, block_bytes: int) -> ByteStream:
        """Return its content, decompressed as ``compression`` says, to be read forwards.

        Raises:
            MalformedInputError: It is not what its name or ``compression`` says; also while reading, when it is
                damaged or ends too early.
        """
        reader = self.open_reader(block_bytes)
        try:
            return open_decompressed(reader, self.uri, self.compression)
        except BaseException:
            reader.close()
            raise


ObjectUris = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""One object; a pattern; a folder, ending in ``/``; or several of these."""


def list_uris(uris: ObjectUris) -> list[str]:
    """Return the URIs that were given, one or several.

    Raises:
        BadUriError: There is none.
    """
    listed = [os.fspath(each) for each in ([uris] if isinstance(uris, str | os.PathLike) else uris)]
    if not listed:
        raise BadUriError("an empty sequence of URIs names nothing to read")
    return listed


def find_objects(
    uris: Sequence[str], *, glob: bool, wrap: OpenStore, **storage_options: Any
) -> tuple[list[tuple[Store, str]], bool]:
    """Return the objects that URIs mean, at least one, and whether they might have been more than one.

    Raises:
        KeyNotFoundError: A pattern or a folder matches nothing.
        BadUriError: An object is meant twice.
    """
    found: dict[str, tuple[Store, str]] = {}
    are_many = len(uris) > 1
    for uri in uris:
        folder = open_pattern(uri, **storage_options) if glob else None
        if folder is None:
            store, key = open_object(uri, **storage_options)
            store, keys = wrap(store), [key]
        else:
            are_many = True
            store, pattern = wrap(folder[0]), folder[1]
            keys = find_keys(store, pattern, shown=redact_uri(uri))
        for key in keys:
            if store.uri_of(key) in found:
                raise BadUriError(f"{store.uri_of(key)!r} is among the inputs twice", remedy="Name each object once")
            found[store.uri_of(key)] = store, key
    return list(found.values()), are_many


class ObjectInputAdapter(InputAdapter):
    """Reads one object of some format, or many as if they were one.

    Many objects are meant by a pattern (`skyhold.records.formats.finding.compile_pattern`), by a URI that ends in ``/``
    and stands for everything below it, and by a sequence of URIs. They are listed when reading begins, and read in
    order of their keys, a sequence in its own order. All must have the same columns, in any order.

    Args:
        uri: What to read.
        glob: Whether ``*``, ``?``, ``[`` and a ``/`` at the end mean more than themselves.
        source_column: Name of a column to add, with the URI of each row's object.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(
        self, uri: ObjectUris, *, glob: bool = True, source_column: str | None = None, **storage_options: Any
    ) -> None:
        self._uris = list_uris(uri)
        self._glob = glob
        self._source_column = source_column
        self._storage_options = storage_options
        # Set by formats that read no further in one object than they must: what counts over all of them is cut here.
        self._limit: int | None = None
        self._offset = 0

    @property
    def uri(self) -> str:
        shown = [redact_uri(each) for each in self._uris[:_SHOWN_URIS]]
        more = len(self._uris) - len(shown)
        return ", ".join([*shown, f"and {more:,} more"] if more else shown)

    def open(self, wrap: OpenStore) -> InputStream:
        found, are_many = find_objects(self._uris, glob=self._glob, wrap=wrap, **self._storage_options)
        places = [self._place(store, key) for store, key in found]
        if are_many and self._offset:
            raise BadOptionError(
                f"offset={self._offset} counts the rows of one object, and {self.uri!r} may be many",
                remedy="Leave offset out, or name one object",
            )
        if not are_many and self._source_column is None:
            return self._open_one(places[0])
        openers = (partial(self._open_one, place) for place in places)
        many = ManyStream(openers, source_column=self._source_column)
        return many if self._limit is None else SelectedStream(many, Selection(limit=self._limit))

    def _place(self, store: Store, key: str) -> ObjectPlace:
        """Return an object as this adapter reads it."""
        return ObjectPlace(store, key)

    @abstractmethod
    def _open_one(self, place: ObjectPlace) -> InputStream:
        """Begin to read one object; on failure, let go of what was opened."""


class TextInputAdapter(ObjectInputAdapter):
    """Reads an object of text, which may be compressed.

    Args:
        uri: Where it is.
        compression: ``"auto"`` tells by the first bytes and the suffix; or a codec; or None for the bytes as they are.
        **options: As for `ObjectInputAdapter`.
    """

    def __init__(self, uri: ObjectUris, *, compression: Compression = "auto", **options: Any) -> None:
        super().__init__(uri, **options)
        self._compression: Compression = check_compression(compression)

    def _place(self, store: Store, key: str) -> ObjectPlace:
        return ObjectPlace(store, key, self._compression)


class ObjectOutputAdapter(OutputAdapter):
    """Writes an object of some format, and has the receipt put beside it.

    Args:
        uri: Where to.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(self, uri: str | os.PathLike[str], **storage_options: Any) -> None:
        self._uri = os.fspath(uri)
        self._storage_options = storage_options

    @property
    def uri(self) -> str:
        return redact_uri(self._uri)

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        return self._open_one(self._place(wrap), schema)

    def receipt_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        place = self._place(wrap)
        return place.store, place.key + RECEIPT_SUFFIX

    def _place(self, wrap: OpenStore) -> ObjectPlace:
        store, key = open_object(self._uri, **self._storage_options)
        return ObjectPlace(wrap(store), key)

    def open_place(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        """Begin to write another object than its own, in the same way."""
        return self._open_one(place, schema)

    @abstractmethod
    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        """Begin to write one object."""


class ObjectSink(OutputStream):
    """Writes one object, hashing it on the way.

    Args:
        place: Where to.
        codec: How to compress it whole; size and hash are those of the stored bytes.
    """

    def __init__(self, place: ObjectPlace, codec: Codec | None = None) -> None:
        self._uri = place.uri
        self._stored = HashingWriter(place.store.open_writer(place.key))
        self._writer = CompressingWriter(self._stored, codec) if codec else self._stored
        self._rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._encode(batch)
        self._rows += batch.num_rows

    def close(self) -> list[Written]:
        try:
            self._finish()
        except BaseException:
            self._writer.abort()
            raise
        self._writer.close()
        assert self._writer.info is not None
        return [Written(self._uri, self._rows, self._writer.info, self._stored.sha256)]

    def abort(self) -> None:
        self._writer.abort()
        self._let_go()

    @abstractmethod
    def _encode(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def _finish(self) -> None:
        """Write what is still held, such as a footer."""

    def _let_go(self) -> None:
        """Drop the encoder without writing its footer anywhere that counts."""
