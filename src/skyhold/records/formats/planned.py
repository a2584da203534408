"""Reading an object in few requests when it is known which of its bytes will be asked for, and in which order."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportAttributeAccessIssue=false

import contextlib
import io
from bisect import bisect_right
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from skyhold.errors import MalformedInputError, SkyholdError
from skyhold.records.formats.objects import ObjectPlace
from skyhold.records.formats.part_reader import read_part
from skyhold.storage.objects import ByteRange, ObjectInfo

__all__ = ["ALIGNMENT", "PlannedReader", "Span", "told_of"]

ALIGNMENT = 64
"""What the place of a buffer in an object is a multiple of, and should be in memory too."""

_TAIL_BYTES = 64 * 1024
_IN_FLIGHT = 8


class Span(NamedTuple):
    """The bytes ``[start, end)`` of an object."""

    start: int
    end: int

    @property
    def size_bytes(self) -> int:
        """How many they are."""
        return self.end - self.start


@dataclass(slots=True)
class _Piece:
    span: Span
    unread_bytes: int
    data: Future[bytes] | None = None


class PlannedReader:
    """A seekable file over one version of an object, whose last bytes come with the first request.

    Formats with a footer read it, tell with `plan` which bytes they will want, and read them: each planned piece is
    one request, made before it is asked for and dropped when all of it was read. Bytes that were not planned are
    fetched as they are asked for. Threads may share it as long as one of them seeks and reads at a time.

    Args:
        place: The object.
        tail_bytes: How much of the object's end the first request brings at least.
        known: The version and its last bytes, where they are known before; then nothing is asked for.

    Attributes:
        info: The object as it was when it was opened.
        failure: The first error of the store, which decoders may wrap beyond recognition.
    """

    def __init__(
        self, place: ObjectPlace, *, tail_bytes: int = _TAIL_BYTES, known: tuple[ObjectInfo, bytes] | None = None
    ) -> None:
        self._store, self._key = place.store, place.key
        self.info, tail = known or place.store.read_with_info(place.key, ByteRange(suffix=tail_bytes + ALIGNMENT))
        start = self.info.size_bytes - len(tail)
        self._tail_start = min(-(-start // ALIGNMENT) * ALIGNMENT, self.info.size_bytes)
        self._tail = memoryview(bytes(tail[self._tail_start - start :]))
        self._pieces: list[_Piece] = []
        self._by_start: list[_Piece] = []
        self._ahead_bytes = 0
        self._next = 0
        self._held_bytes = 0
        self._position = 0
        self._pool: ThreadPoolExecutor | None = None
        self.closed = False
        self.failure: SkyholdError | None = None

    def plan(self, spans: Iterable[Span], *, ahead_bytes: int, perhaps: Iterable[Span] = ()) -> None:
        """Say what will be read.

        Args:
            spans: Disjoint, each one request, in the order in which they are first needed.
            ahead_bytes: How much is fetched or held before it is asked for.
            perhaps: Further requests, which are only made when some of their bytes are asked for.
        """
        self._pieces = self._cut(spans)
        self._next = 0
        self._ahead_bytes = ahead_bytes
        self._by_start = sorted([*self._pieces, *self._cut(perhaps)], key=_start_of)

    def read(self, size: int = -1) -> memoryview | bytes:
        """Return the next ``size`` bytes, fewer at the end of the object, all that is left with -1."""
        start = self._position
        end = self.info.size_bytes if size < 0 else min(start + size, self.info.size_bytes)
        if end <= start:
            return b""
        try:
            parts = list(self._parts(start, end))
        except SkyholdError as error:
            self.failure = self.failure or error
            raise
        self._position = end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def peek(self, start: int, size: int) -> bytes:
        """Return bytes that will be read again; fewer at the end of the object."""
        span = Span(start, min(start + size, self.info.size_bytes))
        return b"".join(self._parts(*span, is_peeking=True))

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.info.size_bytes}[whence]
        self._position = origin + offset
        return self._position

    def tell(self) -> int:
        """Return the position of the next byte."""
        return self._position

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return False."""
        return False

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Drop what was fetched early; what is under way is waited for, so that the meter counts it."""
        self.closed = True
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self._pieces = self._by_start = []

    def _cut(self, spans: Iterable[Span]) -> list[_Piece]:
        """Leave out what came with the first request."""
        ends = [Span(span.start, min(span.end, self._tail_start)) for span in spans]
        return [_Piece(span, span.size_bytes) for span in ends if span.size_bytes > 0]

    def _parts(self, start: int, end: int, *, is_peeking: bool = False) -> Iterator[memoryview]:
        while start < end:
            if start >= self._tail_start:
                yield self._tail[start - self._tail_start : end - self._tail_start]
                return
            after = bisect_right(self._by_start, start, key=_start_of)
            piece = self._by_start[after - 1] if after else None
            if piece is not None and start < piece.span.end:
                stop = min(end, piece.span.end)
                yield self._request_part(piece, start, stop) if is_peeking else self._take(piece, start, stop)
            else:
                next_start = self._by_start[after].span.start if after < len(self._by_start) else self._tail_start
                stop = min(end, next_start)
                yield memoryview(self._fetch(Span(start, stop)))
            start = stop

    def _take(self, piece: _Piece, start: int, end: int) -> memoryview:
        self._request(piece)
        while self._next < len(self._pieces):
            following = self._pieces[self._next]
            if following.data is None and following.unread_bytes > 0:
                if self._held_bytes + following.span.size_bytes > self._ahead_bytes:
                    break
                self._request(following)
            self._next += 1
        part = self._request_part(piece, start, end)
        piece.unread_bytes -= len(part)
        if piece.unread_bytes <= 0:
            piece.data = None
            self._held_bytes -= piece.span.size_bytes
        return part

    def _request_part(self, piece: _Piece, start: int, end: int) -> memoryview:
        return memoryview(self._request(piece).result())[start - piece.span.start : end - piece.span.start]

    def _request(self, piece: _Piece) -> Future[bytes]:
        if piece.data is None:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_IN_FLIGHT, thread_name_prefix="skyhold-planned")
            piece.data = self._pool.submit(self._fetch, piece.span)
            self._held_bytes += piece.span.size_bytes
        return piece.data

    def _fetch(self, span: Span) -> bytes:
        return read_part(self._store, self._key, self.info, *span)


def _start_of(piece: _Piece) -> int:
    return piece.span.start


@contextlib.contextmanager
def told_of(reader: PlannedReader, uri: str, format_name: str) -> Generator[None]:
    """Name the object in errors of decoding; errors of the store stay what they are."""
    try:
        yield
    except SkyholdError:
        raise
    except (pa.ArrowException, OSError, ValueError, IndexError) as error:
        if reader.failure is not None:
            raise reader.failure from error
        raise MalformedInputError(
            f"{uri!r} cannot be read as {format_name}: {error}",
            remedy="Write or fetch it again: it is damaged, cut short, or something else",
        ) from error
