"""A server in between that counts requests and bytes, whoever the client is."""

import socket
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedReader
from urllib.parse import urlsplit

_BLOCK_BYTES = 1 << 16


@dataclass(slots=True)
class Traffic:
    """What went through so far.

    Attributes:
        requests: By method.
        sent_bytes: Of the requests' bodies.
        received_bytes: Of the answers, with their headers.
    """

    requests: Counter[str] = field(default_factory=Counter[str])
    sent_bytes: int = 0
    received_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self) -> tuple[int, int, int]:
        """Return requests, bytes sent and bytes received since the last time."""
        with self.lock:
            found = sum(self.requests.values()), self.sent_bytes, self.received_bytes
            self.requests.clear()
            self.sent_bytes = self.received_bytes = 0
        return found


@contextmanager
def counting_proxy(endpoint: str) -> Generator[tuple[str, Traffic]]:
    """Stand before a server of plain HTTP; give another endpoint for it, and what is counted there."""
    address = urlsplit(endpoint)
    traffic = Traffic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = (address.hostname or "", address.port or 80)
        threading.Thread(target=_accept, args=(listener, server, traffic), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", traffic
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, server: tuple[str, int], traffic: Traffic) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        upstream = socket.create_connection(server)
        for each in (client, upstream):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for pass_on in (_pass_requests, _pass_answers):
            threading.Thread(target=pass_on, args=(client, upstream, traffic), daemon=True).start()


def _pass_requests(client: socket.socket, upstream: socket.socket, traffic: Traffic) -> None:
    with suppress(OSError), client.makefile("rb") as reader:
        while head := _read_head(reader):
            method = head.split(b" ", 1)[0].decode()
            with traffic.lock:
                traffic.requests[method] += 1
            upstream.sendall(head)
            left = _body_length(head)
            while left and (block := reader.read1(min(left, _BLOCK_BYTES))):
                with traffic.lock:
                    traffic.sent_bytes += len(block)
                upstream.sendall(block)
                left -= len(block)
    with suppress(OSError):
        upstream.shutdown(socket.SHUT_WR)


def _pass_answers(client: socket.socket, upstream: socket.socket, traffic: Traffic) -> None:
    with client, upstream, suppress(OSError):
        while block := upstream.recv(_BLOCK_BYTES):
            with traffic.lock:
                traffic.received_bytes += len(block)
            client.sendall(block)
        client.shutdown(socket.SHUT_RDWR)


def _read_head(reader: BufferedReader) -> bytes:
    lines: list[bytes] = []
    while line := reader.readline():
        lines.append(line)
        if line == b"\r\n":
            return b"".join(lines)
    return b""


def _body_length(head: bytes) -> int:
    parts = (line.lower().partition(b":") for line in head.split(b"\r\n")[1:])
    fields = {name: value for name, _, value in parts}
    if b"transfer-encoding" in fields:
        raise SystemExit("a client sends a body of unknown length, which this counter cannot follow")
    return int(fields.get(b"content-length", b"0"))
