"""Templates as the engine expands them, with a dictionary that is its own or written for it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from skyhold.errors import MissingExtraError, ModelError
from skyhold.simulation import expansion
from skyhold.simulation.energyplus import EnergyPlus
from skyhold.simulation.engine import Engine, find_engine
from skyhold.simulation.expansion import expand_templates, has_templates
from skyhold.simulation.simulator import Job, Watch

_THERMOSTAT = "HVACTemplate:Thermostat,Comfort,,20,,24;\n"
_HOUSE = """Version,25.2;
Timestep,4;
Building,House,0,Suburbs,0.04,0.4,FullExterior,25,6;
GlobalGeometryRules,UpperLeftCorner,Counterclockwise,World;
SimulationControl,No,No,No,No,No;
Zone,Hall;
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


def _model(folder: Path, text: str) -> Path:
    path = folder / "house.idf"
    path.write_text(_HOUSE + text)
    return path


def _padded(kind: str, *values: str) -> str:
    """Return an object with all the fields that its type has: the expansion wants them written."""
    idd = expansion._written_dictionary(find_engine().version)
    block = re.search(rf"^{re.escape(kind)},\n(.*?)^$", idd, re.MULTILINE | re.DOTALL)
    assert block
    count = len(re.findall(r"^  [AN]\d+[,;]", block[1], re.MULTILINE))
    return f"{kind},{','.join([*values, *[''] * (count - len(values))])};\n"


def _expanded(engine: Engine, source: Path, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    return json.loads(expand_templates(engine, source, folder).read_text())


def test_templates_become_the_objects_that_they_stand_for(engine: Engine, tmp_path: Path):
    zone = _padded("HVACTemplate:Zone:IdealLoadsAirSystem", "Hall", "Comfort")
    source = _model(tmp_path, _THERMOSTAT + zone)
    assert has_templates(source)
    document = _expanded(engine, source, tmp_path / "to")
    assert not [kind for kind in document if kind.startswith("HVACTemplate")]
    assert document["Schedule:Compact"]["HVACTemplate-Always 20"]
    (system,) = document["ZoneHVAC:IdealLoadsAirSystem"].values()
    assert system["zone_supply_air_node_name"] == "Hall Ideal Loads Supply Inlet"


def test_a_model_in_epjson_is_expanded_too(engine: Engine, tmp_path: Path):
    source = tmp_path / "house.epJSON"
    source.write_text(
        json.dumps(
            {
                "Version": {"Version 1": {"version_identifier": "25.2"}},
                "Building": {"House": {"north_axis": 0, "terrain": "Suburbs"}},
                "GlobalGeometryRules": {
                    "GlobalGeometryRules 1": {
                        "coordinate_system": "World",
                        "starting_vertex_position": "UpperLeftCorner",
                        "vertex_entry_direction": "Counterclockwise",
                    }
                },
                "HVACTemplate:Thermostat": {
                    "Comfort": {"constant_heating_setpoint": 20, "constant_cooling_setpoint": 24}
                },
            }
        )
    )
    assert _expanded(engine, source, tmp_path / "to")["ThermostatSetpoint:DualSetpoint"]


def test_a_template_that_cannot_be_expanded_is_told_though_the_engine_ends_well(engine: Engine, tmp_path: Path):
    source = _model(tmp_path, _THERMOSTAT + _padded("HVACTemplate:Zone:VAV", "Hall", "Nowhere", "Comfort"))
    with pytest.raises(ModelError, match="HVACTemplate:Zone:VAV"):
        _expanded(engine, source, tmp_path / "to")


def test_without_dictionary_and_extra_the_error_names_both(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def missing(name: str) -> Any:
        raise ImportError(name)

    source = _model(tmp_path, _THERMOSTAT)
    expansion._written_dictionary.cache_clear()
    monkeypatch.setattr(expansion, "import_module", missing)
    with pytest.raises(MissingExtraError) as caught:
        _expanded(engine, source, tmp_path / "to")
    notes = " ".join(caught.value.__notes__)
    assert "pip install 'skyhold[idf]'" in notes
    assert "ENERGYPLUS_DIR" in notes


def test_an_installed_engines_own_dictionary_is_preferred(engine: Engine, tmp_path: Path, monkeypatch: Any):
    program = tmp_path / "energyplus"
    program.write_text(f"#!/bin/sh\necho 'EnergyPlus, Version {engine.build}'\n")
    program.chmod(0o755)
    beside = tmp_path / "Energy+.idd"
    beside.write_text(expansion._written_dictionary(engine.version))
    monkeypatch.setenv("ENERGYPLUS_DIR", str(tmp_path))
    assert expansion._dictionary(engine, tmp_path) == ["-i", str(beside)]


def test_a_run_expands_where_it_is_asked_to_and_fails_where_it_is_not(engine: Engine, tmp_path: Path):
    source = _model(tmp_path, _THERMOSTAT)
    simulator = EnergyPlus(engine)
    details: dict[bool, str] = {}
    for is_asked in (True, False):
        folder = tmp_path / f"run-{is_asked}"
        folder.mkdir()
        job = Job(source, options={"design_day": True, "expand_objects": is_asked})
        details[is_asked] = simulator.simulate(job, folder, Watch()).detail
    # The house has no design days; what matters is whether its templates were still in the way.
    assert "HVACTemplate" not in details[True]
    assert "HVACTemplate" in details[False]
