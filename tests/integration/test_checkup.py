"""``skyhold check`` on real servers: settings are made by the providers' own libraries, and told by us."""

import json
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from azure.storage.blob import (
    BlobAnalyticsLogging,
    BlobServiceClient,
    ContainerSasPermissions,
    RetentionPolicy,
    generate_container_sas,
)

from conftest import AZURITE_KEY, make_bucket, make_container
from gcs_server import GcsServer, serving_gcs
from skyhold.cli.application import run
from skyhold.errors import BadUriError
from skyhold.storage.buckets import delete_versions
from skyhold.testing.servers import LocalServer

Lines = dict[str, dict[str, str]]
Check = Callable[..., Lines]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Check:
    """Return what runs the command and gives its lines by name; the header is called ``header``."""

    def lines_of(uri: str, options: dict[str, str], *, exit_code: int = 0) -> Lines:
        arguments = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        capsys.readouterr()
        assert run(["check", uri, "--json", *arguments]) == exit_code
        header, *lines, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert sum(summary["summary"].values()) == len(lines)
        return {"header": header, **{line["name"]: line for line in lines}}

    return lines_of


def s3_client(server: LocalServer) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.options["access_key_id"],
        aws_secret_access_key=server.options["secret_access_key"],
        region_name="us-east-1",
    )


def found(lines: Lines, name: str) -> tuple[str, str]:
    return lines[name]["state"], lines[name]["found"]


def test_settings_made_on_a_bucket_are_told(moto: LocalServer, check: Check):
    client, bucket, logs = s3_client(moto), make_bucket(moto), make_bucket(moto)
    before = check(f"s3://{bucket}", moto.options)
    assert {before[name]["state"] for name in ("versioning", "encryption at rest", "access log")} == {"warning"}
    assert found(before, "public access is blocked") == ("warning", "off")
    assert found(before, "bucket policy is not public") == ("ok", "there is none")

    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    blocks = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=blocks)
    group = "uri=http://acs.amazonaws.com/groups/s3/LogDelivery"
    client.put_bucket_acl(Bucket=logs, GrantWrite=group, GrantReadACP=group)
    client.put_bucket_logging(
        Bucket=bucket, BucketLoggingStatus={"LoggingEnabled": {"TargetBucket": logs, "TargetPrefix": "x/"}}
    )
    after = check(f"s3://{bucket}/deep/inside", moto.options)
    assert {line["state"] for line in after.values() if "state" in line} == {"ok"}
    assert found(after, "versioning") == ("ok", "on, MFA delete off")
    assert found(after, "encryption at rest") == ("ok", "on: AES256")
    assert found(after, "access log") == ("ok", f"to s3://{logs}")

    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={**blocks, "BlockPublicPolicy": False})
    policy = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [policy]}))
    later = check(f"s3://{bucket}", moto.options)
    assert found(later, "versioning") == ("warning", "suspended")
    assert found(later, "public access is blocked") == ("warning", "off: BlockPublicPolicy")
    assert found(later, "bucket policy is not public") == ("warning", "the policy lets everybody in")
    assert f"--endpoint-url {moto.endpoint} put-bucket-versioning --bucket {bucket}" in later["versioning"]["remedy"]


def test_nothing_of_the_probe_stays_in_a_bucket_that_keeps_versions(moto: LocalServer, check: Check):
    client, bucket = s3_client(moto), make_bucket(moto)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=bucket, Key="deep/skyhold", Body=b"somebody's")
    lines = check(f"s3://{bucket}/deep", moto.options)
    assert "versions that the bucket kept" in lines["delete"]["found"]
    listed = client.list_object_versions(Bucket=bucket)
    assert [each["Key"] for each in listed["Versions"]] == ["deep/skyhold"]
    assert "DeleteMarkers" not in listed


def test_versions_of_one_object_are_deleted_and_of_no_other(moto: LocalServer):
    client, bucket = s3_client(moto), make_bucket(moto)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a", "a", "a/b", "ab"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    client.delete_object(Bucket=bucket, Key="a")
    assert delete_versions(f"s3://{bucket}/a", **moto.options) == 3
    assert [each["Key"] for each in client.list_object_versions(Bucket=bucket)["Versions"]] == ["a/b", "ab"]
    with pytest.raises(BadUriError):
        delete_versions(f"s3://{bucket}", **moto.options)


def test_the_header_names_identity_and_endpoint_and_no_secret(moto: LocalServer, check: Check):
    lines = check(f"s3://{make_bucket(moto)}", moto.options)
    assert lines["header"]["endpoint"] == moto.endpoint
    assert lines["header"]["identity"] == "options 'access_key_id', 'secret_access_key'"
    assert moto.options["secret_access_key"] not in json.dumps(lines)


def test_more_than_one_part_is_sent(moto: LocalServer, check: Check):
    uploads = moto.log.read_text().count("uploadId=")
    assert check(f"s3://{make_bucket(moto)}/deep", moto.options)["multipart put"]["state"] == "ok"
    assert moto.log.read_text().count("uploadId=") >= uploads + 3, "two parts and the completion"


def test_a_server_without_conditions_says_so_and_is_not_believed_about_its_policy(rclone: LocalServer, check: Check):
    lines = check(f"s3://{make_bucket(rclone)}", rclone.options)
    assert found(lines, "create-only put") == ("warning", "the store ignores it: two writers would both win")
    assert found(lines, "if-match put") == ("warning", "the store ignores it: a stale writer would overwrite")
    assert lines["bucket policy is not public"]["state"] == "unknown"


def test_credentials_that_are_not_accepted_are_one_line(rclone: LocalServer, check: Check):
    options = {**rclone.options, "access_key_id": "wrong"}
    lines = check(f"s3://{make_bucket(rclone)}", options, exit_code=1)
    assert set(lines) == {"header", "list"}
    assert lines["list"]["state"] == "failed"
    assert "InvalidAccessKeyId" in lines["list"]["found"]
    assert lines["list"]["remedy"] == (
        "Correct or renew the credentials of options 'access_key_id', 'secret_access_key'"
    )


def test_a_bucket_that_is_missing_is_one_line(moto: LocalServer, check: Check):
    lines = check("s3://no-such-bucket-at-all", moto.options, exit_code=1)
    assert set(lines) == {"header", "list"}
    assert "skyhold mb" in lines["list"]["remedy"]


def test_a_store_opened_for_reading_is_looked_at_all_the_same(moto: LocalServer, check: Check):
    bucket = make_bucket(moto)
    s3_client(moto).put_object(Bucket=bucket, Key="there", Body=b"123")
    lines = check(f"s3://{bucket}", {**moto.options, "read_only": "true"})
    assert found(lines, "get") == ("ok", "the first byte of 'there'")
    assert lines["put"]["state"] == "warning"
    assert lines["versioning"]["state"] == "warning"


def test_a_dry_run_writes_nothing(moto: LocalServer, capsys: pytest.CaptureFixture[str]):
    uri = f"s3://{make_bucket(moto)}"
    puts = moto.log.read_text().count("PUT ")
    arguments = [word for name, value in moto.options.items() for word in ("-o", f"{name}={value}")]
    assert run(["check", uri, "--dry-run", *arguments]) == 0
    assert moto.endpoint in capsys.readouterr().out
    assert moto.log.read_text().count("PUT ") == puts


def test_settings_of_azure_are_told(azurite: LocalServer, check: Check):
    client, container = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY), make_container(azurite)
    before = client.get_service_properties()
    try:
        everything = BlobAnalyticsLogging(read=True, write=True, delete=True)
        client.set_service_properties(
            analytics_logging=everything, delete_retention_policy=RetentionPolicy(enabled=True, days=7)
        )
        safe = check(f"az://{container}", azurite.options)
        assert found(safe, "soft delete") == ("ok", "for 7 days")
        assert found(safe, "access log") == ("ok", "reads, writes and deletes")
        assert found(safe, "public access is blocked") == ("ok", "nobody reads unnamed")
        assert safe["versioning"]["state"] == "unknown", "only the account's management knows"

        client.set_service_properties(
            analytics_logging=BlobAnalyticsLogging(read=False, write=True, delete=True),
            delete_retention_policy=RetentionPolicy(enabled=False),
        )
        client.get_container_client(container).set_container_access_policy({}, public_access="blob")
        bare = check(f"az://{container}/deep", azurite.options)
    finally:
        client.set_service_properties(
            analytics_logging=before["analytics_logging"], delete_retention_policy=before["delete_retention_policy"]
        )
    assert found(bare, "soft delete") == ("warning", "off")
    assert found(bare, "access log") == ("warning", "off for read")
    assert found(bare, "public access is blocked") == ("warning", "everybody may read: blob")
    assert f"--name {container} --account-name devstoreaccount1" in bare["public access is blocked"]["remedy"]
    assert bare["header"]["endpoint"] == azurite.endpoint


def test_a_signature_that_may_only_read_is_told_which_rights_are_missing(azurite: LocalServer, check: Check):
    container = make_container(azurite)
    signature = generate_container_sas(
        "devstoreaccount1",
        container,
        account_key=AZURITE_KEY,
        permission=ContainerSasPermissions(read=True, list=True),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )
    options = {"account_name": "devstoreaccount1", "endpoint": azurite.endpoint, "sas_token": signature}
    lines = check(f"az://{container}", options, exit_code=1)
    assert lines["list"]["state"] == "ok"
    assert (lines["put"]["state"], lines["put"]["remedy"]) == (
        "failed",
        "Grant the identity Storage Blob Data Contributor",
    )
    assert lines["soft delete"]["state"] == "unknown"
    assert "needs permission Microsoft.Storage/storageAccounts/blobServices/read" in lines["soft delete"]["found"]
    assert signature not in json.dumps(lines)


class TestGoogle:
    @pytest.fixture
    def server(self) -> Generator[GcsServer]:
        with serving_gcs() as server:
            server.public, server.knows_bearer = False, lambda token: token == "a-token"
            yield server

    @pytest.fixture
    def name(self, server: GcsServer) -> str:
        return server.make_bucket()

    def test_a_good_bucket_is_well_on_every_line_and_left_as_it_was(self, server: GcsServer, name: str, check: Check):
        server.buckets[name].settings = {
            "versioning": {"enabled": True},
            "iamConfiguration": {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            },
            "logging": {"logBucket": "logs"},
        }
        lines = check(f"gs://{name}/a folder", {"endpoint": server.url, "token": "a-token"})
        assert lines.pop("header")["endpoint"] == server.url
        assert {line["state"] for line in lines.values()} == {"ok"}, lines
        assert {"create-only put", "if-match put", "multipart put", "versioning", "access log"} <= set(lines)
        assert not server.buckets[name].objects
        assert not server.buckets[name].uploads
        assert all(request.key.startswith("a folder/") for request in server.requests if request.method == "PUT")

    def test_what_is_not_set_is_a_warning_with_its_command(self, server: GcsServer, name: str, check: Check):
        lines = check(f"gs://{name}", {"endpoint": server.url, "token": "a-token"})
        warned = {name: line["remedy"] for name, line in lines.items() if line.get("state") == "warning"}
        assert warned["versioning"] == f"Run: gcloud storage buckets update gs://{name} --versioning"
        assert set(warned) == {"versioning", "uniform access", "public access is blocked", "access log"}

    def test_who_may_only_read_is_told_which_permission_is_missing(self, server: GcsServer, name: str, check: Check):
        server.forbidden = {"PUT", "POST", "DELETE"}
        lines = check(f"gs://{name}", {"endpoint": server.url, "token": "a-token"}, exit_code=1)
        assert (lines["list"]["state"], lines["put"]["state"], lines["get"]["state"]) == ("ok", "failed", "unknown")
        assert "storage.objects.create" in lines["put"]["remedy"]

    def test_a_wrong_token_and_a_missing_bucket_fail_at_the_first_line(
        self, server: GcsServer, name: str, check: Check
    ):
        lines = check(f"gs://{name}", {"endpoint": server.url, "token": "other"}, exit_code=1)
        assert lines["list"]["state"] == "failed"
        assert "other" not in str(lines)
        lines = check("gs://missing", {"endpoint": server.url, "token": "a-token"}, exit_code=1)
        assert "buckets create" in lines["list"]["remedy"]
