"""Uploads in parts that a kill left: found, aborted, or said to end by themselves."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from azure.storage.blob import BlobServiceClient

from conftest import AZURITE_KEY, make_bucket, make_container
from gcs_server import Bucket, GcsServer, Upload, serving_gcs
from google_account import ServiceAccount
from skyhold.cli.application import run
from skyhold.errors import (
    AccessDeniedError,
    BadCredentialsError,
    BucketNotFoundError,
    StorageError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.storage import google_api
from skyhold.storage.opening import open_store
from skyhold.storage.uploads import LeftUpload, abort_uploads, list_left_uploads
from skyhold.testing.contract import ODD_KEYS
from skyhold.testing.servers import LocalServer
from unit.credentials_server import Request, recording

_PART = 5 * 1024 * 1024


def _options(options: dict[str, Any]) -> list[str]:
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _json(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


class TestS3:
    def test_the_sweep_aborts_what_a_kill_left(self, moto: LocalServer, capsys: pytest.CaptureFixture[str]):
        bucket = make_bucket(moto)
        names = {"access_key_id": "aws_access_key_id", "secret_access_key": "aws_secret_access_key"}
        keys = {names[name]: moto.options[name] for name in names}
        client = boto3.client("s3", endpoint_url=moto.endpoint, region_name="us-east-1", **keys)
        client.create_multipart_upload(Bucket=bucket, Key="left")
        sweep = ["storage", "sweep", f"s3://{bucket}", "--json", *_options(moto.options)]
        assert run([*sweep, "--dry-run"]) == 0
        assert _json(capsys)[-1]["summary"] == {"uploads": 1, "pieces": 0, "dry_run": True, "by_itself": ""}
        assert client.list_multipart_uploads(Bucket=bucket).get("Uploads")
        assert run(sweep) == 0
        assert _json(capsys)[0]["key"] == "left"
        assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


class TestGoogle:
    @pytest.fixture
    def options(self, gcs: GcsServer) -> dict[str, Any]:
        return {"endpoint": gcs.url, "anonymous": True}

    @pytest.fixture
    def name(self, gcs: GcsServer) -> str:
        return gcs.make_bucket()

    def test_the_sweep_aborts_what_our_own_writer_left(
        self, gcs: GcsServer, name: str, options: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ):
        store = open_store(f"gs://{name}", part_bytes=_PART, **options)
        writer = store.open_writer("folder/whole")
        writer.write(bytes(2 * _PART))
        writer.close()
        gcs.buckets[name].uploads["an id&more"] = Upload("folder/left", {}, datetime.now(UTC) - timedelta(days=2))
        gcs.buckets[name].uploads["under way"] = Upload("folder/young", {})
        sweep = ["storage", "sweep", f"gs://{name}/folder/", "--json", *_options(options)]
        assert run([*sweep, "--dry-run"]) == 0
        assert _json(capsys)[-1]["summary"]["uploads"] == 1
        assert len(gcs.buckets[name].uploads) == 2
        assert run(sweep) == 0
        assert (_json(capsys)[0]["action"], list(gcs.buckets[name].uploads)) == ("aborted", ["under way"])
        assert store.info("folder/whole").size_bytes == 2 * _PART

    def test_every_page_and_every_name_is_listed_and_aborted(
        self, gcs: GcsServer, name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(gcs, "page", 5)
        bucket: Bucket = gcs.buckets[name]
        bucket.uploads.update({f"{n}-{key}": Upload(key, {}) for key in ODD_KEYS for n in (1, 2)})
        found = list_left_uploads(f"gs://{name}", **options)
        assert sorted((one.key, one.upload_id) for one in found) == sorted(
            (one.key, n) for n, one in bucket.uploads.items()
        )
        assert [one.key for one in list_left_uploads(f"gs://{name}/with", **options)] == ["with space"] * 2
        abort_uploads(f"gs://{name}", found, **options)
        assert not bucket.uploads
        abort_uploads(f"gs://{name}", found[:1], **options)  # somebody else was faster

    def test_a_key_file_signs_in_to_ask(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        account = ServiceAccount()
        asked: list[str] = []

        def sign_in(_identity: str, _content: dict[str, Any], scope: str) -> str:
            asked.append(scope)
            return "a-token"

        monkeypatch.setattr(google_api, "_sign_in", sign_in)
        with serving_gcs() as server:
            name = server.make_bucket()
            server.public, server.knows_bearer = False, lambda token: token == "a-token"
            key_file = str(account.key_file(tmp_path, server))
            assert list_left_uploads(f"gs://{name}", credentials_file=key_file) == []
            assert [scope.rpartition(".")[2] for scope in asked] == ["read_write"]

    def test_refusals_are_told_apart(self, gcs: GcsServer, name: str, options: dict[str, Any]):
        cases: dict[str, type[StorageError]] = {
            "AccessDenied": AccessDeniedError,
            "AuthenticationRequired": BadCredentialsError,
            "InternalError": StorageError,
        }
        for code, kind in cases.items():
            gcs.faults.append(code)
            with pytest.raises(kind, match=f"gs://{name}"):
                list_left_uploads(f"gs://{name}", **options)
        with pytest.raises(BucketNotFoundError):
            list_left_uploads("gs://nowhere", **options)
        with pytest.raises(UnreachableError):
            list_left_uploads(f"gs://{name}", endpoint="http://127.0.0.1:9", anonymous=True)


@pytest.mark.azurite
class TestAzure:
    def test_what_was_left_is_shown_and_said_to_end_by_itself(
        self, azurite: LocalServer, capsys: pytest.CaptureFixture[str]
    ):
        name = make_container(azurite)
        client = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY).get_container_client(name)
        block = b64encode(b"1").decode()
        client.get_blob_client("d/left").stage_block(block, b"part")
        client.upload_blob("d/whole", b"x")
        client.get_blob_client("elsewhere").stage_block(block, b"part")
        sweep = ["storage", "sweep", f"az://{name}/d/", "--older-than-hours", "0", *_options(azurite.options)]
        assert run(sweep) == 0
        shown = capsys.readouterr()
        assert shown.out.startswith("left d/left of 20")
        assert "1 uploads; Azure drops such parts by itself, a week after" in shown.err
        assert len(client.get_blob_client("d/left").get_block_list("uncommitted")[1]) == 1
        assert list_left_uploads(f"az://{name}", older_than=timedelta(hours=1), **azurite.options) == []
        with pytest.raises(UnsupportedError, match="by itself") as caught:
            abort_uploads(f"az://{name}", [LeftUpload("d/left", "", None)], **azurite.options)
        assert "write the object again" in caught.value.remedy


def test_an_upload_whose_time_azure_does_not_tell_is_listed():
    def listing(request: Request) -> tuple[int, str]:
        blobs = (
            "<Blob><Name>left</Name><Properties><BlobType>BlockBlob</BlobType></Properties></Blob>"
            if "uncommittedblobs" in request.path
            else ""
        )
        return 200, f"<?xml version='1.0'?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker/></EnumerationResults>"

    with recording({"/box": listing}) as server:
        options: dict[str, Any] = {"account_name": "acc", "account_key": AZURITE_KEY, "endpoint": server.url}
        server.headers["Content-Type"] = "application/xml"
        assert list_left_uploads("az://box", **options) == [LeftUpload("left", "", None)]


@pytest.mark.parametrize("uri", ["memory://x", "https://example.com", "/tmp"])
def test_other_stores_have_no_such_uploads(uri: str):
    for ask in (list_left_uploads, lambda uri: abort_uploads(uri, [])):
        with pytest.raises(UnsupportedError, match="no such thing"):
            ask(uri)
