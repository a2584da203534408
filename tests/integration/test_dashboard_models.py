"""Components and synchronization in a real Chromium: two versions in 3D, a conflict resolved, files dropped."""

import io
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from browser import DROP_FILE, SAID_BY_3D, faults_in_both_schemes, scrolls_sideways_on_a_phone, served, watched
from mesh_samples import as_binary_stl, box, gear, joined
from skyhold.components.library import Library
from skyhold.components.sync_config import SyncConfig
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import default_journal


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "models").mkdir()
    return make_place(str(tmp_path / "models"))


@pytest.fixture
def library(place: Place) -> Library:
    return Library(place.uri, author="ann@desk")


@pytest.fixture
def desk(private_home: Path, place: Place) -> Desk:
    return Desk(default_journal(), {place.name: place})


@pytest.fixture
def base(desk: Desk) -> Generator[str]:
    yield from served(desk)


@pytest.fixture
def page(browser: Browser, base: str) -> Generator[Page]:
    with watched(browser, base, SAID_BY_3D) as page:
        page.goto(base.partition("/enter")[0] + "/components")
        yield page


def _colours(canvas: Locator) -> dict[str, int]:
    """Return how many pixels of a picture are rather red, and how many rather green."""
    picture = Image.open(io.BytesIO(canvas.screenshot())).convert("RGB").resize((120, 90))
    red, green = np.asarray(picture).astype(int)[..., :2].transpose(2, 0, 1)
    return {"red": int((red > green + 60).sum()), "green": int((green > red + 60).sum())}


def test_two_versions_are_compared_in_3d(page: Page, library: Library, place: Place):
    library.publish("robot/gear.stl", as_binary_stl(joined(gear(16), box((9, 9, 9), (30, 0, 0)))), message="first")
    library.publish("robot/gear.stl", as_binary_stl(joined(gear(16), box((9, 9, 40), (30, 0, 0)))), message="taller")
    page.get_by_role("link", name=place.uri).click()
    page.get_by_role("link", name="robot/gear.stl").click()
    expect(page.get_by_text("Triangles")).to_be_visible()  # measures come by themselves
    page.get_by_role("button", name="Compare the two").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("version 1 → 2")
    figures = page.locator("figure[data-state=drawn]")
    expect(figures).to_have_count(2)
    expect(figures.first).to_contain_text("268 triangles")
    expect(figures.first).to_contain_text("of them only here")
    expect(page.get_by_text("volume").first).to_be_visible()
    old, new = figures.first.locator("canvas"), figures.last.locator("canvas")
    before, after = _colours(old), _colours(new)
    assert before["red"] > 20 > before["green"]
    assert after["green"] > 20 > after["red"]
    eye = figures.first.get_attribute("data-eye")
    old.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("+")
    turned = figures.first.get_attribute("data-eye")
    assert turned != eye
    assert figures.last.get_attribute("data-eye") == turned, "both are looked at from the same side"
    page.get_by_role("button", name="Whole view").click()
    assert figures.last.get_attribute("data-eye") == eye
    wires = page.get_by_role("button", name="Edges of triangles")
    wires.click()
    expect(wires).to_have_attribute("aria-pressed", "true")
    assert _colours(old)["red"] < before["red"]


def test_without_webgl_the_picture_stays(page: Page, base: str, library: Library, place: Place):
    library.publish("box.stl", as_binary_stl(box()))
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"{base.partition('/enter')[0]}/components/{place.name}/view?id=box.stl")
    expect(page.get_by_text("draws nothing in 3D")).to_be_visible()
    expect(page.get_by_role("img", name="box.stl")).to_be_visible()


def test_a_dropped_file_becomes_the_next_version(page: Page, base: str, library: Library, place: Place):
    library.publish("arm.stl", b"one")
    page.goto(f"{base.partition('/enter')[0]}/components/{place.name}/component?id=arm.stl")
    expect(page.locator(".drop")).to_be_visible()
    page.get_by_label("Message").fill("from the page")
    with page.expect_navigation():
        page.evaluate(DROP_FILE, ["whatever.stl", "two"])
    assert (library.info("arm.stl").number, library.info("arm.stl").message) == (2, "from the page")
    library.publish("arm.stl", b"three")
    page.evaluate(DROP_FILE, ["whatever.stl", "four"])
    expect(page.get_by_text("Publish it all the same")).to_be_visible()
    assert library.read("arm.stl") == b"three"
    with page.expect_navigation():
        page.get_by_role("button", name="Publish it all the same").click()
    assert library.read("arm.stl") == b"four"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download version 1").click()
    assert download.value.path().read_bytes() == b"one"


def test_a_conflict_is_resolved_and_the_plan_carried_out(page: Page, base: str, library: Library, tmp_path: Path):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "arm.stl").write_bytes(b"agreed")
    StorageSynchronizer(library, SyncConfig(folder)).synchronize()
    (folder / "arm.stl").write_bytes(b"ours")
    library.publish("arm.stl", b"theirs!")
    page.get_by_role("link", name="Sync").click()
    page.get_by_label("Folder", exact=True).fill(str(folder))
    page.get_by_label("A file that both changed").select_option("leave it for now")
    page.get_by_role("button", name="Show the plan").click()
    row = page.get_by_role("row").filter(has_text="arm.stl").first
    expect(row).to_contain_text("leave as it is")
    page.get_by_label("What becomes of arm.stl").select_option("take the folder's")
    page.get_by_role("button", name="Keep these choices").click()
    expect(page.get_by_role("row").filter(has_text="arm.stl").first).to_contain_text("upload")
    page.get_by_role("button", name="Carry it out").click()
    expect(page.get_by_text("completed")).to_be_visible()
    assert library.read("arm.stl") == b"ours"
    page.get_by_role("link", name="Plan again").click()
    expect(page.get_by_text("there is nothing to do")).to_be_visible()


def _check(page: Page, base: str, paths: list[str]) -> None:
    for path in paths:
        page.goto(base.partition("/enter")[0] + path)
        expect(page.locator(".waiting")).to_have_count(0)  # what belongs to a component has come
        assert not faults_in_both_schemes(page), path
        assert not scrolls_sideways_on_a_phone(page), path


@pytest.fixture
def full(library: Library) -> str:
    """The name of a component of a library that has some of everything."""
    name = "a very long name of a component " * 5 + "<b>.stl"
    for size in (1, 2):
        library.publish(name, as_binary_stl(box((1, size, 3))), message="why " * 30, metadata={"material": "steel"})
    library.tag(name, "released", 1)
    library.publish("robot", b"x", dependencies=[name])
    library.locks.take("robot", reason="drilling")
    library.publish("gone.stl", b"x")
    library.delete("gone.stl")
    return name.replace(" ", "%20")


def test_everybody_can_use_the_pages_of_components(page: Page, base: str, full: str, place: Place):
    here = f"/components/{place.name}"
    _check(page, base, [f"{here}/component?id={full}", f"{here}/compare?id={full}", f"{here}?deleted=yes"])


def test_everybody_can_use_the_pages_of_sync(page: Page, base: str, full: str, tmp_path: Path):
    page.get_by_role("link", name="Sync").click()
    page.get_by_label("Folder", exact=True).fill(str(tmp_path / "new"))
    page.get_by_label("make the folder").check()
    page.get_by_role("button", name="Show the plan").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Plan for")
    assert not faults_in_both_schemes(page)
    assert not scrolls_sideways_on_a_phone(page)
    page.get_by_role("button", name="Carry it out").click()
    expect(page.get_by_text("completed")).to_be_visible()
    _check(page, base, ["/sync"])


@pytest.mark.slow
def test_everybody_can_use_the_other_pages_of_components(page: Page, base: str, full: str, place: Place):
    here = f"/components/{place.name}"
    some = [f"{here}/{each}?id={full}" for each in ("view", "delete")]
    rest = [f"{here}/component?id=robot", f"{here}/component?id=gone.stl", f"{here}/component?id=none", "/components"]
    _check(page, base, [*some, *rest, here, f"{here}?prefix=none"])
