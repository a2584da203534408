"""What is done to one batch, wherever an executor does it."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import pickle
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import ConfigError
from skyhold.records.formats.adapter import Batch
from skyhold.records.handover import Parcel, pack
from skyhold.records.hooking import Hooked
from skyhold.records.rejects import RejectedRows, collect_rejects
from skyhold.records.validation.fitting import RowFitter
from skyhold.records.validation.outcome import Outcome, Reject, RowKind

__all__ = ["Judged", "KeptPlan", "Plan", "RemoteJudge", "judge"]

_PLANS_KEPT = 8


class Plan(Protocol):
    """What judges rows."""

    output_schema: Any

    def validate(self, batch: Any) -> Outcome:
        """Judge a batch."""
        ...

    def validate_rows(self, rows: Sequence[dict[str, Any]]) -> Outcome:
        """Judge rows that are dicts already."""
        ...


class KeptPlan:
    """The plan without a model: columns as they are; rows that hooks made must fit them.

    Args:
        schema: The columns.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.output_schema = schema

    def validate(self, batch: pa.RecordBatch) -> Outcome:
        """Accept all rows."""
        places = pc.subtract(pc.cumulative_sum(pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows)), 1)
        return Outcome(batch, places, [])

    def validate_rows(self, rows: Sequence[dict[str, Any]]) -> Outcome:
        """Accept the rows that fit."""
        return RowFitter(self.output_schema, "hook_output").judge(rows)


@dataclass(frozen=True, slots=True)
class Judged:
    """A batch, judged.

    Attributes:
        accepted: The rows to write.
        origin: Which row that was read each of them is from: int64.
        rejected: The rows to reject.
        rejects: The same, as rows of the batch.
        dropped: How many rows hooks have dropped.
        added: How many rows hooks have made out of others.
    """

    accepted: pa.RecordBatch
    origin: pa.Array
    rejected: RejectedRows
    rejects: list[Reject]
    dropped: int = 0
    added: int = 0


def judge(batch: Batch, hooked: Hooked | None, plan: Plan, kind: RowKind) -> Judged:
    """Validate a batch, as it was read or as hooks have left it."""
    if hooked is None:
        outcome = plan.validate(batch.data)
        rejected = collect_rejects(batch, outcome.rejects, kind)
        return Judged(outcome.accepted, outcome.accepted_rows, rejected, outcome.rejects)
    outcome = plan.validate(hooked.data) if hooked.rows is None else plan.validate_rows(hooked.rows)
    places = pa.array([reject.row for reject in outcome.rejects], pa.int64())
    refused = [
        Reject(place, reject.errors)
        for place, reject in zip(hooked.origin_of(places).to_pylist(), outcome.rejects, strict=True)
    ]
    rejects = sorted([*hooked.rejects, *refused], key=lambda reject: reject.row)
    return Judged(
        outcome.accepted,
        hooked.origin_of(outcome.accepted_rows),
        collect_rejects(batch, rejects, kind),
        rejects,
        hooked.dropped,
        hooked.added,
    )


class RemoteJudge:
    """`judge` for executors of other processes, where the plan is unpacked once.

    Args:
        plan: What judges.
        kind: What the cells are.
        run_id: Told apart from other runs by this.
        folder: Shared memory for the results, if there is any.

    Raises:
        ConfigError: The plan cannot be sent, mostly because the model is defined inside a function.
    """

    def __init__(self, plan: Plan, kind: RowKind, run_id: str, folder: Path | None) -> None:
        try:
            self._plan = pickle.dumps(plan)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"the schema model cannot be sent to other processes: {error}",
                remedy="Define the model at the top of a module, or use MultiThreadExecutor",
            ) from error
        self._kind: RowKind = kind
        self._run_id = run_id
        self._folder = folder

    def __call__(self, parcel: Parcel) -> Parcel:
        """Validate a batch, as it was read or as hooks have left it; runs in the other process."""
        plan = _PLANS.get(self._run_id)
        if plan is None:
            plan = _PLANS[self._run_id] = pickle.loads(self._plan)  # noqa: S301 - made by this very run
            while len(_PLANS) > _PLANS_KEPT:
                _PLANS.popitem(last=False)
        batch, hooked = parcel.unpack()
        return pack(judge(batch, hooked, plan, self._kind), self._folder)


_PLANS: OrderedDict[str, Plan] = OrderedDict()
