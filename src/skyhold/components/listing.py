"""Which components there are, as their heads tell it."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from skyhold.components.ledger import Ledger
from skyhold.components.manifest import Head
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
    """

    component: str
    version: int
    size_bytes: int
    files: int
    modified: datetime
    tags: Mapping[str, int]
    is_deleted: bool


def list_components(ledger: Ledger, prefix: str, *, deleted: bool) -> Iterator[ComponentInfo]:
    """Yield the components whose id starts with ``prefix``, by id; one request for each, many at a time."""
    workers = min(ledger.store.concurrency, 64)
    with ThreadPoolExecutor(workers, thread_name_prefix="skyhold-heads") as pool:
        heads = ledger.list_heads(prefix)
        while some := list(islice(heads, workers * 4)):
            reading = [(info, pool.submit(ledger.find_head, component_id)) for component_id, info in some]
            wait_for([future for _, future in reading])
            for info, future in reading:
                found = future.result()
                if found is not None and (deleted or found[0].plain):
                    yield _described(found[0], info)


def _described(head: Head, info: ObjectInfo) -> ComponentInfo:
    size_bytes = sum(each.size_bytes for each in head.plain)
    return ComponentInfo(
        head.component, head.version, size_bytes, len(head.plain), info.modified, head.tags, not head.plain
    )
