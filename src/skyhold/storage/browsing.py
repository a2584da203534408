"""Looking into a folder of any size, a screenful at a time: stores list in key order, and tell no total."""

from dataclasses import dataclass

from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["FolderEntry", "FolderView", "browse_folder"]

_LAST = "\U0010ffff"
_MOST_SKIPS = 8


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """What lies one level down.

    Attributes:
        key: An object's key, or a folder's prefix, which ends in ``/``.
        info: Of the object; None for folders.
    """

    key: str
    info: ObjectInfo | None = None

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.info is None


@dataclass(frozen=True, slots=True)
class FolderView:
    """A screenful.

    Attributes:
        entries: In key order.
        after: Where the next one begins; None at the end.
    """

    entries: tuple[FolderEntry, ...]
    after: str | None = None


def browse_folder(store: Store, prefix: str = "", *, after: str | None = None, limit: int = 200) -> FolderView:
    """Return what lies one level under a prefix, from some entry on.

    It takes about one request for a thousand objects that are passed over; big folders among them are skipped.

    Args:
        store: Where.
        prefix: A folder's name ending in ``/``, the beginning of names, or empty.
        after: `FolderView.after` of the view before this one.
        limit: How many entries.

    Raises:
        InvalidKeyError: Nothing can lie under the prefix.
        BucketNotFoundError: No such bucket.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://browsing-example")
        >>> for key in ("a/1", "a/2", "b", "c/3"):
        ...     _ = store.write(key, b"")
        >>> view = browse_folder(store, limit=2)
        >>> [entry.key for entry in view.entries], view.after
        (['a/', 'b'], 'b')
        >>> [entry.key for entry in browse_folder(store, after=view.after).entries]
        ['c/']
    """
    found: dict[str, FolderEntry] = {}
    cursor = _past(after)
    for _ in range(_MOST_SKIPS):
        last = _fold_until_big_folder(store, prefix, cursor, found, limit)
        if last is None:
            return _view(found, limit)
        cursor = _past(last)
    for page in store.list_pages(prefix, start_after=cursor, delimiter="/"):
        for entry in (*map(FolderEntry, page.prefixes), *(FolderEntry(info.key, info) for info in page.objects)):
            found.setdefault(entry.key, entry)
    return _view(found, limit)


def _fold_until_big_folder(
    store: Store, prefix: str, cursor: str | None, found: dict[str, FolderEntry], limit: int
) -> str | None:
    """Add entries; return the folder that a page of the listing ends in, or None when there is enough."""
    for page in store.list_pages(prefix, start_after=cursor):
        last = ""
        for info in page.objects:
            name, slash, _ = info.key[len(prefix) :].partition("/")
            last = f"{prefix}{name}/" if slash else ""
            found.setdefault(last or info.key, FolderEntry(last) if last else FolderEntry(info.key, info))
            if len(found) > limit:
                return None
        if last:
            return last
    return None


def _view(found: dict[str, FolderEntry], limit: int) -> FolderView:
    entries = tuple(found[key] for key in sorted(found))
    shown = entries[:limit]
    return FolderView(shown, shown[-1].key if len(entries) > limit else None)


def _past(after: str | None) -> str | None:
    """Return the key after which a listing goes on: a folder's contents are not listed again."""
    return after + _LAST if after and after.endswith("/") else after
