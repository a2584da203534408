"""What is written of components in their store: which version counts, and what each version is."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from skyhold.components.layout import (
    HEADS,
    check_component_id,
    component_of_head,
    head_key,
    pruned_key,
    version_key,
    versions_prefix,
)
from skyhold.components.manifest import Head, Version
from skyhold.errors import ComponentNotFoundError, KeyNotFoundError, MalformedInputError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["FoundHead", "Ledger"]

FoundHead = tuple[Head, str | None]
"""A head, and the e-tag of the object that says it."""

_MOST_SHOWN = 5


class Ledger:
    """Heads and versions of a library.

    Args:
        store: The library's.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def find_head(self, component_id: str) -> FoundHead | None:
        """Return which version of a component counts; None where there is no such component."""
        check_component_id(component_id, operation="read", uri=self.store.uri)
        try:
            info, text = self.store.read_with_info(head_key(component_id))
        except KeyNotFoundError:
            return None
        with self._named(info.key):
            head = Head.from_json(text)
            if head.component != component_id:
                raise MalformedInputError(f"it says that it is of {head.component!r}")
        return head, info.e_tag

    def head(self, component_id: str) -> FoundHead:
        """Return which version of a component counts.

        Raises:
            ComponentNotFoundError: There is no such component.
        """
        found = self.find_head(component_id)
        if found is None:
            raise ComponentNotFoundError(
                f"there is no component {component_id!r}",
                operation="read",
                uri=self.store.uri_of(component_id),
                remedy=f"Run: skyhold comp ls {self.store.uri}",
            )
        return found

    @contextmanager
    def naming_strangers(self, component_id: str) -> Generator[None]:
        """Where there is no component, say so if another program's object has its name."""
        try:
            yield
        except ComponentNotFoundError as error:
            if self.find_head(component_id) is None and self.store.exists(component_id):
                raise ComponentNotFoundError(
                    f"another program wrote {component_id!r}, and it is no version yet",
                    operation="read",
                    uri=self.store.uri_of(component_id),
                    remedy=f"Run: skyhold comp adopt {self.store.uri} {component_id}",
                ) from error
            raise

    def replace_head(self, head: Head, found: FoundHead | None) -> FoundHead:
        """Write a head in place of the one that was found.

        Raises:
            ConflictError: Somebody else has replaced it meanwhile.
        """
        key = head_key(head.component)
        if found is None:
            info = self.store.write(key, head.to_json(), if_absent=True)
        else:
            info = self.store.write(key, head.to_json(), if_match=found[1])
        return head, info.e_tag

    def version(self, component_id: str, number: int) -> Version:
        """Return what a version is.

        Raises:
            ComponentNotFoundError: There is no such version.
        """
        found = self.find_version(component_id, number)
        if found is None and self.store.exists(pruned_key(component_id, number)):
            raise ComponentNotFoundError(
                f"version {number} of {component_id!r} was pruned: its content is no longer kept",
                operation="read",
                uri=self.store.uri_of(component_id),
                remedy="Take it from a copy of the library that was made before",
            )
        if found is None:
            numbers = self.numbers(component_id)
            shown = ", ".join(str(each) for each in numbers[-_MOST_SHOWN:]) or "none"
            raise ComponentNotFoundError(
                f"the component {component_id!r} has no version {number}; the newest are: {shown}",
                operation="read",
                uri=self.store.uri_of(component_id),
                remedy=f"Run: skyhold comp log {self.store.uri} {component_id}",
            )
        return found

    def find_version(self, component_id: str, number: int) -> Version | None:
        """Return what a version is, or None where there is no such version."""
        key = version_key(component_id, number)
        try:
            text = self.store.read(key)
        except KeyNotFoundError:
            return None
        with self._named(key):
            version = Version.from_json(text)
            if (version.component, version.number) != (component_id, number):
                raise MalformedInputError(f"it says that it is version {version.number} of {version.component!r}")
        return version

    @contextmanager
    def _named(self, key: str) -> Generator[None]:
        """Say which record is damaged, and what mends it."""
        try:
            yield
        except MalformedInputError as error:
            raise MalformedInputError(
                f"the record {self.store.uri_of(key)!r} is damaged: {error}",
                remedy=f"Run: skyhold comp repair {self.store.uri}",
            ) from error

    def create_version(self, version: Version) -> None:
        """Write a version.

        Raises:
            AlreadyExistsError: There is one of this number.
        """
        key = version_key(version.component, version.number)
        self.store.write(key, version.to_json(), if_absent=True)

    def newest(self, component_id: str, known: int | None) -> Version | None:
        """Return the newest version, which may be ahead of the head; None where there is none.

        Args:
            component_id: Of which component.
            known: The version that the head names, None where there is no head.
        """
        if known is None:
            numbers = self.numbers(component_id)
            return self.version(component_id, numbers[-1]) if numbers else None
        number, found = known, None
        while (further := self.find_version(component_id, number + 1)) is not None:
            number, found = number + 1, further
        return found or self.version(component_id, known)

    def numbers(self, component_id: str) -> list[int]:
        """Return the numbers of all versions of a component, oldest first."""
        prefix = versions_prefix(component_id)
        names = (info.key.removeprefix(prefix).removesuffix(".json") for info in self.store.list(prefix))
        return [int(name) for name in names if name.isdecimal()]

    def list_heads(self, prefix: str = "", *, after: str = "") -> Iterator[tuple[str, ObjectInfo]]:
        """Yield the ids that start with ``prefix``, each with its head's object, by listing alone.

        Args:
            prefix: Any text.
            after: An id that was yielded before: only those that follow it.
        """
        for info in self.store.list(HEADS + prefix, start_after=head_key(after) if after else None):
            component_id = component_of_head(info.key)
            if component_id is not None:
                yield component_id, info
