"""Models of EnergyPlus: real ones read, changed and written by the real engine."""

import builtins
import subprocess
import sys
from importlib import util
from pathlib import Path
from typing import Any

import idfkit
import pytest
from pyenergyplus import dataset

from conftest import make_bucket
from skyhold.errors import BadOptionError, EngineError, KeyNotFoundError, MissingExtraError, ModelError
from skyhold.simulation.engine import find_engine
from skyhold.simulation.model import Model
from skyhold.simulation.model_source import as_document, as_model, load_epjson, load_idf
from skyhold.simulation.parameters import Parameter
from skyhold.simulation.study import Study
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer

WAREHOUSE: str = dataset.ref_models["warehouse"]
OFFICE: str = dataset.ashrae_models["office_small"]
REST: list[str] = sorted({*dataset.ref_models.values(), *dataset.ashrae_models.values()} - {WAREHOUSE, OFFICE})
NEW = b'{"Version":{"Version 1":{"version_identifier":"25.2"}},"Zone":{"A":{"multiplier":2}}}'


@pytest.fixture(scope="module")
def read() -> Model:
    return load_idf(WAREHOUSE)


@pytest.fixture
def warehouse(read: Model) -> Model:
    return read.copy()


@pytest.fixture
def idf_text() -> str:
    return Path(WAREHOUSE).read_text(encoding="utf-8")


def _survives_both_formats(path: str, folder: Path) -> None:
    model = load_idf(path)
    model.save(folder / "model.idf")
    model.save(folder / "model.epJSON")
    assert model.diff(load_idf(folder / "model.idf")) == []
    assert load_epjson(folder / "model.epJSON") == model == as_model(folder / "model.idf")
    assert model.version == "25.2"


@pytest.mark.parametrize("path", [WAREHOUSE, OFFICE], ids=lambda path: Path(path).stem)
def test_a_real_model_is_the_same_after_idf_and_epjson(path: str, tmp_path: Path):
    _survives_both_formats(path, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", REST, ids=lambda path: Path(path).stem)
def test_every_other_model_of_the_wheel_is_the_same_after_idf_and_epjson(path: str, tmp_path: Path):
    _survives_both_formats(path, tmp_path)


def test_models_are_read_from_a_bucket_and_written_there(moto: LocalServer, warehouse: Model):
    uri = f"s3://{make_bucket(moto)}/models"
    options: dict[str, Any] = {**moto.options, "endpoint": moto.endpoint}
    open_store(uri, **options).write("given.idf", Path(WAREHOUSE).read_bytes())
    assert load_idf(f"{uri}/given.idf", **options) == warehouse
    warehouse.save(f"{uri}/saved.epJSON", **options)
    assert load_epjson(f"{uri}/saved.epJSON", **options) == warehouse
    assert as_model(f"{uri}/saved.epJSON", **options).sha256 == warehouse.sha256


def test_types_names_and_fields_are_found_in_any_case(warehouse: Model):
    stucco = warehouse.get("MATERIAL", "1in stucco")
    assert (stucco.type, stucco.name) == ("Material", "1IN Stucco")
    assert stucco["Thermal Absorptance"] == stucco["thermal_absorptance"]
    assert "CONDUCTIVITY" in stucco
    assert warehouse.get("building").name.startswith("Ref Bldg Warehouse")
    assert warehouse.objects("no such type") == {}


def test_what_is_wrongly_named_is_told_with_what_was_meant(warehouse: Model):
    for names, meant in {("Materal",): "'Material'", ("Zone", "Ofice"): "'Office'"}.items():
        with pytest.raises(ModelError, match=r"RefBldgWarehouse.* has no") as caught:
            warehouse.get(*names)
        assert meant in caught.value.remedy
    with pytest.raises(ModelError, match="has 3 objects of the type 'Zone'"):
        warehouse.get("Zone")
    with pytest.raises(KeyError, match="has no field 'conductivty'") as missing:
        warehouse.get("Material", "1IN Stucco")["conductivty"]
    assert isinstance(missing.value, ModelError)
    assert "'conductivity'" in missing.value.remedy
    assert warehouse.get("Material", "1IN Stucco").get("nothing") is None


def test_changes_are_made_to_the_model_and_told_as_plain_data(warehouse: Model, read: Model):
    warehouse.set("material", "1IN STUCCO", Conductivity=0.9, thickness=2.0)
    warehouse.remove("Zone", "office")
    added = warehouse.add("output:meter", key_name="Gas:Facility")
    assert added.name == "Output:Meter 11"
    changes = {(change["type"], change["name"]): change for change in read.diff(warehouse)}
    assert changes.keys() == {("Material", "1IN Stucco"), ("Output:Meter", "Output:Meter 11"), ("Zone", "Office")}
    assert changes["Material", "1IN Stucco"]["fields"]["conductivity"] == [0.6918, 0.9]
    assert [change["change"] for change in changes.values()] == ["changed", "added", "removed"]
    with pytest.raises(ModelError, match="has 'Output:Meter' 'OUTPUT:METER 11' already"):
        warehouse.add("Output:Meter", "OUTPUT:METER 11")


def test_the_last_object_of_a_type_takes_the_type_with_it(warehouse: Model):
    warehouse.remove("Building")
    assert "Building" not in warehouse.types
    with pytest.raises(ModelError, match="has no 'Building'"):
        warehouse.remove("Building")


def test_a_value_that_is_not_json_is_refused_where_it_is_set(warehouse: Model):
    with pytest.raises(BadOptionError, match="'volume' of 'Zone' 'Office' is not JSON: inf"):
        warehouse.set("Zone", "Office", volume=float("inf"))


def test_a_document_of_idfkit_is_the_model_that_the_engine_reads(warehouse: Model):
    document = idfkit.load_idf(WAREHOUSE)
    assert as_model(document) == warehouse
    assert isinstance(as_document(document), Model)


def test_reading_models_does_not_import_idfkit():
    code = "import sys; from skyhold import load_epjson; from skyhold.simulation import as_model\n"
    code += "as_model({'Building': {}}); assert 'idfkit' not in sys.modules and 'pyarrow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_models_with_templates_are_read_by_the_extra_or_name_it(
    tmp_path: Path, idf_text: str, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "templates.idf"
    path.write_text(idf_text + "\nHVACTemplate:Thermostat,\n  All, , 20, , 24;\n")
    assert load_idf(path).get("HVACTemplate:Thermostat", "all")["constant_heating_setpoint"] == 20
    find = util.find_spec
    monkeypatch.setattr(
        "skyhold.simulation.model_source.find_spec", lambda name: None if name == "idfkit" else find(name)
    )
    with pytest.raises(MissingExtraError, match="'HVACTemplate:Thermostat' objects") as caught:
        load_idf(path)
    assert "skyhold[idf]" in caught.value.remedy


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("MediumRough,  ", "MediumRugh,  "), r"'roughness' \(line \d+\): \"MediumRugh\""),
        (("Version,", "Materiel, x;\nVersion,"), r"line \d+: \"Materiel\" is not a valid Object Type"),
    ],
)
def test_a_wrong_idf_is_told_with_file_and_line(change: tuple[str, str], problem: str, tmp_path: Path, idf_text: str):
    path = tmp_path / "wrong.idf"
    assert change[0] in idf_text
    path.write_text(idf_text.replace(*change, 1))
    with pytest.raises(ModelError, match=problem) as caught:
        load_idf(path)
    assert str(path) in str(caught.value)
    assert "skyhold-model-" not in str(caught.value)


def test_an_idf_of_a_version_that_is_not_there_is_refused_with_its_name(tmp_path: Path):
    path = tmp_path / "old.idf"
    path.write_text("! old\n  VERSION,\n    9.4;   !- Version Identifier\n")
    with pytest.raises(EngineError, match=r"old\.idf': there is no EnergyPlus 9\.4"):
        load_idf(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"! nothing but words\n", "there is no object in"),
        (b'{"Version": {"Version 1": ', "is not JSON: .* line 1, column 27"),
        (b'{"Zone": {"A": {}, "A": {}}}', "the name 'A' stands twice"),
        (b'{"Building": {"A": {"x": NaN}}}', "NaN is not a number"),
        (b'{"Building": {"\xff": {}}}', "is not UTF-8: .* at byte 15"),
        (b'{"wall": 1}', "no Version and no Building"),
        (b'{"Building": {"A": 1}}', "no Version and no Building"),
    ],
)
def test_a_file_that_is_no_model_is_told_by_its_name(content: bytes, problem: str, tmp_path: Path):
    path = tmp_path / "strange"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=problem) as caught:
        as_model(path)
    assert str(path) in str(caught.value)


def test_each_reader_refuses_the_others_format_and_what_is_not_there(tmp_path: Path):
    (tmp_path / "a.epJSON").write_bytes(b"\xef\xbb\xbf" + NEW)
    assert load_epjson(tmp_path / "a.epJSON").get("Zone", "a")["multiplier"] == 2
    with pytest.raises(ModelError, match="is JSON") as caught:
        load_idf(tmp_path / "a.epJSON")
    assert "load_epjson" in caught.value.remedy
    with pytest.raises(ModelError, match="does not begin as JSON"):
        load_epjson(WAREHOUSE)
    with pytest.raises(KeyNotFoundError, match=r"none\.idf"):
        load_idf(tmp_path / "none.idf")
    with pytest.raises(ModelError, match="a int is not a model"):
        as_model(3)
    with pytest.raises(ModelError, match="'Zone' does not hold objects by name"):
        as_model({"Zone": [1]})


def test_the_engine_checks_values_types_and_fields_that_it_would_drop_without_a_word(warehouse: Model):
    def refuse(change: Any, problem: str) -> ModelError:
        wrong = warehouse.copy()
        change(wrong)
        with pytest.raises(ModelError, match=problem) as caught:
            wrong.check()
        assert "RefBldgWarehouse" in str(caught.value)
        return caught.value

    warehouse.check()
    refuse(lambda model: model.set("Material", "1IN Stucco", conductivity=-2), "'conductivity': \"-2\"")
    error = refuse(lambda model: model.set("Zone", "Office", multiplyer=2), "Zone/Office/multiplyer")
    assert "'multiplier'" in error.remedy
    vertices = warehouse.get("BuildingSurface:Detailed", "BulkStorage_Floor")["vertices"]
    vertices[1]["vertex_w"] = 1
    refuse(lambda model: None, "BulkStorage_Floor/vertices/1/vertex_w")
    del vertices[1]["vertex_w"]
    error = refuse(lambda model: model.add("Materiel", "x", a=1), "has no type 'Materiel'")
    assert "'Material'" in error.remedy


def test_a_plan_is_checked_before_it_runs_and_its_models_can_be_looked_at(warehouse: Model):
    path = "Zone/Office/multiplyer"
    study = Study(warehouse, None, {"zones": Parameter(path, [1, 2], create=True), "Lights/*/fraction_radiant": [0.5]})
    with pytest.raises(ModelError, match="Zone/Office/multiplyer") as caught:
        study.plan().check()
    assert "Case: 'zones=1, Lights/*/fraction_radiant=0.5'" in caught.value.__notes__
    plan = Study(warehouse, None, {"LIGHTS/*/Fraction Radiant": [0.25]}).plan()
    plan.check()
    model = plan.cases.document(plan.cases[0])
    assert isinstance(model, Model)
    assert {light["fraction_radiant"] for light in model.objects("Lights").values()} == {0.25}
    model.remove("Building")
    assert "Building" in warehouse.types


def test_an_object_whose_type_has_no_names_may_be_called_anything(warehouse: Model):
    warehouse.add("Output:Variable", "mine", key_value="*", variable_name="Zone Air Temperature")
    warehouse.check()
    warehouse.set("Output:Variable", "mine", frequency="hourly")
    with pytest.raises(ModelError, match="Output:Variable/mine/frequency"):
        warehouse.check()


def test_an_engine_may_be_named(warehouse: Model):
    assert load_idf(WAREHOUSE, engine=find_engine()) == warehouse


def test_without_the_extra_a_model_can_still_be_read_from_epjson(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    real = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name.startswith(("pyenergyplus", "idfkit")):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    (tmp_path / "a.epJSON").write_bytes(NEW)
    model = as_model(tmp_path / "a.epJSON")
    model.save(tmp_path / "b.epJSON")
    assert load_epjson(tmp_path / "b.epJSON").to_bytes() == NEW
