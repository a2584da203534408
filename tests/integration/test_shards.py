"""Inputs divided into shards: by object, by what a format allows, noticed changes, requests."""

import gzip
import multiprocessing
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from conftest import make_bucket
from shard_reading import check_shards, divide, is_whole, no_wrap, read_shards, read_whole
from skyhold import (
    ArrowInputAdapter,
    ArrowOutputAdapter,
    ArrowStreamInputAdapter,
    CSVInputAdapter,
    CSVOutputAdapter,
    ExcelInputAdapter,
    ExcelOutputAdapter,
    JSONInputAdapter,
    ParquetInputAdapter,
    ParquetOutputAdapter,
    PythonInputAdapter,
)
from skyhold.errors import ConfigError, KeyNotFoundError, MalformedInputError, PreconditionFailedError
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.formats.adapter import InputAdapter
from skyhold.records.formats.detection import open_input, open_output
from skyhold.records.formats.limited import LimitedInputAdapter
from skyhold.records.piece_folder import division_of
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import Meter, MeteredStore
from skyhold.testing.servers import LocalServer

TABLE = pa.table(
    {
        "n": pa.array(range(1000)),
        "text": pa.array([f'say "{n}",\nagain' * (n % 5) for n in range(1000)]),
        "kind": pa.array([f"kind {n // 100}" for n in range(1000)]).dictionary_encode(),
    }
)


def write(uri: str, table: pa.Table = TABLE, *, rows: int = 50, **options: Any) -> None:
    sink = open_output(uri, **options).open(table.schema, no_wrap)
    for batch in table.to_batches(max_chunksize=rows):
        sink.write(batch)
    sink.close()


@pytest.fixture
def base(request: pytest.FixtureRequest) -> str:
    return f"memory://shards-{request.node.name}".replace("[", "-").replace("]", "")


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "json", "parquet", "arrow", "arrows", "csv.gz", "xlsx"])
@pytest.mark.parametrize("count", [2, 7, 40])
def test_many_objects_are_divided_by_object_and_large_ones_further(base: str, suffix: str, count: int):
    options: dict[str, Any] = {"row_group_rows": 10} if suffix == "parquet" else {}
    for name, rows in (("a", 30), ("b", 5 * (suffix == "xlsx")), ("c", 500), ("d", 40), ("e", 41)):
        write(f"{base}/{name}.{suffix}", TABLE.slice(0, rows), **options)
    found = check_shards(open_input(f"{base}/*.{suffix}"), count)
    whole = suffix in {"json", "arrows", "csv.gz", "xlsx"}
    assert 2 <= found <= (5 if whole else count + 5)
    assert whole or count < 40 or found > 10


def test_columns_in_another_order_and_a_source_column_are_those_of_the_whole(base: str):
    write(f"{base}/a.csv", TABLE.slice(0, 10))
    write(f"{base}/b.csv", TABLE.select(["kind", "text", "n"]).slice(0, 500))
    assert check_shards(CSVInputAdapter(f"{base}/", source_column="from"), 6) > 2
    assert check_shards(CSVInputAdapter([f"{base}/b.csv", f"{base}/a.csv"]), 6) > 2
    assert check_shards(CSVInputAdapter(f"{base}/b.csv", source_column="from"), 6) > 2


def test_other_columns_are_the_same_error_with_shards(base: str):
    write(f"{base}/a.csv", TABLE.slice(0, 10))
    write(f"{base}/b.csv", TABLE.select(["n"]).slice(0, 10))
    adapter = CSVInputAdapter(f"{base}/")
    with pytest.raises(MalformedInputError) as expected:
        read_whole(adapter)
    with pytest.raises(MalformedInputError) as found:
        read_shards(divide(adapter, 2), adapter.open(no_wrap))
    assert str(found.value) == str(expected.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda base: CSVInputAdapter(f"{base}/a.csv", limit=900),
        lambda base: CSVInputAdapter(f"{base}/a.csv", offset=1),
        lambda base: JSONInputAdapter(f"{base}/a.jsonl", limit=900),
        lambda base: ParquetInputAdapter(f"{base}/a.parquet", offset=3),
        lambda base: ParquetInputAdapter(f"{base}/a.parquet", row_groups=[3, 1, 2]),
        lambda base: ArrowInputAdapter(f"{base}/a.arrow", limit=3),
        lambda base: ArrowInputAdapter(f"{base}/a.arrows"),
        lambda base: CSVInputAdapter(f"{base}/a.csv.gz"),
        lambda base: JSONInputAdapter(f"{base}/a.json"),
        lambda base: ExcelInputAdapter(f"{base}/a.xlsx"),
        lambda base: LimitedInputAdapter(CSVInputAdapter(f"{base}/a.csv"), 900),
        lambda _: ArrowStreamInputAdapter(TABLE),
        lambda _: PythonInputAdapter(TABLE.to_pylist()),
    ],
    ids=range(13),
)
def test_what_cannot_be_divided_is_read_whole(base: str, make: Callable[[str], InputAdapter]):
    for suffix in ("csv", "jsonl", "parquet", "arrow", "arrows", "csv.gz", "json", "xlsx"):
        write(f"{base}/a.{suffix}", **({"row_group_rows": 10} if suffix == "parquet" else {}))
    adapter = make(base)
    assert is_whole(adapter)


def test_a_small_input_has_fewer_shards(base: str):
    write(f"{base}/a.csv")
    size = open_store(base).info("a.csv").size_bytes
    adapter = CSVInputAdapter(f"{base}/a.csv")
    assert list(divide(adapter, 100, least_bytes=size)) == [adapter]
    assert len(divide(adapter, 100, least_bytes=size // 3 - 100)) == 3
    assert list(adapter.shards(100, no_wrap, SingleThreadExecutor())) == [adapter]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow", "csv.gz"])
@pytest.mark.parametrize("store", ["memory", "file", "moto"])
def test_an_object_that_changes_after_planning_is_noticed(
    suffix: str, store: str, base: str, tmp_path: Path, request: pytest.FixtureRequest
):
    options: dict[str, Any] = {}
    if store == "file":
        base = str(tmp_path)
    elif store == "moto":
        server: LocalServer = request.getfixturevalue("moto")
        base, options = f"s3://{make_bucket(server)}", server.options
    more: dict[str, Any] = {"row_group_rows": 100} if suffix == "parquet" else {}
    for name in ("a", "b"):
        write(f"{base}/{name}.{suffix}", **more, **options)
    shards = divide(open_input(f"{base}/*.{suffix}", **options), 8)
    write(f"{base}/b.{suffix}", TABLE.slice(0, 999), **more, **options)
    readable = [shard.to_reader().read_all().num_rows for shard in shards[: len(shards) // 2]]
    assert sum(readable) == TABLE.num_rows
    for shard in shards[len(shards) // 2 :]:
        with pytest.raises(PreconditionFailedError, match=f"b.{suffix}"):
            _read(shard)
    open_store(base, **options).delete(f"a.{suffix}")
    with pytest.raises(KeyNotFoundError, match=f"a.{suffix}"):
        _read(shards[0])


def _read(adapter: InputAdapter) -> None:
    with adapter.open(no_wrap) as stream:
        for _ in stream.batches():
            pass


def test_a_missing_object_is_no_empty_input(base: str):
    for adapter in (CSVInputAdapter(f"{base}/no.csv"), ParquetInputAdapter(f"{base}/no*.parquet")):
        with pytest.raises(KeyNotFoundError):
            divide(adapter, 3)


def test_parquet_keeps_row_numbers_with_a_filter_and_chosen_row_groups(base: str):
    write(f"{base}/a.parquet", row_group_rows=30)
    adapter = ParquetInputAdapter(
        f"{base}/a.parquet",
        columns=["text", "n"],
        row_groups=[1, 2, 3, 7, 8, 20, 30, 33],
        filter=pc.field("n").isin([n for n in range(1000) if n % 3 == 1 and not 300 < n < 330]),
    )
    for count in (2, 3, 8):
        assert check_shards(adapter, count) > 1


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_the_footer_is_asked_for_once(base: str, suffix: str):
    """Planning: the tail. Each shard: its own bytes alone, in few requests."""
    noise = TABLE.append_column("noise", pa.array([bytes(f"{n:03}" * 200, "ascii") for n in range(1000)]))
    options: dict[str, Any] = {"row_group_rows": 100} if suffix == "parquet" else {}
    write(f"{base}/a.{suffix}", noise, rows=100, compression="none", **options)
    size = open_store(base).info(f"a.{suffix}").size_bytes
    reads: list[Any] = []

    def watch(store: Store) -> Store:
        return store.observed(reads.append)

    shards = open_input(f"{base}/a.{suffix}").shards(5, watch, SingleThreadExecutor(), least_bytes=1)
    assert len(shards) == 5
    assert len(reads) <= 2
    for shard in shards:
        reads.clear()
        with shard.open(watch) as stream:
            assert sum(batch.data.num_rows for batch in stream.batches()) == 200
        assert len(reads) <= 4
        assert sum(read.bytes_in for read in reads) < size * 0.22


def test_a_csv_is_read_once_to_be_divided_and_not_at_all_where_quotes_mean_nothing(base: str):
    open_store(base).write("a.csv", b"x,y\n" + b'1,"two\n"\n' * 2_000_000)
    size = open_store(base).info("a.csv").size_bytes
    cases: list[tuple[dict[str, Any], float]] = [({}, 1.0), ({"quotechar": None}, 0.0)]
    for options, share in cases:
        meter = Meter()
        adapter = CSVInputAdapter(f"{base}/a.csv", **options)
        shards = adapter.shards(5, partial(MeteredStore, meter=meter), SingleThreadExecutor(), least_bytes=1)
        assert len(shards) == 5
        assert (
            meter.usage.bytes_in < size * share + 8_000_000
        )  # of which some blocks are those that any reader asks for


def _executors() -> list[Executor]:
    context = multiprocessing.get_context("spawn")  # a fork server would keep the environment it was started in
    return [SingleThreadExecutor(), ThreadPoolExecutor(2), ProcessPoolExecutor(2, mp_context=context)]


@pytest.fixture
def by_environment(moto: LocalServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is left to say where the keys are in the environment, in which other processes find them too."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.options["secret_access_key"])
    return {name: moto.options[name] for name in ("endpoint", "region")}


def test_any_executor_scans_and_what_it_asks_for_is_counted(moto: LocalServer, by_environment: dict[str, Any]):
    bucket = make_bucket(moto)
    store = open_store(f"s3://{bucket}", **moto.options)
    store.write("a.csv", b"x,y\n" + b'1,"two\n"\n' * 2000)
    found: list[Any] = []
    for executor in _executors():
        meter = Meter()
        adapter = CSVInputAdapter(f"s3://{bucket}/a.csv", **by_environment)
        with executor:
            shards = adapter.shards(4, partial(MeteredStore, meter=meter), executor, least_bytes=1)
        found.append((len(shards), meter.usage.requests["read"], meter.usage.bytes_in))
        with adapter.open(no_wrap) as like:
            assert read_shards(shards, like) == read_whole(adapter)
    assert found[0][0] == 4
    assert found[0] == found[1] == found[2]


def test_shards_take_no_secret_along(moto: LocalServer, by_environment: dict[str, Any]):
    bucket = make_bucket(moto)
    open_store(f"s3://{bucket}", **moto.options).write("a.csv", b"x\n" + b"1\n" * 100)
    shards = divide(CSVInputAdapter(f"s3://{bucket}/a.csv", **by_environment), 3)
    assert len(shards) == 3
    for shard in shards:
        stored = pickle.dumps(shard)
        assert moto.options["secret_access_key"] not in repr(shard)
        assert moto.options["secret_access_key"].encode() not in stored
        assert shard.uri == f"s3://{bucket}/a.csv"
        assert pickle.loads(stored).to_reader().read_all().num_rows > 0


@pytest.mark.parametrize("name", ["a.csv", "*.csv"])
def test_shards_of_an_input_with_secrets_as_options_go_to_no_other_process(moto: LocalServer, name: str):
    bucket = make_bucket(moto)
    open_store(f"s3://{bucket}", **moto.options).write("a.csv", b"x\n" + b"1\n" * 100)
    adapter = CSVInputAdapter(f"s3://{bucket}/{name}", **dict[str, Any](moto.options))
    shards = divide(adapter, 3)
    assert division_of(shards) == division_of(divide(adapter, 3))  # so that threads go on with what a killed run left
    assert sum(shard.to_reader().read_all().num_rows for shard in shards) == 100  # here they are read
    for held in (*shards, CSVOutputAdapter(f"s3://{bucket}/b.csv", **dict[str, Any](moto.options))):
        with pytest.raises(ConfigError, match="never pickled") as caught:
            pickle.dumps(held)
        assert moto.options["secret_access_key"] not in str(caught.value)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor, pytest.raises(ConfigError, match="never pickled"):
        executor.submit(read_all, shards[0]).result(60)


def read_all(shard: InputAdapter) -> int:
    return shard.to_reader().read_all().num_rows


def test_compressed_objects_are_told_by_content_too(base: str):
    open_store(base).write("a.csv", gzip.compress(b"x\n" + b"1\n" * 100))
    adapter = CSVInputAdapter(f"{base}/a.csv")
    assert is_whole(adapter)


def test_arrow_dictionaries_that_grow_or_are_left_out_come_back(base: str):
    words = pa.chunked_array([pa.array([f"{part} {n % 7}" for n in range(50)]).dictionary_encode() for part in "abcde"])
    table = pa.table({"word": words, "n": pa.array(range(250))})
    write(f"{base}/a.arrow", table)
    for columns in (None, ["n"], ["word"]):
        assert check_shards(ArrowInputAdapter(f"{base}/a.arrow", columns=columns), 5) == 5


@pytest.mark.parametrize("writer", [ParquetOutputAdapter, ArrowOutputAdapter, ExcelOutputAdapter])
def test_nothing_but_columns_is_read_whole(base: str, writer: Any):
    uri = f"{base}/a.{ {'P': 'parquet', 'A': 'arrow', 'E': 'xlsx'}[writer.__name__[0]] }"
    write(uri, TABLE.slice(0, 0))
    adapter = open_input(uri)
    assert is_whole(adapter)


def test_web_servers_send_objects_whole_and_several_by_object(tmp_path: Path):
    for name in ("a", "b"):
        write(f"{tmp_path}/{name}.csv", TABLE)
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        try:
            assert is_whole(CSVInputAdapter(f"{base}/a.csv"))
            assert check_shards(CSVInputAdapter([f"{base}/a.csv", f"{base}/b.csv"]), 6) == 2
        finally:
            server.shutdown()
