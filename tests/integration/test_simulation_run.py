"""One run, from asking to a result that is there whole or not at all, with a simulator that takes no time."""

import json
import pickle
import subprocess
import sys
import tempfile
import threading
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from conftest import make_bucket
from skyhold.errors import (
    AlreadyExistsError,
    ArchivedError,
    BadOptionError,
    ConflictError,
    CredentialsError,
    EngineError,
    EngineTimeoutError,
    IntegrityError,
    ResultError,
    SimulationError,
    StoppedError,
    StorageError,
    UnreachableError,
)
from skyhold.runs.journal import default_journal
from skyhold.runs.progress import Event
from skyhold.runs.receipt import Receipt
from skyhold.simulation import (
    LocalFileSystem,
    S3FileSystem,
    SimulationJob,
    SimulationResult,
    StoreFileSystem,
    simulate,
    simulate_batch,
)
from skyhold.simulation.cache import ResultCache
from skyhold.simulation.result_record import BEGUN, RECEIPT, RECORD
from skyhold.simulation.simulator import Verdict
from skyhold.storage.objects import Operation
from skyhold.storage.wrappers.metered import Meter
from skyhold.testing.servers import LocalServer
from skyhold.weather import Station
from tiny_simulator import END, ERR, TinySimulator
from weather_files import hourly_rows, make_epw


@pytest.fixture
def weather(tmp_path: Path) -> Path:
    file = tmp_path / "chicago.epw"
    file.write_text("LOCATION,Chicago")
    return file


@pytest.fixture
def fs(tmp_path: Path) -> StoreFileSystem:
    return StoreFileSystem(f"memory://{tmp_path.name}")


@pytest.fixture
def tiny() -> TinySimulator:
    return TinySimulator()


def _s3(server: LocalServer) -> S3FileSystem:
    return S3FileSystem(make_bucket(server), "studies", **server.options)


def test_a_run_is_told_as_it_was(fs: StoreFileSystem, tiny: TinySimulator, weather: Path):
    events: list[Event] = []
    result = simulate(
        {"area": 2},
        weather,
        output_dir="run-1",
        fs=fs,
        annual=True,
        label="base",
        engine=tiny,
        on_progress=events.append,
    )
    assert result.success
    assert result.state == "complete"
    assert result.judged_by == "record"
    assert (result.build, result.seconds, result.exit_code, result.label) == ("1.0-abc", 0.1, 0, "base")
    assert result.files == ("eplusout.csv", "eplusout.end", "eplusout.err", "eplusout.eso", "eplustbl.htm")
    assert result.read("eplusout.csv").decode() == "2,LOCATION,Chicago,{'annual': True}\n"
    assert result.html == "<p>tables</p>"
    assert result.values["area"].value == 2.0
    assert str(result.errors) == "1 warning\n[warning] Site is cold."
    assert ("07/21", 0.5) in {(event.step, event.share) for event in events}
    assert events[-1].state == "completed"
    assert fs.exists(f"{result.run_dir}/{RECORD}")
    assert result.raise_for_failure() is result


def test_what_was_written_is_read_back_the_same(moto: LocalServer, tiny: TinySimulator, weather: Path):
    fs = _s3(moto)
    made = simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny)
    read = SimulationResult.from_directory("run-1", fs=fs)
    assert read.record == made.record
    assert [read.read(name) for name in read.files] == [made.read(name) for name in made.files]
    by_uri = SimulationResult.from_directory("memory://absent")
    assert by_uri.state == "absent"
    read.verify()
    read.verify(deep=True)


def test_reading_asks_once_for_the_record_and_once_for_a_file(moto: LocalServer, tiny: TinySimulator):
    fs = _s3(moto)
    simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
    meter = Meter()
    fs.store = fs.store.observed(meter.record)
    result = SimulationResult.from_directory("run-1", fs=fs)
    assert result.success
    assert result.errors
    assert result.values
    assert meter.usage.requests == {"read": 1, "write": 0, "list": 0, "delete": 0}
    for _ in range(3):
        result.read("eplusout.csv")
        result.path_of("eplusout.eso")
    assert meter.usage.requests == {"read": 3, "write": 0, "list": 0, "delete": 0}


def test_a_run_has_a_receipt_beside_it_and_in_the_journal(fs: StoreFileSystem, tiny: TinySimulator, weather: Path):
    result = simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny)
    receipt = Receipt.from_json(fs.read_bytes(f"run-1/{RECEIPT}"))
    assert receipt == result.receipt
    assert {output.uri.rpartition("/")[2]: output.sha256 for output in receipt.outputs} == {
        file.name: file.sha256 for file in (result.record.files if result.record else ())
    }
    assert receipt.versions["tiny"] == "1.0-abc"
    assert [found.uri for found in receipt.inputs] == ["<dict>", str(weather)]
    (entry,) = default_journal().list_runs()
    assert (entry.kind, entry.state) == ("simulation", "completed")


@pytest.mark.parametrize(
    ("end", "kind"), [("engine", EngineError), ("crash", EngineError), ("timeout", EngineTimeoutError)]
)
def test_a_run_that_failed_keeps_what_was_said(fs: StoreFileSystem, tiny: TinySimulator, end: str, kind: type):
    result = simulate({"end": end}, output_dir="run-1", fs=fs, engine=tiny)
    for found in (result, SimulationResult.from_directory("run-1", fs=fs)):
        assert not found.success
        assert (found.state, found.failure) == ("failed", end)
        assert found.files == ("eplusout.err",)
        assert found.read("eplusout.err").decode() == ERR
        with pytest.raises(kind, match="Roof is missing"):
            found.raise_for_failure()
    assert default_journal().list_runs()[0].state == "failed"
    assert Receipt.from_json(fs.read_bytes(f"run-1/{RECEIPT}")).failure is not None


def test_the_same_run_again_is_found_and_not_made(fs: StoreFileSystem, tiny: TinySimulator, weather: Path):
    first = simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny)
    again = simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny)
    assert tiny.runs == 1
    assert again.reused
    assert again.record == first.record
    forced = simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny, overwrite=True)
    assert tiny.runs == 2
    assert forced.read("eplusout.eso") == b"run 2\n"


def test_a_folder_never_holds_files_of_two_runs(fs: StoreFileSystem, tiny: TinySimulator, weather: Path):
    simulate({"area": 2, "files": ["only-first.csv"]}, weather, output_dir="run-1", fs=fs, engine=tiny)
    with pytest.raises(AlreadyExistsError, match="other inputs"):
        simulate({"area": 3}, weather, output_dir="run-1", fs=fs, engine=tiny)
    assert SimulationResult.from_directory("run-1", fs=fs).values["area"].value == 2
    simulate({"area": 3}, weather, output_dir="run-1", fs=fs, engine=tiny, overwrite=True)
    result = SimulationResult.from_directory("run-1", fs=fs)
    assert result.values["area"].value == 3
    assert {path.removeprefix("run-1/") for path in fs.glob("run-1", "*")} == set(result.files)


def test_weather_of_the_same_name_and_other_content_is_another_run(
    fs: StoreFileSystem, tiny: TinySimulator, weather: Path
):
    simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny)
    weather.write_text("LOCATION,Oslo")
    with pytest.raises(AlreadyExistsError, match="other inputs"):
        simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny)
    result = simulate({"area": 2}, weather, output_dir="run-1", fs=fs, engine=tiny, overwrite=True)
    assert "Oslo" in result.read("eplusout.csv").decode()


def test_a_station_is_weather_and_the_record_tells_its_file(fs: StoreFileSystem, tiny: TinySimulator, weather: Path):
    station = Station("Chicago", "USA", "725300", 42.0, -87.9, 201, -6, weather.as_uri())
    result = simulate({"area": 2}, station, output_dir="run", fs=fs, engine=tiny)
    assert result.record is not None
    assert result.record.inputs["weather"]["uri"] == weather.as_uri()
    assert result.receipt is not None
    assert (result.receipt.asked["weather"], result.receipt.inputs[1].uri) == (weather.as_uri(), weather.as_uri())
    assert simulate({"area": 2}, weather, output_dir="run", fs=fs, engine=tiny).reused


def test_a_failed_run_is_made_again(fs: StoreFileSystem, tiny: TinySimulator):
    for number in (1, 2):
        assert not simulate({"end": "crash"}, output_dir="run-1", fs=fs, engine=tiny).success
        assert tiny.runs == number


def test_a_folder_of_somebody_else_is_left_alone(tiny: TinySimulator, tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir()
    for name in ("thesis.txt", "eplusout.err", "eplusout.old", "eplus model.idf"):
        (home / name).write_text("mine")
    with pytest.raises(AlreadyExistsError, match="4 files"):
        simulate({"area": 2}, output_dir=home, engine=tiny)
    result = simulate({"area": 2}, output_dir=home, engine=tiny, overwrite=True)
    assert result.success
    assert [(home / name).read_text() for name in ("thesis.txt", "eplus model.idf")] == ["mine", "mine"]
    assert (home / "eplusout.err").read_text() == ERR
    assert not (home / "eplusout.old").exists()


def test_nothing_is_success_that_is_not_there(fs: StoreFileSystem, tiny: TinySimulator):
    never = SimulationResult.from_directory("run-1", fs=fs)
    assert (never.state, never.success, never.files) == ("absent", False, ())
    with pytest.raises(ResultError, match="nothing is there"):
        never.raise_for_failure()
    with pytest.raises(ResultError, match=r"no file 'eplusout\.csv'"):
        never.read("eplusout.csv")
    simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
    fs.remove(f"run-1/{RECORD}")
    fs.remove("run-1/eplusout.csv")
    half = SimulationResult.from_directory("run-1", fs=fs)
    assert (half.state, half.success) == ("partial", False)
    assert "4 of its 5 files" in half.detail
    for name in half.files:
        fs.remove(f"run-1/{name}")
    begun = json.loads(fs.read_bytes(f"run-1/{BEGUN}"))
    fs.write_bytes(f"run-1/{BEGUN}", json.dumps(begun | {"files": None}).encode())
    killed = SimulationResult.from_directory("run-1", fs=fs)
    assert (killed.state, killed.success) == ("unfinished", False)
    assert "killed" in killed.detail
    assert simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny).success


@pytest.mark.parametrize("written", range(17))
def test_a_store_that_fails_anywhere_loses_neither_the_old_result_nor_the_new(
    tmp_path: Path, tiny: TinySimulator, written: int
):
    root = tmp_path / "store"
    simulate({"area": 2}, output_dir=root / "run-1", engine=tiny)
    script = ",".join(["ok"] * written + ["error"] * 200)
    failing = StoreFileSystem(f"mock://{root}", script=script, retries=0)
    with pytest.raises((SimulationError, StorageError)) as caught:
        simulate({"area": 3}, output_dir="run-1", fs=failing, engine=tiny, overwrite=True)
    error = caught.value
    if isinstance(error, StorageError):  # before the run
        assert tiny.runs == 1
        assert SimulationResult.from_directory(root / "run-1").values["area"].value == 2
        return
    kept = SimulationResult.from_directory(error.remedy.split("'")[1])
    assert kept.success
    assert kept.values["area"].value == 3
    there = SimulationResult.from_directory(root / "run-1")
    assert there.state in {"complete", "partial"}
    if there.success:
        there.verify(deep=True)
    kept.copy_to(root / "run-1", overwrite=True).verify(deep=True)
    assert SimulationResult.from_directory(root / "run-1").values["area"].value == 3


def test_only_the_files_of_a_run_go_into_an_archive(moto: LocalServer, tiny: TinySimulator):
    fs = S3FileSystem(make_bucket(moto), storage_class="GLACIER", **moto.options)
    made = simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
    assert made.success
    read = SimulationResult.from_directory("run-1", fs=fs)
    assert read.values["area"].value == 2
    with pytest.raises(ArchivedError):
        read.read("eplusout.csv")


class DictFileSystem:
    """A file system as a user may write one."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read_bytes(self, path: Any) -> bytes:
        return self.files[str(path)]

    def write_bytes(self, path: Any, data: bytes) -> None:
        self.files[str(path)] = data

    def read_text(self, path: Any, encoding: str = "utf-8") -> str:
        return self.files[str(path)].decode(encoding)

    def write_text(self, path: Any, text: str, encoding: str = "utf-8") -> None:
        self.files[str(path)] = text.encode(encoding)

    def exists(self, path: Any) -> bool:
        return str(path) in self.files

    def makedirs(self, path: Any, *, exist_ok: bool = False) -> None:
        del path, exist_ok

    def copy(self, src: Any, dst: Any) -> None:
        self.files[str(dst)] = self.files[str(src)]

    def glob(self, path: Any, pattern: str) -> list[str]:
        return [name for name in self.files if fnmatchcase(name, f"{path}/{pattern}")]

    def remove(self, path: Any) -> None:
        del self.files[str(path)]


def test_results_go_into_a_file_system_of_the_users_own(tiny: TinySimulator, tmp_path: Path):
    fs = DictFileSystem()
    assert SimulationResult.from_directory("runs/1", fs=fs).state == "absent"
    made = simulate({"area": 2, "files": ["old.csv"]}, output_dir="runs/1", fs=fs, engine=tiny)
    assert SimulationResult.from_directory("runs/1", fs=fs).record == made.record
    simulate({"area": 3}, output_dir="runs/1", fs=fs, engine=tiny, overwrite=True)
    read = SimulationResult.from_directory("runs/1", fs=fs)
    assert read.read("eplusout.csv").startswith(b"3,")
    assert "runs/1/old.csv" not in fs.files
    assert read.path_of("eplusout.csv").read_bytes().startswith(b"3,")
    read.verify(deep=True)
    del fs.files[f"runs/1/{RECORD}"]
    assert SimulationResult.from_directory("runs/1", fs=fs).state == "partial"


def test_a_store_that_is_down_is_found_before_the_run(tiny: TinySimulator):
    fs = S3FileSystem("b", endpoint_url="http://127.0.0.1:9", region_name="x", anonymous=True, retries=0)
    with pytest.raises(UnreachableError):
        simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
    assert tiny.runs == 0
    with pytest.raises(UnreachableError):
        SimulationResult.from_directory("run-1", fs=fs)


def test_a_run_that_loses_its_folder_to_another_one_commits_nothing(fs: StoreFileSystem, tiny: TinySimulator):
    class Thief(TinySimulator):
        def simulate(self, job: Any, folder: Any, watch: Any) -> Any:
            simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
            return super().simulate(job, folder, watch)

    with pytest.raises(SimulationError, match="has taken the folder") as caught:
        simulate({"area": 2}, output_dir="run-1", fs=fs, engine=Thief())
    assert isinstance(caught.value.__cause__, ConflictError)
    result = SimulationResult.from_directory("run-1", fs=fs)
    assert result.success
    result.verify(deep=True)


def test_a_run_that_loses_its_folder_while_it_writes_commits_nothing(fs: StoreFileSystem, tiny: TinySimulator):
    def take(operation: Operation) -> None:
        if operation.verb == "write" and operation.uri.endswith("eplusout.eso"):
            mine = json.loads(fs.read_bytes(f"run-1/{BEGUN}"))
            fs.write_bytes(f"run-1/{BEGUN}", json.dumps(mine | {"run_id": "another"}).encode())

    watched = StoreFileSystem.over(fs.store.observed(take))
    with pytest.raises(SimulationError, match=r"the run 'another' .* has taken the folder"):
        simulate({"area": 2}, output_dir="run-1", fs=watched, engine=tiny)
    assert SimulationResult.from_directory("run-1", fs=fs).state == "partial"


def test_a_stopped_run_leaves_nothing(fs: StoreFileSystem, tiny: TinySimulator):
    stop = threading.Event()
    threading.Thread(target=lambda: (tiny.reached.wait(20), stop.set())).start()
    with pytest.raises(StoppedError, match="stopped"):
        simulate({"end": "wait"}, output_dir="run-1", fs=fs, engine=tiny, stop=stop)
    assert fs.glob("", "**") == []
    assert default_journal().list_runs()[0].state == "stopped"


def test_model_and_weather_in_the_bucket_of_the_results_are_read_as_the_results_are_written(
    moto: LocalServer, tiny: TinySimulator
):
    fs = _s3(moto)
    fs.write_text("room.json", '{"area": 2}')
    fs.write_bytes("chicago.epw", make_epw(hourly_rows(2017)))
    place = fs.uri
    made = simulate(f"{place}/room.json", f"{place}/chicago.epw", output_dir="run-1", fs=fs, engine=tiny)
    job = SimulationJob(f"{place}/room.json", f"{place}/chicago.epw", output_dir="run-2")
    (again,) = simulate_batch([job], fs=fs, engine=tiny).raise_for_failure()
    assert made.read("eplusout.csv") == again.read("eplusout.csv") == b"2," + make_epw(hourly_rows(2017)) + b",{}\n"
    with pytest.raises((CredentialsError, StorageError)):
        simulate(f"s3://{make_bucket(moto)}/room.json", output_dir="run-3", fs=fs, engine=tiny)


@pytest.mark.parametrize("end", ["stopped", "failed"])
def test_a_run_without_a_folder_leaves_none_when_it_gives_nothing(
    end: str, tiny: TinySimulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stop = threading.Event()
    if end == "stopped":
        threading.Thread(target=lambda: (tiny.reached.wait(20), stop.set())).start()
        with pytest.raises(StoppedError):
            simulate({"end": "wait"}, engine=tiny, stop=stop)
    else:
        with pytest.raises(FileNotFoundError):
            simulate({}, tmp_path / "none.epw", engine=tiny)
        monkeypatch.setattr(tiny, "simulate", _break)
        with pytest.raises(RuntimeError, match="broken"):
            simulate({}, engine=tiny)
    assert list(tmp_path.iterdir()) == []


def _break(*_: Any) -> Verdict:
    raise RuntimeError("broken")


def test_a_stopped_run_leaves_the_folder_to_whom_has_taken_it(fs: StoreFileSystem, tiny: TinySimulator):
    class Overtaken(TinySimulator):
        def simulate(self, job: Any, folder: Any, watch: Any) -> Any:
            mine = json.loads(fs.read_bytes(f"run-1/{BEGUN}"))
            fs.write_bytes(f"run-1/{BEGUN}", json.dumps(mine | {"run_id": "another"}).encode())
            return Verdict("cancelled", None, (), 0.1, self.build)

    with pytest.raises(StoppedError):
        simulate({"area": 2}, output_dir="run-1", fs=fs, engine=Overtaken())
    assert json.loads(fs.read_bytes(f"run-1/{BEGUN}"))["run_id"] == "another"


def test_changed_and_vanished_files_are_not_read_as_the_result(fs: StoreFileSystem, tiny: TinySimulator):
    simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
    fs.write_text("run-1/eplusout.csv", "9,9,9")
    fs.remove("run-1/eplusout.eso")
    result = SimulationResult.from_directory("run-1", fs=fs)
    with pytest.raises(IntegrityError, match="SHA-256"):
        result.read("eplusout.csv")
    with pytest.raises(IntegrityError, match="5 bytes"):
        result.verify()
    with pytest.raises(ResultError, match=r"'eplusout\.eso' .* has gone"):
        result.read("eplusout.eso")
    fs.write_bytes(f"run-1/{RECORD}", b"{")
    with pytest.raises(ResultError, match="cannot be read"):
        SimulationResult.from_directory("run-1", fs=fs)
    assert simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny, overwrite=True).success


def test_without_a_folder_the_result_is_on_this_machine(tiny: TinySimulator, weather: Path):
    result = simulate({"area": 2}, weather, engine=tiny)
    assert isinstance(result.run_dir, Path)
    assert (result.run_dir / "eplusout.csv").is_file()
    assert result.path_of("eplusout.csv") == result.run_dir / "eplusout.csv"
    assert isinstance(result.fs, LocalFileSystem)


def test_a_result_travels_to_another_process(tmp_path: Path, tiny: TinySimulator):
    result = simulate({"area": 2}, output_dir=tmp_path / "run", engine=tiny)
    result.read("eplusout.csv")
    again = pickle.loads(pickle.dumps(result))
    assert again.record == result.record
    assert again.read("eplusout.csv") == result.read("eplusout.csv")


def test_some_or_all_files_are_fetched(fs: StoreFileSystem, tiny: TinySimulator, tmp_path: Path):
    result = simulate({"area": 2}, output_dir="run-1", fs=fs, engine=tiny)
    assert [path.name for path in result.download(tmp_path / "some", pattern="*.e??")] == [
        "eplusout.end",
        "eplusout.err",
        "eplusout.eso",
    ]
    with pytest.raises(ResultError, match=r"matches '\*\.sql'"):
        result.download(tmp_path / "none", pattern="*.sql")
    with pytest.raises(ResultError, match="no file") as caught:
        result.read("eplusout.esp")
    assert "eplusout.es" in caught.value.remedy


def test_what_contradicts_itself_is_refused_before_the_run(fs: StoreFileSystem, tiny: TinySimulator):
    with pytest.raises(BadOptionError, match="exclude each other"):
        simulate({"area": 2}, annual=True, design_day=True, engine=tiny)
    with pytest.raises(BadOptionError, match="no folder"):
        simulate({"area": 2}, fs=fs, engine=tiny)
    assert tiny.runs == 0
    with pytest.raises(BadOptionError, match=r"engine='25\.2'"):
        simulate({"area": 2}, engine="25.2")


def test_looking_at_a_result_loads_nothing_heavy(tiny: TinySimulator, tmp_path: Path):
    simulate({"area": 2}, output_dir=tmp_path / "run", engine=tiny)
    code = "import sys; from skyhold.simulation import SimulationResult as R; R.from_directory(sys.argv[1]).errors"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nprint(*sys.modules)", tmp_path / "run"],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"pyarrow", "scipy", "pyenergyplus", "numpy", "pydantic", "obstore", "idfkit"}


def test_a_known_result_is_taken_from_the_cache(
    fs: StoreFileSystem, tiny: TinySimulator, weather: Path, tmp_path: Path
):
    cache = ResultCache(tmp_path / "cache")
    for number in (1, 2):
        result = simulate({"area": 2}, weather, output_dir=f"run-{number}", fs=fs, engine=tiny, cache=cache)
        assert result.read("eplusout.eso") == b"run 1\n"
        SimulationResult.from_directory(f"run-{number}", fs=fs).verify(deep=True)
    assert tiny.runs == 1
    simulate({"area": 2}, weather, output_dir="run-3", fs=fs, engine=tiny, cache=cache, annual=True)
    simulate({"area": 2}, weather, output_dir="run-4", fs=fs, engine=tiny, cache=cache, outputs={"raw": "*.csv"})
    weather.write_text("LOCATION,Oslo")
    simulate({"area": 2}, weather, output_dir="run-5", fs=fs, engine=tiny, cache=cache)
    assert tiny.runs == 4


def test_a_cache_that_cannot_be_written_costs_no_run(fs: StoreFileSystem, tiny: TinySimulator, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    events: list[Event] = []
    cache = ResultCache(tmp_path / "file")
    assert simulate({"area": 2}, output_dir="run", fs=fs, engine=tiny, cache=cache, on_progress=events.append).success
    assert ["cannot be written" in event.message for event in events if event.phase == "warned"] == [True]


class TestFoldersOfTheEngineItself:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        for name, text in (("eplusout.end", END), ("eplusout.err", ERR), ("eplusoutSqlite.err", ""), ("x.sql", "")):
            (tmp_path / name).write_text(text)
        return tmp_path

    def test_complete(self, run: Path):
        result = SimulationResult.from_directory(run)
        assert (result.state, result.judged_by, result.success) == ("complete", "engine", True)
        assert "no commit record" in result.detail
        assert result.errors.summary() == "1 warning"

    def test_killed(self, run: Path):
        (run / "eplusout.end").unlink()
        (run / "eplusout.err").write_text("   ** Warning ** Site is cold.\n")
        result = SimulationResult.from_directory(run)
        assert (result.state, result.success, len(result.errors)) == ("unfinished", False, 1)

    def test_fatal(self, run: Path):
        (run / "eplusout.end").write_text("EnergyPlus Terminated--Fatal Error Detected. 0 Warning; 2 Severe Errors\n")
        (run / "eplusout.err").write_text("   **  Fatal  ** Roof is missing.\n")
        result = SimulationResult.from_directory(run)
        assert (result.state, result.failure) == ("failed", "engine")
        assert result.errors.has_fatal
        assert result.errors.counts["severe"] == 2
        with pytest.raises(EngineError, match="Roof is missing"):
            result.raise_for_failure()

    def test_half_of_it(self, run: Path):
        (run / "eplusout.end").unlink()
        assert SimulationResult.from_directory(run).state == "partial"

    def test_of_idfkit(self, run: Path):
        for name in ("end", "err"):
            (run / f"eplusout.{name}").rename(run / f"eplus.{name}")
        (run / "eplusSqlite.err").write_text("   **  Fatal  ** nothing to do with it\n")
        assert SimulationResult.from_directory(run).success

    def test_nothing_but_what_says_nothing(self, tmp_path: Path):
        (tmp_path / "eplusSqlite.err").write_text(ERR)
        assert SimulationResult.from_directory(tmp_path).state == "absent"

    def test_something_else(self, tmp_path: Path):
        (tmp_path / "thesis.txt").write_text("x")
        result = SimulationResult.from_directory(tmp_path)
        assert (result.state, result.judged_by) == ("absent", "nothing")
        assert "1 files" in result.detail
