"""Campaigns that share results with each other and with single runs, through a cache of this machine."""

import json
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.cli.application import run
from skyhold.simulation import layout
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.outcome import Outcome, read_outcomes
from skyhold.simulation.run import simulate
from skyhold.simulation.simulator import EngineMessage, Verdict
from skyhold.simulation.study import Study
from skyhold.simulation.worker import work
from skyhold.storage.opening import open_store
from tiny_model import InstantSimulator, tiny_plan, tiny_simulator
from tiny_simulator import TinySimulator


class Counting(InstantSimulator):
    """Counts what it runs."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        self.runs.append(json.loads(job.model.read_bytes())["x"])
        return super().simulate(job, folder, watch)


@pytest.fixture
def cache(tmp_path: Path) -> ResultCache:
    return ResultCache(tmp_path / "cache")


def make(plan: Any, simulator: Any) -> Campaign:
    return Campaign.create(f"memory://cache-{uuid4().hex}", plan, simulator=simulator)


def files_of(campaign: Campaign, outcome: Outcome) -> dict[str, bytes]:
    return {
        file.path: campaign.store.read(layout.out_key(outcome.case, outcome.attempt, file.path))
        for file in outcome.files
    }


def test_a_case_that_another_campaign_has_run_is_committed_without_a_run(cache: ResultCache):
    simulator = Counting()
    first = make(tiny_plan([1, 2]), simulator)
    first.run(simulator=simulator, cache=cache)
    second = make(tiny_plan([2, 3]), simulator)
    status = second.run(simulator=simulator, cache=cache)
    assert (sorted(simulator.runs), status.done, status.is_complete) == ([1, 2, 3], 2, True)
    ends = {label: first.outcomes()[each.case] for label, each in first.labels.items()}
    again = {label: second.outcomes()[each.case] for label, each in second.labels.items()}
    old, new = ends["x=2"], again["x=2"]
    assert (new.reused_from, again["x=3"].reused_from, old.reused_from) == (old.attempt, "", "")
    assert new.attempt != old.attempt
    assert (new.seconds, new.build, new.values, new.files) == (old.seconds, old.build, old.values, old.files)
    assert files_of(second, new) == files_of(first, old)
    rows = second.table(columns=["sum", "state", "seconds", "reused_from"]).to_pylist()
    assert rows == [
        {"sum": 552, "state": "done", "seconds": 0.001, "reused_from": old.attempt},
        {"sum": 828, "state": "done", "seconds": 0.001, "reused_from": None},
    ]


def test_without_a_cache_everything_is_run(cache: ResultCache):
    simulator = Counting()
    make(tiny_plan([1]), simulator).run(simulator=simulator, cache=cache)
    make(tiny_plan([1]), simulator).run(simulator=simulator)
    make(tiny_plan([1]), simulator).run(simulator=simulator, cache=False)
    assert simulator.runs == [1, 1, 1]


def test_a_case_is_known_by_its_model_and_not_by_how_it_was_changed(cache: ResultCache):
    simulator = Counting()
    make(Study({"x": 0, "y": 1}, None, {"x": [4]}), simulator).run(simulator=simulator, cache=cache)
    other = make(Study({"x": 4, "y": 0}, None, {"y": [1]}), simulator)
    other.run(simulator=simulator, cache=cache)
    assert simulator.runs == [4]
    assert other.table(columns=["sum"]).to_pylist() == [{"sum": 1104}]


def test_campaigns_and_single_runs_know_each_others_results(cache: ResultCache, tmp_path: Path):
    tiny = TinySimulator()
    single = simulate({"area": 5}, output_dir=tmp_path / "run-1", engine=tiny, cache=cache)
    campaign = make(Study({"area": 1}, None, {"area": [5, 6]}), tiny)
    campaign.run(simulator=tiny, cache=cache)
    assert tiny.runs == 2
    reused = {label: campaign.outcomes()[each.case] for label, each in campaign.labels.items()}["area=5"]
    assert single.record is not None
    assert reused.reused_from == single.record.run_id
    assert reused.messages == {"warning": 1}
    assert reused.seconds == single.seconds
    back = simulate({"area": 6}, output_dir=tmp_path / "run-2", engine=tiny, cache=cache)
    assert tiny.runs == 2
    assert back.record is not None
    assert back.record.inputs["patch"] == [[["area"], 6]]
    assert back.record.inputs["model"]["uri"].startswith(campaign.uri)


def test_a_failed_case_is_not_kept_and_runs_again(cache: ResultCache):
    simulator = Counting()
    for _ in range(2):
        assert make(tiny_plan([5], refuse=[5]), simulator).run(simulator=simulator, cache=cache).failed == 1
    assert simulator.runs == [5, 5]
    assert cache.size_bytes == 0


def test_a_damaged_entry_is_run_again(cache: ResultCache):
    simulator = Counting()
    make(tiny_plan([1]), simulator).run(simulator=simulator, cache=cache)
    (series,) = cache.folder.rglob("series.csv")
    series.write_text("nonsense")
    campaign = make(tiny_plan([1]), simulator)
    assert campaign.run(simulator=simulator, cache=cache).done == 1
    assert simulator.runs == [1, 1]
    assert campaign.folder("x=1").read("series.csv").endswith(b"23,23\n")


def test_a_cache_that_cannot_be_written_costs_no_case(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (tmp_path / "file").write_text("")
    campaign = make(tiny_plan([1, 2]), InstantSimulator())
    assert campaign.run(simulator=InstantSimulator(), cache=ResultCache(tmp_path / "file")).done == 2
    assert "is not kept for the next time" in caplog.text


def test_what_no_json_holds_is_kept_too(cache: ResultCache):
    class Odd(Counting):
        def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
            super().simulate(job, folder, watch)
            (folder / "values.json").write_text('{"sum": NaN}')
            said = (EngineMessage("warning", "odd", 7),)
            return Verdict(None, 0, said, 0.25, self.build)

    simulator = Odd()
    for _ in range(2):
        campaign = make(tiny_plan([1]), simulator)
        campaign.run(simulator=simulator, cache=cache)
        (end,) = Campaign(campaign.store).outcomes().values()
        assert (end.values["sum"].value, end.seconds, end.messages) == (None, 0.25, {"warning": 7})
    assert len(simulator.runs) == 1


def test_workers_in_other_processes_use_the_cache_of_their_machine(tmp_path: Path):
    tiny = tiny_simulator()
    for number in range(2):
        campaign = Campaign.create(str(tmp_path / f"campaign-{number}"), tiny_plan([1, 2]), simulator=tiny)
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            campaign.run(pool, simulator=tiny, cache=True)
        assert all(bool(end.reused_from) == bool(number) for end in campaign.outcomes().values())


def test_the_command_uses_the_cache_when_it_is_asked_to(tmp_path: Path):
    here = str(Path(__file__).parent.parent / "tiny_model.py")
    reused: list[bool] = []
    for number, flag in enumerate(["--cache", "--cache", "--no-cache"]):
        place = str(tmp_path / f"campaign-{number}")
        campaign = Campaign.create(place, tiny_plan([1]), simulator=InstantSimulator())
        assert run(["sim", "work", place, flag, "--simulator", f"{here}:InstantSimulator"]) == 0
        reused += [bool(end.reused_from) for end in campaign.outcomes().values()]
    assert reused == [False, True, False]


def test_outcomes_that_know_nothing_of_caches_are_read():
    store = open_store(f"memory://cache-{uuid4().hex}")
    campaign = Campaign.create(store, tiny_plan([1]), simulator=InstantSimulator())
    work(store, simulator=InstantSimulator())
    (outcome,) = campaign.outcomes().values()
    told = {name: value for name, value in outcome.as_dict().items() if name != "reused_from"}
    assert read_outcomes(json.dumps({"outcomes": [told]}).encode()) == [outcome]
