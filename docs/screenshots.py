"""Take the pictures of the dashboard that the documentation shows: the demo is run, and opened in Chromium.

Run: make screenshots
"""

import argparse
import io
import os
import shutil
import struct
import sys
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from skyhold.components.library import Library
from skyhold.dashboard.desk import Desk
from skyhold.dashboard.place import make_place
from skyhold.dashboard.serving import Address, serve
from skyhold.demo.story import tell_story
from skyhold.runs.journal import default_journal
from skyhold.storage.buckets import make_bucket
from skyhold.storage.opening import open_store
from skyhold.storage.transfer import Transfer, transfer_all
from skyhold.testing.servers import LocalServer, start_moto

WIDE = (1200, 750)
PHONE = (390, 750)
_IMAGES = Path(__file__).parent / "images"
_BUCKET = "s3://demo"
_COLOURS = 192


@dataclass(frozen=True)
class Shot:
    """One picture: which page, how it is looked at, and what is done before it is taken."""

    name: str
    path: str
    scheme: Literal["light", "dark"] = "light"
    size: tuple[int, int] = WIDE
    prepare: Callable[[Page], None] = lambda _: None


def _wait_for_parts(page: Page) -> None:
    expect(page.locator(".waiting")).to_have_count(0)
    page.wait_for_load_state("networkidle")


def _wait_for_mesh(page: Page) -> None:
    expect(page.locator("figure[data-state=drawn]").first).to_be_visible()


def _make_index(page: Page) -> None:
    page.get_by_role("button", name="Make the index").click()
    found = page.get_by_role("link", name="Search in it")
    expect(found.or_(page.get_by_text("As of")).first).to_be_visible()
    if found.count():
        found.click()
    page.get_by_label("Names with").fill("glass=better *.parquet")
    page.keyboard.press("Enter")
    expect(page.get_by_text("What was written")).to_be_visible()


def list_shots(store: str, library: str, campaign: str) -> list[Shot]:
    """Return the pictures, of a place, a library and a campaign by their names."""
    here, shelf, study = f"/storage/{store}", f"/components/{library}", f"/campaigns/{campaign}"
    return [
        Shot("compare", f"{shelf}/compare?id=warehouse.stl", prepare=_wait_for_mesh),
        Shot("component", f"{shelf}/component?id=chicago.epw", size=(1200, 1080), prepare=_wait_for_parts),
        Shot("components-dark", shelf, "dark", (1200, 560), _wait_for_parts),
        Shot("parquet", f"{here}/object?key=results/glass%3Dbetter/part-00000.parquet", size=(1200, 900)),
        Shot("search", f"{here}/search", size=(1200, 460), prepare=_make_index),
        Shot("campaign", study, size=(1200, 560)),
        Shot("campaign-series-dark", f"{study}/series", "dark", (1200, 900)),
        Shot("campaign-parallel", f"{study}/parallel?colour=site_energy", size=(1200, 780)),
        Shot("campaign-phone", f"{study}/energy", size=PHONE),
        Shot("phone", f"{shelf}/component?id=warehouse.stl", size=PHONE, prepare=_wait_for_parts),
        Shot("phone-dark", here, "dark", PHONE),
    ]


def take_shots(link: str, shots: list[Shot], folder: Path) -> None:
    """Open the dashboard, and take the pictures."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context()
        page = context.new_page()
        page.goto(link)
        page.wait_for_url("**/runs")
        base = link.partition("/enter")[0]
        for shot in shots:
            page.set_viewport_size({"width": shot.size[0], "height": shot.size[1]})
            page.emulate_media(color_scheme=shot.scheme)
            page.goto(base + shot.path)
            shot.prepare(page)
            page.wait_for_timeout(300)
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            file = folder / f"dashboard-{shot.name}.png"
            picture.quantize(_COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
            sys.stdout.write(f"{file.name}: {file.stat().st_size:,} bytes\n")
        browser.close()


@contextmanager
def open_dashboard(server: LocalServer, folder: Path) -> Generator[tuple[str, list[Shot]]]:
    """Serve what the demo has left, from a server of S3; yield the link that opens it, and the pictures to take."""
    make_bucket(_BUCKET, **server.options)
    source, target = open_store(folder / "bucket"), open_store(_BUCKET, **server.options)
    transfer_all([Transfer(source, info.key, target, info.key, info) for info in source.list()])
    _add_a_version(Library(open_store(f"{_BUCKET}/library", **server.options), author="ann@desk"))
    uris = (_BUCKET, f"{_BUCKET}/library", f"{_BUCKET}/week")
    places = [make_place(uri, "", server.options) for uri in uris]
    desk = Desk(default_journal(), {place.name: place for place in places}, folder=folder)
    links = Queue[str]()
    thread = threading.Thread(target=partial(serve, desk, Address(), started=links.put))
    thread.start()
    try:
        yield links.get(timeout=60), list_shots(*(place.name for place in places))
    finally:
        desk.closing.set()
        thread.join()


def _add_a_version(library: Library) -> None:
    """Publish the shape once more, with a tower on it: what has changed is there to be seen."""
    head, count, triangles = _parts(library.read("warehouse.stl"))
    tower = _box((10, 10, 8.5), (18, 18, 14))
    library.publish(
        "warehouse.stl",
        head + (count + len(tower) // 50).to_bytes(4, "little") + triangles + tower,
        message="with a tower for the lift",
    )
    library.tag("warehouse.stl", "released", 1)


def _parts(stl: bytes) -> tuple[bytes, int, bytes]:
    return stl[:80], int.from_bytes(stl[80:84], "little"), stl[84:]


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> bytes:
    corners = [tuple((low, high)[number >> axis & 1][axis] for axis in range(3)) for number in range(8)]
    quads = ((0, 2, 3, 1), (4, 5, 7, 6), (0, 1, 5, 4), (2, 6, 7, 3), (0, 4, 6, 2), (1, 3, 7, 5))
    triangles = [each for a, b, c, d in quads for each in ((a, b, c), (a, c, d))]
    return b"".join(
        struct.pack("<12fH", 0, 0, 0, *(value for corner in each for value in corners[corner]), 0) for each in triangles
    )


def main() -> None:
    """Run the demo in a folder of its own, and take the pictures of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=_IMAGES, help="where the pictures go")
    parser.add_argument("--only", default="", help="those pictures whose name has this in it")
    parser.add_argument("--demo", type=Path, help="keep the demo's results here, and use those that are there")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.demo or Path(scratch) / "demo"
        os.environ["SKYHOLD_STATE"] = str(folder / "state")
        os.environ["SKYHOLD_CACHE"] = str(Path(scratch) / "cache")
        if not (folder / "bucket").exists():
            tell_story(folder, print, s3=True, quick=True)
        (Path(scratch) / "moto").mkdir()
        with start_moto(Path(scratch) / "moto") as server, open_dashboard(server, folder) as (link, shots):
            take_shots(link, [shot for shot in shots if asked.only in shot.name], asked.folder)


if __name__ == "__main__":
    main()
