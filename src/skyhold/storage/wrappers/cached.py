"""Reading through a local folder: an object that was read once is fetched again only when its e-tag has changed."""

import hashlib
import logging
from pathlib import Path

from skyhold.errors import StorageError
from skyhold.storage.backends.file import FileBackend
from skyhold.storage.contract import Store
from skyhold.storage.keys import check_key
from skyhold.storage.objects import ByteRange, ObjectInfo
from skyhold.storage.wrappers.delegating import DelegatingStore

__all__ = ["CachedStore"]

_DIGEST_BYTES = hashlib.sha256().digest_size
_LOG = logging.getLogger("skyhold.storage")


class CachedStore(DelegatingStore):
    """Keeps what is read, by URI, range and e-tag.

    A first read costs what it always does. A repeated one asks for the e-tag (one small request) and serves the kept
    copy when it is still the same, so nothing stale is ever served. Nor is a copy that has changed on the disk: each
    carries its SHA-256.

    Args:
        inner: The store that does the work.
        folder: Where copies are kept. It may be deleted at any time.
    """

    def __init__(self, inner: Store, folder: str) -> None:
        super().__init__(inner)
        self._kept = FileBackend(str(Path(folder).expanduser().absolute()))

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        check_key(key, operation="read", uri=self.uri)
        part = hashlib.sha256(f"{self.uri_of(key)}\n{byte_range}".encode()).hexdigest()
        folder = f"{part[:2]}/{part[2:]}/"
        if self._has(folder):
            info = self._inner.info(key)
            if if_match in {None, info.e_tag} and info.e_tag is not None:
                copy = self._kept_copy(folder + _name(info.e_tag))
                if copy is not None:
                    return info, copy
        info, data = self._inner.read_with_info(key, byte_range, if_match=if_match)
        if info.e_tag is not None:
            self._keep(folder, info.e_tag, data)
        return info, data

    def _has(self, folder: str) -> bool:
        return (Path(self._kept.uri_of(folder))).is_dir()

    def _kept_copy(self, name: str) -> bytes | None:
        try:
            kept = self._kept.read(name)
        except StorageError:
            return None
        digest, copy = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
        return copy if hashlib.sha256(copy).digest() == digest else None

    def _keep(self, folder: str, e_tag: str, data: bytes) -> None:
        try:
            self._kept.write(folder + _name(e_tag), hashlib.sha256(data).digest() + data)
            for old in list(self._kept.list(folder)):
                if old.key != folder + _name(e_tag):
                    self._kept.delete(old.key)
        except StorageError as error:
            _LOG.warning("the cache keeps nothing: %s", error)


def _name(e_tag: str) -> str:
    return hashlib.sha256(e_tag.encode()).hexdigest()
