"""Search, meshes, folders and imports in a real Chromium; one dashboard for all of them."""

import contextlib
import json
import socket
from collections.abc import Generator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, Page, expect

from browser import SAID_BY_3D, faults_in_both_schemes, scrolls_sideways_on_a_phone, served, watched
from mesh_samples import as_binary_stl, box, gear
from skyhold.components.library import Library
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import Place, make_place
from skyhold.runs.journal import Journal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finding") / "data"
    (folder / "parts").mkdir(parents=True)
    (folder / "parts" / "gear.stl").write_bytes(as_binary_stl(gear()))
    (folder / "parts" / "Rib <b>.STL").write_bytes(as_binary_stl(box()))
    table = pa.table({"case": ["a", "b", None], "a long name of a column in kilowatt hours": [1.5, 2.5, 3.5]})
    pq.write_table(table, folder / "results.parquet")
    return folder


@pytest.fixture(scope="module")
def place(folder: Path) -> Place:
    return make_place(str(folder))


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    library = Library(str(tmp_path_factory.mktemp("finding-library")))
    library.publish("parts/screw.stl", as_binary_stl(box()))
    library.publish("parts/arm.stl", as_binary_stl(box()), dependencies=["parts/screw.stl"])
    library.publish("robot", b"x", dependencies=["parts/arm.stl", "parts/screw.stl"])
    return library


@pytest.fixture(scope="module")
def shelf(library: Library) -> Place:
    return make_place(library.uri)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, place: Place, shelf: Place) -> Desk:
    home = tmp_path_factory.mktemp("finding-home")
    return Desk(Journal(home / "journal"), {each.name: each for each in (place, shelf)}, folder=home)


@pytest.fixture(scope="module")
def link(desk: Desk) -> Generator[str]:
    yield from served(desk)


@pytest.fixture(scope="module")
def page(browser: Browser, link: str) -> Generator[Page]:
    with watched(browser, link, SAID_BY_3D) as page:
        yield page


@pytest.fixture(scope="module")
def base(link: str) -> str:
    return link.partition("/enter")[0]


def _check(page: Page, what: str) -> None:
    assert not faults_in_both_schemes(page), what
    assert not scrolls_sideways_on_a_phone(page), what


def test_an_index_is_made_and_leads_to_what_is_found(page: Page, base: str, place: Place):
    page.goto(f"{base}/storage/{place.name}")
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.get_by_text("Stores do not search")).to_be_visible()
    _check(page, "without an index")
    page.get_by_role("button", name="Make the index").click()
    waiting = page.get_by_role("link", name="Search in it")
    expect(waiting.or_(page.get_by_text("As of")).first).to_be_visible()
    if waiting.count():
        waiting.click()
    page.get_by_label("Names with").fill("rib *.stl")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 object, ")).to_be_visible()
    expect(page.get_by_text("As of")).to_be_visible()
    _check(page, "what was found")
    page.get_by_role("link", name="parts/Rib <b>.STL").click()
    expect(page.locator("figure[data-state=drawn]")).to_contain_text("12 triangles")


def test_a_mesh_of_storage_is_turned_by_the_keyboard(page: Page, base: str, place: Place):
    page.goto(f"{base}/storage/{place.name}/object?key=parts/gear.stl")
    figure = page.locator("figure[data-state=drawn]")
    expect(figure).to_contain_text("triangles")
    eye = figure.get_attribute("data-eye")
    page.locator("canvas").focus()
    page.keyboard.press("ArrowLeft")
    assert figure.get_attribute("data-eye") != eye
    _check(page, "a mesh")


def test_everybody_can_read_the_statistics_of_parquet(page: Page, base: str, place: Place):
    page.goto(f"{base}/storage/{place.name}/object?key=results.parquet")
    row = page.get_by_role("region", name="Columns").get_by_role("row").filter(has_text="kilowatt")
    expect(row).to_contain_text("1.5")
    expect(row).to_contain_text("3.5")
    _check(page, "statistics")


def _choose_folder(page: Page, label: str, folder: Path) -> None:
    expect(page.locator(".drop")).to_be_visible()  # it is there for scripts alone
    with page.expect_response(lambda answer: "/upload?" in answer.url) as sent:
        page.get_by_label(label, exact=True).set_input_files(folder)
    assert sent.value.status == 201


def test_a_folder_becomes_a_component_and_its_next_version(
    page: Page, base: str, shelf: Place, library: Library, tmp_path: Path
):
    (tmp_path / "gripper" / "fingers").mkdir(parents=True)
    (tmp_path / "gripper" / "palm.stl").write_bytes(b"palm")
    (tmp_path / "gripper" / "fingers" / "left.stl").write_bytes(b"left")
    page.goto(f"{base}/components/{shelf.name}")
    _choose_folder(page, "Folder", tmp_path / "gripper")
    page.get_by_role("link", name="gripper").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("gripper")
    expect(page.get_by_text("2 files")).to_be_visible()
    (tmp_path / "gripper" / "palm.stl").write_bytes(b"wider")
    _choose_folder(page, "Upload a new version: drop the folder here, or choose it", tmp_path / "gripper")
    expect(page.locator("dl.facts dd").first).to_have_text("2")
    found = library.info("gripper")
    assert (found.number, [entry.name for entry in found.files]) == (2, ["fingers/left.stl", "palm.stl"])
    assert library.read("gripper", "palm.stl") == b"wider"
    expect(page.locator(".waiting")).to_have_count(0)
    _check(page, "a component of several files")


def test_a_folder_and_a_file_are_dropped(page: Page, base: str, shelf: Place, library: Library, tmp_path: Path):
    (tmp_path / "hand" / "fingers").mkdir(parents=True)
    (tmp_path / "hand" / "palm.stl").write_bytes(b"palm")
    (tmp_path / "hand" / "fingers" / "left.stl").write_bytes(b"left")
    (tmp_path / "nail.stl").write_bytes(b"nail")
    page.goto(f"{base}/components/{shelf.name}")
    place = page.locator(".drop").bounding_box()
    assert place is not None
    data = {"items": [], "files": [str(tmp_path / "hand"), str(tmp_path / "nail.stl")], "dragOperationsMask": 1}
    where = {"x": place["x"] + 5, "y": place["y"] + 5, "data": data}
    mouse = page.context.new_cdp_session(page)  # a script cannot make a drop that has a folder
    for step in ("dragEnter", "dragOver", "drop"):
        mouse.send("Input.dispatchDragEvent", {"type": step, **where})
    expect(page.get_by_role("link", name="hand")).to_be_visible()
    expect(page.get_by_role("link", name="nail.stl")).to_be_visible()
    assert {entry.name for entry in library.info("hand").files} == {"palm.stl", "fingers/left.stl"}
    assert library.read("hand", "fingers/left.stl") == b"left"
    assert library.read("nail.stl") == b"nail"


def test_the_drawing_of_what_needs_what_is_gone_through_by_keyboard(page: Page, base: str, shelf: Place):
    page.goto(f"{base}/components/{shelf.name}/component?id=parts/arm.stl")
    drawing = page.get_by_role("region", name="Drawing of what needs what")
    expect(drawing.get_by_role("link")).to_have_count(2)
    expect(drawing.locator("text").filter(has_text="parts/screw.stl")).to_be_visible()
    _check(page, "a drawing")
    drawing.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("robot")


def test_a_configuration_is_imported_from_a_file_of_the_computer(page: Page, base: str, desk: Desk, tmp_path: Path):
    file = tmp_path / "cloud_storage_mock_config.json"
    file.write_text(json.dumps({"provider": "mock", "bucket_name": "mocked", "latency_ms": 1}))
    page.goto(f"{base}/connections")
    _check(page, "connections")
    page.get_by_role("link", name="Import a configuration").click()
    _check(page, "import")
    page.get_by_label("or a file of this computer").set_input_files(file)
    expect(page.get_by_label("or its text")).to_have_value(file.read_text())
    page.get_by_role("button", name="Show what the text says").click()
    expect(page.get_by_role("row").filter(has_text="latency_ms")).to_contain_text("1")
    _check(page, "line by line")
    page.get_by_role("button", name="Take it").click()
    expect(page.get_by_text("cloud_storage_mock_config.json").first).to_be_visible()
    assert (desk.folder / "cloud_storage_mock_config.json").is_file()
    page.goto(f"{base}/connections")
    expect(page.get_by_text("nobody in particular").first).to_be_visible()


def test_a_drawing_opened_alone_runs_no_script(page: Page, base: str, folder: Path, place: Place):
    script = "<script>document.documentElement.setAttribute('data-owned', '1')</script>"
    (folder / "evil.svg").write_text(f"<svg xmlns='http://www.w3.org/2000/svg'>{script}</svg>")
    alone = page.context.new_page()
    said: list[str] = []
    alone.on("console", lambda message: said.append(message.text))
    answer = alone.goto(f"{base}/storage/{place.name}/picture?key=evil.svg")
    assert answer is not None
    assert answer.headers["content-type"] == "image/svg+xml"
    expect(alone.locator("svg")).to_have_count(1)
    expect(alone.locator("[data-owned]")).to_have_count(0)
    assert any("Blocked script execution" in words for words in said)
    alone.close()
    page.goto(f"{base}/storage/{place.name}/object?key=evil.svg")
    expect(page.get_by_role("img", name="evil.svg")).to_be_attached()


def test_headers_that_are_too_large_or_odd_end_their_connection_alone(base: str):
    where = base.removeprefix("http://")
    odd = [
        f"GET / HTTP/1.1\r\nHost: {where}\r\nCookie: {'x' * 2_000_000}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {where}\r\nHost: evil.example\r\n\r\n",
        f"GET /{'x' * 2_000_000} HTTP/1.1\r\nHost: {where}\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        f"POST /enter HTTP/1.1\r\nHost: {where}\r\nContent-Length: -1\r\n\r\n",
        f"POST /enter HTTP/1.1\r\nHost: {where}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        f"GET http://evil.example/runs HTTP/1.1\r\nHost: {where}\r\n\r\n",
        f"GET /runs HTTP/1.1\r\nHost: {where}\r\nX-Forwarded-Host: evil.example\r\nCookie: \xff\xfe=\x01\r\n\r\n",
        "\x16\x03\x01 no HTTP at all\r\n\r\n",
    ]
    host, _, port = where.partition(":")
    for request in odd:
        # A connection may be cut off before all of it was sent.
        with socket.create_connection((host, int(port)), timeout=20) as link, contextlib.suppress(ConnectionError):
            link.sendall(request.encode("latin-1"))
            status = link.recv(64).split(b" ")[1:2]
            assert status in ([], [b"400"], [b"401"], [b"403"], [b"421"], [b"431"]), (request[:80], status)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(f"GET /enter HTTP/1.1\r\nHost: {where}\r\n\r\n".encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 200")
