"""A folder and a library kept equal: look, plan, carry out, and again where somebody else was faster."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Protocol

from skyhold.components.in_parallel import in_parallel
from skyhold.components.library import Library
from skyhold.components.operation_log import OperationLog
from skyhold.components.sync_apart import check_apart
from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.sync_files import SyncFiles
from skyhold.components.sync_state import SyncState
from skyhold.components.sync_view import View, look
from skyhold.components.sync_work import SMALL_BYTES, SyncWork
from skyhold.errors import (
    ConflictError,
    DeleteGuardError,
    KeyNotFoundError,
    LockedError,
    NetworkError,
    SkyholdError,
    StorageError,
    TransferError,
)
from skyhold.runs.event import Listener
from skyhold.runs.recording import RunRecorder, record_run
from skyhold.runs.wording import human_size
from skyhold.storage.contract import Store
from skyhold.storage.sync import ConflictChoice, SyncAction, SyncPlan, deletions_first

__all__ = ["HasLibrary", "StorageSynchronizer"]

_ROUNDS = 6
_MOST_JOBS = 64
_FEW_JOBS = 6
_TINY_BYTES = 256 * 1024
_SPARE_BYTES = 16 * 1024 * 1024

Ask = Callable[[SyncAction], ConflictChoice]
"""Asked what becomes of one conflict."""


class HasLibrary(Protocol):
    """What has a library, such as a `CloudStorageManager`."""

    @property
    def library(self) -> Library:
        """The library."""
        ...


class StorageSynchronizer:
    """Keeps a folder and a library equal, by what both last agreed on, and loses nothing.

    A synchronized file is the component whose id is its path in the folder: every upload is a version. What was agreed
    is kept in the folder, in ``.skyhold-sync.sqlite``. Interrupted anywhere and run again, it goes on; two machines
    that synchronize with one library at once end with the same files, and with both contents of a conflict.

    Args:
        library: A library, its store or URI, or what has one, such as a `CloudStorageManager`.
        config: What is asked.
        ask: Asked about each conflict where ``conflict="ask"``; without it those are left until `resolve` is called.

    Attributes:
        result: Of the last synchronization, also of one that has failed; None before.
        ask: As given.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "arm.stl").write_text("solid arm")
        ...     synchronizer = StorageSynchronizer("memory://sync-example", SyncConfig(folder))
        ...     result = synchronizer.synchronize()
        >>> result.paths("upload"), Library("memory://sync-example").read("arm.stl")
        (['arm.stl'], b'solid arm')
    """

    def __init__(
        self, library: Library | HasLibrary | Store | str, config: SyncConfig, *, ask: Ask | None = None
    ) -> None:
        if isinstance(library, str | Store):
            library = Library(library)
        self._log: OperationLog = getattr(library, "operation_log", None) or OperationLog(None)
        self.library: Library = library if isinstance(library, Library) else library.library
        self.config = config
        self.result: SyncResult | None = None
        self.ask = ask

    def plan(self) -> SyncPlan:
        """Return what `synchronize` would do now; nothing is changed on either side.

        Raises:
            KeyNotFoundError: The folder is missing.
            LockedError: Another process synchronizes the folder now.
        """
        with self._state() as state:
            return self._look(state, set(), read_only=True)[1]

    def dry_run(self) -> SyncResult:
        """Return what `synchronize` would do now, as a result whose summary prints the plan."""
        begun = time.monotonic()
        plan = self.plan()
        result = _first_result(plan)
        result.dry_run = True
        result.seconds = time.monotonic() - begun
        return result

    def resolve(self, path: str, choice: ConflictChoice) -> None:
        """Choose what becomes of one conflict, at the next synchronization.

        Args:
            path: Which file.
            choice: ``"local"``, ``"remote"``, ``"newest"`` or ``"keep-both"``; ``"ask"`` takes a choice back.

        Raises:
            KeyNotFoundError: There is no such conflict.
        """
        with self._state() as state:
            plan = self._look(state, set(), read_only=True)[1]
            if path not in {action.path for action in plan.conflicts}:
                raise KeyNotFoundError(
                    f"there is no conflict about {path!r}",
                    operation="resolve",
                    uri=str(self.config.folder),
                    remedy="Look at the plan with a dry run",
                )
            state.choose(path, None if choice == "ask" else choice)

    def synchronize(
        self,
        progress_callback: Callable[[str], object] | None = None,
        *,
        on_progress: Listener | None = None,
        stop: threading.Event | None = None,
    ) -> SyncResult:
        """Make both sides equal, as far as the options allow.

        Args:
            progress_callback: Told in words what is done, line by line.
            on_progress: Told as of any run: counts, bytes, rate.
            stop: Set it to end early; what has begun is finished first.

        Raises:
            DeleteGuardError: It would delete too much; nothing was done. ``confirmed=True`` lets it.
            TransferError: Some files failed; the others are done. ``failures`` has every error, and `result` the rest.
            KeyNotFoundError: The folder is missing.
            LockedError: Another process synchronizes the folder now.
            BadOptionError: The library lies in the folder, or around it.
            StorageError: There is not enough room on the disk; nothing was done.
        """
        config = self.config
        check_apart(config.folder, self.library.uri)
        begun = time.monotonic()
        asked = {
            "folder": str(config.folder),
            "library": self.library.uri,
            "direction": config.direction,
            "delete_files": config.delete_files,
            "overwrite": config.overwrite,
            "conflict": config.conflict,
            "prefix": config.prefix,
        }
        if config.rules.downloads:
            config.folder.mkdir(parents=True, exist_ok=True)
        listeners: Sequence[Listener] = [on_progress] if on_progress else []
        name = f"{config.folder} ↔ {self.library.uri}"
        with (
            self._log.of("synchronize", name) as words,
            self._state() as state,
            record_run("sync", name, asked=asked, unit="objects", listeners=listeners) as run,
        ):
            session = _Session(self, state, run, progress_callback or _nobody, stop or threading.Event())
            try:
                result = session.run()
            finally:
                self.result = session.result
                if session.result is not None:
                    session.result.seconds = time.monotonic() - begun
            self._check(result)
            words.append(result.get_summary_string())
        return result

    def _check(self, result: SyncResult) -> None:
        if not result.failures:
            return
        first = next(iter(result.failures.items()))
        raise TransferError(
            f"{len(result.failures)} of {len(result.failures) + len(result.done)} files failed, the first: "
            f"{first[0]!r}: {first[1]}",
            failures=result.failures,
            operation="sync",
            uri=self.library.uri,
            remedy="Correct the cause and synchronize again; what was done is complete",
        )

    def _state(self) -> SyncState:
        folder = self.config.folder
        check_apart(folder, self.library.uri)
        if not folder.is_dir():
            raise KeyNotFoundError(
                "there is no such folder",
                operation="sync",
                uri=str(folder),
                remedy="Correct local_dir, or create the folder",
            )
        return SyncState(
            folder, f"{self.library.uri}\n{self.config.prefix}" if self.config.prefix else self.library.uri
        )

    def _look(self, state: SyncState, suspects: set[str], *, read_only: bool) -> tuple[View, SyncPlan]:
        return look(self.library, self.config, state, suspects=suspects, read_only=read_only)


class _Session:
    """One synchronization: rounds of looking, planning and doing."""

    def __init__(
        self,
        owner: StorageSynchronizer,
        state: SyncState,
        run: RunRecorder,
        tell: Callable[[str], object],
        stop: threading.Event,
    ) -> None:
        self._owner = owner
        self._config = owner.config
        self._state = state
        self._run = run
        self._counted = owner.library.over(run.metered(owner.library.store))
        self._tell = tell
        self._stop = stop
        self._suspects: dict[str, Exception] = {}
        self._files = SyncFiles(self._config.folder, host=socket.gethostname(), moment=datetime.now(UTC))
        self.result: SyncResult | None = None

    def run(self) -> SyncResult:
        view, plan = self._look()
        self.result = _first_result(plan)
        if self._state.rebuilt:
            self.result.notes.append(
                f"what was agreed was damaged, and is put aside as {self._state.rebuilt}; both sides were compared"
            )
        for _ in range(_ROUNDS):
            actions = self._choose(plan)
            if not actions or self._stop.is_set():
                break
            if not self._config.confirmed:
                plan.check_guard(self._owner.library.uri)
            self._check_room(actions)
            self._suspects = {}
            self._carry_out(view, actions)
            if not self._suspects:
                break
            view, plan = self._look()
        self._end(plan)
        return self.result

    def _look(self) -> tuple[View, SyncPlan]:
        self._run.progress.step("looking")
        self._tell(f"looking at {self._config.folder} and {self._owner.library.uri}")
        view, plan = look(self._counted, self._config, self._state, suspects=self._suspects)
        if self._ask_about(plan):
            view, plan = look(self._counted, self._config, self._state, suspects=self._suspects)
        self._tell(
            f"{plan.unchanged:,} files agree, {len(plan.work):,} are to be brought in step, "
            f"{len(plan.conflicts):,} in conflict"
        )
        return view, plan

    def _ask_about(self, plan: SyncPlan) -> bool:
        """Ask what becomes of the conflicts that nobody has chosen for; return whether anything was chosen."""
        ask = self._owner.ask if self._config.conflict == "ask" else None
        if ask is None:
            return False
        known = self._state.choices()
        chosen: dict[str, ConflictChoice] = {
            action.path: ask(action) for action in plan.conflicts if action.kind == "leave" and action.path not in known
        }
        for path, choice in chosen.items():
            if choice != "ask":
                self._state.choose(path, choice)
        return any(choice != "ask" for choice in chosen.values())

    def _choose(self, plan: SyncPlan) -> list[SyncAction]:
        """Return what is to be done now, and has not failed already."""
        assert self.result is not None
        for path, error in self._suspects.items():
            if path in plan.problems:  # it still changes under our eyes
                self.result.problems[path] = str(error)
        return [action for action in plan.work if action.path not in self.result.failures]

    def _check_room(self, actions: Sequence[SyncAction]) -> None:
        coming = [action for action in actions if action.kind in {"download", "keep_both"} and action.remote]
        need = sum(action.remote.size_bytes for action in coming if action.remote)
        free = shutil.disk_usage(self._config.folder).free
        if need and need + _SPARE_BYTES > free:
            raise StorageError(
                f"{len(coming):,} downloads need {human_size(need)}, and the disk has {human_size(free)} free",
                operation="sync",
                uri=str(self._config.folder),
                remedy="Make room, or ask for fewer files with file_patterns; nothing was done",
            )

    def _carry_out(self, view: View, actions: Sequence[SyncAction]) -> None:
        """Do what is small many at a time, then what is large one by one; deletions when all else is done.

        Only a deletion without which something else has no place comes before.
        """
        assert self.result is not None
        work = SyncWork(
            self._owner.library, self._config, self._state, self._files, view, actions, self.result, self._run
        )
        progress = self._run.progress
        progress.step("moving")
        progress.advance(0, total=progress.done + len(actions))
        most = min(self._owner.library.store.concurrency, _MOST_JOBS)
        first = deletions_first(actions)
        for lane, jobs in enumerate((most, most, min(most, _FEW_JOBS), 1, most)):
            self._do(work, [action for action in actions if _lane(action, first) == lane], jobs)

    def _do(self, work: SyncWork, actions: Sequence[SyncAction], jobs: int) -> None:
        for action, error in _each(work.do, actions, jobs, self._stop):
            self._settle(action, error)

    def _settle(self, action: SyncAction, error: Exception | None) -> None:
        assert self.result is not None
        self._run.progress.advance(1)
        if error is None:
            self.result.done.append(action)
            self._tell(str(action))
        elif _is_passing(error):
            self._suspects[action.path] = error
            self._tell(f"changed meanwhile  {action.path}  ({error})")
        else:
            self.result.failures[action.path] = error
            self._tell(f"failed        {action.path}  ({error})")

    def _end(self, plan: SyncPlan) -> None:
        assert self.result is not None
        result = self.result
        if not self._stop.is_set():
            result.failures.update(self._suspects)
            if not result.failures:
                self._files.drop_parts()
        for action in plan.actions:
            if action.kind == "leave":
                result.left[action.path] = action.reason
        result.problems.update(plan.problems)
        result.unchanged = plan.unchanged
        if self._stop.is_set():
            result.notes.append("it was stopped before it was complete; synchronize again to go on")


def _first_result(plan: SyncPlan) -> SyncResult:
    left = {action.path: action.reason for action in plan.actions if action.kind == "leave"}
    return SyncResult(plan, unchanged=plan.unchanged, left=left, problems=dict(plan.problems))


def _lane(action: SyncAction, first: set[str]) -> int:
    """Return which group an action is done with: small files, which fill no memory, many at a time; deletions last."""
    if action.kind in {"delete_local", "delete_remote"}:
        return 0 if action.path in first else 4
    return 1 + (action.size_bytes > _TINY_BYTES) + (action.size_bytes > SMALL_BYTES)


def _is_passing(error: Exception) -> bool:
    """Whether a new plan may help: somebody was faster."""
    if isinstance(error, LockedError | DeleteGuardError):
        return False
    return isinstance(error, ConflictError | KeyNotFoundError) or type(error) is FileNotFoundError


def _each(
    work: Callable[[SyncAction], None], actions: Sequence[SyncAction], jobs: int, stop: threading.Event
) -> Iterator[tuple[SyncAction, Exception | None]]:
    """Do the work for all, and tell how each ended; a network that is gone ends it all."""

    def attempt(action: SyncAction) -> Exception | None:
        try:
            work(action)
        except NetworkError:
            raise
        except (SkyholdError, OSError) as error:
            return error
        return None

    return in_parallel(attempt, takewhile(lambda _: not stop.is_set(), actions), jobs=jobs)


def _nobody(message: str) -> None:
    """Tell nobody."""
    del message
