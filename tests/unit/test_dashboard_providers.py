"""The pages of providers: forms whose answers become files, and secrets that never come back."""

import json
import stat
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from conftest import make_bucket
from dashboard_client import OWN, entered
from skyhold.components.config import CloudStorageConfig, config_file
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.provider_fields import FIELDS, TITLES
from skyhold.runs.journal import default_journal
from skyhold.testing.servers import LocalServer

_PAGE = "/components/providers/"
_S3 = {"bucket_name": "models", "prefix": "robots", "access_key_id": "me", "secret_access_key": "hunter2"}


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(default_journal(), folder=tmp_path)


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _save(user: TestClient, provider: str, **answers: str):
    return user.post(_PAGE + provider, data=answers, headers=OWN)


def _loaded(desk: Desk, provider: str = "aws") -> CloudStorageConfig:
    return CloudStorageConfig.load(config_file(provider, desk.folder))  # type: ignore[arg-type]


def test_every_provider_has_a_form_with_its_own_fields(user: TestClient):
    overview = user.get("/components").text
    for provider in TITLES:
        assert _PAGE + provider in overview
        text = user.get(_PAGE + provider).text
        for field in FIELDS[provider]:
            assert f'name="{field.name}"' in text
    assert "account_key" not in user.get(_PAGE + "aws").text
    assert "region" not in user.get(_PAGE + "azure").text
    assert user.get(_PAGE + "dropbox").status_code == 404


def test_answers_are_kept_in_the_file_that_the_document_names_and_only_the_user_reads_it(user: TestClient, desk: Desk):
    assert _save(user, "aws", **_S3, encryption="yes", storage_class="STANDARD_IA").status_code == 303
    file = desk.folder / "cloud_storage_aws_config.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    config = _loaded(desk)
    assert (config.uri, config.storage_class, config.encryption) == ("s3://models/robots", "STANDARD_IA", True)
    assert config.options["secret_access_key"].reveal() == "hunter2"
    assert "configured" in user.get("/components").text
    assert "s3://models/robots" in user.get(_PAGE + "aws").text


def test_a_secret_never_comes_back_and_stays_unless_it_is_changed(user: TestClient, desk: Desk):
    _save(user, "aws", **_S3)
    name = next(iter(desk.configured))
    for page in (_PAGE + "aws", "/components", "/connections", "/storage", f"/components/{name}", f"/storage/{name}"):
        assert "hunter2" not in user.get(page).text, page
    others = {key: value for key, value in _S3.items() if key != "secret_access_key"}
    _save(user, "aws", **{**others, "bucket_name": "other"})
    assert _loaded(desk).bucket_name == "other"
    assert _loaded(desk).options["secret_access_key"].reveal() == "hunter2"
    _save(user, "aws", **others, secret_access_key_forget="yes")
    assert "secret_access_key" not in _loaded(desk).options


def test_a_secret_in_a_variable_is_not_written(user: TestClient, desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MODELS_SECRET", "hunter2")
    others = {key: value for key, value in _S3.items() if key != "secret_access_key"}
    assert _save(user, "aws", **others, secret_access_key_variable="MODELS_SECRET").status_code == 303
    content = json.loads(config_file("aws", desk.folder).read_text())
    assert content["secret_access_key"] == {"env": "MODELS_SECRET"}
    assert "environment variable MODELS_SECRET" in user.get(_PAGE + "aws").text
    assert _save(user, "aws", **others, secret_access_key_variable="NONE_SUCH").status_code == 400
    both = _save(user, "aws", **_S3, secret_access_key_variable="MODELS_SECRET")
    assert both.status_code == 400
    assert "hunter2" not in both.text


def test_options_that_the_form_does_not_know_stay(user: TestClient, desk: Desk):
    CloudStorageConfig("aws", bucket_name="models", encryption="aws:kms", retries=7).save(
        config_file("aws", desk.folder)
    )
    _save(user, "aws", bucket_name="models", encryption="yes", region="eu-central-1")
    assert (_loaded(desk).options["retries"], _loaded(desk).encryption) == (7, "aws:kms")


def test_a_file_that_is_there_is_opened_only_when_it_is_asked_for(user: TestClient, desk: Desk):
    (desk.folder / "parts").mkdir()
    config = CloudStorageConfig("local", bucket_name=str(desk.folder / "parts"))
    config.save(config_file("local", desk.folder))
    assert not desk.places
    assert "Open the library" in user.get(_PAGE + "local").text
    assert not desk.places, "looking opens nothing"
    answer = user.post(_PAGE + "local/open", headers=OWN)
    assert user.get(answer.headers["location"]).status_code == 200
    assert list(desk.configured.values()) == [config]


def test_a_provider_that_is_configured_anew_takes_the_place_of_the_old_one(user: TestClient, desk: Desk):
    for folder in ("one", "two"):
        _save(user, "local", bucket_name=str(desk.folder / folder))
    assert [place.uri for place in desk.places.values()] == [str(desk.folder / "two")]
    assert len(desk.configured) == 1


def test_a_mock_is_configured_with_numbers(user: TestClient, desk: Desk):
    folder = str(desk.folder / "mock")
    assert _save(user, "mock", bucket_name=folder, latency_ms="5", error_rate="0").status_code == 303
    assert _loaded(desk, "mock").options["latency_ms"] == 5
    for nonsense in ("much", "nan", "inf"):
        assert _save(user, "mock", bucket_name=folder, latency_ms=nonsense).status_code == 400


def test_a_bucket_is_made_and_used(user: TestClient, desk: Desk, moto: LocalServer):
    name = make_bucket(moto) + "-made-here"
    answers = {
        "bucket_name": name,
        **{key: str(value) for key, value in moto.options.items()},
    }
    assert _save(user, "aws", **answers).status_code == 303
    missing = user.get(f"/components/{next(iter(desk.places))}")
    assert missing.status_code == 404
    made = user.post(_PAGE + "aws/bucket", headers=OWN)
    assert made.status_code == 303, made.text
    assert "create bucket" in (desk.folder / "cloud_storage.log").read_text()
    page = made.headers["location"]
    assert user.get(page).status_code == 200
    assert user.post(f"{page}/upload?key=arm.stl", content=b"solid", headers=OWN).status_code == 201
    assert "arm.stl" in user.get(page).text


def test_what_is_wrong_is_told_and_nothing_is_written(user: TestClient, desk: Desk):
    for provider, answers in (
        ("aws", {"bucket_name": ""}),
        ("aws", {"bucket_name": "s3://models"}),
        ("local", {"bucket_name": ""}),
    ):
        answer = _save(user, provider, **answers)
        assert answer.status_code == 400
        assert "What to do" in answer.text
    assert not list(desk.folder.iterdir())
    assert not desk.places


def test_a_damaged_file_is_told_without_what_it_holds_and_can_be_replaced(user: TestClient, desk: Desk):
    file = config_file("aws", desk.folder)
    file.write_text('{"secret_access_key": "hunter2"')
    text = user.get(_PAGE + "aws").text
    assert "not valid JSON" in text
    assert "hunter2" not in text
    assert _save(user, "aws", bucket_name="models").status_code == 303
    assert _loaded(desk).bucket_name == "models"


def test_other_machines_and_other_sites_configure_nothing(user: TestClient, desk: Desk):
    for act in ("", "/open", "/bucket"):
        assert user.post(f"{_PAGE}aws{act}", data=_S3, headers={"Origin": "http://evil.example"}).status_code == 403
    desk.may_open = False
    assert user.get(_PAGE + "aws").status_code == 403
    assert _save(user, "aws", **_S3).status_code == 403
    assert "Configure a provider" not in user.get("/components").text
    assert not list(desk.folder.iterdir())


def test_html_in_answers_is_text(user: TestClient):
    attack = '"><script>alert(1)</script>'
    assert _save(user, "aws", bucket_name="models", prefix=attack, region=attack).status_code == 303
    for page in (_PAGE + "aws", "/components"):
        assert "<script>alert" not in user.get(page).text
