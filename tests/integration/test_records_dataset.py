"""Datasets: parts, partitions, and runs that go on where another was stopped."""

import json
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from skyhold import (
    CSVInputAdapter,
    CSVOutputAdapter,
    DatasetOutputAdapter,
    MultiThreadExecutor,
    Pipe,
    SingleThreadExecutor,
    open_store,
)
from skyhold.errors import AlreadyExistsError, BadOptionError, ConflictError, MalformedInputError, SchemaError
from skyhold.records.formats.adapter import Batch, InputAdapter, InputStream, OpenStore
from skyhold.records.formats.partitioning import partition_folder, split_by


class Row(BaseModel):
    n: Annotated[int, Field(ge=0)]
    kind: str | None


class StoppedHereError(Exception):
    pass


class Breaking(InputAdapter):
    """Another input that ends with an exception, after some batches or at the end."""

    def __init__(self, inner: InputAdapter, batches: int) -> None:
        self._inner = inner
        self._batches = batches

    @property
    def uri(self) -> str:
        return self._inner.uri

    def open(self, wrap: OpenStore) -> InputStream:
        stream = self._inner.open(wrap)
        whole = stream.batches

        def broken() -> Iterator[Batch]:
            for number, batch in enumerate(whole()):
                for start in range(0, batch.data.num_rows, 10):
                    if number * 1000 + start // 10 >= self._batches:
                        raise StoppedHereError
                    yield batch.slice(start, 10, with_malformed=start == 0)
            raise StoppedHereError

        vars(stream)["batches"] = broken
        return stream


GOOD = [n for n in range(1000) if n % 7 or n == 0]


def content_of(rows: int) -> bytes:
    """Return rows of which every seventh is bad by its number, and two are ragged."""
    lines = [f"{n if n % 7 else -n},{('a', 'b', '')[n % 3]}" for n in range(rows)]
    lines[rows // 2 : rows // 2] = ["1,a,ragged"]
    return ("n,kind\n" + "\n".join([*lines, "ragged"]) + "\n").encode()


def fresh(rows: int) -> str:
    base = f"memory://dataset-{uuid.uuid4().hex}"
    open_store(base).write("in.csv", content_of(rows))
    return base


def pipe_of(base: str, *, break_after: int | None = None, executor: Any = None, **options: Any) -> Pipe:
    source = CSVInputAdapter(f"{base}/in.csv")
    return Pipe(
        input_adapter=source if break_after is None else Breaking(source, break_after),
        output_adapter=DatasetOutputAdapter(f"{base}/out", **options),
        error_output_adapter=CSVOutputAdapter(f"{base}/errors.csv"),
        schema_model=Row,
        executor=executor or SingleThreadExecutor(batch_size=7),
    )


def files_of(base: str) -> dict[str, bytes]:
    store = open_store(base)
    return {info.key: bytes(store.read(info.key)) for info in store.list("out/") if "_skyhold" not in info.key}


def test_parts_hold_all_rows_in_order_and_the_receipt_names_them() -> None:
    base = fresh(1000)
    report = pipe_of(base, rows_per_file=300).run()
    files = files_of(base)
    assert list(files) == [f"out/part-{part:05d}.parquet" for part in range(4)]
    table = pa.concat_tables([pq.read_table(pa.BufferReader(data)) for data in files.values()])
    assert table.column("n").to_pylist() == GOOD
    assert (report.total_processed, report.success_count) == (1002, len(GOOD))
    receipt = json.loads(bytes(open_store(base).read("out/_skyhold/receipt.json")))
    assert [each["uri"] for each in receipt["outputs"]] == [
        f"{base}/errors.csv",
        *(f"{base}/{key}" for key in files),
    ]


def test_values_of_columns_become_folders_that_arrow_reads_back(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(content_of(1000))
    pipe_of(str(tmp_path), rows_per_file=300, partition_by="kind").run()
    table = pads.dataset(tmp_path / "out", partitioning="hive").to_table().sort_by("n")
    assert table.column("n").to_pylist() == GOOD
    assert table.column("kind").to_pylist() == [("a", "b", None)[n % 3] for n in GOOD]


@pytest.mark.parametrize("format_", ["parquet", "arrow", "csv", "jsonl"])
@pytest.mark.parametrize("partition_by", [(), "kind"], ids=["plain", "partitioned"])
def test_the_files_are_the_same_whatever_cuts_the_rows(format_: Any, partition_by: Any) -> None:
    found: list[dict[str, bytes]] = []
    for executor in (SingleThreadExecutor(batch_size=13), MultiThreadExecutor(2), SingleThreadExecutor()):
        base = fresh(2000)
        pipe_of(base, rows_per_file=700, partition_by=partition_by, format=format_, executor=executor).run()
        found.append(files_of(base))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == (9 if partition_by else 3)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(20, 150),
    rows_per_file=st.integers(1, 60),
    stops=st.lists(st.integers(0, 16), max_size=3),
    partition_by=st.sampled_from([(), ("kind",)]),
)
def test_a_run_that_was_stopped_anywhere_goes_on_to_the_same_bytes(
    rows: int, rows_per_file: int, stops: list[int], partition_by: tuple[str, ...]
) -> None:
    options: dict[str, Any] = {"rows_per_file": rows_per_file, "partition_by": partition_by}
    unbroken, broken = fresh(rows), fresh(rows)
    whole = pipe_of(unbroken, **options).run()
    for stop in stops:
        with pytest.raises(StoppedHereError):
            pipe_of(broken, break_after=stop, resume=True, **options).run()
        assert not open_store(broken).exists("out/_skyhold/receipt.json")
    resumed = pipe_of(broken, resume=True, **options).run()
    assert files_of(broken) == files_of(unbroken)
    assert bytes(open_store(broken).read("errors.csv")).replace(broken.encode(), b"") == bytes(
        open_store(unbroken).read("errors.csv")
    ).replace(unbroken.encode(), b"")
    assert resumed.rejects == whole.rejects
    for name in ("total_processed", "success_count", "error_count"):
        assert getattr(resumed, name) == getattr(whole, name)
    assert resumed.receipt is not None
    assert whole.receipt is not None
    assert [each.sha256 for each in resumed.receipt.outputs[1:]] == [each.sha256 for each in whole.receipt.outputs[1:]]


def stopped(rows_per_file: int = 20, **options: Any) -> str:
    base = fresh(100)
    with pytest.raises(StoppedHereError):
        pipe_of(base, break_after=5, rows_per_file=rows_per_file, **options).run()
    return base


def test_parts_that_were_done_are_not_written_again() -> None:
    base = stopped()
    store = open_store(base)
    before = {info.key: info.modified for info in store.list("out/part-00000")}
    pipe_of(base, rows_per_file=20, resume=True).run()
    assert {info.key: info.modified for info in store.list("out/part-00000")} == before


def test_an_unfinished_run_is_neither_taken_over_nor_thrown_away_unasked() -> None:
    base = stopped()
    with pytest.raises(AlreadyExistsError, match="unfinished"):
        pipe_of(base, rows_per_file=20).run()
    pipe_of(base, rows_per_file=50, overwrite=True).run()
    assert list(files_of(base)) == [f"out/part-{part:05d}.parquet" for part in range(3)]
    for options in ({}, {"resume": True}):
        with pytest.raises(ConflictError, match="complete dataset"):
            pipe_of(base, rows_per_file=50, **options).run()


def test_another_input_model_or_cut_is_not_resumed() -> None:
    base = stopped()
    open_store(base).write("in.csv", content_of(101))
    with pytest.raises(ConflictError, match="another input"):
        pipe_of(base, rows_per_file=20, resume=True).run()
    base = stopped()
    with pytest.raises(ConflictError, match="another"):
        pipe_of(base, rows_per_file=30, resume=True).run()
    with pytest.raises(ConflictError, match="another"):
        pipe_of(base, rows_per_file=20, resume=True, file_options={"compression": "none"}).run()


def test_a_damaged_record_of_a_part_is_an_error() -> None:
    base = stopped()
    open_store(base).write("out/_skyhold/part-00000.json", b"{}")
    with pytest.raises(MalformedInputError, match="part-00000"):
        pipe_of(base, rows_per_file=20, resume=True).run()


def test_what_is_no_part_is_left_alone() -> None:
    base = fresh(10)
    open_store(base).write("out/notes.txt", b"mine")
    for options in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(AlreadyExistsError, match=r"notes\.txt"):
            pipe_of(base, **options).run()
    assert bytes(open_store(base).read("out/notes.txt")) == b"mine"


def test_an_input_without_rows_gives_one_empty_file() -> None:
    base = fresh(0)
    open_store(base).write("in.csv", b"n,kind\n")
    pipe_of(base).run()
    (data,) = files_of(base).values()
    assert pq.read_table(pa.BufferReader(data)).schema.names == ["n", "kind"]


def test_wrong_options_are_refused() -> None:
    base = fresh(10)
    wrong: list[dict[str, Any]] = [{"format": "xml"}, {"rows_per_file": 0}, {"resume": True, "overwrite": True}]
    for options in wrong:
        with pytest.raises(BadOptionError):
            DatasetOutputAdapter(f"{base}/out", **options)
    with pytest.raises(SchemaError, match="colour"):
        pipe_of(base, partition_by="colour").run()
    with pytest.raises(SchemaError, match="every column"):
        pipe_of(base, partition_by=["n", "kind"]).run()


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["x", "y/z", "", None]),
            st.sampled_from([date(2024, 1, 1), None]),
            st.booleans() | st.none(),
        ),
        max_size=12,
    )
)
def test_splitting_loses_no_row_and_keeps_their_order(rows: list[tuple[str | None, date | None, bool | None]]) -> None:
    names = ["a", "b", "c"]
    kinds = [pa.string(), pa.date32(), pa.bool_()]
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(kinds)]
    batch = pa.RecordBatch.from_arrays([*columns, pa.array(range(len(rows)))], [*names, "place"])
    found = {values: part.column("place").to_pylist() for values, part in split_by(batch, names)}
    wanted: dict[tuple[Any, ...], list[int]] = {}
    for place, row in enumerate(rows):
        wanted.setdefault(row, []).append(place)
    assert found == wanted


def test_folders_of_different_values_differ() -> None:
    values = ["", "a", "a/b", "a%2Fb", "..", ".", "a b", "ü", "=", None, "__HIVE_DEFAULT_PARTITION__x"]
    folders = [partition_folder("k", value) for value in values]
    assert len({*folders}) == len(values)
    assert not any("/" in folder for folder in folders)
