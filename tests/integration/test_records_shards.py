"""Pipes in shards: the same comes out as from one reader, whoever reads, and whoever dies on the way."""

import gzip
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Generator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import loky
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import make_bucket
from skyhold import (
    ArrowInputAdapter,
    CSVInputAdapter,
    CSVOutputAdapter,
    DatasetOutputAdapter,
    ExcelOutputAdapter,
    JSONInputAdapter,
    JSONOutputAdapter,
    MultiProcessExecutor,
    MultiThreadExecutor,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    Pipe,
    RowHook,
    SingleThreadExecutor,
    SQLInputAdapter,
    SQLOutputAdapter,
    open_store,
)
from skyhold.errors import (
    BadOptionError,
    ConfigError,
    MalformedInputError,
    RejectLimitError,
    StoppedError,
)
from skyhold.runs.progress import Event
from skyhold.storage.contract import Store
from skyhold.testing.servers import LocalServer
from slow_rows import Person, Shout, SlowPerson, WhoWorks, double_ones

HERE: dict[str, Callable[[], Executor]] = {
    "one thread": SingleThreadExecutor,
    "threads": lambda: MultiThreadExecutor(2),
    "any threads": lambda: ThreadPoolExecutor(3),
}


@pytest.fixture(scope="module")
def pool() -> Generator[MultiProcessExecutor]:
    with MultiProcessExecutor(2) as executor:
        yield executor


@dataclass(frozen=True)
class Seen:
    """All that a run says and leaves."""

    rows: list[dict[str, Any]]
    refused: list[dict[str, Any]]
    counts: dict[str, int]
    reasons: tuple[Any, ...]
    inputs: list[tuple[str, int | None, int | None]]


def table(store: Store, key: str) -> pa.Table:
    return pq.read_table(pa.BufferReader(bytes(store.read(key))))


def seen(base: str, **options: Any) -> Seen:
    """Run a pipe of the input there into files there, and look at what is left."""
    store = open_store(base)
    report = Pipe(
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
        error_output_adapter=ParquetOutputAdapter(f"{base}/errors.parquet"),
        **options,
    ).run()
    assert report.receipt is not None
    receipt = report.receipt
    assert not list(store.list("out.parquet.pieces"))
    out, errors = table(store, "out.parquet"), table(store, "errors.parquet")
    assert (report.total_processed, report.total_written) == (receipt.counts["rows_read"], out.num_rows)
    assert [each.rows for each in receipt.outputs] == [errors.num_rows, out.num_rows]
    return Seen(
        out.to_pylist(),
        errors.to_pylist(),
        dict(receipt.counts),
        receipt.rejects,
        [(each.uri, each.size_bytes, each.rows) for each in receipt.inputs],
    )


def files_in(folder: Path) -> set[str]:
    """Return the folders and files right there that hold any bytes, without what the store itself keeps."""
    return {path.relative_to(folder).parts[0] for path in folder.rglob("*") if path.is_file()} - {".skyhold-store"}


def write_people(store: Store, files: int = 4, rows: int = 50) -> None:
    for number in range(files):
        lines = [f"{n if n % 9 else -1},{n % 10}" for n in range(number * rows, number * rows + rows)]
        store.write(f"in/{number}.csv", ("id,name\n" + "\n".join(lines) + "\n").encode())


LINES = st.lists(
    st.sampled_from(["1,a", "2,b,c", '3,"x\ny"', '4,"q""q"', "-5,d", "x,y", "", '"6","7"', "7,7"]), max_size=12
)


@settings(max_examples=25)
@given(files=st.lists(LINES, min_size=1, max_size=4), shards=st.integers(1, 9), maker=st.sampled_from(sorted(HERE)))
def test_a_run_in_shards_leaves_what_a_run_without_leaves(files: list[list[str]], shards: int, maker: str):
    base = f"memory://shards-{uuid4().hex}"
    store = open_store(base)
    for number, lines in enumerate(files):
        store.write(f"in/{number}.csv", ("id,name\n" + "\n".join(lines)).encode())
    adapter = CSVInputAdapter(f"{base}/in/*.csv")
    whole = seen(base, input_adapter=adapter, schema_model=Person)
    with HERE[maker]() as executor:
        assert seen(base, input_adapter=adapter, schema_model=Person, executor=executor, shards=shards) == whole


OBJECTS = st.lists(
    st.sampled_from(['{"id": 1, "name": "a"}', "{", "", "[]", '{"id": -3, "name": "b"}', '{"id": 4, "name": "7"}']),
    max_size=9,
)


@settings(max_examples=25)
@given(files=st.lists(OBJECTS, min_size=1, max_size=4), shards=st.integers(1, 9))
def test_lines_of_json_keep_their_numbers(files: list[list[str]], shards: int):
    base = f"memory://shards-{uuid4().hex}"
    for number, lines in enumerate(files):
        open_store(base).write(f"in/{number}.jsonl", "\n".join(lines).encode())
    adapter = JSONInputAdapter(f"{base}/in/*.jsonl", format="jsonl")
    whole = seen(base, input_adapter=adapter, schema_model=Person)
    with MultiThreadExecutor(2) as executor:
        assert seen(base, input_adapter=adapter, schema_model=Person, executor=executor, shards=shards) == whole


def write_parquet(path: Path, rows: pa.Table) -> None:
    pq.write_table(rows, path, row_group_size=40)


def write_arrow(path: Path, rows: pa.Table) -> None:
    with pa.ipc.new_file(path, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=40)


def write_sqlite(path: Path, rows: pa.Table) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE people (id INTEGER, name TEXT)")
        database.executemany("INSERT INTO people VALUES (?, ?)", [tuple(row.values()) for row in rows.to_pylist()])


def write_gzip(path: Path, rows: pa.Table) -> None:
    lines = "".join(f"{row['id']},{row['name']}\n" for row in rows.to_pylist())
    path.write_bytes(gzip.compress(f"id,name\n{lines}".encode()))


INPUTS: dict[str, tuple[Callable[[Path, pa.Table], None], Callable[[Path], Any]]] = {
    "parquet": (write_parquet, ParquetInputAdapter),
    "arrow": (write_arrow, ArrowInputAdapter),
    "sqlite": (write_sqlite, lambda path: SQLInputAdapter(f"sqlite:///{path}", table_name="people")),
    "one gzip, which is read whole": (write_gzip, CSVInputAdapter),
}


@pytest.mark.parametrize(("write", "read"), INPUTS.values(), ids=INPUTS)
def test_every_format_has_the_row_numbers_of_the_whole(
    tmp_path: Path, write: Callable[[Path, pa.Table], None], read: Callable[[Path], Any]
):
    write(tmp_path / "in", pa.table({"id": [n if n % 9 else -n for n in range(1, 201)], "name": ["a"] * 200}))
    adapter = read(tmp_path / "in")
    whole = seen(tmp_path.as_posix(), input_adapter=adapter, schema_model=Person)
    assert [row["row_number"] for row in whole.refused] == list(range(9, 201, 9))
    with MultiThreadExecutor(2) as executor:
        found = seen(tmp_path.as_posix(), input_adapter=adapter, schema_model=Person, executor=executor, shards=4)
    assert found == whole


@pytest.mark.parametrize(
    "hooks",
    [{}, {"before_validation": double_ones}, {"after_validation": Shout()}],
    ids=["no hooks", "a function before", "a batch hook after"],
)
def test_processes_read_and_write_their_shards_themselves(tmp_path: Path, pool: Executor, hooks: dict[str, Any]):
    write_people(open_store(tmp_path))
    base, adapter = tmp_path.as_posix(), CSVInputAdapter(tmp_path / "in" / "*.csv")
    whole = seen(base, input_adapter=adapter, schema_model=Person, **hooks)
    assert seen(base, input_adapter=adapter, schema_model=Person, executor=pool, shards=4, **hooks) == whole
    assert whole.counts["rows_rejected"] > 0


def test_executors_of_other_libraries_do_too(tmp_path: Path):
    write_people(open_store(tmp_path))
    base, adapter = tmp_path.as_posix(), CSVInputAdapter(tmp_path / "in" / "*.csv")
    whole = seen(base, input_adapter=adapter, schema_model=Person)
    executor: Any = loky.get_reusable_executor(max_workers=2)
    try:
        assert seen(base, input_adapter=adapter, schema_model=Person, executor=executor, shards=3) == whole
    finally:
        executor.shutdown()


def test_workers_have_the_rows_and_the_driver_has_the_sum(tmp_path: Path, pool: Executor):
    write_people(open_store(tmp_path))
    found = seen(
        tmp_path.as_posix(),
        input_adapter=CSVInputAdapter(tmp_path / "in" / "*.csv"),
        schema_model=Person,
        after_validation=WhoWorks(),
        executor=pool,
        shards=4,
    )
    assert os.getpid() not in {row["process"] for row in found.rows}
    assert found.counts["rows_read"] == 200


OUTPUTS: dict[str, Callable[[str], Any]] = {
    "csv": lambda base: CSVOutputAdapter(f"{base}/out.csv"),
    "gzip": lambda base: CSVOutputAdapter(f"{base}/out.csv.gz"),
    "windows csv": lambda base: CSVOutputAdapter(f"{base}/out.csv", bom=True, line_end="\r\n", quoting="all"),
    "jsonl": lambda base: JSONOutputAdapter(f"{base}/out.jsonl"),
    "array": lambda base: JSONOutputAdapter(f"{base}/out.json"),
}


@pytest.mark.parametrize("make", OUTPUTS.values(), ids=OUTPUTS)
def test_one_file_has_the_same_bytes(make: Callable[[str], Any]):
    base = f"memory://shards-{uuid4().hex}"
    store = open_store(base)
    write_people(store)
    adapter = CSVInputAdapter(f"{base}/in/*.csv")
    key = make(base).uri.rpartition("/")[2]
    found: list[bytes] = []
    for shards in (None, 3):
        with MultiThreadExecutor(2) as executor:
            Pipe(
                input_adapter=adapter, output_adapter=make(base), schema_model=Person, executor=executor, shards=shards
            ).run()
        found.append(store.read(key))
    assert found[0] == found[1]


def test_excel_and_tables_are_made_of_pieces_too(tmp_path: Path):
    write_people(open_store(tmp_path))
    adapter = CSVInputAdapter(tmp_path / "in" / "*.csv")
    database = f"sqlite:///{tmp_path}/people.db"
    with MultiThreadExecutor(2) as executor:
        options: dict[str, Any] = {"input_adapter": adapter, "schema_model": Person, "executor": executor, "shards": 4}
        assert Pipe(output_adapter=ExcelOutputAdapter(tmp_path / "out.xlsx"), **options).run().total_written == 159
        target = SQLOutputAdapter(database, table_name="people")
        with pytest.raises(BadOptionError, match="nothing can lie beside"):
            Pipe(output_adapter=target, **options).run()
        report = Pipe(output_adapter=target, pieces=(tmp_path / "scratch").as_posix(), **options).run()
    assert report.total_written == 159
    assert not list(open_store(tmp_path / "scratch").list())


def test_a_dataset_has_a_part_for_each_shard_and_is_gone_on_with(tmp_path: Path):
    write_people(open_store(tmp_path))
    adapter = CSVInputAdapter(tmp_path / "in" / "*.csv")

    def run(target: str, **options: Any) -> list[dict[str, Any]]:
        with MultiThreadExecutor(2) as executor:
            output = DatasetOutputAdapter(tmp_path / target, **options)
            Pipe(input_adapter=adapter, output_adapter=output, schema_model=Person, executor=executor, shards=4).run()
        parts = sorted((tmp_path / target).glob("part-*.parquet"))
        assert len(parts) == 4
        return [row for part in parts for row in pq.read_table(part).to_pylist()]

    whole = run("whole")
    assert [row["id"] for row in whole] == [n for n in range(200) if n % 9 and n % 10 != 7]
    run("broken")
    for late in ("_skyhold/receipt.json", "_skyhold/part-00003.json", "_skyhold/part-00002.json"):
        (tmp_path / "broken" / late).unlink()
    assert run("broken", resume=True) == whole


def test_a_bucket_copies_the_files_of_a_dataset_by_itself(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    options: dict[str, Any] = moto.options
    store = open_store(base, **options)
    names = "".join(f"{n},{n * 7919 % 100_003:060d}\n" for n in range(4000))
    for number in range(3):
        store.write(f"in/{number}.csv", f"id,name\n{names}".encode())

    def run(target: str, shards: int | None) -> int:
        with MultiThreadExecutor(2) as executor:
            report = Pipe(
                input_adapter=CSVInputAdapter(f"{base}/in/*.csv", **options),
                output_adapter=DatasetOutputAdapter(f"{base}/{target}", format="csv", rows_per_file=4000, **options),
                schema_model=Person,
                executor=executor,
                shards=shards,
            ).run()
        assert report.receipt is not None
        for each in report.receipt.outputs:
            content = store.read(each.uri.removeprefix(f"{base}/"))
            assert (len(content), hashlib.sha256(content).hexdigest()) == (each.size_bytes, each.sha256)
        assert len(report.receipt.outputs) == 3
        return report.bytes_written

    alone = run("alone", None)
    assert run("divided", 3) < alone + 20_000  # as pieces, once, and records
    for number in range(3):
        key = f"part-0000{number}.csv"
        assert store.read(f"divided/{key}") == store.read(f"alone/{key}")
    assert not list(store.list("divided.pieces/"))


class Remembers(RowHook):
    def process(self, row: dict[str, Any]) -> dict[str, Any]:
        return row


def test_what_stands_in_the_way_of_shards_is_said(tmp_path: Path, pool: Executor):
    class Local(Person):
        pass

    write_people(open_store(tmp_path))
    write_people(open_store("memory://shards-in-the-way"))

    def run(base: str, **options: Any) -> None:
        options = {"schema_model": Person, **options}
        Pipe(
            input_adapter=CSVInputAdapter(f"{base}/in/*.csv"),
            output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
            shards=4,
            **options,
        ).run()

    with pytest.raises(BadOptionError, match="memory://shards-in-the-way"):
        run("memory://shards-in-the-way", executor=pool)
    with pytest.raises(BadOptionError, match="Remembers may remember rows"):
        run(tmp_path.as_posix(), executor=pool, before_validation=Remembers())
    with pytest.raises(ConfigError, match="Local"):
        run(tmp_path.as_posix(), executor=pool, schema_model=Local)
    with pytest.raises(BadOptionError, match="shards=0"):
        Pipe(
            input_adapter=CSVInputAdapter(tmp_path / "in" / "*.csv"),
            output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
            shards=0,
        )
    assert not (tmp_path / "out.parquet.pieces").exists()


@pytest.mark.parametrize(("limit", "fails"), [(3, True), (41, False), (0.1, True), (0.5, False)])
def test_the_limit_of_rejected_rows_is_that_of_all_shards_together(limit: float, fails: bool):
    base = f"memory://shards-{uuid4().hex}"
    store = open_store(base)
    write_people(store)
    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in/*.csv"),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet"),
        schema_model=Person,
        executor=SingleThreadExecutor(),
        shards=4,
        max_errors=limit,
    )
    if not fails:
        assert pipe.run().error_count == 41
        return
    with pytest.raises(RejectLimitError, match=r"more than max_errors=.*; the most frequent: .* \(row \d+\)"):
        pipe.run()
    assert [info.key for info in store.list() if info.key.startswith("out")] == []


def test_progress_comes_while_workers_work(tmp_path: Path, pool: Executor):
    write_people(open_store(tmp_path), files=6)
    told: list[Event] = []
    Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in" / "*.csv"),
        output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
        schema_model=SlowPerson,
        executor=pool,
        shards=6,
        on_progress=told.append,
    ).run()
    assert len({event.done for event in told if event.state == "running"} - {0, 300}) >= 2
    assert {event.share for event in told} <= {None, *(done / 6 for done in range(6))}
    assert len({event.share for event in told}) >= 3


@pytest.mark.parametrize("who", ["one thread", "threads", "processes"])
def test_a_shutdown_leaves_nothing(tmp_path: Path, pool: Executor, who: str):
    write_people(open_store(tmp_path), files=4, rows=2000)
    executor = pool if who == "processes" else HERE[who]()
    pipe = Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in" / "*.csv"),
        output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
        schema_model=SlowPerson,
        executor=executor,
        shards=4,
    )
    pipe.start()
    while not (tmp_path / "out.parquet.pieces").exists():
        time.sleep(0.01)
    time.sleep(0.5)
    pipe.shutdown()
    assert pipe.report.status == "stopped"
    assert isinstance(pipe.report.error, StoppedError)
    assert files_in(tmp_path) == {"in"}


def test_an_error_of_one_shard_ends_the_run_and_leaves_nothing(tmp_path: Path, pool: Executor):
    write_people(open_store(tmp_path))
    (tmp_path / "in" / "2.csv").write_text('id,name\n1,"never closed\n')
    with pytest.raises(MalformedInputError, match=r"2\.csv"):
        Pipe(
            input_adapter=CSVInputAdapter(tmp_path / "in" / "*.csv"),
            output_adapter=ParquetOutputAdapter(tmp_path / "out.parquet"),
            schema_model=Person,
            executor=pool,
            shards=4,
        ).run()
    assert files_in(tmp_path) == {"in"}
