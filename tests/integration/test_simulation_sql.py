"""Reading the database of real runs: right numbers at the right times, and errors that help."""

import datetime as dt
import math
import shutil
import sqlite3
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from skyhold.errors import BadOptionError, ResultError
from skyhold.simulation import sql
from skyhold.simulation.sql import SqlResults

_TEMPERATURE = "Zone Mean Air Temperature"


@pytest.fixture
def mixed(mixed_run: Path) -> SqlResults:
    return SqlResults(mixed_run)


@pytest.fixture
def damaged(mixed_run: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copy(mixed_run / "eplusout.sql", tmp_path / "eplusout.sql"))


def _change(path: Path, *statements: str) -> SqlResults:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount
    connection.close()
    return SqlResults(path)


def test_a_year_has_every_hour_and_every_value_bit_for_bit(warehouse_year: Path):
    with SqlResults(warehouse_year) as results:
        series = results.get_timeseries(_TEMPERATURE, "OFFICE")
    connection = sqlite3.connect(warehouse_year / "eplusout.sql")
    expected = connection.execute(
        "SELECT Value FROM ReportData JOIN ReportDataDictionary USING (ReportDataDictionaryIndex)"
        "WHERE Name = 'Zone Mean Air Temperature' AND KeyValue = 'OFFICE' ORDER BY TimeIndex"
    ).fetchall()
    connection.close()
    assert series.values == [value for (value,) in expected]
    assert series.units == "C"
    assert series.frequency == "hourly"
    first = series.timestamps[0]
    assert (first.month, first.day, first.hour) == (1, 1, 1)
    assert series.timestamps == [first + dt.timedelta(hours=hour) for hour in range(8760)]


def test_nothing_of_the_warm_up_and_of_design_days_is_among_the_run_periods(mixed: SqlResults):
    hourly = mixed.get_timeseries(_TEMPERATURE, "office", frequency="hourly")
    assert Counter(hourly.environments) == {"SPRING": 96, "AUTUMN": 72}
    assert (
        hourly.values == mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="Hourly", environment="annual").values
    )
    sizing = mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="hourly", environment="sizing")
    assert sorted(Counter(sizing.environments).values()) == [24, 24]
    both = mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="hourly", environment="all")
    assert Counter(both.values) == Counter(hourly.values) + Counter(sizing.values)
    spring = mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="hourly", environment="spring")
    assert len(spring) == 96
    with pytest.raises(ResultError, match="did you mean 'SPRING'"):
        mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="hourly", environment="sprin")


def test_a_run_of_design_days_alone_gives_them_unasked_and_no_year(warehouse_days: Path):
    results = SqlResults(warehouse_days)
    series = results.get_timeseries(_TEMPERATURE, "OFFICE")
    assert len(series) == 48
    assert {stamp.year for stamp in series.timestamps} == {2000}
    assert [each.is_run_period for each in results.list_environments()] == [False, False]
    with pytest.raises(ResultError, match="no run period was simulated") as caught:
        results.get_timeseries(_TEMPERATURE, "OFFICE", environment="annual")
    assert "annual=True" in caught.value.remedy


@pytest.mark.parametrize(("environment", "flags"), [("SPRING", [True] * 96), ("AUTUMN", [True] * 24 + [False] * 48)])
def test_where_the_clock_changes_no_hour_is_missing_or_doubled(mixed: SqlResults, environment: str, flags: list[bool]):
    series = mixed.get_timeseries("Site Outdoor Air Drybulb Temperature", frequency="hourly", environment=environment)
    stamps = series.timestamps
    assert {after - before for before, after in pairwise(stamps)} == {dt.timedelta(hours=1)}
    assert stamps[23].time() == dt.time(0)
    assert stamps[23].date() == stamps[0].date() + dt.timedelta(days=1)
    assert series.to_arrow()["is_dst"].to_pylist() == flags


def test_steps_of_the_systems_are_uneven_and_fill_the_time(mixed: SqlResults):
    detailed = mixed.get_timeseries(
        "Air System Outdoor Air Flow Fraction", "FURNACE_PACU_CAV_1:1", environment="AUTUMN"
    )
    assert detailed.frequency == "detailed"
    minutes = detailed.to_arrow()["interval_min"].to_pylist()
    assert len(set(minutes)) > 1
    assert sum(minutes) == 3 * 24 * 60
    passed = [dt.timedelta(minutes=sum(minutes[:count])) for count in range(1, len(minutes) + 1)]
    start = detailed.timestamps[0] - dt.timedelta(minutes=minutes[0])
    assert detailed.timestamps == [start + each for each in passed]


def test_coarse_values_stand_at_the_end_of_what_they_are_of(mixed: SqlResults):
    daily = mixed.get_timeseries("Electricity:Facility", frequency="daily", environment="SPRING")
    hourly = mixed.get_timeseries("Electricity:Facility", frequency="hourly", environment="SPRING")
    assert daily.timestamps == hourly.timestamps[23::24]
    assert daily.values == [pytest.approx(sum(hourly.values[day : day + 24])) for day in range(0, 96, 24)]
    whole = mixed.get_timeseries("Electricity:Facility", frequency="Run Period", environment="SPRING")
    assert whole.timestamps == hourly.timestamps[-1:]
    assert whole.values == [pytest.approx(sum(hourly.values))]


def test_a_name_that_was_not_reported_is_answered_with_near_ones(mixed: SqlResults):
    with pytest.raises(ResultError, match=f"'Zone Mean Temperature' was not reported; did you mean '{_TEMPERATURE}'"):
        mixed.get_timeseries("Zone Mean Temperature")
    with pytest.raises(ResultError, match="for the key 'OFICE'; did you mean 'OFFICE'"):
        mixed.get_timeseries(_TEMPERATURE, "OFICE")
    with pytest.raises(ResultError, match="3 keys: 'BULKSTORAGE', 'FINESTORAGE', 'OFFICE'"):
        mixed.get_timeseries(_TEMPERATURE, "*")
    with pytest.raises(ResultError, match="was not reported daily, but hourly"):
        mixed.get_timeseries("Fans:Electricity", frequency="daily")
    with pytest.raises(BadOptionError, match="'weekly' is none of"):
        mixed.get_timeseries("Fans:Electricity", frequency="weekly")


def test_a_wide_table_has_a_column_each_with_its_unit(mixed: SqlResults):
    table = mixed.to_arrow([_TEMPERATURE, "Electricity:Facility"], frequency="hourly")
    assert table.column_names[5:] == [
        "Electricity:Facility [J]",
        *(f"{zone}:{_TEMPERATURE} [C]" for zone in ("BULKSTORAGE", "FINESTORAGE", "OFFICE")),
    ]
    told = table.schema.field("OFFICE:Zone Mean Air Temperature [C]").metadata
    assert told[b"unit"] == b"C"
    assert told[b"key"] == b"OFFICE"
    assert table["OFFICE:Zone Mean Air Temperature [C]"].to_pylist() == (
        mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="hourly").values
    )


def test_a_wide_table_of_uneven_steps_leaves_cells_empty_and_a_long_one_none(mixed: SqlResults):
    names = [_TEMPERATURE, "Air System Outdoor Air Flow Fraction"]
    wide = mixed.to_arrow(names, frequency="detailed", environment="all")
    long = mixed.to_arrow(names, frequency="detailed", environment="all", layout="long")
    empty = sum(wide[name].null_count for name in wide.column_names[5:])
    assert empty > 0
    assert len(long) == len(wide) * 5 - empty
    zone = long.filter(pc.equal(long["key"], "OFFICE"))
    series = mixed.get_timeseries(_TEMPERATURE, "OFFICE", frequency="detailed", environment="all")
    assert zone["value"].to_pylist() == series.values
    assert zone["timestamp"].to_pylist() == series.timestamps
    assert set(zone["unit"].to_pylist()) == {"C"}


def test_cells_of_tables_are_found_by_name_with_unit_and_number(warehouse_year: Path):
    results = SqlResults(warehouse_year)
    found = results.get_tabular_data("annualbuildingutilityperformancesummary", "end uses", "heating", "natural gas")
    assert [(row.row, row.column, row.units, row.for_) for row in found] == [
        ("Heating", "Natural Gas", "GJ", "Entire Facility")
    ]
    assert found.number == float(found[0].value) > 100
    rows = results.get_tabular_data(table="End Uses", column="Electricity", for_="Entire Facility")
    assert isinstance(rows.to_arrow(), pa.Table)
    assert rows[0] in list(rows[:2])
    with pytest.raises(ResultError, match="cells have these names"):
        _ = rows.number
    with pytest.raises(
        ResultError, match="no cell has the row 'Heatin' within table 'End Uses'; did you mean 'Heating'"
    ):
        results.get_tabular_data(table="End Uses", row="Heatin")
    assert "AnnualBuildingUtilityPerformanceSummary" in results.list_reports()


def test_a_model_that_asks_for_simple_has_no_tables_and_is_told_the_remedy(warehouse_days: Path):
    results = SqlResults(warehouse_days)
    for ask in (results.get_tabular_data, results.list_reports):
        with pytest.raises(ResultError, match="Output:SQLite 'Simple'") as caught:
            ask()
        assert "SimpleAndTabular" in caught.value.remedy


def test_a_file_that_is_absent_cut_or_another_is_named(damaged: Path, tmp_path: Path):
    with pytest.raises(ResultError, match="there is no"):
        SqlResults(tmp_path / "nowhere.sql")
    (tmp_path / "text.sql").write_text("not a database")
    with pytest.raises(ResultError, match=r"text\.sql.*not a database"):
        SqlResults(tmp_path / "text.sql")
    (tmp_path / "cut.sql").write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    with pytest.raises(ResultError, match=r"cut\.sql"):
        results = SqlResults(tmp_path / "cut.sql")
        results.read_wide(results.list_variables())
    (tmp_path / "empty.sql").write_bytes(b"")
    with pytest.raises(ResultError, match="ReportDataDictionary"):
        SqlResults(tmp_path / "empty.sql")


def test_reading_leaves_nothing_beside_the_file_whatever_its_name(damaged: Path):
    odd = damaged.parent / "100% a?b#c"
    odd.mkdir()
    path = Path(shutil.copy(damaged, odd / "x.sql"))
    results = SqlResults(path)
    assert len(results.list_variables()) > 50
    assert [each.name for each in odd.iterdir()] == ["x.sql"]


_ROW = (
    "(SELECT {}(ReportDataIndex) FROM ReportData JOIN ReportDataDictionary USING (ReportDataDictionaryIndex)"
    " WHERE Name = '{}')"
)


def test_what_the_engine_could_not_compute_is_nan_and_what_is_infinite_stays(damaged: Path):
    last, first = _ROW.format("MAX", "Fans:Electricity"), _ROW.format("MIN", "Fans:Electricity")
    absent = _change(damaged, f"UPDATE ReportData SET Value = NULL WHERE ReportDataIndex = {last}")
    values = absent.get_timeseries("Fans:Electricity", environment="all").values
    assert len(values) == 48 + 96 + 72
    assert [math.isnan(value) for value in values] == [False] * 215 + [True]
    both = _change(damaged, f"UPDATE ReportData SET Value = 9e999 WHERE ReportDataIndex = {first}")
    tables = both.read_wide(both.list_variables())["hourly"]["Fans:Electricity [J]"].to_pylist()
    assert sum(map(math.isnan, tables)) == 1
    infinite = _change(damaged, f"UPDATE ReportData SET Value = 9e999 WHERE ReportDataIndex = {last}")
    assert infinite.get_timeseries("Fans:Electricity").values[-1] == math.inf


def test_series_that_lack_different_rows_keep_each_value_at_its_time(damaged: Path):
    names = ("Fans:Electricity", "Cooling:Electricity")
    whole = SqlResults(damaged).to_arrow(names, frequency="hourly", environment="all").to_pylist()
    cut = _change(
        damaged,
        f"DELETE FROM ReportData WHERE ReportDataIndex = {_ROW.format('MAX', names[1])}",
        f"DELETE FROM ReportData WHERE ReportDataIndex = (SELECT MIN(ReportDataIndex) FROM ReportData JOIN "
        f"ReportDataDictionary USING (ReportDataDictionaryIndex) JOIN Time USING (TimeIndex) "
        f"WHERE Name = '{names[0]}' AND COALESCE(WarmupFlag, 0) = 0)",
    )
    whole[0]["Fans:Electricity [J]"] = None
    whole[-1]["Cooling:Electricity [J]"] = None
    assert cut.to_arrow(names, frequency="hourly", environment="all").to_pylist() == whole


def test_names_of_another_encoding_are_read(damaged: Path):
    results = _change(
        damaged,
        "UPDATE ReportDataDictionary SET KeyValue = CAST(X'42DC524F' AS TEXT) WHERE KeyValue = 'OFFICE'",
    )
    assert len(results.get_timeseries(_TEMPERATURE, "büro", frequency="hourly")) == 168


def test_two_variables_of_one_name_stay_two(damaged: Path):
    results = _change(
        damaged,
        "UPDATE ReportDataDictionary SET KeyValue = 'OFFICE' WHERE KeyValue = 'FINESTORAGE'",
        "UPDATE ReportDataDictionary SET KeyValue = 'OFFICE', ScheduleName = 'ALWAYS' WHERE KeyValue = 'BULKSTORAGE'",
    )
    table = results.to_arrow([_TEMPERATURE], frequency="hourly")
    assert table.column_names[5:] == [
        "OFFICE:Zone Mean Air Temperature by ALWAYS [C]",
        "OFFICE:Zone Mean Air Temperature [C]",
        "OFFICE:Zone Mean Air Temperature [C] (2)",
    ]
    assert len({tuple(table[name].to_pylist()) for name in table.column_names[5:]}) == 3


def test_a_database_is_read_in_parts_as_in_one(mixed_run: Path, monkeypatch: pytest.MonkeyPatch):
    whole = SqlResults(mixed_run)
    expected = whole.read_wide(whole.list_variables())
    monkeypatch.setattr(sql, "_ROWS_AT_ONCE", 1000)
    parts = SqlResults(mixed_run)
    assert parts.read_wide(parts.list_variables()) == expected
