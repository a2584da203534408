"""Synchronizations that pages begin: what is kept in step with what, and how far each is."""

import hashlib
import logging
import re
import threading
from collections import deque
from dataclasses import dataclass, field

from skyhold.components.sync_config import SyncConfig, SyncResult
from skyhold.components.synchronizing import StorageSynchronizer
from skyhold.errors import ConflictError, KeyNotFoundError, SkyholdError
from skyhold.runs.asked import redact_text
from skyhold.runs.event import Event
from skyhold.storage.sync import SyncPlan

__all__ = ["Pair", "SyncTask", "SyncTasks", "digest_of", "make_pair"]

_LOG = logging.getLogger("skyhold.dashboard")
_SLUG = re.compile(r"[^a-z0-9]+")
_REMEMBERED = 200


@dataclass(frozen=True)
class Pair:
    """A folder and a library that are kept in step.

    Attributes:
        name: Stands for it in addresses of pages; the same each time.
        place: The name of the library's place.
        config: The folder, and what may be done.
    """

    name: str
    place: str
    config: SyncConfig


class SyncTask:
    """One synchronization, in a thread of its own; it ends early when the dashboard closes, and is gone on with later.

    Attributes:
        words: What was done last, line by line.
        event: Where it stands; None before it has begun.
        result: What came of it, when it has ended; None where it never came that far.
        error: Why it failed.
        ended: Whether it has.
    """

    def __init__(self, synchronizer: StorageSynchronizer, closing: threading.Event) -> None:
        self.words: deque[str] = deque(maxlen=_REMEMBERED)
        self.event: Event | None = None
        self.result: SyncResult | None = None
        self.error: SkyholdError | None = None
        self._synchronizer = synchronizer
        self._closing = closing
        self._stop = threading.Event()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, name="skyhold-sync", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of it."""
        return self._begun.is_set() and not self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._begun.set()

    def stop(self) -> None:
        """Let it end: what has begun is finished first."""
        self._stop.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stop.is_set()

    def wait(self, timeout_s: float) -> None:
        """Wait until it has ended, but not for ever."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._synchronizer.synchronize(self._say, on_progress=self._hear, stop=self._stop)
        except SkyholdError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - nobody else hears of it
            _LOG.error("a synchronization failed: %s", redact_text(repr(error)))
            self.error = SkyholdError(f"{type(error).__name__} in the dashboard itself")
        finally:
            self.result = self._synchronizer.result

    def _say(self, message: str) -> None:
        self.words.append(message)

    def _hear(self, event: Event) -> None:
        self.event = event
        if self._closing.is_set():
            self.stop()


@dataclass
class SyncTasks:
    """What is kept in step, and what goes on.

    Attributes:
        pairs: By name.
        tasks: The last of each pair, by its name.
    """

    pairs: dict[str, Pair] = field(default_factory=dict[str, Pair])
    tasks: dict[str, SyncTask] = field(default_factory=dict[str, SyncTask])
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def pair_of_run(self, run_id: str) -> str:
        """Return the name of the pair that a run is at now; empty where it is none of ours."""
        found = (name for name, task in self.tasks.items() if task.event and task.event.run_id == run_id)
        return next((name for name in found if not self.tasks[name].ended), "")

    def pair(self, name: str) -> Pair:
        """Return a pair.

        Raises:
            KeyNotFoundError: There is none of this name.
        """
        try:
            return self.pairs[name]
        except KeyError:
            raise KeyNotFoundError(
                "this dashboard knows no such synchronization; it forgets them when it ends",
                operation="sync",
                uri=name,
                remedy="Choose the folder and the library under Sync again; what both agreed on is kept in the folder",
            ) from None

    def begin(self, pair: Pair, synchronizer: StorageSynchronizer, closing: threading.Event) -> SyncTask:
        """Begin a synchronization.

        Raises:
            ConflictError: One of this pair goes on.
        """
        with self._turn:
            if self.goes_on(pair.name):
                raise ConflictError(
                    "it is being synchronized already",
                    operation="sync",
                    uri=str(pair.config.folder),
                    remedy="Look how far it is, and wait until it has ended",
                )
            task = self.tasks[pair.name] = SyncTask(synchronizer, closing)
            task.start()
        return task

    def goes_on(self, name: str) -> bool:
        """Return whether a pair is being synchronized."""
        return name in self.tasks and not self.tasks[name].ended


def make_pair(place: str, config: SyncConfig) -> Pair:
    """Return a pair, named after its folder and what is asked.

    Example:
        >>> make_pair("models-1", SyncConfig("/srv/Robot parts")).name.rpartition("-")[0]
        'robot-parts'
    """
    slug = _SLUG.sub("-", config.folder.name.lower()).strip("-")
    digest = hashlib.sha256(f"{place}\n{config!r}".encode("utf-8", "surrogatepass")).hexdigest()
    return Pair(f"{slug}-{digest[:6]}".strip("-"), place, config)


def digest_of(plan: SyncPlan) -> str:
    """Return what is another one when other files would be deleted."""
    deletions = sorted(f"{each.kind} {each.path}" for each in plan.actions if each.kind.startswith("delete"))
    return hashlib.sha256("\n".join(deletions).encode("utf-8", "surrogatepass")).hexdigest()
