"""S3, Azure Blob Storage and Google Cloud Storage, through obstore."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import Any, ClassVar, Literal, NoReturn, cast
from urllib.parse import quote
from uuid import uuid4

import obstore

from skyhold.errors import (
    BadCredentialsError,
    ConfigError,
    InvalidKeyError,
    InvalidRangeError,
    KeyNotFoundError,
    NetworkError,
    PreconditionFailedError,
    SkyholdError,
    StorageError,
    UnsupportedError,
    WrongRegionError,
)
from skyhold.storage.attempts import Result
from skyhold.storage.backends.azure_links import AzureLinks
from skyhold.storage.backends.clients import CloudSettings, connect_client
from skyhold.storage.backends.conditions import check_match, quote_e_tag
from skyhold.storage.backends.listing import folder_and_offset, matches, past
from skyhold.storage.backends.metadata import decode_attributes, encode_attributes
from skyhold.storage.backends.template import WRITE_ID, Backend
from skyhold.storage.backends.translation import Context, translate
from skyhold.storage.backends.uploading import CloudUpload
from skyhold.storage.backends.whole_bodies import WholeBodies, WholeBody
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.credentials.connection import Connection
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo

__all__ = ["CloudBackend"]


_PAGE = {"s3": 1000, "az": 5000, "gs": 1000}
_BULK = {"s3": 1000, "az": 256, "gs": 1}
_PART_RETRIES = 8
_PARTS_IN_FLIGHT = 4
_SMALL_PART_BYTES = 8 * 1024 * 1024
_MOST_PARTS = 9_000  # S3 has 10,000; a file may grow while it is sent
_CHUNK_BYTES = 1024 * 1024
_FOLDER_MARK = "hdi_isfolder"  # of folders in Azure accounts that have them


class CloudBackend(Backend):
    """One connection to one bucket.

    Args:
        uri: The bucket's URI.
        connection: Where it is, and who asks.
        settings: How it behaves.
        reopen: Makes this backend again in another process; None where secrets forbid it.
    """

    answers_can_be_lost: ClassVar[bool] = True

    def __init__(
        self,
        uri: str,
        connection: Connection,
        settings: CloudSettings,
        reopen: tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ) -> None:
        super().__init__(uri, settings.policy)
        self.identity = connection.identity
        self.concurrency = settings.concurrency
        self.lists_from_anywhere = connection.scheme != "az"  # Azure has no such question: the client passes over keys
        self.part_bytes = settings.part_bytes
        self._scheme = connection.scheme
        self._reopen = reopen
        self._provider = connection.provider
        self._can_sign = connection.can_sign
        self._links = AzureLinks(connection, self._sign) if connection.scheme == "az" else None
        self._region = str(connection.settings.get("region", ""))
        self._endpoint = str(connection.settings.get("endpoint") or connection.settings.get("base_url", ""))
        self._bucket_seen = False
        self._ignores_ranges = False
        self._bodies = WholeBodies()
        with self._translated("open", ""):
            self._client = connect_client(connection, settings, max_retries=0)
        # Made when a large object comes, and then shared by all views: making one takes as long as many requests.
        self._upload_client = cache(partial(connect_client, connection, settings, max_retries=_PART_RETRIES))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by URI and options; credentials are found again in the other process."""
        if self._reopen is None:
            raise ConfigError(
                f"the store {self.uri!r} was opened with secrets as options, which are never pickled",
                remedy="Give credentials by environment, file or profile",
            )
        return self._reopen

    def _check_key(self, key: str, verb: str) -> None:
        super()._check_key(key, verb)
        if self._scheme == "az" and "\\" in key:
            raise InvalidKeyError(
                f"the key {key!r} cannot be stored exactly: Azure turns '\\' into '/'",
                operation=verb,
                uri=self.uri,
                remedy="Choose another key; nothing was written",
            )

    def _info(self, key: str) -> ObjectInfo:
        try:
            with self._translated("info", key):
                result = obstore.get(self._client, key, options={"head": True})
                return self._seen(_info_of(key, result))
        except (NetworkError, WrongRegionError):
            raise
        except StorageError as error:
            if self._bucket_seen and isinstance(error, KeyNotFoundError):
                raise
            return self._explain(key, error)

    def _explain(self, key: str, error: StorageError) -> ObjectInfo:
        """Ask again by GET: the answer to HEAD has no body, so it cannot say what is missing, denied or wrong."""
        try:
            with self._translated("info", key):
                return self._seen(_info_of(key, obstore.get(self._client, key, options={"range": (0, 1)})))
        except KeyNotFoundError:
            self._bucket_seen = True
            raise
        except (InvalidRangeError, _RangeIgnoredError):
            raise error from None

    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        options: dict[str, Any] = {"if_match": if_match} if if_match else {}
        if self._scheme == "az" and byte_range is not None and byte_range.suffix is not None:
            byte_range = ByteRange(*byte_range.resolve(self._info(key).size_bytes))  # Azure knows no suffix
        if byte_range is not None and self._ignores_ranges:
            return self._read_whole(key, byte_range, if_match)
        try:
            return self._get(key, byte_range, options)
        except InvalidRangeError:
            if byte_range is None or byte_range.start:
                raise
            return self._read_whole(key, byte_range, if_match)
        except _RangeIgnoredError:
            self._ignores_ranges = True
            return self._read_whole(key, byte_range or ByteRange(), if_match)

    def _get(self, key: str, byte_range: ByteRange | None, options: dict[str, Any]) -> tuple[ObjectInfo, bytes]:
        try:
            if byte_range is not None:
                options["range"] = _range_of(byte_range)
            result = obstore.get(self._client, key, options=cast("Any", options))
            return self._seen(_info_of(key, result)), result.bytes().to_bytes()
        except BaseException as error:  # noqa: BLE001 - `_fail` raises it
            self._fail(error, "read", key)

    def _read_whole(self, key: str, byte_range: ByteRange, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        """Serve a range from servers that cannot: empty objects, and those that ignore ranges."""

        def open_body() -> WholeBody:
            result = obstore.get(self._client, key, options={"if_match": if_match} if if_match else None)
            return WholeBody(self._seen(_info_of(key, result)), iter(result.stream(min_chunk_size=_CHUNK_BYTES)))

        def resolve(info: ObjectInfo) -> tuple[int, int]:
            start, end = byte_range.resolve(info.size_bytes)
            if start >= info.size_bytes and start > 0:
                raise InvalidRangeError(
                    f"bytes from {start} were asked for, and the object has {info.size_bytes}",
                    operation="read",
                    uri=self.uri_of(key),
                )
            return start, end

        with self._translated("read", key):
            return self._bodies.take(key, if_match, open_body, resolve)

    def _put(
        self, key: str, data: Buffer, attributes: Attributes, *, if_absent: bool, if_match: str | None
    ) -> ObjectInfo:
        mode: Any = "create" if if_absent else "overwrite"
        if if_match is not None:
            mode = {"version": self._generation(key, if_match)} if self._scheme == "gs" else {"e_tag": if_match}
        try:
            encoded = encode_attributes(attributes, scheme=self._scheme, uri=self.uri_of(key))
            put = obstore.put(self._client, key, cast("bytes", data), mode=mode, use_multipart=False, **encoded)
        except BaseException as error:  # noqa: BLE001 - `_fail` raises it
            self._fail(error, "write", key, if_absent=if_absent, if_match=if_match is not None)
        self._bucket_seen = True
        size_bytes = memoryview(data).nbytes
        return ObjectInfo(key, size_bytes, datetime.now(UTC), quote_e_tag(put["e_tag"]), attributes)

    def _generation(self, key: str, e_tag: str) -> str:
        """Return the generation that has this e-tag: Google's conditional writes know nothing else."""

        def look(_: Result) -> str:
            with self._translated("write", key, if_match=True):
                result = obstore.get(self._client, key, options={"head": True})
                check_match(_info_of(key, result), e_tag, operation="write", uri=self.uri_of(key))
                return str(result.meta["version"])

        try:
            return self._attempts.once("info", self.uri_of(key), look, request_class="read", observers=self._observers)
        except PreconditionFailedError:
            if not self._bucket_seen:
                with suppress(KeyNotFoundError):
                    self._info(key)  # it may be the bucket that is missing, which HEAD does not tell
            raise

    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter:
        encoded = encode_attributes(attributes, scheme=self._scheme, uri=self.uri_of(key))
        write_id = uuid4().hex
        encoded["attributes"][WRITE_ID] = write_id
        part_bytes = _part_bytes(size_bytes, self.part_bytes)
        return CloudUpload(
            key,
            part_bytes=part_bytes,
            put_small=lambda data: self.write(key, data, attributes=attributes),
            open_multipart=lambda: obstore.open_writer(
                self._upload_client(), key, buffer_size=part_bytes, max_concurrency=_PARTS_IN_FLIGHT, **encoded
            ),
            translated=lambda: self._translated("write", key),
            info=lambda: self.info(key),
            won=lambda: self._info_if_ours(key, write_id) is not None,
            measured=lambda work: self._attempts.once(
                "write", self.uri_of(key), work, request_class="write", observers=self._observers
            ),
        )

    def _list(self, prefix: str, start_after: str | None, delimiter: Literal["/"] | None) -> Iterator[ListPage]:
        folder, offset = folder_and_offset(prefix, start_after)
        with self._translated("list", prefix):
            if delimiter is not None:
                yield self._one_level(folder, prefix, start_after)
                return
            stream = obstore.list(self._client, folder or None, offset=offset, chunk_size=_PAGE[self._scheme])
            for chunk in stream:
                found = chunk
                if prefix != folder or start_after is not None:  # else the service has listed just that
                    found = [meta for meta in chunk if matches(meta["path"], prefix, start_after)]
                yield ListPage(self._without_markers(found))
                if past(chunk[-1]["path"], prefix):
                    return

    def _one_level(self, folder: str, prefix: str, start_after: str | None) -> ListPage:
        level = obstore.list_with_delimiter(self._client, folder or None)
        objects = sorted(level["objects"], key=lambda meta: meta["path"])
        prefixes = sorted(f"{name}/" for name in level["common_prefixes"])
        return ListPage(
            tuple(_listed(meta) for meta in objects if matches(meta["path"], prefix, start_after)),
            tuple(name for name in prefixes if matches(name, prefix, start_after)),
        )

    def _without_markers(self, found: Sequence[Any]) -> tuple[ObjectInfo, ...]:
        """Leave out the ``name/`` placeholders of consoles, which obstore lists as empty objects called ``name``."""
        return tuple([_listed(meta) for meta in found if meta["size"] or not self._is_marker(meta["path"])])

    def _is_marker(self, key: str) -> bool:
        try:
            marked = obstore.get(self._client, key, options={"head": True}).attributes
        except FileNotFoundError:
            return True
        return marked.get(_FOLDER_MARK) == "true"

    def _delete(self, keys: list[str]) -> dict[str, StorageError]:
        size = _BULK[self._scheme]
        if size == 1:
            return self._delete_singly(keys)
        failures: dict[str, StorageError] = {}
        for start in range(0, len(keys), size):
            batch = keys[start : start + size]
            try:
                self._run("delete", "", lambda _, b=batch: self._delete_batch(b), "delete")
            except StorageError as error:
                if len(batch) == 1:
                    failures[batch[0]] = error
                else:
                    failures.update(self._delete_singly(batch))
        return failures

    def _delete_singly(self, keys: list[str]) -> dict[str, StorageError]:
        def delete(key: str) -> StorageError | None:
            try:
                self._run("delete", key, lambda _: self._delete_batch([key]), "delete")
            except StorageError as error:
                return error
            return None

        if len(keys) == 1:
            outcomes = [delete(keys[0])]
        else:
            with ThreadPoolExecutor(min(self.concurrency, len(keys))) as pool:
                outcomes = list(pool.map(delete, keys))
        return {key: error for key, error in zip(keys, outcomes, strict=True) if error is not None}

    def _delete_batch(self, keys: list[str]) -> None:
        try:
            with self._translated("delete", keys[0] if len(keys) == 1 else ""):
                obstore.delete(self._client, keys)
        except KeyNotFoundError:
            if len(keys) > 1:
                raise

    def _copy(self, source: str, target: str) -> None:
        with self._translated("copy", source):
            obstore.copy(self._client, source, target)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:
        self._check_write(key, None)
        if not self._can_sign:
            raise UnsupportedError(
                "links are signed with the private key of a service account, which this identity has not",
                operation="presign",
                uri=self.uri_of(key),
                identity=self.identity,
                remedy="Open the store with the service account's key file: credentials_file='key.json'",
            )
        lasting = timedelta(seconds=expires_s)
        if self._links is not None:
            return self._links.link(key, method=method, lasting=lasting, uri=self.uri_of(key))
        return self._sign(method, key, lasting)

    def _sign(self, method: Literal["GET", "PUT"], key: str, lasting: timedelta) -> str:
        # obstore puts a key for Google into the link as it stands, where a '?' or '%' would name another object.
        path = quote(key) if self._scheme == "gs" else key
        with self._translated("presign", key):
            return obstore.sign(self._client, method, path, lasting)

    def place_of(self, key: str) -> str:
        return f"{self._endpoint} {self.uri.partition('@')[0]}/{key}"  # an account is in the endpoint too

    def _seen(self, info: ObjectInfo) -> ObjectInfo:
        self._bucket_seen = True
        return info

    @contextmanager
    def _translated(self, verb: str, key: str, *, if_absent: bool = False, if_match: bool = False) -> Generator[None]:
        try:
            yield
        except BaseException as error:  # noqa: BLE001 - `_fail` raises it
            self._fail(error, verb, key, if_absent=if_absent, if_match=if_match)

    def _fail(
        self, error: BaseException, verb: str, key: str, *, if_absent: bool = False, if_match: bool = False
    ) -> NoReturn:
        """Raise the error of ours that one of the client's stands for; any other as it is."""
        if isinstance(error, StorageError):
            raise error
        if "non-partial response when range requested" in str(error):
            raise _RangeIgnoredError from error
        context = Context(
            verb=verb,
            uri=self.uri_of(key),
            container=self.uri,
            identity=self.identity,
            region=self._region,
            endpoint=self._endpoint,
            if_absent=if_absent,
            if_match=if_match,
        )
        translated = translate(error, context)
        if translated is None:
            raise error
        reason = getattr(self._provider, "last_error", None)
        if isinstance(translated, BadCredentialsError) and isinstance(reason, SkyholdError):
            raise reason from error  # it knows what was searched, and why nothing was found
        raise translated from error


class _RangeIgnoredError(Exception):
    """The server answered a range request with the whole object."""


def _range_of(byte_range: ByteRange) -> Any:
    if byte_range.suffix is not None:
        return {"suffix": byte_range.suffix}
    if byte_range.end is None:
        return {"offset": byte_range.start}
    return (byte_range.start, byte_range.end)


def _info_of(key: str, result: Any) -> ObjectInfo:
    meta = result.meta
    return ObjectInfo(
        key, meta["size"], meta["last_modified"], quote_e_tag(meta["e_tag"]), decode_attributes(dict(result.attributes))
    )


def _listed(meta: Any) -> ObjectInfo:
    return ObjectInfo(meta["path"], meta["size"], meta["last_modified"], quote_e_tag(meta["e_tag"]))


def _part_bytes(size_bytes: int | None, usual: int) -> int:
    """Return how large parts are: small where the end is known, so that little is held in memory."""
    if size_bytes is None:
        return usual
    return max(min(usual, _SMALL_PART_BYTES), -(-size_bytes // _MOST_PARTS))
