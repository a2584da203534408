"""The pages of campaigns: what they show of one that has ended, and what can be done from them."""

import io
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from campaign_samples import ATTACK, YearSimulator, make_campaign
from dashboard_client import OWN, entered
from skyhold.cli.simulators import simulators_by_name
from skyhold.dashboard.campaign_desk import CampaignDesk
from skyhold.dashboard.campaign_list import CampaignList, Listed
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.errors import BadOptionError
from skyhold.runs.journal import Journal, default_journal
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.simulator import Simulator

_PAGES = ("", "/table", "/messages", "/energy", "/series", "/parallel")


def find_year(name: str) -> Simulator:
    if name != "year":
        raise BadOptionError(f"there is no {name}")
    return YearSimulator()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Twelve cases, of which three have failed."""
    folder = tmp_path_factory.mktemp("campaigns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYHOLD_STATE", str(folder / "state"))
        patch.setenv("SKYHOLD_CACHE", str(folder / "cache"))
        make_campaign(str(folder / "study"), YearSimulator(), refuse=3).run(simulator=YearSimulator())
    return make_place(str(folder / "study"))


@pytest.fixture
def desk(finished: Place, tmp_path: Path) -> Desk:
    return Desk(Journal(tmp_path / "journal"), {finished.name: finished}, campaigns=CampaignDesk(find_year))


@pytest.fixture
def user(desk: Desk) -> TestClient:
    return entered(desk)


def _page(place: Place, name: str = "", /, **query: Any) -> str:
    return f"/campaigns/{place.name}{name}?{urlencode(query, doseq=True)}"


def test_a_campaign_shows_each_case_with_its_state_in_words(user: TestClient, finished: Place):
    text = user.get(_page(finished)).text
    assert text.count('class="cell ') == 12
    assert text.count(": failed, engine") == 3
    assert "lights=1, insulation=0.05: done" in text
    assert "12 of 12 cases" in text or ">12<" in text
    assert user.get(_page(finished, state="failed")).text.count('class="cell ') == 3
    assert "No case is running" in user.get(_page(finished, state="running")).text
    assert user.get(_page(finished, state="<script>", page="9" * 30)).status_code == 200


def test_thousands_of_cases_are_shown_page_by_page(user: TestClient, desk: Desk, tmp_path: Path):
    make_campaign(str(tmp_path / "big"), YearSimulator(), lights=100, insulations=20)
    place = make_place(str(tmp_path / "big"))
    desk.add([place])
    answer = user.get(_page(place))
    assert answer.text.count('class="cell ') == 400
    assert "1 to 400 of 2,000 cases" in answer.text
    assert len(answer.content) < 200_000
    assert "1,601 to 2,000 of 2,000 cases" in user.get(_page(place, page=5)).text
    assert "skyhold sim work" in answer.text, "nobody works on it, and it says how to begin"


def test_a_case_shows_its_parameters_results_and_files(user: TestClient, finished: Place):
    text = user.get(_page(finished, "/case", label="lights=1, insulation=0.05")).text
    for words in ("insulation", "0.05", "site_energy", "MWh", "timeseries-hourly.parquet", "1 of 12", "3 warning"):
        assert words in text, words
    link = text.partition('<th scope="row" class="name-cell"><a href="')[2].partition('"')[0].replace("&amp;", "&")
    assert user.get(link).status_code == 200, "its files are in Storage"
    answer = user.get(_page(finished, "/case", label="lights=9"))
    assert answer.status_code == 404
    assert "has no case" in answer.text


def test_a_case_that_failed_shows_why_and_every_attempt(user: TestClient, finished: Place):
    text = user.get(_page(finished, "/case", label="lights=3, insulation=0.1")).text
    for words in ("Engine", "The roof is missing", "Attempts that failed", "1 fatal", "No floor"):
        assert words in text, words


def test_messages_stand_together_by_severity(user: TestClient, finished: Place):
    text = user.get(_page(finished, "/messages")).text
    assert text.index("The roof is missing") < text.index("No floor") < text.index(" lights")
    assert "No floor" not in user.get(_page(finished, "/messages", severity="warning")).text


def test_html_in_labels_and_messages_is_text(user: TestClient, desk: Desk, tmp_path: Path):
    simulator = YearSimulator()
    make_campaign(str(tmp_path / "evil"), simulator, refuse=2, label=ATTACK, insulations=1).run(simulator=simulator)
    place = make_place(str(tmp_path / "evil"))
    desk.add([place])
    label = f"lights=1, insulation=0.05{ATTACK}"
    asked = [_page(place, page) for page in _PAGES]
    asked += [_page(place, "/case", label=each) for each in (label, label.replace("=1,", "=2,"), ATTACK)]
    asked += [
        _page(place, "/series", case=label),
        _page(place, "/table", baseline=label, compare="delta", sort="label"),
    ]
    asked += [_page(place, "/parallel", column=[ATTACK, "lights"], **{f"low.{ATTACK}": ATTACK, "low.lights": ATTACK})]
    for path in asked:
        text = user.get(path).text
        assert "<img" not in text, path
        assert "<script>alert" not in text, path
        assert "\u202e" not in re.sub(r'value="[^"]*"', "", text), "only fields, which must be exact, have it"
    assert "Zone Mean" in user.get(_page(place, "/series", case=label)).text


def test_the_table_is_sorted_compared_and_judged(user: TestClient, finished: Place):
    text = user.get(_page(finished, "/table")).text
    assert "site_energy" in text
    assert "MWh" in text
    rows = user.get(_page(finished, "/table", sort="site_energy", down="1", column="site_energy")).text
    assert rows.count('class="stay"') == 12
    assert 'aria-sort="descending"' in rows
    body = rows.partition("<tbody>")[2]
    assert body.index(">lights=4, ") < body.index(">lights=1, "), "the most lights take the most energy"
    compared = user.get(_page(finished, "/table", compare="change", baseline="lights=1, insulation=0.05")).text
    assert "change.site_energy" in compared
    judged = user.get(_page(finished, "/table", gate="1")).text
    assert "set points not met in 340 h" in judged
    assert "is_sound" in judged
    assert user.get(_page(finished, "/table", sort="nothing")).status_code == 400
    assert user.get(_page(finished, "/table", compare="delta", baseline="nobody")).status_code == 400


def test_the_table_is_taken_away_whole(user: TestClient, finished: Place):
    answer = user.get(_page(finished, "/table.csv", sort="site_energy", compare="delta"))
    table = pa_csv.read_csv(io.BytesIO(answer.content))
    assert len(table) == 12
    assert {"label", "site_energy [J]", "delta.site_energy [J]", "state"} <= set(table.column_names)
    energies = [each for each in table["site_energy [J]"].to_pylist() if each is not None]
    assert energies == sorted(energies)
    assert "attachment" in answer.headers["content-disposition"]
    parquet = pq.read_table(io.BytesIO(user.get(_page(finished, "/table.parquet")).content))
    assert parquet.schema.field("site_energy").metadata[b"unit"] == b"J"
    assert len(parquet) == 12


def test_end_uses_are_bars_with_their_numbers_beside_them(user: TestClient, finished: Place):
    text = user.get(_page(finished, "/energy", order="most")).text
    assert text.count('<svg class="stack-bar"') == 9
    assert "interior lighting" in text
    assert "MWh" in text
    assert text.index("lights=4") < text.index("lights=1")


def test_a_year_is_drawn_with_few_points_and_all_its_peaks(user: TestClient, finished: Place):
    answer = user.get(_page(finished, "/series"))
    text = answer.text
    assert text.count("<polyline") == 2, "two cases are shown before somebody chooses"
    lines = [part.partition('"')[0].split() for part in text.split('points="')[1:]]
    assert all(500 < len(points) <= 1500 for points in lines)
    assert min(float(point.partition(",")[2]) for points in lines for point in points) < 40, "the highest hour is there"
    assert "8,760" in text
    assert len(answer.content) < 200_000
    part = user.get(_page(finished, "/series", start=1, end=48, variable="hourly|OFFICE:Zone Mean Air Temperature [C]"))
    assert "All 48 values" in part.text
    assert "Zone Mean Air Temperature" in part.text


def test_series_of_different_units_are_different_charts(user: TestClient, finished: Place):
    names = ["hourly|OFFICE:Zone Mean Air Temperature [C]", "hourly|Electricity:Facility [J]"]
    text = user.get(_page(finished, "/series", variable=names, case=["lights=1, insulation=0.05"])).text
    assert text.count('<figure class="chart"') == 2
    answer = user.get(
        _page(finished, "/series.csv", variable=names, case=["lights=1, insulation=0.05"], start=25, end=48)
    )
    table = pa_csv.read_csv(io.BytesIO(answer.content))
    assert (len(table), table.num_columns) == (24, 3)


def test_series_that_are_not_there_are_told_on_their_page(user: TestClient, finished: Place):
    for query in ({"variable": "hourly|Nothing"}, {"case": "lights=3, insulation=0.1"}, {"environment": "July"}):
        answer = user.get(_page(finished, "/series", **query))
        assert answer.status_code == 200
        assert 'role="alert"' in answer.text, query


def test_parallel_coordinates_have_a_line_for_each_case_and_bounds(user: TestClient, finished: Place):
    text = user.get(_page(finished, "/parallel")).text
    assert text.count("data-label=") == 9
    assert "9 of 9 cases are within the bounds" in text
    bounded = user.get(_page(finished, "/parallel", column=["lights", "insulation"], **{"low.lights": "2"})).text
    assert "9 of 12 cases" in bounded
    assert bounded.count('class="outside"') == 3
    assert "nan" not in user.get(_page(finished, "/parallel", **{"low.lights": "nan", "high.lights": "1e999"})).text


def test_what_is_no_campaign_says_so(user: TestClient, desk: Desk, tmp_path: Path):
    place = make_place(str(tmp_path))
    desk.add([place])
    for page in (*_PAGES, "/live"):
        answer = user.get(_page(place, page))
        assert answer.status_code == 404, page
        assert "there is no campaign" in answer.text
    assert "no such place" in user.get("/campaigns/none").text


def test_campaigns_of_the_places_are_among_the_runs_with_what_their_workers_left(user: TestClient, finished: Place):
    text = user.get("/campaigns").text
    assert finished.uri in text
    runs = user.get("/runs").text
    assert finished.uri in runs
    assert "12 of 12 cases" in runs
    link = runs.partition(f'<a href="/campaigns/{finished.name}/runs/')[2].partition('"')[0]
    run = user.get(f"/campaigns/{finished.name}/runs/{link}")
    assert "work on" in run.text
    receipt = user.get(f"/campaigns/{finished.name}/runs/{link}/receipt.json")
    assert receipt.json()["kind"] == "work"
    assert user.get(f"/campaigns/{finished.name}/runs/none").status_code == 404
    assert "/runs/20" not in user.get("/runs?state=killed").text


def test_campaigns_right_in_a_place_are_listed_like_places(finished: Place, tmp_path: Path):
    above = make_place(str(Path(finished.uri).parent))
    desk = Desk(Journal(tmp_path / "journal"), {above.name: above}, campaigns=CampaignDesk(find_year))
    user = entered(desk)
    assert f'<a href="/campaigns/{finished.name}">{finished.uri}</a>' in user.get("/campaigns").text
    runs = user.get("/runs").text
    assert "12 of 12 cases" in runs
    assert f'<a href="/campaigns/{finished.name}/runs/' in runs
    assert user.get(_page(finished, "/table")).status_code == 200
    assert finished.name not in user.get("/storage").text, "it is no further place"


def test_a_campaign_that_is_a_place_and_lies_in_one_is_listed_once(finished: Place, tmp_path: Path):
    above, same = make_place(str(Path(finished.uri).parent)), make_place(f"file://{finished.uri}/")
    places = {place.name: place for place in (above, finished, same)}
    user = entered(Desk(Journal(tmp_path / "journal"), places, campaigns=CampaignDesk(find_year)))
    assert user.get("/campaigns").text.count(">12 of 12 cases<") == 1


def test_a_campaign_that_has_gone_is_listed_no_more(tmp_path: Path):
    make_campaign(str(tmp_path / "in" / "study"), YearSimulator(), insulations=1)
    above = make_place(str(tmp_path / "in"))
    desk = CampaignDesk(find_year)
    assert [found.uri for found in desk.listed([above], wait_s=60)] == [str(tmp_path / "in" / "study")]
    shutil.rmtree(tmp_path / "in" / "study")
    campaigns = CampaignList(lambda place: Listed(place.name, place.uri, desk.survey(place).look(), ()))
    assert not campaigns.listed([above], wait_s=60)


def test_no_run_is_listed_twice(finished: Place):
    journal = default_journal()
    desk = Desk(journal, {finished.name: finished}, campaigns=CampaignDesk(find_year))
    user = entered(desk)
    receipt = desk.campaigns.survey(finished).receipts(1)[0]
    journal.finish(receipt)
    assert user.get("/runs").text.count(f'id="run-{receipt.run_id}"') == 1


def test_a_dashboard_started_with_a_campaign_alone_begins_there(user: TestClient, desk: Desk, finished: Place):
    assert user.get("/").headers["location"] == "/runs"
    desk.front = finished.name
    assert user.get("/").headers["location"] == f"/campaigns/{finished.name}"
    desk.front = "none"
    assert user.get("/").headers["location"] == "/runs"


def test_a_campaign_is_opened_by_its_uri_and_from_its_folder(user: TestClient, desk: Desk, finished: Place):
    answer = user.post("/campaigns", data={"uri": finished.uri}, headers=OWN)
    assert answer.headers["location"] == f"/campaigns/{finished.name}"
    above = make_place(str(Path(finished.uri).parent), "", {})
    desk.places = {above.name: above}
    assert "Open as campaign" in user.get(f"/storage/{above.name}?prefix=study/").text
    answer = user.post("/campaigns", data={"place": above.name, "prefix": "study/"}, headers=OWN)
    assert user.get(answer.headers["location"]).status_code == 200
    desk.may_open = False
    desk.places = {above.name: above}
    assert user.post("/campaigns", data={"uri": finished.uri}, headers=OWN).status_code == 303, "it is below a place"
    assert user.post("/campaigns", data={"uri": "memory://elsewhere"}, headers=OWN).status_code == 403
    assert user.post("/campaigns", data={"uri": finished.uri}).status_code == 403, "not by another site"


def test_failed_cases_are_retried_and_campaigns_cancelled_from_their_page(user: TestClient, desk: Desk, tmp_path: Path):
    simulator = YearSimulator()
    campaign = make_campaign(str(tmp_path / "again"), simulator, refuse=2)
    campaign.run(simulator=simulator)
    place = make_place(str(tmp_path / "again"))
    desk.add([place])
    assert "Retry failed" in user.get(_page(place)).text
    assert user.post(f"/campaigns/{place.name}/retry").status_code == 403, "not by another site"
    assert user.post(f"/campaigns/{place.name}/retry", headers=OWN).status_code == 303
    assert Campaign.open(str(tmp_path / "again")).status().waiting == 3
    text = user.get(_page(place)).text
    assert "Cancel the campaign" in text
    assert "Start here" in text
    assert user.post(f"/campaigns/{place.name}/cancel", headers=OWN).status_code == 303
    assert "It was cancelled" in user.get(_page(place)).text
    assert "Go on" in user.get(_page(place)).text


def test_workers_are_started_and_stopped_from_the_page(user: TestClient, desk: Desk, tmp_path: Path):
    make_campaign(str(tmp_path / "here"), YearSimulator(), insulations=1)
    place = make_place(str(tmp_path / "here"))
    desk.add([place])
    for wrong in ("0", "33", "-1", "x", "", "٣"):
        assert user.post(f"/campaigns/{place.name}/work", data={"workers": wrong}, headers=OWN).status_code == 400
    assert user.post(f"/campaigns/{place.name}/work", data={"workers": "2"}, headers=OWN).status_code == 303
    work = desk.campaigns.work_of(place.name)
    assert work is not None
    work.wait(60)
    assert work.error is None
    assert Campaign.open(str(tmp_path / "here")).status().done == 4
    assert user.post(f"/campaigns/{place.name}/stop", headers=OWN).status_code == 404


def test_workers_end_when_the_dashboard_does(desk: Desk, user: TestClient, tmp_path: Path):
    make_campaign(str(tmp_path / "long"), YearSimulator(), insulations=1, wait=1)
    place = make_place(str(tmp_path / "long"))
    desk.add([place])
    assert user.post(f"/campaigns/{place.name}/work", data={"workers": "1"}, headers=OWN).status_code == 303
    assert user.post(f"/campaigns/{place.name}/work", data={"workers": "1"}, headers=OWN).status_code == 409
    assert "Stop the workers here" in user.get(_page(place)).text
    work = desk.campaigns.work_of(place.name)
    assert work is not None
    desk.closing.set()
    desk.wait(30)
    assert work.ended


def test_a_simulator_that_is_not_here_cannot_be_started_here(desk: Desk, user: TestClient, tmp_path: Path):
    make_campaign(str(tmp_path / "far"), YearSimulator(), insulations=1)
    place = make_place(str(tmp_path / "far"))
    desk.add([place])
    desk.campaigns = CampaignDesk()
    text = user.get(_page(place)).text
    assert "Start here" not in text
    assert "this dashboard does not have its simulator <code>year</code>" in text
    assert "--simulator module:name</pre>" in text
    assert user.post(f"/campaigns/{place.name}/work", data={"workers": "1"}, headers=OWN).status_code == 400


def test_the_command_finds_simulators_by_what_they_call_themselves():
    find = simulators_by_name(["campaign_samples:YearSimulator"])
    assert isinstance(find("year"), YearSimulator)
    assert find("energyplus").name == "energyplus"
    with pytest.raises(BadOptionError, match="does not come with skyhold"):
        find("none")


def test_the_stream_of_a_campaign_that_has_ended_ends(user: TestClient, finished: Place):
    answer = user.get(_page(finished, "/live"))
    assert answer.text.endswith("event: ended\ndata: \n\n")


def test_the_page_of_a_run_leads_to_its_campaign(user: TestClient, finished: Place):
    runs = user.get("/runs").text
    link = runs.partition(f'<a href="/campaigns/{finished.name}/runs/')[2].partition('"')[0]
    text = user.get(f"/campaigns/{finished.name}/runs/{link}").text
    assert f'name="uri" value="file://{finished.uri}"' in text
    assert "Retry failed" in text


def test_failed_cases_are_retried_from_the_page_of_a_run(user: TestClient, desk: Desk, tmp_path: Path):
    simulator = YearSimulator()
    make_campaign(str(tmp_path / "run"), simulator, refuse=2, insulations=1).run(simulator=simulator)
    answer = user.post("/campaigns", data={"uri": str(tmp_path / "run"), "then": "retry"}, headers=OWN)
    assert answer.status_code == 303
    assert Campaign.open(str(tmp_path / "run")).status().waiting == 1
    assert "skyhold sim work" in user.get(answer.headers["location"]).text
