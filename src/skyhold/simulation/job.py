"""What is asked of one run, and the same made ready for the engine."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from skyhold.errors import BadOptionError
from skyhold.simulation.case import case_key
from skyhold.simulation.energyplus import EnergyPlus
from skyhold.simulation.filesystem import AnyPath
from skyhold.simulation.model_source import as_document
from skyhold.simulation.plain import to_json
from skyhold.simulation.preparation import name_of, prepare_energyplus
from skyhold.simulation.simulator import Job, Simulator
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_object
from skyhold.weather.downloader import WeatherSource, fetch_weather, locate_weather

__all__ = ["PreparedJob", "SimulationJob", "prepare_job"]


@dataclass(frozen=True, slots=True)
class SimulationJob:
    """One run, as a batch takes it; `simulate` takes the same by name.

    Attributes:
        model: A path or URI of an IDF or epJSON, a `skyhold.Model`, an epJSON dict, or a document of idfkit.
        weather: A path or URI of an EPW, or a station; None for a run that needs none.
        label: What people call it.
        output_dir: The folder of its result in the file system; a URI where there is none. A folder of this machine
            that nothing else uses, if not given.
        annual: Run the whole year of the weather file, whatever the model says.
        design_day: Run the design days alone.
        expand_objects: Expand the templates of the model (``HVACTemplate``) first.
        outputs: What is kept (`skyhold.simulation.OutputSelection`); everything that the engine leaves, if not given.
        timeout: Seconds that the engine may take; None for as long as it takes.
        overwrite: Replace whatever result the folder holds.
        options: Further flags of the engine.
    """

    model: Any
    weather: WeatherSource | None = None
    label: str = ""
    output_dir: AnyPath | None = None
    annual: bool = False
    design_day: bool = False
    expand_objects: bool = False
    outputs: Any = None
    timeout: float | None = None
    overwrite: bool = False
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def name(self) -> str:
        """The label, or what comes nearest to one."""
        named = self.label or (os.fspath(self.output_dir) if self.output_dir is not None else "")
        return named or name_of(self.model)

    def flags(self) -> dict[str, Any]:
        """Return the engine's flags that are set, as plain JSON.

        Raises:
            BadOptionError: Two exclude each other, or one is not JSON.
        """
        if self.annual and self.design_day:
            raise BadOptionError(
                f"{self.name!r} asks for annual and design_day, which exclude each other",
                remedy="Leave one of them out; without either the model's own run control holds",
            )
        named = {"annual": self.annual, "design_day": self.design_day, "expand_objects": self.expand_objects}
        return {name: True for name, flag in named.items() if flag} | to_json(dict(self.options), "options")


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A run that can begin.

    Attributes:
        job: For the simulator; its files are on this machine.
        selection: What is kept, as plain JSON.
        key: Equal for runs that give equal results.
        inputs: What goes in, as plain JSON, for records.
    """

    job: Job
    selection: Mapping[str, Any]
    key: str
    inputs: Mapping[str, Any]


def prepare_job(asked: SimulationJob, simulator: Simulator, folder: Path, beside: Store | None = None) -> PreparedJob:
    """Bring model and weather onto this machine, and say what the run depends on.

    Args:
        asked: What to run.
        simulator: What runs it.
        folder: An empty folder, for files that have to be made.
        beside: A store with whose options files of the same bucket are read.

    Raises:
        ModelError: The model is none, or of a format that the engine does not read.
        WeatherError: The weather file is none.
        StorageError: One of them cannot be read.
        BadOptionError: A flag cannot be used.
    """
    flags = asked.flags()
    selection: dict[str, Any] = {}
    if asked.outputs is not None:
        plain = asked.outputs.to_json() if hasattr(asked.outputs, "to_json") else asked.outputs
        selection = to_json(dict(plain), "outputs")
    if isinstance(simulator, EnergyPlus):
        model, model_sha256, selection = prepare_energyplus(asked.model, simulator, flags, selection, folder, beside)
    else:
        model = _plain_model(asked.model, folder, beside)
        model_sha256 = _sha256_of(model)
    place = None if asked.weather is None else locate_weather(asked.weather)
    weather = None if place is None else fetch_weather(place, beside=beside)
    weather_sha256 = None if weather is None else _sha256_of(weather)
    inputs = {
        "model": {"uri": name_of(asked.model), "sha256": model_sha256},
        "weather": None if weather is None else {"uri": name_of(place), "sha256": weather_sha256},
        "options": flags,
        "selection": selection,
    }
    key = case_key(model_sha256, [], weather_sha256, simulator.build, flags, selection)
    return PreparedJob(Job(model, weather, flags), selection, key, inputs)


def _plain_model(model: Any, folder: Path, beside: Store | None) -> Path:
    """Bring a model of any simulator here: a file as it is, anything else as JSON."""
    if isinstance(model, str | os.PathLike):
        store, key = open_object(cast("AnyPath", model), beside=beside)
        file = folder / f"in{Path(key).suffix}"
        file.write_bytes(store.read(key))
        return file
    file = folder / "in.json"
    file.write_bytes(as_document(model).to_bytes())
    return file


def _sha256_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
