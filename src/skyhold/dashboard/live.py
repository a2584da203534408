"""Parts of pages that keep themselves up to date, by server-sent events."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from skyhold.dashboard.desk import desk_of

__all__ = ["Part", "stream_part"]

_LOOK_S = 0.7
_SILENCE_S = 15.0

Part = tuple[str, bool]
"""A part of a page as it is now, and whether it will change any more."""


def stream_part(request: Request, make: Callable[[], Part]) -> StreamingResponse:
    """Return an answer that sends a part of a page whenever it has changed, until it will not change any more.

    Args:
        request: Who asks; the stream ends when the dashboard closes.
        make: Renders the part; called about once a second, in a thread.
    """
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_changes(request, make), media_type="text/event-stream", headers=headers)


def format_event(data: str, name: str = "") -> str:
    r"""Return one event as the protocol has it.

    Example:
        >>> format_event("<p>\nhi</p>")
        'data: <p>\ndata: hi</p>\n\n'
    """
    lines = [f"event: {name}"] if name else []
    return "\n".join([*lines, *(f"data: {line}" for line in data.splitlines() or [""])]) + "\n\n"


async def _changes(request: Request, make: Callable[[], Part]) -> AsyncGenerator[str]:
    closing = desk_of(request).closing
    sent, sent_at = None, time.monotonic()
    while not closing.is_set():
        text, ended = await run_in_threadpool(make)
        if text != sent:
            yield format_event(text)
            sent, sent_at = text, time.monotonic()
        if ended:
            yield format_event("", "ended")
            return
        if time.monotonic() - sent_at > _SILENCE_S:
            yield ": still here\n\n"
            sent_at = time.monotonic()
        await asyncio.sleep(_LOOK_S)
