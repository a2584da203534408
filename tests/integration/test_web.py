"""Reading from a web server, with a presigned link of an S3 server as the real case."""

import functools
import http.server
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from conftest import make_bucket
from skyhold.errors import InvalidRangeError, KeyNotFoundError, UnreachableError, UnsupportedError
from skyhold.storage.objects import ByteRange
from skyhold.storage.opening import open_object, open_store
from skyhold.testing.servers import LocalServer


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
