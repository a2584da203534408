"""The bar, looked at through a real terminal."""

import os
import pty
import re
import subprocess
import sys
import textwrap
from dataclasses import replace

import pytest

from skyhold.runs.bar import _filled, _left
from skyhold.runs.event import Event

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


PIPE = textwrap.dedent(
    """
    import tempfile
    from pathlib import Path
    from skyhold import CSVInputAdapter, CSVOutputAdapter, Pipe
    from skyhold.runs.bar import ProgressBar
    with tempfile.TemporaryDirectory(prefix="a-rather-long-name-of-a-folder-") as name:
        folder = Path(name)
        (folder / "in.csv").write_text("a,b\\n" + "1,2\\n" * 123_456 + "3\\n")
        Pipe(
            input_adapter=CSVInputAdapter(folder / "in.csv"),
            output_adapter=CSVOutputAdapter(folder / "out.csv"),
            on_progress=ProgressBar(),
        ).run()
    """
)


def on_a_terminal(
    term: str, enabled: str = "None", state: str = "failed", script: str = SCRIPT, columns: int = 160
) -> str:
    ours, theirs = pty.openpty()
    try:
        subprocess.run(
            [sys.executable, "-c", script, enabled, state],
            stderr=theirs,
            stdout=subprocess.PIPE,
            env={**os.environ, "TERM": term, "COLUMNS": str(columns), "LINES": "40"},
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


@pytest.mark.parametrize("columns", [80, 120])
def test_a_narrow_terminal_cuts_the_name_of_a_pipe_and_never_its_numbers(columns: int):
    shown = on_a_terminal("xterm-256color", script=PIPE, columns=columns)
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n").strip().splitlines()[-1]
    assert len(last) <= columns
    assert re.search(r"✓ …\S*/in.csv → …\S*out.csv ━+ 123,457 rows, [\d,]+/s, 1 rejected [\d.]+ s", last), last


def test_a_run_of_unknown_length_whose_share_is_measured_tells_the_time_left():
    event = Event("1", "pipe", "x", "advanced", "running", 10, None, "rows", seconds=600.0, share=0.25)
    assert _filled(event) == (0.25, 1)
    assert _left(event) == "30:00 min left"
    unknown = replace(event, share=None, step="publishing")
    assert _filled(unknown) == (0, None)
    assert _left(unknown) == "publishing"
    ended = replace(unknown, phase="ended", state="completed")
    assert _filled(ended) == (1, 1)
    assert _left(ended) == "10:00 min"
