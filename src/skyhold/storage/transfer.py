"""Many objects from store to store: in parallel, in bounded memory, verified, with every failure told."""

import hashlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from skyhold.errors import IntegrityError, SkyholdError, TransferError
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes, ObjectInfo

__all__ = ["SHA256", "Transfer", "Transferred", "transfer_all"]

SHA256 = "sha256"
"""Metadata name under which an object's own hash may stand; a transfer that reads the object checks it."""

_SMALL_BYTES = 8 * 1024 * 1024
_BUDGET_BYTES = 256 * 1024 * 1024
_READ_AHEAD = 4
_ANY_TYPE = {"binary/octet-stream", "application/octet-stream"}

Moved = Callable[[int, int], None]
"""Called with bytes and objects that were moved since the last call, from any thread."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object to move: from where, to where, and what is known of it."""

    source: Store
    source_key: str
    target: Store
    target_key: str
    info: ObjectInfo | None = None


@dataclass(frozen=True, slots=True)
class Transferred:
    """One object that was moved; the hash is None where the store copied it by itself."""

    transfer: Transfer
    info: ObjectInfo
    sha256: str | None


class _Budget:
    """Bytes that may be in flight."""

    def __init__(self, size_bytes: int) -> None:
        self._free = size_bytes
        self._most = size_bytes
        self._changed = threading.Condition()

    def take(self, size_bytes: int) -> int:
        size_bytes = min(size_bytes, self._most)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size_bytes)
            self._free -= size_bytes
        return size_bytes

    def give_back(self, size_bytes: int) -> None:
        with self._changed:
            self._free += size_bytes
            self._changed.notify_all()


def transfer_all(
    transfers: Iterable[Transfer],
    *,
    jobs: int | None = None,
    verify: bool = False,
    on_moved: Moved | None = None,
) -> list[Transferred]:
    """Move objects; return what was moved, in the order it was asked for.

    Sizes are compared always, and SHA-256 with what the source's metadata promises.

    Args:
        transfers: What to move; read as it is needed, so it may be a long listing.
        jobs: Objects at a time; what the stores like best if not given.
        verify: Read every target again and compare its SHA-256.
        on_moved: Told of bytes and objects as they are moved.

    Raises:
        TransferError: Some failed; the others were moved all the same. ``failures`` has every one, by source URI.
    """
    budget = _Budget(_BUDGET_BYTES)
    told = on_moved or _nothing
    results: dict[int, Transferred] = {}
    failures: dict[str, Exception] = {}
    waiting: dict[Future[Transferred], tuple[int, Transfer]] = {}

    def settle(done: Iterable[Future[Transferred]]) -> None:
        for future in done:
            number, transfer = waiting.pop(future)
            try:
                results[number] = future.result()
            except (SkyholdError, OSError) as error:
                failures[transfer.source.uri_of(transfer.source_key)] = error

    with ThreadPoolExecutor(jobs or 128, thread_name_prefix="skyhold-transfer") as pool:
        try:
            for number, transfer in enumerate(transfers):
                limit = jobs or min(transfer.source.concurrency, transfer.target.concurrency)
                if len(waiting) >= 2 * limit:
                    settle(wait(waiting, return_when=FIRST_COMPLETED).done)
                waiting[pool.submit(_move, transfer, budget, verify, told)] = (number, transfer)
            settle(wait(waiting).done)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if failures:
        first = next(iter(failures.values()))
        raise TransferError(
            f"{len(failures)} of {len(failures) + len(results)} objects failed, the first: {first}",
            failures=failures,
            operation="transfer",
            remedy="Correct the cause and run it again; what was moved is complete",
        )
    return [results[number] for number in sorted(results)]


def _move(transfer: Transfer, budget: _Budget, verify: bool, told: Moved) -> Transferred:
    if transfer.source is transfer.target:
        transfer.source.copy(transfer.source_key, transfer.target_key)
        told(0, 1)
        return Transferred(transfer, transfer.target.info(transfer.target_key), None)
    size_bytes = transfer.info.size_bytes if transfer.info else _SMALL_BYTES
    taken = budget.take(min(size_bytes, _SMALL_BYTES * (_READ_AHEAD + 2)))
    try:
        moved = _stream(transfer, told) if size_bytes > _SMALL_BYTES else _move_small(transfer, told)
    finally:
        budget.give_back(taken)
    if verify:
        _verify(moved)
    told(0, 1)
    return moved


def _move_small(transfer: Transfer, told: Moved) -> Transferred:
    found, data = transfer.source.read_with_info(transfer.source_key)
    sha256 = hashlib.sha256(data).hexdigest()
    _check(transfer, found, len(data), sha256)
    written = transfer.target.write(transfer.target_key, data, attributes=_kept(found))
    told(len(data), 0)
    return Transferred(transfer, written, sha256)


def _stream(transfer: Transfer, told: Moved) -> Transferred:
    digest = hashlib.sha256()
    source = transfer.source.open_reader(transfer.source_key, block_bytes=_SMALL_BYTES, read_ahead=_READ_AHEAD)
    with source as reader, transfer.target.open_writer(transfer.target_key, attributes=_kept(reader.info)) as writer:
        while block := reader.read(_SMALL_BYTES):
            digest.update(block)
            writer.write(block)
            told(len(block), 0)
        _check(transfer, reader.info, writer.size_bytes, digest.hexdigest())
    assert writer.info is not None
    return Transferred(transfer, writer.info, digest.hexdigest())


def _kept(found: ObjectInfo) -> Attributes | None:
    """Metadata and type go along; a storage class belongs to the store that it is in."""
    if found.attributes is None:
        return None
    content_type = found.attributes.content_type
    return Attributes(found.attributes.metadata, "" if content_type in _ANY_TYPE else content_type)


def _check(transfer: Transfer, found: ObjectInfo, size_bytes: int, sha256: str) -> None:
    promised = found.attributes.metadata.get(SHA256, sha256) if found.attributes else sha256
    if size_bytes != found.size_bytes or sha256 != promised:
        raise IntegrityError(
            f"read {size_bytes} bytes with SHA-256 {sha256}, promised {found.size_bytes} bytes with {promised}",
            operation="transfer",
            uri=transfer.source.uri_of(transfer.source_key),
            remedy="Transfer it again; if it fails again, the source is damaged",
        )


def _verify(moved: Transferred) -> None:
    target, key = moved.transfer.target, moved.transfer.target_key
    digest = hashlib.sha256()
    with target.open_reader(key, read_ahead=1) as reader:
        while block := reader.read(_SMALL_BYTES):
            digest.update(block)
    if digest.hexdigest() != moved.sha256:
        raise IntegrityError(
            f"the target has SHA-256 {digest.hexdigest()}, what was read has {moved.sha256}",
            operation="verify",
            uri=target.uri_of(key),
            remedy="Transfer it again",
        )


def _nothing(size_bytes: int, objects: int) -> None:
    """Tell nobody."""
    del size_bytes, objects
