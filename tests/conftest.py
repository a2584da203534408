"""What all tests share: profiles of hypothesis, a private home, and real servers, each started once."""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from gcs_server import GcsServer, serving_gcs
from google_account import ServiceAccount
from skyhold.testing.servers import (
    LocalServer,
    start_azurite,
    start_ministack,
    start_moto,
    start_postgres,
    start_rclone,
)
from starting import started

if TYPE_CHECKING:
    from distributed import LocalCluster
    from playwright.sync_api import Browser

settings.register_profile("default", max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile("ci" if os.environ.get("CI") else "default")

AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""Published by Microsoft for its emulator; it opens nothing else."""

_AMBIENT = ("AWS_", "AZURE_", "AZURITE_", "GOOGLE_", "STORAGE_EMULATOR", "SKYHOLD_", "XDG_")


@pytest.fixture(autouse=True)
def private_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees the credentials, settings or journal of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(_AMBIENT):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("SKYHOLD_STATE", str(home / "state"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return home


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalServer]:
    with start_moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalServer]:
    with start_ministack(tmp_path_factory.mktemp("ministack")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalServer]:
    with start_rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalServer]:
    yield from started(start_azurite(tmp_path_factory.mktemp("azurite")))


@pytest.fixture(scope="session")
def gcs() -> Generator[GcsServer]:
    with serving_gcs() as server:
        yield server


@pytest.fixture(scope="session")
def google_account() -> ServiceAccount:
    return ServiceAccount()


@pytest.fixture(scope="session")
def dask_cluster() -> "Generator[LocalCluster]":
    """A scheduler and two worker processes, which come back when they are killed."""
    from distributed import LocalCluster  # noqa: PLC0415 - the extra `dask`, and only some tests need it

    cluster: Any
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", memory_limit=None) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def browser() -> "Generator[Browser]":
    """Chromium, for tests of pages; started for them alone."""
    from browser import launched  # noqa: PLC0415 - playwright, and only tests of pages need it

    yield from launched()


@pytest.fixture(scope="session")
def postgres() -> Generator[LocalServer]:
    yield from started(start_postgres())


def make_bucket(server: LocalServer) -> str:
    """Make a bucket of its own for one test, and return its name."""
    import boto3  # noqa: PLC0415 - 500 ms, and only tests of S3 need it

    name = f"bucket-{uuid4().hex[:12]}"
    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.options["access_key_id"],
        aws_secret_access_key=server.options["secret_access_key"],
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=name)
    return name


def make_container(server: LocalServer) -> str:
    """Make a container of its own for one test, and return its name."""
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415 - the extra `azure`

    name = f"container-{uuid4().hex[:12]}"
    client = BlobServiceClient(server.endpoint, credential=AZURITE_KEY)
    client.create_container(name)
    return name
