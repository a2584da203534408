"""``skyhold comp`` and ``skyhold sync``: a library by commands, in a bucket and in a folder."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket
from mesh_samples import as_binary_stl, box
from skyhold.cli.application import run
from skyhold.testing.servers import LocalServer

Say = Callable[..., tuple[int, list[Any], str]]


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "work"
    (folder / "parts").mkdir(parents=True)
    (folder / "bracket.stl").write_bytes(as_binary_stl(box((1, 1, 1))))
    (folder / "parts" / "arm.stl").write_bytes(as_binary_stl(box((2, 1, 1))))
    return folder


@pytest.fixture(params=["bucket", "folder"])
def place(request: pytest.FixtureRequest, moto: LocalServer, tmp_path: Path) -> tuple[str, list[str]]:
    if request.param == "folder":
        return str(tmp_path / "library"), []
    return f"s3://{make_bucket(moto)}/models", [
        w for name, value in moto.options.items() for w in ("-o", f"{name}={value}")
    ]


@pytest.fixture
def say(work: Path, place: tuple[str, list[str]], capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command with --json; return its code, what it printed, and what it said beside it."""

    def call(*arguments: str) -> tuple[int, list[Any], str]:
        capsys.readouterr()
        code = run([*arguments, *place[1], "--json"])
        out, beside = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], beside

    return call


def test_a_component_is_added_changed_shown_named_and_restored(say: Say, place: tuple[str, list[str]], work: Path):
    library, part = place[0], str(work / "bracket.stl")
    assert say("comp", "add", library, part, "-m", "first", "--meta", "material=steel")[0] == 0
    assert say("comp", "tag", library, "bracket.stl", "approved")[1][0]["version"] == 1
    (work / "bracket.stl").write_bytes(as_binary_stl(box((1, 1, 3))))
    assert say("comp", "add", library, part, "-m", "taller", "--expected", "1")[1][0]["version"] == 2
    _, versions, _ = say("comp", "log", library, "bracket.stl")
    assert [(each["version"], each["message"]) for each in versions[:-1]] == [(2, "taller"), (1, "first")]
    assert versions[0]["metadata"] == {"material": "steel"}
    _, (change,), _ = say("comp", "diff", library, "bracket.stl", "approved", "latest")
    assert "volume" in json.dumps(change)
    assert say("comp", "restore", library, "bracket.stl", "approved")[1][0]["version"] == 3
    _, (listed, _), _ = say("comp", "ls", library)
    assert (listed["component"], listed["version"], listed["tags"]) == ("bracket.stl", 3, {"approved": 1})
    assert say("comp", "get", library, "bracket.stl", "old.stl", "--version", "1")[0] == 0
    assert Path("old.stl").read_bytes() == as_binary_stl(box((1, 1, 1)))


def test_others_are_not_overwritten_and_locks_are_kept(say: Say, place: tuple[str, list[str]], work: Path):
    library, part = place[0], str(work / "bracket.stl")
    assert say("comp", "add", library, part, "--expected", "0")[0] == 0
    (work / "bracket.stl").write_bytes(b"another")
    code, _, beside = say("comp", "add", library, part, "--expected", "0")
    assert code == 5
    assert "bracket.stl" in beside
    assert say("comp", "lock", library, "bracket.stl", "-m", "editing")[1][0]["reason"] == "editing"
    assert [lock["component"] for lock in say("comp", "lock", library)[1][:-1]] == ["bracket.stl"]
    assert say("comp", "lock", library, "bracket.stl", "--release")[0] == 0
    assert say("comp", "lock", library)[1][-1]["summary"]["locks"] == 0


def test_what_is_deleted_comes_back_and_what_others_need_is_shown_and_brought(
    say: Say, place: tuple[str, list[str]], work: Path
):
    library = place[0]
    assert say("comp", "add", library, str(work / "bracket.stl"))[0] == 0
    assert say("comp", "add", library, str(work), "--name", "robot", "--needs", "bracket.stl@1")[0] == 0
    assert say("comp", "graph", library, "robot")[1][0]["needs"] == {"robot": ["bracket.stl"]}
    assert say("comp", "get", library, "robot", "out", "--with-needs")[0] == 0
    assert {str(path.relative_to("out")) for path in Path("out").rglob("*.stl")} == {
        "bracket.stl",
        "robot/bracket.stl",
        "robot/parts/arm.stl",
    }
    assert say("comp", "rm", library, "bracket.stl")[0] != 0, "the robot needs it"
    assert say("comp", "rm", library, "robot", "-m", "obsolete")[0] == 0
    assert say("comp", "ls", library)[1][-1]["summary"]["components"] == 1
    assert say("comp", "ls", library, "--deleted")[1][-1]["summary"]["components"] == 2
    assert say("comp", "get", library, "robot", "gone")[0] == 3
    assert say("comp", "restore", library, "robot")[1][0]["version"] == 3
    assert say("comp", "rm", library, "nothing")[0] == 3


def test_a_library_is_verified_cleaned_and_repaired(say: Say, place: tuple[str, list[str]], work: Path):
    library = place[0]
    assert (
        say("comp", "add", library, *(str(path) for path in (work / "bracket.stl", work / "parts" / "arm.stl")))[0] == 0
    )
    assert say("comp", "verify", library)[0] == 0
    assert say("rm", f"{library}/arm.stl")[0] == 0
    code, lines, _ = say("comp", "verify", library, "--quick")
    assert (code, lines[0]["component"], lines[0]["what"]) == (1, "arm.stl", "plain file missing")
    assert say("comp", "repair", library)[1][-1]["summary"] == {"mended": 1, "left": 0}
    assert say("comp", "verify", library)[0] == 0
    assert say("comp", "gc", library, "--dry-run")[1][-1]["summary"]["kept"] == 2
    copied = say("comp", "replicate", library, f"{library}-backup")[1]
    assert [each["component"] for each in copied[:-1]] == ["arm.stl", "bracket.stl"]
    assert say("comp", "replicate", library, f"{library}-backup")[1][-1]["summary"]["contents"] == 0
    assert say("comp", "verify", f"{library}-backup")[0] == 0
    assert say("rm", f"{library}/.skyhold/versions/bracket.stl/@/00000001.json")[0] == 0
    assert say("comp", "repair", library, "--copy", f"{library}-backup")[1][-1]["summary"] == {"mended": 1, "left": 0}
    assert say("comp", "log", library, "bracket.stl")[1][0]["message"] == ""


def test_what_was_mended_needs_nothing_more(work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    library = str(tmp_path / "library")
    assert run(["comp", "add", library, str(work / "bracket.stl")]) == 0
    Path(library, "bracket.stl").unlink()
    capsys.readouterr()
    assert run(["comp", "verify", library]) == 1
    assert "skyhold comp repair" in capsys.readouterr().out
    for flags, verb in ((["--dry-run"], "would mend: "), ([], "mended: ")):
        assert run(["comp", "repair", library, *flags]) == 0
        told = capsys.readouterr().out
        assert told.startswith(f"{verb}bracket.stl: plain file missing")
        assert "skyhold comp repair" not in told


def test_a_folder_is_synchronized_both_ways_with_a_plan_first(
    say: Say, place: tuple[str, list[str]], work: Path, tmp_path: Path
):
    library = place[0]
    assert say("sync", str(work), library)[1][-1]["summary"]["uploaded"] == 2
    other = tmp_path / "other"
    assert say("sync", library, str(other))[1][-1]["summary"]["downloaded"] == 2
    (other / "bracket.stl").write_bytes(b"theirs")
    (work / "bracket.stl").write_bytes(b"ours")
    assert say("sync", str(other), library, "--both")[1][-1]["summary"]["uploaded"] == 1
    assert say("sync", "status", str(work), library, "--both")[1][-1]["summary"]["conflicts"] == 1
    planned = say("sync", str(work), library, "--both", "--dry-run")[1][-1]["summary"]
    assert planned["dry_run"]
    assert (work / "bracket.stl").read_bytes() == b"ours"
    assert say("sync", "resolve", str(work), library, "bracket.stl", "--choose", "local", "--both")[0] == 0
    assert say("sync", str(work), library, "--both")[0] == 0
    assert say("sync", str(other), library, "--both")[0] == 0
    assert (other / "bracket.stl").read_bytes() == b"ours"
    assert say("comp", "get", library, "bracket.stl", "theirs.stl", "--version", "2")[0] == 0
    assert Path("theirs.stl").read_bytes() == b"theirs"


def test_a_synchronization_ends_with_1_for_problems_and_with_5_for_conflicts_that_wait(
    say: Say, place: tuple[str, list[str]], work: Path
):
    library = place[0]
    assert say("sync", str(work), library)[0] == 0
    (work / "link").symlink_to("bracket.stl")
    code, lines, _ = say("sync", str(work), library, "--both")
    assert (code, lines[-1]["summary"]["success"], list(lines[-1]["summary"]["problem_paths"])) == (1, False, ["link"])
    assert say("sync", str(work), library, "--both", "--dry-run")[0] == 0
    (work / "link").unlink()
    (work / "bracket.stl").write_bytes(b"ours")
    (work / "theirs.stl").write_bytes(b"theirs")
    assert say("comp", "add", library, str(work / "theirs.stl"), "--name", "bracket.stl")[0] == 0
    (work / "theirs.stl").unlink()
    code, lines, _ = say("sync", str(work), library, "--both", "--conflict", "ask")
    assert (code, lines[-1]["summary"]["waiting_paths"]) == (5, ["bracket.stl"])
    (work / "link").symlink_to("bracket.stl")
    assert say("sync", str(work), library, "--both", "--conflict", "ask")[0] == 1
    assert say("sync", "status", str(work), library, "--both", "--conflict", "ask")[0] == 0
    assert say("sync", "resolve", str(work), library, "--both", "--choose", "local")[0] == 8
    assert say("sync", "resolve", str(work), library, "bracket.stl", "nothing", "--both", "--choose", "local")[0] == 3
    assert say("sync", "resolve", str(work), library, "bracket.stl", "--both", "--choose", "local")[0] == 0
    (work / "link").unlink()
    assert say("sync", str(work), library, "--both", "--conflict", "ask")[0] == 0


def test_components_of_a_folder_are_listed_without_those_of_a_neighbour(
    say: Say, place: tuple[str, list[str]], work: Path
):
    library, part = place[0], str(work / "bracket.stl")
    for name in ("robot/arm.stl", "robots/arm.stl", "robot.stl"):
        assert say("comp", "add", library, part, "--name", name)[0] == 0
    assert [each["component"] for each in say("comp", "ls", library, "robot")[1][:-1]] == ["robot/arm.stl"]
    assert [each["component"] for each in say("comp", "ls", library, "robot/")[1][:-1]] == ["robot/arm.stl"]
    assert [each["component"] for each in say("comp", "ls", library, "robot.stl")[1][:-1]] == ["robot.stl"]


def test_many_deletions_need_a_yes(say: Say, place: tuple[str, list[str]], work: Path):
    library = place[0]
    for number in range(8):
        (work / f"{number}.txt").write_text(str(number))
    assert say("sync", str(work), library)[0] == 0
    for path in work.glob("*.txt"):
        path.unlink()
    assert say("sync", str(work), library, "--delete")[0] == 5
    assert say("sync", str(work), library, "--delete", "--yes")[1][-1]["summary"]["deleted_remote"] == 8


def test_what_cannot_be_synchronized_is_said(say: Say, place: tuple[str, list[str]], work: Path):
    assert say("sync", "s3://one", "s3://two")[0] == 8
    assert say("sync", str(work), place[0], "--every", "soon")[0] == 8
    assert say("sync", str(work / "nothing"), place[0])[0] == 3
    assert say("comp", "add", place[0])[0] == 8
    assert say("comp", "add", place[0], str(work), "--meta", "material")[0] == 8


def test_watching_ends_within_two_seconds_of_ctrl_c(work: Path, tmp_path: Path):
    library = tmp_path / "library"
    command = [sys.executable, "-m", "skyhold.cli", "sync", str(work), str(library), "--both", "--watch"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as process:
        assert process.stdout is not None
        assert "2 uploaded" in process.stdout.readline()
        (work / "new.txt").write_text("new")
        assert "1 uploaded" in process.stdout.readline()
        (work / "link").symlink_to(work)
        assert "Synchronized all but 1 in" in process.stdout.readline()
        assert "problem: link" in process.stdout.readline()
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
    assert time.monotonic() - begun < 10
    assert (library / "new.txt").read_text() == "new"


def test_old_versions_go_by_a_rule_once_somebody_says_yes(say: Say, place: tuple[str, list[str]], work: Path):
    library, part = place[0], str(work / "bracket.stl")
    for number in range(4):
        (work / "bracket.stl").write_text(f"version {number}")
        assert say("comp", "add", library, part)[0] == 0
    assert say("comp", "tag", library, "bracket.stl", "approved", "--version", "1")[0] == 0
    code, lines, _ = say("comp", "prune", library, "--keep-last", "2")
    assert (code, lines[0]["versions"], lines[0]["action"]) == (0, [2], "would prune")
    assert (
        say("comp", "prune", library, "--keep-last", "2", "--older-than-days", "1", "--yes")[1][-1]["summary"]["pruned"]
        == 0
    )
    assert say("comp", "prune", library, "bracket.stl", "--keep-last", "2", "--yes")[1][-1]["summary"]["pruned"] == 1
    assert [each["version"] for each in say("comp", "log", library, "bracket.stl")[1][:-1]] == [4, 3, 1]
    assert say("comp", "prune", library)[0] == 8
    assert say("comp", "get", library, "bracket.stl", "old.stl", "--version", "2")[0] == 3


def test_what_becomes_of_old_contents_is_shown_and_set(say: Say, place: tuple[str, list[str]], work: Path):
    assert say("comp", "add", place[0], str(work / "bracket.stl"))[0] == 0
    code, lines, beside = say("comp", "lifecycle", place[0])
    if not place[1]:
        assert (code, lines[0]["error"]["code"]) == (1, "unsupported"), beside
        assert say("comp", "lifecycle", place[0], "--set", "--dry-run")[0] == 1
        return
    assert lines[-1]["summary"] == {"rules": 0, "others": 0}
    assert say("comp", "lifecycle", place[0], "--set", "--days", "45", "--dry-run")[1][1]["days"] == 45
    assert say("comp", "lifecycle", place[0])[1][-1]["summary"]["rules"] == 0
    assert say("comp", "lifecycle", place[0], "--set", "--days", "45")[0] == 0
    shown = say("comp", "lifecycle", place[0])[1]
    assert [(line["rule"], line["days"]) for line in shown[:3]] == [
        ("skyhold-uploads", 7),
        ("skyhold-history", 45),
        ("skyhold-old", 45),
    ]
    assert say("comp", "lifecycle", place[0], "--set", "--class", "DEEP_ARCHIVE")[0] == 8
