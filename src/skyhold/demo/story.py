"""The whole story: components, a study of their variants, its results as validated rows, a table and a picture."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from skyhold.components.library import Library
from skyhold.demo.massing import massing_stl
from skyhold.demo.place import DemoPlace, Say, open_place
from skyhold.errors import MissingExtraError
from skyhold.records.formats.csv import CSVInputAdapter
from skyhold.records.formats.dataset import DatasetOutputAdapter
from skyhold.records.formats.parquet import ParquetInputAdapter, ParquetOutputAdapter
from skyhold.records.pipe import Pipe
from skyhold.records.report import Report
from skyhold.runs.bar import ProgressBar
from skyhold.runs.verification import verify_receipt
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.model_source import load_idf
from skyhold.simulation.parameters import Parameter
from skyhold.simulation.plots import plot_end_uses
from skyhold.simulation.study import Study
from skyhold.storage.opening import open_object, open_store
from skyhold.storage.transfer import Transfer, transfer_all

__all__ = ["CaseResult", "StoryResult", "tell_story"]

_J_PER_MWH = 3.6e9
_AUTHOR = "the demo"


class CaseResult(BaseModel):
    """What is kept of each variant, as a row."""

    case: str = Field(min_length=1)
    lights: float = Field(gt=0, description="times the model's own lighting power")
    insulation_m: float = Field(gt=0, le=1)
    glass: Literal["standard", "better"]
    energy_mwh: float = Field(ge=0)
    electricity_mwh: float = Field(ge=0)
    unmet_hours: float = Field(ge=0, le=8784)


@dataclass(frozen=True, slots=True)
class StoryResult:
    """How the story ended.

    Attributes:
        cases: How many variants were run.
        report: Of the pipe.
        places: What the dashboard shows of it; empty where all of it ended with the demo.
    """

    cases: int
    report: Report
    places: tuple[str, ...]


def tell_story(folder: Path, say: Say, *, s3: bool = False, quick: bool = False, progress: bool = False) -> StoryResult:
    """Run the demo; leave its results in ``folder``. It may be stopped anywhere, and goes on when it is run again.

    Args:
        folder: Where results go.
        say: Told what happens.
        s3: On a bucket of a real S3 server, which ends with the demo, instead of plain folders.
        quick: Simulate a week of January instead of the year.
        progress: Draw progress bars on a terminal.

    Raises:
        MissingExtraError: The extra ``demo`` is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open_place(folder, "demo", say, s3=s3) as place:
        publish_parts(place, folder, say)
        campaign = _simulate(place, say, quick=quick, progress=progress)
        table = campaign.table()
        _write_rows(place, table, say)
        report = _pipe(place, say, progress=progress)
        _show(place, say)
        _fetch(place, folder, say, s3=s3)
    picture = folder / "end-uses.png"
    plot_end_uses(table, title="Energy by end use of 12 variants of a warehouse in Chicago").save(picture)
    say(f"A picture of it: {picture}")
    places = () if s3 else (campaign.uri, f"{place.base}/library", place.base)
    if places:
        say(f"Look at all of it: skyhold ui {' '.join(places)}")
    return StoryResult(table.num_rows, report, places)


def publish_parts(place: DemoPlace, folder: Path, say: Say) -> None:
    """Publish a building model, its weather and its outer shape as components of a library."""
    models, weathers = _reference_files()
    library = Library(f"{place.base}/library", author=_AUTHOR, **place.options)
    library.publish("chicago.epw", Path(weathers["usa_il_chicago"]), message="typical year at O'Hare")
    shape = folder / "warehouse.stl"
    shape.write_bytes(massing_stl(load_idf(models["warehouse"])))
    library.publish("warehouse.stl", shape, message="outer shape of the model")
    version = library.publish(
        "warehouse.idf",
        Path(models["warehouse"]),
        message="reference building of the US Department of Energy",
        dependencies=["chicago.epw", "warehouse.stl"],
    )
    names = ", ".join(each.component for each in library.list())
    say(f"Library {library.uri}: {names}; the model is version {version.number}, and its plain file is read below.")


def _simulate(place: DemoPlace, say: Say, *, quick: bool, progress: bool) -> Campaign:
    library = f"{place.base}/library"
    model = load_idf(f"{library}/warehouse.idf", **place.options)
    if quick:
        model.set("RunPeriod", end_month=1, end_day_of_month=7)
        model.set("SimulationControl", run_simulation_for_weather_file_run_periods="Yes")
    study = Study(
        model,
        f"{library}/chicago.epw",
        {
            "lights": Parameter("Lights/*/watts_per_floor_area", [1.0, 0.8, 0.6], how="multiply"),
            "insulation": Parameter("Material/*Wall Insulation/thickness", [0.1, 0.2]),
            "glass": Parameter(_set_glass, ["standard", "better"]),
        },
        annual=not quick,
    )
    uri = f"{place.base}/{'week' if quick else 'year'}"
    campaign = Campaign.create(uri, study, **place.options)
    say(f"Campaign {uri}: 12 {'weeks' if quick else 'years'} of EnergyPlus on 2 workers; all state is in the store.")
    status = campaign.run(workers=2, on_progress=[ProgressBar()] if progress else ())
    say(f"{status.done} cases done, {status.failed} failed; a worker that is killed loses its running case alone.")
    return campaign


def _set_glass(model: Any, value: str) -> None:
    if value == "better":
        for glass in model.objects("WindowMaterial:SimpleGlazingSystem").values():
            glass["u_factor"] = 1.6


def _write_rows(place: DemoPlace, table: Any, say: Say) -> None:
    """Write the table as CSV, as others hand tables over: two of its rows are damaged."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CaseResult.model_fields)
    for number, row in enumerate(table.to_pylist()):
        writer.writerow(
            [
                row["label"],
                row["lights"],
                -0.1 if number == 7 else row["insulation"],  # noqa: PLR2004 - the second damaged row
                row["glass"],
                "see mail" if number == 2 else row["site_energy"] / _J_PER_MWH,  # noqa: PLR2004 - the first one
                row["fuel.electricity"] / _J_PER_MWH,
                max(row["unmet_hours.heating"] or 0.0, row["unmet_hours.cooling"] or 0.0),
            ]
        )
    store, key = open_object(f"{place.base}/raw/results.csv", **place.options)
    store.write(key, text.getvalue().encode())
    say(f"{place.base}/raw/results.csv has {table.num_rows} rows, two of them damaged on purpose.")


def _pipe(place: DemoPlace, say: Say, *, progress: bool) -> Report:
    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{place.base}/raw/results.csv", **place.options),
        output_adapter=DatasetOutputAdapter(
            f"{place.base}/results/", partition_by="glass", overwrite=True, **place.options
        ),
        error_output_adapter=ParquetOutputAdapter(f"{place.base}/rejected.parquet", **place.options),
        schema_model=CaseResult,
        on_progress=ProgressBar() if progress else (),
    )
    report = pipe.run()
    say(
        f"{report.total_processed} rows read = {report.success_count} written to {place.base}/results/ "
        f"+ {report.error_count} rejected:"
    )
    for group in report.rejects:
        say(f"  row {group.sample_rows[0]}, {group.field}: {group.message}")
    assert report.receipt is not None
    verification = verify_receipt(report.receipt, lambda uri: open_object(uri, **place.options))
    words = "holds: outputs were read again and hashed" if verification.ok else f"does not hold: {verification.lines}"
    say(f"The receipt {words}.")
    return report


def _show(place: DemoPlace, say: Say) -> None:
    """Read the dataset again, and show its best rows."""
    adapter = ParquetInputAdapter(f"{place.base}/results/**/*.parquet", **place.options)
    with adapter.open(lambda store: store) as stream:
        batches: list[Any] = list(stream.batches())
    rows: list[dict[str, Any]] = [row for batch in batches for row in batch.data.to_pylist()]
    say(f"{'case':44} {'energy, MWh':>11} {'unmet hours':>11}")
    for row in sorted(rows, key=lambda each: each["energy_mwh"])[:5]:
        say(f"{row['case']:44} {row['energy_mwh']:11.1f} {row['unmet_hours']:11.1f}")


def _fetch(place: DemoPlace, folder: Path, say: Say, *, s3: bool) -> None:
    if not s3:
        return
    source, target = open_store(place.base, **place.options), open_store(folder / "bucket")
    moved = transfer_all([Transfer(source, info.key, target, info.key, info) for info in source.list()])
    say(f"All {len(moved)} objects of the bucket are also in {folder / 'bucket'}, and the server ends now.")


def _reference_files() -> tuple[dict[str, str], dict[str, str]]:
    try:
        from pyenergyplus.dataset import ref_models, weather_files  # noqa: PLC0415 - the extra `demo`
    except ImportError as error:
        raise MissingExtraError.of("demo", "the demo's building and its weather") from error
    return dict(ref_models), dict(weather_files)
