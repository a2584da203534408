"""Checking a receipt against the store: is what it says still so?"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from skyhold.errors import NotFoundError, StorageError
from skyhold.runs.receipt import Artifact, Receipt, imbalance
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Line", "Verification", "verify_receipt"]

_BLOCK = 8 * 1024 * 1024

OpenObject = Callable[[str], tuple[Store, str]]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked."""

    subject: str
    state: Literal["ok", "warning", "failed"]
    found: str


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was checked; ``ok`` when nothing failed."""

    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether everything the receipt promises still holds."""
        return all(line.state != "failed" for line in self.lines)


def verify_receipt(receipt: Receipt, open_object: OpenObject) -> Verification:
    """Read every output again and compare it with its receipt; inputs that have changed are warnings.

    Args:
        receipt: What a run left.
        open_object: `skyhold.storage.opening.open_object`, perhaps with credentials bound to it.

    Raises:
        StorageError: The store could not be asked; this is not a verdict on the receipt.
    """
    fault = imbalance(receipt.counts)
    lines = [
        Line("state", "ok" if receipt.state == "completed" else "failed", f"the run {receipt.state}"),
        Line("counts", "failed" if fault else "ok", fault or "they balance"),
    ]
    lines += [_check_output(artifact, open_object) for artifact in receipt.outputs]
    lines += [_check_input(artifact, open_object) for artifact in receipt.inputs]
    return Verification(tuple(lines))


def _check_output(promised: Artifact, open_object: OpenObject) -> Line:
    store, key = open_object(promised.uri)
    try:
        with store.open_reader(key) as reader:
            digest = hashlib.sha256()
            while block := reader.read(_BLOCK):
                digest.update(block)
            info = reader.info
    except NotFoundError as error:
        return Line(promised.uri, "failed", error.reason)
    if promised.size_bytes is not None and info.size_bytes != promised.size_bytes:
        return Line(promised.uri, "failed", f"{info.size_bytes} bytes, promised {promised.size_bytes}")
    if promised.sha256 is not None and digest.hexdigest() != promised.sha256:
        return Line(promised.uri, "failed", f"SHA-256 {digest.hexdigest()}, promised {promised.sha256}")
    if promised.e_tag != info.e_tag:
        return Line(promised.uri, "warning", "written again since, with the same bytes")
    return Line(promised.uri, "ok", f"{info.size_bytes} bytes, SHA-256 {digest.hexdigest()[:12]}…")


def _check_input(promised: Artifact, open_object: OpenObject) -> Line:
    store, key = open_object(promised.uri)
    try:
        info: ObjectInfo = store.info(key)
    except StorageError as error:
        return Line(promised.uri, "warning", f"the input cannot be seen now: {error.reason}")
    same = (info.size_bytes, info.e_tag) == (promised.size_bytes, promised.e_tag)
    return Line(promised.uri, "ok" if same else "warning", "unchanged" if same else "the input has changed since")
