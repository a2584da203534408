"""Ranges of keys that are listed side by side give together what one listing gives, in its order."""

from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from skyhold.components.inventory import list_plain
from skyhold.components.layout import RESERVED, is_plain
from skyhold.storage.opening import open_store
from skyhold.storage.ranges import KeyRange, divide, list_ranges

_PARTS = st.sampled_from(["a", "a-b", "ab", "b", "ä", "😀", "!", RESERVED.rstrip("/")])
_KEYS = st.lists(_PARTS, min_size=1, max_size=3).map("/".join)
_CUTS = st.lists(_KEYS, max_size=4)


@settings(max_examples=60)
@given(keys=st.sets(_KEYS, max_size=12), prefix=st.sampled_from(["", "a", "a/", "ä", "none"]), cuts=_CUTS)
def test_what_is_found_does_not_depend_on_the_cuts(keys: set[str], prefix: str, cuts: list[str]):
    store = open_store(f"memory://ranges-{uuid4().hex}")
    for key in keys:
        store.write(key, b"")
    wanted = sorted(key for key in keys if key.startswith(prefix))
    assert [info.key for info in list_ranges(store, prefix, divide(KeyRange(), cuts))] == wanted
    plain = [key for key in wanted if is_plain(key)]
    assert [info.key for info in list_plain(store, prefix)] == plain
    assert [info.key for info in list_plain(store, prefix, cuts=cuts)] == plain


@given(whole=st.tuples(st.none() | _KEYS, st.none() | _KEYS), cuts=_CUTS)
def test_parts_follow_each_other_from_end_to_end(whole: tuple[str | None, str | None], cuts: list[str]):
    parts = divide(KeyRange(*whole), cuts)
    assert (parts[0].after, parts[-1].until) == whole
    assert [part.until for part in parts[:-1]] == [part.after for part in parts[1:]]
