"""Bodies of requests, read as they come, by work that is done in a thread."""

from collections.abc import Iterator

import anyio
import anyio.from_thread
from starlette.requests import Request

from skyhold.dashboard.desk import desk_of
from skyhold.errors import BrokenBodyError, StoppedError

__all__ = ["length_of", "read_body"]

_PIECE_BYTES = 1024 * 1024
_PATIENCE_S = 0.3


def read_body(request: Request) -> Iterator[bytes]:
    """Yield the body of a request, to a thread that `anyio.to_thread` has begun.

    Raises:
        BrokenBodyError: The browser has gone.
        StoppedError: The dashboard stops.
    """
    more = True
    while more:
        piece, more = anyio.from_thread.run(_take, request)
        if piece:
            yield piece


async def _take(request: Request) -> tuple[bytes, bool]:
    """Return some more of a body, enough that handing it over costs little, and whether there is more.

    Raises:
        BrokenBodyError: The browser has gone.
        StoppedError: The dashboard stops.
    """
    piece = bytearray()
    closing = desk_of(request).closing
    while len(piece) < _PIECE_BYTES:
        message = None
        with anyio.move_on_after(_PATIENCE_S):
            message = await request.receive()
        if message is None:
            if closing.is_set():
                raise StoppedError("the dashboard has stopped")
        elif message["type"] == "http.disconnect":
            raise BrokenBodyError("the browser has gone before all of it had come", operation="upload")
        else:
            piece += message.get("body", b"")
            if not message.get("more_body", False):
                return bytes(piece), False
    return bytes(piece), True


def length_of(request: Request) -> int | None:
    """Return how long the body is to be, where the request says it."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None
