"""What formats share whose rows lie in an object: opening it, and publishing it whole with its hash."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import os
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from skyhold.errors import BadOptionError, BadUriError
from skyhold.records.formats.adapter import (
    LEAST_SHARD_BYTES,
    InputAdapter,
    InputStream,
    OpenStore,
    OutputAdapter,
    OutputStream,
    Shards,
    Written,
)
from skyhold.records.formats.compression import (
    ByteStream,
    Codec,
    CompressingWriter,
    Compression,
    check_compression,
    open_decompressed,
)
from skyhold.records.formats.finding import FoundObject, find_objects, infos_of
from skyhold.records.formats.many import ManyStream
from skyhold.records.formats.object_shards import Division, Likeness, ObjectPart, ObjectShard, group_objects
from skyhold.records.formats.part_reader import check_unchanged
from skyhold.records.formats.window import SelectedStream, Selection
from skyhold.runs.hashing import HashingWriter
from skyhold.runs.receipt import RECEIPT_SUFFIX
from skyhold.storage.contract import Store
from skyhold.storage.held_options import HeldOptions
from skyhold.storage.location import redact_uri
from skyhold.storage.opening import open_object, open_pattern
from skyhold.storage.reader import ObjectReader

__all__ = [
    "PIECES_SUFFIX",
    "ObjectInputAdapter",
    "ObjectOutputAdapter",
    "ObjectPlace",
    "ObjectSink",
    "ObjectUris",
    "TextInputAdapter",
    "list_uris",
]


PIECES_SUFFIX = ".pieces/"
"""Pieces of an output that is being made lie beside it, under its key with this added."""

_SHOWN_URIS = 3
_LEAST_SHARDS = 2


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
        self._storage_options = HeldOptions(self._uris, storage_options)
        # Set by formats that read no further in one object than they must: what counts over all of them is cut here.
        self._limit: int | None = None
        self._offset = 0

    @property
    def uri(self) -> str:
        shown = [redact_uri(each) for each in self._uris[:_SHOWN_URIS]]
        more = len(self._uris) - len(shown)
        return ", ".join([*shown, f"and {more:,} more"] if more else shown)

    def open(self, wrap: OpenStore) -> InputStream:
        found, are_many = self._find(wrap)
        return self._refine(self._open_found(found, are_many=are_many))

    def shards(
        self, count: int, wrap: OpenStore, executor: Executor, *, least_bytes: int = LEAST_SHARD_BYTES
    ) -> Shards:
        if count < _LEAST_SHARDS or self._limit is not None or self._offset:
            return Shards([self])
        found, are_many = self._find(wrap)
        infos = infos_of(found) if are_many else []
        with closing(self._open_found(found, are_many=are_many)) as stream:
            infos = infos or [source.info for source in stream.sources if source.info is not None]
            parts = [ObjectPart(each.uri_number, each.key, info) for each, info in zip(found, infos, strict=False)]
            groups = group_objects([part.info.size_bytes for part in parts], count, least_bytes)
            if len(parts) < len(found) or sum(group.parts for group in groups) < _LEAST_SHARDS:
                return Shards([self])
            # Whoever looks at the rows to tell the schema looks at the first ones, and these of the whole.
            like = Likeness(self._refine(stream).schema, stream.shape if isinstance(stream, ManyStream) else None)
            divided: list[Sequence[ObjectPart]] = []
            for group in groups:
                own = [parts[number] for number in group.numbers]
                division = Division(group.parts, least_bytes, own[0].info, executor)
                divided += self._divide_part(found[group.numbers[0]], own[0], division, stream) or [own]
        return Shards([ObjectShard(self, each, like) for each in divided] if len(divided) > 1 else [self])

    def open_parts(self, parts: Sequence[ObjectPart], like: Likeness, wrap: OpenStore) -> InputStream:
        """Begin to read what one shard reads.

        Raises:
            PreconditionFailedError: An object has changed since the shards were planned.
        """
        stores = {number: wrap(self._open_store(number)) for number in {part.uri_number for part in parts}}
        openers = [partial(self._open_part, stores[part.uri_number], part, like) for part in parts]
        stream = openers[0]() if like.shape is None else ManyStream(iter(openers), shape=like.shape)
        return self._refine(stream, like.schema)

    def reopen(self, part: ObjectPart, wrap: OpenStore) -> Store:
        """Return the store of a part; in any process."""
        return wrap(self._open_store(part.uri_number))

    def _find(self, wrap: OpenStore) -> tuple[list[FoundObject], bool]:
        """Return what there is to read, and whether it may be many."""
        found, are_many = find_objects(self._uris, glob=self._glob, wrap=wrap, **self._storage_options)
        if are_many and self._offset:
            raise BadOptionError(
                f"offset={self._offset} counts the rows of one object, and {self.uri!r} may be many",
                remedy="Leave offset out, or name one object",
            )
        return found, are_many

    def _open_store(self, uri_number: int) -> Store:
        uri = self._uris[uri_number]
        folder = open_pattern(uri, **self._storage_options) if self._glob else None
        return folder[0] if folder else open_object(uri, **self._storage_options)[0]

    def _open_found(self, found: Sequence[FoundObject], *, are_many: bool) -> InputStream:
        if not are_many and self._source_column is None:
            return self._open_one(self._place(found[0].store, found[0].key))
        openers = (partial(self._open_one, self._place(each.store, each.key)) for each in found)
        many = ManyStream(openers, source_column=self._source_column)
        return many if self._limit is None else SelectedStream(many, Selection(limit=self._limit))

    def _open_part(self, store: Store, part: ObjectPart, like: Likeness) -> InputStream:
        place = self._place(store, part.key)
        if part.cut is not None:
            return self._open_cut(place, part, like)
        stream = self._open_one(place)
        try:
            check_unchanged(stream.sources[0].info, part.info, place.uri)
        except BaseException:
            stream.close()
            raise
        return stream

    def _divide_part(
        self, found: FoundObject, part: ObjectPart, division: Division, whole: InputStream
    ) -> list[Sequence[ObjectPart]]:
        """Return the parts of one object, each of which becomes a shard; none where it is read as it is."""
        if division.count < _LEAST_SHARDS or not found.store.has_cheap_ranges:
            return []
        place = self._place(found.store, found.key)
        with nullcontext(whole) if not isinstance(whole, ManyStream) else closing(self._open_one(place)) as stream:
            check_unchanged(stream.sources[0].info, part.info, place.uri)
            cuts = self._divide(stream, place, part, division)
        return [[part._replace(cut=cut)] for cut in cuts] if len(cuts) > 1 else []

    def _refine(self, stream: InputStream, schema: pa.Schema | None = None) -> InputStream:
        """Return the rows of all objects in their last form; on failure, close the stream.

        Args:
            stream: The rows as the objects have them.
            schema: The last form's, where that is known before.
        """
        del schema
        return stream

    def _place(self, store: Store, key: str) -> ObjectPlace:
        """Return an object as this adapter reads it."""
        return ObjectPlace(store, key)

    @abstractmethod
    def _open_one(self, place: ObjectPlace) -> InputStream:
        """Begin to read one object; on failure, let go of what was opened."""

    def _divide(self, stream: InputStream, place: ObjectPlace, part: ObjectPart, division: Division) -> Sequence[Any]:
        """Return how one object is cut, in order; fewer than two cuts where it is read whole.

        Args:
            stream: The object, open; some of it may have been read.
            place: Where it is.
            part: The same, for whoever cannot be handed a store.
            division: What is wished for.
        """
        del stream, place, part, division
        return ()

    def _open_cut(self, place: ObjectPlace, part: ObjectPart, like: Likeness) -> InputStream:
        """Begin to read one cut of those that `_divide` has made."""
        del like
        raise AssertionError(f"{type(self).__name__} has cut {place.uri!r} into {part.cut!r}, and cannot read that")


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
        self._storage_options = HeldOptions([self._uri], storage_options)

    @property
    def uri(self) -> str:
        return redact_uri(self._uri)

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        return self._open_one(self._place(wrap), schema)

    def receipt_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        place = self._place(wrap)
        return place.store, place.key + RECEIPT_SUFFIX

    def pieces_place(self, wrap: OpenStore) -> tuple[Store, str] | None:
        place = self._place(wrap)
        return place.store, place.key + PIECES_SUFFIX

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
