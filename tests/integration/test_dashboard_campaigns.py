"""Campaigns in a real Chromium: watched while they go on, read by keys, by day and by night, on a phone."""

import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser import faults_in_both_schemes, opened, scrolls_sideways_on_a_phone, served
from campaign_samples import ATTACK, YearSimulator, make_campaign
from conftest import make_bucket
from dashboard_client import OWN, entered
from skyhold.dashboard.campaign_desk import CampaignDesk
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import Journal, default_journal
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer

_PAGES = ("", "/table?gate=1&compare=change&column=site_energy", "/messages", "/energy", "/series", "/parallel")


@pytest.fixture(scope="module")
def simulator() -> YearSimulator:
    return YearSimulator()


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Generator[dict[str, Place]]:
    """A campaign that has ended, one that nobody has begun, one with names that are an attack, and no campaign."""
    folder = tmp_path_factory.mktemp("campaigns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYHOLD_STATE", str(folder / "state"))
        patch.setenv("SKYHOLD_CACHE", str(folder / "cache"))
        make_campaign(str(folder / "ended"), YearSimulator(), refuse=3).run(simulator=YearSimulator())
        make_campaign(str(folder / "new"), YearSimulator())
        evil = make_campaign(str(folder / "evil"), YearSimulator(), insulations=1, refuse=2, label=ATTACK)
        evil.run(simulator=YearSimulator())
        make_campaign(str(folder / "live"), YearSimulator(), wait=1, insulations=1)
        (folder / "none").mkdir()
        yield {name: make_place(str(folder / name)) for name in ("ended", "new", "evil", "live", "none")}


@pytest.fixture(scope="module")
def context(
    browser: Browser, places: dict[str, Place], simulator: YearSimulator, tmp_path_factory: pytest.TempPathFactory
) -> Generator[tuple[BrowserContext, str]]:
    """A window in which the dashboard is open, and its address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKYHOLD_STATE", str(tmp_path_factory.mktemp("state")))
        desk = Desk(default_journal(), {each.name: each for each in places.values()})
        desk.campaigns = CampaignDesk(lambda _: simulator)
        for link in served(desk):
            window = opened(browser, link)
            yield window, link.partition("/enter")[0]
            window.close()


@pytest.fixture
def page(context: tuple[BrowserContext, str]) -> Generator[Page]:
    """A page of which nothing was refused or failed."""
    window, base = context
    page = window.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if "Failed to load" not in message.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(f"{base}/campaigns")
    yield page
    page.close()
    assert not said


def _address(page: Page, place: Place, rest: str = "") -> str:
    return f"{page.url.partition('/campaigns')[0]}/campaigns/{place.name}{rest}"


_CASE = f"/case?label={quote('lights=3, insulation=0.1')}"


@pytest.mark.parametrize(("name", "pages"), [("ended", (*_PAGES, _CASE)), ("new", ("", "/energy")), ("none", ("",))])
def test_everybody_can_use_every_page_of_a_campaign(
    page: Page, places: dict[str, Place], name: str, pages: tuple[str, ...]
):
    for rest in pages:
        page.goto(_address(page, places[name], rest))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert not faults_in_both_schemes(page), rest
        assert not scrolls_sideways_on_a_phone(page), rest


def test_pages_are_light_and_few_things_are_asked_for(page: Page, places: dict[str, Place]):
    for rest in _PAGES:
        asked: list[str] = []
        sizes: list[int] = []

        def note(response, asked: list[str] = asked, sizes: list[int] = sizes) -> None:
            if not response.url.partition("?")[0].endswith("/live"):
                asked.append(response.url)
                sizes.append(len(response.body()))

        page.on("response", note)
        page.goto(_address(page, places["ended"], rest), wait_until="load")
        page.remove_listener("response", note)
        assert len(asked) <= 9, asked
        assert sum(sizes) < 250_000, (rest, sum(sizes))


def test_a_campaign_is_started_watched_to_its_end_and_nothing_is_reloaded(
    page: Page, places: dict[str, Place], simulator: YearSimulator
):
    page.goto(_address(page, places["live"]))
    expect(page.get_by_text("Nobody works on it")).to_be_visible()
    page.get_by_label("Workers").fill("1")
    page.get_by_role("button", name="Start here").click()
    cells = page.locator(".cell")
    expect(cells.first).to_have_class("cell running")
    assert simulator.reached.wait(30)
    page.evaluate("window.stayed = true")
    cells.nth(2).focus()
    simulator.go_on.set()
    expect(page.locator(".state.completed").first).to_be_visible(timeout=30_000)
    expect(page.locator(".cell.done")).to_have_count(4)
    assert page.evaluate("window.stayed")
    expect(cells.nth(2)).to_be_focused()
    expect(page.get_by_role("button", name="Start here")).to_have_count(0)


def test_the_keyboard_goes_from_the_grid_to_a_case_and_on(page: Page, places: dict[str, Place]):
    page.goto(_address(page, places["ended"]))
    cell = page.get_by_role("link", name="lights=3, insulation=0.1: failed, engine")
    cell.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_have_text("lights=3, insulation=0.1")
    page.get_by_role("link", name="After").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=2).first).to_have_text("lights=3, insulation=0.15")


def test_a_year_is_read_by_keys_and_by_pointing_and_a_part_is_seen_by_dragging(page: Page, places: dict[str, Place]):
    page.goto(_address(page, places["ended"], "/series"))
    plot = page.locator(".lines")
    readout = page.locator(".readout")
    plot.focus()
    page.keyboard.press("End")
    expect(readout).to_contain_text("1 Jan")
    page.keyboard.press("PageUp")
    expect(readout).to_contain_text("Dec")
    plot.hover(position={"x": 300, "y": 50})
    expect(readout).to_contain_text("lights=1, insulation=0.05 ")
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=4)
    page.mouse.up()
    page.wait_for_url("**start=2*")
    assert 2100 <= int(page.get_by_label("From value").input_value()) <= 2300
    page.get_by_role("link", name="Mar", exact=True).click()
    expect(page.get_by_label("From value")).to_have_value("1417")


def test_axes_are_bounded_by_numbers_and_the_table_follows(page: Page, places: dict[str, Place]):
    page.goto(_address(page, places["ended"], "/parallel"))
    page.get_by_label("lights from").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_text("6 of 9 cases are within the bounds")).to_be_visible()
    expect(page.get_by_role("region", name="Cases within the bounds").locator("tbody tr")).to_have_count(6)
    plot = page.locator(".across")
    plot.hover(position={"x": 200, "y": 100})
    plot.hover(position={"x": 210, "y": 110})
    expect(page.locator(".readout")).to_contain_text("lights=")


def test_the_table_is_sorted_by_its_headings_and_downloaded(page: Page, places: dict[str, Place]):
    page.goto(_address(page, places["ended"], "/table"))
    page.get_by_role("link", name="site_energy").click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("site_energy")
    with page.expect_download() as found:
        page.get_by_role("link", name="Download CSV").click()
    assert Path(found.value.path()).read_text().startswith('"label"')


def test_names_that_are_an_attack_are_shown_and_do_nothing(page: Page, places: dict[str, Place]):
    label = quote(f"lights=2, insulation=0.05{ATTACK}")
    for rest in (*_PAGES, f"/case?label={label}"):
        page.goto(_address(page, places["evil"], rest))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.locator("main img").count() == 0, rest
    expect(page.get_by_text("The roof is missing").first).to_be_visible()
    page.goto(_address(page, places["evil"], "/parallel"))
    for height in range(20, 320, 10):
        page.locator(".across").hover(position={"x": 200, "y": height})
    expect(page.locator(".readout")).to_contain_text("<img src=x")


def test_campaigns_are_on_the_first_page_live(page: Page, places: dict[str, Place]):
    page.goto(page.url.replace("/campaigns", "/runs"))
    row = page.get_by_role("region", name="Campaigns").get_by_role("row").filter(has_text="/ended")
    expect(row).to_contain_text("12 of 12 cases")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(places["ended"].uri)


def test_a_campaign_in_a_bucket_is_opened_with_the_options_of_its_place_and_says_its_cost(moto: LocalServer):
    simulator = YearSimulator()
    uri = f"s3://{make_bucket(moto)}"
    campaign = make_campaign(open_store(f"{uri}/studies/one", **moto.options), simulator, lights=2, insulations=1)
    campaign.run(simulator=simulator)
    place = make_place(uri, "", moto.options)
    user = entered(Desk(Journal(None), {place.name: place}, may_open=False))
    assert "Open as campaign" in user.get(f"/storage/{place.name}?prefix=studies/one/").text
    answer = user.post("/campaigns", data={"uri": f"{uri}/studies/one"}, headers=OWN)
    text = user.get(answer.headers["location"]).text
    assert text.count('class="cell done"') == 2
    assert " USD" in text
    assert str(moto.options["secret_access_key"]) not in text
    runs = user.get("/runs").text
    assert "2 of 2 cases" in runs
    assert "/runs/20" in runs, "what its worker left is listed"


def test_the_command_opens_a_campaign_at_once(browser: Browser, places: dict[str, Place]):
    command = [sys.executable, "-m", "skyhold.cli", "ui", "--no-browser", places["ended"].uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            page = browser.new_page()
            page.goto(found[0])
            page.wait_for_url(f"**/campaigns/{places['ended'].name}")
            expect(page.get_by_role("heading", level=1)).to_have_text(places["ended"].uri)
            page.close()
        finally:
            process.terminate()
            process.communicate()
