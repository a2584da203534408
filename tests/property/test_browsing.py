"""Looking into a folder screen by screen shows what one listing of the whole folder shows."""

from itertools import pairwise
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from skyhold.storage.browsing import browse_folder
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore

_PARTS = st.sampled_from(["a", "b", "a b", "a.b", "a-b", "a0", "é", "\U0010fffe", "z"])
_KEYS = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)


def _all_entries(store: Store, prefix: str, limit: int) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        view = browse_folder(store, prefix, after=after, limit=limit)
        assert len(view.entries) <= limit
        found += [entry.key for entry in view.entries]
        if view.after is None:
            return found
        after = view.after


@given(st.sets(_KEYS, max_size=30), st.sampled_from(["", "a/", "a/b/", "a", "z"]), st.integers(1, 7))
def test_screens_put_together_are_the_folder(keys: set[str], prefix: str, limit: int):
    store = open_store(f"memory://browsing-{uuid4().hex}")
    for key in keys:
        store.write(key, b"")
    whole = store.list_folder(prefix)
    expected = sorted([info.key for info in whole.objects] + list(whole.prefixes))
    found = _all_entries(store, prefix, limit)
    assert found == expected
    assert all(one < other for one, other in pairwise(found))


def test_a_screen_of_a_big_folder_takes_few_requests():
    store = open_store(f"memory://browsing-{uuid4().hex}")
    for number in range(3000):
        store.write(f"big/{number:06d}", b"")
        store.write(f"deep/{number % 3}/{number:06d}", b"")
        store.write(f"flat-{number:06d}", b"")
    pages: list[int] = []
    counted = MeteredStore(store.observed(lambda operation: pages.append(operation.requests)))
    view = browse_folder(counted, limit=200)
    assert [entry.key for entry in view.entries][:3] == ["big/", "deep/", "flat-000000"]
    view = browse_folder(counted, after="flat-001000", limit=200)
    assert view.entries[0].key == "flat-001001"
    assert view.after == "flat-001200"
    assert [entry.key for entry in browse_folder(counted, "deep/").entries] == ["deep/0/", "deep/1/", "deep/2/"]
    assert len(pages) <= 20


def test_many_big_folders_are_listed_by_the_store_itself():
    store = open_store(f"memory://browsing-{uuid4().hex}")
    for folder in range(12):
        for number in range(1001):
            store.write(f"{folder:02d}/{number:06d}", b"")
    store.write("zz", b"")
    pages: list[int] = []
    counted = store.observed(lambda operation: pages.append(operation.requests))
    entries = browse_folder(counted, limit=200).entries
    assert [entry.key for entry in entries] == [*(f"{folder:02d}/" for folder in range(12)), "zz"]
    assert entries[0].is_folder
    assert not entries[-1].is_folder
    assert sum(pages) <= 10
