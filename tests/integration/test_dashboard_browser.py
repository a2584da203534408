"""The dashboard in a real Chromium: live runs, both themes, the keyboard, a phone, and an end with streams open."""

import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from browser import faults_in_both_schemes, opened, scrolls_sideways_on_a_phone, served
from skyhold.dashboard.desk import Desk
from skyhold.runs.journal import default_journal

_RUN = """
    import sys
    from skyhold.runs.recording import record_run
    with record_run("campaign", "run s3://b/<b>study</b>", asked={"a": 1}, unit="cases", total=3, command=["a"]) as run:
        run.progress.step("simulating")
        print(run.run_id, flush=True)
        for line in sys.stdin:
            run.progress.advance(1, succeeded=1)
            run.progress.warn(line.strip())
"""


@pytest.fixture
def link(private_home: Path) -> Generator[str]:
    """What opens a dashboard, over the journal of this test."""
    yield from served(Desk(default_journal()))


@pytest.fixture
def run() -> Generator[subprocess.Popen[str]]:
    """A run that goes a step further with each line that it is given."""
    command = [sys.executable, "-c", textwrap.dedent(_RUN)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        yield process
        process.kill()


def _tell(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdin is not None
    process.stdin.write(words + "\n")
    process.stdin.flush()


def test_a_live_run_is_watched_to_its_end(browser: Browser, link: str, run: subprocess.Popen[str]):
    assert run.stdout is not None
    run_id = run.stdout.readline().strip()
    page = opened(browser, link).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(link.partition("/enter")[0])
    row = page.locator(f"#run-{run_id}")
    expect(row).to_contain_text("running")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("run s3://b/<b>study</b>")
    page.wait_for_timeout(1100)  # the journal is written once a second
    _tell(run, "the first is done")
    expect(page.get_by_text("the first is done")).to_be_visible()
    expect(page.get_by_text("1 of 3 cases")).to_be_visible()
    assert run.stdin is not None
    run.stdin.close()
    expect(page.get_by_text("completed")).to_be_visible()
    expect(page.get_by_role("button", name="Stop this run")).to_have_count(0)
    expect(page.get_by_role("link", name="Download receipt")).to_be_visible()
    assert not said, "nothing is refused by the policy, and nothing fails"


def test_everybody_can_use_every_page_of_runs(browser: Browser, link: str, run: subprocess.Popen[str]):
    assert run.stdout is not None
    run_id = run.stdout.readline().strip()
    page = opened(browser, link).new_page()
    for path in ("/runs", f"/runs/{run_id}", "/runs?state=failed", "/enter", "/runs/none-such", "/nowhere"):
        page.goto(link.partition("/enter")[0] + path)
        assert not faults_in_both_schemes(page), path
        assert not scrolls_sideways_on_a_phone(page), path


def test_the_keyboard_reaches_a_run(browser: Browser, link: str, run: subprocess.Popen[str]):
    assert run.stdout is not None
    run_id = run.stdout.readline().strip()
    page = opened(browser, link).new_page()
    page.goto(link.partition("/enter")[0])
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the page")).to_be_focused()
    page.keyboard.press("Enter")
    target = page.locator(f"#run-{run_id} a")
    for _ in range(20):
        page.keyboard.press("Tab")
        if target.evaluate("each => each === document.activeElement"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{run_id}")


def test_two_dashboards_at_once_do_not_lock_each_other(browser: Browser, link: str):
    with contextmanager(served)(Desk(default_journal())) as other:
        context = opened(browser, link)
        page = context.new_page()
        page.goto(other)
        page.wait_for_url(f"{other.partition('/enter')[0]}/runs")
        for each in (link, other, link):
            page.goto(f"{each.partition('/enter')[0]}/storage")
            expect(page.get_by_role("heading", level=1)).to_have_text("Storage")
        context.close()


def test_a_page_of_another_site_gets_nothing(browser: Browser, link: str):
    base = link.partition("/enter")[0]
    context = opened(browser, link)
    page = context.new_page()
    page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body="<h1>evil</h1>"))
    page.goto("http://evil.example/")
    read = f"fetch('{base}/runs', {{credentials: 'include'}}).then(a => a.text()).catch(() => 'refused')"
    assert page.evaluate(read) == "refused"
    page.evaluate(
        f"document.body.innerHTML = '<form method=post action={base}/leave><button>x</button></form>"
        f"<iframe src={base}/runs></iframe>'"
    )
    page.wait_for_timeout(300)
    frames = [frame for frame in page.frames if frame.url.startswith(base)]
    assert not any("Runs" in frame.content() for frame in frames)
    page.get_by_role("button").click()
    expect(page.get_by_text("came from another site")).to_be_visible()
    page.goto(f"{base}/runs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Runs")


def test_it_stops_with_streams_open(browser: Browser):
    command = [sys.executable, "-m", "skyhold.cli", "ui", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        context = opened(browser, found[0])
        pages = [context.new_page() for _ in range(3)]
        for page in pages:
            with page.expect_response(re.compile("/runs/live")):
                page.goto(found[0].partition("/enter")[0])
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert said.strip() == "the dashboard has stopped"
