"""Runs of the real EnergyPlus: what they leave, how they are judged, and that nothing of them is left over."""

import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyenergyplus.dataset import ref_models, weather_files

from skyhold.errors import BadOptionError
from skyhold.simulation import engine_process
from skyhold.simulation.energyplus import EnergyPlus, RunOptions
from skyhold.simulation.engine import Engine, find_engine
from skyhold.simulation.simulator import Job, Verdict, Watch

_MODEL = Path(ref_models["warehouse"])
_WEATHER = Path(weather_files["usa_il_chicago"])
_PATIENCE_S = 60

_PROGRAM = """import sys
sys.path.append({place!r})
from pyenergyplus.api import EnergyPlusAPI
api = EnergyPlusAPI()
sys.exit(api.runtime.run_energyplus(api.state_manager.new_state(), sys.argv[1:]))
"""

_PARENT = """import os
import sys
import time
from pathlib import Path
from skyhold.simulation.energyplus import EnergyPlus
from skyhold.simulation.simulator import Job, Watch
model, weather, folder, way = sys.argv[1:]


def tell(share, at):
    # A fork of the parent holds all that the parent held, and lives on.
    pid = os.fork() if way == "forked" else 1
    if pid == 0:
        time.sleep(60)
        os._exit(0)
    print(pid, flush=True)
    time.sleep(60)


job = Job(Path(model), Path(weather), {"annual": True})
EnergyPlus(warm=way == "warm").simulate(job, Path(folder), Watch(on_progress=tell))
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="module")
def installed(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The same engine behind a program."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "run.py").write_text(_PROGRAM.format(place=engine.place))
    program = folder / "energyplus"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I {folder}/run.py "$@"\n')
    program.chmod(0o755)
    return find_engine(path=folder)


def _simulate(
    simulator: EnergyPlus,
    folder: Path,
    options: Mapping[str, Any] | None = None,
    *,
    model: Path = _MODEL,
    weather: Path | None = _WEATHER,
    watch: Watch | None = None,
) -> Verdict:
    folder.mkdir(exist_ok=True)
    job = Job(model, weather, {"design_day": True} if options is None else options)
    return simulator.simulate(job, folder, watch or Watch())


def _at_work_in(folder: Path) -> list[int]:
    """Return the processes whose working folder this is: those of its run."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink() == folder and _status(int(process.name))[0] != "Z":
                found.append(int(process.name))
        except OSError:
            continue
    return found


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _parent_of(pid: int) -> int:
    return int(_status(pid)[1])


def _wait(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _results(folder: Path) -> dict[str, bytes]:
    """Return what a run computed, without the dates of the run itself."""
    results = {name: (folder / name).read_bytes() for name in ("eplusout.eso", "eplusout.mtr", "eplusout.eio")}
    return {name: content.partition(b"\n")[2] for name, content in results.items()}


def test_a_run_of_design_days_is_a_success_and_leaves_files_of_pinned_names(engine: Engine, tmp_path: Path):
    told: list[tuple[float, str]] = []
    watch = Watch(on_progress=lambda share, at: told.append((share, at)))
    verdict = _simulate(EnergyPlus(engine), tmp_path, watch=watch)
    assert verdict.is_success
    assert verdict.exit_code == 0
    assert verdict.build == engine.build
    assert verdict.seconds > 0
    assert {message.severity for message in verdict.messages} == {"warning"}
    assert {"eplusout.sql", "eplusout.err", "eplusout.end", "eplustbl.htm"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert "EnergyPlus Run Time" in (tmp_path / "engine.log").read_text()
    assert told == [(0.0, "01/21"), (0.5, "07/21"), (1.0, "done")]


def test_runs_side_by_side_give_the_bits_of_a_run_alone(engine: Engine, tmp_path: Path):
    with EnergyPlus(engine, warm=True) as warm, ThreadPoolExecutor(4) as threads:
        alone = _simulate(EnergyPlus(engine), tmp_path / "alone")
        simulators = [warm, warm, EnergyPlus(engine), warm]
        verdicts = list(threads.map(lambda at: _simulate(simulators[at], tmp_path / str(at)), range(len(simulators))))
    assert alone.is_success
    assert all(verdict.is_success for verdict in verdicts)
    expected = _results(tmp_path / "alone")
    assert all(_results(tmp_path / str(at)) == expected for at in range(len(simulators)))


def test_a_run_tells_each_day_and_its_share_never_falls(engine: Engine, tmp_path: Path):
    document = json.loads(engine.convert(_MODEL, tmp_path).read_text())
    (period,) = document["RunPeriod"].values()
    period.update(begin_month=2, begin_day_of_month=1, end_month=3, end_day_of_month=31)
    (control,) = document["SimulationControl"].values()
    control.update(run_simulation_for_sizing_periods="No", run_simulation_for_weather_file_run_periods="Yes")
    model = tmp_path / "two-months.epJSON"
    model.write_text(json.dumps(document))
    told: list[tuple[float, str]] = []
    watch = Watch(on_progress=lambda share, at: told.append((share, at)))
    verdict = _simulate(EnergyPlus(engine), tmp_path / "run", {}, model=model, watch=watch)
    assert verdict.is_success
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    by_day = {at: share for share, at in told}
    assert by_day["03/01"] == pytest.approx(0.48, abs=0.05)
    assert by_day["done"] == 1.0
    assert set(by_day) >= {*(f"02/{day:02d}" for day in range(1, 29)), *(f"03/{day:02d}" for day in range(1, 31))}


def test_an_installed_engine_gives_the_same_bits_and_its_own_progress(
    engine: Engine, installed: Engine, tmp_path: Path
):
    assert installed.kind == "installed"
    assert installed.build == engine.build
    told: list[tuple[float, str]] = []
    watch = Watch(on_progress=lambda share, at: told.append((share, at)))
    assert _simulate(EnergyPlus(installed), tmp_path / "program", watch=watch).is_success
    assert _simulate(EnergyPlus(engine), tmp_path / "library").is_success
    assert _results(tmp_path / "program") == _results(tmp_path / "library")
    assert told == [(0.0, "01/21"), (0.5, "07/21"), (1.0, "done")]
    assert "Warming up" in (tmp_path / "program" / "engine.log").read_text()


@pytest.mark.parametrize("is_watched", [True, False])
def test_days_are_told_only_where_somebody_listens(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_watched: bool
):
    told: list[dict[str, Any]] = []
    events = engine_process._events

    def listen(channel: socket.socket) -> Iterator[dict[str, Any]]:
        for event in events(channel):
            told.append(event)
            yield event

    monkeypatch.setattr(engine_process, "_events", listen)
    watch = Watch(on_progress=(lambda *_: None) if is_watched else None)
    assert _simulate(EnergyPlus(engine), tmp_path, watch=watch).is_success
    assert any("share" in event for event in told) == is_watched
    assert told[-1] == {"exit": 0}


@pytest.mark.parametrize("kind", ["cold", "warm", "installed"])
def test_a_run_that_takes_too_long_is_ended_and_nothing_of_it_is_left(
    engine: Engine, installed: Engine, tmp_path: Path, kind: str
):
    folder = tmp_path / "run"
    with EnergyPlus(installed if kind == "installed" else engine, warm=kind == "warm") as simulator:
        verdict = _simulate(simulator, folder, {"annual": True}, watch=Watch(timeout_s=0.6))
        assert (verdict.failure, verdict.exit_code) == ("timeout", -signal.SIGKILL)
        assert _at_work_in(folder) == []


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_run_is_stopped_from_another_thread(engine: Engine, tmp_path: Path, is_warm: bool):
    folder = tmp_path / "run"
    stop = threading.Event()
    watch = Watch(stop=stop, on_progress=lambda share, at: stop.set())
    with EnergyPlus(engine, warm=is_warm) as simulator:
        verdict = _simulate(simulator, folder, {"annual": True}, watch=watch)
        assert (verdict.failure, verdict.exit_code) == ("cancelled", -signal.SIGKILL)
        assert _at_work_in(folder) == []


def test_who_listens_and_fails_gets_the_error_and_the_run_is_ended(engine: Engine, tmp_path: Path):
    def fail(share: float, at: str) -> None:
        raise ZeroDivisionError(at)

    with pytest.raises(ZeroDivisionError):
        _simulate(EnergyPlus(engine), tmp_path / "run", {"annual": True}, watch=Watch(on_progress=fail))
    assert _at_work_in(tmp_path / "run") == []


@pytest.mark.parametrize("kind", ["cold", "warm", "installed"])
def test_an_engine_that_crashes_is_a_crash_with_the_signals_name_and_the_next_run_is_well(
    engine: Engine, installed: Engine, tmp_path: Path, kind: str
):
    folder = tmp_path / "run"

    def kill(share: float, at: str) -> None:
        for pid in _at_work_in(folder):
            if b"engine_child" not in Path(f"/proc/{pid}/cmdline").read_bytes() or kind != "installed":
                os.kill(pid, signal.SIGSEGV)

    with EnergyPlus(installed if kind == "installed" else engine, warm=kind == "warm") as simulator:
        verdict = _simulate(simulator, folder, {"annual": True}, watch=Watch(on_progress=kill))
        assert verdict.failure == "crash"
        assert verdict.exit_code == -signal.SIGSEGV
        assert "SIGSEGV" in verdict.detail
        assert _simulate(simulator, tmp_path / "next").is_success


@pytest.mark.parametrize("is_warm", [False, True])
def test_a_kill_of_the_process_between_is_a_crash_and_takes_the_engine_with_it(
    engine: Engine, tmp_path: Path, is_warm: bool
):
    folder = tmp_path / "run"

    def kill(share: float, at: str) -> None:
        for pid in _at_work_in(folder):
            os.kill(pid, signal.SIGSTOP)  # so that it does not come to its own end
            os.kill(_parent_of(pid), signal.SIGKILL)

    with EnergyPlus(engine, warm=is_warm) as simulator:
        assert _simulate(simulator, folder, {"annual": True}, watch=Watch(on_progress=kill)).failure == "crash"
        _wait(lambda: not _at_work_in(folder), "the engine lives on")
        assert _simulate(simulator, tmp_path / "next").is_success


@pytest.mark.parametrize("way", ["cold", "warm", "forked"])
def test_a_kill_of_the_parent_leaves_no_engine(tmp_path: Path, way: str):
    folder = tmp_path / "run"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(_MODEL), str(_WEATHER), str(folder), way],
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdout
        forked = int(parent.stdout.readline())
        engines = _at_work_in(folder)
        between = [_parent_of(pid) for pid in engines]
        assert engines
        for pid in engines:
            os.kill(pid, signal.SIGSTOP)  # so that it does not come to its own end
        parent.kill()
        _wait(lambda: not _at_work_in(folder), "the engine lives on")
        _wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in between), "the process between lives on")
        if way == "forked":
            os.kill(forked, signal.SIGKILL)


def test_the_end_of_the_thread_that_began_a_warm_process_ends_no_run(engine: Engine, tmp_path: Path):
    with EnergyPlus(engine, warm=True) as simulator:
        first = threading.Thread(target=_simulate, args=(simulator, tmp_path / "first"))
        first.start()
        first.join()
        children: list[int] = []
        watch = Watch(on_progress=lambda share, at: children.extend(_at_work_in(tmp_path / "second")))
        assert _simulate(simulator, tmp_path / "second", watch=watch).is_success
        assert children


def test_a_closed_simulator_leaves_no_process_and_works_again(engine: Engine, tmp_path: Path):
    simulator = EnergyPlus(engine, warm=True)
    between: list[int] = []

    def note(share: float, at: str) -> None:
        between.extend(_parent_of(pid) for pid in _at_work_in(tmp_path / "first"))

    assert _simulate(simulator, tmp_path / "first", watch=Watch(on_progress=note)).is_success
    assert Path(f"/proc/{between[0]}").exists()
    simulator.close()
    assert not Path(f"/proc/{between[0]}").exists()
    assert _simulate(simulator, tmp_path / "second").is_success
    simulator.close()


def test_a_library_that_cannot_be_loaded_is_told_in_its_own_words(engine: Engine, tmp_path: Path):
    (tmp_path / "pyenergyplus").mkdir()
    (tmp_path / "pyenergyplus" / "api.py").write_text("raise OSError('libenergyplusapi.so: not for this machine')")
    verdict = _simulate(EnergyPlus(replace(engine, place=str(tmp_path))), tmp_path / "run")
    assert verdict.failure == "infrastructure"
    assert "not for this machine" in verdict.detail


def test_a_simulator_goes_to_another_process(engine: Engine, tmp_path: Path):
    with EnergyPlus(engine, warm=True) as simulator:
        again = pickle.loads(pickle.dumps(simulator))
    assert (again.build, again.warm, again.name) == (engine.build, True, "energyplus")


def test_a_missing_weather_file_is_a_failure_also_where_the_engine_would_pass_over_it(engine: Engine, tmp_path: Path):
    verdict = _simulate(EnergyPlus(engine), tmp_path, weather=tmp_path / "absent.epw")
    assert verdict.failure == "infrastructure"
    assert "absent.epw" in verdict.detail


def test_a_year_without_weather_fails_in_the_engines_words(engine: Engine, tmp_path: Path):
    verdict = _simulate(EnergyPlus(engine), tmp_path, {"annual": True}, weather=None)
    assert verdict.failure == "engine"
    assert "no weather file" in verdict.detail
    assert _simulate(EnergyPlus(engine), tmp_path / "days", weather=None).is_success


def test_what_is_no_weather_file_fails_in_the_engines_words(engine: Engine, tmp_path: Path):
    weather = tmp_path / "broken.epw"
    weather.write_bytes(_WEATHER.read_bytes()[:300])
    verdict = _simulate(EnergyPlus(engine), tmp_path / "run", {"annual": True}, weather=weather)
    assert verdict.failure == "engine"
    assert "EPW" in verdict.detail


def test_a_model_that_the_engine_refuses_is_a_failure_with_its_messages(engine: Engine, tmp_path: Path):
    model = tmp_path / "bad.idf"
    model.write_text(_MODEL.read_text() + "Zonee, Z;\n")
    verdict = _simulate(EnergyPlus(engine), tmp_path / "run", model=model)
    assert verdict.failure == "engine"
    assert verdict.exit_code == 1
    assert "not a valid Object Type" in verdict.detail
    assert {"severe", "fatal"} <= {message.severity for message in verdict.messages}


def test_a_model_is_known_by_its_content_where_its_name_says_nothing(engine: Engine, tmp_path: Path):
    for at, model in enumerate((_MODEL, engine.convert(_MODEL, tmp_path))):
        nameless = tmp_path / f"blob-{at}"
        nameless.write_bytes(model.read_bytes())
        assert _simulate(EnergyPlus(engine), tmp_path / str(at), model=nameless).is_success


def test_a_folder_that_holds_a_run_is_not_run_in_again(engine: Engine, tmp_path: Path):
    (tmp_path / "eplusout.end").write_text("EnergyPlus Completed Successfully-- 0 Warning; 0 Severe Errors;")
    verdict = _simulate(EnergyPlus(engine), tmp_path)
    assert verdict.failure == "infrastructure"
    assert "another run" in verdict.detail


def test_an_engine_that_ends_well_without_saying_so_is_no_success(tmp_path: Path, installed: Engine):
    silent = tmp_path / "energyplus"
    silent.write_text("#!/bin/sh\ntest \"$1\" = --version && echo 'EnergyPlus, Version 9.9.0-0123456789'\nexit 0\n")
    silent.chmod(0o755)
    verdict = _simulate(EnergyPlus(find_engine(path=silent)), tmp_path / "run")
    assert verdict.build == "9.9.0-0123456789"
    assert verdict.failure == "infrastructure"


def test_severe_errors_leave_a_completed_run_a_success_unless_it_is_to_be_strict(tmp_path: Path):
    severe = tmp_path / "energyplus"
    severe.write_text(
        "#!/bin/sh\n"
        "test \"$1\" = --version && echo 'EnergyPlus, Version 9.9.0-0123456789' && exit 0\n"
        "echo '   ** Severe  ** Node is lost.' > eplusout.err\n"
        "echo 'EnergyPlus Completed Successfully-- 0 Warning; 1 Severe Errors; Elapsed Time=1' > eplusout.end\n"
    )
    severe.chmod(0o755)
    simulator = EnergyPlus(find_engine(path=severe))
    lenient = _simulate(simulator, tmp_path / "lenient", {})
    assert lenient.is_success
    assert [message.severity for message in lenient.messages] == ["severe"]
    strict = _simulate(simulator, tmp_path / "strict", {"strict": True})
    assert strict.failure == "engine"
    assert "1 severe" in strict.detail
    unread = _simulate(simulator, tmp_path / "unread", {"readvars": True})
    assert unread.failure == "infrastructure"
    assert "CSV" in unread.detail


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"anual": True}, "no option 'anual'"),
        ({"annual": "yes"}, "'annual' of EnergyPlus is true or false, found 'yes'"),
        ({"annual": True, "design_day": True}, "either annual or of design days"),
    ],
)
def test_options_that_make_no_sense_are_named(options: dict[str, Any], complaint: str):
    with pytest.raises(BadOptionError, match=complaint):
        RunOptions.parse(options)


def test_csv_is_written_where_it_is_asked_for(engine: Engine, tmp_path: Path):
    assert _simulate(EnergyPlus(engine), tmp_path, {"design_day": True, "readvars": True}).is_success
    assert (tmp_path / "eplusout.csv").exists()
