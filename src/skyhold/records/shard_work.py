"""What a worker does with a shard: it reads it, judges its rows, writes its piece, and says what came of it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import uuid4

from skyhold.errors import AlreadyExistsError, MalformedInputError, RejectLimitError, StorageError
from skyhold.execution.threads import SingleThreadExecutor
from skyhold.records.flow import Flow, Request
from skyhold.records.formats.adapter import InputAdapter, PieceForm
from skyhold.records.formats.objects import ObjectPlace
from skyhold.records.hooking import Hooks
from skyhold.records.pieces import PieceAdapter, RefusedAdapter
from skyhold.records.rejects import RejectCounts
from skyhold.runs.journal import Journal
from skyhold.runs.receipt import Artifact, RejectGroup
from skyhold.runs.recording import RunRecorder
from skyhold.storage.contract import Store
from skyhold.storage.wrappers.metered import Usage

__all__ = ["ShardResult", "ShardTask", "record_key", "run_shard"]

_SCHEMA = "skyhold/shard/1"
_LOOK_S = 1.0
"""How often a worker looks whether the run was stopped: a request each time."""


@dataclass(frozen=True, slots=True, repr=False)
class ShardTask:
    """All that a worker needs.

    Attributes:
        number: Of the shard, from 0.
        input: Reads the shard.
        model: Of the pipe.
        before: Its hooks before validation.
        after: Its hooks after it.
        max_errors: A count of rejected rows after which the shard need not go on.
        store: Where pieces go.
        folder: Of the run's pieces, ending in ``/``.
        stop_key: An object that appears when all are to stop.
        keeps_rejects: Whether there is an error output.
        form: What writes the rows, where the output takes pieces as they are.
    """

    number: int
    input: InputAdapter
    model: Any
    before: Hooks
    after: Hooks
    max_errors: int | None
    store: Store
    folder: str
    stop_key: str
    keeps_rejects: bool
    form: PieceForm | None = None

    def __repr__(self) -> str:
        """Show the number alone: clusters show and log what they are given."""
        return f"<shard {self.number}>"


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What came of a shard.

    Attributes:
        number: Of the shard.
        counts: Rows read, written, rejected, dropped and added.
        rows: How many were read of each source, in order.
        inputs: URI, size, e-tag and rows of each source, as a receipt tells them.
        rejects: Why rows were rejected, by source; row numbers are the shard's own.
        last_source: The source that it ended in; the next shard may go on with it.
        rows_passed: By how much the numbers of that source's further rows are to be raised.
        lines_passed: Likewise for their lines.
        rows_key: The piece with its rows.
        rows_sha256: Of that piece.
        rejects_key: The piece with its lines of the error output; empty where there is none.
        is_cut_short: Whether it was given up because too many rows were rejected.
        usage: What this attempt has used.
    """

    number: int
    counts: Mapping[str, int]
    rows: Mapping[str, int]
    inputs: tuple[Artifact, ...]
    rejects: tuple[tuple[str, tuple[RejectGroup, ...]], ...]
    last_source: str
    rows_passed: int
    lines_passed: int
    rows_key: str
    rows_sha256: str
    rejects_key: str
    is_cut_short: bool = False
    usage: Usage = field(default_factory=Usage)

    def to_json(self) -> bytes:
        """Return all but the usage as text."""
        content = asdict(self)
        del content["usage"]
        return json.dumps({"schema": _SCHEMA, **content}, indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes, uri: str) -> "ShardResult":
        """Return what a record says.

        Raises:
            MalformedInputError: It is damaged, or of another version.
        """
        try:
            held: dict[str, Any] = json.loads(text)
            if held.pop("schema") != _SCHEMA:
                raise MalformedInputError(f"{uri!r} is of another version")
            held["inputs"] = tuple(Artifact(**each) for each in held["inputs"])
            held["rejects"] = tuple((name, tuple(map(_read_group, groups))) for name, groups in held["rejects"])
            return cls(**held)
        except (ValueError, KeyError, TypeError) as error:
            raise MalformedInputError(
                f"{uri!r} is damaged: {error}", remedy="Delete the folder that it lies in, and run the pipe again"
            ) from error


def _read_group(held: dict[str, Any]) -> RejectGroup:
    held["sample_rows"] = tuple(held["sample_rows"])
    return RejectGroup(**held)


def record_key(folder: str, number: int) -> str:
    """Return where the record of a finished shard lies.

    Example:
        >>> record_key("out.csv.pieces/ab12/", 3)
        'out.csv.pieces/ab12/shard-00003.json'
    """
    return f"{folder}shard-{number:05d}.json"


def run_shard(task: ShardTask, stop: threading.Event | None = None) -> ShardResult:
    """Work through a shard.

    The first attempt that is finished counts: its record is created, never replaced, and those of others say the same.

    Args:
        task: The shard.
        stop: Set to end soon, where whoever sets it is in this process.

    Raises:
        StoppedError: The run was stopped.
        Exception: Whatever made it fail.
    """
    recorder = RunRecorder("shard", repr(task), asked={}, unit="rows", journal=Journal(None))
    store = recorder.metered(task.store)
    name = f"{task.folder}shard-{task.number:05d}-{uuid4().hex[:12]}"
    rows_key = f"{name}.rows"
    rejects_key = f"{name}.rejects" if task.keeps_rejects else ""
    refused = RefusedAdapter(ObjectPlace(store, rejects_key) if rejects_key else None)
    request = Request(
        task.input,
        PieceAdapter(ObjectPlace(store, rows_key), task.form),
        refused,
        task.model,
        SingleThreadExecutor(),
        task.before,
        task.after,
        task.max_errors,
    )
    is_cut_short = False
    with _stopped_by(store, task.stop_key, stop) as asked:
        flow = Flow(request, recorder, RejectCounts(), asked, recorder.metered)
        try:
            flow.run()
        except RejectLimitError:
            is_cut_short = True  # who knows the rows before it can say which they are
    result = ShardResult(
        task.number,
        recorder.progress.counts,
        dict(flow.rows_by_source),
        tuple(recorder.inputs),
        tuple((source, counts.groups()) for source, counts in refused.counts.items()),
        flow.last_source,
        flow.rows_by_source[flow.last_source] if flow.passed.rows is None else flow.passed.rows,
        flow.passed.lines or 0,
        rows_key,
        (recorder.outputs[-1].sha256 or "") if recorder.outputs else "",
        rejects_key,
        is_cut_short,
    )
    if not is_cut_short:
        result = _note(result, store, task.folder)
    return replace(result, usage=recorder.meter.usage)


@contextmanager
def _stopped_by(store: Store, key: str, stop: threading.Event | None) -> Generator[threading.Event]:
    """Give what is set when the run is to stop: by somebody in this process, or else when an object appears."""
    if stop is not None:
        yield stop
        return
    asked, ended = threading.Event(), threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_S):
            with suppress(StorageError):  # the work itself says what is wrong with the store
                if store.exists(key):
                    asked.set()
                    return

    watch = threading.Thread(target=look, name="skyhold-stop-watch", daemon=True)
    watch.start()
    try:
        yield asked
    finally:
        ended.set()
        watch.join()


def _note(result: ShardResult, store: Store, folder: str) -> ShardResult:
    """Create the record of a shard; return that of another attempt, if it was first."""
    key = record_key(folder, result.number)
    try:
        store.write(key, result.to_json(), if_absent=True)
    except AlreadyExistsError:
        store.delete([each for each in (result.rows_key, result.rejects_key) if each])
        return ShardResult.from_json(store.read(key), store.uri_of(key))
    return result
