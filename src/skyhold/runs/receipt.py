"""The proof of a run: what was asked, read, written, refused and spent. One shape for all runs, versioned.

The JSON form is written beside the output and into the journal; `skyhold.runs.verification` checks it against the store.
"""

import json
import platform
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, cast

from skyhold.errors import MalformedInputError, VerificationError

__all__ = ["SCHEMA", "Artifact", "Failure", "Receipt", "RejectGroup", "new_run_id", "versions"]

SCHEMA = "skyhold.receipt/1"

EndState = Literal["completed", "failed", "stopped"]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An object that a run read or wrote; what is not known is None."""

    uri: str
    size_bytes: int | None = None
    e_tag: str | None = None
    sha256: str | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class RejectGroup:
    """Rows refused for one reason: which field, which type of error, how many, and the numbers of the first few."""

    field: str
    type: str
    count: int
    message: str = ""
    sample_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed."""

    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a run did.

    Attributes:
        run_id: Sorts by time.
        kind: What sort of run: ``"pipe"``, ``"transfer"``, …
        name: What a person calls it.
        state: How it ended.
        started: When, with time zone.
        seconds: How long it took.
        asked: What was asked for, secrets redacted.
        inputs: What was read.
        outputs: What was written, with hashes.
        counts: Numbers that balance: ``rows_read = rows_written + rows_rejected``.
        rejects: Why rows were refused.
        requests: Requests sent, by class.
        bytes_in: Content received.
        bytes_out: Content sent.
        cost: ``amount``, ``currency`` and the date of the price table; None where nothing is charged.
        failure: Why it failed.
        versions: Of skyhold, Python and the engines.
        host: Where it ran.

    Raises:
        VerificationError: The counts do not balance.
    """

    run_id: str
    kind: str
    name: str
    state: EndState
    started: datetime
    seconds: float
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    rejects: tuple[RejectGroup, ...] = ()
    requests: Mapping[str, int] = field(default_factory=dict[str, int])
    bytes_in: int = 0
    bytes_out: int = 0
    cost: Mapping[str, Any] | None = None
    failure: Failure | None = None
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    host: str = ""

    def __post_init__(self) -> None:
        fault = imbalance(self.counts)
        if self.state == "completed" and fault:
            raise VerificationError(f"the run {self.run_id!r} does not balance: {fault}")

    def to_json(self) -> str:
        """Return the receipt as text that is the same for the same receipt."""
        content = {"schema": SCHEMA, **asdict(self), "started": self.started.isoformat()}
        return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> "Receipt":
        """Return the receipt that ``text`` holds.

        Raises:
            MalformedInputError: It is damaged, no receipt, or of a version this package does not know.
        """
        try:
            content = json.loads(text)
        except ValueError as error:
            raise MalformedInputError(f"this is no receipt: {error}") from error
        schema = cast("dict[str, Any]", content).get("schema") if isinstance(content, dict) else None
        if schema != SCHEMA:
            raise MalformedInputError(
                f"this is no receipt of version {SCHEMA!r}: its schema is {schema!r}",
                remedy="Update skyhold if the receipt is newer: pip install --upgrade skyhold",
            )
        return _parse(cast("dict[str, Any]", content))


def _parse(content: dict[str, Any]) -> Receipt:
    known = {each.name for each in fields(Receipt)}
    values = {name: value for name, value in content.items() if name in known}
    try:
        values["started"] = datetime.fromisoformat(values["started"])
        values["inputs"] = tuple(Artifact(**each) for each in values["inputs"])
        values["outputs"] = tuple(Artifact(**each) for each in values["outputs"])
        values["rejects"] = tuple(
            RejectGroup(**{**each, "sample_rows": tuple(each["sample_rows"])}) for each in values["rejects"]
        )
        values["failure"] = Failure(**values["failure"]) if values["failure"] else None
        return Receipt(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedInputError(f"this receipt is damaged: {error!r}") from error


def imbalance(counts: Mapping[str, int]) -> str:
    """Return in words how the counts fail to balance, or nothing.

    Example:
        >>> imbalance({"rows_read": 3, "rows_written": 1, "rows_rejected": 1})
        'rows_read 3 is not rows_written 1 + rows_rejected 1'
    """
    if "rows_read" not in counts:
        return ""
    read, written, rejected = (counts.get(name, 0) for name in ("rows_read", "rows_written", "rows_rejected"))
    return "" if read == written + rejected else f"rows_read {read} is not rows_written {written} + rows_rejected {rejected}"


def new_run_id(at: datetime | None = None) -> str:
    """Return an identifier that sorts by time and is never given twice."""
    return f"{(at or datetime.now(UTC)):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, skyhold and further packages that are installed."""
    found = {"python": platform.python_version()}
    for package in ("skyhold", "obstore", *packages):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def this_host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()
