"""The pages of connections: profiles without their secrets, and the checkup line by line."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from conftest import make_bucket
from dashboard_client import OWN, entered
from skyhold.config import load_profile
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.profiles import list_profiles
from skyhold.runs.journal import Journal
from skyhold.testing.servers import LocalServer

_PROFILES = """
[lab]
uri = "s3://models/2026"
endpoint = "http://me:hunter2@localhost:9000"
access_key_id = "me"
secret_access_key = "hunter2"
session_token = {env = "LAB_TOKEN"}
sas_token = {nothing = "hunter2"}

[other]
region = "eu-central-1"
credentials_file = "keys.json"
"""


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "profiles.toml"
    file.write_text(_PROFILES)
    file.chmod(0o600)
    monkeypatch.setenv("SKYHOLD_CONFIG", str(file))
    monkeypatch.setenv("LAB_TOKEN", "hunter2")
    return file


def _user(tmp_path: Path, *places: Place) -> TestClient:
    return entered(Desk(Journal(tmp_path / "journal"), {place.name: place for place in places}))


def test_without_profiles_the_page_says_how_to_write_one(tmp_path: Path):
    text = _user(tmp_path).get("/connections").text
    assert "secret_access_key = {env" in text
    assert "profiles.toml" in text


def test_profiles_are_shown_without_their_secrets(tmp_path: Path, profiles: Path):
    text = _user(tmp_path).get("/connections").text
    for words in ("lab", "s3://models/2026", "environment variable LAB_TOKEN", "eu-central-1", str(profiles)):
        assert words in text
    assert "hunter2" not in text
    assert "hunter2" not in _user(tmp_path).get("/storage").text


def test_listing_profiles_reads_no_secret_and_needs_none(profiles: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("LAB_TOKEN")
    first, second = list_profiles(profiles)
    assert (first.name, first.uri) == ("lab", "s3://models/2026")
    assert "hunter2" not in repr(first)
    assert second.settings == {"region": "eu-central-1", "credentials_file": "keys.json"}
    profiles.unlink()
    assert not list_profiles(profiles)


def test_a_profiles_uri_is_no_option(profiles: Path):
    assert "uri" not in load_profile("lab", profiles)


def test_a_broken_file_of_profiles_is_told_without_what_it_holds(tmp_path: Path, profiles: Path):
    profiles.write_text("secret = hunter2")
    answer = _user(tmp_path).get("/connections")
    assert answer.status_code == 400
    assert "not valid TOML" in answer.text
    assert "hunter2" not in answer.text


def test_a_place_is_tried_line_by_line(tmp_path: Path):
    place = make_place(str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    user = _user(tmp_path, place)
    page = f"/connections/{place.name}"
    assert "nobody in particular" in user.get(page).text
    assert not list((tmp_path / "data").iterdir()), "looking tries nothing"
    assert user.post(page).status_code == 403, "not by another site"
    whole = user.post(page, headers=OWN).text
    assert "put" in whole
    assert 'class="state ok"' in whole
    assert "trying" not in whole
    live = user.post(page, headers={**OWN, "HX-Request": "true"})
    assert live.headers["content-type"].startswith("text/event-stream")
    messages = live.text.split("\n\n")
    assert "trying" in messages[0]
    assert messages[0].count("<tr>") < messages[3].count("<tr>")
    assert "trying" not in messages[-2]


def test_a_bucket_says_who_asks_and_where(tmp_path: Path, moto: LocalServer):
    place = make_place(f"s3://{make_bucket(moto)}", "", moto.options)
    text = _user(tmp_path, place).get(f"/connections/{place.name}").text
    assert moto.endpoint in text
    assert "access_key_id" in text
    assert moto.options["secret_access_key"] not in text.replace("secret_access_key", "")


def test_what_cannot_be_opened_says_why(tmp_path: Path):
    place = make_place("s3://bucket")
    answer = _user(tmp_path, place).get(f"/connections/{place.name}")
    assert answer.status_code in {400, 403}
    assert "What to do" in answer.text
