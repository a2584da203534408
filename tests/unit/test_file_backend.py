"""What a folder as a store leaves behind: the file, and nothing else that was needed on the way."""

import errno
import os
from pathlib import Path

import pytest

from skyhold.errors import AlreadyExistsError, InvalidKeyError, StorageError
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes
from skyhold.storage.opening import open_store

_NOTED = Attributes({"author": "Zoë"})


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def _all_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def _full_disk(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("noted", [True, False])
@pytest.mark.parametrize("if_absent", [True, False])
def test_a_folders_name_is_refused_and_nothing_is_left_of_the_attempt(
    folder: Store, tmp_path: Path, noted: bool, if_absent: bool
):
    folder.write("arm/left.stl", b"left")
    (tmp_path / "empty").mkdir()
    for name in ("arm", "empty"):
        with pytest.raises(InvalidKeyError, match=f"/{name}': a folder cannot"):
            folder.write(name, b"x", if_absent=if_absent, attributes=_NOTED if noted else None)
        with pytest.raises(InvalidKeyError, match=f"/{name}': a folder cannot"):
            folder.open_writer(name)
    assert [name for name in _all_in(tmp_path) if "locks/" not in name] == ["arm/left.stl"]


def test_attributes_go_with_the_version_that_had_them(folder: Store, tmp_path: Path):
    for number in range(3):
        folder.write("arm.stl", bytes(number), attributes=_NOTED)
        assert folder.info("arm.stl").attributes == _NOTED
    assert len(_all_in(tmp_path)) == 2, "the file, and what is noted of it"
    folder.write("arm.stl", b"plain")
    assert folder.info("arm.stl").attributes == Attributes()
    assert _all_in(tmp_path) == ["arm.stl"]


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_previous_file_and_nothing_beside_it(
    folder: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
):
    folder.write("arm.stl", b"previous")
    monkeypatch.setattr(os, fails, _full_disk)
    with pytest.raises(StorageError, match="No space left") as caught:
        folder.write("arm.stl", b"next")
    assert caught.value.remedy == "Free some space"
    monkeypatch.undo()
    assert folder.read("arm.stl") == b"previous"
    assert _all_in(tmp_path) == ["arm.stl"]


def test_a_condition_that_does_not_hold_leaves_nothing_beside_the_file(folder: Store, tmp_path: Path):
    folder.write("arm.stl", b"first")
    with pytest.raises(AlreadyExistsError):
        folder.write("arm.stl", b"second", if_absent=True, attributes=_NOTED)
    assert [name for name in _all_in(tmp_path) if "locks/" not in name] == ["arm.stl"]


def test_a_system_that_takes_and_gives_few_bytes_at_a_time_loses_none(folder: Store, monkeypatch: pytest.MonkeyPatch):
    write, pread = os.write, os.pread
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:1000]))
    monkeypatch.setattr(os, "pread", lambda file, size, start: pread(file, min(size, 700), start))
    content = bytes(range(256)) * 100
    folder.write("arm.stl", content)
    assert folder.read("arm.stl") == content
