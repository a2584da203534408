"""What came of a case, as it is kept in the store."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from typing import Any

from skyhold.simulation.result_record import ResultRecord
from skyhold.simulation.simulator import EngineMessage, FailureClass, Quantity, Verdict

__all__ = ["KeptFile", "Outcome", "finite_values", "read_outcomes", "write_outcomes"]

_MESSAGES = 5
_MESSAGE_LENGTH = 500
_REMARKS = 8
_WORST_FIRST = ("fatal", "severe", "warning")


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that was kept of a run, below ``out/<case>/<attempt>/``."""

    path: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended, with what is needed to show it in a table.

    Attributes:
        case: Its id.
        attempt: Which attempt; its files lie under that name.
        failure: None where its results may be used.
        detail: One sentence on a failure.
        build: Of the simulator.
        worker: Who ran it.
        exit_code: Of the engine.
        seconds: How long the engine ran.
        spent: Seconds of the rest, by name: ``prepare_s``, ``keep_s``, ``upload_s``.
        messages: How many the engine had, by severity.
        texts: The first severe and fatal ones.
        remarks: The first few of all, the worst first.
        files: What was kept.
        values: Results by name.
        reused_from: Which run its files and values are of, where they were known already and nothing was run. The
            engine's seconds and messages are that run's.
        usage: Its share of what the worker asked of the store for its chunk: requests by class where a service counts
            them, ``bytes_in``, ``bytes_out``; equal for all cases of a chunk, and told when that is finished.
    """

    case: str
    attempt: str
    failure: FailureClass | None
    detail: str
    build: str
    worker: str
    exit_code: int | None = None
    seconds: float = 0.0
    spent: Mapping[str, float] = field(default_factory=dict[str, float])
    messages: Mapping[str, int] = field(default_factory=dict[str, int])
    texts: tuple[str, ...] = ()
    files: tuple[KeptFile, ...] = ()
    values: Mapping[str, Quantity] = field(default_factory=dict[str, Quantity])
    reused_from: str = ""
    usage: Mapping[str, float] = field(default_factory=dict[str, float])
    remarks: tuple[EngineMessage, ...] = ()

    @staticmethod
    def of(case: str, attempt: str, worker: str, verdict: Verdict, known: ResultRecord | None = None) -> "Outcome":
        """Return what a verdict comes to; ``known`` is the record of the run that it is of, if it was known already."""
        counts = Counter[str]()
        for message in verdict.messages:
            counts[message.severity] += message.count
        if known is not None:  # it has no more than the first of the messages
            counts = Counter({name: count for name, count in known.message_counts.items() if count})
        bad = [message.text[:_MESSAGE_LENGTH] for message in verdict.messages if message.severity != "warning"]
        return Outcome(
            case,
            attempt,
            verdict.failure,
            verdict.detail,
            verdict.build,
            worker,
            verdict.exit_code,
            round(verdict.seconds, 3),
            messages=dict(counts),
            texts=tuple(bad[:_MESSAGES]),
            reused_from=known.run_id if known is not None else "",
            remarks=_worst(verdict.messages),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        values = {name: [each.value, each.unit] for name, each in finite_values(self.values).items()}
        return {**asdict(self), "values": values}

    @staticmethod
    def from_dict(content: Mapping[str, Any]) -> "Outcome":
        """Return what `as_dict` gave; what an earlier or later version has not is passed over."""
        known: dict[str, Any] = {each.name: content[each.name] for each in fields(Outcome) if each.name in content}
        known["texts"] = tuple(content["texts"])
        known["remarks"] = tuple(EngineMessage(**remark) for remark in content.get("remarks", ()))
        known["files"] = tuple(KeptFile(**file) for file in content["files"])
        known["values"] = {name: Quantity(*value) for name, value in content["values"].items()}
        return Outcome(**known)


def _worst(messages: Sequence[EngineMessage]) -> tuple[EngineMessage, ...]:
    found = sorted(messages, key=lambda message: _WORST_FIRST.index(message.severity))[:_REMARKS]
    return tuple(replace(message, text=message.text[:_MESSAGE_LENGTH]) for message in found)


def write_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    """Return outcomes as bytes for the store."""
    return json.dumps({"outcomes": [outcome.as_dict() for outcome in outcomes]}, allow_nan=False).encode()


def read_outcomes(data: bytes) -> list[Outcome]:
    """Return what `write_outcomes` wrote."""
    return [Outcome.from_dict(content) for content in json.loads(data)["outcomes"]]


def finite_values(values: Mapping[str, Quantity]) -> dict[str, Quantity]:
    """Return values as every store holds them: JSON has neither NaN nor infinity, and None stands for them.

    Example:
        >>> finite_values({"x": Quantity(float("nan"), "J")})
        {'x': Quantity(value=None, unit='J')}
    """
    return {
        name: replace(each, value=None) if isinstance(each.value, float) and not isfinite(each.value) else each
        for name, each in values.items()
    }
