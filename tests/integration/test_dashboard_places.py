"""Storage and connections in a real Chromium: dropping files, going through big folders, trying a store."""

import filecmp
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from browser import DROP_FILE, faults_in_both_schemes, scrolls_sideways_on_a_phone, served, watched
from skyhold.components.library import Library
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.records.formats.csv import CSVInputAdapter, CSVOutputAdapter
from skyhold.records.pipe import Pipe
from skyhold.runs.journal import default_journal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def place(folder: Path) -> Place:
    return make_place(str(folder))


@pytest.fixture
def link(private_home: Path, place: Place) -> Generator[str]:
    missing = make_place("s3://b", "", {"anonymous": True, "endpoint": "http://127.0.0.1:9", "retries": 0})
    yield from served(Desk(default_journal(), {each.name: each for each in (place, missing)}))


@pytest.fixture
def page(browser: Browser, link: str) -> Generator[Page]:
    with watched(browser, link) as page:
        page.goto(link.partition("/enter")[0] + "/storage")
        yield page


def _await_script(page: Page) -> None:
    expect(page.locator(".drop")).to_be_visible()  # it is there for scripts alone


def _drop(page: Page, name: str, text: str) -> None:
    _await_script(page)
    page.evaluate(DROP_FILE, [name, text])


def test_files_are_uploaded_by_choosing_and_by_dropping_them(page: Page, folder: Path, place: Place, tmp_path: Path):
    page.get_by_role("link", name=place.uri).click()
    for number in range(2):
        (tmp_path / f"chosen {number}.txt").write_text("chosen")
    _await_script(page)
    page.get_by_label("Upload into this folder").set_input_files([tmp_path / "chosen 0.txt", tmp_path / "chosen 1.txt"])
    expect(page.get_by_role("link", name="chosen 1.txt")).to_be_visible()
    _drop(page, "<img src=x>.txt", "dropped")
    expect(page.get_by_role("link", name="<img src=x>.txt")).to_be_visible()
    assert {path.name: path.read_text() for path in folder.iterdir() if path.is_file()} == {
        "chosen 0.txt": "chosen",
        "chosen 1.txt": "chosen",
        "<img src=x>.txt": "dropped",
    }


def test_a_file_that_is_there_is_replaced_on_request_alone(page: Page, folder: Path, place: Place):
    (folder / "a.txt").write_text("old")
    page.get_by_role("link", name=place.uri).click()
    _drop(page, "a.txt", "new")
    expect(page.get_by_text("there is an object of this name")).to_be_visible()
    assert (folder / "a.txt").read_text() == "old"
    page.get_by_role("button", name="Replace").click()
    expect(page.get_by_text("there is an object of this name")).to_have_count(0)
    assert (folder / "a.txt").read_text() == "new"


def test_a_big_folder_is_gone_through_and_objects_are_deleted(page: Page, folder: Path, place: Place):
    for number in range(450):
        (folder / f"{number:04d}.txt").touch()
    page.get_by_role("link", name=place.uri).click()
    page.get_by_role("link", name="Show more").click()
    expect(page.get_by_role("link", name="0399.txt")).to_be_visible()
    expect(page.locator("#entries tr")).to_have_count(401)
    page.get_by_label("Choose 0398.txt").check()
    page.get_by_label("Choose 0399.txt").check()
    page.get_by_role("button", name="Delete what is chosen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 2 objects, 0 B?")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(place.uri)
    assert len(list(folder.glob("*.txt"))) == 448


def test_a_download_is_the_file(page: Page, folder: Path, place: Place, tmp_path: Path):
    (folder / "é x.html").write_bytes(b"<script>" * 100_000)
    page.get_by_role("link", name=place.uri).click()
    page.get_by_role("link", name="é x.html").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename == "é x.html"
    download.value.save_as(tmp_path / "there")
    assert (tmp_path / "there").read_bytes() == (folder / "é x.html").read_bytes()


@pytest.mark.slow
def test_200_mb_go_up_and_come_down(page: Page, folder: Path, place: Place, tmp_path: Path):
    file = tmp_path / "big.bin"
    with file.open("wb") as out:
        for number in range(200):
            out.write(number.to_bytes(4, "big") * 262_144)
    page.get_by_role("link", name=place.uri).click()
    _await_script(page)
    page.get_by_label("Upload into this folder").set_input_files(file)
    page.get_by_role("link", name="big.bin").click(timeout=120_000)
    assert filecmp.cmp(folder / "big.bin", file, shallow=False)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert filecmp.cmp(download.value.path(), file, shallow=False)


def test_a_store_is_tried_line_by_line(page: Page, place: Place):
    page.get_by_role("row", name=place.uri).get_by_role("link", name="Test the connection").click()
    page.get_by_role("button", name="Test it").click()
    expect(page.get_by_role("row", name="put", exact=False).first).to_be_visible()
    expect(page.get_by_text("trying")).to_have_count(0)
    expect(page.locator("#lines .state.ok")).not_to_have_count(0)


def test_everybody_can_use_every_page_of_places(page: Page, link: str, folder: Path, place: Place):
    base = link.partition("/enter")[0]
    (folder / "t.csv").write_text("id,a long name of a column\n" + "1," + "x" * 500 + "\n2,y," + "z" * 200 + "\n")
    (folder / ("long-name-" * 20)).write_text("x")
    here = f"/storage/{place.name}"
    missing = page.get_by_role("link", name="s3://b").get_attribute("href") or ""
    paths = ["/storage", here, f"{here}/object?key=t.csv", f"{here}/delete?key=t.csv", "/connections", missing]
    library = Library(place.open())
    for number in range(2):
        library.publish("brick.stl", b"x" * number, message="why", metadata={"material": "clay"})
    here = f"/components/{place.name}"
    paths += ["/components", here, f"{here}?prefix=none", f"{here}/component?id=brick.stl"]
    report = Pipe(
        input_adapter=CSVInputAdapter(str(folder / "t.csv")),
        output_adapter=CSVOutputAdapter(str(folder / "good.csv")),
        error_output_adapter=CSVOutputAdapter(str(folder / "bad.csv")),
    ).run()
    assert report.total_errors == 1
    assert report.receipt is not None
    paths += [f"/runs/{report.receipt.run_id}", f"/runs/{report.receipt.run_id}/rejected"]
    for path in (*paths, f"/connections/{place.name}"):
        page.goto(base + path)
        assert not faults_in_both_schemes(page), path
        assert not scrolls_sideways_on_a_phone(page), path
