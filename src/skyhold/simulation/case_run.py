"""One attempt at a case: fetch, prepare, simulate, keep, upload, and commit last."""

import hashlib
import json
import shutil
import threading
import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from skyhold.errors import AlreadyExistsError, IntegrityError, MissingExtraError, SkyholdError, StorageError
from skyhold.runs.hashing import HashingWriter
from skyhold.simulation.known_cases import KnownCases
from skyhold.simulation.layout import blob_key, done_key, out_key
from skyhold.simulation.outcome import KeptFile, Outcome, finite_values, read_outcomes, write_outcomes
from skyhold.simulation.patches import apply_patch
from skyhold.simulation.result_record import ResultRecord
from skyhold.simulation.simulator import Job, Kept, OutputRequester, Simulator, Verdict, Watch
from skyhold.simulation.tasks import Task
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes
from skyhold.storage.transfer import SHA256
from skyhold.storage.trimming import note_use, trim_folder

__all__ = ["Attempt", "BlobFolder", "CaseRunner"]

_UPLOADS = 8
_BLOCK_BYTES = 1 << 20

_FETCHING = threading.Lock()
"""Workers of one process want the same model and weather in the same moment."""


class BlobFolder:
    """Content of a campaign on this machine, fetched once however many workers there are.

    What was not used for a day goes when there is too much; it can be fetched again.

    Args:
        store: The campaign's.
        folder: Where; other processes may use it too.
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self.document = lru_cache(8)(self._document)

    def path(self, sha256: str, suffix: str) -> Path:
        """Return where content lies, fetched if need be; engines look at a file's ending.

        Raises:
            IntegrityError: Other bytes came than were written.
        """
        path = self._folder / f"{sha256}{suffix}"
        if path.exists():
            note_use(path)
        else:
            with _FETCHING:
                self._fetch(sha256, path)
        return path

    def _fetch(self, sha256: str, path: Path) -> None:
        if not path.exists():
            data = self._store.read(blob_key(sha256))
            if hashlib.sha256(data).hexdigest() != sha256:
                raise IntegrityError(
                    "the bytes have another hash than their name says",
                    operation="read",
                    uri=self._store.uri_of(blob_key(sha256)),
                    remedy="Create the campaign anew under another name",
                )
            self._folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
            draft.write_bytes(data)
            draft.replace(path)
            trim_folder(self._folder)

    def _document(self, sha256: str, suffix: str) -> Any:
        return json.loads(self.path(sha256, suffix).read_bytes())


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that has ended here, and is not in the store yet.

    Attributes:
        task: The case.
        name: Which attempt at it.
        folder: Where its files are.
        verdict: How it ended.
        prepare_s: Seconds that it took before the engine ran.
        known: The record of another run's result, whose files are here; None where it was run.
    """

    task: Task
    name: str
    folder: Path
    verdict: Verdict
    prepare_s: float
    known: ResultRecord | None = None


@dataclass(frozen=True, slots=True)
class CaseRunner:
    """Runs cases for one worker. `simulate` and `commit` may run in two threads, one attempt behind the other.

    Args:
        store: The campaign's.
        simulator: Runs the cases.
        blobs: Models and weather files.
        names: What files were called, by their hash.
        timeout_s: How long a case may take.
        worker: Our name.
        scratch: An empty folder.
        known: Results that this machine has already; None where every case is to be run.
    """

    store: Store
    simulator: Simulator
    blobs: BlobFolder
    names: Mapping[str, str]
    timeout_s: float | None
    worker: str
    scratch: Path
    known: KnownCases | None = None

    def simulate(self, task: Task, stop: threading.Event) -> Attempt:
        """Run a case; a failure is told by the attempt's verdict.

        Raises:
            StorageError: Model or weather cannot be fetched.
            MissingExtraError: This machine has not what the simulator needs.
        """
        begun = time.monotonic()
        name = uuid.uuid4().hex[:16]
        folder = self.scratch / name
        (folder / "run").mkdir(parents=True)
        try:
            known = self._take_known(task, folder)
            if known is not None:
                return Attempt(task, name, folder, known.verdict, time.monotonic() - begun, known)
            job = self._prepare(task, folder)
            prepare_s = time.monotonic() - begun
            verdict = self.simulator.simulate(job, folder / "run", Watch(self.timeout_s, stop))
        except SkyholdError as error:
            if isinstance(error, StorageError | MissingExtraError):
                raise
            return Attempt(task, name, folder, self._failed(error), time.monotonic() - begun)
        return Attempt(task, name, folder, verdict, prepare_s)

    def commit(self, attempt: Attempt, home: str) -> Outcome:
        """Keep and upload what an attempt has left, and note that it counts; return what counts in the end.

        Args:
            attempt: Which.
            home: The chunk under which the case's end is noted.

        Raises:
            StorageError: The store does not take it. The case is as if it had never been run.
        """
        try:
            return self._commit(attempt, home)
        finally:
            shutil.rmtree(attempt.folder, ignore_errors=True)

    def _commit(self, attempt: Attempt, home: str) -> Outcome:
        case, verdict = attempt.task.case, attempt.verdict
        outcome = Outcome.of(case, attempt.name, self.worker, verdict, attempt.known)
        if not verdict.is_success:
            return outcome
        begun = time.monotonic()
        target = attempt.folder / "kept"
        try:
            kept = self._keep(attempt, target)
        except SkyholdError as error:
            return Outcome.of(case, attempt.name, self.worker, self._failed(error))
        kept_at = time.monotonic()
        files = self._upload(case, attempt.name, target, kept.files)
        spent = {
            "prepare_s": round(attempt.prepare_s, 4),
            "keep_s": round(kept_at - begun, 4),
            "upload_s": round(time.monotonic() - kept_at, 4),
        }
        return self._publish(replace(outcome, files=files, values=finite_values(kept.values), spent=spent), home)

    def _keep(self, attempt: Attempt, target: Path) -> Kept:
        if attempt.known is not None:
            return Kept(tuple(file.name for file in attempt.known.files), attempt.known.values)
        target.mkdir()
        kept = self.simulator.keep(attempt.folder / "run", target, attempt.task.selection)
        if self.known is not None:
            task = attempt.task
            self.known.put(task, self._base(task), attempt.name, attempt.verdict, (kept, target))
        return kept

    def _take_known(self, task: Task, folder: Path) -> ResultRecord | None:
        if self.known is None:
            return None
        target = folder / "kept"
        target.mkdir()
        record = self.known.take(task, self._base(task), target)
        if record is None:
            target.rmdir()
        return record

    def _base(self, task: Task) -> Any:
        return self.blobs.document(task.model, self._suffix(task.model)) if task.patch else None

    def _publish(self, outcome: Outcome, home: str) -> Outcome:
        key = done_key(home, outcome.case)
        try:
            self.store.write(key, write_outcomes([outcome]), if_absent=True)
        except AlreadyExistsError:
            self.store.delete([out_key(outcome.case, outcome.attempt, file.path) for file in outcome.files])
            return read_outcomes(self.store.read(key))[0]
        return outcome

    def _upload(self, case: str, attempt: str, folder: Path, files: tuple[str, ...]) -> tuple[KeptFile, ...]:
        def upload(path: str) -> KeptFile:
            return self._upload_file(out_key(case, attempt, path), folder / path, path)

        if len(files) < 2:  # noqa: PLR2004 - nothing to do at the same time
            return tuple(map(upload, files))
        with ThreadPoolExecutor(min(_UPLOADS, len(files)), thread_name_prefix="skyhold-keep") as pool:
            return tuple(pool.map(upload, files))

    def _upload_file(self, key: str, file: Path, path: str) -> KeptFile:
        size_bytes = file.stat().st_size
        if size_bytes <= 8 * _BLOCK_BYTES:
            data = file.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            self.store.write(key, data, attributes=Attributes({SHA256: sha256}))
            return KeptFile(path, len(data), sha256)
        writer = HashingWriter(self.store.open_writer(key))
        with writer, file.open("rb") as reader:
            while block := reader.read(_BLOCK_BYTES):
                writer.write(block)
        return KeptFile(path, size_bytes, writer.sha256)

    def _prepare(self, task: Task, folder: Path) -> Job:
        suffix = self._suffix(task.model)
        model = self.blobs.path(task.model, suffix)
        if task.patch or isinstance(self.simulator, OutputRequester):
            document = apply_patch(self.blobs.document(task.model, suffix), task.patch)
            if isinstance(self.simulator, OutputRequester):
                document = self.simulator.request_outputs(document, task.selection)
            model = folder / f"model{suffix}"
            model.write_text(json.dumps(document), encoding="utf-8")
        weather = None if task.weather is None else self.blobs.path(task.weather, self._suffix(task.weather))
        return Job(model, weather, task.options)

    def _suffix(self, sha256: str) -> str:
        return PurePosixPath(self.names.get(sha256, "")).suffix

    def _failed(self, error: SkyholdError) -> Verdict:
        """What a simulator or a selection refuses now, it refuses again."""
        return Verdict("engine", None, (), 0.0, self.simulator.build, f"{type(error).__name__}: {error}")
