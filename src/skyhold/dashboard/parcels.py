"""Several files in the body of one request, so that they become one version or none.

::

    4 bytes     length of the head, little-endian
    the head    JSON: {"files": [{"name": "parts/arm.stl", "size": 1234}, …]}
    contents    one after the other, in this order

Files are written under numbers: a name that a browser sends never touches the file system.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from skyhold.errors import IntegrityError, InvalidKeyError

__all__ = ["unpack_parcel"]

_MOST_HEAD_BYTES = 4 * 1024 * 1024
_MOST_FILES = 20_000


def unpack_parcel(pieces: Iterator[bytes], folder: Path) -> dict[str, Path]:
    """Write the files of a parcel into a folder, and return where each is, by its name.

    Args:
        pieces: The body, of which memory holds one piece at a time.
        folder: Where to.

    Raises:
        IntegrityError: It is no parcel, or not all of it has come, or more.
        InvalidKeyError: It has no files, too many, or two of one name.

    Example:
        >>> import tempfile
        >>> head = b'{"files": [{"name": "a", "size": 2}, {"name": "b", "size": 1}]}'
        >>> body = len(head).to_bytes(4, "little") + head + b"123"
        >>> files = unpack_parcel(iter([body[:9], body[9:]]), Path(tempfile.mkdtemp()))
        >>> {name: path.read_bytes() for name, path in files.items()}
        {'a': b'12', 'b': b'3'}
    """
    body = _Body(pieces)
    length = int.from_bytes(body.take(4), "little")
    if length > _MOST_HEAD_BYTES:
        raise _damaged(f"its head has {length:,} bytes")
    found: dict[str, Path] = {}
    for number, (name, size_bytes) in enumerate(_read_head(body.take(length))):
        if name in found:
            raise InvalidKeyError(f"two files are called {name!r}", operation="publish")
        found[name] = folder / str(number)
        with found[name].open("wb") as file:
            for piece in body.pieces(size_bytes):
                file.write(piece)
    body.check_end()
    return found


class _Body:
    """A body that comes in pieces, taken by length."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest: bytes = b""

    def pieces(self, size_bytes: int) -> Iterator[bytes]:
        """Yield the next bytes, as they come."""
        while size_bytes:
            if not self._rest:
                self._rest = next(self._pieces, b"")
                if not self._rest:
                    raise _damaged(f"{size_bytes:,} bytes have not come")
            piece, self._rest = self._rest[:size_bytes], self._rest[size_bytes:]
            size_bytes -= len(piece)
            yield piece

    def take(self, size_bytes: int) -> bytes:
        """Return the next bytes."""
        return b"".join(self.pieces(size_bytes))

    def check_end(self) -> None:
        """Refuse what comes behind the last file."""
        if self._rest or next(self._pieces, b""):
            raise _damaged("more has come than its head says")


def _read_head(head: bytes) -> list[tuple[str, int]]:
    try:
        content: Any = json.loads(head)
        listed = cast("list[dict[str, Any]]", content["files"])
        files = [(each["name"], each["size"]) for each in listed]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged("its head cannot be read") from error
    if any(not isinstance(name, str) or type(size) is not int or size < 0 for name, size in files):
        raise _damaged("its head names a file that cannot be")
    if not 0 < len(files) <= _MOST_FILES:
        raise InvalidKeyError(
            f"{len(files):,} files cannot be one component",
            operation="publish",
            remedy=f"Choose a folder with one to {_MOST_FILES:,} files",
        )
    return files


def _damaged(reason: str) -> IntegrityError:
    return IntegrityError(
        f"the files have not come as they were sent: {reason}",
        operation="publish",
        remedy="Send them again; nothing was published",
    )
