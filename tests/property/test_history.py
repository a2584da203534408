"""A history is a dictionary of contents by their hash, whatever was put against what, and wherever it broke off."""

import random
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from skyhold.components.history import DeltaPolicy, History
from skyhold.errors import ServerFaultError
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from stepped_store import SteppedStore

_START = random.Random(1).randbytes(3000)


def _content(edits: tuple[int, ...]) -> bytes:
    """Return what these edits make of a text; the same for the same."""
    content = _START
    for edit in edits:
        place = edit * 37 % len(content)
        content = content[:place] + random.Random(edit).randbytes(edit % 90) + content[place + edit % 50 :]
    return content


_steps = st.lists(
    st.tuples(
        st.lists(st.integers(0, 99), max_size=5).map(tuple),
        st.integers(0, 20),
        st.one_of(st.none(), st.integers(0, 8)),
    ),
    max_size=15,
)


def _breaking(store: Store, after: int | None) -> Store:
    """Return a store that fails from a request on."""
    left = iter(range(10_000 if after is None else after))

    def count(verb: str, key: str) -> None:
        if next(left, None) is None:
            raise ServerFaultError(f"gone before {verb} {key}")

    return SteppedStore(store, count)


@given(_steps, st.builds(DeltaPolicy, st.just(10**6), st.just(0), st.sampled_from([0.1, 0.5, 1.0]), st.integers(0, 4)))
def test_whatever_was_put_comes_back(steps: list[tuple[tuple[int, ...], int, int | None]], policy: DeltaPolicy) -> None:
    store: Store = open_store(f"memory://{uuid4()}")
    history = History(store, policy=policy)
    known: dict[str, bytes] = {}
    for edits, base, breaks_after in steps:
        content = _content(edits)
        against = sorted(known)[base % len(known)] if known and base else None
        try:
            stored = History(_breaking(store, breaks_after), policy=policy).put(content, base=against)
        except ServerFaultError:
            continue
        assert stored.existed or stored.sha256 not in known or (against is None and stored.kind == "blob")
        known[stored.sha256] = content
    held = list(history.all_hashes())
    there = {each.sha256 for each in held}
    assert known.keys() <= there
    assert all(each.base is None or each.base in there for each in held)
    for sha256, content in known.items():
        assert history.has(sha256)
        assert history.read(sha256) == content
        assert history.check(sha256) == len(content)
