"""Which EnergyPlus there is, and models as the real one reads them."""

import json
import pickle
import sys
from pathlib import Path

import pytest

from skyhold.errors import EngineError, MissingExtraError, ModelError
from skyhold.simulation import engine as engine_module
from skyhold.simulation.engine import Engine, find_engine, list_engines

_FRAME = """Version,25.2;
Building,
  House,  !- Name
  {axis},
  Suburbs, 0.04, 0.4, FullExterior, 25, 6;
GlobalGeometryRules, UpperLeftCorner, Counterclockwise, World;
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


def _idf(folder: Path, text: str) -> Path:
    path = folder / "house.idf"
    path.write_text(text)
    return path


def test_the_wheels_engine_tells_its_own_build_and_survives_a_pickle(engine: Engine):
    assert engine.kind == "wheel"
    assert engine.build.startswith(f"{engine.version}-")
    assert engine.version.count(".") == 2
    assert pickle.loads(pickle.dumps(engine)) == engine
    assert engine in list_engines()


def test_the_wheel_of_another_python_is_found_by_the_name_of_its_program(engine: Engine):
    other = find_engine(python=sys.executable)
    assert other.build == engine.build


def test_a_version_may_be_asked_for_in_short_and_one_that_is_not_there_lists_what_is(engine: Engine):
    assert find_engine(engine.version.rpartition(".")[0]) == engine
    with pytest.raises(EngineError, match=rf"no EnergyPlus 9\.1; found: {engine.version}"):
        find_engine("9.1")


def test_without_any_engine_the_error_names_the_extra_and_the_other_ways(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_module, "list_engines", list)
    with pytest.raises(MissingExtraError) as caught:
        find_engine()
    notes = " ".join(caught.value.__notes__)
    assert "pip install 'skyhold[simulation]'" in notes
    assert "ENERGYPLUS_DIR" in notes


def test_what_is_named_and_is_no_engine_is_an_error_that_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(EngineError, match="no EnergyPlus at"):
        find_engine(path=tmp_path)
    with pytest.raises(EngineError, match="is no Python"):
        find_engine(python=tmp_path / "python")
    monkeypatch.setenv("ENERGYPLUS_DIR", str(tmp_path))
    with pytest.raises(EngineError, match="no EnergyPlus at"):
        find_engine()


def test_an_idf_becomes_epjson_and_an_idf_again(engine: Engine, tmp_path: Path):
    source = _idf(tmp_path, _FRAME.format(axis=30))
    converted = engine.convert(source, tmp_path)
    assert converted == tmp_path / "house.epJSON"
    document = json.loads(converted.read_text())
    assert document["Building"]["House"]["north_axis"] == 30
    (tmp_path / "back").mkdir()
    back = engine.convert(converted, tmp_path / "back")
    assert back == tmp_path / "back" / "house.idf"
    assert "Building" in back.read_text()


def test_a_wrong_value_is_told_with_object_field_and_line(engine: Engine, tmp_path: Path):
    with pytest.raises(ModelError, match=r"Building 'House', field 'north_axis' \(line 2\): .*northwards"):
        engine.convert(_idf(tmp_path, _FRAME.format(axis="northwards")), tmp_path)


def test_an_unknown_type_is_told_with_the_line_that_the_engine_names(engine: Engine, tmp_path: Path):
    with pytest.raises(ModelError, match='line 7: "Zonee" is not a valid Object Type'):
        engine.convert(_idf(tmp_path, _FRAME.format(axis=0) + "Zonee, Z;\n"), tmp_path)
    assert not (tmp_path / "house.epJSON").exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b'{"Version": ', "parse error at line 1"),
        (b"\x00\xff not a model", "is not a valid Object Type"),
        (b"\n", "is empty"),
        (b"Version,22.1;", 'in IDF="22.1" not the same as expected'),
        (b"Version,25.2;\nHVACTemplate:Thermostat, T,,20,,24;", "HVACTemplate"),
    ],
)
def test_what_is_no_model_is_refused_in_the_engines_words(
    engine: Engine, tmp_path: Path, content: bytes, complaint: str
):
    source = tmp_path / "model"
    source.write_bytes(content)
    with pytest.raises(ModelError, match=complaint):
        engine.convert(source, tmp_path)


def test_a_model_that_is_not_there_is_an_error_that_names_it(engine: Engine, tmp_path: Path):
    with pytest.raises(ModelError, match=r"absent\.idf"):
        engine.convert(tmp_path / "absent.idf", tmp_path)
