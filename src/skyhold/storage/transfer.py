"""Many objects from store to store: in parallel, in bounded memory, verified, with every failure told."""

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

from skyhold.errors import ConflictError, IntegrityError, SkyholdError, StoppedError, TransferError
from skyhold.execution.memory import return_large_blocks
from skyhold.execution.waiting import wait_until
from skyhold.storage.budget import Budget
from skyhold.storage.contract import Store
from skyhold.storage.location import is_same_place
from skyhold.storage.objects import Attributes, ByteRange, ObjectInfo

__all__ = ["SHA256", "Transfer", "Transferred", "transfer_all"]

SHA256 = "sha256"
"""Metadata name under which an object's own hash may stand; a transfer that reads the object checks it."""

_SMALL_BYTES = 8 * 1024 * 1024
_BUDGET_BYTES = 256 * 1024 * 1024
_BLOCK_BYTES = 4 * 1024 * 1024
_READ_AHEAD = 4
_STREAM_BYTES = _BLOCK_BYTES * (_READ_AHEAD + 3) + 5 * _SMALL_BYTES
"""What a large object holds at most: blocks that were read, and the parts that a writer has in flight."""

_COPY_LIMIT_BYTES = 5 * 1024**3
_MOST_THREADS = 128
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


@dataclass(frozen=True, slots=True)
class _Mover:
    """What the workers of one call share."""

    budget: Budget
    verify: bool
    told: Moved
    stopped: threading.Event = field(default_factory=threading.Event)

    def move(self, transfer: Transfer) -> Transferred:
        if transfer.source is transfer.target and _size_of(transfer) <= _COPY_LIMIT_BYTES:
            moved = self._copy(transfer)
        else:
            moved = self._pass_through(transfer)
        self.told(0, 1)
        return moved

    def _copy(self, transfer: Transfer) -> Transferred:
        transfer.source.copy(transfer.source_key, transfer.target_key)
        if self.verify:
            self._compare(transfer, self._sha256_of(transfer.source, transfer.source_key))
        return Transferred(transfer, transfer.target.info(transfer.target_key), None)

    def _pass_through(self, transfer: Transfer) -> Transferred:
        moved = None
        known = transfer.info.size_bytes if transfer.info else None
        if known is None or known <= _SMALL_BYTES:
            taken = self.budget.take(_SMALL_BYTES if known is None else known)
            try:
                self.go_on(transfer)
                moved = self._move_small(transfer)
            finally:
                self.budget.give(taken)
        if moved is None:
            with self.budget.of(min(known or _STREAM_BYTES, _STREAM_BYTES)):
                self.go_on(transfer)
                moved = self._stream(transfer)
        if self.verify:
            self._compare(transfer, moved.sha256)
        return moved

    def _move_small(self, transfer: Transfer) -> Transferred | None:
        """Move an object in one piece; None if it is too large, which is seen by asking for no more than that."""
        asked = None if transfer.info else ByteRange(0, _SMALL_BYTES)
        found, data = transfer.source.read_with_info(transfer.source_key, asked)
        if asked is not None and found.size_bytes > _SMALL_BYTES:
            return None
        sha256 = hashlib.sha256(data).hexdigest()
        _check(transfer, found, len(data), sha256)
        written = transfer.target.write(transfer.target_key, data, attributes=_kept(found))
        self.told(len(data), 0)
        return Transferred(transfer, written, sha256)

    def _stream(self, transfer: Transfer) -> Transferred:
        digest = hashlib.sha256()
        source, target = transfer.source, transfer.target
        with (
            source.open_reader(transfer.source_key, block_bytes=_BLOCK_BYTES, read_ahead=_READ_AHEAD) as reader,
            target.open_writer(
                transfer.target_key, attributes=_kept(reader.info), size_bytes=reader.size_bytes
            ) as writer,
            ThreadPoolExecutor(1, thread_name_prefix="skyhold-hash") as hasher,
        ):
            hashed: deque[Future[None]] = deque()
            while block := reader.read(_BLOCK_BYTES):
                self.go_on(transfer)
                # Hashing takes longest, so the next block lies there for it when it is done with one.
                hashed.append(hasher.submit(digest.update, block))
                if len(hashed) > 1:
                    hashed.popleft().result()
                writer.write(block)
                self.told(len(block), 0)
            for each in hashed:
                each.result()
            _check(transfer, reader.info, writer.size_bytes, digest.hexdigest())
        assert writer.info is not None
        return Transferred(transfer, writer.info, digest.hexdigest())

    def _compare(self, transfer: Transfer, sha256: str | None) -> None:
        found = self._sha256_of(transfer.target, transfer.target_key)
        if found != sha256:
            raise IntegrityError(
                f"the target has SHA-256 {found}, the source has {sha256}",
                operation="verify",
                uri=transfer.target.uri_of(transfer.target_key),
                remedy="Transfer it again",
            )

    def _sha256_of(self, store: Store, key: str) -> str:
        digest = hashlib.sha256()
        with self.budget.of(_SMALL_BYTES * 3), store.open_reader(key, read_ahead=1) as reader:
            while block := reader.read(_SMALL_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def go_on(self, transfer: Transfer) -> None:
        """Leave a transfer that nobody waits for any more."""
        if self.stopped.is_set():
            raise StoppedError(f"the transfer of {transfer.source.uri_of(transfer.source_key)!r} was stopped")


class _Places:
    """Where objects are, found out once for each folder: for files that means following links."""

    def __init__(self) -> None:
        self._folders: dict[tuple[int, str], tuple[Store, str]] = {}  # the store is held, so that its id stays its own
        self._targets: set[str] = set()

    def of(self, store: Store, key: str) -> str:
        """Return what `Store.place_of` would."""
        folder, _, name = key.rpartition("/")
        known = self._folders.get((id(store), folder))
        if known is None:
            place = store.place_of(key)
            self._folders[id(store), folder] = store, place.removesuffix(name)
            return place
        return known[1] + name

    def fault_of(self, transfer: Transfer) -> str:
        """Return why an object cannot go where it is to go; empty where it can, and then nothing else may go there."""
        target = self.of(transfer.target, transfer.target_key)
        if is_same_place(self.of(transfer.source, transfer.source_key), target):
            return "source and target are the same"
        if target in self._targets:
            return f"another object also goes to {transfer.target.uri_of(transfer.target_key)!r}"
        self._targets.add(target)
        return ""


class _Crew:
    """Threads that move what is put in line for them, and keep what has become of it.

    None of them wakes the thread that fills the line for every object: it comes again when the line grows short. Where
    objects are small, handing over from thread to thread is most of the work.
    """

    def __init__(self, mover: _Mover, pool: ThreadPoolExecutor) -> None:
        self._mover = mover
        self._pool = pool
        self._line: SimpleQueue[tuple[int, Transfer] | None] = SimpleQueue()
        self._most = 0
        self._threads = 0
        self._begun = 0
        self._moved: dict[int, Transferred] = {}
        self._failed: list[tuple[Transfer, Exception]] = []
        self._broken: BaseException | None = None
        self._few = 0
        self._few_left = threading.Event()

    def begin(self, number: int, transfer: Transfer, *, most: int) -> None:
        """Put a transfer in line, as soon as that is not too long; no more than ``most`` are moved at once."""
        if most != self._most:
            self._resize(most)
        if self._unfinished() >= 2 * most:
            self._wait_for(most + most // 2)
        self._begun += 1
        self._line.put((number, transfer))
        if self._threads < min(most, self._unfinished()):
            self._threads += 1
            self._pool.submit(self._work)

    def fail(self, transfer: Transfer, error: Exception) -> None:
        """Take note of a transfer that is not begun."""
        self._begun += 1
        self._failed.append((transfer, error))

    def finish(self) -> None:
        """Wait until all are done."""
        self._wait_for(0)

    def leave(self) -> None:
        """Send the threads home."""
        for _ in range(self._threads):
            self._line.put(None)

    def _resize(self, most: int) -> None:
        self.finish()
        for _ in range(most, self._threads):
            self._line.put(None)
        self._threads = min(self._threads, most)
        self._most = most

    def _wait_for(self, few: int) -> None:
        self._few = few
        while self._unfinished() > few:
            self._few_left.clear()
            if self._broken is None and self._unfinished() > few:
                wait_until(self._few_left.wait)
            if self._broken is not None:
                raise self._broken

    def _unfinished(self) -> int:
        return self._begun - len(self._moved) - len(self._failed)

    def _work(self) -> None:
        while (given := self._line.get()) is not None and not self._mover.stopped.is_set():
            number, transfer = given
            try:
                self._moved[number] = self._mover.move(transfer)
            except (SkyholdError, OSError) as error:
                self._failed.append((transfer, error))
            except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
                self._broken = error
                self._few_left.set()
                return
            if self._unfinished() <= self._few:
                self._few_left.set()

    def result(self) -> list[Transferred]:
        """Return all that was moved, or raise all that failed."""
        if not self._failed:
            return [self._moved[number] for number in sorted(self._moved)]
        failures: dict[str, Exception] = {}
        for transfer, error in self._failed:
            source, target = transfer.source.uri_of(transfer.source_key), transfer.target.uri_of(transfer.target_key)
            failures[f"{source} → {target}" if source in failures else source] = error
        failed = len(failures)
        raise TransferError(
            f"{failed} of {failed + len(self._moved)} objects failed, the first: {next(iter(failures.values()))}",
            failures=failures,
            operation="transfer",
            remedy="Correct the cause and run it again; what was moved is complete",
        )


def transfer_all(
    transfers: Iterable[Transfer],
    *,
    jobs: int | None = None,
    verify: bool = False,
    on_moved: Moved | None = None,
    budget_bytes: int = _BUDGET_BYTES,
) -> list[Transferred]:
    """Move objects; return what was moved, in the order it was asked for.

    What passes through here is compared in size always, and in SHA-256 with what the source's metadata promises.
    Within one store, the store copies by itself.

    Args:
        transfers: What to move; read as it is needed, so it may be a long listing.
        jobs: Objects at a time; what the stores like best if not given.
        verify: Read every target again and compare its SHA-256 with that of the source.
        on_moved: Told of bytes and objects as they are moved.
        budget_bytes: Content that is read and not yet handed on, over all objects; one object always goes on.

    Raises:
        TransferError: Some failed; the others were moved all the same. ``failures`` has every one, by source URI (and
            target, where one source failed more than once).

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> source, target = open_store("memory://transfer-example"), open_store("memory://transfer-target")
        >>> _ = source.write("a", b"content")
        >>> [moved.sha256[:8] for moved in transfer_all([Transfer(source, "a", target, "b")])]
        ['ed7002b4']
    """
    return_large_blocks()
    mover = _Mover(Budget(budget_bytes), verify, on_moved or _nothing)
    places = _Places()
    with ThreadPoolExecutor(jobs or _MOST_THREADS, thread_name_prefix="skyhold-transfer") as pool:
        crew = _Crew(mover, pool)
        try:
            for number, transfer in enumerate(transfers):
                error = _refused(transfer, places)
                if error is not None:
                    crew.fail(transfer, error)
                    continue
                most = jobs or min(transfer.source.concurrency, transfer.target.concurrency)
                crew.begin(number, transfer, most=most)
            crew.finish()
        except BaseException:
            mover.stopped.set()
            raise
        finally:
            crew.leave()
    return crew.result()


def _refused(transfer: Transfer, places: _Places) -> SkyholdError | None:
    """Return the error of a transfer that must not begin: onto itself, or onto the target of another."""
    try:
        fault = places.fault_of(transfer)
    except SkyholdError as error:
        return error
    if not fault:
        return None
    uri, remedy = transfer.source.uri_of(transfer.source_key), "Choose another target, and run it again"
    return ConflictError(fault, operation="transfer", uri=uri, remedy=remedy)


def _size_of(transfer: Transfer) -> int:
    return (transfer.info or transfer.source.info(transfer.source_key)).size_bytes


def _kept(found: ObjectInfo) -> Attributes | None:
    """Metadata, type and tags go along; a storage class belongs to the store that it is in."""
    if found.attributes is None:
        return None
    attributes = found.attributes
    content_type = "" if attributes.content_type in _ANY_TYPE else attributes.content_type
    return Attributes(attributes.metadata, content_type, tags=attributes.tags)


def _check(transfer: Transfer, found: ObjectInfo, size_bytes: int, sha256: str) -> None:
    promised = found.attributes.metadata.get(SHA256, sha256) if found.attributes else sha256
    if size_bytes != found.size_bytes or sha256 != promised:
        raise IntegrityError(
            f"read {size_bytes} bytes with SHA-256 {sha256}, promised {found.size_bytes} bytes with {promised}",
            operation="transfer",
            uri=transfer.source.uri_of(transfer.source_key),
            remedy="Transfer it again; if it fails again, the source is damaged",
        )


def _nothing(size_bytes: int, objects: int) -> None:
    """Tell nobody."""
    del size_bytes, objects
