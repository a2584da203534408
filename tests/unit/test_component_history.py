"""Contents of a library: kept once, and verified whenever they are read."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from skyhold.components.history import History
from skyhold.components.layout import blob_key
from skyhold.components.library import Library
from skyhold.errors import IntegrityError
from skyhold.storage.backends.memory import MemoryBackend
from skyhold.storage.objects import Attributes

LARGE = os.urandom(9 * 1024 * 1024)


@pytest.fixture
def history() -> History:
    return History(MemoryBackend(f"history-{uuid4().hex}"))


@pytest.mark.parametrize("content", [b"", b"solid arm", LARGE], ids=["empty", "small", "large"])
def test_content_comes_back_from_bytes_and_from_a_file(history: History, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "arm.stl"
    path.write_bytes(content)
    stored = history.put(path)
    assert (stored.size_bytes, stored.existed) == (len(content), False)
    assert history.put(content).existed
    assert history.put(path).existed
    assert history.read(stored.sha256) == content
    moved: list[int] = []
    history.fetch(stored.sha256, tmp_path / "new" / "copy.stl", size_bytes=len(content), progress=moved.append)
    assert (tmp_path / "new" / "copy.stl").read_bytes() == content
    assert sum(moved) == len(content)
    assert [held.sha256 for held in history.all_hashes()] == [stored.sha256]


def test_a_fetch_goes_on_with_what_was_left(history: History, tmp_path: Path) -> None:
    stored = history.put(LARGE)
    block = 4 * 1024 * 1024
    (tmp_path / ".arm.stl.skyhold-part").write_bytes(LARGE[: block + 1000])
    moved: list[int] = []
    history.fetch(stored.sha256, tmp_path / "arm.stl", size_bytes=len(LARGE), progress=moved.append)
    assert (tmp_path / "arm.stl").read_bytes() == LARGE
    assert sum(moved) == len(LARGE) - block
    assert [path.name for path in tmp_path.iterdir()] == ["arm.stl"]


def test_damaged_content_is_refused_and_leaves_the_file_that_was_there(history: History, tmp_path: Path) -> None:
    stored = history.put(b"solid arm")
    history.store.write(blob_key(stored.sha256), b"solid ark")
    (tmp_path / "arm.stl").write_bytes(b"before")
    with pytest.raises(IntegrityError, match="promised"):
        history.fetch(stored.sha256, tmp_path / "arm.stl", size_bytes=9)
    with pytest.raises(IntegrityError, match="promised"):
        history.read(stored.sha256)
    assert [path.name for path in tmp_path.iterdir()] == ["arm.stl"]
    assert (tmp_path / "arm.stl").read_bytes() == b"before"


@pytest.mark.parametrize("damage", [b"solid ark", b"solid", b""], ids=["same length", "shorter", "empty"])
@pytest.mark.parametrize("metadata", [{}, {"sha256": "kept"}])
def test_small_content_that_is_damaged_is_replaced_by_keeping_it_again(
    history: History, damage: bytes, metadata: dict[str, str]
) -> None:
    stored = history.put(b"solid arm")
    history.store.write(blob_key(stored.sha256), damage, attributes=Attributes(metadata=metadata))
    assert not history.put(b"solid arm").existed
    assert history.read(stored.sha256) == b"solid arm"
    assert history.put(b"solid arm").existed


@pytest.mark.parametrize("content", [b"solid arm", LARGE], ids=["small", "large"])
def test_content_of_the_newest_version_that_is_gone_or_cut_off_is_written_by_publishing_it_again(
    history: History, content: bytes
) -> None:
    library = Library(history.store, author="ann")
    sha256 = library.publish("arm.stl", content).files[0].sha256
    for spoil in (history.store.delete, lambda key: history.store.write(key, content[:-1])):
        spoil(blob_key(sha256))
        assert library.publish("arm.stl", content).number == 1
        assert history.read(sha256) == content


def test_missing_content_is_told_as_such(history: History, tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="no content"):
        history.read("0" * 64)
    with pytest.raises(IntegrityError, match="no content"):
        history.fetch("0" * 64, tmp_path / "a", size_bytes=1)
