"""Workers, drivers and schedulers that die: no row is lost or doubled, and the same run again goes on."""

import logging
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from distributed import Client, LocalCluster

from conftest import make_bucket
from skyhold import CSVInputAdapter, DaskExecutor, MultiProcessExecutor, ParquetOutputAdapter, Pipe, open_store
from skyhold.errors import ConfigError, ExecutorError
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.shard_work import ShardTask, run_shard
from skyhold.testing.servers import LocalServer
from slow_rows import Person, SlowPerson

FILES, ROWS = 8, 100


def write_people(folder: Path) -> list[int]:
    """Write the input; return the numbers that are accepted."""
    for number in range(FILES):
        lines = [f"{n},{n % 10}" for n in range(number * ROWS, number * ROWS + ROWS)]
        open_store(folder).write(f"in/{number}.csv", ("id,name\n" + "\n".join(lines) + "\n").encode())
    return [n for n in range(FILES * ROWS) if n % 10 != 7]


def pipe_of(base: Any, *, shards: int = FILES, **options: Any) -> Pipe:
    return Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in/*.csv"),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
        error_output_adapter=ParquetOutputAdapter(f"{base}/errors.parquet"),
        schema_model=options.pop("schema_model", SlowPerson),
        shards=shards,
        **options,
    )


def records(folder: Path) -> list[Path]:
    return sorted(folder.glob("out.parquet.pieces/*/shard-*.json"))


def wait_for_records(folder: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(records(folder)) < count:
        assert time.monotonic() < end, "no shard was finished"
        time.sleep(0.02)


def assert_whole(folder: Path, accepted: Sequence[int]) -> None:
    assert pq.read_table(folder / "out.parquet")["id"].to_pylist() == accepted
    errors = pq.read_table(folder / "errors.parquet")
    assert errors["row_number"].to_pylist() == [n % ROWS + 1 for n in range(FILES * ROWS) if n % 10 == 7]
    assert not list(open_store(folder).list("out.parquet.pieces/"))


@pytest.fixture
def executor(dask_cluster: LocalCluster) -> Generator[DaskExecutor]:
    with DaskExecutor(dask_cluster.scheduler_address) as executor:
        yield executor


def test_a_dask_worker_that_is_killed_costs_its_shards_alone(
    tmp_path: Path, executor: DaskExecutor, dask_cluster: LocalCluster
):
    accepted = write_people(tmp_path)
    with Client(dask_cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        pids = list(client.run(os.getpid).values())
    pipe = pipe_of(tmp_path, executor=executor)
    with pipe:
        wait_for_records(tmp_path, 2)
        os.kill(pids[0], signal.SIGKILL)
    assert pipe.report.total_processed == FILES * ROWS
    assert_whole(tmp_path, accepted)


class Counting(SingleThreadExecutor):
    """Counts the shards that it is given."""

    shards = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.shards += fn is run_shard
        return super().submit(fn, *args, **kwargs)


def test_a_pool_that_breaks_fails_by_name_and_the_next_run_goes_on(tmp_path: Path):
    accepted = write_people(tmp_path)
    with MultiProcessExecutor(1) as pool:
        pid = pool.submit(os.getpid).result()
        pipe = pipe_of(tmp_path, executor=pool)
        pipe.start()
        wait_for_records(tmp_path, 2)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(ExecutorError, match="gave work up"):
            pipe.wait()
    assert 2 <= len(records(tmp_path)) < FILES
    pipe_of(tmp_path, executor=SingleThreadExecutor()).run()
    assert_whole(tmp_path, accepted)


DRIVER = """
    import sys
    sys.path[:0] = sys.argv[2:]
    from test_records_shard_deaths import pipe_of
    from skyhold.execution.processes import MultiProcessExecutor
    if __name__ == "__main__":
        with MultiProcessExecutor(1) as executor:
            pipe_of(sys.argv[1], executor=executor).run()
"""


def test_a_driver_that_is_killed_is_run_again_and_goes_on(tmp_path: Path):
    accepted = write_people(tmp_path)
    script = tmp_path / "driver.py"
    script.write_text(textwrap.dedent(DRIVER))
    tests = Path(__file__).parent
    command = [sys.executable, str(script), str(tmp_path), str(tests), str(tests.parent)]
    with subprocess.Popen(command, start_new_session=True) as driver:
        try:
            wait_for_records(tmp_path, 3)
        finally:
            os.killpg(driver.pid, signal.SIGKILL)
    assert not (tmp_path / "out.parquet").exists()
    kept = len(records(tmp_path))
    executor = Counting()
    pipe_of(tmp_path, executor=executor).run()
    assert executor.shards == FILES - kept
    assert_whole(tmp_path, accepted)


class Breaking(SingleThreadExecutor):
    """Does two shards, and is broken then."""

    left = 2

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        if fn is run_shard:
            if not self.left:
                raise BrokenExecutor("all workers are gone")
            self.left -= 1
        return super().submit(fn, *args, **kwargs)


def stop_short(folder: Path, model: Any = Person) -> None:
    """Leave a run that was not brought to an end."""
    with pytest.raises(ExecutorError, match="all workers are gone"):
        pipe_of(folder, executor=Breaking(), schema_model=model).run()
    assert len(records(folder)) == 2


def test_the_next_run_does_what_is_missing_alone(tmp_path: Path):
    accepted = write_people(tmp_path)
    stop_short(tmp_path)
    executor = Counting()
    assert pipe_of(tmp_path, executor=executor, schema_model=Person).run().total_processed == FILES * ROWS
    assert executor.shards == FILES - 2
    assert_whole(tmp_path, accepted)


def test_an_input_that_has_changed_meanwhile_is_read_anew(tmp_path: Path):
    accepted = write_people(tmp_path)
    stop_short(tmp_path)
    changed = tmp_path / "in" / "1.csv"
    changed.write_text(changed.read_text().replace("100,0\n", "5000,z\n", 1))
    executor = Counting()
    assert pipe_of(tmp_path, executor=executor, schema_model=Person).run().total_processed == FILES * ROWS
    assert executor.shards == FILES
    assert_whole(tmp_path, [5000 if n == ROWS else n for n in accepted])


def test_another_model_begins_anew_too(tmp_path: Path):
    accepted = write_people(tmp_path)
    stop_short(tmp_path, SlowPerson)
    executor = Counting()
    pipe_of(tmp_path, executor=executor, schema_model=Person).run()
    assert executor.shards == FILES
    assert_whole(tmp_path, accepted)


def test_the_attempt_that_is_finished_first_counts(tmp_path: Path):
    write_people(tmp_path)
    store = open_store(tmp_path)
    task = ShardTask(
        0, CSVInputAdapter(tmp_path / "in" / "0.csv"), Person, (), (), None, store, "p/", "p/stop", keeps_rejects=True
    )
    first, second = run_shard(task), run_shard(task)
    assert first.rows_key == second.rows_key
    assert [info.key for info in store.list("p/")] == sorted(["p/shard-00000.json", first.rows_key, first.rejects_key])


@pytest.mark.slow
def test_a_scheduler_that_goes_away_fails_the_run_by_name_and_the_next_one_goes_on(tmp_path: Path):
    accepted = write_people(tmp_path)
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, dashboard_address=":0", memory_limit=None, silence_logs=logging.CRITICAL
        ) as cluster,
        DaskExecutor(cluster.scheduler_address) as executor,
    ):
        pipe = pipe_of(tmp_path, executor=executor)
        pipe.start()
        wait_for_records(tmp_path, 2)
        cluster.close()
        with pytest.raises(ExecutorError, match="gave work up"):
            pipe.wait()
    assert records(tmp_path)
    assert pipe_of(tmp_path, executor=SingleThreadExecutor()).run().total_processed == FILES * ROWS
    assert_whole(tmp_path, accepted)


SECRET = "the-very-secret-key"


def test_no_secret_is_seen_on_the_way_to_a_cluster(
    moto: LocalServer, dask_cluster: LocalCluster, executor: DaskExecutor, monkeypatch: pytest.MonkeyPatch
):
    base = f"s3://{make_bucket(moto)}"
    place = {name: moto.options[name] for name in ("endpoint", "region")}
    keys = {"AWS_ACCESS_KEY_ID": moto.options["access_key_id"], "AWS_SECRET_ACCESS_KEY": SECRET}
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    store = open_store(base, **place)
    for number in range(4):
        store.write(f"in/{number}.csv", b"id,name\n1,a\n2,7\n")

    def pipe(options: dict[str, Any], model: Any = Person) -> Pipe:
        return Pipe(
            input_adapter=CSVInputAdapter(f"{base}/in/*.csv", **options),
            output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **options),
            schema_model=model,
            executor=executor,
            shards=4,
        )

    with Client(dask_cluster, set_as_default=False) as client:
        client.wait_for_workers(2)
        client.run(lambda: os.environ.update(keys))
        try:
            report = pipe(place).run()
            told = [client.get_worker_logs(), client.get_scheduler_logs(), client.story(), client.get_task_stream()]
        finally:
            client.run(lambda: [os.environ.pop(name, None) for name in keys])
    assert (report.total_processed, report.error_count) == (8, 4)
    assert report.requests["write"] >= 8
    assert SECRET not in repr(told)
    with pytest.raises(ConfigError, match="secrets as options"):
        pipe({**place, "access_key_id": "a", "secret_access_key": SECRET}).run()


def test_what_travels_shows_nothing_of_itself(tmp_path: Path):
    adapter = CSVInputAdapter(tmp_path / "in.csv")
    task = ShardTask(3, adapter, Person, (), (), None, open_store(tmp_path), "p/", "p/s", keeps_rejects=False)
    assert repr(pickle.loads(pickle.dumps(task))) == "<shard 3>"


def test_a_cluster_hears_of_a_shutdown_and_leaves_nothing(tmp_path: Path, executor: DaskExecutor):
    write_people(tmp_path)
    pipe = pipe_of(tmp_path, executor=executor)
    pipe.start()
    wait_for_records(tmp_path, 1)
    pipe.shutdown()
    assert pipe.report.status == "stopped"
    assert {info.key.partition("/")[0] for info in open_store(tmp_path).list()} == {"in"}


def test_work_ends_when_the_run_was_stopped_from_another_process(tmp_path: Path):
    write_people(tmp_path)
    store = open_store(tmp_path)
    adapter = CSVInputAdapter([tmp_path / "in" / f"{n}.csv" for n in range(FILES)])
    task = ShardTask(0, adapter, SlowPerson, (), (), None, store, "p/", "p/stop", keeps_rejects=False)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            run_shard(task)
        except BaseException as error:  # noqa: BLE001 - it is looked at
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    store.write("p/stop", b"")
    thread.join(20)
    assert [type(error).__name__ for error in failed] == ["StoppedError"]
    assert [info.key for info in store.list("p/")] == ["p/stop"]
