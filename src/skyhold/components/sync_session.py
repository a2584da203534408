"""One synchronization from its beginning to its end: rounds of looking, planning and doing."""

import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import takewhile

from skyhold.components.conditions import IGNORED
from skyhold.components.in_parallel import in_parallel
from skyhold.components.library import Library
from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.sync_files import SyncFiles
from skyhold.components.sync_state import SyncState
from skyhold.components.sync_view import View, look
from skyhold.components.sync_work import CHANGING_STORE, SMALL_BYTES, SyncWork
from skyhold.errors import (
    ConflictError,
    DeleteGuardError,
    KeyNotFoundError,
    LockedError,
    NetworkError,
    SkyholdError,
    StorageError,
)
from skyhold.execution.memory import return_large_blocks
from skyhold.runs.recording import RunRecorder
from skyhold.runs.wording import human_size
from skyhold.storage.sync import ConflictChoice, SyncAction, SyncPlan, deletions_first

__all__ = ["Ask", "Session", "first_result"]

_ROUNDS = 6
_LANES = ((256 * 1024, 64), (2 * 1024 * 1024, 8), (SMALL_BYTES, 3))
"""Up to which size how many are moved at a time: each is held in memory, twice for a moment. What is larger, alone."""

_LARGE_BYTES = 1024 * 1024
_SPARE_BYTES = 16 * 1024 * 1024
_LONG_DAYS = 30

Ask = Callable[[SyncAction], ConflictChoice]
"""Asked what becomes of one conflict."""


class Session:
    """One synchronization: rounds of looking, planning and doing.

    Args:
        library: The remote side.
        config: What is asked.
        state: Where it is noted what is agreed.
        run: The run that this is.
        tell: Told in words what is done.
        stop: Set by whoever wants it to end early.
        ask: Asked about each conflict where ``conflict="ask"``.

    Attributes:
        result: What has come of it so far; None before the first look.
    """

    def __init__(
        self,
        library: Library,
        config: SyncConfig,
        state: SyncState,
        run: RunRecorder,
        *,
        tell: Callable[[str], object],
        stop: threading.Event,
        ask: Ask | None,
    ) -> None:
        self._library = library
        self._config = config
        self._state = state
        self._run = run
        self._counted = library.over(run.metered(library.store))
        self._tell = tell
        self._stop = stop
        self._ask = ask
        self._suspects: dict[str, Exception] = {}
        self._files = SyncFiles(self._config.folder, host=socket.gethostname(), moment=datetime.now(UTC))
        self.result: SyncResult | None = None

    def run(self) -> SyncResult:
        """Synchronize; return what came of it.

        Raises:
            DeleteGuardError: It would delete too much; nothing was done.
            StorageError: There is not enough room on the disk; nothing was done.
        """
        view, plan = self._look()
        self.result = first_result(plan)
        if self._state.rebuilt:
            self.result.notes.append(
                f"what was agreed was damaged, and is put aside as {self._state.rebuilt}; both sides were compared"
            )
        for _ in range(_ROUNDS):
            actions = self._choose(plan)
            if not actions:
                self._suspects = {}  # what somebody else did has settled them
            if not actions or self._stop.is_set():
                break
            if not self._config.confirmed:
                plan.check_guard(self._library.uri)
            self._check_room(actions)
            self._warn_of_conditions(actions)
            self._suspects = {}
            self._carry_out(view, actions)
            if not self._suspects:
                break
            view, plan = self._look()
        self._end(plan)
        return self.result

    def _look(self) -> tuple[View, SyncPlan]:
        self._run.progress.step("looking")
        self._tell(f"looking at {self._config.folder} and {self._library.uri}")
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
        ask = self._ask if self._config.conflict == "ask" else None
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

    def _warn_of_conditions(self, actions: Sequence[SyncAction]) -> None:
        assert self.result is not None
        note = f"{self._library.uri}: {IGNORED}"
        changes_store = self._config.rules.uploads and any(action.kind in CHANGING_STORE for action in actions)
        if changes_store and note not in self.result.notes and not self._library.format.keeps_conditions():
            self.result.notes.append(note)
            self._tell(f"warning: {note}")

    def _carry_out(self, view: View, actions: Sequence[SyncAction]) -> None:
        """Do what is small many at a time, then what is larger fewer at a time; deletions when all else is done.

        Only a deletion without which something else has no place comes before.
        """
        assert self.result is not None
        work = SyncWork(self._library, self._config, self._state, self._files, view, actions, self.result, self._run)
        progress = self._run.progress
        progress.step("moving")
        progress.advance(0, total=progress.done + len(actions))
        if any(action.size_bytes > _LARGE_BYTES for action in actions):
            return_large_blocks()
        most = _LANES[0][1]
        first = deletions_first(actions)
        for lane, jobs in enumerate((most, *(jobs for _, jobs in _LANES), 1, most)):
            limit = min(jobs, self._library.store.concurrency)
            self._do(work, [action for action in actions if _lane(action, first) == lane], limit)

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
            self._look_after_trash()
        last = first_result(plan)  # what an earlier round could not do may have been done by a later one
        result.left, result.waiting, result.problems = last.left, last.waiting, last.problems
        self._run.progress.advance(0, **{name: count for name, count in result.counts.items() if count})
        if self._stop.is_set():
            result.stopped = True
            result.notes.append("it was stopped before it was complete; synchronize again to go on")

    def _look_after_trash(self) -> None:
        """Empty the trash as far as it was asked for; otherwise tell what has lain there for long."""
        assert self.result is not None
        days = self._config.trash_days
        if days is not None:
            for folder in self._files.list_trash(days):
                try:
                    shutil.rmtree(folder)
                except OSError as error:
                    self.result.notes.append(f"{str(folder)!r} could not be deleted: {error}")
        elif old := self._files.list_trash(_LONG_DAYS):
            self.result.notes.append(
                f"{str(old[0].parent)!r} holds what conflicts have replaced more than {_LONG_DAYS} days ago; "
                f"trash_days={_LONG_DAYS} empties it"
            )


def first_result(plan: SyncPlan) -> SyncResult:
    """Return what is known before anything is done."""
    left = {action.path: action.reason for action in plan.actions if action.kind == "leave"}
    return SyncResult(
        plan, unchanged=plan.unchanged, left=left, waiting=list(plan.waiting), problems=dict(plan.problems)
    )


def _lane(action: SyncAction, first: set[str]) -> int:
    """Return which group an action is done with: small files, which fill no memory, many at a time; deletions last."""
    if action.kind in {"delete_local", "delete_remote"}:
        return 0 if action.path in first else len(_LANES) + 2
    return 1 + sum(action.size_bytes > largest for largest, _ in _LANES)


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
