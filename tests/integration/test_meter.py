"""What the meter counts is what the server was asked."""

import re

from conftest import make_bucket
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer

_LINE = re.compile(r'"(GET|PUT|POST|HEAD|DELETE) (/\S*) HTTP')


def _class_of(method: str, path: str, bucket: str) -> str:
    if method == "GET" and path.startswith(f"/{bucket}?"):
        return "list"
    if method == "POST" and "?delete" in path:
        return "delete"
    return {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(method, "write")


def test_requests_and_bytes_are_those_in_the_servers_log(moto: LocalServer):
    bucket = make_bucket(moto)
    store = MeteredStore(open_store(f"s3://{bucket}", part_bytes=5 * 2**20, **moto.options))
    before = moto.log.read_text()
    keys = [f"k/{number:04}" for number in range(1_200)]
    for key in keys:
        store.write(key, b"12")
    with store.open_writer("large") as writer:
        writer.write(bytes(12 * 2**20))
    assert len(store.read("large")) == 12 * 2**20
    assert len(list(store.list())) == 1_201
    store.copy("large", "copy")
    store.delete(keys)
    logged = {"read": 0, "write": 0, "list": 0, "delete": 0}
    for method, path in _LINE.findall(moto.log.read_text()[len(before) :]):
        if path.startswith(f"/{bucket}"):
            logged[_class_of(method, path, bucket)] += 1
    usage = store.meter.usage
    assert usage.requests == logged
    assert usage.bytes_out == 2 * 1_200 + 12 * 2**20
    assert usage.bytes_in == 12 * 2**20
