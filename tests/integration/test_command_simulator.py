"""Any command line as a simulator: what it says, what it leaves, and that it leaves no process."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skyhold.errors import BadOptionError, ResultError
from skyhold.simulation.command import CommandSimulator
from skyhold.simulation.simulator import Job, Quantity, Watch

SLEEPY = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", {mark!r}])
open("ready", "w").close()
time.sleep(60)
"""


def simulator(code: str) -> CommandSimulator:
    return CommandSimulator("script", "1", (sys.executable, "-I", "-S", "-c", code, "{model}", "{options}"))


@pytest.fixture
def job(tmp_path: Path) -> Job:
    model = tmp_path / "model.json"
    model.write_text('{"x": 2}')
    return Job(model, options={"speed": 3})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


def processes_with(mark: str) -> list[int]:
    found: list[int] = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and mark.encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def wait_until(condition: object, *, patience_s: float = 20.0) -> None:
    assert callable(condition)
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_command_gets_model_and_options_and_its_results_have_units(job: Job, folder: Path, tmp_path: Path):
    code = (
        "import json, sys; x = json.load(open(sys.argv[1]))['x'] * json.loads(sys.argv[2])['speed'];"
        "json.dump({'way': [x, 'm'], 'note': 'ok', 'none': None}, open('values.json', 'w')); print('said')"
    )
    verdict = simulator(code).simulate(job, folder, Watch())
    assert verdict.is_success
    assert verdict.exit_code == 0
    target = tmp_path / "kept"
    kept = simulator(code).keep(folder, target, {"raw": ["*.log"]})
    assert kept.values == {"way": Quantity(6, "m"), "note": Quantity("ok"), "none": Quantity(None)}
    assert kept.files == ("output.log",)
    assert (target / "output.log").read_text() == "said\n"


def test_what_ends_with_another_code_is_refused_by_the_engine_in_its_own_words(job: Job, folder: Path):
    verdict = simulator("import sys; print('first', flush=True); sys.exit('the model is odd')").simulate(
        job, folder, Watch()
    )
    assert (verdict.failure, verdict.exit_code) == ("engine", 1)
    assert verdict.detail.endswith("the model is odd")
    assert "first" in verdict.messages[0].text


def test_what_dies_of_a_signal_has_crashed(job: Job, folder: Path):
    verdict = simulator("import os; os.abort()").simulate(job, folder, Watch())
    assert (verdict.failure, verdict.exit_code) == ("crash", -signal.SIGABRT)


def test_a_command_that_is_not_there_says_so(job: Job, folder: Path):
    absent = CommandSimulator("absent", "1", ("/no/such/program",))
    verdict = absent.simulate(job, folder, Watch())
    assert not verdict.is_success
    assert "/no/such/program" in verdict.messages[0].text or "No such file" in verdict.detail


@pytest.mark.parametrize("reason", ["timeout", "stop"])
def test_what_takes_too_long_or_is_stopped_is_ended_with_all_that_it_has_started(
    job: Job, folder: Path, tmp_path: Path, reason: str
):
    mark = f"mark-{reason}-{os.urandom(6).hex()}"
    code = SLEEPY.format(mark=mark)
    stop = threading.Event()
    watch = Watch(timeout_s=1.0) if reason == "timeout" else Watch(stop=stop)
    if reason == "stop":
        threading.Thread(target=lambda: (wait_until((folder / "ready").exists), stop.set())).start()
    verdict = simulator(code).simulate(job, folder, watch)
    assert verdict.failure == ("timeout" if reason == "timeout" else "cancelled")
    wait_until(lambda: not processes_with(mark))


def test_a_command_dies_with_the_process_that_waits_for_it(job: Job, folder: Path):
    mark = f"mark-{os.urandom(6).hex()}"
    command = (
        "import sys; from pathlib import Path; from skyhold.simulation.command import CommandSimulator;"
        "from skyhold.simulation.simulator import Job, Watch;"
        f"CommandSimulator('s', '1', (sys.executable, '-c', sys.argv[3], {mark!r}))"
        ".simulate(Job(Path(sys.argv[1])), Path(sys.argv[2]), Watch())"
    )
    code = "import time; open('ready', 'w').close(); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", command, str(job.model), str(folder), code])
    try:
        wait_until((folder / "ready").exists)
    finally:
        parent.kill()
        parent.wait()
    wait_until(lambda: not processes_with(mark))


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": [1, 2]}', '{"a": true}', '{"a": {"b": 1}}'])
def test_values_that_cannot_be_used_are_named(folder: Path, tmp_path: Path, content: str):
    (folder / "values.json").write_text(content)
    with pytest.raises(ResultError, match=r"values.json|'a'"):
        simulator("").keep(folder, tmp_path / "kept", {})


def test_a_selection_that_is_not_known_is_refused(folder: Path, tmp_path: Path):
    with pytest.raises(BadOptionError, match="'variables'"):
        simulator("").keep(folder, tmp_path / "kept", {"variables": []})


def test_braces_of_the_command_itself_stay(job: Job, folder: Path):
    script = CommandSimulator("script", "1", (sys.executable, "-c", "print({'a': 1}, '{folder}')"))
    assert script.simulate(job, folder, Watch()).is_success
    assert (folder / "output.log").read_text() == f"{{'a': 1}} {folder}\n"
