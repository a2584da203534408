"""The manager of components does as documented, on every provider."""

import hashlib
import json
import logging
import re
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from azure.storage.blob import BlobServiceClient

from conftest import AZURITE_KEY, make_bucket, make_container
from gcs_server import GcsServer
from skyhold.components import (
    CloudStorageConfig,
    CloudStorageManager,
    Dependency,
    StorageSynchronizer,
    SyncConfig,
    conditions,
)
from skyhold.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    BadCredentialsError,
    BadOptionError,
    BucketNotFoundError,
    ComponentNotFoundError,
    DependencyError,
    InvalidKeyError,
    KeyNotFoundError,
    NotFoundError,
    ReadOnlyError,
    TransferError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.runs.journal import default_journal
from skyhold.testing.servers import LocalServer

PROVIDERS = ["mock", "local", "moto", "ministack", "azurite", "gcs"]


def _private(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    path.chmod(0o600)
    return str(path)


def _config(kind: str, request: pytest.FixtureRequest, folder: Path, **options: Any) -> CloudStorageConfig:
    """A configuration with a credentials file, as the documentation has it."""
    if kind == "mock" or kind == "local":  # noqa: PLR1714 - the type checker follows this
        return CloudStorageConfig(kind, bucket_name=str(folder / "bucket"), prefix="models", **options)
    if kind == "gcs":
        google: GcsServer = request.getfixturevalue(kind)
        return CloudStorageConfig("gcs", None, google.make_bucket(), "models", endpoint=google.url, anonymous=True)
    server: LocalServer = request.getfixturevalue(kind)
    if kind == "azurite":
        content = {"account_name": "devstoreaccount1", "account_key": AZURITE_KEY}
        file = _private(folder / "azure_credentials.json", content)
        return CloudStorageConfig("azure", file, make_container(server), "models", endpoint=server.endpoint, **options)
    keys = {"aws_" + name: server.options[name] for name in ("access_key_id", "secret_access_key")}
    file = _private(folder / "aws_credentials.json", {**keys, "region": "us-east-1"})
    return CloudStorageConfig("aws", file, make_bucket(server), "models", endpoint=server.endpoint, **options)


@pytest.fixture(autouse=True)
def working_folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if "azurite" in request.node.name:
        request.getfixturevalue("azurite")  # which is looked for in the working folder
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=PROVIDERS)
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> CloudStorageManager:
    return CloudStorageManager(_config(request.param, request, tmp_path), author="ann")


@pytest.fixture
def mocked(tmp_path: Path) -> CloudStorageManager:
    return CloudStorageManager(CloudStorageConfig("mock", bucket_name=str(tmp_path / "bucket")), author="ann")


def _on(server: LocalServer, **more: Any) -> dict[str, Any]:
    return {**server.options, **more}


def _write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


class TestOne:
    def test_a_component_goes_up_is_listed_comes_down_and_goes_away(self, manager: CloudStorageManager):
        assert manager.authenticate() is True
        assert manager.keeps_conditions is True
        _write(Path("path/to/component.blend"), "BLENDER")
        assert manager.upload_component("path/to/component.blend", "component_id").number == 1
        assert [each.component for each in manager.list_components()] == ["component_id"]
        manager.download_component("component_id", "download/path.blend")
        assert Path("download/path.blend").read_text() == "BLENDER"
        assert manager.library.store.read("component_id") == b"BLENDER"
        manager.delete_component("component_id")
        assert manager.list_components() == []
        with pytest.raises(ComponentNotFoundError, match="was deleted"):
            manager.download_component("component_id", "again.blend")
        assert not Path("again.blend").exists()

    def test_metadata_tell_size_times_hash_and_who(self, manager: CloudStorageManager):
        path = _write(Path("arm.stl"), "solid arm")
        manager.upload_component(path, "robot/arm.stl", metadata={"material": "Stahl ✓"}, message="first")
        path.write_text("solid longer arm")
        manager.upload_component(path, "robot/arm.stl", message="longer")
        manager.library.tag("robot/arm.stl", "approved", 1)
        newest = manager.component_metadata("robot/arm.stl")
        first = manager.component_metadata("robot/arm.stl", "approved")
        assert (newest.version, newest.size_bytes, newest.author, newest.message) == (2, 16, "ann", "longer")
        assert newest.metadata == {"material": "Stahl ✓"}
        assert first.sha256 == hashlib.sha256(b"solid arm").hexdigest()
        assert (first.tags, newest.tags) == (("approved",), ())
        assert first.created == newest.created == first.modified < newest.modified
        assert newest.uri.endswith("/models/robot/arm.stl")

    def test_a_folder_is_a_component_of_several_files(self, mocked: CloudStorageManager, tmp_path: Path):
        _write(Path("robot/arm.stl"), "arm")
        _write(Path("robot/parts/hand.stl"), "hand")
        version = mocked.upload_component("robot", "assemblies/robot")
        assert [entry.name for entry in version.files] == ["arm.stl", "parts/hand.stl"]
        assert mocked.component_metadata("assemblies/robot").sha256 == ""
        mocked.download_component("assemblies/robot", "out/robot")
        assert (tmp_path / "out/robot/parts/hand.stl").read_text() == "hand"

    def test_a_path_that_ends_in_a_slash_is_a_folder(self, mocked: CloudStorageManager):
        mocked.upload_component(_write(Path("arm.stl"), "arm"), "robot/arm.stl")
        mocked.download_component("robot/arm.stl", "new/folder/")
        assert Path("new/folder/arm.stl").read_text() == "arm"

    def test_a_missing_file_is_named_with_the_working_folder(self, mocked: CloudStorageManager, tmp_path: Path):
        mocked.authenticate()
        with pytest.raises(NotFoundError, match=r"'arm\.stl' in ") as caught:
            mocked.upload_component("arm.stl", "robot/arm.stl")
        assert str(tmp_path) in str(caught.value)
        assert mocked.list_components() == []

    def test_a_link_opens_the_newest_version_without_an_identity(self, moto: LocalServer, request: Any, tmp_path: Path):
        manager = CloudStorageManager(_config("moto", request, tmp_path))
        manager.upload_component(_write(Path("arm.stl"), "solid arm"), "robot/arm one.stl")
        with urllib.request.urlopen(manager.link("robot/arm one.stl", expires_s=60)) as answer:
            assert answer.read() == b"solid arm"
        with pytest.raises(ComponentNotFoundError, match=r"no file 'x\.stl'"):
            manager.link("robot/arm one.stl", file="x.stl")
        manager.delete_component("robot/arm one.stl")
        with pytest.raises(ComponentNotFoundError, match="was deleted"):
            manager.link("robot/arm one.stl")

    def test_a_folder_has_no_links(self, request: pytest.FixtureRequest, tmp_path: Path):
        manager = CloudStorageManager(_config("local", request, tmp_path))
        manager.upload_component(_write(Path("arm.stl"), "arm"), "arm.stl")
        with pytest.raises(UnsupportedError):
            manager.link("arm.stl")

    def test_the_network_may_fail_often(self, tmp_path: Path):
        config = CloudStorageConfig("mock", bucket_name=str(tmp_path / "bucket"), error_rate=0.1, lost_rate=0.1, seed=4)
        manager = CloudStorageManager(config)
        assert manager.authenticate()
        for number in range(3):
            manager.upload_component(_write(Path("a.txt"), f"{number}"), "a.txt")
        assert [version.number for version in manager.library.log("a.txt")] == [3, 2, 1]


class TestAuthentication:
    def test_a_wrong_secret_is_told_with_where_it_came_from(self, rclone: LocalServer, tmp_path: Path):
        content = {"aws_access_key_id": "testing", "aws_secret_access_key": "hunter2"}
        file = _private(tmp_path / "aws_credentials.json", content)
        config = CloudStorageConfig("aws", file, make_bucket(rclone), endpoint=rclone.endpoint)
        with pytest.raises(BadCredentialsError, match=re.escape(f"credentials file {file!r}")) as caught:
            CloudStorageManager(config).authenticate()
        assert "hunter2" not in str(caught.value)

    def test_a_missing_bucket_is_made_when_asked_for(self, moto: LocalServer):
        config = CloudStorageConfig("aws", bucket_name=f"bucket-{uuid4().hex[:12]}", encryption=True, **_on(moto))
        manager = CloudStorageManager(config)
        with pytest.raises(BucketNotFoundError, match="no such bucket") as caught:
            manager.authenticate()
        assert "skyhold mb" in caught.value.remedy
        manager.create_bucket()
        assert manager.authenticate()
        with pytest.raises(AlreadyExistsError):
            manager.create_bucket()

    def test_a_missing_folder_is_made(self, tmp_path: Path):
        config = CloudStorageConfig("local", bucket_name=str(tmp_path / "new"), prefix="models")
        assert CloudStorageManager(config).authenticate()
        assert (tmp_path / "new" / "models").is_dir()

    def test_no_connection_is_told_within_seconds(self):
        options: dict[str, Any] = {"access_key_id": "a", "secret_access_key": "b", "endpoint": "http://127.0.0.1:9"}
        config = CloudStorageConfig("aws", bucket_name="bucket", **options)
        with pytest.raises(UnreachableError, match=re.escape("127.0.0.1:9")):
            CloudStorageManager(config).authenticate()

    def test_a_store_that_ignores_conditions_is_warned_about_once(
        self, rclone: LocalServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr(conditions, "_warned", set())
        config = CloudStorageConfig("aws", bucket_name=make_bucket(rclone), **_on(rclone))
        for _ in range(2):
            manager = CloudStorageManager(config)
            with caplog.at_level(logging.WARNING, "skyhold.components"):
                assert manager.authenticate()
            assert manager.keeps_conditions is False
        assert [record.message.count("ignores conditions") for record in caplog.records] == [1]
        assert list(CloudStorageManager(config).library.store.list()) == []  # nothing of the trial stays

    def test_one_who_may_only_read_says_so(self, request: pytest.FixtureRequest, tmp_path: Path):
        CloudStorageManager(_config("mock", request, tmp_path)).upload_component(_write(Path("a"), "a"), "a")
        reader = CloudStorageManager(_config("mock", request, tmp_path, read_only=True))
        assert reader.authenticate()
        assert [each.component for each in reader.list_components()] == ["a"]
        with pytest.raises(ReadOnlyError):
            reader.upload_component("a", "b")

    def test_one_who_may_only_read_hears_of_a_missing_bucket_too(self, moto: LocalServer):
        config = CloudStorageConfig("aws", bucket_name="bucket-that-is-not", read_only=True, **_on(moto))
        with pytest.raises(BucketNotFoundError):
            CloudStorageManager(config).authenticate()

    def test_one_who_may_not_write_is_told_so(self, mocked: CloudStorageManager, monkeypatch: pytest.MonkeyPatch):
        def refuse(*_args: object, **_options: object) -> None:
            raise AccessDeniedError("403", operation="write", uri="mock://bucket")

        mocked.library.store.write("a", b"")
        monkeypatch.setattr(type(mocked.library.store), "write", refuse)
        with pytest.raises(AccessDeniedError):
            mocked.authenticate()


class TestMany:
    @pytest.fixture
    def folder(self) -> Path:
        for name in ("robots/arm.stl", "robots/hand.stl", "notes.txt", "deep/er/leg.stl"):
            _write(Path("models") / name, name)
        return Path("models")

    def test_files_of_a_folder_go_up_and_come_down(self, manager: CloudStorageManager, folder: Path):
        up = manager.upload_components(folder, patterns=["*.stl"], message="all of them")
        assert [item.component for item in up] == ["deep/er/leg.stl", "robots/arm.stl", "robots/hand.stl"]
        assert {item.version.message for item in up if item.version} == {"all of them"}
        down = manager.download_components(["robots/*", "deep/er/leg.stl"], "out")
        assert down.all_succeeded
        for name in ("robots/arm.stl", "robots/hand.stl", "deep/er/leg.stl"):
            assert (Path("out") / name).read_text() == name
        gone = manager.delete_components("robots/*")
        assert [item.component for item in gone.succeeded] == ["robots/arm.stl", "robots/hand.stl"]
        assert [each.component for each in manager.list_components()] == ["deep/er/leg.stl"]

    def test_paths_may_be_given_by_id(self, mocked: CloudStorageManager, folder: Path):
        result = mocked.upload_components({"one": folder / "notes.txt", "two": "models/robots/arm.stl"}, prefix="in/")
        assert [item.component for item in result] == ["in/one", "in/two"]

    def test_one_that_fails_keeps_no_other_from_being_done(self, mocked: CloudStorageManager, folder: Path):
        (folder / "link.stl").symlink_to("notes.txt")
        files = {"good": folder / "notes.txt", "missing": "none.stl", "bad/../name": folder / "notes.txt"}
        result = mocked.upload_components(files, check=False)
        assert [item.component for item in result.succeeded] == ["good"]
        errors = {item.component: type(item.error) for item in result.failed}
        assert errors == {"missing": NotFoundError, "bad/../name": InvalidKeyError}
        with pytest.raises(TransferError, match=r"1 of 3 components; failed: 'missing' \(") as caught:
            mocked.upload_components(files)
        assert set(caught.value.failures) == {"missing", "bad/../name"}
        linked = mocked.upload_components(folder, patterns=["link.stl", "notes.txt"], check=False)
        assert [item.component for item in linked.failed] == ["link.stl"]
        assert "symbolic link" in str(linked.failed[0].error)

    def test_a_pattern_that_matches_nothing_is_no_success(self, mocked: CloudStorageManager, folder: Path):
        mocked.upload_components(folder)
        for work in (
            lambda: mocked.download_components("*.blend", "out"),
            lambda: mocked.delete_components(["notes.txt", "*.blend"]),
        ):
            with pytest.raises(ComponentNotFoundError, match=re.escape("'*.blend'")):
                work()
        assert "notes.txt" in [each.component for each in mocked.list_components()]
        with pytest.raises(NotFoundError, match=re.escape("'*.blend'")):
            mocked.upload_components(folder, patterns=["*.blend"])
        with pytest.raises(KeyNotFoundError):
            mocked.upload_components("no-such-folder")

    def test_many_are_deleted_with_one_listing_of_what_others_need(self, moto: LocalServer, folder: Path):
        options: dict[str, Any] = dict(moto.options)
        manager = CloudStorageManager(CloudStorageConfig("aws", bucket_name=make_bucket(moto), **options))
        manager.upload_components({f"parts/{number}": folder / "notes.txt" for number in range(6)})
        manager.upload_component(folder / "notes.txt", "robot", dependencies=["parts/3"])
        result = manager.delete_components([f"parts/{number}" for number in range(6)], check=False)
        assert [(item.component, type(item.error)) for item in result.failed] == [("parts/3", DependencyError)]
        receipt = default_journal().list_runs()[0].receipt
        assert receipt is not None
        assert receipt.requests["list"] == 1 + 1  # and once for the one that is needed, by whom

    def test_an_id_with_a_wildcard_in_it_means_itself(self, mocked: CloudStorageManager):
        path = _write(Path("a"), "a")
        for name in ("arm[1]", "arm1"):
            mocked.upload_component(path, name)
        assert [item.component for item in mocked.delete_components("arm[1]")] == ["arm[1]"]

    def test_nothing_is_written_outside_the_folder(self, mocked: CloudStorageManager, tmp_path: Path):
        mocked.upload_component(_write(Path("a"), "evil"), "link/a")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "link").symlink_to(tmp_path / "elsewhere")
        result = mocked.download_components("*", "out", check=False)
        assert isinstance(result.failed[0].error, InvalidKeyError)
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_what_components_need_comes_with_them(self, mocked: CloudStorageManager, folder: Path):
        mocked.upload_component(folder / "robots/arm.stl", "arm.stl")
        mocked.upload_component(folder / "robots/hand.stl", "arm.stl")
        mocked.upload_component(folder / "notes.txt", "robot", dependencies=[Dependency("arm.stl", 1)])
        mocked.upload_component(folder / "notes.txt", "newer", dependencies=["arm.stl"])
        found = mocked.download_components("robot", "out", dependencies=True)
        assert [item.component for item in found] == ["robot", "arm.stl"]
        assert Path("out/arm.stl").read_text() == "robots/arm.stl"
        with pytest.raises(DependencyError, match=r"'arm.stl' is needed at version 1, and by 'newer' at 2"):
            mocked.download_components(["robot", "newer"], "both", dependencies=True)

    def test_progress_is_told_and_one_run_is_recorded(self, mocked: CloudStorageManager, folder: Path):
        told: list[tuple[str, int, int | None]] = []
        mocked.upload_components(folder, on_progress=lambda event: told.append((event.phase, event.done, event.total)))
        assert told[0] == ("started", 0, 4)
        assert told[-1] == ("ended", 4, 4)
        from skyhold.runs.journal import default_journal  # noqa: PLC0415 - of this test's own home

        assert [entry.kind for entry in default_journal().list_runs()] == ["components upload"]

    def test_as_many_at_a_time_as_asked_for(self, mocked: CloudStorageManager, folder: Path):
        assert mocked.upload_components(folder, max_workers=1).all_succeeded
        with pytest.raises(ValueError, match="max_workers"):
            mocked.upload_components(folder, max_workers=0)


class TestLog:
    def test_operations_and_errors_are_logged_without_secrets(self, moto: LocalServer, tmp_path: Path):
        config = CloudStorageConfig("aws", bucket_name=make_bucket(moto), **_on(moto))
        manager = CloudStorageManager(config)
        manager.authenticate()
        manager.upload_component(_write(Path("arm.stl"), "arm"), "arm.stl")
        with pytest.raises(ComponentNotFoundError):
            manager.download_component("none?sig=hunter2", "none")
        with pytest.raises(TransferError):
            manager.upload_components({"x": "missing"})
        log = tmp_path / "cloud_storage.log"
        assert log.stat().st_mode & 0o777 == 0o600
        lines = log.read_text().splitlines()
        assert [line.split()[2] for line in lines] == ["INFO", "INFO", "ERROR", "ERROR"]
        assert "upload arm.stl: version 1, 3 bytes in " in lines[1]
        assert "(component_not_found)" in lines[2]
        assert "Remedy: " in lines[3]
        assert not any(word in log.read_text() for word in ("hunter2", moto.options["secret_access_key"]))

    def test_synchronizations_are_logged_too(self, mocked: CloudStorageManager, tmp_path: Path):
        _write(Path("folder/arm.stl"), "arm")
        mocked.authenticate()
        StorageSynchronizer(mocked, SyncConfig("folder")).synchronize()
        with pytest.raises(KeyNotFoundError):
            StorageSynchronizer(mocked, SyncConfig("none", direction="upload")).synchronize()
        lines = (tmp_path / "cloud_storage.log").read_text().splitlines()
        assert [line.split()[2] for line in lines] == ["INFO", "INFO", "ERROR"]
        assert "1 uploaded" in lines[1]

    def test_a_name_cannot_forge_a_line(self, mocked: CloudStorageManager, tmp_path: Path):
        with pytest.raises(InvalidKeyError):
            mocked.delete_component("a\n2026-01-01 00:00:00,000 INFO upload forged")
        assert len((tmp_path / "cloud_storage.log").read_text().splitlines()) == 1

    def test_a_log_that_cannot_be_written_is_told_once_and_keeps_nothing_from_being_done(
        self, mocked: CloudStorageManager, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ):
        (tmp_path / "cloud_storage.log").mkdir()
        with caplog.at_level(logging.WARNING, "skyhold.components"):
            mocked.authenticate()
            mocked.list_components()
        assert [record.message.partition(":")[0] for record in caplog.records] == [
            f"cannot write to {tmp_path}/cloud_storage.log"
        ]

    def test_none_is_written_where_none_is_wanted(self, tmp_path: Path):
        config = CloudStorageConfig("mock", bucket_name=str(tmp_path / "bucket"))
        CloudStorageManager(config, log_file=None).authenticate()
        assert [path.name for path in tmp_path.iterdir()] == ["bucket"]


class TestBucket:
    @pytest.fixture
    def on_s3(self, request: pytest.FixtureRequest, tmp_path: Path) -> CloudStorageManager:
        return CloudStorageManager(_config("moto", request, tmp_path, storage_class="STANDARD_IA"))

    @staticmethod
    def _classes(manager: CloudStorageManager, server: LocalServer) -> dict[str, str]:
        keys = {f"aws_{name}": server.options[name] for name in ("access_key_id", "secret_access_key")}
        client = boto3.client("s3", endpoint_url=server.endpoint, region_name="us-east-1", **keys)
        found = client.list_objects_v2(Bucket=manager.config.bucket_name)["Contents"]
        return {each["Key"].removeprefix("models/"): each["StorageClass"] for each in found}

    def test_contents_are_written_in_the_class_and_what_tells_of_them_is_not(
        self, on_s3: CloudStorageManager, moto: LocalServer
    ):
        on_s3.upload_component(_write(Path("arm.stl"), "arm"), "arm.stl")
        classes = self._classes(on_s3, moto)
        assert classes.pop("arm.stl") == "STANDARD_IA"
        for key, found in classes.items():
            assert found == ("STANDARD_IA" if key.startswith(".skyhold/blobs/") else "STANDARD"), key

    def test_contents_are_written_in_the_tier_on_azure(self, azurite: LocalServer, request: Any, tmp_path: Path):
        manager = CloudStorageManager(_config("azurite", request, tmp_path, storage_class="Cool"))
        manager.upload_component(_write(Path("arm.stl"), "arm"), "arm.stl")
        client = BlobServiceClient(azurite.endpoint, credential=AZURITE_KEY)
        blobs = client.get_container_client(manager.config.bucket_name).list_blobs()
        tiers = {blob.name.removeprefix("models/"): str(blob.blob_tier) for blob in blobs}
        assert tiers["arm.stl"] == "Cool"
        assert tiers[".skyhold/heads/arm.stl/@.json"] == "Hot"

    def test_a_public_bucket_is_public_below_its_prefix(self, moto: LocalServer):
        name = f"bucket-{uuid4().hex[:12]}"
        config = CloudStorageConfig("aws", None, name, "models", public_access=True, **_on(moto))
        CloudStorageManager(config).create_bucket()
        keys = {f"aws_{each}": moto.options[each] for each in ("access_key_id", "secret_access_key")}
        client = boto3.client("s3", endpoint_url=moto.endpoint, region_name="us-east-1", **keys)
        policy = json.loads(client.get_bucket_policy(Bucket=name)["Policy"])
        assert policy["Statement"][0]["Resource"] == f"arn:aws:s3:::{name}/models/*"

    def test_rules_that_a_library_can_live_with_are_set_and_shown(self, on_s3: CloudStorageManager):
        rules = on_s3.bucket.recommended_rules()
        assert {rule.prefix for rule in rules} == {"models/", "models/.skyhold/blobs/"}
        on_s3.bucket.set_lifecycle(rules)
        assert on_s3.bucket.lifecycle() == (rules, [])
        for work in (
            lambda: on_s3.bucket.recommended_rules(storage_class="GLACIER"),
            lambda: on_s3.bucket.move_history(on_s3.library, "Deep_Archive"),
        ):
            with pytest.raises(BadOptionError, match="is an archive"):
                work()

    def test_old_contents_move_and_the_newest_stay(self, request: Any, moto: LocalServer, tmp_path: Path):
        manager = CloudStorageManager(_config("moto", request, tmp_path))
        for text in ("first", "second"):
            manager.upload_component(_write(Path("a"), text * 10), "a")
        assert manager.bucket.move_history(manager.library, older_than_days=1) == 0
        assert manager.bucket.move_history(manager.library, older_than_days=0) == 1
        assert sorted(self._classes(manager, moto).values()).count("STANDARD_IA") == 1
        manager.download_component("a", "old", version=1)
        assert Path("old").read_text() == "first" * 10
        settled = manager.library.reconcile("a")
        assert settled and settled.number == 2  # noqa: PT018 - nothing looks like an edit from outside

    def test_settings_are_told(self, on_s3: CloudStorageManager):
        assert "encryption at rest" in [line.name for line in on_s3.bucket.settings()]


def test_a_manager_is_made_without_asking_anybody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    made: list[object] = []
    monkeypatch.setattr(CloudStorageConfig, "open_store", made.append)
    CloudStorageManager(CloudStorageConfig("aws", "none.json", "bucket"))
    assert (made, list(tmp_path.iterdir())) == ([], [])
