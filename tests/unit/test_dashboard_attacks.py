"""A fresh pair of eyes on all routes that there are: strangers, other sites, odd parameters, files that bite."""

import itertools
import struct
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from starlette.routing import Route
from starlette.testclient import TestClient

from campaign_samples import YearSimulator, make_campaign
from dashboard_client import HERE, OWN, client_for, entered
from skyhold.components.library import Library
from skyhold.dashboard.application import make_application
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import make_place
from skyhold.dashboard.safety import Keyring
from skyhold.runs.journal import Journal
from skyhold.storage.opening import open_store

_OFTEN = [
    "",
    "\"'><img src=x onerror=alert(1)><script>alert(1)</script>",
    "../../etc/passwd",
    "a\0b",
    "x" * 5000,
    "9" * 5000,
    "\r\nSet-Cookie: a=b",
]
_SELDOM = [
    "..%2f..%2fetc",
    "/etc/passwd",
    "a//b",
    "\u202egnp.exe",
    "é" * 700,
    "٣",
    "-1",
    "0",
    "1e9",
    "nan",
    "{{ 7 * 7 }}",
    "' OR 1=1 --",
]
_ODD = [*_OFTEN, *(pytest.param(value, marks=pytest.mark.slow) for value in _SELDOM)]
_NAMES = (
    *("key", "prefix", "id", "q", "after", "version", "old", "new", "file", "limit", "from", "order", "against"),
    *("page", "case", "label", "state", "column", "sort", "baseline", "compare", "variable", "colour", "environment"),
)
_FIELDS = (
    *("key", "id", "name", "uri", "path", "text", "prefix", "seconds", "count", "version", "hours", "number", "q"),
    *("workers", "folder", "place"),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A place that is a library and a campaign, too."""
    uri = "memory://attacks"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYHOLD_STATE", str(tmp_path_factory.mktemp("attacks")))
        Library(open_store(uri)).publish("arm.stl", b"solid")
        make_campaign(uri, YearSimulator(), lights=2, insulations=1, refuse=2).run(simulator=YearSimulator())
    return uri


@pytest.fixture
def desk(tmp_path: Path, store: str) -> Desk:
    (tmp_path / "here").mkdir()
    return Desk(Journal(tmp_path / "journal"), {"here": make_place(store)}, folder=tmp_path / "here")


def _routes(desk: Desk, method: str) -> list[str]:
    guard = make_application(desk, keys=Keyring(1), hosts=[])
    routes: list[Any] = cast("Any", guard)._app.routes
    found = [route.path for route in routes if isinstance(route, Route) and method in (route.methods or ())]
    values = {"{place}": "here", "{run_id}": "x", "{pair}": "x", "{provider}": "aws"}
    for name, value in values.items():
        found = [path.replace(name, value) for path in found]
    return found


def test_strangers_see_no_page_and_no_form_hears_another_site(desk: Desk):
    stranger, user = client_for(desk, Keyring(8000)), entered(desk)
    pages, forms = _routes(desk, "GET"), _routes(desk, "POST")
    assert len(pages) > 30
    assert len(forms) > 20
    for path in set(pages) - {"/enter"}:
        assert stranger.get(path).status_code == 401, path
    for path in set(forms) - {"/enter"}:
        assert stranger.post(path, headers=OWN).status_code == 401, path
        for origin in ("http://evil.example", "null", HERE + ".evil.example"):
            answer = user.post(path, headers={"Origin": origin, "Content-Type": "text/plain"}, content="a=b")
            assert answer.status_code == 403, path
            assert "came from another site" in answer.text
        assert user.post(path, headers={**OWN, "Host": "evil.example:8000"}).status_code == 421, path


@pytest.mark.parametrize("value", _ODD, ids=range(len(_ODD)))
def test_odd_parameters_get_pages_that_say_what_is_wrong(desk: Desk, value: str):
    user = entered(desk)
    halves = (_NAMES[: len(_NAMES) // 2], _NAMES[len(_NAMES) // 2 :])  # an address may not be too long
    asked = [urlencode(dict.fromkeys(names, value)) for names in (halves if len(value) > 500 else [_NAMES])]
    pages = [path for path in _routes(desk, "GET") if not path.endswith("/live")]
    for path, query in itertools.product(pages, asked):
        answer = user.get(f"{path}?{query}")
        assert answer.status_code < 500, (path, answer.text)
        if "html" in answer.headers.get("content-type", "html"):
            assert "<script>alert" not in answer.text, path
            assert "<img src=x" not in answer.text, path
        elif answer.headers["content-type"].startswith("text/"):
            assert answer.headers["content-disposition"].startswith("attachment"), path
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "root:" not in answer.text
        assert "a" not in answer.cookies


@pytest.mark.parametrize("value", _ODD, ids=range(len(_ODD)))
def test_odd_answers_to_forms_get_pages_that_say_what_is_wrong(desk: Desk, value: str):
    user = entered(desk)
    for path in _routes(desk, "POST"):
        if path in {"/leave", "/enter"}:
            continue
        answer = user.post(path, data=dict.fromkeys(_FIELDS, value), headers=OWN)
        assert answer.status_code < 500, (path, answer.text)
        assert "<script>alert" not in answer.text, path
        assert "\n" not in answer.headers.get("location", "")
        assert not answer.headers.get("location", "/").startswith("//"), path
        assert "a" not in answer.cookies


@pytest.mark.parametrize("name", ["evil.html", "evil.svg", "evil.pdf", "evil.xml", "evil.js", "evil.png", "evil.md"])
def test_what_lies_in_a_store_is_never_shown_as_a_page(desk: Desk, name: str):
    user = entered(desk)
    store = desk.places["here"].open()
    store.write(name, b"<html><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg></html>")
    download = user.get(f"/storage/here/content?key={name}")
    assert download.headers["content-type"] == "application/octet-stream"
    assert download.headers["content-disposition"].startswith("attachment;")
    shown = user.get(f"/storage/here/object?key={name}")
    assert "<script>alert" not in shown.text
    picture = user.get(f"/storage/here/picture?key={name}")
    if picture.status_code == 200:
        assert picture.headers["content-type"].startswith("image/")
        assert "sandbox" in picture.headers["content-security-policy"]
        assert "default-src 'none'" in picture.headers["content-security-policy"]
    for answer in (download, shown, picture):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


@pytest.mark.parametrize(
    "footer",
    [
        b"\x15" + b"\xff" * 1_000_000,
        b"\x19" + b"\x19" * 5000 + b"\0" * 5000,
        b"\x1b" + b"\x01\xbb" * 5000,
        b"\x1c" * 5000,
        b"\x19\xfc" + _varint(2**60),
        b"\x18" + _varint(2**60),
    ],
    ids=["number", "lists", "maps", "structs", "long list", "long text"],
)
def test_a_parquet_footer_without_end_is_refused_at_once(desk: Desk, footer: bytes):
    user = entered(desk)
    content = b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"
    desk.places["here"].open().write("a.parquet", content)
    answer = user.get("/storage/here/object?key=a.parquet")
    assert answer.status_code == 200
    assert "cannot be read as what its name says" in answer.text


def test_names_that_are_no_unicode_break_no_page(tmp_path: Path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "good.txt").touch()
    Path(str(folder) + "/bad\udcff.txt").touch()
    Path(str(folder) + "/new\nline.txt").touch()
    place = make_place(str(folder))
    user = entered(Desk(Journal(tmp_path / "journal"), {place.name: place}))
    answer = user.get(f"/storage/{place.name}")
    assert answer.status_code == 200
    assert "bad\\udcff.txt" in answer.text
    assert "new\\nline.txt" in answer.text
    assert user.get(f"/storage/{place.name}/object?key=bad%ED%B3%BF.txt").status_code in {400, 404}


def test_a_link_that_leads_out_of_a_redirect_stays_here(desk: Desk):
    user: TestClient = entered(desk)
    for path in ("//evil.example/", "/\\evil.example", "/storage//evil.example"):
        answer = user.get(HERE + path)
        assert answer.status_code in {404, 307}
        assert "evil.example" not in answer.headers.get("location", "").partition(HERE)[0]


def test_an_address_writes_no_controls_to_the_terminal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object) -> None:
        raise RuntimeError("\x1b[31m secret_access_key=hunter2")

    monkeypatch.setattr(desk.journal, "read_run", fail)
    answer = entered(desk).get("/runs/%1b%5d0;owned%07%0aforged")
    assert answer.status_code == 500
    assert "hunter2" not in answer.text + caplog.text
    (record,) = caplog.records
    assert record.getMessage().isprintable()
