"""How versions come to be, and how the plain keys follow: safe with many publishers, and with a kill anywhere.

A version counts from the moment that its record is created: that is one create-only write, so of two publishers one
gets the number and the other the next. What follows (the plain keys, then the head) only catches up, and whoever comes
next does it for one who was killed. A plain key is replaced only while it holds what is known to be in the history;
anything else there was written by another program, and becomes a version first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from skyhold.components.ancestors import check_place
from skyhold.components.history import History
from skyhold.components.in_parallel import do_all
from skyhold.components.ledger import FoundHead, Ledger
from skyhold.components.manifest import FileEntry, Head, PlainFile, Version
from skyhold.components.plain_files import AtHand, Found, PlainFiles
from skyhold.errors import AlreadyExistsError, ConflictError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.transfer import SHA256

__all__ = ["Draft", "Publisher"]

_TRIES = 100


class Draft(Protocol):
    """What is to become the next version of a component."""

    @property
    def is_new(self) -> bool:
        """Whether it is known that there is no such component, and nothing under its plain keys."""
        ...

    def make(self, newest: Version | None, ledger: Ledger, history: History) -> Version | None:
        """Return the version that follows the newest, its contents in the history; None where there is nothing new."""
        ...

    def read(self, sha256: str) -> bytes | None:
        """Return content that is still at hand."""
        ...


@dataclass(slots=True)
class _Seen:
    """What a component looked like: its head, its newest version, and what lies under its plain keys.

    Attributes:
        head: As it was found.
        newest: The newest version, which may be ahead of the head.
        lying: The plain objects, by name.
        hashes: Of those whose content is known.
        gone: Names under which skyhold wrote, and nothing lies now.
    """

    head: FoundHead | None
    newest: Version | None
    lying: dict[str, ObjectInfo] = field(default_factory=dict[str, ObjectInfo])
    hashes: dict[str, str] = field(default_factory=dict[str, str])
    gone: tuple[str, ...] = ()

    @property
    def head_is_newest(self) -> bool:
        """Whether the head says what is newest."""
        return (self.head and self.head[0].version) == (self.newest and self.newest.number)

    @property
    def is_settled(self) -> bool:
        """Whether the plain keys hold what the head says, and the head says what is newest."""
        return self.head_is_newest and not self.gone and self.hashes.keys() == self.lying.keys()


class Publisher:
    """Publishes versions of a library, and keeps its plain keys in step.

    Args:
        store: The library's.
        history: Its contents.
    """

    def __init__(self, store: Store, history: History) -> None:
        self.store = store
        self.history = history
        self.ledger = Ledger(store)
        self._plain = PlainFiles(store, history)

    def append(self, component_id: str, draft: Draft) -> tuple[Version, Head]:
        """Publish what ``draft`` makes of the newest version; it is asked again where somebody else was faster.

        Returns:
            The version (the newest where ``draft`` made none), and the head that counts it.

        Raises:
            ConflictError: Others keep publishing.
        """
        seen = _Seen(None, None) if draft.is_new else self._look(component_id, ahead=False)
        for _ in range(_TRIES):
            if seen.is_settled:
                version = draft.make(seen.newest, self.ledger, self.history)
                if version is None:
                    assert seen.newest is not None
                    assert seen.head is not None
                    return seen.newest, seen.head[0]
                if self._create(version):
                    return version, self._follow(seen, version, draft.read)
            else:
                self.settle(component_id)
            seen = self._look(component_id, ahead=True)
        raise self._crowded(component_id)

    def _create(self, version: Version) -> bool:
        try:
            self.ledger.create_version(version)
        except AlreadyExistsError:
            return False
        return True

    def _follow(self, seen: _Seen, version: Version, at_hand: AtHand) -> Head:
        try:
            return self._advance(seen, version, at_hand)
        except ConflictError:
            settled = self.settle(version.component, at_hand=at_hand)
            assert settled is not None
            return settled[1]

    def settle(
        self, component_id: str, *, at_hand: AtHand | None = None, gone_is_deleted: bool = False
    ) -> tuple[Version, Head] | None:
        """Bring head and plain keys to the newest version, and take over what another program wrote; return both.

        Args:
            component_id: Of which component.
            at_hand: Reads contents by their hash without the history, as far as it can.
            gone_is_deleted: Whether a plain object that is gone becomes a version without it; it is written again
                otherwise.

        Raises:
            ConflictError: Others keep publishing.
        """
        for _ in range(_TRIES):
            try:
                seen = self._look(component_id, ahead=True)
                if self._take_over(component_id, seen, gone_is_deleted=gone_is_deleted):
                    continue
                if seen.newest is None:
                    return None
                return seen.newest, self._advance(seen, seen.newest, at_hand or _nothing)
            except ConflictError:
                continue
        raise self._crowded(component_id)

    def _look(self, component_id: str, *, ahead: bool) -> _Seen:
        head = self.ledger.find_head(component_id)
        known = {each.name: each for each in head[0].plain} if head else {}
        if ahead or head is None:
            newest = self.ledger.newest(component_id, head[0].version if head else None)
        else:
            newest = self.ledger.version(component_id, head[0].version)
        names = {*known, *(entry.name for entry in newest.files)} if newest else set(known)
        lying = self._plain.look(component_id, names)
        hashes = {
            name: known[name].sha256
            for name, info in lying.items()
            if name in known and info.e_tag is not None and known[name].e_tag == info.e_tag
        }
        gone = tuple(name for name in known if name not in lying)
        return _Seen(head, newest, lying, hashes, gone)

    def _take_over(self, component_id: str, seen: _Seen, *, gone_is_deleted: bool) -> bool:
        """Make a version of what another program did; return whether all must be looked at again."""
        strange: dict[str, Found] = {}
        for name in seen.lying.keys() - seen.hashes.keys():
            found = self._plain.read(component_id, name)
            if found is None:
                return True
            seen.lying[name], seen.hashes[name] = found.info, found.sha256
            strange[name] = found
        outside = {name: found for name, found in strange.items() if not self._is_late(seen, name, found)}
        lost = seen.gone if gone_is_deleted and seen.head_is_newest else ()
        if outside and (seen.newest is None or seen.newest.is_deleted):
            check_place(self.ledger, component_id)  # the object may be a file of a component around it
        if outside or lost:
            self.ledger.create_version(self._outside_version(component_id, seen, outside, lost))
        return bool(outside or lost)

    def _is_late(self, seen: _Seen, name: str, found: Found) -> bool:
        """Whether an object is one of ours that is out of date, not another program's.

        One that belongs to a version newer than those we know looks like another program's; but then the number of the
        version that it would become is taken, and we look again.
        """
        newest = seen.newest
        if newest is None:
            return False
        if any((entry.name, entry.sha256) == (name, found.sha256) for entry in newest.files):
            return True
        attributes = found.info.attributes
        if attributes is None or attributes.metadata.get(SHA256) != found.sha256:
            return False  # the bytes may be an old version's, but somebody else put them there, and meant it
        older = (self.ledger.find_version(newest.component, number) for number in range(newest.number - 1, 0, -1))
        return any((entry.name, entry.sha256) == (name, found.sha256) for each in older if each for entry in each.files)

    def _outside_version(
        self, component_id: str, seen: _Seen, outside: Mapping[str, Found], lost: Iterable[str]
    ) -> Version:
        newest = seen.newest
        files = {entry.name: entry for entry in newest.files} if newest else {}
        for name, found in outside.items():
            base = files[name].sha256 if name in files else None
            files[name] = self._plain.take_in(component_id, name, found, base)
        for name in lost:
            files.pop(name, None)
        return Version(
            component=component_id,
            number=newest.number + 1 if newest else 1,
            files=tuple(files[name] for name in sorted(files)),
            created=datetime.now(UTC),
            metadata=newest.metadata if newest else {},
            parents=(newest.number,) if newest else (),
            dependencies=newest.dependencies if newest else (),
            origin="outside",
        )

    def _advance(self, seen: _Seen, version: Version, at_hand: AtHand) -> Head:
        """Bring the plain keys from what was seen to a version, then the head."""
        wanted = {entry.name for entry in version.files}
        for name in sorted(seen.lying.keys() - wanted):
            self._plain.delete(version.component, name, seen.lying[name])

        def write(entry: FileEntry) -> PlainFile:
            lying = seen.lying.get(entry.name)
            if lying is None or seen.hashes.get(entry.name) != entry.sha256:
                lying = self._plain.write(version.component, entry, version.number, lying, at_hand)
            return PlainFile(entry.name, entry.sha256, entry.size_bytes, lying.e_tag)

        plain = do_all(write, version.files, size_bytes=lambda entry: entry.size_bytes)
        head = Head(version.component, version.number, tuple(plain), seen.head[0].tags if seen.head else {})
        if seen.head is None or seen.head[0] != head:
            self.ledger.replace_head(head, seen.head)
        return head

    def _crowded(self, component_id: str) -> ConflictError:
        return ConflictError(
            f"others changed the component {component_id!r} {_TRIES} times meanwhile",
            operation="publish",
            uri=self.store.uri_of(component_id),
            remedy="Try it again",
        )


def _nothing(sha256: str) -> bytes | None:
    del sha256
