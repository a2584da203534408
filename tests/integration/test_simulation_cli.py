"""``skyhold sim run``: one run of the real engine, by a command."""

import json
from pathlib import Path
from typing import Any

import pytest
from pyenergyplus.dataset import ref_models, weather_files

from conftest import make_bucket
from skyhold.cli.application import run
from skyhold.simulation.kept import KeptResults
from skyhold.testing.servers import LocalServer

MODEL, WEATHER = ref_models["warehouse"], weather_files["usa_il_chicago"]


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_run_is_kept_in_a_bucket_and_not_made_twice(moto: LocalServer, capsys: pytest.CaptureFixture[str]):
    options = [
        word
        for name, value in {"endpoint": moto.endpoint, **moto.options}.items()
        for word in ("-o", f"{name}={value}")
    ]
    command = ["sim", "run", MODEL, WEATHER, "--output", f"s3://{make_bucket(moto)}/runs/one", "--design-day", *options]
    assert run([*command, "--keep", "*.err", "--json"]) == 0
    first = said(capsys)[-1]["summary"]
    assert first["success"]
    assert {"eplusout.err", "tables.parquet"} <= set(first["files"])
    assert "eplusout.sql" not in first["files"]
    assert run([*command, "--keep", "*.err", "--json"]) == 0
    assert said(capsys)[-1]["summary"]["seconds"] == first["seconds"]  # the same run
    assert run([*command, "--json"]) == 5  # another selection would be another result


def test_variables_and_meters_are_asked_for_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command = ["sim", "run", MODEL, WEATHER, "--design-day", "--json", "--output"]
    asked = ["--variables", "Zone Mean Air Temperature", "--meters", "Electricity:Facility", "Heating:EnergyTransfer"]
    assert run([*command, str(tmp_path / "some"), *asked, "--frequency", "daily"]) == 0
    assert "eplusout.sql" in said(capsys)[-1]["summary"]["files"]
    kept = KeptResults.open(str(tmp_path / "some"))
    found = kept.list_variables()
    assert {(each.name, each.frequency) for each in found} >= {
        ("Zone Mean Air Temperature", "daily"),
        ("Heating:EnergyTransfer", "daily"),
    }
    assert {each.name for each in found} == {"Zone Mean Air Temperature", *asked[3:]}
    assert run([*command, str(tmp_path / "wrong"), "--variables", "Zone Mean Hair Temperature"]) != 0
    assert "Zone Mean Hair Temperature" in capsys.readouterr().err


def test_a_model_that_is_wrong_fails_before_the_run_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "bad.idf").write_text(Path(MODEL).read_text().replace("\n  Zone,", "\n  Zonne,", 1))
    assert run(["sim", "run", str(tmp_path / "bad.idf"), WEATHER, "--output", str(tmp_path / "out")]) == 8
    assert "Zonne" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_that_takes_too_long_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    asked = ["sim", "run", MODEL, WEATHER, "--output", str(tmp_path / "out"), "--annual", "--timeout-s", "0.1"]
    assert run([*asked, "--no-progress"]) == 1
    assert capsys.readouterr().err.startswith("failed (timeout): it took longer than it was given, and was ended; ")
    assert run([*asked, "--json"]) == 1
    assert said(capsys)[-1]["summary"]["failure"] == "timeout"


def test_a_run_that_fails_says_what_the_engine_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["sim", "run", MODEL, "--output", str(tmp_path / "out"), "--annual", "--json"]) == 1
    *messages, last = said(capsys)
    assert "no weather file found" in messages[0]["text"]
    assert not last["summary"]["success"]
    assert run(["sim", "run", MODEL, WEATHER, "--output", str(tmp_path / "new"), "--dry-run"]) == 0
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("words", [["-o", "region=eu-west-1"], ["--profile", "archive"]])
def test_options_of_a_store_are_refused_where_the_output_is_a_folder(
    tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
):
    assert run(["sim", "run", MODEL, WEATHER, "--output", str(tmp_path / "out"), *words]) == 8
    assert f"{'--profile' if words[0] == '--profile' else '--option region'} is for" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
