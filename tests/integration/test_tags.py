"""Tags: sent to services that have them, kept by stores of ours, refused by name where there are none."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest

from conftest import AZURITE_KEY, make_bucket, make_container
from skyhold.errors import UnsupportedError
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes
from skyhold.storage.opening import open_store
from skyhold.storage.transfer import Transfer, transfer_all
from skyhold.testing.servers import LocalServer

_TAGS = {"team": "wind + solar", "cost/centre": "a=b:c", "empty": "", "x.y-z_": "0"}
_PART = 5 * 2**20


def _write_all(store: Store) -> list[str]:
    """Write tags in each of the ways there are; return the keys."""
    attributes = Attributes({"author": "Zoë"}, tags=_TAGS)
    info = store.write("plain", b"x", attributes=attributes)
    assert info.attributes == attributes
    store.write("once", b"x", attributes=attributes, if_absent=True)
    with store.open_writer("small", attributes=attributes) as writer:
        writer.write(b"x")
    with store.open_writer("large", attributes=attributes) as writer:
        writer.write(bytes(_PART + 1))
    return ["plain", "once", "small", "large"]


def test_s3_has_them(moto: LocalServer):
    bucket = make_bucket(moto)
    client: Any = boto3.client(
        "s3",
        endpoint_url=moto.endpoint,
        aws_access_key_id=moto.options["access_key_id"],
        aws_secret_access_key=moto.options["secret_access_key"],
        region_name="us-east-1",
    )
    store = open_store(f"s3://{bucket}", part_bytes=_PART, **moto.options)
    keys = _write_all(store)
    store.copy("plain", "copy")
    for key in [*keys, "copy"]:
        found = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in found} == _TAGS, key


@pytest.mark.azurite
def test_azure_has_them(azurite: LocalServer):
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - the extra `azure`

    container = make_container(azurite)
    service = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY)
    for key in _write_all(open_store(f"az://{container}", part_bytes=_PART, **azurite.options)):
        assert service.get_blob_client(container, key).get_blob_tags() == _TAGS, key


def test_google_has_none_and_says_so_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    store = open_store("gs://bucket")
    attributes = Attributes(tags=_TAGS)
    for attempt in (
        lambda: store.open_writer("k", attributes=attributes),
        lambda: store.write("k", b"", attributes=attributes),
    ):
        with pytest.raises(UnsupportedError, match=r"no tags on objects.*'team'") as caught:
            attempt()
        assert caught.value.uri == "gs://bucket/k"
        assert caught.value.remedy == "Use metadata"


@pytest.mark.parametrize("kind", ["file", "memory", "mock"])
def test_stores_of_ours_keep_and_tell_them(tmp_path: Path, kind: str):
    store = open_store({"file": f"{tmp_path}/a", "mock": f"mock://{tmp_path}/a", "memory": f"memory://{uuid4()}"}[kind])
    keys = _write_all(store)
    store.copy("plain", "copy")
    for key in [*keys, "copy"]:
        attributes = store.info(key).attributes
        assert attributes is not None
        assert (attributes.tags, attributes.metadata) == (_TAGS, {"author": "Zoë"}), key
    other = open_store(tmp_path / "other")
    transfer_all([Transfer(store, "plain", other, "moved")])
    moved = other.info("moved").attributes
    assert moved is not None
    assert moved.tags == _TAGS
