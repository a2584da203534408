"""Executors of other libraries: whatever says that it is one runs pipes and campaigns."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from skyhold import CSVInputAdapter, CSVOutputAdapter, Pipe
from skyhold.errors import RejectLimitError
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from slow_rows import Person
from tiny_model import tiny_plan, tiny_simulator


class Uncancellable(Future[Any]):
    """A future as Parsl has them."""

    def cancel(self) -> bool:
        raise NotImplementedError


class Particular(Executor):
    """Does what an executor must, and no more: nothing that it was given can be cancelled."""

    batch_size = 100

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(2)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future = Uncancellable()

        def settle(done: Future[Any]) -> None:
            if error := done.exception():
                future.set_exception(error)
            else:
                future.set_result(done.result())

        self._threads.submit(fn, *args, **kwargs).add_done_callback(settle)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait, cancel_futures=cancel_futures)


def check_executor(executor: Executor, folder: Path) -> None:
    """Run what takes an executor: pipes that the driver reads, pipes in shards, one that fails, and a campaign."""
    (folder / "in.csv").write_text("id,name\n" + "".join(f'{n},"{n % 10}"\n' for n in range(2000)))

    def run(name: str, **options: Any) -> bytes:
        Pipe(
            input_adapter=CSVInputAdapter(folder / "in.csv"),
            output_adapter=CSVOutputAdapter(folder / f"{name}.csv"),
            error_output_adapter=CSVOutputAdapter(folder / f"{name}.errors.csv"),
            schema_model=Person,
            **options,
        ).run()
        return (folder / f"{name}.csv").read_bytes() + (folder / f"{name}.errors.csv").read_bytes()

    whole = run("whole")
    assert run("read-here", executor=executor) == whole
    assert run("read-there", executor=executor, shards=3) == whole
    for shards in (None, 3):
        with pytest.raises(RejectLimitError):
            run("failing", executor=executor, shards=shards, max_errors=20)
    assert not list(folder.glob("failing*"))
    simulator = tiny_simulator()
    campaign = Campaign.create(
        str(folder / "campaign"), tiny_plan(range(4)), simulator=simulator, rules=Rules(workers=2)
    )
    assert campaign.run(executor, 2, simulator=simulator).done == 4


def test_an_executor_that_cannot_cancel_does_all_the_same(tmp_path: Path):
    with Particular() as executor:
        check_executor(executor, tmp_path)


PARSL = """
    from parsl.concurrent import ParslPoolExecutor
    from parsl.config import Config
    from parsl.executors import HighThroughputExecutor
    from parsl.providers import LocalProvider

    provider = LocalProvider(init_blocks=1, max_blocks=1)
    workers = HighThroughputExecutor(address="127.0.0.1", max_workers_per_node=2, provider=provider)
    with ParslPoolExecutor(Config(executors=[workers], run_dir="parsl")) as executor:
        check_executor(executor, Path.cwd())
"""
MPI = """
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor(2) as executor:
        check_executor(executor, Path.cwd())
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "body", "starter"), [("parsl", PARSL, []), ("mpi4py", MPI, ["mpiexec", "-n", "1"])]
)
def test_executors_of_clusters_do_too(tmp_path: Path, package: str, body: str, starter: list[str]):
    pytest.importorskip(package, reason="the group `slow` brings it: make test-slow")
    here = Path(sys.executable).parent
    programs = os.pathsep.join([str(here), os.environ["PATH"]])
    if starter:
        starter = [shutil.which(starter[0], path=programs) or "", *starter[1:]]
    script = tmp_path / "driver.py"
    head = "from pathlib import Path\nfrom test_other_executors import check_executor\nif __name__ == '__main__':"
    script.write_text(f"{head}{body}")
    tests = Path(__file__).parent
    paths = os.pathsep.join(map(str, [tests, tests.parent, tests.parents[1] / "src", *sys.path]))
    done = subprocess.run(
        [*starter, sys.executable, str(script)],
        cwd=tmp_path,
        env={**os.environ, "PATH": programs, "PYTHONPATH": paths, "SKYHOLD_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{package} {version(package)}\n{done.stdout}{done.stderr}"
