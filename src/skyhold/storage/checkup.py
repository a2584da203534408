"""Line by line: what works in a store with this identity, and what is missing."""

import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from skyhold.errors import (
    AccessError,
    AlreadyExistsError,
    BadCredentialsError,
    BucketNotFoundError,
    ConfigError,
    IntegrityError,
    NotFoundError,
    NotFoundOrDeniedError,
    PreconditionFailedError,
    ReadOnlyError,
    SkyholdError,
    UnreachableError,
    UnsupportedError,
    WrongRegionError,
)
from skyhold.storage.contract import Store
from skyhold.storage.location import parse_location
from skyhold.storage.objects import Attributes, ByteRange

__all__ = ["CheckLine", "check_store"]

_PROBE = b"skyhold was here to see what works, and takes this away again\n"
_PART_BYTES = 16 * 1024 * 1024  # of a store that was opened without the option
_HOPELESS = (ConfigError, BadCredentialsError, BucketNotFoundError, UnreachableError, WrongRegionError)


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One thing that was tried.

    Attributes:
        name: What.
        state: ``"failed"`` keeps something from working; ``"warning"`` is worth knowing; ``"unknown"`` is not told.
        found: In words.
        remedy: What to do about it.
    """

    name: str
    state: Literal["ok", "warning", "failed", "unknown"]
    found: str = ""
    remedy: str = ""


def check_store(
    store: Store,
    settings: Callable[[], Iterable[CheckLine]] | None = None,
    *,
    part_bytes: int = _PART_BYTES,
    purge: Callable[[str], int] | None = None,
) -> Generator[CheckLine]:
    """Try every operation on a probe object, and take it away; then ask for the bucket's settings.

    What fails keeps nothing else from being tried, unless nothing can work at all: no such bucket, no connection,
    credentials that are not accepted. That is one line, and the last.

    Args:
        store: What to try.
        settings: `skyhold.storage.bucket_settings.bucket_settings` for this store, or None to leave settings out.
        part_bytes: The option with which the store was opened; more than one part is a multipart upload.
        purge: Deletes the versions that the bucket keeps of the object with this URI, and returns how many.

    Yields: A line as soon as it is known; nothing is raised for what a store refuses.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> [line.state for line in check_store(open_store("memory://checkup-example"))][:3]
        ['ok', 'ok', 'ok']
    """
    probe = _Probe(store, part_bytes, purge)
    try:
        for step in _STEPS:
            line, hopeless = _try(step, probe)
            yield line
            if hopeless:
                return
    finally:
        probe.take_away()
    if settings is not None:
        yield from _settings_lines(settings)


class _NotTriedError(Exception):
    """A step needs what an earlier one could not do."""


class _Probe:
    """Tries each operation on one object of its own."""

    def __init__(self, store: Store, part_bytes: int, purge: Callable[[str], int] | None) -> None:
        self.store = store
        self.key = f"skyhold-checkup-{uuid.uuid4().hex}"
        self.anything_worked = False
        self._part_bytes = part_bytes
        self._purge = purge
        self._listed = ""
        self._may_exist = False
        self._exists = False

    def list(self) -> str:
        page = next(iter(self.store.list_pages()), None)
        objects = page.objects if page else ()
        self._listed = next((info.key for info in objects if info.size_bytes), "")
        return f"{len(objects)} objects on the first page"

    def put(self) -> str:
        self._may_exist = True
        info = self.store.write(self.key, _PROBE, attributes=Attributes({"probe": "checkup"}))
        self._exists = True
        return f"{info.size_bytes} bytes"

    def get(self) -> str:
        if not self._exists and self._listed:
            self.store.read(self._listed, ByteRange(0, 1))
            return f"the first byte of {self._listed!r}"
        self._need_object()
        if self.store.read(self.key) != _PROBE:
            raise IntegrityError("other bytes came back than were written", uri=self.store.uri_of(self.key))
        return "the same bytes"

    def get_range(self) -> str:
        self._need_object()
        if self.store.read(self.key, ByteRange(3, 10)) != _PROBE[3:10]:
            raise IntegrityError("other bytes came back than were asked for", uri=self.store.uri_of(self.key))
        return "part of an object"

    def metadata(self) -> str:
        self._need_object()
        attributes = self.store.info(self.key).attributes
        if attributes is None or attributes.metadata.get("probe") != "checkup":
            raise UnsupportedError("the store drops metadata", uri=self.store.uri_of(self.key))
        return "kept"

    def create_only(self) -> str:
        self._need_object()
        try:
            self.store.write(self.key, _PROBE, if_absent=True)
        except AlreadyExistsError:
            return "the second writer is refused"
        raise UnsupportedError("the store ignores it: two writers would both win", uri=self.store.uri)

    def if_match(self) -> str:
        self._need_object()
        try:
            self.store.write(self.key, _PROBE, if_match='"0123456789abcdef0123456789abcdef"')
        except PreconditionFailedError:
            pass
        else:
            raise UnsupportedError("the store ignores it: a stale writer would overwrite", uri=self.store.uri)
        try:
            self.store.write(self.key, _PROBE, if_match=self.store.info(self.key).e_tag)
        except PreconditionFailedError as error:
            raise UnsupportedError("the store refuses the newest version too", uri=self.store.uri) from error
        return "a stale writer is refused, and one that saw the newest version is not"

    def multipart(self) -> str:
        self._need_object()
        size = self._part_bytes + 1
        with self.store.open_writer(self.key) as writer:
            writer.write(bytes(size))
        found = self.store.info(self.key).size_bytes
        if found != size:
            raise IntegrityError(f"{found} bytes of {size} arrived", uri=self.store.uri_of(self.key))
        return f"{size:,} bytes"

    def delete(self) -> str:
        self._need_object()
        self.store.delete(self.key)
        try:
            self.store.info(self.key)
        except NotFoundOrDeniedError:
            found = "accepted; whether it is gone is not told"
        except NotFoundError:
            found = "gone"
        else:
            raise IntegrityError("the object is still there", uri=self.store.uri_of(self.key))
        self._may_exist = False
        return f"{found}{self._delete_versions()}"

    def take_away(self) -> None:
        """Delete the object, whatever became of the steps; a line has told already when that cannot be done."""
        if self._may_exist:
            with suppress(SkyholdError, OSError):
                self.store.delete(self.key)
            self._delete_versions()

    def _delete_versions(self) -> str:
        """A bucket that keeps versions keeps the probe's too, unseen and paid for."""
        if self._purge is None:
            return ""
        try:
            count = self._purge(self.store.uri_of(self.key))
        except SkyholdError as error:
            return f"; whether the bucket keeps old versions of {self.key!r} is not told ({error.message})"
        return f", with {count} versions that the bucket kept" if count else ""

    def _need_object(self) -> None:
        if not self._exists:
            raise _NotTriedError


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation.

    Attributes:
        name: As it is shown.
        work: Does it, and returns what was found.
        remedy: Where the store gives none of its own.
        rights: Which right it needs, by scheme.
        essential: Whether nothing much works without it.
    """

    name: str
    work: Callable[[_Probe], str]
    rights: dict[str, str]
    remedy: str = ""
    essential: bool = False


_READ = {"s3": "s3:GetObject", "az": "Storage Blob Data Reader", "gs": "storage.objects.get"}
_WRITE = {"s3": "s3:PutObject", "az": "Storage Blob Data Contributor", "gs": "storage.objects.create"}
_OVERWRITE = {**_WRITE, "gs": "storage.objects.create and storage.objects.delete"}
_ONE_WRITER = "Let one writer at a time publish here, or use a store that keeps {}"
_STEPS = (
    _Step("list", _Probe.list, {"s3": "s3:ListBucket", "az": "Storage Blob Data Reader", "gs": "storage.objects.list"}),
    _Step("put", _Probe.put, _WRITE, essential=True),
    _Step("get", _Probe.get, _READ, essential=True),
    _Step("get a range", _Probe.get_range, _READ, essential=True),
    _Step(
        "metadata",
        _Probe.metadata,
        _READ,
        "Use a store that keeps metadata; without it a lost answer cannot be told from a conflict",
    ),
    _Step("create-only put", _Probe.create_only, _OVERWRITE, _ONE_WRITER.format("If-None-Match")),
    _Step("if-match put", _Probe.if_match, _OVERWRITE, _ONE_WRITER.format("If-Match")),
    _Step("multipart put", _Probe.multipart, {**_OVERWRITE, "s3": "s3:PutObject and s3:AbortMultipartUpload"}),
    _Step(
        "delete",
        _Probe.delete,
        {"s3": "s3:DeleteObject", "az": "Storage Blob Data Contributor", "gs": "storage.objects.delete"},
    ),
)


def _try(step: _Step, probe: _Probe) -> tuple[CheckLine, bool]:
    """Return the step's line, and whether there is no use in going on."""
    try:
        found = step.work(probe)
    except _NotTriedError:
        return CheckLine(step.name, "unknown", "not tried, since nothing could be put"), False
    except (SkyholdError, OSError) as error:
        hopeless = isinstance(error, _HOPELESS) and not probe.anything_worked
        return _failure(step, probe, error, hopeless=hopeless), hopeless
    probe.anything_worked = True
    return CheckLine(step.name, "ok", found), False


def _failure(step: _Step, probe: _Probe, error: Exception, *, hopeless: bool) -> CheckLine:
    on_purpose = isinstance(error, (ReadOnlyError, UnsupportedError))
    state = "failed" if hopeless or (step.essential and not on_purpose) else "warning"
    found = str(getattr(error, "reason", error))
    remedy = str(getattr(error, "remedy", "")) or step.remedy
    if isinstance(error, BadCredentialsError):
        remedy = f"Correct or renew the credentials of {probe.store.identity}"
    right = step.rights.get(parse_location(probe.store.uri).scheme)
    denied = isinstance(error, (AccessError, NotFoundOrDeniedError))
    if right and denied and not isinstance(error, (BadCredentialsError, ReadOnlyError)):
        remedy = f"Grant the identity {right}"
    if step.work is _Probe.delete:
        found += f"; {probe.key!r} is left behind"
    return CheckLine(step.name, state, found, remedy)


def _settings_lines(settings: Callable[[], Iterable[CheckLine]]) -> Iterator[CheckLine]:
    try:
        yield from settings()
    except SkyholdError as error:
        found = str(getattr(error, "reason", error))
        yield CheckLine("settings of the bucket", "unknown", f"not told: {found}", error.remedy)
