"""Reading from a web server, with a presigned link of an S3 server as the real case."""

import functools
import http.server
import re
import threading
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path
from typing import ClassVar

import pytest

from conftest import make_bucket
from skyhold.errors import (
    AccessDeniedError,
    BadCredentialsError,
    BrokenBodyError,
    InvalidRangeError,
    KeyNotFoundError,
    PreconditionFailedError,
    StorageError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange
from skyhold.storage.opening import open_object, open_store
from skyhold.testing.servers import LocalServer
from unit.credentials_server import recording

DATA = bytes(range(250)) * 4


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves DATA; the parts of the path say how: ``ranges``, ``no-length``, ``no-head``, ``short`` and so on."""

    sent: ClassVar[list[int]] = []

    def _serve(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        body, status, start, end = DATA, 200, 0, len(DATA)
        if self.command == "HEAD" and (refused := re.search(r"no-head-(\d+)", self.path)):
            self.send_error(int(refused.group(1)))
            return
        if asked and "ranges" in self.path:
            start, end = int(asked.group(1)), min(int(asked.group(2)) + 1, len(DATA))
            start, end = start + ("shifted" in self.path), end + ("shifted" in self.path)
            body, status = DATA[start:end], 206
        self.send_response(status)
        if status == 206:
            total = "*" if "no-total" in self.path else len(DATA)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{total}")
        if "no-length" not in self.path:
            self.send_header("Content-Length", str(len(body) + 7 * ("short" in self.path)))
        self.send_header("ETag", f'"{len(self.sent) if "changing" in self.path else 1}"')
        self.end_headers()
        self.sent.append(len(body))
        if self.command != "HEAD":
            with suppress(ConnectionError):
                self.wfile.write(body)

    do_GET = do_HEAD = _serve  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Print nothing."""


@pytest.fixture
def strange() -> Generator[Store]:
    _Server.sent.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield open_store(f"http://127.0.0.1:{running.server_port}", retries=1, retry_timeout_s=0.2)
        running.shutdown()


@pytest.mark.parametrize(
    "key", ["plain", "ranges", "no-length", "ranges/no-head-403", "no-head-405", "no-length/no-head-501"]
)
def test_whatever_a_server_leaves_out_the_bytes_and_the_size_are_right(strange: Store, key: str):
    assert strange.info(key).size_bytes == len(DATA)
    assert strange.read(key) == DATA
    assert strange.read(key, ByteRange(10, 20)) == DATA[10:20]
    assert strange.read(key, ByteRange(990, 5000)) == DATA[990:]
    reader = strange.open_reader(key, block_bytes=300)
    assert (reader.size_bytes, reader.read()) == (len(DATA), DATA)
    assert reader.seek(-3, 2) == len(DATA) - 3
    assert reader.read() == DATA[-3:]


def test_a_server_with_ranges_sends_no_more_than_was_asked(strange: Store):
    strange.read("ranges", ByteRange(10, 20))
    assert _Server.sent == [10]


def test_an_object_of_a_server_without_ranges_is_downloaded_once_however_it_is_read(strange: Store):
    with closing(strange.open_reader("plain", block_bytes=90)) as reader:
        assert b"".join(iter(lambda: reader.read(70), b"")) == DATA
    assert len(_Server.sent) <= 3  # its info, the first block, and all the others


@pytest.mark.parametrize(("key", "end"), [("short", 2000), ("ranges/short", 2000), ("ranges/shifted", 20)])
def test_a_body_that_is_not_what_was_promised_is_never_taken_for_the_object(strange: Store, key: str, end: int):
    with pytest.raises(BrokenBodyError, match=key):
        strange.read(key, ByteRange(5, end))
    if "shifted" not in key:
        with pytest.raises(BrokenBodyError, match=key):
            strange.read(key)


def test_a_part_of_an_unknown_whole_is_refused(strange: Store):
    with pytest.raises(UnsupportedError, match=r"named it 'bytes 0-299/\*'"):
        strange.open_reader("ranges/no-total", block_bytes=300)


def test_two_versions_are_never_mixed(strange: Store):
    with pytest.raises(PreconditionFailedError):
        strange.open_reader("ranges/changing", block_bytes=300, read_ahead=0).read()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, BadCredentialsError), (403, AccessDeniedError), (404, KeyNotFoundError), (410, KeyNotFoundError)],
)
def test_refusals_are_told_apart(status: int, kind: type[StorageError]):
    with recording({"/k": (status, "")}) as server:
        store = open_store(server.url)
        for ask in (store.info, store.read, store.open_reader):
            with pytest.raises(kind, match=str(status)):
                ask("k")


def test_a_redirect_is_followed_by_the_same_method_and_shows_another_server_no_secret():
    with recording({"/there": (200, "hello")}) as target, recording({"/k": (302, ""), "/near": (302, "")}) as server:
        server.headers["Location"] = f"{target.url}/there"
        store = open_store(server.url, token="a-secret")
        assert store.info("k").size_bytes == 5
        assert store.read("k", ByteRange(0, 2)) == b"he"
        assert [request.method for request in target.requests] == ["HEAD", "GET"]
        assert server.requests[0].headers["authorization"] == "Bearer a-secret"
        assert not any("authorization" in request.headers for request in target.requests)
        assert target.last.headers["range"] == "bytes=0-1"
        server.headers["Location"] = "/near/by"
        assert store.read("near") == b"hi"
        assert server.last.headers["authorization"] == "Bearer a-secret", "the server itself is told who asks"


@pytest.mark.parametrize("target", ["file:///etc/hostname", "ftp://127.0.0.1/x", "/k"])
def test_a_redirect_to_nowhere_is_told(target: str):
    with recording({"/k": (302, "")}) as server:
        server.headers["Location"] = target
        with pytest.raises(StorageError, match="302"):
            open_store(server.url).read("k")


@pytest.fixture
def server(tmp_path: Path) -> Generator[str]:
    """A server that ignores ranges, as many do."""
    (tmp_path / "a b.csv").write_bytes(b"0123456789")
    (tmp_path / "empty").write_bytes(b"")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize("name", ["a b.csv", "a%20b.csv", "a%20b.csv?query=//x"])
def test_a_url_is_read_as_it_is_written(server: str, name: str):
    store, key = open_object(f"{server}/{name}")
    assert store.read(key) == b"0123456789"
    assert store.read(key, ByteRange(2, 4)) == b"23"
    assert store.read(key, ByteRange(suffix=3)) == b"789"
    assert store.info(key).size_bytes == 10
    assert store.open_reader(key, block_bytes=3).read() == b"0123456789"
    with pytest.raises(InvalidRangeError):
        store.read(key, ByteRange(20))


def test_an_empty_file_is_empty_and_a_missing_one_is_missing(server: str):
    store = open_store(server)
    assert store.open_reader("empty").read() == b""
    with pytest.raises(KeyNotFoundError, match="404"):
        store.read("missing")
    with pytest.raises(UnsupportedError):
        store.write("x", b"")
    with pytest.raises(UnsupportedError):
        list(store.list())


def test_a_server_that_is_not_there_is_told_after_a_few_attempts():
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1"):
        open_store("http://127.0.0.1:9", retry_timeout_s=0.3).read("x")


def test_a_presigned_link_is_read_without_credentials(moto: LocalServer):
    store = open_store(f"s3://{make_bucket(moto)}", **moto.options)
    store.write("folder/a b+c.bin", bytes(range(256)) * 100)
    web, key = open_object(store.presign("folder/a b+c.bin"))
    assert web.read(key, ByteRange(256, 260)) == bytes(range(4))
    assert web.open_reader(key, block_bytes=1000).read() == bytes(range(256)) * 100
    assert "Signature=" not in web.uri_of(key).replace("Signature=**redacted**", "")
