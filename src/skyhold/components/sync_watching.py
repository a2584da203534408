"""Synchronizing again and again: whenever the folder changes, every so often, or both."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from skyhold.components.folder_scan import is_own_name
from skyhold.components.sync_config import SyncResult
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.errors import BadOptionError, MissingExtraError, SkyholdError
from skyhold.execution.waiting import wait_until

__all__ = ["keep_synchronized"]

_LOOK_MS = 200


def keep_synchronized(
    synchronizer: StorageSynchronizer,
    *,
    watch: bool = False,
    every_s: float | None = None,
    on_result: Callable[[SyncResult], object] | None = None,
    on_error: Callable[[SkyholdError], object] | None = None,
    progress_callback: Callable[[str], object] | None = None,
    stop: threading.Event | None = None,
) -> None:
    """Synchronize now, and again until ``stop`` is set.

    What others publish is seen at the next time that the folder changes or ``every_s`` is over.

    Args:
        synchronizer: What to do.
        watch: Do it whenever the folder changes.
        every_s: Do it this often.
        on_result: Told of every result.
        on_error: Told of an error, after which it goes on; without it the error is raised.
        progress_callback: As for `StorageSynchronizer.synchronize`.
        stop: Set it to end; a synchronization that goes on ends early and in good order.

    Raises:
        BadOptionError: Neither ``watch`` nor ``every_s`` is given, or ``every_s`` is not positive.
        MissingExtraError: ``watch`` needs watchfiles.
    """
    if not watch and every_s is None:
        raise BadOptionError("nothing says when to synchronize again", remedy="Give watch=True, or every_s=600")
    if every_s is not None and every_s <= 0:
        raise BadOptionError(f"every_s={every_s} is not a time", remedy="Give a positive number of seconds")
    stop = stop or threading.Event()
    changed = threading.Event()
    ended = threading.Event()
    watcher = _start_watching(synchronizer.config.folder, changed, ended) if watch else None
    try:
        while not stop.is_set():
            changed.clear()
            try:
                result = synchronizer.synchronize(progress_callback, stop=stop)
                if on_result is not None:
                    on_result(result)
            except SkyholdError as error:
                if on_error is None:
                    raise
                on_error(error)
            _wait(stop, changed, every_s)
    finally:
        ended.set()
        if watcher is not None:
            watcher.join()


def _wait(stop: threading.Event, changed: threading.Event, every_s: float | None) -> None:
    """Wait until something has changed, the time is over, or the end is wanted."""
    wait_until(lambda seconds: changed.wait(min(seconds, _LOOK_MS / 1000)) or stop.is_set(), every_s)


def _start_watching(folder: Path, changed: threading.Event, ended: threading.Event) -> threading.Thread:
    files = _watchfiles()
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()

    def is_of_interest(change: object, path: str) -> bool:
        del change
        return not is_own_name(Path(path).relative_to(root).as_posix())

    def follow() -> None:
        is_first = True
        for changes in files.watch(
            root,
            watch_filter=is_of_interest,
            stop_event=ended,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            if changes or is_first:  # what changed before the watch had begun is seen by looking once more
                changed.set()
            is_first = False

    watcher = threading.Thread(target=follow, name="skyhold-watch", daemon=True)
    watcher.start()
    return watcher


def _watchfiles() -> ModuleType:
    try:
        import watchfiles  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError.of("components", "watching a folder") from error
    return watchfiles
