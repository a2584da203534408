"""What is written beside results: that a run was begun, and, last of all, what it is.

Both lie under ``_skyhold/`` in the run's folder. Their names are those of the classes here; within one version names
may be added, never changed or taken away.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from skyhold.runs.json_reader import JsonReader
from skyhold.simulation.engine_messages import EngineMessages
from skyhold.simulation.simulator import EngineMessage, FailureClass, Quantity, Severity, Verdict

__all__ = ["BEGUN", "OWN_FOLDER", "RECEIPT", "RECORD", "Begun", "RecordedFile", "ResultRecord", "record_files"]

OWN_FOLDER = "_skyhold/"
BEGUN = OWN_FOLDER + "begun.json"
RECORD = OWN_FOLDER + "result.json"
RECEIPT = OWN_FOLDER + "run.receipt.json"

_SCHEMA = "skyhold.result/1"
_BEGUN_SCHEMA = "skyhold.begun/1"
_MOST_MESSAGES = 1000


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """One file of a result, as it was when the run ended."""

    name: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Begun:
    """That a run was begun in a folder.

    Attributes:
        run_id: Which.
        key: Of its inputs.
        started: When, by the clock of the machine that runs it.
        host: Which machine that is.
        files: What it is about to write; None while the engine still runs.
    """

    run_id: str
    key: str
    started: datetime
    host: str
    files: tuple[str, ...] | None = None

    def to_json(self) -> bytes:
        """Return it as text."""
        content: dict[str, Any] = asdict(self) | {
            "schema": _BEGUN_SCHEMA,
            "started": self.started.astimezone(UTC).isoformat(),
        }
        if self.files is not None:
            content["files"] = [{"name": name} for name in self.files]
        return _dump(content)

    @staticmethod
    def from_json(text: bytes) -> "Begun":
        """Return what ``text`` says.

        Raises:
            MalformedInputError: It is damaged, or of a version that this package does not know.
        """
        reader = JsonReader.parse(text)
        reader.one_of("schema", _BEGUN_SCHEMA)
        files = reader.children("files", lambda each: each.text("name")) if reader.has("files") else None
        return Begun(reader.text("run_id"), reader.text("key"), reader.moment("started"), reader.text("host"), files)


@dataclass(frozen=True, slots=True)
class ResultRecord:
    """What a run is, written when all its files are there.

    Attributes:
        run_id: Which run.
        key: Of its inputs (`skyhold.simulation.case.case_key`): equal for runs that give equal results.
        label: What people call it.
        finished: When the run ended.
        simulator: Which engine, by name.
        inputs: What went in, as plain JSON: model (SHA-256 of its canonical bytes) and weather with URI, options, and
            selection.
        verdict: How it ended.
        message_counts: How often the engine said something, by severity; the verdict has the first 1,000 messages.
        files: What is there, sorted by name.
        values: Results by name.
    """

    run_id: str
    key: str
    label: str
    finished: datetime
    simulator: str
    inputs: Mapping[str, Any]
    verdict: Verdict
    message_counts: Mapping[Severity, int]
    files: tuple[RecordedFile, ...]
    values: Mapping[str, Quantity] = field(default_factory=dict[str, Quantity])

    @property
    def messages(self) -> EngineMessages:
        """What the engine said."""
        return EngineMessages(self.verdict.messages, {str(name): count for name, count in self.message_counts.items()})

    def to_json(self) -> bytes:
        """Return it as text."""
        content: dict[str, Any] = asdict(self) | {
            "schema": _SCHEMA,
            "finished": self.finished.astimezone(UTC).isoformat(),
        }
        content["verdict"]["messages"] = [asdict(message) for message in self.verdict.messages[:_MOST_MESSAGES]]
        return _dump(content)

    @staticmethod
    def from_json(text: bytes) -> "ResultRecord":
        """Return what ``text`` says.

        Raises:
            MalformedInputError: It is damaged, or of a version that this package does not know.
        """
        reader = JsonReader.parse(text)
        reader.one_of("schema", _SCHEMA)
        verdict = reader.child("verdict", _read_verdict)
        return ResultRecord(
            run_id=reader.text("run_id"),
            key=reader.text("key"),
            label=reader.text("label", ""),
            finished=reader.moment("finished"),
            simulator=reader.text("simulator"),
            inputs=reader.mapping("inputs"),
            verdict=verdict or _read_verdict(JsonReader({}, "$.verdict")),
            message_counts=cast("dict[Severity, int]", reader.mapping_of("message_counts", int, "an integer")),
            files=reader.children("files", _read_file),
            values={name: _read_quantity(value, name) for name, value in reader.mapping("values").items()},
        )


def record_files(folder: Path, names: Iterable[str]) -> tuple[RecordedFile, ...]:
    """Return size and hash of files of a folder, sorted by name."""
    found: list[RecordedFile] = []
    for name in sorted(names):
        with (folder / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.append(RecordedFile(name, file.tell(), digest))
    return tuple(found)


def _read_verdict(reader: JsonReader) -> Verdict:
    failures = ("engine", "timeout", "crash", "cancelled", "infrastructure")
    failure = reader.one_of("failure", *failures) if reader.has("failure") else None
    return Verdict(
        failure=cast("FailureClass | None", failure),
        exit_code=reader.integer_or_none("exit_code"),
        messages=reader.children("messages", _read_message),
        seconds=reader.number("seconds"),
        build=reader.text("build"),
        detail=reader.text("detail", ""),
    )


def _read_message(reader: JsonReader) -> EngineMessage:
    severity = cast("Severity", reader.one_of("severity", "warning", "severe", "fatal"))
    return EngineMessage(severity, reader.text("text"), reader.integer("count", 1))


def _read_file(reader: JsonReader) -> RecordedFile:
    return RecordedFile(reader.text("name"), reader.integer("size_bytes"), reader.text("sha256"))


def _read_quantity(value: Any, name: str) -> Quantity:
    reader = JsonReader(value, f"$.values.{name}")
    found: Any = value["value"] if reader.has("value") else None
    return Quantity(found, reader.text("unit", ""))


def _dump(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )
