"""The contract on real servers, and on a fake of Google's."""

from collections.abc import Generator
from pathlib import Path
from uuid import uuid4

import pytest

from conftest import make_bucket, make_container
from gcs_server import GcsServer, serving_gcs
from google_account import ServiceAccount
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.testing import StoreContract
from skyhold.testing.servers import LocalServer

_PART = 5 * 1024 * 1024


class TestMoto(StoreContract):
    can_pickle = False  # its keys are given as options

    @pytest.fixture
    def store(self, moto: LocalServer) -> Store:
        return open_store(f"s3://{make_bucket(moto)}", part_bytes=_PART, **moto.options)


class TestMinistack(StoreContract):
    can_pickle = False

    @pytest.fixture
    def store(self, ministack: LocalServer) -> Store:
        return open_store(f"s3a://{make_bucket(ministack)}/a folder", part_bytes=_PART, **ministack.options)


class TestRclone(StoreContract):
    can_pickle = False
    conditions_hold = False  # the server ignores them, which the checkup tells
    keeps_attributes = False  # they are lost on copy

    @pytest.fixture
    def store(self, rclone: LocalServer) -> Store:
        return open_store(f"s3://{make_bucket(rclone)}", part_bytes=_PART, **rclone.options)


@pytest.mark.azurite
class TestAzurite(StoreContract):
    unsupported_keys = frozenset({"back\\slash"})

    @pytest.fixture
    def store(self, azurite: LocalServer) -> Store:
        return open_store(f"az://{make_container(azurite)}/{uuid4()}", part_bytes=_PART, **azurite.options)


class TestGoogle(StoreContract):
    @pytest.fixture
    def store(self, gcs: GcsServer, monkeypatch: pytest.MonkeyPatch) -> Store:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs.url)
        return open_store(f"gs://{gcs.make_bucket()}", part_bytes=_PART)


class TestGoogleWithKeyFile(StoreContract):
    @pytest.fixture
    def store(
        self, google_account: ServiceAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Generator[Store]:
        with serving_gcs() as server:
            google_account.guard(server)
            monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(google_account.key_file(tmp_path, server)))
            yield open_store(f"gcs://{server.make_bucket()}/a folder", part_bytes=_PART)
