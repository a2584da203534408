"""A real Dask cluster of two processes: pipes and campaigns run on it, a worker may be killed, and no secret shows."""

import os
import signal
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import CancelledError, wait
from pathlib import Path
from typing import Any

import dask.config
import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from conftest import make_bucket
from skyhold import CSVInputAdapter, DaskExecutor, ParquetOutputAdapter, Pipe, RayExecutor, open_store
from skyhold.cli.application import run
from skyhold.errors import BadOptionError, ConfigError, ExecutorError, MissingExtraError
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.campaign_record import Rules
from skyhold.testing.servers import LocalServer
from slow_rows import Person, WhoWorks
from tiny_model import tiny_plan, tiny_simulator


@pytest.fixture
def executor(dask_cluster: LocalCluster) -> Generator[DaskExecutor]:
    with DaskExecutor(dask_cluster.scheduler_address) as executor:
        yield executor


def worker_pids(cluster: LocalCluster) -> list[int]:
    with Client(cluster, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        return list(client.run(os.getpid).values())


def kill_one(cluster: LocalCluster) -> None:
    os.kill(worker_pids(cluster)[0], signal.SIGKILL)


def fail(message: str) -> None:
    raise LookupError(message)


def say_nothing(secret: str) -> None:
    raise LookupError(f"{len(secret)} letters")


def test_it_is_an_executor_like_any_other(executor: DaskExecutor, dask_cluster: LocalCluster):
    pids = worker_pids(dask_cluster)
    assert executor.max_workers == 2
    assert executor.submit(os.getpid).result(30) in pids
    assert list(executor.map(pow, [1, 2, 3], [2, 2, 2])) == [1, 4, 9]
    with pytest.raises(LookupError, match="not here"):
        executor.submit(fail, "not here").result(30)


def test_what_is_cancelled_is_heard_of_at_once(executor: DaskExecutor):
    futures = [executor.submit(time.sleep, 0.3) for _ in range(8)]
    assert futures[-1].cancel()
    assert wait(futures[-1:], timeout=5).done == set(futures[-1:])
    with pytest.raises(CancelledError):
        futures[-1].result(1)
    assert executor.submit(pow, 2, 2).result(30) == 4


def test_the_keys_of_tasks_show_names_alone(executor: DaskExecutor, dask_cluster: LocalCluster):
    future = executor.submit(say_nothing, "a-secret")
    with pytest.raises(LookupError):
        future.result(30)
    with Client(dask_cluster, set_as_default=False) as client:
        told = repr(client.run_on_scheduler(lambda dask_scheduler: [str(key) for key in dask_scheduler.tasks]))
        logs = repr([client.get_worker_logs(), client.get_scheduler_logs(), client.get_events(), client.story()])
    assert "say_nothing-" in told + logs
    assert "a-secret" not in told + logs


def test_an_address_and_a_client_contradict_each_other(dask_cluster: LocalCluster):
    with Client(dask_cluster, set_as_default=False) as client, pytest.raises(BadOptionError, match="address already"):
        DaskExecutor("tcp://elsewhere:1", client=client)


def test_a_client_of_ones_own_stays_open(dask_cluster: LocalCluster):
    with Client(dask_cluster, set_as_default=False) as client:
        with DaskExecutor(client=client) as executor:
            assert executor.submit(pow, 2, 3).result(30) == 8
        assert client.submit(pow, 2, 5, pure=False).result() == 32


@pytest.mark.parametrize(("kind", "package"), [(DaskExecutor, "distributed"), (RayExecutor, "ray")])
def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, kind: Any, package: str):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=kind.__name__) as caught:
        kind()
    assert f"skyhold[{kind.__name__.removesuffix('Executor').lower()}]" in caught.value.remedy


def test_nobody_at_an_address_is_told_as_such():
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}), pytest.raises(ExecutorError, match="answers"):
        DaskExecutor("tcp://127.0.0.1:9")


@pytest.mark.slow
def test_work_that_kills_its_workers_is_given_up_by_name():
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0", memory_limit=None) as cluster,
        DaskExecutor(cluster.scheduler_address) as executor,
        pytest.raises(ExecutorError, match="died again and again"),
    ):
        executor.submit(os._exit, 3).result(60)


def test_a_pipe_whose_input_is_small_is_read_here_and_judged_there(executor: DaskExecutor, tmp_path: Path):
    (tmp_path / "in.csv").write_text("id,name\n" + "".join(f"{n},{n % 10}\n" for n in range(500)))
    report = Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in.csv"),
        output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
        schema_model=Person,
        executor=executor,
    ).run()
    assert (report.total_processed, report.error_count) == (500, 50)
    assert pq.read_table(tmp_path / "out.parquet")["id"].to_pylist() == [n for n in range(500) if n % 10 != 7]


def test_a_pipe_whose_input_is_large_is_read_there_by_itself(executor: DaskExecutor, tmp_path: Path):
    line = f"{{}},{'x' * 2000}\n"
    (tmp_path / "in.csv").write_text("id,name\n" + "".join(line.format(n) for n in range(9_000)))
    receipt = (
        Pipe(
            input_adapter=CSVInputAdapter(tmp_path / "in.csv"),
            output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
            schema_model=Person,
            after_validation=WhoWorks(),
            executor=executor,
        )
        .run()
        .receipt
    )
    found = pq.read_table(tmp_path / "out.parquet")
    assert found["id"].to_pylist() == list(range(9_000))
    assert os.getpid() not in set(found["process"].to_pylist())
    assert receipt is not None
    assert (receipt.inputs[0].rows, receipt.inputs[0].size_bytes) == (9_000, (tmp_path / "in.csv").stat().st_size)


def test_the_command_line_names_a_cluster(dask_cluster: LocalCluster, tmp_path: Path, capsys: Any):
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {n}, "name": "a{n}"}}\n' for n in range(300)))
    address = dask_cluster.scheduler_address.replace("tcp", "dask")
    words = ["convert", f"{tmp_path}/in.jsonl", f"{tmp_path}/out.csv", "--schema", "slow_rows:Person"]
    assert run([*words, "--executor", address, "--shards", "3", "--json"]) == 0
    assert (tmp_path / "out.csv").read_text() == "id,name\n" + "".join(f"{n},a{n}\n" for n in range(300))
    assert run([*words, "--executor", "dusk://here", "--json"]) == 8
    assert run([*words, "--executor", address, "--workers", "3", "--json"]) == 8
    assert "a cluster has the workers that it has" in capsys.readouterr().err


def test_a_campaign_goes_on_when_a_worker_is_killed(executor: DaskExecutor, dask_cluster: LocalCluster, tmp_path: Path):
    store = open_store(tmp_path / "campaign")
    rules = Rules(lease_s=1.0, workers=2)
    simulator = tiny_simulator()
    campaign = Campaign.create(store, tiny_plan(range(12), sleep_s=0.2), simulator=simulator, rules=rules)
    ended: list[Any] = []
    running = threading.Thread(target=lambda: ended.append(campaign.run(executor, 2, simulator=simulator)))
    running.start()
    while not any(store.list("out/")):
        time.sleep(0.05)
    kill_one(dask_cluster)
    running.join(120)
    (status,) = ended
    assert (status.done, status.failed, status.total) == (12, 0, 12)
    done = [info.key.rpartition("/")[2] for info in store.list("done/")]
    assert len(done) == len(set(done))


def test_a_campaign_that_only_this_process_sees_is_refused(executor: DaskExecutor):
    simulator = tiny_simulator()
    campaign = Campaign.create("memory://dask-campaign", tiny_plan(range(1), sleep_s=0.0), simulator=simulator)
    with pytest.raises(BadOptionError, match="do not see"):
        campaign.run(executor, simulator=simulator)


def test_a_campaign_that_was_opened_with_secrets_is_refused_by_name(executor: DaskExecutor, moto: LocalServer):
    simulator = tiny_simulator()
    place, options = f"s3://{make_bucket(moto)}/campaign", dict[str, Any](moto.options)
    campaign = Campaign.create(place, tiny_plan(range(1)), simulator=simulator, **options)
    with pytest.raises(ConfigError, match="never pickled") as caught:
        campaign.run(executor, simulator=simulator)
    assert "environment" in caught.value.remedy
