"""What becomes of one path, by what has become of each side since both last agreed: the truth table, and no more.

Five sentences hold it together:

*   Only one side has changed: the other follows, where ``direction`` and ``overwrite`` let it.
*   A deletion is followed only where ``delete_files`` says so and the other side is what was agreed; else the file is
    brought back, or left where ``direction`` lets nothing be brought.
*   An edit beats a deletion.
*   Both sides have changed, or nothing was ever agreed, and the contents differ: a conflict. No content is given up.
*   What is not allowed is left as it is, and told.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from skyhold.errors import BadOptionError

__all__ = [
    "MAX_DELETES",
    "MAX_DELETE_SHARE",
    "ActionKind",
    "Change",
    "ConflictChoice",
    "Decision",
    "Direction",
    "SyncRules",
    "decide",
]

Direction = Literal["upload", "download", "both"]
ConflictChoice = Literal["keep-both", "local", "remote", "newest", "ask"]
ActionKind = Literal[
    "agree",
    "forget",
    "upload",
    "download",
    "delete_local",
    "delete_remote",
    "rename_local",
    "rename_remote",
    "keep_both",
    "leave",
    "nothing",
]


MAX_DELETES = 1000
MAX_DELETE_SHARE = 0.5


class Change(StrEnum):
    """What has become of one side since both agreed. ``CREATED`` and ``ABSENT`` are said where nothing was agreed."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    CREATED = "created"
    DELETED = "deleted"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class SyncRules:
    """What a synchronization may do.

    Attributes:
        direction: ``"upload"`` changes the remote side only, ``"download"`` the local side only, ``"both"`` both.
        delete_files: Whether a deletion on one side is followed on the other.
        overwrite: Whether a side that still is what was agreed may be replaced by the other one's edit.
        conflict: What becomes of a file that differs without one side being what was agreed.
        max_deletes: A plan with more deletions on one side is stopped.
        max_delete_share: So is one that deletes this share of what was agreed, or more.

    Raises:
        BadOptionError: A value is not one of these.
    """

    direction: Direction = "both"
    delete_files: bool = False
    overwrite: bool = True
    conflict: ConflictChoice = "keep-both"
    max_deletes: int = MAX_DELETES
    max_delete_share: float = MAX_DELETE_SHARE

    def __post_init__(self) -> None:
        _check_one_of("direction", self.direction, get_args(Direction))
        _check_one_of("conflict", self.conflict, get_args(ConflictChoice))
        if self.max_deletes < 0 or not 0 < self.max_delete_share <= 1:
            raise BadOptionError(
                f"a delete guard of max_deletes={self.max_deletes} and max_delete_share={self.max_delete_share} "
                "cannot be kept",
                remedy="Give a count of 0 or more, and a share above 0 and up to 1",
            )

    @property
    def uploads(self) -> bool:
        """Whether the remote side may be changed."""
        return self.direction != "download"

    @property
    def downloads(self) -> bool:
        """Whether the local side may be changed."""
        return self.direction != "upload"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a path, and why.

    Attributes:
        kind: What to do.
        reason: In words.
        conflict: Whether both sides had something of their own to say.
        replaces: Whether a file of the other side is replaced that was not what was agreed: its content is kept aside.
        waits: Whether it is left only until somebody has chosen.
    """

    kind: ActionKind
    reason: str = ""
    conflict: bool = False
    replaces: bool = False
    waits: bool = False


def decide(
    local: Change,
    remote: Change,
    rules: SyncRules,
    *,
    equal: bool = False,
    newer: Literal["local", "remote"] | None = None,
) -> Decision:
    """Return what to do with one path.

    Args:
        local: What became of the local side.
        remote: What became of the remote side.
        rules: What may be done.
        equal: Whether both sides are there and have the same content.
        newer: Which side was changed last; None where that cannot be told.

    Example:
        >>> decide(Change.CHANGED, Change.UNCHANGED, SyncRules()).kind
        'upload'
        >>> decide(Change.CHANGED, Change.CHANGED, SyncRules()).kind
        'keep_both'
        >>> decide(Change.DELETED, Change.CHANGED, SyncRules(delete_files=True)).kind
        'download'
    """
    pair = (local, remote)
    if pair in _CONFLICTS:
        return Decision("agree", "equal on both sides") if equal else _of_conflict(rules, newer)
    if pair not in _PAIRS:
        raise ValueError(f"a path cannot be {local} here and {remote} there")
    intent, why = _PAIRS[pair]
    match intent:
        case "nothing" | "forget":
            return Decision(intent, why)
        case "delete_local" | "delete_remote":
            return _of_deletion(intent, why, rules)
        case "upload" | "download":
            return _of_one_side(intent, why, rules, replaces=Change.UNCHANGED in pair)


_CONFLICTS = {(Change.CHANGED, Change.CHANGED), (Change.CREATED, Change.CREATED)}

_Intent = Literal["nothing", "forget", "upload", "download", "delete_local", "delete_remote"]

_PAIRS: dict[tuple[Change, Change], tuple[_Intent, str]] = {
    (Change.UNCHANGED, Change.UNCHANGED): ("nothing", ""),
    (Change.ABSENT, Change.ABSENT): ("nothing", ""),
    (Change.DELETED, Change.DELETED): ("forget", "deleted on both sides"),
    (Change.CHANGED, Change.UNCHANGED): ("upload", "changed here"),
    (Change.UNCHANGED, Change.CHANGED): ("download", "changed there"),
    (Change.CREATED, Change.ABSENT): ("upload", "new here"),
    (Change.ABSENT, Change.CREATED): ("download", "new there"),
    (Change.CHANGED, Change.DELETED): ("upload", "changed here, deleted there: the edit stays"),
    (Change.DELETED, Change.CHANGED): ("download", "changed there, deleted here: the edit stays"),
    (Change.DELETED, Change.UNCHANGED): ("delete_remote", "deleted here"),
    (Change.UNCHANGED, Change.DELETED): ("delete_local", "deleted there"),
}
"""What one side asks of the other, before the options are looked at; and why."""


def _of_one_side(kind: Literal["upload", "download"], why: str, rules: SyncRules, *, replaces: bool) -> Decision:
    if not (rules.uploads if kind == "upload" else rules.downloads):
        return Decision("leave", f"{why}; direction is {rules.direction!r}")
    if replaces and not rules.overwrite:
        return Decision("leave", f"{why}; nothing is to be overwritten")
    return Decision(kind, why)


def _of_deletion(kind: Literal["delete_local", "delete_remote"], why: str, rules: SyncRules) -> Decision:
    here = kind == "delete_remote"
    follows, brings = (rules.uploads, rules.downloads) if here else (rules.downloads, rules.uploads)
    if follows and rules.delete_files:
        return Decision(kind, why)
    if brings:
        return Decision("download" if here else "upload", f"{why}; brought back, since deletions are not followed")
    return Decision("leave", f"{why}; deletions are not followed")


def _of_conflict(rules: SyncRules, newer: Literal["local", "remote"] | None) -> Decision:
    why = "differs on both sides"
    if not rules.overwrite:
        return Decision("leave", f"{why}; nothing is to be overwritten", conflict=True)
    choice = rules.conflict
    if choice == "newest":
        choice = newer or "keep-both"
    if choice == "keep-both":
        return Decision("keep_both", f"{why}; both are kept", conflict=True)
    if choice == "ask":
        return Decision("leave", f"{why}; somebody has to choose", conflict=True, waits=True)
    kind, allowed = ("upload", rules.uploads) if choice == "local" else ("download", rules.downloads)
    if not allowed:
        return Decision("leave", f"{why}; direction is {rules.direction!r}", conflict=True)
    return Decision(kind, f"{why}; the {choice} one was chosen", conflict=True, replaces=True)


def _check_one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BadOptionError(f"{option}={value!r} is not known", remedy=f"Use one of: {', '.join(known)}")
