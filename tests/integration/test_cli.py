"""The commands, their exit codes, and JSON that programs can read."""

import json
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket
from skyhold.cli.application import run
from skyhold.testing.servers import LocalServer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "x.csv").write_text("a,b\n1,2\n")
    (tmp_path / "d" / "e" / "y z.txt").write_text("hello")
    return tmp_path


def _options(server: LocalServer) -> list[str]:
    return [word for name, value in server.options.items() for word in ("-o", f"{name}={value}")]


def _json(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_folder_goes_to_a_bucket_and_back(folder: Path, moto: LocalServer, capsys: pytest.CaptureFixture[str]):
    bucket, options = f"s3://{make_bucket(moto)}", _options(moto)
    assert run(["cp", "-r", "d", f"{bucket}/up/", "--verify", "--json", *options]) == 0
    assert _json(capsys)[-1] == {"summary": {"objects": 2, "size_bytes": 13}}
    assert run(["ls", "-r", bucket, "--json", *options]) == 0
    assert [line.get("key") for line in _json(capsys)[:-1]] == ["up/e/y z.txt", "up/x.csv"]
    assert run(["find", bucket, "--name", "*.csv", "--json", *options]) == 0
    assert _json(capsys)[0]["uri"] == f"{bucket}/up/x.csv"
    assert run(["mv", f"{bucket}/up/x.csv", f"{bucket}/up/moved.csv", *options]) == 0
    assert run(["cp", "-r", f"{bucket}/up", "back", *options]) == 0
    assert (folder / "back" / "moved.csv").read_text() == "a,b\n1,2\n"
    assert (folder / "back" / "e" / "y z.txt").read_text() == "hello"
    capsys.readouterr()
    assert run(["stat", f"{bucket}/up/moved.csv", "--json", *options]) == 0
    assert _json(capsys)[0]["size_bytes"] == 8
    assert run(["du", bucket, "--json", *options]) == 0
    assert _json(capsys)[-1]["summary"] == {"objects": 2, "size_bytes": 13}
    assert run(["presign", f"{bucket}/up/moved.csv", "--json", *options]) == 0
    assert run(["cat", _json(capsys)[0]["link"]]) == 0


def test_a_name_means_that_object_and_that_folder_and_no_neighbour_whose_name_goes_on(
    folder: Path, moto: LocalServer, capsys: pytest.CaptureFixture[str]
):
    bucket, options = f"s3://{make_bucket(moto)}", _options(moto)
    for name in ("robot/arm.csv", "robots/leg.csv", "robot.csv", "robot"):
        assert run(["cp", "d/x.csv", f"{bucket}/{name}", *options]) == 0

    def keys(*command: str) -> list[str]:
        capsys.readouterr()
        assert run([*command, "--json", *options]) == 0
        return [line["key"] for line in _json(capsys)[:-1]]

    assert keys("find", f"{bucket}/robot") == ["robot", "robot/arm.csv"]
    assert keys("find", f"{bucket}/robot/") == ["robot/arm.csv"]
    assert keys("ls", "-r", f"{bucket}/robot") == ["robot", "robot/arm.csv"]
    assert keys("ls", f"{bucket}/robot") == ["robot", "robot/arm.csv"]
    assert sorted(keys("ls", bucket)) == ["robot", "robot.csv", "robot/", "robots/"]
    assert run(["du", f"{bucket}/robot", "--json", *options]) == 0
    assert _json(capsys)[-1]["summary"]["objects"] == 2
    assert run(["ls", f"{bucket}/rob", *options]) == 3


def test_exit_codes_tell_what_happened(folder: Path, moto: LocalServer, rclone: LocalServer):
    bucket, options = make_bucket(moto), _options(moto)
    assert run(["ls", f"s3://{bucket}", *options]) == 0
    assert run(["presign", "d/x.csv"]) == 1
    assert run(["no-such-command"]) == 2
    assert run(["cat", "d/missing"]) == 3
    assert run(["ls", "s3://no-such-bucket-at-all", *options]) == 3
    assert run(["ls", "s3://b"]) == 4, "nobody to ask as"
    assert run(["ls", "s3://b", *_options(rclone), "-o", "access_key_id=wrong"]) == 4
    assert run(["rm", "-r", f"s3://{bucket}", *options, "--yes"]) == 5
    assert run(["rm", "-r", "d"]) == 5, "nobody said yes"
    assert run(["ls", "s3://b", *options, "-o", "endpoint=http://127.0.0.1:9"]) == 6
    assert run(["ls", "s3://b", "-o", "endpont=x"]) == 8
    assert run(["mb", f"s3://{bucket}-new", *options]) == 0
    assert (folder / "d" / "x.csv").exists()


def test_deleting_asks_shows_and_spares(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["rm", "-r", "d", "--dry-run", "--json"]) == 0
    assert _json(capsys)[-1]["summary"] == {"objects": 2, "dry_run": True}
    assert (folder / "d" / "e" / "y z.txt").exists()
    assert run(["rm", "d/x.csv"]) == 0
    assert run(["rm", "-r", "d/e", "--yes"]) == 0
    assert not (folder / "d" / "x.csv").exists()
    assert not (folder / "d" / "e").exists()


def test_the_checkup_notices_what_does_not_hold(
    moto: LocalServer, rclone: LocalServer, capsys: pytest.CaptureFixture[str]
):
    def states(server: LocalServer) -> dict[str, str]:
        bucket = make_bucket(server)
        assert run(["check", f"s3://{bucket}", "--json", *_options(server)]) == 0
        return {line["name"]: line["state"] for line in _json(capsys) if "name" in line}

    exact, fast = states(moto), states(rclone)
    assert {exact[name] for name in ("list", "put", "get", "create-only put", "if-match put", "delete")} == {"ok"}
    assert exact["versioning"] == "warning"
    assert (fast["create-only put"], fast["if-match put"]) == ("warning", "warning")


def test_runs_are_listed_shown_and_verified(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["cp", "d/x.csv", "copy.csv"]) == 0
    capsys.readouterr()
    assert run(["runs", "ls", "--json"]) == 0
    run_id = _json(capsys)[0]["run_id"]
    assert run(["runs", "show", run_id]) == 0
    assert "copy.csv" in capsys.readouterr().out
    assert run(["verify", run_id]) == 0
    (folder / "copy.csv").write_text("changed")
    assert run(["verify", run_id]) == 1
    assert run(["runs", "show", "nonsense"]) == 3
