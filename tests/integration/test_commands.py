"""The commands as a shell sees them: processes with arguments, an environment, exit codes and signals."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket
from skyhold.testing.servers import LocalServer

COMMAND = [sys.executable, "-m", "skyhold.cli"]


def skyhold(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    return done


def write_profiles(home: Path, server: LocalServer, **changes: str) -> None:
    lines = [f"{name} = '{value}'" for name, value in {**server.options, **changes}.items()]
    file = home / ".config" / "skyhold" / "profiles.toml"
    file.parent.mkdir(parents=True)
    file.write_text("\n".join(["[lab]", *lines, ""]))
    file.chmod(0o600)


def test_a_profile_reaches_the_store(private_home: Path, moto: LocalServer, tmp_path: Path):
    write_profiles(private_home, moto)
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    uri = f"s3://{make_bucket(moto)}/x.csv"
    assert skyhold("cp", str(tmp_path / "x.csv"), uri, "--profile", "lab").returncode == 0
    read = skyhold("cat", uri, "--profile", "lab")
    assert (read.returncode, read.stdout) == (0, "a,b\n1,2\n")
    without = skyhold("cat", uri)
    assert without.returncode == 4, "nobody to ask as, once the profile is left out"
    assert moto.options["secret_access_key"] not in read.stderr + without.stderr


def test_an_option_given_here_goes_over_the_profile(private_home: Path, moto: LocalServer):
    write_profiles(private_home, moto, endpoint="http://127.0.0.1:9")
    bucket = f"s3://{make_bucket(moto)}"
    assert skyhold("ls", bucket, "--profile", "lab").returncode == 6
    assert skyhold("ls", bucket, "--profile", "lab", "-o", f"endpoint={moto.endpoint}").returncode == 0


@pytest.mark.parametrize(
    ("code", "kind", "arguments"),
    [
        (2, "usage", ["no-such-command"]),
        (2, "usage", ["ls", "{s3}", "--no-such-flag"]),
        (2, "invalid_key", ["cp", "{folder}/x.csv", "{s3}/a//b"]),
        (3, "key_not_found", ["cat", "{folder}/missing"]),
        (3, "key_not_found", ["cat", "{s3}/missing"]),
        (3, "key_not_found", ["cp", "{s3}/missing", "{folder}/copy"]),
        (3, "bucket_not_found", ["ls", "s3://no-such-bucket-at-all"]),
        (4, "bad_credentials", ["ls", "{rclone}", "-o", "access_key_id=wrong"]),
        (4, "read_only", ["cp", "{folder}/x.csv", "{s3}/x.csv", "-o", "read_only=true"]),
        (5, "delete_guard", ["rm", "-r", "{s3}", "--yes"]),
        (5, "delete_guard", ["rm", "-r", "{folder}"]),
        (5, "already_exists", ["mb", "{folder}"]),
        (6, "unreachable", ["ls", "{s3}", "-o", "endpoint=http://127.0.0.1:9"]),
        (8, "bad_option", ["ls", "{s3}", "-o", "endpont=x"]),
        (8, "bad_uri", ["ls", "s4://bucket"]),
        (8, "config", ["ls", "{s3}", "--profile", "nobody"]),
    ],
)
def test_each_kind_of_failure_has_its_exit_code(
    code: int, kind: str, arguments: list[str], tmp_path: Path, moto: LocalServer, rclone: LocalServer
):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    places = {"folder": str(tmp_path), "s3": f"s3://{make_bucket(moto)}", "rclone": f"s3://{make_bucket(rclone)}"}
    server = rclone if "{rclone}" in arguments else moto
    options = [word for name, value in server.options.items() for word in ("-o", f"{name}={value}")]
    asked = [word.format(**places) for word in arguments]
    done = skyhold(asked[0], *options, *asked[1:], "--json")
    assert done.returncode == code
    errors = [json.loads(line)["error"] for line in done.stdout.splitlines()]
    assert [error["code"] for error in errors] == [kind]
    assert f"error: {errors[0]['message']}" in done.stderr
    assert (tmp_path / "x.csv").exists()


def test_one_failure_of_many_is_told_and_the_rest_is_copied(tmp_path: Path):
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    done = skyhold("cp", str(tmp_path / "x.csv"), str(tmp_path / "missing"), f"{tmp_path / 'into'}/", "--json")
    assert done.returncode == 1
    assert [json.loads(line)["error"]["code"] for line in done.stdout.splitlines()] == ["transfer", "transfer"]
    assert (tmp_path / "into" / "x.csv").read_text() == "a,b\n1,2\n"


def test_ctrl_c_during_a_long_copy_leaves_nothing_half_written(private_home: Path, tmp_path: Path):
    source, target, count, size = tmp_path / "source", tmp_path / "target", 40, 100_000
    source.mkdir()
    target.mkdir()
    for number in range(count):
        (source / f"{number:03}.bin").write_bytes(bytes([number]) * size)
    arguments = ["cp", "-r", f"mock://{source}?latency_ms=500", str(target), "--jobs", "2"]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: list(target.glob("*.bin")) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    there = sorted(file for file in target.rglob("*") if file.is_file())
    assert 0 < len(there) < count
    for file in there:
        assert file.read_bytes() == (source / file.name).read_bytes()
    assert last_run()["state"] == "stopped"


def last_run() -> Any:
    return json.loads(skyhold("runs", "ls", "--json").stdout.splitlines()[0])


def wait_until(happened: Any) -> None:
    """Wait for what surely comes; the test's time-out is for when it does not."""
    while not happened():
        time.sleep(0.01)
