"""Campaigns that pages show: looked at as often as somebody reads, and worked on here when a page asks for it."""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from skyhold.dashboard.campaign_list import CampaignList, Listed
from skyhold.dashboard.place import Place
from skyhold.errors import ConflictError, ResultError, SkyholdError
from skyhold.runs.asked import redact_text
from skyhold.runs.event import Event
from skyhold.simulation.campaign import Campaign
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.survey import CaseView, Look, Survey
from skyhold.simulation.worker import find_simulator
from skyhold.storage.location import parse_location
from skyhold.storage.wrappers.prefixed import PrefixedStore

if TYPE_CHECKING:
    from skyhold.simulation.kept import KeptResults  # pyarrow

__all__ = ["CampaignDesk", "LocalWork"]

_LOG = logging.getLogger("skyhold.dashboard")
_LOCAL = {"file", "memory", "mock"}
_FRESH_LOCAL_S = 0.5
_FRESH_S = 4.0
_SETTLED = 8
"""How much longer what has ended is taken for what it was."""
_RECEIPTS = 50
_KEPT = 12
_LOOK_S = 0.1


class LocalWork:
    """Workers in this process, in threads of their own; they end early when the dashboard closes.

    Args:
        campaign: What they work on.
        simulator: Runs the cases.
        workers: How many.
        closing: Set when the dashboard stops.

    Attributes:
        event: How far they are; None before they have begun.
        error: Why they ended before the campaign was complete.
    """

    def __init__(self, campaign: Campaign, simulator: Simulator, workers: int, closing: threading.Event) -> None:
        self.event: Event | None = None
        self.error: SkyholdError | None = None
        self._campaign = campaign
        self._simulator = simulator
        self._workers = workers
        self._closing = closing
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="skyhold-campaign", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether nothing more comes of them."""
        return not self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether they were asked to end."""
        return self._stop.is_set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        threading.Thread(target=self._watch, name="skyhold-campaign-end", daemon=True).start()

    def stop(self) -> None:
        """Let them end: the run that goes on is ended, and its case is free for others."""
        self._stop.set()

    def wait(self, timeout_s: float) -> None:
        """Wait until they have ended, but not for ever."""
        self._thread.join(timeout_s)

    def _watch(self) -> None:
        while not (self.ended or self._closing.wait(_LOOK_S)):
            pass
        self._stop.set()

    def _run(self) -> None:
        try:
            self._campaign.run(
                workers=self._workers, simulator=self._simulator, stop=self._stop, on_progress=[self._hear]
            )
        except SkyholdError as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 - nobody else hears of it
            _LOG.error("workers of the dashboard failed: %s", redact_text(repr(error)))
            self.error = SkyholdError(f"{type(error).__name__} in the dashboard itself")

    def _hear(self, event: Event) -> None:
        self.event = event


@dataclass(slots=True)
class _Watched:
    survey: Survey
    fresh_s: float
    look: Look | None = None
    at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


class CampaignDesk:
    """What pages know of campaigns, by the names of their places.

    Args:
        simulator_of: Returns the simulator of a name; raises `BadOptionError` for one that it has not.
    """

    def __init__(self, simulator_of: Callable[[str], Simulator] = find_simulator) -> None:
        self._simulator_of = simulator_of
        self._watched: dict[str, _Watched] = {}
        self._works: dict[str, LocalWork] = {}
        self._kept: OrderedDict[tuple[str, str], KeptResults] = OrderedDict()
        self._list = CampaignList(self._note)
        self._lock = threading.Lock()

    def survey(self, place: Place) -> Survey:
        """Return what looks at a campaign.

        Raises:
            SkyholdError: As `open_store`.
        """
        return self._watch(place).survey

    def look(self, place: Place) -> Look:
        """Return how a campaign stands, as it was a few seconds ago at most.

        Raises:
            ResultError: There is no campaign.
            StorageError: The store does not answer.
        """
        watched = self._watch(place)
        with watched.lock:
            fresh_s = watched.fresh_s * (_SETTLED if watched.look and watched.look.status.is_complete else 1)
            if watched.look is None or time.monotonic() - watched.at > fresh_s:
                watched.look = watched.survey.look()
                watched.at = time.monotonic()
            return watched.look

    @contextmanager
    def changing(self, place: Place) -> Generator[Campaign]:
        """Give a campaign that the block changes; the next look is a new one."""
        watched = self._watch(place)
        try:
            yield Campaign(place.open(hasty=False))
        finally:
            with watched.lock:
                watched.look = None

    def kept(self, place: Place, view: CaseView) -> "KeptResults":
        """Return what was kept of a case; the last few stay open, so that pages about them read little again.

        Raises:
            ResultError: Nothing was kept.
        """
        from skyhold.simulation.kept import KeptResults  # noqa: PLC0415 - pyarrow, for charts alone
        from skyhold.simulation.layout import out_key  # noqa: PLC0415

        outcome = view.outcome
        if outcome is None or outcome.failure is not None:
            raise ResultError(
                f"the case {view.label.label!r} has no results: it is {view.state}", remedy="Choose one that is done"
            )
        known = (place.name, f"{outcome.case}/{outcome.attempt}")
        with self._lock:
            if known in self._kept:
                self._kept.move_to_end(known)
                return self._kept[known]
        folder = PrefixedStore(self.survey(place).store, out_key(outcome.case, outcome.attempt, ""))
        found = KeptResults(folder)
        with self._lock:
            self._kept[known] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return found

    def can_work(self, look: Look) -> bool:
        """Return whether this machine has what runs the cases."""
        try:
            self._simulator_of(look.record.simulator)
        except SkyholdError:
            return False
        return True

    def work_of(self, name: str) -> LocalWork | None:
        """Return the workers of this process on a campaign, those that have ended too."""
        return self._works.get(name)

    def works(self) -> list[LocalWork]:
        """Return the workers of this process, those that have ended too."""
        return list(self._works.values())

    def work(self, place: Place, workers: int, closing: threading.Event) -> LocalWork:
        """Start workers in this process.

        Raises:
            ConflictError: Some are at it.
            BadOptionError: This machine has not what runs the cases.
        """
        simulator = self._simulator_of(self.look(place).record.simulator)
        with self.changing(place) as campaign, self._lock:
            known = self._works.get(place.name)
            if known is not None and not known.ended:
                raise ConflictError(
                    "this dashboard works on it already",
                    operation="work",
                    uri=place.shown_uri,
                    remedy="Start more workers in a terminal: skyhold sim work URI",
                )
            work = self._works[place.name] = LocalWork(campaign, simulator, workers, closing)
            work.start()
        return work

    def listed(self, places: Iterable[Place], *, wait_s: float = 0.0) -> list[Listed]:
        """Return the campaigns among some places, and right in them; see `CampaignList.listed`."""
        return self._list.listed(places, wait_s=wait_s)

    def place(self, name: str) -> Place | None:
        """Return the place of a campaign that was found in another place."""
        return self._list.place(name)

    def _watch(self, place: Place) -> _Watched:
        with self._lock:
            if place.name not in self._watched:
                store = place.open()
                is_local = parse_location(store.uri).scheme in _LOCAL
                self._watched[place.name] = _Watched(Survey(store), _FRESH_LOCAL_S if is_local else _FRESH_S)
            return self._watched[place.name]

    def _note(self, place: Place) -> Listed:
        look = self.look(place)
        return Listed(place.name, place.shown_uri, look, tuple(self.survey(place).receipts(_RECEIPTS)))
