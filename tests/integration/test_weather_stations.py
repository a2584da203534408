"""Indexes of stations: of a bucket, of the installed packages, and what searching them finds."""

import importlib.util
import math
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from conftest import make_bucket
from skyhold.errors import BadOptionError, MissingExtraError, UnsupportedError, WeatherError
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer
from skyhold.weather import Station, StationIndex
from skyhold.weather import station_sources as sources
from weather_files import hourly_rows, make_epw, weather_files

DAY = hourly_rows(2015, days=[(2015, 1, 1)])


def small_epw(name: str, latitude: float = 10, longitude: float = 20, state: str = "ST") -> bytes:
    place = f"LOCATION,{name},{state},LND,TMY3,{sum(name.encode())},{latitude},{longitude},1,100"
    return make_epw(DAY, location=place, periods="1,1,Data,Thursday,1/1,1/1")


def station(name: str, **given: Any) -> Station:
    place: dict[str, Any] = {"country": "USA", "wmo": "1", "latitude": 0.0, "longitude": 0.0}
    rest: dict[str, Any] = {"elevation_m": 10.0, "time_zone_h": 0.0, "uri": f"memory://stations/{name}.epw"}
    return Station(name, **{**place, **rest, **given})


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the index asks of stores."""
    seen: list[str] = []

    def opened(uri: str, **options: Any) -> Store:
        return open_store(uri, **options).observed(lambda operation: seen.append(operation.verb))

    monkeypatch.setattr(sources, "open_store", opened)
    return seen


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Hide packages."""
    real = importlib.util.find_spec

    def hide(*names: str) -> None:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name in names else real(name, *rest)
        )

    return hide


def test_an_index_of_a_bucket_reads_each_header_once_until_it_changes(moto: LocalServer, watched: list[str]):
    uri = f"s3://{make_bucket(moto)}/weather"
    store = open_store(uri, **moto.options)
    for number in range(5):
        store.write(f"folder-{number % 2}/Town{number}.EPW", small_epw(f"Town {number}"))
    store.write("notes.txt", b"no weather")
    index = StationIndex.load(uri, **moto.options)
    assert len(index) == 5
    assert index.source == uri
    assert index.search("town 3")[0].station.uri == f"{uri}/folder-1/Town3.EPW"
    assert watched.count("read") == 5
    watched.clear()
    assert StationIndex.load(uri, **moto.options).stations == index.stations
    assert set(watched) == {"list"}
    watched.clear()
    store.write("folder-0/Town0.EPW", small_epw("City"))
    store.delete("folder-1/Town1.EPW")
    store.write("New.epw", small_epw("New"))
    names = [found.name for found in StationIndex.load(uri, **moto.options)]
    assert sorted(names) == ["City", "New", "Town 2", "Town 3", "Town 4"]
    assert watched.count("read") == 2
    watched.clear()
    StationIndex.load(uri, **moto.options)
    assert set(watched) == {"list"}


def test_only_the_beginning_of_each_file_is_read(tmp_path: Path):
    (tmp_path / "x.epw").write_bytes(Path(weather_files["usa_il_chicago"]).read_bytes())
    seen: list[int] = []
    store = open_store(str(tmp_path)).observed(lambda operation: seen.append(operation.bytes_in))
    sources.read_header_of(store, "x.epw")
    assert seen == [16 * 1024]


def test_an_index_that_was_damaged_on_this_machine_is_made_again(tmp_path: Path, private_home: Path):
    (tmp_path / "x.epw").write_bytes(small_epw("X"))
    expected = StationIndex.load(tmp_path).stations
    (kept,) = (private_home / ".cache" / "skyhold" / "weather" / "indexes").glob("*.parquet")
    kept.write_bytes(b"PAR1 nonsense PAR1")
    assert StationIndex.load(tmp_path).stations == expected


def test_files_that_are_no_weather_are_left_out_and_told(tmp_path: Path):
    (tmp_path / "good.epw").write_bytes(small_epw("Good"))
    (tmp_path / "bad.epw").write_bytes(b"<html>")
    index = StationIndex.load(tmp_path)
    assert [found.name for found in index] == ["Good"]
    assert list(index.problems) == [str(tmp_path / "bad.epw")]
    (tmp_path / "good.epw").unlink()
    with pytest.raises(WeatherError, match=r"none of the 1 EPW files under .* can be read: .*'<html>'"):
        StationIndex.load(tmp_path)
    (tmp_path / "bad.epw").unlink()
    with pytest.raises(WeatherError, match="there is no EPW file under"):
        StationIndex.load(tmp_path)


def test_a_web_server_has_no_folders_to_index():
    with pytest.raises(UnsupportedError, match="web servers cannot list"):
        StationIndex.load("https://localhost/weather/")


def test_the_wider_index_is_loaded_without_the_network(monkeypatch: pytest.MonkeyPatch, private_home: Path):
    def refuse(*args: Any) -> None:
        raise AssertionError(f"asked the network: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    index = StationIndex.load()
    assert index.source.startswith("idfkit ")
    assert len(index) > 60_000
    found = index.search("chicago")[0].station
    assert found.name.startswith("Chicago")
    assert (found.country, found.state, found.climate_zone) == ("USA", "IL", "5A")
    assert found.uri.startswith("https://climate.onebuilding.org/")
    assert found.url.endswith(".zip")
    assert abs(found.latitude - 41.9) < 0.2
    assert StationIndex.load().stations == index.stations
    assert not (private_home / ".cache" / "idfkit").exists()
    places = index.filter(country="usa", state="IL", newest=True)
    assert [near.station.name for near in places.nearest(41.98, -87.92, 1)] == ["Chicago.OHare.Intl.AP"]
    assert len(places) < len(index.filter(country="USA", state="IL"))


def test_without_the_wider_index_the_files_of_the_engine_are_one(without: Callable[..., None]):
    without("idfkit")
    index = StationIndex.load()
    assert index.source.startswith("pyenergyplus-lbnl ")
    assert len(index) == 16
    best = index.search("chicago")[0]
    assert (best.station.uri, best.score) == (weather_files["usa_il_chicago"], 1.0)
    assert index.nearest(40.7, -74.2)[0].station.name.startswith("Newark")


def test_without_either_package_the_extras_are_named(without: Callable[..., None]):
    without("idfkit", "pyenergyplus")
    with pytest.raises(MissingExtraError, match=r"'idf' .* 'simulation'") as raised:
        StationIndex.load()
    assert "skyhold[idf]" in raised.value.remedy
    with pytest.raises(BadOptionError, match="takes no options, found region"):
        StationIndex.load(region="x")


def found_names(index: StationIndex, query: str) -> list[str]:
    return [match.station.name for match in index.search(query)]


def test_a_search_puts_the_place_before_what_is_named_after_it():
    names = ["Port.Chicago", "Chicago.Executive.AP", "Chicago.Midway.Intl.AP", "Chicagoland", "Boston"]
    index = StationIndex([station(name) for name in names])
    expected = ["Chicago.Midway.Intl.AP", "Chicago.Executive.AP", "Port.Chicago", "Chicagoland"]
    assert found_names(index, "chicago") == expected
    scores = [match.score for match in index.search("CHICAGO")]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1.0
    assert found_names(index, "chi") == [
        "Chicago.Midway.Intl.AP",
        "Chicagoland",
        "Chicago.Executive.AP",
        "Port.Chicago",
    ]
    assert len(index.search("chicago", limit=2)) == 2
    longer = StationIndex([station("Cicero.Chicago"), station("Chicago.Lake.Side")])
    assert found_names(longer, "chicago")[0] == "Chicago.Lake.Side"
    misspelt = StationIndex([station("Little.Chicago"), station("Chicago.Lake.Side")])
    assert found_names(misspelt, "chcago")[0] == "Chicago.Lake.Side"


def test_a_search_knows_accents_apostrophes_states_and_numbers():
    stations = [
        station("São Paulo", country="BRA"),
        station("Chicago-O'Hare", state="IL", wmo="725300"),
        station("Springfield", state="IL"),
        station("Springfield", state="MA", wmo="2"),
    ]
    index = StationIndex(stations)
    assert found_names(index, "sao paulo") == ["São Paulo"]
    assert found_names(index, "ohare") == ["Chicago-O'Hare"]
    assert found_names(index, "725300") == ["Chicago-O'Hare"]
    assert index.search("springfield ma")[0].station.state == "MA"
    assert len(index.search("springfield ma")) == 1
    assert found_names(index, "springfeild")[0] == "Springfield"
    assert found_names(index, "pau") == ["São Paulo"]
    assert found_names(index, "aul") == ["São Paulo"]
    assert found_names(index, "paulo xyzzy") == ["São Paulo"]
    assert index.search("xyzzy") == index.search("  ,. ") == []


def test_of_the_files_of_one_place_the_newest_comes_first():
    versions = [station("A", source=source, uri=source) for source in ("TMYx", "TMYx.2011-2025", "TMYx.2004-2018")]
    index = StationIndex(versions)
    assert [match.station.source for match in index.search("a")] == ["TMYx.2011-2025", "TMYx.2004-2018", "TMYx"]
    assert [found.source for found in index.filter(newest=True)] == ["TMYx.2011-2025"]


def test_filters_leave_only_what_is_all_of_it():
    stations = [
        station("Low", country="USA", state="FL", climate_zone="1A", source="TMY3", elevation_m=2),
        station("High", country="USA", state="CO", climate_zone="5B", source="TMYx.2009-2023", elevation_m=1600),
        station("Far", country="DEU", climate_zone="5A", source="TMYx", elevation_m=500),
    ]
    index = StationIndex(stations, "here")

    def names(**given: Any) -> list[str]:
        return [found.name for found in index.filter(**given)]

    assert names(country="usa") == ["Low", "High"]
    assert names(country="USA", state="co") == ["High"]
    assert names(climate="5") == ["High", "Far"]
    assert names(climate="5b") == ["High"]
    assert names(source="TMYx") == ["High", "Far"]
    assert names(elevation_m=(100, 1000)) == ["Far"]
    assert names(elevation_m=(None, 2)) == ["Low"]
    assert index.filter(country="usa").source == "here"


def test_distances_go_the_short_way_round_the_earth():
    index = StationIndex([station("East", latitude=0, longitude=179), station("West", latitude=0, longitude=-179)])
    first, second = index.nearest(0, 179.5)
    assert (first.station.name, second.station.name) == ("East", "West")
    assert math.isclose(first.distance_km, 55.6, abs_tol=0.1)
    assert math.isclose(second.distance_km, 166.8, abs_tol=0.1)
    assert [near.station.name for near in index.nearest(90, 0, 1)] == ["East"]
    for latitude, longitude in ((91, 0), (0, 361), (math.nan, 0), (0, math.inf)):
        with pytest.raises(BadOptionError, match="there is no latitude"):
            index.nearest(latitude, longitude)


def test_an_index_is_an_arrow_table_too():
    index = StationIndex([station("A", state="X")], "made")
    table = pa.table(index)
    assert table.column_names[:2] == ["name", "country"]
    assert table.schema.field("elevation_m").metadata == {b"unit": b"m"}
    assert table.to_pylist()[0]["state"] == "X"
    assert repr(index) == "<StationIndex of 1 stations from 'made'>"
    assert str(index.stations[0]) == "A, X, USA"
