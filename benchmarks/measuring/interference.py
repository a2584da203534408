"""A server that stands between a client and another: it makes the way longer, or does mischief on it."""

import asyncio
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_PIECE = 256 * 1024

OnRequest = Callable[[bytes], None]
"""Told the first bytes of what a client sends at a time, before they go on."""

Change = Callable[[bytes, bytes], bytes]
"""Given the client's last request line and a piece of the answer, returns what the client gets instead."""


@contextmanager
def between(
    endpoint: str, *, delay_s: float = 0.0, on_request: OnRequest | None = None, change: Change | None = None
) -> Generator[str]:
    """Run a proxy before an HTTP server; yield its own endpoint.

    Args:
        endpoint: Of the server.
        delay_s: How long a request takes to get there; answers take no time. Connections are not delayed.
        on_request: Sees requests.
        change: Changes answers.
    """
    started = threading.Event()
    proxy = _Proxy(endpoint, delay_s, on_request, change, started)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    started.wait(10)
    try:
        yield f"http://127.0.0.1:{proxy.port}"
    finally:
        proxy.stop()
        thread.join()


class _Proxy:
    def __init__(
        self,
        endpoint: str,
        delay_s: float,
        on_request: OnRequest | None,
        change: Change | None,
        started: threading.Event,
    ) -> None:
        parts = urlsplit(endpoint)
        self._host, self._to = parts.hostname, parts.port
        self._delay_s = delay_s
        self._on_request = on_request
        self._change = change
        self._started = started
        self._under_way: set[asyncio.Task[None]] = set()
        self.port = 0

    def run(self) -> None:
        asyncio.run(self._serve())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _serve(self) -> None:
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._ended.wait()
        server.close()
        for each in self._under_way:
            each.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _meet(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        if (task := asyncio.current_task()) is not None:
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        server, to_server = await asyncio.open_connection(self._host, self._to)
        asked = [b""]
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(self._forward(client, to_server, asked), self._answer(server, to_client, asked))
        for writer in (to_client, to_server):
            writer.close()

    async def _forward(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, asked: list[bytes]) -> None:
        """Hand on pieces in order, each as much later as the way is long, however many are on it."""
        way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def arrive() -> None:
            while True:
                due, piece = await way.get()
                if (left := due - self._loop.time()) > 0:
                    await asyncio.sleep(left)
                if not piece:
                    to_server.write_eof()
                    return
                to_server.write(piece)
                await to_server.drain()

        arriving = asyncio.create_task(arrive())
        piece = b"-"
        while piece:
            piece = await client.read(_PIECE)
            line = piece.partition(b"\r\n")[0]
            if line.endswith(b"HTTP/1.1"):
                asked[0] = line
                if self._on_request is not None:
                    await asyncio.to_thread(self._on_request, line)
            way.put_nowait((self._loop.time() + self._delay_s, piece))
        await arriving

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, asked: list[bytes]) -> None:
        while piece := await server.read(_PIECE):
            to_client.write(self._change(asked[0], piece) if self._change is not None else piece)
            await to_client.drain()
        to_client.write_eof()
