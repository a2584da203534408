"""Four years of the reference warehouse on S3, and four numbers of each read back: skyhold and idfkit."""

import os
import sys
from pathlib import Path
from typing import Any

from measuring.stopwatch import Stopwatch

LIGHTS_W_M2 = (4.0, 6.0, 8.0, 10.0)
_BUCKET = "bench"
_NUMBERS = {
    "site_energy": (
        "AnnualBuildingUtilityPerformanceSummary",
        "Site and Source Energy",
        "Total Site Energy",
        "Total Energy",
    ),
    "source_energy": (
        "AnnualBuildingUtilityPerformanceSummary",
        "Site and Source Energy",
        "Total Source Energy",
        "Total Energy",
    ),
    "floor_area": ("AnnualBuildingUtilityPerformanceSummary", "Building Area", "Total Building Area", "Area"),
    "unmet_hours.heating": ("SystemSummary", "Time Setpoint Not Met", "Facility", "During Heating"),
}
_SHIM = """#!{python}
import sys
from pyenergyplus.api import EnergyPlusAPI
api = EnergyPlusAPI()
sys.exit(api.runtime.run_energyplus(api.state_manager.new_state(), sys.argv[1:]))
"""


def run_with_skyhold(watch: Stopwatch, *, name: str) -> dict[str, Any]:
    """Make and run a campaign that keeps all time series and tables as Parquet."""
    from skyhold.simulation.campaign import Campaign
    from skyhold.simulation.outputs import OutputSelection
    from skyhold.simulation.study import Study

    model, weather = _inputs()
    parameters = {"Lights/*/watts_per_floor_area": list(LIGHTS_W_M2)}
    study = Study(str(model), str(weather), parameters, annual=True, outputs=OutputSelection())
    with watch:
        campaign = Campaign.create(f"s3://{_BUCKET}/{name}", study)
        status = campaign.run()
    sizes = [sum(file.size_bytes for file in outcome.files) for outcome in campaign.outcomes().values()]
    return {"cases": status.done, "kept_bytes": max(sizes)}


def read_with_skyhold(watch: Stopwatch, *, name: str) -> dict[str, Any]:
    """Read the numbers from the campaign's table."""
    from skyhold.simulation.campaign import Campaign

    with watch:
        table = Campaign.open(f"s3://{_BUCKET}/{name}").table(list(_NUMBERS))
    return {"numbers": [[float(row[each]) for each in _NUMBERS] for row in table.to_pylist()]}


def run_with_idfkit(watch: Stopwatch, *, name: str, folder: str) -> dict[str, Any]:
    """Run one case after another, each into a folder of the bucket."""
    from idfkit import load_idf
    from idfkit.simulation import simulate
    from idfkit.simulation.config import EnergyPlusConfig

    energyplus = EnergyPlusConfig.from_path(_install_shim(Path(folder)))
    model, weather = _inputs()
    document: Any = load_idf(str(model))
    document["Output:SQLite"][0].option_type = "SimpleAndTabular"
    files, done = _idfkit_files(name), 0
    with watch:
        for number, lights in enumerate(LIGHTS_W_M2):
            for each in document["Lights"]:
                each.watts_per_floor_area = lights
            done += simulate(
                document,
                weather,
                output_dir=f"run-{number}",
                energyplus=energyplus,
                expand_objects=False,
                annual=True,
                fs=files,
            ).success
    return {"cases": done}


def read_with_idfkit(watch: Stopwatch, *, name: str) -> dict[str, Any]:
    """Read the numbers from the cases' databases."""
    from idfkit.simulation import SimulationResult

    with watch:
        files, numbers = _idfkit_files(name), []
        for number in range(len(LIGHTS_W_M2)):
            sql: Any = SimulationResult.from_directory(f"run-{number}", fs=files).sql
            numbers.append([_cell(sql, *place) for place in _NUMBERS.values()])
    return {"numbers": numbers}


def _cell(sql: Any, report: str, table: str, row: str, column: str) -> float:
    for each in sql.get_tabular_data(report_name=report, table_name=table):
        if (each.row_name, each.column_name) == (row, column):
            return float(each.value) * (1e9 if each.units == "GJ" else 1.0)
    raise SystemExit(f"idfkit has no {report}, {table}, {row}, {column}")


def _idfkit_files(name: str) -> Any:
    from idfkit.simulation import S3FileSystem

    return S3FileSystem(bucket=_BUCKET, prefix=name, endpoint_url=os.environ["AWS_ENDPOINT_URL"])


def _install_shim(folder: Path) -> Path:
    """Return what idfkit takes for an installed EnergyPlus: the wheel's engine as a program, and an empty IDD."""
    place = folder / "EnergyPlusV25-2-0"
    place.mkdir()
    (place / "Energy+.idd").touch()
    program = place / "energyplus"
    program.write_text(_SHIM.format(python=sys.executable))
    program.chmod(0o755)
    return place


def _inputs() -> tuple[Path, Path]:
    from pyenergyplus.dataset import ref_models, weather_files

    return Path(ref_models["warehouse"]), Path(weather_files["usa_il_chicago"])
