"""Campaigns whose workers are killed, asked to end, or meet a store that fails: the end is the same."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyhold.errors import StorageError
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.simulation.claims import ClaimNote, Claims
from skyhold.simulation.layout import done_key, out_key
from skyhold.simulation.outcome import Outcome, read_outcomes, write_outcomes
from skyhold.simulation.worker import work
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.delegating import DelegatingStore
from tiny_model import InstantSimulator, tiny_plan, tiny_simulator

TINY = tiny_simulator()
INSTANT = InstantSimulator()
WORKER = (
    "import sys; sys.path.insert(0, sys.argv[2]);"
    "from skyhold.simulation.worker import work;"
    "{home}; simulator = {make}();"
    "print('ready', flush=True); work(sys.argv[1], simulator=simulator)"
)
TINY_WORKER = WORKER.format(home="from tiny_model import tiny_simulator", make="tiny_simulator")
CLAIMS = "state/blocks/0000-00000/claims/"
ENGINE_WORKER = WORKER.format(
    home="from skyhold.simulation.simulator_choice import find_simulator", make="find_simulator"
)
"""As `work` itself chooses: a process that keeps the engine loaded, and a fork of it for each run."""


def start_worker(folder: Path, code: str = TINY_WORKER) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", code, str(folder), str(Path(__file__).parent.parent)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert worker.stdout is not None
    assert worker.stdout.readline() == b"ready\n"
    return worker


@contextlib.contextmanager
def ending(workers: list[subprocess.Popen[bytes]]) -> Generator[None]:
    """Leave no worker behind, whatever the test found."""
    try:
        yield
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            worker.communicate()


def steady(campaign: Campaign) -> list[dict[str, Any]]:
    """Return the table without what differs from run to run."""
    other = ["attempt", "worker", "seconds", "kept_bytes", "read_bytes", "sent_bytes"]
    return campaign.table().drop_columns(other).to_pylist()


def unbroken(tmp_path: Path, plan: Any, simulator: Any) -> list[dict[str, Any]]:
    campaign = Campaign.create(open_store(tmp_path / "unbroken"), plan, simulator=simulator)
    campaign.run(simulator=simulator)
    return steady(campaign)


def assert_each_case_is_committed_once(store: Store, cases: int) -> None:
    """Also that what a commit tells is there: it is written last."""
    done = [info.key for info in store.list("done/")]
    assert len(done) == len({key.rpartition("/")[2] for key in done}) == cases
    kept = {info.key: info.size_bytes for info in store.list("out/")}
    for key in done:
        (outcome,) = read_outcomes(store.read(key))
        assert outcome.files
        for file in outcome.files:
            assert kept[out_key(outcome.case, outcome.attempt, file.path)] == file.size_bytes


def test_a_case_that_kills_its_workers_is_given_up_and_the_others_are_done(tmp_path: Path):
    folder = tmp_path / "campaign"
    plan = tiny_plan(range(3), sleep_s=0.0, deadly=[1])
    rules = Rules(lease_s=0.3, workers=1, max_attempts=2)
    campaign = Campaign.create(folder.as_posix(), plan, simulator=TINY, rules=rules)
    for _ in range(12):
        if campaign.status().is_complete:
            break
        worker = start_worker(folder)
        with ending([worker]):
            worker.communicate(timeout=30)
    status = campaign.status()
    assert (status.done, dict(status.failures)) == (2, {"crash": 1})
    assert_each_case_is_committed_once(campaign.store, 2)


def processes_in(scratch: Path) -> list[str]:
    """Return the processes whose temporary files lie in a folder: workers and all that they have started."""
    found: list[str] = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and f"TMPDIR={scratch}".encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text())
    return found


@dataclass(frozen=True)
class Killing:
    """A study, who runs it, and how often its workers are killed."""

    plan: Any
    simulator: Any
    worker: str
    rules: Rules
    kills: int
    longest_s: float


def kill_at_random(killing: Killing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    folder = tmp_path / "campaign"
    campaign = Campaign.create(folder.as_posix(), killing.plan, simulator=killing.simulator, rules=killing.rules)
    cases = campaign.status().total
    dice = random.Random(4)
    with monkeypatch.context() as patch:
        patch.setenv("TMPDIR", str(scratch))
        workers = [start_worker(folder, killing.worker) for _ in range(2)]
        with ending(workers):
            for _ in range(killing.kills):
                time.sleep(dice.uniform(0.0, killing.longest_s))
                victim = workers.pop(dice.randrange(len(workers)))
                victim.send_signal(signal.SIGKILL)
                victim.communicate()
                workers.append(start_worker(folder, killing.worker))
            for worker in workers:
                _, errors = worker.communicate(timeout=400)
                assert worker.returncode == 0, errors.decode()
    assert campaign.status().done == cases
    assert_each_case_is_committed_once(campaign.store, cases)
    claims = [ClaimNote.from_json(campaign.store.read(info.key)) for info in campaign.store.list(CLAIMS)]
    assert any(claim.taken > 1 for claim in claims)
    assert not processes_in(scratch)
    assert steady(campaign) == unbroken(tmp_path, killing.plan, killing.simulator)


def tiny_killing(cases: int, kills: int) -> Killing:
    plan = tiny_plan(range(cases), sleep_s=0.1)
    return Killing(plan, INSTANT, TINY_WORKER, Rules(lease_s=0.6, max_attempts=50), kills, 0.3)


def test_workers_killed_at_random_change_nothing_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kill_at_random(tiny_killing(8, 4), tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_kills_in_a_study_of_sixty_cases_change_nothing_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    kill_at_random(tiny_killing(60, 100), tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_kills_in_sixty_real_design_day_runs_change_nothing_and_leave_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from pyenergyplus.dataset import ref_models, weather_files  # noqa: PLC0415 - only this test needs it

    from skyhold.simulation.energyplus import EnergyPlus  # noqa: PLC0415
    from skyhold.simulation.study import Study  # noqa: PLC0415

    watts = {"Lights/*/watts_per_floor_area": [4.0 + number / 10 for number in range(60)]}
    chicago = weather_files["usa_il_chicago"]
    study = Study(ref_models["warehouse"], chicago, watts, design_day=True, outputs={"variables": [], "meters": []})
    rules = Rules(lease_s=3.0, max_attempts=50)
    kill_at_random(Killing(study.plan(), EnergyPlus(), ENGINE_WORKER, rules, 100, 1.5), tmp_path, monkeypatch)


def test_a_worker_that_is_asked_to_end_gives_back_what_it_has(tmp_path: Path):
    folder = tmp_path / "campaign"
    plan = tiny_plan(range(8), sleep_s=0.3)
    campaign = Campaign.create(folder.as_posix(), plan, simulator=TINY, rules=Rules(lease_s=600.0, workers=1))
    worker = start_worker(folder)
    with ending([worker]):
        while not list(campaign.store.list("done/")):
            time.sleep(0.02)
        worker.send_signal(signal.SIGTERM)
        worker.communicate(timeout=20)
        assert worker.returncode == 128 + signal.SIGTERM
    (claim,) = campaign.store.list(CLAIMS)
    assert ClaimNote.from_json(campaign.store.read(claim.key)).state == "free"
    done = {info.key for info in campaign.store.list("done/")}
    assert 0 < len(done) < 8
    assert campaign.run(simulator=TINY).done == 8  # at once: the lease of ten minutes is not waited for
    assert_each_case_is_committed_once(campaign.store, 8)
    assert done <= {info.key for info in campaign.store.list("done/")}


class _StoppedError(StorageError):
    """The store is gone, for good as far as this worker can tell."""


class _Dying(DelegatingStore):
    """Fails for good at one request, before or after the work is done, and at all that follow."""

    def __init__(self, inner: Store, at: int, *, after: bool) -> None:
        super().__init__(inner)
        self._left = at
        self._after = after

    def observed(self, observer: Any) -> "_Dying":
        return self

    def _count(self, work: Any) -> Any:
        self._left -= 1
        if self._left < 0 or (self._left == 0 and not self._after):
            raise _StoppedError("the store is gone")
        result = work()
        if self._left == 0:
            raise _StoppedError("the answer never came")
        return result

    def info(self, key: str) -> Any:
        return self._count(lambda: self._inner.info(key))

    def read_with_info(self, *args: Any, **options: Any) -> Any:
        return self._count(lambda: self._inner.read_with_info(*args, **options))

    def write(self, *args: Any, **options: Any) -> Any:
        return self._count(lambda: self._inner.write(*args, **options))

    def list_pages(self, *args: Any, **options: Any) -> Any:
        return self._count(lambda: iter(list(self._inner.list_pages(*args, **options))))

    def delete(self, keys: Any) -> None:
        self._count(lambda: self._inner.delete(keys))


@settings(max_examples=40)
@given(at=st.integers(1, 40), after=st.booleans())
def test_stopped_at_any_request_and_gone_on_with_the_end_is_the_same(at: int, after: bool):
    store = open_store(f"memory://dying-{os.urandom(6).hex()}")
    plan = tiny_plan(range(4), refuse=[2])
    campaign = Campaign.create(store, plan, simulator=INSTANT, rules=Rules(lease_s=0.05))
    with contextlib.suppress(_StoppedError):
        work(_Dying(store, at, after=after), simulator=INSTANT)
    status = campaign.run(simulator=INSTANT)
    assert (status.done, dict(status.failures)) == (3, {"engine": 1})
    assert_each_case_is_committed_once(store, 3)
    assert campaign.table(columns=["sum"]).column("sum").to_pylist() == [0, 276, None, 828]


@pytest.mark.parametrize("seed", range(2))
def test_on_a_store_that_fails_and_loses_answers_every_case_is_committed_once(tmp_path: Path, seed: int):
    faults = {"error_rate": 0.1, "lost_rate": 0.15, "throttle_rate": 0.05, "cut_rate": 0.05, "seed": seed}
    store = open_store(f"mock://{tmp_path}/campaign", retries=20, **faults)
    campaign = Campaign.create(store, tiny_plan(range(8)), simulator=INSTANT)
    status = campaign.run(workers=2, simulator=INSTANT)
    assert status.done == 8
    plain = open_store(tmp_path / "campaign")
    assert_each_case_is_committed_once(plain, 8)
    assert Campaign.open(plain).table(columns=["x"]).column("x").to_pylist() == list(range(8))


class _Overtaken(InstantSimulator):
    """While it runs its first case, another worker takes the chunk and commits that very case."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first = True

    def simulate(self, job: Any, folder: Path, watch: Any) -> Any:
        verdict = super().simulate(job, folder, watch)
        if self._first:
            self._first = False
            (claim,) = self._store.list(CLAIMS)
            chunk = Path(claim.key).stem
            thief = Claims(self._store, "thief", 0.05)
            assert thief.steal(chunk, thief.beat_and_look() + timedelta(seconds=1)) is not None
            x = json.loads(job.model.read_bytes())["x"]
            case = next(
                label.case for label in Campaign.open(self._store).labels.values() if label.parameters["x"] == x
            )
            theirs = Outcome(case, "theirs", None, "", "1", "thief")
            self._store.write(done_key(chunk, case), write_outcomes([theirs]), if_absent=True)
        return verdict


def test_who_was_overtaken_throws_its_attempt_away_and_the_first_commit_stays():
    store = open_store(f"memory://overtaken-{os.urandom(6).hex()}")
    rules = Rules(lease_s=0.2, workers=1, case_s=1.0)
    campaign = Campaign.create(store, tiny_plan(range(2)), simulator=INSTANT, rules=rules)
    report = work(store, simulator=_Overtaken(store))
    assert (report.done, report.lost) == (1, 1)
    attempts = {outcome.attempt for outcome in campaign.outcomes().values()}
    assert "theirs" in attempts
    assert {info.key.split("/")[2] for info in store.list("out/")} == attempts - {"theirs"}
