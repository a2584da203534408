"""Every Python block in README.md and docs/ runs, in order, file by file, in an empty folder of its own.

The pages about records on object storage run against real servers, and so do their `skyhold` commands.
"""

import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.sybil import SybilCollection

from page_objects import Objects
from skyhold.errors import MissingExtraError
from skyhold.storage.credentials.connection_string import EMULATOR_KEY
from skyhold.testing.servers import LocalServer, start_azurite, start_moto, start_postgres, start_rclone
from starting import started

pytest_plugins = ["energyplus_runs"]

_S3_PAGES = ("records-on-object-storage.md", "records-on-object-storage-operation.md")
_SIMULATION_PAGES = ("cloud-simulations.md",)
_FOLDER_PAGES = ("studies.md",)
_COMPONENT_PAGES = ("cloud-storage.md",)
_DATABASE_PAGES = ("records-on-object-storage-examples.md",)

_ambient: dict[str, Any] = {}


def _enter(namespace: dict[str, Any]) -> None:
    del namespace
    folder = tempfile.TemporaryDirectory()
    _ambient.update(folder=folder, before=Path.cwd(), state=os.environ.get("SKYHOLD_STATE"))
    os.environ["SKYHOLD_STATE"] = f"{folder.name}/.state"
    os.chdir(folder.name)


def _leave(namespace: dict[str, Any]) -> None:
    del namespace
    os.chdir(_ambient["before"])
    if _ambient["state"] is None:
        os.environ.pop("SKYHOLD_STATE", None)
    else:
        os.environ["SKYHOLD_STATE"] = _ambient["state"]
    _ambient["folder"].cleanup()


@pytest.fixture(autouse=True)
def private_journal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test and no example writes into the journal or the cache of whoever runs it."""
    monkeypatch.setenv("SKYHOLD_STATE", str(tmp_path_factory.mktemp("state")))
    monkeypatch.setenv("SKYHOLD_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="session")
def guide_s3(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalServer]:
    """The S3 of the pages: right semantics."""
    with start_moto(tmp_path_factory.mktemp("guide-moto")) as server:
        yield server


@pytest.fixture(scope="session")
def strict_s3(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalServer]:
    """An S3 that checks signatures; blocks may name it."""
    with start_rclone(tmp_path_factory.mktemp("guide-rclone")) as server:
        yield server


@pytest.fixture(scope="session")
def azure_string(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Generator[str]:
    """The connection string of the pages' Azure; empty where the emulator is missing, but not in CI."""
    try:
        with contextlib.ExitStack() as stack:
            with contextlib.chdir(pytestconfig.rootpath):  # where npm has put it
                server = stack.enter_context(start_azurite(tmp_path_factory.mktemp("guide-azurite")))
            account = f"AccountName=devstoreaccount1;AccountKey={EMULATOR_KEY}"
            yield f"DefaultEndpointsProtocol=http;{account};BlobEndpoint={server.endpoint};"
    except MissingExtraError:
        if os.environ.get("CI"):
            raise
        yield ""


@pytest.fixture(scope="session")
def guide_database() -> Generator[LocalServer]:
    """The PostgreSQL of the pages."""
    yield from started(start_postgres())


@pytest.fixture
def objects(
    guide_s3: LocalServer, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Objects:
    """The environment that the pages tell their reader to set, and none of whoever runs them."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", guide_s3.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", guide_s3.options["secret_access_key"])
    monkeypatch.setenv("AWS_REGION", guide_s3.options["region"])
    monkeypatch.setenv("AWS_ENDPOINT_URL", guide_s3.endpoint)
    return Objects()


@pytest.fixture
def database_settings(guide_database: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `localhost` in a database's URI mean the server of the tests."""
    monkeypatch.setenv("PGPORT", guide_database.endpoint.rpartition(":")[2].partition("/")[0])


def _run_commands(example: Example) -> None:
    """Run the lines of a shell block that call skyhold; the others set up what a test has anyway."""
    for line in str(example.parsed).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["skyhold"]:
            subprocess.run([sys.executable, "-m", "skyhold.cli", *words[1:]], check=True)  # noqa: S603 - our own


_PYTHON = [PythonCodeBlockParser(), SkipParser()]
_AND_COMMANDS = [*_PYTHON, CodeBlockParser(language="bash", evaluator=_run_commands)]
_FOLDER: dict[str, Any] = {"setup": _enter, "teardown": _leave}

pytest_collect_file = SybilCollection(
    [
        Sybil(
            _PYTHON,
            patterns=["*.md"],
            excludes=[*_S3_PAGES, *_SIMULATION_PAGES, *_FOLDER_PAGES, *_DATABASE_PAGES, *_COMPONENT_PAGES],
            **_FOLDER,
        ),
        Sybil(_AND_COMMANDS, patterns=_FOLDER_PAGES, **_FOLDER),
        Sybil(_AND_COMMANDS, patterns=_SIMULATION_PAGES, fixtures=["objects", "guide_s3"], **_FOLDER),
        Sybil(_AND_COMMANDS, patterns=_S3_PAGES, fixtures=["objects", "guide_s3", "strict_s3"], **_FOLDER),
        Sybil(_PYTHON, patterns=_COMPONENT_PAGES, fixtures=["objects", "guide_s3", "azure_string"], **_FOLDER),
        Sybil(
            _AND_COMMANDS,
            patterns=_DATABASE_PAGES,
            fixtures=["objects", "database_settings", "guide_database"],
            **_FOLDER,
        ),
    ]
).pytest()
