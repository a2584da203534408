"""A component's content that a browser sends: kept beside until it is whole, and published then."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from skyhold.components.library import Library
from skyhold.components.manifest import Version
from skyhold.components.publication import Expected
from skyhold.errors import IntegrityError

__all__ = ["publish_pieces"]


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
