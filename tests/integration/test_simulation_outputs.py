"""Keeping what was asked for of real runs: nothing lost, little space, few requests."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import make_bucket
from energyplus_runs import run_document
from skyhold.errors import BadOptionError, ResultError
from skyhold.simulation.kept import KeptResults
from skyhold.simulation.outputs import OutputSelection, keep_outputs, request_outputs
from skyhold.simulation.selection import TabularValue
from skyhold.simulation.simulator import Quantity
from skyhold.simulation.sql import SqlResults
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import MeteredStore
from skyhold.testing.servers import LocalServer

_TEMPERATURE = "Zone Mean Air Temperature"
_SUMMARY = "AnnualBuildingUtilityPerformanceSummary"


@pytest.fixture(scope="session")
def kept_year(warehouse_year: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("kept-year")
    keep_outputs(warehouse_year, target, OutputSelection())
    return target


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _bits(table: pa.Table) -> dict[str, Any]:
    """Return every number as the bits that it is made of, so that NaN is itself, and what says what the columns are."""
    columns = {
        name: column.view(pa.int64())
        if column.type == pa.float64()
        else column.cast(pa.string() if pa.types.is_dictionary(column.type) else column.type)
        for name in table.column_names
        for column in [table[name].combine_chunks()]
    }
    return {name: (column, table.schema.field(name).metadata) for name, column in columns.items()}


@pytest.mark.parametrize(
    "run",
    ["mixed_run", pytest.param("warehouse_year", marks=pytest.mark.slow, id="warehouse_year"), "warehouse_days"],
)
def test_what_is_kept_answers_as_the_database_does_bit_for_bit(
    run: str, tmp_path: Path, request: pytest.FixtureRequest
):
    folder: Path = request.getfixturevalue(run)
    keep_outputs(folder, tmp_path, OutputSelection())
    kept = KeptResults.open(str(tmp_path))
    with SqlResults(folder) as database:
        variables = kept.list_variables()
        reported = {each.frequency for each in variables}
        assert set(variables) == {each for each in database.list_variables() if each.frequency in reported}
        assert kept.list_environments() == database.list_environments()
        expected = database.read_wide(variables)
        assert {name: _bits(table) for name, table in kept.read_wide(variables).items()} == {
            name: _bits(table) for name, table in expected.items()
        }
        if database.has_tables:
            assert _bits(kept.get_tabular_data().to_arrow()) == _bits(database.get_tabular_data().to_arrow())
            assert kept.list_reports() == database.list_reports()


def test_one_variable_of_many_has_its_own_rows_alone(mixed_run: Path, tmp_path: Path):
    keep_outputs(mixed_run, tmp_path, OutputSelection())
    kept = KeptResults.open(str(tmp_path))
    with SqlResults(mixed_run) as database:
        for names in ([_TEMPERATURE], [_TEMPERATURE, "Air System Outdoor Air Flow Fraction"]):
            assert _bits(kept.to_arrow(names)) == _bits(database.to_arrow(names))
        for outputs in (database, kept):
            series = outputs.get_timeseries(_TEMPERATURE, "OFFICE", frequency="detailed")
            assert len(series) == 7 * 24 * 6
            assert all(isinstance(value, float) for value in series.values)


def test_a_warehouse_year_takes_little_space(kept_year: Path):
    sizes = {name: len(data) for name, data in _bytes_of(kept_year).items()}
    assert set(sizes) == {"tables.parquet", "timeseries-hourly.parquet", "timeseries-monthly.parquet"}
    assert sizes["timeseries-hourly.parquet"] < 560_000
    assert sum(sizes.values()) < 700_000


def test_the_same_database_gives_the_same_bytes_and_so_do_two_runs(
    mixed_model: dict[str, Any], mixed_run: Path, tmp_path: Path
):
    again = run_document(mixed_model, tmp_path)
    for name, folder in {"a": mixed_run, "b": mixed_run, "c": again}.items():
        keep_outputs(folder, tmp_path / name, OutputSelection())
    first = _bytes_of(tmp_path / "a")
    assert _bytes_of(tmp_path / "b") == first
    # The tables tell the time of day at which the engine ran.
    assert {name for name, data in _bytes_of(tmp_path / "c").items() if data != first[name]} <= {"tables.parquet"}


def test_reading_fetches_only_what_is_asked_for_and_once(moto: LocalServer, kept_year: Path):
    bucket = make_bucket(moto)
    plain = open_store(f"s3://{bucket}", **moto.options)
    for name, data in _bytes_of(kept_year).items():
        plain.write(f"out/7/{name}", data)
    store = MeteredStore(plain)
    kept = KeptResults(store, "out/7/")
    assert kept.get_tabular_data(_SUMMARY, "End Uses", "Heating", "Natural Gas").number
    assert store.meter.usage.requests["read"] == 1
    series = kept.get_timeseries(_TEMPERATURE, "OFFICE")
    assert len(series) == 8760
    assert store.meter.usage.requests == {"read": 4, "write": 0, "list": 0, "delete": 0}
    assert store.meter.usage.bytes_in < 400_000
    before = store.meter.usage
    assert kept.get_timeseries(_TEMPERATURE, "OFFICE").values == series.values
    assert kept.get_tabular_data(_SUMMARY, "Building Area")
    assert store.meter.usage == before


def test_threads_share_what_is_kept(kept_year: Path):
    kept, labels = KeptResults.open(str(kept_year)), ("BULKSTORAGE", "FINESTORAGE", "OFFICE")
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda zone: kept.get_timeseries(_TEMPERATURE, zone).values, labels * 4))
    alone = [KeptResults.open(str(kept_year)).get_timeseries(_TEMPERATURE, zone).values for zone in labels]
    assert found == alone * 4


def test_where_nothing_was_kept_the_error_says_so(tmp_path: Path, kept_year: Path):
    with pytest.raises(ResultError, match=r"no outputs were kept at .*tables\.parquet"):
        KeptResults.open(str(tmp_path))
    (tmp_path / "tables.parquet").write_bytes(b"no Parquet")
    with pytest.raises(ResultError, match=r"tables\.parquet"):
        KeptResults.open(str(tmp_path))
    shutil.copy(kept_year / "timeseries-hourly.parquet", tmp_path / "tables.parquet")
    with pytest.raises(ResultError, match="not what a run of this version keeps"):
        KeptResults.open(str(tmp_path))


def test_float32_takes_less_space_and_is_near(warehouse_year: Path, kept_year: Path, tmp_path: Path):
    keep_outputs(warehouse_year, tmp_path, OutputSelection(dtype="float32"))
    small, exact = KeptResults.open(str(tmp_path)), KeptResults.open(str(kept_year))
    assert small.get_timeseries(_TEMPERATURE, "OFFICE").values == pytest.approx(
        exact.get_timeseries(_TEMPERATURE, "OFFICE").values, rel=1e-6
    )
    name = "timeseries-hourly.parquet"
    assert (tmp_path / name).stat().st_size < 0.75 * (kept_year / name).stat().st_size


def test_a_selection_keeps_what_it_names(mixed_run: Path, tmp_path: Path):
    selection = OutputSelection(
        variables=["office:zone mean*", "Site Outdoor Air Drybulb Temperature", "Nothing*"],
        meters=["Electricity:Facility"],
        tables=[_SUMMARY],
        values={"occupants": TabularValue("InputVerificationandResultsSummary", "General", "Weather File", "Value")},
        raw=["eplusout.err", "*.eio"],
    )
    kept = keep_outputs(mixed_run, tmp_path, selection.to_json())
    assert {"eplusout.eio", "eplusout.err", "tables.parquet", "timeseries-hourly.parquet"} <= set(kept.files)
    assert list(kept.files) == sorted(_bytes_of(tmp_path))
    assert (tmp_path / "eplusout.err").read_bytes() == (mixed_run / "eplusout.err").read_bytes()
    results = KeptResults.open(str(tmp_path))
    assert {(each.key, each.name) for each in results.list_variables()} == {
        ("OFFICE", _TEMPERATURE),
        ("Environment", "Site Outdoor Air Drybulb Temperature"),
        ("", "Electricity:Facility"),
    }
    assert results.list_reports() == (_SUMMARY,)
    assert "Chicago" in str(kept.values["occupants"].value)


def test_everything_is_every_file_of_the_engine_and_not_the_kept_ones(mixed_run: Path, tmp_path: Path):
    folder = tmp_path / "run"
    shutil.copytree(mixed_run, folder)
    (folder / "sub").mkdir()
    (folder / "sub" / "more.csv").write_text("1")
    kept = keep_outputs(folder, folder / "kept", OutputSelection(everything=True))
    own = {name for name in kept.files if name.endswith(".parquet")}
    assert set(kept.files) - own == {*_bytes_of(mixed_run), "sub/more.csv"}


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ({"variables": ["Zone Mean Temperature"]}, f"variable 'Zone Mean Temperature'.*did you mean '{_TEMPERATURE}'"),
        ({"variables": ["ATTIC:Zone Mean Air Temperature"]}, "'ATTIC:Zone Mean Air Temperature' was not reported"),
        ({"meters": ["Electricity:Facilty"]}, "meter 'Electricity:Facilty'.*did you mean 'Electricity:Facility'"),
        ({"tables": ["EnvelopSummary"]}, "report 'EnvelopSummary'.*did you mean 'EnvelopeSummary'"),
        ({"raw": ["eplusout.csv"]}, "left no 'eplusout.csv'"),
        ({"values": {"x": {"report": _SUMMARY, "table": "End Uses", "row": "Lift", "column": "Water"}}}, "row 'Lift'"),
    ],
)
def test_what_was_asked_for_and_is_not_there_is_named(
    mixed_run: Path, tmp_path: Path, selection: dict[str, Any], told: str
):
    with pytest.raises(ResultError, match=told):
        keep_outputs(mixed_run, tmp_path, selection)


@pytest.mark.parametrize(
    ("build", "told"),
    [
        (lambda: OutputSelection.from_json({"variable": []}), "no 'variable'; did you mean 'variables'"),
        (lambda: OutputSelection(variables="Zone Mean Air Temperature"), "is not a list of names"),
        (lambda: OutputSelection(dtype="float16"), "float16"),  # pyright: ignore[reportArgumentType]
        (lambda: OutputSelection(frequency="weekly"), "weekly"),
        (lambda: OutputSelection.from_json({"values": {"x": {"report": "R"}}}), "are not cells of tables"),
        (lambda: OutputSelection(raw=None), "raw=None"),  # pyright: ignore[reportArgumentType]
    ],
)
def test_a_selection_that_cannot_be_is_refused(build: Callable[[], OutputSelection], told: str):
    with pytest.raises(BadOptionError, match=told):
        build()


def test_a_selection_is_plain_json_and_the_same_for_the_same():
    selection = OutputSelection(
        variables=("a",),
        raw=["*.err"],
        values={"b": TabularValue("R", "T", "r", "c"), "a": TabularValue("R", "T", "r", "d")},
    )
    plain = json.loads(json.dumps(selection.to_json()))
    assert OutputSelection.from_json(plain) == selection
    assert plain == OutputSelection.from_json(plain).to_json()
    turned = OutputSelection(variables=["a"], raw=("*.err",), values=dict(reversed(list(selection.values.items()))))
    assert json.dumps(turned.to_json()) == json.dumps(selection.to_json())


def test_asking_for_outputs_leaves_the_model_and_asks_once(warehouse: dict[str, Any]):
    before = deepcopy(warehouse)
    selection = OutputSelection(
        variables=["Zone Air Relative Humidity", "OFFICE:Zone Mean Air Temperature", "Site*", "*:Fan Electricity Rate"],
        meters=["Electricity:Facility", "Pumps:Electricity"],
        frequency="timestep",
    )
    asked = request_outputs(warehouse, selection)
    assert warehouse == before
    assert request_outputs(asked, selection.to_json()) == asked
    new = {
        kind: [value for name, value in asked[kind].items() if name not in before[kind]]
        for kind in ("Output:Variable", "Output:Meter")
    }
    assert [
        (each["key_value"], each["variable_name"], each["reporting_frequency"]) for each in new["Output:Variable"]
    ] == [
        ("*", "Zone Air Relative Humidity", "Timestep"),
        ("OFFICE", _TEMPERATURE, "Timestep"),
        ("*", "Fan Electricity Rate", "Timestep"),
    ]
    assert [each["key_name"] for each in new["Output:Meter"]] == ["Electricity:Facility", "Pumps:Electricity"]
    assert request_outputs({}, OutputSelection())["Output:SQLite"] == {
        "Output:SQLite 1": {"option_type": "SimpleAndTabular"}
    }


def test_what_is_asked_for_is_reported_by_the_engine_without_new_warnings(
    warehouse: dict[str, Any], warehouse_days: Path, tmp_path: Path
):
    selection = OutputSelection(
        variables=["Zone Air Relative Humidity"], meters=["Electricity:Facility"], frequency="daily"
    )
    out = run_document(request_outputs(warehouse, selection), tmp_path, "-D")
    with SqlResults(out) as results:
        assert len(results.get_timeseries("Zone Air Relative Humidity", "OFFICE", frequency="daily")) == 2
        assert len(results.get_timeseries("Electricity:Facility", frequency="daily")) == 2
    warnings = [
        sum("** Warning **" in line for line in (each / "eplusout.err").read_text().splitlines())
        for each in (out, warehouse_days)
    ]
    assert warnings[0] == warnings[1]


def _values(folder: Path, target: Path) -> dict[str, Quantity]:
    return dict(keep_outputs(folder, target, OutputSelection()).values)


def test_values_are_those_of_the_tables_in_si_units_and_exact_where_meters_are(warehouse_year: Path, tmp_path: Path):
    values = _values(warehouse_year, tmp_path)
    results = SqlResults(warehouse_year)
    meters = {
        name: sum(results.get_timeseries(name, frequency="hourly").values)
        for name in ("Heating:NaturalGas", "Electricity:Facility", "Fans:Electricity")
    }
    heat, fans, power = (meters[name] for name in ("Heating:NaturalGas", "Fans:Electricity", "Electricity:Facility"))
    site = results.get_tabular_data(_SUMMARY, "Site and Source Energy", "Total Site Energy", "Total Energy").number
    expected = {
        "end_use.heating.natural_gas": (heat, "J"),
        "end_use.heating": (heat, "J"),
        "end_use.fans": (fans, "J"),
        "end_use.pumps": (0.0, "J"),
        "fuel.electricity": (power, "J"),
        "site_energy": (power + heat, "J"),
        "site_eui": ((power + heat) / 4835.13, "J/m2"),
        "floor_area": (4835.13, "m2"),
        "source_energy": (4242.61e9, "J"),
        "unmet_hours.occupied_heating": (0.17, "h"),
        "discomfort_hours": (1809.5, "h"),
        "peak.electricity": (84421.83, "W"),
    }
    for name, (number, unit) in expected.items():
        assert (values[name].value, values[name].unit) == (pytest.approx(number, rel=1e-12), unit), name
    assert power + heat == pytest.approx((site or 0.0) * 1e9, abs=1e7)
    assert "end_use.pumps.electricity" not in values
    assert list(values) == sorted(values)


def test_a_run_of_design_days_has_no_energies_that_would_be_zeros(warehouse_days: Path, tmp_path: Path):
    values = _values(warehouse_days, tmp_path)
    assert set(values) == {"peak.electricity", "peak.natural_gas"}
    assert values["peak.electricity"].value == pytest.approx(89375.1, abs=0.1)


@pytest.mark.parametrize("conversion", ["InchPound", "JtoKWH"])
def test_values_are_in_si_units_whatever_the_tables_show(
    mixed_model: dict[str, Any], mixed_run: Path, tmp_path: Path, conversion: str
):
    asked = {"Output:SQLite 1": {"option_type": "SimpleAndTabular", "unit_conversion_for_tabular_data": conversion}}
    out = run_document({**mixed_model, "Output:SQLite": asked, "Output:Meter": {}}, tmp_path)
    bare, expected = _values(out, tmp_path / "kept"), _values(mixed_run, tmp_path / "expected")
    assert set(bare) >= {"end_use.heating.natural_gas", "site_eui", "source_energy", "floor_area", "peak.electricity"}
    for name, value in bare.items():
        if not name.startswith("peak."):
            assert value.unit == expected[name].unit, name
            assert value.value == pytest.approx(expected[name].value, rel=2e-3, abs=2e6), name
    assert bare["peak.electricity"].unit == "W"


def test_raw_files_alone_need_no_database(tmp_path: Path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "eplusout.err").write_text("fatal")
    kept = keep_outputs(
        tmp_path / "run", tmp_path / "kept", OutputSelection(variables=[], meters=[], tables=[], raw=["*.err", "*.end"])
    )
    assert kept.files == ("eplusout.err",)
    with pytest.raises(ResultError, match=r"there is no .*eplusout\.sql"):
        keep_outputs(tmp_path / "run", tmp_path / "other", OutputSelection())


def test_a_database_that_ends_early_is_kept_by_nobody(mixed_run: Path, tmp_path: Path):
    shutil.copy(mixed_run / "eplusout.sql", tmp_path / "eplusout.sql")
    with sqlite3.connect(tmp_path / "eplusout.sql") as connection:
        connection.execute("DROP TABLE EnvironmentPeriods")
    connection.close()
    with pytest.raises(ResultError, match="cannot be read as EnergyPlus's results"):
        keep_outputs(tmp_path, tmp_path / "kept", OutputSelection())
