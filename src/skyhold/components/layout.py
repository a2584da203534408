"""Where a library's parts lie in its store. The names are a format: they are versioned, and golden-tested.

::

    <component>                                    the newest version of a component that is one file
    <component>/<file>                             the newest version of a component that has several
    .skyhold/library.json                          that this is a library, and of which format
    .skyhold/heads/<component>/@.json              which version counts, and its tags; replaced by compare-and-swap
    .skyhold/versions/<component>/@/<n>.json       what a version is; created once, never changed
    .skyhold/pruned/<component>/@/<n>.json         what a version was whose content is kept no longer
    .skyhold/locks/<component>/@.json              who works on a component, and until when
    .skyhold/clock/<name>                          written, looked at and deleted again: its time is the store's
    .skyhold/blobs/<aa>/<sha256>                   content, whole
    .skyhold/deltas/<aa>/<sha256>.<base>           content, as a zstd frame whose prefix is the content ``base``
    .skyhold/previews/<aa>/<sha256>.png            a picture of content; ``.256.png`` smaller, ``.json`` its facts
    .skyhold/needed/<component>/@/<by>/@           that a version of ``by`` has named the component as a dependency
    .skyhold/trash/<key without .skyhold/>         content that no version named, until it is deleted for good
    .skyhold/trash/damaged/<key>                   what was damaged, and replaced by recovery

``<aa>`` are the first two digits of the hash. Plain objects carry the metadata ``sha256`` and, unless the store itself
copied them from the history (those of more than 64 MiB), ``version``. Any program may read the plain keys. One that
writes them makes a new version, which is taken into the history when skyhold sees it.
"""

import re
from typing import NamedTuple

from skyhold.errors import InvalidKeyError
from skyhold.storage.keys import check_key

__all__ = [
    "BLOBS",
    "CLOCK",
    "DELTAS",
    "HEADS",
    "LIBRARY",
    "LOCKS",
    "NEEDED",
    "PREVIEWS",
    "PRUNED",
    "RESERVED",
    "SCHEMA",
    "TRASH",
    "VERSIONS",
    "ContentName",
    "blob_key",
    "check_component_id",
    "clock_key",
    "component_of_head",
    "component_of_lock",
    "content_of_key",
    "damaged_key",
    "delta_key",
    "dependent_of_key",
    "head_key",
    "is_plain",
    "lock_key",
    "needed_key",
    "needed_prefix",
    "plain_key",
    "preview_key",
    "pruned_key",
    "pruned_of_key",
    "trash_key",
    "version_key",
    "version_of_key",
    "versions_prefix",
]

SCHEMA = "skyhold.library/1"
RESERVED = ".skyhold/"
LIBRARY = RESERVED + "library.json"
HEADS = RESERVED + "heads/"
VERSIONS = RESERVED + "versions/"
LOCKS = RESERVED + "locks/"
CLOCK = RESERVED + "clock/"
BLOBS = RESERVED + "blobs/"
DELTAS = RESERVED + "deltas/"
PREVIEWS = RESERVED + "previews/"
PRUNED = RESERVED + "pruned/"
NEEDED = RESERVED + "needed/"
TRASH = RESERVED + "trash/"

# What libraries, and stores that are folders, keep for themselves: at the root, and below where others lie inside.
_OTHERS = frozenset({RESERVED.rstrip("/"), ".skyhold-store"})
_HEAD_END = _LOCK_END = "/@.json"
_VERSION_KEY = re.compile(rf"{re.escape(VERSIONS)}(.+)/@/(\d{{8,}})\.json", re.DOTALL)
_CONTENT_KEY = re.compile(r"(?:blobs|deltas)/([0-9a-f]{2})/(\1[0-9a-f]{62})(?:\.([0-9a-f]{64}))?")


class ContentName(NamedTuple):
    """What the key of stored content tells; ``base`` is empty where it lies whole."""

    sha256: str
    base: str = ""


def check_component_id(component_id: str, *, operation: str, uri: str) -> None:
    """Refuse a name that a component cannot have: one that no store can hold, or that the layout needs itself.

    Raises:
        InvalidKeyError: With the reason.
    """
    check_key(component_id, operation=operation, uri=uri)
    parts = component_id.split("/")
    reason = ""
    if not _OTHERS.isdisjoint(parts):
        reason = f"{RESERVED!r} holds a library's own history"
    elif "@" in parts or "@.json" in parts:
        reason = "a part named '@' or '@.json' is needed for the history"
    if reason:
        raise InvalidKeyError(
            f"a component cannot be called {component_id!r}: {reason}",
            operation=operation,
            uri=uri,
            remedy="Choose another name; nothing was written",
        )


def is_plain(key: str) -> bool:
    """Return whether a key can be a component's, and is not of the history of this library or of one inside it.

    Example:
        >>> [is_plain(key) for key in ("arm.stl", ".skyhold/library.json", "models/.skyhold/library.json")]
        [True, False, False]
    """
    return ".skyhold" not in key or _OTHERS.isdisjoint(key.split("/"))


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
    return f"{VERSIONS}{component_id}/@/"


def version_key(component_id: str, number: int) -> str:
    """Return where it says what a version is.

    Example:
        >>> version_key("arm.stl", 3)
        '.skyhold/versions/arm.stl/@/00000003.json'
    """
    return f"{versions_prefix(component_id)}{number:08d}.json"


def version_of_key(key: str) -> tuple[str, int] | None:
    """Return the component and the number of the version that a key is for, or None where it is for none.

    Example:
        >>> version_of_key(version_key("arm.stl", 3))
        ('arm.stl', 3)
    """
    found = _VERSION_KEY.fullmatch(key)
    return (found[1], int(found[2])) if found else None


def pruned_key(component_id: str, number: int) -> str:
    """Return where the record of a version lies that was pruned."""
    return PRUNED + version_key(component_id, number).removeprefix(VERSIONS)


def pruned_of_key(key: str) -> tuple[str, int] | None:
    """Return the component and the number of the pruned version that a key is for, or None where it is for none.

    Example:
        >>> pruned_of_key(pruned_key("arm.stl", 3)), pruned_of_key(version_key("arm.stl", 3))
        (('arm.stl', 3), None)
    """
    return version_of_key(VERSIONS + key.removeprefix(PRUNED)) if key.startswith(PRUNED) else None


def lock_key(component_id: str) -> str:
    """Return where it says who works on a component."""
    return f"{LOCKS}{component_id}{_LOCK_END}"


def component_of_lock(key: str) -> str | None:
    """Return whose lock a key is, or None where it is none.

    Example:
        >>> component_of_lock(lock_key("arm/left.stl"))
        'arm/left.stl'
    """
    is_lock = key.startswith(LOCKS) and key.endswith(_LOCK_END)
    return key.removeprefix(LOCKS).removesuffix(_LOCK_END) if is_lock else None


def clock_key(name: str) -> str:
    """Return where an object may be written to read the store's clock; ``name`` is used once."""
    return f"{CLOCK}{name}"


def blob_key(sha256: str) -> str:
    """Return where content lies whole."""
    return f"{BLOBS}{sha256[:2]}/{sha256}"


def delta_key(sha256: str, base: str) -> str:
    """Return where content lies as what makes it of other content."""
    return f"{DELTAS}{sha256[:2]}/{sha256}.{base}"


def preview_key(sha256: str, suffix: str) -> str:
    """Return where a picture (``".png"``, ``".256.png"``) or facts (``".json"``) of content lie."""
    return f"{PREVIEWS}{sha256[:2]}/{sha256}{suffix}"


def content_of_key(key: str) -> ContentName | None:
    """Return what content a key is for, also where it lies in the trash, or None where it is for none.

    Example:
        >>> content_of_key(delta_key("ab" * 32, "cd" * 32)) == ContentName("ab" * 32, "cd" * 32)
        True
        >>> content_of_key(trash_key(blob_key("ab" * 32))) == ContentName("ab" * 32)
        True
    """
    found = _CONTENT_KEY.fullmatch(key.removeprefix(TRASH).removeprefix(RESERVED))
    is_delta = key.removeprefix(TRASH).removeprefix(RESERVED).startswith("deltas/")
    return ContentName(found[2], found[3] or "") if found and is_delta == bool(found[3]) else None


def trash_key(key: str) -> str:
    """Return where content lies that no version named.

    Example:
        >>> trash_key(".skyhold/blobs/ab/abcd")
        '.skyhold/trash/blobs/ab/abcd'
    """
    return TRASH + key.removeprefix(RESERVED)


def damaged_key(key: str) -> str:
    """Return where a damaged object is kept that recovery has replaced; it is never taken for content again.

    Example:
        >>> damaged_key("arm.stl"), content_of_key(damaged_key(blob_key("ab" * 32)))
        ('.skyhold/trash/damaged/arm.stl', None)
    """
    return f"{TRASH}damaged/{key}"


def needed_prefix(component_id: str) -> str:
    """Return under what it says which components have named this one as a dependency."""
    return f"{NEEDED}{component_id}/@/"


def needed_key(component_id: str, by: str) -> str:
    """Return where it says that a version of ``by`` has named a component as a dependency."""
    return f"{needed_prefix(component_id)}{by}/@"


def dependent_of_key(key: str) -> tuple[str, str] | None:
    """Return the component that is needed and the one that needs it, or None where the key does not tell.

    Example:
        >>> dependent_of_key(needed_key("arm.stl", "robot"))
        ('arm.stl', 'robot')
    """
    needed, middle, by = key.removeprefix(NEEDED).partition("/@/")
    is_one = key.startswith(NEEDED) and middle and by.endswith("/@")
    return (needed, by.removesuffix("/@")) if is_one else None
