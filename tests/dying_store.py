"""A store that ends like a worker that dies."""

from typing import Any

from skyhold.errors import UnreachableError
from skyhold.storage.contract import Store
from skyhold.storage.wrappers.delegating import DelegatingStore

__all__ = ["DyingStore"]


class DyingStore(DelegatingStore):
    """Notes what is read; fails from a certain request on, as to a worker that dies there."""

    def __init__(self, inner: Store, left: int = 1_000_000) -> None:
        super().__init__(inner)
        self.left = left
        self.keys: list[str] = []

    def observed(self, observer: Any) -> "DyingStore":
        del observer
        return self

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise UnreachableError("gone", operation="write", uri=self.uri)

    def read_with_info(self, key: str, *given: Any, **options: Any) -> Any:
        self._count()
        self.keys.append(key)
        return super().read_with_info(key, *given, **options)

    def write(self, *given: Any, **options: Any) -> Any:
        self._count()
        return super().write(*given, **options)

    def list_pages(self, *given: Any, **options: Any) -> Any:
        self._count()
        return super().list_pages(*given, **options)
