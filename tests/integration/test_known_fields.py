"""Fields that EnergyPlus does not know are found before a run, and looking for them costs little."""

from pathlib import Path
from typing import Any

import pytest
from pyenergyplus.dataset import ref_models, weather_files

from skyhold import Model, load_idf
from skyhold.errors import ModelError, ResultError
from skyhold.simulation import Campaign, Parameter, Study, known_fields, simulate
from skyhold.simulation.engine import Engine, find_engine
from skyhold.simulation.known_fields import check_fields, note_fields

WEATHER = weather_files["usa_il_chicago"]


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the engine was asked to read, while nothing is known."""
    monkeypatch.setattr(known_fields, "_known", {})
    asked: list[str] = []
    convert = Engine.convert

    def counting(self: Engine, source: Path, folder: Path) -> Path:
        asked.append(source.name)
        return convert(self, source, folder)

    monkeypatch.setattr(Engine, "convert", counting)
    return asked


@pytest.fixture
def warehouse() -> Model:
    return load_idf(ref_models["warehouse"])


def test_a_run_is_not_made_of_a_model_with_a_field_that_the_engine_would_drop(warehouse: Model, tmp_path: Path):
    zone = next(iter(warehouse.objects("Zone").values()))
    zone["multiplyer"] = 2
    with pytest.raises(ModelError, match="multiplyer") as caught:
        simulate(warehouse, WEATHER, design_day=True, output_dir=tmp_path / "out")
    assert "'multiplier'" in caught.value.remedy
    assert not (tmp_path / "out").exists()


def test_a_campaign_is_not_made_of_a_parameter_that_the_engine_would_drop(warehouse: Model):
    parameter = Parameter("Zone/*/multiplyer", [1, 2], create=True)
    with pytest.raises(ModelError, match="multiplyer") as caught:
        Campaign.create("memory://known-fields/dropped", Study(warehouse, WEATHER, {"floors": parameter}))
    assert "Case: 'floors=1'" in caught.value.__notes__
    with pytest.raises(ResultError):
        Campaign.open("memory://known-fields/dropped").status()


def test_a_model_of_another_version_is_refused(warehouse: Model, tmp_path: Path):
    warehouse.set("Version", version_identifier="24.1")
    with pytest.raises(ModelError, match=r"24\.1.*25\.2") as caught:
        simulate(warehouse, WEATHER, design_day=True, output_dir=tmp_path / "out")
    assert "find_engine('24.1')" in caught.value.remedy


def test_what_the_engine_wrote_itself_it_is_not_asked_again(warehouse: Model, asked: list[str]):
    engine = find_engine()
    check_fields(warehouse, engine)
    assert len(asked) == 1  # when it was loaded
    next(iter(warehouse.objects("Zone").values()))["ceiling_height"] = 5.5
    check_fields(warehouse, engine)
    once = len(asked)
    next(iter(warehouse.objects("Zone").values()))["ceiling_height"] = 6.5
    check_fields(warehouse, engine)
    assert len(asked) == once


def test_fields_are_told_apart_by_their_type_and_place() -> None:
    engine: Any = find_engine()
    note_fields({"Zone": {"a": {"height": 1, "points": [{"x": 1}]}}}, engine)
    for unknown in ({"Wall": {"a": {"height": 1}}}, {"Zone": {"a": {"points": [{"y": 1}]}}}, {"Zone": {"a": {"x": 1}}}):
        with pytest.raises(ModelError):
            check_fields(Model(unknown), engine)
    check_fields(Model({"Zone": {"b": {"height": 2}}}), engine)
