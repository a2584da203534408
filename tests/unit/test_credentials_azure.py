"""Azure: which identity is chosen, what it is called, and where the account is."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from skyhold.errors import BadOptionError, CredentialsError, MissingExtraError
from skyhold.storage.credentials import Connection, azure, resolve_connection
from skyhold.storage.credentials.connection_string import EMULATOR_KEY
from skyhold.storage.location import parse_location
from unit.credentials_server import Recorder, recording

KEY = "b3B0aW9uLWtleS1vcHRpb24ta2V5LW9wdGlvbi1rZXk="
STRING = f"DefaultEndpointsProtocol=https;AccountName=models;AccountKey={KEY};EndpointSuffix=core.windows.net"
SAS = "sv=2024-01-01&se=2099-01-01T00%3A00%3A00Z&sig=c2ln%3D"


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture(autouse=True)
def without_azure_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure, "library_installed", lambda: False)


def resolve(
    options: dict[str, Any] | None = None, environment: dict[str, str] | None = None, uri: str = "az://box"
) -> Connection:
    return resolve_connection(parse_location(uri), options or {}, environment or {})


def given(connection: Connection) -> dict[str, Any]:
    assert connection.provider is not None
    values = connection.provider()
    values.pop("expires_at")
    return values


def write_json(folder: Path, content: Any) -> Path:
    file = folder / "credentials.json"
    file.write_text(json.dumps(content))
    file.chmod(0o600)
    return file


class TestConnectionString:
    @pytest.mark.parametrize("by", ["option", "environment", "file"])
    def test_trap_5_a_connection_string_is_understood(self, tmp_path: Path, by: str) -> None:
        file = write_json(tmp_path, {"connection_string": STRING})
        options = {"option": {"connection_string": STRING}, "file": {"credentials_file": file}}.get(by, {})
        environment = {"AZURE_STORAGE_CONNECTION_STRING": STRING} if by == "environment" else {}
        connection = resolve(options, environment)
        assert given(connection) == {"access_key": KEY}
        assert connection.settings["account_name"] == "models"
        assert connection.settings["endpoint"] == "https://models.blob.core.windows.net"
        assert (
            connection.identity
            == {
                "option": "option 'connection_string'",
                "environment": "environment variable AZURE_STORAGE_CONNECTION_STRING",
                "file": f"credentials file {str(file)!r}",
            }[by]
        )

    @pytest.mark.parametrize(
        ("text", "secret", "account", "endpoint"),
        [
            (f"AccountName=a;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn", {"access_key": KEY}, "a",
             "https://a.blob.core.chinacloudapi.cn"),
            (f"BlobEndpoint=https://a.blob.core.windows.net/;SharedAccessSignature=?{SAS}", {"sas_token": SAS}, "a",
             "https://a.blob.core.windows.net"),
            (f"accountname=a;accountkey={KEY};blobendpoint=http://h:1/a;queueendpoint=http://h:2/a;",
             {"access_key": KEY}, "a", "http://h:1/a"),
            (f'"{STRING}"\n', {"access_key": KEY}, "models", "https://models.blob.core.windows.net"),
            (f"DefaultEndpointsProtocol=http;AccountName=a;AccountKey={KEY}", {"access_key": KEY}, "a",
             "http://a.blob.core.windows.net"),
            ("UseDevelopmentStorage=true", {"access_key": EMULATOR_KEY}, "devstoreaccount1",
             "http://127.0.0.1:10000/devstoreaccount1"),
            ("UseDevelopmentStorage=true;DevelopmentStorageProxyUri=http://azurite", {"access_key": EMULATOR_KEY},
             "devstoreaccount1", "http://azurite:10000/devstoreaccount1"),
        ],
    )  # fmt: skip
    def test_its_forms(self, text: str, secret: dict[str, str], account: str, endpoint: str) -> None:
        connection = resolve({"connection_string": text})
        assert given(connection) == secret
        assert (connection.settings["account_name"], connection.settings["endpoint"]) == (account, endpoint)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("hunter2", "no connection string: its entry 1"),
            (f"AccountName=a;{KEY}", "its entry 2"),
            ("AccountName=a", "neither AccountKey nor SharedAccessSignature; its entries are: AccountName"),
            (f"AccountKey={KEY}", "names no account"),
            (f"AccountName=a;AccountKey={KEY};SharedAccessSignature={SAS}", "both"),
        ],
    )
    def test_a_broken_one_is_explained_without_showing_it(self, text: str, message: str) -> None:
        with pytest.raises(CredentialsError, match=message) as caught:
            resolve({"connection_string": text})
        assert "hunter2" not in str(caught.value)
        assert KEY not in str(caught.value)


class TestSecrets:
    @pytest.mark.parametrize(
        ("options", "environment", "expected", "identity"),
        [
            (
                {"account_name": "a", "account_key": KEY},
                {},
                {"access_key": KEY},
                "options 'account_name', 'account_key'",
            ),
            (
                {"account_name": "a", "sas_token": f"?{SAS}"},
                {},
                {"sas_token": SAS},
                "options 'account_name', 'sas_token'",
            ),
            ({"account_name": "a", "token": "tok"}, {}, {"token": "tok"}, "options 'account_name', 'token'"),
            (
                {},
                {"AZURE_STORAGE_ACCOUNT_NAME": "a", "AZURE_STORAGE_ACCOUNT_KEY": KEY},
                {"access_key": KEY},
                "environment variables AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY",
            ),
            (
                {},
                {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_KEY": KEY},
                {"access_key": KEY},
                "environment variables AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_KEY",
            ),
            (
                {},
                {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_SAS_TOKEN": SAS},
                {"sas_token": SAS},
                "environment variables AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_SAS_TOKEN",
            ),
            (
                {},
                {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_TOKEN": "tok"},
                {"token": "tok"},
                "environment variable AZURE_STORAGE_TOKEN",
            ),
        ],
    )
    def test_key_signature_and_token(
        self, options: dict[str, Any], environment: dict[str, str], expected: dict[str, str], identity: str
    ) -> None:
        connection = resolve(options, environment)
        assert given(connection) == expected
        assert connection.identity == identity
        assert connection.settings["account_name"] == "a"

    @pytest.mark.parametrize("content", [
        {"account_name": "a", "account_key": KEY},
        {"AZURE_STORAGE_ACCOUNT": "a", "AZURE_STORAGE_KEY": KEY, "container": "c"},
    ])  # fmt: skip
    def test_a_file_with_account_and_key(self, tmp_path: Path, content: dict[str, str]) -> None:
        connection = resolve({"credentials_file": write_json(tmp_path, content)})
        assert given(connection) == {"access_key": KEY}
        assert connection.settings["account_name"] == "a"

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ({"account_key": "hidden"}, "has no 'account_name'"),
            ({"account_name": "a"}, "holds no secret"),
            ({"account_name": "a", "account_key": "hidden", "sas_token": "hidden"}, "more than one secret"),
            ({"account": "a", "pass": "hidden"}, "its keys are: 'account', 'pass'"),
            ({"account_name": "a", "account_key": "hidden", "use_emulator": True}, "no known form"),
        ],
    )
    def test_other_files_are_explained(self, tmp_path: Path, content: dict[str, str], message: str) -> None:
        with pytest.raises(CredentialsError, match=message) as caught:
            resolve({"credentials_file": write_json(tmp_path, content)})
        assert "hidden" not in str(caught.value)
        assert "connection_string" in caught.value.remedy

    def test_the_end_of_a_signature_is_known(self) -> None:
        assert resolve({"account_name": "a", "sas_token": SAS}).expires_at == datetime(2099, 1, 1, tzinfo=UTC)

    def test_an_expired_signature_is_refused_at_once(self) -> None:
        with pytest.raises(CredentialsError, match=r"sas_token.*expired at 2020"):
            resolve({"account_name": "a", "sas_token": "sv=1&se=2020-01-01&sig=x"})

    def test_half_a_signature_is_refused(self) -> None:
        with pytest.raises(CredentialsError, match="no 'sig='"):
            resolve({"account_name": "a", "sas_token": "sv=1"})

    def test_anonymous(self) -> None:
        connection = resolve({"account_name": "a", "anon": True}, {"AZURE_STORAGE_ACCOUNT_KEY": KEY})
        assert connection.provider is None
        assert connection.settings["skip_signature"] is True
        assert connection.identity == "anonymous"

    def test_two_ways_at_once_are_refused(self) -> None:
        with pytest.raises(CredentialsError, match=r"'connection_string' and option 'account_key'"):
            resolve({"connection_string": STRING, "account_key": KEY})


APPLICATION = {
    "AZURE_TENANT_ID": "tenant",
    "AZURE_CLIENT_ID": "client",
    "AZURE_CLIENT_SECRET": "hidden",
    "AZURE_STORAGE_ACCOUNT": "a",
}


class TestTokens:
    def test_an_application_with_its_secret(self, server: Recorder) -> None:
        server.answers["/tenant/oauth2/v2.0/token"] = (200, '{"access_token": "tok", "expires_in": 3600}')
        connection = resolve({}, {**APPLICATION, "AZURE_AUTHORITY_HOST": server.url})
        assert given(connection) == {"token": "tok"}
        assert connection.identity == (
            "application (environment variables AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET)"
        )
        assert server.last.form["client_secret"] == "hidden"
        assert server.last.form["scope"] == "https://storage.azure.com/.default"
        assert connection.provider is not None
        assert connection.provider.expires_at is not None
        assert connection.provider.expires_at - datetime.now(UTC) > timedelta(minutes=58)

    @pytest.mark.parametrize("content", [
        {"client_id": "client", "client_secret": "hidden", "tenant_id": "tenant", "account_name": "a"},
        {"appId": "client", "password": "hidden", "tenant": "tenant", "displayName": "x", "account_name": "a"},
    ], ids=["ours", "az ad sp create-for-rbac"])  # fmt: skip
    def test_an_application_in_a_file(self, server: Recorder, tmp_path: Path, content: dict[str, str]) -> None:
        server.answers["/tenant/oauth2/v2.0/token"] = (200, '{"access_token": "tok"}')
        file = write_json(tmp_path, content)
        connection = resolve({"credentials_file": file, "authority_host": server.url})
        assert given(connection) == {"token": "tok"}

    @pytest.mark.parametrize("missing", ["AZURE_TENANT_ID", "AZURE_CLIENT_ID"])
    def test_an_incomplete_application_names_what_is_missing(self, missing: str) -> None:
        environment = {name: value for name, value in APPLICATION.items() if name != missing}
        with pytest.raises(CredentialsError, match=f"{missing}.* is missing") as caught:
            resolve({}, environment)
        assert "hidden" not in str(caught.value)

    def test_a_refusal_is_quoted_without_secrets(self, server: Recorder) -> None:
        server.answers["/tenant/oauth2/v2.0/token"] = (401, "AADSTS7000215: bad secret; client_secret=hidden")
        connection = resolve({}, {**APPLICATION, "AZURE_AUTHORITY_HOST": server.url})
        with pytest.raises(CredentialsError, match=r"application .*answered 401: AADSTS7000215") as caught:
            given(connection)
        assert "hidden" not in str(caught.value)

    def test_a_federated_token_file_is_read_each_time(self, server: Recorder, tmp_path: Path) -> None:
        server.answers["/tenant/oauth2/v2.0/token"] = (200, '{"access_token": "tok", "expires_in": 3600}')
        (tmp_path / "jwt").write_text("assertion\n")
        environment = {name: value for name, value in APPLICATION.items() if name != "AZURE_CLIENT_SECRET"}
        environment |= {"AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "jwt"), "AZURE_AUTHORITY_HOST": server.url}
        connection = resolve({}, environment)
        assert given(connection) == {"token": "tok"}
        assert server.last.form["client_assertion"] == "assertion"
        assert connection.identity.startswith("federated identity (environment variables AZURE_TENANT_ID")

    def test_managed_identity_of_app_service(self, server: Recorder) -> None:
        later = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
        server.answers["/msi"] = (200, json.dumps({"access_token": "tok", "expires_on": str(later)}))
        environment = {"IDENTITY_ENDPOINT": f"{server.url}/msi", "IDENTITY_HEADER": "header-secret"}
        connection = resolve({"account_name": "a"}, {**environment, "AZURE_CLIENT_ID": "me"})
        assert given(connection) == {"token": "tok"}
        assert server.last.headers["x-identity-header"] == "header-secret"
        assert "client_id=me" in server.last.path

    def test_the_header_of_the_environment_goes_to_no_other_address(self, server: Recorder) -> None:
        server.answers["/msi"] = (200, '{"access_token": "tok", "expires_in": "3600"}')
        connection = resolve({"account_name": "a", "msi_endpoint": f"{server.url}/msi"}, {"IDENTITY_HEADER": "secret"})
        given(connection)
        assert "x-identity-header" not in server.last.headers
        assert server.last.headers["metadata"] == "true"

    def test_nothing_at_all_ends_in_the_machines_identity_without_asking_it(self) -> None:
        assert resolve({"account_name": "a"}).identity == "managed identity (no other source was found)"

    @pytest.mark.parametrize(
        "options", [{"credential": "cli"}, {"use_azure_cli": True}], ids=["credential", "use_azure_cli"]
    )
    def test_the_command_line(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]) -> None:
        later = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())
        program = tmp_path / "az"
        program.write_text(f'#!/bin/sh\necho \'{{"accessToken": "tok", "expires_on": {later}}}\'\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        connection = resolve({"account_name": "a", **options})
        assert given(connection) == {"token": "tok"}
        assert connection.identity.startswith("Azure CLI")

    def test_the_command_line_that_is_not_logged_in(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        program = tmp_path / "az"
        program.write_text("#!/bin/sh\necho 'Please run az login' >&2\nexit 1\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        with pytest.raises(CredentialsError, match="Please run az login"):
            given(resolve({"account_name": "a", "credential": "cli"}))

    def test_the_command_line_that_is_missing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(CredentialsError, match="'az' is not installed"):
            given(resolve({"account_name": "a", "credential": "cli"}))

    def test_default_credential_without_the_library_says_which_extra_brings_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "azure.identity", None)
        with pytest.raises(MissingExtraError, match="extra 'azure'"):
            resolve({"account_name": "a", "credential": "default"})

    def test_default_credential_of_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        later = int((datetime.now(UTC) + timedelta(hours=1)).timestamp())

        def give(*_: object) -> SimpleNamespace:
            return SimpleNamespace(token="tok", expires_on=later)

        library = ModuleType("azure.identity")
        library.__dict__["DefaultAzureCredential"] = lambda: SimpleNamespace(get_token=give)
        monkeypatch.setitem(sys.modules, "azure", ModuleType("azure"))
        monkeypatch.setitem(sys.modules, "azure.identity", library)
        monkeypatch.setattr(azure, "library_installed", lambda: True)
        for options in ({"credential": "default"}, {}):
            connection = resolve({"account_name": "a", **options})
            assert given(connection) == {"token": "tok"}
            assert connection.provider is not None
            assert connection.provider.expires_at == datetime.fromtimestamp(later, UTC)

    def test_a_credential_object_is_used_and_never_pickled(self) -> None:
        def give(*_: object) -> SimpleNamespace:
            return SimpleNamespace(token="tok", expires_on=4_000_000_000)

        connection = resolve_connection(parse_location("az://box@a"), {"credential": SimpleNamespace(get_token=give)})
        assert given(connection) == {"token": "tok"}
        assert not connection.portable

    def test_another_credential_is_refused_and_not_shown(self) -> None:
        with pytest.raises(BadOptionError, match="credential") as caught:
            resolve({"account_name": "a", "credential": "hidden"})
        assert "hidden" not in str(caught.value)
