"""The main job end to end: from a bucket of a real S3 server to typed Parquet, with rejects and a receipt beside it."""

import io
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
from pydantic import BaseModel, ConfigDict, EmailStr

from conftest import make_bucket
from skyhold import CSVInputAdapter, CSVOutputAdapter, MultiThreadExecutor, ParquetOutputAdapter, Pipe
from skyhold.errors import (
    BucketNotFoundError,
    KeyNotFoundError,
    MalformedInputError,
    PipeStateError,
    RejectLimitError,
    StoppedError,
)
from skyhold.records.formats.adapter import Batch
from skyhold.runs.receipt import Receipt
from skyhold.runs.verification import verify_receipt
from skyhold.storage.opening import open_object, open_store
from skyhold.testing.servers import LocalServer


class User(BaseModel):
    model_config = ConfigDict(extra="ignore")
    user_id: str
    email: EmailStr
    age: int
    nickname: str | None


HEADER = "user_id,email,age,nickname,unknown\n"


def _csv(rows: int) -> bytes:
    lines = [f"u{n},user{n}@example.com,{n % 90},{'' if n % 3 else f'nick{n}'},x\n" for n in range(rows)]
    return (HEADER + "".join(lines)).encode()


def _pipe(base: str, options: dict[str, Any], **more: Any) -> Pipe:
    return Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in.csv", **options),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **options),
        error_output_adapter=ParquetOutputAdapter(f"{base}/errors.parquet", **options),
        schema_model=User,
        **more,
    )


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def test_a_bucket_gives_typed_parquet_rejects_and_a_receipt(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}/deep/er"
    store = open_store(base, **moto.options)
    store.write(
        "in.csv",
        HEADER.encode()
        + b"u1,one@example.com,1,,x\n"
        + b"u2,two,2,n,x\n"
        + b"u3,three@example.com,3\n"
        + b'u4,FOUR@Example.com, 4 ,"a\nb",x\n'
        + b"u5,five@example.com,five,n,x\n"
        + b"u6,six@example.com,\xff,n,x\n"
        + b"u7,seven@example.com,99999999999999999999,n,x\n",
    )
    report = _pipe(base, moto.options).run()
    assert (report.total_processed, report.success_count, report.total_errors) == (7, 2, 5)
    table = pq.read_table(io.BytesIO(store.read("out.parquet")))
    assert table.to_pylist() == [
        {"user_id": "u1", "email": "one@example.com", "age": 1, "nickname": None},
        {"user_id": "u4", "email": "FOUR@example.com", "age": 4, "nickname": "a\nb"},
    ]
    assert str(table.schema.field("age").type) == "int64"
    errors = pq.read_table(io.BytesIO(store.read("errors.parquet"))).to_pylist()
    assert [(error["row_number"], error["field"], error["error_type"]) for error in errors] == [
        (2, "$.email", "value_error"),
        (3, "$", "ragged_row"),
        (5, "$.age", "int_parsing"),
        (6, "$", "bad_encoding"),
        (7, "$.age", "output_overflow"),
    ]
    assert errors[0]["original"] == '{"user_id":"u2","email":"two","age":"2","nickname":"n","unknown":"x"}'
    assert errors[1]["original"] == "u3,three@example.com,3"
    assert r"\xff" in errors[3]["original"]
    receipt = Receipt.from_json(store.read("out.parquet.receipt.json"))
    assert verify_receipt(receipt, lambda uri: open_object(uri, **moto.options)).ok
    assert receipt.requests["write"] == 2, "the receipt itself is not counted yet"
    store.write("out.parquet", b"somebody else's")
    assert not verify_receipt(receipt, lambda uri: open_object(uri, **moto.options)).ok


def test_reading_and_writing_objects_is_all_that_a_pipe_asks_a_store_for(moto: LocalServer):
    """So that a policy of GetObject and PutObject is enough on known keys."""
    base = f"s3://{make_bucket(moto)}"
    open_store(base, **moto.options).write("in.csv", _csv(1000) + b"u,bad,1,,x\n")
    report = _pipe(base, moto.options).run()
    assert {name for name, count in report.usage.requests.items() if count} == {"read", "write"}
    assert report.error_count == 1


@pytest.mark.parametrize("executor", [None, MultiThreadExecutor(max_workers=4), MultiThreadExecutor(2, batch_size=7)])
def test_order_is_kept_and_counts_balance(folder: Path, executor: MultiThreadExecutor | None):
    (folder / "in.csv").write_bytes(_csv(30_000))
    report = _pipe(str(folder), {}, executor=executor).run()
    assert report.total_processed == report.success_count + report.error_count == 30_000
    ids = pq.read_table(folder / "out.parquet")["user_id"].to_pylist()
    assert ids == [f"u{n}" for n in range(30_000)]
    assert pq.read_table(folder / "errors.parquet").num_rows == 0


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a,b\n", []),
        (b"a,b", []),
        (b"\xef\xbb\xbfa,b\r\n1,2\r\n", [("1", "2")]),
        (b'a,b\n"x,""y""\nz",\n\n3,4', [('x,"y"\nz', ""), ("3", "4")]),
        ("a,b\nü,日本\n".encode(), [("ü", "日本")]),
    ],
)
def test_what_csv_may_look_like(content: bytes, expected: list[tuple[str, str]]):
    store = open_store("memory://csv-looks")
    store.write("in.csv", content)
    Pipe(
        input_adapter=CSVInputAdapter("memory://csv-looks/in.csv"),
        output_adapter=ParquetOutputAdapter("memory://csv-looks/out.parquet"),
    ).run()
    table = pq.read_table(io.BytesIO(store.read("out.parquet")))
    assert [(row["a"], row["b"]) for row in table.to_pylist()] == expected
    assert table.schema.names == ["a", "b"]


def test_rows_that_straddle_blocks_and_damage_keep_their_numbers(folder: Path):
    lines = [b'%d,"%s"' % (n, b"y" * (n % 400)) for n in range(1, 9001)]
    for n in (17, 2500, 2501, 8999):
        lines[n - 1] = b"ragged"
    for n in (1, 3333, 9000):
        lines[n - 1] = b"%d,\xfe" % n
    (folder / "in.csv").write_bytes(b"a,b\n" + b"\n".join(lines))
    Pipe(
        input_adapter=CSVInputAdapter(folder / "in.csv"),
        output_adapter=ParquetOutputAdapter(folder / "out.parquet"),
        error_output_adapter=ParquetOutputAdapter(folder / "errors.parquet"),
        executor=MultiThreadExecutor(2),
    ).run()
    bad = [1, 17, 2500, 2501, 3333, 8999, 9000]
    assert pq.read_table(folder / "errors.parquet")["row_number"].to_pylist() == bad
    good = [n for n in range(1, 9001) if n not in bad]
    assert [int(a) for a in pq.read_table(folder / "out.parquet")["a"].to_pylist()] == good


def test_nothing_is_ever_zero_rows_completed(moto: LocalServer, folder: Path):
    bucket = make_bucket(moto)
    with pytest.raises(KeyNotFoundError, match=r"in\.csv"):
        _pipe(f"s3://{bucket}", moto.options).run()
    with pytest.raises(BucketNotFoundError, match="no such bucket"):
        _pipe("s3://there-is-no-such-bucket", moto.options).run()
    with pytest.raises(KeyNotFoundError):
        _pipe(str(folder), {}).run()
    (folder / "in.csv").write_bytes(b"")
    with pytest.raises(MalformedInputError, match="empty"):
        _pipe(str(folder), {}).run()
    assert _names(folder) == ["in.csv"]


def test_a_failed_pipe_that_is_only_polled_tells_its_error_once(folder: Path):
    pipe = _pipe(str(folder), {})
    pipe.start()
    with pytest.raises(KeyNotFoundError):
        while not pipe.report.is_finished:
            time.sleep(0.01)
    assert pipe.report.is_finished
    assert pipe.report.status == "failed"


def test_too_many_rejects_leave_the_previous_output(folder: Path):
    (folder / "in.csv").write_bytes(HEADER.encode() + b"u,bad,1,,x\n" * 10)
    (folder / "out.parquet").write_bytes(b"previous")
    with pytest.raises(RejectLimitError, match="max_errors=5"):
        _pipe(str(folder), {}, max_errors=5).run()
    assert _names(folder) == ["in.csv", "out.parquet"]
    assert (folder / "out.parquet").read_bytes() == b"previous"
    assert _pipe(str(folder), {}, max_errors=10).run().error_count == 10


class _SlowInput(CSVInputAdapter):
    """Gives its batches one at a time, when it is told to."""

    def __init__(self, uri: str, go: threading.Event, **options: Any) -> None:
        super().__init__(uri, **options)
        self.go = go

    def open(self, wrap: Any) -> Any:
        stream = super().open(wrap)
        batches = stream.batches

        def slowly() -> Iterator[Batch]:
            for batch in batches():
                yield batch
                self.go.wait(30)

        stream.batches = slowly
        return stream


def test_shutdown_stops_and_leaves_the_previous_output_and_no_upload(moto: LocalServer):
    bucket = make_bucket(moto)
    store = open_store(f"s3://{bucket}", **moto.options)
    store.write("in.csv", _csv(40_000))
    store.write("out.csv", b"previous")
    go = threading.Event()
    pipe = Pipe(
        input_adapter=_SlowInput(f"s3://{bucket}/in.csv", go, **moto.options),
        output_adapter=CSVOutputAdapter(f"s3://{bucket}/out.csv", part_bytes=5 * 2**20, **dict[str, Any](moto.options)),
    )
    pipe.start()
    while not pipe.report.total_processed and not pipe.report.is_finished:
        time.sleep(0.01)
    threading.Timer(0.2, go.set).start()
    pipe.shutdown()
    with pytest.raises(StoppedError):
        pipe.wait()
    assert pipe.report.status == "stopped"
    assert store.read("out.csv") == b"previous"
    assert [info.key for info in store.list()] == ["in.csv", "out.csv"]
    client = boto3.client(
        "s3",
        endpoint_url=moto.endpoint,
        aws_access_key_id=moto.options["access_key_id"],
        aws_secret_access_key=moto.options["secret_access_key"],
        region_name="us-east-1",
    )
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


def test_a_killed_run_leaves_the_previous_output_and_is_called_killed(folder: Path, private_home: Path):
    (folder / "in.csv").write_bytes(_csv(200_000))
    (folder / "out.csv").write_bytes(b"previous")
    code = f"""
        import time
        from skyhold import CSVInputAdapter, CSVOutputAdapter, Pipe
        pipe = Pipe(
            input_adapter=CSVInputAdapter({str(folder / "in.csv")!r}),
            output_adapter=CSVOutputAdapter({str(folder / "out.csv")!r}),
            on_progress=lambda event: (print("progress", flush=True), time.sleep(1)) if event.done else None,
        )
        pipe.run()
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"progress\n"
        process.send_signal(signal.SIGKILL)
    assert (folder / "out.csv").read_bytes() == b"previous"
    listed = subprocess.run(
        [sys.executable, "-m", "skyhold.cli", "runs", "ls"], capture_output=True, text=True, check=True
    )
    assert "killed" in listed.stdout


def test_a_pipe_runs_once_and_in_order(folder: Path):
    (folder / "in.csv").write_bytes(_csv(10))
    pipe = _pipe(str(folder), {})
    with pytest.raises(PipeStateError):
        pipe.wait()
    with pipe:
        assert pipe.wait(timeout=60)
    assert pipe.report.is_finished
    with pytest.raises(PipeStateError):
        pipe.start()


def test_an_exception_in_the_block_stops_the_pipe(folder: Path):
    (folder / "in.csv").write_bytes(_csv(10))
    go = threading.Event()
    pipe = Pipe(
        input_adapter=_SlowInput(str(folder / "in.csv"), go),
        output_adapter=CSVOutputAdapter(folder / "out.csv"),
    )
    threading.Timer(0.2, go.set).start()
    with pytest.raises(ZeroDivisionError), pipe:
        raise ZeroDivisionError
    assert _names(folder) == ["in.csv"]


def test_explain_says_how_each_field_is_validated(folder: Path):
    (folder / "in.csv").write_bytes(_csv(1))
    routes = {route.field: route.route for route in _pipe(str(folder), {}).explain()}
    assert routes == dict.fromkeys(("user_id", "email", "age", "nickname"), "kernel")
