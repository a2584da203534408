"""Azure: which account, which endpoint, and the emulator."""

from typing import Any

import pytest

from skyhold.errors import BadOptionError, CredentialsError
from skyhold.storage.credentials import Connection, azure, resolve_connection
from skyhold.storage.credentials.connection_string import EMULATOR_KEY
from skyhold.storage.location import parse_location

KEY = "b3B0aW9uLWtleS1vcHRpb24ta2V5LW9wdGlvbi1rZXk="
STRING = f"DefaultEndpointsProtocol=https;AccountName=models;AccountKey={KEY};EndpointSuffix=core.windows.net"


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


class TestAccount:
    def test_the_uri_names_it(self) -> None:
        uri = "abfss://box@models.dfs.core.windows.net/x"
        assert resolve({"account_key": KEY}, uri=uri).settings["account_name"] == "models"

    @pytest.mark.parametrize(
        ("options", "environment"),
        [
            ({"account_name": "b", "account_key": KEY}, {}),
            ({"connection_string": STRING.replace("models", "b")}, {}),
            ({}, {"AZURE_STORAGE_ACCOUNT": "b", "AZURE_STORAGE_KEY": KEY}),
        ],
        ids=["option", "connection string", "environment"],
    )
    def test_a_key_of_another_account_than_the_uris_is_refused(
        self, options: dict[str, Any], environment: dict[str, str]
    ) -> None:
        with pytest.raises(CredentialsError, match=r"'models' by the URI.*'b' by"):
            resolve(options, environment, uri="abfss://box@models.dfs.core.windows.net")

    def test_an_account_of_the_environment_is_ambient_for_a_key_of_the_options(self) -> None:
        connection = resolve({"account_name": "a", "account_key": KEY}, {"AZURE_STORAGE_ACCOUNT": "b"})
        assert connection.settings["account_name"] == "a"

    def test_without_an_account_the_error_says_three_ways_to_name_it(self) -> None:
        with pytest.raises(CredentialsError, match="no storage account") as caught:
            resolve({"account_key": KEY})
        assert all(word in caught.value.remedy for word in ("az://box@", "account_name=", "AZURE_STORAGE_ACCOUNT_NAME"))

    def test_an_account_url_names_it(self) -> None:
        connection = resolve({"account_url": "https://models.blob.core.windows.net/", "account_key": KEY})
        assert connection.settings["account_name"] == "models"
        assert connection.settings["endpoint"] == "https://models.blob.core.windows.net"


class TestEmulator:
    URL = "http://127.0.0.1:10000/devstoreaccount1"

    @pytest.mark.parametrize(
        ("options", "environment", "endpoint"),
        [
            ({"use_emulator": True}, {}, URL),
            ({"use_emulator": True}, {"AZURITE_BLOB_STORAGE_URL": "http://h:1"}, "http://h:1/devstoreaccount1"),
            ({"use_emulator": True, "endpoint": "http://h:2"}, {}, "http://h:2/devstoreaccount1"),
            ({}, {"AZURE_STORAGE_USE_EMULATOR": "true"}, URL),
            ({}, {"AZURITE_BLOB_STORAGE_URL": "http://h:1/"}, "http://h:1/devstoreaccount1"),
            ({"endpoint": "http://127.0.0.1:5/devstoreaccount1"}, {}, "http://127.0.0.1:5/devstoreaccount1"),
            ({"account_name": "devstoreaccount1"}, {}, URL),
            ({"account_name": "devstoreaccount1", "account_key": EMULATOR_KEY}, {}, URL),
        ],
    )
    def test_trap_7_the_emulator_is_an_account_and_an_endpoint_of_ours(
        self, options: dict[str, Any], environment: dict[str, str], endpoint: str
    ) -> None:
        connection = resolve(options, environment)
        assert given(connection) == {"access_key": EMULATOR_KEY}
        assert connection.settings["endpoint"] == endpoint
        assert connection.settings["use_emulator"] is False
        assert connection.client["allow_http"] is True

    def test_a_real_account_of_the_environment_wins_over_the_emulators_address(self) -> None:
        environment = {"AZURITE_BLOB_STORAGE_URL": "http://h:1", "AZURE_STORAGE_CONNECTION_STRING": STRING}
        assert resolve({}, environment).settings["account_name"] == "models"


def test_a_customers_key_is_not_sent_over_plain_http() -> None:
    with pytest.raises(BadOptionError, match="https"):
        resolve({"use_emulator": True, "encryption_key": KEY})
