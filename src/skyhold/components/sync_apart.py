"""A folder and a library must lie apart: a library in the folder would be synchronized into itself, ever deeper."""

from pathlib import Path

from skyhold.errors import BadOptionError
from skyhold.storage.location import parse_location

__all__ = ["check_apart"]


def check_apart(folder: Path, library_uri: str) -> None:
    """Refuse a library that lies in the folder, or around it.

    Raises:
        BadOptionError: With both.

    Example:
        >>> check_apart(Path("/srv/parts"), "file:///srv/library")
        >>> check_apart(Path("/srv/parts"), "s3://bucket/srv/parts")
    """
    location = parse_location(library_uri)
    if location.scheme not in {"file", "mock"}:
        return
    here, there = folder.resolve(), Path(location.container, location.key).resolve()
    if here == there:
        how = "is the folder itself"
    elif there.is_relative_to(here):
        how = "lies in the folder"
    elif here.is_relative_to(there):
        how = "has the folder in it"
    else:
        return
    raise BadOptionError(
        f"the library {library_uri!r} {how}, {str(folder)!r}; they cannot be synchronized",
        remedy="Give the library a place beside the folder; nothing was done",
    )
