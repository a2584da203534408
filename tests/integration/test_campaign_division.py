"""Workers that have nothing left take cases from others: every case still has one end, whoever dies in between."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dying_store import DyingStore
from skyhold.errors import UnreachableError
from skyhold.simulation import chunk_run, worker
from skyhold.simulation.board import Board
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.claims import Claims
from skyhold.simulation.layout import Piece, finished_key, parse_piece
from skyhold.simulation.pieces import Division, counting
from skyhold.simulation.tasks import Chunk, Task
from skyhold.simulation.worker import WorkReport, work
from skyhold.storage.contract import Store
from tiny_model import InstantSimulator, tiny_plan

CASES = 12
RULES = Rules(workers=1, lease_s=0.4)  # chunks of 6, 3, 2 and 1


class Long(InstantSimulator):
    """Says of each case that it has taken long, so that it is worth taking from others."""

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        return replace(super().simulate(job, folder, watch), seconds=10.0)


class Held(Long):
    """Waits in its first case until it is let go."""

    def __init__(self) -> None:
        self.is_at_work = threading.Event()
        self.is_free = threading.Event()

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        self.is_at_work.set()
        assert self.is_free.wait(60)
        return super().simulate(job, folder, watch)


@pytest.fixture
def campaign() -> Campaign:
    return Campaign.create(
        f"memory://division-{uuid4().hex}", tiny_plan(range(CASES)), simulator=Long(), rules=replace(RULES, lease_s=60)
    )


@pytest.fixture(autouse=True)
def hear_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_run, "NEWS_S", 0.0)


def committed(store: Store) -> list[str]:
    return [info.key.rpartition("/")[2] for info in store.list("done/")]


def assert_every_case_once(campaign: Campaign) -> None:
    status = Campaign.open(campaign.store).status()
    assert (status.done, status.total, status.is_complete) == (CASES, CASES, True)
    done = committed(campaign.store)
    assert len(done) == len(set(done)) == CASES
    sums = Campaign.open(campaign.store).table(columns=["sum"])["sum"].to_pylist()
    assert sums == [276 * x for x in range(CASES)]


def run_beside_one_that_is_slow(campaign: Campaign, helper: Store | None = None) -> tuple[WorkReport, WorkReport]:
    """Return what one worker reports that was held in its first case, and one that did all that it could meanwhile."""
    held = Held()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(work, campaign.store, simulator=held, wait=False)
        try:
            assert held.is_at_work.wait(60)
            quick = work(helper or campaign.store, simulator=Long(), wait=False)
        finally:
            held.is_free.set()
        return slow.result(60), quick


def test_who_has_nothing_left_takes_what_another_has_not_begun(campaign: Campaign):
    slow, quick = run_beside_one_that_is_slow(campaign)
    assert (slow.done, slow.lost, quick.done, quick.lost) == (1, 0, 11, 0)
    assert_every_case_once(campaign)


def test_where_that_is_not_worth_the_requests_nothing_is_taken(campaign: Campaign, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "_WORTH_S", 1000.0)
    slow, quick = run_beside_one_that_is_slow(campaign)
    assert (slow.done, quick.done) == (6, 6)
    assert_every_case_once(campaign)


def test_an_owner_that_does_not_hear_of_it_only_loses_time(campaign: Campaign, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(chunk_run, "NEWS_S", 1000.0)
    slow, quick = run_beside_one_that_is_slow(campaign)
    assert (slow.done, slow.lost, quick.done) == (1, 5, 11)
    assert_every_case_once(campaign)


def test_what_the_owner_has_done_and_not_told_yet_is_not_run_again(campaign: Campaign):
    campaign.run(simulator=Long())
    attempts = [info.key for info in campaign.store.list("out/")]
    campaign.store.delete(finished_key("0000-00000-000"))
    helper = work(campaign.store, simulator=Long(), wait=False)
    assert (helper.done, helper.lost) == (0, 0)
    assert [info.key for info in campaign.store.list("out/")] == attempts
    assert len(list(campaign.store.list(finished_key("0000-00000-000").removesuffix("json")))) == 1


def test_status_tells_of_pieces_too(campaign: Campaign):
    board = Board(campaign.store)
    owner, thief = (Claims(campaign.store, name, 60.0) for name in ("owner", "thief"))
    standing = board.look()
    first = board.unfinished(standing)[0]
    assert owner.take(first.chunk)
    piece = thief.divide(next(chunk for chunk in board.unfinished(board.look()) if chunk.claim))
    assert piece is not None
    assert thief.take(piece.chunk)
    status = campaign.status()
    assert [(each.chunk, each.worker, each.cases) for each in status.active] == [
        ("0000-00000-000.0-3", "owner", 3),
        ("0000-00000-000.3-6", "thief", 3),
    ]
    assert (status.running, status.waiting) == (6, 6)


@pytest.mark.parametrize(
    "requests", [number if number % 8 == 1 else pytest.param(number, marks=pytest.mark.slow) for number in range(1, 85)]
)
def test_a_helper_may_die_at_any_request(requests: int):
    campaign = Campaign.create(
        f"memory://division-{uuid4().hex}", tiny_plan(range(CASES)), simulator=Long(), rules=RULES
    )
    dying = DyingStore(campaign.store, requests)
    try:
        run_beside_one_that_is_slow(campaign, dying)
    except UnreachableError:
        assert dying.left < 0
    assert campaign.run(simulator=Long()).is_complete
    assert_every_case_once(campaign)


def test_many_that_take_from_each_other_end_every_case_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(worker, "_WORTH_S", 0.0)
    for _ in range(3):
        campaign = Campaign.create(
            f"memory://division-{uuid4().hex}", tiny_plan(range(CASES)), simulator=Long(), rules=RULES
        )
        campaign.run(workers=6, simulator=Long())
        assert_every_case_once(campaign)


_PLACES = st.tuples(st.integers(0, 9), st.integers(1, 10)).filter(lambda pair: pair[0] < pair[1])


@given(st.lists(_PLACES, max_size=5), st.lists(_PLACES, max_size=5))
def test_what_is_left_is_what_is_not_finished_cut_where_others_begin(
    finished: list[tuple[int, int]], claimed: list[tuple[int, int]]
):
    tasks = tuple(Task(str(number), "", [], None, {}, {}) for number in range(10))
    whole = Chunk("0000-00000-000", tasks)
    names: Mapping[tuple[int, int], str] = {
        (start, end): whole.piece(start, end).chunk for start, end in [*finished, *claimed]
    }
    division = Division([names[each] for each in finished], [names[each] for each in claimed])
    left = division.left_of(whole.chunk, len(tasks))
    assert all(before.end <= after.start for before, after in pairwise(left))
    covered = {number for start, end in finished for number in range(start, end)}
    places = [place for part in left for place in range(part.start, part.end)]
    assert places == [number for number in range(10) if number not in covered]
    starts = {start for start, _ in claimed}
    for part in left:
        assert [task.case for task in whole.piece(part.start, part.end).tasks] == [
            str(number) for number in range(part.start, part.end)
        ]
        assert bool(part.claim) == (part.start in starts)
        assert not any(part.start < start < part.end for start in starts)


@given(st.integers(1, 10), st.lists(st.integers(1, 9), max_size=6), st.sets(st.integers(0, 6)), st.booleans())
def test_of_what_was_ended_twice_one_counts(cases: int, cuts: list[int], unheard: set[int], is_whole: bool):
    """What is taken is always the end of something, whose owner may not hear of it."""
    pieces, start, end = [(0, cases)], 0, cases
    for number, cut in enumerate(cuts):
        if start < cut < end:
            begun = pieces.pop()
            pieces += [begun, (cut, end)] if number in unheard else [(begun[0], cut), (cut, end)]
            start = cut
    whole = Chunk("0000-00000-000", tuple(Task(str(number), "", [], None, {}, {}) for number in range(cases)))
    finished = [whole.piece(*piece).chunk for piece in pieces if piece != (0, cases)]
    if is_whole or (0, cases) in pieces:
        finished.append(whole.chunk)
    counted = [parse_piece(name) or Piece(name, 0, cases) for name in counting(finished)]
    assert sorted(place for each in counted for place in range(each.start, each.end)) == list(range(cases))
