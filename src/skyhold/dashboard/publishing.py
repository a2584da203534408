"""A component's content that a browser sends: kept beside until it is whole, and published then."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.publication import Expected
from skyhold.dashboard.parcels import unpack_parcel
from skyhold.errors import IntegrityError

__all__ = ["publish_parcel", "publish_pieces"]


def publish_pieces(
    library: Library,
    component_id: str,
    pieces: Iterable[bytes],
    *,
    size_bytes: int | None,
    message: str = "",
    expected: Expected,
) -> Version:
    """Publish content that comes in pieces, of which memory holds one at a time.

    Args:
        library: Where.
        component_id: What it is called.
        pieces: Its content.
        size_bytes: How much is to come, where that is known.
        message: Why.
        expected: As for `Library.publish`.

    Raises:
        IntegrityError: Not all of it has come; nothing was published.
        VersionConflictError: The newest version is not the expected one.
    """
    with TemporaryDirectory(prefix="skyhold-") as folder:
        path = Path(folder) / "content"
        came = 0
        with path.open("wb") as file:
            for piece in pieces:
                came += file.write(piece)
        if size_bytes is not None and came != size_bytes:
            raise IntegrityError(
                f"{came:,} of {size_bytes:,} bytes have come",
                operation="publish",
                uri=library.store.uri_of(component_id),
                remedy="Send it again; nothing was published",
            )
        return library.publish(component_id, path, message=message, expected=expected)


def publish_parcel(
    library: Library, component_id: str, pieces: Iterator[bytes], *, message: str = "", expected: Expected
) -> Version:
    """Publish several files that come in one body, as one version.

    Args:
        library: Where.
        component_id: What it is called.
        pieces: The body; `skyhold.dashboard.parcels` says how files lie in it.
        message: Why.
        expected: As for `Library.publish`.

    Raises:
        IntegrityError: Not all of it has come; nothing was published.
        InvalidKeyError: A name cannot be stored.
        VersionConflictError: The newest version is not the expected one.
    """
    with TemporaryDirectory(prefix="skyhold-") as folder:
        return library.publish(component_id, unpack_parcel(pieces, Path(folder)), message=message, expected=expected)
