"""What somebody sees who only watches a campaign: states, attempts, messages; and that nothing is written."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pytest

from campaign_samples import YearSimulator, make_campaign, year_plan
from skyhold.errors import ResultError
from skyhold.simulation import board, campaign_record
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.layout import done_key
from skyhold.simulation.message_groups import group_messages
from skyhold.simulation.outcome import Outcome, read_outcomes, write_outcomes
from skyhold.simulation.simulator import EngineMessage
from skyhold.simulation.survey import Survey, is_campaign
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore


def _place() -> str:
    return f"memory://survey-{uuid4().hex}"


@contextmanager
def _at_work(campaign: Campaign, simulator: YearSimulator) -> Generator[None]:
    """Let a worker go on until it reaches the case that waits; let it end it after the block."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(campaign.run, simulator=simulator, stop=stop)
        try:
            assert simulator.reached.wait(30)
            yield
        except BaseException:
            stop.set()
            raise
        simulator.go_on.set()
        running.result(60)


def _states(survey: Survey) -> dict[str, int]:
    status = survey.look().status
    return {name: getattr(status, name) for name in ("done", "failed", "running", "waiting")}


def test_a_campaign_nobody_works_on_waits():
    store = open_store(_place())
    assert not is_campaign(store)
    make_campaign(store, YearSimulator())
    assert is_campaign(store)
    survey = Survey(store)
    assert _states(survey) == {"done": 0, "failed": 0, "running": 0, "waiting": 12}
    look = survey.look()
    assert (look.state, look.eta_s, look.cost) == ("waiting", None, None)


def test_every_case_has_its_state_while_workers_are_at_it_and_afterwards():
    simulator = YearSimulator()
    store = open_store(_place())
    campaign = make_campaign(store, simulator, wait=4, refuse=3)
    with _at_work(campaign, simulator):
        survey = Survey(store)
        look = survey.look()
        assert look.state == "running"
        assert "running" in {look.cases[f"lights=4, insulation={step}"].state for step in (0.05, 0.1, 0.15)}
        assert look.status.done + look.status.failed + look.status.running + look.status.waiting == 12
    assert _states(survey) == {"done": 9, "failed": 3, "running": 0, "waiting": 0}
    assert survey.look().state == "failed"
    survey.look().named("lights=3, insulation=0.1")
    with pytest.raises(ResultError, match="has no case 'lights=33'"):
        survey.look().named("lights=33")


def test_a_case_that_is_committed_is_done_before_its_chunk_is():
    simulator = YearSimulator()
    store = open_store(_place())
    campaign = make_campaign(store, simulator, wait=1, insulations=1)
    with _at_work(campaign, simulator):
        name, label = next(iter(campaign.labels.items()))
        chunk = next(each for each in campaign._board.chunks("0000-00000").values() if each.tasks[0].case == label.case)
        early = Outcome(label.case, "a1", None, "", "2.0", "another")
        store.write(done_key(chunk.chunk, label.case), write_outcomes([early]))
        survey = Survey(store)
        view = survey.look().cases[name]
        assert (view.state, view.outcome) == ("done", None)
        assert survey.story(view.label.label).view.outcome == early


def test_failed_cases_that_are_to_be_tried_again_wait():
    simulator = YearSimulator()
    store = open_store(_place())
    campaign = make_campaign(store, simulator, refuse=2)
    campaign.run(simulator=simulator)
    survey = Survey(store)
    assert _states(survey)["failed"] == 3
    assert campaign.retry() == 3
    assert _states(survey) == {"done": 9, "failed": 0, "running": 0, "waiting": 3}
    campaign.run(simulator=simulator)
    assert _states(survey)["failed"] == 3
    story = survey.story("lights=2, insulation=0.05")
    assert [attempt.failure for attempt in story.attempts] == ["engine", "engine"]
    assert story.prefix == ""
    with pytest.raises(ResultError, match="it is failed"):
        survey.folder("lights=2, insulation=0.05")
    assert survey.folder("lights=1, insulation=0.05").exists("tables.parquet")


def test_a_cancelled_campaign_is_stopped():
    store = open_store(_place())
    make_campaign(store, YearSimulator()).cancel()
    assert Survey(store).look().state == "stopped"


def test_who_watches_writes_nothing_and_has_the_table_of_the_campaign():
    simulator = YearSimulator()
    store = open_store(_place())
    campaign = make_campaign(store, simulator)
    campaign.run(simulator=simulator)
    extended = campaign.extend(year_plan(lights=5))
    assert extended == 3
    before = {info.key: info.e_tag for info in store.list()}
    survey = Survey(store)
    table = survey.table()
    assert survey.table() is table, "what has not changed is not built again"
    assert len(survey.receipts(10)) == 1
    assert {info.key: info.e_tag for info in store.list()} == before
    assert table.drop_columns(["attempt", "worker"]).equals(campaign.table().drop_columns(["attempt", "worker"]))
    assert len(table) == 15


def test_a_receipt_that_is_damaged_is_passed_over():
    simulator = YearSimulator()
    store = open_store(_place())
    make_campaign(store, simulator).run(simulator=simulator)
    store.write("receipts/20990101T000000000000-ab.receipt.json", b"{")
    survey = Survey(store)
    assert [receipt.kind for receipt in survey.receipts(10)] == ["work"]


def test_the_worst_messages_are_kept_first_and_read_back():
    said = [EngineMessage("warning", f"warning {number}") for number in range(20)]
    said += [EngineMessage("severe", "x" * 1000, 4), EngineMessage("fatal", "the end")]
    from skyhold.simulation.simulator import Verdict  # noqa: PLC0415 - one test needs it

    outcome = Outcome.of("c", "a", "w", Verdict("engine", 1, tuple(said), 1.0, "b"))
    assert [(each.severity, len(each.text)) for each in outcome.remarks[:3]] == [
        ("fatal", 7),
        ("severe", 500),
        ("warning", 9),
    ]
    assert len(outcome.remarks) == 8
    assert read_outcomes(write_outcomes([outcome])) == [outcome]


def test_outcomes_of_earlier_versions_are_read():
    outcome = Outcome("c", "a", "engine", "d", "b", "w", messages={"severe": 1}, texts=("no floor",))
    content = outcome.as_dict()
    del content["remarks"]
    old = Outcome.from_dict(content)
    assert old == outcome
    assert [(each.severity, each.text) for each in group_messages({"a": old})] == [("severe", "no floor")]


def test_messages_that_differ_in_names_and_numbers_stand_together():
    def ended(*said: EngineMessage) -> Outcome:
        return Outcome("c", "a", None, "", "b", "w", remarks=said)

    found = group_messages(
        {
            "one": ended(EngineMessage("warning", 'Zone "A" is 3.5 m high', 2), EngineMessage("severe", "No floor")),
            "two": ended(EngineMessage("warning", 'Zone "B"  is\n 2.5 m high')),
            "three": ended(EngineMessage("warning", "Another")),
        }
    )
    assert [(each.severity, each.text, each.count, each.cases) for each in found] == [
        ("severe", "No floor", 1, ("one",)),
        ("warning", 'Zone "A" is 3.5 m high', 3, ("one", "two")),
        ("warning", "Another", 1, ("three",)),
    ]


def test_the_time_that_is_left_is_shared_by_those_who_work():
    simulator = YearSimulator()
    store = open_store(_place())
    campaign: Campaign = make_campaign(store, simulator, wait=4, insulations=6)
    with _at_work(campaign, simulator):
        look = Survey(store).look()
        left = look.status.running + look.status.waiting
        assert look.eta_s is not None
        assert look.eta_s >= left * 1.5, "each took the engine 1.5 s, and there is one worker"


def test_a_campaign_of_many_blocks_is_surveyed_as_a_small_one_and_nothing_is_read_twice(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(campaign_record, "_BLOCK_CHUNKS", 2)
    monkeypatch.setattr(board, "_SMALL_CHUNKS", 1)
    simulator = YearSimulator()
    store = open_store(_place())
    rules = Rules(workers=1, chunk_s=4.0)
    campaign = Campaign.create(store, year_plan(refuse=3, wait=4, insulations=2), simulator=simulator, rules=rules)
    metered = MeteredStore(store)
    survey = Survey(metered)
    with _at_work(campaign, simulator):
        look = survey.look()
        assert look.state == "running"
        first = metered.meter.usage.bytes_in
        again = survey.look()
        assert again.cases.keys() == look.cases.keys()
        assert metered.meter.usage.bytes_in - first < first / 4, "claims alone are read again"
    assert _states(survey) == {"done": 6, "failed": 2, "running": 0, "waiting": 0}
    assert campaign.retry() == 2
    assert _states(survey) == {"done": 6, "failed": 0, "running": 0, "waiting": 2}
    campaign.run(simulator=simulator)
    assert _states(survey) == {"done": 6, "failed": 2, "running": 0, "waiting": 0}
    assert len(survey.story("lights=3, insulation=0.05").attempts) == 2
    labels = survey.table().column("label").to_pylist()
    assert sorted(labels) == sorted(campaign.labels)
    assert _states(Survey(store)) == _states(survey)
