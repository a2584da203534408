"""Hooks, executors and limits: every row is accounted for, and the same comes out whoever does the work."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, field_validator, model_validator

from skyhold import (
    BatchHook,
    CSVInputAdapter,
    JSONInputAdapter,
    JSONOutputAdapter,
    MultiProcessExecutor,
    MultiThreadExecutor,
    ParquetOutputAdapter,
    Pipe,
    RowHook,
    SingleThreadExecutor,
    open_store,
)
from skyhold.errors import BadOptionError, ConfigError, RejectLimitError, SchemaError
from skyhold.records.report import Report
from slow_rows import Person

STORE = "memory://flow-tests"


def people(count: int, bad: int = 0) -> None:
    lines = [f"{n if n >= bad else -1},{n % 10}" for n in range(count)]
    open_store(STORE).write("people.csv", ("id,name\n" + "\n".join(lines) + "\n").encode())


def run(**options: Any) -> tuple[Report, pa.Table, pa.Table]:
    pipe = Pipe(
        input_adapter=options.pop("input_adapter", None) or CSVInputAdapter(f"{STORE}/people.csv"),
        output_adapter=ParquetOutputAdapter(f"{STORE}/out.parquet"),
        error_output_adapter=ParquetOutputAdapter(f"{STORE}/errors.parquet"),
        **options,
    )
    report = pipe.run()
    out, errors = (
        pq.read_table(pa.BufferReader(bytes(open_store(STORE).read(key)))) for key in ("out.parquet", "errors.parquet")
    )
    counts = report.receipt.counts if report.receipt else {}
    assert counts["rows_read"] + counts.get("rows_added", 0) == (
        counts["rows_written"] + counts["rows_rejected"] + counts.get("rows_dropped", 0)
    )
    assert (counts["rows_written"], counts["rows_rejected"]) == (out.num_rows, errors.num_rows)
    return report, out, errors


MAKERS: dict[str, Callable[[], Executor]] = {
    "one thread": lambda: SingleThreadExecutor(batch_size=900),
    "threads": lambda: MultiThreadExecutor(2, batch_size=700),
    "processes": lambda: MultiProcessExecutor(2, batch_size=800),
    "any threads": lambda: ThreadPoolExecutor(3),
    "any processes": lambda: ProcessPoolExecutor(1),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_every_executor_gives_the_same_rows_in_the_same_order(maker: Callable[[], Executor]) -> None:
    people(5000, bad=3)
    with maker() as executor:
        report, out, errors = run(schema_model=Person, executor=executor)
    assert out.column("id").to_pylist() == [n for n in range(3, 5000) if n % 10 != 7]
    assert errors.column("row_number").to_pylist() == [1, 2, 3, *range(8, 5000, 10)]
    assert report.total_processed == 5000


def test_a_model_that_other_processes_cannot_see_is_refused_by_name() -> None:
    class Local(BaseModel):
        id: int

    people(10)
    with MultiProcessExecutor(1) as executor, pytest.raises(ConfigError, match="Local"):
        run(schema_model=Local, executor=executor)


class Counting(RowHook):
    """Drops repeated names, doubles the name 1, fails at 2."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.seen: set[str] = set()

    def setup(self) -> None:
        self.calls.append("setup")

    def process(self, row: dict[str, Any]) -> Any:
        if row["name"] == "2":
            raise RuntimeError("two")
        if row["name"] in self.seen:
            return None
        self.seen.add(row["name"])
        return [row, {**row, "id": "-5"}] if row["name"] == "1" else row

    def teardown(self) -> None:
        self.calls.append("teardown")


@pytest.mark.parametrize("executor", [SingleThreadExecutor(batch_size=3), MultiThreadExecutor(2, batch_size=4)])
def test_a_row_hook_before_validation_drops_adds_and_rejects(executor: Executor) -> None:
    people(20)
    hook = Counting()
    report, out, errors = run(schema_model=Person, before_validation=hook, executor=executor)
    assert hook.calls == ["setup", "teardown"]
    assert out.column("id").to_pylist() == [0, 1, 3, 4, 5, 6, 8, 9]
    assert [(row["row_number"], row["error_type"]) for row in errors.to_pylist()] == [
        (2, "greater_than_equal"),
        (3, "hook_error"),
        (8, "value_error"),
        (13, "hook_error"),
    ]
    assert errors.column("id").to_pylist() == ["1", "2", "7", "12"]
    assert report.receipt is not None
    assert (report.receipt.counts["rows_dropped"], report.receipt.counts["rows_added"]) == (9, 1)


def test_a_function_is_a_row_hook_and_sees_typed_values_after_validation() -> None:
    people(10)
    _, out, errors = run(
        schema_model=Person,
        after_validation=[lambda row: {**row, "id": row["id"] * 2}, lambda row: row if row["id"] != 4 else {"id": "x"}],
    )
    assert out.column("id").to_pylist() == [0, 2, 6, 8, 10, 12, 16, 18]
    assert [(row["row_number"], row["field"], row["error_type"]) for row in errors.to_pylist()] == [
        (3, "$.id", "hook_output"),
        (8, "$.name", "value_error"),
    ]


class Upper(BatchHook):
    def process(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.append_column("loud", pc.binary_join_element_wise(batch.column("name"), "!", ""))


class Even(BatchHook):
    def process(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        return pc.equal(pc.bit_wise_and(batch.column("id"), 1), 0)


class Twice(BatchHook):
    def process(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array]:
        places = pa.array([place for n in range(batch.num_rows) for place in (n, n)], pa.int64())
        return batch.take(places), places


def test_batch_hooks_may_add_columns_filter_and_multiply() -> None:
    people(10)
    report, out, errors = run(schema_model=Person, before_validation=Twice(), after_validation=[Upper(), Even()])
    assert out.to_pylist() == [{"id": n, "name": str(n), "loud": f"{n}!"} for n in (0, 0, 2, 2, 4, 4, 6, 6, 8, 8)]
    assert errors.column("row_number").to_pylist() == [8, 8]
    assert report.receipt is not None
    assert (report.receipt.counts["rows_added"], report.receipt.counts["rows_dropped"]) == (10, 8)


def test_hooks_work_without_a_model_and_on_lines_of_json() -> None:
    people(4)
    _, out, _ = run(before_validation=lambda row: None if row["id"] == "2" else row)
    assert out.column("id").to_pylist() == ["0", "1", "3"]
    open_store(STORE).write("people.jsonl", b'{"id": 1, "name": "a"}\nbroken\n{"id": "x", "name": "b"}\n')
    _, out, errors = run(
        input_adapter=JSONInputAdapter(f"{STORE}/people.jsonl"),
        schema_model=Person,
        before_validation=lambda row: {**row, "name": row["name"] * 2},
    )
    assert out.to_pylist() == [{"id": 1, "name": "aa"}]
    assert errors.column("error_type").to_pylist() == ["json_invalid", "int_parsing"]
    assert errors.column("original").to_pylist() == ["broken", '{"id": "x", "name": "b"}']


class Wrong(BatchHook):
    def process(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return batch.slice(1)


def test_what_no_hook_may_do_is_refused() -> None:
    people(10)
    with pytest.raises(SchemaError, match="Wrong"):
        run(schema_model=Person, after_validation=Wrong())
    with pytest.raises(BadOptionError, match="no hook"):
        run(schema_model=Person, after_validation=[3])
    with pytest.raises(BadOptionError, match="batch hooks come before"):
        run(schema_model=Person, before_validation=[lambda row: row, Upper()])


def test_hooks_are_torn_down_after_a_failure_too() -> None:
    people(10, bad=10)
    hook = Counting()
    with pytest.raises(RejectLimitError):
        run(schema_model=Person, before_validation=hook, max_errors=1)
    assert hook.calls == ["setup", "teardown"]


@pytest.mark.parametrize(
    ("limit", "passes"), [(0, False), (19, False), (20, True), (0.0, False), (0.19, False), (0.2, True), (1.0, True)]
)
def test_the_limit_is_a_count_or_a_share(limit: float, *, passes: bool) -> None:
    people(100, bad=11)  # 11 by their number, and ten minus one by their name
    store = open_store(STORE)
    store.write("out.parquet", b"before")
    if passes:
        run(schema_model=Person, max_errors=limit)
        return
    with pytest.raises(RejectLimitError, match="max_errors"):
        run(schema_model=Person, max_errors=limit)
    assert bytes(store.read("out.parquet")) == b"before"


@pytest.mark.parametrize("limit", [-1, 1.5, -0.1, "1%", True])
def test_a_limit_that_is_neither_is_refused(limit: Any) -> None:
    with pytest.raises(BadOptionError, match="max_errors"):
        run(schema_model=Person, max_errors=limit)


SCRIPT = """
    import sys, threading
    from skyhold import CSVInputAdapter, MultiThreadExecutor, ParquetOutputAdapter, Pipe, RowHook

    class Slow(RowHook):
        def process(self, row):
            if row["id"] == "3":
                print("ready", flush=True)
            threading.Event().wait(0.001)
            return row

    folder = sys.argv[1]
    pipe = Pipe(
        input_adapter=CSVInputAdapter(folder + "/in.csv"),
        output_adapter=ParquetOutputAdapter(folder + "/out.parquet"),
        before_validation=Slow(),
        executor=MultiThreadExecutor(2, batch_size=100),
    )
    pipe.run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_signal_stops_the_pipe_and_leaves_nothing_half_written(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "in.csv").write_text("id\n" + "\n".join(map(str, range(100_000))) + "\n")
    (tmp_path / "out.parquet").write_bytes(b"before")
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert process.returncode != 0
    assert (tmp_path / "out.parquet").read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.parquet"}, errors


class SlowRow(BaseModel):
    id: int
    name: str

    @field_validator("name")
    @classmethod
    def slow(cls, name: str) -> str:
        STARTED.set()
        time.sleep(0.001)
        return name


class SlowWhole(SlowRow, extra="allow"):
    @model_validator(mode="after")
    def same(self) -> "SlowWhole":
        return self


STARTED = threading.Event()


@pytest.mark.parametrize("executor", [SingleThreadExecutor(), MultiThreadExecutor(2)], ids=["one", "threads"])
@pytest.mark.parametrize("model", [SlowRow, SlowWhole])
def test_slow_validators_are_stopped_within_a_batch(model: Any, executor: Executor) -> None:
    people(30_000)
    STARTED.clear()
    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{STORE}/people.csv"),
        output_adapter=JSONOutputAdapter(f"{STORE}/never.jsonl"),
        schema_model=model,
        executor=executor,
    )
    pipe.start()
    assert STARTED.wait(10)
    pipe.shutdown()
    assert pipe.report.status == "stopped"
    assert pipe.report.total_processed == 0


def test_shutdown_from_another_thread_ends_the_run_soon() -> None:
    people(3000)
    ready = threading.Event()

    def slow(row: dict[str, Any]) -> dict[str, Any]:
        ready.set()
        time.sleep(0.002)
        return row

    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{STORE}/people.csv"),
        output_adapter=JSONOutputAdapter(f"{STORE}/never.jsonl"),
        before_validation=slow,
        executor=SingleThreadExecutor(batch_size=50),
    )
    pipe.start()
    assert ready.wait(10)
    pipe.shutdown()
    assert pipe.report.status == "stopped"
    assert pipe.report.total_processed < 3000
    assert not open_store(STORE).exists("never.jsonl")
