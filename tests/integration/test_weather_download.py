"""Weather files fetched from real servers: kept by content, once a machine, and never stale or damaged."""

import http.server
import io
import multiprocessing
import os
import pickle
import threading
import zipfile
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import make_bucket
from skyhold.errors import NotFoundError, UnreachableError, WeatherError
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer
from skyhold.weather import Station, WeatherDownloader, fetch_weather, read_epw
from weather_files import CHICAGO, hourly_rows, make_epw

EPW = make_epw(hourly_rows(2015))
OTHER = make_epw(hourly_rows(2015), location="LOCATION,Elsewhere,,,,,1,1,0,0")
DDY = b"Version,25.2;\n"


@dataclass
class Site:
    """A web server of a folder, and what it was asked."""

    url: str
    folder: Path
    asked: list[str] = field(default_factory=list[str])
    denied: str = "none"


class _Handler(http.server.SimpleHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        if self.path.endswith(self.site.denied):
            self.send_error(403)
        else:
            super().do_GET()

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        self.site.asked.append(f"{self.command} {self.path} {int(code)}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Print nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Generator[Site]:
    folder = tmp_path / "site"
    folder.mkdir()
    served = Site("", folder)
    handler = type("_Served", (_Handler,), {"site": served})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder))) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        served.url = f"http://127.0.0.1:{running.server_port}"
        yield served
        running.shutdown()


def zipped(**members: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return body.getvalue()


def test_a_station_of_a_zip_brings_weather_and_design_days(site: Site, tmp_path: Path):
    archive = zipped(**{"X.epw": EPW, "X.ddy": DDY, "X.stat": b"s", "X.clm": b"c"})
    (site.folder / "X.zip").write_bytes(archive)
    station = Station("X", "LND", "1", 0, 0, 0, 0, f"{site.url}/X.zip")
    downloader = WeatherDownloader(tmp_path / "kept")
    files = downloader.download(station)
    assert files.epw.name == "X.epw"
    assert files.epw.read_bytes() == EPW
    assert files.ddy
    assert files.ddy.read_bytes() == DDY
    assert files.stat
    assert files.stat.parent == files.epw.parent
    assert not files.epw.with_name("X.clm").exists()
    assert downloader.download(station) == files
    assert site.asked == ["GET /X.zip 200", "HEAD /X.zip 200"]


def test_stations_of_other_libraries_will_do(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    theirs: Any = SimpleNamespace(url=f"{site.url}/x.epw", wmo="1")
    assert WeatherDownloader(tmp_path / "kept").fetch(theirs).read_bytes() == EPW


def test_a_downloader_goes_to_other_processes(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    copy = pickle.loads(pickle.dumps(WeatherDownloader(tmp_path / "kept", retries=1)))
    assert copy.fetch(f"{site.url}/x.epw").read_bytes() == EPW


def test_what_lies_beside_a_plain_file_comes_with_it_and_pages_do_not(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    (site.folder / "x.ddy").write_bytes(DDY)
    (site.folder / "x.stat").write_bytes(b"<html>no such file</html>")
    files = WeatherDownloader(tmp_path / "kept").download(f"{site.url}/x.epw")
    assert files.ddy
    assert files.ddy.read_bytes() == DDY
    assert files.stat is None


def test_an_object_of_a_bucket_is_fetched_once_and_again_when_it_changes(moto: LocalServer, tmp_path: Path):
    uri = f"s3://{make_bucket(moto)}/weather/x.epw"
    store = open_store(uri.rpartition("/")[0], **moto.options)
    store.write("x.epw", EPW)
    fetch = partial(fetch_weather, uri, cache_dir=tmp_path, **moto.options)
    first = fetch()
    assert fetch() == first
    store.write("x.epw", OTHER)
    second = fetch()
    assert second.name == first.name
    assert (first.read_bytes(), second.read_bytes()) == (EPW, OTHER)
    store.delete("x.epw")
    with pytest.raises(NotFoundError):
        fetch()


def test_a_signed_link_will_do(moto: LocalServer, tmp_path: Path):
    store = open_store(f"s3://{make_bucket(moto)}", **moto.options)
    store.write("x.zip", zipped(**{"x.epw": EPW, "x.ddy": DDY}))
    seen = set[Path]()
    for expires_s in (600, 1200):
        files = WeatherDownloader(tmp_path).download(store.presign("x.zip", expires_s=expires_s))
        assert files.epw.read_bytes() == EPW
        assert files.ddy
        assert "Signature=**redacted**" in files.uri
        seen.add(files.epw)
    assert len(seen) == 1


def test_one_content_under_two_names_is_kept_in_one_folder(site: Site, tmp_path: Path):
    for name in ("a.epw", "b.epw"):
        (site.folder / name).write_bytes(EPW)
    one, two = (fetch_weather(f"{site.url}/{name}", cache_dir=tmp_path / "kept") for name in ("a.epw", "b.epw"))
    assert one.parent == two.parent
    assert (one.name, two.name) == ("a.epw", "b.epw")


def test_what_was_not_used_for_a_day_goes_when_there_is_too_much(site: Site, tmp_path: Path):
    def fetch(name: str) -> Path:
        return WeatherDownloader(tmp_path / "kept", most_kept_bytes=1).fetch(f"{site.url}/{name}")

    for number, name in enumerate(("a.epw", "b.epw", "c.epw")):
        (site.folder / name).write_bytes(EPW + b"\n" * number)
    a, b = fetch("a.epw"), fetch("b.epw")
    for path in (a, b):
        os.utime(path.parent, (0, 0))
    assert fetch("b.epw") == b
    c = fetch("c.epw")
    assert [path.exists() for path in (a, b, c)] == [False, True, True]
    assert fetch("a.epw").read_bytes() == EPW


def test_a_damaged_copy_is_fetched_again(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    path = fetch_weather(f"{site.url}/x.epw", cache_dir=tmp_path / "kept")
    path.write_bytes(EPW[:-5] + b"9999\n")
    assert fetch_weather(f"{site.url}/x.epw", cache_dir=tmp_path / "kept").read_bytes() == EPW
    for record in (tmp_path / "kept" / "places").iterdir():
        record.write_text("{]")
    assert fetch_weather(f"{site.url}/x.epw", cache_dir=tmp_path / "kept").read_bytes() == EPW
    assert [line for line in site.asked if line.startswith("GET")] == ["GET /x.epw 200"] * 3


def test_many_processes_that_ask_at_once_fetch_it_once(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=context) as pool:
        asked = [pool.submit(fetch_weather, f"{site.url}/x.epw", cache_dir=tmp_path / "kept") for _ in range(12)]
        paths = {future.result() for future in asked}
    assert len(paths) == 1
    assert paths.pop().read_bytes() == EPW
    assert [line for line in site.asked if line.startswith("GET")] == ["GET /x.epw 200"]


def test_offline_takes_what_is_kept_and_says_what_is_not(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    uri = f"{site.url}/x.epw"
    offline = WeatherDownloader(tmp_path / "kept", offline=True)
    with pytest.raises(WeatherError, match="is not kept here"):
        offline.fetch(uri)
    WeatherDownloader(tmp_path / "kept").fetch(uri)
    site.asked.clear()
    assert offline.fetch(uri).read_bytes() == EPW
    assert not site.asked


def test_a_server_that_is_down_is_an_error_even_with_a_copy(tmp_path: Path):
    with pytest.raises(UnreachableError):
        fetch_weather("http://127.0.0.1:9/x.epw", cache_dir=tmp_path, retries=0)


def test_a_local_file_is_returned_as_it_is_with_what_lies_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("x.epw").write_bytes(EPW)
    Path("x.DDY").write_bytes(DDY)
    assert fetch_weather("x.epw") == Path("x.epw")
    assert fetch_weather((tmp_path / "x.epw").as_uri()) == tmp_path / "x.epw"
    assert WeatherDownloader("kept").download("x.epw").ddy == Path("x.DDY")
    assert not Path("kept").exists()
    assert fetch_weather(CHICAGO) == Path(CHICAGO)
    with pytest.raises(NotFoundError):
        fetch_weather("none.epw")
    Path("x.txt").write_text("hello")
    with pytest.raises(WeatherError, match="begins with 'hello'"):
        fetch_weather("x.txt")


def test_a_local_zip_is_unpacked_into_the_cache_of_the_user(tmp_path: Path, private_home: Path):
    (tmp_path / "x.zip").write_bytes(zipped(**{"folder/x.epw": EPW}))
    path = fetch_weather(tmp_path / "x.zip")
    assert path.is_relative_to(private_home / ".cache" / "skyhold" / "weather")
    assert read_epw(path).header.location.city == "Town"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"../x.epw": EPW}, r"has the member '../x.epw', which would leave its folder"),
        ({"x.epw": EPW, "/etc/x.ddy": DDY}, "would leave its folder"),
        ({"a\\..\\..\\x.epw": EPW}, "would leave its folder"),
        ({"C:\\x.epw": EPW}, "would leave its folder"),
        ({"x.ddy": DDY}, "is a zip without an EPW file"),
        ({"a.epw": EPW, "b.epw": EPW}, "holds 2 EPW files: 'a.epw', 'b.epw'"),
        ({"x.epw": b"<html>"}, "x.zip: x.epw', line 1, column 1: it is no EPW file"),
        ({"x.epw": EPW[: len(EPW) // 2]}, "announce 8760 rows"),
        ({"x.epw": EPW + b"\n" * 3_000_000}, "unpacks to .* bytes, more than the 2000000 that are allowed"),
    ],
)
def test_a_zip_that_is_hostile_or_has_no_weather_is_refused(members: dict[str, bytes], said: str, tmp_path: Path):
    uri = "memory://hostile-weather/x.zip"
    open_store("memory://hostile-weather").write("x.zip", zipped(**members))
    with pytest.raises(WeatherError, match=said):
        WeatherDownloader(tmp_path / "kept", most_bytes=2_000_000).download(uri)
    assert not list(tmp_path.rglob("*.epw"))


def test_a_damaged_zip_is_refused(tmp_path: Path):
    whole = zipped(**{"x.epw": EPW})
    middle = len(whole) // 2
    bent = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    store = open_store("memory://damaged-weather")
    for data in (whole[:middle], bent, b"PK\x05\x06"):
        store.write("x.zip", data)
        with pytest.raises(WeatherError, match=r"'memory://damaged-weather/x\.zip' is a damaged zip"):
            fetch_weather("memory://damaged-weather/x.zip", cache_dir=tmp_path)


def test_of_several_files_in_a_zip_the_one_with_its_name_is_meant(tmp_path: Path):
    members = {"a.epw": OTHER, "x.epw": EPW, "__MACOSX/x.epw": b"?", "x.ddy": DDY, "a.ddy": b"", "dir/": b""}
    open_store("memory://several-weather").write("x.zip", zipped(**members))
    files = WeatherDownloader(tmp_path).download("memory://several-weather/x.zip")
    assert files.epw.read_bytes() == EPW
    assert files.ddy
    assert files.ddy.read_bytes() == DDY


def test_a_file_that_is_too_large_or_cut_off_is_refused(tmp_path: Path):
    store = open_store("memory://large-weather")
    store.write("x.epw", EPW)
    with pytest.raises(WeatherError, match=f"has {len(EPW)} bytes, more than the 1000 that are allowed"):
        WeatherDownloader(tmp_path, most_bytes=1000).fetch("memory://large-weather/x.epw")
    store.write("x.epw", EPW[: EPW.index(b"2015,6,")])
    with pytest.raises(WeatherError, match="announce 8760 rows, and 3624 are there"):
        fetch_weather("memory://large-weather/x.epw", cache_dir=tmp_path)


def test_secrets_of_a_link_are_not_kept(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    files = WeatherDownloader(tmp_path / "kept").download(f"{site.url}/x.epw?sig=hush")
    assert "hush" not in files.uri
    assert files.epw.name == "x.epw"
    assert all(b"hush" not in path.read_bytes() for path in (tmp_path / "kept").rglob("*") if path.is_file())


def test_design_days_that_may_not_be_read_are_as_good_as_absent(site: Site, tmp_path: Path):
    (site.folder / "x.epw").write_bytes(EPW)
    site.denied = ".ddy"
    files = WeatherDownloader(tmp_path / "kept").download(f"{site.url}/x.epw")
    assert (files.ddy, files.stat) == (None, None)
    assert site.asked[-2:] == ["GET /x.ddy 403", "GET /x.stat 404"]
