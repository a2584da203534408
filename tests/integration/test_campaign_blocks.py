"""Campaigns that are larger than a page of a listing: their plan and state go by blocks, and nothing else changes."""

import json
import re
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket
from dying_store import DyingStore
from skyhold.errors import ResultError, UnreachableError
from skyhold.simulation import board as board_module
from skyhold.simulation import campaign_record, layout
from skyhold.simulation.board import Board
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.expected_requests import CaseShape, expect
from skyhold.simulation.planning import TaskReader, block_sizes, cut_blocks
from skyhold.simulation.route import Route
from skyhold.simulation.worker import work
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer
from tiny_model import InstantSimulator, TinyPlan, tiny_plan

INSTANT = InstantSimulator()
CASES = 40
RULES = Rules(workers=1, chunk_s=6.0, lease_s=0.4)  # chunks of three
BLOCKS = [6, 6, 6, 6, 6, 6, 3, 1]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two chunks are a block, and what has more than one is large."""
    monkeypatch.setattr(campaign_record, "_BLOCK_CHUNKS", 2)
    monkeypatch.setattr(board_module, "_SMALL_CHUNKS", 1)


def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the table has six rows."""
    for module in ("campaign_record", "collecting"):
        monkeypatch.setattr(f"skyhold.simulation.{module}.TABLE_ROWS", 6)


@pytest.fixture
def store() -> Store:
    return open_store(f"memory://blocks-{uuid4().hex}")


def make(store: Store, cases: int = CASES, **more: Any) -> Campaign:
    return Campaign.create(store, tiny_plan(range(cases), **more), simulator=INSTANT, rules=RULES)


def keys(store: Store, prefix: str) -> list[str]:
    return [info.key for info in store.list(prefix)]


def rows(store: Store, names: Iterable[str] = ("label", "x", "sum", "square", "state", "failure")) -> Any:
    return Campaign.open(store).table(columns=list(names)).to_pylist()


def assert_every_case_once(store: Store, cases: int = CASES) -> None:
    status = Campaign.open(store).status()
    assert (status.done, status.failed, status.total, status.is_complete) == (cases, 0, cases, True)
    done = [key.rpartition("/")[2] for key in keys(store, "done/")]
    assert len(done) == len(set(done)) == cases
    assert [row["sum"] for row in rows(store)] == [276 * x for x in range(cases)]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("workers", [1, 3])
def test_a_campaign_in_many_blocks_ends_like_one_in_one(store: Store, workers: int):
    campaign = make(store)
    assert [block.record.cases for block in _blocks(store)] == BLOCKS
    status = campaign.run(workers=workers, simulator=INSTANT)
    assert (status.done, status.total) == (CASES, CASES)
    assert len(keys(store, layout.ENDED)) == len(BLOCKS)
    assert_every_case_once(store)
    assert list(Campaign.open(store).labels) == [f"x={x}" for x in range(CASES)]
    assert len(Campaign.open(store).outcomes()) == CASES


def _blocks(store: Store) -> list[Any]:
    board = Board(store)
    board.look()
    return list(board.blocks.values())


@pytest.mark.usefixtures("small_blocks")
def test_its_table_has_the_columns_and_types_of_one_that_was_gathered_at_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    make(store, refuse=[4, 30]).run(simulator=INSTANT)
    divided = Campaign.open(store).table()
    assert len(json.loads(store.read(layout.TABLE_HEAD))["tables"]) == 1  # few rows share a file
    small_files(monkeypatch)
    Campaign.open(store).collect()
    assert len(json.loads(store.read(layout.TABLE_HEAD))["tables"]) == 7  # of six rows each, and of the last four
    joined = Campaign.open(store).table()
    assert joined.schema.equals(divided.schema, check_metadata=True)
    assert joined.to_pylist() == divided.to_pylist()


@pytest.mark.usefixtures("small_blocks")
def test_workers_write_the_rows_of_a_block_and_who_collects_only_says_which_they_are(
    store: Store, monkeypatch: pytest.MonkeyPatch
):
    small_files(monkeypatch)
    make(store)
    for number in range(2):
        work(store, simulator=INSTANT, shard=number, among=2)
    files = keys(store, "table/part-")
    assert len(files) == 6
    reading = DyingStore(store)
    assert Campaign.open(reading).collect() == CASES
    assert len(keys(store, "table/part-")) == len(files) + 1  # the last blocks are small
    plans = {layout.blob_key(block.record.tasks) for block in _blocks(store)[:6]}
    assert not plans & set(reading.keys)
    assert [row["sum"] for row in rows(store)] == [276 * x for x in range(CASES)]


@pytest.mark.usefixtures("small_blocks")
def test_failed_cases_of_any_block_are_tried_again_and_counted_once(store: Store, monkeypatch: pytest.MonkeyPatch):
    small_files(monkeypatch)
    campaign = make(store, refuse=[4, 5, 30])
    assert dict(campaign.run(simulator=INSTANT).failures) == {"engine": 3}
    before = json.loads(store.read(layout.TABLE_HEAD))["tables"]
    assert campaign.retry() == 3
    assert Campaign.open(store).retry() == 0
    status = Campaign.open(store).status()
    assert (status.done, status.failed, status.waiting, dict(status.failures)) == (CASES - 3, 0, 3, {})
    status = campaign.run(simulator=INSTANT)
    assert (status.done, status.failed, dict(status.failures)) == (CASES - 3, 3, {"engine": 3})
    healed = replace_refusal(store)
    assert campaign.retry() == 3
    assert campaign.run(workers=2, simulator=healed).failed == 0
    assert_every_case_once(store)
    after = json.loads(store.read(layout.TABLE_HEAD))["tables"]
    changed = [old["blocks"] for old, new in zip(before, after, strict=True) if old["key"] != new["key"]]
    assert changed == [["0000-00000"], ["0000-00005"]]


class _Healed(InstantSimulator):
    def simulate(self, job: Any, folder: Any, watch: Any) -> Any:
        content = json.loads(job.model.read_bytes())
        job.model.write_text(json.dumps({**content, "refuse": []}))
        return super().simulate(job, folder, watch)


def replace_refusal(store: Store) -> InstantSimulator:
    assert Campaign.open(store).status().failed == 3
    return _Healed()


@pytest.mark.usefixtures("small_blocks")
def test_labels_may_point_to_cases_of_other_blocks(store: Store, monkeypatch: pytest.MonkeyPatch):
    small_files(monkeypatch)
    plan = twice(tiny_plan([*range(20), *range(10)]))
    campaign = Campaign.create(store, plan, simulator=INSTANT, rules=RULES)
    assert campaign.status().total == 20
    campaign.run(simulator=INSTANT)
    assert campaign.extend(twice(tiny_plan(range(15, 25)), "later ")) == 5
    assert campaign.run(simulator=INSTANT).done == 25
    found = [row["sum"] for row in rows(store)]
    assert found == [276 * x for x in [*range(20), *range(10), *range(15, 25)]]


def twice(plan: TinyPlan, prefix: str = "") -> TinyPlan:
    cases = [replace(case, label=f"{prefix}{number}") for number, case in enumerate(plan.cases)]
    return replace(plan, cases=cases)


@pytest.mark.usefixtures("small_blocks")
def test_the_same_plan_again_changes_nothing_also_with_other_rules(store: Store):
    make(store)
    before = keys(store, "")
    again = Campaign.create(store, tiny_plan(range(CASES)), simulator=INSTANT, rules=Rules(workers=3))
    assert again.record.rules.workers == RULES.workers
    assert keys(store, "") == before


@pytest.mark.usefixtures("small_blocks")
def test_a_store_without_conditions_has_blocks_too(rclone: LocalServer):
    store = open_store(f"s3://{make_bucket(rclone)}/study", **rclone.options)
    campaign = Campaign.create(store, tiny_plan(range(25)), simulator=INSTANT, shards=2, rules=RULES)
    report = work(store, simulator=INSTANT, shard=1)
    assert 0 < report.done < 25
    assert report.is_complete
    assert campaign.run(simulator=INSTANT).done == 25
    assert_every_case_once(store, 25)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    "requests", [each if each % 40 == 1 else pytest.param(each, marks=pytest.mark.slow) for each in range(1, 200)]
)
def test_a_worker_may_die_at_any_request(store: Store, requests: int):
    make(store)
    dying = DyingStore(store, requests)
    with pytest.raises(UnreachableError):
        work(dying, simulator=INSTANT)
    assert Campaign.open(store).run(workers=2, simulator=INSTANT).is_complete
    assert_every_case_once(store)


@pytest.mark.usefixtures("small_blocks")
def test_workers_that_were_started_together_read_their_own_share_of_the_plan(store: Store):
    make(store)
    plans = {layout.blob_key(block.record.tasks) for block in _blocks(store)}
    reading = DyingStore(store)
    work(reading, simulator=INSTANT, shard=1, among=2)
    seen = [key for key in reading.keys if key in plans]
    assert len(seen) == len(set(seen)) == len(BLOCKS)  # alone, it did everything, and read each once
    status_only = DyingStore(store)
    assert Campaign.open(status_only).status().done == CASES
    assert not plans & set(status_only.keys)
    assert not [key for key in status_only.keys if "/finished/" in key]


def test_workers_of_one_call_begin_in_different_blocks():
    names = [f"0000-{number:05d}" for number in range(12)]
    firsts = [Route((number, 4)).choose(names)[0] for number in range(4)]
    assert firsts == [names[0], names[3], names[6], names[9]]


def test_a_worker_goes_through_all_blocks_and_round():
    route, names = Route((1, 3)), ["a", "b", "c"]
    order: list[str] = []
    while True:
        order += route.choose(names)
        if not route.leave():
            break
    assert order == ["b", "c", "a"]
    assert route.choose(names) == []
    route.rest()
    assert route.choose(["a", "c"]) == ["a"]


def test_blocks_are_cut_where_it_was_said_they_would_be():
    rules = Rules(workers=2, chunk_s=100.0)  # chunks of 50, blocks of 100 chunks
    for cases in (1, 49, 5199, 5200, 5201):
        reader = TaskReader(tiny_plan(range(cases)), "1")
        drafts = list(cut_blocks(reader.read(), rules, reader.names))
        assert [draft.sizes for draft in drafts] == block_sizes(cases, rules)
        assert [sum(draft.sizes) for draft in drafts] == [len(draft.tasks.tasks) for draft in drafts]
        assert [label.label for draft in drafts for label in draft.tasks.labels] == [f"x={x}" for x in range(cases)]


def test_a_campaign_of_the_first_version_is_refused_with_a_way_out(store: Store):
    make(store, 1)
    content = json.loads(store.read(layout.CAMPAIGN))
    store.write(layout.CAMPAIGN, json.dumps({**content, "schema": "skyhold.campaign/1"}).encode())
    with pytest.raises(ResultError, match="campaign/1") as caught:
        Campaign.open(store).status()
    assert "create it anew" in " ".join(caught.value.__notes__)


def count(store: Store, act: Any) -> int:
    """Return how many requests a step takes; those of memory are counted too."""
    seen: list[int] = []
    act(store.observed(lambda operation: seen.append(operation.requests)))
    return sum(seen)


STEPS: dict[str, Any] = {
    "create": make,
    "work": lambda store, _: work(store, simulator=INSTANT, shard=0, among=2),
    "status": lambda store, _: Campaign.open(store).status(),
    "collect": lambda store, _: Campaign.open(store).collect(),
    "table": lambda store, _: Campaign.open(store).table(columns=["x"]),
}


@pytest.mark.usefixtures("small_blocks")
def test_requests_grow_with_the_cases_and_no_faster():
    totals: dict[int, dict[str, int]] = {}
    for cases in (30, 60, 210):
        place = open_store(f"memory://line-{uuid4().hex}")
        totals[cases] = {step: count(place, lambda store: STEPS[step](store, cases)) for step in STEPS}  # noqa: B023
    for step in STEPS:
        slope = (totals[60][step] - totals[30][step]) / 30
        assert totals[210][step] == pytest.approx(totals[60][step] + 150 * slope, rel=0.1, abs=4), (step, totals)


@pytest.mark.usefixtures("small_blocks")
def test_a_campaign_asks_what_the_servers_log_has_and_as_much_of_a_mock(moto: LocalServer, tmp_path: Path):
    bucket = make_bucket(moto)
    before = len(moto.log.read_text())
    asked: list[dict[str, int]] = []
    for place in (open_store(f"s3://{bucket}/study", **moto.options), open_store(f"mock://{tmp_path}/study")):
        store = MeteredStore(place)
        calm = replace(RULES, lease_s=60.0)  # no heartbeat, however slow the server
        Campaign.create(store, tiny_plan(range(CASES)), simulator=INSTANT, rules=calm)
        work(store, simulator=INSTANT)
        Campaign.open(store).collect()
        asked.append({str(kind): count for kind, count in store.meter.usage.requests.items()})
    log = re.sub(r"\x1b\[[\d;]*m", "", moto.log.read_text()[before:])  # what is refused is coloured
    logged = Counter(re.findall(rf'"(GET|PUT|POST|HEAD|DELETE) /{bucket}(\?list)?', log))
    lists = logged.pop(("GET", "?list"))
    reads = sum(count for (method, _), count in logged.items() if method in {"GET", "HEAD"})
    assert (asked[0]["list"], asked[0]["read"], asked[0]["write"]) == (lists, reads, logged["PUT", ""])
    assert asked[1] == pytest.approx(asked[0], rel=0.05, abs=4)


@pytest.mark.usefixtures("small_blocks")
def test_what_is_asked_is_what_was_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    small_files(monkeypatch)
    store = MeteredStore(open_store(f"mock://{tmp_path}/study"))
    calm = replace(RULES, lease_s=60.0)
    campaign = Campaign.create(store, tiny_plan(range(CASES)), simulator=INSTANT, rules=calm)
    campaign.run(simulator=INSTANT)
    shape = CaseShape(0.001, 0.001, (300, 50))  # values.json and series.csv
    expected = expect(CASES, shape, calm, workers=1, contents=1).requests
    asked = store.meter.usage.requests
    # With blocks so small, a worker remembers one chunk, and reads of each block what it has told of the other.
    expected["read"] += len(BLOCKS)
    assert asked == pytest.approx(expected, rel=0.1, abs=5)


@pytest.mark.usefixtures("small_blocks")
def test_the_state_of_ended_blocks_is_told_in_memory_that_does_not_grow_with_their_cases(store: Store):
    make(store, 120).run(simulator=INSTANT)
    tracemalloc.start()
    try:
        assert Campaign.open(store).status().done == 120
        assert tracemalloc.get_traced_memory()[1] < 400_000
    finally:
        tracemalloc.stop()
