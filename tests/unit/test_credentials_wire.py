"""What reaches the wire: real obstore, a hostile environment, and a server on loopback that keeps every request."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import AzureStore, GCSStore, S3Store

from skyhold.storage.credentials import Connection, resolve_connection, reveal_settings
from skyhold.storage.location import parse_location
from unit.credentials_server import Recorder, recording

AZURE_KEY = "YW1iaWVudC1rZXktYW1iaWVudC1rZXktYW1iaWVudC0="
HOSTILE = {
    "AWS_SESSION_TOKEN": "ambient-token",
    "AWS_SKIP_SIGNATURE": "true",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT": "http://127.0.0.1:1",
    "AWS_REGION": "ambient-region",
    "AWS_BUCKET": "ambient-bucket",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
    "AWS_S3_EXPRESS": "true",
    "AWS_CONDITIONAL_PUT": "disabled",
    "AWS_PROXY_URL": "http://127.0.0.1:1",
    "AWS_SSE_CUSTOMER_KEY_BASE64": "ambient",
    "AWS_ROLE_ARN": "ambient-role",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1",
    "AZURE_STORAGE_ACCOUNT_NAME": "ambient",
    "AZURE_STORAGE_ACCOUNT_KEY": AZURE_KEY,
    "AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=ambient",
    "AZURE_STORAGE_TOKEN": "ambient-token",
    "AZURE_SKIP_SIGNATURE": "true",
    "AZURE_STORAGE_USE_EMULATOR": "true",
    "AZURITE_BLOB_STORAGE_URL": "http://127.0.0.1:1",
    "AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1",
    "AZURE_CREDENTIAL_TYPE": "bearer_token",
    "AZURE_USE_FABRIC_ENDPOINT": "true",
    "AZURE_CONTAINER_NAME": "ambient",
    "GOOGLE_SKIP_SIGNATURE": "true",
    "GOOGLE_BEARER_TOKEN": "ambient-token",
    "GOOGLE_BASE_URL": "http://127.0.0.1:1",
    "GOOGLE_BUCKET": "ambient",
    "GOOGLE_APPLICATION_CREDENTIALS": "/nonexistent",
    "STORAGE_EMULATOR_HOST": "127.0.0.1:1",
}
STORES: dict[str, Any] = {"s3": S3Store, "az": AzureStore, "gs": GCSStore}
S3_KEYS = {"access_key_id": "AKIAOPT", "secret_access_key": "opt-secret", "virtual_hosted_style_request": False}


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recording() as recorder:
        yield recorder


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)


def connect(connection: Connection) -> Any:
    """Do what the backend does."""
    extra = {"credential_provider": connection.provider} if connection.provider else {}
    return STORES[connection.scheme](
        connection.container,
        config=reveal_settings(connection.settings),
        client_options=dict(connection.client),
        retry_config={"max_retries": 0},
        **extra,
    )


def put(uri: str, **options: Any) -> Connection:
    connection = resolve_connection(parse_location(uri), options)
    obstore.put(connect(connection), "key", b"data", use_multipart=False)
    return connection


@pytest.mark.usefixtures("hostile")
class TestHostileEnvironment:
    def test_traps_2_and_3_s3_keys_of_options_arrive_alone_at_the_given_endpoint(self, server: Recorder) -> None:
        put("s3://bucket", endpoint=server.url, region="eu-west-1", anonymous=False, **S3_KEYS)
        headers = server.last.headers
        assert (server.last.method, server.last.path) == ("PUT", "/bucket/key")
        assert "Credential=AKIAOPT/" in headers["authorization"]
        assert "/eu-west-1/s3/" in headers["authorization"]
        assert not {name for name in headers if "security-token" in name or "encryption" in name or "payer" in name}

    def test_anonymous_s3_is_not_signed(self, server: Recorder) -> None:
        put("s3://bucket", endpoint=server.url, anon=True, virtual_hosted_style_request=False)
        assert "authorization" not in server.last.headers

    def test_a_plain_client_ignores_the_proxy_of_object_stores_variables(self, server: Recorder) -> None:
        connection = resolve_connection(parse_location("s3://b"), {"endpoint": server.url, **S3_KEYS})
        assert connection.client, "without any client option obstore takes them from the environment"


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({"encryption": "AES256"}, "x-amz-server-side-encryption", "AES256"),
        ({"encryption": "aws:kms"}, "x-amz-server-side-encryption", "aws:kms"),
        ({"kms_key_id": "k1"}, "x-amz-server-side-encryption-aws-kms-key-id", "k1"),
        ({"request_payer": "requester"}, "x-amz-request-payer", "requester"),
        (
            {"customer_key": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
            "x-amz-server-side-encryption-customer-algorithm",
            "AES256",
        ),
    ],
)
def test_encryption_and_payer_are_sent(server: Recorder, options: dict[str, Any], header: str, value: str) -> None:
    put("s3://bucket", endpoint=server.url, **S3_KEYS, **options)
    assert server.last.headers[header] == value


def test_the_variable_of_the_payer_is_used_and_an_option_overrules_it(
    server: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REQUEST_PAYER", "requester")
    put("s3://bucket", endpoint=server.url, **S3_KEYS)
    assert server.last.headers["x-amz-request-payer"] == "requester"
    put("s3://bucket", endpoint=server.url, request_payer=False, **S3_KEYS)
    assert "x-amz-request-payer" not in server.last.headers


def test_the_bucket_goes_into_the_host_where_asked(server: Recorder) -> None:
    url = server.url.replace("127.0.0.1", "localhost")
    options = {**S3_KEYS, "virtual_hosted_style_request": True}
    connection = resolve_connection(parse_location("s3://bucket"), {"endpoint": url, **options})
    assert connection.settings["endpoint"].startswith("http://bucket.localhost:")


def test_trap_6_a_container_token_file_with_a_newline(
    server: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = (
        '{"AccessKeyId": "AKIACONTAINER", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}'
    )
    server.answers["/creds"] = (200, keys)
    (tmp_path / "token").write_text("the-token\n")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/creds")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(tmp_path / "token"))
    put("s3://bucket", endpoint=server.url)
    assert server.requests[0].headers["authorization"] == "the-token"
    assert "Credential=AKIACONTAINER/" in server.last.headers["authorization"]
    assert server.last.headers["x-amz-security-token"] == "t"


def test_trap_1_a_profile_is_used_and_not_the_machines_role(
    server: Recorder, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (private_home / ".aws").mkdir()
    (private_home / ".aws" / "credentials").write_text("[dev]\naws_access_key_id=AKIADEV\naws_secret_access_key=s\n")
    (private_home / ".aws" / "config").write_text(f"[profile dev]\nendpoint_url={server.url}\nregion=eu-west-2\n")
    monkeypatch.setenv("AWS_PROFILE", "dev")
    put("s3://bucket", virtual_hosted_style_request=False)
    assert "Credential=AKIADEV/" in server.last.headers["authorization"]
    assert "/eu-west-2/s3/" in server.last.headers["authorization"]


def test_what_a_provider_raises_arrives_with_its_identity(server: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers["/creds"] = (403, "no such role")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.url}/creds")
    with pytest.raises(obstore.exceptions.UnauthenticatedError, match=r"container credentials.*answered 403: no such"):
        put("s3://bucket", endpoint=server.url)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    ("options", "path", "authorization"),
    [
        ({"account_name": "mine", "account_key": "bWluZQ=="}, "/box/key", "SharedKey mine:"),
        ({"account_name": "mine", "token": "my-token"}, "/box/key", "Bearer my-token"),
        ({"account_name": "mine", "sas_token": "?sv=2&sig=my%2Fsig"}, "/box/key?sv=2&sig=my%2Fsig", ""),
        ({"account_name": "mine", "anonymous": True}, "/box/key", ""),
    ],
    ids=["key", "token", "signature", "anonymous"],
)
def test_azure_options_arrive_alone_at_the_given_endpoint(
    server: Recorder, options: dict[str, Any], path: str, authorization: str
) -> None:
    put("az://box", endpoint=server.url, **options)
    assert server.last.path == path
    assert server.last.headers.get("authorization", "").startswith(authorization)
    assert bool(server.last.headers.get("authorization")) == bool(authorization)


def test_trap_6_the_account_is_always_given_so_that_its_text_form_does_not_panic(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "mine")
    monkeypatch.setenv("AZURE_STORAGE_KEY", AZURE_KEY)
    store = connect(resolve_connection(parse_location("az://box"), {}))
    assert AZURE_KEY not in repr(store)
    assert store.config["account_name"] == "mine"


def test_the_emulators_account_stands_in_the_path(server: Recorder) -> None:
    put("az://box", use_emulator=True, endpoint=server.url)
    assert server.last.path == "/devstoreaccount1/box/key"
    assert server.last.headers["authorization"].startswith("SharedKey devstoreaccount1:")
