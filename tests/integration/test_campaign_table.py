"""The table of a campaign: compared with its baseline, judged, and the same whoever asks for it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from skyhold.errors import BadOptionError
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.simulator import EngineMessage, Quantity, Verdict
from skyhold.simulation.study import Study
from skyhold.simulation.table import QualityGate, unit_of
from skyhold.simulation.worker import work
from skyhold.storage.opening import open_store
from tiny_model import InstantSimulator, tiny_plan


class Severe(InstantSimulator):
    """Has a severe message wherever x is 3."""

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        verdict = super().simulate(job, folder, watch)
        is_bad = b'"x": 3' in job.model.read_bytes()
        return Verdict(verdict.failure, 0, (EngineMessage("severe", "odd"),) * is_bad, 0.25, self.build, verdict.detail)


@pytest.fixture
def campaign() -> Campaign:
    study = Study({"x": 2, "refuse": [7]}, None, {"x": [3, 7]}, baseline=True)
    made = Campaign.create(f"memory://table-{uuid4().hex}", study, simulator=Severe())
    assert made.run(simulator=Severe()).failed == 1
    return made


def test_rows_are_compared_with_their_baseline_and_judged(campaign: Campaign):
    columns = ["label", "delta.sum", "change.square", "is_sound", "quality"]
    table = campaign.table(columns, deltas=True, changes=["square"], gate=True)
    assert table.to_pylist() == [
        dict(zip(columns, row, strict=True))
        for row in (
            ("baseline", 0.0, 0.0, True, None),
            ("x=3", 276.0, pytest.approx(125.0), False, "1 severe messages, 0 allowed"),
            ("x=7", None, None, False, "failed: engine"),
        )
    ]
    assert (unit_of(table, "delta.sum"), unit_of(table, "change.square")) == ("kWh", "%")
    assert campaign.table(["is_sound"], gate=QualityGate(severe_messages=1))["is_sound"].to_pylist()[1]


def test_a_row_may_be_compared_with_one_that_is_not_asked_for(campaign: Campaign):
    assert campaign.table(["delta.sum"], ["x=3"], deltas=["sum"]).to_pylist() == [{"delta.sum": 276.0}]
    assert campaign.table(["delta.sum"], ["baseline"], deltas="sum", baseline="x=3")["delta.sum"].to_pylist() == [-276]


def test_values_of_ones_own_are_asked_for_where_there_are_results_and_are_compared_too(campaign: Campaign):
    asked: list[str] = []

    def cost(row: Any) -> Quantity:
        asked.append(row["label"])
        return Quantity(row["sum"] * 0.5, "EUR")

    table = campaign.table(["cost", "delta.cost"], values={"cost": cost}, deltas=["cost"])
    assert table.to_pydict() == {"cost": [276.0, 414.0, None], "delta.cost": [0.0, 138.0, None]}
    assert unit_of(table, "delta.cost") == "EUR"
    assert asked == ["baseline", "x=3"]


def test_parameters_are_columns_in_the_order_of_the_study():
    study = Study({"x": 0, "b": 0, "a": 0}, None, {"b": [1, 2], "x": [3], "a": [4]}, baseline=True)
    campaign = Campaign.create(f"memory://order-{uuid4().hex}", study, simulator=InstantSimulator())
    campaign.run(simulator=InstantSimulator())
    assert campaign.table().column_names[:4] == ["label", "b", "x", "a"]
    turned = Study({"a": 0, "x": 0, "b": 0}, None, {"b": [1, 2], "x": [3], "a": [4]}, baseline=True)
    assert Campaign.create(campaign.store, turned, simulator=InstantSimulator()).status().done == 3


def test_collecting_and_reading_need_no_engine(tmp_path: Path):
    Campaign.create(str(tmp_path), tiny_plan(range(3)), simulator=InstantSimulator())
    work(str(tmp_path), simulator=InstantSimulator())
    code = (
        "import sys; sys.modules['pyenergyplus'] = None\n"
        "from skyhold.simulation import Campaign, find_engine, list_engines\n"
        "campaign = Campaign.open(sys.argv[1])\n"
        "print(campaign.status().done, campaign.collect(), campaign.table().num_rows)\n"
        "print(len(list(campaign.folder('x=1').list())), campaign.retry())\n"
        "try: find_engine()\n"
        "except Exception: print('no engine')\n"
    )
    command, bare = [sys.executable, "-c", code, str(tmp_path)], {**os.environ, "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, env=bare, check=False)
    assert (done.stdout.split("\n"), done.stderr) == (["3 3 3", "2 0", "no engine", ""], "")


def test_what_a_table_has_not_is_named(campaign: Campaign):
    with pytest.raises(BadOptionError, match="no column 'summ'; did you mean 'sum'"):
        campaign.table(deltas=["summ"])
    with pytest.raises(BadOptionError, match="no case has the label 'base'; did you mean 'baseline'"):
        campaign.table(deltas=True, baseline="base")
    with pytest.raises(BadOptionError, match="compares nothing"):
        campaign.table(baseline="x=3")


def test_what_is_no_number_is_absent_also_to_the_process_that_ran_it():
    class Odd(InstantSimulator):
        def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
            verdict = super().simulate(job, folder, watch)
            (folder / "values.json").write_text('{"sum": NaN, "most": Infinity, "square": 4}')
            return verdict

    store = open_store(f"memory://table-{uuid4().hex}")
    ours = Campaign.create(store, tiny_plan([1]), simulator=Odd())
    ours.run(simulator=Odd())
    theirs = Campaign.open(store)
    assert ours.table(["sum", "most", "square"]).to_pylist() == [{"sum": None, "most": None, "square": 4}]
    assert ours.outcomes() == theirs.outcomes()
    first = store.read("table/HEAD.json")
    theirs.collect()
    assert store.read("table/HEAD.json") == first
