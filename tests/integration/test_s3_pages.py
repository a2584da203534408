"""The pages about records on object storage show all that was asked for; the root conftest runs their code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import make_bucket
from skyhold.storage.credentials.connection import Connection
from skyhold.storage.libraries import connect, endpoint_of
from skyhold.storage.location import parse_location
from skyhold.storage.opening import open_store
from skyhold.testing.servers import LocalServer

DOCS = Path(__file__).parents[2] / "docs"
FORMATS = "records-on-object-storage.md"
EXAMPLES = "records-on-object-storage-examples.md"
OPERATION = "records-on-object-storage-operation.md"

_HEADING = re.compile(r"#{1,6} (.+)")
_S3_IN = r'InputAdapter\(f?"s3://'
_S3_OUT = r'OutputAdapter\(f?"s3://'

PYTHON = [
    # What the document shows; where we do; what our block must hold, as patterns.
    ("CSV: reading", FORMATS, "CSV from a bucket", ["CSV" + _S3_IN, r'CSVOutputAdapter\("[a-z]']),
    ("CSV: writing", FORMATS, "CSV to a bucket", [r'CSVInputAdapter\("[a-z]', "CSV" + _S3_OUT]),
    ("CSV: S3 to S3", FORMATS, "CSV from bucket to bucket", ["CSV" + _S3_IN, "CSV" + _S3_OUT, "MultiThreadExecutor"]),
    ("JSON: reading", FORMATS, "JSON lines from a bucket", ["JSON" + _S3_IN, "CSVOutputAdapter"]),
    ("JSON: writing", FORMATS, "JSON lines to a bucket", ["CSVInputAdapter", "JSON" + _S3_OUT, 'format="jsonl"']),
    ("Parquet: reading", FORMATS, "Parquet from a bucket", ["Parquet" + _S3_IN, "JSONOutputAdapter"]),
    ("Parquet: writing", FORMATS, "Parquet to a bucket", ["CSVInputAdapter", "Parquet" + _S3_OUT, "max_workers=8"]),
    (
        "Parquet: data lake",
        FORMATS,
        "Parquet within a data lake",
        ["Parquet" + _S3_IN, "Parquet" + _S3_OUT, "batch_size=", r"report\.total_processed"],
    ),
    ("Arrow: reading", FORMATS, "Arrow from a bucket", ["Arrow" + _S3_IN, "CSVOutputAdapter"]),
    ("Arrow: writing", FORMATS, "Arrow to a bucket", ["JSONInputAdapter", "Arrow" + _S3_OUT]),
    (
        "ETL, local to S3",
        EXAMPLES,
        "A local file, checked, to a bucket",
        [
            r'extra="ignore"',
            "EmailStr",
            "error_output_adapter=Parquet" + _S3_OUT,
            r"pipe\.start\(\)",
            r"while not pipe\.report\.is_finished",
            r"report\.items_per_second",
            "schema_model=",
        ],
    ),
    (
        "Database to S3",
        EXAMPLES,
        "Tables of a database to a data lake",
        ["for table in", r'SQLInputAdapter\("postgresql://', "table_name=table", "Parquet" + _S3_OUT],
    ),
    (
        "S3 to S3, transformed",
        EXAMPLES,
        "Bucket to bucket with a rule of your own",
        ["@field_validator", "Parquet" + _S3_IN, "Parquet" + _S3_OUT, r"report\.total_errors"],
    ),
    ("Several formats", EXAMPLES, "From one format to another", ["JSON" + _S3_IN, "Parquet" + _S3_OUT]),
    ("Daily batch", EXAMPLES, "A day at a time", ["strftime", "CSV" + _S3_IN, "Parquet" + _S3_OUT]),
    ("Several sources", EXAMPLES, "Several sources, collected", [r"enumerate\(sources\)", ":03d}", "max_workers=4"]),
    ("Versioned lake", EXAMPLES, "Versions side by side", ["SQLInputAdapter", "strftime", "Parquet" + _S3_OUT]),
    ("Debugging", OPERATION, "Logs", [r"logging\.basicConfig\(level=logging\.DEBUG\)", "CSV" + _S3_IN]),
]

SHELL = [
    ("Access denied", OPERATION, "Before a long run", "skyhold ls s3://"),
    ("No such bucket", OPERATION, "Nothing there", r"skyhold mb s3://[\w-]+ --region"),
    ("Timeout", FORMATS, "Credentials", "export AWS_REGION="),
    ("Try a list", OPERATION, "Before a long run", "skyhold check s3://"),
    ("Try a write", OPERATION, "Before a long run", r"skyhold cp \S+ s3://"),
    ("Try a deletion", OPERATION, "Before a long run", "skyhold rm .*s3://"),
]

SERVICES = [
    ("Credentials", None, "AKIAEXAMPLE"),
    ("MinIO", "http://localhost:9000", "minioadmin"),
    ("Wasabi", "https://s3.wasabisys.com", "WASABIEXAMPLE"),
    ("DigitalOcean Spaces", "https://nyc3.digitaloceanspaces.com", "SPACESEXAMPLE"),
]


def _blocks(page: str, heading: str, language: str) -> list[str]:
    """Return the code that a reader sees in one language between a heading and the next."""
    found: dict[str, list[str]] = {}
    title, inside, lines = "", None, list[str]()
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("```"):
            if inside is None:
                inside, lines = line.removeprefix("```"), []
            else:
                found.setdefault(f"{title}/{inside}", []).append("\n".join(lines))
                inside = None
        elif inside is not None:
            lines.append(line)
        elif heads := _HEADING.fullmatch(line):
            title = heads[1]
    return found[f"{heading}/{language}"]


@pytest.mark.parametrize(("shown", "page", "heading", "patterns"), PYTHON, ids=[row[0] for row in PYTHON])
def test_each_python_block_of_the_document_has_its_counterpart(
    shown: str, page: str, heading: str, patterns: list[str]
):
    code = _blocks(page, heading, "python")[0]
    for pattern in ["from skyhold import .*Pipe", "with pipe:|is_finished", *patterns]:
        assert re.search(pattern, code), f"{shown}: {heading!r} shows no {pattern!r}"


@pytest.mark.parametrize(("shown", "page", "heading", "pattern"), SHELL, ids=[row[0] for row in SHELL])
def test_each_command_of_the_document_has_its_counterpart(shown: str, page: str, heading: str, pattern: str):
    code = "\n".join(_blocks(page, heading, "bash"))
    assert re.search(pattern, code), f"{shown}: {heading!r} shows no {pattern!r}"


def test_the_document_has_eighteen_python_blocks_and_each_counts_once():
    assert len({(page, heading) for _, page, heading, _ in PYTHON}) == 18


@pytest.mark.parametrize("page", [FORMATS, EXAMPLES, OPERATION])
def test_no_code_of_the_pages_is_passed_over(page: str):
    assert "skip:" not in (DOCS / page).read_text()
    assert page in (DOCS.parent / "mkdocs.yml").read_text()


def _connect() -> Connection:
    return connect(parse_location("s3://bucket"), {})


@pytest.mark.parametrize(("heading", "endpoint", "key"), SERVICES, ids=[row[0] for row in SERVICES])
def test_the_exports_of_the_pages_lead_to_their_service(
    heading: str, endpoint: str | None, key: str, monkeypatch: pytest.MonkeyPatch
):
    for line in _blocks(FORMATS, heading, "bash")[0].splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        monkeypatch.setenv(name, value)
    assert (endpoint or "amazonaws.com") in endpoint_of(_connect())
    assert open_store("s3://bucket").identity.startswith("environment variables AWS_ACCESS_KEY_ID")
    assert os.environ["AWS_ACCESS_KEY_ID"] == key


def test_the_credentials_file_of_the_pages_is_an_identity(private_home: Path):
    (private_home / ".aws").mkdir()
    (private_home / ".aws" / "credentials").write_text(_blocks(FORMATS, "Credentials", "ini")[0] + "\n")
    assert ".aws/credentials" in open_store("s3://bucket").identity
    assert _connect().settings["region"] == "eu-central-1"


def test_the_debugging_block_shows_each_request_and_no_secret(
    moto: LocalServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    bucket = make_bucket(moto)
    open_store(f"s3://{bucket}", **moto.options).write("small.csv", b"a,b\n1,2\n")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.options["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.options["secret_access_key"])
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    code = _blocks(OPERATION, "Logs", "python")[0].replace("s3://plant/", f"s3://{bucket}/")
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"read s3://{bucket}/small.csv: 8 in" in ran.stderr
    assert moto.options["secret_access_key"] not in ran.stderr
    assert (tmp_path / "small.csv").exists()
