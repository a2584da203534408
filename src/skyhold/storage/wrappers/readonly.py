"""A store that cannot be changed through this view."""

from collections.abc import Iterable
from typing import Literal, NoReturn

from skyhold.errors import ReadOnlyError
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.objects import Attributes, Buffer, ObjectInfo
from skyhold.storage.wrappers.delegating import DelegatingStore

__all__ = ["ReadonlyStore"]


class ReadonlyStore(DelegatingStore):
    """Refuses every change by name, before anything is sent."""

    def write(
        self,
        key: str,
        data: Buffer,  # noqa: ARG002 - the contract's signature
        *,
        if_absent: bool = False,  # noqa: ARG002
        if_match: str | None = None,  # noqa: ARG002
        attributes: Attributes | None = None,  # noqa: ARG002
    ) -> ObjectInfo:
        self._refuse("write", key)

    def open_writer(
        self,
        key: str,
        *,
        attributes: Attributes | None = None,  # noqa: ARG002
        size_bytes: int | None = None,  # noqa: ARG002
    ) -> ObjectWriter:
        self._refuse("write", key)

    def delete(self, keys: str | Iterable[str]) -> None:
        self._refuse("delete", keys if isinstance(keys, str) else "")

    def copy(self, source: str, target: str) -> None:  # noqa: ARG002
        self._refuse("copy", target)

    def rename(self, source: str, target: str) -> None:  # noqa: ARG002
        self._refuse("rename", target)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:
        if method != "GET":
            self._refuse("presign PUT", key)
        return super().presign(key, method=method, expires_s=expires_s)

    def _refuse(self, verb: str, key: str) -> NoReturn:
        raise ReadOnlyError(
            "the store was opened for reading only",
            operation=verb,
            uri=self.uri_of(key),
            remedy="Open it without read_only=True",
        )
