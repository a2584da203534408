"""Where runs are listed: a folder with a file for each, of this machine's user."""

import json
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from skyhold.errors import KeyNotFoundError, MalformedInputError
from skyhold.runs.receipt import Receipt, this_host

__all__ = ["Journal", "JournalEntry", "default_journal"]

_LOG = logging.getLogger("skyhold.runs")
_KEEP = 1000


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One run as the journal knows it.

    Attributes:
        run_id: Which.
        kind: What sort of run.
        name: What a person calls it.
        state: ``"killed"`` means that its process is gone and it never said how it ended.
        started: When.
        receipt: What it left; None while it runs, or when it was killed.
    """

    run_id: str
    kind: str
    name: str
    state: Literal["running", "killed", "completed", "failed", "stopped"]
    started: datetime
    receipt: Receipt | None


class Journal:
    """Keeps the newest 1,000 runs. A folder that cannot be written costs a warning, never a run.

    Args:
        folder: Where; made at the first run.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warned = False

    def begin(self, run_id: str, kind: str, name: str, started: datetime) -> None:
        """Note that a run of this process has begun."""
        content = {
            "run_id": run_id,
            "kind": kind,
            "name": name,
            "started": started.isoformat(),
            "host": this_host(),
            "pid": os.getpid(),
            "process_started": _process_started(os.getpid()),
        }
        self._write(f"{run_id}.running.json", json.dumps(content))

    def finish(self, receipt: Receipt) -> None:
        """Note how a run has ended."""
        if self._write(f"{receipt.run_id}.json", receipt.to_json()):
            with suppress(OSError):
                (self._folder / f"{receipt.run_id}.running.json").unlink(missing_ok=True)
            self._prune()

    def list_runs(self, limit: int = 50) -> list[JournalEntry]:
        """Return the newest runs, newest first."""
        entries: list[JournalEntry] = []
        for run_id in sorted(self._run_ids(), reverse=True):
            entry = self._entry(run_id)
            if entry is not None:
                entries.append(entry)
            if len(entries) == limit:
                break
        return entries

    def read_run(self, run_id: str) -> JournalEntry:
        """Return one run, by its id or the beginning of it.

        Raises:
            KeyNotFoundError: None, or more than one, begins like this.
        """
        known = sorted(self._run_ids(), reverse=True)
        found = [each for each in known if each.startswith(run_id)]
        entry = self._entry(found[0]) if len(found) == 1 or run_id in found else None
        if entry is not None:
            return entry
        near = found or get_close_matches(run_id, known, 3) or known[:3]
        raise KeyNotFoundError(
            f"{len(found) or 'no'} runs begin with {run_id!r}",
            operation="read run",
            uri=str(self._folder),
            remedy=f"Name one of: {', '.join(near[:5])}" if near else "See what there is: skyhold runs ls",
        )

    def _run_ids(self) -> set[str]:
        try:
            return {path.name.partition(".")[0] for path in self._folder.glob("*.json")}
        except OSError:
            return set()

    def _entry(self, run_id: str) -> JournalEntry | None:
        with suppress(FileNotFoundError, MalformedInputError):
            receipt = Receipt.from_json((self._folder / f"{run_id}.json").read_bytes())
            return JournalEntry(run_id, receipt.kind, receipt.name, receipt.state, receipt.started, receipt)
        with suppress(FileNotFoundError, ValueError, KeyError):
            noted = json.loads((self._folder / f"{run_id}.running.json").read_bytes())
            state: Literal["running", "killed"] = "running" if _is_alive(noted) else "killed"
            started = datetime.fromisoformat(noted["started"])
            return JournalEntry(run_id, noted["kind"], noted["name"], state, started, None)
        return None

    def _write(self, name: str, text: str) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".tmp", delete=False) as file:
                file.write(text)
            Path(file.name).replace(self._folder / name)
        except OSError as error:
            if not self._warned:
                _LOG.warning("the journal %s cannot be written: %s", self._folder, error)
            self._warned = True
            return False
        return True

    def _prune(self) -> None:
        for run_id in sorted(self._run_ids(), reverse=True)[_KEEP:]:
            for path in self._files(run_id):
                with suppress(OSError):
                    path.unlink(missing_ok=True)

    def _files(self, run_id: str) -> Iterator[Path]:
        yield self._folder / f"{run_id}.json"
        yield self._folder / f"{run_id}.running.json"


def default_journal() -> Journal:
    """Return the journal of this machine's user."""
    from skyhold.config import state_folder  # noqa: PLC0415 - read at call time: tests move it

    return Journal(state_folder() / "journal")


def now() -> datetime:
    """Return the time, with time zone."""
    return datetime.now(UTC)


def _is_alive(noted: dict[str, Any]) -> bool:
    if noted["host"] != this_host():
        return True  # another machine's process cannot be asked; it is not called killed on suspicion
    return _process_started(noted["pid"]) == noted["process_started"] is not None


def _process_started(pid: int) -> str | None:
    """Return what tells this process from a later one with the same number; None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return _without_proc(pid)
    state, *rest = stat.rpartition(")")[2].split()
    return None if state == "Z" else rest[18]


def _without_proc(pid: int) -> str | None:
    if Path("/proc/self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"
    return "alive"
