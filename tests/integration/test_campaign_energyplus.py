"""A campaign of real EnergyPlus runs on a real S3 server."""

import pytest

from conftest import make_bucket
from skyhold.errors import ResultError
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.study import Study
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer


def test_a_study_of_design_days_runs_in_a_bucket_and_its_table_has_units(moto: LocalServer):
    from pyenergyplus.dataset import ref_models, weather_files  # noqa: PLC0415 - only this test needs it

    from skyhold.simulation.energyplus import EnergyPlus  # noqa: PLC0415

    study = Study(
        ref_models["warehouse"],
        weather_files["usa_il_chicago"],
        {"Lights/*/watts_per_floor_area": [4.0, 8.0]},
        baseline=True,
        design_day=True,
        outputs={"variables": ["Zone Mean Air Temperature"], "meters": []},
    )
    store = open_store(f"s3://{make_bucket(moto)}/study", **moto.options)
    with EnergyPlus(warm=True) as engine:
        campaign = Campaign.create(store, study, simulator=engine)
        status = campaign.run(simulator=engine, workers=2)
        assert (status.done, status.failed) == (3, 0), campaign.table().to_pylist()
    metered = MeteredStore(store)
    table = Campaign.open(metered).table()
    assert sum(metered.meter.usage.requests.values()) <= 2
    assert table.num_rows == 3
    units = {field.name: field.metadata[b"unit"].decode() for field in table.schema if field.metadata[b"unit"]}
    assert len(set(table.column("build").to_pylist())) == 1
    assert units["peak.electricity"] == "W"
    peaks = table.column("peak.electricity").to_pylist()
    assert peaks[1] < peaks[2]
    metered = MeteredStore(store)
    series = Campaign.open(metered).timeseries(["Zone Mean Air Temperature"], ["baseline"], environment="sizing")
    assert set(series.column("label").to_pylist()) == {"baseline"}
    assert len(series) == 48
    assert sum("Zone Mean Air Temperature" in name for name in series.column_names) == 3
    assert sum(metered.meter.usage.requests.values()) <= 6
    many = Campaign.open(store).timeseries(["Zone Mean Air Temperature"], environment="sizing")
    assert len(many) == 3 * 48
    with pytest.raises(ResultError, match="was not reported"):
        Campaign.open(store).timeseries(["Zone Air Temperatur"], ["baseline"])
