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
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from skyhold.errors import AccessDeniedError, KeyNotFoundError, MalformedInputError, VerificationError
from skyhold.runs.json_reader import JsonReader
from skyhold.runs.liveness import is_alive, mark_process
from skyhold.runs.progress import Event
from skyhold.runs.receipt import Receipt
from skyhold.runs.running import RunningRun, Said, describe_event, note_message, read_running, read_said

__all__ = ["Journal", "JournalEntry", "JournalState", "RunningRun", "default_journal"]

_LOG = logging.getLogger("skyhold.runs")
_SCHEMA = "skyhold.run/1"
_KEEP = 1000
_UPDATE_S = 1.0
_MESSAGE_S = 0.1
_STALE_S = 3600.0
_REMEMBERED = 128
_SAID = ".said"
_NAME = re.compile(r"(\d{8}T\d{12}-[0-9a-f]+)\.json")

JournalState = Literal["running", "killed", "completed", "failed", "stopped", "unreadable"]


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
        said: The last things that it said, oldest first; told by `Journal.read_run` alone.
    """

    run_id: str
    kind: str
    name: str
    state: JournalState
    started: datetime
    receipt: Receipt | None = None
    running: RunningRun | None = None
    said: tuple[Said, ...] = ()

    @property
    def outcome(self) -> str:
        """Its state, in a word for people: see `skyhold.runs.receipt.Receipt.outcome`."""
        return self.receipt.outcome if self.receipt else self.state


@dataclass(slots=True)
class _OpenRun:
    """A run of this process: its note, and when it was written at all and because of a message."""

    note: dict[str, Any]
    written: float
    said: float = 0.0


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
        self._open: dict[str, _OpenRun] = {}

    def begin(self, run_id: str, kind: str, name: str, started: datetime, *, command: str = "") -> None:
        """Note that a run of this process has begun."""
        note = {
            "schema": _SCHEMA,
            "run_id": run_id,
            "kind": kind,
            "name": name,
            "started": started.isoformat(),
            "updated": started.isoformat(),
            "process": mark_process().as_dict(),
            "command": command,
        }
        with self._lock:
            self._open[run_id] = _OpenRun(note, time.monotonic())
            self._write(run_id, _dump(note))

    def update(self, event: Event) -> None:
        """Note how far a run is, once a second, and what it says, ten times a second; a progress listener."""
        with self._lock:
            run = self._open.get(event.run_id)
            if run is None:
                return
            now = time.monotonic()
            says = note_message(run.note, event) and now - run.said >= _MESSAGE_S
            if event.phase == "ended" or not (says or now - run.written >= _UPDATE_S):
                return
            run.note |= describe_event(event)
            run.written, run.said = now, now if says else run.said
            self._write(event.run_id, _dump(run.note))

    def finish(self, receipt: Receipt) -> None:
        """Note how a run has ended."""
        with self._lock:
            run = self._open.pop(receipt.run_id, None)
            messages: Any = run.note.get("messages") if run else None
            if messages:
                self._write(f"{receipt.run_id}{_SAID}", json.dumps({"messages": messages}) + "\n")
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
                return replace(entry, said=entry.running.messages if entry.running else self._read_said(found[0]))
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
        path = self._path(run_id)
        try:
            stat = path.stat()
            entry = _read_file(path, run_id, stat.st_mtime_ns, stat.st_size)
        except FileNotFoundError:
            return None
        if entry.running is not None and not is_alive(entry.running.process):
            return replace(entry, state="killed")
        return entry

    def _read_said(self, run_id: str) -> tuple[Said, ...]:
        """Return what a run that has ended has said; nothing where that is lost: the receipt is the proof."""
        with suppress(OSError, MalformedInputError):
            return read_said(JsonReader.parse(self._path(f"{run_id}{_SAID}").read_bytes()))
        return ()

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
                    self._path(f"{run_id}{_SAID}").unlink(missing_ok=True)
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


@lru_cache(_REMEMBERED)
def _read_file(path: Path, run_id: str, modified_ns: int, size_bytes: int) -> JournalEntry:
    """Return what a file says; pages that are live ask for the same ones again and again."""
    del modified_ns, size_bytes  # they tell one state of the file from the next
    text = path.read_bytes()
    reader = JsonReader.parse(text)
    if reader.text("schema", "") != _SCHEMA:
        receipt = Receipt.from_json(text)
        return JournalEntry(run_id, receipt.kind, receipt.name, receipt.state, receipt.started, receipt)
    begun = reader.moment("started")
    return JournalEntry(
        run_id, reader.text("kind"), reader.text("name"), "running", begun, running=read_running(reader)
    )


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
