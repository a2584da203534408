"""Arrow IPC, as file and as stream: every Arrow type, as it is."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import contextlib
import os
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from skyhold.errors import BadOptionError, MalformedInputError, SchemaError
from skyhold.records.formats.adapter import Batch, InputStream, OutputStream, Source
from skyhold.records.formats.arrow_footer import parse_arrow_footer
from skyhold.records.formats.object_shards import Division, Likeness, ObjectPart, group_objects
from skyhold.records.formats.objects import (
    ObjectInputAdapter,
    ObjectOutputAdapter,
    ObjectPlace,
    ObjectSink,
    ObjectUris,
)
from skyhold.records.formats.planned import PlannedReader, Span, told_of
from skyhold.records.formats.selection import Window, check_names, check_numbers, pick_columns
from skyhold.records.formats.soundness import check_batch
from skyhold.records.validation.arrow import walk_types

__all__ = ["ArrowInputAdapter", "ArrowOutputAdapter"]

_MAGIC = b"ARROW1"
_CONTINUATION = b"\xff\xff\xff\xff"
_WORD = 8
_ALIGNMENT = 64
_PIECE_BYTES = 4 * 1024 * 1024
_AHEAD_BYTES = 16 * 1024 * 1024
_BATCH_BYTES = 8 * 1024 * 1024
_BATCH_ROWS = 64 * 1024
_WRITE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Selection:
    columns: tuple[str, ...] | None
    batch_size: int | None
    limit: int | None
    offset: int
    require_end: bool


class ArrowCut(NamedTuple):
    """Some record batches of a file: how many, and the messages that make a stream of them."""

    batches: int
    messages: tuple[Span, ...]


class ArrowInputAdapter(ObjectInputAdapter):
    """Read one Arrow object, a file or a stream; which of the two it is shows in its bytes.

    It is read front to back, a record batch at a time, so the largest batch must fit into memory.

    Args:
        uri: Where it is; many objects are read as one, as `skyhold.records.formats.objects.ObjectInputAdapter` says.
        columns: Names of columns, in the order wanted; all without it. The others are fetched, and not decoded.
        batch_size: Rows in a batch at most; without it, some megabytes.
        limit: Rows to read at most, after ``offset``.
        offset: Rows of one object to pass over first.
        require_end: Whether a stream must end with its end mark. Without one, nobody can tell a whole stream from one
            that was cut short between two batches.
        **options: As for `skyhold.records.formats.objects.ObjectInputAdapter`.

    Example:
        >>> import pyarrow as pa
        >>> from skyhold.storage.opening import open_store
        >>> file = pa.BufferOutputStream()
        >>> with pa.ipc.new_stream(file, pa.schema({"a": pa.int8()})) as writer:
        ...     writer.write_batch(pa.record_batch({"a": pa.array([1, 2, 3], pa.int8())}))
        >>> _ = open_store("memory://arrow-example").write("in.arrows", file.getvalue().to_pybytes())
        >>> with ArrowInputAdapter("memory://arrow-example/in.arrows", offset=1).open(lambda store: store) as stream:
        ...     [(batch.first_row, batch.data.to_pylist()) for batch in stream.batches()]
        [(2, [{'a': 2}, {'a': 3}])]
    """

    def __init__(
        self,
        uri: ObjectUris,
        *,
        columns: Sequence[str] | None = None,
        batch_size: int | None = None,
        limit: int | None = None,
        offset: int = 0,
        require_end: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(uri, **options)
        check_numbers(batch_size, limit, offset)
        self._limit, self._offset = limit, offset
        picked = None if columns is None else tuple(columns)
        self._selection = _Selection(picked, batch_size, limit, offset, require_end)

    def _open_one(self, place: ObjectPlace) -> InputStream:
        reader = PlannedReader(place)
        try:
            return _ArrowStream(reader, place.uri, self._selection)
        except BaseException:
            reader.close()
            raise

    def _divide(
        self, stream: InputStream, place: ObjectPlace, part: ObjectPart, division: Division
    ) -> Sequence[ArrowCut]:
        del place, part
        return stream.divide(division) if isinstance(stream, _ArrowStream) else ()

    def _open_cut(self, place: ObjectPlace, part: ObjectPart, like: Likeness) -> InputStream:
        del like
        reader = PlannedReader(place, known=(part.info, b""))
        try:
            return _ArrowStream(reader, place.uri, self._selection, part.cut)
        except BaseException:
            reader.close()
            raise


class _ArrowStream(InputStream):
    def __init__(self, reader: PlannedReader, uri: str, selection: _Selection, cut: ArrowCut | None = None) -> None:
        self.kind = "typed"
        self.sources = [Source(uri, reader.info)]
        self._reader = reader
        self._uri = uri
        self._asked = selection
        self._batches_due = cut.batches if cut else None
        spans = _join(cut.messages) if cut else [Span(0, reader.info.size_bytes)]
        reader.plan([piece for span in spans for piece in _pieces(span)], ahead_bytes=_AHEAD_BYTES)
        with told_of(reader, uri, "Arrow"):
            self._spans = cut.messages if cut else (self._find_messages(),)
            whole = self._read_schema()
        check_names(whole, uri)
        self.schema = pick_columns(whole, selection.columns, uri)
        self._fields = [whole.get_field_index(name) for name in self.schema.names]

    def _find_messages(self) -> Span:
        """Find where the messages are: a file is a stream with a magic word before it and an index behind it."""
        size = self._reader.info.size_bytes
        head = self._reader.peek(0, _ALIGNMENT + _WORD)
        if not head.startswith(_MAGIC):
            return Span(0, size)
        self._batches_due = pa.ipc.open_file(pa.PythonFile(self._reader, mode="r")).num_record_batches
        start = _WORD
        while head[start : start + _WORD] == bytes(_WORD):  # some writers align the first message
            start += _WORD
        footer_end = size - len(_MAGIC) - 4
        footer_bytes = int.from_bytes(self._reader.peek(footer_end, 4), "little")
        return Span(start, footer_end - footer_bytes)

    def _read_schema(self) -> pa.Schema:
        """Read the first message, without its bytes counting as read."""
        return pa.ipc.read_schema(pa.BufferReader(self._reader.peek(*self._schema_message())))

    def _schema_message(self) -> tuple[int, int]:
        """Return where the first message begins, and its size."""
        start = self._spans[0].start
        prefix = self._reader.peek(start, _WORD)
        is_old = prefix[:4] != _CONTINUATION
        length = int.from_bytes(prefix[:4] if is_old else prefix[4:], "little")
        return start, (_WORD // 2 if is_old else _WORD) + length

    def divide(self, division: Division) -> list[ArrowCut]:
        """Return cuts of whole record batches; none of a stream, which says nowhere where they are."""
        if self._batches_due is None:
            return []
        with told_of(self._reader, self._uri, "Arrow"):
            end = self._spans[0].end
            index = parse_arrow_footer(self._reader.peek(end, self._reader.info.size_bytes - end))
        if not index.is_in_order or len(index.batches) != self._batches_due:
            return []
        start, size = self._schema_message()
        sizes = [span.size_bytes for span in index.batches]
        groups = group_objects(sizes, division.count, division.least_bytes)
        return [
            ArrowCut(
                len(group.numbers),
                (Span(start, start + size), *index.needed_for(group.numbers[0], group.numbers[-1])),
            )
            for group in groups
        ]

    def batches(self) -> Iterator[Batch]:
        window = Window(self._asked.offset, self._asked.limit)
        row = 1
        with told_of(self._reader, self._uri, "Arrow"):
            for data in () if window.is_full else self._decode():
                start, count = window.take(data.num_rows)
                for piece in self._cut(data.slice(start, count)):
                    yield check_batch(piece, self._uri, row + start)
                    start += piece.num_rows
                row += data.num_rows
                if window.is_full:
                    return

    def _decode(self) -> Iterator[pa.RecordBatch]:
        messages = _Messages(self._reader, self._spans)
        options = pa.ipc.IpcReadOptions(included_fields=self._fields if self._asked.columns else None)
        count = 0
        for data in pa.ipc.open_stream(pa.PythonFile(messages, mode="r"), options=options):
            count += 1
            yield data.select(self.schema.names) if self._asked.columns is not None else data
        if self._batches_due is not None and count != self._batches_due:
            raise MalformedInputError(f"{self._uri!r} has {count} batches, and its index names {self._batches_due}")
        if self._batches_due is None:
            self._check_end(messages)

    def _check_end(self, messages: "_Messages") -> None:
        if messages.left_bytes:
            raise MalformedInputError(
                f"{self._uri!r} goes on for {messages.left_bytes:,} bytes after the end of its stream",
                remedy="Store each stream in an object of its own",
            )
        if messages.is_exhausted and self._asked.require_end:
            raise MalformedInputError(
                f"{self._uri!r} has no end mark: it may have been cut short between two batches",
                remedy="Write it again, or give require_end=False if its writer leaves the mark out",
            )

    def _cut(self, data: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        fitting = max(1, min(_BATCH_ROWS, _BATCH_BYTES * data.num_rows // max(1, data.nbytes)))
        rows = self._asked.batch_size or fitting
        for start in range(0, data.num_rows, rows):
            yield data.slice(start, rows)

    def close(self) -> None:
        self._reader.close()


class _Messages:
    """The parts of an object that hold messages, as a file that is read once.

    Attributes:
        is_exhausted: Whether more was asked for than there is.
    """

    def __init__(self, reader: PlannedReader, spans: Sequence[Span]) -> None:
        self._reader = reader
        self._spans = deque(spans)
        self.is_exhausted = False
        self.closed = False

    @property
    def left_bytes(self) -> int:
        """How much has not been read."""
        return sum(span.size_bytes for span in self._spans)

    def read(self, size: int) -> memoryview | bytes:
        """Return the next bytes, fewer at the end."""
        parts: list[memoryview | bytes] = []
        while size and self._spans:
            span = self._spans.popleft()
            found = min(size, span.size_bytes)
            self._reader.seek(span.start)
            parts.append(self._reader.read(found))
            size -= found
            if found < span.size_bytes:
                self._spans.appendleft(Span(span.start + found, span.end))
        self.is_exhausted |= size > 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def readable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Leave the object open: others read it too."""
        self.closed = True


def _pieces(span: Span) -> list[Span]:
    return [Span(start, min(start + _PIECE_BYTES, span.end)) for start in range(span.start, span.end, _PIECE_BYTES)]


def _join(spans: Sequence[Span]) -> list[Span]:
    """Join neighbours."""
    joined: list[Span] = []
    for span in spans:
        if joined and span.start == joined[-1].end:
            joined[-1] = Span(joined[-1].start, span.end)
        else:
            joined.append(span)
    return joined


class ArrowOutputAdapter(ObjectOutputAdapter):
    """Write one Arrow object, compressed.

    Dictionaries that grow are written as what is new in them.

    Args:
        uri: Where to.
        format: ``"file"`` can be read from any point, ``"stream"`` from the front; readers of other languages may know
            only one.
        compression: Codec of the buffers.
        compression_level: How hard it tries; the codec's own choice without it.
        **storage_options: As for `skyhold.storage.opening.open_store`.

    Example:
        >>> ArrowOutputAdapter("memory://arrow-example/out.arrow", compression="lz4")
        ArrowOutputAdapter('memory://arrow-example/out.arrow')
    """

    def __init__(
        self,
        uri: str | os.PathLike[str],
        *,
        format: Literal["file", "stream"] = "file",  # noqa: A002 - what everybody calls it
        compression: Literal["zstd", "lz4", "none"] = "zstd",
        compression_level: int | None = None,
        **storage_options: Any,
    ) -> None:
        super().__init__(uri, **storage_options)
        if format not in ("file", "stream"):
            raise BadOptionError(f"format={format!r} is neither 'file' nor 'stream'")
        if compression not in ("zstd", "lz4", "none"):
            raise BadOptionError(f"compression={compression!r} is none of 'zstd', 'lz4', 'none'")
        self._format: Literal["file", "stream"] = format
        self._codec = (compression, compression_level)

    def _open_one(self, place: ObjectPlace, schema: pa.Schema) -> OutputStream:
        name, level = self._codec
        codec = None if name == "none" else pa.Codec("lz4_frame" if name == "lz4" else name, level)
        return _ArrowSink(place, schema, self._format, codec)


class _ArrowSink(ObjectSink):
    def __init__(self, place: ObjectPlace, schema: pa.Schema, format: Literal["file", "stream"], codec: Any) -> None:  # noqa: A002
        super().__init__(place)
        options = pa.ipc.IpcWriteOptions(compression=codec, emit_dictionary_deltas=True)
        make = pa.ipc.new_file if format == "file" else pa.ipc.new_stream
        self._file = pa.BufferedOutputStream(pa.PythonFile(self._writer, mode="w"), _WRITE_BYTES)
        self._arrow = make(self._file, schema, options=options)
        self._schema = schema
        self._previous: pa.RecordBatch | None = None
        self._has_dictionaries = any(
            pa.types.is_dictionary(kind) for field in schema for kind in walk_types(field.type)
        )

    def _encode(self, batch: pa.RecordBatch) -> None:
        if not batch.schema.equals(self._schema):  # Arrow cannot cast every type to itself
            batch = batch.cast(self._schema)
        if self._has_dictionaries:
            batch = self._grow_dictionaries(_without_empty_dictionaries(batch))
        try:
            self._arrow.write_batch(batch)
        except pa.ArrowInvalid as error:
            raise SchemaError(
                f"{self._uri!r}: rows that an Arrow file cannot hold: {error}",
                remedy="Write a stream (format='stream'), whose dictionaries may change",
            ) from error

    def _grow_dictionaries(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Number the values as the batches before did, since a file's dictionaries may grow and not change."""
        if self._previous is not None:
            with contextlib.suppress(pa.ArrowException):  # a stream replaces them, a file says why it cannot
                table = pa.Table.from_batches([self._previous, batch]).unify_dictionaries()
                batch = pa.RecordBatch.from_arrays([column.chunks[-1] for column in table.columns], schema=self._schema)
        self._previous = batch.slice(0, 0)
        return batch

    def _finish(self) -> None:
        self._arrow.close()
        self._file.flush()

    def _let_go(self) -> None:
        with contextlib.suppress(ValueError, OSError, pa.ArrowException):
            self._arrow.close()  # its footer meets a closed writer
        with contextlib.suppress(ValueError, OSError, pa.ArrowException):
            self._file.close()  # else it says on stderr that it could not write what it holds


def _without_empty_dictionaries(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Put a value that no row has into empty dictionaries: Arrow's files let others grow, and not these."""
    for number, column in enumerate(batch.columns):
        if pa.types.is_dictionary(column.type) and not len(column.dictionary):
            filled = pa.DictionaryArray.from_arrays(
                column.indices, _any_value(column.type.value_type), ordered=column.type.ordered
            )
            batch = batch.set_column(number, batch.schema.field(number), filled)
    return batch


def _any_value(kind: pa.DataType) -> pa.Array:
    for value in ("", 0, 0.0, False, b""):
        with contextlib.suppress(pa.ArrowException, TypeError, ValueError):
            return pa.array([value], kind)
    return pa.array([], kind)
