"""``https://``: reading what a web server has, presigned links included. The URL is used as it is written."""

import http.client
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NoReturn
from urllib.parse import quote, urlsplit

from skyhold.errors import (
    AccessDeniedError,
    BadCredentialsError,
    BrokenBodyError,
    InvalidRangeError,
    KeyNotFoundError,
    PreconditionFailedError,
    ServerFaultError,
    StorageError,
    StoreTimeoutError,
    ThrottledError,
    UnreachableError,
    UnsupportedError,
)
from skyhold.storage.attempts import RetryPolicy
from skyhold.storage.backends.conditions import check_match, resolve_range
from skyhold.storage.backends.template import Backend
from skyhold.storage.backends.whole_bodies import WholeBodies, WholeBody
from skyhold.storage.contract import ObjectWriter
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import Attributes, Buffer, ByteRange, ListPage, ObjectInfo

__all__ = ["WebBackend"]

_PARTIAL = 206
_CHUNK_BYTES = 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_URL_SAFE = "/:?&=#%+~@!$'()*,;[]"
_STATUS: dict[int, type[StorageError]] = {
    401: BadCredentialsError,
    403: AccessDeniedError,
    404: KeyNotFoundError,
    405: UnsupportedError,
    408: StoreTimeoutError,
    410: KeyNotFoundError,
    412: PreconditionFailedError,
    416: InvalidRangeError,
    429: ThrottledError,
    501: UnsupportedError,
    503: ThrottledError,
    504: StoreTimeoutError,
}


class _CarefulRedirects(urllib.request.HTTPRedirectHandler):
    """Follows a redirect by the same method, and lets no header that may be a secret go to another server."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urlsplit(newurl).scheme not in {"http", "https"}:
            raise urllib.error.HTTPError(req.full_url, code, f"a redirect to {newurl!r}", headers, fp)
        target = super().redirect_request(req, fp, code, msg, headers, newurl)
        if target is not None:
            target.method = req.get_method()
            if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
                target.headers = {name: text for name, text in target.headers.items() if name == "Range"}
        return target


class WebBackend(Backend):
    """A web server, for reading.

    Args:
        server: ``https://host`` or ``http://host:port``.
        headers: Sent with every request, such as ``Authorization``.
        timeout_s: Longest silence of the server.
        policy: How patient to be with it.
    """

    has_cheap_ranges = False

    def __init__(
        self,
        server: str,
        headers: dict[str, str] | None = None,
        timeout_s: float = 60.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        super().__init__(server, policy)
        self.identity = "explicit headers" if headers else "anonymous"
        self._headers = dict(headers or {})
        self._timeout_s = timeout_s
        self._policy = policy
        self._opener = urllib.request.build_opener(_CarefulRedirects)
        self._rangeless: dict[str, str] = {}  # objects that came whole when a part was asked for, with their e-tags
        self._bodies = WholeBodies()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by server, when no secret header is set."""
        if self._headers:
            raise UnsupportedError("a store with secret headers is not pickled", operation="pickle", uri=self.uri)
        return (WebBackend, (self.uri, None, self._timeout_s, self._policy))

    def _check_key(self, key: str, verb: str) -> None:
        """Take every URL as it is written: a query may hold anything."""
        if not key:
            super()._check_key(key, verb)

    def uri_of(self, key: str) -> str:
        return redact_uri(f"{self.uri}/{key}")

    def _info(self, key: str) -> ObjectInfo:
        with suppress(AccessDeniedError, UnsupportedError), self._answer(key, "HEAD", {}) as answer:
            size_bytes = _length_of(answer)
            if size_bytes is not None:
                return _info_of(key, answer, size_bytes)
        return self._read(key, ByteRange(0, 1), None)[0]  # a link is signed for GET alone; and not all tell a length

    def _read(self, key: str, byte_range: ByteRange | None, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        if byte_range is not None and key in self._rangeless:
            return self._read_whole(key, byte_range, if_match)
        headers = {"Range": _range_header(byte_range)} if byte_range else {}
        try:
            with self._answer(key, "GET", headers) as answer:
                return self._received(key, answer, byte_range, if_match)
        except InvalidRangeError:
            if byte_range is None or byte_range.start:
                raise
            with self._answer(key, "GET", {}) as answer:  # an empty object has no range at all
                return self._received(key, answer, byte_range, if_match)

    def _read_whole(self, key: str, byte_range: ByteRange, if_match: str | None) -> tuple[ObjectInfo, bytes]:
        """Read from a server that gives no ranges: whoever reads on, reads on in the same download."""

        def resolve(info: ObjectInfo) -> tuple[int, int]:
            check_match(info, if_match, operation="read", uri=self.uri_of(key))
            return resolve_range(info, byte_range, uri=self.uri_of(key))

        return self._bodies.take(key, if_match or self._rangeless[key], lambda: self._open_body(key), resolve)

    def _open_body(self, key: str) -> WholeBody:
        with ExitStack() as undo:
            answer = undo.enter_context(self._answer(key, "GET", {}))
            promised = _length_of(answer)
            if promised is None:
                raise self._wrapped(BrokenBodyError, "the server no longer tells the length", key)
            info = _info_of(key, answer, promised)
            return WholeBody(info, self._chunks(undo.pop_all(), answer, info))

    def _chunks(self, connection: ExitStack, answer: Any, info: ObjectInfo) -> Iterator[bytes]:
        came = 0
        with connection:
            while chunk := answer.read(_CHUNK_BYTES):
                came += len(chunk)
                yield chunk
            if came != info.size_bytes:
                words = f"{came} of {info.size_bytes} bytes came"
                raise BrokenBodyError(words, operation="read", uri=self.uri_of(info.key))

    def _received(
        self, key: str, answer: Any, byte_range: ByteRange | None, if_match: str | None
    ) -> tuple[ObjectInfo, bytes]:
        if answer.status == _PARTIAL:
            return self._received_part(key, answer, byte_range or ByteRange(), if_match)
        promised = _length_of(answer)
        data = None if promised is not None else answer.read()
        info = _info_of(key, answer, len(data) if data is not None else promised or 0)
        check_match(info, if_match, operation="read", uri=self.uri_of(key))
        start, end = resolve_range(info, byte_range, uri=self.uri_of(key))
        if byte_range is not None and promised is not None and info.e_tag:
            self._rangeless[key] = info.e_tag
        if data is None:
            data = answer.read(end)
        if len(data) < end:
            raise BrokenBodyError(f"{len(data)} of {promised} bytes came", operation="read", uri=self.uri_of(key))
        return info, data[start:end]

    def _received_part(
        self, key: str, answer: Any, byte_range: ByteRange, if_match: str | None
    ) -> tuple[ObjectInfo, bytes]:
        told = answer.headers.get("Content-Range", "")
        found = _CONTENT_RANGE.fullmatch(told)
        if found is None:
            raise self._wrapped(UnsupportedError, f"the server sent a part and named it {told!r}", key)
        first, last, total = (int(number) for number in found.groups())
        info = _info_of(key, answer, total)
        check_match(info, if_match, operation="read", uri=self.uri_of(key))
        start, end = resolve_range(info, byte_range, uri=self.uri_of(key))
        data = answer.read()
        if (first, last + 1) != (start, end) or len(data) != end - start:
            words = f"bytes {start} to {end} were asked for, and {len(data)} came, named {told!r}"
            raise BrokenBodyError(words, operation="read", uri=self.uri_of(key))
        return info, data

    @contextmanager
    def _answer(self, key: str, method: str, headers: dict[str, str]) -> Generator[Any]:
        url = f"{self.uri}/{quote(key, safe=_URL_SAFE)}"
        request = urllib.request.Request(url, method=method, headers={**self._headers, **headers})  # noqa: S310
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                yield answer
        except urllib.error.HTTPError as error:
            with error:
                self._raise(error, key)
        except TimeoutError as error:
            raise self._wrapped(StoreTimeoutError, f"no answer in {self._timeout_s:g} s", key) from error
        except urllib.error.URLError as error:
            late = isinstance(error.reason, TimeoutError | socket.timeout)
            kind = StoreTimeoutError if late else UnreachableError
            raise self._wrapped(kind, f"no connection: {error.reason}", key) from error
        except (http.client.HTTPException, ConnectionError) as error:
            if isinstance(error, StorageError):
                raise
            raise self._wrapped(BrokenBodyError, f"the answer broke off: {error!r}", key) from error

    def _raise(self, error: urllib.error.HTTPError, key: str) -> NoReturn:
        fallback = ServerFaultError if error.code >= 500 else StorageError  # noqa: PLR2004
        raise self._wrapped(_STATUS.get(error.code, fallback), f"the server answered {error.code}", key) from error

    def _wrapped(self, kind: type[StorageError], found: str, key: str) -> StorageError:
        uri = self.uri_of(key)
        return kind(
            found, operation="read", uri=uri, identity=self.identity, remedy=f"Check that it answers: curl -I '{uri}'"
        )

    def _refuse(self, verb: str, key: str) -> NoReturn:
        raise UnsupportedError(
            f"web servers cannot {verb} here",
            operation=verb,
            uri=self.uri_of(key),
            remedy="Use s3://, az://, gs:// or a path",
        )

    def _put(
        self,
        key: str,
        data: Buffer,  # noqa: ARG002 - the contract's signature
        attributes: Attributes,  # noqa: ARG002
        *,
        if_absent: bool,  # noqa: ARG002
        if_match: str | None,  # noqa: ARG002
    ) -> ObjectInfo:
        self._refuse("write", key)

    def _open_upload(self, key: str, attributes: Attributes, size_bytes: int | None) -> ObjectWriter:  # noqa: ARG002
        self._refuse("write", key)

    def _list(
        self,
        prefix: str,
        start_after: str | None,  # noqa: ARG002
        delimiter: Literal["/"] | None,  # noqa: ARG002
    ) -> Iterator[ListPage]:
        self._refuse("list", prefix)

    def _delete(self, keys: list[str]) -> dict[str, StorageError]:
        self._refuse("delete", keys[0])

    def _copy(self, source: str, target: str) -> None:  # noqa: ARG002
        self._refuse("copy", source)

    def presign(self, key: str, *, method: Literal["GET", "PUT"] = "GET", expires_s: int = 3600) -> str:  # noqa: ARG002
        self._refuse("presign", key)


def _range_header(byte_range: ByteRange) -> str:
    if byte_range.suffix is not None:
        return f"bytes=-{byte_range.suffix}"
    return f"bytes={byte_range.start}-{'' if byte_range.end is None else byte_range.end - 1}"


def _length_of(answer: Any) -> int | None:
    told = answer.headers.get("Content-Length", "")
    return int(told) if told.isdecimal() else None


def _info_of(key: str, answer: Any, size_bytes: int) -> ObjectInfo:
    headers = answer.headers
    modified = headers.get("Last-Modified")
    e_tag = headers.get("ETag") or (f'"{modified}-{size_bytes}"' if modified else None)
    attributes = Attributes({}, headers.get("Content-Type", ""))
    return ObjectInfo(key, size_bytes, parsedate_to_datetime(modified) if modified else _EPOCH, e_tag, attributes)
