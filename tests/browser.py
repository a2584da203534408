"""A real Chromium for tests of pages, and what makes pages usable by everybody."""

import os
import shutil
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from queue import Queue
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, sync_playwright

from skyhold.dashboard.desk import Desk
from skyhold.dashboard.serving import Address, serve

WIDE: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
DROP_FILE = """([name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name));
    document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
}"""
"""Script that drops a file with a name and a text where a page takes one."""
SAID_BY_3D = ("Failed to load resource", "GL Driver Message")
"""What the console may say where meshes are drawn."""


def launched() -> Generator[Browser]:
    """Yield a browser; skip what needs it where there is none, and fail there in CI."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        words = "there is no Chromium to open the dashboard with. Run: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(words)
        pytest.skip(words)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def faults_of(page: Page) -> list[str]:
    """Return what keeps somebody from using a page, by all rules of axe-core; empty when nothing does."""
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def faults_in_both_schemes(page: Page) -> list[str]:
    """Return the faults of a page as it is shown by day and by night."""
    page.emulate_media(color_scheme="light")
    found = faults_of(page)
    page.emulate_media(color_scheme="dark")
    return found + faults_of(page)


def scrolls_sideways_on_a_phone(page: Page) -> bool:
    """Return whether a page is wider than a phone; its tables may scroll by themselves."""
    page.set_viewport_size(PHONE)
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    page.set_viewport_size(WIDE)
    return bool(wide)


def opened(browser: Browser, link: str) -> BrowserContext:
    """Return a browser's window in which the dashboard is open."""
    context = browser.new_context(viewport=WIDE)
    page = context.new_page()
    page.goto(link)
    page.wait_for_url("**/runs")
    page.close()
    return context


@contextmanager
def watched(browser: Browser, link: str, expected: Sequence[str] = ("Failed to load resource",)) -> Generator[Page]:
    """Yield a page in which the dashboard is open, and see that nothing in it was refused or failed.

    Args:
        browser: Opens it.
        link: Opens the dashboard.
        expected: What the console may say; answers that are errors are expected by tests.
    """
    context = opened(browser, link)
    page = context.new_page()
    said: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if not any(words in message.text for words in expected):
            said.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    assert not said


def served(desk: Desk) -> Generator[str]:
    """Yield the link that opens a dashboard over a desk, while it runs."""
    links = Queue[str]()
    thread = threading.Thread(target=partial(serve, desk, Address(), started=links.put))
    thread.start()
    try:
        yield links.get(timeout=60)
    finally:
        desk.closing.set()
        thread.join()
