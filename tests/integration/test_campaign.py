"""Campaigns on a real S3 server, in a folder and in memory: whole, stopped, failing, widened."""

import hashlib
import json
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket
from skyhold.errors import (
    AlreadyExistsError,
    BadOptionError,
    CredentialsError,
    EngineError,
    ResultError,
    StoppedError,
    UnsupportedError,
)
from skyhold.runs.journal import default_journal
from skyhold.runs.receipt import Receipt
from skyhold.simulation import layout
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.study import Study
from skyhold.simulation.worker import work
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer
from tiny_model import InstantSimulator, tiny_plan, tiny_simulator
from weather_files import hourly_rows, make_epw

TINY = tiny_simulator()
INSTANT = InstantSimulator()
STEADY = ["label", "x", "sum", "square", "state"]


@pytest.fixture(params=["memory", "folder", "moto"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        return open_store(f"memory://campaign-{uuid4().hex}/study")
    if request.param == "folder":
        return open_store(tmp_path / "study")
    server: LocalServer = request.getfixturevalue("moto")
    return open_store(f"s3://{make_bucket(server)}/study", **server.options)


@pytest.fixture
def memory() -> Store:
    return open_store(f"memory://campaign-{uuid4().hex}")


def keys(store: Store, prefix: str) -> list[str]:
    return [info.key for info in store.list(prefix)]


def test_a_campaign_runs_on_two_workers_and_gives_one_table(store: Store):
    campaign = Campaign.create(store, tiny_plan(range(9)), simulator=INSTANT)
    assert campaign.status().waiting == 9
    status = campaign.run(workers=2, simulator=INSTANT)
    assert (status.done, status.failed, status.is_complete) == (9, 0, True)
    table = campaign.table(columns=STEADY)
    assert table.to_pylist() == [
        {"label": f"x={x}", "x": x, "sum": 276 * x, "square": x * x, "state": "done"} for x in range(9)
    ]
    assert table.schema.field("sum").metadata[b"unit"] == b"kWh"
    assert len(keys(store, "done/")) == 9


def test_what_was_kept_has_the_size_and_hash_that_the_commit_tells(store: Store):
    import hashlib  # noqa: PLC0415

    campaign = Campaign.create(store, tiny_plan([7]), simulator=TINY)
    campaign.run(simulator=TINY)
    (outcome,) = campaign.outcomes().values()
    assert {file.path for file in outcome.files} == {"output.log", "series.csv", "values.json"}
    for file in outcome.files:
        data = store.read(layout.out_key(outcome.case, outcome.attempt, file.path))
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file.size_bytes, file.sha256)


def test_the_files_of_a_case_are_a_store_of_their_own(store: Store):
    campaign = Campaign.create(store, tiny_plan([1, 7], refuse=[1]), simulator=INSTANT)
    campaign.run(simulator=INSTANT)
    assert campaign.folder("x=7").read("series.csv").endswith(b"23,161\n")
    with pytest.raises(ResultError, match="x = 1 is refused"):
        campaign.folder("x=1")
    with pytest.raises(BadOptionError, match="'x=8'"):
        campaign.folder("x=8")


def test_weather_in_the_bucket_of_a_campaign_is_read_as_the_campaign_is_written(moto: LocalServer):
    bucket = make_bucket(moto)
    whole = open_store(f"s3://{bucket}", **moto.options)
    files = {name: make_epw(hourly_rows(2017), comment=name) for name in ("now.epw", "future.txt", "later.epw")}
    for name, data in files.items():
        whole.write(f"weather/{name}", data)
    place = f"s3://{bucket}/weather"
    study = Study({"x": 0}, {"now": f"{place}/now.epw", "future": f"{place}/future.txt"}, {"x": [1]})
    campaign = Campaign.create(open_store(f"s3://{bucket}/study", **moto.options), study, simulator=INSTANT)
    assert campaign.extend(Study({"x": 0}, {"later": f"{place}/later.epw"}, {"x": [2]})) == 1
    assert campaign.run(simulator=INSTANT).done == 3
    blobs = {whole.read(key) for key in keys(whole, "study/blobs/")}
    assert set(files.values()) <= blobs


def test_models_and_weathers_of_private_buckets_are_read_with_the_options_of_the_study(
    moto: LocalServer, memory: Store, tmp_path: Path
):
    bucket = make_bucket(moto)
    private = open_store(f"s3://{bucket}", **moto.options)
    files = {name: make_epw(hourly_rows(2017), comment=name) for name in ("now.epw", "future.txt")}
    for name, data in {**files, "model.json": b'{"x": 0}'}.items():
        private.write(name, data)
    (tmp_path / "here.txt").write_bytes(b"of this machine")
    places = [f"s3://{bucket}/now.epw", f"s3://{bucket}/future.txt", str(tmp_path / "here.txt")]
    study = Study(f"s3://{bucket}/model.json", places, {"x": [1, 2]}, storage_options=moto.options)
    campaign = Campaign.create(memory, study, simulator=INSTANT)
    assert campaign.run(simulator=INSTANT).done == 6
    written = [memory.read(key) for key in keys(memory, "")]
    assert {*files.values(), b"of this machine"} <= set(written)
    assert not any(moto.options["secret_access_key"].encode() in content for content in written)
    with pytest.raises(CredentialsError):
        Study(f"s3://{bucket}/model.json")


def test_the_same_plan_again_changes_nothing_and_another_is_refused(store: Store):
    Campaign.create(store, tiny_plan(range(3)), simulator=INSTANT).run(simulator=INSTANT)
    before = [(info.key, info.e_tag) for info in store.list()]
    Campaign.create(store, tiny_plan(range(3)), simulator=INSTANT)
    assert [(info.key, info.e_tag) for info in store.list()] == before
    with pytest.raises(AlreadyExistsError, match="another campaign"):
        Campaign.create(store, tiny_plan(range(4)), simulator=INSTANT)
    with pytest.raises(AlreadyExistsError, match="tiny 1"):
        Campaign.create(store, tiny_plan(range(3)), simulator=tiny_simulator("2"))


def test_widened_and_gone_on_with_only_what_is_missing_runs(store: Store):
    campaign = Campaign.create(store, tiny_plan(range(4)), simulator=INSTANT)
    campaign.run(simulator=INSTANT)
    attempts = keys(store, "out/")
    assert campaign.extend(tiny_plan(range(2, 7))) == 3
    assert campaign.extend(tiny_plan(range(2, 7))) == 0
    assert Campaign.open(store).table(columns=["sum"]).column("sum").null_count == 3
    status = Campaign.open(store).run(simulator=INSTANT)
    assert (status.total, status.done) == (7, 7)
    assert set(attempts) < set(keys(store, "out/"))
    assert campaign.table(columns=["x"]).column("x").to_pylist() == list(range(7))


def test_two_labels_that_ask_for_the_same_run_once(memory: Store):
    plan = tiny_plan([1, 2])
    plan.cases.append(plan.cases[0].__class__("again", {"x": 1}, "tiny", [[["x"], 1]]))
    campaign = Campaign.create(memory, plan, simulator=INSTANT)
    assert campaign.run(simulator=INSTANT).total == 2
    assert campaign.table(columns=["label", "sum"]).to_pylist()[2] == {"label": "again", "sum": 276}


def test_what_an_engine_refuses_is_given_up_at_once_and_what_crashes_is_tried_again(memory: Store, tmp_path: Path):
    plan = tiny_plan(range(6), refuse=[1, 4], crash=[3], marker=str(tmp_path / "crashed"))
    campaign = Campaign.create(memory, plan, simulator=TINY, rules=Rules(workers=1))
    status = campaign.run(simulator=TINY)
    assert (status.done, status.failed, dict(status.failures)) == (4, 2, {"engine": 2})
    assert len(keys(memory, "fail/")) == 3
    row = campaign.table(cases=["x=4"]).to_pylist()[0]
    assert (row["state"], row["failure"], row["sum"]) == ("failed", "engine", None)
    assert "x = 4 is refused" in row["detail"]


def test_a_case_that_crashes_always_is_given_up_after_as_many_attempts_as_the_rules_say(memory: Store):
    campaign = Campaign.create(memory, tiny_plan(range(2), crash=[1]), simulator=TINY, rules=Rules(max_attempts=2))
    status = campaign.run(simulator=TINY)
    assert dict(status.failures) == {"crash": 1}
    assert len(keys(memory, "fail/")) == 2


def test_a_case_that_takes_too_long_is_a_timeout(memory: Store):
    rules = Rules(timeout_s=0.3)
    campaign = Campaign.create(memory, tiny_plan([1], sleep_s=30), simulator=TINY, rules=rules)
    assert dict(campaign.run(simulator=TINY).failures) == {"timeout": 1}


def test_failed_cases_are_tried_again_when_asked_and_the_last_attempt_counts(store: Store, tmp_path: Path):
    marker = tmp_path / "crashed"
    plan = tiny_plan(range(4), crash=[2], marker=str(marker))
    campaign = Campaign.create(store, plan, simulator=TINY, rules=Rules(max_attempts=1))
    assert campaign.run(simulator=TINY).failed == 1
    assert campaign.retry() == 1
    assert campaign.retry() == 0
    assert campaign.status().waiting == 1
    status = campaign.run(simulator=TINY)
    assert (status.done, status.failed) == (4, 0)
    assert campaign.table(columns=["sum"]).column("sum").to_pylist() == [276 * x for x in range(4)]
    assert {key.split("/")[2].split("-")[0] for key in keys(store, "done/")} == {"0000"}


def test_a_worker_with_another_build_is_refused(memory: Store):
    Campaign.create(memory, tiny_plan([1]), simulator=INSTANT)
    with pytest.raises(EngineError, match="tiny 1, and this worker has tiny 2"):
        work(memory, simulator=tiny_simulator("2"))


def test_where_there_is_no_campaign_every_question_says_so(memory: Store):
    campaign = Campaign.open(memory)
    for ask in (campaign.status, campaign.cancel, campaign.retry, campaign.collect, campaign.table):
        with pytest.raises(ResultError, match="there is no campaign"):
            ask()
    assert list(memory.list()) == []


def test_a_cancelled_campaign_stops_soon_gives_back_and_goes_on_when_it_is_lifted(memory: Store):
    plan, rules = tiny_plan(range(6), sleep_s=0.2), Rules(lease_s=0.7, workers=1)
    campaign = Campaign.create(memory, plan, simulator=TINY, rules=rules)
    threading.Timer(0.5, campaign.cancel).start()
    with pytest.raises(StoppedError, match="was cancelled"):
        campaign.run(simulator=TINY)
    status = campaign.status()
    assert status.is_cancelled
    assert not status.active
    assert status.done < 6
    with pytest.raises(StoppedError):
        campaign.run(simulator=TINY)
    campaign.retry()
    assert campaign.run(simulator=TINY).done == 6
    assert len(keys(memory, "done/")) == 6


def test_the_chunk_of_a_worker_that_vanished_is_taken_over_with_what_it_had_done(memory: Store):
    rules = Rules(lease_s=0.5, workers=1, case_s=9.0)
    campaign = Campaign.create(memory, tiny_plan(range(5)), simulator=INSTANT, rules=rules)
    campaign.run(simulator=INSTANT)
    memory.delete(layout.finished_key("0000-00000-000"))
    memory.delete(keys(memory, layout.done_prefix("0000-00000-000"))[:1])
    time.sleep(0.6)
    report = work(memory, simulator=INSTANT)
    assert (report.done, report.lost, report.is_complete) == (1, 0, True)
    assert campaign.status().done == 5


def test_a_worker_leaves_a_receipt_that_says_what_it_spent(store: Store):
    Campaign.create(store, tiny_plan(range(3)), simulator=INSTANT)
    report = work(store, simulator=INSTANT)
    assert report.is_complete
    (key,) = keys(store, "receipts/")
    receipt = Receipt.from_json(store.read(key))
    assert (receipt.kind, dict(receipt.counts), receipt.bytes_out > 0) == ("work", {"cases_done": 3}, True)


def test_twenty_four_cases_on_two_workers_cost_at_most_five_requests_each(moto: LocalServer):
    store = open_store(f"s3://{make_bucket(moto)}/study", **moto.options)
    plan = tiny_plan(range(24))
    for case in plan.cases:
        case.selection["raw"] = ["series.csv"]
    campaign = Campaign.create(store, plan, simulator=INSTANT)
    assert campaign.run(workers=2, simulator=INSTANT).done == 24
    receipt = next(entry.receipt for entry in default_journal().list_runs(3) if entry.kind == "campaign")
    assert receipt is not None
    assert sum(receipt.requests.values()) <= 4.5 * 24, receipt.requests  # of which the one file of a case is one
    assert receipt.cost is not None


def test_four_numbers_of_four_cases_cost_two_requests(moto: LocalServer):
    store = open_store(f"s3://{make_bucket(moto)}/study", **moto.options)
    Campaign.create(store, tiny_plan(range(24)), simulator=INSTANT).run(simulator=INSTANT)
    metered = MeteredStore(store)
    table = Campaign.open(metered).table(columns=["x", "sum", "square", "seconds"], cases=["x=3", "x=1", "x=4", "x=15"])
    assert table.column("sum").to_pylist() == [828, 276, 1104, 4140]
    usage = metered.meter.usage
    assert sum(usage.requests.values()) <= 2
    assert usage.bytes_in <= 100_000


def test_a_store_that_ignores_conditions_is_refused_unless_the_cases_are_divided(rclone: LocalServer):
    store = open_store(f"s3://{make_bucket(rclone)}/study", **rclone.options)
    with pytest.raises(UnsupportedError, match="ignores conditional writes"):
        Campaign.create(store, tiny_plan(range(6)), simulator=INSTANT)
    campaign = Campaign.create(store, tiny_plan(range(6)), simulator=INSTANT, shards=2)
    report = work(store, simulator=INSTANT, shard=1)
    assert 0 < report.done < 6
    assert campaign.run(simulator=INSTANT).done == 6
    assert not [key for key in keys(store, "state/") if "/claims/" in key]
    assert len({key.split("/")[1] for key in keys(store, "out/")}) == 6


def test_a_damaged_model_is_not_run(memory: Store):
    Campaign.create(memory, tiny_plan([1]), simulator=INSTANT)
    for key in keys(memory, "blobs/"):
        if memory.read(key).startswith(b"{"):
            memory.write(key, json.dumps({"x": 0, "damaged": True}).encode())
    with pytest.raises(OSError, match="another hash"):
        work(memory, simulator=INSTANT)


class _Recording(DelegatingStore):
    """Notes what is read."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.keys: list[str] = []

    def observed(self, observer: Any) -> "_Recording":
        return self

    def read_with_info(self, key: str, *given: Any, **options: Any) -> Any:
        self.keys.append(key)
        if key.startswith("blobs/"):
            time.sleep(0.1)  # long enough that all workers ask
        return self._inner.read_with_info(key, *given, **options)


def test_workers_of_one_process_fetch_a_model_once(memory: Store):
    Campaign.create(memory, tiny_plan(range(9)), simulator=INSTANT)
    recording = _Recording(memory)
    Campaign.open(recording).run(workers=4, simulator=INSTANT)
    model = hashlib.sha256(tiny_plan(range(9)).models["tiny"]).hexdigest()
    assert recording.keys.count(layout.blob_key(model)) == 1
