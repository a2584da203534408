"""Configurations that come from elsewhere: shown line by line without secrets, and taken only then."""

import json
import re
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from dashboard_client import OWN, entered
from skyhold.components.config import CloudStorageConfig, config_file
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import make_place
from skyhold.runs.journal import Journal
from skyhold.storage.diagnosis import open_diagnosis

_PAGE = "/connections/import"
_S3 = {
    "provider": "aws",
    "bucket_name": "models",
    "prefix": "robots",
    "endpoint": "http://localhost:9",
    "access_key_id": "me",
    "secret_access_key": "hunter2",
    "public_access": True,
}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    (tmp_path / "work").mkdir()
    return Desk(Journal(tmp_path / "journal"), folder=tmp_path / "work")


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _explain(user: TestClient, **answers: str):
    return user.post(_PAGE, data=answers, headers=OWN)


def _take(user: TestClient, text: str):
    number = re.search(r'name="number" value="([^"]+)"', text)
    assert number is not None
    return user.post(f"{_PAGE}/take", data={"number": number[1]}, headers=OWN)


def test_a_text_is_shown_line_by_line_and_taken_then(user: TestClient, desk: Desk):
    text = _explain(user, text=json.dumps(_S3)).text
    for words in ("s3://models/robots", "access_key_id", "a secret in plain text", "without encryption on the way"):
        assert words in text
    assert "open to everybody" in text
    assert "hunter2" not in text
    target = config_file("aws", desk.folder)
    assert str(target) in text
    assert not target.exists()
    assert not desk.places
    answer = _take(user, text)
    assert answer.headers["location"] == "/components/providers/aws"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert CloudStorageConfig.load(target).options["secret_access_key"].reveal() == "hunter2"
    assert "hunter2" not in user.get("/components/providers/aws").text + user.get("/connections").text
    assert len(desk.places) == 1
    assert _take(user, text).status_code == 404, "it is taken once"


def test_a_file_is_read_from_where_it_lies(user: TestClient, desk: Desk, tmp_path: Path):
    (tmp_path / "other" / "models").mkdir(parents=True)
    file = tmp_path / "other" / "cloud_storage_local_config.json"
    file.write_text('{"provider": "local", "bucket_name": "models"}')
    text = _explain(user, path=str(file)).text
    assert str(tmp_path / "other" / "models") in text
    assert "there is no such folder" not in text
    _take(user, text)
    assert CloudStorageConfig.load(config_file("local", desk.folder)).uri == str(tmp_path / "other" / "models")
    assert "it takes the place of the configuration there" in _explain(user, path=str(file)).text


def test_paths_in_a_text_are_seen_from_the_dashboards_folder(user: TestClient, desk: Desk):
    text = _explain(user, text='{"provider": "mock", "bucket_name": "try"}').text
    assert str(desk.folder / "try") in text
    assert "there is no such folder" in text


def test_a_secret_by_reference_is_told_by_its_place(user: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    content = {**_S3, "secret_access_key": {"env": "MODELS_SECRET"}}
    assert "MODELS_SECRET" in _explain(user, text=json.dumps(content)).text, "which is not set"
    monkeypatch.setenv("MODELS_SECRET", "hunter2")
    text = _explain(user, text=json.dumps(content)).text
    assert "environment variable MODELS_SECRET" in text
    assert "hunter2" not in text
    _take(user, text)
    assert json.loads(config_file("aws", desk.folder).read_text())["secret_access_key"] == {"env": "MODELS_SECRET"}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        '{"provider": "dropbox", "bucket_name": "x"}',
        '{"provider": "aws"}',
        '{"provider": 7}',
        '{"provider": "local", "bucket_name": "x", "credentials_file": "y"}',
        "[" * 100_000,
        '{"secret_access_key": "hunter2", ',
        '{"provider": "aws", "bucket_name": "b", "encryption": []}',
    ],
)
def test_what_cannot_be_a_configuration_is_refused_with_the_reason(user: TestClient, desk: Desk, text: str):
    answer = _explain(user, text=text)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "hunter2" not in answer.text
    assert not desk.offered


def test_a_path_that_names_no_configuration_is_refused(user: TestClient, tmp_path: Path):
    assert _explain(user).status_code == 400
    assert _explain(user, path="x", text="y").status_code == 400
    for path in (str(tmp_path), "/dev/zero", str(tmp_path / "none.json"), "/etc/passwd"):
        answer = _explain(user, path=path)
        assert answer.status_code == 400, path
        assert "root:" not in answer.text
    large = tmp_path / "large.json"
    large.write_bytes(b" " * 2_000_000)
    assert "too large" in _explain(user, path=str(large)).text
    shared = tmp_path / "shared.json"
    shared.write_text(json.dumps(_S3))
    shared.chmod(0o644)
    assert "others may read" in _explain(user, path=str(shared)).text


def test_only_some_configurations_wait_to_be_taken(user: TestClient, desk: Desk):
    first = _explain(user, text=json.dumps(_S3)).text
    for _ in range(8):
        _explain(user, text=json.dumps(_S3))
    assert len(desk.offered) == 8
    assert _take(user, first).status_code == 404


def test_from_afar_nothing_is_imported(tmp_path: Path):
    user = entered(Desk(Journal(tmp_path), may_open=False, folder=tmp_path))
    for answer in (user.get(_PAGE), _explain(user, text=json.dumps(_S3)), user.post(f"{_PAGE}/take", headers=OWN)):
        assert answer.status_code == 403
    assert "/connections/import" not in user.get("/connections").text


def test_connections_lead_to_the_forms_of_providers_and_say_who_asks(user: TestClient, desk: Desk, tmp_path: Path):
    _take(user, _explain(user, text=json.dumps(_S3)).text)
    text = user.get("/connections").text
    assert 'href="/components/providers/aws"' in text
    assert 'href="/connections/import"' in text
    (name,) = desk.places
    assert f'hx-get="/connections/{name}/identity"' in text
    identity = user.get(f"/connections/{name}/identity").text
    assert "access_key_id" in identity
    assert "hunter2" not in identity
    half = make_place("s3://b", "", {"access_key_id": "me"})
    desk.add([half])
    assert "failed" in user.get(f"/connections/{half.name}/identity").text
    assert user.get("/connections/none-000000/identity").status_code == 404


def test_credentials_that_have_ended_are_told_as_such(user: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    place = make_place("memory://expiry")
    desk.add([place])
    whole = open_diagnosis(place.uri)
    for hours, words in ((-1, "ended"), (1, "until")):
        until = datetime.now(UTC) + timedelta(hours=hours)
        found = replace(whole, identity="session of <ann>", expires_at=until)
        monkeypatch.setattr("skyhold.dashboard.connections.open_diagnosis", lambda uri, found=found, **_: found)
        text = user.get(f"/connections/{place.name}/identity").text
        assert "session of &lt;ann&gt;" in text
        assert words in text
        assert until.isoformat(timespec="seconds") in text
