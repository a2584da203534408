"""Making a campaign: content first, the record that makes it exist last."""

import uuid
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from types import TracebackType
from typing import Self

from skyhold.errors import (
    AlreadyExistsError,
    BucketNotFoundError,
    KeyNotFoundError,
    PreconditionFailedError,
    UnsupportedError,
)
from skyhold.runs.receipt import versions
from skyhold.simulation.campaign_record import BlockRecord, CampaignRecord, PartKind, PartRecord, Rules
from skyhold.simulation.layout import CAMPAIGN, blob_key, block_id, block_of, part_key
from skyhold.simulation.planning import Entry, TaskReader, cut_blocks
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.tasks import PlanLike, Task
from skyhold.storage.contract import Store

__all__ = ["PartPlan", "create_campaign", "extend_campaign", "keeps_conditions", "retry_cases"]

_PROBE = b"written to see whether this store keeps conditions, and taken away again\n"
_NO_TAG = '"0123456789abcdef0123456789abcdef"'
_UPLOADS = 8


def create_campaign(store: Store, plan: PlanLike, simulator: Simulator, rules: Rules) -> CampaignRecord:
    """Create a campaign, or find that it is there already.

    Raises:
        AlreadyExistsError: Another one is there.
        UnsupportedError: The store ignores conditional writes, and no shards were asked for.
    """
    reader = TaskReader(plan, simulator.build, beside=store)
    found = _find(store)
    if found is None:
        entries = _checked(reader.read())
        rules = _fit_rules(store, rules)
        part = _upload(store, entries, reader, rules, PartPlan("plan", 0))
        origins: tuple[str, ...] = getattr(plan, "origins", ())  # plans made by hand have none
        made = CampaignRecord(simulator.name, simulator.build, reader.fingerprint, rules, part, versions(), origins)
        try:
            store.write(CAMPAIGN, made.to_json(), if_absent=True)
        except AlreadyExistsError:
            found = CampaignRecord.from_json(store.read(CAMPAIGN), store.uri)
        else:
            return made
    else:
        deque(reader.read(), maxlen=0)  # for its fingerprint
    if (found.fingerprint, found.simulator, found.build) != (reader.fingerprint, simulator.name, simulator.build):
        raise AlreadyExistsError(
            f"another campaign is there, of {found.simulator} {found.build}, with another plan",
            operation="create",
            uri=store.uri,
            remedy="Choose another URI, or add to what is there: Campaign.open(uri).extend(study)",
        )
    return found


@dataclass(frozen=True, slots=True)
class PartPlan:
    """What a part of the plan will be.

    Attributes:
        kind: How it comes about.
        number: Which part it is to become.
        known: Cases that the campaign has, and in which block.
        again: How its cases had failed before, where they are tried again: how many, by class.
    """

    kind: PartKind
    number: int
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    again: Mapping[str, int] = field(default_factory=dict[str, int])


def extend_campaign(store: Store, entries: Iterable[Entry], reader: TaskReader, rules: Rules, plan: PartPlan) -> bool:
    """Add to the plan of a campaign; return whether nobody else has done so since one last looked."""
    return _put_part(store, _upload(store, entries, reader, rules, plan), plan)


def retry_cases(store: Store, tasks: Iterable[Task], names: Mapping[str, str], rules: Rules, plan: PartPlan) -> bool:
    """Let cases be tried again; return whether nobody else has changed the plan since one last looked."""
    blocks: list[BlockRecord] = []
    for draft in cut_blocks(((None, task) for task in tasks), rules, names):
        sha256, data = draft.tasks.to_blob()
        _put_blob(store, sha256, data)
        homes = {block_of(task.home) for task in draft.tasks.tasks}
        blocks.append(BlockRecord.of(sha256, draft.sizes, needs=homes))
    return _put_part(store, PartRecord("retry", tuple(blocks), plan.again), plan)


def _put_part(store: Store, part: PartRecord, plan: PartPlan) -> bool:
    try:
        store.write(part_key(plan.number), part.to_json(), if_absent=True)
    except AlreadyExistsError:
        return False
    return True


def keeps_conditions(store: Store) -> bool:
    """Return whether a store does what conditional writes ask; some accept them and write all the same.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> keeps_conditions(open_store("memory://conditions-example"))
        True
    """
    key = f"probe-{uuid.uuid4().hex}"
    store.write(key, _PROBE)
    try:
        return _refuses(store, key, if_absent=True) and _refuses(store, key, if_absent=False)
    finally:
        store.delete(key)


def _refuses(store: Store, key: str, *, if_absent: bool) -> bool:
    try:
        store.write(key, _PROBE, if_absent=if_absent, if_match=None if if_absent else _NO_TAG)
    except (AlreadyExistsError, PreconditionFailedError):
        return True
    return False


def _find(store: Store) -> CampaignRecord | None:
    try:
        return CampaignRecord.from_json(store.read(CAMPAIGN), store.uri)
    except (KeyNotFoundError, BucketNotFoundError):  # a folder is made by the first write, a bucket is missed by it
        return None


def _fit_rules(store: Store, rules: Rules) -> Rules:
    if keeps_conditions(store):
        return replace(rules, shards=0)
    if rules.shards:
        return rules
    raise UnsupportedError(
        "this store ignores conditional writes, so that two workers could not tell who has which case",
        operation="create",
        uri=store.uri,
        remedy="Use another store, or divide the cases beforehand: Campaign.create(…, shards=4), one worker a shard",
    )


def _checked(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Return entries, the first of which was read: a plan that cannot be used is found before anything is written."""
    rest = iter(entries)
    return chain([next(rest)], rest)


def _upload(store: Store, entries: Iterable[Entry], reader: TaskReader, rules: Rules, plan: PartPlan) -> PartRecord:
    """Write the blocks of a part, each as soon as it is full, and what they need."""
    blocks: list[BlockRecord] = []
    ends: list[int] = []

    def block_with(case: str) -> str:
        place = reader.place_of(case)
        return plan.known[case] if place is None else block_id(plan.number, bisect_right(ends, place))

    with _Uploads(store) as uploads:
        for draft in cut_blocks(entries, rules, reader.names):
            sha256, data = draft.tasks.to_blob()
            uploads.put(sha256, data)
            ends.append((ends[-1] if ends else 0) + len(draft.tasks.tasks))
            needs = {block_with(case) for case in draft.foreign}
            blocks.append(BlockRecord.of(sha256, draft.sizes, len(draft.tasks.labels), needs))
        for sha256, data in reader.blobs.items():
            uploads.put(sha256, data)
    return PartRecord(plan.kind, tuple(blocks), plan.again)


class _Uploads:
    """Writes blobs that are not there, some at a time, and never holds more than those."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pool = ThreadPoolExecutor(_UPLOADS, thread_name_prefix="skyhold-create")
        self._pending: deque[Future[None]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=error is not None)
        if error is None:
            self._settle(0)

    def put(self, sha256: str, data: bytes) -> None:
        """Write content, sooner or later."""
        self._pending.append(self._pool.submit(_put_blob, self._store, sha256, data))
        self._settle(2 * _UPLOADS)

    def _settle(self, most: int) -> None:
        while len(self._pending) > most:
            self._pending.popleft().result()


def _put_blob(store: Store, sha256: str, data: bytes) -> None:
    key = blob_key(sha256)
    if not store.exists(key):
        store.write(key, data)
