"""Years of the box: the engine alone, and a campaign of them on S3."""

import json
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from contenders.box import make_box
from measuring.stopwatch import Stopwatch

_LIGHTS_W_M2 = 4.0


def run_engine(watch: Stopwatch, *, cases: int, at_a_time: int) -> dict[str, Any]:
    """Run the cases with nothing around them: from a model on disk to the engine's own files."""
    from skyhold.simulation.energyplus import EnergyPlus
    from skyhold.simulation.simulator import Job, Watch

    with tempfile.TemporaryDirectory() as name, EnergyPlus(warm=True) as engine:
        models = [_write_model(Path(name), number) for number in range(cases)]
        _warm_up(engine, models[0])

        def run(model: Path) -> float:
            folder = model.with_suffix("")
            folder.mkdir()
            verdict = engine.simulate(Job(model, _weather(), {"annual": True}), folder, Watch())
            assert verdict.is_success, verdict
            return verdict.seconds

        with watch, ThreadPoolExecutor(at_a_time) as pool:
            seconds = list(pool.map(run, models))
    return {"cases": len(seconds), "engine_s": sum(seconds)}


def run_campaign(watch: Stopwatch, *, place: str, cases: int, workers: int) -> dict[str, Any]:
    """Run the same cases as a campaign that has been created: from the plan in the store to the collected table."""
    from skyhold.simulation.campaign import Campaign
    from skyhold.simulation.campaign_record import Rules
    from skyhold.simulation.energyplus import EnergyPlus
    from skyhold.simulation.outputs import OutputSelection
    from skyhold.simulation.study import Study
    from skyhold.storage.opening import open_store
    from skyhold.storage.wrappers.metered import MeteredStore

    lights = [_lights(number) for number in range(cases)]
    outputs = OutputSelection(meters=[], tables=[])
    study = Study(make_box(), str(_weather()), {"Lights/*/watts_per_floor_area": lights}, annual=True, outputs=outputs)
    store = open_store(place)
    Campaign.create(store, study, rules=Rules(workers=workers))
    metered = MeteredStore(store)
    with tempfile.TemporaryDirectory() as name, EnergyPlus(warm=True) as engine:
        _warm_up(engine, _write_model(Path(name), 0))
        with watch:
            status = Campaign.open(metered).run(workers=workers, simulator=engine)
    usage = metered.meter.usage
    outcomes = Campaign.open(store).outcomes().values()
    return {
        "cases": status.done,
        "engine_s": sum(outcome.seconds for outcome in outcomes),
        "requests": sum(usage.requests.values()),
        **{name: sum(each.spent[name] for each in outcomes) for name in ("prepare_s", "keep_s", "upload_s")},
    }


def _warm_up(engine: Any, model: Path) -> None:
    """Load the engine, so that it is no part of the measurement: once for all cases, however many."""
    from skyhold.simulation.simulator import Job, Watch

    folder = model.with_name("warm-up")
    folder.mkdir()
    engine.simulate(Job(model, _weather(), {"annual": True}), folder, Watch())


def _write_model(folder: Path, number: int) -> Path:
    from skyhold.simulation.outputs import OutputSelection, request_outputs

    document = make_box()
    document["Lights"]["Lights"]["watts_per_floor_area"] = _lights(number)
    path = folder / f"{number}.epJSON"
    path.write_text(json.dumps(request_outputs(document, OutputSelection(meters=[], tables=[]))))
    return path


def _lights(number: int) -> float:
    return _LIGHTS_W_M2 + number / 4


def _weather() -> Path:
    from pyenergyplus.dataset import weather_files

    return Path(weather_files["usa_il_chicago"])
