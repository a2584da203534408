"""Checking a receipt against the store: is what it says still so?"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from skyhold.errors import BadUriError, NotFoundError, PreconditionFailedError, StorageError, VerificationError
from skyhold.runs.progress import Progress
from skyhold.runs.receipt import Artifact, OpenObject, Receipt, imbalance
from skyhold.storage.contract import Store
from skyhold.storage.objects import ObjectInfo

__all__ = ["Check", "Line", "Verification", "verify_receipt"]

_BLOCK = 8 * 1024 * 1024

Check = Literal["run", "counts", "rows", "exists", "size", "sha256", "e_tag", "input"]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was checked.

    Attributes:
        subject: The run's id, or an object's URI.
        check: What was compared.
        state: ``"failed"`` means that the receipt is not true any more; ``"warning"`` that a person should know.
        expected: What the receipt says.
        found: What is there.
        remedy: What to do; empty when it is ok.
    """

    subject: str
    check: Check
    state: Literal["ok", "warning", "failed"]
    expected: str
    found: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was checked, in the receipt's order: the run, its outputs, its inputs."""

    run_id: str
    lines: tuple[Line, ...]

    @property
    def ok(self) -> bool:
        """Whether everything the receipt promises still holds."""
        return not self.failed

    @property
    def failed(self) -> tuple[Line, ...]:
        """What does not hold."""
        return tuple(line for line in self.lines if line.state == "failed")

    def check(self) -> None:
        """Do nothing if all holds.

        Raises:
            VerificationError: Something does not; the message has the first, and how many there are.
        """
        if self.failed:
            first = self.failed[0]
            more = f" (and {len(self.failed) - 1} more)" if len(self.failed) > 1 else ""
            raise VerificationError(
                f"{first.subject!r}: {first.check} should be {first.expected}, found {first.found}{more}",
                remedy=first.remedy,
            )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"run_id": self.run_id, "ok": self.ok, "lines": [asdict(line) for line in self.lines]}


def verify_receipt(receipt: Receipt, open_object: OpenObject, *, progress: Progress | None = None) -> Verification:
    """Read every output again and compare it with its receipt; inputs that have changed are warnings.

    Reads in blocks, so objects of any size fit; an output whose size differs is not read.

    Args:
        receipt: What a run left.
        open_object: `skyhold.storage.opening.open_object`, perhaps with credentials bound to it.
        progress: Advanced by bytes.

    Raises:
        AccessError: The store did not let this identity look; this is no verdict on the receipt.
        NetworkError: The store could not be asked; neither is this.
    """
    lines = list(_check_run(receipt))
    for artifact in receipt.outputs:
        lines += _check_output(receipt, artifact, open_object, progress)
    lines += [_check_input(artifact, open_object) for artifact in receipt.inputs]
    return Verification(receipt.run_id, tuple(lines))


def _check_run(receipt: Receipt) -> Iterator[Line]:
    if receipt.state == "completed":
        yield Line(receipt.run_id, "run", "ok", "completed", "completed")
    else:
        why = f"{receipt.state}: {receipt.failure.message}" if receipt.failure else receipt.state
        yield Line(receipt.run_id, "run", "failed", "completed", why, _again(receipt))
    fault = imbalance(receipt.counts)
    if fault:
        yield Line(receipt.run_id, "counts", "failed", "counts that balance", fault, _again(receipt))
    else:
        yield Line(receipt.run_id, "counts", "ok", "counts that balance", "they balance")
    yield from _check_rows(receipt)


def _check_rows(receipt: Receipt) -> Iterator[Line]:
    """Compare the rows of all outputs with those that the run counted: accepted ones, and rejected ones if kept."""
    held = [artifact.rows for artifact in receipt.outputs if artifact.rows is not None]
    written = receipt.counts.get("rows_written")
    if receipt.state != "completed" or written is None or not held:
        return
    rejected = receipt.counts.get("rows_rejected", 0)
    found = f"{sum(held):,} rows in {len(held):,} outputs"
    counted = f"{written:,} written" + (f" and {rejected:,} rejected" if rejected else "")
    if sum(held) in {written, written + rejected}:
        yield Line(receipt.run_id, "rows", "ok", counted, found)
    else:
        yield Line(receipt.run_id, "rows", "failed", counted, found, _again(receipt))


def _check_output(
    receipt: Receipt, promised: Artifact, open_object: OpenObject, progress: Progress | None
) -> Iterator[Line]:
    size = f"{promised.size_bytes} bytes"
    remedy = f"Restore it from a copy. {_again(receipt)}"
    try:
        store, key = open_object(promised.uri)
    except BadUriError:
        rows = "a table" if promised.rows is None else f"a table with {promised.rows:,} rows of this run"
        found = "not verifiable: no object of a store"
        yield Line(promised.uri, "exists", "warning", rows, found, "Ask the database itself")
        return
    try:
        info = store.info(key)
        if promised.size_bytes not in {None, info.size_bytes}:
            yield Line(promised.uri, "size", "failed", size, f"{info.size_bytes} bytes", remedy)
            return
        yield Line(promised.uri, "size", "ok", size, f"{info.size_bytes} bytes")
        if promised.sha256 is None:
            yield _compare_tag(promised, info, remedy)
        else:
            yield from _compare_hash(promised, promised.sha256, *_hash(store, key, progress), remedy)
    except NotFoundError as error:
        yield Line(promised.uri, "exists", "failed", size, error.reason, remedy)
    except PreconditionFailedError:
        yield Line(
            promised.uri,
            "exists",
            "failed",
            size,
            "replaced while it was read",
            "Wait for its writer, and verify again",
        )


def _compare_hash(promised: Artifact, sha256: str, info: ObjectInfo, found: str, remedy: str) -> Iterator[Line]:
    if found != sha256:
        yield Line(promised.uri, "sha256", "failed", sha256, found, remedy)
        return
    yield Line(promised.uri, "sha256", "ok", sha256, found)
    if promised.e_tag is not None and info.e_tag != promised.e_tag:
        yield Line(
            promised.uri,
            "e_tag",
            "warning",
            promised.e_tag,
            f"{info.e_tag}: written again since, with the same bytes",
            "Nothing; the bytes are those of the receipt",
        )


def _compare_tag(promised: Artifact, info: ObjectInfo, remedy: str) -> Line:
    """Compare what is left when the receipt has no hash: a tag that differs means bytes that nobody can vouch for."""
    if promised.e_tag is None or info.e_tag is None:
        only = "only its size could be compared"
        return Line(promised.uri, "e_tag", "warning", "a hash or an e-tag", only, "Look into it yourself")
    if promised.e_tag != info.e_tag:
        return Line(promised.uri, "e_tag", "failed", promised.e_tag, info.e_tag, remedy)
    return Line(promised.uri, "e_tag", "ok", promised.e_tag, info.e_tag)


def _check_input(promised: Artifact, open_object: OpenObject) -> Line:
    expected = f"{promised.size_bytes} bytes, e-tag {promised.e_tag}"
    remedy = "The output is of the input as it was; run it again for the input as it is"
    try:
        store, key = open_object(promised.uri)
        info = store.info(key)
    except (StorageError, BadUriError) as error:
        return Line(promised.uri, "input", "warning", expected, f"it cannot be seen now: {error}", remedy)
    found = f"{info.size_bytes} bytes, e-tag {info.e_tag}"
    if promised.size_bytes not in {None, info.size_bytes} or promised.e_tag not in {None, info.e_tag}:
        return Line(promised.uri, "input", "warning", expected, f"{found}: changed since", remedy)
    return Line(promised.uri, "input", "ok", expected, found)


def _hash(store: Store, key: str, progress: Progress | None) -> tuple[ObjectInfo, str]:
    digest = hashlib.sha256()
    with store.open_reader(key, block_bytes=_BLOCK) as reader:
        while block := reader.read(_BLOCK):
            digest.update(block)
            if progress is not None:
                progress.advance(len(block))
        return reader.info, digest.hexdigest()


def _again(receipt: Receipt) -> str:
    return f"Run it again: {receipt.command}" if receipt.command else "Run it again"
