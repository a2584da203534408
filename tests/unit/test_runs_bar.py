"""The bar, looked at through a real terminal."""

import os
import pty
import subprocess
import sys
import textwrap

import pytest

SCRIPT = textwrap.dedent(
    """
    import sys
    from skyhold.runs.bar import ProgressBar
    from skyhold.runs.progress import Event
    def event(run, phase, state, done, **more):
        return Event(run, "pipe", f"[b]orders {run}", phase, state, done, 1000, "rows", rate=500.0, **more)
    bar = ProgressBar(enabled={"None": None, "True": True, "False": False}[sys.argv[1]])
    bar(event("1", "started", "running", 0))
    bar(event("2", "started", "running", 0))
    bar(event("1", "advanced", "running", 500, counts={"rows_rejected": 7}))
    bar(event("2", "warned", "running", 1, message="look [here]"))
    bar(event("1", "ended", "completed", 1000))
    bar(event("2", "advanced", "running", 900))
    bar(event("2", "ended", sys.argv[2], 901))
    bar.close()
    """
)


def on_a_terminal(term: str, enabled: str = "None", state: str = "failed") -> str:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", SCRIPT, enabled, state],
            stderr=theirs,
            stdout=subprocess.PIPE,
            env={**os.environ, "TERM": term, "COLUMNS": "160", "LINES": "40"},
            check=True,
            timeout=60,
        )
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not block:
                break
            shown += block
    finally:
        os.close(ours)
    return shown.decode()


def test_a_terminal_shows_each_run_to_its_end():
    shown = on_a_terminal("xterm-256color")
    assert "[b]orders 1" in shown
    assert "1,000 of 1,000 rows" in shown
    assert "901 of 1,000 rows" in shown  # the last state, although the other run ended before
    assert "look [here]" in shown
    assert "✓" in shown
    assert "✗" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is given back, once


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines():
    shown = on_a_terminal("dumb")
    assert "\x1b" not in shown
    assert "[b]orders 1: completed, 1,000 of 1,000 rows, 500/s" in shown
    assert "look [here]" in shown


def test_nothing_is_shown_when_nothing_should_be():
    assert on_a_terminal("xterm", enabled="False") == ""


@pytest.mark.parametrize("enabled", ["None", "False"])
def test_without_a_terminal_there_is_nothing(enabled: str):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, enabled, "failed"], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")
