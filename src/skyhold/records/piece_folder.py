"""Where the pieces of a run in shards lie, and what an earlier run has left there."""

import hashlib
import inspect
import io
import json
import pickle
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skyhold.errors import BucketNotFoundError, ConfigError, MalformedInputError
from skyhold.records.formats.adapter import InputAdapter
from skyhold.records.shard_work import ShardResult, record_key
from skyhold.storage.contract import Store
from skyhold.storage.held_options import HeldOptions

__all__ = ["PieceFolder", "code_of", "division_of"]

_SCHEMA = "skyhold/shards/1"


class PieceFolder:
    """A folder for each plan; that of another plan is of no use any more, and goes when this one begins.

    The plan says how the input was divided, and a record is created for each shard that is finished. A run with the
    same plan goes on with what is finished, whoever has finished it.

    Args:
        store: Where.
        prefix: Below which all pieces of one output lie, ending in ``/``.
        fingerprint: Of what was asked for, and of the code that does it.

    Attributes:
        folder: Of this plan's pieces.
        stop_key: An object that tells workers to stop.
        shards_before: For how many shards an earlier run with this fingerprint had asked; None if there was none.
    """

    def __init__(self, store: Store, prefix: str, fingerprint: str) -> None:
        self._store = store
        self._prefix = prefix
        self.folder = f"{prefix}{fingerprint[:16]}/"
        self.stop_key = f"{self.folder}stop-{uuid.uuid4().hex[:12]}"
        self._plan_key = f"{self.folder}plan.json"
        self._found = _list_keys(store, prefix)
        self._plan = self._read_plan() if self._plan_key in self._found else {}
        self.shards_before: int | None = self._plan.get("asked")

    def begin(self, asked: int, division: str, shards: int) -> dict[int, ShardResult]:
        """Note the plan, and return what is finished already, by shard.

        Args:
            asked: For how many shards the input was asked.
            division: Of `division_of`: what each shard reads.
            shards: How many there are.
        """
        plan = {"schema": _SCHEMA, "asked": asked, "division": division}
        is_same = self._plan == plan
        useless = [key for key in self._found if not (is_same and key.startswith(self.folder))]
        if useless:
            self._store.delete(useless)
        if not is_same:
            self._store.write(self._plan_key, json.dumps(plan, indent=1).encode())
            return {}
        return {number: result for number in range(shards) if (result := self._read_record(number)) is not None}

    def leave(self) -> None:
        """Take away what an earlier run has left, and make no use of the folder."""
        if self._found:
            self._store.delete(self._found)

    def tell_to_stop(self) -> None:
        """Let all workers of this run stop soon."""
        self._store.write(self.stop_key, b"")

    def forget_stop(self) -> None:
        """Take that back."""
        self._store.delete(self.stop_key)

    def clear(self) -> None:
        """Take all pieces away."""
        self._store.delete_prefix(self._prefix)

    def _read_plan(self) -> dict[str, Any]:
        try:
            return json.loads(self._store.read(self._plan_key))
        except ValueError:
            return {}  # damaged: it is begun anew

    def _read_record(self, number: int) -> ShardResult | None:
        """Return what was finished, if its pieces are there still."""
        key = record_key(self.folder, number)
        if key not in self._found:
            return None
        try:
            result = ShardResult.from_json(self._store.read(key), self._store.uri_of(key))
        except MalformedInputError:
            result = None
        if result is None or not {result.rows_key, result.rejects_key or result.rows_key} <= self._found:
            self._store.delete(key)  # else the attempt that is made now could not create it
            return None
        return result


def _list_keys(store: Store, prefix: str) -> set[str]:
    try:
        return {info.key for info in store.list(prefix)}
    except BucketNotFoundError:  # a folder is made at the first write; what is missing else is told then
        return set()


def division_of(shards: Sequence[InputAdapter]) -> str:
    """Return what is the same for shards that read the same, as far as it can be told: their e-tags are in it."""
    written = io.BytesIO()
    try:
        _Describer(written).dump(list(shards))
    except (ConfigError, pickle.PicklingError, AttributeError, TypeError):
        return uuid.uuid4().hex  # threads can work on them all the same; they cannot be gone on with
    return hashlib.sha256(written.getvalue()).hexdigest()


class _Describer(pickle.Pickler):
    """Pickles what nobody unpickles: options, which may be secrets, are left out."""

    def reducer_override(self, obj: Any) -> Any:
        return (HeldOptions, ((), {})) if isinstance(obj, HeldOptions) else NotImplemented


def code_of(*things: object) -> str:
    """Return what changes when the files change in which these classes or functions are written.

    Of what is written nowhere, as in an interactive session, it is another text every time.

    Example:
        >>> code_of(json.JSONEncoder) == code_of(json.JSONEncoder)
        True
    """
    found = hashlib.sha256()
    for thing in things:
        try:
            found.update(Path(inspect.getfile(thing)).read_bytes())  # type: ignore[arg-type]
        except (TypeError, OSError):
            return uuid.uuid4().hex
    return found.hexdigest()
