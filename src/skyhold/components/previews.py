"""Pictures and measures of components, made once for each content and kept in the library beside it.

::

    .skyhold/previews/<aa>/<sha256>.json       what could be made of the content, and its measures; written last
    .skyhold/previews/<aa>/<sha256>.png        a picture, 512 pixels
    .skyhold/previews/<aa>/<sha256>.256.png    a smaller one

All of it can be made again from the content. What cannot be shown is written down too, so that it is not tried again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from skyhold.components.diffing import read_checked
from skyhold.components.layout import preview_key
from skyhold.components.library import Library
from skyhold.components.manifest import FileEntry, Version
from skyhold.components.meshes.measures import MeshFacts
from skyhold.components.meshes.source import MOST_BYTES, open_source
from skyhold.components.shown_files import MESHES, SHOWN_FIRST, choose_shown, ending_of, find_named
from skyhold.errors import (
    AccessDeniedError,
    BadOptionError,
    KeyNotFoundError,
    MalformedInputError,
    PreviewError,
    ReadOnlyError,
)
from skyhold.runs.json_reader import JsonReader
from skyhold.storage.objects import Attributes

if TYPE_CHECKING:
    from skyhold.components.meshes.mesh import Mesh

__all__ = ["Preview", "load_preview"]

_SCHEMA = "skyhold.preview/1"
_MISSING = ""
_MAKER = 1  # raised when pictures become better, so that old ones are made again
_SUFFIXES: Mapping[int, str] = {256: ".256.png", 512: ".png"}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a person sees of a file before opening it.

    Attributes:
        file: Its name within the component; empty for the only one.
        picture: PNG; None where there is none.
        facts: Measures, where it is a mesh that can be read.
        note: Why there is no picture.
    """

    file: str
    picture: bytes | None = None
    facts: MeshFacts | None = None
    note: str = ""


@dataclass(slots=True)
class _Made:
    """What was made of content.

    Attributes:
        ending: Of the name that it was made under, since the name tells the format.
        facts: Measures, of a mesh that can be read.
        note: Why there is no picture.
        pictures: By their size, those that were made now.
        sources: The hashes of further files that it was made of, or would have been, by their paths as the file names
            them.
    """

    ending: str
    facts: MeshFacts | None = None
    note: str = ""
    pictures: dict[int, bytes] = field(default_factory=dict[int, bytes])
    sources: dict[str, str] = field(default_factory=dict[str, str])


def load_preview(
    library: Library,
    component_id: str,
    *,
    file: str | None = None,
    version: int | str = "latest",
    size_px: Literal[256, 512] = 256,
) -> Preview:
    r"""Return a picture and the measures of a component, from the library, or made now and kept there.

    Whoever may not write to the library sees them too; they are made each time then.

    Args:
        library: Where it is.
        component_id: Which component.
        file: Which of its files; the one that shows most if not given, meshes first.
        version: A number or a tag. A glTF file that is a component by itself is shown with the newest version of the
            components that it names.
        size_px: Of the longer side.

    Raises:
        ComponentNotFoundError: There is no such component, version, tag or file, or it was deleted.
        IntegrityError: The content is damaged or missing.
        MissingExtraError: The extra ``preview`` is not installed, and nothing was kept.
        BadOptionError: No such size.

    Example:
        >>> library = Library("memory://previews-example")
        >>> _ = library.publish("roof.obj", b"v 0 0 0\nv 4 0 0\nv 0 3 0\nf 1 2 3\n")
        >>> preview = load_preview(library, "roof.obj")
        >>> preview.facts.area, preview.picture[1:4]
        (6.0, b'PNG')
    """
    if size_px not in _SUFFIXES:
        raise BadOptionError(f"size_px is {size_px}", remedy="Choose 256 or 512")
    found = library.info(component_id, version)
    entry = choose_shown(library, found, file)
    work = _Work(library, found, entry)
    preview = work.kept(size_px)
    return preview if preview is not None else work.make(size_px)


class _Work:
    """On one file of one version."""

    def __init__(self, library: Library, version: Version, entry: FileEntry) -> None:
        self._library = library
        self._store = library.store
        self._version = version
        self._entry = entry
        self._name = entry.name or version.component

    def kept(self, size_px: int) -> Preview | None:
        """Return what the library has; None where that is nothing, or was made of something else."""
        try:
            made = _read_record(self._store.read(self._key(".json")))
            if made.ending != ending_of(self._name):
                return None
            if any(self._hash_of(path) != sha256 for path, sha256 in made.sources.items()):
                return None
            picture = None if made.note else self._store.read(self._key(_SUFFIXES[size_px]))
        except (KeyNotFoundError, MalformedInputError):
            return None
        return Preview(self._entry.name, picture, made.facts, made.note)

    def make(self, size_px: int) -> Preview:
        """Make it, and keep it if this is allowed."""
        made = _Made(ending_of(self._name))
        try:
            self._draw(made)
        except PreviewError as error:
            made.note = error.message
        try:
            for size, picture in made.pictures.items():
                attributes = Attributes(content_type="image/png")
                self._store.write(self._key(_SUFFIXES[size]), picture, attributes=attributes)
            self._store.write(self._key(".json"), _write_record(made))
        except (AccessDeniedError, ReadOnlyError):  # who may only read sees it, and leaves nothing
            pass
        return Preview(self._entry.name, made.pictures.get(size_px), made.facts, made.note)

    def _draw(self, made: _Made) -> None:
        if made.ending not in SHOWN_FIRST:  # found out before anything is read
            raise PreviewError(f"no preview of {self._name!r}: pictures are made of {', '.join(SHOWN_FIRST)}")
        from skyhold.components.thumbnails import draw_thumbnail, make_thumbnail  # noqa: PLC0415 - the extra `preview`

        if made.ending in MESHES:
            mesh = self._read_mesh(made)
            large = draw_thumbnail(mesh, self._name)
        elif made.ending == ".blend" and self._entry.size_bytes > MOST_BYTES:
            large = self._draw_file()
        else:
            large = make_thumbnail(read_checked(self._library.history, self._entry, self._name), self._name)
        made.pictures = {512: large, 256: make_thumbnail(large, "picture.png", 256)}

    def _read_mesh(self, made: _Made) -> "Mesh":
        from skyhold.components.meshes.measuring import facts_of  # noqa: PLC0415 - the extra `preview`
        from skyhold.components.meshes.reading import read_mesh  # noqa: PLC0415 - the same

        def read_beside(path: str) -> bytes | None:
            entry = self._find_beside(path)
            made.sources[path] = entry.sha256 if entry else _MISSING
            return read_checked(self._library.history, entry, path) if entry else None

        content = read_checked(self._library.history, self._entry, self._name)
        mesh = read_mesh(open_source(content, self._name, siblings=read_beside))
        made.facts = facts_of(mesh)
        return mesh

    def _draw_file(self) -> bytes:
        """Draw what is too large for memory, and of which only the beginning is needed."""
        from skyhold.components.thumbnails import make_thumbnail  # noqa: PLC0415 - the extra `preview`

        with TemporaryDirectory() as folder:
            path = Path(folder) / "content"
            self._library.history.fetch(self._entry.sha256, path, size_bytes=self._entry.size_bytes)
            return make_thumbnail(path, self._name)

    def _find_beside(self, path: str) -> FileEntry | None:
        return find_named(self._library, self._version, self._entry, path)

    def _hash_of(self, path: str) -> str:
        entry = self._find_beside(path)
        return entry.sha256 if entry else _MISSING

    def _key(self, suffix: str) -> str:
        return preview_key(self._entry.sha256, suffix)


def _write_record(made: _Made) -> bytes:
    content = {
        "schema": _SCHEMA,
        "maker": _MAKER,
        "ending": made.ending,
        "facts": made.facts and made.facts.to_json(),
        "note": made.note,
        "sources": made.sources,
    }
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _read_record(text: bytes) -> _Made:
    reader = JsonReader.parse(text)
    reader.one_of("schema", _SCHEMA)
    if reader.integer("maker") < _MAKER:
        raise MalformedInputError(f"an older maker {reader.integer('maker')} made it")
    return _Made(
        reader.text("ending"),
        reader.child("facts", MeshFacts.from_json),
        reader.text("note"),
        sources=reader.mapping_of("sources", str, "a text"),
    )
