"""Where runs are listed: a folder with a file for each, of this machine's user.

A file is named after its run and always whole. While the run goes on it says who runs it and how far it is; at the end
the receipt takes its place. Processes share a folder without locks, since none writes to the file of another's run.
"""

import json
import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Literal

from skyhold.errors import AccessDeniedError, KeyNotFoundError, MalformedInputError, VerificationError
from skyhold.runs.json_reader import JsonReader
from skyhold.runs.liveness import ProcessMark, is_alive, mark_process
from skyhold.runs.progress import Event
from skyhold.runs.receipt import Receipt

__all__ = ["Journal", "JournalEntry", "JournalState", "RunningRun", "default_journal"]

_LOG = logging.getLogger("skyhold.runs")
_SCHEMA = "skyhold.run/1"
_KEEP = 1000
_UPDATE_S = 1.0
_STALE_S = 3600.0
_NAME = re.compile(r"(\d{8}T\d{12}-[0-9a-f]+)\.json")

JournalState = Literal["running", "killed", "completed", "failed", "stopped", "unreadable"]


@dataclass(frozen=True, slots=True)
class RunningRun:
    """How far a run is that has not said how it ended.

    Attributes:
        process: Who runs it, or ran it.
        updated: When it was last heard of.
        done: Units done by then.
        total: Units in all, None while it was not known.
        unit: What is counted.
        counts: Further numbers.
        rate: Units a second by then.
    """

    process: ProcessMark
    updated: datetime
    done: int = 0
    total: int | None = None
    unit: str = ""
    counts: "dict[str, int] | None" = None
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One run as the journal knows it.

    Attributes:
        run_id: Which.
        kind: What sort of run.
        name: What a person calls it.
        state: ``"killed"`` means that its process is gone and it never said how it ended; ``"unreadable"`` that its
            file is damaged, or of a newer skyhold.
        started: When.
        receipt: What it left; None while it runs, or when it was killed.
        running: How far it is, or was when it was killed; None when there is a receipt.
    """

    run_id: str
    kind: str
    name: str
    state: JournalState
    started: datetime
    receipt: Receipt | None = None
    running: RunningRun | None = None


class Journal:
    """Keeps the newest 1,000 runs. A folder that cannot be written costs a warning, never a run.

    Args:
        folder: Where; made at the first run. None keeps nothing.
        keep: How many runs; those that still run are kept however old they are.

    Example:
        >>> Journal(Path(tempfile.mkdtemp())).list_runs()
        []
    """

    def __init__(self, folder: Path | None, *, keep: int = _KEEP) -> None:
        self._folder = folder
        self._keep = keep
        self._warned = False
        self._lock = threading.Lock()
        self._open: dict[str, tuple[dict[str, Any], float]] = {}

    def begin(self, run_id: str, kind: str, name: str, started: datetime) -> None:
        """Note that a run of this process has begun."""
        note = {
            "schema": _SCHEMA,
            "run_id": run_id,
            "kind": kind,
            "name": name,
            "started": started.isoformat(),
            "updated": started.isoformat(),
            "process": mark_process().as_dict(),
        }
        with self._lock:
            self._open[run_id] = (note, time.monotonic())
            self._write(run_id, _dump(note))

    def update(self, event: Event) -> None:
        """Note how far a run is, at most once a second; a `skyhold.runs.progress.Listener`."""
        with self._lock:
            note, written = self._open.get(event.run_id, (None, 0.0))
            now = time.monotonic()
            if note is None or event.phase == "ended" or now - written < _UPDATE_S:
                return
            note |= {
                "updated": event.at.isoformat(),
                "done": event.done,
                "total": event.total,
                "unit": event.unit,
                "counts": dict(event.counts),
                "rate": event.rate,
            }
            self._open[event.run_id] = (note, now)
            self._write(event.run_id, _dump(note))

    def finish(self, receipt: Receipt) -> None:
        """Note how a run has ended."""
        with self._lock:
            self._open.pop(receipt.run_id, None)
            self._write(receipt.run_id, receipt.to_json())
        self._prune()

    def list_runs(
        self, limit: int | None = 50, *, kind: str | None = None, state: JournalState | None = None
    ) -> list[JournalEntry]:
        """Return runs, newest first.

        Args:
            limit: How many; None is all.
            kind: Only those of this sort.
            state: Only those in this state.

        Raises:
            AccessDeniedError: The journal may not be read.
        """
        found: list[JournalEntry] = []
        for entry in self._entries():
            if limit is not None and len(found) >= limit:
                break
            if kind in {None, entry.kind} and state in {None, entry.state}:
                found.append(entry)
        return found

    def read_run(self, run_id: str) -> JournalEntry:
        """Return one run, by its id or the beginning of it.

        Raises:
            KeyNotFoundError: None, or more than one, begins like this.
            MalformedInputError: Its file is damaged, or of a newer skyhold.
            VerificationError: Its receipt's counts do not balance, so it was changed.
        """
        known = self._run_ids()
        found = [run_id] if run_id in known else [each for each in known if run_id and each.startswith(run_id)]
        if len(found) == 1:
            entry = self._read(found[0])
            if entry is not None:
                return entry
            found = []
        near = found or get_close_matches(run_id, known, 3) or known[:3]
        raise KeyNotFoundError(
            f"{f'{len(found)} runs begin' if found else 'no run begins'} with {run_id!r}",
            operation="read run",
            uri=str(self._folder or ""),
            remedy=f"Name one of: {', '.join(near[:5])}" if near else "Nothing was run yet with this journal",
        )

    def _entries(self) -> Iterator[JournalEntry]:
        for run_id in self._run_ids():
            try:
                entry = self._read(run_id)
            except (MalformedInputError, VerificationError):
                began = datetime.strptime(f"{run_id[:21]}+0000", "%Y%m%dT%H%M%S%f%z")
                entry = JournalEntry(run_id, "", "", "unreadable", began)
            if entry is not None:
                yield entry

    def _run_ids(self) -> list[str]:
        """Return the ids of all runs, newest first."""
        if self._folder is None:
            return []
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - a thousand names, no need of as many paths
        except FileNotFoundError:
            return []
        except OSError as error:
            raise AccessDeniedError(
                f"the journal cannot be read: {error.strerror}",
                operation="list runs",
                uri=str(self._folder),
                remedy=f"Give yourself the right to read {str(self._folder)!r}, or set SKYHOLD_STATE to another folder",
            ) from error
        return sorted((match[1] for name in names if (match := _NAME.fullmatch(name))), reverse=True)

    def _read(self, run_id: str) -> JournalEntry | None:
        """Return a run, None when it was pruned meanwhile."""
        try:
            text = self._path(run_id).read_bytes()
        except FileNotFoundError:
            return None
        reader = JsonReader.parse(text)
        if reader.text("schema", "") != _SCHEMA:
            receipt = Receipt.from_json(text)
            return JournalEntry(run_id, receipt.kind, receipt.name, receipt.state, receipt.started, receipt)
        running = _read_running(reader)
        state: JournalState = "running" if is_alive(running.process) else "killed"
        return JournalEntry(
            run_id, reader.text("kind"), reader.text("name"), state, reader.moment("started"), running=running
        )

    def _path(self, run_id: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{run_id}.json"

    def _write(self, run_id: str, text: str) -> None:
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(self._path(run_id), text.encode())
        except OSError as error:
            if not self._warned:
                _LOG.warning("runs are not listed, since the journal %s cannot be written: %s", self._folder, error)
            self._warned = True

    def _prune(self) -> None:
        """Delete the oldest; other processes may be doing the same."""
        if self._folder is None:
            return
        with suppress(OSError):
            for run_id in self._run_ids()[self._keep :]:
                if not self._is_running(run_id):
                    self._path(run_id).unlink(missing_ok=True)
            for path in self._folder.glob(".*.tmp"):  # left by processes that were killed while they wrote
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _STALE_S:
                        path.unlink()

    def _is_running(self, run_id: str) -> bool:
        with suppress(MalformedInputError, VerificationError):
            entry = self._read(run_id)
            return entry is not None and entry.state == "running"
        return False


def default_journal() -> Journal:
    """Return the journal of this machine's user; one that keeps nothing where the user has no home."""
    from skyhold.config import state_folder  # noqa: PLC0415 - read at call time: tests move it

    try:
        return _journal_in(state_folder() / "journal")
    except RuntimeError as error:  # pathlib's, for a user that the system does not know
        _LOG.warning("runs are not listed: %s; set SKYHOLD_STATE to a folder", error)
        return Journal(None)


@cache
def _journal_in(folder: Path) -> Journal:
    """Return one journal a folder, so that it warns once."""
    return Journal(folder)


def _replace(path: Path, content: bytes) -> None:
    """Write a file that appears whole, readable for its owner alone."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", suffix=".tmp", delete=False) as file:
        try:
            file.write(content)
            file.flush()
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def _dump(note: dict[str, Any]) -> str:
    return json.dumps(note, indent=2, sort_keys=True) + "\n"


def _read_running(reader: JsonReader) -> RunningRun:
    process = reader.child("process", ProcessMark.parse)
    if process is None:
        raise MalformedInputError("$.process is missing")
    return RunningRun(
        process,
        reader.moment("updated"),
        reader.integer("done", 0),
        reader.integer_or_none("total"),
        reader.text("unit", ""),
        reader.mapping_of("counts", int, "an integer"),
        reader.number("rate") if reader.has("rate") else 0.0,
    )
