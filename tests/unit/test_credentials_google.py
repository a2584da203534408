"""Google Cloud Storage and web servers: which identity is chosen, and what obstore is told."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import obstore
import pytest
from obstore.store import GCSStore, HTTPStore

from skyhold.errors import BadOptionError, CredentialsError, MissingExtraError
from skyhold.storage.credentials import Connection, resolve_connection, reveal_settings
from skyhold.storage.location import parse_location
from unit.credentials_server import Recorder, recording

SERVICE = {"type": "service_account", "client_email": "e", "private_key": "hidden-key", "private_key_id": "1"}
WITHOUT_OAUTH = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
USER = {"type": "authorized_user", "client_id": "i", "client_secret": "hidden-s", "refresh_token": "hidden-r"}


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


def resolve(options: dict[str, Any] | None = None, environment: dict[str, str] | None = None) -> Connection:
    return resolve_connection(parse_location("gs://bucket"), options or {}, environment or {})


def write_json(folder: Path, content: Any, name: str = "key.json") -> str:
    file = folder / name
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    return str(file)


def token_of(connection: Connection) -> str:
    assert connection.provider is not None
    return connection.provider()["token"]


def put(**options: Any) -> Connection:
    connection = resolve_connection(parse_location("gs://bucket"), options)
    extra: dict[str, Any] = {"credential_provider": connection.provider} if connection.provider else {}
    store = GCSStore(
        "bucket",
        config=reveal_settings(connection.settings),  # pyright: ignore[reportArgumentType]
        client_options=dict(connection.client),  # pyright: ignore[reportArgumentType]
        retry_config={"max_retries": 0},
        **extra,
    )
    obstore.put(store, "key", b"data", use_multipart=False)
    return connection


class TestServiceAccount:
    @pytest.mark.parametrize("option", ["service_account", "credentials_file", "application_credentials", "token"])
    def test_a_key_file_by_option(self, tmp_path: Path, option: str) -> None:
        path = write_json(tmp_path, SERVICE)
        connection = resolve({option: path})
        assert connection.settings["service_account"] == path
        assert connection.provider is None
        assert connection.identity == f"credentials file {path!r}"

    @pytest.mark.parametrize(
        "variable", ["GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH"]
    )
    def test_a_key_file_by_environment(self, tmp_path: Path, variable: str) -> None:
        path = write_json(tmp_path, SERVICE)
        connection = resolve({}, {variable: path})
        assert connection.settings["service_account"] == path
        assert connection.identity == f"credentials file {path!r} ({variable})"

    @pytest.mark.parametrize("by", ["option", "mapping", "environment"])
    def test_a_key_as_text_is_a_secret_in_the_settings(self, by: str) -> None:
        text = json.dumps(SERVICE)
        options = {"option": {"service_account_key": text}, "mapping": {"token": SERVICE}}.get(by, {})
        connection = resolve(options, {"GOOGLE_SERVICE_ACCOUNT_KEY": text} if by == "environment" else {})
        assert connection.settings["service_account_key"].reveal() == text
        assert "hidden-key" not in repr(connection.settings)

    def test_text_that_is_no_key_is_refused_without_showing_it(self) -> None:
        with pytest.raises(CredentialsError, match="no service account's key") as caught:
            resolve({"service_account_key": "hidden"})
        assert "hidden" not in str(caught.value)

    def test_another_file_names_its_keys_and_no_value(self, tmp_path: Path) -> None:
        path = write_json(tmp_path, {"foo": "hidden", "type": "banana"})
        with pytest.raises(CredentialsError, match="its keys are: 'foo', 'type'") as caught:
            resolve({"credentials_file": path})
        assert "hidden" not in str(caught.value)

    def test_two_in_the_environment_are_refused(self, tmp_path: Path) -> None:
        environment = {"GOOGLE_SERVICE_ACCOUNT": write_json(tmp_path, SERVICE), "GOOGLE_SERVICE_ACCOUNT_KEY": "x"}
        with pytest.raises(CredentialsError, match="two identities"):
            resolve({}, environment)

    def test_an_emulators_key_file_names_its_address(self, tmp_path: Path, server: Recorder) -> None:
        path = write_json(tmp_path, {**WITHOUT_OAUTH, "gcs_base_url": server.url})
        connection = put(credentials_file=path)
        assert connection.settings["base_url"] == server.url
        assert server.last.path == "/bucket/key"


class TestUser:
    @pytest.mark.parametrize("by", ["option", "environment", "gcloud"])
    def test_a_user_of_gcloud_is_renewed_by_ourselves(self, tmp_path: Path, server: Recorder, by: str) -> None:
        server.answers["/token"] = (200, '{"access_token": "tok", "expires_in": 3600}')
        folder = tmp_path / ".config" / "gcloud"
        folder.mkdir(parents=True)
        content = {**USER, "token_uri": f"{server.url}/token"}
        path = write_json(folder, content, "application_default_credentials.json")
        options = {"credentials_file": path} if by == "option" else {}
        environment = {"GOOGLE_APPLICATION_CREDENTIALS": path} if by == "environment" else {}
        connection = resolve(options, environment or ({"HOME": str(tmp_path)} if by == "gcloud" else {}))
        assert token_of(connection) == "tok"
        assert server.last.form == {
            "grant_type": "refresh_token",
            "client_id": "i",
            "client_secret": "hidden-s",
            "refresh_token": "hidden-r",
        }
        assert connection.provider is not None
        assert connection.provider.expires_at is not None
        assert connection.provider.expires_at - datetime.now(UTC) > timedelta(minutes=58)

    def test_a_user_who_must_log_in_again_is_told_so(self, tmp_path: Path, server: Recorder) -> None:
        server.answers["/token"] = (400, '{"error": "invalid_grant"}')
        path = write_json(tmp_path, {**USER, "token_uri": f"{server.url}/token"})
        with pytest.raises(CredentialsError, match="invalid_grant") as caught:
            token_of(resolve({"credentials_file": path}))
        assert "gcloud auth application-default login" in caught.value.remedy
        assert "hidden" not in str(caught.value)

    def test_half_a_user_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CredentialsError, match="has no 'refresh_token'"):
            resolve({"credentials_file": write_json(tmp_path, {**USER, "refresh_token": ""})})


class TestOthers:
    @pytest.mark.parametrize("options", [{"bearer_token": "tok"}, {"token": "tok"}], ids=["bearer_token", "token"])
    def test_a_bearer_token(self, options: dict[str, str]) -> None:
        connection = resolve(options)
        assert token_of(connection) == "tok"
        assert connection.identity == f"option {next(iter(options))!r}"

    def test_links_are_signed_only_with_a_key_of_ones_own_or_in_the_machines_name(self, tmp_path: Path) -> None:
        def can_sign(**options: Any) -> bool:
            return resolve(options).can_sign

        assert can_sign(service_account_key=json.dumps(SERVICE))
        assert can_sign(credential="metadata")
        assert not can_sign(service_account_key=json.dumps(WITHOUT_OAUTH))
        assert not can_sign(credentials_file=write_json(tmp_path, USER))
        assert not can_sign(bearer_token="a-token")
        assert not can_sign(anonymous=True)

    def test_a_bearer_token_of_the_environment(self) -> None:
        assert resolve({}, {"GOOGLE_BEARER_TOKEN": "tok"}).identity == "environment variable GOOGLE_BEARER_TOKEN"

    @pytest.mark.parametrize("options", [{"anon": True}, {"token": "anon"}, {"skip_signature": True}])
    def test_anonymous(self, options: dict[str, Any]) -> None:
        connection = resolve(options, {"GOOGLE_APPLICATION_CREDENTIALS": "/x"})
        assert connection.identity == "anonymous"
        assert connection.settings["skip_signature"] is True

    def test_two_ways_at_once_are_refused(self) -> None:
        with pytest.raises(CredentialsError, match="more than one identity"):
            resolve({"token": "tok", "anon": True})
        with pytest.raises(CredentialsError, match="more than one identity"):
            resolve({"token": "tok", "bearer_token": "other"})

    def test_the_machines_account(self, server: Recorder) -> None:
        server.answers["/computeMetadata/v1/instance/service-accounts/default/token"] = (
            200,
            '{"access_token": "tok", "expires_in": 3600}',
        )
        connection = resolve({}, {"GCE_METADATA_HOST": server.url.removeprefix("http://")})
        assert token_of(connection) == "tok"
        assert server.last.headers["metadata-flavor"] == "Google"
        assert connection.identity == "the machine's service account (no other source was found)"

    def test_nothing_at_all_with_the_machine_turned_off(self) -> None:
        with pytest.raises(CredentialsError, match="no credentials for Google"):
            resolve({}, {"NO_GCE_CHECK": "true"})

    @pytest.mark.parametrize("kind", ["external_account", "impersonated_service_account"])
    def test_what_needs_google_auth_says_which_extra_brings_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        monkeypatch.setitem(sys.modules, "google.auth", None)
        with pytest.raises(MissingExtraError, match=f"{kind}.*extra 'gcp'"):
            resolve({"credentials_file": write_json(tmp_path, {"type": kind})})

    def test_google_auth_renews_with_the_true_expiry(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        expiry = datetime(2099, 1, 1)  # noqa: DTZ001 - as google-auth gives it

        def refresh(_: object) -> None:
            found.token = "tok"

        def load(path: str, scopes: list[str]) -> tuple[SimpleNamespace, str]:
            assert path.endswith(".json")
            assert len(scopes) == 1
            return found, "project"

        found = SimpleNamespace(token="", expiry=expiry, refresh=refresh)
        library, requests = ModuleType("google.auth"), ModuleType("google.auth.transport.requests")
        library.__dict__["load_credentials_from_file"] = load
        requests.__dict__["Request"] = object
        for name, module in (("google", ModuleType("google")), ("google.auth", library)):
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setitem(sys.modules, "google.auth.transport", ModuleType("google.auth.transport"))
        monkeypatch.setitem(sys.modules, "google.auth.transport.requests", requests)
        connection = resolve({"credentials_file": write_json(tmp_path, {"type": "external_account"})})
        assert token_of(connection) == "tok"
        assert connection.provider is not None
        assert connection.provider.expires_at == expiry.replace(tzinfo=UTC)

    def test_other_values_are_refused_and_not_shown(self) -> None:
        for options in ({"credential": "hidden"}, {"token": 5}):
            with pytest.raises(BadOptionError) as caught:
                resolve(options)
            assert "hidden" not in str(caught.value)


class TestPlace:
    @pytest.mark.parametrize("host", ["http://127.0.0.1:4443", "127.0.0.1:4443", "http://127.0.0.1:4443/"])
    def test_trap_10_the_emulators_variable_with_and_without_scheme(self, host: str) -> None:
        connection = resolve({}, {"STORAGE_EMULATOR_HOST": host})
        assert connection.settings["base_url"] == "http://127.0.0.1:4443"
        assert connection.client["allow_http"] is True
        assert connection.identity == "anonymous"

    def test_trap_10_an_anonymous_write_asks_no_metadata_service(
        self, server: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        put()
        assert (server.last.method, server.last.path) == ("PUT", "/bucket/key")

    def test_an_endpoint_of_the_options_wins(self) -> None:
        connection = resolve({"endpoint_url": "http://h:1", "anon": True}, {"STORAGE_EMULATOR_HOST": "other:2"})
        assert connection.settings["base_url"] == "http://h:1"

    def test_the_usual_place(self) -> None:
        assert resolve({"anon": True}).settings["base_url"] == "https://storage.googleapis.com"


class TestHostileEnvironment:
    def test_a_token_arrives_alone(self, server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "GOOGLE_SKIP_SIGNATURE": "true",
            "GOOGLE_BEARER_TOKEN": "ambient",
            "GOOGLE_BASE_URL": "http://127.0.0.1:1",
            "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent",
            "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(SERVICE),
            "STORAGE_EMULATOR_HOST": "127.0.0.1:1",
        }.items():
            monkeypatch.setenv(name, value)
        put(bearer_token="mine", endpoint=server.url)
        assert server.last.headers["authorization"] == "Bearer mine"

    def test_a_readable_service_account_of_the_environment_is_overruled(
        self, server: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", write_json(tmp_path, WITHOUT_OAUTH))
        put(bearer_token="mine", endpoint=server.url)
        assert server.last.headers["authorization"] == "Bearer mine"

    def test_one_that_cannot_be_kept_out_is_an_error_that_names_it(self) -> None:
        with pytest.raises(CredentialsError, match="GOOGLE_SERVICE_ACCOUNT") as caught:
            resolve({"bearer_token": "mine"}, {"GOOGLE_SERVICE_ACCOUNT": "/nonexistent"})
        assert caught.value.remedy == "Unset GOOGLE_SERVICE_ACCOUNT"

    def test_a_key_as_text_beside_a_file_of_the_environment_is_an_error_that_names_it(self, tmp_path: Path) -> None:
        with pytest.raises(CredentialsError, match="cannot be kept out"):
            resolve(
                {"service_account_key": json.dumps(SERVICE)},
                {"GOOGLE_SERVICE_ACCOUNT_PATH": write_json(tmp_path, WITHOUT_OAUTH)},
            )

    def test_a_file_beside_a_key_of_the_environment_is_given_as_text(
        self, server: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(
            "GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps({**WITHOUT_OAUTH, "gcs_base_url": "http://127.0.0.1:1"})
        )
        put(credentials_file=write_json(tmp_path, WITHOUT_OAUTH), endpoint=server.url)
        assert server.last.path == "/bucket/key"


class TestWeb:
    def get(self, url: str, **options: Any) -> Connection:
        connection = resolve_connection(parse_location(url), options)
        obstore.get(HTTPStore(connection.container, client_options=dict(connection.client)), "key")  # pyright: ignore[reportArgumentType]
        return connection

    def test_nobody(self, server: Recorder) -> None:
        assert self.get(server.url).identity == "anonymous"
        assert "authorization" not in server.last.headers

    def test_a_token(self, server: Recorder) -> None:
        connection = self.get(server.url, token="tok")
        assert server.last.headers["authorization"] == "Bearer tok"
        assert connection.identity == "option 'token'"
        assert not connection.portable
        assert "tok'" not in repr(connection).replace("'token'", "")

    def test_headers(self, server: Recorder) -> None:
        self.get(server.url, headers={"X-Api-Key": "k"})
        assert server.last.headers["x-api-key"] == "k"

    def test_a_token_and_an_authorization_header_are_two_identities(self, server: Recorder) -> None:
        with pytest.raises(CredentialsError, match="more than one identity"):
            self.get(server.url, token="tok", headers={"Authorization": "Basic x"})

    def test_a_header_that_is_no_text(self) -> None:
        with pytest.raises(BadOptionError, match="text"):
            self.get("https://example.com", headers={"a": 1})
