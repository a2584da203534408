"""Real runs of the real engine on a reference model, each made once a session, in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from skyhold.simulation.outputs import OutputSelection, request_outputs

_PROGRAM = """
import sys
from pyenergyplus.api import EnergyPlusAPI
from pyenergyplus.dataset import ref_models, weather_files
api = EnergyPlusAPI()
state = api.state_manager.new_state()
*flags, model = sys.argv[1:]
argv = ["-w", weather_files["usa_il_chicago"], *flags, ref_models.get(model, model)]
raise SystemExit(api.runtime.run_energyplus(state, argv))
"""


def run_energyplus(*arguments: str | Path) -> None:
    command = [sys.executable, "-I", "-c", _PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def run_document(document: dict[str, Any], folder: Path, *flags: str) -> Path:
    model = folder / "model.epJSON"
    model.write_text(json.dumps(document))
    run_energyplus(*flags, "-d", folder / "out", model)
    return folder / "out"


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The reference warehouse; it asks for ten variables, ten meters, and for SQLite "Simple"."""
    folder = tmp_path_factory.mktemp("warehouse")
    run_energyplus("--convert-only", "-d", folder, "warehouse")
    return json.loads(next(folder.glob("*.epJSON")).read_bytes())


@pytest.fixture(scope="session")
def warehouse_year(warehouse: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A year, and no design days among the results."""
    return run_document(request_outputs(warehouse, OutputSelection()), tmp_path_factory.mktemp("year"), "-a")


@pytest.fixture(scope="session")
def warehouse_days(warehouse: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Design days of the model as it is: without tables."""
    return run_document(warehouse, tmp_path_factory.mktemp("days"), "-D")


@pytest.fixture(scope="session")
def mixed_model(warehouse: dict[str, Any]) -> dict[str, Any]:
    """Two design days, and the days around both changes of the clock; every frequency; the warm-up is reported too."""
    document = request_outputs(warehouse, OutputSelection())
    document["Output:Diagnostics"] = {"Output:Diagnostics 1": {"diagnostics": [{"key": "ReportDuringWarmup"}]}}
    names = (
        "Zone Mean Air Temperature",
        "Site Outdoor Air Drybulb Temperature",
        "Air System Outdoor Air Flow Fraction",
    )
    for frequency in ("detailed", "timestep", "daily", "monthly", "runperiod", "annual"):
        meters = [] if frequency == "detailed" else ["Electricity:Facility"]
        asked = OutputSelection(variables=names, meters=meters, frequency=frequency)
        document = request_outputs(document, asked)
    control = next(iter(document["SimulationControl"].values()))
    document["SimulationControl"] = {"1": {**control, "run_simulation_for_weather_file_run_periods": "Yes"}}
    whole = next(iter(document["RunPeriod"].values()))
    spring = {"begin_month": 3, "begin_day_of_month": 10, "end_month": 3, "end_day_of_month": 13}
    autumn = {"begin_month": 11, "begin_day_of_month": 4, "end_month": 11, "end_day_of_month": 6}
    document["RunPeriod"] = {"Spring": {**whole, **spring}, "Autumn": {**whole, **autumn}}
    return document


@pytest.fixture(scope="session")
def mixed_run(mixed_model: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_document(mixed_model, tmp_path_factory.mktemp("mixed"))
