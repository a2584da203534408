"""The plan of a synchronization: two sides, what they last agreed on, and what makes them agree again. Pure: no I/O.

A path is compared by content: SHA-256 on the local side; on the remote side the e-tag that was seen when both agreed,
and the SHA-256 where somebody has found it out. What neither side has changed need not be given to the planner at all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from skyhold.errors import DeleteGuardError
from skyhold.storage.sync_places import in_the_way
from skyhold.storage.sync_rules import (
    ActionKind,
    Change,
    ConflictChoice,
    Decision,
    Direction,
    SyncRules,
    decide,
)
from skyhold.storage.sync_sides import Agreed, LocalFile, RemoteFile

__all__ = [
    "ActionKind",
    "Agreed",
    "Change",
    "ConflictChoice",
    "Direction",
    "LocalFile",
    "RemoteFile",
    "SyncAction",
    "SyncPlan",
    "SyncRules",
    "deletions_first",
    "plan_sync",
]

_DELETIONS = ("delete_local", "delete_remote")
_CREATIONS = ("download", "upload")

_FEW_DELETES = 2
"""So many deletions are never too large a share: in a folder of three files one deletion is not an accident."""


@dataclass(frozen=True, slots=True)
class SyncAction:
    """One thing to do.

    Attributes:
        kind: What.
        path: Of which file.
        reason: Why, in words.
        local: What the plan saw in the folder; None where there was nothing.
        remote: What it saw in the store.
        agreed: What was agreed.
        to: The new path, of a rename.
        conflict: Whether both sides had something of their own to say.
        replaces: Whether content is replaced that was not agreed on: it is kept aside.
        waits: Whether it is a conflict that is left only until somebody has chosen.
    """

    kind: ActionKind
    path: str
    reason: str = ""
    local: LocalFile | None = None
    remote: RemoteFile | None = None
    agreed: Agreed | None = None
    to: str = ""
    conflict: bool = False
    replaces: bool = False
    waits: bool = False

    @property
    def size_bytes(self) -> int:
        """How much content it moves."""
        here, there = (side.size_bytes if side else 0 for side in (self.local, self.remote))
        sizes = {"upload": here, "rename_remote": here, "download": there, "keep_both": here + there}
        return sizes.get(self.kind, 0)

    def __str__(self) -> str:
        target = f" → {self.to}" if self.to else ""
        return f"{self.kind.replace('_', ' '):13} {self.path}{target}  ({self.reason})"


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a synchronization would do, in this order.

    Attributes:
        actions: What to do; ``leave`` says what is not done, and why.
        unchanged: How many files agree already.
        guard: Why the plan must not be carried out unless somebody confirms it; empty where it may.
        problems: Paths that could not be looked at or cannot be held by the other side, each with the reason; nothing
            is done with them.
    """

    actions: tuple[SyncAction, ...]
    unchanged: int = 0
    guard: str = ""
    problems: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def work(self) -> tuple[SyncAction, ...]:
        """What changes a side or what was agreed."""
        return tuple(action for action in self.actions if action.kind != "leave")

    @property
    def conflicts(self) -> tuple[SyncAction, ...]:
        """Where both sides had something of their own to say."""
        return tuple(action for action in self.actions if action.conflict)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The paths of conflicts that wait until somebody chooses."""
        return tuple(action.path for action in self.actions if action.waits)

    def count(self, *kinds: ActionKind) -> int:
        """Return how many actions are of these kinds."""
        return sum(action.kind in kinds for action in self.actions)

    def check_guard(self, uri: str = "") -> None:
        """Stop a plan that deletes too much.

        Raises:
            DeleteGuardError: With how much it is.
        """
        if self.guard:
            raise DeleteGuardError(
                self.guard,
                operation="sync",
                uri=uri,
                remedy="Look at the plan with a dry run; if it is right, confirm it. Nothing was changed",
            )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "unchanged": self.unchanged,
            "guard": self.guard,
            "problems": dict(self.problems),
            "actions": [_action_as_dict(action) for action in self.actions],
        }

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        for action in self.actions:
            if action.kind not in {"agree", "forget"}:
                yield str(action)
        for path, reason in sorted(self.problems.items()):
            yield f"{'problem':13} {path}  ({reason})"
        if self.guard:
            yield f"{'stopped':13} {self.guard}"


def plan_sync(
    local: Mapping[str, LocalFile],
    remote: Mapping[str, RemoteFile],
    agreed: Mapping[str, Agreed],
    rules: SyncRules,
    *,
    choices: Mapping[str, ConflictChoice] | None = None,
    problems: Mapping[str, str] | None = None,
    unchanged: int = 0,
) -> SyncPlan:
    r"""Return what makes both sides agree.

    Args:
        local: The folder's files.
        remote: The store's objects.
        agreed: What was agreed of these, and of paths that are gone.
        rules: What may be done.
        choices: What somebody has chosen for single conflicts; it goes before the rule.
        problems: Paths that must be left alone, each with the reason.
        unchanged: How many files more there are, the same on both sides, which were not given.

    Example:
        >>> base = {"a": Agreed("1", 3, "t1"), "b": Agreed("2", 3, "t2")}
        >>> plan = plan_sync({"a": LocalFile(3, "1")}, {"b": RemoteFile(3, "t2")}, base, SyncRules(delete_files=True),
        ...     unchanged=8)
        >>> print(*plan.lines(), sep="\n")
        delete local  a  (deleted there)
        delete remote b  (deleted here)
    """
    blocked = dict(problems or {})
    known = len(agreed) + unchanged
    actions: list[SyncAction] = []
    for path in sorted({*local, *remote, *agreed} - blocked.keys()):
        own = rules if not choices or path not in choices else replace(rules, conflict=choices[path])
        action = _plan_path(path, local.get(path), remote.get(path), agreed.get(path), own)
        if action.kind == "nothing":
            unchanged += 1
        else:
            actions.append(action)
    actions = list(_with_renames(actions))
    first = deletions_first(actions)
    actions.sort(key=lambda action: _order(action, first))
    guard = _guard(actions, rules, local, remote, known, unchanged)
    return SyncPlan(tuple(actions), unchanged, guard, blocked)


def _plan_path(
    path: str, local: LocalFile | None, remote: RemoteFile | None, agreed: Agreed | None, rules: SyncRules
) -> SyncAction:
    here, there = _local_change(local, agreed), _remote_change(remote, agreed)
    equal = local is not None and remote is not None and local.sha256 == remote.sha256
    if here is there is Change.UNCHANGED and remote and agreed and remote.token != agreed.token:
        # The content is what was agreed, and only the object is another.
        decision = Decision("agree", "equal on both sides")
    else:
        decision = decide(here, there, rules, equal=equal, newer=_newer(local, remote))
    return SyncAction(
        decision.kind,
        path,
        decision.reason,
        local,
        remote,
        agreed,
        conflict=decision.conflict,
        replaces=decision.replaces,
        waits=decision.waits,
    )


def _local_change(local: LocalFile | None, agreed: Agreed | None) -> Change:
    if agreed is None:
        return Change.ABSENT if local is None else Change.CREATED
    if local is None:
        return Change.DELETED
    return Change.UNCHANGED if local.sha256 == agreed.sha256 else Change.CHANGED


def _remote_change(remote: RemoteFile | None, agreed: Agreed | None) -> Change:
    if agreed is None:
        return Change.ABSENT if remote is None else Change.CREATED
    if remote is None:
        return Change.DELETED
    same = remote.token == agreed.token or remote.sha256 == agreed.sha256
    return Change.UNCHANGED if same else Change.CHANGED


def _newer(local: LocalFile | None, remote: RemoteFile | None) -> Literal["local", "remote"] | None:
    here, there = local and local.modified, remote and remote.modified
    if not here or not there or here == there:
        return None
    return "local" if here > there else "remote"


def _with_renames(actions: list[SyncAction]) -> Iterable[SyncAction]:
    """Make one rename of a deletion and a creation of the same content; equal files go by their order."""
    blocked = deletions_first(actions)
    gone: dict[tuple[str, str], list[SyncAction]] = defaultdict(list)
    for action in reversed(actions):
        if action.kind in _DELETIONS and action.agreed and action.path not in blocked:
            gone[action.kind, action.agreed.sha256].append(action)
    renamed: dict[str, SyncAction] = {}
    for action in actions:
        if (
            action.path in blocked
            or action.agreed is not None
            or (action.local is not None and action.remote is not None)
        ):
            continue
        if action.kind == "upload" and action.local and (old := gone["delete_remote", action.local.sha256]):
            kind = "rename_remote"
        elif action.kind == "download" and action.remote and (old := gone["delete_local", action.remote.sha256 or ""]):
            kind = "rename_local"
        else:
            continue
        first = old.pop()
        renamed[first.path] = replace(
            first,
            kind=kind,
            to=action.path,
            reason="renamed here" if kind == "rename_remote" else "renamed there",
            local=first.local or action.local,
            remote=first.remote or action.remote,
        )
        renamed[action.path] = renamed[first.path]
    seen: set[str] = set()
    for action in actions:
        now = renamed.get(action.path, action)
        if now.path not in seen:
            seen.add(now.path)
            yield now


def deletions_first(actions: Collection[SyncAction]) -> set[str]:
    """Return the paths of deletions without which others cannot come to be, and of those others.

    Example:
        >>> gone, new = SyncAction("delete_remote", "arm"), SyncAction("upload", "arm/left.stl")
        >>> sorted(deletions_first([gone, new, SyncAction("delete_remote", "leg")]))
        ['arm', 'arm/left.stl']
    """
    of = {kind: {action.path for action in actions if action.kind == kind} for kind in (*_DELETIONS, *_CREATIONS)}
    found: set[str] = set()
    return found.union(*(in_the_way(of[gone], of[new]) for gone, new in zip(_DELETIONS, _CREATIONS, strict=True)))


def _order(action: SyncAction, first: set[str]) -> tuple[int, str]:
    """Renames early, since content that is there need not be moved; deletions last, if they may, when all is safe."""
    early: tuple[ActionKind, ...] = ("agree", "forget", "rename_local", "rename_remote")
    if action.kind in _DELETIONS:
        return (0 if action.path in first else 3, action.path)
    return (1 if action.kind in early else 2, action.path)


def _guard(
    actions: Iterable[SyncAction],
    rules: SyncRules,
    local: Mapping[str, LocalFile],
    remote: Mapping[str, RemoteFile],
    known: int,
    unchanged: int,
) -> str:
    kinds = [action.kind for action in actions]
    sides = (
        ("delete_remote", "the store", len(local), "the folder"),
        ("delete_local", "the folder", len(remote), "the store"),
    )
    for kind, side, left, other in sides:
        count = kinds.count(kind)
        if not count:
            continue
        if not left and not unchanged:
            return f"{other} is empty, and all {count} files would be deleted in {side}"
        if count > rules.max_deletes:
            return f"{count} files would be deleted in {side}, more than {rules.max_deletes}"
        if count > _FEW_DELETES and count >= known * rules.max_delete_share:
            share = f"{count / known:.0%}"
            return (
                f"{count} of {known} files would be deleted in {side}: {share}, and {rules.max_delete_share:.0%} stops"
            )
    return ""


def _action_as_dict(action: SyncAction) -> dict[str, Any]:
    given: dict[str, Any] = {"kind": action.kind, "path": action.path, "reason": action.reason}
    if action.to:
        given["to"] = action.to
    if action.conflict:
        given["conflict"] = True
    for side in ("local", "remote", "agreed"):
        seen = getattr(action, side)
        if seen is not None:
            given[side] = {
                name: value.isoformat() if isinstance(value, datetime) else value
                for name, value in asdict(seen).items()
                if value not in (None, "")
            }
    return given
