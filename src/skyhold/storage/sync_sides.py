"""What a plan of a synchronization knows of one path: of the folder, of the store, and of what both last agreed on."""

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Agreed", "LocalFile", "RemoteFile"]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the folder.

    Attributes:
        size_bytes: Its length.
        sha256: Of its content.
        modified: When it was changed.
        name: How the folder spells its path, where that differs.
    """

    size_bytes: int
    sha256: str
    modified: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An object of the store.

    Attributes:
        size_bytes: Its length.
        token: Changes whenever the object changes: its e-tag, mostly.
        sha256: Of its content, where that is known.
        modified: When it was written.
        name: How the store spells its path, where that differs.
        version: The number of the version that it is, where that is known.
    """

    size_bytes: int
    token: str
    sha256: str | None = None
    modified: datetime | None = None
    name: str = ""
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Agreed:
    """What both sides last had.

    Attributes:
        sha256: Of the content.
        size_bytes: Its length.
        token: The token of the object then.
        version: The number of the version that it is.
    """

    sha256: str
    size_bytes: int
    token: str
    version: int | None = None
