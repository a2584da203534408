"""Where a library's parts lie in its store. The names are a format: they are versioned, and golden-tested.

::

    <component>                                    the newest version of a component that is one file
    <component>/<file>                             the newest version of a component that has several
    .skyhold/library.json                          that this is a library, and of which format
    .skyhold/heads/<component>/@.json              which version counts, and its tags; replaced by compare-and-swap
    .skyhold/versions/<component>/@/<n>.json       what a version is; created once, never changed
    .skyhold/locks/<component>/@.json              who works on a component, and until when
    .skyhold/clock/<name>                          written, looked at and deleted again: its time is the store's
    .skyhold/blobs/<aa>/<sha256>                   content, whole
    .skyhold/deltas/<aa>/<sha256>.<base>           content, as a zstd frame whose prefix is the content ``base``
    .skyhold/previews/<aa>/<sha256>.png            a picture of content; ``.json`` beside it has its facts

``<aa>`` are the first two digits of the hash. Any program may read the plain keys. One that writes them makes a new
version, which is taken into the history when skyhold sees it.
"""

from skyhold.errors import InvalidKeyError
from skyhold.storage.keys import check_key

__all__ = [
    "BLOBS",
    "DELTAS",
    "HEADS",
    "LIBRARY",
    "LOCKS",
    "RESERVED",
    "SCHEMA",
    "blob_key",
    "check_component_id",
    "clock_key",
    "component_of_head",
    "delta_key",
    "head_key",
    "lock_key",
    "plain_key",
    "preview_key",
    "version_key",
    "versions_prefix",
]

SCHEMA = "skyhold.library/1"
RESERVED = ".skyhold/"
LIBRARY = RESERVED + "library.json"
HEADS = RESERVED + "heads/"
BLOBS = RESERVED + "blobs/"
DELTAS = RESERVED + "deltas/"
LOCKS = RESERVED + "locks/"

_HEAD_END = "/@.json"


def check_component_id(component_id: str, *, operation: str, uri: str) -> None:
    """Refuse a name that a component cannot have: one that no store can hold, or that the layout needs itself.

    Raises:
        InvalidKeyError: With the reason.
    """
    check_key(component_id, operation=operation, uri=uri)
    parts = component_id.split("/")
    reason = ""
    if parts[0] == RESERVED.rstrip("/"):
        reason = f"{RESERVED!r} holds the library's own history"
    elif "@" in parts or "@.json" in parts:
        reason = "a part named '@' or '@.json' is needed for the history"
    if reason:
        raise InvalidKeyError(
            f"a component cannot be called {component_id!r}: {reason}",
            operation=operation,
            uri=uri,
            remedy="Choose another name; nothing was written",
        )


def plain_key(component_id: str, file: str) -> str:
    """Return where any program finds the newest version of a file; ``file`` is empty where it is the only one.

    Example:
        >>> plain_key("arm/left.stl", ""), plain_key("robot", "parts/arm.stl")
        ('arm/left.stl', 'robot/parts/arm.stl')
    """
    return f"{component_id}/{file}" if file else component_id


def head_key(component_id: str) -> str:
    """Return where it says which version of a component counts."""
    return f"{HEADS}{component_id}{_HEAD_END}"


def component_of_head(key: str) -> str | None:
    """Return whose head a key is, or None where it is none.

    Example:
        >>> component_of_head(head_key("arm/left.stl"))
        'arm/left.stl'
    """
    is_head = key.startswith(HEADS) and key.endswith(_HEAD_END)
    return key.removeprefix(HEADS).removesuffix(_HEAD_END) if is_head else None


def versions_prefix(component_id: str) -> str:
    """Return under what the versions of a component lie."""
    return f"{RESERVED}versions/{component_id}/@/"


def version_key(component_id: str, number: int) -> str:
    """Return where it says what a version is.

    Example:
        >>> version_key("arm.stl", 3)
        '.skyhold/versions/arm.stl/@/00000003.json'
    """
    return f"{versions_prefix(component_id)}{number:08d}.json"


def lock_key(component_id: str) -> str:
    """Return where it says who works on a component."""
    return f"{LOCKS}{component_id}/@.json"


def clock_key(name: str) -> str:
    """Return where an object may be written to read the store's clock; ``name`` is used once."""
    return f"{RESERVED}clock/{name}"


def blob_key(sha256: str) -> str:
    """Return where content lies whole."""
    return f"{BLOBS}{sha256[:2]}/{sha256}"


def delta_key(sha256: str, base: str) -> str:
    """Return where content lies as what makes it of other content."""
    return f"{DELTAS}{sha256[:2]}/{sha256}.{base}"


def preview_key(sha256: str, suffix: str) -> str:
    """Return where a picture (``".png"``) or facts (``".json"``) of content lie."""
    return f"{RESERVED}previews/{sha256[:2]}/{sha256}{suffix}"
