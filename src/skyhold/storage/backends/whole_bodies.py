"""Ranges from servers that cannot give any: one download is kept open, and what goes by is kept for a while."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from skyhold.storage.objects import Buffer, ObjectInfo

__all__ = ["WholeBodies", "WholeBody"]

_KEPT_BYTES = 24 * 1024 * 1024
"""As much as a reader of usual blocks has in flight, which are asked for in any order."""

_KEPT_BODIES = 4


class WholeBody:
    """One object that is being downloaded from its beginning.

    Args:
        info: The object as it was when the download began.
        chunks: Its content.

    Example:
        >>> from datetime import UTC, datetime
        >>> body = WholeBody(ObjectInfo("k", 6, datetime.now(UTC), "e", None), iter([b"abc", b"def"]))
        >>> body.take(2, 4), body.take(0, 6)
        (b'cd', b'abcdef')
    """

    def __init__(self, info: ObjectInfo, chunks: Iterator[Buffer]) -> None:
        self.info = info
        self.lock = threading.Lock()
        self._chunks = chunks
        self._kept: deque[memoryview] = deque()
        self._start = 0
        self._end = 0

    def take(self, start: int, end: int) -> bytes | None:
        """Return bytes from ``start`` up to ``end``; None if they went by too long ago."""
        if start < self._start:
            return None
        while self._end < end and (chunk := next(self._chunks, None)) is not None:
            self._kept.append(memoryview(chunk))
            self._end += len(self._kept[-1])
            # Readers fetch a few blocks side by side, so blocks are asked for out of order by a little.
            while self._end - self._start > _KEPT_BYTES and self._start + len(self._kept[0]) <= start:
                self._start += len(self._kept.popleft())
        return b"".join(self._pieces(start, end))

    def _pieces(self, start: int, end: int) -> Iterator[memoryview]:
        place = self._start
        for chunk in self._kept:
            if place + len(chunk) > start and place < end:
                yield chunk[max(0, start - place) : end - place]
            place += len(chunk)


class WholeBodies:
    """The last few downloads of a store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: OrderedDict[tuple[str, str], WholeBody] = OrderedDict()

    def take(
        self,
        key: str,
        e_tag: str | None,
        open_body: Callable[[], WholeBody],
        resolve: Callable[[ObjectInfo], tuple[int, int]],
    ) -> tuple[ObjectInfo, bytes]:
        """Return an object's info and some of its bytes.

        Args:
            key: The object.
            e_tag: What it must have, if that matters; also tells its downloads apart.
            open_body: Begins a download.
            resolve: Gives start and end of the bytes that are wanted.
        """
        if e_tag is None:  # the next download might be of another object
            body = open_body()
            return body.info, body.take(*resolve(body.info)) or b""
        while True:
            with self._lock:
                body = self._bodies.pop((key, e_tag), None) or open_body()
                self._bodies[key, e_tag] = body
                while len(self._bodies) > _KEPT_BODIES:
                    self._bodies.popitem(last=False)
            start, end = resolve(body.info)
            try:
                with body.lock:
                    data = body.take(start, end)
            except BaseException:
                self._forget(key, e_tag, body)
                raise
            if data is None or end >= body.info.size_bytes:
                self._forget(key, e_tag, body)
            if data is not None:
                return body.info, data

    def _forget(self, key: str, e_tag: str, body: WholeBody) -> None:
        with self._lock:
            if self._bodies.get((key, e_tag)) is body:
                del self._bodies[key, e_tag]
