"""Which components there are, as their heads tell it."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from skyhold.components.ledger import FoundHead, Ledger
from skyhold.errors import MalformedInputError
from skyhold.execution.waiting import wait_for
from skyhold.storage.objects import ObjectInfo

__all__ = ["ComponentInfo", "list_components"]


@dataclass(frozen=True, slots=True)
class ComponentInfo:
    """What its head tells of a component.

    Attributes:
        component: Its id.
        version: The newest version.
        size_bytes: Of all files of that version.
        files: How many files it has.
        modified: When it was last published or tagged, by the store's clock.
        tags: Names given to versions.
        is_deleted: Whether the newest version says that it was deleted.
        fault: What is wrong with the head where it cannot be read; then the others are empty. Mostly empty itself.
    """

    component: str
    version: int
    size_bytes: int
    files: int
    modified: datetime
    tags: Mapping[str, int]
    is_deleted: bool
    fault: str = ""


def list_components(ledger: Ledger, prefix: str, *, deleted: bool, after: str = "") -> Iterator[ComponentInfo]:
    """Yield the components whose id starts with ``prefix``, by id; one request for each, many at a time."""
    workers = min(ledger.store.concurrency, 64)
    with ThreadPoolExecutor(workers, thread_name_prefix="skyhold-heads") as pool:
        heads = ledger.list_heads(prefix, after=after)
        while some := list(islice(heads, workers * 4)):
            reading = [(each, info, pool.submit(ledger.find_head, each)) for each, info in some]
            wait_for([future for *_, future in reading])
            for component_id, info, future in reading:
                found = _described(component_id, info, future)
                if found is not None and (deleted or not found.is_deleted):
                    yield found


def _described(component_id: str, info: ObjectInfo, reading: Future[FoundHead | None]) -> ComponentInfo | None:
    try:
        found = reading.result()
    except MalformedInputError as error:  # the others can be told all the same
        return ComponentInfo(component_id, 0, 0, 0, info.modified, {}, is_deleted=False, fault=str(error))
    if found is None:
        return None
    head = found[0]
    size_bytes = sum(each.size_bytes for each in head.plain)
    return ComponentInfo(
        component_id, head.version, size_bytes, len(head.plain), info.modified, head.tags, is_deleted=not head.plain
    )
