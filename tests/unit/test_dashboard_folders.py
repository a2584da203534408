"""Folders that a browser sends: one body, one version, whatever their names are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from skyhold.components.library import Library
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import default_journal
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.case import Case
from skyhold.simulation.study import Study
from tiny_model import InstantSimulator, TinyPlan
from weather_files import hourly_rows, make_epw


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "models").mkdir()
    return make_place(str(tmp_path / "models"))


@pytest.fixture
def library(place: Place) -> Library:
    return Library(place.uri)


@pytest.fixture
def user(tmp_path: Path, place: Place) -> TestClient:
    return entered(Desk(default_journal(), {place.name: place}, folder=tmp_path))


def _parcel(files: Mapping[str, bytes]) -> bytes:
    listed = [{"name": name, "size": len(content)} for name, content in files.items()]
    return _with_head({"files": listed}, b"".join(files.values()))


def _with_head(head: Any, contents: bytes = b"") -> bytes:
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(4, "little") + text + contents


def _send(user: TestClient, place: Place, body: bytes, **query: object):
    asked = {"key": "robot", "files": "many", **query}
    return user.post(f"/components/{place.name}/upload?{urlencode(asked)}", content=body, headers=OWN)


def test_a_folder_becomes_one_version_of_several_files(user: TestClient, place: Place, library: Library):
    files = {"arm.stl": b"arm", "parts/é x.stl": b"", "parts/big": b"x" * 300_000}
    answer = _send(user, place, _parcel(files), message="whole")
    assert answer.json() == {"key": "robot", "version": 1}
    version = library.info("robot")
    assert (version.message, [entry.name for entry in version.files]) == ("whole", sorted(files))
    assert {name: library.read("robot", name) for name in files} == files
    assert 'data-folders="only"' in user.get(f"/components/{place.name}/component?id=robot").text


def test_a_newer_version_is_not_followed_unseen(user: TestClient, place: Place, library: Library):
    for content in (b"1", b"2"):
        _send(user, place, _parcel({"a": content, "b": b"b"}))
    answer = _send(user, place, _parcel({"a": b"3", "b": b"b"}), expected=1)
    assert (answer.status_code, answer.json()["code"]) == (409, "version_conflict")
    assert _send(user, place, _parcel({"a": b"3", "b": b"b"}), expected=1, replace="yes").status_code == 201
    assert library.info("robot").number == 3


@pytest.mark.parametrize(
    "name", ["../escaped", "/etc/passwd", "a/../../b", "a//b", ".", "", "a\0b", "C:\\x/../..", "x" * 300, "\ud800"]
)
def test_names_that_lead_elsewhere_are_refused_or_harmless(
    user: TestClient, place: Place, library: Library, tmp_path: Path, name: str
):
    head = {"files": [{"name": name, "size": 1}, {"name": "good", "size": 1}]}
    answer = _send(user, place, _with_head(head, b"12"))
    assert answer.status_code in {400, 201}, answer.text
    assert not list(tmp_path.rglob("*escaped*"))
    if answer.status_code == 400:
        assert not list(library.list())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\1",
        b"\xff\xff\xff\xff",
        _with_head(b"{"),
        _with_head(b"[" * 100_000),
        _with_head([]),
        _with_head({"files": [1]}),
        _with_head({"files": [{"name": 1, "size": 1}]}, b"1"),
        _with_head({"files": [{"name": "a", "size": -1}]}),
        _with_head({"files": [{"name": "a", "size": True}]}, b"1"),
        _with_head({"files": [{"name": "a", "size": 10**30}]}, b"1"),
        _with_head({"files": [{"name": "a", "size": 2}]}, b"1"),
        _with_head({"files": [{"name": "a", "size": 1}]}, b"12"),
        _with_head({"files": []}),
        _with_head({"files": [{"name": "a", "size": 0}] * 2}),
        _with_head({"files": [{"name": "a", "size": 0}, {"name": "a/b", "size": 0}]}),
    ],
)
def test_a_body_that_is_not_what_its_head_says_publishes_nothing(
    user: TestClient, place: Place, library: Library, body: bytes
):
    answer = _send(user, place, body)
    assert answer.status_code in {400, 500}, answer.text
    assert answer.json()["cause"]
    assert not list(library.list())


def test_a_campaign_that_holds_the_weather_of_a_component_is_told(tmp_path: Path, place: Place, library: Library):
    mild, cold, other = (make_epw(hourly_rows(2026), comment=city) for city in ("Mild", "Cold", "Other"))
    for content in (mild, cold):
        library.publish("city.epw", content)
    (tmp_path / "copy.epw").write_bytes(mild)
    (tmp_path / "other.epw").write_bytes(other)
    places = [place]
    for name, weather in (("study", "copy.epw"), ("elsewhere", "other.epw")):
        case = Case("x=1", {"x": 1}, "tiny", [[["x"], 1]], "here")
        plan = TinyPlan([case], {"tiny": b'{"x": 0}'}, {"here": str(tmp_path / weather)})
        Campaign.create(str(tmp_path / name), plan, simulator=InstantSimulator())
        places.append(make_place(str(tmp_path / name)))
    user = entered(Desk(default_journal(), {each.name: each for each in places}))
    text = user.get(f"/components/{place.name}/related?id=city.epw").text
    assert f'href="/campaigns/{places[1].name}"' in text
    assert "version 1</span>" in text
    assert f'href="/campaigns/{places[2].name}"' not in text


def test_a_campaign_whose_model_was_read_from_a_component_is_told(tmp_path: Path, place: Place, library: Library):
    model = {"Version": {"Version 1": {"version_identifier": "25.2"}}, "Building": {"Hall": {"north_axis": 0}}}
    for name in ("hall.epJSON", "hut.epJSON"):
        library.publish(name, json.dumps(model).encode())
    study = Study(f"{place.uri}/hall.epJSON", baseline=True)
    Campaign.create(str(tmp_path / "study"), study, simulator=InstantSimulator())
    campaign = make_place(str(tmp_path / "study"))
    user = entered(Desk(default_journal(), {each.name: each for each in (place, campaign)}))
    text = user.get(f"/components/{place.name}/related?id=hall.epJSON").text
    assert f'href="/campaigns/{campaign.name}"' in text
    assert "what was the newest when it was created" in text
    assert campaign.name not in user.get(f"/components/{place.name}/related?id=hut.epJSON").text


def test_a_campaign_tells_where_it_was_made_from_without_secrets(tmp_path: Path):
    (tmp_path / "hall.epJSON").write_text('{"Version": {"Version 1": {"version_identifier": "25.2"}}}')
    study = Study(str(tmp_path / "hall.epJSON"), "https://me:secret@weather.test/city.epw?sig=hidden", baseline=True)
    origins = study.plan().origins
    assert str(tmp_path / "hall.epJSON") in origins
    assert "secret" not in repr(origins)
    assert "hidden" not in repr(origins)
    assert not Study({"Version": {"Version 1": {"version_identifier": "25.2"}}}, baseline=True).plan().origins
