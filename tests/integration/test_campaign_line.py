"""The chunks of one worker in line: one ends while the next begins, and neither is lost by what befalls the other."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.errors import UnreachableError
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.company import COMPANY
from skyhold.simulation.simulator import Verdict
from skyhold.simulation.worker import work
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from stepped_store import SteppedStore
from tiny_model import InstantSimulator, tiny_plan

CASES = 12
FIRST = 6
RULES = Rules(workers=1)  # chunks of 6, 3, 2 and 1


class Seen(InstantSimulator):
    """Tells which case it is at."""

    def __init__(self) -> None:
        self.at = {x: threading.Event() for x in range(CASES)}

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        x = json.loads(job.model.read_bytes())["x"]
        self.at[x].set()
        return self.ran(x, watch) or super().simulate(job, folder, watch)

    def ran(self, x: int, watch: Any) -> Verdict | None:
        del x, watch


@pytest.fixture
def store() -> Store:
    store = open_store(f"memory://line-{uuid4().hex}")
    Campaign.create(store, tiny_plan(range(CASES)), simulator=Seen(), rules=RULES)
    return store


class AtLastCommit(SteppedStore):
    """Lets the next chunk begin before the last case of the first is committed, then calls ``then``."""

    def __init__(self, inner: Store, simulator: Seen, then: Callable[[], object] = lambda: None) -> None:
        committed: list[str] = []

        def before(verb: str, key: str) -> None:
            if verb == "write" and key.startswith("done/"):
                committed.append(key)
                if len(committed) == FIRST:
                    assert simulator.at[FIRST].wait(30)
                    then()

        super().__init__(inner, before)


def assert_whole(store: Store) -> None:
    table = Campaign.open(store).table(columns=["x", "square", "state"])
    assert table.to_pylist() == [{"x": x, "square": x * x, "state": "done"} for x in range(CASES)]


def test_the_next_chunk_begins_while_the_last_case_of_the_one_before_is_kept(store: Store):
    simulator = Seen()
    assert work(AtLastCommit(store, simulator), simulator=simulator).done == CASES
    assert_whole(store)


def test_a_chunk_is_finished_before_the_next_one_counts_anything(store: Store):
    counts: list[int] = []

    def before(verb: str, key: str) -> None:
        if verb == "write" and "/finished/" in key:
            time.sleep(0.1)  # the next chunk's cases take no time
            counts.append(len(outcomes))

    outcomes: list[Any] = []
    report = work(SteppedStore(store, before), simulator=Seen(), on_case=outcomes.append)
    assert (report.done, counts) == (CASES, [6, 9, 11, 12])
    assert [outcome.values["square"].value for outcome in outcomes] == [x * x for x in range(CASES)]


def test_when_one_chunk_cannot_be_ended_the_next_is_stopped_and_both_are_free_at_once(store: Store):
    class Patient(Seen):
        was_stopped = False

        def ran(self, x: int, watch: Any) -> Verdict | None:
            if x != FIRST:
                return None
            self.was_stopped = watch.stop.wait(30)
            return Verdict("cancelled", None, (), 0.0, self.build, "it was asked to stop")

    simulator = Patient()

    def fail() -> None:
        raise UnreachableError("the network is down")

    with pytest.raises(UnreachableError, match="network is down"):
        work(AtLastCommit(store, simulator, fail), simulator=simulator)
    assert simulator.was_stopped
    claims = [json.loads(store.read(info.key)) for info in store.list("state/blocks/0000-00000/claims/")]
    assert [(claim["state"], claim["finished"]) for claim in claims] == [("free", FIRST - 1), ("free", 0)]
    assert work(store, simulator=Seen(), wait=False).done == CASES - FIRST + 1
    assert_whole(store)


def test_a_last_case_that_crashes_is_tried_again_beside_the_next_chunk(store: Store):
    class Unlucky(Seen):
        crashes = 0

        def ran(self, x: int, watch: Any) -> Verdict | None:
            if x == FIRST - 1 and not self.crashes:
                self.crashes += 1
                return Verdict("crash", -11, (), 0.0, self.build, "it crashed")
            return None

    report = work(store, simulator=Unlucky())
    assert (report.done, report.failed, report.is_complete) == (CASES, 0, True)
    assert_whole(store)


def test_a_cancellation_reaches_both_chunks(store: Store):
    stop, simulator = threading.Event(), Seen()
    report = work(AtLastCommit(store, simulator, stop.set), simulator=simulator, stop=stop)
    assert not report.is_complete
    assert FIRST <= report.done < CASES
    assert work(store, simulator=Seen()).done == CASES - report.done
    assert_whole(store)


def test_who_waits_for_a_worker_that_is_stopped_hears_of_its_end_when_its_chunk_is_free(store: Store):
    stop, simulator, was_over = threading.Event(), Seen(), list[bool]()

    def before(verb: str, key: str) -> None:
        if verb == "write" and key.startswith("done/") and not stop.is_set():
            stop.set()
            waits.append(pool.submit(COMPANY.wait, store.uri, 30.0, threading.Event()))
        elif verb == "write" and "/claims/" in key and stop.is_set():
            time.sleep(0.2)  # long enough to hear of it
            was_over.append(waits[0].done())

    with ThreadPoolExecutor(1) as pool:
        waits: list[Any] = []
        work(SteppedStore(store, before), simulator=simulator, stop=stop)
        assert waits[0].result(30)
    assert was_over == [False]
