"""What is asked about buckets and how answers are read, on a server on loopback that says what a test wants.

The answers have the documented form of Google's and Amazon's; neither service itself is asked here.
"""

import json
import sys
from collections.abc import Callable, Generator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from skyhold.errors import BadOptionError, CredentialsError, MissingExtraError, UnsupportedError
from skyhold.storage.bucket_settings import bucket_settings
from skyhold.storage.checkup import CheckLine
from skyhold.storage.libraries import azure_client, connect
from skyhold.storage.location import parse_location
from unit.credentials_server import Recorder, Request, recording

BUCKET = "/storage/v1/b/models"
SAFE = {
    "versioning": {"enabled": True},
    "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}, "publicAccessPrevention": "enforced"},
    "encryption": {"defaultKmsKeyName": "projects/p/locations/eu/keyRings/r/cryptoKeys/k"},
    "logging": {"logBucket": "logs", "logObjectPrefix": "models"},
}
BARE = {
    "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}, "publicAccessPrevention": "inherited"},
}
S3_KEYS = {"access_key_id": "a", "secret_access_key": "hidden", "region": "us-east-1"}


@pytest.fixture
def server() -> Generator[Recorder]:
    with recording() as recorder:
        yield recorder


def google(server: Recorder, **options: Any) -> dict[str, CheckLine]:
    options = options or {"token": "hidden-token"}
    return {line.name: line for line in bucket_settings("gs://models/x", endpoint=server.url, **options)}


def test_a_safe_bucket_of_google_is_well_on_every_line(server: Recorder):
    server.answers[BUCKET] = (200, json.dumps(SAFE))
    lines = google(server)
    assert {line.state for line in lines.values()} == {"ok"}
    assert lines["encryption at rest"].found.endswith("cryptoKeys/k")
    assert lines["access log"].found == "to gs://logs"
    assert server.last.headers["authorization"] == "Bearer hidden-token"
    assert len(server.requests) == 1, "all settings are one answer"


def test_what_a_bucket_of_google_lacks_is_named_with_the_command(server: Recorder):
    server.answers[BUCKET] = (200, json.dumps(BARE))
    lines = google(server, anonymous=True)
    assert {name: line.remedy.removeprefix("Run: gcloud storage buckets update gs://models ")
            for name, line in lines.items() if line.state == "warning"} == {
        "versioning": "--versioning",
        "uniform access": "--uniform-bucket-level-access",
        "public access is blocked": "--public-access-prevention",
        "access log": "--log-bucket=gs://LOG-BUCKET",
    }  # fmt: skip
    assert lines["encryption at rest"] == CheckLine("encryption at rest", "ok", "on, with Google's own key")
    assert "authorization" not in server.last.headers


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ((403, "{}"), "not told: needs permission storage.buckets.get (403)"),
        ((404, "{}"), "not told: the store does not know this setting (404)"),
        ((503, "{}"), "not told: 503"),
        ((200, "no json"), "not told: Expecting value"),
        ((302, ""), "not told: 302"),
    ],
)
def test_what_google_refuses_to_tell_is_said_on_every_line(server: Recorder, answer: Any, found: str):
    server.answers[BUCKET] = answer
    server.headers["Location"] = f"{server.url}/elsewhere"
    lines = google(server)
    assert len(lines) == 5
    assert {line.state for line in lines.values()} == {"unknown"}
    assert all(line.found.startswith(found) for line in lines.values())
    assert len(server.requests) == 1


def test_a_service_account_signs_in_by_google_auth(server: Recorder):
    account = service_account(server)
    server.answers["/token"] = (200, json.dumps({"access_token": "signed-in", "expires_in": 60}))
    server.answers[BUCKET] = (200, json.dumps(SAFE))
    lines = google(server, service_account_key=json.dumps(account))
    assert lines["versioning"].state == "ok"
    assert server.last.headers["authorization"] == "Bearer signed-in"


def test_a_service_account_that_is_refused_is_told_without_its_key(server: Recorder):
    account = service_account(server)
    server.answers["/token"] = (400, json.dumps({"error": "invalid_grant"}))
    with pytest.raises(CredentialsError, match="RefreshError") as caught:
        google(server, service_account_key=json.dumps(account))
    assert account["private_key"] not in str(caught.value)


def service_account(server: Recorder) -> dict[str, str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {
        "type": "service_account", "client_email": "me@example.org", "private_key": text, "private_key_id": "1",
        "token_uri": f"{server.url}/token",
    }  # fmt: skip


def s3(server: Recorder) -> dict[str, CheckLine]:
    return {line.name: line for line in bucket_settings("s3://models", endpoint=server.url, **S3_KEYS)}


def refusing(status: int, code: str, query: str = "") -> Callable[[Request], tuple[int, str]]:
    """Return what answers an error to requests with this in their query, and the empty setting to others."""

    def answer(request: Request) -> tuple[int, str]:
        if query in request.path:
            return status, f"<Error><Code>{code}</Code><Message>no</Message></Error>"
        return 200, "<Empty/>"

    return answer


@pytest.mark.parametrize(
    ("status", "code", "found"),
    [
        (403, "AccessDenied", "not told: needs permission s3:GetBucketVersioning (AccessDenied)"),
        (501, "NotImplemented", "not told: the store does not know this setting (NotImplemented)"),
        (405, "MethodNotAllowed", "not told: the store does not know this setting (MethodNotAllowed)"),
        (409, "OperationAborted", "not told: OperationAborted"),
    ],
)
def test_what_s3_refuses_to_tell_hides_no_other_setting(server: Recorder, status: int, code: str, found: str):
    server.answers["/models"] = refusing(status, code, "versioning")
    lines = s3(server)
    assert (lines["versioning"].state, lines["versioning"].found) == ("unknown", found)
    others = {name: line.state for name, line in lines.items() if name != "versioning"}
    assert others == {
        "encryption at rest": "warning",
        "public access is blocked": "warning",
        "bucket policy is not public": "unknown",
        "access log": "warning",
    }


def test_each_setting_of_s3_names_its_own_permission(server: Recorder):
    server.answers["/models"] = refusing(403, "AccessDenied")
    named = [line.found.partition("permission ")[2].partition(" ")[0] for line in s3(server).values()]
    assert named == [
        "s3:GetBucketVersioning",
        "s3:GetEncryptionConfiguration",
        "s3:GetBucketPublicAccessBlock",
        "s3:GetBucketPolicyStatus",
        "s3:GetBucketLogging",
    ]


@pytest.mark.parametrize(
    ("uri", "module", "extra"),
    [
        ("s3://models", "boto3", "aws"),
        ("az://models", "azure.storage.blob", "azure"),
        ("gs://models", "google.oauth2.service_account", "gcp"),
    ],
)
def test_a_library_that_is_missing_names_its_extra(
    server: Recorder, monkeypatch: pytest.MonkeyPatch, uri: str, module: str, extra: str
):
    options: dict[str, Any] = {
        "aws": S3_KEYS,
        "azure": {"use_emulator": True},
        "gcp": {"service_account_key": json.dumps(service_account(server))},
    }[extra]
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError) as caught:
        list(bucket_settings(uri, **options))
    assert caught.value.remedy == f"Run: pip install 'skyhold[{extra}]'"


def test_a_token_for_azure_is_used_as_one_and_never_sent_in_clear():
    """Left out, it would make every question an anonymous one."""
    location, options = parse_location("az://c"), {"account_name": "models", "token": "hidden-token"}
    credential = azure_client(connect(location, options)).credential
    assert credential.get_token("https://storage.azure.com/.default").token == "hidden-token"
    with pytest.raises(BadOptionError, match="https"):
        list(bucket_settings("az://c", **options, endpoint="http://127.0.0.1:9/models"))


def test_options_of_the_store_itself_are_not_taken_for_credentials(server: Recorder):
    server.answers[BUCKET] = (200, json.dumps(SAFE))
    assert google(server, token="hidden-token", read_only=True, part_bytes=5_000_000)["versioning"].state == "ok"


def test_a_folder_has_no_such_settings():
    with pytest.raises(UnsupportedError):
        bucket_settings("./folder")
