"""Indexes of names: what is found, as of when, and what becomes of those that are damaged, stopped or another's."""

import os
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from skyhold.errors import AccessDeniedError, BadOptionError, InvalidKeyError, StoppedError
from skyhold.storage.contract import Store
from skyhold.storage.key_index import KeyIndex, Order, find_index, index_file, open_index, prune_indexes, take_index
from skyhold.storage.opening import open_store

_ODD = ["%", "_", "'", '"', "x' OR 1=1 --", "\\", "[a-z]", "{}", "😀", "é", "\u202e", ";DROP TABLE objects"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(f"memory://index-{tmp_path.name}-{tmp_path.parent.name}")


@pytest.fixture
def take(store: Store, tmp_path: Path) -> Callable[..., KeyIndex]:
    def taken(*keys: str, prefix: str = "", most_objects: int = 1000) -> KeyIndex:
        for number, key in enumerate(keys):
            store.write(key, b"x" * number)
        return take_index(store, prefix, tmp_path / "indexes" / "a.sqlite", most_objects=most_objects)

    return taken


def _names(index: KeyIndex, words: str = "", *, prefix: str = "", order: Order = "name") -> list[str]:
    return [each.key for each in index.search(words, prefix=prefix, order=order).objects]


def test_every_word_is_found_somewhere_in_whatever_case(take: Callable[..., KeyIndex]):
    index = take("Wings/Left.STL", "wings/right.stl", "WINGS/notes.txt", "STRASSE/Straße.txt")
    assert _names(index, "wing stl") == ["Wings/Left.STL", "wings/right.stl"]
    assert _names(index, "*.txt") == ["STRASSE/Straße.txt", "WINGS/notes.txt"]
    assert _names(index, "strasse.txt") == ["STRASSE/Straße.txt"]
    assert _names(index, "wing *.txt") == ["WINGS/notes.txt"]
    assert _names(index, "right left") == []
    assert len(_names(index)) == 4
    assert _names(index, "*") == []


def test_prefixes_are_exact(take: Callable[..., KeyIndex]):
    index = take("a/one", "A/one", "ab/one")
    assert _names(index, "one", prefix="a/") == ["a/one"]


@pytest.mark.parametrize(("order", "first"), [("name", "a"), ("largest", "c"), ("newest", "c"), ("oldest", "b")])
def test_what_is_found_is_sorted(take: Callable[..., KeyIndex], order: Order, first: str):
    index = take("b", "a", "c")
    assert _names(index, order=order)[0] == first
    found = index.search(order=order, limit=1, offset=1)
    assert (len(found.objects), found.count, found.size_bytes) == (1, 3, 3)
    with pytest.raises(BadOptionError, match="no order"):
        index.search(order="key; DROP TABLE objects")  # type: ignore[arg-type]


def test_odd_words_are_looked_for_as_they_are(take: Callable[..., KeyIndex]):
    index = take(*(f"plain/{number} {odd}" for number, odd in enumerate(_ODD)), "plain/nothing odd")
    for number, odd in enumerate(_ODD):
        assert f"plain/{number} {odd}" in _names(index, odd), odd
        assert "plain/nothing odd" not in _names(index, odd), odd
    assert _names(index, "\0") == _names(index, "\ud800") == []
    assert index.search("x" * 1024).count == 0
    for words in ("x" * 1025, "x " * 21):
        with pytest.raises(BadOptionError, match="too many"):
            index.search(words)


def test_an_index_is_as_of_when_it_was_taken(take: Callable[..., KeyIndex], store: Store):
    before = take("a", "b")
    store.write("c", b"new")
    store.delete("a")
    assert _names(before) == ["a", "b"]
    after = take()
    assert _names(after) == ["b", "c"]
    assert after.taken > before.taken


def test_it_holds_what_is_under_its_prefix_and_only_its_owner_may_read_it(take: Callable[..., KeyIndex]):
    index = take("a/1", "a/2", "b/1", prefix="a/")
    assert _names(index) == ["a/1", "a/2"]
    assert (index.prefix, index.count, index.size_bytes, index.is_whole) == ("a/", 2, 1, True)
    assert index.file.stat().st_mode & 0o777 == 0o600
    assert open_index(index.file) == index


def test_one_that_is_stopped_leaves_the_one_before(take: Callable[..., KeyIndex], store: Store):
    before = take("a")
    store.write("b", b"")

    def refuse(_: int) -> None:
        raise StoppedError("enough")

    with pytest.raises(StoppedError):
        take_index(store, "", before.file, on_page=refuse)
    assert open_index(before.file) == before
    assert [path.name for path in before.file.parent.iterdir()] == ["a.sqlite"]


def test_what_is_too_much_is_said_not_to_be_whole(take: Callable[..., KeyIndex]):
    index = take(*(f"{number:03d}" for number in range(30)), most_objects=20)
    assert (index.count, index.is_whole) == (20, False)
    again = open_index(index.file)
    assert again is not None
    assert not again.is_whole


def test_damaged_files_and_those_of_other_versions_are_no_indexes(take: Callable[..., KeyIndex], tmp_path: Path):
    index = take("a")
    with sqlite3.connect(index.file) as database:
        database.execute("UPDATE facts SET value = 'skyhold.key-index/9' WHERE name = 'schema'")
    database.close()
    assert open_index(index.file) is None
    index.file.write_bytes(b"SQLite format 3\0 and then nothing" * 100)
    assert open_index(index.file) is None
    assert open_index(tmp_path / "none.sqlite") is None


def test_names_that_are_no_unicode_are_spelt_out(tmp_path: Path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bad\udcff.txt").touch()
    index = take_index(open_store(tmp_path / "data"), "", tmp_path / "a.sqlite")
    assert _names(index, "bad") == ["bad\\udcff.txt"]


def test_the_newest_one_that_has_everything_below_is_found(store: Store, tmp_path: Path):
    for key in ("a/b/1", "a/2", "3"):
        store.write(key, b"")
    old = take_index(store, "", index_file(tmp_path, "me", ""))
    assert find_index(tmp_path, "me", "a/b/") == old
    new = take_index(store, "a/", index_file(tmp_path, "me", "a/"))
    assert find_index(tmp_path, "me", "a/b/") == find_index(tmp_path, "me", "a/") == new
    assert find_index(tmp_path, "me", "") == old
    assert find_index(tmp_path, "somebody else", "a/") is None
    cut = take_index(store, "a/b/", index_file(tmp_path, "me", "a/b/"), most_objects=0)
    assert not cut.is_whole
    assert find_index(tmp_path, "me", "a/b/") == new, "one that is whole counts more than one that is newer"


def test_what_cannot_be_is_refused(store: Store, tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(AccessDeniedError, match="cannot be kept"):
        take_index(store, "", tmp_path / "file" / "a.sqlite")
    with pytest.raises(InvalidKeyError):
        take_index(store, "a//b/", tmp_path / "a.sqlite")
    assert not list(tmp_path.glob("*.part"))


def test_only_the_newest_indexes_are_kept_and_nothing_else_goes(store: Store, tmp_path: Path):
    store.write("a", b"")
    for number in range(4):
        file = index_file(tmp_path, "me", f"{number}/")
        take_index(store, "", file)
        os.utime(file, (number, number))
    others = [tmp_path / "notes.sqlite", tmp_path / "mine.part"]
    for other in others:
        other.touch()
        os.utime(other, (0, 0))
    prune_indexes(tmp_path, keep=2)
    take_index(store, "", index_file(tmp_path, "me", "3/"))
    kept = [index_file(tmp_path, "me", f"{number}/") for number in (2, 3)]
    assert sorted(tmp_path.iterdir()) == sorted([*kept, *others])


def test_a_part_that_a_kill_has_left_goes_after_a_day(store: Store, tmp_path: Path):
    file = index_file(tmp_path, "me", "")
    old, new = (tmp_path / f"{file.stem}{name}.part" for name in ("old", "new"))
    for part, age_s in ((old, 100_000), (new, 100)):
        part.touch()
        then = time.time() - age_s
        os.utime(part, (then, then))
    take_index(store, "", file)
    assert sorted(tmp_path.iterdir()) == sorted([file, new])


def test_a_listing_takes_one_request_for_a_thousand_objects(store: Store, tmp_path: Path):
    seen: list[int] = []
    for number in range(2500):
        store.write(f"{number:05d}", b"")
    index = take_index(store, "", tmp_path / "a.sqlite", on_page=seen.append)
    assert (sum(seen), index.count) == (2500, 2500)
    assert _names(index, "02499") == ["02499"]
