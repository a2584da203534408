"""What formats share whose rows lie in an object: opening it, and publishing it whole with its hash."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import os
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from skyhold.records.formats.adapter import InputAdapter, InputStream, OpenStore, OutputAdapter, OutputStream, Written
from skyhold.runs.hashing import HashingWriter
from skyhold.runs.receipt import RECEIPT_SUFFIX
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import open_object
from skyhold.storage.reader import ObjectReader

__all__ = ["ObjectInputAdapter", "ObjectOutputAdapter", "ObjectPlace", "ObjectSink"]


@dataclass(frozen=True, slots=True)
class ObjectPlace:
    """An object that is or will be: its store and key."""

    store: Store
    key: str

    @property
    def uri(self) -> str:
        """Its full URI."""
        return self.store.uri_of(self.key)

    def open_reader(self, block_bytes: int) -> ObjectReader:
        """Return a seekable file over it; errors as `skyhold.storage.contract.Store.open_reader`."""
        return self.store.open_reader(self.key, block_bytes=block_bytes)


class ObjectInputAdapter(InputAdapter):
    """Reads an object of some format.

    Args:
        uri: Where it is.
        **storage_options: As for `skyhold.storage.opening.open_store`.
    """

    def __init__(self, uri: str | os.PathLike[str], **storage_options: Any) -> None:
        self._uri = os.fspath(uri)
        self._storage_options = storage_options

    @property
    def uri(self) -> str:
        return redact_uri(self._uri)

    def open(self, wrap: OpenStore) -> InputStream:
        store, key = open_object(self._uri, **self._storage_options)
        return self._open_one(ObjectPlace(wrap(store), key))

    @abstractmethod
    def _open_one(self, place: ObjectPlace) -> InputStream:
        """Begin to read one object; on failure, let go of what was opened."""


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

    @abstractmethod
    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        """Begin to write one object."""


class ObjectSink(OutputStream):
    """Writes one object, hashing it on the way."""

    def __init__(self, place: ObjectPlace) -> None:
        self._uri = place.uri
        self._writer = HashingWriter(place.store.open_writer(place.key))
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
        return [Written(self._uri, self._rows, self._writer.info, self._writer.sha256)]

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
