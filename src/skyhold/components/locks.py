"""Locks of components, so that two people do not edit one file that nobody can merge.

A lock is advisory: it is an object beside the history. Publishing looks at it and refuses; another program that
writes a plain key does not, and nothing is lost then either: its bytes become a version. A lock belongs to a person
at a machine (``user@host``), so it holds over many commands. It ends by itself when its lease is over, and only the
store's clock is asked whether it is. Where a store ignores conditional writes (`skyhold check` tells), two people who
lock within the same moment may both believe that they hold it.
"""

import getpass
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from skyhold.components.layout import LOCKS, check_component_id, component_of_lock, lock_key
from skyhold.components.lock_note import Lock, LockNote
from skyhold.components.store_clock import store_time
from skyhold.errors import (
    AlreadyExistsError,
    BadOptionError,
    KeyNotFoundError,
    LockedError,
    PreconditionFailedError,
    StorageError,
)
from skyhold.storage.contract import Store

__all__ = ["HeldLock", "Lock", "LockNote", "Locks", "this_person"]

_LEASE_S = 3600.0
_TRIES = 20


def this_person() -> str:
    """Return who works here, as ``user@host``."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


class Locks:
    """The locks of a library, as one person sees them.

    Args:
        store: The library's.
        owner: Who takes them; ``user@host`` if not given.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://locks-example")
        >>> ann, bob = Locks(store, "ann@desk"), Locks(store, "bob@lab")
        >>> with ann.take("arm.blend", reason="new gripper"):
        ...     bob.check("arm.blend")
        Traceback (most recent call last):
        skyhold.errors.LockedError: lock 'memory://locks-example/arm.blend': held by 'ann@desk' ...
        >>> bob.check("arm.blend")
    """

    def __init__(self, store: Store, owner: str | None = None) -> None:
        self.store = store
        self.owner = owner or this_person()

    def take(
        self, component_id: str, *, lease_s: float = _LEASE_S, reason: str = "", force: bool = False
    ) -> "HeldLock":
        """Lock a component. What is ours already is renewed, and its lease never made shorter.

        Args:
            component_id: Which; it need not exist yet.
            lease_s: How long the lock holds unless it is renewed.
            reason: Why, for the others to read.
            force: Take it from whoever holds it; needs a reason.

        Raises:
            LockedError: Somebody else holds it.
            BadOptionError: The lease is not positive, or force has no reason.
        """
        check_component_id(component_id, operation="lock", uri=self.store.uri_of(component_id))
        if lease_s <= 0:
            raise BadOptionError(f"the lease of a lock must be positive, found {lease_s!r}")
        _check_force(component_id, force=force, reason=reason)
        for _ in range(_TRIES):
            found = self._read(component_id)
            note = self._next_note(component_id, found, lease_s=lease_s, reason=reason, force=force)
            written = self._replace(found, note)
            if written is not None:
                ours_before = found is not None and found.note.state == "held" and found.owner == self.owner
                return HeldLock(self, written, ours_before=ours_before)
        raise LockedError(
            f"others changed the lock {_TRIES} times while it was taken",
            operation="lock",
            uri=self.store.uri_of(component_id),
            remedy="Try it again",
        )

    def find(self, component_id: str) -> Lock | None:
        """Return the lock of a component, or None where nobody holds it or its lease is over."""
        found = self._read(component_id)
        return found if found is not None and self._holds(found) else None

    def check(self, component_id: str) -> None:
        """Do nothing unless somebody else holds the lock; one request where nobody does.

        Raises:
            LockedError: With who, until when and why.
        """
        found = self._read(component_id)
        if found is not None and found.owner != self.owner and self._holds(found):
            raise _refusal(found, self.store)

    def list(self, prefix: str = "") -> Iterator[Lock]:
        """Yield the locks that are held, by anybody, of components whose id starts with ``prefix``."""
        held = [
            lock
            for info in self.store.list(LOCKS + prefix)
            if (lock := self._read_key(info.key)) is not None and lock.note.state == "held"
        ]
        if held:
            now = store_time(self.store)
            yield from (lock for lock in held if now <= lock.expires)

    def list_known(self, prefix: str = "") -> Iterator[str]:
        """Yield the components that are locked, or were once, whose id starts with ``prefix``: by listing alone."""
        found = (component_of_lock(info.key) for info in self.store.list(LOCKS + prefix))
        return (component_id for component_id in found if component_id is not None)

    def renew(self, lock: Lock) -> Lock:
        """Return our lock with its lease begun anew.

        Raises:
            LockedError: It is ours no more: the lease was over, or somebody took it by force.
        """
        for _ in range(_TRIES):
            found = self._read(lock.component)
            if found is None or found.note.term != lock.note.term or found.note.state == "free":
                raise _loss(lock, found, self.store)
            written = self._replace(found, found.note.changed())
            if written is not None:
                return written
        raise _loss(lock, self._read(lock.component), self.store)

    def release(self, component_id: str, *, force: bool = False, reason: str = "") -> None:
        """Let others take the lock at once. Does nothing where nobody holds it.

        Args:
            component_id: Which.
            force: Release it even if somebody else holds it; needs a reason.
            reason: Why it is taken away from its owner.

        Raises:
            LockedError: Somebody else holds it.
            BadOptionError: Force has no reason.
        """
        _check_force(component_id, force=force, reason=reason)
        for _ in range(_TRIES):
            found = self._read(component_id)
            if found is None or found.note.state == "free":
                return
            note = found.note.changed(state="free")
            if found.owner != self.owner:
                if not self._holds(found):
                    return
                if not force:
                    raise _refusal(found, self.store)
                note = note.changed(owner=self.owner, displaced=found.owner, reason=reason, term=found.note.term + 1)
            if self._replace(found, note) is not None:
                return

    def _next_note(
        self, component_id: str, found: Lock | None, *, lease_s: float, reason: str, force: bool
    ) -> LockNote:
        if found is None:
            return LockNote(component_id, self.owner, lease_s, reason)
        before = found.note
        if before.state == "held" and before.owner == self.owner:
            lease_s = max(lease_s, before.lease_s)
            return before.changed(lease_s=lease_s, reason=reason or before.reason)
        displaced = ""
        if before.state == "held" and self._holds(found):
            if not force:
                raise _refusal(found, self.store)
            displaced = before.owner
        return LockNote(component_id, self.owner, lease_s, reason, term=before.term + 1, displaced=displaced)

    def _holds(self, lock: Lock) -> bool:
        return lock.note.state == "held" and store_time(self.store) <= lock.expires

    def _read(self, component_id: str) -> Lock | None:
        return self._read_key(lock_key(component_id))

    def _read_key(self, key: str) -> Lock | None:
        try:
            info, data = self.store.read_with_info(key)
        except KeyNotFoundError:
            return None
        return Lock(LockNote.from_json(data), info.modified, info.e_tag)

    def _replace(self, found: Lock | None, note: LockNote) -> Lock | None:
        """Write the next note; None where somebody else was faster."""
        key = lock_key(note.component)
        try:
            if found is None:
                info = self.store.write(key, note.to_json(), if_absent=True)
            else:
                info = self.store.write(key, note.to_json(), if_match=found.e_tag)
        except (AlreadyExistsError, PreconditionFailedError):
            return None
        return Lock(note, info.modified, info.e_tag)


class HeldLock:
    """A lock that we have taken. As a context manager it is renewed while the block runs, and released at its end.

    One that was ours before the block (by a command, say) stays ours after it.

    Args:
        locks: Ours.
        lock: As it was taken.
        ours_before: Whether it was ours when it was taken.
    """

    def __init__(self, locks: Locks, lock: Lock, *, ours_before: bool = False) -> None:
        self.lock = lock
        self._locks = locks
        self._ours_before = ours_before
        self._lost: LockedError | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="skyhold-lock", daemon=True)

    def renew(self) -> None:
        """Begin the lease anew.

        Raises:
            LockedError: The lock is ours no more.
        """
        self.lock = self._locks.renew(self.lock)

    def release(self) -> None:
        """Let others take it. One that was lost is left to whoever has it now."""
        try:
            self._locks.release(self.lock.component)
        except LockedError as error:
            self._lost = error

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        if not self._ours_before and self._lost is None:
            self.release()
        if self._lost is not None and error is None:
            raise self._lost

    def _keep(self) -> None:
        while not self._ended.wait(self.lock.note.lease_s / 3):
            try:
                self.renew()
            except LockedError as error:
                self._lost = error
                return
            except StorageError:
                continue  # the lease is three times as long as the wait: the next attempt may still be in time


def _check_force(component_id: str, *, force: bool, reason: str) -> None:
    if force and not reason:
        raise BadOptionError(
            f"taking the lock of {component_id!r} from its owner needs a reason", remedy="Say why, with reason=…"
        )


def _refusal(lock: Lock, store: Store) -> LockedError:
    why = f" ({lock.reason})" if lock.reason else ""
    return LockedError(
        f"held by {lock.owner!r} until {lock.expires:%Y-%m-%d %H:%M:%S %Z}{why}",
        operation="lock",
        uri=store.uri_of(lock.component),
        remedy=f"Ask them, wait, or take it: skyhold comp lock {store.uri} {lock.component} --force --reason …",
    )


def _loss(lock: Lock, found: Lock | None, store: Store) -> LockedError:
    if found is None or found.note.term == lock.note.term:
        what = "it was released"
    elif found.note.displaced:
        what = f"{found.owner!r} took it by force ({found.reason})"
    else:
        what = f"its lease was over, and {found.owner!r} took it"
    return LockedError(
        f"{lock.owner!r} holds it no more: {what}",
        operation="lock",
        uri=store.uri_of(lock.component),
        remedy="Take it again, and look at the newest version before you publish",
    )
