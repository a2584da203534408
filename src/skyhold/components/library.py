"""A library of versioned components in a store."""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path
from typing import Any

from skyhold.components.getting import bring
from skyhold.components.history import DeltaPolicy, History
from skyhold.components.in_parallel import do_all
from skyhold.components.layout import check_component_id, plain_key
from skyhold.components.ledger import FoundHead
from skyhold.components.library_format import LibraryFormat
from skyhold.components.listing import ComponentInfo, list_components
from skyhold.components.locks import Locks, this_person
from skyhold.components.manifest import Dependency, Head, Version
from skyhold.components.one_run import one_run
from skyhold.components.publication import ANY, Deletion, Expected, Publication, Restoration
from skyhold.components.publisher import Draft, Publisher
from skyhold.components.sources import Content
from skyhold.components.tags import change_tags, check_tag, number_of
from skyhold.errors import ComponentNotFoundError
from skyhold.runs.event import Listener
from skyhold.runs.recording import RunRecorder
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo
from skyhold.storage.opening import open_store

__all__ = ["ANY", "Library"]


class Library:
    """Components in a store, each with its history. May be used from many threads.

    The newest version of each lies under its plain key too, for any program to read; what another program writes there
    becomes a version. `skyhold.components.layout` says where everything lies.

    Args:
        store: A store, or its URI.
        author: Who publishes; ``user@host`` if not given.
        policy: When contents are stored as deltas.
        **options: As for `skyhold.storage.opening.open_store`.

    Attributes:
        store: Where everything lies.
        format: Of which format it is, and whether its store can be relied on.
        author: Who publishes.
        history: The contents of all versions.
        locks: Who works on what.

    Example:
        >>> library = Library("memory://library-example", author="ann")
        >>> library.publish("arm.stl", b"solid arm", message="first").number
        1
        >>> library.publish("arm.stl", b"solid longer arm", message="longer").parents
        (1,)
        >>> library.store.read("arm.stl"), library.read("arm.stl", version=1)
        (b'solid longer arm', b'solid arm')
        >>> [version.message for version in library.log("arm.stl")]
        ['longer', 'first']
    """

    def __init__(
        self, store: Store | str, *, author: str | None = None, policy: DeltaPolicy | None = None, **options: Any
    ) -> None:
        self.store = open_store(store, **options) if isinstance(store, str) else store
        self.author = author or this_person()
        self.history = History(self.store, policy=policy)
        self.locks = Locks(self.store, self.author)
        self._publisher = Publisher(self.store, self.history)
        self.format = LibraryFormat(self.store)

    def __repr__(self) -> str:
        return f"Library({self.uri!r}, author={self.author!r})"

    @property
    def uri(self) -> str:
        """Where it is."""
        return self.store.uri

    def create(self) -> None:
        """Make it a library, if it is none yet. `publish` does so by itself.

        Raises:
            BucketNotFoundError: There is no such bucket; a folder is made.
        """
        self.format.check(create=True)

    def publish(  # noqa: PLR0913 - what there is to say of a version
        self,
        component_id: str,
        content: Content,
        *,
        message: str = "",
        metadata: Mapping[str, str] | None = None,
        dependencies: Iterable[Dependency | str] | None = None,
        expected: Expected = ANY,
        ignore_lock: bool = False,
        on_progress: Listener | None = None,
        run: RunRecorder | None = None,
    ) -> Version:
        """Publish content as the next version of a component, and return it.

        Where the newest version has this very content, it is returned instead, unless message, metadata or
        dependencies say something new.

        Args:
            component_id: Which component; it begins to be with its first version.
            content: A file, bytes, a folder, or files by their names in the component.
            message: Why.
            metadata: The user's own entries; those of the version before stay if not given.
            dependencies: What it needs; that of the version before stays if not given.
            expected: The number of the version that this content was made from, None for no version: another newest
                version is refused. If not given, whatever is the newest is followed.
            ignore_lock: Publish even if somebody else holds the component's lock.
            on_progress: Told how it goes on.
            run: The run that this is part of; it is recorded as one of its own if not given.

        Raises:
            VersionConflictError: The newest version is not the expected one.
            LockedError: Somebody else holds the lock.
            DependencyError: A dependency is not there, or needs this component.
            InvalidKeyError: No component or file can have this name.
            ConflictError: A file changed while it was read.
        """
        draft = Publication(
            component_id, content, self.author, message, metadata, dependencies=dependencies, expected=expected
        )
        return self._publish(draft, ignore_lock=ignore_lock, on_progress=on_progress, run=run)[0]

    def publish_listed(
        self,
        component_id: str,
        content: Content,
        *,
        message: str = "",
        expected: Expected = ANY,
        is_new: bool = False,
        run: RunRecorder | None = None,
    ) -> tuple[Version, Head]:
        """Publish as `publish` does, with fewer requests, for those who have just listed the library.

        Args:
            component_id: Which component; its lock is not looked at.
            content: A file, bytes, a folder, or files by their names in the component.
            message: Why.
            expected: The number of the version that this content was made from, None for no version.
            is_new: Whether the listing had neither a component nor an object of this name, nor a component around it,
                nor anything within it. All writes are create-only then: an old listing harms only that last rule. It is
                not believed where the store ignores conditions, which is tried once.
            run: The run that this is part of; it is recorded as one of its own if not given.

        Returns:
            The version, and the head that counts it (or one that came after), with the e-tags of the plain keys.

        Raises:
            VersionConflictError: The newest version is not the expected one.
        """
        is_new = is_new and self.format.keeps_conditions()
        draft = Publication(component_id, content, self.author, message, expected=expected, is_new=is_new)
        return self._publish(draft, ignore_lock=True, run=run)

    def get(
        self,
        component_id: str,
        target: Path | str,
        *,
        version: int | str = "latest",
        on_progress: Listener | None = None,
        run: RunRecorder | None = None,
    ) -> Version:
        """Bring a version to disk, verified, whole or not at all, and never outside ``target``; return the version.

        Args:
            component_id: Which component.
            target: The file that it becomes, or the folder that it goes to (one that exists, or a text that ends in
                ``/``); a component of several files becomes this folder.
            version: A number or a tag.
            on_progress: Told how it goes on.
            run: The run that this is part of; it is recorded as one of its own if not given.

        Raises:
            ComponentNotFoundError: There is no such component or version, or it was deleted.
            IntegrityError: The content is damaged or missing.
            InvalidKeyError: A file's name leads out of the target.
        """
        found = self._living(component_id, version)
        asked = {"component": component_id, "library": self.uri, "version": found.number, "target": str(target)}
        path = Path(target).absolute()
        if isinstance(target, str) and target.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        with one_run("get", component_id, asked, found.size_bytes, on_progress, run) as (recorder, moved):
            library = self.over(recorder.metered(self.store))
            for entry in found.files:
                recorder.add_input(self.store.uri_of(plain_key(component_id, entry.name)), sha256=entry.sha256)
            recorder.add_output(str(bring(library.history, found, path, on_moved=moved)))
        return found

    def read(self, component_id: str, file: str = "", *, version: int | str = "latest") -> bytes:
        """Return one file of a version, of modest size.

        Raises:
            ComponentNotFoundError: There is no such component, version or file, or it was deleted.
            IntegrityError: The content is damaged or missing.
        """
        found = self._living(component_id, version)
        for entry in found.files:
            if entry.name == file:
                return self.history.read(entry.sha256)
        raise ComponentNotFoundError(
            f"version {found.number} of {component_id!r} has no file {file!r}; it has "
            f"{', '.join(repr(entry.name) for entry in found.files)}",
            operation="read",
            uri=self.store.uri_of(component_id),
        )

    def head(self, component_id: str) -> FoundHead:
        """Return which version of a component counts, and the e-tag of the object that says it.

        Raises:
            ComponentNotFoundError: There is no such component.
        """
        self.format.check()
        return self._publisher.ledger.head(component_id)

    def info(self, component_id: str, version: int | str = "latest") -> Version:
        """Return what a version is.

        Args:
            component_id: Which component.
            version: A number or a tag.

        Raises:
            ComponentNotFoundError: There is no such component, version or tag.
        """
        head = self.head(component_id)[0]
        return self._publisher.ledger.version(component_id, number_of(head, version, uri=self.uri))

    def log(self, component_id: str, limit: int | None = None) -> list[Version]:
        """Return the versions of a component, newest first: all, or the newest ``limit``.

        Raises:
            ComponentNotFoundError: There is no such component.
        """
        self.head(component_id)
        ledger = self._publisher.ledger
        numbers = ledger.numbers(component_id)[::-1][:limit]
        return do_all(lambda number: ledger.version(component_id, number), numbers, size_bytes=lambda _: 0)

    def list(self, prefix: str = "", *, deleted: bool = False, after: str = "") -> Iterator[ComponentInfo]:
        """Yield the components whose id starts with ``prefix``, by id; one request for each, many at a time.

        Args:
            prefix: Any text.
            deleted: Tell those that were deleted too.
            after: An id that was yielded before: go on behind it.
        """
        self.format.check()
        return list_components(self._publisher.ledger, prefix, deleted=deleted, after=after)

    def list_heads(self, prefix: str = "") -> Iterator[tuple[str, ObjectInfo]]:
        """Yield the ids that start with ``prefix``, deleted ones too, each with its head's object: listing alone.

        An e-tag that is the same as before means that nothing was published or tagged since.
        """
        self.format.check()
        return self._publisher.ledger.list_heads(prefix)

    def tag(self, component_id: str, name: str, version: int | str = "latest") -> Version:
        """Give a version a name; the name leaves the version that had it before. Return the version.

        Raises:
            ComponentNotFoundError: There is no such component, version or tag.
            BadOptionError: No tag can have this name.
        """
        check_tag(name)
        found = self.info(component_id, version)
        change_tags(self._publisher.ledger, component_id, name, found.number)
        return found

    def untag(self, component_id: str, name: str) -> None:
        """Take a name away from whichever version has it."""
        check_tag(name)
        self.format.check()
        change_tags(self._publisher.ledger, component_id, name, None)

    def restore(
        self, component_id: str, version: int | str, *, message: str = "", ignore_lock: bool = False
    ) -> Version:
        """Publish an old version's files, metadata and dependencies as the next version; no content moves.

        Raises:
            ComponentNotFoundError: There is no such component or version, or it was deleted in that version.
            LockedError: Somebody else holds the lock.
        """
        old = self._living(component_id, version)
        draft = Restoration(old, self.author, message or f"restore version {old.number}")
        return self._append(component_id, draft, ignore_lock=ignore_lock)[0]

    def delete(
        self,
        component_id: str,
        *,
        message: str = "",
        expected: Expected = ANY,
        ignore_lock: bool = False,
        even_if_needed: bool = False,
    ) -> Version:
        """Delete a component: its next version has no files, and its plain keys go. All versions before stay.

        Raises:
            DependencyError: Other components need it, and ``even_if_needed`` was not given.
            ComponentNotFoundError: There is no such component.
            VersionConflictError: The newest version is not the expected one.
            LockedError: Somebody else holds the lock.
        """
        draft = Deletion(component_id, self.author, message, expected, even_if_needed)
        return self._append(component_id, draft, ignore_lock=ignore_lock)[0]

    def undelete(self, component_id: str, *, message: str = "") -> Version:
        """Publish what a deleted component was before as its next version; one that is not deleted stays as it is.

        Raises:
            ComponentNotFoundError: There is no such component, or nothing is left of it.
        """
        newest = self.info(component_id)
        if not newest.is_deleted:
            return newest
        before = next((version for version in self.log(component_id) if not version.is_deleted), None)
        if before is None:
            uri = self.store.uri_of(component_id)
            raise ComponentNotFoundError(f"no version of {component_id!r} has files", operation="undelete", uri=uri)
        return self.restore(component_id, before.number, message=message or f"undelete version {before.number}")

    def reconcile(self, component_id: str, *, gone_is_deleted: bool = True) -> Version | None:
        """Take over what another program wrote under the plain keys, or bring them up to date; return the newest.

        Args:
            component_id: Which component; an object that is none yet becomes one.
            gone_is_deleted: Whether plain objects that another program deleted become a version without them; they
                are written again otherwise.

        Returns:
            The newest version; None where there is neither a component nor an object of this name.
        """
        check_component_id(component_id, operation="reconcile", uri=self.uri)
        self.format.check(create=True)
        settled = self._publisher.settle(component_id, gone_is_deleted=gone_is_deleted)
        return settled and settled[0]

    def over(self, store: Store) -> "Library":
        """Return this very library through another view of its store, such as one that counts requests."""
        view = copy(self)
        view.store = store
        view.history = History(store, policy=self.history.policy)
        view.locks = Locks(store, self.author)
        view._publisher = Publisher(store, view.history)  # noqa: SLF001 - a copy of this very object
        return view

    def _publish(
        self,
        draft: Publication,
        *,
        ignore_lock: bool,
        on_progress: Listener | None = None,
        run: RunRecorder | None = None,
    ) -> tuple[Version, Head]:
        component_id = draft.component_id
        check_component_id(component_id, operation="publish", uri=self.uri)
        draft.prepare(self.store.uri_of(component_id))
        asked = {"component": component_id, "library": self.uri, "message": draft.message}
        total = sum(source.size_bytes for source in draft.sources)
        with one_run("publish", component_id, asked, total, on_progress, run) as (recorder, moved):
            library = self.over(recorder.metered(self.store))
            for source in draft.sources:
                if source.path is not None:
                    recorder.add_input(str(source.path))
            draft.on_kept = moved
            published = library._append(component_id, draft, ignore_lock=ignore_lock)  # noqa: SLF001 - a view of this
            for entry in published[0].files:
                recorder.add_output(self.store.uri_of(plain_key(component_id, entry.name)), sha256=entry.sha256)
        return published

    def _append(self, component_id: str, draft: Draft, *, ignore_lock: bool) -> tuple[Version, Head]:
        self.format.prepare()
        if not ignore_lock:
            self.locks.check(component_id)
        return self._publisher.append(component_id, draft)

    def _living(self, component_id: str, version: int | str) -> Version:
        with self._publisher.ledger.naming_strangers(component_id):
            found = self.info(component_id, version)
        if found.is_deleted:
            raise ComponentNotFoundError(
                f"the component {component_id!r} was deleted in version {found.number}, by {found.author!r}",
                operation="read",
                uri=self.store.uri_of(component_id),
                remedy=f"Run: skyhold comp restore {self.uri} {component_id}; or ask for an older version",
            )
        return found
