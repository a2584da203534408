"""Whether a pipe is run in shards, and in which: what the driver finds out before any worker begins."""

# pyarrow is untyped:
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownParameterType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false

import hashlib
import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import uuid4

import pyarrow as pa

from skyhold.errors import BadOptionError, ConfigError
from skyhold.execution.elsewhere import is_elsewhere, is_here, workers_of
from skyhold.records.flow import Request, plan_for, run_fingerprint
from skyhold.records.formats.adapter import LEAST_SHARD_BYTES, InputStream, OpenStore, PieceForm, Shards
from skyhold.records.formats.objects import PIECES_SUFFIX
from skyhold.records.hooking import after_columns, running
from skyhold.records.hooks import code_places
from skyhold.records.piece_folder import PieceFolder, code_of, division_of
from skyhold.records.rejects import reject_schema
from skyhold.records.shard_work import ShardResult, ShardTask
from skyhold.storage.contract import Store
from skyhold.storage.opening import open_store

__all__ = ["ShardPlan", "plan_shards", "task_of"]

_SHARDS_PER_WORKER = 4
"""So that nobody waits long for the last one, and progress is seen."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What is to be done.

    Attributes:
        shards: What workers read; to be closed at the end.
        schema: The output's columns.
        reject_columns: Those of the error output.
        store: Where pieces go.
        pieces: Their folder there, for the driver, which is counted.
        finished: What an earlier run has finished.
        fingerprint: Same for runs that would write the same.
        form: What writes pieces that the output takes as they are; None if it takes rows alone.
    """

    shards: Shards
    schema: pa.Schema
    reject_columns: pa.Schema
    store: Store
    pieces: PieceFolder
    finished: dict[int, ShardResult]
    fingerprint: str
    form: PieceForm | None


class _Unfit(Exception):  # noqa: N818 - no error where shards were not asked for
    """Why a pipe cannot be run in shards, and what would help."""

    def __init__(self, why: str, remedy: str, cause: Exception | None = None) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.cause = cause

    def raise_as_told(self) -> NoReturn:
        if self.cause is not None:
            raise self.cause
        raise BadOptionError(f"the pipe cannot be run in shards: {self}", remedy=self.remedy)


def plan_shards(request: Request, wrap: OpenStore) -> ShardPlan | None:
    """Return how a pipe is run in shards; None where it is the driver that reads.

    Shards are what was asked for, or what suits an executor whose workers may be on other machines. There, what stands
    in the way of shards is no error: the driver then reads, and workers only judge.

    Args:
        request: What the pipe was asked for.
        wrap: Put around every store.

    Raises:
        BadOptionError: Shards were asked for, and something stands in their way.
        ConfigError: Likewise: secrets, a model or a hook would have to be pickled that are not.
    """
    if request.shards is None and not is_elsewhere(request.executor):
        return None
    try:
        return _plan(request, wrap)
    except _Unfit as unfit:
        if request.shards is not None:
            unfit.raise_as_told()
        return None


def _plan(request: Request, wrap: OpenStore) -> ShardPlan | None:
    _check_hooks(request)
    store, prefix = _place_of(request)
    opened: list[Store] = [store]

    def wrap_seen(inner: Store) -> Store:
        opened.append(inner)
        return wrap(inner)

    with request.input.open(wrap_seen) as stream, running([*request.before, *request.after]):
        plan = plan_for(request.model, stream, request.before)
        schema = after_columns(request.after, plan.output_schema)
        columns = reject_schema(stream.schema, stream.kind)
        fingerprint = _fingerprint(request, stream, schema)
        can_change_unseen = not all(source.info and source.info.e_tag for source in stream.sources)
    if not is_here(request.executor):
        _check_travel(request, opened)
    pieces = PieceFolder(wrap(store), prefix, fingerprint)
    if isinstance(request.shards, int):
        asked, least_bytes = request.shards, 1
    else:
        asked = pieces.shards_before or _SHARDS_PER_WORKER * workers_of(request.executor)
        least_bytes = LEAST_SHARD_BYTES
    shards = request.input.shards(asked, wrap_seen, request.executor, least_bytes=least_bytes)
    try:
        if len(shards) == 1:
            pieces.leave()
            shards.close()
            return None
        # Of what has no e-tag, such as a database, nobody knows later whether it is still the same.
        division = uuid4().hex if can_change_unseen else division_of(shards)
        finished = pieces.begin(asked, division, len(shards))
    except BaseException:
        shards.close()
        raise
    form = request.output.piece_form(beside=request.pieces is None)
    return ShardPlan(shards, schema, columns, store, pieces, finished, fingerprint, form)


def _check_hooks(request: Request) -> None:
    for hook in (*request.before, *request.after):
        if not hook.any_order:
            raise _Unfit(
                f"the hook {type(hook).__name__} may remember rows, and each shard would have a copy of its own",
                "Say any_order = True in its class if it remembers nothing, or leave shards= out",
            )


def _place_of(request: Request) -> tuple[Store, str]:
    """Return where pieces go; the store is not counted, since workers count for themselves."""
    if request.pieces is not None:
        output = hashlib.sha256(request.output.uri.encode()).hexdigest()
        return open_store(request.pieces), f"{output[:16]}{PIECES_SUFFIX}"
    place = request.output.pieces_place(lambda store: store)
    if place is None:
        raise _Unfit(
            f"nothing can lie beside the output {request.output.uri!r}, where pieces would wait",
            'Name a folder for them: Pipe(pieces="s3://bucket/folder/", …)',
        )
    return place


def _check_travel(request: Request, opened: Sequence[Store]) -> None:
    """See to it that workers in other processes find what the driver finds, and that no secret travels there."""
    for store in opened:
        if not store.is_shared:
            raise _Unfit(
                f"other processes do not see what lies in {store.uri!r}",
                "Read from and write to a bucket or a folder, or use MultiThreadExecutor",
            )
    for name, thing in (
        ("an identity", list(opened)),
        ("the schema model", request.model),
        ("a hook", [*request.before, *request.after]),
        ("the input", request.input),
    ):
        try:
            pickle.dumps(thing)
        except ConfigError as error:
            raise _Unfit(str(error), error.remedy, error) from error
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            cause = ConfigError(
                f"{name} cannot be sent to other processes: {error}",
                remedy="Define models and hooks at the top of a module, or use MultiThreadExecutor",
            )
            raise _Unfit(str(cause), cause.remedy, cause) from error


def _fingerprint(request: Request, stream: InputStream, schema: pa.Schema) -> str:
    hooks = [*request.before, *request.after]
    code = code_of(*([] if request.model is None else [request.model]), *code_places(hooks))
    try:
        state = pickle.dumps(hooks)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        state = repr(error).encode()  # only threads get as far as that
    told: tuple[Any, ...] = (run_fingerprint(request, stream, schema), code, state, request.shards)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def task_of(request: Request, plan: ShardPlan, number: int) -> ShardTask:
    """Return what a worker gets."""
    limit = request.max_errors
    return ShardTask(
        number,
        plan.shards[number],
        request.model,
        request.before,
        request.after,
        limit if isinstance(limit, int) else None,
        plan.store,
        plan.pieces.folder,
        plan.pieces.stop_key,
        request.errors is not None,
        plan.form,
    )
