"""Every Python block in README.md and docs/ runs, in order, file by file, in an empty folder of its own."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

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
    """No test and no example writes into the journal of whoever runs it."""
    monkeypatch.setenv("SKYHOLD_STATE", str(tmp_path_factory.mktemp("state")))


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["*.md"],
    setup=_enter,
    teardown=_leave,
).pytest()
