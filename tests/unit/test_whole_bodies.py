"""Ranges from servers that give none: each byte is downloaded once, in whatever order blocks are asked for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from conftest import LocalServer, make_bucket
from skyhold import open_store
from skyhold.storage.backends.whole_bodies import WholeBodies, WholeBody
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.wrappers.metered import Meter, MeteredStore

BLOCK = 1024
DATA = bytes(range(256)) * 400


class Source:
    def __init__(self) -> None:
        self.opened = 0
        self.sent = 0

    def open(self) -> WholeBody:
        self.opened += 1
        return WholeBody(ObjectInfo("k", len(DATA), datetime.now(UTC), "e", None), self._chunks())

    def _chunks(self) -> Iterator[bytes]:
        for start in range(0, len(DATA), 700):
            self.sent += len(DATA[start : start + 700])
            yield DATA[start : start + 700]


def test_blocks_read_side_by_side_cost_one_download() -> None:
    source, bodies = Source(), WholeBodies()

    def read(start: int) -> bytes:
        return bodies.take("k", "e", source.open, lambda _: (start, min(start + BLOCK, len(DATA))))[1]

    with ThreadPoolExecutor(8) as pool:
        assert b"".join(pool.map(read, range(0, len(DATA), BLOCK))) == DATA
    assert source.opened <= 2  # one more if the last block came before others
    assert source.sent <= 2 * len(DATA)


def test_a_failed_download_is_not_gone_on_with() -> None:
    bodies = WholeBodies()

    def broken() -> Iterator[bytes]:
        yield b"abc"
        raise ConnectionResetError

    info = ObjectInfo("k", 6, datetime.now(UTC), "e", None)
    with pytest.raises(ConnectionResetError):
        bodies.take("k", "e", lambda: WholeBody(info, broken()), lambda _: (0, 6))
    assert bodies.take("k", "e", lambda: WholeBody(info, iter([b"abcdef"])), lambda _: (0, 6))[1] == b"abcdef"


def test_what_went_by_long_ago_is_downloaded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("skyhold.storage.backends.whole_bodies._KEPT_BYTES", 2 * BLOCK)
    source, bodies = Source(), WholeBodies()
    for start in (20_000, 0, 40_000, 39_500):
        found = bodies.take("k", "e", source.open, lambda _, at=start: (at, at + 100))[1]
        assert found == DATA[start : start + 100]
    assert source.opened == 2


def test_a_large_object_on_a_server_without_ranges_is_read_about_once(rclone: LocalServer, tmp_path: Path) -> None:
    del tmp_path
    store = open_store(f"s3://{make_bucket(rclone)}", **rclone.options)
    data = DATA * 160
    store.write("large", data)
    meter = Meter()
    with MeteredStore(store, meter).open_reader("large", block_bytes=256 * 1024) as reader:
        assert reader.read() == data
    assert meter.usage.bytes_in <= len(data) + 512 * 1024
