"""Records on the command line: real commands, real servers, exit codes, and output that programs read."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from conftest import make_bucket
from skyhold import open_input, open_store
from skyhold.cli.application import run
from skyhold.records.formats.limited import LimitedInputAdapter
from skyhold.testing.servers import LocalServer

MODEL = """
from pydantic import BaseModel, Field


class Sale(BaseModel):
    order_id: str
    revenue: float = Field(gt=0)
"""
SALES = "order_id,revenue\na1,10.5\na2,-3\nbad\na3,7\n"
Say = Callable[..., tuple[int, list[Any], str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.py").write_text(MODEL)
    (tmp_path / "sales.csv").write_text(SALES)
    return tmp_path


@pytest.fixture
def say(folder: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command with --json; return its code, what it printed, and what it said beside it."""

    def call(*arguments: str) -> tuple[int, list[Any], str]:
        capsys.readouterr()
        code = run([*arguments, "--json"])
        out, beside = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], beside

    return call


def options_of(server: LocalServer) -> list[str]:
    return [word for name, value in server.options.items() for word in ("-o", f"{name}={value}")]


def test_rows_go_from_a_bucket_to_a_bucket_through_a_model(say: Say, moto: LocalServer):
    bucket, options = f"s3://{make_bucket(moto)}", options_of(moto)
    store = open_store(bucket, **moto.options)
    store.write("in/sales.csv", SALES.encode())
    arguments = [
        f"{bucket}/in/*.csv",
        f"{bucket}/out.parquet",
        "--schema",
        "m.py:Sale",
        "--errors",
        f"{bucket}/bad.jsonl",
    ]
    code, lines, _ = say("convert", *arguments, *options)
    (summary,) = (line["summary"] for line in lines)
    assert code == 0
    assert (summary["rows_read"], summary["rows_written"], summary["rows_rejected"]) == (4, 2, 2)
    assert [(group["field"], group["count"]) for group in summary["rejects"]] == [("$", 1), ("$.revenue", 1)]
    assert summary["requests"]["write"] >= 2
    assert summary["cost"]["requests"] > 0
    assert pq.read_table(pa.BufferReader(store.read("out.parquet"))).to_pylist() == [
        {"order_id": "a1", "revenue": 10.5},
        {"order_id": "a3", "revenue": 7.0},
    ]
    assert [json.loads(line)["row_number"] for line in store.read("bad.jsonl").splitlines()] == [2, 3]
    assert summary["receipt"] == f"{bucket}/out.parquet.receipt.json"
    receipt = store.read("out.parquet.receipt.json").decode()
    assert json.loads(receipt)["command"].startswith(
        f"skyhold convert '{bucket}/in/*.csv' {bucket}/out.parquet --schema"
    )
    assert moto.options["secret_access_key"] not in receipt
    code, lines, _ = say("verify", summary["receipt"], *options)
    assert code == 0
    assert {line["check"]: line["state"] for line in lines[:-1]}["rows"] == "ok"
    store.write("out.parquet", b"changed")
    assert say("verify", summary["receipt"], *options)[0] == 1


def test_a_secret_that_was_typed_is_in_no_receipt(say: Say, folder: Path):
    for spelled in (["-o", "secret_access_key=hunter2xyz"], ["--option=secret_access_key=hunter2xyz"]):
        assert say("convert", "sales.csv", "out.csv", *spelled)[0] == 0
        receipt = (folder / "out.csv.receipt.json").read_text()
        assert "hunter2xyz" not in receipt
        assert "redacted" in receipt


def test_a_folder_takes_many_files_and_is_verified_as_one(say: Say, folder: Path):
    (folder / "n.csv").write_text("n,k\n" + "".join(f"{n},{'ab'[n % 2]}\n" for n in range(10)))
    arguments = ["n.csv", "d/", "--rows-per-file", "4", "--partition-by", "k", "-O", "compression=snappy"]
    code, lines, _ = say("convert", *arguments)
    assert (code, lines[-1]["summary"]["rows_written"]) == (0, 10)
    assert len(list(folder.glob("d/k=*/part-*.parquet"))) == 6
    codec = pq.read_metadata(folder / "d/k=a/part-00000.parquet").row_group(0).column(0).compression
    assert codec == "SNAPPY"
    code, lines, _ = say("verify", "d/")
    assert code == 0
    assert sum(line.get("check") == "sha256" for line in lines) == 6
    assert say("convert", *arguments)[0] == 5, "it is complete already"
    assert say("convert", *arguments, "--overwrite")[0] == 0
    (folder / "d/k=b/part-00001.parquet").unlink()
    assert say("verify", "d/")[0] == 1


def test_several_sources_and_formats_that_no_name_tells(say: Say, folder: Path):
    (folder / "one.csv").write_text("a;b\n1;x\n")
    (folder / "two.csv").write_text("a;b\n2;y\n")
    assert say("convert", "one.csv", "two.csv", "both", "--format", "jsonl", "-i", "delimiter=;")[0] == 0
    assert [json.loads(line)["a"] for line in (folder / "both").read_text().splitlines()] == ["1", "2"]
    (folder / "plain").write_text("a\n1\n")
    assert say("convert", "plain", "p.csv")[0] == 1, "one column tells nothing"
    assert say("convert", "plain", "p.csv", "--input-format", "csv")[0] == 0
    assert say("convert", "one.csv", "t.parquet", "-i", r"delimiter=\t")[0] == 0
    assert pq.read_schema(folder / "t.parquet").names == ["a;b"]


def test_a_database_is_read_and_written_by_its_options(say: Say, folder: Path):
    table = f"sqlite:///{folder / 'd.db'}"
    assert say("convert", "sales.csv", table, "-O", "table_name=sales", "--schema", "m:Sale")[0] == 0
    code, lines, _ = say("head", table, "-i", "query=select revenue from sales order by revenue")
    assert [line["values"]["revenue"] for line in lines[:-1]] == [7.0, 10.5]
    code, lines, _ = say("convert", "sales.csv", table)
    assert (code, lines[0]["error"]["message"]) == (8, "SQLOutputAdapter needs the option 'table_name'")
    run_id = say("runs", "ls")[1][0]["run_id"]
    code, lines, _ = say("verify", run_id)
    assert code == 0
    told = next(line for line in lines if line.get("check") == "exists")
    assert (told["state"], told["expected"]) == ("warning", "a table with 2 rows of this run")


@pytest.mark.parametrize(
    ("code", "words", "arguments"),
    [
        (7, "more than max_errors=1.00%", ["sales.csv", "o.csv", "--schema", "m:Sale", "--max-errors", "1%"]),
        (7, "more than max_errors=1", ["sales.csv", "o.csv", "--schema", "m:Sale", "--max-errors", "1"]),
        (8, "neither a count nor a share", ["sales.csv", "o.csv", "--max-errors", "some"]),
        (8, "Did you mean m:Sale?", ["sales.csv", "o.csv", "--schema", "m:Sail"]),
        (8, "Did you mean m.py:Sale?", ["sales.csv", "o.csv", "--schema", "m.py:sale"]),
        (8, "no module 'mm'", ["sales.csv", "o.csv", "--schema", "mm:Sale"]),
        (8, "Did you mean 'm.py'?", ["sales.csv", "o.csv", "--schema", "mm.py:Sale"]),
        (8, "broken.py, line 2", ["sales.csv", "o.csv", "--schema", "broken.py:Sale"]),
        (8, "names no model", ["sales.csv", "o.csv", "--schema", "m"]),
        (8, "Did you mean 'delimiter'?", ["sales.csv", "o.csv", "-i", "delimter=;"]),
        (8, "cannot be read as", ["sales.csv", "o.parquet", "-O", "row_group_rows=many"]),
        (8, "has no value", ["sales.csv", "o.csv", "-O", "delimiter"]),
        (8, "--resume is for a folder", ["sales.csv", "o.csv", "--resume"]),
        (8, "--partition-by is for a folder", ["sales.csv", "o.csv", "--partition-by", "order_id"]),
        (8, "--limit and --resume", ["sales.csv", "o/", "--limit", "3", "--resume"]),
        (8, "tells no format", ["sales.csv", "o"]),
        (8, "needs a source and a target", ["sales.csv"]),
        (3, "none.csv': no such file", ["none.csv", "o.csv"]),
        (3, "none-*.csv", ["none-*.csv", "o.csv"]),
    ],
)
def test_each_mistake_has_its_code_and_its_words(say: Say, folder: Path, code: int, words: str, arguments: list[str]):
    (folder / "broken.py").write_text("x = 1\nSale = undefined_name\n")
    found, lines, beside = say("convert", *arguments)
    assert (found, words in beside) == (code, True), beside
    assert "message" in lines[-1]["error"]
    assert not list(folder.glob("o*"))


def test_a_failed_run_still_tells_why_rows_were_refused(say: Say):
    _, lines, _ = say("convert", "sales.csv", "o.csv", "--schema", "m:Sale", "--max-errors", "0%")
    assert lines[0]["summary"]["state"] == "failed"
    assert lines[0]["summary"]["rejects"][1]["sample_rows"] == [2]
    assert lines[1]["error"]["code"] == "reject_limit"


def test_a_dry_run_says_what_it_would_do_and_does_nothing(say: Say, folder: Path):
    code, lines, _ = say("convert", "sales.csv", "o.parquet", "--dry-run")
    assert (code, lines[0]["action"], lines[-1]["summary"]["dry_run"]) == (0, "would convert", True)
    assert not (folder / "o.parquet").exists()


def test_a_limit_counts_malformed_rows_where_they_stand(say: Say, folder: Path):
    (folder / "bad.csv").write_text("a,b\n1,1\nbad\nworse\n2,2\n")
    for limit, good, bad in ((0, 0, 0), (1, 1, 0), (2, 1, 1), (3, 1, 2), (4, 2, 2), (9, 2, 2)):
        _, lines, _ = say("convert", "bad.csv", "o.csv", "--limit", str(limit))
        summary = lines[-1]["summary"]
        assert (summary["rows_written"], summary["rows_rejected"]) == (good, bad)
        with LimitedInputAdapter(open_input("bad.csv"), limit).open(lambda store: store) as stream:
            batches = list(stream.batches())
        assert sum(batch.data.num_rows for batch in batches) == good
        assert sum(len(batch.malformed) for batch in batches) == bad


def test_explain_tells_each_fields_route(say: Say):
    code, lines, _ = say("explain", "sales.csv", "--schema", "m:Sale")
    assert code == 0
    assert [(line["field"], line["route"], line["type"]) for line in lines[:-1]] == [
        ("order_id", "kernel", "string"),
        ("revenue", "kernel", "double"),
    ]
    assert lines[-1]["summary"] == {"kernel": 2, "column": 0, "row": 0}


def test_head_shows_rows_and_what_is_malformed(say: Say, folder: Path, capsys: pytest.CaptureFixture[str]):
    _, lines, _ = say("head", "sales.csv", "-n", "3")
    assert lines[0] == {"row": 1, "values": {"order_id": "a1", "revenue": "10.5"}}
    assert (lines[2]["row"], lines[2]["malformed"], lines[2]["original"]) == (3, "ragged_row", "bad")
    (folder / "j.jsonl").write_text('{"a": 1, "t": "\\u001b[2J"}\n[1]\n{"b": null}\n')
    capsys.readouterr()
    assert run(["head", "j.jsonl"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].split() == ["row", "a", "t", "b"]
    assert "\x1b" not in out
    assert "row 2 is malformed: the line is no JSON object: [1]" in out


@pytest.mark.parametrize(("suffix", "most"), [("csv", 4), ("jsonl", 4), ("parquet", 9), ("arrow", 5)])
def test_head_asks_for_no_more_than_it_shows(say: Say, folder: Path, moto: LocalServer, suffix: str, most: int):
    bucket, options = f"s3://{make_bucket(moto)}", options_of(moto)
    text = "x" * 90
    table = pa.table({"n": range(400_000), "text": [f"{text}{n * 7919 % 400_000}" for n in range(400_000)]})
    pq.write_table(table, folder / "big.parquet", compression="none", use_dictionary=False, row_group_size=50_000)
    assert say("convert", "big.parquet", f"{bucket}/big.{suffix}", *options, *_written_as(suffix))[0] == 0
    before = moto.log.read_text()
    code, lines, _ = say("head", f"{bucket}/big.{suffix}", "-n", "5", *options)
    assert (code, len(lines)) == (0, 6)
    asked = re.findall(r"(?:GET|HEAD) (/\S*) HTTP", moto.log.read_text()[len(before) :])
    assert 1 <= lines[-1]["summary"]["requests"] == len(asked) <= most
    stored = open_store(bucket, **moto.options).info(f"big.{suffix}").size_bytes
    assert lines[-1]["summary"]["bytes_in"] < stored / 2


def _written_as(suffix: str) -> list[str]:
    groups = ["-O", "row_group_rows=10000"] if suffix == "parquet" else []
    return [*groups, "-O", "compression=none"] if suffix in ("parquet", "arrow") else []


def test_a_run_that_is_asked_to_end_leaves_what_was_there(folder: Path, private_home: Path):
    (folder / "slow.csv").write_text("n\n" + ("1\n" * 99 + "9\n") * 20_000)
    (folder / "slow.py").write_text(
        "import time\nfrom typing import Annotated\nfrom pydantic import AfterValidator, BaseModel\n"
        "def wait(value: int) -> int:\n    value == 9 and time.sleep(0.001)\n    return value\n"
        "class Row(BaseModel):\n    n: Annotated[int, AfterValidator(wait)]\n"
    )
    (folder / "out.csv").write_text("before")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        command = [sys.executable, "-m", "skyhold.cli", "convert", "slow.csv", "out.csv", "--schema", "slow.py:Row"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            while not _is_running(private_home) and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
        assert (process.returncode, "Traceback" in said) == (code, False), said
        assert (folder / "out.csv").read_text() == "before"
        for file in (private_home / "state").rglob("*"):
            if file.is_file():
                file.unlink()


def _is_running(home: Path) -> bool:
    return any("slow.csv" in file.read_text() for file in (home / "state").rglob("*") if file.is_file())
