"""What the next version of a component is made of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Final, Literal

from skyhold.components.ancestors import check_place
from skyhold.components.dependencies import check_dependencies, check_not_needed, mark_dependencies
from skyhold.components.history import History
from skyhold.components.in_parallel import do_all
from skyhold.components.ledger import Ledger
from skyhold.components.manifest import Dependency, FileEntry, Version
from skyhold.components.sources import Content, Source, list_sources
from skyhold.errors import BadOptionError, VersionConflictError

__all__ = ["ANY", "Deletion", "Expected", "Publication", "Restoration"]


class _Any(Enum):
    ANY = "any"


ANY: Final = _Any.ANY
"""Whatever version is the newest."""

Expected = int | Literal[_Any.ANY] | None
"""Which version the caller has seen as the newest; None where it has seen none, or a deleted component."""


@dataclass(slots=True)
class Publication:
    """New contents as the next version; a `skyhold.components.publisher.Draft`.

    Attributes:
        component_id: Of which component.
        content: What makes it.
        author: Who.
        message: Why.
        metadata: The user's entries; None keeps those there are.
        dependencies: What it needs; None keeps those there are.
        expected: What the newest version must be.
        is_new: Whether it is known that there is no such component.
        on_kept: Told of bytes that the history has taken.
        sources: The files.
        by_hash: The sources, once they were read.
    """

    component_id: str
    content: Content
    author: str = ""
    message: str = ""
    metadata: Mapping[str, str] | None = None
    dependencies: Iterable[Dependency | str] | None = None
    expected: Expected = ANY
    is_new: bool = False
    on_kept: Callable[[int], None] | None = None
    sources: list[Source] = field(default_factory=list[Source])
    by_hash: dict[str, Source] = field(default_factory=dict[str, Source])

    def prepare(self, uri: str) -> None:
        """Find the files, and check what was said of them.

        Raises:
            KeyNotFoundError: There is no such file.
            AccessDeniedError: A folder cannot be read.
            BadOptionError: There is not one file, or something that is none, or the metadata is not text.
            InvalidKeyError: A file's name cannot be stored.
        """
        self.sources = list_sources(self.content, self.component_id, uri=uri)
        wrong = [name for name, value in (self.metadata or {}).items() if not _is_text(name) or not _is_text(value)]
        if wrong:
            raise BadOptionError(f"the metadata {wrong[0]!r} of {self.component_id!r} is not text")

    def make(self, newest: Version | None, ledger: Ledger, history: History) -> Version | None:
        if newest.is_deleted if newest else not self.is_new:
            check_place(ledger, self.component_id)
        needs = tuple(Dependency(each) if isinstance(each, str) else each for each in self.dependencies or ())
        if needs and (newest is None or newest.is_deleted or needs != newest.dependencies):
            check_dependencies(ledger.store, self.component_id, needs)
            mark_dependencies(ledger.store, self.component_id, needs)
        before = {entry.name: entry for entry in newest.files} if newest else {}

        def keep(source: Source) -> FileEntry:
            is_first = source.entry is None
            entry = source.keep(history, before.get(source.name))
            self.by_hash[entry.sha256] = source
            if is_first and self.on_kept is not None:
                self.on_kept(entry.size_bytes)
            return entry

        files = do_all(keep, self.sources, size_bytes=lambda source: source.size_bytes)
        version = _next(newest, self.component_id, files=tuple(files), author=self.author, message=self.message)
        if self.metadata is not None:
            version = replace(version, metadata=dict(self.metadata))
        if self.dependencies is not None:
            version = replace(version, dependencies=needs)
        if newest is not None and _says_the_same(newest, version):
            return None
        check_expected(newest, self.expected, self.component_id, uri=ledger.store.uri_of(self.component_id))
        return version

    def read(self, sha256: str) -> bytes | None:
        source = self.by_hash.get(sha256)
        return source.read(sha256) if source else None


@dataclass(slots=True)
class Deletion:
    """A version without files; a `skyhold.components.publisher.Draft`."""

    component_id: str
    author: str
    message: str
    expected: Expected
    even_if_needed: bool = False
    is_new: bool = False

    def make(self, newest: Version | None, ledger: Ledger, history: History) -> Version | None:
        del history
        if newest is None:
            ledger.head(self.component_id)  # says that there is none
            return None
        if newest.is_deleted:
            return None
        if not self.even_if_needed:
            check_not_needed(ledger.store, self.component_id)
        check_expected(newest, self.expected, self.component_id, uri=ledger.store.uri_of(self.component_id))
        return _next(newest, self.component_id, files=(), author=self.author, message=self.message)

    def read(self, sha256: str) -> bytes | None:
        del sha256


@dataclass(slots=True)
class Restoration:
    """An old version's files, metadata and dependencies once more; a `skyhold.components.publisher.Draft`."""

    old: Version
    author: str
    message: str
    is_new: bool = False

    def make(self, newest: Version | None, ledger: Ledger, history: History) -> Version | None:
        del history
        if newest is None or newest.is_deleted:
            check_place(ledger, self.old.component)
        version = _next(newest, self.old.component, files=self.old.files, author=self.author, message=self.message)
        version = replace(version, metadata=self.old.metadata, dependencies=self.old.dependencies)
        version = replace(version, parents=(*version.parents, self.old.number))
        same = newest is not None and _content_of(newest) == _content_of(version)
        return None if same else version

    def read(self, sha256: str) -> bytes | None:
        del sha256


def check_expected(newest: Version | None, expected: Expected, component_id: str, *, uri: str) -> None:
    """Refuse to publish after a version that the caller has not seen.

    Raises:
        VersionConflictError: With who published it.
    """
    if expected is ANY or (newest.number if newest else None) == expected:
        return
    if expected is None and newest is not None and newest.is_deleted:
        return
    wanted = "none" if expected is None else str(expected)
    if newest is None:
        found = "there is no version"
    else:
        who = newest.author or "another program"
        found = f"the newest is {newest.number}, by {who} at {newest.created:%Y-%m-%d %H:%M:%S %Z}"
    raise VersionConflictError(
        f"the newest version of {component_id!r} was to be {wanted}; {found}",
        operation="publish",
        uri=uri,
        remedy="Get the newest version, and bring the changes together; nothing was published",
    )


def _next(
    newest: Version | None, component_id: str, *, files: tuple[FileEntry, ...], author: str, message: str
) -> Version:
    return Version(
        component=component_id,
        number=newest.number + 1 if newest else 1,
        files=files,
        created=datetime.now(UTC),
        author=author,
        message=message,
        metadata=newest.metadata if newest else {},
        parents=(newest.number,) if newest else (),
        dependencies=newest.dependencies if newest else (),
    )


def _says_the_same(newest: Version, version: Version) -> bool:
    """Whether nothing would be new: the same content, and no other reason for it."""
    return _content_of(newest) == _content_of(version) and version.message in {"", newest.message}


def _content_of(version: Version) -> tuple[object, ...]:
    files = [(entry.name, entry.sha256) for entry in version.files]
    return files, dict(version.metadata), version.dependencies


def _is_text(value: object) -> bool:
    return isinstance(value, str)
