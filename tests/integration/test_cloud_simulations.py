"""EnergyPlus with its results in a bucket: what goes up, what is read back, and what a run that failed says."""

import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from pyenergyplus.dataset import ref_models, weather_files

from conftest import make_bucket
from skyhold.errors import BadOptionError, EngineError, EngineTimeoutError, ModelError, WeatherError
from skyhold.runs.progress import Event
from skyhold.simulation import (
    LocalFileSystem,
    S3FileSystem,
    SimulationJob,
    SimulationResult,
    StoreFileSystem,
    case_key,
    load_idf,
    simulate,
    simulate_batch,
)
from skyhold.simulation.energyplus import EnergyPlus
from skyhold.simulation.result_record import RECORD
from skyhold.simulation.selection import OutputSelection
from skyhold.simulation.simulator import Job, Watch
from skyhold.storage.objects import Operation
from skyhold.storage.wrappers.metered import Meter
from skyhold.testing.servers import LocalServer
from tiny_simulator import TinySimulator

WAREHOUSE, CHICAGO = Path(ref_models["warehouse"]), Path(weather_files["usa_il_chicago"])
SIZING = {"report": "HVACSizingSummary"}


@pytest.fixture(scope="module")
def engine() -> EnergyPlus:
    return EnergyPlus()


@pytest.fixture(scope="module")
def model(engine: EnergyPlus) -> Any:
    return load_idf(WAREHOUSE, engine=engine.engine)


@pytest.fixture(scope="module")
def kept(engine: EnergyPlus, model: Any, tmp_path_factory: pytest.TempPathFactory) -> SimulationResult:
    """A run of design days, on this machine; tests copy it."""
    folder = tmp_path_factory.mktemp("warehouse") / "run"
    return simulate(model, CHICAGO, output_dir=folder, design_day=True, engine=engine, label="base").raise_for_failure()


@pytest.fixture
def fs(moto: LocalServer) -> S3FileSystem:
    return S3FileSystem(
        bucket=make_bucket(moto),
        prefix="studies/",
        endpoint_url=moto.endpoint,
        region_name="us-east-1",
        aws_access_key_id=moto.options["access_key_id"],
        aws_secret_access_key=moto.options["secret_access_key"],
    )


def _first_number(result: SimulationResult) -> float:
    return result.sql.get_timeseries("Site Outdoor Air Drybulb Temperature", "Environment").values[0]


@pytest.mark.parametrize("expand", [False, True])
def test_a_model_and_its_weather_may_lie_beside_the_results(engine: EnergyPlus, fs: S3FileSystem, expand: bool):
    fs.write_bytes("in/warehouse.idf", WAREHOUSE.read_bytes())
    fs.write_bytes("in/chicago.epw", CHICAGO.read_bytes())
    model, weather = (f"{fs.uri}/in/{name}" for name in ("warehouse.idf", "chicago.epw"))
    made = simulate(model, weather, output_dir="run-1", fs=fs, design_day=True, expand_objects=expand, engine=engine)
    assert made.raise_for_failure().success


def test_a_run_goes_into_the_bucket_and_comes_back(engine: EnergyPlus, model: Any, fs: S3FileSystem):
    orders: list[Operation] = []
    fs.store = fs.store.observed(orders.append)
    events: list[Event] = []
    made = simulate(
        model, CHICAGO, output_dir="run-1", fs=fs, design_day=True, engine=engine, on_progress=events.append
    )
    assert made.success, made.errors
    written = [order.uri.rpartition("run-1/")[2] for order in orders if order.verb == "write"]
    assert written[0] == "_skyhold/begun.json"
    assert written[-1] == RECORD
    assert not [name for name in written if name.endswith((".epw", ".idf"))]
    assert sum(order.bytes_out for order in orders) < 2.5e6
    read = SimulationResult.from_directory("run-1", fs=fs)
    assert read.record == made.record
    assert read.build.startswith("25.2.0-")
    assert not read.errors.has_severe
    assert len(read.sql.get_tabular_data(report="InputVerificationandResultsSummary")) > 10
    assert read.values["floor_area"].unit == "m2"
    assert "<html" in read.html
    days = [event.step for event in events if event.step[:1].isdigit()]
    assert {"01/21", "07/21"} <= set(days)


def test_a_number_is_read_in_few_requests_and_bytes_and_is_the_engines_own(kept: SimulationResult, fs: S3FileSystem):
    kept.copy_to("run-1", fs)
    meter = Meter()
    fs.store = fs.store.observed(meter.record)
    read = SimulationResult.from_directory("run-1", fs=fs)
    assert read.sql is read.sql
    number = _first_number(read)
    assert number == _first_number(kept)
    once = meter.usage
    assert once.requests["list"] == 0
    assert once.requests["read"] <= 4
    assert once.bytes_in < 150_000
    assert _first_number(read) == number
    assert meter.usage == once


def test_a_batch_runs_each_in_its_own_process(engine: EnergyPlus, model: Any, fs: S3FileSystem):
    other = model.copy()
    other.get("Building")["north_axis"] = 90.0
    jobs = [
        SimulationJob(each, CHICAGO, label=label, output_dir=f"batch/{label}", design_day=True, outputs=_SMALL)
        for label, each in (("north", model), ("east", other))
    ]
    batch = simulate_batch(jobs, max_workers=2, fs=fs)
    assert batch.all_succeeded, [result.detail for result in batch.failed]
    assert [result.label for result in batch] == ["north", "east"]
    peaks = [result.values["peak.electricity"].value for result in batch]
    assert all(peaks)
    assert batch[0].files == ("eplusout.err", "tables.parquet")


_SMALL = OutputSelection(variables=[], meters=[], tables=[], raw=["eplusout.err"])


def _run_elsewhere(fs: StoreFileSystem, folder: str) -> str:
    return simulate({"area": 2}, output_dir=folder, fs=fs, engine=TinySimulator()).state


def test_a_file_system_goes_to_another_process(moto: LocalServer, fs: S3FileSystem, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.options["secret_access_key"])
    by_reference = S3FileSystem(fs.uri.split("/")[2], "studies", endpoint_url=moto.endpoint, region_name="us-east-1")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_run_elsewhere, by_reference, "far").result(100) == "complete"
    result = SimulationResult.from_directory("far", fs=by_reference)
    assert result.success
    assert pickle.loads(pickle.dumps(result)).files == result.files


class TestWhatIsNoResult:
    def test_a_folder_of_the_engine_alone(self, kept: SimulationResult, tmp_path: Path):
        shutil.copytree(kept.run_dir, tmp_path / "run", ignore=shutil.ignore_patterns("_skyhold", "*.parquet"))
        whole = SimulationResult.from_directory(tmp_path / "run")
        assert (whole.success, whole.judged_by) == (True, "engine")
        assert len(whole.errors) == len(kept.errors)
        assert _first_number(whole) == _first_number(kept)

    def test_half_of_it(self, kept: SimulationResult, fs: S3FileSystem):
        kept.copy_to("run", fs)
        for name in (RECORD, "eplusout.sql", "eplustbl.htm"):
            fs.remove(f"run/{name}")
        half = SimulationResult.from_directory("run", fs=fs)
        assert (half.success, half.state) == (False, "partial")
        assert f"{len(kept.files) - 2} of its {len(kept.files)} files" in half.detail

    def test_a_run_that_was_killed(self, engine: EnergyPlus, model: Any, tmp_path: Path):
        watch = Watch(on_progress=lambda share, where: watch.stop.set() if where else None)
        source = tmp_path / "in.epJSON"
        source.write_bytes(model.to_bytes())
        (tmp_path / "run").mkdir()
        verdict = engine.simulate(Job(source, CHICAGO, {"design_day": True}), tmp_path / "run", watch)
        assert verdict.failure == "cancelled"
        killed = SimulationResult.from_directory(tmp_path / "run")
        assert (killed.success, killed.state) == (False, "unfinished"), killed.detail

    def test_a_fatal_error(self, engine: EnergyPlus, model: Any, fs: S3FileSystem):
        broken = model.copy()
        wall = next(iter(broken.data["Construction"].values()))
        wall["outside_layer"] = "no such brick"
        result = simulate(broken, CHICAGO, output_dir="run", fs=fs, design_day=True, engine=engine)
        again = SimulationResult.from_directory("run", fs=fs)
        for found in (result, again):
            assert (found.success, found.state, found.failure) == (False, "failed", "engine")
            assert found.errors.has_fatal
            assert "eplusout.err" in found.files
            assert "no such brick" in found.read("eplusout.err").decode().lower()
            with pytest.raises(EngineError, match=r"(?i)no such brick"):
                found.raise_for_failure()

    def test_a_run_that_takes_too_long(self, engine: EnergyPlus, model: Any, fs: S3FileSystem):
        result = simulate(model, CHICAGO, output_dir="run", fs=fs, annual=True, engine=engine, timeout=0.6)
        assert (result.success, result.failure) == (False, "timeout")
        with pytest.raises(EngineTimeoutError):
            SimulationResult.from_directory("run", fs=fs).raise_for_failure()


def test_what_is_wrong_is_found_before_the_run(engine: EnergyPlus, model: Any, fs: S3FileSystem, tmp_path: Path):
    text = WAREHOUSE.read_text(encoding="latin-1")
    bad = tmp_path / "bad.idf"
    bad.write_text(text.replace("  Building,", "  Bilding,", 1), encoding="latin-1")
    with pytest.raises(ModelError):
        simulate(bad, CHICAGO, output_dir="run", fs=fs, engine=engine)
    page = tmp_path / "page.epw"
    page.write_text("<html>not found</html>")
    with pytest.raises(WeatherError, match="page"):
        simulate(model, page, output_dir="run", fs=fs, engine=engine)
    with pytest.raises(FileNotFoundError, match="absent"):
        simulate(model, tmp_path / "absent.epw", output_dir="run", fs=fs, engine=engine)
    with pytest.raises(BadOptionError, match="warm_up"):
        simulate(model, CHICAGO, output_dir="run", fs=fs, engine=engine, options={"warm_up": True})
    assert fs.glob("run", "**") == []


def test_templates_are_expanded_where_that_is_asked_for(engine: EnergyPlus, tmp_path: Path):
    file = tmp_path / "template.idf"
    file.write_bytes(WAREHOUSE.read_bytes() + b"\nHVACTemplate:Thermostat, T,,20,,24;\n")
    asked: dict[str, Any] = {"output_dir": tmp_path / "run", "design_day": True, "outputs": _SMALL, "engine": engine}
    with pytest.raises(ModelError, match="HVACTemplate:Thermostat") as caught:
        simulate(file, CHICAGO, **asked)
    assert "expand_objects=True" in caught.value.remedy
    result = simulate(file, CHICAGO, expand_objects=True, **asked)
    assert result.success, result.errors


def test_a_run_has_the_key_that_a_campaign_gives_it(kept: SimulationResult, model: Any):
    weather = sha256(CHICAGO.read_bytes()).hexdigest()
    everything = OutputSelection(everything=True).to_json()
    assert kept.record is not None
    assert kept.record.key == case_key(model.sha256, [], weather, kept.build, {"design_day": True}, everything)


def test_models_and_weather_come_from_the_bucket_too(
    engine: EnergyPlus, fs: S3FileSystem, moto: LocalServer, tmp_path: Path
):
    store = StoreFileSystem(f"memory://{tmp_path.name}")
    store.write_bytes("models/warehouse.idf", WAREHOUSE.read_bytes())
    store.write_bytes("weather/chicago.epw", CHICAGO.read_bytes())
    result = simulate(
        f"{store.uri}/models/warehouse.idf",
        f"{store.uri}/weather/chicago.epw",
        output_dir=f"{store.uri}/run",
        design_day=True,
        outputs=_SMALL,
        engine=engine,
    )
    assert result.success
    assert SimulationResult.from_directory(f"{store.uri}/run").record == result.record
    assert result.record is not None
    assert result.record.inputs["weather"]["uri"].endswith("weather/chicago.epw")


def test_everything_is_downloaded_at_once(kept: SimulationResult, fs: S3FileSystem, tmp_path: Path):
    kept.copy_to("run-1", fs)
    fs.download("run-1", tmp_path / "run-1")
    local = SimulationResult.from_directory("run-1", fs=LocalFileSystem(tmp_path))
    local.verify(deep=True)
    assert local.path_of("eplusout.sql") == tmp_path / "run-1" / "eplusout.sql"
    assert _first_number(local) == _first_number(kept)
