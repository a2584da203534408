"""Making a campaign: content first, the record that makes it exist last."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from skyhold.errors import (
    AlreadyExistsError,
    BucketNotFoundError,
    KeyNotFoundError,
    PreconditionFailedError,
    UnsupportedError,
)
from skyhold.runs.receipt import versions
from skyhold.simulation.campaign_record import CampaignRecord, PartKind, PartRecord, Rules
from skyhold.simulation.layout import CAMPAIGN, blob_key, part_key
from skyhold.simulation.simulator import Simulator
from skyhold.simulation.tasks import Blobs, PlanLike, TaskList, chunk_sizes, list_tasks
from skyhold.storage.contract import Store

__all__ = ["add_part", "create_campaign", "keeps_conditions"]

_PROBE = b"written to see whether this store keeps conditions, and taken away again\n"
_NO_TAG = '"0123456789abcdef0123456789abcdef"'
_UPLOADS = 8


def create_campaign(store: Store, plan: PlanLike, simulator: Simulator, rules: Rules) -> CampaignRecord:
    """Create a campaign, or find that it is there already.

    Raises:
        AlreadyExistsError: Another one is there.
        UnsupportedError: The store ignores conditional writes, and no shards were asked for.
    """
    tasks, blobs = list_tasks(plan, simulator.build, beside=store)
    fingerprint = tasks.fingerprint()
    found = _find(store)
    if found is None:
        rules = _fit_rules(store, rules)
        part = _upload(store, tasks, blobs, rules, "plan")
        made = CampaignRecord(simulator.name, simulator.build, fingerprint, rules, part, versions())
        try:
            store.write(CAMPAIGN, made.to_json(), if_absent=True)
        except AlreadyExistsError:
            found = CampaignRecord.from_json(store.read(CAMPAIGN), store.uri)
        else:
            return made
    if (found.fingerprint, found.simulator, found.build) != (fingerprint, simulator.name, simulator.build):
        raise AlreadyExistsError(
            f"another campaign is there, of {found.simulator} {found.build}, with another plan",
            operation="create",
            uri=store.uri,
            remedy="Choose another URI, or add to what is there: Campaign.open(uri).extend(study)",
        )
    return found


def add_part(store: Store, tasks: TaskList, blobs: Blobs, rules: Rules, kind: PartKind, after: int) -> int:
    """Add to the plan of a campaign, and return which part it became."""
    part = _upload(store, tasks, blobs, rules, kind)
    while True:
        after += 1
        try:
            store.write(part_key(after), part.to_json(), if_absent=True)
        except AlreadyExistsError:
            continue
        return after


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


def _upload(store: Store, tasks: TaskList, blobs: Blobs, rules: Rules, kind: PartKind) -> PartRecord:
    content, sha256 = tasks.to_bytes(), tasks.fingerprint()

    def upload(item: tuple[str, bytes]) -> None:
        key = blob_key(item[0])
        if not store.exists(key):
            store.write(key, item[1])

    with ThreadPoolExecutor(_UPLOADS, thread_name_prefix="skyhold-create") as pool:
        list(pool.map(upload, [*blobs.items(), (sha256, content)]))
    sizes = chunk_sizes(len(tasks.tasks), largest=rules.largest_chunk, workers=rules.workers)
    return PartRecord(kind, sha256, tuple(sizes))
