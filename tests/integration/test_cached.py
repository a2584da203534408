"""Reading through a local folder: what is kept is served only when it is still true, and the store is asked little."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

from skyhold.errors import InvalidRangeError, KeyNotFoundError, PreconditionFailedError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.cached import CachedStore
from skyhold.storage.wrappers.metered import Meter, MeteredStore

_CONTENT = bytes(range(256)) * 40


@pytest.fixture
def origin(tmp_path: Path) -> Store:
    store = open_store(f"mock://{tmp_path}/origin")
    store.write("a", _CONTENT)
    return store


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cached(origin: Store, meter: Meter, cache: Path) -> Store:
    return CachedStore(MeteredStore(origin, meter), str(cache))


def _files(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def _cost(meter: Meter, work: Callable[[], object]) -> tuple[int, int]:
    before = meter.usage
    work()
    return meter.usage.requests["read"] - before.requests["read"], meter.usage.bytes_in - before.bytes_in


def test_a_second_read_asks_for_the_e_tag_and_fetches_no_bytes(cached: Store, meter: Meter, origin: Store):
    assert _cost(meter, lambda: cached.read("a")) == (1, len(_CONTENT))
    assert _cost(meter, lambda: cached.read("a")) == (1, 0)
    info, data = cached.read_with_info("a")
    assert data == _CONTENT
    assert info == origin.info("a")


def test_another_process_or_view_on_the_same_folder_finds_it_again(
    cached: Store, meter: Meter, origin: Store, cache: Path
):
    cached.read("a")
    again = CachedStore(MeteredStore(origin, meter), str(cache))
    assert _cost(meter, lambda: again.read("a")) == (1, 0)


def test_what_was_replaced_is_fetched_again_and_the_old_copy_is_dropped(
    cached: Store, meter: Meter, origin: Store, cache: Path
):
    cached.read("a")
    origin.write("a", b"new")
    assert cached.read("a") == b"new"
    assert _cost(meter, lambda: cached.read("a")) == (1, 0)
    assert cached.read("a") == b"new"
    assert len(_files(cache)) == 1
    cached.write("a", b"newer")
    assert cached.read("a") == b"newer"


def test_what_was_deleted_is_missing_and_not_served(cached: Store, origin: Store):
    cached.read("a")
    origin.delete("a")
    with pytest.raises(KeyNotFoundError):
        cached.read("a")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:],
        lambda data: bytes([data[0] ^ 1]) + data[1:],
    ],
    ids=["emptied", "cut", "longer", "one bit", "its hash"],
)
def test_a_copy_that_changed_on_the_disk_is_fetched_again(
    cached: Store, meter: Meter, cache: Path, damage: Callable[[bytes], bytes]
):
    cached.read("a")
    (copy,) = _files(cache)
    copy.write_bytes(damage(copy.read_bytes()))
    assert cached.read("a") == _CONTENT
    assert _cost(meter, lambda: cached.read("a")) == (1, 0), "and is whole again"


def test_ranges_are_kept_each_by_itself(cached: Store, meter: Meter, origin: Store):
    ranges = {ByteRange(0, 4): _CONTENT[:4], ByteRange(4, 8): _CONTENT[4:8], ByteRange(suffix=3): _CONTENT[-3:]}
    for byte_range, expected in ranges.items():
        assert _cost(meter, partial(cached.read, "a", byte_range)) == (1, len(expected))
    for byte_range, expected in ranges.items():
        assert _cost(meter, partial(cached.read, "a", byte_range)) == (1, 0)
        info, data = cached.read_with_info("a", byte_range)
        assert (data, info.size_bytes) == (expected, len(_CONTENT))
    assert cached.read("a") == _CONTENT, "a part is never taken for the whole"
    with pytest.raises(InvalidRangeError):
        cached.read("a", ByteRange(len(_CONTENT)))
    origin.write("a", b"0123456789")
    assert [cached.read("a", byte_range) for byte_range in ranges] == [b"0123", b"4567", b"789"]


def test_a_reader_goes_through_the_cache_block_by_block(cached: Store, meter: Meter):
    def read() -> None:
        with cached.open_reader("a", block_bytes=1000) as reader:
            assert reader.read() == _CONTENT

    assert _cost(meter, read)[1] == len(_CONTENT)
    assert _cost(meter, read)[1] == 0


def test_the_version_asked_for_is_insisted_on(cached: Store, origin: Store):
    old = cached.read_with_info("a")[0].e_tag
    assert cached.read("a", if_match=old) == _CONTENT
    origin.write("a", b"new")
    for _ in range(2):
        with pytest.raises(PreconditionFailedError):
            cached.read("a", if_match=old)
        cached.read("a")


def test_a_folder_that_cannot_be_used_costs_speed_and_nothing_else(
    origin: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "a file").write_bytes(b"")
    cached = CachedStore(origin, str(tmp_path / "a file" / "cache"))
    with caplog.at_level(logging.WARNING, "skyhold.storage"):
        assert cached.read("a") == cached.read("a") == _CONTENT
    assert "the cache keeps nothing" in caplog.text


def _read_often(store: Store, keys: list[str]) -> bool:
    return all(store.read(key) == key.encode() * 5000 for _ in range(5) for key in keys)


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_many_may_fill_one_entry_at_once(tmp_path: Path, cache: Path, kind: str):
    keys = ["a", "b", "c"]
    origin = open_store(tmp_path / "plain")
    for key in keys:
        origin.write(key, key.encode() * 5000)
    cached = CachedStore(origin, str(cache))
    pool: Executor = ThreadPoolExecutor(8) if kind == "threads" else ProcessPoolExecutor(2, get_context("spawn"))
    with pool:
        assert all(pool.map(partial(_read_often, cached), [keys] * 8))
    assert len(_files(cache)) == len(keys)


def test_versions_that_change_under_many_readers_are_never_mixed(tmp_path: Path, cache: Path):
    origin = open_store(f"memory://{tmp_path.name}-versions")
    origin.write("a", b"0" * 5000)
    cached = CachedStore(origin, str(cache))

    def read(_: int) -> bool:
        info, data = cached.read_with_info("a")
        return len(set(data)) == 1 and len(data) == info.size_bytes == 5000

    with ThreadPoolExecutor(8) as pool:
        reads = pool.map(read, range(300))
        for number in range(1, 10):
            origin.write("a", str(number).encode() * 5000)
        assert all(reads)
    assert cached.read("a") == b"9" * 5000
