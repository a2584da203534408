"""The proof of a run: what was asked, read, written, refused and spent. One shape for all runs, versioned.

The JSON form is written beside the output and into the journal; `skyhold.runs.verification` checks it against the
store. Its names are those of the classes here. Within one version names may be added, never changed or taken away.
"""

import json
import platform
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, cast

from skyhold.errors import MalformedInputError, SkyholdError, VerificationError
from skyhold.runs.asked import redact_asked, redact_text
from skyhold.runs.json_reader import JsonReader
from skyhold.storage.contract import Store
from skyhold.storage.location import redact_uri
from skyhold.storage.objects import Attributes, ObjectInfo

__all__ = [
    "RECEIPT_SUFFIX",
    "SCHEMA",
    "Artifact",
    "EndState",
    "Failure",
    "OpenObject",
    "Receipt",
    "RejectGroup",
    "check_balance",
    "imbalance",
    "new_run_id",
    "read_receipt",
    "this_host",
    "versions",
]

SCHEMA = "skyhold.receipt/1"
RECEIPT_SUFFIX = ".receipt.json"
"""A receipt lies beside its output, under the output's key with this added."""

EndState = Literal["completed", "failed", "stopped"]
Outcome = Literal["completed", "incomplete", "failed", "stopped"]

_UNDONE = ("problems", "waiting", "failed", "cases_failed")
"""Counts of what a run has left undone without being called failed as a whole."""

OpenObject = Callable[[str], tuple[Store, str]]


@dataclass(frozen=True, slots=True)
class Artifact:
    """An object that a run read or wrote; what is not known is None. Its URI never holds a password or a signature."""

    uri: str
    size_bytes: int | None = None
    e_tag: str | None = None
    sha256: str | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "uri", redact_uri(self.uri))


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
    """Why a run failed: the error's stable code, its message, and what to do."""

    code: str
    message: str
    remedy: str = ""

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """Return an error in words, without secrets."""
        if isinstance(error, SkyholdError):
            return cls(error.code, redact_text(str(error)), redact_text(error.remedy))
        name = type(error).__name__
        words = "it was interrupted (Ctrl-C)" if isinstance(error, KeyboardInterrupt) else name
        return cls(name, redact_text(str(error)) or words)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a run did.

    Attributes:
        run_id: Sorts by time.
        kind: What sort of run: ``"pipe"``, ``"transfer"``, …
        name: What a person calls it.
        state: How it ended.
        started: When, with time zone.
        ended: When, with time zone, by the same clock; may be set back while the run goes on.
        seconds: How long it took, by a clock that is never set.
        asked: What was asked for, as plain JSON; secrets are redacted here, whoever makes the receipt.
        command: What to type to do it again; empty when it was not typed.
        inputs: What was read.
        outputs: What was written, with hashes.
        counts: Numbers that balance: ``rows_read + rows_added = rows_written + rows_rejected + rows_dropped``, the
            second and the last being the work of hooks.
        rejects: Why rows were refused.
        requests: Requests sent, by class.
        bytes_in: Content received.
        bytes_out: Content sent.
        cost: Amounts, their ``currency`` and their ``price_table``; None where nothing is charged.
        failure: Why it failed.
        versions: Of skyhold, Python and the engines.
        host: Where it ran.

    Raises:
        VerificationError: The run is complete and its counts do not balance.
        ValueError: A time has no zone.

    Example:
        >>> receipt = Receipt(
        ...     run_id=new_run_id(),
        ...     kind="pipe",
        ...     name="orders",
        ...     state="completed",
        ...     started=datetime.now(UTC),
        ...     ended=datetime.now(UTC),
        ...     seconds=0.1,
        ...     counts={"rows_read": 3, "rows_written": 2, "rows_rejected": 1},
        ... )
        >>> Receipt.from_json(receipt.to_json()) == receipt
        True
    """

    run_id: str
    kind: str
    name: str
    state: EndState
    started: datetime
    ended: datetime
    seconds: float
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    command: str = ""
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
        if self.started.tzinfo is None or self.ended.tzinfo is None:
            raise ValueError(f"the times of the run {self.run_id!r} have no zone")
        object.__setattr__(self, "asked", redact_asked(self.asked))
        for name in ("counts", "requests", "versions"):  # the caller's own may change later
            object.__setattr__(self, name, dict(getattr(self, name)))
        if self.state == "completed":
            self.check()

    @property
    def outcome(self) -> Outcome:
        """How it ended, in a word for people: ``"incomplete"`` where it came to its end and left something undone."""
        is_short = self.state == "completed" and any(self.counts.get(name) for name in _UNDONE)
        return "incomplete" if is_short else self.state

    def check(self) -> None:
        """Refuse counts that do not balance.

        Raises:
            VerificationError: With the numbers.
        """
        check_balance(self.run_id, self.counts)

    def to_json(self) -> str:
        """Return the receipt as text that is the same for the same receipt, with names in order."""
        content = {
            "schema": SCHEMA,
            **asdict(self),
            "started": self.started.astimezone(UTC).isoformat(),
            "ended": self.ended.astimezone(UTC).isoformat(),
        }
        text = json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
        # File names may hold bytes that are no text; JSON can say them (\udc80), UTF-8 cannot.
        return text.encode("utf-8", "backslashreplace").decode() + "\n"

    @staticmethod
    def from_json(text: str | bytes) -> "Receipt":
        """Return the receipt that ``text`` holds.

        Raises:
            MalformedInputError: It is damaged, no receipt, or of a version this package does not know.
            VerificationError: Its counts do not balance, so it was changed.
        """
        try:
            return _read(JsonReader.parse(text))
        except MalformedInputError as error:
            raise MalformedInputError(
                f"this is no receipt that can be read: {error}",
                remedy=error.remedy or "Take the one that the journal keeps: skyhold runs ls",
            ) from error

    def write(self, store: Store, key: str) -> ObjectInfo:
        """Write the receipt as an object; by custom beside the output, with `RECEIPT_SUFFIX`."""
        return store.write(key, self.to_json().encode(), attributes=Attributes(content_type="application/json"))


def read_receipt(uri: str, open_object: OpenObject | None = None) -> Receipt:
    """Return the receipt at a URI.

    Args:
        uri: Of the receipt.
        open_object: `skyhold.storage.opening.open_object`, perhaps with credentials bound to it.

    Raises:
        KeyNotFoundError: There is none.
        MalformedInputError: It is damaged, no receipt, or of a version this package does not know.
        VerificationError: Its counts do not balance.
    """
    if open_object is None:
        from skyhold.storage.opening import open_object  # noqa: PLC0415 - who passes one need not load the other
    store, key = open_object(uri)
    return Receipt.from_json(store.read(key))


def check_balance(run_id: str, counts: Mapping[str, int]) -> None:
    """Refuse counts that do not balance.

    Raises:
        VerificationError: With the numbers.
    """
    if fault := imbalance(counts):
        raise VerificationError(
            f"the run {run_id!r} does not balance: {fault}", remedy="Do not use its output; run it again"
        )


def imbalance(counts: Mapping[str, int]) -> str:
    """Return in words how the counts fail to balance, or nothing.

    Example:
        >>> imbalance({"rows_read": 3, "rows_written": 1, "rows_rejected": 1})
        'rows_read 3 is not rows_written 1 + rows_rejected 1'
    """
    names = ("rows_read", "rows_written", "rows_rejected")
    if not any(name in counts for name in names):
        return ""
    read, written, rejected = (counts.get(name, 0) for name in names)
    added, dropped = counts.get("rows_added", 0), counts.get("rows_dropped", 0)
    if min(read, written, rejected, added, dropped) < 0:
        return f"rows_read {read}, rows_written {written} and rows_rejected {rejected} are not all positive"
    if read + added == written + rejected + dropped:
        return ""
    hooked = f", with rows_added {added} and rows_dropped {dropped}" if added or dropped else ""
    return f"rows_read {read} is not rows_written {written} + rows_rejected {rejected}{hooked}"


def new_run_id(at: datetime | None = None) -> str:
    """Return an identifier that sorts by time and is never given twice."""
    return f"{(at or datetime.now(UTC)).astimezone(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, skyhold and further packages that are installed."""
    found = {package: _version(package) for package in ("skyhold", "obstore", *packages)}
    return {"python": platform.python_version(), **{package: each for package, each in found.items() if each}}


@cache
def _version(package: str) -> str:
    """Return a version, empty where there is none; looking it up takes 3 ms."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def this_host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


def _read(reader: JsonReader) -> Receipt:
    schema = reader.text("schema", "")
    if schema != SCHEMA:
        newer = schema.startswith(SCHEMA.partition("/")[0])
        raise MalformedInputError(
            f"its schema is {schema!r}, not {SCHEMA!r}",
            remedy="Update skyhold: pip install --upgrade skyhold"
            if newer
            else "Name the file ending in .receipt.json",
        )
    return Receipt(
        run_id=reader.text("run_id"),
        kind=reader.text("kind"),
        name=reader.text("name"),
        state=cast("EndState", reader.one_of("state", "completed", "failed", "stopped")),
        started=reader.moment("started"),
        ended=reader.moment("ended"),
        seconds=reader.number("seconds"),
        asked=reader.mapping("asked"),
        command=reader.text("command", ""),
        inputs=reader.children("inputs", _read_artifact),
        outputs=reader.children("outputs", _read_artifact),
        counts=reader.mapping_of("counts", int, "an integer"),
        rejects=reader.children("rejects", _read_rejects),
        requests=reader.mapping_of("requests", int, "an integer"),
        bytes_in=reader.integer("bytes_in", 0),
        bytes_out=reader.integer("bytes_out", 0),
        cost=reader.mapping("cost") if reader.has("cost") else None,
        failure=reader.child("failure", _read_failure),
        versions=reader.mapping_of("versions", str, "a text"),
        host=reader.text("host", ""),
    )


def _read_artifact(reader: JsonReader) -> Artifact:
    return Artifact(
        reader.text("uri"),
        reader.integer_or_none("size_bytes"),
        reader.text_or_none("e_tag"),
        reader.text_or_none("sha256"),
        reader.integer_or_none("rows"),
    )


def _read_rejects(reader: JsonReader) -> RejectGroup:
    return RejectGroup(
        reader.text("field"),
        reader.text("type"),
        reader.integer("count"),
        reader.text("message", ""),
        reader.integers("sample_rows"),
    )


def _read_failure(reader: JsonReader) -> Failure:
    return Failure(reader.text("code"), reader.text("message"), reader.text("remedy", ""))
