"""Answers that only a real cloud gives, served as AWS words them, and keys and classes that other programs chose."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from azure.storage.blob import BlobServiceClient

from conftest import AZURITE_KEY, make_bucket, make_container
from skyhold.cli.application import run
from skyhold.errors import (
    AccessDeniedError,
    ArchivedError,
    InvalidKeyError,
    NotFoundOrDeniedError,
    StorageError,
    ThrottledError,
    UnsupportedError,
    WrongRegionError,
)
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer
from unit.credentials_server import Recorder, recording

_VERBS: dict[str, Callable[[Store], Any]] = {
    "read": lambda store: store.read("k"),
    "info": lambda store: store.info("k"),
    "write": lambda store: store.write("k", b"x"),
    "list": lambda store: list(store.list()),
    "copy": lambda store: store.copy("k", "k"),
    "delete": lambda store: store.delete("k"),
}


def _says(code: str, message: str, more: str = "") -> str:
    return f"<Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>1</RequestId></Error>"


_REDIRECT = (301, _says("PermanentRedirect", "must be addressed using the specified endpoint", "<Bucket>b</Bucket>"))
_MALFORMED = (
    400,
    _says("AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong", "<Region>eu-west-3</Region>"),
)


def _failure(answer: tuple[int, str], verb: str, **options: Any) -> tuple[StorageError, Recorder]:
    with recording({"/b": answer, "/b/k": answer}) as server:
        server.headers["x-amz-bucket-region"] = "eu-west-3"
        keys = {"access_key_id": "id", "secret_access_key": "secret", "region": "us-east-1"}
        with pytest.raises(StorageError) as caught:
            _VERBS[verb](open_store("s3://b", endpoint=server.url, **keys, **options))
    assert caught.value.operation == verb
    assert str(caught.value).startswith(f"{verb} 's3://b")
    return caught.value, server


@pytest.mark.parametrize("verb", _VERBS)
def test_a_redirect_to_another_region_is_told_as_such_with_the_way_to_find_it(verb: str):
    error, _ = _failure(_REDIRECT, verb)
    assert type(error) is WrongRegionError
    assert "curl -sI https://s3.amazonaws.com/b | grep -i bucket-region" in error.remedy
    assert "now 'us-east-1'" in error.remedy


@pytest.mark.parametrize("verb", _VERBS)
def test_a_signature_for_another_region_names_the_right_one(verb: str):
    error, _ = _failure(_MALFORMED, verb)
    assert type(error) is WrongRegionError
    assert "export AWS_REGION=eu-west-3 (now 'us-east-1')" in error.remedy


@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("read", NotFoundOrDeniedError),
        ("info", NotFoundOrDeniedError),
        ("copy", NotFoundOrDeniedError),
        ("write", AccessDeniedError),
        ("list", AccessDeniedError),
        ("delete", AccessDeniedError),
    ],
)
def test_403_is_missing_or_not_allowed_to_see_where_it_may_be_either(verb: str, kind: type[StorageError]):
    error, server = _failure((403, _says("AccessDenied", "Access Denied")), verb)
    assert type(error) is kind
    assert ("missing, or not allowed to see" in str(error)) == (kind is NotFoundOrDeniedError)
    assert "skyhold check 's3://b'" in error.remedy
    assert len(server.requests) == (2 if verb == "info" else 1), "a refusal is final"


@pytest.mark.parametrize("verb", _VERBS)
def test_slow_down_is_tried_again_until_patience_ends(verb: str):
    error, server = _failure((503, _says("SlowDown", "Please reduce your request rate.")), verb, retries=2)
    assert type(error) is ThrottledError
    assert len(server.requests) == 3
    assert "concurrency=" in error.remedy


@pytest.fixture
def bucket(moto: LocalServer) -> str:
    return make_bucket(moto)


@pytest.fixture
def client(moto: LocalServer) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=moto.endpoint,
        aws_access_key_id=moto.options["access_key_id"],
        aws_secret_access_key=moto.options["secret_access_key"],
        region_name="us-east-1",
    )


def test_an_archived_object_is_told_with_the_command_that_restores_it(moto: LocalServer, bucket: str, client: Any):
    client.put_object(Bucket=bucket, Key="cold/a b", Body=b"ice", StorageClass="GLACIER")
    store = open_store(f"s3://{bucket}/cold", **moto.options)
    assert store.info("a b").size_bytes == 3, "it is there, and says so"
    for attempt in (store.read, store.open_reader, lambda key: store.copy(key, "warm")):
        with pytest.raises(ArchivedError, match="must be restored first") as caught:
            attempt("a b")
        assert f"restore-object --bucket '{bucket}' --key 'cold/a b' --restore-request" in caught.value.remedy
        assert isinstance(caught.value, BlockingIOError)
    assert not store.exists("warm")


@pytest.mark.azurite
def test_an_archived_blob_is_told_with_the_command_that_restores_it(azurite: LocalServer):
    container = make_container(azurite)
    store = open_store(f"az://{container}", **azurite.options)
    store.write("ice", b"x", attributes=Attributes(storage_class="Archive"))
    with pytest.raises(ArchivedError) as caught:
        store.read("ice")
    assert f"set-tier --container-name '{container}' --name 'ice' --tier Hot" in caught.value.remedy


def test_foreign_keys_end_a_listing_by_name_and_never_in_silence(moto: LocalServer, bucket: str, client: Any):
    keys = [f"a/{number:04}" for number in range(1000)]
    store = open_store(f"s3://{bucket}", **moto.options)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: store.write(key, b"x"), keys))
    for foreign in ("z//z", "dots/../x", "here/./x"):
        client.put_object(Bucket=bucket, Key=foreign, Body=b"x")
        seen: list[str] = []
        with pytest.raises(InvalidKeyError) as caught:
            seen.extend(info.key for info in store.list())
        assert seen == keys, "what came on the pages before it was given"
        assert repr(foreign) in str(caught.value)
        assert "the program that wrote it" in caught.value.remedy
        assert caught.value.remedy in "".join(caught.value.__notes__)
        with pytest.raises(InvalidKeyError, match=r"nothing was written|cannot be stored exactly"):
            store.read(foreign)
        assert [info.key for info in store.list("a/")] == keys, "a folder beside it is whole"
        client.delete_object(Bucket=bucket, Key=foreign)
    assert [info.key for info in store.list()] == keys


@pytest.mark.azurite
def test_folders_of_azure_are_no_objects(azurite: LocalServer):
    container = make_container(azurite)
    store = open_store(f"az://{container}", **azurite.options)
    client = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY).get_container_client(container)
    client.upload_blob("d/placeholder/", b"")
    client.upload_blob("d/folder", b"", metadata={"hdi_isfolder": "true"})
    store.write("d/folder/x", b"x")
    store.write("d/empty", b"")
    assert [info.key for info in store.list()] == ["d/empty", "d/folder/x"]


@pytest.fixture(params=["moto", pytest.param("azurite", marks=pytest.mark.azurite)])
def beside(request: pytest.FixtureRequest) -> tuple[str, LocalServer, Callable[[str, bytes], object]]:
    """A bucket, its server, and a write by another program."""
    server: LocalServer = request.getfixturevalue(request.param)
    if request.param == "moto":
        name = make_bucket(server)
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret"}
        client = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **keys)
        return f"s3://{name}", server, lambda key, data: client.put_object(Bucket=name, Key=key, Body=data)
    name = make_container(server)
    blobs = BlobServiceClient(server.endpoint, credential=AZURITE_KEY).get_container_client(name)
    return f"az://{name}", server, blobs.upload_blob


def test_an_object_whose_key_ends_in_a_slash_is_never_lost_and_never_said_to_be_moved_or_deleted(
    beside: tuple[str, LocalServer, Callable[[str, bytes], object]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    uri, server, put = beside
    options = [word for name, value in server.options.items() for word in ("-o", f"{name}={value}")]
    store = open_store(uri, **server.options)
    store.write("d/x", b"x")
    put("d/name/", b"full")
    for verb in ("cp", "mv"):
        assert run([verb, "-r", f"{uri}/d", f"{tmp_path}/{verb}", *options]) == 1
        assert "/d/name" in capsys.readouterr().err
    assert store.read("d/x") == b"x", "where one cannot be moved, no source is deleted"
    assert run(["rm", "-r", "--yes", f"{uri}/d", *options]) == 2
    shown = capsys.readouterr()
    assert "still listed, the first as 'd/name'" in shown.err
    assert "deleted" not in shown.out
    with pytest.raises(InvalidKeyError, match="1 of 1 objects are still listed"):
        store.delete_prefix("d/")
    assert [info.key for info in store.list()] == ["d/name"], "what was not asked by its name is still there"


def _refused_class(uri: str, options: dict[str, str], storage_class: str) -> str:
    store = open_store(uri, part_bytes=5 * 2**20, **options)
    with pytest.raises(UnsupportedError, match="no such storage class") as caught:
        store.write("k", b"x", attributes=Attributes(storage_class=storage_class))
    assert not store.exists("k")
    return caught.value.remedy


def test_a_storage_class_is_kept_or_refused_by_name(moto: LocalServer, bucket: str, client: Any):
    store = open_store(f"s3://{bucket}", part_bytes=5 * 2**20, **moto.options)
    store.write("small", b"x", attributes=Attributes(storage_class="STANDARD_IA"))
    with store.open_writer("large", attributes=Attributes(storage_class="STANDARD_IA")) as writer:
        writer.write(bytes(6 * 2**20))
    for key in ("small", "large"):
        assert client.head_object(Bucket=bucket, Key=key)["StorageClass"] == "STANDARD_IA"
    assert "'STANDARD_IA' on S3" in _refused_class(f"s3://{bucket}", moto.options, "Cool")


@pytest.mark.azurite
def test_an_access_tier_is_kept_or_refused_by_name(azurite: LocalServer):
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - the extra `azure`

    container = make_container(azurite)
    store = open_store(f"az://{container}", part_bytes=5 * 2**20, **azurite.options)
    store.write("small", b"x", attributes=Attributes(storage_class="Cool"))
    with store.open_writer("large", attributes=Attributes(storage_class="Cool")) as writer:
        writer.write(bytes(6 * 2**20))
    service = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY)
    for key in ("small", "large"):
        assert str(service.get_blob_client(container, key).get_blob_properties().blob_tier) == "Cool"
    assert "'Cool' on Azure" in _refused_class(f"az://{container}", azurite.options, "NEARLINE")
