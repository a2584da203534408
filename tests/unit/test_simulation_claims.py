"""Claims: who works on what, by the store's clock alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.simulation import claims as claims_module
from skyhold.simulation import layout
from skyhold.simulation.claims import Claims
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore

GOLDEN = Path(__file__).parent.parent / "golden"
LATER = timedelta(seconds=61)


@pytest.fixture
def store() -> Store:
    return open_store(f"memory://claims-{uuid4().hex}")


def test_of_two_workers_one_gets_the_chunk(store: Store):
    first, second = Claims(store, "first", 60.0), Claims(store, "second", 60.0)
    assert first.take("0000-00000") is not None
    assert second.take("0000-00000") is None


def test_a_claim_with_a_fresh_heartbeat_is_left_alone_and_an_old_one_taken(store: Store):
    first, second = Claims(store, "first", 60.0), Claims(store, "second", 60.0)
    claim = first.take("0000-00000")
    assert claim is not None
    now = second.beat_and_look()
    assert second.steal("0000-00000", now) is None
    stolen = second.steal("0000-00000", now + LATER)
    assert stolen is not None
    assert not stolen.is_fresh
    assert not first.beat(claim)
    assert claim.is_lost
    assert second.beat(stolen)


def test_of_two_thieves_one_gets_the_claim(store: Store):
    owner, first, second = (Claims(store, name, 60.0) for name in ("owner", "first", "second"))
    owner.take("0000-00000")
    later = owner.beat_and_look() + LATER
    between = _Between(store, lambda: first.steal("0000-00000", later))
    assert Claims(between, "second", 60.0).steal("0000-00000", later) is None
    assert second.steal("0000-00000", second.beat_and_look()) is None


class _Between(DelegatingStore):
    """Lets somebody else act after each look."""

    def __init__(self, inner: Store, act: Callable[[], object]) -> None:
        super().__init__(inner)
        self._act = act

    def read_with_info(self, *args: Any, **options: Any) -> tuple[ObjectInfo, bytes]:
        found = super().read_with_info(*args, **options)
        self._act()
        return found


def test_a_chunk_that_was_given_back_is_taken_at_once(store: Store):
    first, second = Claims(store, "first", 60.0), Claims(store, "second", 60.0)
    claim = first.take("0000-00000")
    assert claim is not None
    first.give_back(claim, finished=3)
    taken = second.steal("0000-00000", second.beat_and_look())
    assert taken is not None
    assert taken.note.taken == 2


def test_giving_back_what_was_stolen_changes_nothing(store: Store):
    first, second = Claims(store, "first", 60.0), Claims(store, "second", 60.0)
    claim = first.take("0000-00000")
    assert claim is not None
    stolen = second.steal("0000-00000", second.beat_and_look() + LATER)
    assert stolen is not None
    first.give_back(claim)
    assert json.loads(store.read(layout.claim_key("0000-00000")))["worker"] == "second"


@dataclass(frozen=True)
class _WrongClock:
    """A machine whose clock is years off."""

    offset: timedelta

    def now(self, tz: object = None) -> datetime:
        return datetime.now(UTC) + self.offset


@pytest.mark.parametrize("offset", [timedelta(days=-4000), timedelta(days=4000)])
def test_a_worker_whose_clock_is_years_off_steals_nothing_that_is_alive(
    store: Store, offset: timedelta, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(claims_module, "datetime", _WrongClock(offset))
    owner, thief = Claims(store, "owner", 60.0), Claims(store, "thief", 60.0)
    owner.take("0000-00000")
    assert thief.steal("0000-00000", thief.beat_and_look()) is None


def test_the_names_in_a_campaign_are_those_of_the_second_version():
    chunk = layout.chunk_id(layout.block_id(3, 7), 14)
    names = {
        "schema": layout.SCHEMA,
        "campaign": layout.CAMPAIGN,
        "cancelled": layout.CANCELLED,
        "table_head": layout.TABLE_HEAD,
        "blob": layout.blob_key("ab12"),
        "part": layout.part_key(3),
        "block": layout.block_id(3, 7),
        "chunk": chunk,
        "piece": layout.piece_id(chunk, 4, 6),
        "claim": layout.claim_key(chunk),
        "claim of a piece": layout.claim_key(layout.piece_id(chunk, 4, 6)),
        "finished": layout.finished_key(chunk),
        "ended": layout.ended_key(layout.block_id(3, 7)),
        "worker": layout.worker_key("host-1-ab"),
        "done": layout.done_key(chunk, "cafe"),
        "fail": layout.fail_key(chunk, "cafe", 2),
        "out": layout.out_key("cafe", "a1", "eplusout.err"),
        "table_part": layout.table_part_key("f" * 64),
        "receipt": layout.receipt_key("run"),
    }
    assert names == json.loads((GOLDEN / "campaign-layout-2.json").read_text())
