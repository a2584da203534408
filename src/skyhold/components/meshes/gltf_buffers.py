"""The bytes of a glTF file: its JSON, its buffers wherever they lie, and the arrays in them, each within its bounds."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from skyhold.components.meshes.source import MOST_BYTES, MOST_TRIANGLES, Source
from skyhold.errors import MalformedInputError
from skyhold.runs.json_reader import JsonReader

__all__ = ["GltfDocument", "open_gltf"]

_MAGIC = b"glTF"
_JSON_CHUNK = 0x4E4F534A
_BIN_CHUNK = 0x004E4942
_MOST_JSON_BYTES = 32 * 1024 * 1024
_MOST_ITEMS = 3 * MOST_TRIANGLES

_TYPES: Mapping[int, str] = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS: Mapping[str, int] = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


@dataclass(slots=True)
class GltfDocument:
    """A glTF file, opened.

    Attributes:
        source: Where it came from.
        content: Its JSON.
        binary: The buffer that lies in the file itself; None where there is none.
    """

    source: Source
    content: dict[str, Any]
    binary: bytes | None
    _buffers: dict[int, bytes] = field(default_factory=dict[int, bytes])

    def entry(self, kind: str, place: int) -> JsonReader:
        """Return an entry of one of the document's lists.

        Raises:
            MalformedInputError: There is none.
        """
        entries = self.content.get(kind)
        if not isinstance(entries, list) or not 0 <= place < len(cast("list[Any]", entries)):
            raise MalformedInputError(f"$.{kind}[{place}] is missing")
        return JsonReader(entries[place], f"$.{kind}[{place}]")

    def count(self, kind: str) -> int:
        """Return how many entries one of the document's lists has."""
        entries = self.content.get(kind)
        return len(cast("list[Any]", entries)) if isinstance(entries, list) else 0

    def array(self, place: int) -> NDArray[Any]:
        """Return what an accessor tells of, shape (count, width), in the type of the file.

        Raises:
            MalformedInputError: It leaves its buffer, or asks for more than is read.
        """
        accessor = self.entry("accessors", place)
        count, width = accessor.integer("count"), _WIDTHS[accessor.one_of("type", *_WIDTHS)]
        if not 0 <= count <= _MOST_ITEMS:
            raise MalformedInputError(f"$.accessors[{place}].count is {count:,}, and at most {_MOST_ITEMS:,} are read")
        kind = np.dtype(_type_of(accessor))
        if accessor.has("bufferView"):
            view, start = accessor.integer("bufferView"), accessor.integer("byteOffset", 0)
            found = self._slice(view, start, count, width, kind)
        else:
            found = np.zeros((count, width), dtype=kind)
        sparse = accessor.mapping("sparse")
        if sparse:
            found = self._replaced(found, JsonReader(sparse, f"$.accessors[{place}].sparse"))
        return _normalized(found) if accessor.flag("normalized") else found

    def _replaced(self, found: NDArray[Any], sparse: JsonReader) -> NDArray[Any]:
        count = sparse.integer("count")
        indices = JsonReader(sparse.mapping("indices"), "sparse.indices")
        values = JsonReader(sparse.mapping("values"), "sparse.values")
        kind = np.dtype(_type_of(indices))
        where = self._slice(indices.integer("bufferView"), indices.integer("byteOffset", 0), count, 1, kind)
        what = self._slice(
            values.integer("bufferView"), values.integer("byteOffset", 0), count, found.shape[1], found.dtype
        )
        places = where.reshape(-1).astype(np.int64)
        if places.size and (places.min() < 0 or places.max() >= len(found)):
            raise MalformedInputError("a sparse accessor replaces what is not there")
        changed = found.copy()
        changed[places] = what
        return changed

    def _slice(self, place: int, start: int, count: int, width: int, kind: np.dtype[Any]) -> NDArray[Any]:
        view = self.entry("bufferViews", place)
        buffer = self._buffer(view.integer("buffer"))
        first, length = view.integer("byteOffset", 0), view.integer("byteLength")
        step = view.integer("byteStride", 0) or width * kind.itemsize
        needed = start + (count - 1) * step + width * kind.itemsize if count > 0 else 0
        if min(first, length, start, count) < 0 or step < 1 or first + length > len(buffer) or needed > length:
            raise MalformedInputError(
                f"$.bufferViews[{place}] should have {needed:,} bytes from {first:,}, and the buffer ends at "
                f"{min(len(buffer), first + length):,}"
            )
        if not count:
            return np.empty((0, width), dtype=kind)
        return np.ndarray((count, width), kind, buffer, first + start, (step, kind.itemsize))

    def _buffer(self, place: int) -> bytes:
        if place not in self._buffers:
            entry = self.entry("buffers", place)
            data = self._load(entry.text_or_none("uri"), place)
            if sum(map(len, self._buffers.values())) + len(data) > MOST_BYTES:
                raise self.source.unsupported(f"its buffers have more than {MOST_BYTES / 1e6:,.0f} MB")
            self._buffers[place] = data
        return self._buffers[place]

    def _load(self, uri: str | None, place: int) -> bytes:
        if uri is None:
            if place or self.binary is None:
                raise MalformedInputError(f"$.buffers[{place}] has no bytes")
            return self.binary
        if uri.startswith("data:"):
            return _decode(uri, place)
        name = unquote(uri)
        if ":" in name or "\\" in name or name.startswith("/") or ".." in name.split("/"):
            raise self.source.unsupported(f"it asks for {uri[:200]!r}, and only files beside it are read")
        found = self.source.siblings(name) if self.source.siblings else None
        if found is None:
            raise self.source.unsupported(f"it needs the file {name!r}, which is not at hand")
        return found


def open_gltf(source: Source) -> GltfDocument:
    """Return a glTF file, opened: text, or the binary container.

    Raises:
        MalformedInputError: It is damaged.
        PreviewError: It is larger than what is read.
    """
    data, binary = source.data, None
    if data[:4] == _MAGIC:
        data, binary = _split(data)
    if len(data) > _MOST_JSON_BYTES:
        raise source.unsupported(
            f"its JSON has {len(data) / 1e6:,.0f} MB, and at most {_MOST_JSON_BYTES / 1e6:,.0f} MB are read"
        )
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MalformedInputError(f"this is not JSON: {error}") from error
    return GltfDocument(source, JsonReader({"$": content}).mapping("$"), binary)


def _split(data: bytes) -> tuple[bytes, bytes | None]:
    version, length = (int.from_bytes(data[start : start + 4], "little") for start in (4, 8))
    if version != 2:  # noqa: PLR2004 - glTF 1.0 is another format
        raise MalformedInputError(f"it is binary glTF {version}, and 2 is read")
    if length > len(data):
        raise MalformedInputError(f"it should have {length:,} bytes, and ends after {len(data):,}")
    chunks: dict[int, bytes] = {}
    start = 12
    while start + 8 <= length:
        size, kind = (int.from_bytes(data[at : at + 4], "little") for at in (start, start + 4))
        if start + 8 + size > length:
            raise MalformedInputError(f"a chunk should have {size:,} bytes, and {length - start - 8:,} are left")
        chunks.setdefault(kind, data[start + 8 : start + 8 + size])
        start += 8 + size
    if _JSON_CHUNK not in chunks:
        raise MalformedInputError("it has no JSON")
    return chunks[_JSON_CHUNK], chunks.get(_BIN_CHUNK)


def _decode(uri: str, place: int) -> bytes:
    head, _, body = uri.partition(",")
    if not head.endswith(";base64"):
        raise MalformedInputError(f"$.buffers[{place}].uri is data, but not in base64")
    try:
        return base64.b64decode(unquote(body), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedInputError(f"$.buffers[{place}].uri is not base64: {error}") from error


def _type_of(reader: JsonReader) -> str:
    number = reader.integer("componentType")
    if number not in _TYPES:
        raise MalformedInputError(f"an accessor has the unknown component type {number}")
    return _TYPES[number]


def _normalized(found: NDArray[Any]) -> NDArray[Any]:
    if found.dtype.kind == "f":
        return found
    return np.maximum(found.astype(np.float64) / np.iinfo(found.dtype).max, -1.0)
