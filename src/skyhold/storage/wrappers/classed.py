"""Everything that is written through this view of a store is kept in one storage class."""

from collections.abc import Callable

from skyhold.storage.contract import ObjectWriter, Store
from skyhold.storage.objects import Attributes, Buffer, ObjectInfo
from skyhold.storage.transfer import Transfer, transfer_all
from skyhold.storage.wrappers.delegating import DelegatingStore

__all__ = ["ClassedStore"]


class ClassedStore(DelegatingStore):
    """Writes in a storage class other than the default.

    Args:
        inner: The store that does the work.
        storage_class: In the store's own words.
        only: Tells the keys that are meant; the others stay in the default class. All if not given.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = ClassedStore(open_store("memory://classed-example"), "STANDARD_IA")
        >>> _ = store.write("a", b"")
        >>> store.info("a").attributes.storage_class
        'STANDARD_IA'
    """

    def __init__(self, inner: Store, storage_class: str, *, only: Callable[[str], bool] | None = None) -> None:
        super().__init__(inner)
        self._storage_class = storage_class
        self._only = only

    def write(
        self,
        key: str,
        data: Buffer,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
        attributes: Attributes | None = None,
    ) -> ObjectInfo:
        classed = self._classed(key, attributes)
        return super().write(key, data, if_absent=if_absent, if_match=if_match, attributes=classed)

    def open_writer(
        self, key: str, *, attributes: Attributes | None = None, size_bytes: int | None = None
    ) -> ObjectWriter:
        return super().open_writer(key, attributes=self._classed(key, attributes), size_bytes=size_bytes)

    def copy(self, source: str, target: str) -> None:
        # A copy within the store would be kept as the service likes it.
        transfer_all([Transfer(self._inner, source, self, target)])

    def _classed(self, key: str, attributes: Attributes | None) -> Attributes | None:
        if self._only is not None and not self._only(key):
            return attributes
        found = attributes or Attributes()
        return Attributes(found.metadata, found.content_type, self._storage_class, found.tags)
