"""Many objects from store to store: whole, in parallel, in bounded memory, with every failure told."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from conftest import make_bucket, make_container
from skyhold.cli.application import run
from skyhold.errors import (
    BucketNotFoundError,
    ConflictError,
    IntegrityError,
    InvalidKeyError,
    KeyNotFoundError,
    StorageError,
    TransferError,
)
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.transfer import SHA256, Transfer, Transferred, transfer_all
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer

_BLOCK = 1000


@pytest.fixture(params=["memory", "mock", "moto"])
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "moto":
        server: LocalServer = request.getfixturevalue("moto")
        return open_store(f"s3://{make_bucket(server)}/a folder", **server.options)
    if request.param == "mock":
        return open_store(f"mock://{tmp_path}/mock", error_rate=0.05, throttle_rate=0.02, lost_rate=0.02, cut_rate=0.05)
    return open_store(f"memory://{uuid4()}")


@pytest.fixture
def memory() -> Store:
    return open_store(f"memory://{uuid4()}")


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return open_store(tmp_path / "folder")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects of a few thousand bytes count as large."""
    monkeypatch.setattr("skyhold.storage.transfer._SMALL_BYTES", _BLOCK)
    monkeypatch.setattr("skyhold.storage.transfer._BLOCK_BYTES", _BLOCK)
    monkeypatch.setattr("skyhold.storage.transfer._STREAM_BYTES", 6 * _BLOCK)


def _filled(store: Store, count: int = 4, size_bytes: int = 10) -> Store:
    for number in range(count):
        store.write(f"k/{number:03}", bytes([number % 256]) * size_bytes)
    return store


def _all_of(source: Store, target: Store) -> Iterator[Transfer]:
    return (Transfer(source, info.key, target, info.key, info) for info in source.list())


def _tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def _failures(transfers: Any, **options: Any) -> dict[str, Exception]:
    with pytest.raises(TransferError) as caught:
        transfer_all(transfers, **options)
    assert f"{len(caught.value.failures)} of " in str(caught.value)
    return caught.value.failures


def test_a_folder_goes_up_and_comes_down_again_with_every_byte(remote: Store, tmp_path: Path):
    (tmp_path / "up" / "deep er").mkdir(parents=True)
    for number in range(300):
        place = tmp_path / "up" / ("deep er" if number % 3 else "") / f"{number} é%+#.bin"
        place.write_bytes(bytes([number % 256]) * (number * number))
    (tmp_path / "up" / "large").write_bytes(bytes(range(256)) * 40_000)
    expected = _tree(tmp_path / "up")
    (tmp_path / "down").mkdir()
    up, down = open_store(tmp_path / "up"), open_store(tmp_path / "down")
    moved_bytes: list[int] = []
    moved_objects: list[int] = []

    def on_moved(size_bytes: int, objects: int) -> None:
        moved_bytes.append(size_bytes)
        moved_objects.append(objects)

    for transfers in (_all_of(up, remote), _all_of(remote, down)):
        moved = transfer_all(transfers, verify=True, on_moved=on_moved)
        assert [each.transfer.source_key for each in moved] == sorted(expected), "in the order asked for"
        assert {each.transfer.source_key: each.sha256 for each in moved} == {
            key: hashlib.sha256(data).hexdigest() for key, data in expected.items()
        }
        assert [each.info.size_bytes for each in moved] == [len(expected[key]) for key in sorted(expected)]
    assert _tree(tmp_path / "down") == expected
    assert sum(moved_objects) == 2 * len(expected)
    assert sum(moved_bytes) == 2 * sum(map(len, expected.values()))
    assert len(moved_bytes) > 2 * len(expected), "a large object tells of its blocks"


class _Watched(DelegatingStore):
    """Counts the reads under way and their bytes."""

    def __init__(self, inner: Store, *, meet: int = 1, pause_s: float = 0.0) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self._barrier = threading.Barrier(meet)
        self._pause_s = pause_s
        self.at_once = self.most_at_once = 0
        self.in_flight = self.most_in_flight = self.longest_read = 0

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._barrier.wait(timeout=30)
            found, data = super().read_with_info(key, byte_range, if_match=if_match)
            with self._lock:
                self.longest_read = max(self.longest_read, len(data))
                self.in_flight += len(data)
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
            time.sleep(self._pause_s)
            return found, data
        finally:
            with self._lock:
                self.at_once -= 1

    def on_moved(self, size_bytes: int, objects: int) -> None:
        del objects
        with self._lock:
            self.in_flight -= size_bytes


def test_as_many_objects_move_at_once_as_the_stores_like_or_as_was_asked(memory: Store, folder: Store):
    _filled(memory, 64)
    memory.concurrency = 16
    liked = _Watched(memory, meet=16)
    transfer_all(_all_of(liked, folder))
    assert liked.most_at_once == 16
    asked = _Watched(memory, meet=4)
    transfer_all(_all_of(asked, folder), jobs=4)
    assert asked.most_at_once == 4


def test_a_store_that_likes_few_objects_at_once_gets_no_more_beside_one_that_likes_many(folder: Store):
    few, many = open_store(f"memory://{uuid4()}"), open_store(f"memory://{uuid4()}")
    few.concurrency, many.concurrency = 3, 9
    sources = [_Watched(_filled(store, 40), pause_s=0.002) for store in (few, many)]
    transfers = [
        Transfer(source, each.source_key, folder, f"{number}/{each.source_key}", each.info)
        for number, source in enumerate((*sources, *sources))
        for each in _all_of(source, folder)
    ]
    assert len(transfer_all(transfers)) == 160
    assert [source.most_at_once for source in sources] == [3, 9]


@pytest.mark.parametrize("step", [9, 75])
@pytest.mark.usefixtures("small_blocks")
def test_content_in_flight_stays_within_the_budget(memory: Store, folder: Store, step: int):
    for number in range(100):
        memory.write(f"{number:03}", bytes(number * step))
    watched = _Watched(memory, pause_s=0.002)
    moved = transfer_all(_all_of(watched, folder), budget_bytes=8 * _BLOCK, on_moved=watched.on_moved)
    assert len(moved) == 100
    assert watched.in_flight == 0, "all that was read was handed on"
    assert 2 * _BLOCK < watched.most_in_flight <= 8 * _BLOCK
    assert watched.longest_read <= _BLOCK


@pytest.mark.usefixtures("small_blocks")
def test_an_object_larger_than_the_budget_goes_alone(memory: Store, folder: Store):
    _filled(memory, 5, 30 * _BLOCK)
    watched = _Watched(memory)
    transfer_all(_all_of(watched, folder), budget_bytes=10, on_moved=watched.on_moved)
    assert watched.most_in_flight <= 6 * _BLOCK
    assert folder.read("k/003") == memory.read("k/003")


@pytest.mark.usefixtures("small_blocks")
def test_objects_of_unknown_size_are_never_read_in_one_piece(memory: Store, folder: Store):
    sizes = (0, 1, _BLOCK, _BLOCK + 1, 7 * _BLOCK)
    for size in sizes:
        memory.write(f"{size:05}", bytes(size))
    watched = _Watched(memory)
    moved = transfer_all([Transfer(watched, f"{size:05}", folder, f"{size:05}") for size in sizes])
    assert [each.info.size_bytes for each in moved] == list(sizes)
    assert watched.longest_read == _BLOCK


@pytest.mark.parametrize("size", [10, 2 * _BLOCK + 1])
@pytest.mark.usefixtures("small_blocks")
def test_a_source_that_is_not_what_its_metadata_promises_is_not_passed_on(moto: LocalServer, folder: Store, size: int):
    bucket = make_bucket(moto)
    client = boto3.client(
        "s3",
        endpoint_url=moto.endpoint,
        aws_access_key_id=moto.options["access_key_id"],
        aws_secret_access_key=moto.options["secret_access_key"],
        region_name="us-east-1",
    )
    good, bad = b"g" * size, b"b" * size
    promised, found = hashlib.sha256(good).hexdigest(), hashlib.sha256(bad).hexdigest()
    for key, body in (("good", good), ("bad", bad)):
        client.put_object(Bucket=bucket, Key=key, Body=body, Metadata={SHA256: promised})
    folder.write("bad", b"previous")
    source = open_store(f"s3://{bucket}", **moto.options)
    failures = _failures(_all_of(source, folder))
    assert list(failures) == [f"s3://{bucket}/bad"]
    error = failures[f"s3://{bucket}/bad"]
    assert type(error) is IntegrityError
    assert f"{size} bytes with SHA-256 {found}, promised {size} bytes with {promised}" in str(error)
    assert "source is damaged" in error.remedy
    assert folder.read("bad") == b"previous"
    assert folder.read("good") == good
    kept = folder.info("good").attributes
    assert kept is not None
    assert kept.metadata == {SHA256: promised}, "the promise goes along"


class _Flipping(DelegatingStore):
    """A target that keeps other bytes than it was given."""

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        wrong = bytes(data).replace(b"\x01", b"\x00")
        return super().write(key, wrong, if_absent=if_absent, if_match=if_match, attributes=attributes)

    def copy(self, source: str, target: str) -> None:
        self.write(target, self.read(source))


def test_verifying_finds_a_target_that_keeps_other_bytes(memory: Store, folder: Store):
    flipping = _Flipping(folder)
    _filled(memory)
    assert len(transfer_all(_all_of(memory, flipping))) == 4, "nobody looks without being asked"
    failures = _failures(_all_of(memory, flipping), verify=True)
    assert list(failures) == [memory.uri_of("k/001")]
    error = failures[memory.uri_of("k/001")]
    assert type(error) is IntegrityError
    assert error.uri == folder.uri_of("k/001")
    for data in (bytes(10), b"\x01" * 10):
        assert hashlib.sha256(data).hexdigest() in str(error)
    inside = _Flipping(memory)
    copies = [Transfer(inside, info.key, inside, f"copy/{info.key}", info) for info in memory.list("k/")]
    assert list(_failures(copies, verify=True)) == [memory.uri_of("k/001")]


class _Truncating(DelegatingStore):
    """A source whose answers are shorter than it says."""

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        found, data = super().read_with_info(key, byte_range, if_match=if_match)
        return found, data[:-1]


@pytest.mark.usefixtures("small_blocks")
def test_fewer_bytes_than_promised_are_an_error(memory: Store, folder: Store):
    memory.write("small", bytes(10))
    memory.write("large", bytes(3 * _BLOCK))
    failures = _failures(_all_of(_Truncating(memory), folder))
    assert {type(error) for error in failures.values()} == {IntegrityError}
    assert "read 9 bytes" in str(failures[memory.uri_of("small")])
    assert "promised 3000 bytes" in str(failures[memory.uri_of("large")])
    assert not list(folder.list())


def test_every_failure_is_told_and_all_else_is_moved(remote: Store, folder: Store):
    _filled(remote, 30)
    transfers = [*_all_of(remote, folder), *(Transfer(remote, f"gone/{n}", folder, f"gone/{n}") for n in range(5))]
    nowhere = open_store(f"{folder.uri_of('')}-2/none")
    transfers.append(Transfer(nowhere, "x", folder, "x"))
    failures = _failures(transfers)
    assert set(failures) == {*(remote.uri_of(f"gone/{n}") for n in range(5)), nowhere.uri_of("x")}
    assert {type(failures[remote.uri_of(f"gone/{n}")]) for n in range(5)} == {KeyNotFoundError}
    assert type(failures[nowhere.uri_of("x")]) is BucketNotFoundError
    assert len(list(folder.list())) == 30


def test_one_source_that_fails_twice_is_told_twice(memory: Store, folder: Store):
    failures = _failures(Transfer(memory, "gone", folder, name) for name in ("a", "b", "c"))
    assert len(failures) == 3
    assert failures.keys() >= {memory.uri_of("gone")}
    assert sum(folder.uri_of("") in name for name in failures) == 2


def test_two_objects_never_share_a_target_and_none_replaces_itself(memory: Store, folder: Store):
    _filled(memory)
    again = open_store(folder.uri_of(""))
    folder.write("self", b"kept")
    failures = _failures(
        [
            Transfer(memory, "k/000", folder, "same"),
            Transfer(memory, "k/001", again, "same"),
            Transfer(memory, "k/002", memory, "k/002"),
            Transfer(folder, "self", again, "self"),
        ]
    )
    assert set(failures) == {memory.uri_of("k/001"), memory.uri_of("k/002"), folder.uri_of("self")}
    assert {type(error) for error in failures.values()} == {ConflictError}
    assert folder.read("same") == memory.read("k/000")
    assert folder.read("self") == b"kept"


def _linked(tmp_path: Path) -> tuple[Store, Store]:
    """A folder, and the same folder by another name."""
    folder = tmp_path / "real"
    folder.mkdir()
    (tmp_path / "link").symlink_to(folder)
    return open_store(folder), open_store(tmp_path / "link")


@pytest.mark.parametrize("scheme", ["file", "mock"])
def test_one_folder_by_two_names_is_one_folder(tmp_path: Path, memory: Store, scheme: str):
    real, link = (open_store(store.uri_of("").replace("/", f"{scheme}:///", 1)) for store in _linked(tmp_path))
    real.write("self", b"kept")
    memory.write("one", b"1")
    memory.write("two", b"2")
    transfers = [
        Transfer(real, "self", link, "self"),
        Transfer(memory, "one", real, "new"),
        Transfer(memory, "two", link, "new"),
    ]
    failures = _failures(transfers)
    assert [type(error) for error in failures.values()] == [ConflictError, ConflictError]
    assert "are the same" in str(failures[real.uri_of("self")])
    assert (real.read("self"), real.read("new")) == (b"kept", b"1")


def test_two_names_of_one_file_are_one_file(tmp_path: Path):
    store = open_store(tmp_path)
    store.write("a", b"kept")
    (tmp_path / "hard").hardlink_to(tmp_path / "a")
    (tmp_path / "soft").symlink_to(tmp_path / "a")
    for name in ("hard", "soft"):
        assert "are the same" in str(_failures([Transfer(store, "a", store, name)]).popitem()[1])
        store.rename("a", name)
        assert store.read("a") == store.read(name) == b"kept"


def test_moving_a_file_onto_itself_by_another_name_loses_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    _linked(tmp_path)[0].write("data.csv", b"kept")
    for scheme in ("", "mock://"):
        names = [f"{scheme}{tmp_path}/{folder}/data.csv" for folder in ("real", "link")]
        assert run(["mv", *names]) == 5
        assert run(["mv", names[0], names[0]]) == 5
        assert "are the same" in capsys.readouterr().err
        assert (tmp_path / "real" / "data.csv").read_bytes() == b"kept"


@pytest.mark.azurite
def test_one_container_by_two_names_is_one_container(azurite: LocalServer):
    container = make_container(azurite)
    short = open_store(f"az://{container}", **azurite.options)
    named = open_store(f"az://{container}@devstoreaccount1", **azurite.options)
    short.write("k", b"kept")
    assert "are the same" in str(_failures([Transfer(short, "k", named, "k")]).popitem()[1])


def test_a_bucket_opened_in_two_ways_is_one_bucket(moto: LocalServer, tmp_path: Path):
    uri = f"s3a://{make_bucket(moto)}"
    plain = open_store(uri, **moto.options)
    cached = open_store(f"{uri}/folder", cache_dir=str(tmp_path), part_bytes=5 << 20, **moto.options)
    cached.write("k", b"kept")
    assert "are the same" in str(_failures([Transfer(plain, "folder/k", cached, "k")]).popitem()[1])


def test_buckets_of_one_name_at_two_services_are_two(moto: LocalServer, ministack: LocalServer):
    name = make_bucket(moto)
    client = boto3.client(
        "s3",
        endpoint_url=ministack.endpoint,
        aws_access_key_id=ministack.options["access_key_id"],
        aws_secret_access_key=ministack.options["secret_access_key"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    source = open_store(f"s3://{name}", **moto.options)
    target = open_store(f"s3://{name}", **ministack.options)
    assert source.uri == target.uri
    _filled(source)
    assert len(transfer_all(_all_of(source, target))) == 4
    assert target.read("k/002") == source.read("k/002")


class _Hostile(DelegatingStore):
    """A source that lists and serves any name."""

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        del byte_range, if_match
        found, data = super().read_with_info("payload")
        return ObjectInfo(key, found.size_bytes, found.modified, found.e_tag), data


@pytest.mark.parametrize("known", [True, False])
def test_hostile_names_never_leave_the_target_folder(memory: Store, tmp_path: Path, known: bool):
    info = memory.write("payload", b"evil")
    (tmp_path / "inside").mkdir()
    target = open_store(tmp_path / "inside")
    keys = ["../x", "..", "a/../../x", f"{tmp_path}/x", "/x", "a//x", "./x", "a/..", "", "nul\x00x", ".skyhold-store/x"]
    transfers = [Transfer(_Hostile(memory), key, target, key, info if known else None) for key in keys]
    failures = _failures([*transfers, Transfer(memory, "payload", target, "fine/..x")])
    assert len(failures) == len(keys)
    assert {type(error) for error in failures.values()} == {InvalidKeyError}
    assert _tree(tmp_path) == {"inside/fine/..x": b"evil"}


def test_nothing_asked_moves_nothing_and_nothing_is_ever_deleted(memory: Store, folder: Store):
    _filled(memory)
    folder.write("other", b"stays")
    assert transfer_all([]) == []
    transfer_all(_all_of(memory, folder))
    assert sorted(info.key for info in folder.list()) == ["k/000", "k/001", "k/002", "k/003", "other"]
    assert len(list(memory.list())) == 4


def test_within_one_store_the_store_copies_by_itself(moto: LocalServer, monkeypatch: pytest.MonkeyPatch):
    store = MeteredStore(_filled(open_store(f"s3://{make_bucket(moto)}", **moto.options)))

    def copied(name: str) -> list[Transferred]:
        return transfer_all([Transfer(store, info.key, store, f"{name}/{info.key}", info) for info in store.list("k/")])

    assert [each.sha256 for each in copied("a")] == [None] * 4
    assert store.meter.usage.bytes_in == 0
    monkeypatch.setattr("skyhold.storage.transfer._COPY_LIMIT_BYTES", 9)
    assert all(each.sha256 for each in copied("b")), "what no store copies in one request passes through here"
    assert store.meter.usage.bytes_in == 40
    for info in store.list("k/"):
        assert store.read(f"a/{info.key}") == store.read(f"b/{info.key}") == store.read(info.key)


@pytest.mark.usefixtures("small_blocks")
def test_an_interrupt_leaves_large_objects_in_the_middle_and_shows_nothing_of_them(memory: Store, folder: Store):
    memory.write("large", bytes(5000 * _BLOCK))
    folder.write("large", b"previous")
    begun = threading.Event()
    blocks: list[int] = []

    def on_moved(size_bytes: int, objects: int) -> None:
        del objects
        blocks.append(size_bytes)
        begun.set()
        time.sleep(0.001)

    def interrupted() -> Iterator[Transfer]:
        yield Transfer(memory, "large", folder, "large")
        assert begun.wait(timeout=30)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer_all(interrupted(), on_moved=on_moved)
    assert 0 < len(blocks) < 5000
    assert folder.read("large") == b"previous"
    assert [info.key for info in folder.list()] == ["large"]


class _SlowCopying(DelegatingStore):
    """A store that takes its time for a copy."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.begun = threading.Event()

    def copy(self, source: str, target: str) -> None:
        self.begun.set()
        time.sleep(0.2)
        super().copy(source, target)


def test_what_waits_in_line_is_not_begun_after_an_interrupt(memory: Store):
    slow = _SlowCopying(_filled(memory))

    def interrupted() -> Iterator[Transfer]:
        yield from (Transfer(slow, f"k/00{number}", slow, f"copy/{number}") for number in (0, 1))
        assert slow.begun.wait(timeout=30)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer_all(interrupted(), jobs=1)
    assert [info.key for info in memory.list("copy/")] == ["copy/0"]


@pytest.mark.parametrize("make", [RuntimeError, KeyboardInterrupt])
def test_a_listener_that_raises_ends_the_transfer(memory: Store, folder: Store, make: Callable[[], BaseException]):
    def on_moved(size_bytes: int, objects: int) -> None:
        del size_bytes, objects
        raise make()

    with pytest.raises((RuntimeError, KeyboardInterrupt)) as caught:
        transfer_all(_all_of(_filled(memory), folder), on_moved=on_moved)
    assert not isinstance(caught.value, StorageError)


def test_a_worker_that_broke_before_anybody_waits_ends_the_transfer(memory: Store, folder: Store):
    broke = threading.Event()

    def on_moved(size_bytes: int, objects: int) -> None:
        del size_bytes, objects
        broke.set()
        raise RuntimeError("the listener broke")

    def slowly_listed() -> Iterator[Transfer]:
        yield next(iter(_all_of(_filled(memory), folder)))
        assert broke.wait(30)
        time.sleep(0.1)  # until the worker has left, too

    with pytest.raises(RuntimeError, match="listener broke"):
        transfer_all(slowly_listed(), on_moved=on_moved)
