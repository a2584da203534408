"""A real Ray of this machine: an executor like any other, whose workers may be killed."""

import os
import signal
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from skyhold import CSVInputAdapter, ParquetOutputAdapter, Pipe, RayExecutor
from skyhold.errors import ExecutorError
from skyhold.simulation.campaign import Campaign
from slow_rows import Person
from tiny_model import tiny_plan, tiny_simulator

pytest.importorskip("ray", reason="the group `slow` brings it: make test-slow")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Generator[RayExecutor]:
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "src")])
    options: dict[str, Any] = {"runtime_env": {"env_vars": {"PYTHONPATH": paths}}}
    with RayExecutor(num_cpus=2, include_dashboard=False, **options) as executor:
        yield executor


def fail(message: str) -> None:
    raise LookupError(message)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(mark: str) -> str:
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return "alive"
    return str(die())


def test_it_is_an_executor_like_any_other(executor: RayExecutor):
    assert executor.max_workers == 2
    assert executor.submit(os.getpid).result(60) != os.getpid()
    assert list(executor.map(pow, [1, 2, 3], [2, 2, 2])) == [1, 4, 9]
    with pytest.raises(LookupError, match="not here"):
        executor.submit(fail, "not here").result(60)


def test_work_goes_to_another_worker_when_one_dies(executor: RayExecutor, tmp_path: Path):
    assert executor.submit(die_once, str(tmp_path / "mark")).result(120) == "alive"
    with pytest.raises(ExecutorError, match="gave work up"):
        executor.submit(die).result(120)


def test_a_pipe_in_shards_runs_on_it(executor: RayExecutor, tmp_path: Path):
    (tmp_path / "in").mkdir()
    for number in range(4):
        lines = "".join(f"{n},{n % 10}\n" for n in range(100))
        (tmp_path / "in" / f"{number}.csv").write_text(f"id,name\n{lines}")
    report = Pipe(
        input_adapter=CSVInputAdapter(f"{tmp_path}/in/*.csv"),
        output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
        schema_model=Person,
        executor=executor,
        shards=4,
    ).run()
    assert (report.total_processed, report.error_count) == (400, 40)
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 360


def test_a_campaign_runs_on_it(executor: RayExecutor, tmp_path: Path):
    simulator = tiny_simulator()
    campaign = Campaign.create(f"{tmp_path}/campaign", tiny_plan(range(4), sleep_s=0.1), simulator=simulator)
    assert campaign.run(executor, 2, simulator=simulator).done == 4
