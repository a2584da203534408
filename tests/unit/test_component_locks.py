"""Locks of components: one holder at a time, ended by the store's clock, and told in words."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import make_bucket, make_container
from library_parts import Clock, Clocked
from skyhold.components import lock_note, locks, store_clock
from skyhold.components.lock_note import LockNote
from skyhold.components.locks import Locks
from skyhold.errors import BadOptionError, InvalidKeyError, LockedError
from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.backends.mock import Faults, MockBackend
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.testing.servers import LocalServer

ARM = "robot/arm.blend"


class Later(DelegatingStore):
    """A store whose clock went on by so much since the locks were written."""

    def __init__(self, inner: Store, by: timedelta) -> None:
        super().__init__(inner)
        self._by = by

    def info(self, key: str) -> ObjectInfo:
        found = super().info(key)
        return ObjectInfo(found.key, found.size_bytes, found.modified + self._by, found.e_tag)


class Between(DelegatingStore):
    """Lets somebody else act once, after the first look."""

    def __init__(self, inner: Store, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._acts = [act]

    def read_with_info(self, *args: Any, **options: Any) -> tuple[ObjectInfo, bytes]:
        try:
            return super().read_with_info(*args, **options)
        finally:
            if self._acts:
                self._acts.pop()()


@pytest.fixture
def memory() -> Store:
    return open_store(f"memory://locks-{uuid4().hex}")


@pytest.fixture(params=["memory", "file", "mock", "moto", pytest.param("azurite", marks=pytest.mark.azurite)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "azurite":
        server: LocalServer = request.getfixturevalue("azurite")
        return open_store(f"az://{make_container(server)}/library", **server.options)
    if request.param == "moto":
        server = request.getfixturevalue("moto")
        return open_store(f"s3://{make_bucket(server)}/library", **server.options)
    places = {"memory": f"memory://locks-{uuid4().hex}", "file": str(tmp_path), "mock": f"mock://{tmp_path}"}
    return open_store(places[request.param])


def test_of_two_people_one_holds_the_lock_and_the_other_is_told_who_until_when_and_why(store: Store):
    ann, bob = Locks(store, "ann@desk"), Locks(store, "bob@lab")
    held = ann.take(ARM, reason="new gripper", lease_s=600)
    with pytest.raises(LockedError, match=r"'ann@desk' until .*UTC \(new gripper\)") as refused:
        bob.take(ARM)
    assert "--force" in refused.value.remedy
    with pytest.raises(LockedError):
        bob.check(ARM)
    ann.check(ARM)
    assert [lock.owner for lock in bob.list()] == ["ann@desk"]
    held.release()
    bob.check(ARM)
    assert bob.take(ARM).lock.note.term == 2
    assert [lock.owner for lock in ann.list("robot/")] == ["bob@lab"]
    assert list(ann.list("other/")) == []


def test_looking_leaves_nothing_in_the_store_but_the_lock(store: Store):
    ann, bob = Locks(store, "ann@desk"), Locks(store, "bob@lab")
    ann.take(ARM)
    assert bob.find(ARM) is not None
    assert [info.key for info in store.list()] == [".skyhold/locks/robot/arm.blend/@.json"]


def test_a_lock_whose_lease_is_over_by_the_stores_clock_is_nobodys(store: Store):
    ann = Locks(store, "ann@desk")
    held = ann.take(ARM, lease_s=600)
    early = Locks(Later(store, timedelta(seconds=500)), "bob@lab")
    with pytest.raises(LockedError):
        early.take(ARM)
    late = Locks(Later(store, timedelta(seconds=700)), "bob@lab")
    assert late.find(ARM) is None
    assert list(late.list()) == []
    late.check(ARM)
    late.release(ARM)
    assert late.take(ARM).lock.owner == "bob@lab"
    with pytest.raises(LockedError, match=r"its lease was over, and 'bob@lab' took it"):
        held.renew()


@pytest.mark.parametrize("offset", [timedelta(days=-4000), timedelta(days=4000)])
def test_a_machine_whose_clock_is_years_off_breaks_no_lock(
    memory: Store, offset: timedelta, monkeypatch: pytest.MonkeyPatch
):
    class WrongClock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + offset

    Locks(memory, "ann@desk").take(ARM)
    for module in (locks, lock_note, store_clock):
        monkeypatch.setattr(module, "datetime", WrongClock, raising=False)
    with pytest.raises(LockedError):
        Locks(memory, "bob@lab").take(ARM)


def test_of_two_who_see_that_a_lease_is_over_one_gets_the_lock(memory: Store):
    Locks(memory, "ann@desk").take(ARM, lease_s=1)
    later = Later(memory, timedelta(seconds=60))
    bob = Locks(memory, "bob@lab")
    slow = Locks(Between(later, lambda: Locks(later, "bob@lab").take(ARM, lease_s=3600)), "cy@home")
    with pytest.raises(LockedError, match="bob@lab"):
        slow.take(ARM)
    bob.check(ARM)


def test_of_two_who_see_no_lock_one_gets_it(memory: Store):
    slow = Locks(Between(memory, lambda: Locks(memory, "bob@lab").take(ARM)), "cy@home")
    with pytest.raises(LockedError, match="bob@lab"):
        slow.take(ARM)


def test_a_lock_taken_by_force_tells_its_former_owner_who_has_it_and_why(memory: Store):
    ann, bob = Locks(memory, "ann@desk"), Locks(memory, "bob@lab")
    held = ann.take(ARM)
    with pytest.raises(BadOptionError, match="needs a reason"):
        bob.take(ARM, force=True)
    taken = bob.take(ARM, force=True, reason="Ann is on leave")
    assert taken.lock.note.displaced == "ann@desk"
    with pytest.raises(LockedError, match=r"'bob@lab' took it by force \(Ann is on leave\)"):
        held.renew()
    held.release()
    assert [lock.owner for lock in ann.list()] == ["bob@lab"]


def test_a_lock_is_released_by_its_owner_or_by_force_with_a_reason(memory: Store):
    ann, bob = Locks(memory, "ann@desk"), Locks(memory, "bob@lab")
    held = ann.take(ARM)
    with pytest.raises(LockedError):
        bob.release(ARM)
    with pytest.raises(BadOptionError, match="needs a reason"):
        bob.release(ARM, force=True)
    bob.release(ARM, force=True, reason="left over")
    assert bob.find(ARM) is None
    with pytest.raises(LockedError, match=r"by force \(left over\)"):
        held.renew()
    bob.release(ARM)


def test_what_is_ours_already_is_renewed_and_its_lease_not_made_shorter(memory: Store):
    ann = Locks(memory, "ann@desk")
    ann.take(ARM, lease_s=28_800, reason="all day")
    again = ann.take(ARM, lease_s=60)
    assert (again.lock.note.lease_s, again.lock.note.term, again.lock.reason) == (28_800, 1, "all day")


def test_a_block_releases_the_lock_that_it_took_and_leaves_one_that_was_ours_before(memory: Store):
    ann, bob = Locks(memory, "ann@desk"), Locks(memory, "bob@lab")
    with ann.take(ARM):
        assert bob.find(ARM) is not None
    assert bob.find(ARM) is None
    ann.take(ARM)
    with ann.take(ARM):
        pass
    assert bob.find(ARM) is not None


def test_a_block_renews_its_lock_while_it_runs(memory: Store):
    renewed = threading.Event()

    class Watched(DelegatingStore):
        def write(self, key: str, data: Any, **options: Any) -> ObjectInfo:
            written = super().write(key, data, **options)
            if LockNote.from_json(bytes(data)).beat >= 3:
                renewed.set()
            return written

    with Locks(Watched(memory), "ann@desk").take(ARM, lease_s=0.05):
        assert renewed.wait(30)


def test_a_block_whose_lock_was_lost_raises_at_its_end_and_leaves_the_lock_to_its_new_owner(memory: Store):
    ann, bob = Locks(memory, "ann@desk"), Locks(memory, "bob@lab")
    with pytest.raises(LockedError, match="bob@lab"), ann.take(ARM):
        bob.take(ARM, force=True, reason="urgent")
    found = ann.find(ARM)
    assert found is not None
    assert found.owner == "bob@lab"


def test_an_error_in_a_block_is_not_hidden_by_a_lost_lock(memory: Store):
    ann, bob = Locks(memory, "ann@desk"), Locks(memory, "bob@lab")
    with pytest.raises(ZeroDivisionError), ann.take(ARM):
        bob.take(ARM, force=True, reason="urgent")
        raise ZeroDivisionError


@pytest.mark.parametrize("lease_s", [0, -1])
def test_a_lease_that_is_over_before_it_begins_is_refused(memory: Store, lease_s: float):
    with pytest.raises(BadOptionError, match="must be positive"):
        Locks(memory).take(ARM, lease_s=lease_s)
    assert list(memory.list()) == []


def test_what_cannot_be_a_component_cannot_be_locked(memory: Store):
    with pytest.raises(InvalidKeyError):
        Locks(memory).take(".skyhold/heads")


def test_who_works_here_is_told_as_a_person_at_a_machine():
    user, _, host = locks.this_person().partition("@")
    assert user
    assert host


@given(
    st.builds(
        LockNote,
        component=st.text(),
        owner=st.text(),
        lease_s=st.floats(0, 1e9),
        reason=st.text(),
        state=st.sampled_from(["held", "free"]),
        term=st.integers(1),
        beat=st.integers(0),
        displaced=st.text(),
    )
)
def test_a_note_comes_back_as_it_was_written(note: LockNote):
    assert LockNote.from_json(note.to_json()) == note


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "release", "seize", "wait", "check"]),
            st.sampled_from(["ann@desk", "bob@lab", "cy@home"]),
            st.sampled_from([10.0, 100.0]),
        ),
        max_size=30,
    )
)
def test_whatever_three_people_do_one_at_most_holds_the_lock(steps: list[tuple[str, str, float]]):
    clock = Clock()
    store = Clocked(open_store(f"memory://locks-{uuid4().hex}"), clock)
    holder, ends, lease = "", 0.0, 0.0
    now = 0.0
    for step, person, seconds in steps:
        mine = Locks(store, person)
        is_free = holder in {"", person} or now > ends
        if step == "wait":
            now += seconds * 0.7  # never just when a lease ends
            clock.ahead = timedelta(seconds=now)
        elif step == "seize":
            mine.take(ARM, lease_s=seconds, force=True, reason="urgent")
            lease = max(lease, seconds) if holder == person else seconds
            holder, ends = person, now + lease
        elif is_free and step == "take":
            mine.take(ARM, lease_s=seconds)
            lease = max(lease, seconds) if holder == person else seconds
            holder, ends = person, now + lease
        elif is_free and step == "release":
            mine.release(ARM)
            holder = "" if holder == person else holder
        elif is_free:
            mine.check(ARM)
        else:
            with pytest.raises(LockedError, match=holder):
                {"take": mine.take, "release": mine.release, "check": mine.check}[step](ARM)


def test_a_lock_is_taken_and_released_though_answers_are_lost(tmp_path: Path):
    patient = RetryPolicy(max_attempts=20, first_delay_s=1e-4, max_delay_s=1e-4)
    store = MockBackend(str(tmp_path), Faults(lost_rate=0.4, seed=5), patient)
    ann, bob = Locks(store, "ann@desk"), Locks(store, "bob@lab")
    for turn in range(10):
        held = ann.take(ARM)
        assert held.lock.note.term == 2 * turn + 1
        with pytest.raises(LockedError):
            bob.take(ARM)
        held.renew()
        held.release()
        bob.take(ARM).release()
