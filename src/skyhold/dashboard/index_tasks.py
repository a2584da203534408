"""Indexes of places that pages begin, each in a thread of its own, listed as a run."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from skyhold.errors import ConflictError, SkyholdError, StoppedError
from skyhold.runs.asked import redact_text
from skyhold.runs.journal import Journal
from skyhold.runs.recording import record_run
from skyhold.storage.contract import Store
from skyhold.storage.key_index import prune_indexes, take_index

__all__ = ["IndexTask", "IndexTasks", "IndexWork"]

_LOG = logging.getLogger("skyhold.dashboard")


@dataclass(frozen=True, slots=True)
class IndexWork:
    """An index to be taken.

    Attributes:
        place: The name of the place; one index of a place and prefix is taken at a time.
        prefix: What it is of.
        open_store: Opens the place.
        file: Where the index is kept.
        journal: Where the run is listed.
    """

    place: str
    prefix: str
    open_store: Callable[[], Store]
    file: Path
    journal: Journal


class IndexTask:
    """One index that is being taken.

    Attributes:
        count: How many objects it has so far.
        error: Why it failed; None while it has not.
    """

    def __init__(self, work: IndexWork, closing: threading.Event) -> None:
        self.count = 0
        self.error: SkyholdError | None = None
        self._work = work
        self._closing = closing
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="skyhold-index", daemon=True)

    @property
    def goes_on(self) -> bool:
        """Whether it is not done yet."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end soon; the index before it stays."""
        self._stop.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until it has ended, but not for ever."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._take()
        except SkyholdError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - nobody else hears of it
            _LOG.error("an index failed: %s", redact_text(repr(error)))
            self.error = SkyholdError(f"{type(error).__name__} in the dashboard itself")

    def _take(self) -> None:
        work, store = self._work, self._work.open_store()
        uri = store.uri_of(work.prefix)
        with record_run("index", f"index {uri}", asked={"of": uri}, unit="objects", journal=work.journal) as run:

            def note(objects: int) -> None:
                self.count += objects
                run.progress.advance(objects)
                if self._stop.is_set() or self._closing.is_set():
                    raise StoppedError("the index was stopped before it was whole; the one before it stays")

            take_index(run.metered(store), work.prefix, work.file, on_page=note)
            prune_indexes(work.file.parent)


@dataclass
class IndexTasks:
    """The last index task of each place and prefix.

    Attributes:
        tasks: By the place's name and the prefix.
    """

    tasks: dict[tuple[str, str], IndexTask] = field(default_factory=dict[tuple[str, str], IndexTask])
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, work: IndexWork, closing: threading.Event) -> IndexTask:
        """Begin to take an index; it ends early when the dashboard closes.

        Raises:
            ConflictError: The same one is being taken.
        """
        with self._turn:
            before = self.find(work.place, work.prefix)
            if before is not None and before.goes_on:
                raise ConflictError(
                    "this index is being made already",
                    operation="index",
                    uri=work.prefix,
                    remedy="Wait until it is done",
                )
            task = self.tasks[work.place, work.prefix] = IndexTask(work, closing)
            task.start()
        return task

    def find(self, place: str, prefix: str) -> IndexTask | None:
        """Return the last task of a place, by its name; None where there was none."""
        return self.tasks.get((place, prefix))
