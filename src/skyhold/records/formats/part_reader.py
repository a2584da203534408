"""A part of one version of an object, read forwards; and what is said when the version is gone."""

from dataclasses import replace

from skyhold.errors import InvalidRangeError, PreconditionFailedError
from skyhold.storage.contract import Store
from skyhold.storage.objects import ByteRange, ObjectInfo
from skyhold.storage.reader import ObjectReader

__all__ = ["PartReader", "check_unchanged", "read_part"]


def check_unchanged(now: ObjectInfo | None, planned: ObjectInfo, uri: str) -> None:
    """Refuse an object that is another than when its reading was planned.

    Raises:
        PreconditionFailedError: Its e-tag or, as far as there is none, its size has changed.
    """
    if now is None or (now.e_tag, now.size_bytes) == (planned.e_tag, planned.size_bytes):
        return
    raise _replaced(
        uri, f"{planned.size_bytes:,} bytes with e-tag {planned.e_tag}, now {now.size_bytes:,} with {now.e_tag}"
    )


def read_part(store: Store, key: str, planned: ObjectInfo, start: int, end: int) -> bytes:
    """Return the bytes ``[start, end)`` of the version that was planned.

    Raises:
        PreconditionFailedError: There is another by now.
        KeyNotFoundError: The object is gone.
    """
    uri = store.uri_of(key)
    try:
        now, data = store.read_with_info(key, ByteRange(start, end), if_match=planned.e_tag)
    except InvalidRangeError as error:
        raise _replaced(uri, f"{planned.size_bytes:,} bytes, and is shorter now") from error
    check_unchanged(now, planned, uri)
    return data


def _replaced(uri: str, how: str) -> PreconditionFailedError:
    return PreconditionFailedError(
        f"the object was replaced after its reading had been planned: it had {how}",
        operation="read",
        uri=uri,
        remedy="Run again",
    )


class PartReader:
    """The bytes ``[start, end)`` of one version of an object, fetched in blocks, with read-ahead.

    Args:
        store: Where it is.
        key: The object.
        planned: The version.
        start: The first byte.
        end: The byte after the last; ``start < end``.
        block_bytes: How much one request asks for.
        suffix: Comes after the last byte.

    Attributes:
        info: The whole object's.

    Raises:
        PreconditionFailedError: There is another version by now; also while reading.
        KeyNotFoundError: The object is gone.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> store = open_store("memory://part-example")
        >>> info = store.write("digits", b"0123456789")
        >>> PartReader(store, "digits", info, 3, 6, 1024, suffix=b"!").read(100)
        b'345!'
    """

    def __init__(
        self,
        store: Store,
        key: str,
        planned: ObjectInfo,
        start: int,
        end: int,
        block_bytes: int,
        *,
        suffix: bytes = b"",
    ) -> None:
        self.info = planned
        self._suffix = suffix
        self._reader = ObjectReader(_Part(store, planned, start, end), key, block_bytes=block_bytes, read_ahead=2)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end only."""
        data = self._reader.read(size)
        if len(data) != size:
            data, self._suffix = data + self._suffix, b""
        return data

    def close(self) -> None:
        """Let go of the object."""
        self._reader.close()


class _Part:
    """What a reader takes for an object."""

    def __init__(self, store: Store, planned: ObjectInfo, start: int, end: int) -> None:
        self._store = store
        self._planned = planned
        self._start = start
        self._end = end
        self._info = replace(planned, size_bytes=end - start)

    def read_with_info(
        self, key: str, byte_range: ByteRange | None = None, *, if_match: str | None = None
    ) -> tuple[ObjectInfo, bytes]:
        del if_match  # always that of the version that was planned
        start, end = (byte_range or ByteRange()).resolve(self._info.size_bytes)
        return self._info, read_part(self._store, key, self._planned, self._start + start, self._start + end)
