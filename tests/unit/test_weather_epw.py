"""EPW files: the real ones of the wheel, and broken, sub-hourly and leap ones made from them."""

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from skyhold.errors import KeyNotFoundError, WeatherError
from skyhold.storage.opening import open_store
from skyhold.weather import read_epw, read_epw_header
from skyhold.weather.cells import Cells, MonthDay
from skyhold.weather.design_conditions import parse_design_conditions
from skyhold.weather.epw import parse_epw
from weather_files import CHICAGO, hourly_rows, make_epw, weather_files


@pytest.fixture(scope="module")
def chicago() -> pa.Table:
    return read_epw(CHICAGO).to_arrow()


def test_the_header_says_where_the_file_is_from_and_what_its_rows_stand_for():
    header = read_epw_header(CHICAGO)
    place = header.location
    assert (place.city, place.state, place.country) == ("Chicago Ohare Intl Ap", "IL", "USA")
    assert (place.source, place.wmo) == ("TMY3", "725300")
    assert (place.latitude, place.longitude, place.time_zone_h, place.elevation_m) == (41.98, -87.92, -6.0, 201.0)
    assert header.records_per_hour == 1
    assert [(str(period.start), str(period.end)) for period in header.data_periods] == [("--01-01", "--12-31")]
    assert header.data_periods[0].start_weekday == 6
    assert [period.kind for period in header.typical_periods].count("Extreme") == 2
    assert header.typical_periods[2].end == MonthDay(2, 2)
    assert [depth.depth_m for depth in header.ground_temperatures] == [0.5, 2.0, 4.0]
    assert header.ground_temperatures[0].monthly_c[7] == 22.94
    assert header.ground_temperatures[0].conductivity_w_mk is None
    assert "TMY Data Set (2008)" in header.comments[0]
    assert not header.holidays.is_leap_year_observed


def test_design_conditions_have_names_with_shares_and_units():
    (found,) = read_epw_header(CHICAGO).design_conditions
    assert found.title == "Climate Design Data 2009 ASHRAE Handbook"
    assert found.heating["dry_bulb_99.6_c"] == -20.0
    assert found.heating["coincident_wind_direction_99.6_deg"] == 270
    assert (found.cooling["dry_bulb_0.4_c"], found.cooling["coincident_wet_bulb_0.4_c"]) == (33.3, 23.7)
    assert found.cooling["hours_8_to_4_12.8_to_20.6_c"] == 617
    assert found.cooling["dehumidification_dew_point_0.4_c"] == 23.8
    assert found.extremes["dry_bulb_max_in_50_years_c"] == 40.9
    assert found.raw["heating"][1] == "-20"


def test_several_sets_of_design_conditions_stay_apart_and_unknown_layouts_have_no_names():
    heating = ",".join(["Heating", "1", "-20", "N/A", "", *["3"] * 11])
    line = f"DESIGN CONDITIONS,2,First source,,{heating},Cooling,7,30,,,Second source,,Heating,1,2,3"
    first, second = parse_design_conditions(Cells.cut("x.epw", 2, line))
    assert (first.title, second.title) == ("First source", "Second source")
    assert (first.heating["dry_bulb_99.6_c"], first.heating["dry_bulb_99.0_c"]) == (-20.0, None)
    assert first.cooling == second.heating == {}
    assert second.raw["heating"] == ("1", "2", "3")
    assert parse_design_conditions(Cells.cut("x.epw", 2, "DESIGN CONDITIONS,0,,")) == ()


def test_every_file_of_the_wheel_is_a_whole_year_of_hours():
    assert len(weather_files) == 16
    for path in weather_files.values():
        table = read_epw(path).to_arrow()
        times = table["time"].to_pylist()
        assert times == [times[0] + timedelta(hours=hour) for hour in range(8760)]
        assert (times[0].month, times[0].day, times[0].hour) == (1, 1, 0)
        assert table["dry_bulb_c"].null_count == 0


def test_the_table_has_units_and_the_files_own_values(chicago: pa.Table):
    assert chicago.schema.field("dry_bulb_c").metadata == {b"unit": "°C".encode(), b"title": b"Dry Bulb Temperature"}
    assert chicago.schema.field("wind_speed_m_s").metadata[b"unit"] == b"m/s"
    assert chicago.schema.field("time").metadata[b"utc_offset_h"] == b"-6"
    assert chicago.schema.metadata[b"wmo"] == b"725300"
    first, last = chicago.slice(0, 1).to_pylist()[0], chicago.slice(8759).to_pylist()[0]
    assert (first["year"], first["month"], first["day"], first["hour"], first["minute"]) == (1986, 1, 1, 1, 0)
    assert (first["dry_bulb_c"], first["dew_point_c"], first["pressure_pa"]) == (-12.2, -16.1, 99500.0)
    assert (last["year"], last["hour"], last["liquid_precipitation_mm"]) == (1981, 24, None)
    assert first["data_flags"].startswith("?9?9?9?9E0")
    assert first["time"] == datetime(2017, 1, 1)  # noqa: DTZ001 - local standard time
    assert datetime(2017, 1, 1).weekday() == 6  # noqa: DTZ001 - the weekday that the header announces


def test_only_the_value_that_means_not_measured_becomes_null(chicago: pa.Table):
    assert chicago["present_weather_codes"].null_count == chicago["present_weather_observation"].null_count == 8760
    raw = [row.split(",") for row in Path(CHICAGO).read_text().splitlines()[8:]]
    missing = sum(float(row[32]) == 999 for row in raw)
    assert 0 < chicago["albedo"].null_count == missing < 8760
    assert chicago["zenith_luminance_cd_m2"].to_pylist() == [float(row[19]) for row in raw]
    assert max(chicago["ceiling_height_m"].to_pylist()) == 77777


def test_any_arrow_library_reads_the_table():
    epw = read_epw(CHICAGO)
    assert pa.table(epw).num_rows == len(epw) == 8760
    assert "Chicago" in repr(epw)


def test_a_typical_year_can_be_told_as_any_year():
    epw = read_epw(CHICAGO)
    assert epw.to_arrow(year=2026)["time"][8759].as_py() == datetime(2026, 12, 31, 23)  # noqa: DTZ001


@pytest.mark.parametrize("year", [2015, 2016])
def test_real_years_keep_their_own_time(year: int):
    weekday = datetime(year, 1, 1).strftime("%A")  # noqa: DTZ001
    data = make_epw(hourly_rows(year), periods=f"1,1,Data,{weekday},1/1,12/31")
    times = parse_epw(data, "real.epw").to_arrow()["time"].to_pylist()
    assert (times[0], times[-1]) == (datetime(year, 1, 1), datetime(year, 12, 31, 23))  # noqa: DTZ001
    assert len(times) == (8784 if year == 2016 else 8760)


def test_a_leap_day_in_a_typical_year_gets_a_leap_year_and_refuses_another():
    rows = hourly_rows(2016)
    rows[:4000] = [row.replace("2016", "1999", 1) for row in rows[:4000]]
    epw = parse_epw(make_epw(rows, periods="1,1,Data,Friday,1/1,12/31"), "leap.epw")
    assert epw.to_arrow()["time"][0].as_py() == datetime(2016, 1, 1)  # noqa: DTZ001
    with pytest.raises(WeatherError, match="2/29, which the year 2015 has not"):
        epw.to_arrow(year=2015)


def test_quarters_of_an_hour_begin_where_they_stand():
    rows = hourly_rows(2015, minutes=(15, 30, 45, 60))
    epw = parse_epw(make_epw(rows, periods="1,4,Data,Thursday,1/1,12/31"), "quarters.epw")
    times = epw.to_arrow()["time"].to_pylist()
    assert len(times) == 4 * 8760
    assert times[:5] == [datetime(2015, 1, 1) + timedelta(minutes=15 * number) for number in range(5)]  # noqa: DTZ001


def test_a_period_may_cross_the_new_year():
    rows = hourly_rows(2015, days=[(2015, 12, 30), (2015, 12, 31), (2016, 1, 1)])
    epw = parse_epw(make_epw(rows, periods="1,1,Data,Wednesday,12/30,1/1"), "winter.epw")
    assert epw.to_arrow()["time"][-1].as_py() == datetime(2016, 1, 1, 23)  # noqa: DTZ001


def test_two_periods_stand_one_after_the_other():
    rows = hourly_rows(2015, days=[(2015, 1, 1), (2015, 7, 1)])
    epw = parse_epw(make_epw(rows, periods="2,1,Cold,Thursday,1/1,1/1,Warm,Wednesday,7/1,7/1"), "two.epw")
    assert epw.to_arrow()["time"][24].as_py() == datetime(2015, 7, 1)  # noqa: DTZ001


def _replace_cell(row: int, column: int, text: str) -> Callable[[list[str]], None]:
    def change(rows: list[str]) -> None:
        cells = rows[row].split(",")
        cells[column - 1] = text
        rows[row] = ",".join(cells)

    return change


def _drop(rows: list[str]) -> None:
    del rows[100]


def _cut(rows: list[str]) -> None:
    rows[-1] = rows[-1][:40]


def _swap(rows: list[str]) -> None:
    rows[24:48], rows[48:72] = rows[48:72], rows[24:48]


def _longer(rows: list[str]) -> None:
    rows[9] += ",1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_replace_cell(4, 7, "cold"), r"'bad.epw', line 13, column 7 \(Dry Bulb Temperature\): 'cold' is not a number"),
        (_replace_cell(4, 7, "nan"), "line 13, column 7 .*: 'nan' is not a number"),
        (_replace_cell(4, 22, "inf"), "line 13, column 22 .*: 'inf' is not a number"),
        (_replace_cell(4, 2, "13"), r"line 13, column 2 \(Month\): 13 is not between 1 and 12"),
        (_replace_cell(4, 2, ""), r"line 13, column 2 \(Month\): it is missing"),
        (_replace_cell(4, 3, "31.5"), r"line 13, column 3 \(Day\): '31.5' is no whole number"),
        (_replace_cell(8759, 3, "32"), r"line 8768, column 3 \(Day\): month 12 has no day 32"),
        (_replace_cell(4, 4, "6"), r"line 13, column 4 \(Hour\): hour 6 stands where hour 5 belongs"),
        (_replace_cell(4, 3, "2"), r"line 13, column 3 \(Day\): 2 stands where 1 belongs"),
        (_drop, "line 8767: its data periods announce 8760 rows, and 8759 are there"),
        (_cut, r"line 8768, column 6 \(cells\): the line has 6 cells"),
        (_longer, r"line 18, column 36 \(cells\): the line has 36 cells"),
        (_swap, r"line 33, column 2 \(Month\): the day 1/3 does not come after 1/1"),
    ],
)
def test_what_is_wrong_with_a_row_is_told_with_its_place(change: Callable[[list[str]], None], said: str):
    rows = hourly_rows(2015)
    change(rows)
    with pytest.raises(WeatherError, match=said):
        parse_epw(make_epw(rows), "bad.epw")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"location": "LOCATION,X,,,,,91,0,0,0"}, r"line 1, column 7 \(latitude\): '91' is not between -90 and 90"),
        ({"location": "LOCATION,X,Y"}, r"line 1, column 3 \(location\): the line ends after 3 of 10 cells"),
        ({"location": "LOCATION,X,,,,,1,,0,0"}, r"line 1, column 8 \(longitude\): it is missing"),
        ({"periods": "1,1,Data,Someday,1/1,12/31"}, "line 8, column 5 .*: 'Someday' is no day of the week"),
        ({"periods": "1,7,Data,Sunday,1/1,12/31"}, "column 3 .*: 7 rows do not divide an hour"),
        ({"periods": "1,1,Data,Sunday,1/1,2/30"}, "column 7 .*: '2/30' is no day of the year"),
        ({"periods": "0,1"}, "column 2 .*: there is none"),
        ({"holidays": "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,3,New Year,1/1"}, "3 are announced, and the line ends before"),
        ({"holidays": "HOLIDAY PARTY,yes"}, "'HOLIDAY PARTY' is no line of an EPW header"),
        ({"holidays": "LOCATION,X,,,,,1,1,0,0"}, "'LOCATION' stands there twice"),
    ],
)
def test_what_is_wrong_with_a_header_is_told_with_its_place(changes: dict[str, str], said: str):
    with pytest.raises(WeatherError, match=said):
        parse_epw(make_epw(hourly_rows(2015), **changes), "bad.epw")


def test_days_may_be_told_by_their_number_in_the_year():
    typical = "TYPICAL/EXTREME PERIODS,1,Summer - Week Nearest Max Temperature For Period,Extreme,194,200"
    epw = parse_epw(make_epw(hourly_rows(2015), periods="1,1,Data,Thursday,  1,365", typical=typical), "x.epw")
    assert (epw.header.data_periods[0].start, epw.header.data_periods[0].end) == (MonthDay(1, 1), MonthDay(12, 31))
    (summer,) = epw.header.typical_periods
    assert (summer.start, summer.end) == (MonthDay(7, 13), MonthDay(7, 19))
    days = [Cells.cut("x.epw", 1, text).day(1, "day") for text in ("59", "60", "366")]
    assert days == [MonthDay(2, 28), MonthDay(3, 1), MonthDay(12, 31)]
    for wrong in ("0", "367", "-1", "1.5"):
        with pytest.raises(WeatherError, match=f"'{wrong}' is no day of the year"):
            Cells.cut("x.epw", 1, wrong).day(1, "day")


@pytest.mark.parametrize("data", [b"", b"<!DOCTYPE html><title>404</title>", b"\xff\xfeL\x00O\x00", b"PK\x03\x04..."])
def test_what_is_no_weather_file_at_all_is_told_with_how_it_begins(data: bytes):
    with pytest.raises(WeatherError, match=r"'x.epw', line 1, column 1: it is no EPW file"):
        parse_epw(data, "x.epw")


def test_a_header_without_end_is_told():
    with pytest.raises(WeatherError, match="no line 'DATA PERIODS'"):
        parse_epw(b"LOCATION,X,,,,,1,1,0,0\n", "x.epw")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_names_are_read_in_the_encodings_that_there_are(encoding: str, end: str):
    text = make_epw(hourly_rows(2015), location="LOCATION,São Paulo,SP,BRA,X,1,-23.6,-46.7,-3,760").decode()
    data = text.replace("\n", end).encode(encoding) + b"\x1a"
    epw = parse_epw(data, "sp.epw")
    assert epw.header.location.city == "São Paulo"
    assert len(epw) == 8760


def test_older_files_end_some_columns_before():
    rows = [",".join(row.split(",")[:32]) for row in hourly_rows(2015)]
    table = parse_epw(make_epw(rows), "old.epw").to_arrow()
    assert table["albedo"].null_count == 8760
    assert table["days_since_last_snow"].null_count == 0
    rows = [",".join(row.split(",")[:21]) for row in rows]
    with pytest.raises(WeatherError, match="the line has 21 cells, and a row of this file has 22 to 35"):
        parse_epw(make_epw(rows), "old.epw")


def test_a_header_costs_one_small_request_and_a_long_one_a_few(tmp_path: Path):
    del tmp_path
    store = open_store("memory://epw-headers")
    store.write("short.epw", make_epw(hourly_rows(2015)))
    store.write("long.epw", make_epw(hourly_rows(2015), comment="x" * 100_000))
    seen: list[Any] = []
    from skyhold.weather.epw import read_header_of  # noqa: PLC0415

    for key, requests in (("short.epw", 1), ("long.epw", 3)):
        seen.clear()
        info, header = read_header_of(store.observed(seen.append), key)
        assert header.location.city == "Town"
        assert len(seen) == requests
        assert sum(operation.bytes_in for operation in seen) < min(info.size_bytes, 300_000)


def test_loading_the_package_and_fetching_bring_no_tables():
    code = "import sys, skyhold.weather as w; w.Station; w.fetch_weather(sys.argv[1]); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, CHICAGO], capture_output=True, text=True, check=True)
    assert not {"pyarrow", "scipy", "idfkit", "pyenergyplus", "obstore"} & set(done.stdout.split())


def test_a_missing_file_is_a_missing_file():
    with pytest.raises(KeyNotFoundError):
        read_epw("memory://epw-none/x.epw")
