"""``skyhold sim``: a campaign from its plan to its table by commands alone."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from skyhold.cli import campaign_status
from skyhold.cli.application import run
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.table import unit_of
from tiny_model import tiny_simulator

STUDY = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from skyhold.simulation import Study
from tiny_model import tiny_simulator

study = Study({{"x": 0, "refuse": [5]}}, None, {{"x": [1, 2, 5]}})
twins = Study({{"x": 0}}, None, {{"x": [1, 2]}}, sampling={{"a": {{"x": 1}}, "b": {{"x": 2}}, "c": {{"x": 2}}}})
slow = Study({{"x": 0, "sleep_s": 1.2}}, None, {{"x": [1, 2, 3]}})
more = Study({{"x": 0, "refuse": [5]}}, None, {{"x": [2, 3]}})
tiny = tiny_simulator()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "office_study.py").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return str(tmp_path / "campaign")


def on_a_terminal(command: Sequence[str]) -> str:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb") as reader:
        wide = {**os.environ, "COLUMNS": "140", "TERM": "xterm-256color"}
        process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=wide)
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(reader.fileno(), 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            shown += block
        assert process.wait(60) == 0
    return shown.decode()


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_campaign_from_its_plan_to_its_table(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--json"]
    assert run(["sim", "plan", "office_study.py:study", "--json"]) == 0
    assert [line.get("label") for line in said(capsys)] == ["x=1", "x=2", "x=5", None]
    assert not Path(place).exists()
    assert run(["sim", "plan", "office_study.py:study", place, *tiny]) == 0
    assert run(["sim", "status", place, "--json"]) == 0
    assert said(capsys)[-1]["summary"]["waiting"] == 3
    assert run(["sim", "work", place, "--workers", "2", *tiny]) == 1
    summary = said(capsys)[-1]["summary"]
    assert (summary["done"], summary["failures"], summary["is_complete"]) == (2, {"engine": 1}, True)
    assert run(["sim", "plan", "office_study.py:more", place, "--extend", "--json"]) == 0
    assert said(capsys)[-1]["summary"]["added"] == 1
    assert run(["work", place, "--no-wait", *tiny]) == 0
    assert said(capsys)[-1]["summary"]["done"] == 1
    assert run(["sim", "collect", place, "--json"]) == 0
    capsys.readouterr()
    assert run(["sim", "table", place, "--columns", "label", "sum", "--cases", "x=3", "x=5", "--json"]) == 0
    assert said(capsys)[:2] == [{"label": "x=3", "sum": 828}, {"label": "x=5", "sum": None}]
    assert run(["sim", "retry", place, "--json"]) == 0
    assert said(capsys)[-1]["summary"]["cases"] == 1


def test_cases_that_are_one_run_are_told(place: str, capsys: pytest.CaptureFixture[str]):
    assert run(["sim", "plan", "office_study.py:twins", place, "--simulator", "office_study.py:tiny"]) == 0
    assert "3 cases, which are 2 different runs, in " in capsys.readouterr().err
    assert run(["sim", "status", place]) == 0
    assert capsys.readouterr().err == "0 of 2 done, 0 failed, 0 running, 2 waiting\n"


def test_a_folder_that_is_not_there_has_no_campaign(place: str, capsys: pytest.CaptureFixture[str]):
    assert run(["sim", "status", place, "--json"]) == 3
    error = said(capsys)[-1]["error"]
    assert "there is no campaign at " in error["message"]
    assert "create it" in error["remedy"]


def test_failed_cases_are_named_with_why(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--no-progress"]
    run(["sim", "plan", "office_study.py:study", place, "--simulator", "office_study.py:tiny"])
    capsys.readouterr()
    assert run(["sim", "status", place, "--failed"]) == 0
    assert capsys.readouterr() == ("", "0 of 3 cases failed\n")
    assert run(["sim", "work", place, *tiny]) == 1
    assert f"2 of 3 done, 1 failed (1 engine), 0 running, 0 waiting; why: skyhold sim status {place} --failed" in (
        capsys.readouterr().err
    )
    assert run(["sim", "status", place, "--failed"]) == 1
    out, err = capsys.readouterr()
    assert out == "x=5: engine: tiny ended with 1 (engine): x = 5 is refused\n"
    assert f"1 of 3 cases failed; to try them again: skyhold sim retry {place}" in err
    assert run(["sim", "status", place, "--failed", "--json"]) == 1
    assert said(capsys)[0]["detail"].endswith("x = 5 is refused")
    assert run(["sim", "status", place, "--failed", "--watch"]) == 8


def test_who_watches_without_a_terminal_gets_a_line_where_something_has_changed(
    place: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    run(["sim", "plan", "office_study.py:study", place, "--simulator", "office_study.py:tiny"])
    capsys.readouterr()
    looks = 0

    def wait(*_: object) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            Campaign.open(place).run(simulator=tiny_simulator())

    monkeypatch.setattr(campaign_status, "wait_until", wait)
    assert run(["sim", "status", place, "--watch"]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == ["0 of 3 done, 0 failed, 0 running, 3 waiting"]
    assert err.startswith("2 of 3 done, 1 failed (1 engine), 0 running, 0 waiting; why: ")


def test_on_a_terminal_a_table_follows_who_is_at_what(place: str):
    run(["sim", "plan", "office_study.py:slow", place, "--simulator", "office_study.py:tiny"])
    with subprocess.Popen(
        [sys.executable, "-m", "skyhold.cli", "work", place, "--simulator", "office_study.py:tiny"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ):
        shown = on_a_terminal([sys.executable, "-m", "skyhold.cli", "sim", "status", place, "--watch"])
    assert "heard of [UTC]" in shown
    assert re.search(r"0000-00000-00\d  0/1  +\S+-[0-9a-f]{12} +20\d\d-", shown)
    assert "3 of 3 done, 0 failed, 0 running, 0 waiting" in shown
    assert "━" in shown


def test_a_table_for_people_has_units(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--no-progress"]
    assert run(["sim", "plan", "office_study.py:study", place, "--simulator", "office_study.py:tiny"]) == 0
    run(["sim", "work", place, *tiny])
    capsys.readouterr()
    assert run(["sim", "table", place, "--columns", "x", "sum"]) == 0
    assert capsys.readouterr().out.splitlines()[:3] == ["x  sum [kWh]", "1  276", "2  552"]


def test_a_table_is_taken_away_as_a_file(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--no-progress"]
    run(["sim", "plan", "office_study.py:study", place, "--simulator", "office_study.py:tiny"])
    run(["sim", "work", place, *tiny])
    assert run(["sim", "table", place, "--columns", "label", "sum", "--output", "results.csv"]) == 0
    assert capsys.readouterr().err.endswith("3 rows in results.csv\n")
    assert Path("results.csv").read_text().splitlines() == ['"label","sum [kWh]"', '"x=1",276', '"x=2",552', '"x=5",']
    assert run(["sim", "table", place, "--deltas", "sum", "--output", "results.parquet", "--json"]) == 0
    kept = pq.read_table("results.parquet")
    assert unit_of(kept, "sum") == "kWh"
    assert "delta.sum" in kept.column_names
    assert run(["sim", "table", place, "--output", "results.xlsx"]) == 8
    assert not Path("results.xlsx").exists()


def test_a_table_is_compared_and_judged_by_command(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--json"]
    run(["sim", "plan", "office_study.py:study", place, *tiny])
    run(["sim", "work", place, *tiny])
    capsys.readouterr()
    compared = ["--deltas", "sum", "--changes", "sum", "--baseline", "x=1", "--gate", "--json"]
    assert run(["sim", "table", place, *compared, "--cases", "x=2", "x=5"]) == 0
    rows = said(capsys)[:2]
    names = ("delta.sum", "change.sum", "is_sound", "quality")
    assert [[row[name] for name in names] for row in rows] == [
        [276.0, pytest.approx(100.0), True, None],
        [None, None, False, "failed: engine"],
    ]


def test_a_cancelled_campaign_is_not_worked_on(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--json"]
    run(["sim", "plan", "office_study.py:study", place, *tiny])
    assert run(["sim", "cancel", place, "--json"]) == 0
    assert run(["sim", "work", place, *tiny]) == 130
    assert said(capsys)[-1]["error"]["code"] == "stopped"


@pytest.mark.parametrize("study", ["office_study.py", "office_study.py:stady", "nothing.py:study", "nothing_:study"])
def test_a_study_that_is_not_there_is_named(place: str, study: str, capsys: pytest.CaptureFixture[str]):
    assert run(["sim", "plan", study, place, "--json"]) == 8
    assert repr(study.split(":", maxsplit=1)[0]) in said(capsys)[-1]["error"]["message"]


def test_a_forecast_runs_a_few_cases_and_writes_nothing(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--forecast"]
    assert run(["sim", "plan", "office_study.py:more", place, *tiny, "--probes", "1", "--workers", "2", "--json"]) == 0
    summary = said(capsys)[-1]["summary"]
    assert (summary["runs"], summary["workers"], len(summary["probes"]), summary["requests"]) == (2, 2, 1, {})
    assert run(["sim", "plan", "office_study.py:more", "s3://some-bucket/study", *tiny]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "study: 2 cases, 2 runs, 2 chunks, 1 worker"
    assert [line.split()[0] for line in lines[1:4]] == ["probe", "probe", "least"]
    assert lines[-1] == "prices: AWS S3 Standard, us-east-1, 2024"
    assert not Path(place).exists()


def test_a_forecast_whose_probe_fails_says_why_and_ends_so(place: str, capsys: pytest.CaptureFixture[str]):
    tiny = ["--simulator", "office_study.py:tiny", "--forecast", "--probes", "3"]
    assert run(["sim", "plan", "office_study.py:study", place, *tiny]) == 1
    assert "probe 'x=5' failed (engine)" in capsys.readouterr().out
