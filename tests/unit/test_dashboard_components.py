"""The pages of components: what a library holds, versions, and bringing one back."""

import html
import re
import shlex
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from skyhold.components.library import Library
from skyhold.dashboard.desk import Desk, Place, make_place
from skyhold.runs.journal import Journal


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "library").mkdir()
    return make_place(str(tmp_path / "library"))


@pytest.fixture
def library(place: Place) -> Library:
    return Library(place.open(), author="ada@site")


@pytest.fixture
def user(tmp_path: Path, place: Place) -> TestClient:
    return entered(Desk(Journal(tmp_path / "journal"), {place.name: place}))


def test_an_empty_library_says_how_to_publish(user: TestClient, place: Place):
    assert place.uri in user.get("/components").text
    assert f"skyhold comp add {place.uri} FILE" in user.get(f"/components/{place.name}").text


def test_a_library_shows_its_components_and_their_versions(user: TestClient, library: Library, place: Place):
    library.publish("walls/brick.stl", b"one", message="the first")
    library.publish("walls/brick.stl", b"two!", message="thicker", metadata={"material": "clay"})
    library.publish("roof.stl", b"roof")
    library.tag("walls/brick.stl", "approved", 1)
    library.delete("roof.stl")
    text = user.get(f"/components/{place.name}").text
    assert "walls/brick.stl" in text
    assert "approved = 1" in text
    assert "roof.stl" not in text
    assert "roof.stl" in user.get(f"/components/{place.name}?deleted=yes").text
    assert "brick" not in user.get(f"/components/{place.name}?prefix=roof").text
    text = user.get(f"/components/{place.name}/component?id=walls/brick.stl").text
    for words in ("the first", "thicker", "ada@site", "clay", "approved", "Restore version 1"):
        assert words in text
    assert "Restore version 2" not in text
    assert "was deleted in version 2" in user.get(f"/components/{place.name}/component?id=roof.stl").text


def test_an_old_version_is_brought_back_as_the_next_one(user: TestClient, library: Library, place: Place):
    library.publish("a", b"one")
    library.publish("a", b"two")
    target, form = f"/components/{place.name}/restore", {"id": "a", "version": "1"}
    assert user.post(target, data=form).status_code == 403, "not by another site"
    answer = user.post(target, data=form, headers=OWN)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/components/{place.name}/component?id=a")
    assert library.info("a").number == 3
    assert library.read("a") == b"one"
    assert user.post(target, data={**form, "version": "9"}, headers=OWN).status_code == 404
    assert user.post(target, data={**form, "version": "x"}, headers=OWN).status_code == 400


def test_what_is_not_there_is_told(user: TestClient, place: Place):
    answer = user.get(f"/components/{place.name}/component?id=none")
    assert answer.status_code == 404
    assert "What to do" in answer.text
    assert user.get("/components/none-such").status_code == 404


def test_names_are_text_in_pages_and_in_commands(user: TestClient, library: Library, place: Place):
    name = "<b>x</b>; rm -rf ~ && 'y'.stl"
    library.publish(name, b"x", message="<script>alert(1)</script>", metadata={"note": "<i>"})
    for page in (f"/components/{place.name}", f"/components/{place.name}/component?id={quote_plus(name)}"):
        text = user.get(page).text
        assert "<b>x" not in text
        assert "<script>alert" not in text
        assert "<i>" not in text
    command = re.search('data-copy="(skyhold comp get [^"]*)"', text)
    assert command is not None
    assert shlex.split(html.unescape(command[1])) == ["skyhold", "comp", "get", place.uri, name]
