"""A tiny server on loopback that keeps every request; what it answers is chosen by path."""

import http.server
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import parse_qs


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body).items()}


Answer = tuple[int, str]


@dataclass
class Recorder:
    url: str
    requests: list[Request] = field(default_factory=list[Request])
    headers: dict[str, str] = field(default_factory=dict[str, str])
    answers: dict[str, Answer | Callable[[Request], Answer]] = field(default_factory=dict[str, Any])

    @property
    def last(self) -> Request:
        return self.requests[-1]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        self.recorder.requests.append(request)
        chosen = self.recorder.answers.get(self.path.partition("?")[0], (200, "hi"))
        status, text = chosen(request) if callable(chosen) else chosen
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in self.recorder.headers.items():
            self.send_header(name, value)
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_PUT = do_POST = do_HEAD = _answer  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Print nothing."""


@contextmanager
def recording(answers: Mapping[str, Any] | None = None) -> Generator[Recorder]:
    handler = type("Handler", (_Handler,), {})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        recorder = handler.recorder = Recorder(f"http://127.0.0.1:{server.server_port}")
        recorder.answers.update(answers or {})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()
