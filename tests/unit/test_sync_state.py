"""What a folder remembers of a store: item by item, for one process at a time, and never more than it is sure of."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from skyhold.components.sync_state import STATE_NAME, Remembered, SyncState
from skyhold.errors import LockedError, UnsupportedError

_ITEM = Remembered(3, 10, 20, (1 << 63) - 1, "ab" * 32, "e-tag", 4)


def test_what_is_remembered_is_there_again_for_the_same_store_only(tmp_path: Path):
    with SyncState(tmp_path, "s3://one") as state:
        state.remember("a/ä.stl", _ITEM)
        state.remember_all([("b", _ITEM), ("c", _ITEM._replace(version=None))])
        state.forget("b")
    with SyncState(tmp_path, "s3://one") as state:
        assert state.load() == {"a/ä.stl": _ITEM, "c": _ITEM._replace(version=None)}
        assert state.load()["a/ä.stl"].agreed.token == "e-tag"
    with SyncState(tmp_path, "s3://two") as state:
        assert state.load() == {}


def test_choices_are_kept_until_they_are_taken_back(tmp_path: Path):
    with SyncState(tmp_path, "s3://one") as state:
        state.choose("a", "local")
        state.choose("a", "remote")
        state.choose("b", "local")
        state.choose("b", None)
        assert state.choices() == {"a": "remote"}


def test_what_was_remembered_before_a_kill_is_there_again_and_the_folder_is_free(tmp_path: Path):
    program = f"""
import os, sys
from pathlib import Path
from skyhold.components.sync_state import Remembered, SyncState
state = SyncState(Path({str(tmp_path)!r}), "s3://one")
state.remember("a", Remembered(3, 10, 20, 30, "ab", "t", 1))
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    with SyncState(tmp_path, "s3://one") as state:
        assert set(state.load()) == {"a"}


def test_one_process_at_a_time_has_the_folder_and_others_may_look(tmp_path: Path):
    with SyncState(tmp_path, "s3://one") as state:
        state.remember("a", _ITEM)
        with pytest.raises(LockedError, match="another process"):
            SyncState(tmp_path, "s3://one")
        with SyncState(tmp_path, "s3://one", alone=False) as other:
            assert set(other.load()) == {"a"}
    SyncState(tmp_path, "s3://one").close()


@pytest.mark.parametrize("where", ["head", "middle"])
def test_a_damaged_file_is_put_aside_and_nothing_is_remembered(tmp_path: Path, where: str):
    with SyncState(tmp_path, "s3://one") as state:
        state.remember_all([(f"{number:05}", _ITEM) for number in range(5000)])
    file = tmp_path / STATE_NAME
    content = bytearray(file.read_bytes())
    begin = 0 if where == "head" else len(content) // 2
    content[begin : begin + 8192] = os.urandom(8192)
    file.write_bytes(content)
    with SyncState(tmp_path, "s3://one") as state:
        assert state.load() == {}
        assert Path(state.rebuilt).read_bytes() == bytes(content)
        state.remember("a", _ITEM)
    with SyncState(tmp_path, "s3://one") as state:
        assert set(state.load()) == {"a"}
        assert not state.rebuilt


def test_the_file_of_a_newer_skyhold_is_refused_and_left_as_it_is(tmp_path: Path):
    SyncState(tmp_path, "s3://one").close()
    with sqlite3.connect(tmp_path / STATE_NAME) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    for _ in range(2):
        with pytest.raises(UnsupportedError, match="format 99"):
            SyncState(tmp_path, "s3://one")


def test_the_state_is_private(tmp_path: Path):
    SyncState(tmp_path, "s3://one").close()
    assert (tmp_path / STATE_NAME).stat().st_mode & 0o777 == 0o600
