"""``skyhold demo``: the whole story, on embedded parts, stopped and run again."""

import csv
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pyarrow.parquet as pq
import pytest

from skyhold.cli.application import run
from skyhold.components.library import Library
from skyhold.components.previews import load_preview
from skyhold.demo.story import tell_story
from skyhold.simulation.campaign import Campaign


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder, said = tmp_path_factory.mktemp("demo"), list[str]()
    result = tell_story(folder, said.append, quick=True)
    assert (result.cases, result.report.success_count, result.report.error_count) == (12, 10, 2)
    return folder, said


def test_the_story_leaves_components_a_campaign_rows_and_a_picture(told: tuple[Path, list[str]]):
    folder, said = told
    bucket = folder / "bucket"
    library = Library(str(bucket / "library"))
    assert [each.component for each in library.list()] == ["chicago.epw", "warehouse.idf", "warehouse.stl"]
    facts = load_preview(library, "warehouse.stl").facts
    assert facts is not None
    assert facts.triangles > 20
    assert Campaign.open(str(bucket / "week")).status().is_complete
    rejected = pq.read_table(bucket / "rejected.parquet").to_pylist()
    assert sorted((row["row_number"], row["field"]) for row in rejected) == [
        (3, "$.energy_mwh"),
        (8, "$.insulation_m"),
    ]
    assert {path.parent.name for path in (bucket / "results").rglob("*.parquet")} == {"glass=standard", "glass=better"}
    assert (folder / "end-uses.png").read_bytes().startswith(b"\x89PNG")
    assert any("The receipt holds" in line for line in said)


def test_the_story_is_told_again_without_running_anything_again(told: tuple[Path, list[str]]):
    folder, _ = told
    log = Library(str(folder / "bucket" / "library")).log("warehouse.idf")
    attempts = sorted((folder / "bucket" / "week" / "out").rglob("*"))
    assert run(["demo", "--quick", "--folder", str(folder), "--json"]) == 0
    assert Library(str(folder / "bucket" / "library")).log("warehouse.idf") == log
    assert sorted((folder / "bucket" / "week" / "out").rglob("*")) == attempts
    rows = list(csv.DictReader((folder / "bucket" / "raw" / "results.csv").read_text().splitlines()))
    assert [row["energy_mwh"] for row in rows].count("see mail") == 1


def test_the_dashboard_is_opened_on_the_story(told: tuple[Path, list[str]]):
    folder, _ = told
    command = [sys.executable, "-m", "skyhold.cli", "demo", "--quick", "--folder", str(folder), "--ui"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        said: list[str] = []
        while "dashboard is open at" not in (said or [""])[-1]:
            line = demo.stdout.readline()
            assert line, said
            said.append(line)
        link = said[-1].split()[-1]
        with httpx2.Client(follow_redirects=True) as user:
            door = user.get(link)
            assert door.status_code == 200
        demo.send_signal(signal.SIGINT)
        assert demo.wait(30) == 0
