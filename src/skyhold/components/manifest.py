"""What is written of a component: its versions, and which of them counts.

Within one version of the format names may be added, never changed or taken away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

import orjson

from skyhold.errors import BadOptionError
from skyhold.runs.json_reader import JsonReader

__all__ = ["Dependency", "FileEntry", "Head", "PlainFile", "Version"]

_VERSION_SCHEMA = "skyhold.version/1"
_HEAD_SCHEMA = "skyhold.head/1"
_STYLE = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a version.

    Attributes:
        name: Its path within the component; empty for the only file of a component that is one file.
        size_bytes: Its length.
        sha256: Of its content, which is found by this alone, whole or as a delta.
        modified: When the file was last changed where it came from, where that is known.
    """

    name: str
    size_bytes: int
    sha256: str
    modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another component that a version needs.

    Attributes:
        component: Its id.
        version: Which version; None means the newest at any time.
    """

    component: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """What a version of a component is; immutable.

    Attributes:
        component: The component's id.
        number: 1 for the first; they are published in this order.
        files: Its files, sorted by name; none where this version says that the component was deleted.
        created: When, by the clock of the machine that published it.
        author: Who.
        message: Why.
        metadata: The user's own entries.
        parents: The numbers of the versions that it was made from.
        dependencies: What else it needs.
        origin: ``"skyhold"``; ``"outside"`` where another program wrote the plain key and skyhold took it over.
    """

    component: str
    number: int
    files: tuple[FileEntry, ...]
    created: datetime
    author: str = ""
    message: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    parents: tuple[int, ...] = ()
    dependencies: tuple[Dependency, ...] = ()
    origin: str = "skyhold"

    @property
    def is_deleted(self) -> bool:
        """Whether this version says that the component was deleted; those before it are still there."""
        return not self.files

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(entry.size_bytes for entry in self.files)

    def to_json(self) -> bytes:
        """Return it as text."""
        return _dump(self, _VERSION_SCHEMA)

    @staticmethod
    def from_json(text: bytes) -> "Version":
        """Return what ``text`` says.

        Raises:
            MalformedInputError: It is damaged, or of a version that this package does not know.
        """
        reader = JsonReader.parse(text)
        reader.one_of("schema", _VERSION_SCHEMA)
        return Version(
            component=reader.text("component"),
            number=reader.integer("number"),
            files=reader.children("files", _read_file),
            created=reader.moment("created"),
            author=reader.text("author", ""),
            message=reader.text("message", ""),
            metadata=reader.mapping_of("metadata", str, "a text"),
            parents=reader.integers("parents"),
            dependencies=reader.children("dependencies", _read_dependency),
            origin=reader.text("origin", "skyhold"),
        )


@dataclass(frozen=True, slots=True)
class PlainFile:
    """The object under a plain key, as skyhold wrote it; another e-tag there means that another program was at it."""

    name: str
    sha256: str
    size_bytes: int
    e_tag: str | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """Which version of a component counts. Its truth: the plain keys may lag behind it after a crash.

    Attributes:
        component: The component's id.
        version: The newest version.
        plain: What lies under the plain keys, as far as it is known to have been written.
        tags: Names given to versions by people; ``latest`` is always the newest and is not listed.
    """

    component: str
    version: int
    plain: tuple[PlainFile, ...] = ()
    tags: Mapping[str, int] = field(default_factory=dict[str, int])

    def tagged(self, name: str, version: int | None) -> "Head":
        """Return a head with a tag added, moved, or (with None) taken away."""
        others = {tag: number for tag, number in self.tags.items() if tag != name}
        return replace(self, tags=others if version is None else dict(sorted({**others, name: version}.items())))

    def to_json(self) -> bytes:
        """Return it as text."""
        return _dump(self, _HEAD_SCHEMA)

    @staticmethod
    def from_json(text: bytes) -> "Head":
        """Return what ``text`` says.

        Raises:
            MalformedInputError: It is damaged, or of a version that this package does not know.
        """
        reader = JsonReader.parse(text)
        reader.one_of("schema", _HEAD_SCHEMA)
        return Head(
            component=reader.text("component"),
            version=reader.integer("version"),
            plain=reader.children("plain", _read_plain),
            tags=reader.mapping_of("tags", int, "an integer"),
        )


def _read_file(reader: JsonReader) -> FileEntry:
    modified = reader.moment("modified") if reader.has("modified") else None
    return FileEntry(reader.text("name"), reader.integer("size_bytes"), reader.text("sha256"), modified)


def _read_dependency(reader: JsonReader) -> Dependency:
    return Dependency(reader.text("component"), reader.integer_or_none("version"))


def _read_plain(reader: JsonReader) -> PlainFile:
    return PlainFile(
        reader.text("name"), reader.text("sha256"), reader.integer("size_bytes"), reader.text_or_none("e_tag")
    )


def _dump(record: Version | Head, schema: str) -> bytes:
    content = {"schema": schema} | {each.name: getattr(record, each.name) for each in fields(record)}
    try:
        return orjson.dumps(content, option=_STYLE)
    except TypeError as error:
        raise BadOptionError(
            f"what is said of {record.component!r} cannot be written: {error}",
            remedy="Correct author, message and metadata; nothing was published",
        ) from error
