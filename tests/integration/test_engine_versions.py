"""Two versions of the real engine side by side, each in a Python of its own."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from skyhold.errors import EngineError
from skyhold.simulation import (
    Campaign,
    EnergyPlus,
    Engine,
    OutputSelection,
    SimulationResult,
    Study,
    find_engine,
    load_idf,
    simulate,
)

pytestmark = pytest.mark.slow

_PYTHON = Path(__file__).parents[2] / ".engines" / "25.1" / "bin" / "python"
_FILES = """
import json
from pyenergyplus.dataset import ref_models, weather_files
print(json.dumps([ref_models["warehouse"], weather_files["usa_il_chicago"]]))
"""
_OUTPUTS = OutputSelection(variables=["Zone Mean Air Temperature"], meters=["Electricity:Facility"])


@pytest.fixture(scope="module")
def engines() -> tuple[Engine, Engine]:
    assert _PYTHON.exists(), f"the other engine is not here; run: make {_PYTHON.relative_to(Path(__file__).parents[2])}"
    return find_engine(), find_engine(python=_PYTHON)


def _files_of(engine: Engine) -> tuple[str, str]:
    """Return the warehouse and the weather as the wheel of an engine has them."""
    asked = subprocess.run([engine.python, "-c", _FILES], capture_output=True, text=True, check=True, timeout=60)
    model, weather = json.loads(asked.stdout)
    return model, weather


def _run(engine: Engine) -> SimulationResult:
    model, weather = _files_of(engine)
    return simulate(model, weather, design_day=True, engine=engine, outputs=_OUTPUTS)


def test_two_versions_run_at_the_same_time_and_each_gives_its_own_results(engines: tuple[Engine, Engine]):
    assert [engine.version.rpartition(".")[0] for engine in engines] == ["25.2", "25.1"]
    alone = [_run(engine) for engine in engines]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(_run, [*engines, *engines]))
    for engine, first, others in zip(engines, alone, (together[::2], together[1::2]), strict=True):
        assert first.success
        assert first.record is not None
        expected = first.sql.get_timeseries("Zone Mean Air Temperature", "OFFICE").values
        for result in others:
            assert result.record is not None
            assert result.record.verdict.build == engine.build
            assert result.record.values == first.record.values
            assert result.sql.get_timeseries("Zone Mean Air Temperature", "OFFICE").values == expected


def test_a_model_is_read_by_the_engine_of_its_version(engines: tuple[Engine, Engine]):
    for engine in engines:
        model = load_idf(_files_of(engine)[0], engine=engine)
        assert model.version is not None
        assert engine.version.startswith(model.version)
        model.check(engine)
    with pytest.raises(EngineError, match=r"there is no EnergyPlus 25\.1"):
        load_idf(_files_of(engines[1])[0])


def test_each_version_has_its_campaign_and_a_worker_of_the_other_is_refused(engines: tuple[Engine, Engine]):
    tables: list[list[float]] = []
    for engine, other in (engines, reversed(engines)):
        model, weather = _files_of(engine)
        base = load_idf(model, engine=engine)
        study = Study(base, weather, {"Lights/*/watts_per_floor_area": [5, 9]}, design_day=True, outputs=_OUTPUTS)
        with EnergyPlus(engine, warm=True) as simulator:
            campaign = Campaign.create(f"memory://versions-{uuid4().hex}", study, simulator=simulator)
            with pytest.raises(EngineError, match=f"is of energyplus {engine.build}, and this worker has"):
                campaign.run(simulator=EnergyPlus(other))
            assert campaign.run(workers=2, simulator=simulator).done == 2
        table = campaign.table()
        assert set(table["build"].to_pylist()) == {engine.build}
        tables.append(table["peak.electricity"].to_pylist())
    assert tables[0] == pytest.approx(tables[1], rel=0.01)
    assert tables[0] != tables[1]
