"""Folders as keys: in the order of keys, and no more of the tree than is asked for."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skyhold.storage.backends import folder_walk
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore

_KEYS = st.lists(st.text("ab-/.", min_size=1, max_size=6).map(lambda text: "/".join(filter(None, text.split("/")))))

_PREFIXES = st.text("ab-/", max_size=3).filter(lambda text: "//" not in text and not text.startswith("/"))


def _plant(folder: Path, keys: list[str]) -> list[str]:
    """Make the files that a folder can hold of some keys; return which."""
    planted: list[str] = []
    for key in keys:
        path = folder / key
        if any(part in {"", ".", ".."} for part in key.split("/")) or path.is_dir():
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:  # a file is where a folder is wanted, or the other way
            continue
        planted.append(key)
    return sorted(set(planted))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=_KEYS, prefix=_PREFIXES, after=st.none() | st.text("ab-/", min_size=1, max_size=4))
def test_a_listing_is_that_of_the_sorted_keys(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str], prefix: str, after: str | None
):
    folder = tmp_path_factory.mktemp("tree")
    planted = _plant(folder, keys)
    (folder / "a-empty" / "below").mkdir(parents=True, exist_ok=True)
    wanted = [key for key in planted if key.startswith(prefix) and (after is None or key > after)]
    root = f"{folder}/"
    assert list(folder_walk.walk_keys(root, prefix, after, lambda _: False)) == wanted
    cut = [key[len(prefix) :].partition("/") for key in wanted]
    objects, folders = folder_walk.list_one_level(root, prefix, after, lambda _: False)
    assert list(objects) == [prefix + head for head, slash, _ in cut if not slash]
    assert list(folders) == list(dict.fromkeys(f"{prefix}{head}/" for head, slash, _ in cut if slash))


def test_one_level_of_a_tree_reads_its_folder_and_looks_for_one_file_in_each_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for number in range(200):
        (tmp_path / f"{number % 4}" / f"{number}").mkdir(parents=True)
        (tmp_path / f"{number % 4}" / f"{number}" / "x").touch()
    seen: list[Any] = []
    scan = os.scandir
    monkeypatch.setattr(folder_walk.os, "scandir", lambda path: seen.append(path) or scan(path))
    assert open_store(tmp_path).list_folder("").prefixes == ("0/", "1/", "2/", "3/")
    assert len(seen) == 1 + 4 * 2


def test_links_to_folders_are_not_followed_and_links_to_files_are(tmp_path: Path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").touch()
    (tmp_path / "folder").symlink_to(tmp_path / "real")
    (tmp_path / "file").symlink_to(tmp_path / "real" / "x")
    store = open_store(tmp_path)
    assert [info.key for info in store.list()] == ["file", "real/x"]
    assert store.list_folder("").prefixes == ("real/",)


@pytest.mark.parametrize(("keys", "pages"), [(0, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3)])
def test_a_thousand_keys_take_a_request(tmp_path: Path, keys: int, pages: int):
    (tmp_path / "in").mkdir()
    for number in range(keys):
        (tmp_path / "in" / str(number)).touch()
    store = MeteredStore(open_store(f"mock://{tmp_path}"))
    assert sum(1 for _ in store.list("in/")) == keys
    assert store.meter.usage.requests["list"] == pages
