"""What is forecast from a few cases, beside what a campaign then takes."""

from collections import Counter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from conftest import make_bucket
from skyhold.errors import BadOptionError
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.expected_requests import CaseShape, expect
from skyhold.simulation.forecasting import forecast
from skyhold.simulation.study import Study
from skyhold.storage.objects import Operation
from skyhold.storage.opening import PART_BYTES, open_store
from skyhold.storage.pricing import AWS_2024, AZURE_2024, GOOGLE_2024, PriceTable
from skyhold.testing.servers import LocalServer
from tiny_model import InstantSimulator, tiny_plan

INSTANT = InstantSimulator()
FREE = f"memory://forecast-{uuid4().hex}"


class Counting(InstantSimulator):
    """Counts its runs."""

    def __init__(self) -> None:
        self.runs = 0

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        self.runs += 1
        return super().simulate(job, folder, watch)


def keeping(plan: Any) -> Any:
    for case in plan.cases:
        case.selection["raw"] = ["series.csv"]
    return plan


def test_time_and_bytes_are_those_of_the_probes_times_the_cases():
    seen = forecast(keeping(tiny_plan(range(10))), simulator=INSTANT)
    assert [probe.label for probe in seen.probes] == ["x=0", "x=5"]
    sizes = [len("hour,value\n") + sum(len(f"{hour},{hour * x}\n") for hour in range(24)) for x in (0, 5)]
    assert [probe.kept_bytes for probe in seen.probes] == sizes
    assert seen.engine_s is not None
    assert seen.engine_s.expected == pytest.approx(10 * 0.001)
    assert seen.kept_bytes is not None
    assert (seen.kept_bytes.low, seen.kept_bytes.high) == (10 * sizes[0], 10 * sizes[1])
    assert seen.kept_bytes.expected == 5 * sum(sizes)
    assert seen.stored_bytes is not None
    assert seen.stored_bytes.low > seen.kept_bytes.low


def test_cases_that_ask_for_the_same_count_once():
    plan = tiny_plan([1, 2])
    twin = tiny_plan([2]).cases[0]
    plan.cases.append(type(twin)("another two", twin.parameters, twin.model, twin.patch))
    seen = forecast(plan, simulator=INSTANT, probes=5)
    assert (seen.labels, seen.runs, len(seen.probes)) == (3, 2, 2)


def test_named_cases_are_run_and_a_name_that_is_none_is_refused_with_the_likeliest():
    counting = Counting()
    seen = forecast(tiny_plan(range(10)), simulator=counting, cases=["x=7"])
    assert ([probe.label for probe in seen.probes], counting.runs) == (["x=7"], 1)
    with pytest.raises(BadOptionError, match="no case 'x=77'") as refused:
        forecast(tiny_plan(range(10)), simulator=counting, cases=["x=77"])
    assert refused.value.remedy == "Did you mean 'x=7'?"
    for wrong in ({"probes": 0}, {"workers": 0}, {"cases": []}):
        with pytest.raises(BadOptionError):
            forecast(tiny_plan(range(10)), simulator=counting, **wrong)  # pyright: ignore[reportArgumentType]
    assert counting.runs == 1


def test_a_probe_that_fails_is_told_and_the_other_is_what_is_known():
    seen = forecast(tiny_plan(range(4), refuse=[0]), simulator=INSTANT)
    assert [(probe.label, probe.failure, probe.detail) for probe in seen.failed] == [
        ("x=0", "engine", "x = 0 is refused")
    ]
    assert seen.engine_s is not None
    assert seen.engine_s.low == seen.engine_s.high
    assert "probe 'x=0' failed (engine): x = 0 is refused" in str(seen)


def test_where_all_probes_fail_nothing_is_made_up():
    seen = forecast(tiny_plan(range(4), refuse=[0, 2]), simulator=INSTANT)
    assert len(seen.failed) == 2
    assert (seen.runs, seen.engine_s, seen.requests, seen.requests_cost) == (4, None, None, None)
    assert seen.as_dict()["wall_s"] is None
    assert "nothing can be said" in str(seen)


def test_a_store_that_charges_nothing_costs_nothing_and_is_not_written():
    seen = forecast(tiny_plan(range(4)), simulator=INSTANT, uri=FREE)
    assert (seen.requests, seen.requests_cost, seen.month_cost, seen.prices) == ({}, None, None, None)
    assert list(open_store(FREE).list("")) == []


def test_a_bucket_is_priced_without_asking_anybody_and_by_prices_of_ones_own():
    prices = PriceTable("mine", "EUR", {"read": 0.0, "write": 1000.0, "list": 0.0, "delete": 0.0}, 0.0, 0.0)
    seen = forecast(tiny_plan(range(4)), simulator=INSTANT, uri="s3://nobody-has-this/study", prices=prices)
    assert seen.requests is not None
    assert seen.requests_cost is not None
    assert seen.requests_cost.low == pytest.approx(1000 * seen.requests["write"].low / 1000)
    assert (seen.prices, seen.as_dict()["currency"]) == (prices, "EUR")
    assert "prices: mine" in str(seen)


@pytest.mark.parametrize(
    ("uri", "prices"),
    [
        ("s3://nobody-has-this/study", AWS_2024),
        ("abfs://study@nobody.dfs.core.windows.net/a", AZURE_2024),
        ("gcs://nobody-has-this/study", GOOGLE_2024),
        (None, AWS_2024),
    ],
)
def test_prices_are_those_of_the_service_that_the_uri_names(uri: str | None, prices: PriceTable):
    seen = forecast(tiny_plan(range(4)), simulator=INSTANT, uri=uri)
    assert seen.prices is prices
    assert seen.stored_bytes is not None
    assert seen.month_cost is not None
    assert seen.month_cost.high == pytest.approx(seen.stored_bytes.high / 1e9 * prices.per_gb_month)


@pytest.mark.parametrize(("cases", "workers"), [(1, 1), (10, 1), (60, 1), (24, 2), (60, 4)])
def test_a_campaign_asks_of_its_bucket_what_was_forecast(moto: LocalServer, cases: int, workers: int):
    store = open_store(f"s3://{make_bucket(moto)}/study", **moto.options)
    plan = keeping(tiny_plan(range(cases)))
    rules = Rules(workers=workers)
    seen = forecast(plan, simulator=INSTANT, workers=workers, uri=store, rules=rules)
    assert list(store.list("")) == []
    asked: Counter[str] = Counter()
    meter = store.observed(lambda operation: _count(asked, operation))
    Campaign.create(meter, plan, simulator=INSTANT, rules=rules)
    Campaign.open(meter).run(simulator=INSTANT, workers=workers)
    assert seen.requests is not None
    for kind, spread in seen.requests.items():
        assert spread.low <= asked[kind] <= spread.high, (kind, spread, asked)
    if workers == 1:  # then only a model that is here already makes a difference
        lucky = {kind: spread.low for kind, spread in seen.requests.items()}
        assert asked["read"] - lucky["read"] in {0, 1}
        assert {**asked, "read": lucky["read"]} == lucky
    assert seen.requests_cost is not None
    assert seen.requests_cost.low <= AWS_2024.price(dict(asked)) <= seen.requests_cost.high  # pyright: ignore[reportArgumentType]
    assert sum(spread.high - spread.low for spread in seen.requests.values()) <= 11 * workers  # it says something


def _count(asked: Counter[str], operation: Operation) -> None:
    asked[operation.request_class] += operation.requests


def test_what_lies_in_the_store_at_the_end_is_what_was_forecast(tmp_path: Path):
    plan = keeping(tiny_plan(range(20)))
    seen = forecast(plan, simulator=INSTANT)
    store = open_store(tmp_path)
    Campaign.create(store, plan, simulator=INSTANT).run(simulator=INSTANT)
    folders = ("out/", "blobs/", "done/", "state/blocks/0000-00000/finished/")
    there = sum(info.size_bytes for folder in folders for info in store.list(folder))
    assert seen.stored_bytes is not None
    assert there == pytest.approx(seen.stored_bytes.expected, rel=0.12)
    assert seen.kept_bytes is not None
    kept = sum(info.size_bytes for info in store.list("out/"))
    assert kept == pytest.approx(seen.kept_bytes.expected, rel=0.1)


def test_workers_share_the_time_and_the_last_chunk_is_waited_for():
    rules = Rules(workers=2)
    alone = expect(10, CaseShape(2.0, 0.0), rules, 1, 1)
    together = expect(10, CaseShape(2.0, 0.0), rules, 2, 1)
    many = expect(10, CaseShape(2.0, 0.0), rules, 100, 1)
    assert (alone.wall_s, together.wall_s, many.wall_s) == (20.0, 10.0, 6.0)  # chunks of 3, 3, 1, 1, 1, 1
    slow_to_keep = expect(3, CaseShape(1.0, 2.0), Rules(workers=1, chunk_s=6.0), 1, 1)
    assert slow_to_keep.wall_s == pytest.approx(1 + 2 + 2 + 1 + 2)  # chunks of 2 and 1


def test_long_chunks_beat_and_large_files_go_in_parts():
    rules = Rules(workers=1, lease_s=35.0, case_s=45.0)  # a beat each 10 s, a chunk a case
    quick, slow = (expect(1, CaseShape(seconds, 0.0), rules, 1, 1).requests for seconds in (9.0, 25.0))
    assert (slow["write"] - quick["write"], slow["read"] - quick["read"]) == (2, 2)
    large = expect(1, CaseShape(9.0, 0.0, (2 * PART_BYTES + 1,)), rules, 1, 1).requests
    assert (large["write"] - quick["write"], large["read"] - quick["read"]) == (3 + 2, 1)


def test_what_was_run_for_a_forecast_need_not_be_run_again(tmp_path: Path):
    cache, counting = ResultCache(tmp_path), Counting()
    first = forecast(keeping(tiny_plan(range(6))), simulator=counting, cache=cache)
    again = forecast(keeping(tiny_plan(range(6))), simulator=counting, cache=cache)
    assert counting.runs == 2
    assert [probe.is_reused for probe in [*first.probes, *again.probes]] == [False, False, True, True]
    assert (again.engine_s, again.kept_bytes) == (first.engine_s, first.kept_bytes)
    campaign = Campaign.create(f"{FREE}/cached", keeping(tiny_plan(range(6))), simulator=counting)
    assert campaign.run(simulator=counting, cache=cache).done == 6
    assert counting.runs == 6


def test_real_runs_of_design_days_keep_what_was_forecast(moto: LocalServer):
    pytest.importorskip("pyenergyplus")
    from pyenergyplus.dataset import ref_models, weather_files  # noqa: PLC0415 - after the skip

    from skyhold.simulation.energyplus import EnergyPlus  # noqa: PLC0415

    study = Study(
        ref_models["warehouse"],
        weather_files["usa_il_chicago"],
        {"Lights/*/watts_per_floor_area": [4.0, 8.0, 9.0]},
        design_day=True,
        outputs={"variables": ["Zone Mean Air Temperature"], "meters": []},
    )
    store = open_store(f"s3://{make_bucket(moto)}/study", **moto.options)
    with EnergyPlus(warm=True) as engine:
        seen = forecast(study, simulator=engine, uri=store)
        campaign = Campaign.create(store, study, simulator=engine)
        assert campaign.run(simulator=engine).done == 3
    assert not seen.failed
    table = campaign.table(columns=["kept_bytes", "seconds"])
    kept = sum(table.column("kept_bytes").to_pylist())
    assert seen.kept_bytes is not None
    assert kept == pytest.approx(seen.kept_bytes.expected, rel=0.05)
    assert seen.engine_s is not None
    assert 0 < seen.engine_s.low <= seen.engine_s.high
    assert "prices: AWS S3" in str(seen)
