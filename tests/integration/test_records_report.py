"""What a pipe says of itself: the same numbers to a program, a terminal, a notebook, a log and a pickle."""

import dataclasses
import io
import json
import logging
import pickle
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import BaseModel, Field, field_validator
from rich.console import Console

from conftest import make_bucket
from skyhold import CSVInputAdapter, CSVOutputAdapter, ParquetOutputAdapter, Pipe
from skyhold.errors import KeyNotFoundError, VerificationError
from skyhold.records import flow
from skyhold.records.formats.adapter import Batch, InputStream, OpenStore, OutputAdapter, OutputStream, Source, Written
from skyhold.records.formats.many import ManyStream
from skyhold.records.hooks import BatchHook
from skyhold.records.report import Report, share_read
from skyhold.records.snapshot import ReportSnapshot
from skyhold.records.work import Judged
from skyhold.runs.event import Event
from skyhold.storage.objects import ObjectInfo, Operation
from skyhold.storage.opening import open_store
from skyhold.storage.wrappers.metered import Meter
from skyhold.testing.servers import LocalServer


class Sale(BaseModel):
    name: str
    price: float = Field(gt=0)

    @field_validator("name")
    @classmethod
    def never_forbidden(cls, name: str) -> str:
        if name == "forbidden":
            raise ValueError("this is a <b>bad</b> name")
        return name


CONTENT = b"name,price\na,1\nforbidden,2\nb,-5\nc,-6\nd,3\n"


def _pipe(folder: Path, **more: Any) -> Pipe:
    (folder / "in.csv").write_bytes(CONTENT)
    return Pipe(
        input_adapter=CSVInputAdapter(folder / "in.csv"),
        output_adapter=CSVOutputAdapter(folder / "out.csv"),
        schema_model=Sale,
        **more,
    )


class Gate(BatchHook):
    """Lets some batches pass, and holds the pipe before the next until it is opened."""

    def __init__(self, passing: int) -> None:
        self.left = passing + 1  # hooks see an empty batch first
        self.reached = threading.Event()
        self.opened = threading.Event()

    def process(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        self.left -= 1
        if self.left < 0:
            self.reached.set()
            assert self.opened.wait(60)
        return batch


def test_every_number_has_one_name_everywhere(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    options: dict[str, Any] = moto.options
    open_store(base, **options).write("in.csv", CONTENT)
    pipe = Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in.csv", **options),
        output_adapter=ParquetOutputAdapter(f"{base}/out.parquet", **options),
        schema_model=Sale,
    )
    before = pipe.report.to_dict()
    assert (before["status"], before["is_finished"], before["elapsed"], before["cost"]) == ("pending", False, 0.0, None)

    report = pipe.run()
    told = report.to_dict()
    assert json.loads(report.to_json()) == told
    assert (report.status, report.is_finished, report.eta) == ("completed", True, None)
    assert (report.total_processed, report.total_written, report.success_count) == (5, 2, 2)
    assert (report.total_errors, report.error_count) == (3, 3)
    assert [(group.field, group.count, group.sample_rows) for group in report.rejects] == [
        ("$.price", 2, (3, 4)),
        ("$.name", 1, (2,)),
    ]
    assert report.elapsed == report.duration > 0
    assert report.items_per_second == pytest.approx(5 / report.elapsed)
    assert report.bytes_read == report.usage.bytes_in == len(CONTENT)
    assert report.bytes_written == report.usage.bytes_out > 0
    assert report.requests == {"read": 1, "write": 2, "list": 0, "delete": 0}
    assert report.cost is not None
    assert report.cost.requests == pytest.approx((1 * 0.0004 + 2 * 0.005) / 1000)
    snapshot = report.snapshot()
    for holder in (report, snapshot):
        for name in told:
            if name not in {"run_id", "name", "failure"}:
                assert hasattr(holder, name), name
    assert told["run_id"] == snapshot.run_id
    for name in ("total_processed", "total_written", "total_errors", "success_count", "error_count", "bytes_read"):
        assert told[name] == getattr(report, name) == getattr(snapshot, name)
    assert report.receipt is not None
    assert told["run_id"] == report.receipt.run_id
    assert told["rejects"][0]["sample_rows"] == [3, 4]


def test_a_pickled_report_stays_as_it_was_while_the_pipe_goes_on(tmp_path: Path):
    gate = Gate(passing=0)
    pipe = _pipe(tmp_path, before_validation=gate)
    pipe.start()
    assert gate.reached.wait(60)
    pickled = pickle.dumps(pipe.report)
    gate.opened.set()
    pipe.wait()
    frozen = pickle.loads(pickled)
    assert isinstance(frozen, ReportSnapshot)
    assert (frozen.status, frozen.is_finished, frozen.total_processed) == ("running", False, 0)
    elapsed = frozen.elapsed
    time.sleep(0.02)
    assert frozen.elapsed == elapsed
    after = pickle.loads(pickle.dumps(pipe.report))
    assert after == pipe.report.snapshot()
    assert (after.status, after.is_finished, after.total_processed) == ("completed", True, 5)
    assert after.to_dict() == pipe.report.to_dict()
    assert pickle.loads(pickle.dumps(after)) == after


class UnpicklableError(Exception):
    def __reduce__(self) -> Any:
        raise TypeError("this error cannot be pickled")


def test_the_report_of_a_failed_pipe_can_be_looked_at_and_pickled(tmp_path: Path):
    class Broken(BatchHook):
        def process(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            raise UnpicklableError("no: secret_access_key=hunter2")

    pipe = _pipe(tmp_path, before_validation=Broken())
    with pytest.raises(UnpicklableError):
        pipe.run()
    frozen = pickle.loads(pickle.dumps(pipe.report))
    assert (frozen.status, frozen.is_finished) == ("failed", True)
    assert frozen.failure.code == "UnpicklableError"
    shown = f"{frozen.to_json()}{frozen.to_html()}{_on_a_terminal(pipe.report)}"
    assert "UnpicklableError" in shown
    assert "hunter2" not in shown


def test_hooks_that_drop_and_multiply_rows_are_told_apart_from_rejects(tmp_path: Path):
    pipe = _pipe(tmp_path, after_validation=lambda row: [row, row, row] if row["name"] == "a" else None)
    report = pipe.run()
    assert (report.total_processed, report.success_count, report.error_count, report.total_written) == (5, 2, 3, 3)
    assert (tmp_path / "out.csv").read_text().count("\n") == 1 + report.total_written
    assert "5 read = 2 accepted + 3 rejected; 3 written" in _on_a_terminal(report)


def _on_a_terminal(report: Report) -> str:
    console = Console(file=io.StringIO(), width=200, record=True)
    console.print(report)
    return console.export_text()


def test_a_terminal_and_a_notebook_show_counts_reasons_bytes_and_cost(moto: LocalServer):
    base = f"s3://{make_bucket(moto)}"
    open_store(base, **moto.options).write("in [red].csv", CONTENT)
    report = Pipe(
        input_adapter=CSVInputAdapter(f"{base}/in [red].csv", glob=False, **dict[str, Any](moto.options)),
        output_adapter=CSVOutputAdapter(f"{base}/out.csv", **dict[str, Any](moto.options)),
        schema_model=Sale,
    ).run()
    for shown in (_on_a_terminal(report), report._repr_html_()):
        for words in (
            "in [red].csv → s3://",
            "completed",
            "5 read = 2 accepted + 3 rejected",
            "2 x $.price: Input should be greater than 0 (row 3, 4)",
            f"{len(CONTENT)} B read",
            "1 read, 2 write",
            "0.000010 USD for requests",
        ):
            assert words in shown, words
    assert "<b>bad" in _on_a_terminal(report)
    assert "&lt;b&gt;bad" in report._repr_html_(), "what rows hold is no HTML of ours"
    assert "<b>bad" not in report._repr_html_()
    assert repr(report).startswith("<Report completed: 5 rows, 2 written, 3 rejected")


def test_the_time_left_is_told_while_bytes_of_a_known_whole_come_in(tmp_path: Path):
    row = b"x" * 59_990 + b",1\n"
    (tmp_path / "in.csv").write_bytes(b"name,price\n" + row * 1600)  # 96 MB: read-ahead holds less
    gate = Gate(passing=2)
    pipe = Pipe(
        input_adapter=CSVInputAdapter(tmp_path / "in.csv"),
        output_adapter=CSVOutputAdapter(tmp_path / "out.csv"),
        before_validation=gate,
    )
    assert pipe.report.eta is None
    pipe.start()
    assert gate.reached.wait(60)
    report = pipe.report
    assert 0 < report.total_processed < 1600
    assert report.eta is not None
    assert report.eta > 0
    assert "left" in _on_a_terminal(report)
    gate.opened.set()
    pipe.wait()
    assert report.eta is None
    assert report.bytes_read == (tmp_path / "in.csv").stat().st_size


class Opened(InputStream):
    def __init__(self, *sizes: int | None) -> None:
        self.kind = "typed"
        self.schema = pa.schema([("a", pa.int64())])
        self.sources = [
            Source(f"x:{place}", None if size is None else ObjectInfo(str(place), size, datetime.now(UTC), None))
            for place, size in enumerate(sizes)
        ]

    def batches(self) -> Iterator[Batch]:
        yield Batch(pa.record_batch({"a": [1]}), self.sources[0].uri)


def test_the_share_of_what_has_no_size_is_not_guessed():
    meter = Meter()
    meter.record(Operation("read", "x", "read", bytes_in=25))
    assert share_read(Opened(60, 40), meter)() == 0.25
    assert share_read(Opened(60, None), meter)() is None
    assert share_read(Opened(0), meter)() is None
    assert share_read(Opened(25), meter)() is None, "all has come, and what is left is not known"


def test_the_size_of_many_inputs_is_known_once_the_last_is_opened():
    stream = ManyStream(lambda size=size: Opened(size) for size in (1, 2, 3, 4, 5))
    sizes = [stream.size_bytes for _ in stream.batches()]
    assert sizes == [None, None, None, None, 15]


class Forgetful(OutputAdapter):
    """Loses a row, and says so in its count alone."""

    @property
    def uri(self) -> str:
        return "forgetful://out"

    def open(self, schema: pa.Schema, wrap: OpenStore) -> OutputStream:
        return ForgetfulStream()


class ForgetfulStream(OutputStream):
    rows = -1

    def write(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows

    def close(self) -> list[Written]:
        return [Written("forgetful://out", self.rows)]

    def abort(self) -> None:
        pass


@pytest.mark.parametrize("role", ["output_adapter", "error_output_adapter"])
def test_an_output_that_loses_a_row_fails_the_run(tmp_path: Path, role: str):
    (tmp_path / "in.csv").write_bytes(CONTENT)
    adapters: dict[str, Any] = {"output_adapter": CSVOutputAdapter(tmp_path / "out.csv"), role: Forgetful()}
    pipe = Pipe(input_adapter=CSVInputAdapter(tmp_path / "in.csv"), schema_model=Sale, **adapters)
    with pytest.raises(VerificationError, match=r"forgetful://out' holds \d rows, and was given \d"):
        pipe.run()
    assert pipe.report.status == "failed"
    assert not (tmp_path / "out.csv.receipt.json").exists()


def test_rows_that_are_lost_on_the_way_fail_the_run_before_anything_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = flow.judge

    def lose(*arguments: Any) -> Judged:
        judged = whole(*arguments)
        return dataclasses.replace(judged, accepted=judged.accepted.slice(1))

    monkeypatch.setattr(flow, "judge", lose)
    (tmp_path / "out.csv").write_text("what was there before")
    with pytest.raises(VerificationError, match=r"rows_read 5 is not rows_written 1 \+ rows_rejected 3"):
        _pipe(tmp_path).run()
    assert (tmp_path / "out.csv").read_text() == "what was there before"


def test_the_log_has_the_start_the_end_and_each_reason_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.INFO, "skyhold.records"):
        report = _pipe(tmp_path).run()
    run_id = report.snapshot().run_id
    lines = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "skyhold.records"]
    assert [level for level, _ in lines] == ["INFO", "INFO", "INFO", "INFO"]
    assert all(run_id in line for _, line in lines)
    assert f"started: {tmp_path}/in.csv" in lines[0][1]
    assert "$.price greater_than, first in row 3" in lines[1][1]
    assert "$.name value_error, first in row 2" in lines[2][1]
    assert "completed" in lines[3][1]
    assert "5 rows read, 2 written, 3 rejected" in lines[3][1]
    assert "forbidden" not in caplog.text, "rows' contents are not for the log"
    assert "bad" not in caplog.text


def test_the_log_of_a_run_with_endless_reasons_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    wide = ",".join(f"c{number}" for number in range(50))
    lines = "\n".join(",".join("x" if number == bad else "1" for number in range(50)) for bad in range(50))
    (tmp_path / "in.csv").write_text(f"{wide}\n{lines}\n")
    model = type("Wide", (BaseModel,), {"__annotations__": {f"c{number}": int for number in range(50)}})
    with caplog.at_level(logging.INFO, "skyhold.records"):
        report = Pipe(
            input_adapter=CSVInputAdapter(tmp_path / "in.csv"),
            output_adapter=CSVOutputAdapter(tmp_path / "out.csv"),
            schema_model=model,
        ).run()
    assert len(report.rejects) == 50
    assert sum("rejects rows" in record.getMessage() for record in caplog.records) == 20
    assert "and 40 more reasons" in report.to_html()


def test_the_log_and_the_events_say_why_a_run_failed_and_no_secret(
    moto: LocalServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    uri = f"s3://{make_bucket(moto)}/missing.csv"
    seen: list[Event] = []
    pipe = Pipe(
        input_adapter=CSVInputAdapter(uri, **dict[str, Any](moto.options)),
        output_adapter=CSVOutputAdapter(f"{tmp_path}/out.csv"),
        on_progress=seen.append,
    )
    with caplog.at_level(logging.INFO, "skyhold.records"), pytest.raises(KeyNotFoundError):
        pipe.run()
    last = [record for record in caplog.records if record.name == "skyhold.records"][-1]
    assert last.levelname == "WARNING"
    assert "failed" in last.getMessage()
    assert "key_not_found" in last.getMessage()
    assert uri in last.getMessage()
    secret = str(moto.options["secret_access_key"])
    assert secret not in caplog.text
    assert secret not in json.dumps([event.as_dict() for event in seen])
    assert (seen[-1].error, seen[-1].about["input"]) == ("key_not_found", uri)


def test_the_steps_of_a_run_are_told_in_order(tmp_path: Path):
    seen: list[Event] = []
    _pipe(tmp_path, on_progress=seen.append).run()
    assert [event.step for event in seen if event.phase == "stepped"] == ["opening", "validating", "publishing"]
    assert (seen[0].phase, seen[-1].phase) == ("started", "ended")
    assert seen[-1].usage.bytes_in == len(CONTENT)
