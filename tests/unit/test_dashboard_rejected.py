"""The page of rejected rows: some of each reason, as they came."""

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from dashboard_client import entered
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import make_place
from skyhold.records.formats.csv import CSVInputAdapter, CSVOutputAdapter
from skyhold.records.formats.detection import find_format
from skyhold.records.pipe import Pipe
from skyhold.runs.journal import default_journal


class Order(BaseModel):
    name: str
    price: float


def _run(folder: Path, error_output: str) -> str:
    """Run a pipe with rejected rows, and return which run it was."""
    rows = ["name,price", "a,1", "<b>b</b>,x<script>", *(f"item{number},much" for number in range(9)), "d"]
    (folder / "orders.csv").write_text("\n".join(rows) + "\n")
    form = find_format(f"/{error_output}")
    assert form is not None
    report = Pipe(
        input_adapter=CSVInputAdapter(str(folder / "orders.csv")),
        output_adapter=CSVOutputAdapter(str(folder / "good.csv")),
        error_output_adapter=form.load("Output")(str(folder / error_output), **form.options),
        schema_model=Order,
    ).run()
    assert report.total_errors == 11
    return report.receipt.run_id if report.receipt else ""


@pytest.mark.parametrize("error_output", ["bad.csv", "bad.jsonl", "bad.json", "bad.parquet", "bad.arrow"])
def test_some_rows_of_each_reason_are_shown_whole(tmp_path: Path, error_output: str):
    run_id = _run(tmp_path, error_output)
    place = make_place(str(tmp_path))
    user = entered(Desk(default_journal(), {place.name: place}))
    page = user.get(f"/runs/{run_id}/rejected").text
    assert f"/runs/{run_id}/rejected" in user.get(f"/runs/{run_id}").text
    assert re.findall(r"<h2><code>(.+?)</code> (\w+): (\d+)", page) == [
        ("$.price", "float_parsing", "10"),
        ("$", "ragged_row", "1"),
    ]
    assert page.count("item0") == 1
    assert "item1" in page
    assert "item2" not in page
    assert "x&lt;script&gt;" in page
    assert "&lt;b&gt;b&lt;/b&gt;" in page
    assert "<script>" not in page.partition("<main")[2]
    assert '<th scope="row" class="right">12</th>' in page


def test_rows_that_no_place_shows_are_not_read(tmp_path: Path):
    run_id = _run(tmp_path, "bad.csv")
    user = entered(Desk(default_journal()))
    answer = user.get(f"/runs/{run_id}/rejected")
    assert answer.status_code == 404
    assert "Open the place under Storage first" in answer.text
    assert f"/runs/{run_id}/rejected" not in user.get(f"/runs/{run_id}").text


def test_rejected_rows_that_are_gone_are_an_error(tmp_path: Path):
    run_id = _run(tmp_path, "bad.csv")
    (tmp_path / "bad.csv").unlink()
    place = make_place(str(tmp_path))
    answer = entered(Desk(default_journal(), {place.name: place})).get(f"/runs/{run_id}/rejected")
    assert answer.status_code == 404
    assert "bad.csv" in answer.text
