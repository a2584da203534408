"""Versions as deltas: small, in bounded chains, found from the bucket alone, and refused where anything is damaged."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket, make_container
from meshes import edited, grid, inserted, moved, stl
from skyhold.components.deltas import make_delta
from skyhold.components.history import DeltaPolicy, History, Stored
from skyhold.components.layout import blob_key, delta_key
from skyhold.components.library import Library
from skyhold.errors import BadOptionError, BucketNotFoundError, IntegrityError
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer

_SIZE = 200_000
_ABSENT = "0" * 64


def _content(seed: int = 0, size_bytes: int = _SIZE) -> bytes:
    return random.Random(seed).randbytes(size_bytes)


def _edit(content: bytes, seed: int, size_bytes: int = 100) -> bytes:
    place = random.Random(seed).randrange(len(content) - size_bytes)
    return content[:place] + _content(seed, size_bytes) + content[place + size_bytes :]


def _put_versions(history: History, count: int, size_bytes: int = 100) -> tuple[list[bytes], list[Stored]]:
    contents = [_content()]
    kept = [history.put(contents[0])]
    for number in range(1, count):
        contents.append(_edit(contents[-1], number, size_bytes))
        kept.append(history.put(contents[-1], base=kept[-1].sha256))
    return contents, kept


@pytest.fixture
def memory() -> Store:
    return open_store(f"memory://{uuid4()}")


@pytest.fixture
def history(memory: Store) -> History:
    return History(memory)


@pytest.fixture(
    params=["memory", "folder", "mock", "moto", "rclone", pytest.param("azurite", marks=pytest.mark.azurite)]
)
def remote(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "azurite":
        azurite: LocalServer = request.getfixturevalue("azurite")
        return open_store(f"az://{make_container(azurite)}/a library", **azurite.options)
    if request.param in {"moto", "rclone"}:
        server: LocalServer = request.getfixturevalue(request.param)
        return open_store(f"s3://{make_bucket(server)}/a library", **server.options)
    if request.param == "mock":
        return open_store(f"mock://{tmp_path}/mock", error_rate=0.05, throttle_rate=0.02, lost_rate=0.05, cut_rate=0.05)
    if request.param == "folder":
        return open_store(tmp_path / "not made yet")
    return open_store(f"memory://{uuid4()}")


def test_every_version_comes_back_from_every_store(remote: Store, tmp_path: Path) -> None:
    history = History(remote)
    contents, kept = _put_versions(history, 4)
    assert [stored.kind for stored in kept] == ["blob", "delta", "delta", "delta"]
    assert all(stored.stored_bytes < 500 for stored in kept[1:])
    for content, stored in zip(contents, kept, strict=True):
        assert history.has(stored.sha256)
        assert history.read(stored.sha256) == content
        assert history.check(stored.sha256) == _SIZE
        history.fetch(stored.sha256, tmp_path / "out" / "arm.stl", size_bytes=_SIZE)
        assert (tmp_path / "out" / "arm.stl").read_bytes() == content
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["arm.stl"]
    assert not history.has(_ABSENT)


def test_what_is_kept_is_kept_once_however_it_lies(remote: Store, request: pytest.FixtureRequest) -> None:
    ignores_conditions = request.node.callspec.params["remote"] == "rclone"  # there it is written again, the same
    history = History(remote)
    contents, kept = _put_versions(history, 3)
    before = [(held.key, held.stored_bytes) for held in history.all_hashes()]
    for content, stored, base in zip(contents, kept, (None, *(stored.sha256 for stored in kept)), strict=False):
        again = history.put(content, base=base)
        assert again.existed != (ignores_conditions and again.kind == "blob")
        assert (again.kind, again.stored_bytes) == (stored.kind, stored.stored_bytes)
    assert [(held.key, held.stored_bytes) for held in history.all_hashes()] == before


def test_a_listing_tells_what_lies_there(history: History) -> None:
    _, kept = _put_versions(history, 2)
    blob, delta = history.all_hashes()
    assert (blob.sha256, blob.kind, blob.base, blob.stored_bytes) == (kept[0].sha256, "blob", None, _SIZE)
    assert (delta.sha256, delta.kind, delta.base) == (kept[1].sha256, "delta", kept[0].sha256)
    assert delta.stored_bytes == kept[1].stored_bytes
    assert delta.key == delta_key(kept[1].sha256, kept[0].sha256)


def test_an_edit_of_a_mesh_of_25_mb_adds_little_and_a_move_less_than_half(history: History, tmp_path: Path) -> None:
    points = grid(500)
    first = stl(points)
    base = history.put(first)
    for content, most in ((stl(edited(points)), 300_000), (inserted(first), 300_000), (stl(moved(points)), 12_500_000)):
        path = tmp_path / "v2.stl"
        path.write_bytes(content)
        stored = history.put(path, base=base.sha256)
        assert stored.kind == "delta"
        assert stored.stored_bytes <= most
        history.fetch(stored.sha256, tmp_path / "back.stl", size_bytes=len(content))
        assert (tmp_path / "back.stl").read_bytes() == content


def test_an_edit_of_a_component_of_25_mb_adds_at_most_a_third_of_a_megabyte_to_its_library(tmp_path: Path) -> None:
    library = Library(str(tmp_path / "library"))

    def history_bytes() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "library" / ".skyhold").rglob("*") if path.is_file())

    points = grid(500)
    (tmp_path / "plate.stl").write_bytes(stl(points))
    library.publish("plate.stl", tmp_path / "plate.stl")
    before = history_bytes()
    content = stl(edited(points))
    (tmp_path / "plate.stl").write_bytes(content)
    library.publish("plate.stl", tmp_path / "plate.stl")
    assert history_bytes() - before <= 300_000
    library.get("plate.stl", tmp_path / "back.stl")
    assert (tmp_path / "back.stl").read_bytes() == content


def test_a_chain_ends_after_so_many_deltas(memory: Store) -> None:
    _, kept = _put_versions(History(memory, policy=DeltaPolicy(longest_chain=3)), 9)
    kinds = [stored.kind for stored in kept]
    assert kinds == ["blob", "delta", "delta", "delta", "blob", "delta", "delta", "delta", "blob"]
    assert [stored.kind for stored in _put_versions(History(open_store(f"memory://{uuid4()}")), 10)[1]] == [
        "blob",
        *["delta"] * 8,
        "blob",
    ]


def test_the_deltas_of_a_chain_are_together_shorter_than_the_content(history: History) -> None:
    _, kept = _put_versions(history, 8, size_bytes=70_000)
    assert [stored.kind for stored in kept] == ["blob", "delta", "delta", "blob", "delta", "delta", "blob", "delta"]


@pytest.mark.parametrize(
    ("policy", "seed"),
    [
        (DeltaPolicy(longest_chain=0), None),
        (DeltaPolicy(min_content_bytes=_SIZE + 1), None),
        (DeltaPolicy(max_memory_bytes=5 * _SIZE - 1), None),
        (DeltaPolicy(), 1),
    ],
    ids=["no chains", "too short", "too little memory", "nothing in common"],
)
def test_what_does_not_pay_lies_there_whole(memory: Store, policy: DeltaPolicy, seed: int | None) -> None:
    history = History(memory, policy=policy)
    base = history.put(_content())
    content = _edit(_content(), 1) if seed is None else _content(seed)
    assert history.put(content, base=base.sha256).kind == "blob"
    assert history.put(content).existed


@pytest.mark.parametrize("rule", [{"longest_chain": -1}, {"largest_share": 1.5}, {"min_content_bytes": -1}])
def test_rules_that_make_no_sense_are_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(BadOptionError, match=next(iter(rule))):
        DeltaPolicy(**rule)


def test_a_base_that_is_missing_or_damaged_makes_a_whole(history: History) -> None:
    content = _content()
    assert history.put(content, base=_ABSENT).kind == "blob"
    base = history.put(_content(1))
    history.store.write(blob_key(base.sha256), _content(2))
    assert history.put(_edit(_content(1), 1), base=base.sha256).kind == "blob"


def test_requests_are_few(moto: LocalServer, tmp_path: Path) -> None:
    store = MeteredStore(open_store(f"s3://{make_bucket(moto)}", **moto.options))
    history = History(store)

    def requests(work: Callable[[], object]) -> dict[str, int]:
        before = store.meter.usage.requests
        work()
        return {
            kind: count - before[kind] for kind, count in store.meter.usage.requests.items() if count > before[kind]
        }

    target = tmp_path / "arm.stl"
    first, second = _content(), _edit(_content(), 1)
    base = history.put(first)
    assert requests(lambda: history.put(_content(2))) == {"write": 1}
    assert requests(lambda: history.fetch(base.sha256, target, size_bytes=_SIZE)) == {"read": 1}
    # Is it there, whole or as a delta? Of which chain is the base, how long is it? The base itself.
    assert requests(lambda: history.put(second, base=base.sha256)) == {"read": 3, "list": 2, "write": 1}
    assert requests(lambda: history.put(second, base=base.sha256)) == {"read": 1, "list": 1}
    # Not there whole; which delta, and is its base one? The base, the delta.
    stored = history.put(second, base=base.sha256)
    assert requests(lambda: history.fetch(stored.sha256, target, size_bytes=_SIZE)) == {"read": 3, "list": 2}


def _flip(store: Store, key: str, place: int) -> None:
    content = bytearray(store.read(key))
    content[place % len(content)] ^= 1
    store.write(key, content)


@pytest.mark.parametrize("place", [0, 50, -1])
@pytest.mark.parametrize("which", ["blob", "first delta", "last delta"])
def test_a_flipped_bit_is_refused_by_the_name_of_its_object(
    remote: Store, tmp_path: Path, which: str, place: int
) -> None:
    history = History(remote)
    _, kept = _put_versions(history, 3)
    shas = [stored.sha256 for stored in kept]
    keys = {"blob": blob_key(shas[0]), "first delta": delta_key(shas[1], shas[0])}
    key = keys.get(which, delta_key(shas[2], shas[1]))
    _flip(remote, key, place)
    target = tmp_path / "out" / "arm.stl"
    target.parent.mkdir()
    target.write_bytes(b"before")
    for work in (
        lambda: history.fetch(shas[2], target, size_bytes=_SIZE),
        lambda: history.read(shas[2]),
        lambda: history.check(shas[2]),
    ):
        with pytest.raises(IntegrityError) as caught:
            work()
        assert remote.uri_of(key) in str(caught.value)
        assert "skyhold comp verify" in caught.value.remedy
    assert [path.name for path in target.parent.iterdir()] == ["arm.stl"]
    assert target.read_bytes() == b"before"


@pytest.mark.parametrize("which", ["blob", "delta"])
def test_a_missing_link_is_refused_by_name(history: History, tmp_path: Path, which: str) -> None:
    _, kept = _put_versions(history, 3)
    shas = [stored.sha256 for stored in kept]
    gone = (shas[0], blob_key(shas[0])) if which == "blob" else (shas[1], delta_key(shas[1], shas[0]))
    history.store.delete(gone[1])
    with pytest.raises(IntegrityError, match=f"no content with SHA-256 {gone[0]}"):
        history.read(shas[2])
    with pytest.raises(IntegrityError, match=f"no content with SHA-256 {gone[0]}"):
        history.fetch(shas[2], tmp_path / "arm.stl", size_bytes=_SIZE)
    assert not list(tmp_path.iterdir())


def test_content_of_another_length_than_promised_is_not_even_fetched(history: History, tmp_path: Path) -> None:
    stored = history.put(_content())
    with pytest.raises(IntegrityError, match="200000 bytes, 5 were promised"):
        history.fetch(stored.sha256, tmp_path / "arm.stl", size_bytes=5)


def test_deltas_that_lead_to_each_other_end_where_content_lies_whole(history: History) -> None:
    first, second = _content(), _edit(_content(), 1)
    base = history.put(first)
    stored = history.put(second, base=base.sha256)
    back = make_delta(second, first)
    assert back is not None
    history.store.write(delta_key(base.sha256, stored.sha256), back)
    assert history.read(stored.sha256) == second
    assert history.read(base.sha256) == first
    third = history.put(_edit(second, 2), base=stored.sha256)
    assert third.kind == "delta"
    assert history.check(third.sha256) == _SIZE


def test_of_several_deltas_the_shortest_is_taken(history: History) -> None:
    contents, kept = _put_versions(history, 3)
    direct = make_delta(contents[0], contents[2])
    assert direct is not None
    key = delta_key(kept[2].sha256, kept[0].sha256)
    history.store.write(key, direct[:1])  # damaged, and shorter than the sound one: so it is seen that it is taken
    with pytest.raises(IntegrityError, match=key):
        history.read(kept[2].sha256)


def test_a_bucket_that_is_missing_is_told_as_such(moto: LocalServer, tmp_path: Path) -> None:
    history = History(open_store("s3://no-such-bucket-here", **moto.options))
    with pytest.raises(BucketNotFoundError):
        history.put(_content(), base=_ABSENT)
    with pytest.raises((BucketNotFoundError, IntegrityError)):
        history.fetch(_ABSENT, tmp_path / "a", size_bytes=1)
