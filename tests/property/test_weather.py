"""Whatever a weather file holds: the values come back, or it is refused with a WeatherError and nothing else."""

import io
import math
import zipfile
from contextlib import suppress

from hypothesis import example, given
from hypothesis import strategies as st

from skyhold.errors import WeatherError
from skyhold.weather import Station, StationIndex
from skyhold.weather.ddy import parse_ddy
from skyhold.weather.epw import parse_epw
from skyhold.weather.fields import FIELDS
from skyhold.weather.header import parse_header
from skyhold.weather.stations import distance_km
from skyhold.weather.unpacking import unpack
from weather_files import hourly_rows, make_epw

ROWS = hourly_rows(2015, days=[(2015, 1, 1)])
DAY = make_epw(ROWS, periods="1,1,Data,Thursday,1/1,1/1")
NUMBERED = [index for index, field in enumerate(FIELDS) if field.kind == "number"]

finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
odd_text = st.sampled_from(
    ["", ",", "\n", "\r", '"', ";", "nan", "1e999", "-", "99.9", "٣", "1_0", "\x00", "é", "12/40", "LOCATION,", "0x1p3"]
) | st.text(max_size=8)


@given(st.lists(finite, min_size=len(NUMBERED), max_size=len(NUMBERED)), st.integers(0, 23))
def test_numbers_come_back_to_the_last_bit_or_are_the_one_that_means_not_measured(values: list[float], row: int):
    cells = ROWS[row].split(",")
    for index, value in zip(NUMBERED, values, strict=True):
        cells[index] = repr(value)
    rows = [*ROWS[:row], ",".join(cells), *ROWS[row + 1 :]]
    table = parse_epw(make_epw(rows, periods="1,1,Data,Thursday,1/1,1/1"), "x.epw").to_arrow()
    found = table.slice(row, 1).to_pylist()[0]
    for index, value in zip(NUMBERED, values, strict=True):
        field = FIELDS[index]
        expected = None if field.missing and float(field.missing) == value else value
        assert found[field.name] == expected, field.name


@given(st.data())
def test_a_spoilt_file_is_refused_by_name_or_read(data: st.DataObject):
    body = DAY
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(body)))
        end = start + data.draw(st.sampled_from([0, 0, 1, 5, 60]))
        body = body[:start] + data.draw(odd_text).encode() + body[end:]
    with suppress(WeatherError):
        epw = parse_epw(body, "x.epw")
        assert epw.to_arrow().num_rows == len(epw) == 24


@given(st.lists(odd_text, max_size=12), st.sampled_from(range(8)))
def test_a_spoilt_header_is_refused_by_name_or_read(cells: list[str], line: int):
    lines = DAY.split(b"\n")
    title = lines[line].partition(b",")[0]
    lines[line] = b",".join([title, *(cell.encode() for cell in cells)])
    with suppress(WeatherError):
        parse_header(b"\n".join(lines), "x.epw")


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"LOCATION" + data))
@example(b"LOCATION\nDATA PERIODS,\n")
def test_any_bytes_at_all_are_refused_by_name(data: bytes):
    with suppress(WeatherError):
        parse_epw(data, "x.epw")
    with suppress(WeatherError):
        parse_ddy(data, "x.ddy")


@given(st.lists(odd_text, max_size=30))
def test_a_spoilt_design_day_is_refused_by_name_or_read(cells: list[str]):
    with suppress(WeatherError):
        parse_ddy(f"SizingPeriod:DesignDay,{','.join(cells)};".encode(), "x.ddy")


@given(st.integers(0, 10_000), st.integers(0, 255), st.integers(0, 10_000))
def test_a_spoilt_zip_is_refused_by_name_or_gives_the_very_file(place: int, value: int, end: int):
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.epw", DAY)
    spoilt = bytearray(body.getvalue())
    spoilt[place % len(spoilt)] = value
    spoilt = spoilt[: max(len(spoilt) - end, 0)] if end < len(spoilt) else spoilt
    with suppress(WeatherError):
        assert list(unpack(bytes(spoilt), "x.zip", "x.zip", most_bytes=10**6).values()) == [DAY]


places = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(places, places)
def test_distances_are_the_same_both_ways_and_at_most_half_round_the_earth(
    one: tuple[float, float], two: tuple[float, float]
):
    there, back = distance_km(*one, *two), distance_km(*two, *one)
    assert math.isclose(there, back, abs_tol=1e-6)
    assert 0 <= there <= math.pi * 6371.01


@given(st.lists(st.text("abci .-é", max_size=12), max_size=6), st.text("abci .é", max_size=8))
def test_a_search_takes_any_words_and_ranks_what_it_finds(names: list[str], query: str):
    stations = [Station(name, "LND", "1", 0, 0, 0, 0, str(number)) for number, name in enumerate(names)]
    found = StationIndex(stations).search(query)
    scores = [match.score for match in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)
    assert len({match.station.uri for match in found}) == len(found)
