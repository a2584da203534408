"""Running hooks over batches, with every row accounted for: kept, changed, dropped, added or rejected."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from skyhold.errors import BadOptionError, SchemaError
from skyhold.records.hooks import BatchHook, Row, RowHook
from skyhold.records.stopping import check_stop
from skyhold.records.validation.fitting import RowFitter
from skyhold.records.validation.json_cells import lines_of
from skyhold.records.validation.json_lines import read_object
from skyhold.records.validation.outcome import FieldError, Reject, RowKind
from skyhold.records.validation.python_values import python_rows

__all__ = ["Hooked", "after_columns", "before_columns", "run_after", "run_before", "running"]

Hooks = Sequence[RowHook | BatchHook]


@dataclass(slots=True)
class Hooked:
    """Rows on their way through hooks.

    Attributes:
        data: The rows as a batch; what they were before row hooks, where ``rows`` is not None.
        rows: The rows as dicts, once a row hook has had them.
        origin: Which row of the batch that was read each is from; None for the same ones.
        rejects: Rows of that batch which a hook, or the way to it, refused.
        dropped: How many rows hooks have dropped.
        added: How many rows hooks have made out of others.
    """

    data: pa.RecordBatch
    rows: list[Row] | None = None
    origin: pa.Array | None = None
    rejects: list[Reject] = field(default_factory=list[Reject])
    dropped: int = 0
    added: int = 0

    def origin_of(self, places: pa.Array) -> pa.Array:
        """Return the origin of some of the rows."""
        return places if self.origin is None else self.origin.take(places)


@contextmanager
def running(hooks: Hooks) -> Generator[None]:
    """Set hooks up, and tear down those that were, in the opposite order."""
    with ExitStack() as stack:
        for hook in hooks:
            hook.setup()
            stack.callback(hook.teardown)
        yield


def before_columns(hooks: Hooks, schema: pa.Schema, kind: RowKind) -> pa.Schema:
    """Return the columns that validation gets after hooks.

    Raises:
        BadOptionError: A batch hook comes after a row hook, or where rows have no columns yet.
    """
    seen_row_hook = False
    for hook in hooks:
        if isinstance(hook, RowHook):
            seen_row_hook = True
        elif kind == "json":
            raise BadOptionError("a batch hook before validation needs columns, and lines of JSON have none yet")
        elif seen_row_hook:
            raise BadOptionError("before validation, batch hooks come before row hooks")
        schema = _columns_of(hook, schema)
    return schema


def after_columns(hooks: Hooks, schema: pa.Schema) -> pa.Schema:
    """Return the columns that the output gets after hooks."""
    for hook in hooks:
        schema = _columns_of(hook, schema)
    return schema


def _columns_of(hook: RowHook | BatchHook, schema: pa.Schema) -> pa.Schema:
    if isinstance(hook, RowHook):
        return hook.columns or schema
    return _run_batch_hook(hook, pa.RecordBatch.from_pylist([], schema))[0].schema


def run_before(hooks: Hooks, data: pa.RecordBatch, kind: RowKind) -> Hooked:
    """Run hooks over a batch as it was read."""
    state = Hooked(data)
    for hook in hooks:
        if isinstance(hook, BatchHook):
            _apply_batch_hook(hook, state)
            continue
        if state.rows is None:
            _to_rows(state, kind)
        _apply_row_hook(hook, state)
    return state


def run_after(hooks: Hooks, accepted: pa.RecordBatch, origin: pa.Array) -> Hooked:
    """Run hooks over accepted rows; what row hooks give must fit the columns exactly, else its row is rejected."""
    state = Hooked(accepted, origin=origin)
    for hook in hooks:
        if isinstance(hook, BatchHook):
            _apply_batch_hook(hook, state)
            continue
        schema = hook.columns or state.data.schema
        _to_rows(state, "typed")
        _apply_row_hook(hook, state)
        assert state.rows is not None
        outcome = RowFitter(schema, "hook_output").judge(state.rows)
        places = outcome.accepted_rows
        state.rejects += [Reject(_at(state, reject.row), reject.errors) for reject in outcome.rejects]
        state.origin, state.data, state.rows = state.origin_of(places), outcome.accepted, None
    return state


def _at(state: Hooked, place: int) -> int:
    return place if state.origin is None else state.origin[place].as_py()


def _run_batch_hook(hook: BatchHook, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array | None]:
    """Return the hook's batch, and where its rows are from; None for the same ones."""
    found: Any = hook.process(batch)
    if isinstance(found, pa.Array) and pa.types.is_boolean(found.type) and len(found) == batch.num_rows:
        keep = pc.fill_null(found, False)
        return batch.filter(keep), pc.cast(pc.indices_nonzero(keep), pa.int64())
    if isinstance(found, tuple) and len(cast("tuple[Any, ...]", found)) == 2:  # noqa: PLR2004 - a pair
        made, places = cast("tuple[Any, Any]", found)
        places = pc.cast(places, pa.int64())
        if isinstance(made, pa.RecordBatch) and made.num_rows == len(places) and not places.null_count:
            return made, places
    if isinstance(found, pa.RecordBatch) and found.num_rows == batch.num_rows:
        return found, None
    raise SchemaError(
        f"the hook {type(hook).__name__} gave {_describe(found)} for a batch of {batch.num_rows:,} rows",
        remedy="Return a batch of as many rows, a boolean array of as many, or a batch with the index of each row",
    )


def _describe(found: object) -> str:
    return f"a batch of {found.num_rows:,}" if isinstance(found, pa.RecordBatch) else f"a {type(found).__name__}"


def _apply_batch_hook(hook: BatchHook, state: Hooked) -> None:
    made, places = _run_batch_hook(hook, state.data)
    if places is not None:
        kept = len(pc.unique(places))
        state.dropped += state.data.num_rows - kept
        state.added += len(places) - kept
        state.origin = state.origin_of(places)
    state.data = made


def _to_rows(state: Hooked, kind: RowKind) -> None:
    data = state.data
    columns = dict(zip(data.schema.names, data.columns, strict=True))
    rows, bad = _from_lines(data) if kind == "json" else python_rows(columns, data.num_rows)
    state.rejects += [Reject(_at(state, place), errors) for place, errors in bad.items()]
    kept = [place for place in range(len(rows)) if place not in bad]
    state.rows = [rows[place] for place in kept]
    if bad or state.origin is None:
        state.origin = state.origin_of(pa.array(kept, pa.int64()))


def _from_lines(data: pa.RecordBatch) -> tuple[list[Row], dict[int, tuple[FieldError, ...]]]:
    found = [read_object(line, allow_inf_nan=True) for line in lines_of(data).to_pylist()]
    bad = {place: (each,) for place, each in enumerate(found) if isinstance(each, FieldError)}
    return [{} if isinstance(each, FieldError) else each for each in found], bad


def _apply_row_hook(hook: RowHook, state: Hooked) -> None:
    assert state.rows is not None
    rows: list[Row] = []
    places: list[int] = []
    for place, row in enumerate(state.rows):
        check_stop()
        try:
            found = hook.process(row)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a hook may raise anything, and a bad row is data
            message = f"{type(error).__name__}: {error}"
            state.rejects.append(Reject(_at(state, place), (FieldError("$", "hook_error", message),)))
            continue
        made = [found] if isinstance(found, dict) else list(found or ())
        state.dropped += not made
        state.added += max(0, len(made) - 1)
        rows += made
        places += [place] * len(made)
    state.rows = rows
    state.origin = state.origin_of(pa.array(places, pa.int64()))
