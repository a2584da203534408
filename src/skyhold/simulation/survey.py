"""A campaign as somebody sees it who only watches: every case with its state, what it has cost, and how long it takes.

Nothing is written, and what never changes is read once.
"""

import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import partial
from typing import Any, Literal

from skyhold.errors import AccessDeniedError, MalformedInputError, ResultError, VerificationError
from skyhold.runs.receipt import RECEIPT_SUFFIX, Receipt
from skyhold.simulation.board import Board, Standing
from skyhold.simulation.campaign_record import CampaignRecord
from skyhold.simulation.layout import (
    CAMPAIGN,
    RECEIPTS,
    block_of,
    done_key,
    done_prefix,
    fail_prefix,
    finished_key,
    out_key,
    piece_id,
)
from skyhold.simulation.outcome import Outcome, read_outcomes
from skyhold.simulation.pieces import Left, counting
from skyhold.simulation.spending import price_of, requests_in
from skyhold.simulation.status import Status, find_status
from skyhold.simulation.tasks import Label
from skyhold.storage.contract import Store
from skyhold.storage.wrappers.prefixed import PrefixedStore

__all__ = ["CaseState", "CaseStory", "CaseView", "Look", "Survey", "find_campaigns", "is_campaign"]

CaseState = Literal["done", "failed", "running", "waiting"]

_READS = 16
_FOLDERS = 100


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case as it stands.

    Attributes:
        label: What it is called, and its parameters.
        state: ``"running"``: a worker has taken the chunk that it is in.
        outcome: How it ended; None before its chunk is finished.
    """

    label: Label
    state: CaseState
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class CaseStory:
    """A case with all that is known of it.

    Attributes:
        view: How it stands.
        options: The engine's flags.
        attempts: Those that failed, in their order.
        prefix: Under what its files lie in the campaign's store; empty where there are none.
    """

    view: CaseView
    options: Mapping[str, Any]
    attempts: tuple[Outcome, ...]
    prefix: str


@dataclass(frozen=True, slots=True)
class Look:
    """A campaign at one moment.

    Attributes:
        at: When, by this machine's clock.
        record: What was written down at its creation.
        status: How far it is, counting also what active workers have committed since they were last heard of.
        cases: By label, in the order of the plan.
        eta_s: Seconds that are left with the workers that are active; None where nobody is, or nothing has ended yet.
        requests: What its cases asked of the store.
        cost: What these requests cost; None where nothing is charged.
        version: Another one when the results are others.
    """

    at: datetime
    record: CampaignRecord
    status: Status
    cases: Mapping[str, CaseView]
    eta_s: float | None
    requests: float
    cost: float | None
    version: tuple[int, int, int]

    @property
    def state(self) -> str:
        """The state in a word, as runs have it."""
        status = self.status
        if status.active:
            return "running"
        if status.is_complete:
            return "failed" if status.failed else "completed"
        return "stopped" if status.is_cancelled else "waiting"

    def named(self, label: str) -> CaseView:
        """Return a case.

        Raises:
            ResultError: There is none of this label.
        """
        if label not in self.cases:
            near = get_close_matches(label, self.cases, 1)
            remedy = f"Did you mean {near[0]!r}?" if near else "Choose one of the campaign's cases"
            raise ResultError(f"the campaign has no case {label!r}", remedy=remedy)
        return self.cases[label]


def is_campaign(store: Store) -> bool:
    """Return whether a campaign was created there.

    Raises:
        StorageError: It cannot be found out.
    """
    return store.exists(CAMPAIGN)


def find_campaigns(store: Store) -> list[str]:
    """Return the folders in which campaigns were created: ``""`` for the store itself, else those that lie right in it.

    Of those, the first hundred are looked into, with one request each; those that may not be read are passed over.

    Raises:
        StorageError: It cannot be found out.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://find-campaigns-example")
        >>> for key in ("a/campaign.json", "b/campaign.json", "c/table.csv"):
        ...     _ = store.write(key, b"{}")
        >>> find_campaigns(store)
        ['a/', 'b/']
    """
    if is_campaign(store):
        return [""]
    page = next(store.list_pages(delimiter="/"), None)
    folders: list[str] = [] if page is None else list(page.prefixes[:_FOLDERS])
    with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-campaigns") as pool:
        there = list(pool.map(partial(_has_campaign, store), folders))
    return [folder for folder, is_there in zip(folders, there, strict=True) if is_there]


def _has_campaign(store: Store, folder: str) -> bool:
    try:
        return store.exists(folder + CAMPAIGN)
    except AccessDeniedError:
        return False


class Survey:
    """Looks at a campaign again and again. May be used by several threads.

    Args:
        store: The campaign's.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> Survey(open_store("memory://survey-example")).receipts(limit=10)
        []
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._board = Board(store)
        self._lock = threading.RLock()
        self._receipts: dict[str, Receipt | None] = {}
        self._labels: dict[str, Label] = {}
        self._homes: dict[str, list[tuple[str, str]]] = {}
        self._chunks_of: dict[str, list[str]] = {}
        self._read: set[str] = set()
        self._ended: dict[str, dict[str, Outcome]] = {}
        self._told: dict[str, list[Outcome]] = {}
        self._results: dict[str, Outcome] = {}
        self._table: tuple[tuple[int, int, int], Any] | None = None

    def look(self) -> Look:
        """Return how the campaign stands now.

        Raises:
            ResultError: There is no campaign.
            StorageError: The store does not answer.
        """
        with self._lock:
            record = self._board.record
            standing = self._board.look()
            self._read_plan()
            status = find_status(self._board, standing)
            self._results = results = self._find_results(standing)
            states = self._states(standing, {each.chunk for each in status.active}, results)
            cases = {
                name: CaseView(label, states[label.case], results.get(label.case))
                for name, label in self._labels.items()
            }
            counts = Counter(states.values())
            status = replace(
                status,
                done=counts["done"],
                failed=counts["failed"],
                running=counts["running"],
                waiting=counts["waiting"],
            )
            usages = [outcome.usage for outcome in results.values()]
            prices = [price for usage in usages if (price := price_of(usage)) is not None]
            return Look(
                datetime.now(UTC),
                record,
                status,
                cases,
                _eta_s(status, results),
                sum(map(requests_in, usages)),
                sum(prices) if prices else None,
                (standing.parts, len(standing.ended), sum(map(len, standing.finished.values()))),
            )

    def story(self, label: str) -> CaseStory:
        """Return all that is known of a case.

        Raises:
            ResultError: There is none of this label.
        """
        with self._lock:
            view = self.look().named(label)
            case = view.label.case
            chunks = self._chunks_of[case]
            homes = {home for chunk in chunks for known, home in self._homes[chunk] if known == case}
            tasks = self._board.chunks(block_of(chunks[0]))[chunks[0]].tasks
            task = next(task for task in tasks if task.case == case)
        if view.state == "done" and view.outcome is None:
            view = replace(view, outcome=self._early(homes, case))
        attempts = tuple(
            read_outcomes(self.store.read(info.key))[0]
            for chunk in chunks
            for info in self.store.list(f"{fail_prefix(chunk)}{case}/")
        )
        ended = view.outcome
        prefix = out_key(case, ended.attempt, "") if ended is not None and ended.failure is None else ""
        return CaseStory(view, task.options, attempts, prefix)

    def folder(self, label: str) -> Store:
        """Return what was kept of a case, as a store of its own.

        Raises:
            ResultError: There is no such label, or the case has no results.
        """
        story = self.story(label)
        if not story.prefix:
            raise ResultError(f"the case {label!r} has no results: it is {story.view.state}", remedy="Run it first")
        return PrefixedStore(self.store, story.prefix)

    def table(self) -> Any:
        """Return parameters and results as an Arrow table, a row for each label; see `Campaign.table`."""
        from skyhold.simulation.campaign_table import build_table  # noqa: PLC0415 - pyarrow, for tables alone

        with self._lock:
            version = self.look().version
            if self._table is None or self._table[0] != version:
                built = build_table(self._labels.values(), self._results)
                self._table = (version, built)
            return self._table[1]

    def receipts(self, limit: int) -> list[Receipt]:
        """Return what workers have left when they ended, the newest first; what cannot be read is passed over."""
        keys = sorted((info.key for info in self.store.list(RECEIPTS)), reverse=True)
        keys = [key for key in keys if key.endswith(RECEIPT_SUFFIX)][:limit]
        unread = [key for key in keys if key not in self._receipts]
        with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-read") as pool:
            self._receipts.update(zip(unread, pool.map(self._read_receipt, unread), strict=True))
        return [receipt for key in keys if (receipt := self._receipts[key]) is not None]

    def _read_receipt(self, key: str) -> Receipt | None:
        try:
            return Receipt.from_json(self.store.read(key))
        except (MalformedInputError, VerificationError):
            return None

    def _read_plan(self) -> None:
        """Read the labels and cases of the blocks that were not read before."""
        for block in [name for name in self._board.blocks if name not in self._read]:
            for name, chunk in self._board.chunks(block).items():
                self._homes[name] = [(task.case, chunk.home_of(task)) for task in chunk.tasks]
                for task in chunk.tasks:
                    self._chunks_of.setdefault(task.case, []).append(name)
            for label in self._board.plan(block).labels:
                self._labels.setdefault(label.label, label)
            self._read.add(block)

    def _find_results(self, standing: Standing) -> dict[str, Outcome]:
        """Return how cases ended, as far as their chunks are finished; the last of several attempts counts."""
        found: dict[str, Outcome] = {}
        for block in self._board.blocks:
            if block not in self._ended:
                told = {outcome.case: outcome for outcome in self._outcomes_of(block, standing)}
                if block not in standing.ended:
                    found |= told
                    continue
                self._ended[block] = told
                self._board.forget(block)
            found |= self._ended[block]
        return found

    def _outcomes_of(self, block: str, standing: Standing) -> list[Outcome]:
        """Return what came of the cases of a block; what the board does not keep of a large campaign is kept here."""
        if self._board.is_small or block in standing.ended:
            for name in [name for name in self._told if block_of(name) == block]:
                del self._told[name]
            return self._board.outcomes_of(block, standing)
        names = counting(standing.finished.get(block, ()))
        unread = [name for name in names if name not in self._told]
        with ThreadPoolExecutor(_READS, thread_name_prefix="skyhold-read") as pool:
            self._told.update(zip(unread, pool.map(self._read_told, unread), strict=True))
        return [outcome for name in names for outcome in self._told[name]]

    def _read_told(self, name: str) -> list[Outcome]:
        return read_outcomes(self.store.read(finished_key(name)))

    def _states(self, standing: Standing, active: set[str], results: Mapping[str, Outcome]) -> dict[str, CaseState]:
        """Return the state of each case."""
        states: dict[str, CaseState] = dict.fromkeys(self._chunks_of, "waiting")
        states |= {case: "failed" if outcome.failure else "done" for case, outcome in results.items()}
        for left in self._board.left(standing):
            is_active = not active.isdisjoint({left.chunk, piece_id(left.chunk, left.start, left.end)})
            early = self._committed(left) if left.claim else set[str]()
            for case, _ in self._homes[left.chunk][left.start : left.end]:
                if states[case] != "done":
                    states[case] = "done" if case in early else "running" if is_active else "waiting"
        return states

    def _committed(self, left: Left) -> set[str]:
        """Return the cases that are done in a chunk that somebody is at, or has left."""
        homes = {home for _, home in self._homes[left.chunk][left.start : left.end]}
        names = (info.key.rpartition("/")[2] for home in homes for info in self.store.list(done_prefix(home)))
        return {name.removesuffix(".json") for name in names}

    def _early(self, homes: set[str], case: str) -> Outcome | None:
        keys = [key for home in homes if self.store.exists(key := done_key(home, case))]
        return read_outcomes(self.store.read(keys[0]))[0] if keys else None


def _eta_s(status: Status, results: Mapping[str, Outcome]) -> float | None:
    paces = [
        each.seconds + sum(each.spent.values()) for each in results.values() if not (each.failure or each.reused_from)
    ]
    left = status.running + status.waiting
    if not (paces and status.active and left):
        return None
    workers = {each.worker for each in status.active}  # one may hold two chunks: it ends one, and begins the next
    return sum(paces) / len(paces) * left / len(workers)
