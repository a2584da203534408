"""Objects that other programs wrote, or that lay there before there was a library, become versions."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from conftest import make_bucket
from skyhold.cli.application import run
from skyhold.components.adopting import adopt_objects
from skyhold.components.library import Library
from skyhold.components.verification import verify_library
from skyhold.errors import ComponentNotFoundError
from skyhold.runs.journal import default_journal
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer


@pytest.fixture(params=["memory", "moto"])
def library(request: pytest.FixtureRequest) -> Library:
    if request.param == "memory":
        return Library(f"memory://adopting-{uuid4().hex}", author="ann")
    server = request.getfixturevalue("moto")
    return Library(f"s3://{make_bucket(server)}/models", author="ann", **server.options)


def _lying(library: Library, **contents: bytes) -> None:
    for name, content in contents.items():
        library.store.write(f"{name}.stl", content)


def test_a_bucket_that_has_objects_already_becomes_a_library(library: Library):
    _lying(library, arm=b"arm", leg=b"leg")
    library.store.write("parts/bolt.stl", b"bolt")
    assert list(library.list()) == []
    assert adopt_objects(library).adopted == {"arm.stl": 1, "leg.stl": 1, "parts/bolt.stl": 1}
    assert [each.component for each in library.list()] == ["arm.stl", "leg.stl", "parts/bolt.stl"]
    assert library.read("parts/bolt.stl") == b"bolt"
    assert verify_library(library).ok
    again = adopt_objects(library)
    assert (again.adopted, again.known, again.failed) == ({}, 3, {})


def test_edits_by_other_programs_become_versions_and_nothing_else_changes(library: Library):
    for name in ("arm.stl", "leg.stl", "gone.stl"):
        library.publish(name, b"first")
    _lying(library, arm=b"edited by a script")
    library.store.delete("gone.stl")
    assert adopt_objects(library).adopted == {"arm.stl": 2}
    assert [library.read("arm.stl", version=number) for number in (1, 2)] == [b"first", b"edited by a script"]
    assert library.info("arm.stl").origin == "outside"
    assert [library.info(name).number for name in ("leg.stl", "gone.stl")] == [1, 1]


def test_only_what_begins_so_is_looked_at(library: Library):
    _lying(library, arm=b"arm", leg=b"leg")
    done = adopt_objects(library, "a")
    assert (list(done.adopted), done.known) == (["arm.stl"], 0)


def test_a_dry_run_changes_nothing(library: Library):
    _lying(library, arm=b"arm")
    before = [info.key for info in library.store.list()]
    done = adopt_objects(library, dry_run=True)
    assert (list(done.adopted), done.dry_run) == (["arm.stl"], True)
    assert [info.key for info in library.store.list()] == before


def test_what_cannot_be_a_component_is_told_and_the_others_are_done(library: Library):
    library.publish("robot.stl", b"robot")
    library.store.write("robot.stl@/@/inside", b"x")
    _lying(library, arm=b"arm")
    done = adopt_objects(library)
    assert list(done.adopted) == ["arm.stl"]
    assert list(done.failed) == ["robot.stl@/@/inside"]


def test_what_is_known_takes_a_request_for_each_and_a_listing(moto: LocalServer):
    library = Library(open_store(f"s3://{make_bucket(moto)}", **moto.options))
    for number in range(20):
        library.publish(f"part{number}", b"%d" % number)
    assert adopt_objects(library).known == 20
    receipt = default_journal().list_runs()[0].receipt
    assert receipt is not None
    assert receipt.kind == "adopt"
    assert receipt.requests.get("write", 0) == 0
    assert receipt.requests["read"] <= 21
    assert receipt.requests["list"] <= 2


def test_whoever_asks_for_an_object_that_is_no_version_is_told_what_to_do(library: Library):
    _lying(library, arm=b"arm")
    with pytest.raises(ComponentNotFoundError, match=r"another program wrote 'arm\.stl'") as caught:
        library.read("arm.stl")
    assert caught.value.remedy == f"Run: skyhold comp adopt {library.uri} arm.stl"
    with pytest.raises(ComponentNotFoundError, match=r"there is no component 'leg\.stl'"):
        library.read("leg.stl")
    library.publish("leg.stl", b"leg")
    with pytest.raises(ComponentNotFoundError, match="has no version 7"):
        library.read("leg.stl", version=7)


def test_a_command_adopts_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "arm.stl").write_text("arm")
    place = str(tmp_path / "library")
    assert run(["comp", "ls", place]) == 0
    assert f"0 components, 0 B; what other programs wrote here is no version yet. Run: skyhold comp adopt {place}" in (
        capsys.readouterr().err
    )
    assert run(["comp", "adopt", place, "--dry-run"]) == 0
    assert "would adopt arm.stl" in capsys.readouterr().out
    assert run(["comp", "adopt", place, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"key": "arm.stl", "version": 1}
    assert lines[-1]["summary"] == {"adopted": 1, "known": 0, "failed": 0, "dry_run": False}
    for command in (["ls", place], ["rm", place, "arm.stl"], ["ls", place]):
        assert run(["comp", *command]) == 0
        assert "adopt" not in capsys.readouterr().err
