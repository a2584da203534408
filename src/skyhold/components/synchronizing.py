"""A folder and a library kept equal."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from skyhold.components.library import Library
from skyhold.components.operation_log import OperationLog
from skyhold.components.sync_apart import check_apart
from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.sync_session import Ask, Session, first_result
from skyhold.components.sync_state import SyncState
from skyhold.components.sync_view import look
from skyhold.errors import KeyNotFoundError, TransferError
from skyhold.runs.event import Listener
from skyhold.runs.recording import record_run
from skyhold.storage.contract import Store
from skyhold.storage.sync import ConflictChoice, SyncPlan

__all__ = ["HasLibrary", "StorageSynchronizer"]


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
            return self._planned(state)

    def dry_run(self) -> SyncResult:
        """Return what `synchronize` would do now, as a result whose summary prints the plan."""
        begun = time.monotonic()
        plan = self.plan()
        result = first_result(plan)
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
        self.resolve_all({path: choice})

    def resolve_all(self, choices: Mapping[str, ConflictChoice]) -> None:
        """Choose what becomes of many conflicts, at the next synchronization, by one look at both sides.

        Args:
            choices: By path, as for `resolve`.

        Raises:
            KeyNotFoundError: One of them is no conflict; nothing was chosen.
        """
        with self._state() as state:
            found = {action.path for action in self._planned(state).conflicts}
            for path in choices:
                if path not in found:
                    raise KeyNotFoundError(
                        f"there is no conflict about {path!r}",
                        operation="resolve",
                        uri=str(self.config.folder),
                        remedy="Look at the plan with a dry run",
                    )
            for path, choice in choices.items():
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
            session = Session(
                self.library,
                config,
                state,
                run,
                tell=progress_callback or _nobody,
                stop=stop or threading.Event(),
                ask=self.ask,
            )
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

    def _planned(self, state: SyncState) -> SyncPlan:
        return look(self.library, self.config, state, read_only=True)[1]


def _nobody(message: str) -> None:
    """Tell nobody."""
    del message
