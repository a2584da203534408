"""A fake of Google Cloud Storage's XML API in memory, because no package brings one whose conditions hold.

It does what the documentation of the XML API says of objects: PUT, GET, HEAD and DELETE with ranges, generations and
``x-goog-if-generation-match``, metadata and storage class, copies, listing version 2, multipart uploads, and errors as
XML with their codes. It is written from the documentation and from what the client sends, not from the service: a test
against it shows that both sides keep to what is documented, not that Google does.

What it does not check or do: permissions of a real policy (see `GcsServer.forbidden`), checksums (``Content-MD5``,
``x-goog-hash``), customer-supplied keys, versioning (a replaced generation is gone), ``Content-Encoding`` transcoding,
composite objects, retention, requester pays, rate limits of its own, and the JSON API but for a bucket's settings.
"""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

__all__ = ["GcsServer", "Request", "serving_gcs"]

MIN_PART_BYTES = 5 * 1024 * 1024
_KEPT = ("content-type", "content-disposition", "content-encoding", "content-language", "cache-control")
_XMLNS = "http://doc.s3.amazonaws.com/2006-03-01"


class Request(NamedTuple):
    """What came in; header and parameter names are in lower case."""

    method: str
    target: str
    bucket: str
    key: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class RefusalError(Exception):
    """An error answer, as XML with a code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self.answer = Answer(status, (("Content-Type", "application/xml; charset=UTF-8"),), body.encode())


_REFUSALS: dict[str, tuple[int, str]] = {
    "AccessDenied": (403, "Access denied."),
    "AuthenticationRequired": (401, "Authentication required."),
    "EntityTooSmall": (400, "A part other than the last is smaller than the least size."),
    "InternalError": (500, "An internal error."),
    "InvalidPart": (400, "A part was never uploaded, or its tag differs."),
    "InvalidRange": (416, "The requested range cannot be satisfied."),
    "MethodNotAllowed": (405, "The method is not allowed on this resource."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchUpload": (404, "The upload does not exist, or was completed or aborted."),
    "PreconditionFailed": (412, "At least one of the conditions did not hold."),
    "ServiceUnavailable": (503, "The service is not available."),
    "SlowDown": (429, "Please reduce the request rate."),
}


def refuse(code: str) -> RefusalError:
    status, message = _REFUSALS[code]
    return RefusalError(status, code, message)


@dataclass(frozen=True)
class Stored:
    data: bytes
    e_tag: str
    generation: int
    headers: dict[str, str]
    modified: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))


@dataclass
class Upload:
    key: str
    headers: dict[str, str]
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict[int, tuple[str, bytes]])


@dataclass
class Bucket:
    objects: dict[str, Stored] = field(default_factory=dict[str, Stored])
    uploads: dict[str, Upload] = field(default_factory=dict[str, Upload])
    settings: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class GcsServer:
    """The state of the service; one lock makes each request atomic.

    Attributes:
        url: Where it listens.
        buckets: By name; a test puts them there.
        requests: Everything that came in.
        public: Whether everybody may do everything and nobody is asked who they are, as on an emulator.
        knows_bearer: Says whether a bearer token is good.
        knows_signature: Says whether a signed URL is good.
        forbidden: Methods that answer 403 to whoever asks.
        faults: What becomes of the next requests: a code of an error, ``"lost"`` (done, never answered) or ``"ok"``.
        page: Most entries of one page of a listing.
    """

    url: str = ""
    buckets: dict[str, Bucket] = field(default_factory=dict[str, Bucket])
    requests: list[Request] = field(default_factory=list[Request])
    public: bool = True
    knows_bearer: Callable[[str], bool] = lambda _: False
    knows_signature: Callable[[Request], bool] = lambda _: False
    forbidden: set[str] = field(default_factory=set[str])
    faults: list[str] = field(default_factory=list[str])
    page: int = 1000

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._generations = count(1_700_000_000_000_001)

    def make_bucket(self) -> str:
        """Make a bucket of its own for one test, and return its name."""
        name = f"bucket-{uuid4().hex[:12]}"
        self.buckets[name] = Bucket()
        return name

    def answer(self, request: Request) -> Answer | None:
        """Return the answer, or None for one that gets lost."""
        with self._lock:
            self.requests.append(request)
            fault = self.faults.pop(0) if self.faults else "ok"
            try:
                if fault not in {"ok", "lost"}:
                    raise refuse(fault)
                answer = self._dispatch(request)
            except RefusalError as refusal:
                answer = refusal.answer
        return None if fault == "lost" else answer

    def _dispatch(self, request: Request) -> Answer:
        self._check_identity(request)
        if request.bucket == "storage" and request.key.startswith("v1/b/"):
            return self._on_settings(request)
        bucket = self.buckets.get(request.bucket)
        if bucket is None:
            raise refuse("NoSuchBucket")
        if not request.key:
            return self._on_bucket(bucket, request)
        if "uploads" in request.query or "uploadid" in request.query:
            return self._on_upload(bucket, request)
        if request.method in {"GET", "HEAD"}:
            return _read(bucket, request)
        if request.method == "PUT":
            return self._write(bucket, request)
        if request.method == "DELETE":
            _check_generation(bucket.objects.get(request.key), request)
            if bucket.objects.pop(request.key, None) is None:
                raise refuse("NoSuchKey")
            return Answer(204)
        raise refuse("MethodNotAllowed")

    def _check_identity(self, request: Request) -> None:
        authorization = request.headers.get("authorization")
        if self.public:
            pass
        elif authorization is not None:
            kind, _, token = authorization.partition(" ")
            if kind != "Bearer" or not self.knows_bearer(token):
                raise refuse("AuthenticationRequired")
        elif "x-goog-signature" in request.query:
            if not self.knows_signature(request):
                raise RefusalError(403, "SignatureDoesNotMatch", "The signature differs from the calculated one.")
        else:
            raise refuse("AccessDenied")
        if request.method in self.forbidden:
            raise refuse("AccessDenied")

    def _on_settings(self, request: Request) -> Answer:
        bucket = self.buckets.get(request.key.removeprefix("v1/b/"))
        if bucket is None or request.method != "GET":
            return Answer(404, (("Content-Type", "application/json"),), b"{}")
        body = {name: bucket.settings[name] for name in request.query["fields"].split(",") if name in bucket.settings}
        return Answer(200, (("Content-Type", "application/json"),), json.dumps(body).encode())

    def _on_bucket(self, bucket: Bucket, request: Request) -> Answer:
        if request.method != "GET":
            raise refuse("MethodNotAllowed")
        if "uploads" in request.query:
            return _xml("ListMultipartUploadsResult", _uploads(bucket, request.query, self.page))
        return _xml("ListBucketResult", _listing(bucket, request.query, self.page))

    def _write(self, bucket: Bucket, request: Request) -> Answer:
        _check_generation(bucket.objects.get(request.key), request)
        if "content-length" not in request.headers:
            raise RefusalError(411, "MissingContentLength", "A length is needed.")
        copied = request.headers.get("x-goog-copy-source")
        if copied is None:
            e_tag = f'"{hashlib.md5(request.body).hexdigest()}"'
            return self._store(bucket, request.key, request.body, e_tag, _kept(request.headers))
        name, _, key = unquote(copied).lstrip("/").partition("/")
        source = self.buckets.get(name)
        if source is None:
            raise refuse("NoSuchBucket")
        if key not in source.objects:
            raise refuse("NoSuchKey")
        found = source.objects[key]
        stored = self._store(bucket, request.key, found.data, found.e_tag, found.headers)
        return _xml("CopyObjectResult", [f"<ETag>{escape(found.e_tag)}</ETag>"])._replace(headers=stored.headers)

    def _store(self, bucket: Bucket, key: str, data: bytes, e_tag: str, headers: dict[str, str]) -> Answer:
        stored = Stored(data, e_tag, next(self._generations), headers)
        bucket.objects[key] = stored
        return Answer(200, (("ETag", e_tag), ("x-goog-generation", str(stored.generation))))

    def _on_upload(self, bucket: Bucket, request: Request) -> Answer:
        if request.method == "POST" and "uploads" in request.query:
            name = uuid4().hex
            bucket.uploads[name] = Upload(request.key, _kept(request.headers))
            return _xml("InitiateMultipartUploadResult", _texts(Bucket=request.bucket, Key=request.key, UploadId=name))
        name = request.query.get("uploadid", "")
        upload = bucket.uploads.get(name)
        if upload is None or upload.key != request.key:
            raise refuse("NoSuchUpload")
        if request.method == "PUT":
            e_tag = f'"{hashlib.md5(request.body).hexdigest()}"'
            upload.parts[int(request.query["partnumber"])] = e_tag, request.body
            return Answer(200, (("ETag", e_tag),))
        if request.method == "DELETE":
            del bucket.uploads[name]
            return Answer(204)
        if request.method != "POST":
            raise refuse("MethodNotAllowed")
        data, e_tag = _join(upload, request.body)
        del bucket.uploads[name]
        stored = self._store(bucket, request.key, data, e_tag, upload.headers)
        result = _texts(Bucket=request.bucket, Key=request.key, ETag=e_tag)
        return _xml("CompleteMultipartUploadResult", result)._replace(headers=stored.headers)


def _read(bucket: Bucket, request: Request) -> Answer:
    stored = bucket.objects.get(request.key)
    if stored is None or request.query.get("generation", str(stored.generation)) != str(stored.generation):
        raise refuse("NoSuchKey")
    _check_generation(stored, request)
    if request.headers.get("if-match", stored.e_tag) not in {stored.e_tag, "*"}:
        raise refuse("PreconditionFailed")
    headers = {
        "content-type": "application/octet-stream",
        **stored.headers,
        "ETag": stored.e_tag,
        "Last-Modified": format_datetime(stored.modified, usegmt=True),
        "x-goog-generation": str(stored.generation),
        "x-goog-stored-content-length": str(len(stored.data)),
        "Accept-Ranges": "bytes",
    }
    wanted = request.headers.get("range")
    if wanted is None:
        return Answer(200, tuple(headers.items()), stored.data)
    start, end = _range(wanted, len(stored.data))
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(stored.data)}"
    return Answer(206, tuple(headers.items()), stored.data[start:end])


def _range(text: str, size: int) -> tuple[int, int]:
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", text)
    if found is None:
        return 0, size
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= size:
        raise refuse("InvalidRange")
    return start, end


def _check_generation(stored: Stored | None, request: Request) -> None:
    wanted = request.headers.get("x-goog-if-generation-match")
    if wanted is not None and int(wanted) != (stored.generation if stored else 0):
        raise refuse("PreconditionFailed")


def _kept(headers: dict[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in headers.items() if name in _KEPT or name.startswith("x-goog-meta-")}
    return {**kept, "x-goog-storage-class": headers.get("x-goog-storage-class", "STANDARD")}


def _join(upload: Upload, body: bytes) -> tuple[bytes, str]:
    data: list[bytes] = []
    for part in ET.fromstring(body):
        number, e_tag = (int(part.findtext("PartNumber", "0")), part.findtext("ETag", ""))
        if upload.parts.get(number, ("", b""))[0].strip('"') != e_tag.strip('"'):
            raise refuse("InvalidPart")
        data.append(upload.parts[number][1])
    if any(len(each) < MIN_PART_BYTES for each in data[:-1]):
        raise refuse("EntityTooSmall")
    whole = b"".join(data)
    return whole, f'"{hashlib.md5(whole).hexdigest()}-{len(data)}"'


def _listing(bucket: Bucket, query: dict[str, str], page: int) -> Iterator[str]:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
    token = query.get("continuation-token")
    after = base64.urlsafe_b64decode(token).decode() if token else query.get("start-after", "")
    entries: dict[str, Stored | None] = {}
    for key, stored in sorted(bucket.objects.items()):
        head, folded, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        name = prefix + head + delimiter if folded else key
        if key.startswith(prefix) and name > after:
            entries[name] = None if folded else stored
    shown = list(entries)[: min(page, int(query.get("max-keys", "1000")))]
    truncated = len(shown) < len(entries)
    yield from _texts(Prefix=prefix, KeyCount=str(len(shown)), IsTruncated=str(truncated).lower())
    if truncated:
        yield from _texts(NextContinuationToken=base64.urlsafe_b64encode(shown[-1].encode()).decode())
    for name in shown:
        stored = entries[name]
        if stored is None:
            yield _element("CommonPrefixes", Prefix=name)
            continue
        modified = stored.modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        size, generation = str(len(stored.data)), str(stored.generation)
        details = {"Generation": generation, "LastModified": modified, "ETag": stored.e_tag, "Size": size}
        yield _element("Contents", Key=name, **details)


def _uploads(bucket: Bucket, query: dict[str, str], page: int) -> Iterator[str]:
    after = query.get("key-marker", ""), query.get("upload-id-marker", "")
    found = sorted((one.key, name, one.started) for name, one in bucket.uploads.items())
    found = [one for one in found if one[0].startswith(query.get("prefix", "")) and one[:2] > after]
    yield from _texts(IsTruncated=str(len(found) > page).lower())
    if len(found) > page:
        yield from _texts(NextKeyMarker=found[page - 1][0], NextUploadIdMarker=found[page - 1][1])
    for key, name, started in found[:page]:
        yield _element("Upload", Key=key, UploadId=name, Initiated=started.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))


def _texts(**texts: str) -> Iterator[str]:
    return (f"<{name}>{escape(text)}</{name}>" for name, text in texts.items())


def _element(tag: str, **texts: str) -> str:
    return f"<{tag}>{''.join(_texts(**texts))}</{tag}>"


def _xml(root: str, content: Iterator[str] | list[str]) -> Answer:
    body = f"<?xml version='1.0' encoding='UTF-8'?><{root} xmlns='{_XMLNS}'>{''.join(content)}</{root}>"
    return Answer(200, (("Content-Type", "application/xml; charset=UTF-8"),), body.encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # header and body leave together
    disable_nagle_algorithm = True
    state: GcsServer

    def _serve(self) -> None:
        url = urlsplit(self.path)
        bucket, _, key = url.path.lstrip("/").partition("/")
        query = {name.lower(): value for name, value in parse_qsl(url.query, keep_blank_values=True)}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        request = Request(self.command, self.path, unquote(bucket), unquote(key), query, headers, body)
        answer = self.state.answer(request)
        if answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the standard library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Print nothing."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


@contextmanager
def serving_gcs() -> Generator[GcsServer]:
    """Run a server on loopback."""
    state = GcsServer()
    handler = type("Handler", (_Handler,), {"state": state})
    with _Server(("127.0.0.1", 0), handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
