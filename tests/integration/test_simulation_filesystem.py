"""Files of simulations in any store: the nine methods, whole folders, and what never reads as "no"."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket, make_container
from gcs_server import GcsServer
from skyhold.errors import (
    AlreadyExistsError,
    ConfigError,
    InvalidKeyError,
    KeyNotFoundError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.simulation import (
    AzureFileSystem,
    FileSystem,
    GCSFileSystem,
    LocalFileSystem,
    S3FileSystem,
    StoreFileSystem,
)
from skyhold.storage.wrappers.metered import Meter
from skyhold.testing.servers import LocalServer


def _s3(server: LocalServer, prefix: str = "", **options: Any) -> S3FileSystem:
    return S3FileSystem(
        bucket=make_bucket(server),
        prefix=prefix,
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.options["access_key_id"],
        aws_secret_access_key=server.options["secret_access_key"],
        **options,
    )


@pytest.fixture(params=["s3", pytest.param("azure", marks=pytest.mark.azurite), "google", "local", "rooted", "memory"])
def fs(request: pytest.FixtureRequest, tmp_path: Path) -> StoreFileSystem:
    if request.param == "s3":
        return _s3(request.getfixturevalue("moto"), prefix="studies/2026/")
    if request.param == "azure":
        server: LocalServer = request.getfixturevalue("azurite")
        return AzureFileSystem(make_container(server), "studies", **server.options)
    if request.param == "google":
        gcs: GcsServer = request.getfixturevalue("gcs")
        return GCSFileSystem(gcs.make_bucket(), "studies", endpoint=gcs.url, anonymous=True)
    if request.param == "local":
        return LocalFileSystem()
    return LocalFileSystem(tmp_path) if request.param == "rooted" else StoreFileSystem(f"memory://{tmp_path.name}/x")


@pytest.fixture
def top(fs: StoreFileSystem, tmp_path: Path) -> str:
    """A folder of the test's own, as this file system calls it."""
    return f"{tmp_path}/run" if repr(fs) == "LocalFileSystem('')" else "run"


def test_all_nine_methods_work(fs: StoreFileSystem, top: str):
    assert isinstance(fs, FileSystem)
    fs.makedirs(f"{top}/a", exist_ok=True)
    fs.write_bytes(f"{top}/a/x.bin", b"\x00\xff")
    fs.write_text(f"{top}/a/é.txt", "Größe\r\n", encoding="latin-1")
    assert fs.read_bytes(Path(top) / "a" / "x.bin") == b"\x00\xff"
    assert fs.read_text(f"{top}/a/é.txt", encoding="latin-1") == "Größe\r\n"
    fs.copy(f"{top}/a/x.bin", f"{top}/b/y.bin")
    assert fs.read_bytes(f"{top}/b/y.bin") == b"\x00\xff"
    assert fs.exists(f"{top}/a/x.bin")
    assert fs.exists(f"{top}/a")
    assert not fs.exists(f"{top}/a/x")
    fs.remove(f"{top}/a/x.bin")
    assert not fs.exists(f"{top}/a/x.bin")
    with pytest.raises(KeyNotFoundError, match=r"x\.bin"):
        fs.read_bytes(f"{top}/a/x.bin")


def test_glob_gives_paths_that_the_other_methods_take(fs: StoreFileSystem, top: str):
    for name in ("eplusout.sql", "eplusout.err", "sub/eplusout.sql", "sub/deep/x.sql"):
        fs.write_text(f"{top}/{name}", name)
    assert fs.glob(top, "*.sql") == [f"{top}/eplusout.sql"]
    assert fs.glob(f"{top}/", "**/*.sql") == [
        f"{top}/{name}" for name in ("eplusout.sql", "sub/deep/x.sql", "sub/eplusout.sql")
    ]
    assert fs.glob(top, "sub/*") == [f"{top}/sub/eplusout.sql"]
    assert fs.glob(top, "eplusout.err") == [f"{top}/eplusout.err"]
    assert [fs.read_text(path) for path in fs.glob(top, "**/x.*")] == ["sub/deep/x.sql"]
    assert fs.glob(f"{top}-other", "*") == []


def test_whole_folders_go_up_and_come_down(fs: StoreFileSystem, top: str, tmp_path: Path):
    here = tmp_path / "here"
    for name in ("in.idf", "sub/out.sql"):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(name)
    sent = fs.upload(here, top)
    assert {moved.transfer.target_key for moved in sent} == {"in.idf", "sub/out.sql"}
    assert all(moved.sha256 for moved in sent)
    fs.download(top, tmp_path / "there")
    assert (tmp_path / "there" / "sub" / "out.sql").read_text() == "sub/out.sql"
    fs.download(top, tmp_path / "some", pattern="*.idf")
    assert [path.name for path in (tmp_path / "some").rglob("*")] == ["in.idf"]
    with pytest.raises(KeyNotFoundError, match="nothing there"):
        fs.download(f"{top}-absent", tmp_path / "none")
    with pytest.raises(KeyNotFoundError, match="nothing there"):
        fs.upload(tmp_path / "absent", top)


def test_a_path_never_leaves_the_folder(moto: LocalServer, tmp_path: Path):
    for fs in (_s3(moto, "inside"), LocalFileSystem(tmp_path), StoreFileSystem("memory://leaving/x")):
        with pytest.raises(InvalidKeyError, match=r"\.\."):
            fs.write_text("../outside.txt", "x")
        assert not fs.exists("/in")  # a leading / is the top of the folder


def test_a_store_that_is_down_is_never_read_as_no():
    fs = S3FileSystem(
        "bucket",
        endpoint_url="http://127.0.0.1:9",
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        retries=0,
    )
    with pytest.raises(UnreachableError):
        fs.exists("run/eplusout.sql")
    with pytest.raises(UnreachableError):
        fs.glob("run", "*")
    assert "'b'" not in repr(fs)


def test_it_is_pickled_by_reference_and_never_with_a_secret(moto: LocalServer, monkeypatch: pytest.MonkeyPatch):
    given = _s3(moto, "study", storage_class="STANDARD_IA")
    with pytest.raises(ConfigError, match="secrets as options"):
        pickle.dumps(given)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.options["secret_access_key"])
    by_reference = S3FileSystem(
        given.uri.split("/")[2],
        "study",
        endpoint_url=moto.endpoint,
        region_name="us-east-1",
        storage_class="GLACIER_IR",
    )
    packed = pickle.dumps(by_reference)
    assert moto.options["secret_access_key"].encode() not in packed
    again = pickle.loads(packed)
    assert isinstance(again, S3FileSystem)
    assert repr(again) == repr(by_reference)
    again.write_text("a", "x")
    assert given.read_text("a") == "x"
    local = pickle.loads(pickle.dumps(LocalFileSystem("/srv/x")))
    assert repr(local) == "LocalFileSystem('/srv/x')"


def test_files_are_kept_in_the_storage_class_asked_for(moto: LocalServer, tmp_path: Path):
    import boto3  # noqa: PLC0415 - 500 ms

    fs = _s3(moto, "cold", storage_class="STANDARD_IA")
    fs.write_bytes("written", b"x")
    fs.copy("written", "copied")
    (tmp_path / "f").write_text("x")
    fs.upload(tmp_path, "sent")
    client: Any = boto3.client(
        "s3",
        endpoint_url=moto.endpoint,
        aws_access_key_id=moto.options["access_key_id"],
        aws_secret_access_key=moto.options["secret_access_key"],
        region_name="us-east-1",
    )
    listed = client.list_objects_v2(Bucket=fs.uri.split("/")[2])["Contents"]
    assert {found["Key"]: found["StorageClass"] for found in listed} == {
        f"cold/{name}": "STANDARD_IA" for name in ("copied", "sent/f", "written")
    }


@pytest.mark.parametrize("uri", ["memory://classless", "file:///tmp/classless"])
def test_a_store_without_storage_classes_says_so(uri: str):
    with pytest.raises(UnsupportedError, match="no storage classes"):
        StoreFileSystem(uri, storage_class="STANDARD_IA")


def test_a_folder_that_is_there_is_not_made_again(tmp_path: Path):
    fs = LocalFileSystem()
    fs.makedirs(tmp_path / "a" / "b")
    with pytest.raises(AlreadyExistsError, match="already"):
        fs.makedirs(tmp_path / "a" / "b")
    assert fs.exists(tmp_path / "a" / "b")


def test_a_glob_asks_for_no_more_than_it_needs(moto: LocalServer):
    fs = _s3(moto)
    for number in range(3):
        fs.write_text(f"run/sub{number}/a.sql", "x")
    meter = Meter()
    fs.store = fs.store.observed(meter.record)
    assert fs.glob("run", "*.sql") == []
    assert meter.usage.requests == {"read": 0, "write": 0, "list": 1, "delete": 0}
