"""Line by line: what works in a store with this identity, and what is missing."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from skyhold.errors import (
    AlreadyExistsError,
    KeyNotFoundError,
    MissingExtraError,
    PreconditionFailedError,
    SkyholdError,
    UnsupportedError,
)
from skyhold.storage.contract import Store
from skyhold.storage.objects import Attributes, ByteRange

__all__ = ["CheckLine", "check_store"]

_PROBE = b"skyhold was here to see what works, and takes this away again\n"


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


class _Probe:
    """Tries each operation on one object of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.key = f"skyhold-checkup-{uuid.uuid4().hex}"

    def list(self) -> str:
        page = next(iter(self.store.list_pages()), None)
        return f"{len(page.objects) if page else 0} objects on the first page"

    def put(self) -> str:
        info = self.store.write(self.key, _PROBE, attributes=Attributes({"probe": "checkup"}))
        return f"{info.size_bytes} bytes"

    def get(self) -> str:
        if self.store.read(self.key) != _PROBE:
            raise UnsupportedError("other bytes came back than were written", uri=self.store.uri_of(self.key))
        return "the same bytes"

    def get_range(self) -> str:
        if self.store.read(self.key, ByteRange(3, 10)) != _PROBE[3:10]:
            raise UnsupportedError("other bytes came back than were asked for", uri=self.store.uri_of(self.key))
        return "part of an object"

    def metadata(self) -> str:
        attributes = self.store.info(self.key).attributes
        if attributes is None or attributes.metadata.get("probe") != "checkup":
            raise UnsupportedError("the store drops metadata", uri=self.store.uri_of(self.key))
        return "kept"

    def create_only(self) -> str:
        try:
            self.store.write(self.key, _PROBE, if_absent=True)
        except AlreadyExistsError:
            return "the second writer is refused"
        raise UnsupportedError("the store ignores it: two writers would both win", uri=self.store.uri)

    def if_match(self) -> str:
        try:
            self.store.write(self.key, _PROBE, if_match='"0123456789abcdef0123456789abcdef"')
        except PreconditionFailedError:
            return "a stale writer is refused"
        raise UnsupportedError("the store ignores it: a stale writer would overwrite", uri=self.store.uri)

    def multipart(self) -> str:
        size = getattr(self.store, "part_bytes", 5 * 1024 * 1024) + 1
        with self.store.open_writer(self.key) as writer:
            writer.write(bytes(size))
        found = self.store.info(self.key).size_bytes
        if found != size:
            raise UnsupportedError(f"{found} bytes of {size} arrived", uri=self.store.uri_of(self.key))
        return f"{size:,} bytes"

    def delete(self) -> str:
        self.store.delete(self.key)
        try:
            self.store.info(self.key)
        except KeyNotFoundError:
            return "gone"
        raise UnsupportedError("the object is still there", uri=self.store.uri_of(self.key))


def check_store(store: Store, settings: Callable[[], Any] | None = None) -> Iterator[CheckLine]:
    """Try every operation on a probe object, and take it away; then ask for the bucket's settings.

    Args:
        store: What to try.
        settings: `skyhold.storage.buckets.bucket_settings` for this store, or None to leave settings out.

    Yields: A line as soon as it is known; nothing is raised for what a store refuses.

    Example:
        >>> from skyhold.storage.opening import open_store
        >>> [line.state for line in check_store(open_store("memory://checkup-example"))][:3]
        ['ok', 'ok', 'ok']
    """
    probe = _Probe(store)
    steps: tuple[tuple[str, Callable[[], str], bool], ...] = (
        ("list", probe.list, False),
        ("put", probe.put, True),
        ("get", probe.get, True),
        ("get a range", probe.get_range, True),
        ("metadata", probe.metadata, False),
        ("create-only put", probe.create_only, False),
        ("if-match put", probe.if_match, False),
        ("multipart put", probe.multipart, False),
        ("delete", probe.delete, False),
    )
    for name, step, needed in steps:
        line = _try(name, step, needed=needed)
        yield line
        if name == "put" and line.state == "failed":
            return
    if settings is not None:
        yield from _settings_lines(settings)


def _try(name: str, step: Callable[[], str], *, needed: bool) -> CheckLine:
    try:
        return CheckLine(name, "ok", step())
    except SkyholdError as error:
        found = getattr(error, "reason", error.message)
        return CheckLine(name, "failed" if needed else "warning", found, error.remedy or _REMEDIES.get(name, ""))


_REMEDIES = {
    "list": "Grant s3:ListBucket; without it a missing key cannot be told from a forbidden one",
    "metadata": "Use a store that keeps metadata; without it a lost answer cannot be told from a conflict",
    "create-only put": "Let one writer at a time publish here, or use a store that keeps If-None-Match",
    "if-match put": "Let one writer at a time publish here, or use a store that keeps If-Match",
    "delete": "Grant s3:DeleteObject",
}


def _settings_lines(settings: Callable[[], Any]) -> Iterator[CheckLine]:
    try:
        yield from settings()
    except MissingExtraError as error:
        yield CheckLine("settings of the bucket", "unknown", error.message, error.remedy)
    except UnsupportedError as error:
        yield CheckLine("settings of the bucket", "unknown", error.reason)
