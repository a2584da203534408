"""The picture that Blender keeps in a ``.blend`` file, read from the file's beginning without reading the rest.

A file is a header and blocks; the picture is the block ``TEST``, near the beginning: width, height, then rows of RGBA
from the bottom up. Block headers have three forms: of 32-bit and of 64-bit Blender, and of Blender 5. The whole file
may be compressed by gzip (until 2.93) or zstd (since 3.0).
"""

import gzip
import io
import re
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from skyhold.errors import PreviewError

__all__ = ["BlendPicture", "is_blend", "read_blend_picture"]

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_HEAD = re.compile(rb"BLENDER(?:(?P<pointer>[-_])(?P<order>[vV])\d{3}|17-\d\dv\d{4})")
_MOST_BLOCKS = 64
_MOST_BYTES = 8 * 1024 * 1024  # of what comes before the picture, and of the picture
_MOST_PIXELS = 1024 * 1024


@dataclass(frozen=True, slots=True)
class BlendPicture:
    """What Blender shows of a file before opening it.

    Attributes:
        width: In pixels.
        height: In pixels.
        rgba: Four bytes a pixel, rows from the top.
    """

    width: int
    height: int
    rgba: bytes


def is_blend(content: Path | bytes, name: str) -> bool:
    """Return whether content is a ``.blend`` file: by its beginning, or, where that is compressed, by its name too."""
    start = content[:7] if isinstance(content, bytes) else _beginning(content)
    is_named = name.lower().endswith(".blend") or re.fullmatch(r".*\.blend\d+", name.lower()) is not None
    return start == b"BLENDER" or (is_named and start[:4].startswith((_GZIP, _ZSTD)))


def read_blend_picture(content: Path | bytes, name: str) -> BlendPicture:
    """Return the picture in a ``.blend`` file of any size.

    Raises:
        PreviewError: It has none, or is damaged.
    """
    with content.open("rb") if isinstance(content, Path) else io.BytesIO(content) as plain:
        try:
            with _decompressed(plain) as stream:
                return _find(stream, name)
        except (OSError, EOFError, zlib.error, struct.error) as error:  # Arrow's errors are OSErrors
            raise PreviewError(f"{name!r} is damaged: {error}") from error


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(7)


def _decompressed(plain: IO[bytes]) -> Any:
    magic = plain.read(4)
    plain.seek(0)
    if magic.startswith(_GZIP):
        return gzip.GzipFile(fileobj=plain)
    if magic == _ZSTD:
        arrow: Any = pa  # untyped
        return arrow.CompressedInputStream(arrow.PythonFile(plain, mode="r"), "zstd")
    return plain


def _find(stream: Any, name: str) -> BlendPicture:
    left = _MOST_BYTES
    block = _block_form(stream, name)
    for _ in range(_MOST_BLOCKS):
        head = _exactly(stream, block.size)
        code, length = _code_and_length(block, head)
        if code == b"ENDB" or not 0 <= length <= left:
            break
        left -= length
        data = _exactly(stream, length)
        if code == b"TEST":
            return _picture(data, block.format[0], name)
    raise PreviewError(
        f"no preview of {name!r}: it was saved without a picture",
        remedy="In Blender, choose Preferences > Save & Load > File Preview Type, and save it again",
    )


def _block_form(stream: Any, name: str) -> struct.Struct:
    head = _exactly(stream, 12)
    if head.startswith(b"BLENDER17"):
        head += _exactly(stream, 5)
    form = _HEAD.fullmatch(head)
    if form is None:
        raise PreviewError(f"{name!r} is damaged: it does not begin as a Blender file")
    if form["pointer"] is None:
        return struct.Struct("<4siQqq")
    return struct.Struct(f"{'<' if form['order'] == b'v' else '>'}4si{'Q' if form['pointer'] == b'-' else 'I'}ii")


def _code_and_length(block: struct.Struct, head: bytes) -> tuple[bytes, int]:
    code, second, _, fourth, _ = block.unpack(head)
    return code, fourth if "q" in block.format else second


def _exactly(stream: Any, length: int) -> bytes:
    data: bytes = stream.read(length)
    if len(data) < length:
        raise EOFError("it ends in the middle of a block")
    return data


def _picture(data: bytes, order: str, name: str) -> BlendPicture:
    width, height = struct.unpack_from(f"{order}ii", data)
    if min(width, height) < 1 or width * height > _MOST_PIXELS or len(data) != 8 + 4 * width * height:
        raise PreviewError(f"{name!r} is damaged: its picture of {width} by {height} pixels has {len(data):,} bytes")
    rows = [data[start : start + 4 * width] for start in range(8, len(data), 4 * width)]
    return BlendPicture(width, height, b"".join(reversed(rows)))
