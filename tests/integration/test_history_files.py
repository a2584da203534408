"""Files into the history and out of it: whole or not at all, gone on with, and never of two moments at once."""

import fcntl
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket
from skyhold.components import assembling, keeping
from skyhold.components.history import History, hash_file
from skyhold.components.layout import BLOBS, blob_key
from skyhold.components.part_file import PartFile
from skyhold.errors import ConflictError, IntegrityError, ServerFaultError, StorageError
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer
from stepped_store import SteppedStore

_BLOCK = 1000
_CONTENT = random.Random(1).randbytes(10 * _BLOCK + 7)
_EDITED = _CONTENT[:5000] + b"edited" + _CONTENT[5006:]


class _Breaking(SteppedStore):
    """Fails from a request on, as a store does when the network is gone."""

    def __init__(self, inner: Store, after: int) -> None:
        super().__init__(inner, self._count)
        self.left = after
        self.reads = 0

    def _count(self, verb: str, key: str) -> None:
        self.left -= 1
        self.reads += verb == "read" and key.startswith(BLOBS)
        if self.left < 0:
            raise ServerFaultError(f"gone before {verb} {key}")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files of a few thousand bytes count as large."""
    monkeypatch.setattr(assembling, "_BLOCK_BYTES", _BLOCK)
    monkeypatch.setattr(assembling, "_READ_AHEAD", 0)
    monkeypatch.setattr(keeping, "_SMALL_BYTES", _BLOCK)
    monkeypatch.setattr(keeping.DeltaPolicy, "allows", lambda *_: True)


@pytest.fixture
def store() -> Store:
    return open_store(f"memory://{uuid4()}")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "arm.stl"


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.skyhold-part")


def _names(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir())


def _fetch(store: Store, sha256: str, target: Path, told: Callable[[int], None] | None = None) -> None:
    History(store).fetch(sha256, target, size_bytes=len(_CONTENT), progress=told)


def test_a_fetch_that_was_broken_after_any_request_is_gone_on_with(store: Store, target: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    for after in range(11):
        target.unlink(missing_ok=True)
        broken = _Breaking(store, after)
        with pytest.raises(ServerFaultError):
            _fetch(broken, sha256, target)
        assert _names(target) == [_part(target).name] if after else not _names(target)
        again = _Breaking(store, 99)
        _fetch(again, sha256, target)
        assert target.read_bytes() == _CONTENT
        assert _names(target) == [target.name]
        # The first block comes with the object's size, and shows whether what is there is a beginning of it.
        assert again.reads == 11 - max(after - 1, 0)


def test_a_delta_that_was_broken_after_any_request_is_gone_on_with(store: Store, target: Path) -> None:
    base = History(store).put(_CONTENT)
    stored = History(store).put(_EDITED, base=base.sha256)
    assert stored.kind == "delta"
    for after in range(1 + 2 + 11 + 1):
        new = target.parent / str(after) / target.name
        with pytest.raises(ServerFaultError):
            _fetch(_Breaking(store, after), stored.sha256, new)
        again = _Breaking(store, 99)
        _fetch(again, stored.sha256, new)
        assert new.read_bytes() == _EDITED
        assert _names(new) == [new.name]
        # Asked for whole in vain, and then the base, as far as it had not come.
        assert again.reads == 1 + 11 - min(max(after - 4, 0), 9)


def test_a_put_that_was_broken_after_any_request_is_made_good_by_the_next(target: Path) -> None:
    for after in range(9):
        store = open_store(f"memory://{uuid4()}")
        base = History(store).put(_CONTENT)
        with pytest.raises(ServerFaultError):
            History(_Breaking(store, after)).put(_EDITED, base=base.sha256)
        stored = History(store).put(_EDITED, base=base.sha256)
        assert (stored.kind, stored.existed) == ("delta", False)
        _fetch(store, stored.sha256, target)
        assert target.read_bytes() == _EDITED


def test_progress_tells_what_has_come(store: Store, target: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    _part(target).write_bytes(_CONTENT[: 3 * _BLOCK + 5])
    told: list[int] = []
    _fetch(store, sha256, target, told.append)
    assert sum(told) == len(_CONTENT) - 3 * _BLOCK


@pytest.mark.parametrize(
    "left",
    [
        b"other" * 2000,
        _CONTENT + b"more",
        _CONTENT,
        _CONTENT[: 2 * _BLOCK] + b"other" * 200,
        _EDITED,
    ],
    ids=["other content", "longer", "all of it", "other after two blocks", "the version after"],
)
def test_whatever_an_interruption_left_the_content_is_right(store: Store, target: Path, left: bytes) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    _part(target).write_bytes(left)
    _fetch(store, sha256, target)
    assert target.read_bytes() == _CONTENT
    assert _names(target) == [target.name]


def test_a_part_that_another_process_works_on_is_left_alone(store: Store, target: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    with _part(target).open("wb") as held:
        held.write(b"under way")
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        _fetch(store, sha256, target)
        with pytest.raises(ServerFaultError):
            _fetch(_Breaking(store, 3), sha256, target)
        assert _part(target).read_bytes() == b"under way"
    assert target.read_bytes() == _CONTENT
    assert _names(target) == [_part(target).name, target.name]


def test_a_part_that_its_holder_has_published_meanwhile_is_not_written_into(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = fcntl.flock
    published: list[Path] = []

    def publish_first(file: Any, how: int) -> None:
        if not published:
            published.append(_part(target).replace(target))
        real(file, how)

    _part(target).write_bytes(b"published")
    monkeypatch.setattr(fcntl, "flock", publish_first)
    with PartFile(target) as part:
        part.file.write(b"mine")
    assert target.read_bytes() == b"published"
    assert _part(target).read_bytes() == b"mine"


def test_a_link_in_the_place_of_a_part_is_not_followed(store: Store, target: Path, tmp_path: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"precious")
    _part(target).symlink_to(elsewhere)
    with pytest.raises(OSError, match=r"arm\.stl"):
        _fetch(store, sha256, target)
    assert elsewhere.read_bytes() == b"precious"


def test_a_folder_in_the_place_of_a_part_is_left_alone(store: Store, target: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    _part(target).mkdir()
    _fetch(store, sha256, target)
    assert target.read_bytes() == _CONTENT
    assert _names(target) == [_part(target).name, target.name]


def test_a_name_as_long_as_a_folder_allows_can_be_fetched(store: Store, tmp_path: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    target = tmp_path / ("ä" * 127)
    _fetch(store, sha256, target)
    assert _names(target) == [target.name]


def test_a_fetched_file_has_the_rights_of_any_new_file(store: Store, target: Path, tmp_path: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256
    _fetch(store, sha256, target)
    usual = tmp_path / "usual"
    usual.touch()
    assert target.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("is_delta", [False, True])
def test_a_disk_without_room_is_told_before_bytes_come(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch, *, is_delta: bool
) -> None:
    base = History(store).put(_CONTENT)
    sha256 = History(store).put(_EDITED, base=base.sha256).sha256 if is_delta else base.sha256
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    with pytest.raises(StorageError, match="10,007 more bytes are needed on the disk, and 10,000 are free") as caught:
        _fetch(store, sha256, target)
    assert str(target) in str(caught.value)
    assert "Free 7 bytes" in caught.value.remedy
    _part(target).write_bytes(_CONTENT[:_BLOCK])
    _fetch(store, sha256, target)


@pytest.mark.parametrize("base", [None, "0" * 64])
@pytest.mark.parametrize("change", ["grows", "same length", "touched"])
def test_a_file_that_changes_while_it_is_read_is_not_kept(
    store: Store, target: Path, monkeypatch: pytest.MonkeyPatch, base: str | None, change: str
) -> None:
    target.write_bytes(_CONTENT)
    real = os.fstat
    seen: list[int] = []

    def change_after_the_first_look(number: int) -> os.stat_result:
        seen.append(number)
        if len(seen) == 2:
            with target.open("r+b") as file:
                file.seek(0, os.SEEK_END if change == "grows" else os.SEEK_SET)
                file.write(b"edited" if change != "touched" else _CONTENT[:6])
            os.utime(target, ns=(0, 12345))
        return real(number)

    monkeypatch.setattr(os, "fstat", change_after_the_first_look)
    with pytest.raises(ConflictError, match=r"arm\.stl' changed while it was read") as caught:
        History(store).put(target, base=base)
    assert "publish again" in caught.value.remedy
    assert not list(store.list())


@pytest.mark.parametrize("base", [None, "0" * 64])
def test_a_file_that_has_changed_since_it_was_hashed_is_not_kept(store: Store, target: Path, base: str | None) -> None:
    target.write_bytes(_CONTENT)
    sha256 = hash_file(target)
    target.write_bytes(_EDITED)
    with pytest.raises(ConflictError, match=sha256):
        History(store).put(target, sha256=sha256, base=base)
    assert not list(store.list())


def test_a_large_object_of_another_length_is_damaged_and_is_written_again(store: Store, target: Path) -> None:
    target.write_bytes(_CONTENT)
    sha256 = hash_file(target)
    for content in (target, _CONTENT):
        store.write(blob_key(sha256), b"cut")
        assert not History(store).put(content).existed
        assert store.read(blob_key(sha256)) == _CONTENT


def test_an_object_that_is_replaced_while_it_is_fetched_is_not_mixed(store: Store, target: Path) -> None:
    sha256 = History(store).put(_CONTENT).sha256

    def replace(_: int) -> None:
        store.write(blob_key(sha256), _EDITED)

    with pytest.raises(StorageError):
        _fetch(store, sha256, target, replace)
    with pytest.raises(IntegrityError):
        _fetch(store, sha256, target)
    assert not _names(target)


_MEASURE = """
import os, sys
from pathlib import Path
from skyhold.components.history import DeltaPolicy, History
from skyhold.storage.opening import open_store

def highest() -> int:
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024

folder, way, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
history = History(open_store(sys.argv[4], **eval(sys.argv[5])), policy=DeltaPolicy(max_memory_bytes=5 * size))
history.read(history.put(os.urandom(200_000), base="0" * 64).sha256)
before = highest()
base = history.put(folder / "v1").sha256
stored = history.put(folder / "v2", base=base) if way != "whole" else None
assert stored is None or stored.kind == way, stored
history.fetch(stored.sha256 if stored else base, folder / "back", size_bytes=size)
print(highest() - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("way", "size_mb", "most_mb"), [("whole", 256, 110), ("delta", 64, 440), ("blob", 64, 440)])
def test_memory_is_bounded(tmp_path: Path, ministack: LocalServer, way: str, size_mb: int, most_mb: int) -> None:
    size = size_mb * 1024 * 1024
    first = os.urandom(size)
    (tmp_path / "v1").write_bytes(first)
    middle = os.urandom(1000 if way == "delta" else size // 2)
    (tmp_path / "v2").write_bytes(first[:1000] + middle + first[1000 + len(middle) :])
    place = [f"s3://{make_bucket(ministack)}", str(ministack.options)]
    command = [sys.executable, "-c", _MEASURE, str(tmp_path), way, str(size), *place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr
    assert int(done.stdout) < most_mb * 1024 * 1024
    assert (tmp_path / "back").read_bytes() == (tmp_path / ("v1" if way == "whole" else "v2")).read_bytes()
